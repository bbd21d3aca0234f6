"""Readers behind nested fields: however many patients an answer holds, each kind of row is one statement.

A loader lives as long as a request. The rows of a patient are only asked through a Patient, and a Patient only exists
for who is not opposed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

from sqlalchemy import Text, cast, func
from sqlalchemy.orm import defer, undefer
from sqlmodel import Session, SQLModel, select
from strawberry.dataloader import DataLoader

from consore import model
from consore.access import Action, mask_identity
from consore.api.node import Node
from consore.export import measures
from consore.history import Measure
from consore.ingestion import SourceHealth, health_of_sources
from consore.model import Mention, unpack_mentions
from consore.referentials import Terminology

K = TypeVar("K")
T = TypeVar("T")
Row = TypeVar("Row", bound=SQLModel)


@dataclass(slots=True, frozen=True)
class EvidenceRow:
    """Evidence with the kind and the date of the document that it points into."""

    row: model.Evidence
    document_kind: str | None
    date: Any


@dataclass(slots=True, frozen=True)
class PageOfDocuments:
    """Which documents of a patient are asked: `first` of them, of one kind or all, after a document."""

    patient_id: int
    first: int
    kind: str | None = None
    after: tuple[str, int] | None = None


@dataclass(slots=True, frozen=True)
class DocumentsFound:
    """One page, newest first. `total` counts all of that kind, `more` says whether others follow."""

    rows: list[model.Document]
    total: int
    more: bool


class Asking(Protocol):
    """What the readers need of a request (`context.RequestContext`): a session, the trail, what may be seen."""

    @property
    def node(self) -> Node: ...

    @property
    def sees_identities(self) -> bool: ...

    @property
    def terminology(self) -> Terminology: ...

    async def read(self, work: Callable[[Session], T]) -> T: ...

    def trace(
        self, session: Session, action: Action, patient_ids: list[int], detail: dict[str, Any] | None = None
    ) -> None: ...


class Loaders:
    """The batching readers of one request."""

    def __init__(self, context: Asking) -> None:
        self._context = context

    def forget(self) -> None:
        """Read everything anew from now on: something was changed."""
        context = self._context
        self.__dict__.clear()
        self._context = context

    @cached_property
    def patient(self) -> DataLoader[int, model.Patient | None]:
        """Patients by key; None for who does not exist or is opposed."""
        return self._one(
            lambda session, keys: {
                row.id: row
                for row in session.exec(
                    select(model.Patient).where(model.Patient.id.in_(keys), ~model.Patient.opposed)  # type: ignore[union-attr, operator]
                )
            }
        )

    @cached_property
    def tumours(self) -> DataLoader[int, list[model.Tumour]]:
        """Tumours of a patient, by rank."""
        return self._of_patient(model.Tumour, model.Tumour.rank)

    @cached_property
    def events(self) -> DataLoader[int, list[model.TumourEvent]]:
        """Events of a patient, by date."""
        return self._of_patient(model.TumourEvent, model.TumourEvent.date, model.TumourEvent.id)

    @cached_property
    def treatments(self) -> DataLoader[int, list[model.Treatment]]:
        """Treatments of a patient, by start."""
        return self._of_patient(model.Treatment, model.Treatment.start, model.Treatment.id)

    @cached_property
    def biomarkers(self) -> DataLoader[int, list[model.Biomarker]]:
        """Biomarkers of a patient, by date."""
        return self._of_patient(model.Biomarker, model.Biomarker.date, model.Biomarker.id)

    @cached_property
    def alterations(self) -> DataLoader[int, list[model.Alteration]]:
        """Gene alterations of a patient, by date."""
        return self._of_patient(model.Alteration, model.Alteration.date, model.Alteration.id)

    @cached_property
    def samples(self) -> DataLoader[int, list[model.Sample]]:
        """Samples of a patient, by date."""
        return self._of_patient(model.Sample, model.Sample.date, model.Sample.id)

    @cached_property
    def sites(self) -> DataLoader[int, list[model.TumourEventSite]]:
        """Sites of an event."""
        return self._many(model.TumourEventSite, "event_id")

    @cached_property
    def drugs(self) -> DataLoader[int, list[model.TreatmentDrug]]:
        """Drugs of a treatment."""
        return self._many(model.TreatmentDrug, "treatment_id")

    @cached_property
    def evidence(self) -> DataLoader[tuple[str, int], list[EvidenceRow]]:
        """Evidence of a derived row, by (table, key), the surest first."""
        return self._loader(_evidence)

    @cached_property
    def belief(self) -> DataLoader[tuple[str, int], model.Belief | None]:
        """How sure a derived row is and why, by (table, key)."""

        def read(session: Session, keys: list[tuple[str, int]]) -> list[model.Belief | None]:
            by_table: dict[str, list[int]] = defaultdict(list)
            for item, item_id in keys:
                by_table[item].append(item_id)
            found = {}
            for item, ids in by_table.items():
                wanted = select(model.Belief).where(model.Belief.item == item, model.Belief.item_id.in_(ids))  # type: ignore[union-attr]
                found.update({(item, row.item_id): row for row in session.exec(wanted)})
            return [found.get(key) for key in keys]

        return self._loader(read)

    @cached_property
    def measures(self) -> DataLoader[int, list[Measure]]:
        """Results of biology of a patient, by date, without their sentences."""
        return self._measures(with_text=False)

    @cached_property
    def told_measures(self) -> DataLoader[int, list[Measure]]:
        """The same in the same order, with the sentences behind them."""
        return self._measures(with_text=True)

    @cached_property
    def document(self) -> DataLoader[int, model.Document | None]:
        """Documents by key, without their text."""
        return self._one(
            lambda session, keys: {
                row.id: row
                for row in session.exec(
                    select(model.Document).where(model.Document.id.in_(keys)).options(defer(model.Document.text))  # type: ignore[union-attr, arg-type]
                )
            }
        )

    @cached_property
    def documents(self) -> DataLoader[PageOfDocuments, DocumentsFound]:
        """Pages of the documents of patients, without their texts."""
        return self._loader(_pages)

    @cached_property
    def text(self) -> DataLoader[int, str]:
        """The text of a document as this principal may read it; each one read is traced first."""

        def read(session: Session, keys: list[int]) -> list[str]:
            rows = session.exec(
                select(model.Document, model.Patient)
                .join(model.Patient, model.Patient.id == model.Document.patient_id)  # type: ignore[arg-type]
                .where(model.Document.id.in_(keys), ~model.Patient.opposed)  # type: ignore[union-attr, operator]
                .options(undefer(model.Document.text))  # type: ignore[arg-type]
            ).all()
            texts: dict[int | None, str] = {}
            for document, patient in rows:
                self._context.trace(session, Action.DOCUMENT_READ, [document.patient_id], {"document": document.id})
                hidden = not self._context.sees_identities
                texts[document.id] = mask_identity(document.text, patient) if hidden else document.text
            return [texts.get(key, "") for key in keys]

        return self._loader(read)

    @cached_property
    def mentions(self) -> DataLoader[int, list[Mention]]:
        """What was read in a document, in the order of the text."""

        def read(session: Session, keys: list[int]) -> list[list[Mention]]:
            rows = session.exec(select(model.DocumentMentions).where(model.DocumentMentions.document_id.in_(keys)))  # type: ignore[attr-defined]
            found = {row.document_id: unpack_mentions(row.payload) for row in rows}
            return [sorted(found.get(key, []), key=lambda mention: (mention.start, mention.end)) for key in keys]

        return self._loader(read)

    @cached_property
    def schedule(self) -> DataLoader[int, model.Schedule | None]:
        """Schedules by source."""
        return self._one(
            lambda session, keys: {
                row.source_id: row
                for row in session.exec(select(model.Schedule).where(model.Schedule.source_id.in_(keys)))  # type: ignore[attr-defined]
            }
        )

    @cached_property
    def source(self) -> DataLoader[int, model.Source | None]:
        """Sources by key."""
        return self._one(
            lambda session, keys: {
                row.id: row
                for row in session.exec(select(model.Source).where(model.Source.id.in_(keys)))  # type: ignore[union-attr]
            }
        )

    @cached_property
    def health(self) -> DataLoader[int, SourceHealth]:
        """How sources are, at a glance."""

        def read(session: Session, keys: list[int]) -> list[SourceHealth]:
            found = health_of_sources(session, self._context.node.settings, keys)
            return [found[key] for key in keys]

        return self._loader(read)

    @cached_property
    def progress(self) -> DataLoader[int, model.RunProgress | None]:
        """How far runs are."""
        return self._one(
            lambda session, keys: {
                row.run_id: row
                for row in session.exec(select(model.RunProgress).where(model.RunProgress.run_id.in_(keys)))  # type: ignore[attr-defined]
            }
        )

    @cached_property
    def last_run(self) -> DataLoader[int, model.IngestionRun | None]:
        """The latest run of a source."""

        def read(session: Session, keys: list[int]) -> dict[int | None, model.IngestionRun]:
            latest = (
                select(func.max(model.IngestionRun.id))
                .where(model.IngestionRun.source_id.in_(keys))  # type: ignore[attr-defined]
                .group_by(model.IngestionRun.source_id)  # type: ignore[arg-type]
            )
            rows = session.exec(select(model.IngestionRun).where(model.IngestionRun.id.in_(latest)))  # type: ignore[union-attr]
            return {row.source_id: row for row in rows}

        return self._one(read)

    @cached_property
    def rejected_count(self) -> DataLoader[int, int]:
        """Records of a source that wait in quarantine."""

        def read(session: Session, keys: list[int]) -> list[int]:
            counts = dict(
                session.exec(
                    select(model.RejectedRecord.source_id, func.count())
                    .where(model.RejectedRecord.source_id.in_(keys), model.RejectedRecord.replayed_at.is_(None))  # type: ignore[attr-defined, union-attr]
                    .group_by(model.RejectedRecord.source_id)  # type: ignore[arg-type]
                ).all()
            )
            return [counts.get(key, 0) for key in keys]

        return self._loader(read)

    # --- how a reader is made --------------------------------------------------------------------------------

    def _measures(self, *, with_text: bool) -> DataLoader[int, list[Measure]]:
        return self._loader(
            lambda session, keys: [
                measures(session, key, self._context.terminology, with_text=with_text) for key in keys
            ]
        )

    def _of_patient(self, table: type[Row], *order: Any) -> DataLoader[int, list[Row]]:
        return self._many(table, "patient_id", *order)

    def _many(self, table: type[Row], owner: str, *order: Any) -> DataLoader[int, list[Row]]:
        """Rows by the key of what they belong to; rows without a date come last."""

        def read(session: Session, keys: list[int]) -> list[list[Row]]:
            column = getattr(table, owner)
            keys_of_order = [key for part in (order or (table.id,)) for key in (part.is_(None), part)]  # type: ignore[attr-defined]
            found: dict[int, list[Row]] = defaultdict(list)
            for row in session.exec(select(table).where(column.in_(keys)).order_by(*keys_of_order)):
                found[getattr(row, owner)].append(row)
            return [found[key] for key in keys]

        return self._loader(read)

    def _one(self, read: Callable[[Session, list[K]], dict[Any, Any]]) -> DataLoader[K, Any]:
        def in_order(session: Session, keys: list[K]) -> list[Any]:
            found = read(session, keys)
            return [found.get(key) for key in keys]

        return self._loader(in_order)

    def _loader(self, read: Callable[[Session, list[K]], Sequence[Any]]) -> DataLoader[K, Any]:
        async def load(keys: list[K]) -> Sequence[Any]:
            return await self._context.read(lambda session: read(session, keys))

        batch: Callable[[list[K]], Awaitable[Sequence[Any]]] = load
        return DataLoader(load_fn=batch, max_batch_size=500)


def _evidence(session: Session, keys: list[tuple[str, int]]) -> list[list[EvidenceRow]]:
    by_table: dict[str, list[int]] = defaultdict(list)
    for item, item_id in keys:
        by_table[item].append(item_id)
    found: dict[tuple[str, int], list[EvidenceRow]] = defaultdict(list)
    statement = (
        select(model.Evidence, model.Document.kind, model.Document.date, model.StructuredRecord.date)
        .join(
            model.Document,
            model.Document.id == model.Evidence.document_id,
            isouter=True,  # type: ignore[arg-type]
        )
        .join(model.StructuredRecord, model.StructuredRecord.id == model.Evidence.record_id, isouter=True)
    )  # type: ignore[arg-type]
    for item, ids in by_table.items():
        rows = session.exec(
            statement.where(model.Evidence.item == item, model.Evidence.item_id.in_(ids)).order_by(  # type: ignore[attr-defined]
                model.Evidence.confidence.desc(),
                model.Evidence.id,  # type: ignore[attr-defined, arg-type]
            )
        )
        for row, kind, document_date, record_date in rows:
            found[item, row.item_id].append(EvidenceRow(row, kind, document_date or record_date))
    return [found[key] for key in keys]


def _pages(session: Session, keys: list[PageOfDocuments]) -> list[DocumentsFound]:
    """Pages that are alike but for the patient are read together; a page after a cursor is read alone."""
    found: dict[PageOfDocuments, DocumentsFound] = {}
    alike: dict[tuple[int, str | None, tuple[str, int] | None], list[PageOfDocuments]] = defaultdict(list)
    for key in keys:
        alike[key.first, key.kind, key.after].append(key)
    for (first, kind, after), group in alike.items():
        found.update(_pages_alike(session, group, first, kind, after))
    return [found[key] for key in keys]


def _pages_alike(
    session: Session, group: list[PageOfDocuments], first: int, kind: str | None, after: tuple[str, int] | None
) -> dict[PageOfDocuments, DocumentsFound]:
    document = model.Document
    ids = [key.patient_id for key in group]
    wanted = [document.patient_id.in_(ids)]  # type: ignore[attr-defined]
    if kind:
        wanted.append(document.kind == kind)
    # Undated documents are the oldest; ISO text compares as the dates do.
    day = func.coalesce(cast(document.date, Text), "")
    totals = dict(
        session.exec(
            select(document.patient_id, func.count()).where(*wanted).group_by(document.patient_id)  # type: ignore[arg-type]
        ).all()
    )
    place = func.row_number().over(partition_by=document.patient_id, order_by=(day.desc(), document.id.desc()))  # type: ignore[union-attr]
    if after:
        wanted.append((day < after[0]) | ((day == after[0]) & (document.id < after[1])))  # type: ignore[operator]
    ranked = select(document.id, place.label("place")).where(*wanted).subquery()
    rows = session.exec(
        select(document)
        .join(ranked, ranked.c.id == document.id)
        .where(ranked.c.place <= first + 1)
        .order_by(document.patient_id, ranked.c.place)  # type: ignore[arg-type]
        .options(defer(document.text))  # type: ignore[arg-type]
    )
    of_patient: dict[int, list[model.Document]] = defaultdict(list)
    for row in rows:
        of_patient[row.patient_id].append(row)
    return {
        key: DocumentsFound(
            rows=of_patient[key.patient_id][:first],
            total=totals.get(key.patient_id, 0),
            more=len(of_patient[key.patient_id]) > first,
        )
        for key in group
    }
