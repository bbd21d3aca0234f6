"""A run reads one source: extract and store, then bring histories and index up to date.

Each stage commits as it goes and asks the store what is left, so that a run that was killed is simply run again. One
source is read by one process at a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session

from consore.errors import ConsoreError, InputError, RecordError
from consore.ingestion.deriving import CaughtUp, catch_up, remove_from_index
from consore.ingestion.intake import take_in
from consore.ingestion.lease import Lease, is_held
from consore.ingestion.progress import Meter, Progress, Stopped
from consore.ingestion.quarantine import keep_rejected, settle
from consore.ingestion.reading import ReadDocument
from consore.model import Document, IngestionRun, RejectedRecord, RunState, Source, SourceKind, now
from consore.settings import Settings
from consore.sources import Rejection, SourceRecord, bounded, count_records, read_source, reread_record
from consore.store import Store

BATCH = 400  # records
BATCH_BYTES = 16_000_000  # of raw records held at once
ORDER = list(SourceKind)  # patients first: the others need to know whose they are


@dataclass(slots=True, frozen=True)
class ReplayReport:
    """What became of rejected records that were read again."""

    taken: int
    still_rejected: int


class StartedRun:
    """A run that has been claimed: its row stands in the store, its source is nobody else's."""

    def __init__(self, store: Store, source: Source, run: IngestionRun, lease: Lease) -> None:
        self.store = store
        self.source = source
        self.run = run
        self.lease = lease

    def note(self, **values: Any) -> None:
        """Write something of the run's row."""
        for name, value in values.items():
            setattr(self.run, name, value)
        with self.store.session() as session:
            session.execute(update(IngestionRun).where(_c(IngestionRun.id) == self.run.id).values(**values))

    def end(self, state: RunState, message: str = "") -> IngestionRun:
        """Close the run and give its source back."""
        said = [part for part in (self.run.message, message) if part]
        self.note(state=state.value, ended_at=now(), message=" ".join(said))
        self.lease.release()
        return self.run


def run_source(
    settings: Settings,
    store: Store,
    source_id: int,
    *,
    trigger: str = "manual",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
) -> IngestionRun:
    """Read one source to the end; gives the run, `done` or `failed` with what to do.

    Running it again changes nothing where the source has not changed. Raises InputError where there is no such source
    or another process reads it. `executor`: processes of a cluster.
    """
    started = begin_run(store, source_id, trigger)
    return _finish(settings, [started], progress, stop, executor)[0]


def run_all(
    settings: Settings,
    store: Store,
    *,
    trigger: str = "manual",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
) -> list[IngestionRun]:
    """Read every enabled source, patients first, then bring histories and index up to date once.

    A source that another process is reading is left to it.
    """
    with store.session() as session:
        sources = session.scalars(select(Source).where(_c(Source.enabled).is_(True))).all()
    ordered = sorted(sources, key=lambda source: (ORDER.index(SourceKind(source.kind)), source.name))
    started = []
    for source in ordered:
        with contextlib.suppress(InputError):
            started.append(begin_run(store, int(source.id or 0), trigger))
    return _finish(settings, started, progress, stop, executor)


def run_in_background(settings: Settings, store: Store, source_id: int, *, trigger: str = "manual") -> IngestionRun:
    """Claim a run and go on with it in a thread; gives its row at once. Raises as `run_source` does."""
    started = begin_run(store, source_id, trigger)
    thread = threading.Thread(
        target=_finish, args=(settings, [started], None, None, None), name=f"run-{started.run.id}", daemon=True
    )
    thread.start()
    return started.run


def begin_run(store: Store, source_id: int, trigger: str = "manual") -> StartedRun:
    """Claim a source and write the run's row. Raises InputError where it is unknown or being read."""
    with store.session() as session:
        source = session.get(Source, source_id)
        if source is None:
            raise InputError(f"There is no source {source_id}.", "List them with `consore source list`.")
    lease = Lease(store, f"source:{source_id}")
    if not lease.take():
        raise InputError(f"The source {source.name} is being read.", "Wait until it is done: `consore runs`.")
    with store.session() as session:
        _bury_dead_runs(session, source_id)
        run = IngestionRun(source_id=source_id, trigger=trigger, stage="extract")
        session.add(run)
        session.flush()
        session.expunge(run)
    return StartedRun(store, source, run, lease)


