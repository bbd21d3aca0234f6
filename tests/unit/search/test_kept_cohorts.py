"""Cohorts that are kept: each refresh is a version, and what it changed is told with the reason."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlmodel import select

from consore.errors import InputError
from consore.model import Account, Cohort, CohortPatient, Patient, Treatment, Tumour
from consore.search import kept_cohorts
from consore.search.criteria import Criteria, parse_criteria
from consore.search.funnel import funnel
from consore.search.kept_cohorts import Author
from consore.store import Store

BREAST = {"tumour": {"topography": ["C50"]}}
NEVER_OPERATED = {"none": [{"treatment": {"type": ["surgery"]}}]}
CRITERIA = parse_criteria({"all": [BREAST, NEVER_OPERATED]})
ME = Author(1, "physician")


@pytest.fixture
def breast(either_store: Store) -> Store:
    """Ten patients with a breast cancer; the last is opposed."""
    with either_store.session() as session:
        session.add_all([Account(id=1, login="physician"), Account(id=2, login="other")])
        session.add_all(
            Patient(id=key, ipp=str(key), sex="female" if key % 2 else "male", opposed=key == 10)
            for key in range(1, 11)
        )
        session.flush()
        session.add_all(Tumour(patient_id=key, rank=1, topography="C50.4") for key in range(1, 11))
    return either_store


def save(store: Store, criteria: Criteria = CRITERIA, **options: Any) -> int:
    with store.session() as session:
        return kept_cohorts.save_cohort(session, "Sein", criteria, ME, owner=1, **options).id or 0


def refresh(store: Store, key: int, criteria: Criteria | None = None) -> tuple[int, int, int, int]:
    with store.session() as session:
        row = session.get_one(Cohort, key)
        version = kept_cohorts.refresh_cohort(session, row, Author(2, "other"), criteria=criteria)
        return version.number, version.count, version.entered, version.gone


def members(store: Store, key: int, number: int | None = None) -> list[int]:
    with store.session() as session:
        return sorted(session.execute(kept_cohorts.members(session.get_one(Cohort, key), number)).scalars())


def changes(store: Store, key: int) -> tuple[list[int], dict[int, list[dict]]]:
    with store.session() as session:
        row = session.get_one(Cohort, key)
        last = kept_cohorts.latest_version(session, row)
        assert last is not None
        found = kept_cohorts.difference(session, row, last)
        return found.entered, {one.patient_id: [node.as_json() for node in one.unmet] for one in found.left}


def test_a_refresh_tells_who_left_by_which_criterion_and_who_entered(breast: Store) -> None:
    key = save(breast)
    assert members(breast, key) == list(range(1, 10))
    with breast.session() as session:
        session.add(Treatment(patient_id=3, type="surgery", name="mastectomie"))
        session.get_one(Patient, 4).opposed = True
        session.add(Patient(id=11, ipp="11"))
        session.flush()
        session.add(Tumour(patient_id=11, rank=1, topography="C50.1"))
    assert refresh(breast, key) == (2, 8, 1, 2)
    entered, left = changes(breast, key)
    assert entered == [11]
    assert left == {3: [NEVER_OPERATED], 4: []}
    assert members(breast, key) == [1, 2, 5, 6, 7, 8, 9, 11]
    assert members(breast, key, 1) == [1, 2, 3, 5, 6, 7, 8, 9]  # who is opposed by now is shown no more


def test_a_refresh_without_news_is_a_version_all_the_same(breast: Store) -> None:
    key = save(breast)
    assert refresh(breast, key) == (2, 9, 0, 0)
    with breast.session() as session:
        told = [(one.number, one.login) for one in kept_cohorts.versions(session, session.get_one(Cohort, key))]
    assert told == [(2, "other"), (1, "physician")]


def test_other_criteria_are_a_version_that_says_so(breast: Store) -> None:
    key = save(breast)
    men = parse_criteria({"all": [BREAST, {"patient": {"sex": "male"}}]})
    assert refresh(breast, key, men) == (2, 4, 0, 5)
    assert set(changes(breast, key)[1]) == {1, 3, 5, 7, 9}
    assert refresh(breast, key) == (3, 4, 0, 0)


def test_every_version_can_be_read_again_whatever_came_after(breast: Store) -> None:
    rng, key, expected = random.Random(5), save(breast), {1: list(range(1, 10))}
    for number in range(2, 12):
        some = sorted(rng.sample(range(1, 10), rng.randint(0, 9)))
        with breast.session() as session:
            for treatment in session.exec(select(Treatment)):
                session.delete(treatment)
            session.flush()
            session.add_all(
                Treatment(patient_id=one, type="surgery", name="x") for one in range(1, 10) if one not in some
            )
        refresh(breast, key)
        expected[number] = some
    assert {number: members(breast, key, number) for number in expected} == expected


def test_a_cohort_is_seen_by_others_only_while_it_is_shared(breast: Store) -> None:
    key = save(breast)
    with breast.session() as session:
        assert kept_cohorts.visible_cohort(session, key, 1)
        assert not kept_cohorts.visible_cohort(session, key, 2)
        session.get_one(Cohort, key).shared = True
        session.flush()
        assert [row.id for row in kept_cohorts.visible_cohorts(session, 2)] == [key]


def test_a_patient_who_is_gone_is_in_no_version(breast: Store) -> None:
    key = save(breast)
    with breast.session() as session:
        session.delete(session.get_one(Patient, 1))
    assert 1 not in members(breast, key, 1)
    with breast.session() as session:
        assert session.exec(select(CohortPatient).where(CohortPatient.patient_id == 1)).all() == []


def test_an_account_keeps_so_many_cohorts_and_no_more(breast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_cohorts, "MOST_KEPT", 2)
    save(breast)
    save(breast)
    with pytest.raises(InputError, match="Delete one first"):
        save(breast)


def test_old_versions_are_forgotten(breast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_cohorts, "MOST_VERSIONS", 2)
    key = save(breast)
    for _ in range(4):
        refresh(breast, key)
    with breast.session() as session:
        assert [one.number for one in kept_cohorts.versions(session, session.get_one(Cohort, key))] == [5, 4]
    assert members(breast, key) == list(range(1, 10))


def test_a_funnel_counts_each_step_as_the_cohort_of_all_until_there(breast: Store) -> None:
    with breast.session() as session:
        session.add_all(Treatment(patient_id=key, type="surgery", name="x") for key in (1, 2))
    tree = parse_criteria({"all": [{"patient": {"sex": "female"}}, {"all": [BREAST]}, NEVER_OPERATED]})
    with breast.session() as session:
        found = funnel(session, tree)
    assert found.everyone == 9
    assert [(step.remaining, step.alone) for step in found.steps] == [(5, 5), (5, 9), (4, 7)]


def test_exclusions_are_steps_of_their_own(breast: Store) -> None:
    tree = parse_criteria({"none": [{"patient": {"sex": "male"}}, {"tumour": {"topography": ["C61"]}}]})
    with breast.session() as session:
        assert [step.remaining for step in funnel(session, tree).steps] == [5, 5]
        assert funnel(session, parse_criteria({"all": []})).steps[0].remaining == 9
