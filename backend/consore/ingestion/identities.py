"""Who is who: patients by their IPP, and identities that were merged into another one (HL7 A40, `fusions.csv`).

A merge may come before either patient is known, twice, or after what was entered under the identity that goes: the IPP
is remembered, and the end is the same. The order of two merges does not matter either: what goes to B goes to C once
B does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlmodel import Session

from consore.errors import RecordError
from consore.ingestion.removals import Removals, patients_removed
from consore.ingestion.taken import Taken, among, content_sha256, dates, day, is_older, latest, sortable
from consore.model import (
    Act,
    CohortPatient,
    Correction,
    Diagnosis,
    Document,
    MergedIdentity,
    Patient,
    Stay,
    StructuredRecord,
    now,
)
from consore.sources import SourceRecord

# What sources and physicians say; the rest is derived anew.
OF_A_PATIENT = (Document, StructuredRecord, Stay, Diagnosis, Act, Correction)
_COLUMNS = set(Patient.model_fields)


def kept_ipps(session: Session, ipps: Iterable[str]) -> dict[str, str]:
    """For each IPP the one that stands for it now: itself, or the one that it was merged into."""
    asked = set(ipps)
    statement = select(_c(MergedIdentity.ipp), _c(MergedIdentity.kept)).where(among(MergedIdentity.ipp, asked))
    return {**{ipp: ipp for ipp in asked}, **dict(session.execute(statement).all())}


def patient_ids(session: Session, ipps: Iterable[str]) -> dict[str, int]:
    """The patient of each IPP, old or present; those who are unknown are left out."""
    kept = kept_ipps(session, ipps)
    statement = select(_c(Patient.ipp), _c(Patient.id)).where(among(Patient.ipp, set(kept.values())))
    found = dict(session.execute(statement).all())
    return {ipp: found[stands] for ipp, stands in kept.items() if stands in found}


# --- Patients -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Held:
    """What is known of a patient, in the store or a moment ago."""

    id: int | None
    sha256: str
    opposed: bool
    version: str
    record_ipp: str


def take_patients(session: Session, records: list[SourceRecord], source_id: int | None, taken: Taken) -> None:
    """Store patients. A person is described by the record of their own IPP, else by that of a merged identity."""
    if not records:
        return
    states = latest(records)
    taken.unchanged += len(records) - len(states)
    kept = kept_ipps(session, (record.ipp for record in states))
    held = _held(session, set(kept.values()))
    removals = Removals.of(session, "patient", (record.ipp for record in states))
    new: dict[str, dict[str, Any]] = {}
    changed: dict[str, dict[str, Any]] = {}
    for record in sorted(states, key=lambda one: (one.ipp != kept[one.ipp], one.ipp)):
        ipp, sha256, version = kept[record.ipp], content_sha256(record.values), sortable(record.version)
        old = held.get(ipp)
        opposed = bool(record.values.get("opposed")) or (old is not None and old.opposed)
        row: dict[str, Any] = {"opposed": opposed, "updated_at": now()}
        if removals.stands_against(record.ipp, version, sha256):
            taken.unchanged += 1
            continue
        if old is None or _describes(record.ipp, ipp, version, sha256, old):
            row = {**dates(record.values), **row, "sha256": sha256, "version": version, "source_id": source_id}
            row["record_ipp"] = record.ipp if record.ipp != ipp else ""
            old = _Held(old.id if old else None, sha256, opposed, version, row["record_ipp"])
        elif opposed == old.opposed:
            taken.unchanged += 1
            continue
        # An opposition that a person recorded is not undone by an extract that does not know of it.
        held[ipp] = _Held(old.id, old.sha256, opposed, old.version, old.record_ipp)
        into = changed if old.id is not None else new
        if ipp in into:
            taken.changed += 1
        into[ipp] = {**into.get(ipp, {}), **row, "ipp": ipp}
        if old.id is not None:
            into[ipp]["id"] = old.id
    _write(session, new, changed)
    removals.forget(session)
    taken.created += len(new)
    taken.changed += len(changed)
    ids = patient_ids(session, [*new, *changed])
    taken.pending.update(ids.values())
    taken.leaving += [ids[ipp] for ipp, row in {**new, **changed}.items() if row.get("opposed")]


def _describes(record_ipp: str, ipp: str, version: str, sha256: str, held: _Held) -> bool:
    """Whether a record says something new of a patient who is known."""
    described_by = held.record_ipp or ipp
    if record_ipp == described_by:
        return held.sha256 != sha256 and not is_older(version, held.version)
    return record_ipp == ipp or (described_by != ipp and record_ipp < described_by)


def _held(session: Session, ipps: set[str]) -> dict[str, _Held]:
    statement = select(  # type: ignore[call-overload]
        Patient.ipp, Patient.id, Patient.sha256, Patient.opposed, Patient.version, Patient.record_ipp
    ).where(among(Patient.ipp, ipps))
    return {row[0]: _Held(*row[1:]) for row in session.execute(statement)}


def _write(session: Session, new: dict[str, dict[str, Any]], changed: dict[str, dict[str, Any]]) -> None:
    rows = [_only(row) for row in new.values()]
    if rows and session.get_bind().dialect.name == "sqlite":
        _number(session, rows)
    if rows:
        session.execute(insert(Patient), rows)
    if changed:
        session.execute(update(Patient), [_only(row) for row in changed.values()])


def _number(session: Session, rows: list[dict[str, Any]]) -> None:
    """SQLite gives the highest number again once its row is gone; an audit entry would then name another person."""
    gone = max(
        session.execute(select(func.max(_c(MergedIdentity.patient_id)))).scalar() or 0, patients_removed(session)
    )
    last = session.execute(select(func.max(_c(Patient.id)))).scalar() or 0
    if gone > last:
        for number, row in enumerate(rows, start=gone + 1):
            row["id"] = number


def _only(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in _COLUMNS}


# --- Merges -------------------------------------------------------------------------------------------------


def take_merges(session: Session, records: list[SourceRecord], taken: Taken) -> None:
    """Merge identities, in the order in which they come: all that the one had moves to the other, who is described as
    before. Where either of them is opposed, the patient is.

    A merge that cannot be (of an IPP into itself, back, or into somebody else than before) is refused.
    """
    if not records:
        return
    kept = kept_ipps(session, {ipp for record in records for ipp in (record.values["merged"], record.ipp)})
    for record in records:
        merged, into = str(record.values["merged"]), kept[record.ipp]
        if kept[merged] != merged and kept[merged] == into:
            taken.unchanged += 1
            continue
        if fault := _fault(merged, kept[merged], record.ipp, into):
            taken.refuse(record, fault)
            continue
        gone = session.execute(select(Patient).where(_c(Patient.ipp) == merged)).scalar()
        edge = MergedIdentity(ipp=merged, kept=into, date=day(record.values.get("date")), origin=record.origin)
        session.add(edge)
        session.flush()
        session.execute(update(MergedIdentity).where(_c(MergedIdentity.kept) == merged).values(kept=into))
        kept = {ipp: into if stands == merged else stands for ipp, stands in kept.items()}
        taken.changed += 1
        if gone is not None and _move(session, gone, into, taken):
            edge.patient_id = gone.id
            session.flush()
    session.expunge_all()


def _fault(merged: str, stands: str, ipp: str, into: str) -> RecordError | None:
    """Why `merged`, for whom `stands` stands, cannot be merged into `ipp`, for whom `into` stands."""
    if merged == ipp:
        return RecordError(
            f"The IPP {ipp} is merged into itself.", "Correct it in the source.", reason="merge_into_itself"
        )
    if into == merged:
        return RecordError(
            f"The IPP {ipp} was merged into {merged} before: {merged} cannot be merged back into it.",
            "Nothing was changed. Check in the identity system which of the two stands.",
            reason="merge_back",
        )
    if stands != merged:
        return RecordError(
            f"The IPP {merged} was merged into {stands} before, not into {into}.",
            f"Nothing was changed. If {stands} and {into} are one person, merge these; else check the identity system.",
            reason="merged_elsewhere",
        )
    return None


def _move(session: Session, gone: Patient, into: str, taken: Taken) -> bool:
    """Give all that one patient has to another; where the other is not known yet, the one takes that IPP.

    True where a row is gone.
    """
    gone_id = int(gone.id or 0)
    kept = session.execute(select(Patient).where(_c(Patient.ipp) == into)).scalar()
    taken.pending.add(gone_id)
    if kept is None:
        gone.record_ipp = gone.record_ipp or gone.ipp
        gone.ipp = into
        session.flush()
        return False
    kept_id = int(kept.id or 0)
    if kept.record_ipp and (gone.record_ipp or gone.ipp) < kept.record_ipp:
        for name in _COLUMNS - {"id", "ipp", "record_ipp", "opposed"}:
            setattr(kept, name, getattr(gone, name))
        kept.record_ipp = gone.record_ipp or gone.ipp
    kept.opposed = kept.opposed or gone.opposed
    if kept.opposed:
        taken.leaving += [gone_id, kept_id]
    session.flush()
    for model in OF_A_PATIENT:
        owner: Any = model.patient_id  # type: ignore[attr-defined]
        session.execute(update(model).where(owner == gone_id).values(patient_id=kept_id))
    owner, cohort = _c(CohortPatient.patient_id), _c(CohortPatient.cohort_id)
    already = select(cohort).where(owner == kept_id)
    theirs = update(CohortPatient).where(owner == gone_id, cohort.not_in(already)).values(patient_id=kept_id)
    session.execute(theirs.execution_options(synchronize_session=False))
    session.execute(delete(Patient).where(_c(Patient.id) == gone_id).execution_options(synchronize_session=False))
    taken.pending.add(kept_id)
    return True


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
