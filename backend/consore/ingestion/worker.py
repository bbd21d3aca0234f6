"""The worker reads each source when it is due, as the schedule in the store says at that moment.

It looks at the table every two seconds, so that a change is obeyed at once. What is due is claimed in the transaction
that begins the run, under the lease of its source: two workers never run the same. A run that was missed while no
worker lived is caught up once; one that failed, was paused or whose worker died is gone on with by whoever lives.
"""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlmodel import Session

from consore.errors import ConsoreError
from consore.ingestion.alerts import watch_forever
from consore.ingestion.deriving import catch_up
from consore.ingestion.failures import DIED
from consore.ingestion.progress import Progress
from consore.ingestion.runs import ORDER, Claim, bury_dead_runs, run_claimed
from consore.ingestion.schedules import closed_until, next_run
from consore.model import Frequency, IngestionRun, PendingPatient, RunState, Schedule, Source, SourceKind, now
from consore.settings import Settings
from consore.store import Store

POLL = 2.0  # seconds
SCHEDULED, RETRIED, RESUMED = "schedule", "retry", "resume"  # what began a run

log = structlog.get_logger("consore.worker")


class Worker:
    """Runs the schedules of one node."""

    def __init__(self, settings: Settings, store: Store, progress: Progress | None = None) -> None:
        self.settings = settings
        self.store = store
        self.progress = progress
        self._stop = threading.Event()

    def run_forever(self, stop: threading.Event) -> None:
        """Obey the schedules until `stop`; a run that is going on is paused at its next step."""
        self._stop = stop
        watcher = threading.Thread(target=watch_forever, args=(self.settings, self.store, stop), daemon=True)
        watcher.start()
        with ThreadPoolExecutor(1, thread_name_prefix="run") as runner:
            going: Future[Any] = runner.submit(self.resume)
            while not stop.is_set():
                try:
                    bury_dead_runs(self.settings, self.store)
                    self._recompute(now())
                    if going.done() and self._due(now()):
                        going = runner.submit(self.run_due_once)
                except Exception:  # the store may be away for a moment; the schedules wait for it
                    log.exception("worker")
                stop.wait(POLL)
        watcher.join(10)

    def run_due_once(self, at: dt.datetime | None = None) -> list[IngestionRun]:
        """Run whatever is due at `at` (now), patients first; gives the runs. What another worker runs is left to it."""
        moment = at or now()
        self._recompute(moment)
        runs: list[IngestionRun] = []
        passed: set[int] = set()
        while not self._stop.is_set() and (due := [key for key in self._due(moment) if key not in passed]):
            passed.add(due[0])
            run = self._run(due[0], moment)
            if run is not None:
                runs.append(run)
        return runs

    def resume(self) -> None:
        """Go on with what a worker that died or was stopped has left."""
        bury_dead_runs(self.settings, self.store)
        self.run_due_once()
        with self.store.session() as session:
            left = session.execute(select(_c(PendingPatient.patient_id)).limit(1)).first()
        if left is not None and not self._stop.is_set():
            try:
                catch_up(self.settings, self.store, self.progress, stop=self._stop)
            except ConsoreError as error:
                log.error("catch_up", error=str(error))

    def _run(self, source_id: int, moment: dt.datetime) -> IngestionRun | None:
        try:
            run = run_claimed(
                self.settings,
                self.store,
                source_id,
                _claim_of(source_id, moment),
                trigger=self._trigger(source_id, moment),
                progress=self.progress,
                stop=self._stop,
            )
        except ConsoreError as error:  # someone else reads it: it is being done
            log.info("run_skipped", source=source_id, reason=str(error))
            return None
        except Exception:
            log.exception("run_failed", source=source_id)
            return None
        if run is not None:
            log.info(
                "run",
                source=source_id,
                state=run.state,
                trigger=run.trigger,
                created=run.created,
                changed=run.changed,
                rejected=run.rejected,
            )
        return run

    def _trigger(self, source_id: int, moment: dt.datetime) -> str:
        """Why a source is due: its schedule, a failure that is tried again, or a run that is gone on with."""
        with self.store.session() as session:
            schedule = session.get(Schedule, source_id)
            last = session.scalars(
                select(IngestionRun)
                .where(_c(IngestionRun.source_id) == source_id)
                .order_by(_c(IngestionRun.id).desc())
                .limit(1)
            ).first()
        if schedule is None or schedule.retry_at is None or schedule.retry_at > moment or last is None:
            return SCHEDULED
        return RETRIED if last.state == RunState.FAILED and last.reason != DIED else RESUMED

    def _due(self, moment: dt.datetime) -> list[int]:
        """The sources that are due and in no blackout, patients first."""
        with self.store.session() as session:
            found = session.execute(
                select(Schedule, Source)  # type: ignore[call-overload]
                .join(Source, _c(Source.id) == _c(Schedule.source_id))
                .where(_c(Source.enabled).is_(True), _is_due(moment))
            ).all()
        open_now = [(source, schedule) for schedule, source in found if not closed_until(schedule, moment)]
        return [schedule.source_id for _, schedule in sorted(open_now, key=lambda pair: _turn(pair[0]))]

    def _recompute(self, moment: dt.datetime) -> None:
        """Bring `next_run_at` in line with rows that were changed without it; what is due stays due."""
        with self.store.session() as session:
            for schedule in session.scalars(select(Schedule)).all():
                expected = next_run(schedule, moment)
                held = schedule.next_run_at
                manual = schedule.frequency == Frequency.MANUAL
                if held == expected or (held is not None and held <= moment and not manual):
                    continue
                session.execute(
                    update(Schedule)
                    .where(
                        _c(Schedule.source_id) == schedule.source_id,
                        _c(Schedule.next_run_at).is_not_distinct_from(held),
                    )
                    .values(next_run_at=expected)
                    .execution_options(synchronize_session=False)
                )


def _claim_of(source_id: int, moment: dt.datetime) -> Claim:
    """Takes what is due of a source, if it still is: however many times were missed, they are one."""

    def claim(session: Session) -> bool:
        schedule = session.scalars(
            select(Schedule).where(_c(Schedule.source_id) == source_id, _is_due(moment))
        ).one_or_none()
        if schedule is None or closed_until(schedule, moment):
            return False
        values: dict[str, Any] = {"retry_at": None, "last_run_at": moment}
        if schedule.next_run_at is not None and schedule.next_run_at <= moment:
            values["next_run_at"] = next_run(schedule, moment)
        claimed = session.execute(
            update(Schedule)
            .where(
                _c(Schedule.source_id) == source_id,
                _c(Schedule.next_run_at).is_not_distinct_from(schedule.next_run_at),
                _c(Schedule.retry_at).is_not_distinct_from(schedule.retry_at),
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return bool(claimed.rowcount == 1)

    return claim


def _is_due(moment: dt.datetime) -> Any:
    return or_(_c(Schedule.next_run_at) <= moment, _c(Schedule.retry_at) <= moment)


def _turn(source: Source) -> tuple[int, str]:
    """Patients are read before what is theirs."""
    return ORDER.index(SourceKind(source.kind)), source.name


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
