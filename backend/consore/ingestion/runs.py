"""A run reads one source: extract and store, then bring histories and index up to date.

Each stage commits as it goes and asks the store what is left, so that a run that was killed is simply run again. One
source is read by one process at a time.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlmodel import Session

from consore.errors import ConsoreError, InputError
from consore.ingestion.deriving import CaughtUp, Derivation
from consore.ingestion.extraction import extract
from consore.ingestion.lease import Lease, is_held
from consore.ingestion.patience import transact
from consore.ingestion.progress import Meter, Progress, Signal, Stopped
from consore.ingestion.quarantine import (
    UNREADABLE_TEXT,
    keep_rejected,
    position_of_text,
    settle_read_texts,
    waiting_for_patients,
)
from consore.ingestion.reading import ReadDocument
from consore.ingestion.replaying import Replayed, replay
from consore.ingestion.stopping import StopOf
from consore.model import Document, IngestionRun, RejectedRecord, RunState, Source, SourceKind, now
from consore.settings import Settings
from consore.sources import Rejection, bounded
from consore.store import Store

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
        self.extracted = False

    def note(self, **values: Any) -> None:
        """Write something of the run's row."""
        transact(
            self.store,
            lambda session: session.execute(
                update(IngestionRun).where(_c(IngestionRun.id) == self.run.id).values(**values)
            ),
        )
        for name, value in values.items():
            setattr(self.run, name, value)

    def say(self, message: str) -> None:
        """Add to what the run tells."""
        if message:
            self.note(message=" ".join(filter(None, [self.run.message, message])))

    def end(self, state: RunState, message: str = "") -> IngestionRun:
        """Close the run and give its source back."""
        said = " ".join(filter(None, [self.run.message, message]))
        self.note(state=state.value, ended_at=now(), message=said)
        self.lease.release()
        return self.run


def run_source(
    settings: Settings,
    store: Store,
    source_id: int,
    *,
    trigger: str = "manual",
    progress: Progress | None = None,
    stop: Signal | None = None,
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
    stop: Signal | None = None,
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
        and_(
            _c(IngestionRun.state) == RunState.CANCELLED.value,
            _c(IngestionRun.trigger) != "manual",
            _c(IngestionRun.stop_requested).is_(False),
        ),
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
    done = replay(settings, store, waiting, meter)
    meter.end()
    if done.taken:
        caught_up(settings, store, progress)
    return ReplayReport(done.taken, len(waiting) - done.taken)


def caught_up(
    settings: Settings, store: Store, progress: Progress | None = None, *, stop: Signal | None = None
) -> None:
    """Bring everything up to date, the records that waited for a patient who is there now among them."""
    with Derivation(settings, store, progress) as derivation:
        _replay_arrived(settings, store)
        derivation.result()
    transact(store, settle_read_texts)


# --- The stages of a run ---------------------------------------------------------------------------------------


def _finish(
    settings: Settings,
    started: list[StartedRun],
    progress: Progress | None,
    stop: Signal | None,
    executor: Executor | None,
) -> list[IngestionRun]:
    """Extract each source, and derive beside it, once for all; whatever happens, every run is closed."""
    going = list(started)
    if not going:
        return []
    store, told = started[0].store, _together(progress)

    def note_stage(stage: str) -> None:
        for one in list(going):
            if one.run.stage != stage and one.extracted:
                one.note(stage=stage)

    asked = StopOf(store, lambda: [int(one.run.id or 0) for one in going if one.extracted], stop)
    try:
        with Derivation(settings, store, told, stop=asked, executor=executor, on_stage=note_stage) as derivation:
            for one in started:
                try:
                    extract(settings, one, Meter(told, StopOf.one(store, int(one.run.id or 0), asked)))
                    one.extracted = True
                except Stopped as error:
                    if asked.is_set():
                        raise
                    going.remove(one)
                    one.end(RunState.CANCELLED, str(error))
                except ConsoreError as error:
                    going.remove(one)
                    one.end(RunState.FAILED, str(error))
            if going:
                going[-1].say(_replay_arrived(settings, store).text())
            done = derivation.result()
        if going:
            _tell_of(going[-1], done)
        transact(store, settle_read_texts)
        for one in list(going):
            one.end(RunState.DONE)
            going.remove(one)
    except BaseException as error:
        state = RunState.CANCELLED if isinstance(error, Stopped | KeyboardInterrupt) else RunState.FAILED
        message = str(error) if isinstance(error, ConsoreError) else f"{type(error).__name__}: {error}"
        for one in going:
            with contextlib.suppress(Exception):  # the store itself may be what failed: the first error is the one
                one.end(state, message)
        if not isinstance(error, ConsoreError):
            raise
    return [one.run for one in started]


def _together(progress: Progress | None) -> Progress | None:
    """The same, told by one stage at a time."""
    if progress is None:
        return None
    lock = threading.Lock()

    def told(stage: str, done: int, total: int | None, rate: float | None) -> None:
        with lock:
            progress(stage, done, total, rate)

    return told


def _replay_arrived(settings: Settings, store: Store) -> Replayed:
    """Read again the records that waited for a patient who is there now."""
    waiting = transact(store, waiting_for_patients)
    return replay(settings, store, waiting, Meter()) if waiting else Replayed()


def _tell_of(started: StartedRun, done: CaughtUp) -> None:
    """What could not be read or structured is kept, and told of."""
    _reject_unread(started, done.unread)
    if done.unstructured:
        example = next(iter(done.unstructured.values()))
        started.say(f"The history of {len(done.unstructured)} patients could not be built ({example}); see the log.")


def _reject_unread(started: StartedRun, failed: list[ReadDocument]) -> None:
    if not failed:
        return

    def keep(session: Session) -> int:
        rejections = []
        for one in failed:
            document = session.get(Document, one.document_id)
            if document is not None:
                message = f"The reader failed ({one.failure}). The document can be searched by its words only."
                raw = bounded(document.text.encode())
                rejections.append(Rejection(position_of_text(document.external_id), UNREADABLE_TEXT, message, raw))
        keep_rejected(session, int(started.source.id or 0), int(started.run.id or 0), rejections)
        return len(rejections)

    started.note(rejected=started.run.rejected + transact(started.store, keep))


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
