"""The tumour by which a patient is in a cohort: the earliest of those that the criteria ask for, else of all.

Tables and curves of a cohort speak of one tumour a patient, so that each patient is counted once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, Select, func, select

from consore.model import Tumour
from consore.search.cohort import rows
from consore.search.criteria import Criteria, steps


def index_tumours(who: Select[Any], criteria: Criteria | None) -> CTE:
    """`patient_id`, `topography`, `morphology`, `stage` and `diagnosis_date` of one tumour of each patient of `who`.

    Patients without such a tumour have no row. The first criterion on a tumour that all must meet is the one that
    counts; tumours without a day come after those with one.
    """
    table: Any = Tumour
    asked = next((step for step in (steps(criteria) if criteria else []) if step.tumour), Criteria.model_validate(_ANY))
    order = (table.diagnosis_date.is_(None), table.diagnosis_date, table.rank)
    ranked = (
        select(
            table.patient_id,
            table.topography,
            table.morphology,
            table.stage,
            table.diagnosis_date,
            func.row_number().over(partition_by=table.patient_id, order_by=order).label("place"),
        )
        .where(rows(asked).condition, table.patient_id.in_(who))
        .subquery()
    )
    return select(*(column for column in ranked.c if column.name != "place")).where(ranked.c.place == 1).cte()


_ANY: dict[str, dict[str, str]] = {"tumour": {}}
