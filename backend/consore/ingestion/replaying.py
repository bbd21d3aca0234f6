"""Rejected records read again from their raw bytes, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session

from consore.errors import InputError
from consore.ingestion.deriving import remove_from_index
from consore.ingestion.intake import take_in
from consore.ingestion.patience import transact
from consore.ingestion.progress import Meter
from consore.ingestion.quarantine import document_of_text
from consore.ingestion.taken import mark_pending
from consore.model import Document, DocumentMentions, RejectedRecord, Source, SourceKind, now
from consore.settings import Settings
from consore.sources import Rejection, SourceRecord, reread_record
from consore.store import Store

BATCH = 200  # records
BATCH_BYTES = 16_000_000


@dataclass(slots=True)
class Replayed:
    """How many rejected records were read again and taken."""

    taken: int = 0

    def text(self) -> str:
        """As a run tells it."""
        return f"{self.taken} records that waited for their patient were taken." if self.taken else ""


def replay(settings: Settings, store: Store, record_ids: list[int], meter: Meter) -> Replayed:
    """Read rejected records again. What is still at fault stays, with the reason that it has now."""
    done = Replayed()
    for first in range(0, len(record_ids), BATCH):
        ids = record_ids[first : first + BATCH]
        taken, leaving = _replay(store, ids)
        done.taken += taken
        if leaving:
            remove_from_index(settings, leaving)
        meter.advance(len(ids))
    return done


def _replay(store: Store, ids: list[int]) -> tuple[int, list[int]]:
    try:
        return transact(store, lambda session: _replay_batch(session, ids))
    except (DataError, IntegrityError) as error:
        if len(ids) > 1:
            parts = [_replay(store, [one]) for one in ids]
            return sum(taken for taken, _ in parts), [patient for _, leaving in parts for patient in leaving]
        told = str(error.orig).splitlines()[0]

        def note(session: Session) -> None:
            held = session.get(RejectedRecord, ids[0])
            assert held is not None
            held.reason, held.message = "refused_by_store", f"The store refuses this record: {told}."

        transact(store, note)
        return 0, []


def _replay_batch(session: Session, ids: list[int]) -> tuple[int, list[int]]:
    wanted = select(RejectedRecord).where(_c(RejectedRecord.id).in_(ids)).order_by(_c(RejectedRecord.id))
    held = list(session.scalars(wanted))
    sources = {source.id: source for source in session.scalars(select(Source))}
    taken, leaving = 0, []
    for row in held:
        document = document_of_text(row.position)
        if document is not None:
            taken += _read_anew(session, row, document)
            continue
        source = sources[row.source_id]
        try:
            items = list(reread_record(SourceKind(source.kind), source.location, source.options, row.position, row.raw))
        except InputError as error:
            row.message = str(error)
            continue
        records = [item for item in items if isinstance(item, SourceRecord)]
        done = take_in(session, records, row.source_id, told_at=row.created_at)
        leaving += done.leaving
        rejections = [item for item in items if isinstance(item, Rejection)] + done.rejections
        if rejections or not records:
            for rejection in rejections[:1]:
                row.reason, row.message, row.ipp = rejection.reason, rejection.message, rejection.ipp
            continue
        row.replayed_at = now()
        taken += 1
    session.flush()
    return taken, leaving


def _read_anew(session: Session, row: RejectedRecord, external_id: str) -> int:
    """Have a stored document read again, whose text broke the reader."""
    found = session.execute(
        select(Document.id, Document.patient_id).where(_c(Document.external_id) == external_id)  # type: ignore[call-overload]
    ).first()
    row.replayed_at = now()
    if found is None:
        return 0
    session.execute(delete(DocumentMentions).where(_c(DocumentMentions.document_id) == found[0]))
    mark_pending(session, [found[1]])
    return 1


def _c(attribute):  # type: ignore[no-untyped-def]
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
