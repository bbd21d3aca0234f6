"""A run reads one source: extract and store, then bring histories and index up to date.

Each stage commits as it goes and asks the store what is left, so that a run that was killed is simply run again. One
source is read by one process at a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select, update
from sqlmodel import Session

from consore.errors import ConsoreError, InputError
from consore.ingestion.deriving import CaughtUp, Derivation
from consore.ingestion.extraction import extract
from consore.ingestion.failures import DIED, conclude
from consore.ingestion.following import Following
from consore.ingestion.lease import Lease, is_held
from consore.ingestion.patience import transact
from consore.ingestion.progress import Meter, Progress, Step, Stopped
from consore.ingestion.quarantine import (
    UNREADABLE_TEXT,
    keep_rejected,
    position_of_text,
    settle_read_texts,
    waiting_for_patients,
)
from consore.ingestion.reading import ReadDocument
from consore.ingestion.replaying import Replayed, replay
from consore.ingestion.schedules import closed_until
from consore.ingestion.started import StartedRun
from consore.model import (
    Document,
    FailureKind,
    IngestionRun,
    RejectedRecord,
    RunState,
    Schedule,
    Source,
    SourceKind,
    now,
)
from consore.search.trials import refresh_trials
from consore.settings import Settings
from consore.sources import Rejection, bounded
from consore.store import Store

ORDER = list(SourceKind)  # patients first: the others need to know whose they are
Claim = Callable[[Session], bool]  # takes what is due, in the transaction that begins the run; False: it is not


log = structlog.get_logger("consore.ingestion")


@dataclass(slots=True, frozen=True)
class ReplayReport:
    """What became of rejected records that were read again."""

    taken: int
    still_rejected: int


def run_source(
    settings: Settings,
    store: Store,
    source_id: int,
    *,
    trigger: str = "manual",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
    despite_blackout: bool = False,
) -> IngestionRun:
    """Read one source to the end; gives the run, `done` or `failed` with what to do.

    Running it again changes nothing where the source has not changed. Raises InputError where there is no such source,
    another process reads it or a blackout holds. `executor`: processes of a cluster.
    """
    started = begin_run(store, source_id, trigger, despite_blackout=despite_blackout)
    return _finish(settings, [started], progress, stop, executor)[0]


def run_claimed(
    settings: Settings,
    store: Store,
    source_id: int,
    claim: Claim,
    *,
    trigger: str,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
) -> IngestionRun | None:
    """Read a source to the end if it can be claimed; None where it cannot. Raises InputError where it is being read."""
    lease = _take(store, source_id)
    started = _begin(store, lease, source_id, trigger, claim)
    return _finish(settings, [started], progress, stop, executor)[0] if started else None


def run_all(
    settings: Settings,
    store: Store,
    *,
    trigger: str = "manual",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
    despite_blackout: bool = False,
) -> list[IngestionRun]:
    """Read every enabled source, patients first, then bring histories and index up to date once.

    A source that another process is reading, or that is in a blackout, is left to it.
    """
    with store.session() as session:
        sources = session.scalars(select(Source).where(_c(Source.enabled).is_(True))).all()
    ordered = sorted(sources, key=lambda source: (ORDER.index(SourceKind(source.kind)), source.name))
    started = []
    for source in ordered:
        with contextlib.suppress(InputError):
            started.append(begin_run(store, int(source.id or 0), trigger, despite_blackout=despite_blackout))
    return _finish(settings, started, progress, stop, executor)


def run_in_background(
    settings: Settings, store: Store, source_id: int, *, trigger: str = "manual", despite_blackout: bool = False
) -> IngestionRun:
    """Claim a run and go on with it in a thread; gives its row at once. Raises as `run_source` does."""
    started = begin_run(store, source_id, trigger, despite_blackout=despite_blackout)
    thread = threading.Thread(
        target=_finish, args=(settings, [started], None, None, None), name=f"run-{started.run.id}", daemon=True
    )
    thread.start()
    return started.run


def begin_run(store: Store, source_id: int, trigger: str = "manual", *, despite_blackout: bool = False) -> StartedRun:
    """Claim a source and write the run's row.

    Raises InputError where it is unknown, being read, or in a blackout.
    """
    if not despite_blackout:
        _refuse_in_blackout(store, source_id)
    started = _begin(store, _take(store, source_id), source_id, trigger)
    assert started is not None
    started.despite_blackout = despite_blackout
    return started


def _take(store: Store, source_id: int) -> Lease:
    with store.session() as session:
        source = session.get(Source, source_id)
        if source is None:
            raise InputError(f"There is no source {source_id}.", "List them with `consore source list`.")
    lease = Lease(store, f"source:{source_id}")
    if not lease.take():
        raise InputError(f"The source {source.name} is being read.", "Wait until it is done: `consore runs`.")
    return lease


def _begin(
    store: Store, lease: Lease, source_id: int, trigger: str, claim: Claim = lambda _: True
) -> StartedRun | None:
    """The run of a source that is held: its claim and its row come in one transaction. None: it cannot be claimed."""
    try:
        with store.session() as session:
            claimed = claim(session)
            if claimed:
                _bury_dead_runs(session, source_id)
                run = IngestionRun(source_id=source_id, trigger=trigger, stage="extract")
                session.add(run)
                session.flush()
                source = session.get(Source, source_id)
                assert source is not None
                session.expunge_all()
    except BaseException:
        lease.release()
        raise
    if not claimed:
        lease.release()
        return None
    return StartedRun(store, source, run, lease)


def _refuse_in_blackout(store: Store, source_id: int) -> None:
    with store.session() as session:
        schedule, source = session.get(Schedule, source_id), session.get(Source, source_id)
        over = closed_until(schedule, now()) if schedule else None
    if over and schedule and source:
        until = f"{over.astimezone(ZoneInfo(schedule.timezone)):%Y-%m-%d %H:%M} {schedule.timezone}"
        raise InputError(
            f"The source {source.name} is in a blackout until {until}.",
            "Wait until it is over, or read it all the same: `consore ingest --despite-blackout`.",
        )


def bury_dead_runs(settings: Settings, store: Store) -> None:
    """Close runs whose process has died, and plan that they are gone on with: at once the first time, then later."""
    running = select(_c(IngestionRun.source_id)).where(_c(IngestionRun.state) == RunState.RUNNING.value).distinct()
    with store.session() as session:
        found = session.scalars(running).all()
    for source_id in found:
        lease = Lease(store, f"source:{source_id}")
        if is_held(store, f"source:{source_id}") or not lease.take():
            continue
        try:
            with store.session() as session:
                dead = session.scalars(
                    select(IngestionRun).where(
                        _c(IngestionRun.source_id) == source_id, _c(IngestionRun.state) == RunState.RUNNING.value
                    )
                ).all()
                _bury_dead_runs(session, source_id)
                for run in dead[-1:]:
                    session.refresh(run)
                    conclude(session, settings, run)
        finally:
            lease.release()


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


def caught_up(settings: Settings, store: Store, progress: Progress | None = None) -> None:
    """Bring everything up to date, the records that waited for a patient who is there now among them."""
    with Derivation(settings, store, progress) as derivation:
        _replay_arrived(settings, store)
        derivation.result()
    transact(store, settle_read_texts)


def replay_in_background(
    settings: Settings, store: Store, source_id: int, *, record_ids: list[int] | None = None, reason: str | None = None
) -> IngestionRun:
    """Read the rejected records of a source again, in a thread, as a run that can be followed; gives its row at once.

    `reason`: only those. Raises InputError where the source is unknown or being read.
    """
    started = begin_run(store, source_id, "replay", despite_blackout=True)
    if reason is not None:
        query = select(_c(RejectedRecord.id)).where(
            _c(RejectedRecord.source_id) == source_id,
            _c(RejectedRecord.reason) == reason,
            _c(RejectedRecord.replayed_at).is_(None),
        )
        with store.session() as session:
            of_reason = list(session.scalars(query))
        record_ids = of_reason if record_ids is None else [one for one in record_ids if one in set(of_reason)]

    def go_on() -> None:
        with Following(store, [started], None, None) as following:
            try:
                report = replay_rejected(settings, store, record_ids, source_id=source_id, progress=following.tell)
                seen = report.taken + report.still_rejected
                started.note(seen=seen, changed=report.taken, rejected=report.still_rejected)
                started.end(settings, RunState.DONE)
            except Exception as error:
                log.exception("replay", source=source_id)
                started.end(settings, RunState.FAILED, str(error), error)

    threading.Thread(target=go_on, name=f"replay-{started.run.id}", daemon=True).start()
    return started.run


# --- The stages of a run ---------------------------------------------------------------------------------------


def _finish(
    settings: Settings,
    started: list[StartedRun],
    progress: Progress | None,
    stop: threading.Event | None,
    executor: Executor | None,
) -> list[IngestionRun]:
    """Extract each source, and derive beside it, once for all; whatever happens, every run is closed."""
    if not started:
        return []
    store, going = started[0].store, list(started)

    def note_stage(stage: str) -> None:
        for one in list(going):
            if one.extracted and one.run.stage != stage:
                one.note(stage=stage)

    with Following(store, started, progress, stop) as following:
        tell = _one_at_a_time(following.tell)
        derivation = Derivation(settings, store, tell, stop=following.stop, executor=executor, on_stage=note_stage)
        try:
            with derivation:
                for one in started:
                    try:
                        extract(settings, one, Meter(tell, following.stop))
                        one.extracted = True
                    except Stopped:
                        raise
                    except ConsoreError as error:
                        going.remove(one)
                        one.end(settings, RunState.FAILED, str(error), error)
                if going:
                    going[-1].say(_replay_arrived(settings, store).text())
                done = derivation.result()
            if going:
                _tell_of(going[-1], done)
                transact(store, refresh_trials)
            transact(store, settle_read_texts)
            for one in list(going):
                going.remove(one)
                one.end(settings, RunState.DONE)
        except BaseException as error:
            stopped = isinstance(error, Stopped | KeyboardInterrupt)
            message = str(error) if isinstance(error, ConsoreError) else f"{type(error).__name__}: {error}"
            for one in going:
                state, said = following.outcome(one.run) if stopped else (RunState.FAILED, message)
                with contextlib.suppress(Exception):  # the store itself may be what failed: the first error is the one
                    one.end(settings, state, said, error)
            if not isinstance(error, ConsoreError):
                raise
    return [one.run for one in started]


def _one_at_a_time(progress: Progress) -> Progress:
    """The same, told by one stage at a time."""
    lock = threading.Lock()

    def told(step: Step) -> None:
        with lock:
            progress(step)

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
            state=RunState.FAILED.value,
            ended_at=now(),
            message="Its process died; a later run went on from there.",
            reason=DIED,
            failure=FailureKind.PASSING.value,
        )
        .execution_options(synchronize_session=False)
    )


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
