"""The worker reads each source when it is due, as the schedule in the store says at that moment.

It looks at the table every two seconds, so that a change is obeyed at once. A due run is claimed by an UPDATE that only
one worker can win, and a run that was missed while no worker lived is caught up once.
"""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog
from sqlalchemy import select, update

from consore.errors import ConsoreError
from consore.ingestion.deriving import catch_up
from consore.ingestion.progress import Progress
from consore.ingestion.runs import ORDER, interrupted_sources, run_source
from consore.ingestion.schedules import next_run
from consore.model import Frequency, IngestionRun, PendingPatient, Schedule, Source, SourceKind, now
from consore.settings import Settings
from consore.store import Store

POLL = 2.0  # seconds

log = structlog.get_logger("consore.worker")


class Worker:
    """Runs the schedules of one node."""

    def __init__(self, settings: Settings, store: Store, progress: Progress | None = None) -> None:
        self.settings = settings
        self.store = store
        self.progress = progress
        self._stop = threading.Event()

    def run_forever(self, stop: threading.Event) -> None:
        """Obey the schedules until `stop`; a run that is going on is stopped at its next step."""
        self._stop = stop
        with ThreadPoolExecutor(1, thread_name_prefix="run") as runner:
            going: Future[Any] = runner.submit(self.resume)
            while not stop.is_set():
                try:
                    self._recompute(now())
                    if going.done() and (source_id := self._claim(now())) is not None:
                        going = runner.submit(self._run, source_id, "schedule")
                except Exception:  # the store may be away for a moment; the schedules wait for it
                    log.exception("worker")
                stop.wait(POLL)

    def run_due_once(self, at: dt.datetime | None = None) -> list[IngestionRun]:
        """Run whatever is due at `at` (now), patients first; gives the runs."""
        moment = at or now()
        self._recompute(moment)
        runs = []
        while (source_id := self._claim(moment)) is not None:
            run = self._run(source_id, "schedule")
            if run is not None:
                runs.append(run)
        return runs

    def resume(self) -> None:
        """Go on with what a worker that died has left."""
        left_over = {*interrupted_sources(self.store), *self._claimed_but_not_begun()}
        with self.store.session() as session:
            sources = session.scalars(select(Source).where(_c(Source.id).in_(left_over))).all()
        for source in sorted(sources, key=_turn):
            self._run(int(source.id or 0), "resume")
        with self.store.session() as session:
            left = session.execute(select(_c(PendingPatient.patient_id)).limit(1)).first()
        if left is not None:
            try:
                catch_up(self.settings, self.store, self.progress, stop=self._stop)
            except ConsoreError as error:
                log.error("catch_up", error=str(error))

    def _run(self, source_id: int, trigger: str) -> IngestionRun | None:
        try:
            run = run_source(
                self.settings, self.store, source_id, trigger=trigger, progress=self.progress, stop=self._stop
            )
        except ConsoreError as error:  # someone else reads it: it is being done
            log.info("run_skipped", source=source_id, reason=str(error))
            return None
        except Exception:
            log.exception("run_failed", source=source_id)
            return None
        log.info(
            "run", source=source_id, state=run.state, created=run.created, changed=run.changed, rejected=run.rejected
        )
        return run

    def _claimed_but_not_begun(self) -> list[int]:
        """Sources that a worker claimed an instant before it died."""
        begun = select(_c(IngestionRun.id)).where(
            _c(IngestionRun.source_id) == _c(Schedule.source_id),
            _c(IngestionRun.started_at) >= _c(Schedule.last_run_at),
        )
        with self.store.session() as session:
            return list(
                session.scalars(
                    select(_c(Schedule.source_id)).where(_c(Schedule.last_run_at).is_not(None), ~begun.exists())
                )
            )

    def _claim(self, moment: dt.datetime) -> int | None:
        """Take one due source; two workers never take the same."""
        with self.store.session() as session:
            due = session.execute(
                select(Schedule, Source)  # type: ignore[call-overload]
                .join(Source, _c(Source.id) == _c(Schedule.source_id))
                .where(_c(Source.enabled).is_(True), _c(Schedule.next_run_at) <= moment)
            ).all()
            due.sort(key=lambda row: _turn(row[1]))
            for schedule, _ in due:
                claimed = session.execute(
                    update(Schedule)
                    .where(
                        _c(Schedule.source_id) == schedule.source_id, _c(Schedule.next_run_at) == schedule.next_run_at
                    )
                    .values(last_run_at=moment, next_run_at=next_run(schedule, moment))
                    .execution_options(synchronize_session=False)
                )
                if claimed.rowcount == 1:
                    return int(schedule.source_id)
        return None

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


def _turn(source: Source) -> tuple[int, str]:
    """Patients are read before what is theirs."""
    return ORDER.index(SourceKind(source.kind)), source.name


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
