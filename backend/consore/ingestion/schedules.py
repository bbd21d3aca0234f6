"""Sources and when they are read. The table is the truth: whoever changes it is obeyed by the worker within seconds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlmodel import Session

from consore.errors import InputError
from consore.model import Frequency, Schedule, Source, SourceKind, now
from consore.sources import canonical, check_options

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WIDEST_CHANGE = dt.timedelta(hours=3)  # no zone moves its clocks by more


def add_source(
    session: Session,
    *,
    name: str,
    kind: SourceKind | str,
    location: Path | str,
    options: dict[str, Any] | None = None,
    frequency: Frequency | str = Frequency.MANUAL,
    hour: int = 2,
    minute: int = 0,
    weekday: int = 0,
    day: int = 1,
    timezone: str = "Europe/Paris",
) -> Source:
    """Declare a source, with its schedule. Raises InputError where its name is taken or its kind unknown."""
    name = name.strip()
    if not name:
        raise InputError("A source has a name.", "Give one, such as `comptes-rendus`.")
    if kind not in [known.value for known in SourceKind]:
        raise InputError(f"There is no kind of source {kind}.", f"Known: {', '.join(SourceKind)}.")
    if session.execute(select(Source).where(Source.name == name)).first():  # type: ignore[arg-type]
        raise InputError(f"There is already a source {name}.", "Choose another name, or change that one.")
    check_options(options or {})
    source = Source(
        name=name,
        kind=SourceKind(kind).value,
        location=canonical(location),
        options=options or {},
    )
    session.add(source)
    session.flush()
    set_schedule(session, int(source.id or 0), frequency, hour, minute, weekday, day, timezone)
    return source


def set_schedule(
    session: Session,
    source_id: int,
    frequency: Frequency | str,
    hour: int = 2,
    minute: int = 0,
    weekday: int = 0,
    day: int = 1,
    timezone: str = "Europe/Paris",
) -> Schedule:
    """Say when a source is read: `weekday` 0 (Monday)–6 for weekly, `day` 1–28 for monthly, local time in `timezone`.

    Raises InputError naming the value at fault.
    """
    if session.get(Source, source_id) is None:
        raise InputError(f"There is no source {source_id}.", "List them with `consore source list`.")
    if frequency not in [known.value for known in Frequency]:
        raise InputError(f"There is no frequency {frequency}.", f"Known: {', '.join(Frequency)}.")
    for word, value, least, most in (
        ("hour", hour, 0, 23),
        ("minute", minute, 0, 59),
        ("weekday", weekday, 0, 6),
        ("day", day, 1, 28),
    ):
        if not isinstance(value, int) or not least <= value <= most:
            raise InputError(f"The {word} {value} is not between {least} and {most}.", f"Give a {word} in that range.")
    _zone(timezone)
    schedule = session.get(Schedule, source_id) or Schedule(source_id=source_id)
    schedule.frequency = Frequency(frequency).value
    schedule.hour, schedule.minute, schedule.weekday, schedule.day = hour, minute, weekday, day
    schedule.timezone = timezone
    schedule.next_run_at = next_run(schedule, now())
    session.add(schedule)
    session.flush()
    return schedule


def next_run(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    """The first moment (UTC) later than `after` at which a source is due; None where it is read by hand.

    A time that a change of clocks leaves out is an hour later by the new clock; one that comes twice counts once.
    """
    if schedule.frequency == Frequency.MANUAL:
        return None
    from apscheduler.triggers.cron import CronTrigger

    zone = _zone(schedule.timezone)
    days: dict[str, Any] = {}
    if schedule.frequency == Frequency.WEEKLY:
        days = {"day_of_week": WEEKDAYS[schedule.weekday]}
    elif schedule.frequency == Frequency.MONTHLY:
        days = {"day": schedule.day}
    # The trigger counts in wall-clock time as if clocks never changed (given a zone, it can skip the day after a
    # change); each wall-clock moment then becomes an instant, the first of two where it comes twice.
    trigger = CronTrigger(hour=schedule.hour, minute=schedule.minute, second=0, timezone=dt.UTC, **days)
    wall = after.astimezone(zone).replace(tzinfo=dt.UTC, fold=0) - WIDEST_CHANGE
    while (found := trigger.get_next_fire_time(None, wall)) is not None:
        moment = found.replace(tzinfo=zone).astimezone(dt.UTC)
        if moment > after:
            return moment
        wall = found + dt.timedelta(microseconds=1)
    return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"There is no time zone {name}.", "Write one such as Europe/Paris or Indian/Reunion."
        ) from error
