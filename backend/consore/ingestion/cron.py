"""Cron expressions: checked, and turned into moments by the clock of the hospital.

Five fields, as crontab(5): minute, hour, day of the month, month, day of the week (0 and 7 are Sunday, or `mon`…).
Where both days are restricted, either is enough.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from consore.errors import InputError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
WIDEST_CHANGE = dt.timedelta(hours=3)  # no zone moves its clocks by more
SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_TERM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
HINT = "Write five fields, such as `30 2 * * mon,thu`: minute, hour, day, month, weekday."


@dataclass(frozen=True, slots=True)
class Cron:
    """The values at which each field lets through. `weekdays`: 0 is Monday. `either`: one of the two days is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool = False

    @property
    def every_hour(self) -> bool:
        """Whether it goes by the hours that pass, rather than by the hour on the clock."""
        return len(self.hours) == 24

    def is_due(self, wall: dt.datetime) -> bool:
        """Whether it lets this wall-clock minute through."""
        day, weekday = wall.day in self.days, wall.weekday() in self.weekdays
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and (day or weekday if self.either else day and weekday)
        )


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, MONTHS, 1),
    _Field("weekday", 0, 7, ("sun", *WEEKDAYS[:6])),
)


def parse_cron(expression: str) -> Cron:
    """The expression, checked. Raises InputError naming the field at fault, or where it never comes."""
    text = " ".join(expression.lower().split())
    fields = SHORTHANDS.get(text, text).split(" ")
    if len(fields) != len(_FIELDS):
        raise InputError(f"“{expression[:60]}” does not have the five fields of a cron expression.", HINT)
    minutes, hours, days, months, sundays_first = (
        _values(field, written) for field, written in zip(_FIELDS, fields, strict=True)
    )
    weekdays = frozenset((number - 1) % 7 for number in sundays_first)
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if not either and all(min(days) > LONGEST_MONTH.get(month, 31) for month in months):
        raise InputError(f"“{expression[:60]}” never comes: no such month has that day.", HINT)
    return Cron(minutes, hours, days, months, weekdays, either)


def next_instant(cron: Cron, zone: ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    """The first moment (UTC) later than `after` that the expression names in this zone.

    Of an expression with hours, a time that a change of clocks leaves out is an hour later by the new clock, and one
    that comes twice counts once. One that goes by every hour follows the hours that really pass.
    """
    best: dt.datetime | None = None
    wall = after.astimezone(zone).replace(tzinfo=None) - _margin(zone, after)
    until = dt.datetime.max
    while (wall_due := _next_wall(cron, wall)) is not None and wall_due <= until:
        for moment in _instants(cron, wall_due, zone):
            if moment > after and (best is None or moment < best):
                best = moment
                until = moment.astimezone(zone).replace(tzinfo=None) + _margin(zone, moment)
        wall = wall_due + dt.timedelta(microseconds=1)
    return best


def on_the_clock(wall: dt.datetime, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """The two moments (UTC) that a wall-clock time may be; they differ only around a change of clocks."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    return first, second


def _instants(cron: Cron, wall: dt.datetime, zone: ZoneInfo) -> set[dt.datetime]:
    first, second = on_the_clock(wall, zone)
    if not cron.every_hour:
        return {first}
    return {moment for moment in (first, second) if moment.astimezone(zone).replace(tzinfo=None) == wall}


def _margin(zone: ZoneInfo, moment: dt.datetime) -> dt.timedelta:
    """How far apart on the clock two moments may be that lie close to this one."""
    before, behind = ((moment + by).astimezone(zone).utcoffset() for by in (-WIDEST_CHANGE, WIDEST_CHANGE))
    return WIDEST_CHANGE if before != behind else dt.timedelta(0)


def _next_wall(cron: Cron, wall: dt.datetime) -> dt.datetime | None:
    """The first wall-clock time at or after `wall`, as if clocks never changed."""
    start = wall.replace(tzinfo=dt.UTC)
    found = [trigger.get_next_fire_time(None, start) for trigger in _triggers(cron)]
    return min((moment.replace(tzinfo=None) for moment in found if moment), default=None)


@lru_cache(maxsize=256)
def _triggers(cron: Cron) -> tuple[Any, ...]:
    """APScheduler's triggers. They count in UTC: given a zone, it can skip the day after a change of clocks."""
    from apscheduler.triggers.cron import CronTrigger

    usual = {"minute": _written(cron.minutes, 60), "hour": _written(cron.hours, 24), "month": _written(cron.months, 12)}
    day = {"day": _written(cron.days, 31)}
    weekday = {"day_of_week": ",".join(WEEKDAYS[number] for number in sorted(cron.weekdays))}
    ways = [day, weekday] if cron.either else [{**day, **weekday}]
    return tuple(CronTrigger(**usual, **way, second=0, timezone=dt.UTC) for way in ways)


def _written(values: frozenset[int], all_of_them: int) -> str:
    return "*" if len(values) == all_of_them else ",".join(map(str, sorted(values)))


def _values(field: _Field, written: str) -> frozenset[int]:
    values: set[int] = set()
    for term in written.split(","):
        found = _TERM.fullmatch(term)
        if found is None:
            raise InputError(f"“{term[:40]}” is no {field.name} of a cron expression.", HINT)
        low, high, step = field.low, field.high, int(found["step"] or 1)
        if not found["all"]:
            low = _number(field, found["first"])
            high = _number(field, found["last"]) if found["last"] else (field.high if found["step"] else low)
        if step < 1 or step > field.high:
            raise InputError(f"The step {step} of the {field.name} is not between 1 and {field.high}.", HINT)
        if high < low and field.name == "weekday":  # fri-mon goes over the end of the week
            high += 7
        if high < low:
            raise InputError(f"The {field.name}s {term[:40]} end before they begin.", HINT)
        values.update(number % 7 if field.name == "weekday" else number for number in range(low, high + 1, step))
    return frozenset(values)


def _number(field: _Field, written: str) -> int:
    if written in field.names:
        return field.names.index(written) + field.first_name
    if not written.isascii() or not written.isdigit() or not field.low <= int(written[:4]) <= field.high:
        raise InputError(
            f"The {field.name} {written[:20]} of a cron expression is not between {field.low} and {field.high}.", HINT
        )
    return int(written)
