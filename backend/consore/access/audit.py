"""The audit trail: who read whose data, who signed in, who was refused, what an administrator changed.

An entry is written in the same transaction as the read that it tells of, or before it: where it cannot be written,
nothing is read. Entries are never changed; `forget_old_entries` removes those whose months are over (CNIL).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert
from sqlmodel import Session

from consore.access.principal import Principal
from consore.model import AuditEntry, now


class Action(StrEnum):
    """What an entry tells of."""

    SIGN_IN = "sign_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_OUT = "sign_out"
    SESSION_REVOKED = "session_revoked"  # a refresh token was used twice
    REFUSED = "refused"
    PATIENT_READ = "patient_read"
    PATIENT_LISTED = "patient_listed"  # shown among the hits of a search
    SIMILAR_SHOWN = "similar_shown"
    DOCUMENT_READ = "document_read"
    COHORT_COUNTED = "cohort_counted"
    COHORT_KEPT = "cohort_kept"  # saved, refreshed, shared or deleted
    NETWORK_ASKED = "network_asked"
    CONTACT = "contact"
    EXPORTED = "exported"  # written to a file or answered as one, pseudonymised or not
    REVIEWED = "reviewed"  # an item of a history was confirmed, corrected or rejected
    ADMIN_CHANGE = "admin_change"


def audit(
    session: Session,
    principal: Principal | None,
    action: Action,
    patient_id: int | None = None,
    detail: dict[str, Any] | None = None,
    address: str = "",
    login: str = "",
) -> None:
    """Write one entry. `login` is what was typed where nobody is signed in; `address` the network address."""
    audit_each(session, principal, action, [patient_id], detail, address, login)


def audit_each(
    session: Session,
    principal: Principal | None,
    action: Action,
    patient_ids: Iterable[int | None],
    detail: dict[str, Any] | None = None,
    address: str = "",
    login: str = "",
) -> None:
    """Write one entry a patient, in one statement."""
    at = now()
    rows = [
        {
            "at": at,
            "account_id": principal.account_id if principal else None,
            "login": principal.login if principal else login[:64],
            "role": principal.role.value if principal else "",
            "action": action.value,
            "patient_id": patient_id,
            "detail": detail or {},
            "address": address,
        }
        for patient_id in patient_ids
    ]
    if rows:
        session.execute(insert(AuditEntry), rows)


def forget_old_entries(session: Session, months: int) -> int:
    """Remove the entries older than `months` (of 30 days); returns how many."""
    limit = now() - dt.timedelta(days=30 * months)
    return session.execute(delete(AuditEntry).where(AuditEntry.at < limit)).rowcount  # type: ignore[attr-defined, no-any-return, arg-type]
