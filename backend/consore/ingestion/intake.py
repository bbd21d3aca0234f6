"""Records go into the store by what they hold: what is there already and has not changed is left alone.

A patient of whom anything changed is noted in PendingPatient, in the same transaction: whatever is interrupted later,
their history and index entry are rebuilt. `identities` knows who is who, `removals` what was taken back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session

from consore.errors import RecordError
from consore.ingestion.identities import patient_ids, take_merges, take_patients
from consore.ingestion.removals import STRUCTURED, Removals, take_removals
from consore.ingestion.taken import Taken, among, content_sha256, dates, day, is_older, latest, mark_pending, sortable
from consore.model import Act, Diagnosis, Document, DocumentMentions, Stay, StructuredRecord
from consore.sources import SourceRecord

DATE_COLUMNS = ("date", "date_diagnostic", "date_prelevement")
UNKNOWN_PATIENT = "unknown_patient"


def take_in(
    session: Session,
    records: Sequence[SourceRecord],
    source_id: int | None = None,
    *,
    told_at: dt.datetime | None = None,
) -> Taken:
    """Put records in the store, in the caller's transaction. A record of an unknown patient is refused.

    `told_at`: when the records first came, where that was not just now (what was removed since stays out).
    """
    taken = Taken()
    # What is taken back, and what comes after that, is done in the order of the source.
    for removal, group in groupby(records, key=lambda record: record.kind == "deletion"):
        if removal:
            take_removals(session, list(group), taken)
        else:
            _take(session, list(group), source_id, told_at, taken)
    mark_pending(session, taken.pending)
    return taken


def _take(
    session: Session, records: list[SourceRecord], source_id: int | None, told_at: dt.datetime | None, taken: Taken
) -> None:
    take_patients(session, [record for record in records if record.kind == "patient"], source_id, taken)
    take_merges(session, [record for record in records if record.kind == "merge"], taken)
    others = [record for record in records if record.kind not in ("patient", "merge")]
    if not others:
        return
    known = patient_ids(session, {record.ipp for record in others})
    ours = []
    for record in others:
        if record.ipp in known:
            ours.append(record)
        else:
            taken.refuse(record, _unknown_patient(record.ipp), ipp=record.ipp)
    batch = _Batch(session, known, source_id, told_at, taken)
    for kind in STRUCTURED:
        _structured(batch, kind, [record for record in ours if record.kind == kind])
    _documents(batch, [record for record in ours if record.kind == "document"])
    _stays(batch, [record for record in ours if record.kind == "stay"])


@dataclass(slots=True)
class _Batch:
    """What every kind of records needs to go in."""

    session: Session
    known: dict[str, int]
    source_id: int | None
    told_at: dt.datetime | None
    taken: Taken

    def row(self, record: SourceRecord, **values: Any) -> dict[str, Any]:
        """The row of a record, with what all kinds have."""
        return {
            "patient_id": self.known[record.ipp],
            "external_id": record.external_id,
            "sha256": content_sha256(record.values),
            "version": sortable(record.version),
            "source_id": self.source_id,
            **values,
        }

    def latest(self, records: list[SourceRecord]) -> list[SourceRecord]:
        """One state of each record; the others are not news."""
        states = latest(records)
        self.taken.unchanged += len(records) - len(states)
        return states


# --- Each kind ----------------------------------------------------------------------------------------------


def _structured(batch: _Batch, kind: str, records: list[SourceRecord]) -> None:
    if not records:
        return
    rows = [
        batch.row(
            record,
            kind=kind,
            date=day(next((record.values[name] for name in DATE_COLUMNS if record.values.get(name)), None)),
            values_=record.values,
            origin=record.origin,
        )
        for record in batch.latest(records)
    ]
    held = _held(batch.session, StructuredRecord, rows, _c(StructuredRecord.kind) == kind)
    _save(batch, kind, StructuredRecord, rows, held)


def _documents(batch: _Batch, records: list[SourceRecord]) -> None:
    if not records:
        return
    new = [record for record in records if not record.known]
    batch.taken.unchanged += len(records) - len(new)
    rows = [
        batch.row(record, **dates(record.values), origin=record.origin, signature=record.signature)
        for record in batch.latest(new)
    ]
    held = _held(batch.session, Document, rows, also=Document.signature)
    saved = _save(batch, "document", Document, rows, held)
    if saved.texts:
        batch.session.execute(delete(DocumentMentions).where(among(DocumentMentions.document_id, saved.texts)))
    touched = [
        {"id": held[row["external_id"]].id, "signature": row["signature"]}
        for row in saved.same
        if row["signature"] != held[row["external_id"]].more
    ]
    if touched:
        batch.session.execute(update(Document), touched)


def _stays(batch: _Batch, records: list[SourceRecord]) -> None:
    if not records:
        return
    states = batch.latest(records)
    rows = [
        batch.row(
            record,
            number=record.external_id,
            entry_date=day(record.values["entry_date"]),
            exit_date=day(record.values["exit_date"]),
            unit=record.values["unit"],
        )
        for record in states
    ]
    held = _held(batch.session, Stay, rows, name=Stay.number)
    fresh = {row["number"] for row in _save(batch, "stay", Stay, rows, held).written}
    if not fresh:
        return
    statement = select(_c(Stay.number), _c(Stay.id)).where(among(Stay.number, fresh))
    ids = dict(batch.session.execute(statement).all())
    for model in (Diagnosis, Act):
        batch.session.execute(delete(model).where(among(model.stay_id, ids.values())))
    for name, model in (("diagnoses", Diagnosis), ("acts", Act)):
        children = [
            {**dates(item), "patient_id": batch.known[record.ipp], "stay_id": ids[record.external_id]}
            for record in states
            if record.external_id in fresh
            for item in record.values[name]
        ]
        if children:
            batch.session.execute(insert(model), children)


# --- What is held, what is new ------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class _Held:
    """What the store holds of a record."""

    id: int
    patient_id: int
    sha256: str
    version: str
    source_id: int | None
    more: Any = None


@dataclass(slots=True)
class _Saved:
    """The rows that were written, those that were there just so, and the identifiers of those whose content changed."""

    written: list[dict[str, Any]]
    same: list[dict[str, Any]]
    texts: list[int]


def _held(
    session: Session, model: Any, rows: list[dict[str, Any]], *conditions: Any, name: Any = None, also: Any = None
) -> dict[str, _Held]:
    column = model.external_id if name is None else name
    wanted = [column, model.id, model.patient_id, model.sha256, model.version, model.source_id]
    statement = select(*wanted, *([] if also is None else [also]))
    found = session.execute(statement.where(among(column, (row["external_id"] for row in rows)), *conditions))
    return {row[0]: _Held(*row[1:]) for row in found}


def _save(batch: _Batch, kind: str, model: Any, rows: list[dict[str, Any]], held: dict[str, _Held]) -> _Saved:
    """Insert what is new, update what changed. A record may have moved to another patient: both are rebuilt."""
    session, taken = batch.session, batch.taken
    removals = Removals.of(session, kind, (row["external_id"] for row in rows), batch.told_at)
    saved = _Saved([], [], [])
    new, changed, touched = [], [], []
    for row in rows:
        old = held.get(row["external_id"])
        if old is None:
            if removals.stands_against(row["external_id"], row["version"], row["sha256"]):
                taken.unchanged += 1
                continue
            new.append(row)
            saved.written.append(row)
            taken.pending.add(row["patient_id"])
        elif is_older(row["version"], old.version):
            taken.unchanged += 1
        elif (old.sha256, old.patient_id) != (row["sha256"], row["patient_id"]):
            changed.append({**row, "id": old.id})
            saved.written.append(row)
            taken.pending.update((row["patient_id"], old.patient_id))
            if old.sha256 != row["sha256"]:
                saved.texts.append(old.id)
        else:
            taken.unchanged += 1
            saved.same.append(row)
            known = {"version": row["version"] or old.version, "source_id": old.source_id or row["source_id"]}
            if known != {"version": old.version, "source_id": old.source_id}:
                touched.append({"id": old.id, **known})
    columns = set(model.model_fields)
    if new:
        session.execute(insert(model), list(_only(new, columns)))
    if changed:
        session.execute(update(model), list(_only(changed, columns)))
    if touched:
        session.execute(update(model), touched)
    removals.forget(session)
    taken.created += len(new)
    taken.changed += len(changed)
    return saved


def _only(rows: Iterable[dict[str, Any]], columns: set[str]) -> Iterator[dict[str, Any]]:
    return ({name: value for name, value in row.items() if name in columns} for row in rows)


def _unknown_patient(ipp: str) -> RecordError:
    return RecordError(
        f"No patient has the IPP {ipp}.",
        "It is kept, and read by itself once the administrative source gives this patient.",
        reason=UNKNOWN_PATIENT,
    )


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute


__all__ = ["STRUCTURED", "Taken", "mark_pending", "take_in"]
