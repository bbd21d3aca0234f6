"""Runs and the store speak to each other while they go on: how far they are, and what is asked of them.

A thread writes the latest `Step` to the store once a second and looks whether a person wants the run cancelled or a
blackout has begun: the run itself never waits for that, and any process may ask.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import structlog
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from consore.errors import InputError
from consore.ingestion.lease import is_held
from consore.ingestion.progress import Progress, Step
from consore.ingestion.schedules import closed_until
from consore.ingestion.started import StartedRun
from consore.model import IngestionRun, RunProgress, RunState, Schedule, now
from consore.store import Store

BEAT = 1.0  # seconds between two looks at the store
CANCEL = "cancel"

log = structlog.get_logger("consore.ingestion")


class Following:
    """Runs that go on together, followed from here and from the store.

    Give `stop` and `tell` to what does the work. A person who cancels one of them stops them all.
    """

    def __init__(
        self, store: Store, started: Sequence[StartedRun], progress: Progress | None, stop: threading.Event | None
    ) -> None:
        self.stop: threading.Event = _EitherEvent(stop)
        self._store = store
        self._started = tuple(started)
        self._progress = progress
        self._step: Step | None = None
        self._told: Step | None = None
        self._why = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)

    def tell(self, step: Step) -> None:
        """The run has come so far."""
        self._step = replace(step, rejected=sum(one.run.rejected for one in self._started))
        if self._progress:
            self._progress(self._step)

    def outcome(self, run: IngestionRun) -> tuple[RunState, str]:
        """What a run that was stopped ends as, and why in words."""
        if self._why == "blackout":
            return RunState.PAUSED, "Paused: a blackout has begun. It goes on when it is over."
        if self._why == CANCEL:
            return RunState.CANCELLED, "Cancelled. What was done is kept; the next reading goes on from there."
        if run.trigger != "manual":
            return RunState.PAUSED, "Paused: its worker was stopped. It goes on with the next one."
        return RunState.CANCELLED, "The reading was stopped. The next one goes on from there."

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(35)  # the store may be locked for as long as its time-out
        try:
            with self._store.session() as session:
                session.execute(delete(RunProgress).where(_c(RunProgress.run_id).in_(self._ids())))
        except SQLAlchemyError as failure:
            log.warning("progress_not_cleared", error=type(failure).__name__)

    def _follow(self) -> None:
        while True:
            try:
                self._look()
            except SQLAlchemyError as error:  # the store is busy or away: the run itself will say so
                log.debug("following", error=type(error).__name__)
            if self._over.wait(BEAT):
                return

    def _look(self) -> None:
        with self._store.session() as session:
            asked = session.scalars(select(_c(IngestionRun.asked)).where(_c(IngestionRun.id).in_(self._ids()))).all()
            if CANCEL in asked:
                self._halt(CANCEL)
            elif self._is_closed(session):
                self._halt("blackout")
            step = self._step
            if step is not None and step != self._told:
                self._write(session, step)
                self._told = step

    def _is_closed(self, session: Session) -> bool:
        sources = [one.source.id for one in self._started if not one.despite_blackout]
        schedules = session.scalars(select(Schedule).where(_c(Schedule.source_id).in_(sources)))
        return any(closed_until(schedule, now()) for schedule in schedules)

    def _halt(self, why: str) -> None:
        if not self._why:
            self._why = why
            self.stop.set()

    def _write(self, session: Session, step: Step) -> None:
        values = {
            "stage": step.stage,
            "done": step.done,
            "total": step.total,
            "rate": step.rate,
            "updated_at": now(),
        }
        for identifier in self._ids():
            moved = session.execute(update(RunProgress).where(_c(RunProgress.run_id) == identifier).values(**values))
            if not moved.rowcount:
                session.execute(insert(RunProgress).values(run_id=identifier, **values))

    def _ids(self) -> list[int]:
        return [int(one.run.id or 0) for one in self._started]


def cancel_run(store: Store, run_id: int) -> IngestionRun:
    """Ask a run to stop at its next step, wherever it goes on; one that nobody goes on with ends at once.

    Raises InputError where there is no such run, or it is over.
    """
    with store.session() as session:
        run = session.get(IngestionRun, run_id)
        if run is None:
            raise InputError(f"There is no run {run_id}.", "List them with `consore runs`.")
        if run.state not in (RunState.RUNNING, RunState.PAUSED):
            raise InputError(f"The run {run_id} is over ({run.state}).", "There is nothing left to cancel.")
        source_id, running = run.source_id, run.state == RunState.RUNNING
    goes_on = running and is_held(store, f"source:{source_id}")
    with store.session() as session:
        run = session.get(IngestionRun, run_id)
        assert run is not None
        if goes_on:
            run.asked = CANCEL
        elif run.state in (RunState.RUNNING, RunState.PAUSED):
            run.state, run.ended_at = RunState.CANCELLED.value, now()
            session.execute(
                update(Schedule).where(_c(Schedule.source_id) == source_id).values(retry_at=None, attempts=0)
            )
        session.add(run)
    return run


class _EitherEvent(threading.Event):
    """Set by itself or by another."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or (self._other is not None and self._other.is_set())


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
