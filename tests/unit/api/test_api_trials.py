"""Trials through the interface: a protocol read, kept, watched, and looked at."""

import pytest

PROTOCOL = "Critères d'inclusion :\n- Cancer du sein\n- Consentement signé\nCritères d'exclusion :\n- Radiothérapie"
READ = """query ($text: String!) { readProtocol(text: $text) { __typename
  ... on Protocol { criteria lines { text part coverage criteria description words accepted } }
  ... on InputProblem { code field message } } }"""
SAVE = """mutation ($text: String!, $choices: [LineChoice!]) {
  saveTrial(name: "Essai", text: $text, choices: $choices) {
  __typename
  ... on Trial { cohort { id count criteria } newlyEligibleCount newlyEligible { id } lines { accepted } }
  ... on InputProblem { code message } } }"""
DELETE = "mutation ($id: ID!) { deleteCohort(id: $id) }"


@pytest.fixture
def kept(physician):
    trial = physician.ask(SAVE, text=PROTOCOL)["saveTrial"]
    yield trial
    physician.ask(DELETE, id=trial["cohort"]["id"])


def test_a_protocol_is_read_line_by_line_and_nothing_is_kept(physician):
    found = physician.ask(READ, text=PROTOCOL)["readProtocol"]
    site, consent, radiotherapy = found["lines"]
    assert (site["part"], site["coverage"], site["description"]) == ("INCLUSION", "WHOLE", "Sein")
    assert (consent["coverage"], consent["criteria"], consent["accepted"]) == ("NOTHING", None, False)
    assert radiotherapy["part"] == "EXCLUSION"
    assert found["criteria"]["all"][0] == {"tumour": {"topography": ["C50"]}}
    assert physician.ask("{ trials { cohort { id } } }")["trials"] == []


def test_a_text_without_criteria_is_a_problem_of_the_text(physician):
    assert physician.ask(READ, text="  ")["readProtocol"]["field"] == "text"


def test_a_trial_is_kept_with_those_who_are_eligible_and_nobody_new(physician, kept, patients):
    assert kept["cohort"]["count"] == len(patients)
    assert (kept["newlyEligibleCount"], kept["newlyEligible"]) == (0, [])
    (listed,) = physician.ask("{ trials { cohort { id name } lines { text } } }")["trials"]
    assert listed["cohort"] == {"id": kept["cohort"]["id"], "name": "Essai"}
    see = "mutation ($id: ID!) { seeTrial(id: $id) { __typename } }"
    assert physician.ask(see, id=kept["cohort"]["id"])["seeTrial"]["__typename"] == "Trial"


def test_a_person_says_which_lines_count(physician):
    trial = physician.ask(SAVE, text=PROTOCOL, choices=[{"line": 2, "accepted": False}])["saveTrial"]
    assert [line["accepted"] for line in trial["lines"]] == [True, False, False]
    assert trial["cohort"]["criteria"] == {"tumour": {"topography": ["C50"]}}
    physician.ask(DELETE, id=trial["cohort"]["id"])
    wrong = physician.ask(SAVE, text=PROTOCOL, choices=[{"line": 9, "accepted": True}])["saveTrial"]
    assert wrong["__typename"] == "InputProblem"


def test_another_account_neither_sees_nor_ticks_off_the_trial(physician, researcher, kept):
    assert researcher.ask("{ trials { cohort { id } } }")["trials"] == []
    number = kept["cohort"]["id"]
    one = "query($id: ID!) { trial(id: $id) { cohort { id } newlyEligible { id } } }"
    assert physician.ask(one, id=number)["trial"]["cohort"]["id"] == number
    assert researcher.ask(one, id=number)["trial"] is None
    assert physician.ask(one, id="999")["trial"] is None
    see = "mutation ($id: ID!) { seeTrial(id: $id) { __typename } }"
    assert researcher.ask(see, id=kept["cohort"]["id"])["seeTrial"]["__typename"] == "NotFound"
