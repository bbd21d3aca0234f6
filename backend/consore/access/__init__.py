"""Who asks, what they may see, and the trail of what they saw."""

from consore.access.account import end_sessions, find_account, save_account
from consore.access.audit import Action, audit, audit_each, forget_old_entries
from consore.access.identity import is_hidden, mask_identity
from consore.access.names import PatientNames
from consore.access.password import check_password
from consore.access.permission import Permission, role_permissions
from consore.access.principal import Principal, require
from consore.access.secret import node_secret
from consore.access.sessions import Sessions, SignedIn

__all__ = [
    "Action",
    "PatientNames",
    "Permission",
    "Principal",
    "Sessions",
    "SignedIn",
    "audit",
    "audit_each",
    "check_password",
    "end_sessions",
    "find_account",
    "forget_old_entries",
    "is_hidden",
    "mask_identity",
    "node_secret",
    "require",
    "role_permissions",
    "save_account",
]
