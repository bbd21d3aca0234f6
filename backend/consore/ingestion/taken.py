"""What became of the records of a batch, and the few questions that everything which stores records asks."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from consore.errors import RecordError
from consore.model import PendingPatient
from consore.sources import Rejection, SourceRecord


@dataclass(slots=True)
class Taken:
    """What became of some records. `leaving`: patients who must leave the index at once, as they are opposed."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[tuple[SourceRecord, Rejection]] = field(default_factory=list)
    leaving: list[int] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)

    @property
    def rejections(self) -> list[Rejection]:
        """Why records were refused."""
        return [rejection for _, rejection in self.refused]

    def refuse(self, record: SourceRecord, error: RecordError, *, ipp: str = "") -> None:
        """Refuse a record. `ipp`: the patient that it waits for."""
        self.refused.append((record, Rejection.of(error, record.origin, record.raw, ipp)))


def mark_pending(session: Session, patient_ids: Iterable[int]) -> None:
    """Note that the history and the index entry of these patients must be rebuilt, or that they are gone."""
    moment = dt.datetime.now(dt.UTC)  # to the microsecond: a change made while a rebuild runs must not look like it
    rows = [{"patient_id": identifier, "since": moment} for identifier in sorted(set(patient_ids))]
    if rows:
        make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        statement = make(PendingPatient).values(rows)
        session.execute(
            statement.on_conflict_do_update(index_elements=["patient_id"], set_={"since": statement.excluded.since})
        )


def content_sha256(values: dict[str, Any]) -> str:
    """What a record holds, as one number: equal for equal content, whatever the order of its keys."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sortable(version: str) -> str:
    """A version as it is kept and compared: `2026-11-05T12:30:00+01:00` and `20261105123000+0100` are the same."""
    return version.translate(_SIGNS)


_SIGNS = {ord(sign): None for sign in "-:TZ+ ."}


def is_older(version: str, held: str) -> bool:
    """Whether a state is older than the one held. Where a source tells no version, what comes last is newest."""
    return bool(version and held) and version < held


def latest(records: Iterable[SourceRecord]) -> list[SourceRecord]:
    """One state of each record: the newest, or the last that came."""
    found: dict[str, SourceRecord] = {}
    for record in records:
        held = found.get(record.external_id)
        if held is None or not is_older(sortable(record.version), sortable(held.version)):
            found[record.external_id] = record
    return list(found.values())


def day(written: str | None) -> dt.date | None:
    """An ISO date as a date."""
    return dt.date.fromisoformat(written) if written else None


def dates(values: dict[str, Any]) -> dict[str, Any]:
    """Values with those whose name ends in `date` as dates."""
    return {name: day(value) if name.endswith("date") else value for name, value in values.items()}


def among(column: Any, values: Iterable[Any]) -> Any:
    """The column is one of these."""
    return column.in_(list(values))
