"""Curves of survival: the estimate is that of `lifelines`, the days are those of the store."""

from __future__ import annotations

import datetime as dt
import math
import random

import pytest

from consore.errors import CriteriaError
from consore.model import Patient, Treatment, Tumour, TumourEvent
from consore.search.cohort import cohort
from consore.search.criteria import parse_criteria
from consore.search.survival import Endpoint, Survival, kaplan_meier, survival, thinned
from consore.store import Store


def followed(seed: int) -> tuple[list[float], list[bool]]:
    rng = random.Random(seed)
    size = rng.choice([1, 2, 10, 300])
    durations = [rng.choice([0.0, rng.uniform(0, 60), float(rng.randint(0, 12))]) for _ in range(size)]
    return durations, [rng.random() < rng.choice([0.2, 0.9]) for _ in range(size)]


@pytest.mark.parametrize("seed", range(20))
def test_the_estimate_is_the_product_of_who_stays_of_who_is_followed(seed: int) -> None:
    durations, observed = followed(seed)
    pairs = list(zip(durations, observed, strict=True))
    for point in kaplan_meier(durations, observed):
        estimate, greenwood = 1.0, 0.0
        for moment in sorted({time for time, ended in pairs if ended and time <= point.months + 1e-6}):
            at_risk = sum(time >= moment for time in durations)
            events = sum(ended and time == moment for time, ended in pairs)
            estimate *= 1 - events / at_risk
            greenwood += events / (at_risk * (at_risk - events)) if at_risk > events else math.inf
        assert point.survival == pytest.approx(estimate, abs=1e-6)
        if 0 < estimate < 1:
            spread = 1.959964 * math.sqrt(greenwood) / math.log(estimate)
            assert point.lower == pytest.approx(estimate ** math.exp(-spread), abs=1e-5)
            assert point.upper == pytest.approx(estimate ** math.exp(spread), abs=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_the_estimate_and_its_interval_are_those_of_lifelines(seed: int) -> None:
    import lifelines  # here: it takes seconds to import

    durations, observed = followed(seed)
    theirs = lifelines.KaplanMeierFitter().fit(durations, observed)
    ours = kaplan_meier(durations, observed)
    assert [point.months for point in ours] == pytest.approx(list(theirs.timeline), abs=1e-6)
    assert [point.survival for point in ours] == pytest.approx(list(theirs.survival_function_.iloc[:, 0]), abs=1e-6)
    for name, column in (("lower", 0), ("upper", 1)):
        bounds = list(theirs.confidence_interval_.iloc[:, column])
        for point, bound in zip(ours, bounds, strict=True):
            assert math.isnan(bound) or getattr(point, name) == pytest.approx(bound, abs=1e-6)
    at_risk = theirs.event_table["at_risk"]
    assert [point.at_risk for point in ours] == list(at_risk)


def curve(
    store: Store, endpoint: Endpoint = Endpoint.OVERALL, since: dict | None = None, tree: dict | None = None
) -> Survival:
    criteria = parse_criteria(tree or {"tumour": {"topography": ["C50"]}})
    with store.session() as session:
        return survival(session, cohort(criteria), criteria, endpoint, parse_criteria(since) if since else None)


@pytest.fixture
def breast(either_store: Store) -> Store:
    """Four patients of breast cancer in 2020; the first also had a lung cancer in 2010."""
    start = dt.date(2020, 1, 1)
    with either_store.session() as session:
        session.add_all(
            [
                Patient(id=1, ipp="1", death_date=dt.date(2021, 1, 1)),
                Patient(id=2, ipp="2", last_news_date=dt.date(2022, 1, 1)),
                Patient(id=3, ipp="3", last_news_date=dt.date(2022, 1, 1)),
                Patient(id=4, ipp="4"),
                Patient(id=5, ipp="5", death_date=start, opposed=True),
            ]
        )
        session.flush()
        session.add_all(Tumour(patient_id=key, rank=2, topography="C50.4", diagnosis_date=start) for key in range(1, 6))
        session.add(Tumour(patient_id=1, rank=1, topography="C34.1", diagnosis_date=dt.date(2010, 1, 1)))
        session.add(TumourEvent(patient_id=2, type="metastatic_recurrence", date=dt.date(2020, 7, 1)))
        session.add(Treatment(patient_id=3, type="surgery", name="x", start=dt.date(2021, 1, 1)))
    return either_store


def test_time_runs_from_the_diagnosis_that_was_asked_for_to_death_or_to_the_last_news(breast: Store) -> None:
    found = curve(breast)
    assert (found.patients, found.excluded, found.events) == (3, 1, 1)
    assert [round(point.months) for point in found.points] == [0, 12, 24]
    assert [round(point.survival, 3) for point in found.points] == [1, 0.667, 0.667]
    assert [(tick.months, tick.patients) for tick in found.at_risk][:2] == [(0, 3), (3, 3)]


def test_a_recurrence_ends_the_time_without_progression(breast: Store) -> None:
    found = curve(breast, Endpoint.PROGRESSION_FREE)
    assert [round(point.months) for point in found.points] == [0, 6, 12, 24]
    assert found.events == 2
    assert round(found.median or 0) == 12


def test_time_may_run_from_an_event_of_choice(breast: Store) -> None:
    found = curve(breast, since={"treatment": {"type": ["surgery"]}})
    assert (found.patients, found.excluded, round(found.points[-1].months)) == (1, 3, 12)


def test_time_does_not_run_from_what_has_no_day(breast: Store) -> None:
    with pytest.raises(CriteriaError, match="Time is counted from"):
        curve(breast, since={"patient": {"sex": "male"}})


def test_a_cohort_of_nobody_has_an_empty_curve(breast: Store) -> None:
    found = curve(breast, tree={"tumour": {"topography": ["C61"]}})
    assert (found.patients, found.points, found.at_risk, found.median) == (0, [], [], None)


def test_a_curve_of_many_steps_is_thinned_and_loses_no_event() -> None:
    durations = [number / 100 for number in range(10_000)]
    whole = kaplan_meier(durations, [number % 3 == 0 for number in range(10_000)])
    shown = thinned(whole)
    assert len(shown) <= 500
    assert sum(point.events for point in shown) == sum(point.events for point in whole)
    assert (shown[0], shown[-1].survival) == (whole[0], whole[-1].survival)
