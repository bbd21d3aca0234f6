"""A trial that is watched: who becomes eligible later is listed until somebody has looked."""

from __future__ import annotations

import pytest
from sqlmodel import select

from consore.errors import InputError
from consore.model import Account, Cohort, CohortVersion, Patient, Treatment, Trial, Tumour
from consore.referentials import terminology
from consore.search.kept_cohorts import Author
from consore.search.protocols import read_protocol
from consore.search.trials import looked_at, newly_eligible, refresh_trials, visible_trials, watch_trial
from consore.store import Store

PROTOCOL = "Critères d'inclusion\n- Cancer du sein\nCritères d'exclusion\n- Chirurgie"
ME = Author(1, "physician")


@pytest.fixture
def breast(either_store: Store) -> Store:
    """Three patients with a breast cancer: the second was operated, the third is opposed."""
    with either_store.session() as session:
        session.add_all([Account(id=1, login="physician"), Account(id=2, login="other")])
        session.add_all(Patient(id=key, ipp=str(key), opposed=key == 3) for key in range(1, 6))
        session.flush()
        session.add_all(Tumour(patient_id=key, rank=1, topography="C50.4") for key in range(1, 4))
        session.add(Treatment(patient_id=2, type="surgery", name="mastectomie"))
    return either_store


def watch(store: Store, text: str = PROTOCOL) -> int:
    with store.session() as session:
        return watch_trial(session, "Essai", read_protocol(text, terminology()), ME, owner=1).cohort_id


def new(store: Store, key: int) -> list[int]:
    with store.session() as session:
        return newly_eligible(session, session.get_one(Trial, key))


def refresh(store: Store) -> int:
    with store.session() as session:
        return refresh_trials(session)


def falls_ill(store: Store, key: int) -> None:
    with store.session() as session:
        session.add(Tumour(patient_id=key, rank=1, topography="C50.1"))


def test_those_who_are_eligible_when_it_is_kept_are_not_new(breast: Store) -> None:
    key = watch(breast)
    assert refresh(breast) == 0
    assert new(breast, key) == []


def test_who_becomes_eligible_is_new_until_somebody_has_looked(breast: Store) -> None:
    key = watch(breast)
    falls_ill(breast, 4)
    assert refresh(breast) == 1
    assert new(breast, key) == [4]
    with breast.session() as session:
        looked_at(session, session.get_one(Trial, key))
    assert new(breast, key) == []
    falls_ill(breast, 5)
    refresh(breast)
    assert new(breast, key) == [5]


def test_who_is_excluded_or_opposed_meanwhile_is_not_listed(breast: Store) -> None:
    key = watch(breast)
    falls_ill(breast, 4)
    falls_ill(breast, 5)
    refresh(breast)
    with breast.session() as session:
        session.add(Treatment(patient_id=4, type="surgery", name="tumorectomie"))
        session.get_one(Patient, 5).opposed = True
    refresh(breast)
    assert new(breast, key) == []


def test_a_refresh_that_changes_nothing_is_no_version(breast: Store) -> None:
    watch(breast)
    for _ in range(3):
        refresh(breast)
    with breast.session() as session:
        assert len(session.exec(select(CohortVersion)).all()) == 1


def test_a_trial_goes_with_its_cohort_and_is_its_author_s(breast: Store) -> None:
    key = watch(breast)
    with breast.session() as session:
        assert [row.cohort_id for row, _ in visible_trials(session, 1)] == [key]
        assert visible_trials(session, 2) == []
        session.delete(session.get_one(Cohort, key))
    with breast.session() as session:
        assert session.get(Trial, key) is None
    assert refresh(breast) == 0


def test_criteria_of_another_edition_stop_no_other_trial(breast: Store) -> None:
    broken, sound = watch(breast), watch(breast)
    with breast.session() as session:
        session.exec(select(CohortVersion).where(CohortVersion.cohort_id == broken)).one().criteria = {"x": 1}
    falls_ill(breast, 4)
    assert refresh(breast) == 1
    assert new(breast, sound) == [4]


def test_a_protocol_of_which_nothing_is_coded_cannot_be_watched(breast: Store) -> None:
    with pytest.raises(InputError):
        watch(breast, "Consentement éclairé signé")
