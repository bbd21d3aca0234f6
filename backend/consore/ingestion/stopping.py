"""How a run is asked to stop, by whoever can write to the store: it looks there at each of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from consore.ingestion.lease import is_held
from consore.ingestion.progress import Signal
from consore.model import IngestionRun, RunState, now
from consore.store import Store

LOOK = 0.5  # seconds between two looks at the store


def request_stop(store: Store, run_id: int) -> bool:
    """Ask a run to stop at its next step; False where it is not going on. What it has done is kept.

    A run whose process has died is closed at once.
    """
    run = IngestionRun.__table__  # type: ignore[attr-defined]
    with store.session() as session:
        going = run.c.id == run_id, run.c.state == RunState.RUNNING.value
        asked = session.execute(update(run).where(*going).values(stop_requested=True))
        source_id = session.execute(select(run.c.source_id).where(run.c.id == run_id)).scalar()
    if not asked.rowcount:
        return False
    if not is_held(store, f"source:{source_id}"):
        with store.session() as session:
            closed = {"state": RunState.CANCELLED.value, "ended_at": now(), "message": "Its process had died."}
            session.execute(update(run).where(*going).values(**closed))
    return True


class StopOf:
    """Whether some runs are asked to stop: in this process, or through the store."""

    def __init__(self, store: Store, run_ids: Callable[[], list[int]], other: Signal | None = None) -> None:
        self._store = store
        self._run_ids = run_ids
        self._other = other
        self._asked = False
        self._looked = 0.0

    @classmethod
    def one(cls, store: Store, run_id: int, other: Signal | None = None) -> Self:
        """Of one run."""
        return cls(store, lambda: [run_id], other)

    def is_set(self) -> bool:
        """Whether someone asked for it."""
        if self._other is not None and self._other.is_set():
            return True
        if not self._asked and time.monotonic() - self._looked >= LOOK:
            self._looked = time.monotonic()
            self._asked = self._look()
        return self._asked

    def _look(self) -> bool:
        run = IngestionRun.__table__  # type: ignore[attr-defined]
        wanted = select(run.c.id).where(run.c.id.in_(self._run_ids()), run.c.stop_requested.is_(True)).limit(1)
        try:
            with self._store.session() as session:
                return session.execute(wanted).first() is not None
        except SQLAlchemyError:  # the store is away: whoever writes next waits for it
            return False
