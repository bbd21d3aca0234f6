"""Exact questions on a set of patients of this centre: how many, in which order they fall out, in tables, in curves."""

from __future__ import annotations

import time
from typing import Annotated

import strawberry
from sqlmodel import Session
from strawberry.scalars import JSON

from consore.access import Action, Permission
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field
from consore.api.kept_cohort import chosen
from consore.api.problem import InputProblem
from consore.api.unnamed import require_no_names
from consore.errors import CriteriaError, InputError
from consore.search import breakdown as tables
from consore.search import count_patients, describe, notices, parse_criteria
from consore.search import funnel as narrowing
from consore.search import survival as curves

Endpoint = strawberry.enum(
    curves.Endpoint,
    description="What ends the time that is counted: death (overall), or progression, recurrence or death.",
)


@strawberry.type(description="How many patients meet the criteria, exactly; `criteria` is the tree as it was read.")
class CohortCount:
    count: int
    criteria: JSON
    milliseconds: int
    notices: list[str] = strawberry.field(
        description="French sentences on the criteria: what nobody can meet, codes that are in no code system."
    )


@strawberry.type(description="A criterion: `remaining` meet it and all before it, `alone` meet it whatever the others.")
class FunnelStep:
    label: str
    criterion: JSON
    remaining: int
    alone: int


@strawberry.type(description="How many patients remain after each criterion, in the order in which they are written.")
class CohortFunnel:
    everyone: int
    steps: list[FunnelStep]
    notices: list[str]


@strawberry.type(description="A value and how many patients have it; an empty value: not known.")
class BreakdownRow:
    value: str
    label: str
    count: int


@strawberry.type(description="A table; `isPartition`: each patient is in one row, else in as many as apply.")
class BreakdownTable:
    name: str
    label: str
    is_partition: bool
    rows: list[BreakdownRow]


@strawberry.type(description="Patients by age at diagnosis: a step of the pyramid of ages.")
class AgeBand:
    band: str
    female: int
    male: int
    unknown: int


@strawberry.type(description="The tables of a cohort and its pyramid of ages, the youngest first.")
class CohortBreakdown:
    patients: int
    tables: list[BreakdownTable]
    pyramid: list[AgeBand]


@strawberry.type(description="The curve just after `months`: the part free of the event, its interval of 95 %.")
class SurvivalPoint:
    months: float
    survival: float
    lower: float
    upper: float
    at_risk: int
    events: int
    censored: int


@strawberry.type(description="How many are still followed at a round number of months.")
class AtRisk:
    months: int
    patients: int


@strawberry.type(description="A curve of Kaplan and Meier; `excluded`: patients whose time is not known. In months.")
class Survival:
    endpoint: Endpoint  # type: ignore[valid-type]
    patients: int
    excluded: int
    events: int
    median: float | None
    median_lower: float | None
    median_upper: float | None
    points: list[SurvivalPoint]
    at_risk: list[AtRisk]


CohortCountResult = Annotated[CohortCount | InputProblem, strawberry.union("CohortCountResult")]
CohortFunnelResult = Annotated[CohortFunnel | InputProblem, strawberry.union("CohortFunnelResult")]
CohortBreakdownResult = Annotated[CohortBreakdown | InputProblem, strawberry.union("CohortBreakdownResult")]
SurvivalResult = Annotated[Survival | InputProblem, strawberry.union("SurvivalResult")]


