"""Why a patient is in the answer: what follows what, how often, in French."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from consore.index import PatientTraits
from consore.model import Patient, Treatment, TumourEvent
from consore.referentials import Terminology, terminology
from consore.search.criteria import parse_criteria
from consore.search.reasons import describe, reasons, traits_of
from consore.settings import shipped_referentials


@pytest.fixture(scope="module")
def words(shared_cache: Path) -> Terminology:
    return terminology(shipped_referentials(), shared_cache)


TRAITS = PatientTraits(
    Patient(id=1, ipp="1", sex="female"),
    events=[(TumourEvent(id=7, patient_id=1, type="local_recurrence", date=dt.date(2021, 3, 1)), [])],
    treatments=[
        (Treatment(id=1, patient_id=1, type="surgery", name="tumorectomie", start=dt.date(2019, 5, 1)), []),
        (Treatment(id=2, patient_id=1, type="surgery", name="mastectomie", start=dt.date(2021, 4, 1)), []),
    ],
)
SURGERY, RELAPSE = {"treatment": {"type": ["surgery"]}}, {"event": {"type": ["local_recurrence"]}}


def why(tree: dict, words: Terminology) -> list[str]:
    return [reason.text for reason in reasons(parse_criteria(tree), TRAITS, words)]


def test_a_sequence_is_told_by_its_two_rows(words: Terminology) -> None:
    tree = {"sequence": {"first": RELAPSE, "then": SURGERY, "within": {"max": 2, "unit": "months"}}}
    assert why(tree, words) == ["Récidive locale, 03/2021", "Chirurgie : mastectomie, 04/2021"]


@pytest.mark.parametrize(
    ("tree", "loaded"),
    [
        ({"sequence": {"first": RELAPSE, "then": SURGERY}}, {"events", "treatments"}),
        ({"count": {"of": SURGERY, "atLeast": 2}}, {"treatments"}),
        (
            {"all": [{"patient": {"ageAtDiagnosis": {"max": 50}}}, {"none": [{"act": {"code": ["Q"]}}]}]},
            {"tumours", "acts"},
        ),
        ({"document": {"text": "dyspnée"}}, set()),
    ],
)
def test_only_what_the_criteria_speak_of_is_loaded_of_a_patient(tree: dict, loaded: set[str]) -> None:
    assert traits_of(parse_criteria(tree)) == loaded


def test_a_count_is_told_by_as_many_rows(words: Terminology) -> None:
    assert why({"count": {"of": SURGERY, "atLeast": 2}}, words) == [
        "Chirurgie : tumorectomie, 05/2019",
        "Chirurgie : mastectomie, 04/2021",
    ]


def test_words_of_a_document_are_believed_only_where_nothing_else_holds(words: Terminology) -> None:
    written, other = {"document": {"text": "dyspnée"}}, {"act": {"code": ["QEFA020"]}}
    assert why({"any": [written, RELAPSE]}, words) == ["Récidive locale, 03/2021"]
    assert why({"any": [written, other]}, words) == ["document, écrit : dyspnée"]


@pytest.mark.parametrize(
    ("within", "said"),
    [
        (None, "Chirurgie après récidive locale"),
        ({"max": 6, "unit": "months"}, "Chirurgie dans les 6 mois après récidive locale"),
        ({"min": 2, "unit": "years"}, "Chirurgie au moins 2 ans après récidive locale"),
        ({"min": 3, "max": 6, "unit": "weeks"}, "Chirurgie de 3 à 6 semaines après récidive locale"),
    ],
)
def test_a_sequence_is_said_in_french(within: dict | None, said: str, words: Terminology) -> None:
    leaf = {"first": RELAPSE, "then": SURGERY} | ({"within": within} if within else {})
    assert describe(parse_criteria({"sequence": leaf}), words) == said


def test_a_count_is_said_in_french(words: Terminology) -> None:
    tree = parse_criteria({"count": {"of": SURGERY, "atLeast": 2}})
    assert describe(tree, words) == "Chirurgie (au moins 2)"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"tumour": {}}, "tumeur"),
        ({"event": {"between": {"from": "2020-01-01"}}}, "depuis le 01/01/2020"),
        (
            {"tumour": {"topography": ["C50"], "diagnosed": {"from": "2018-01-01", "to": "2020-12-31"}}},
            "Sein, diagnostic du 01/01/2018 au 31/12/2020",
        ),
        ({"treatment": {"type": ["chemotherapy"], "line": {"min": 2, "max": 2}}}, "Chimiothérapie, ligne 2"),
        ({"biomarker": {"code": ["KI67"], "value": {"min": 20, "unit": "%"}}}, "Ki-67, à partir de 20 %"),
        ({"patient": {"currentAge": {"max": 50}}}, "âge jusqu'à 50 ans"),
        ({"document": {"kind": ["imaging"], "text": "nodule"}}, "imagerie, écrit : nodule"),
    ],
)
def test_every_attribute_of_a_criterion_is_said(tree: dict, said: str, words: Terminology) -> None:
    assert describe(parse_criteria(tree), words) == said
