"""When sources are read: their schedules, in fields and in words."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated, Any

import strawberry
from sqlmodel import Session

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import short
from consore.api.context import Info, RequestContext
from consore.api.guard import field
from consore.api.problem import InputProblem
from consore.errors import InputError
from consore.ingestion import (
    checked_schedule,
    closed_in_words,
    closed_until,
    next_run,
    schedule_in_words,
    set_schedule,
    starts_at,
)
from consore.model import now

FORESEEN = 3  # readings that a preview tells
LONGEST_CRON = 200
_OF_A_SCHEDULE = {"frequency", "hour", "minute", "weekday", "day", "timezone", "cron", "blackouts"}

Frequency = strawberry.enum(model.Frequency, name="Frequency", description="How often a source is read.")


@strawberry.type(description="No reading starts or goes on from `start` to `end` (HH:MM). It may end the next day.")
class Blackout:
    weekdays: list[int] = strawberry.field(description="Days on which it begins; 0 is Monday.")
    start: str
    end: str


@strawberry.type(description="When a source is read. `weekday` 0 is Monday; `day` 1–28; local time of `timezone`.")
class Schedule:
    row: strawberry.Private[model.Schedule]
    frequency: Frequency  # type: ignore[valid-type]
    hour: int
    minute: int
    weekday: int
    day: int
    timezone: str
    cron: str = strawberry.field(description="Five fields, as crontab(5); of the frequency CRON.")
    blackouts: list[Blackout]
    last_run_at: dt.datetime | None
    next_run_at: dt.datetime | None = strawberry.field(description="When it is due by its frequency.")
    starts_at: dt.datetime | None = strawberry.field(
        description="When it is next read: due, or to be tried again, and out of a blackout."
    )

    @classmethod
    def of(cls, row: model.Schedule) -> Schedule:
        """The row as the schema shows it."""
        return cls(
            row=row,
            frequency=model.Frequency(row.frequency),
            hour=row.hour,
            minute=row.minute,
            weekday=row.weekday,
            day=row.day,
            timezone=row.timezone,
            cron=row.cron,
            blackouts=[Blackout(**window) for window in row.blackouts],
            last_run_at=row.last_run_at,
            next_run_at=row.next_run_at,
            starts_at=starts_at(row),
        )

    @strawberry.field(description="As people say it: `chaque lundi et jeudi à 2 h 30`.")
    def words(self, info: Info) -> str:
        return schedule_in_words(self.row, info.context.language)

    @strawberry.field(description="The blackouts as people say them; empty where there is none.")
    def blackout_words(self, info: Info) -> str:
        return closed_in_words(self.row, info.context.language)


@strawberry.input(description="A window of the week; no weekdays: every day.")
class BlackoutInput:
    start: str
    end: str
    weekdays: list[int] | None = None


@strawberry.input
class ScheduleInput:
    frequency: Frequency  # type: ignore[valid-type]
    hour: int | None = 2
    minute: int | None = 0
    weekday: int | None = 0
    day: int | None = 1
    timezone: str | None = "Europe/Paris"
    cron: str | None = strawberry.field(default=None, description="Five fields, such as `30 2 * * mon,thu`.")
    blackouts: list[BlackoutInput] | None = strawberry.field(
        default=None, description="Null leaves them as they are; none takes them away."
    )

    def values(self) -> dict[str, Any]:
        """As `set_schedule` takes them."""
        return {
            "frequency": self.frequency,
            "hour": 2 if self.hour is None else self.hour,
            "minute": self.minute or 0,
            "weekday": self.weekday or 0,
            "day": 1 if self.day is None else self.day,
            "timezone": self.timezone or "Europe/Paris",
            "cron": short("cron", self.cron or "", LONGEST_CRON, empty=True),
            "blackouts": None if self.blackouts is None else [dataclasses.asdict(one) for one in self.blackouts],
        }


@strawberry.type(description="What a schedule would mean: in words, and the next readings.")
class SchedulePreview:
    words: str
    blackout_words: str
    next_readings: list[dt.datetime]


SchedulePreviewResult = Annotated[SchedulePreview | InputProblem, strawberry.union("SchedulePreviewResult")]


@strawberry.type
class ScheduleQuery:
    @field(Permission.SCHEDULES, description="Look at a schedule before it is set.")
    async def schedule_preview(self, info: Info, input: ScheduleInput) -> SchedulePreviewResult:
        language = info.context.language
        try:
            values = input.values()
            schedule = checked_schedule(**{**values, "blackouts": values["blackouts"] or ()})
        except InputError as error:
            return InputProblem.of(error, language)
        return SchedulePreview(
            words=schedule_in_words(schedule, language),
            blackout_words=closed_in_words(schedule, language),
            next_readings=_next_readings(schedule),
        )


def keep_schedule(
    context: RequestContext, session: Session, key: int | None, given: ScheduleInput
) -> model.Source | None:
    """Set the schedule of a source, and trace it; None where there is no such source. Raises InputError."""
    source = session.get(model.Source, key) if key is not None else None
    if source is None or source.id is None:
        return None
    row = set_schedule(session, source.id, **given.values())
    context.trace_act(session, Action.ADMIN_CHANGE, {"schedule": source.name, **row.model_dump(include=_OF_A_SCHEDULE)})
    return source


def _next_readings(schedule: model.Schedule) -> list[dt.datetime]:
    """When it would be read, blackouts counted; what falls into one blackout is read once, after it."""
    found: list[dt.datetime] = []
    due: dt.datetime | None = now()
    for _ in range(50):
        due = next_run(schedule, due) if due else None
        if due is None or len(found) == FORESEEN:
            break
        start = closed_until(schedule, due) or due
        if start not in found:
            found.append(start)
    return found
