"""How many patients remain after each criterion, in the order in which they are written."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlmodel import Session

from consore.model import Patient
from consore.search.cohort import condition
from consore.search.criteria import Criteria, steps


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """A criterion: the patients who `remain` after it and all before it, and those who meet it `alone`."""

    criterion: Criteria
    remaining: int
    alone: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """`everyone`: the patients of the centre who are not opposed."""

    everyone: int
    steps: list[FunnelStep]


def funnel(session: Session, criteria: Criteria, *, today: dt.date | None = None) -> Funnel:
    """The funnel of a tree, in one statement that reads each criterion once."""
    day = today or dt.date.today()
    asked = steps(criteria)
    met: list[Any] = [case((condition(step, day), 1), else_=0).label(f"met{place}") for place, step in enumerate(asked)]
    opposed: Any = Patient.opposed
    people = select(*met).where(opposed.is_(False)).cte().prefix_with("MATERIALIZED")
    columns = [people.c[f"met{place}"] == 1 for place in range(len(asked))]
    counts = [func.count()]
    for place, column in enumerate(columns):
        counts += [_number(and_(*columns[: place + 1])), _number(column)]
    everyone, *found = session.execute(select(*counts).select_from(people)).one()
    told = [FunnelStep(step, found[2 * place], found[2 * place + 1]) for place, step in enumerate(asked)]
    return Funnel(everyone, told)


def _number(holds: Any) -> Any:
    return func.coalesce(func.sum(case((holds, 1), else_=0)), 0)
