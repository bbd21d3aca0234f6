"""Sources and when they are read. The table is the truth: whoever changes it is obeyed by the worker within seconds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlmodel import Session

from consore.errors import InputError
from consore.ingestion.blackouts import blackout_end, parse_windows
from consore.ingestion.cron import WEEKDAYS, Cron, next_instant, parse_cron
from consore.ingestion.schedule_words import blackouts_in_words, cron_in_words
from consore.model import Frequency, Schedule, Source, SourceKind, now
from consore.sources import canonical, check_options


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
    cron: str = "",
    blackouts: Sequence[Any] = (),
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
    set_schedule(session, int(source.id or 0), frequency, hour, minute, weekday, day, timezone, cron, blackouts)
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
    cron: str = "",
    blackouts: Sequence[Any] | None = None,
) -> Schedule:
    """Say when a source is read: `weekday` 0 (Monday)–6 for weekly, `day` 1–28 for monthly, local time in `timezone`.

    `cron`: the expression of the frequency of that name. `blackouts`: windows {weekdays, start, end} in which nothing
    is read; None leaves them as they are. Raises InputError naming the value at fault.
    """
    if session.get(Source, source_id) is None:
        raise InputError(f"There is no source {source_id}.", "List them with `consore source list`.")
    asked = checked_schedule(frequency, hour, minute, weekday, day, timezone, cron, blackouts or ())
    schedule = session.get(Schedule, source_id) or Schedule(source_id=source_id)
    left = {"source_id", "last_run_at", "next_run_at", "retry_at", "attempts"}
    for name, value in asked.model_dump(exclude=left if blackouts is not None else {*left, "blackouts"}).items():
        setattr(schedule, name, value)
    schedule.next_run_at = next_run(schedule, now())
    if schedule.frequency == Frequency.MANUAL:
        schedule.retry_at, schedule.attempts = None, 0
    session.add(schedule)
    session.flush()
    return schedule


def checked_schedule(
    frequency: Frequency | str,
    hour: int = 2,
    minute: int = 0,
    weekday: int = 0,
    day: int = 1,
    timezone: str = "Europe/Paris",
    cron: str = "",
    blackouts: Sequence[Any] = (),
) -> Schedule:
    """A schedule of no source yet, to be looked at. Raises InputError as `set_schedule` does."""
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
    if frequency == Frequency.CRON:
        parse_cron(cron)
    return Schedule(
        source_id=0,
        frequency=Frequency(frequency).value,
        hour=hour,
        minute=minute,
        weekday=weekday,
        day=day,
        timezone=timezone,
        cron=" ".join(cron.split()) if frequency == Frequency.CRON else "",
        blackouts=[window.row() for window in parse_windows(blackouts)],
    )


def cron_of(schedule: Schedule) -> Cron | None:
    """The expression that a schedule stands for; None where the source is read by hand."""
    at = f"{schedule.minute} {schedule.hour}"
    match schedule.frequency:
        case Frequency.NIGHTLY:
            return parse_cron(f"{at} * * *")
        case Frequency.WEEKLY:
            return parse_cron(f"{at} * * {WEEKDAYS[schedule.weekday]}")
        case Frequency.MONTHLY:
            return parse_cron(f"{at} {schedule.day} * *")
        case Frequency.CRON:
            return parse_cron(schedule.cron)
    return None


def next_run(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    """The first moment (UTC) later than `after` at which a source is due; None where it is read by hand.

    Blackouts do not change when a source is due, but when it starts: `starts_at`.
    """
    cron = cron_of(schedule)
    return next_instant(cron, _zone(schedule.timezone), after) if cron else None


def starts_at(schedule: Schedule) -> dt.datetime | None:
    """When a source is next read: what is due or to be tried again, put off to the end of a blackout."""
    due = min((moment for moment in (schedule.next_run_at, schedule.retry_at) if moment), default=None)
    return (closed_until(schedule, due) or due) if due else None


def closed_until(schedule: Schedule, moment: dt.datetime) -> dt.datetime | None:
    """When the blackout that holds at `moment` is over (UTC); None where a run may start."""
    if not schedule.blackouts:
        return None
    return blackout_end(parse_windows(schedule.blackouts), _zone(schedule.timezone), moment)


def schedule_in_words(schedule: Schedule, language: str) -> str:
    """`chaque lundi et jeudi à 2 h 30`; `language` is `fr` or `en`."""
    return cron_in_words(cron_of(schedule), language, schedule.frequency)


def closed_in_words(schedule: Schedule, language: str) -> str:
    """`Pas de lecture du lundi au vendredi de 8 h à 18 h`; empty without a blackout."""
    return blackouts_in_words(parse_windows(schedule.blackouts), language)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"There is no time zone {name}.", "Write one such as Europe/Paris or Indian/Reunion."
        ) from error
