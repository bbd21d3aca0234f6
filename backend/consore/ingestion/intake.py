"""Records go into the store by what they hold: what is there already and has not changed is left alone.

A patient of whom anything changed is noted in PendingPatient, in the same transaction: whatever is interrupted later,
their history and index entry are rebuilt.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from consore.errors import RecordError
from consore.model import (
    Act,
    Diagnosis,
    Document,
    DocumentMentions,
    Patient,
    PendingPatient,
    Stay,
    StructuredRecord,
    now,
)
from consore.sources import Rejection, SourceRecord

STRUCTURED = ("tumour_sheet", "chemotherapy", "biobank")
DATE_COLUMNS = ("date", "date_diagnostic", "date_prelevement")


@dataclass(slots=True)
class Taken:
    """What became of some records. `opposed`: patients who are now opposed and must leave the index at once."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    opposed: list[int] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)


def take_in(session: Session, records: Sequence[SourceRecord]) -> Taken:
    """Put records in the store, in the caller's transaction. A record of an unknown patient is rejected."""
    taken = Taken()
    _patients(session, [record for record in records if record.kind == "patient"], taken)
    others = [record for record in records if record.kind != "patient"]
    if others:
        known = _patient_ids(session, {record.ipp for record in others})
        ours = []
        for record in others:
            if record.ipp in known:
                ours.append(record)
            else:
                taken.rejections.append(Rejection.of(_unknown_patient(record.ipp), record.origin, record.raw))
        for kind in STRUCTURED:
            _structured(session, kind, [record for record in ours if record.kind == kind], known, taken)
        _documents(session, [record for record in ours if record.kind == "document"], known, taken)
        _stays(session, [record for record in ours if record.kind == "stay"], known, taken)
    mark_pending(session, taken.pending)
    return taken


def mark_pending(session: Session, patient_ids: Iterable[int]) -> None:
    """Note that the history and the index entry of these patients must be rebuilt."""
    moment = dt.datetime.now(dt.UTC)  # to the microsecond: a change made while a rebuild runs must not look like it
    rows = [{"patient_id": identifier, "since": moment} for identifier in sorted(set(patient_ids))]
    if rows:
        make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        statement = make(PendingPatient).values(rows)
        session.execute(
            statement.on_conflict_do_update(index_elements=["patient_id"], set_={"since": statement.excluded.since})
        )


