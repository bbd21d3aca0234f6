"""What may leave, for whom, and the trail of it: every export goes through `leaving`.

Pseudonymised unless asked otherwise. Naming patients, and quoting the sentences of their reports, need the permission
`identities`; naming needs a stated purpose too. Each patient that leaves is an entry of the audit trail, written in the
transaction that reads them.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from consore.access import Action, Permission, Principal, audit_each, mask_identity, require
from consore.errors import Forbidden, InputError
from consore.export.pseudonym import Pseudonyms
from consore.export.record import Record
from consore.export.stored import records
from consore.model import EvidenceRef, Patient
from consore.referentials import Terminology
from consore.settings import Settings

SHORTEST_PURPOSE = 10
BATCH = 1000  # identifiers in a statement


class Dates(StrEnum):
    """What becomes of the dates of a pseudonymised patient."""

    KEPT = "kept"
    SHIFTED = "shifted"  # by a number of days of the patient's own


@dataclass(slots=True, frozen=True)
class Leave:
    """How patients leave. `purpose` is written in the audit trail."""

    is_identified: bool = False
    purpose: str = ""
    dates: Dates = Dates.KEPT
    has_quotes: bool = False


def leaving(
    session: Session,
    settings: Settings,
    terminology: Terminology,
    patient_ids: Sequence[int],
    leave: Leave,
    *,
    form: str,
    principal: Principal | None = None,
    login: str = "",
    address: str = "",
) -> Iterator[Record]:
    """The records of these patients, as they may leave; those who are opposed stay.

    `principal` is who asks; null for whoever has a shell on the node, who may take what has no name (`login` is what
    the trail calls them). `form`: `osiris`, `fhir` or a `TableForm`.
    Raises Forbidden where the role does not allow it, InputError where a purpose is missing.
    """
    check(leave, principal)
    people = {row.ipp: row for row in _not_opposed(session, patient_ids)}
    audit_each(
        session, principal, Action.EXPORTED, [row.id for row in people.values()], _told(leave, form), address, login
    )
    pseudonyms = Pseudonyms(settings.home)
    centre = settings.centre_finess or settings.centre_code
    for record in records(session, patient_ids, terminology, centre, with_evidence=leave.has_quotes):
        if leave.is_identified:
            yield record
            continue
        if leave.has_quotes:
            record = _masked(record, people[record.id])
        yield pseudonyms.veiled(record, move_dates=leave.dates is Dates.SHIFTED)


def _not_opposed(session: Session, patient_ids: Sequence[int]) -> Iterator[Patient]:
    for start in range(0, len(patient_ids), BATCH):
        some = patient_ids[start : start + BATCH]
        yield from session.exec(select(Patient).where(col(Patient.id).in_(some), ~col(Patient.opposed)))


def check(leave: Leave, principal: Principal | None) -> None:
    """Raise what forbids this export; nothing is read before."""
    if principal is not None:
        require(principal, Permission.EXPORT)
    if not leave.is_identified and not leave.has_quotes:
        return
    if principal is None:
        raise Forbidden(
            "Names and sentences leave only for an account that may see identities.",
            "Say which one: `--account LOGIN`.",
        )
    require(principal, Permission.IDENTITIES)
    if leave.is_identified and len(leave.purpose.strip()) < SHORTEST_PURPOSE:
        raise InputError(
            "An export that names patients needs its purpose.", "Say it in a few words: it is kept in the audit trail."
        )
    if leave.is_identified and leave.dates is Dates.SHIFTED:
        raise InputError("Dates are not moved where patients are named.", "Keep the dates, or leave the names out.")


def _told(leave: Leave, form: str) -> dict[str, Any]:
    return {
        "export": secrets.token_hex(6),
        "form": form,
        "identified": leave.is_identified,
        "quotes": leave.has_quotes,
        "dates": leave.dates.value,
        "purpose": leave.purpose.strip(),
    }


def _masked(record: Record, patient: Patient) -> Record:
    """The record with the names of its patient hidden in the sentences."""

    def masked(value: Any) -> Any:
        if isinstance(value, EvidenceRef):
            return dataclasses.replace(value, quote=mask_identity(value.quote, patient))
        if isinstance(value, list):
            return [masked(one) for one in value]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes = {one.name: masked(getattr(value, one.name)) for one in dataclasses.fields(value)}
            return dataclasses.replace(value, **changes)
        return value

    found: Record = masked(record)
    return found


__all__ = ["Dates", "Leave", "check", "leaving"]
