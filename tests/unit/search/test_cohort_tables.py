"""A cohort in tables, and what people are told before they believe a zero."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select as sql_select
from sqlmodel import col
from test_cohort_counts import fill, population

from consore.model import Patient, Tumour
from consore.referentials import Terminology, terminology
from consore.search.breakdown import Breakdown, breakdown
from consore.search.cohort import cohort
from consore.search.criteria import parse_criteria
from consore.search.notices import notices
from consore.settings import shipped_referentials
from consore.store import Store


@pytest.fixture(scope="module")
def words(shared_cache: Path) -> Terminology:
    return terminology(shipped_referentials(), shared_cache)


def tables(store: Store, tree: dict[str, Any], words: Terminology) -> Breakdown:
    criteria = parse_criteria(tree)
    with store.session() as session:
        return breakdown(session, cohort(criteria), criteria, words)


def counts(found: Breakdown, name: str) -> dict[str, int]:
    return next({row.value: row.count for row in table.rows} for table in found.tables if table.name == name)


def test_each_patient_is_in_one_row_of_a_partition_and_the_pyramid_says_the_same(
    either_store: Store, words: Terminology
) -> None:
    people = population(seed=3, size=150)
    fill(either_store, people)
    kept = [person for person in people if not person.opposed]
    found = tables(either_store, {"all": []}, words)
    assert found.patients == len(kept)
    for table in found.tables:
        total = sum(row.count for row in table.rows)
        assert total == len(kept) if table.is_partition else max(row.count for row in table.rows) <= len(kept)
    assert counts(found, "sex") == Counter(person.sex for person in kept)
    drugs = Counter(code for person in kept for code in {one for given in person.treatments for one in given["drug"]})
    assert counts(found, "drug") == drugs
    lines = Counter(str(max((one["line"] or 0 for one in person.treatments), default=0) or "") for person in kept)
    assert counts(found, "line") == lines
    bands = {band: count for band, count in counts(found, "age").items() if band}
    assert {step.band: step.female + step.male + step.unknown for step in found.pyramid} == bands


def test_the_tumour_of_the_tables_is_the_one_that_was_asked_for(store: Store, words: Terminology) -> None:
    with store.session() as session:
        session.add(Patient(id=1, ipp="1", birth_date=dt.date(1960, 1, 1), sex="female"))
        session.flush()
        for rank, site, stage, year in ((1, "C34.1", "IV", 2005), (2, "C50.4", "IIIA", 2015), (3, "C50.1", "I", 2019)):
            day = dt.date(year, 6, 1)
            session.add(Tumour(patient_id=1, rank=rank, topography=site, stage=stage, diagnosis_date=day))
    found = tables(store, {"all": [{"patient": {"sex": "female"}}, {"tumour": {"topography": ["C50"]}}]}, words)
    assert counts(found, "site") == {"C50": 1}
    assert counts(found, "stage") == {"III": 1}
    assert counts(found, "year") == {"2015": 1}
    assert counts(found, "age") == {"50-59": 1}
    labels = {table.name: table.rows[0].label for table in found.tables if table.rows}
    assert (labels["site"], labels["stage"], labels["age"], labels["vital"]) == (
        "Sein",
        "stade III",
        "50 à 59 ans",
        "Vivant",
    )


def test_a_cohort_of_nobody_has_empty_tables(store: Store, words: Terminology) -> None:
    found = tables(store, {"any": []}, words)
    assert found.patients == 0
    assert found.pyramid == []


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"patient": {"currentAge": {"min": 60, "max": 40}}}, "60 est après 40"),
        ({"tumour": {"diagnosed": {"from": "2020-01-01", "to": "2019-01-01"}}}, "2020-01-01 est après 2019-01-01"),
        ({"all": [{"patient": {"sex": "male"}}, {"patient": {"sex": "female"}}]}, "s’excluent"),
        ({"all": [{"patient": {"currentAge": {"min": 70}}}, {"patient": {"currentAge": {"max": 60}}}]}, "s’excluent"),
        (
            {"all": [{"event": {"type": ["local_recurrence"]}}, {"none": [{"event": {"type": ["local_recurrence"]}}]}]},
            "à la fois demandé et exclu",
        ),
        ({"tumour": {"topography": ["C99.9"]}}, "C99.9 n’est pas dans ICD-O-3-T"),
        ({"count": {"of": {"treatment": {"drug": ["L99"]}}, "atLeast": 2}}, "L99 n’est pas dans ATC"),
        (
            {"sequence": {"first": {"tumour": {}}, "then": {"tumour": {}}, "within": {"min": 3, "max": 2}}},
            "3 est après 2",
        ),
    ],
)
def test_what_nobody_can_meet_is_told(tree: dict[str, Any], said: str, store: Store, words: Terminology) -> None:
    criteria = parse_criteria(tree)
    assert said in notices(criteria, words)[0]
    with store.session() as session:
        session.add(Patient(id=1, ipp="1", birth_date=dt.date(1960, 1, 1), sex="female"))
        session.flush()
        session.add(Tumour(patient_id=1, rank=1, topography="C50.4", diagnosis_date=dt.date(2019, 6, 1)))
    with store.session() as session:
        assert session.execute(sql_select(col(Patient.id)).where(col(Patient.id).in_(cohort(criteria)))).all() == []


@pytest.mark.parametrize(
    "tree",
    [
        {"tumour": {"topography": ["C50", "C50.4", "C"]}},
        {"any": [{"patient": {"sex": "male"}}, {"patient": {"sex": "female"}}]},
        {"all": [{"patient": {"ageAtDiagnosis": {"min": 70}}}, {"patient": {"ageAtDiagnosis": {"max": 60}}}]},
        {"treatment": {"drug": ["L01FF02", "L01", "L"]}},
    ],
)
def test_nothing_is_said_of_what_can_be_met(tree: dict[str, Any], words: Terminology) -> None:
    assert notices(parse_criteria(tree), words) == []
