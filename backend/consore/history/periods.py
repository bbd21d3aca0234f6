"""Dates as people write them: a day, a month ("mars 2021") or a year, held as first and last day."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from consore.history.clues import Clue
from consore.model import MentionKind


class Period(NamedTuple):
    """The days when something may have happened, both included."""

    start: dt.date
    end: dt.date

    @property
    def is_day(self) -> bool:
        """Whether it is one day."""
        return self.start == self.end

    def near(self, other: Period, days: int) -> bool:
        """Whether the two come within so many days of each other."""
        return (self.start - other.end).days <= days and (other.start - self.end).days <= days


def day(date: dt.date) -> Period:
    """One day."""
    return Period(date, date)


def period_of(clue: Clue) -> Period | None:
    """When the fact of a clue happened: the day, month or year that its sentence writes, else its document's day."""
    stated = clue.mention.date
    if stated is None:
        own = clue.page.document.date
        return day(own) if own else None
    return whole(stated, _precision(clue, stated))


@lru_cache(maxsize=4096)
def whole(first: dt.date, precision: str) -> Period:
    """The period that begins on `first` and is as long as `precision` (`day`, `month`, `year`) says."""
    if precision == "year":
        return Period(first, dt.date(first.year, 12, 31))
    if precision == "month":
        return Period(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))
    return day(first)


def precision(written: str | None) -> str:
    """How precise a date is that the reader keeps as `YYYY` (`year`), `YYYY-MM` (`month`) or whole (`day`)."""
    return {4: "year", 7: "month"}.get(len(written or ""), "day")


def earliest(periods: Iterable[Period]) -> Period | None:
    """The earliest period, made precise by the shortest one inside it."""
    found = sorted(periods)
    if not found:
        return None
    first = found[0]
    inside = [one for one in found if first.start <= one.start and one.end <= first.end]
    return min(inside, key=lambda one: (one.end - one.start, one.start))


def _precision(clue: Clue, stated: dt.date) -> str:
    """How precisely the sentence writes the date: readers give the first day of a month or a year."""
    if stated.day > 1 or stated == clue.page.document.date:
        return "day"
    # The date may head the line, sentences before; another sentence may write that first day more or less precisely.
    dates = [one.mention for one in clue.page.of(MentionKind.DATE)]
    written = [one for one in dates if one.date == stated and one.value]
    if written:
        nearest = min(written, key=lambda one: abs(one.start - clue.mention.start))
        return precision(nearest.value)
    return "year" if stated.month == 1 else "month"
