"""How far a run is: one `Step`, told to whoever listens. The terminal, the API and the app show the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from consore.errors import ConsoreError

INTERVAL = 0.1  # seconds between two calls


@dataclass(slots=True, frozen=True)
class Step:
    """Where a run stands in its present stage. `rate` in items a second; `rejected` records of the run so far."""

    stage: str
    done: int = 0
    total: int | None = None
    rate: float | None = None
    rejected: int = 0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def eta_s(self) -> int | None:
        """Seconds until the stage is over, at this rate; None where nothing tells."""
        if not self.rate or not self.total:
            return None
        return max(round((self.total - self.done) / self.rate), 0)


Progress = Callable[[Step], None]


class Stopped(ConsoreError):
    """The reading was stopped from outside; what was done is kept."""

    code = "stopped"


class Signal(Protocol):
    """Whether to stop, as `threading.Event` says it."""

    def is_set(self) -> bool:
        """Whether someone asked for it."""


class Meter:
    """Counts of one stage, told to `progress` a few times a second. `stop` ends the run at the next step."""

    def __init__(self, progress: Progress | None = None, stop: Signal | None = None) -> None:
        self._progress = progress
        self._stop = stop
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._worked: float | None = None
        self._since = 0.0
        self._told = 0.0

    def begin(self, stage: str, total: int | None) -> None:
        """Begin a stage of `total` items, or of an unknown number."""
        self._stage, self._total, self._done = stage, total, 0
        self._since, self._told = time.monotonic(), 0.0
        self.advance(0)

    def expect(self, total: int) -> None:
        """Tell that the stage has so many items, as is known now."""
        self._total = total

    def advance(self, items: int) -> None:
        """Tell that `items` more are done. Raises Stopped where someone asked for it."""
        self._done += items
        if self._stop is not None and self._stop.is_set():
            raise Stopped("The reading was stopped.", "The next one goes on from there.")
        moment = time.monotonic()
        if self._progress and self._stage and moment - self._told >= INTERVAL:
            self._tell(moment)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count only the time spent in such blocks, where two stages take turns."""
        begun = time.monotonic()
        yield
        self._worked = (self._worked or 0.0) + time.monotonic() - begun

    def end(self) -> None:
        """Tell that the stage is over."""
        self._total = self._done
        if self._progress:
            self._tell(time.monotonic())

    def _tell(self, moment: float) -> None:
        assert self._progress
        self._told = moment
        seconds = moment - self._since if self._worked is None else self._worked
        rate = self._done / seconds if seconds > 0.05 else None
        self._progress(Step(self._stage, self._done, self._total, rate))
