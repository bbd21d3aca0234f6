"""Runs of sources: what they counted, how far they are, what they rejected; to start, cancel, replay and follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator
from typing import Annotated

import anyio
import strawberry
from sqlalchemy import func
from sqlmodel import Session, select

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import row_id, within
from consore.api.context import Info, in_thread
from consore.api.guard import field, mutation, subscription
from consore.api.problem import InputProblem, NotFound, in_language
from consore.errors import InputError
from consore.ingestion import Step, cancel_run, replay_in_background, run_in_background, step_of
from consore.model import RunState

POLL_S = 0.5


@strawberry.type(description="How far a run is in its present stage; the same as the terminal shows.")
class Progress:
    stage: str = strawberry.field(description="extract, read, structure, index or replay.")
    done: int
    total: int | None
    rate: float | None = strawberry.field(description="Items a second.")
    share: float | None = strawberry.field(description="Of the stage, from 0 to 1.")
    eta_seconds: int | None = strawberry.field(description="Until the stage is over, at this rate.")
    rejected: int = strawberry.field(description="Records of the run that were rejected so far.")

    @classmethod
    def of(cls, step: Step) -> Progress:
        """The step as the schema shows it."""
        return cls(
            stage=step.stage.partition(" ")[0],
            done=step.done,
            total=step.total,
            rate=step.rate,
            share=step.share,
            eta_seconds=step.eta_s,
            rejected=step.rejected,
        )


@strawberry.type(description="One reading of one source.")
class IngestionRun:
    row: strawberry.Private[model.IngestionRun]
    step: strawberry.Private[Step | None]
    id: strawberry.ID
    source_id: strawberry.ID
    state: str = strawberry.field(description="running, done, failed, cancelled or paused.")
    stage: str
    trigger: str = strawberry.field(description="schedule, manual, retry, resume or replay.")
    started_at: dt.datetime
    ended_at: dt.datetime | None
    seen: int
    created: int
    changed: int
    unchanged: int
    rejected: int
    reason: str = strawberry.field(description="Of a failed run, the code of what failed.")
    may_pass: bool = strawberry.field(description="Whether trying a failed run again may be enough.")
    cancelling: bool = strawberry.field(description="It was asked to stop, and will at its next step.")

    @classmethod
    def of(cls, row: model.IngestionRun, step: Step | None = None) -> IngestionRun:
        """The row as the schema shows it; `step`: how far it is, where that is known already."""
        return cls(
            row=row,
            step=step,
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
            reason=row.reason,
            may_pass=row.failure == model.FailureKind.PASSING,
            cancelling=row.state == RunState.RUNNING and bool(row.asked),
        )

    @strawberry.field(description="What there is to say of it, and what to do next.")
    def message(self, info: Info) -> str:
        return in_language(self.row.message, info.context.language)

    @strawberry.field
    async def source_name(self, info: Info) -> str:
        source = await info.context.loaders.source.load(self.row.source_id)
        return source.name if source else ""

    @strawberry.field(description="How far it is; null once it is over.")
    async def progress(self, info: Info) -> Progress | None:
        if self.row.state != RunState.RUNNING:
            return None
        step = self.step or step_of(self.row, await info.context.loaders.progress.load(self.row.id or 0))
        return Progress.of(step) if step else None


@strawberry.type(description="A record that could not be read, and why. It is kept whole and can be read again.")
class RejectedRecord:
    row: strawberry.Private[model.RejectedRecord]
    id: strawberry.ID
    source_id: strawberry.ID
    run_id: strawberry.ID
    position: str
    reason: str
    created_at: dt.datetime
    replayed_at: dt.datetime | None

    @classmethod
    def of(cls, row: model.RejectedRecord) -> RejectedRecord:
        """The row as the schema shows it, without what it holds."""
        return cls(
            row=row,
            id=strawberry.ID(str(row.id)),
            source_id=strawberry.ID(str(row.source_id)),
            run_id=strawberry.ID(str(row.run_id)),
            position=row.position,
            reason=row.reason,
            created_at=row.created_at,
            replayed_at=row.replayed_at,
        )

    @strawberry.field(description="What is wrong with it, and what to do next.")
    def message(self, info: Info) -> str:
        return in_language(self.row.message, info.context.language)


@strawberry.type(description="How many records of a source wait for one reason, with the newest as an example.")
class RejectedReason:
    source_id: strawberry.ID
    reason: str
    count: int
    example: RejectedRecord


RunResult = Annotated[IngestionRun | InputProblem | NotFound, strawberry.union("RunResult")]


@strawberry.type
class RunQuery:
    @field(Permission.SOURCES, description="The readings of a source or of all, the newest first.")
    async def ingestion_runs(
        self, info: Info, source_id: strawberry.ID | None = None, first: int | None = 20
    ) -> list[IngestionRun]:
        statement = select(model.IngestionRun).order_by(model.IngestionRun.id.desc()).limit(within("first", first, 20))  # type: ignore[union-attr]
        if source_id is not None:
            statement = statement.where(model.IngestionRun.source_id == row_id(source_id))
        return [IngestionRun.of(row) for row in await info.context.read(lambda session: session.exec(statement).all())]

    @field(
        Permission.SOURCES,
        description="What could not be read, the newest first. `waiting`: only what has not been read right since.",
    )
    async def rejected_records(
        self,
        info: Info,
        source_id: strawberry.ID | None = None,
        reason: str | None = None,
        waiting: bool | None = False,
        first: int | None = 50,
    ) -> list[RejectedRecord]:
        rejected = model.RejectedRecord
        statement = select(rejected).order_by(rejected.id.desc()).limit(within("first", first, 50))  # type: ignore[union-attr]
        if source_id is not None:
            statement = statement.where(rejected.source_id == row_id(source_id))
        if reason is not None:
            statement = statement.where(rejected.reason == reason)
        if waiting:
            statement = statement.where(rejected.replayed_at.is_(None))  # type: ignore[union-attr]
        rows = await info.context.read(lambda session: session.exec(statement).all())
        return [RejectedRecord.of(row) for row in rows]

    @field(Permission.SOURCES, description="The records that wait in quarantine, counted by source and reason.")
    async def rejected_reasons(self, info: Info, source_id: strawberry.ID | None = None) -> list[RejectedReason]:
        key = row_id(source_id) if source_id is not None else None
        return await info.context.read(lambda session: _reasons(session, key, all_=source_id is None))


@strawberry.type
class RunMutation:
    @mutation(
        Permission.SOURCES,
        description="Read a source now, in the background; it goes on where the last reading ended.",
    )
    async def run_ingestion(
        self, info: Info, source_id: strawberry.ID, despite_blackout: bool | None = False
    ) -> RunResult:
        context, key = info.context, row_id(source_id)
        source = await context.loaders.source.load(key) if key is not None else None
        if source is None:
            return NotFound.of(context.language)
        if not source.enabled:
            off = InputError(f"The source {source.name} is switched off.", "Switch it on first.")
            return InputProblem.of(off, context.language, "sourceId")
        detail = {"run": source.name, **({"despite_blackout": True} if despite_blackout else {})}
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, detail))
        node = context.node
        try:
            row = await in_thread(
                lambda: run_in_background(
                    node.settings, node.store, source.id or 0, despite_blackout=bool(despite_blackout)
                )
            )
        except InputError as error:
            return InputProblem.of(error, context.language, "sourceId")
        return IngestionRun.of(row)

    @mutation(
        Permission.SOURCES,
        description="Stop a run at its next step, wherever it goes on; what was done is kept.",
    )
    async def cancel_run(self, info: Info, run_id: strawberry.ID) -> RunResult:
        context, key = info.context, row_id(run_id)
        row = await context.read(lambda session: session.get(model.IngestionRun, key)) if key is not None else None
        if row is None:
            return NotFound.of(context.language)
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, {"cancel": str(run_id)}))
        try:
            return IngestionRun.of(await in_thread(lambda: cancel_run(context.node.store, key or 0)))
        except InputError as error:
            return InputProblem.of(error, context.language, "runId")

    @mutation(
        Permission.SOURCES,
        description="Read the rejected records of a source again, in the background: all, of a reason, or these.",
    )
    async def replay_rejected(
        self,
        info: Info,
        source_id: strawberry.ID,
        reason: str | None = None,
        record_ids: list[strawberry.ID] | None = None,
    ) -> RunResult:
        context, key = info.context, row_id(source_id)
        source = await context.loaders.source.load(key) if key is not None else None
        if source is None:
            return NotFound.of(context.language)
        records = None if record_ids is None else [row_id(one) or 0 for one in record_ids]
        detail = {"replay": source.name, **({"reason": reason} if reason else {})}
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, detail))
        node = context.node
        try:
            row = await in_thread(
                lambda: replay_in_background(
                    node.settings, node.store, source.id or 0, record_ids=records, reason=reason
                )
            )
        except InputError as error:
            return InputProblem.of(error, context.language, "sourceId")
        return IngestionRun.of(row)


@strawberry.type
class RunSubscription:
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
            for row, step in await context.read(lambda session: _moving(session, key, list(told))):
                state = (
                    row.state,
                    row.stage,
                    row.seen,
                    row.created,
                    row.changed,
                    row.unchanged,
                    row.rejected,
                    row.asked,
                )
                if told.get(row.id) != (*state, step):
                    told[row.id] = (*state, step)
                    yield IngestionRun.of(row, step)
                if row.state != RunState.RUNNING.value:
                    if key is not None:
                        return
                    told.pop(row.id, None)
            if key is not None and key not in told:
                return
            await anyio.sleep(POLL_S)


def _moving(
    session: Session, key: int | None, watched: list[int | None]
) -> list[tuple[model.IngestionRun, Step | None]]:
    """The run that is watched, else every run that goes on or was going on a moment ago; each with how far it is."""
    run = model.IngestionRun
    wanted = run.id == key if key is not None else (run.state == RunState.RUNNING.value) | run.id.in_(watched)  # type: ignore[union-attr]
    rows = list(session.exec(select(run).where(wanted).order_by(run.id)))  # type: ignore[arg-type]
    steps = {
        row.run_id: row
        for row in session.exec(
            select(model.RunProgress).where(model.RunProgress.run_id.in_([row.id for row in rows]))  # type: ignore[attr-defined]
        )
    }
    return [(row, step_of(row, steps.get(row.id or 0))) for row in rows]


def _reasons(session: Session, key: int | None, *, all_: bool) -> list[RejectedReason]:
    rejected = model.RejectedRecord
    newest = func.max(rejected.id)
    statement = (
        select(rejected.source_id, rejected.reason, func.count(), newest)
        .where(rejected.replayed_at.is_(None))  # type: ignore[union-attr]
        .group_by(rejected.source_id, rejected.reason)  # type: ignore[arg-type]
        .order_by(func.count().desc(), rejected.reason)
    )
    if not all_:
        statement = statement.where(rejected.source_id == key)
    found = session.exec(statement).all()
    examples = {
        row.id: row
        for row in session.exec(select(rejected).where(rejected.id.in_([last for *_, last in found])))  # type: ignore[union-attr]
    }
    return [
        RejectedReason(
            source_id=strawberry.ID(str(source_id)),
            reason=reason,
            count=count,
            example=RejectedRecord.of(examples[last]),
        )
        for source_id, reason, count, last in found
    ]
