"""Trials as the schema shows them: a protocol read line by line, kept, and who is newly eligible for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import strawberry
from sqlmodel import Session
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import row_id, short, within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation
from consore.api.kept_cohort import Cohort, account_of, author, own_cohort, patients_of_keys, shown_cohort
from consore.api.kept_cohort import trace_cohort as trace
from consore.api.patient import Patient
from consore.api.problem import InputProblem, NotFound
from consore.api.unnamed import require_no_names
from consore.errors import CriteriaError, InputError
from consore.search import describe, parse_criteria
from consore.search import trials as watched
from consore.search.kept_cohorts import visible_cohort
from consore.search.protocols import Coverage as LineCoverage
from consore.search.protocols import EligibilityLine as ReadLine
from consore.search.protocols import Part as LinePart
from consore.search.protocols import eligible, read_protocol

EligibilityPart = strawberry.enum(
    LinePart, name="EligibilityPart", description="Whether a line has to be met or must not be."
)
EligibilityCoverage = strawberry.enum(
    LineCoverage, name="EligibilityCoverage", description="How much of a line became criteria."
)


@strawberry.type(
    description="A line of a protocol. `words` count for nothing; `accepted`: whether it counts among the criteria."
)
class EligibilityLine:
    text: str
    part: EligibilityPart
    coverage: EligibilityCoverage
    criteria: JSON | None
    description: str = strawberry.field(description="Its criteria in French words; empty where nothing is coded.")
    words: list[str]
    accepted: bool


@strawberry.type(description="A protocol as it was read, and the criteria of its accepted lines together.")
class Protocol:
    lines: list[EligibilityLine]
    criteria: JSON | None


@strawberry.input(description="What to do with a line of the protocol, by its place from 0.")
class LineChoice:
    line: int
    accepted: bool


@strawberry.type(description="A trial that is watched: its cohort is brought up to date after each ingestion.")
class Trial:
    row: strawberry.Private[model.Trial]
    cohort: Cohort
    lines: list[EligibilityLine]

    @strawberry.field(description="How many patients became eligible since its owner last looked.")
    async def newly_eligible_count(self, info: Info) -> int:
        return await info.context.read(lambda session: watched.count_newly_eligible(session, self.row))

    @strawberry.field(description="They, the latest first.")
    async def newly_eligible(self, info: Info, first: int | None = 20) -> list[Patient]:
        context, most = info.context, within("first", first, 20)

        def new(session: Session) -> list[int]:
            keys = watched.newly_eligible(session, self.row)[:most]
            context.trace(session, Action.PATIENT_LISTED, keys, {"trial": self.row.cohort_id})
            return keys

        return await patients_of_keys(context, await context.read(new))


TrialResult = Annotated[Trial | InputProblem | NotFound, strawberry.union("TrialResult")]
ProtocolResult = Annotated[Protocol | InputProblem, strawberry.union("ProtocolResult")]


@strawberry.type
class TrialQuery:
    @field(Permission.COHORT, description="The eligibility text of a protocol, read line by line; nothing is kept.")
    async def read_protocol(self, info: Info, text: str) -> ProtocolResult:
        context = info.context
        try:
            read = await in_thread(lambda: read_protocol(text, context.terminology))
            criteria = eligible(read)
        except InputError as error:
            return InputProblem.of(error, context.language, "text")
        return Protocol(
            lines=[_line(context, line.as_json()) for line in read],
            criteria=JSON(criteria.as_json()) if criteria else None,
        )

    @field(Permission.COHORT, description="The trials of this account and those shared in the centre, newest first.")
    async def trials(self, info: Info) -> list[Trial]:
        context = info.context

        def seen(session: Session) -> list[Trial]:
            rows = watched.visible_trials(session, account_of(context))
            return [shown for row, _ in rows if (shown := _shown(context, session, row))]

        return await context.read(seen)

    @field(Permission.COHORT, description="One trial; null where there is none, or none that may be seen.")
    async def trial(self, info: Info, id: strawberry.ID) -> Trial | None:
        context = info.context

        def seen(session: Session) -> Trial | None:
            row = visible_cohort(session, row_id(id), account_of(context))
            trial = session.get(model.Trial, row.id) if row else None
            return _shown(context, session, trial) if trial else None

        return await context.read(seen)


@strawberry.type
class TrialMutation:
    @mutation(
        Permission.COHORT,
        description="Read a protocol and keep it as a trial; `choices` say otherwise of lines than what is proposed.",
    )
    async def save_trial(
        self, info: Info, name: str, text: str, choices: list[LineChoice] | None = None, shared: bool = False
    ) -> TrialResult:
        context = info.context
        try:
            called = short("name", name)
            lines = _chosen(await in_thread(lambda: read_protocol(text, context.terminology)), choices or [])
            await in_thread(lambda: require_no_names(context, eligible(lines)))

            def keep(session: Session) -> Trial | None:
                trial = watched.watch_trial(
                    session, called, lines, author(context), owner=account_of(context), shared=shared
                )
                row = session.get(model.Cohort, trial.cohort_id)
                if row is not None:
                    trace(context, session, row, "watched")
                return _shown(context, session, trial)

            return await context.read(keep) or NotFound.of(context.language)
        except InputError as error:
            return InputProblem.of(error, context.language, "criteria" if isinstance(error, CriteriaError) else None)

    @mutation(Permission.COHORT, description="The newly eligible patients of a trial of one's own were looked at.")
    async def see_trial(self, info: Info, id: strawberry.ID) -> TrialResult:
        context = info.context

        def see(session: Session) -> Trial | None:
            trial = session.get(model.Trial, row_id(id) or 0)
            if trial is None or own_cohort(context, session, id) is None:
                return None
            watched.looked_at(session, trial)
            return _shown(context, session, trial)

        return await context.read(see) or NotFound.of(context.language)


def _chosen(lines: list[ReadLine], choices: list[LineChoice]) -> list[ReadLine]:
    """The lines as they were read, accepted or not as the person says."""
    said = {choice.line: choice.accepted for choice in choices}
    if any(not 0 <= line < len(lines) for line in said):
        raise InputError("There is no such line.", "Count the lines of the protocol from 0.")
    return [replace(line, accepted=said.get(place, line.accepted)) for place, line in enumerate(lines)]


def _shown(context: RequestContext, session: Session, trial: model.Trial) -> Trial | None:
    row = session.get(model.Cohort, trial.cohort_id)
    cohort = shown_cohort(context, session, row) if row else None
    return Trial(row=trial, cohort=cohort, lines=[_line(context, line) for line in trial.lines]) if cohort else None


def _line(context: RequestContext, line: dict[str, object]) -> EligibilityLine:
    criteria = line["criteria"]
    tree = parse_criteria(criteria) if isinstance(criteria, dict) else None
    return EligibilityLine(
        text=str(line["text"]),
        part=LinePart(str(line["part"])),
        coverage=LineCoverage(str(line["coverage"])),
        criteria=JSON(criteria) if criteria else None,
        description=describe(tree, context.terminology) if tree else "",
        words=[str(word) for word in line["words"]] if isinstance(line["words"], list) else [],
        accepted=bool(line["accepted"]),
    )
