"""A run from its claim to its end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlmodel import Session

from consore.ingestion.failures import conclude, failure_of
from consore.ingestion.lease import Lease
from consore.ingestion.patience import transact
from consore.model import IngestionRun, RunState, Source, now
from consore.settings import Settings
from consore.store import Store


class StartedRun:
    """A run that has been claimed: its row stands in the store, its source is nobody else's."""

    def __init__(
        self, store: Store, source: Source, run: IngestionRun, lease: Lease, *, despite_blackout: bool = False
    ) -> None:
        self.store = store
        self.source = source
        self.run = run
        self.lease = lease
        self.despite_blackout = despite_blackout
        self.extracted = False

    def note(self, **values: Any) -> None:
        """Write something of the run's row."""
        transact(self.store, lambda session: self._write(session, values))

    def say(self, message: str) -> None:
        """Add to what the run tells."""
        if message:
            self.note(message=" ".join(filter(None, [self.run.message, message])))

    def _write(self, session: Session, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self.run, name, value)
        session.execute(update(IngestionRun).where(IngestionRun.id == self.run.id).values(**values))

    def end(
        self, settings: Settings, state: RunState, message: str = "", error: BaseException | None = None
    ) -> IngestionRun:
        """Close the run, plan what follows, and give the source back."""
        said = [part for part in (self.run.message, message) if part]
        values = {"state": state.value, "ended_at": now(), "message": " ".join(said)}
        if state is RunState.FAILED and error is not None:
            failure, values["reason"] = failure_of(error)
            values["failure"] = failure.value

        def close(session: Session) -> None:
            self._write(session, values)
            conclude(session, settings, self.run)

        transact(self.store, close)
        self.lease.release()
        return self.run
