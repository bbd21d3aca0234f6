"""Records that their source takes back: a document entered for somebody else, a row that was a mistake.

What was taken back is remembered: an older state of it that comes late, or the same state once more, stays out. What
comes with a newer version, or without one and changed, is in again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Self

from sqlalchemy import delete, func, insert, select
from sqlmodel import Session

from consore.errors import RecordError
from consore.ingestion.taken import Taken, among, is_older, sortable
from consore.model import Document, Patient, RemovedRecord, Stay, StructuredRecord, now
from consore.sources import SourceRecord

STRUCTURED = ("tumour_sheet", "chemotherapy", "pharmacy", "biology", "molecular", "biobank")
KINDS = ("patient", "stay", "document", *STRUCTURED)


class Removals:
    """Which of some records of one kind were taken back."""

    def __init__(self, kind: str, rows: dict[str, tuple[str, str, dt.datetime]], told_at: dt.datetime | None) -> None:
        self.kind = kind
        self._rows = rows
        self._told_at = told_at
        self._back: list[str] = []

    @classmethod
    def of(cls, session: Session, kind: str, external_ids: Iterable[str], told_at: dt.datetime | None = None) -> Self:
        """Those of the store. `told_at`: when the records came, where that was not just now."""
        statement = select(  # type: ignore[call-overload]
            RemovedRecord.external_id, RemovedRecord.version, RemovedRecord.sha256, RemovedRecord.removed_at
        ).where(_c(RemovedRecord.kind) == kind, among(RemovedRecord.external_id, external_ids))
        return cls(kind, {row[0]: tuple(row[1:]) for row in session.execute(statement)}, told_at)

    def stands_against(self, external_id: str, version: str, sha256: str) -> bool:
        """Whether this state of a record was taken back; otherwise it is no longer held for removed."""
        row = self._rows.get(external_id)
        if row is None:
            return False
        removed, what, when = row
        ordered = bool(version and removed)
        if ordered and not is_older(removed, version):
            return True
        if not ordered and (what == sha256 or (self._told_at is not None and self._told_at <= when)):
            return True
        self._back.append(external_id)
        return False

    def forget(self, session: Session) -> None:
        """The records that are in again are no longer removed."""
        if self._back:
            session.execute(
                delete(RemovedRecord).where(
                    _c(RemovedRecord.kind) == self.kind, among(RemovedRecord.external_id, self._back)
                )
            )


def take_removals(session: Session, records: list[SourceRecord], taken: Taken) -> None:
    """Take records back, with all that hangs on them; a patient goes with all of theirs."""
    for kind in sorted({str(record.values["of"]) for record in records}):
        own = [record for record in records if record.values["of"] == kind]
        if kind not in KINDS:
            fault = RecordError(
                f"What is taken back is called “{kind}”.", f"Known: {', '.join(KINDS)}.", reason="unknown_kind"
            )
            for record in own:
                taken.refuse(record, fault)
            continue
        states = {record.external_id: record for record in own}
        taken.unchanged += len(own) - len(states)
        held = _held(session, kind, states)
        before = _removed(session, kind, states)
        going: list[int] = []
        removed: list[dict[str, Any]] = []
        for record in states.values():
            version = sortable(record.version)
            row = held.get(record.external_id)
            known = before.get(record.external_id)
            if (row and is_older(version, row[3])) or (not row and known is not None and not version > known):
                taken.unchanged += 1
                continue
            if row:
                going.append(row[0])
                taken.pending.add(row[1])
            taken.changed += 1
            removed.append(
                {
                    "kind": kind,
                    "external_id": record.external_id,
                    "version": version,
                    "sha256": row[2] if row else "",
                    "patient_id": row[0] if row and kind == "patient" else None,
                    "origin": record.origin,
                    "removed_at": now(),
                }
            )
        remove_rows(session, kind, going)
        _remember(session, kind, removed)


def remove_rows(session: Session, kind: str, ids: list[int]) -> None:
    """Delete rows of a kind, with what hangs on them."""
    model, _ = _table(kind)
    if ids:
        session.execute(delete(model).where(among(model.id, ids)))


def patients_removed(session: Session) -> int:
    """The highest number of a patient who was taken back."""
    return session.execute(select(func.max(_c(RemovedRecord.patient_id)))).scalar() or 0


def _held(session: Session, kind: str, external_ids: Iterable[str]) -> dict[str, tuple[int, int, str, str]]:
    """What the store holds of these: row, patient, content, version."""
    model, name = _table(kind)
    owner = model.id if kind == "patient" else model.patient_id
    statement = select(name, model.id, owner, model.sha256, model.version).where(among(name, external_ids))
    if kind in STRUCTURED:
        statement = statement.where(model.kind == kind)
    return {row[0]: tuple(row[1:]) for row in session.execute(statement)}


def _removed(session: Session, kind: str, external_ids: Iterable[str]) -> dict[str, str]:
    statement = select(_c(RemovedRecord.external_id), _c(RemovedRecord.version)).where(
        _c(RemovedRecord.kind) == kind, among(RemovedRecord.external_id, external_ids)
    )
    return dict(session.execute(statement).all())


def _remember(session: Session, kind: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        names = [row["external_id"] for row in rows]
        session.execute(
            delete(RemovedRecord).where(_c(RemovedRecord.kind) == kind, among(RemovedRecord.external_id, names))
        )
        session.execute(insert(RemovedRecord), rows)


def _table(kind: str) -> tuple[Any, Any]:
    """The table of a kind and its column of the identifier in the source."""
    if kind == "patient":
        return Patient, Patient.ipp
    if kind == "stay":
        return Stay, Stay.number
    return (Document, Document.external_id) if kind == "document" else (StructuredRecord, StructuredRecord.external_id)


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
