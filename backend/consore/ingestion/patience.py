"""What is away for a moment is waited for: a busy or restarting database, a search engine that is being restarted.

Work is done again from its beginning, which changes nothing where it was done already. Past its patience a run fails
with a message that says what to mend; the next one goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from consore.errors import ConsoreError, SearchEngineAway, StoreError
from consore.ingestion.progress import Signal, Stopped
from consore.store import Store

PATIENCE = 150.0  # seconds
FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0

Answer = TypeVar("Answer")
log = structlog.get_logger("consore.ingestion")


class Never:
    """Nobody asks to stop."""

    def is_set(self) -> bool:
        """Never."""
        return False


def transact(store: Store, work: Callable[[Session], Answer], stop: Signal | None = None) -> Answer:
    """What `work` gives in a transaction of its own; done again where the database was busy or away.

    Raises StoreError where it stays so, or has no room.
    """

    def once() -> Answer:
        with store.session() as session:
            return work(session)

    return _patiently(once, _store_fault, stop)


def with_engine(work: Callable[[], Answer], stop: Signal | None = None) -> Answer:
    """What `work` gives, which asks the search engine; done again where that is away. Raises SearchEngineAway."""
    return _patiently(work, _engine_fault, stop)


def _patiently(
    work: Callable[[], Answer], fault: Callable[[Exception], tuple[ConsoreError, bool] | None], stop: Signal | None
) -> Answer:
    until, wait = time.monotonic() + PATIENCE, FIRST_WAIT
    while True:
        try:
            return work()
        except Exception as error:
            found = fault(error)
            if found is None:
                raise
            told, may_pass = found
            if not may_pass or time.monotonic() + wait > until:
                raise told from error
            log.warning("waiting", reason=str(told), seconds=wait)
        _sleep(wait, stop or Never())
        wait = min(wait * 2, LONGEST_WAIT)


def _sleep(seconds: float, stop: Signal) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if stop.is_set():
            raise Stopped("The reading was stopped.", "The next one goes on from there.")
        time.sleep(min(left, 0.2))


def _engine_fault(error: Exception) -> tuple[ConsoreError, bool] | None:
    return (error, True) if isinstance(error, SearchEngineAway) else None


def _store_fault(error: Exception) -> tuple[ConsoreError, bool] | None:
    """What a database error means, and whether it may pass; None where it is none of the connection or the disk."""
    if not isinstance(error, DBAPIError):
        return None
    said = str(error.orig).strip().splitlines()[0] if error.orig and str(error.orig).strip() else type(error).__name__
    lower = said.lower()
    if any(words in lower for words in ("disk is full", "no space left", "could not extend", "disk quota")):
        full = StoreError(f"The disk of the store is full ({said}).", "Make room, then read again: nothing is lost.")
        return full, False
    if "disk i/o error" in lower or "readonly database" in lower or "read-only" in lower:
        shut = StoreError(f"The store cannot be written ({said}).", "Check its disk and its rights, then read again.")
        return shut, False
    if "locked" in lower or "busy" in lower:
        busy = StoreError("Another program keeps the store busy.", "Read again once it is done: nothing is lost.")
        return busy, True
    if error.connection_invalidated or (isinstance(error, OperationalError) and _is_of_connection(lower)):
        lost = StoreError(f"The connection to the store was lost ({said}).", "Check that it runs, then read again.")
        return lost, True
    return None


def _is_of_connection(said: str) -> bool:
    return any(word in said for word in ("connect", "server closed", "terminating", "shutting down", "starting up"))