@strawberry.type
class CohortQuery:
    @field(Permission.COHORT, description="The exact number of this centre's patients that meet the criteria.")
    async def cohort_count(self, info: Info, criteria: JSON) -> CohortCountResult:
        context = info.context
        begin = time.perf_counter()
        try:
            tree = parse_criteria(criteria)  # type: ignore[arg-type]
            await in_thread(lambda: require_no_names(context, tree))
            count = await context.read(lambda session: count_patients(session, tree))
        except CriteriaError as error:
            return InputProblem.of(error, context.language, "criteria")
        await context.read(
            lambda session: context.trace_act(
                session, Action.COHORT_COUNTED, {"criteria": tree.as_json(), "count": count}
            )
        )
        return CohortCount(
            count=count,
            criteria=JSON(tree.as_json()),
            milliseconds=round((time.perf_counter() - begin) * 1000),
            notices=await in_thread(lambda: notices(tree, context.terminology)),
        )

    @field(Permission.COHORT, description="The funnel of criteria, or of those of a kept cohort.")
    async def cohort_funnel(
        self, info: Info, criteria: JSON | None = None, cohort_id: strawberry.ID | None = None
    ) -> CohortFunnelResult:
        context, words = info.context, info.context.terminology

        def told(session: Session) -> CohortFunnel:
            tree = chosen(context, session, criteria, cohort_id).criteria
            found = narrowing.funnel(session, tree)
            _trace(context, session, tree.as_json(), found.steps[-1].remaining if found.steps else found.everyone)
            return CohortFunnel(
                everyone=found.everyone,
                steps=[
                    FunnelStep(
                        label=describe(step.criterion, words),
                        criterion=JSON(step.criterion.as_json()),
                        remaining=step.remaining,
                        alone=step.alone,
                    )
                    for step in found.steps
                ],
                notices=notices(tree, words),
            )

        try:
            return await context.read(told)
        except InputError as error:
            return InputProblem.of(error, context.language)

    @field(Permission.COHORT, description="The patients of criteria, or of a kept cohort, in tables.")
    async def cohort_breakdown(
        self, info: Info, criteria: JSON | None = None, cohort_id: strawberry.ID | None = None
    ) -> CohortBreakdownResult:
        context = info.context

        def told(session: Session) -> CohortBreakdown:
            asked = chosen(context, session, criteria, cohort_id)
            found = tables.breakdown(session, asked.who, asked.criteria, context.terminology)
            _trace(context, session, asked.criteria.as_json(), found.patients)
            return CohortBreakdown(
                patients=found.patients,
                tables=[
                    BreakdownTable(
                        name=table.name,
                        label=table.label,
                        is_partition=table.is_partition,
                        rows=[BreakdownRow(value=row.value, label=row.label, count=row.count) for row in table.rows],
                    )
                    for table in found.tables
                ],
                pyramid=[
                    AgeBand(band=step.band, female=step.female, male=step.male, unknown=step.unknown)
                    for step in found.pyramid
                ],
            )

        try:
            return await context.read(told)
        except InputError as error:
            return InputProblem.of(error, context.language)

    @field(
        Permission.COHORT,
        description="The survival of the patients of criteria, or of a kept cohort, from the diagnosis or from the "
        "first row that meets the criterion `since` (an event, a treatment…).",
    )
    async def survival(
        self,
        info: Info,
        criteria: JSON | None = None,
        cohort_id: strawberry.ID | None = None,
        endpoint: Endpoint = curves.Endpoint.OVERALL,  # type: ignore[valid-type]
        since: JSON | None = None,
    ) -> SurvivalResult:
        context = info.context

        def told(session: Session) -> Survival:
            asked = chosen(context, session, criteria, cohort_id)
            start = parse_criteria(since) if since is not None else None  # type: ignore[arg-type]
            require_no_names(context, start)
            found = curves.survival(session, asked.who, asked.criteria, endpoint, start)
            _trace(context, session, asked.criteria.as_json(), found.patients)
            return Survival(
                endpoint=found.endpoint,
                patients=found.patients,
                excluded=found.excluded,
                events=found.events,
                median=found.median,
                median_lower=found.median_lower,
                median_upper=found.median_upper,
                points=[
                    SurvivalPoint(
                        months=point.months,
                        survival=point.survival,
                        lower=point.lower,
                        upper=point.upper,
                        at_risk=point.at_risk,
                        events=point.events,
                        censored=point.censored,
                    )
                    for point in curves.thinned(found.points)
                ],
                at_risk=[AtRisk(months=one.months, patients=one.patients) for one in found.at_risk],
            )

        try:
            return await context.read(told)
        except InputError as error:
            return InputProblem.of(error, context.language)


def _trace(context: RequestContext, session: Session, criteria: dict[str, object], count: int) -> None:
    context.trace_act(session, Action.COHORT_COUNTED, {"criteria": criteria, "count": count})
