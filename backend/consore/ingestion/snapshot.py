"""What a node holds, without the numbers that depend on the order in which it came: two nodes can be compared.

A daily load must end where one full load ends, and a load that was killed twenty times where an unkilled one does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from consore.index import SearchIndex
from consore.model import (
    Act,
    Alteration,
    Belief,
    Biomarker,
    Diagnosis,
    Document,
    DocumentMentions,
    Evidence,
    Fact,
    Patient,
    Sample,
    Stay,
    StructuredRecord,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)
from consore.store import Store

Row = tuple[Any, ...]
Snapshot = dict[str, "Counter[Row]"]

# What says when and whence something came, not what it is.
_OF_THE_WAY = {"id", "patient_id", "updated_at", "source_id", "origin", "signature", "version", "record_ipp"}
_NUMBERS = {"stay_id", "tumour_id", "document_id", "record_id", "parent_id", "item_id", "event_id", "treatment_id"}


def snapshot(store: Store, index: SearchIndex | None = None) -> Snapshot:
    """The rows of a node by table, each with how often it stands there; numbers of rows are names instead.

    `index`: the entries of the search index too.
    """
    with store.session() as session:
        names = _Names(session)
        found = {model.__tablename__: Counter(names.rows(session, model)) for model in _TABLES}
    if index is not None:
        for alias, name in ((index.patients, "index of patients"), (index.documents, "index of documents")):
            found[name] = Counter(_entries(index, alias, names))
    return found


def differences(one: Snapshot, other: Snapshot) -> dict[str, tuple[list[Row], list[Row]]]:
    """For each table that differs: the rows that only the one has, and those that only the other has."""
    found = {}
    for table in sorted({*one, *other}):
        mine, theirs = one.get(table, Counter()), other.get(table, Counter())
        if mine != theirs:
            found[table] = (sorted((mine - theirs).elements(), key=repr), sorted((theirs - mine).elements(), key=repr))
    return found


_TABLES: tuple[Any, ...] = (
    Patient,
    Stay,
    Diagnosis,
    Act,
    StructuredRecord,
    Document,
    DocumentMentions,
    Fact,
    Tumour,
    TumourEvent,
    TumourEventSite,
    Treatment,
    TreatmentDrug,
    Biomarker,
    Alteration,
    Sample,
    Evidence,
    Belief,
)


class _Names:
    """What stands for the number of a row: something that does not depend on when it came."""

    def __init__(self, session: Session) -> None:
        def named(model: Any, *columns: Any) -> dict[int, Row]:
            return {row[0]: tuple(row[1:]) for row in session.execute(select(model.id, *columns))}

        self.patients = {number: row[0] for number, row in named(Patient, Patient.ipp).items()}
        self.documents = {number: row[0] for number, row in named(Document, Document.external_id).items()}
        records = named(StructuredRecord, StructuredRecord.kind, StructuredRecord.external_id)
        self.of: dict[str, dict[int, Any]] = {
            "document_id": self.documents,
            "record_id": {number: ":".join(row) for number, row in records.items()},
            "stay_id": named(Stay, Stay.number),
            "tumour_id": {
                number: (self.patients[row[0]], row[1])
                for number, row in named(Tumour, Tumour.patient_id, Tumour.rank).items()
            },
        }
        events = named(TumourEvent, TumourEvent.patient_id, TumourEvent.type, TumourEvent.date)
        self.of["event_id"] = {number: (self.patients[row[0]], *map(str, row[1:])) for number, row in events.items()}
        self.of["parent_id"] = self.of["event_id"]
        treatments = named(Treatment, Treatment.patient_id, Treatment.type, Treatment.start, Treatment.name)
        self.of["treatment_id"] = {n: (self.patients[row[0]], *map(str, row[1:])) for n, row in treatments.items()}
        self.items: dict[str, dict[int, Any]] = defaultdict(dict)
        self.items |= {
            "tumour": self.of["tumour_id"],
            "event": self.of["event_id"],
            "treatment": self.of["treatment_id"],
            "biomarker": named(Biomarker, Biomarker.code),
            "alteration": named(Alteration, Alteration.gene, Alteration.variant),
        }

    def rows(self, session: Session, model: Any) -> Iterator[Row]:
        """The rows of a table."""
        columns = list(model.__table__.columns)
        for row in session.execute(select(model.__table__).execution_options(yield_per=2000)):
            held = dict(zip((column.name for column in columns), row, strict=True))
            yield tuple(self._plain(model, name, value, held) for name, value in held.items() if self._counts(name))

    @staticmethod
    def _counts(name: str) -> bool:
        return name not in _OF_THE_WAY or name == "patient_id"

    def _plain(self, model: Any, name: str, value: Any, row: dict[str, Any]) -> Any:
        if name == "patient_id":
            return self.patients[value]
        if name == "item_id":
            return self.items[row["item"]].get(value, value)
        if name in _NUMBERS and value is not None:
            return self.of[name].get(value, value)
        if name in ("text", "payload"):
            return hashlib.sha256(value if isinstance(value, bytes) else value.encode("utf-8", "replace")).hexdigest()
        if name == "conflicts":  # they name documents and rows by their numbers
            value = [{**one, "evidence": [ref["quote"] for ref in one["evidence"]]} for one in value]
        if isinstance(value, dict | list):
            return json.dumps(value, sort_keys=True, ensure_ascii=False)
        return value.isoformat() if isinstance(value, dt.date) else value


def _entries(index: SearchIndex, alias: str, names: _Names) -> Iterator[Row]:
    exported = index.engine.call(lambda client: client.collections[alias].documents.export())
    for line in filter(None, exported.split("\n")):
        entry = json.loads(line)
        known = names.patients if alias == index.patients else names.documents
        entry["id"] = known.get(int(entry["id"]), "gone from the store")
        entry["patient_id"] = names.patients.get(int(entry["patient_id"]), "gone from the store")
        yield (json.dumps(entry, sort_keys=True, ensure_ascii=False),)
