"""Survival of a cohort by Kaplan and Meier: overall, or free of progression, from the diagnosis or from an event.

The estimate is the product limit (Kaplan, Meier 1958) with the variance of Greenwood and the interval of 95 % on the
scale log(−log S) (Kalbfleisch, Prentice 1980), the default of `lifelines` and of R's `survival` under `log-log`. It is
written here in a few lines of numpy because `lifelines` would bring scipy, pandas and matplotlib into the API process
(137 MB more, four seconds at the first curve); a test holds it against `lifelines`.

Times are months of 365.25 / 12 days. Who has not had the event is censored on the last day on which something is known
of them: last news, last document or last event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from sqlalchemy import Select, func, select
from sqlmodel import Session

from consore.errors import CriteriaError
from consore.model import Document, EventType, Patient, TumourEvent
from consore.search.cohort import pinned, rows
from consore.search.criteria import DATED, Criteria
from consore.search.index_tumours import index_tumours

DAYS_A_MONTH = 365.25 / 12
NORMAL_95 = 1.959963984540054  # the quantile of the normal law that leaves 2.5 % above
MOST_POINTS = 500  # of a curve that is shown
TICKS = 6  # numbers at risk, at the least, under a curve
PROGRESSIONS = (
    EventType.LOCAL_RECURRENCE,
    EventType.REGIONAL_RECURRENCE,
    EventType.METASTATIC_RECURRENCE,
    EventType.PROGRESSION,
)


class Endpoint(StrEnum):
    """What ends the time that is counted: death, or progression, recurrence or death, whichever comes first."""

    OVERALL = "overall"
    PROGRESSION_FREE = "progression_free"


@dataclass(frozen=True, slots=True)
class SurvivalPoint:
    """The curve just after `months`: the part still free of the event, and its interval of 95 %, each 0 to 1.

    `at_risk`: the patients followed just before.
    """

    months: float
    survival: float
    lower: float
    upper: float
    at_risk: int
    events: int
    censored: int


@dataclass(frozen=True, slots=True)
class AtRisk:
    """How many are still followed at a round number of months: the row under a curve."""

    months: int
    patients: int


@dataclass(frozen=True, slots=True)
class Survival:
    """A curve. `patients` are those whose time is known; `excluded` the others (no first day, or nothing known after).

    `median` in months with its interval; null where half of them have not had the event.
    """

    endpoint: Endpoint
    patients: int
    excluded: int
    events: int
    median: float | None
    median_lower: float | None
    median_upper: float | None
    points: list[SurvivalPoint]
    at_risk: list[AtRisk]


def survival(
    session: Session,
    who: Select[Any],
    criteria: Criteria | None,
    endpoint: Endpoint = Endpoint.OVERALL,
    since: Criteria | None = None,
) -> Survival:
    """The curve of the patients of `who`, from the diagnosis of the tumour that the criteria ask for.

    `since`: a leaf with a date (an event, a treatment…): from the first such row of each patient instead.
    Raises CriteriaError where it is none.
    """
    who = pinned(session, who)
    starts = _starts(session, who, criteria, since)
    ends = _ends(session, who, endpoint)
    durations, observed, total = [], [], 0
    for key, death, known in _last_known(session, who):
        total += 1
        start = starts.get(key)
        if start is None:
            continue
        days = [day for day in ends.get(key, ()) if day > start]
        end = min(days) if days else death
        last = end or known
        if last is None or last < start:
            continue
        durations.append((last - start).days / DAYS_A_MONTH)
        observed.append(end is not None)
    points = kaplan_meier(durations, observed)
    return Survival(
        endpoint,
        len(durations),
        total - len(durations),
        sum(observed),
        _crossing(points, "survival"),
        _crossing(points, "lower"),
        _crossing(points, "upper"),
        points,
        _ticks(durations),
    )


def kaplan_meier(durations: Sequence[float], observed: Sequence[bool]) -> list[SurvivalPoint]:
    """The product limit of times and whether each ended with the event; begins at 0, one point a different time."""
    if not durations:
        return []
    times, places = np.unique(np.asarray(durations, dtype=float), return_inverse=True)
    events = np.bincount(places, weights=np.asarray(observed, dtype=float), minlength=len(times))
    removed = np.bincount(places, minlength=len(times))
    at_risk = len(durations) - np.concatenate([[0], np.cumsum(removed)[:-1]])
    estimate = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
        spread = NORMAL_95 * np.sqrt(greenwood) / np.log(estimate)
        lower, upper = (np.exp(-np.exp(np.log(-np.log(estimate)) + sign * spread)) for sign in (-1, 1))
    # Before the first event there is nothing to doubt; at zero there is nobody left to doubt of.
    lower, upper = (np.where(estimate == 1, 1.0, np.where(estimate == 0, 0.0, bound)) for bound in (lower, upper))
    found = [
        SurvivalPoint(*(round(value, 6) for value in numbers), *counts)
        for numbers, counts in zip(
            np.column_stack([times, estimate, lower, upper]).tolist(),
            np.column_stack([at_risk, events, removed - events]).astype(int).tolist(),
            strict=True,
        )
    ]
    start = SurvivalPoint(0.0, 1.0, 1.0, 1.0, len(durations), 0, 0)
    return found if times[0] == 0 else [start, *found]


def thinned(points: list[SurvivalPoint], most: int = MOST_POINTS) -> list[SurvivalPoint]:
    """At most `most` points of a curve: its first, then some evenly along time, each with what came before it.

    What a screen can show: a curve of 50,000 patients has thousands of steps.
    """
    if len(points) <= most:
        return points
    kept = {-1: points[0]}
    for point in points[1:]:
        place = int(point.months / points[-1].months * (most - 2))
        before = kept.get(place)
        if before is not None:
            point = replace(
                point,
                at_risk=before.at_risk,
                events=before.events + point.events,
                censored=before.censored + point.censored,
            )
        kept[place] = point
    return list(kept.values())


def _crossing(points: list[SurvivalPoint], name: str) -> float | None:
    """When a curve comes down to one half."""
    return next((point.months for point in points if getattr(point, name) <= 0.5), None)


def _ticks(durations: list[float]) -> list[AtRisk]:
    """Numbers at risk at 0 and at steps of months that a reader counts in."""
    longest = max(durations, default=0.0)
    step = next(size for size in (1, 3, 6, 12, 24, 60, 10**9) if longest / size < 2 * TICKS)
    times = np.asarray(durations)
    return [AtRisk(tick, int((times >= tick).sum())) for tick in range(0, int(longest) + 1, step)] if durations else []


# --- Days -----------------------------------------------------------------------------------------------------


def _starts(
    session: Session, who: Select[Any], criteria: Criteria | None, since: Criteria | None
) -> dict[int, dt.date]:
    if since is None:
        tumours = index_tumours(who, criteria)
        day = tumours.c.diagnosis_date
        return dict(session.execute(select(tumours.c.patient_id, day).where(day.is_not(None))).all())
    if since.key not in DATED:
        raise CriteriaError(f"Time is counted from {', '.join(DATED)}, not from {since.key}.", "Choose one of them.")
    dated = rows(since).ends(func.min, lambda day: day)
    first = select(dated.c.patient_id, dated.c.day).where(dated.c.patient_id.in_(who))
    return dict(session.execute(first).all())


def _ends(session: Session, who: Select[Any], endpoint: Endpoint) -> dict[int, list[dt.date]]:
    """The days of the progressions of each patient, where these count."""
    if endpoint is Endpoint.OVERALL:
        return {}
    event: Any = TumourEvent
    wanted = select(event.patient_id, event.date).where(
        event.type.in_([one.value for one in PROGRESSIONS]), event.date.is_not(None), event.patient_id.in_(who)
    )
    found: dict[int, list[dt.date]] = {}
    for key, day in session.execute(wanted):
        found.setdefault(key, []).append(day)
    return found


def _last_known(session: Session, who: Select[Any]) -> list[tuple[int, dt.date | None, dt.date | None]]:
    """Each patient with the day of death and the last day on which something is known of them."""
    patient: Any = Patient
    last: dict[int, dt.date] = {}
    for table in (Document, TumourEvent):
        source: Any = table
        days = select(source.patient_id, func.max(source.date)).where(source.patient_id.in_(who))
        for key, day in session.execute(days.group_by(source.patient_id)):
            if day is not None:
                last[key] = max(day, last.get(key, day))
    wanted = select(patient.id, patient.death_date, patient.last_news_date).where(patient.id.in_(who))
    return [
        (key, death, max((day for day in (news, last.get(key)) if day), default=None))
        for key, death, news in session.execute(wanted)
    ]
