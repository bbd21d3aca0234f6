"""A count is exact: the SQL statement agrees with a plain reading of the criteria over plain objects."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consore.errors import CriteriaError
from consore.model import (
    Biomarker,
    Patient,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)
from consore.search.cohort import count_patients, patient_ids
from consore.search.criteria import Criteria, parse_criteria
from consore.store import Store

TODAY = dt.date(2026, 3, 1)
SITES = ["C50.1", "C50.4", "C34.1", "C18.7", "C61.9"]
STAGES = [None, "I", "II", "IIIA", "IV"]
EVENTS = ["initial", "local_recurrence", "metastatic_recurrence"]
DRUGS = ["L01FF02", "L01FD01", "L02BA01"]


@dataclass
class Person:
    """A patient as plain values, for the oracle."""

    id: int
    sex: str
    birth: dt.date | None
    death: dt.date | None
    opposed: bool
    tumours: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    treatments: list[dict[str, Any]] = field(default_factory=list)
    biomarkers: list[dict[str, Any]] = field(default_factory=list)


def population(seed: int, size: int) -> list[Person]:
    rng = random.Random(seed)

    def day(first: int, last: int) -> dt.date:
        return dt.date(rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28))

    people = []
    for number in range(1, size + 1):
        person = Person(
            number,
            rng.choice(["male", "female", "unknown"]),
            day(1930, 1990) if rng.random() < 0.9 else None,
            day(2022, 2025) if rng.random() < 0.3 else None,
            rng.random() < 0.1,
        )
        for rank in range(1, rng.choice([0, 1, 1, 1, 2]) + 1):
            person.tumours.append(
                {
                    "topography": rng.choice(SITES),
                    "stage": rng.choice(STAGES),
                    "laterality": rng.choice([None, "left", "right"]),
                    "diagnosed": day(2010, 2021) if rng.random() < 0.9 else None,
                    "rank": rank,
                }
            )
        for _ in range(rng.randint(0, 2)):
            person.events.append(
                {"type": rng.choice(EVENTS), "site": rng.sample(["C22.0", "C34.9", "C71.9"], rng.randint(0, 2))}
            )
        for _ in range(rng.randint(0, 2)):
            person.treatments.append({"drug": rng.sample(DRUGS, rng.randint(0, 2)), "line": rng.choice([None, 1, 2])})
        for _ in range(rng.randint(0, 2)):
            person.biomarkers.append(
                {
                    "code": rng.choice(["HER2", "KI67"]),
                    "status": rng.choice(["positive", "negative"]),
                    "number": rng.choice([None, 5.0, 30.0]),
                }
            )
        people.append(person)
    return people


def fill(store: Store, people: list[Person]) -> None:
    with store.session() as session:
        for person in people:
            session.add(
                Patient(
                    id=person.id,
                    ipp=f"P{person.id}",
                    sex=person.sex,
                    birth_date=person.birth,
                    death_date=person.death,
                    opposed=person.opposed,
                )
            )
        session.flush()
        for person in people:
            for tumour in person.tumours:
                session.add(
                    Tumour(
                        patient_id=person.id,
                        rank=tumour["rank"],
                        topography=tumour["topography"],
                        stage=tumour["stage"],
                        laterality=tumour["laterality"],
                        diagnosis_date=tumour["diagnosed"],
                    )
                )
            for event in person.events:
                row = TumourEvent(patient_id=person.id, type=event["type"])
                session.add(row)
                session.flush()
                session.add_all(TumourEventSite(event_id=row.id, code=code) for code in event["site"])
            for treatment in person.treatments:
                given = Treatment(patient_id=person.id, type="chemotherapy", name="x", line=treatment["line"])
                session.add(given)
                session.flush()
                session.add_all(TreatmentDrug(treatment_id=given.id, atc=code, name="x") for code in treatment["drug"])
            for marker in person.biomarkers:
                session.add(
                    Biomarker(
                        patient_id=person.id, code=marker["code"], status=marker["status"], number=marker["number"]
                    )
                )


def age(birth: dt.date, day: dt.date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def within(value: float | None, bounds: dict[str, float] | None) -> bool:
    if bounds is None:
        return True
    if value is None:
        return False
    return bounds.get("min", value) <= value <= bounds.get("max", value)


def meets(person: Person, node: dict[str, Any]) -> bool:
    """The oracle: the criteria read over plain objects, as slowly as they are written."""
    ((key, value),) = node.items()
    if key == "all":
        return all(meets(person, child) for child in value)
    if key == "any":
        return any(meets(person, child) for child in value)
    if key == "none":
        return not any(meets(person, child) for child in value)
    if key == "patient":
        last = person.death or TODAY
        return (
            value.get("sex", person.sex) == person.sex
            and value.get("vitalStatus") in (None, "dead" if person.death else "alive")
            and ("currentAge" not in value or within(person.birth and age(person.birth, last), value["currentAge"]))
            and (
                "ageAtDiagnosis" not in value
                or any(
                    within(age(person.birth, tumour["diagnosed"]), value["ageAtDiagnosis"])
                    for tumour in person.tumours
                    if person.birth and tumour["diagnosed"]
                )
            )
        )
    if key == "tumour":
        return any(
            any((tumour["topography"] or "").startswith(code) for code in value.get("topography", [""]))
            and ("stage" not in value or any(in_stage(tumour["stage"], stage) for stage in value["stage"]))
            and value.get("laterality") in (None, tumour["laterality"])
            and ("diagnosed" not in value or in_period(tumour["diagnosed"], value["diagnosed"]))
            and within(tumour["rank"], value.get("rank"))
            for tumour in person.tumours
        )
    if key == "event":
        return any(
            event["type"] in value.get("type", EVENTS)
            and ("site" not in value or any(site.startswith(code) for site in event["site"] for code in value["site"]))
            for event in person.events
        )
    if key == "treatment":
        return any(
            ("drug" not in value or any(atc.startswith(code) for atc in treatment["drug"] for code in value["drug"]))
            and within(treatment["line"], value.get("line"))
            for treatment in person.treatments
        )
    assert key == "biomarker"
    return any(
        marker["code"] in value["code"]
        and marker["status"] in value.get("status", ["positive", "negative"])
        and within(marker["number"], value.get("value"))
        for marker in person.biomarkers
    )


def in_stage(stage: str | None, asked: str) -> bool:
    return stage is not None and (stage == asked or (stage.startswith(asked) and stage[len(asked)] in "ABCDE123456789"))


def in_period(day: dt.date | None, period: dict[str, str]) -> bool:
    return day is not None and period.get("from", "0") <= day.isoformat() <= period.get("to", "9")


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


bounds = maybe(min=st.sampled_from([1, 20, 40]), max=st.sampled_from([2, 60, 80])).filter(bool)
leaves = st.one_of(
    maybe(
        sex=st.sampled_from(["male", "female"]),
        vitalStatus=st.sampled_from(["alive", "dead"]),
        currentAge=bounds,
        ageAtDiagnosis=bounds,
    ).map(lambda leaf: {"patient": leaf}),
    maybe(
        topography=st.lists(st.sampled_from(["C50", "C50.4", "C34", "C18.7", "C"]), min_size=1, max_size=2),
        stage=st.lists(st.sampled_from(["I", "II", "III", "IIIA", "IV"]), min_size=1, max_size=2),
        laterality=st.sampled_from(["left", "right"]),
        diagnosed=maybe(
            **{"from": st.sampled_from(["2012-06-15", "2018-01-01"]), "to": st.sampled_from(["2016-12-31"])}
        ),
        rank=bounds,
    ).map(lambda leaf: {"tumour": leaf}),
    maybe(
        type=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2),
        site=st.lists(st.sampled_from(["C22", "C71.9"]), min_size=1, max_size=2),
    ).map(lambda leaf: {"event": leaf}),
    maybe(drug=st.lists(st.sampled_from(["L01", "L01FF02", "L02"]), min_size=1, max_size=2), line=bounds).map(
        lambda leaf: {"treatment": leaf}
    ),
    st.fixed_dictionaries(
        {"code": st.lists(st.sampled_from(["HER2", "KI67"]), min_size=1)},
        optional={"status": st.lists(st.sampled_from(["positive", "negative"]), min_size=1), "value": bounds},
    ).map(lambda leaf: {"biomarker": leaf}),
)
trees = st.recursive(
    leaves,
    lambda child: st.sampled_from(["all", "any", "none"]).flatmap(
        lambda key: st.lists(child, max_size=3).map(lambda nodes: {key: nodes})
    ),
    max_leaves=8,
)


def test_a_count_agrees_with_a_plain_reading_of_the_criteria(either_store: Store) -> None:
    people = population(seed=7, size=120)
    fill(either_store, people)

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(trees)
    def agrees(tree: dict[str, Any]) -> None:
        expected = [person.id for person in people if not person.opposed and meets(person, tree)]
        with either_store.session() as session:
            criteria = parse_criteria(tree)
            assert patient_ids(session, criteria, today=TODAY) == expected
            assert count_patients(session, criteria, today=TODAY) == len(expected)

    agrees()


def one(store: Store, *rows: Any) -> None:
    with store.session() as session:
        session.add(Patient(id=1, ipp="P1", sex="female", birth_date=dt.date(1970, 6, 1)))
        session.flush()
        session.add_all(rows)


def found(store: Store, tree: dict[str, Any]) -> bool:
    with store.session() as session:
        return count_patients(session, parse_criteria(tree), today=TODAY) == 1


def test_the_site_and_the_side_are_those_of_the_same_tumour(store: Store) -> None:
    one(
        store,
        Tumour(patient_id=1, rank=1, topography="C50.4", laterality="left"),
        Tumour(patient_id=1, rank=2, topography="C34.1", laterality="right"),
    )
    assert found(store, {"tumour": {"topography": ["C50"], "laterality": "left"}})
    assert not found(store, {"tumour": {"topography": ["C50"], "laterality": "right"}})


def test_stage_iii_is_not_stage_iv_nor_stage_ii(store: Store) -> None:
    one(store, Tumour(patient_id=1, rank=1, topography="C50.4", stage="IIIA"))
    assert found(store, {"tumour": {"stage": ["III"]}})
    assert not found(store, {"tumour": {"stage": ["II"]}})
    assert not found(store, {"tumour": {"stage": ["I", "IV"]}})


def test_t2_means_t2a_whether_the_letter_is_written_or_not(store: Store) -> None:
    one(store, Tumour(patient_id=1, rank=1, topography="C34.1", t="T2a", n="N0", m="M0"))
    assert found(store, {"tumour": {"t": ["T2"], "n": ["0"]}})
    assert not found(store, {"tumour": {"t": ["T2b"]}})


def test_words_of_documents_are_refused_with_what_to_do(store: Store) -> None:
    one(store)
    with pytest.raises(CriteriaError, match="Search for them instead"):
        found(store, {"document": {"text": "nodule"}})


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ({"tumor": {}}, "wrong at tumor"),
        ({"tumour": {"topography": "C50"}}, "wrong at tumour.topography"),
        ({"all": [], "any": []}, "exactly one key"),
        ({}, "exactly one key"),
        ({"event": {"type": ["relapse"]}}, "wrong at event.type"),
    ],
)
def test_a_wrong_tree_says_where_it_is_wrong(tree: Any, message: str) -> None:
    with pytest.raises(CriteriaError, match=message):
        parse_criteria(tree)


def test_a_tree_of_depth_sixty_is_refused() -> None:
    tree: dict[str, Any] = {"patient": {"sex": "male"}}
    for _ in range(60):
        tree = {"all": [tree]}
    with pytest.raises(CriteriaError, match="Split the question"):
        parse_criteria(tree)


def test_a_tree_comes_back_from_json_as_it_was() -> None:
    tree = {
        "all": [
            {"tumour": {"topography": ["C50"], "diagnosed": {"from": "2020-01-01"}}},
            {"none": [{"act": {"code": ["QEFA"]}}]},
        ]
    }
    criteria = parse_criteria(tree)
    assert criteria.as_json() == tree
    assert isinstance(parse_criteria(criteria.canonical()), Criteria)
