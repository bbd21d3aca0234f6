"""Sources, their schedules, their runs and what was rejected: what an administrator sees and sets."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator
from typing import Annotated

import anyio
import strawberry
from sqlmodel import Session, select
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import LONGEST_TEXT, row_id, short, within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation, subscription
from consore.api.problem import InputProblem, NotFound
from consore.errors import InputError
from consore.ingestion import add_source, run_in_background, set_schedule
from consore.model import RunState, SourceKind

POLL_S = 0.5
_OF_A_SCHEDULE = {"frequency", "hour", "minute", "weekday", "day", "timezone"}

Frequency = strawberry.enum(model.Frequency, name="Frequency", description="How often a source is read.")


@strawberry.type(description="When a source is read. `weekday` 0 is Monday; `day` 1–28; local time of `timezone`.")
class Schedule:
    frequency: Frequency  # type: ignore[valid-type]
    hour: int
    minute: int
    weekday: int
    day: int
    timezone: str
    last_run_at: dt.datetime | None
    next_run_at: dt.datetime | None

    @classmethod
    def of(cls, row: model.Schedule) -> Schedule:
        """The row as the schema shows it."""
        return cls(
            frequency=model.Frequency(row.frequency),
            hour=row.hour,
            minute=row.minute,
            weekday=row.weekday,
            day=row.day,
            timezone=row.timezone,
            last_run_at=row.last_run_at,
            next_run_at=row.next_run_at,
        )


@strawberry.type(description="One reading of one source.")
class IngestionRun:
    row: strawberry.Private[model.IngestionRun]
    id: strawberry.ID
    source_id: strawberry.ID
    state: str
    stage: str
    trigger: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    seen: int
    created: int
    changed: int
    unchanged: int
    rejected: int
    message: str

    @classmethod
    def of(cls, row: model.IngestionRun) -> IngestionRun:
        """The row as the schema shows it."""
        return cls(
            row=row,
            id=strawberry.ID(str(row.id)),
            source_id=strawberry.ID(str(row.source_id)),
            state=row.state,
            stage=row.stage,
            trigger=row.trigger,
            started_at=row.started_at,
            ended_at=row.ended_at,
            seen=row.seen,
            created=row.created,
            changed=row.changed,
            unchanged=row.unchanged,
            rejected=row.rejected,
            message=row.message,
        )

    @strawberry.field
    async def source_name(self, info: Info) -> str:
        source = await info.context.loaders.source.load(self.row.source_id)
        return source.name if source else ""


@strawberry.type(description="A source of the centre.")
class Source:
    row: strawberry.Private[model.Source]
    id: strawberry.ID
    name: str
    kind: str
    location: str
    enabled: bool

    @classmethod
    def of(cls, row: model.Source) -> Source:
        """The row as the schema shows it."""
        return cls(
            row=row,
            id=strawberry.ID(str(row.id)),
            name=row.name,
            kind=row.kind,
            location=row.location,
            enabled=row.enabled,
        )

    @strawberry.field
    async def schedule(self, info: Info) -> Schedule:
        row = await info.context.loaders.schedule.load(self.row.id or 0)
        return Schedule.of(row or model.Schedule(source_id=self.row.id or 0))

    @strawberry.field
    async def last_run(self, info: Info) -> IngestionRun | None:
        row = await info.context.loaders.last_run.load(self.row.id or 0)
        return IngestionRun.of(row) if row else None

    @strawberry.field(description="Records that wait in quarantine.")
    async def rejected_count(self, info: Info) -> int:
        return await info.context.loaders.rejected_count.load(self.row.id or 0)


@strawberry.type(description="A record that could not be read, and why. It is kept whole and can be read again.")
class RejectedRecord:
    id: strawberry.ID
    source_id: strawberry.ID
    run_id: strawberry.ID
    position: str
    reason: str
    message: str
    created_at: dt.datetime
    replayed_at: dt.datetime | None

    @classmethod
    def of(cls, row: model.RejectedRecord) -> RejectedRecord:
        """The row as the schema shows it, without what it holds."""
        return cls(
            id=strawberry.ID(str(row.id)),
            source_id=strawberry.ID(str(row.source_id)),
            run_id=strawberry.ID(str(row.run_id)),
            position=row.position,
            reason=row.reason,
            message=row.message,
            created_at=row.created_at,
            replayed_at=row.replayed_at,
        )


@strawberry.input
class SourceInput:
    name: str
    kind: str
    location: str
    id: strawberry.ID | None = None
    options: JSON | None = None
    enabled: bool | None = True


@strawberry.input
class ScheduleInput:
    frequency: Frequency  # type: ignore[valid-type]
    hour: int | None = 2
    minute: int | None = 0
    weekday: int | None = 0
    day: int | None = 1
    timezone: str | None = "Europe/Paris"


SourceResult = Annotated[Source | InputProblem | NotFound, strawberry.union("SourceResult")]
RunResult = Annotated[IngestionRun | InputProblem | NotFound, strawberry.union("RunResult")]


@strawberry.type
class SourceQuery:
    @field(Permission.SOURCES, description="The sources of the centre.")
    async def sources(self, info: Info) -> list[Source]:
        rows = await info.context.read(
            lambda session: session.exec(select(model.Source).order_by(model.Source.name)).all()
        )
        return [Source.of(row) for row in rows]

    @field(Permission.SOURCES, description="The readings of a source or of all, the newest first.")
    async def ingestion_runs(
        self, info: Info, source_id: strawberry.ID | None = None, first: int | None = 20
    ) -> list[IngestionRun]:
        statement = select(model.IngestionRun).order_by(model.IngestionRun.id.desc()).limit(within("first", first, 20))  # type: ignore[union-attr]
        if source_id is not None:
            statement = statement.where(model.IngestionRun.source_id == row_id(source_id))
        return [IngestionRun.of(row) for row in await info.context.read(lambda session: session.exec(statement).all())]

    @field(Permission.SOURCES, description="What could not be read, the newest first.")
    async def rejected_records(
        self, info: Info, source_id: strawberry.ID | None = None, first: int | None = 50
    ) -> list[RejectedRecord]:
        statement = (
            select(model.RejectedRecord).order_by(model.RejectedRecord.id.desc()).limit(within("first", first, 50))  # type: ignore[union-attr]
        )
        if source_id is not None:
            statement = statement.where(model.RejectedRecord.source_id == row_id(source_id))
        rows = await info.context.read(lambda session: session.exec(statement).all())
        return [RejectedRecord.of(row) for row in rows]


@strawberry.type
class SourceMutation:
    @mutation(Permission.SOURCES, description="Make a source, or change the one of that id.")
    async def upsert_source(self, info: Info, input: SourceInput) -> SourceResult:
        context = info.context
        try:
            row = await context.read(lambda session: _keep_source(context, session, input))
        except InputError as error:
            return InputProblem.of(error, context.language)
        return Source.of(row) if row else NotFound.of(context.language)

    @mutation(Permission.SCHEDULES, description="Say when a source is read.")
    async def set_schedule(self, info: Info, source_id: strawberry.ID, input: ScheduleInput) -> SourceResult:
        context = info.context
        try:
            row = await context.read(lambda session: _keep_schedule(context, session, row_id(source_id), input))
        except InputError as error:
            return InputProblem.of(error, context.language)
        return Source.of(row) if row else NotFound.of(context.language)

    @mutation(Permission.SOURCES, description="Read a source now, in the background.")
    async def run_ingestion(self, info: Info, source_id: strawberry.ID) -> RunResult:
        context, key = info.context, row_id(source_id)
        source = await context.loaders.source.load(key) if key is not None else None
        if source is None:
            return NotFound.of(context.language)
        if not source.enabled:
            off = InputError(f"The source {source.name} is switched off.", "Switch it on first.")
            return InputProblem.of(off, context.language, "sourceId")
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, {"run": source.name}))
        node = context.node
        try:
            row = await in_thread(lambda: run_in_background(node.settings, node.store, source.id or 0))
        except InputError as error:
            return InputProblem.of(error, context.language, "sourceId")
        return IngestionRun.of(row)


@strawberry.type
class SourceSubscription:
    @subscription(
        Permission.SOURCES,
        description="A run each time it moves, until it ends; without `runId`, whichever run is going on.",
    )
    async def ingestion_progress(
        self, info: Info, run_id: strawberry.ID | None = None
    ) -> AsyncGenerator[IngestionRun, None]:
        context, key = info.context, row_id(run_id) if run_id is not None else None
        told: dict[int | None, tuple[object, ...]] = {}
        while await in_thread(lambda: context.node.sessions.principal_of(context.token)):
            for row in await context.read(lambda session: _moving(session, key, list(told))):
                state = (row.state, row.stage, row.seen, row.created, row.changed, row.unchanged, row.rejected)
                if told.get(row.id) != state:
                    told[row.id] = state
                    yield IngestionRun.of(row)
                if row.state != RunState.RUNNING.value:
                    if key is not None:
                        return
                    told.pop(row.id, None)
            if key is not None and key not in told:
                return
            await anyio.sleep(POLL_S)


def _moving(session: Session, key: int | None, watched: list[int | None]) -> list[model.IngestionRun]:
    """The run that is watched, else every run that goes on or was going on a moment ago."""
    run = model.IngestionRun
    wanted = run.id == key if key is not None else (run.state == RunState.RUNNING.value) | run.id.in_(watched)  # type: ignore[union-attr]
    return list(session.exec(select(run).where(wanted).order_by(run.id)))  # type: ignore[arg-type]


def _keep_source(context: RequestContext, session: Session, given: SourceInput) -> model.Source | None:
    options = given.options if given.options is not None else None
    if options is not None and not isinstance(options, dict):
        raise InputError("options is not an object.", "Write it between braces.")
    location = short("location", given.location, LONGEST_TEXT)
    if given.id is None:
        row = add_source(session, name=short("name", given.name), kind=given.kind, location=location, options=options)
    else:
        found = session.get(model.Source, row_id(given.id))
        if found is None:
            return None
        row = found
        _change(session, row, short("name", given.name), given.kind)
        row.location, row.options = location, row.options if options is None else options
    row.enabled = given.enabled is not False
    session.add(row)
    detail = {"source": row.name, "kind": row.kind, "location": row.location, "enabled": row.enabled}
    context.trace_act(session, Action.ADMIN_CHANGE, detail)
    return row


def _change(session: Session, row: model.Source, name: str, kind: str) -> None:
    if kind not in set(SourceKind):
        raise InputError(f"There is no kind of source {kind[:40]}.", f"Known: {', '.join(SourceKind)}.")
    same_name = session.exec(select(model.Source).where(model.Source.name == name)).one_or_none()
    if same_name is not None and same_name.id != row.id:
        raise InputError(f"There is already a source {name}.", "Choose another name, or change that one.")
    row.name, row.kind = name, kind


def _keep_schedule(
    context: RequestContext, session: Session, key: int | None, given: ScheduleInput
) -> model.Source | None:
    source = session.get(model.Source, key) if key is not None else None
    if source is None or source.id is None:
        return None
    row = set_schedule(
        session,
        source.id,
        given.frequency,
        hour=2 if given.hour is None else given.hour,
        minute=given.minute or 0,
        weekday=given.weekday or 0,
        day=1 if given.day is None else given.day,
        timezone=given.timezone or "Europe/Paris",
    )
    detail = {"schedule": source.name, **row.model_dump(include=_OF_A_SCHEDULE)}
    context.trace_act(session, Action.ADMIN_CHANGE, detail)
    return source
