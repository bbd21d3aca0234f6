"""The history at a glance: what happened, on seven lanes, each item with its evidence and how sure it is."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import strawberry

from consore import model
from consore.api.context import Info
from consore.api.evidence import Belief, Evidence, belief_of, evidence_of, evidence_of_measure
from consore.api.history import event_label
from consore.history import Measure
from consore.model import EventType, EvidenceItem

LANES = Path(__file__).parent / "lanes.toml"
MOST_RESULTS = 3  # of a day in its label; the others are told by its evidence


@strawberry.type(
    description="A point of time (`end` null) or a period; `kind` is an event or treatment type, `sample` or `biology`."
)
class TimelineItem:
    patient: strawberry.Private[model.Patient]
    family: strawberry.Private[str]
    key: strawberry.Private[int]
    kind: str
    label: str
    start: dt.date
    end: dt.date | None
    tumour_rank: int | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"{self.family}:{self.key}")

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        if self.family == "biology":
            told = await info.context.loaders.told_measures.load(self.patient.id or 0)
            of_day = [one for one in told if one.date == self.start]
            return [proof for one in of_day for proof in await evidence_of_measure(info.context, self.patient, one)]
        if self.family == "sample":
            return []
        return await evidence_of(info.context, self.patient, EvidenceItem(self.family), self.key)

    @strawberry.field(description="How sure it is and why; null of a sample and of biology, which are as they came.")
    async def belief(self, info: Info) -> Belief | None:
        if self.family in ("biology", "sample"):
            return None
        return await belief_of(info.context, self.patient, EvidenceItem(self.family), self.key)


@strawberry.type(description="A lane: diagnosis, surgery, radiotherapy, systemic, events, biology or samples.")
class TimelineLane:
    key: str
    label: str
    items: list[TimelineItem]


@strawberry.type(description="The lanes, and the days between which the patient's history lies.")
class Timeline:
    lanes: list[TimelineLane]
    from_: dt.date | None = strawberry.field(name="from")
    to: dt.date | None


async def timeline_of(info: Info, patient: model.Patient) -> Timeline:
    """Everything of a patient that has a date, lane by lane, in order of time."""
    loaders, key = info.context.loaders, patient.id or 0
    tumours = await loaders.tumours.load(key)
    events = await loaders.events.load(key)
    treatments = await loaders.treatments.load(key)
    samples = await loaders.samples.load(key)
    ranks = {tumour.id: tumour.rank for tumour in tumours}

    def item(row: Any, family: str, kind: str, label: str, start: dt.date | None, end: dt.date | None) -> TimelineItem:
        rank = ranks.get(row.id if family == "tumour" else getattr(row, "tumour_id", None))
        return TimelineItem(
            patient=patient,
            family=family,
            key=row.id or 0,
            kind=kind,
            label=label,
            start=start or dt.date.min,
            end=end,
            tumour_rank=rank,
        )

    told = {event.tumour_id for event in events if event.type in (EventType.INITIAL, EventType.SECOND_CANCER)}
    items = [
        *(
            item(row, "tumour", EventType.INITIAL.value, row.label or f"Tumeur {row.rank}", row.diagnosis_date, None)
            for row in tumours
            if row.diagnosis_date and row.id not in told
        ),
        *(item(row, "event", row.type, event_label(row), row.date, None) for row in events if row.date),
        *(item(row, "treatment", row.type, _named(row), row.start, row.end) for row in treatments if row.start),
        *_biology(patient, await loaders.measures.load(key)),
        *(item(row, "sample", "sample", row.type, row.date, None) for row in samples if row.date),
    ]
    days = [day for one in items for day in (one.start, one.end) if day]
    return Timeline(
        lanes=_lanes(items, info.context.language), from_=min(days, default=None), to=max(days, default=None)
    )


def _biology(patient: model.Patient, measures: list[Measure]) -> list[TimelineItem]:
    """One point a day: markers before counts, what is out of its bounds with an arrow."""
    days: dict[dt.date, list[Measure]] = defaultdict(list)
    for one in measures:
        days[one.date].append(one)
    return [
        TimelineItem(
            patient=patient,
            family="biology",
            key=day.toordinal(),
            kind="biology",
            label=_results(found),
            start=day,
            end=None,
            tumour_rank=None,
        )
        for day, found in days.items()
    ]


def _results(found: list[Measure]) -> str:
    told = sorted(found, key=lambda one: (not one.is_marker, not one.is_abnormal, one.label))
    words = [f"{one.label} {one.written}{one.arrow}" for one in told[:MOST_RESULTS]]
    return " · ".join(words) + (f" · +{len(told) - MOST_RESULTS}" if len(told) > MOST_RESULTS else "")


def _lanes(items: list[TimelineItem], language: str) -> list[TimelineLane]:
    table = _table()
    name = "english" if language == "en" else "label"
    on = [(_lane_of(one), one) for one in sorted(items, key=lambda one: (one.start, one.family, one.key))]
    return [
        TimelineLane(key=lane["key"], label=lane[name], items=[one for key, one in on if key == lane["key"]])
        for lane in table
    ]


def _lane_of(item: TimelineItem) -> str:
    family = "event" if item.family == "tumour" else item.family
    for lane in _table():
        if item.kind in lane.get(f"{family}s", ()):
            return str(lane["key"])
    return str(next(lane["key"] for lane in _table() if lane.get("otherwise") == family))


def _named(row: model.Treatment) -> str:
    return f"{row.name} (ligne {row.line})" if row.line else row.name


@lru_cache(maxsize=1)
def _table() -> list[dict[str, Any]]:
    lanes: list[dict[str, Any]] = tomllib.loads(LANES.read_text(encoding="utf-8"))["lane"]
    return lanes