def interrupted_sources(store: Store) -> list[int]:
    """Sources whose last run was cut short: by the death of its process, or by a worker that was told to stop."""
    last = select(func.max(_c(IngestionRun.id))).group_by(_c(IngestionRun.source_id))
    cut_short = or_(
        _c(IngestionRun.state) == RunState.RUNNING.value,
        and_(_c(IngestionRun.state) == RunState.CANCELLED.value, _c(IngestionRun.trigger) != "manual"),
    )
    with store.session() as session:
        found = session.scalars(
            select(_c(IngestionRun.source_id)).where(_c(IngestionRun.id).in_(last), cut_short)
        ).all()
    return [source_id for source_id in found if not is_held(store, f"source:{source_id}")]


def replay_rejected(
    settings: Settings,
    store: Store,
    record_ids: list[int] | None = None,
    *,
    source_id: int | None = None,
    progress: Progress | None = None,
) -> ReplayReport:
    """Read rejected records again (those named, those of a source, or all), then bring everything up to date."""
    with store.session() as session:
        query = select(_c(RejectedRecord.id)).where(_c(RejectedRecord.replayed_at).is_(None))
        if record_ids is not None:
            query = query.where(_c(RejectedRecord.id).in_(record_ids))
        if source_id is not None:
            query = query.where(_c(RejectedRecord.source_id) == source_id)
        waiting = session.scalars(query.order_by(_c(RejectedRecord.id))).all()
    meter = Meter(progress)
    meter.begin("replay", len(waiting))
    opposed: list[int] = []
    taken = 0
    for identifier in waiting:
        with store.session() as session:
            taken += _replay(session, identifier, opposed)
        meter.advance(1)
    meter.end()
    if opposed:
        remove_from_index(settings, opposed)
    if taken:
        catch_up(settings, store, progress)
    return ReplayReport(taken, len(waiting) - taken)


# --- The stages of a run ---------------------------------------------------------------------------------------


def _finish(
    settings: Settings,
    started: list[StartedRun],
    progress: Progress | None,
    stop: threading.Event | None,
    executor: Executor | None,
) -> list[IngestionRun]:
    """Extract each source, then derive once for all; whatever happens, every run is closed."""
    going = list(started)

    def note_stage(stage: str) -> None:
        for one in going:
            if one.run.stage != stage:
                one.note(stage=stage)

    try:
        for one in started:
            meter = Meter(progress, stop)
            try:
                _extract(settings, one, meter)
            except Stopped:
                raise
            except ConsoreError as error:
                going.remove(one)
                one.end(RunState.FAILED, str(error))
        if going:
            done = catch_up(
                settings,
                going[0].store,
                progress,
                stop=stop,
                executor=executor,
                on_stage=note_stage,
            )
            _tell_of(going[-1], done)
        for one in list(going):
            going.remove(one)
            one.end(RunState.DONE)
    except BaseException as error:
        state = RunState.CANCELLED if isinstance(error, Stopped | KeyboardInterrupt) else RunState.FAILED
        message = str(error) if isinstance(error, ConsoreError) else f"{type(error).__name__}: {error}"
        for one in going:
            with contextlib.suppress(Exception):  # the store itself may be what failed: the first error is the one
                one.end(state, message)
        if not isinstance(error, ConsoreError):
            raise
    return [one.run for one in started]


def _extract(settings: Settings, started: StartedRun, meter: Meter) -> None:
    source, run, store = started.source, started.run, started.store
    location = Path(source.location)
    kind = SourceKind(source.kind)
    meter.begin(f"extract {source.name}", count_records(kind, location))
    items = read_source(kind, location, source.options, known=_signatures(store))
    for batch in _batches(items):
        opposed = _store_batch(started, batch)
        if opposed:
            remove_from_index(settings, opposed)
        meter.advance(len(batch))
    meter.end()
    gone = _gone(started)
    if gone:
        started.note(message=f"{gone} documents are no longer in the source; they are kept.")
    run.stage = "extract"


def _store_batch(started: StartedRun, batch: list[SourceRecord | Rejection]) -> list[int]:
    """Store one batch in one transaction; gives the patients who are now opposed.

    Where the database refuses it, its records are stored one by one, and the one at fault is rejected.
    """
    try:
        with started.store.session() as session:
            counts, opposed = _take_batch(session, started, batch)
    except (DataError, IntegrityError) as error:
        if len(batch) > 1:
            return [patient for item in batch for patient in _store_batch(started, [item])]
        (item,) = batch
        if isinstance(item, Rejection):
            raise
        fault = RecordError(
            f"The store refuses this record: {str(error.orig).splitlines()[0]}.",
            "Correct it in the source, then read the source again.",
            reason="refused_by_store",
        )
        return _store_batch(started, [Rejection.of(fault, item.origin, item.raw)])
    for name, value in counts.items():
        setattr(started.run, name, value)
    return opposed


