"""The command that says when a source is read, and says it back in words."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlmodel import select

from consore.cli.app import node, opened_store
from consore.cli.screen import console
from consore.cli.sources import source_app
from consore.errors import InputError
from consore.model import Frequency, Schedule, Source

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@source_app.command("schedule")
def schedule(
    name: str,
    frequency: Annotated[Frequency | None, typer.Option(help="How often it is read.")] = None,
    at: Annotated[str, typer.Option(help="The hour, such as 02:30.")] = "",
    weekday: Annotated[str, typer.Option(help="mon, tue, … of the weekly frequency.")] = "",
    day: Annotated[int | None, typer.Option(min=1, max=28, help="Day of the month of the monthly one.")] = None,
    cron: Annotated[str, typer.Option(help="Five fields, such as `30 2 * * mon,thu`.")] = "",
    timezone: Annotated[str, typer.Option(help="Such as Europe/Paris.")] = "",
    blackout: Annotated[
        list[str] | None, typer.Option(help="No reading then: `mon-fri 08:00-18:00` or `22:00-06:00`. Repeatable.")
    ] = None,
    no_blackout: Annotated[bool, typer.Option("--no-blackout", help="Take the blackouts away.")] = False,
) -> None:
    """Say when a source is read, or only show it: what is not given stays as it is."""
    from consore.ingestion import closed_in_words, schedule_in_words, set_schedule, starts_at

    with opened_store(node()) as store, store.session() as session:
        source = session.exec(select(Source).where(Source.name == name)).first()
        if source is None or source.id is None:
            raise InputError(f"There is no source {name}.", "List them with `consore source list`.")
        held = session.get(Schedule, source.id) or Schedule(source_id=source.id)
        if frequency or at or weekday or day or cron or timezone or blackout or no_blackout:
            hour, minute = _time(at) if at else (held.hour, held.minute)
            held = set_schedule(
                session,
                source.id,
                Frequency.CRON if cron else frequency or held.frequency,
                hour,
                minute,
                _weekday(weekday) if weekday else held.weekday,
                day or held.day,
                timezone or held.timezone,
                cron or held.cron,
                [_window(one) for one in blackout or ()] if blackout or no_blackout else None,
            )
        due = starts_at(held)
        zone = ZoneInfo(held.timezone)
        console.print(f"{name}: {schedule_in_words(held, 'en')} ({held.timezone}).", markup=False, soft_wrap=True)
        if held.blackouts:
            console.print(f"{closed_in_words(held, 'en')}.", markup=False, soft_wrap=True)
        console.print(f"Next: {due.astimezone(zone):%A %Y-%m-%d %H:%M}." if due else "It is read by hand only.")


def _time(written: str) -> tuple[int, int]:
    hour, _, minute = written.partition(":")
    if not (hour.isdigit() and (minute or "0").isdigit()):
        raise InputError(f"“{written}” is no time of the day.", "Write it such as 02:30.")
    return int(hour), int(minute or 0)


def _weekday(written: str) -> int:
    if written.lower()[:3] not in DAYS:
        raise InputError(f"There is no weekday {written}.", f"Known: {', '.join(DAYS)}.")
    return DAYS.index(written.lower()[:3])


def _window(written: str) -> dict[str, object]:
    """`mon-fri,sun 08:00-18:00` as {weekdays, start, end}."""
    *days, times = written.split()
    start, _, end = times.partition("-")
    weekdays: list[int] = []
    for part in ",".join(days).split(",") if days else ():
        first, _, last = part.partition("-")
        begin, over = _weekday(first), _weekday(last or first)
        weekdays += [number % 7 for number in range(begin, over + 1 + (7 if over < begin else 0))]
    return {"weekdays": weekdays, "start": start, "end": end}
