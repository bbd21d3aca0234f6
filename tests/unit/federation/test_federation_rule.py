"""The disclosure rule: what another centre may learn, and what it may not."""

import datetime as dt

import pytest
from dossiers import Person, write
from hypothesis import given
from hypothesis import strategies as st

from consore.federation.rule import decide, disclosed, is_differencing, population_hash, upper_bound
from consore.model import FederatedQuery, now
from consore.search.criteria import parse_criteria

BREAST = {"tumour": {"topography": ["C50"]}}
LUNG = {"tumour": {"topography": ["C34"]}}
populations = st.sets(st.integers(1, 60)).map(sorted)


def people(count, code="C50.4", prefix="S", **more):
    return [
        Person(f"{prefix}{n}", tumours=[{"topography": code, "morphology": "8500/3"}], **more) for n in range(count)
    ]


def ask(store, settings, criteria, peer="NORD", at=None):
    tree = parse_criteria(criteria)
    with store.session() as session:
        answer = decide(session, settings, peer, tree)
        session.add(
            FederatedQuery(
                direction="in",
                peer_code=peer,
                request_id="r",
                criteria=tree.as_json(),
                state=answer.state,
                answer=answer.count or "",
                population_sha256=answer.population_sha256,
                at=at or now(),
            )
        )
    return answer


@pytest.mark.parametrize(
    ("count", "told", "most"),
    [(0, "<10", 9), (1, "<10", 9), (9, "<10", 9), (10, "10", 10), (11, "20", 20), (20, "20", 20), (101, "110", 110)],
)
def test_few_patients_and_none_are_told_alike_and_others_round_up(count, told, most):
    assert disclosed(count, 10) == told
    assert upper_bound(told) == most


@given(st.integers(0, 100_000), st.integers(2, 100))
def test_a_told_count_never_says_less_than_there_is_nor_hides_more_than_a_step(count, threshold):
    most = upper_bound(disclosed(count, threshold))
    assert count <= most
    assert most - count < threshold


@given(populations, populations, st.integers(2, 20))
def test_two_answered_questions_never_isolate_a_few_patients(one, other, threshold):
    both_told = not is_differencing(one, other, threshold)
    apart = len(set(one) ^ set(other))
    small = len(one) < threshold and len(other) < threshold
    assert is_differencing(one, other, threshold) == is_differencing(other, one, threshold)
    if both_told and not small:
        assert apart == 0 or apart >= threshold


@given(populations, st.randoms(use_true_random=False))
def test_a_population_is_the_same_whatever_its_order(population, rng):
    shuffled = list(population)
    rng.shuffle(shuffled)
    assert population_hash(shuffled) == population_hash(population)


def test_a_population_is_answered_alike_whatever_the_wording(store, settings):
    write(store, people(23))
    first = ask(store, settings, BREAST)
    again = ask(store, settings, {"all": [{"tumour": {"morphology": ["8500/3"]}}, BREAST]})
    assert (first.state, first.count) == (again.state, again.count) == ("answered", "30")
    assert first.population_sha256 == again.population_sha256


def test_opposed_patients_are_in_no_count(store, settings):
    write(store, [*people(10), *people(9, prefix="O", opposed=True)])
    assert ask(store, settings, BREAST).count == "10"


def test_a_question_that_differs_by_a_few_patients_is_refused_with_the_reason(store, settings):
    write(store, [*people(23), *people(2, prefix="H", sex="male")])
    assert ask(store, settings, BREAST).count == "30"
    refused = ask(store, settings, {"all": [BREAST, {"patient": {"sex": "female"}}]})
    assert refused.state == "refused"
    assert refused.count is None
    assert "quelques patients" in refused.message


def test_another_centre_may_ask_what_the_first_one_did_not(store, settings):
    write(store, [*people(23), *people(2, prefix="H", sex="male")])
    ask(store, settings, BREAST)
    assert ask(store, settings, {"all": [BREAST, {"patient": {"sex": "female"}}]}, peer="SUD").state == "answered"


def test_the_same_question_is_answered_again_after_new_patients_came(store, settings):
    write(store, people(20))
    assert ask(store, settings, BREAST).count == "20"
    write(store, people(3, prefix="N"))
    assert ask(store, settings, BREAST).count == "30"
    assert ask(store, settings, {"any": [BREAST, LUNG]}).count == "30"


def test_two_rare_questions_are_both_told_as_few(store, settings):
    write(store, [*people(3), *people(4, "C34.1", "L")])
    assert ask(store, settings, BREAST).count == "<10"
    assert ask(store, settings, LUNG).count == "<10"


def test_a_peer_that_asks_too_much_waits_until_tomorrow(store, settings):
    settings = settings.model_copy(update={"federation_daily_quota": 2})
    write(store, people(3))
    ask(store, settings, BREAST, at=now() - dt.timedelta(days=1))
    assert ask(store, settings, BREAST).state == ask(store, settings, LUNG).state == "answered"
    assert "quota" in ask(store, settings, BREAST).message
    assert ask(store, settings, BREAST, peer="SUD").state == "answered"