def _take_batch(
    session: Session, started: StartedRun, batch: list[SourceRecord | Rejection]
) -> tuple[dict[str, int], list[int]]:
    run, source_id = started.run, int(started.source.id or 0)
    records = [item for item in batch if isinstance(item, SourceRecord)]
    taken = take_in(session, records)
    rejections = [item for item in batch if isinstance(item, Rejection)] + taken.rejections
    keep_rejected(session, source_id, int(run.id or 0), rejections)
    refused = {rejection.position for rejection in taken.rejections}
    settle(session, source_id, [record.origin for record in records if record.origin not in refused])
    counts = {
        "seen": run.seen + len(batch),
        "created": run.created + taken.created,
        "changed": run.changed + taken.changed,
        "unchanged": run.unchanged + taken.unchanged,
        "rejected": run.rejected + len(rejections),
    }
    session.execute(update(IngestionRun).where(_c(IngestionRun.id) == run.id).values(**counts))
    return counts, taken.opposed


def _batches(items: Iterator[SourceRecord | Rejection]) -> Iterator[list[SourceRecord | Rejection]]:
    batch: list[SourceRecord | Rejection] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += len(item.raw)
        if len(batch) >= BATCH or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _signatures(store: Store):  # type: ignore[no-untyped-def]
    def signature(external_id: str) -> str | None:
        statement = select(_c(Document.signature)).where(_c(Document.external_id) == external_id)
        with store.engine.connect() as connection:
            return connection.execute(statement).scalar()

    return signature


def _gone(started: StartedRun) -> int:
    """Documents of this folder that the store holds and this run did not see."""
    if started.source.kind != SourceKind.DOCUMENTS:
        return 0
    run = started.run
    folder = Path(started.source.location).name
    with started.store.session() as session:
        held = session.execute(
            select(func.count()).select_from(Document).where(_c(Document.origin).like(f"{folder}/%"))
        ).scalar_one()
    return max(int(held) - run.created - run.changed - run.unchanged, 0)


def _tell_of(started: StartedRun, done: CaughtUp) -> None:
    """What could not be read or structured is kept, and told of."""
    _reject_unread(started, done.unread)
    if done.unstructured:
        example = next(iter(done.unstructured.values()))
        message = f"The history of {len(done.unstructured)} patients could not be built ({example}); see the log."
        started.note(message=" ".join(filter(None, [started.run.message, message])))


def _reject_unread(started: StartedRun, failed: list[ReadDocument]) -> None:
    if not failed:
        return
    with started.store.session() as session:
        rejections = []
        for one in failed:
            document = session.get(Document, one.document_id)
            if document is not None:
                message = f"The reader failed ({one.failure}). The document can be searched by its words only."
                raw = bounded(document.text.encode())
                rejections.append(Rejection(f"text of {document.external_id}", "unreadable_text", message, raw))
        keep_rejected(session, int(started.source.id or 0), int(started.run.id or 0), rejections)
    started.note(rejected=started.run.rejected + len(rejections))


def _replay(session: Session, identifier: int, opposed: list[int]) -> bool:
    """Read one rejected record again; True where it is now taken."""
    held = session.get(RejectedRecord, identifier)
    if held is None:
        return False
    source = session.get(Source, held.source_id)
    assert source is not None
    try:
        items = list(
            reread_record(SourceKind(source.kind), Path(source.location), source.options, held.position, held.raw)
        )
    except InputError as error:
        held.message = str(error)
        return False
    records = [item for item in items if isinstance(item, SourceRecord)]
    taken = take_in(session, records)
    opposed += taken.opposed
    rejections = [item for item in items if isinstance(item, Rejection)] + taken.rejections
    if rejections or not records:
        for rejection in rejections[:1]:
            held.reason, held.message = rejection.reason, rejection.message
        return False
    held.replayed_at = now()
    return True


def _bury_dead_runs(session: Session, source_id: int) -> None:
    """Runs that still say `running` while we hold the source: their process has died."""
    session.execute(
        update(IngestionRun)
        .where(_c(IngestionRun.source_id) == source_id, _c(IngestionRun.state) == RunState.RUNNING.value)
        .values(
            state=RunState.FAILED.value, ended_at=now(), message="Its process died; a later run went on from there."
        )
    )


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