def content_sha256(ipp: str, values: dict[str, Any]) -> str:
    """What a record holds, as one number: equal for equal content, whatever the order of its keys."""
    text = json.dumps([ipp, values], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# --- Each kind ----------------------------------------------------------------------------------------------


def _patients(session: Session, records: list[SourceRecord], taken: Taken) -> None:
    if not records:
        return
    statement = select(Patient.ipp, Patient.id, Patient.sha256, Patient.opposed)  # type: ignore[call-overload]
    held = {
        row.ipp: row for row in session.execute(statement.where(_in(Patient.ipp, (record.ipp for record in records))))
    }
    new, changed = [], []
    for record in records:
        sha256 = content_sha256(record.ipp, record.values)
        row = {**_dates(record.values), "ipp": record.ipp, "sha256": sha256, "updated_at": now()}
        old = held.get(record.ipp)
        if old is None:
            new.append(row)
        elif old.sha256 != sha256:
            # An opposition that a person recorded is not undone by an extract that does not know of it.
            changed.append({**row, "id": old.id, "opposed": row.get("opposed", False) or old.opposed})
        else:
            taken.unchanged += 1
    if new:
        session.execute(insert(Patient), new)
    if changed:
        session.execute(update(Patient), changed)
    taken.created += len(new)
    taken.changed += len(changed)
    ids = _patient_ids(session, {row["ipp"] for row in new + changed})
    taken.pending.update(ids.values())
    taken.opposed += [ids[row["ipp"]] for row in new + changed if row.get("opposed")]


def _structured(session: Session, kind: str, records: list[SourceRecord], known: dict[str, int], taken: Taken) -> None:
    rows = [
        {
            "patient_id": known[record.ipp],
            "kind": kind,
            "external_id": record.external_id,
            "date": _day(next((record.values[name] for name in DATE_COLUMNS if record.values.get(name)), None)),
            "values_": record.values,
            "origin": record.origin,
            "sha256": content_sha256(record.ipp, record.values),
        }
        for record in records
    ]
    held = _held(session, StructuredRecord, rows, StructuredRecord.kind == kind)
    _save(session, StructuredRecord, rows, held, taken)


def _documents(session: Session, records: list[SourceRecord], known: dict[str, int], taken: Taken) -> None:
    taken.unchanged += sum(record.known for record in records)
    rows = [
        {
            **_dates(record.values),
            "patient_id": known[record.ipp],
            "external_id": record.external_id,
            "origin": record.origin,
            "sha256": content_sha256(record.ipp, record.values),
            "signature": record.signature,
        }
        for record in records
        if not record.known
    ]
    held = _held(session, Document, rows)
    changed = _save(session, Document, rows, held, taken)
    if changed:
        session.execute(delete(DocumentMentions).where(_in(DocumentMentions.document_id, changed)))
    touched = [
        {"id": held[row["external_id"]][0], "signature": row["signature"]}
        for row in rows
        if row["external_id"] in held and held[row["external_id"]][2] == row["sha256"]
    ]
    if touched:
        session.execute(update(Document), touched)


def _stays(session: Session, records: list[SourceRecord], known: dict[str, int], taken: Taken) -> None:
    if not records:
        return
    numbers = [record.external_id for record in records]
    statement = select(Stay.number, Stay.id, Stay.patient_id, Stay.sha256)  # type: ignore[call-overload]
    held = {row[0]: (row[1], row[2], row[3]) for row in session.execute(statement.where(_in(Stay.number, numbers)))}
    rows = [
        {
            "patient_id": known[record.ipp],
            "external_id": record.external_id,
            "number": record.external_id,
            "entry_date": _day(record.values["entry_date"]),
            "exit_date": _day(record.values["exit_date"]),
            "unit": record.values["unit"],
            "sha256": content_sha256(record.ipp, record.values),
        }
        for record in records
    ]
    fresh = {row["number"] for row in rows if held.get(row["number"], (0, 0, ""))[2] != row["sha256"]}
    _save(session, Stay, rows, held, taken)
    if not fresh:
        return
    ids = dict(session.execute(select(Stay.number, Stay.id).where(_in(Stay.number, fresh))).all())  # type: ignore[call-overload]
    for model in (Diagnosis, Act):
        session.execute(delete(model).where(_in(model.stay_id, ids.values())))
    for name, model in (("diagnoses", Diagnosis), ("acts", Act)):
        children = [
            {**_dates(item), "patient_id": known[record.ipp], "stay_id": ids[record.external_id]}
            for record in records
            if record.external_id in fresh
            for item in record.values[name]
        ]
        if children:
            session.execute(insert(model), children)


def _held(
    session: Session, model: Any, rows: list[dict[str, Any]], *conditions: Any
) -> dict[str, tuple[int, int, str]]:
    """What the store holds of these records: identifier, patient, content."""
    statement = select(model.external_id, model.id, model.patient_id, model.sha256)
    found = session.execute(statement.where(_in(model.external_id, (row["external_id"] for row in rows)), *conditions))
    return {row[0]: (row[1], row[2], row[3]) for row in found}


def _save(
    session: Session, model: Any, rows: list[dict[str, Any]], held: dict[str, tuple[int, int, str]], taken: Taken
) -> list[int]:
    """Insert what is new, update what changed; gives the identifiers of what changed."""
    new, changed = [], []
    for row in rows:
        old = held.get(row["external_id"])
        if old is None:
            new.append(row)
            taken.pending.add(row["patient_id"])
        elif old[2] != row["sha256"]:
            changed.append({**row, "id": old[0]})
            taken.pending.update((row["patient_id"], old[1]))  # a record may have moved to another patient
        else:
            taken.unchanged += 1
    columns = set(model.model_fields)
    if new:
        session.execute(insert(model), [_only(row, columns) for row in new])
    if changed:
        session.execute(update(model), [_only(row, columns) for row in changed])
    taken.created += len(new)
    taken.changed += len(changed)
    return [row["id"] for row in changed]


def _patient_ids(session: Session, ipps: Iterable[str]) -> dict[str, int]:
    statement = select(Patient.ipp, Patient.id).where(_in(Patient.ipp, ipps))  # type: ignore[call-overload]
    return dict(session.execute(statement).all())


def _in(column: Any, values: Iterable[Any]) -> Any:
    return column.in_(list(values))


def _only(row: dict[str, Any], columns: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in columns}


def _dates(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _day(value) if name.endswith("date") else value for name, value in values.items()}


def _day(written: str | None) -> dt.date | None:
    return dt.date.fromisoformat(written) if written else None


def _unknown_patient(ipp: str) -> RecordError:
    return RecordError(
        f"No patient has the IPP {ipp}.",
        "Read the administrative source first, then this one again.",
        reason="unknown_patient",
    )
