"""Results of biology over time, one series an analysis."""

from __future__ import annotations

import datetime as dt

import strawberry

from consore import model
from consore.api.context import Info
from consore.api.evidence import Evidence, evidence_of_measure
from consore.history import Measure
from consore.history.biology import number_of


@strawberry.type(
    description="One result; `value` as written, `number` without its sign; `low` and `high` are the bounds."
)
class BiologyResult:
    patient: strawberry.Private[model.Patient]
    code: strawberry.Private[str]
    date: dt.date
    value: str
    number: float | None
    unit: str
    low: float | None
    high: float | None
    abnormal: bool

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        told = await info.context.loaders.told_measures.load(self.patient.id or 0)
        same = (one for one in told if (one.code, one.date, one.value) == (self.code, self.date, self.value))
        found = next(same, None)
        return await evidence_of_measure(info.context, self.patient, found) if found else []


@strawberry.type(description="The results of one analysis, by date.")
class BiologySeries:
    code: str
    label: str
    marker: bool
    results: list[BiologyResult]


def series_of(measures: list[Measure], patient: model.Patient) -> list[BiologySeries]:
    """The results by analysis: markers of tumours first."""
    series: dict[str, BiologySeries] = {}
    for one in sorted(measures, key=lambda one: (not one.is_marker, one.label, one.date)):
        held = series.setdefault(
            one.code, BiologySeries(code=one.code, label=one.label, marker=one.is_marker, results=[])
        )
        held.results.append(
            BiologyResult(
                patient=patient,
                code=one.code,
                date=one.date,
                value=one.value,
                number=number_of(one.value),
                unit=one.unit,
                low=one.low,
                high=one.high,
                abnormal=one.is_abnormal,
            )
        )
    return list(series.values())
