"""Dates as people write them: a day, a month ("mars 2021") or a year, held as first and last day."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

from consore.history.clues import Clue


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days when something may have happened, both included."""

    start: dt.date
    end: dt.date

    @property
    def is_day(self) -> bool:
        """Whether it is one day."""
        return self.start == self.end

    def near(self, other: Period, days: int) -> bool:
        """Whether the two come within so many days of each other."""
        slack = dt.timedelta(days=days)
        return self.start - slack <= other.end and other.start - slack <= self.end


def day(date: dt.date) -> Period:
    """One day."""
    return Period(date, date)


def period_of(clue: Clue) -> Period | None:
    """When the fact of a clue happened.

    A sentence's date that falls on the first of January stands for its year, on the first of another month for its
    month: readers give the first day of what is written ("en 2021", "en mars 2021").
    """
    stated = clue.mention.date
    if stated is None:
        own = clue.page.document.date
        return day(own) if own else None
    if stated.day > 1 or stated == clue.page.document.date:
        return day(stated)
    if stated.month == 1:
        return Period(stated, dt.date(stated.year, 12, 31))
    return Period(stated, stated.replace(day=calendar.monthrange(stated.year, stated.month)[1]))


def days_between(first: dt.date | None, second: dt.date | None) -> int | None:
    """Days from the first to the second; null where one is unknown."""
    return (second - first).days if first and second else None
