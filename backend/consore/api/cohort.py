"""Exact counts of this centre's patients, from the store."""

from __future__ import annotations

import time
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from consore.access import Action, Permission
from consore.api.context import Info, in_thread
from consore.api.guard import field
from consore.api.problem import InputProblem
from consore.api.unnamed import require_no_names
from consore.errors import CriteriaError
from consore.search import count_patients, parse_criteria


@strawberry.type(description="How many patients meet the criteria, exactly; `criteria` is the tree as it was read.")
class CohortCount:
    count: int
    criteria: JSON
    milliseconds: int


CohortCountResult = Annotated[CohortCount | InputProblem, strawberry.union("CohortCountResult")]


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
            count=count, criteria=JSON(tree.as_json()), milliseconds=round((time.perf_counter() - begin) * 1000)
        )
