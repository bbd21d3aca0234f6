"""The sources of the centre: what an administrator sees of them at a glance, sets, and looks into."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

import strawberry
from sqlmodel import Session, select
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import LONGEST_TEXT, row_id, short
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation
from consore.api.problem import InputProblem, NotFound, in_language
from consore.api.run import IngestionRun, Progress
from consore.api.schedule import Schedule, ScheduleInput, keep_schedule
from consore.errors import ConsoreError, InputError
from consore.ingestion import HealthState, SourceHealth, add_source
from consore.model import SourceKind
from consore.sources import Rejection, canonical, check_options, check_source, masked, preview_source, shown

LOOKED_AT = 10  # records

SourceState = strawberry.enum(HealthState, name="SourceState", description="What is said of a source first.")


@strawberry.type(description="Something about a source that a person must know.")
class SourceAlert:
    kind: str = strawberry.field(description="failed, late or rejections.")
    reason: str
    raised_at: dt.datetime
    times: int

    @classmethod
    def of(cls, row: model.Alert) -> SourceAlert:
        """The row as the schema shows it."""
        return cls(kind=row.kind, reason=row.reason, raised_at=row.raised_at, times=row.times)


@strawberry.type(description="How a source is, at a glance.")
class Health:
    row: strawberry.Private[SourceHealth]
    state: SourceState  # type: ignore[valid-type]
    last_success_at: dt.datetime | None
    next_at: dt.datetime | None = strawberry.field(description="When it is next read, or tried again.")
    retry_at: dt.datetime | None = strawberry.field(description="When a run that failed or was paused goes on.")
    attempts: int = strawberry.field(description="Failures in a row that are being tried again.")
    late: bool
    late_since: dt.datetime | None
    rejected_waiting: int
    reason: str = strawberry.field(description="Of a failure, the code of what failed.")
    alerts: list[SourceAlert]
    progress: Progress | None

    @classmethod
    def of(cls, row: SourceHealth) -> Health:
        """The health as the schema shows it."""
        return cls(
            row=row,
            state=row.state,
            last_success_at=row.last_success_at,
            next_at=row.next_at,
            retry_at=row.schedule.retry_at,
            attempts=row.schedule.attempts,
            late=row.late_since is not None,
            late_since=row.late_since,
            rejected_waiting=row.rejected_waiting,
            reason=row.last_run.reason if row.last_run else "",
            alerts=[
                SourceAlert(kind=a.kind, reason=a.reason, raised_at=a.raised_at, times=a.times) for a in row.alerts
            ],
            progress=Progress.of(row.step) if row.step else None,
        )

    @strawberry.field(description="What the last run said, and what to do next.")
    def message(self, info: Info) -> str:
        return in_language(self.row.last_run.message, info.context.language) if self.row.last_run else ""


@strawberry.type(description="A source of the centre.")
class Source:
    row: strawberry.Private[model.Source]
    id: strawberry.ID
    name: str
    kind: str
    format: str = strawberry.field(description="Its connector; empty: the usual one of its kind.")
    location: str = strawberry.field(description="A file, a folder or an address; passwords are hidden.")
    options: JSON = strawberry.field(description="What its connector takes; secrets are hidden.")
    enabled: bool

    @classmethod
    def of(cls, row: model.Source) -> Source:
        """The row as the schema shows it."""
        return cls(
            row=row,
            id=strawberry.ID(str(row.id)),
            name=row.name,
            kind=row.kind,
            format=str(row.options.get("format", "")),
            location=shown(row.location),
            options=masked(row.options),
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

    @strawberry.field
    async def health(self, info: Info) -> Health:
        return Health.of(await info.context.loaders.health.load(self.row.id or 0))


@strawberry.type(description="A field of the records that were looked at; `shapes`: how its values look, never what.")
class SourceField:
    name: str
    filled: int
    shapes: list[str]


@strawberry.type(description="A look into a source: whether it is there, its columns, how its first records map.")
class SourceCheck:
    usable: bool
    format: str
    location: str
    columns: list[str]
    records: int = strawberry.field(description="At most so many.")
    problems: list[str]
    looked_at: int
    rejected: list[str] = strawberry.field(description="The reasons of the records that could not be read.")
    fields: list[SourceField]


@strawberry.input
class SourceInput:
    name: str
    kind: str
    location: str
    id: strawberry.ID | None = None
    format: str | None = strawberry.field(default=None, description="Its connector; null leaves it as it is.")
    options: JSON | None = strawberry.field(
        default=None, description="Null leaves them as they are. A secret is never written in them, but where it lies."
    )
    enabled: bool | None = True


SourceResult = Annotated[Source | InputProblem | NotFound, strawberry.union("SourceResult")]
SourceCheckResult = Annotated[SourceCheck | InputProblem | NotFound, strawberry.union("SourceCheckResult")]


@strawberry.type
class SourceQuery:
    @field(Permission.SOURCES, description="The sources of the centre.")
    async def sources(self, info: Info) -> list[Source]:
        rows = await info.context.read(
            lambda session: session.exec(select(model.Source).order_by(model.Source.name)).all()
        )
        return [Source.of(row) for row in rows]

    @field(
        Permission.SOURCES,
        description="Open a source and look at its first records, without taking them and without showing a value.",
    )
    async def check_source(self, info: Info, source_id: strawberry.ID) -> SourceCheckResult:
        context, key = info.context, row_id(source_id)
        source = await context.loaders.source.load(key) if key is not None else None
        if source is None:
            return NotFound.of(context.language)
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, {"check": source.name}))
        try:
            return await in_thread(lambda: _look_into(source, context.language))
        except InputError as error:
            return InputProblem.of(error, context.language, "sourceId")


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
            row = await context.read(lambda session: keep_schedule(context, session, row_id(source_id), input))
        except InputError as error:
            return InputProblem.of(error, context.language)
        return Source.of(row) if row else NotFound.of(context.language)


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
        row.location, row.options = canonical(location), row.options if options is None else options
    if given.format is not None:
        others = {name: value for name, value in row.options.items() if name != "format"}
        form = short("format", given.format, 40, empty=True)
        row.options = {**others, "format": form} if form else others
    check_options(row.options)
    row.enabled = given.enabled is not False
    session.add(row)
    detail = {"source": row.name, "kind": row.kind, "location": shown(row.location), "enabled": row.enabled}
    context.trace_act(session, Action.ADMIN_CHANGE, detail)
    return row


def _change(session: Session, row: model.Source, name: str, kind: str) -> None:
    if kind not in set(SourceKind):
        raise InputError(f"There is no kind of source {kind[:40]}.", f"Known: {', '.join(SourceKind)}.")
    same_name = session.exec(select(model.Source).where(model.Source.name == name)).one_or_none()
    if same_name is not None and same_name.id != row.id:
        raise InputError(f"There is already a source {name}.", "Choose another name, or change that one.")
    row.name, row.kind = name, kind


def _look_into(source: model.Source, language: str) -> SourceCheck:
    kind = SourceKind(source.kind)
    report = check_source(kind, source.location, source.options)
    found: list[Any] = []
    problems = list(report.problems)
    if report.usable:
        try:
            found = list(preview_source(kind, source.location, source.options, LOOKED_AT))
        except ConsoreError as error:
            problems.append(str(error))
    shapes: dict[str, list[str]] = {}
    for record in found:
        if not isinstance(record, Rejection):
            for name, value in record.values.items():
                if value not in (None, "", [], {}):
                    shapes.setdefault(name, []).append(_shape(value))
    return SourceCheck(
        usable=report.usable,
        format=report.format,
        location=report.location,
        columns=list(report.columns),
        records=report.records,
        problems=[in_language(problem, language) for problem in problems],
        looked_at=len(found),
        rejected=sorted({record.reason for record in found if isinstance(record, Rejection)}),
        fields=[
            SourceField(name=name, filled=len(seen), shapes=sorted(set(seen))[:3]) for name, seen in shapes.items()
        ],
    )


def _shape(value: Any) -> str:
    """How a value looks: `9999-99-99`, `Aaaaaa`; an administrator sees no patient."""
    if isinstance(value, list):
        return f"[{len(value)}]"
    written = re.sub(r"\d", "9", str(value)[:24])
    written = re.sub(r"[^\W\d_]", lambda letter: "A" if letter[0].isupper() else "a", written)
    return written + ("…" if len(str(value)) > 24 else "")
