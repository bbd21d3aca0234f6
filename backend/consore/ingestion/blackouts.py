"""Blackouts: windows of the week, by the clock of the hospital, in which no source is read.

A window may cross midnight: its weekdays are those on which it begins. Around a change of clocks it is never shorter
than what the clock says.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from consore.errors import InputError
from consore.ingestion.cron import on_the_clock

MOST = 20
WEEK = dt.timedelta(days=7)
_DAY = 24 * 60  # minutes
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, minutes of the day; one that ends where it starts, or before, ends the next day."""

    weekdays: frozenset[int]
    start: int
    end: int

    @property
    def minutes(self) -> int:
        """How long it lasts when no clock changes."""
        return (self.end - self.start - 1) % _DAY + 1

    def row(self) -> dict[str, Any]:
        """As it is kept in a schedule."""
        return {"weekdays": sorted(self.weekdays), "start": _clock(self.start), "end": _clock(self.end)}


def parse_windows(given: Sequence[Any]) -> list[Window]:
    """Windows from {weekdays, start, end}; no weekdays: every day.

    Raises InputError naming what is wrong, or where they leave no moment of the week.
    """
    if len(given) > MOST:
        raise InputError(f"There are {len(given)} blackouts.", f"At most {MOST} are taken.")
    windows = [_window(one) for one in given]
    closed = {
        (weekday * _DAY + minute) % (7 * _DAY)
        for window in windows
        for weekday in window.weekdays
        for minute in range(window.start, window.start + window.minutes)
    }
    if len(closed) == 7 * _DAY:
        raise InputError("The blackouts leave no moment of the week.", "Shorten one: the source would never be read.")
    return windows


def blackout_end(windows: Sequence[Window], zone: ZoneInfo, moment: dt.datetime) -> dt.datetime | None:
    """When the blackout that holds at `moment` is over (UTC), windows that touch taken as one; None: none holds."""
    over = moment
    while ends := [end for start, end in _spans(windows, zone, over) if start <= over < end]:
        over = max(ends)
        if over - moment > WEEK:  # windows that a change of clocks makes touch
            break
    return over if over > moment else None


def _spans(windows: Sequence[Window], zone: ZoneInfo, moment: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """The windows around a moment, each from its earliest start to its latest end."""
    today = moment.astimezone(zone).date()
    for day in (today + dt.timedelta(days=by) for by in (-2, -1, 0, 1)):
        midnight = dt.datetime.combine(day, dt.time())
        for window in windows:
            if day.weekday() in window.weekdays:
                start = midnight + dt.timedelta(minutes=window.start)
                end = start + dt.timedelta(minutes=window.minutes)
                yield min(on_the_clock(start, zone)), max(on_the_clock(end, zone))


def _window(given: Any) -> Window:
    hint = "Write times as 22:00 and weekdays as numbers, 0 for Monday."
    if not isinstance(given, dict):
        raise InputError("A blackout is a window of the week.", hint)
    weekdays = given.get("weekdays") or range(7)
    if not all(isinstance(day, int) and 0 <= day <= 6 for day in weekdays):
        raise InputError("A weekday of a blackout is not between 0 and 6.", hint)
    return Window(frozenset(weekdays), _minutes(given.get("start"), hint), _minutes(given.get("end"), hint))


def _minutes(written: Any, hint: str) -> int:
    if not isinstance(written, str) or not _TIME.fullmatch(written.strip()):
        raise InputError(f"“{str(written)[:20]}” is no time of the day.", hint)
    hour, minute = written.strip().split(":")
    return (int(hour) * 60 + int(minute)) % _DAY


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
