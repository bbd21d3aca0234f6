"""What each role may do: a closed list of permissions, and the roles as data (`roles.toml`).

Nothing is allowed unless it is written there.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from consore.model import Role

ROLES_FILE = Path(__file__).parent / "roles.toml"


class Permission(StrEnum):
    """What may be asked of a node. `ANYONE` and `SIGNED_IN` are held without being given."""

    ANYONE = "anyone"
    SIGNED_IN = "signed_in"
    SEARCH = "search"
    CLINICAL = "clinical"  # histories and documents of patients
    IDENTITIES = "identities"  # names, IPP, birth dates, and documents with them
    REVIEW = "review"  # confirm, correct and reject what was read; sentences need `clinical` too
    EXPORT = "export"  # patients as OSIRIS or FHIR, pseudonymised; naming them needs `identities` too
    COHORT = "cohort"
    FEDERATION = "federation"  # ask the other centres, write to their referents
    SAVED_QUERIES = "saved_queries"
    SOURCES = "sources"
    SCHEDULES = "schedules"
    ACCOUNTS = "accounts"
    PEERS = "peers"
    AUDIT = "audit"
    REFERENTIALS = "referentials"
    OPPOSITION = "opposition"


@lru_cache(maxsize=1)
def role_permissions() -> dict[Role, frozenset[Permission]]:
    """The permissions of each role, read once from `roles.toml`.

    Raises ValueError where the file names a role or a permission that does not exist, or forgets a role.
    """
    table = tomllib.loads(ROLES_FILE.read_text(encoding="utf-8"))
    roles = {
        Role(name): frozenset(Permission(word) for word in entry["may"]) | {Permission.ANYONE, Permission.SIGNED_IN}
        for name, entry in table.items()
    }
    if missing := set(Role) - set(roles):
        raise ValueError(f"{ROLES_FILE} does not say what {sorted(missing)} may do.")
    return roles
