"""The extract stage: a source is read in a thread of its own, its records are stored batch by batch.

A batch goes in whole, with its rejections and the marks of how far the source was read, in one transaction: a run that
is killed is simply run again. No more than two batches wait, so that a quick source and a slow store need little
memory.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session

from consore.errors import RecordError
from consore.ingestion.deriving import remove_from_index
from consore.ingestion.intake import take_in
from consore.ingestion.patience import transact
from consore.ingestion.progress import Meter
from consore.ingestion.quarantine import has_rejected, keep_rejected, settle, settle_unseen
from consore.ingestion.removals import remove_rows
from consore.ingestion.started import StartedRun
from consore.ingestion.taken import mark_pending
from consore.model import (
    Checkpoint,
    Document,
    IngestionRun,
    Patient,
    RejectedRecord,
    Source,
    SourceKind,
    Stay,
    StructuredRecord,
    now,
)
from consore.settings import Settings
from consore.sources import Mark, Rejection, SourceRecord, count_records, read_source
from consore.sources.records import KeyTable
from consore.store import Store

BATCH = 400  # records
BATCH_BYTES = 16_000_000  # of raw records held at once
WAITING = 2  # batches between the reading of a source and the store
MOST_GONE = 0.5  # of a complete extract: more is held for an extract cut short

Item = SourceRecord | Rejection | Mark


def extract(settings: Settings, started: StartedRun, meter: Meter) -> None:
    """Read one source to its end. Raises SourceError where it cannot be read, Stopped where someone asks for it."""
    source, store = started.source, started.store
    location, kind = source.location, SourceKind(source.kind)
    meter.begin(f"extract {source.name}", count_records(kind, location, source.options) or None)
    seen = _Seen(started)
    marks = marks_of(store, source)
    with closing(_signatures(store, kind)) as held:
        items = read_source(kind, location, source.options, known=held.get, mark=marks)
        with _Ahead(items) as batches:
            for batch in batches:
                leaving = _store_batch(started, seen, batch)
                if leaving:
                    remove_from_index(settings, leaving)
                meter.advance(len(batch))
    meter.end()
    started.say(transact(store, seen.settle))


def marks_of(store: Store, source: Source) -> Callable[[str], str | None]:
    """How far a source has been read, by the key of a mark."""
    prefix = mark_prefix(source)

    def mark(key: str) -> str | None:
        def look(session: Session) -> str | None:
            held = session.get(Checkpoint, prefix + key)
            return held.value if held else None

        return transact(store, look)

    return mark


def mark_prefix(source: Source) -> str:
    """What the marks of a source begin with in the checkpoints: one that is moved is read from its beginning."""
    where = hashlib.sha256(f"{source.kind} {source.location}".encode()).hexdigest()[:12]
    return f"mark:{source.id}:{where}:"


# --- Batches ------------------------------------------------------------------------------------------------


class _Ahead:
    """Batches of a source, read ahead in a thread. What the source raises is raised where its batches are taken."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._batches: queue.Queue[list[Item] | BaseException | None] = queue.Queue(WAITING)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._read, name="extract", daemon=True)

    def __enter__(self) -> Iterator[list[Item]]:
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _taken(self) -> Iterator[list[Item]]:
        while (batch := self._batches.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield batch

    def _read(self) -> None:
        try:
            for batch in _batches(self._items):
                if not self._give(batch):
                    return
            self._give(None)
        except BaseException as error:
            self._give(error)
        finally:
            close = getattr(self._items, "close", None)  # files are closed in the thread that opened them
            if close is not None:
                close()

    def _give(self, batch: list[Item] | BaseException | None) -> bool:
        while not self._left.is_set():
            try:
                self._batches.put(batch, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += 0 if isinstance(item, Mark) else len(item.raw)
        if len(batch) >= BATCH or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _store_batch(started: StartedRun, seen: _Seen, batch: list[Item]) -> list[int]:
    """Store one batch in one transaction; gives the patients who must leave the index.

    Where the database refuses it, its records are stored one by one, and the one at fault is rejected.
    """
    try:
        counts, leaving = transact(started.store, lambda session: _take_batch(session, started, seen, batch))
    except (DataError, IntegrityError) as error:
        if len(batch) > 1:
            return [patient for item in batch for patient in _store_batch(started, seen, [item])]
        (item,) = batch
        if not isinstance(item, SourceRecord):
            raise
        fault = RecordError(
            f"The store refuses this record: {str(error.orig).splitlines()[0]}.",
            "Correct it in the source, then read the source again.",
            reason="refused_by_store",
        )
        return _store_batch(started, seen, [Rejection.of(fault, item.origin, item.raw)])
    for name, value in counts.items():
        setattr(started.run, name, value)
    return leaving


def _take_batch(
    session: Session, started: StartedRun, seen: _Seen, batch: list[Item]
) -> tuple[dict[str, int], list[int]]:
    run, source = started.run, started.source
    source_id, run_id = int(source.id or 0), int(run.id or 0)
    records = [item for item in batch if isinstance(item, SourceRecord)]
    taken = take_in(session, records, source_id)
    rejections = [item for item in batch if isinstance(item, Rejection)] + taken.rejections
    keep_rejected(session, source_id, run_id, rejections)
    if seen.some_rejected:
        refused = {rejection.position for rejection in rejections}
        settle(session, source_id, {record.origin for record in records} - refused)
    marks = [item for item in batch if isinstance(item, Mark)]
    for mark in marks:
        session.merge(Checkpoint(key=mark_prefix(source) + mark.key, value=mark.value, updated_at=now()))
    counts = {
        "seen": run.seen + len(batch) - len(marks),
        "created": run.created + taken.created,
        "changed": run.changed + taken.changed,
        "unchanged": run.unchanged + taken.unchanged,
        "rejected": run.rejected + len(rejections),
    }
    session.execute(update(IngestionRun).where(_c(IngestionRun.id) == run.id).values(**counts))
    seen.add(records, rejections, marks)
    return counts, taken.leaving


def _signatures(store: Store, kind: SourceKind) -> KeyTable:
    """The signatures of the documents that are held, beside the store: one look each, millions of times."""
    if kind is not SourceKind.DOCUMENTS:
        return KeyTable()

    def look(session: Session) -> KeyTable:
        rows = session.execute(
            select(Document.external_id, Document.signature)  # type: ignore[call-overload]
            .where(Document.signature != "")
            .execution_options(yield_per=5000)
        )
        return KeyTable((row[0], row[1]) for row in rows)

    return transact(store, look)


# --- What is no longer in the source ------------------------------------------------------------------------


class _Seen:
    """What a run met in its source: what it did not meet is no longer there, if it read all of it."""

    def __init__(self, started: StartedRun) -> None:
        source_id = int(started.source.id or 0)
        self.started = started
        self.source_id = source_id
        self.some_rejected = transact(started.store, lambda session: has_rejected(session, source_id))
        self.files: set[str] = set()
        self._records = KeyTable()
        prefix = mark_prefix(started.source)
        key = Checkpoint.__table__.c.key  # type: ignore[attr-defined]
        by_marks = select(key).where(key >= prefix, key < prefix[:-1] + ";").limit(1)
        self.in_parts = transact(started.store, lambda session: session.execute(by_marks).first() is not None)

    def add(self, records: list[SourceRecord], rejections: list[Rejection], marks: list[Mark]) -> None:
        """Note a batch."""
        for record in records:
            self._records.add(f"{record.kind} {record.external_id}")
        self.some_rejected = self.some_rejected or bool(rejections)
        self.files.update(mark.key for mark in marks)
        self.in_parts = self.in_parts or bool(marks)

    def settle(self, session: Session) -> str:
        """Settle the rejections that are no longer in the source, and what became of records that are not; gives what
        is to be told of it.
        """
        settle_unseen(session, self.source_id, int(self.started.run.id or 0), self.files if self.in_parts else None)
        said = "" if self.in_parts else self._gone(session)
        self._records.close()
        return said

    def _gone(self, session: Session) -> str:
        """Records of this source that the store holds and a whole reading did not meet.

        They are kept, unless the source's option `complete` says that whatever is gone was deleted.
        """
        complete = bool(self.started.source.options.get("complete"))
        kinds: list[tuple[str, Any, Any]] = [
            ("document", Document, Document.external_id),
            ("stay", Stay, Stay.number),
            ("row", StructuredRecord, StructuredRecord.external_id),
            ("patient", Patient, Patient.ipp),
        ]
        held = 0
        gone: dict[str, list[tuple[int, int, str]]] = {}
        for kind, model, name in kinds:
            own = model.kind if kind == "row" else None
            owner = model.id if kind == "patient" else model.patient_id
            columns = [model.id, owner, name, *([] if own is None else [own])]
            rows = session.execute(
                select(*columns).where(model.source_id == self.source_id).execution_options(yield_per=5000)
            )
            for row in rows:
                held += 1
                key = f"{row[3] if own is not None else kind} {row[2]}"
                if self._records.get(key) is None:
                    gone.setdefault(kind, []).append((row[0], row[1], row[2]))
        if not gone:
            return ""
        number = sum(map(len, gone.values()))
        told = ", ".join(f"{len(rows)} {kind}s" for kind, rows in gone.items())
        if not complete:
            some = "document" in gone and number <= MOST_GONE * held  # else it gives what is new, and no more
            return f"{len(gone['document'])} documents are no longer in the source; they are kept." if some else ""
        if number > MOST_GONE * held:
            return (
                f"{told} of {held} are no longer in the source, which says that it is complete: that is too many, and "
                "nothing was deleted. Check the extract; send removals for what is truly gone."
            )
        unreadable = self._unreadable(session)
        deleted = 0
        for kind, rows in gone.items():
            going = [row for row in rows if not any(row[2].encode() in raw for raw in unreadable)]
            remove_rows(session, "tumour_sheet" if kind == "row" else kind, [row[0] for row in going])
            mark_pending(session, {row[1] for row in going})
            deleted += len(going)
        left = number - deleted
        return f"{deleted} records are gone from the source and were deleted." + (
            f" {left} others stand in it, but cannot be read: they are kept." if left else ""
        )

    def _unreadable(self, session: Session) -> list[bytes]:
        """The records of this run that could not be read: what they name is not gone."""
        rejected: Any = RejectedRecord
        return list(
            session.scalars(
                select(rejected.raw).where(
                    rejected.run_id == self.started.run.id, rejected.ipp == "", rejected.replayed_at.is_(None)
                )
            )
        )


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute


__all__ = ["extract", "mark_prefix", "marks_of"]
