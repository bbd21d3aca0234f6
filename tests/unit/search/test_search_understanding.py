"""What a physician types becomes visible criteria; what is not understood stays words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from consore.referentials import terminology
from consore.search import Understood, understand
from consore.search.terms import codes_under
from consore.search.understanding import LONGEST_QUESTION


def asked(text: str) -> Understood:
    return understand(text, terminology())


def criteria(text: str) -> dict[str, Any] | None:
    found = asked(text).criteria
    return found.as_json() if found else None


def labels(text: str) -> list[str]:
    return [("sans " if chip.negated else "") + chip.label for chip in asked(text).chips]


def test_a_whole_question_is_understood() -> None:
    understood = asked("cancer du sein triple négatif métastatique sous pembrolizumab avant 50 ans")
    assert [chip.kind for chip in understood.chips] == ["topography", "biomarker", "event", "drug", "age"]
    assert understood.words == []
    parts = understood.criteria.as_json()["all"]  # type: ignore[union-attr]
    assert {"tumour": {"topography": ["C50"]}} in parts
    assert {"treatment": {"drug": ["L01FF02"]}} in parts
    assert {"patient": {"ageAtDiagnosis": {"max": 49.0}}} in parts
    tnbc = next(chip for chip in understood.chips if chip.code == "TNBC")
    negative = tnbc.criterion["any"][0]["all"]
    assert [leaf["biomarker"]["code"] for leaf in negative] == [["ER"], ["PR"], ["HER2"]]
    assert {leaf["biomarker"]["status"][0] for leaf in negative} == {"negative"}


def test_chips_say_where_they_stand_in_the_question() -> None:
    text = "Femmes, sein gauche HER2+ opérées en 2019"
    for chip in asked(text).chips:
        assert text[chip.start : chip.end] == chip.text


def test_attributes_of_a_tumour_are_asked_of_the_same_tumour() -> None:
    assert criteria("carcinome canalaire infiltrant du sein gauche stade IIA diagnostiqué en 2019") == {
        "tumour": {
            "topography": ["C50"],
            "morphology": ["8500/3"],
            "laterality": "left",
            "stage": ["IIA"],
            "diagnosed": {"from": "2019-01-01", "to": "2019-12-31"},
        }
    }


def test_or_means_one_of_and_and_means_both() -> None:
    assert criteria("sein ou ovaire") == {"tumour": {"topography": ["C50", "C56"]}}
    assert criteria("sein et ovaire") == {
        "all": [{"tumour": {"topography": ["C50"]}}, {"tumour": {"topography": ["C56"]}}]
    }
    assert criteria("nivolumab ou pembrolizumab") == {
        "any": [{"treatment": {"drug": ["L01FF01"]}}, {"treatment": {"drug": ["L01FF02"]}}]
    }


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("HER2+", "positive"),
        ("HER2 +", "positive"),
        ("HER2-", "negative"),
        ("HER2 -", "negative"),
        ("HER2 négatif", "negative"),
        ("HER2 positive", "positive"),
        ("HER2", "positive"),
    ],
)
def test_a_biomarker_takes_the_status_that_follows_it(text: str, status: str) -> None:
    leaf = criteria(text)["biomarker"]  # type: ignore[index]
    assert leaf["code"] == ["HER2"]
    assert leaf["status"][0] == status


def test_a_measured_biomarker_takes_its_bound() -> None:
    assert criteria("PD-L1 >= 50 %") == {"biomarker": {"code": ["PDL1"], "value": {"min": 50.0}}}
    assert criteria("PSA ≤ 4") == {"biomarker": {"code": ["PSA"], "value": {"max": 4.0}}}


def test_a_strict_bound_leaves_out_its_own_value() -> None:
    assert criteria("PSA < 4") == {"biomarker": {"code": ["PSA"], "value": {"max": 3.99}}}
    assert criteria("Ki67 > 20 %") == {"biomarker": {"code": ["KI67"], "value": {"min": 20.01}}}
    assert labels("Ki67 > 20 %") == ["Ki-67 > 20 %"]


def test_a_mutation_is_an_alteration_or_a_biomarker_of_that_name() -> None:
    leaves = criteria("EGFR muté")["any"]  # type: ignore[index]
    assert leaves[0] == {"alteration": {"gene": ["EGFR"], "status": ["mutated", "positive"]}}
    assert labels("sans mutation EGFR") == ["sans EGFR muté"]


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("avant 50 ans", {"max": 49.0}),
        ("moins de 50 ans", {"max": 49.0}),
        ("de plus de 70 ans", {"min": 71.0}),
        ("à partir de 70 ans", {"min": 70.0}),
        ("entre 40 et 49 ans", {"min": 40.0, "max": 49.0}),
        ("de 40 à 49 ans", {"min": 40.0, "max": 49.0}),
        ("70 ans et plus", {"min": 70.0}),
        ("âgée de 45 ans", {"min": 45.0, "max": 45.0}),
    ],
)
def test_ages_are_completed_years_at_the_diagnosis(text: str, bounds: dict[str, float]) -> None:
    assert criteria(text) == {"patient": {"ageAtDiagnosis": bounds}}


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("diagnostiquées entre 2018 et 2020", {"from": "2018-01-01", "to": "2020-12-31"}),
        ("depuis 2021", {"from": "2021-01-01"}),
        ("en 2019", {"from": "2019-01-01", "to": "2019-12-31"}),
        ("avant 2015", {"to": "2014-12-31"}),
        ("après 2015", {"from": "2016-01-01"}),
    ],
)
def test_years_are_those_of_the_diagnosis(text: str, period: dict[str, str]) -> None:
    assert criteria(text) == {"tumour": {"diagnosed": period}}


def test_a_year_after_a_treatment_is_the_treatments() -> None:
    assert criteria("opérés en 2019") == {
        "treatment": {"type": ["surgery"], "between": {"from": "2019-01-01", "to": "2019-12-31"}}
    }


def test_a_line_belongs_to_its_drug() -> None:
    expected = {"treatment": {"drug": ["L01FF02"], "line": {"min": 2.0, "max": 2.0}}}
    assert criteria("pembrolizumab en 2e ligne") == expected
    assert criteria("deuxième ligne par pembrolizumab") == expected


@pytest.mark.parametrize("text", ["sans métastase", "non métastatique", "pas de métastases", "jamais métastatiques"])
def test_a_denied_criterion_is_its_contrary(text: str) -> None:
    assert labels(text) == ["sans Maladie métastatique"]
    assert set(criteria(text) or {}) == {"none"}


def test_each_of_several_denied_criteria_is_denied() -> None:
    assert labels("jamais opérées, ni radiothérapie ni chimiothérapie") == [
        "sans Chirurgie",
        "sans Radiothérapie",
        "sans Chimiothérapie",
    ]


def test_a_term_that_begins_with_non_is_not_a_denial() -> None:
    understood = asked("carcinome bronchique non à petites cellules")
    assert not any(chip.negated for chip in understood.chips)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("en récidive locale", ["local_recurrence"]),
        ("rechute métastatique", ["metastatic_recurrence"]),
        ("second cancer", ["second_cancer"]),
        ("en rechute", ["local_recurrence", "regional_recurrence", "metastatic_recurrence"]),
    ],
)
def test_what_happened_is_an_event(text: str, types: list[str]) -> None:
    assert criteria(text) == {"event": {"type": types}}


def test_metastases_of_an_organ_are_events_there_and_not_a_tumour_there() -> None:
    found = criteria("métastases hépatiques")
    assert found == {"event": {"type": ["initial", "metastatic_recurrence", "progression"], "site": ["C22"]}}


@pytest.mark.parametrize(
    ("text", "leaf"),
    [
        ("femmes", {"patient": {"sex": "female"}}),
        ("hommes", {"patient": {"sex": "male"}}),
        ("décédés", {"patient": {"vitalStatus": "dead"}}),
        ("FOLFOX", {"treatment": {"regimen": ["REG:FOLFOX"]}}),
        ("sous anti-PD1", {"treatment": {"drug": ["L01FF"]}}),
        ("Keytruda", {"treatment": {"drug": ["L01FF02"]}}),
        ("radiothérapie", {"treatment": {"type": ["radiotherapy"]}}),
        ("stade 3", {"tumour": {"stage": ["III"]}}),
        ("pT2N1M0", {"tumour": {"t": ["T2"], "n": ["N1"], "m": ["M0"]}}),
        ("côlon droit", {"tumour": {"topography": ["C18.2"]}}),
    ],
)
def test_what_physicians_say_is_a_criterion(text: str, leaf: dict[str, Any]) -> None:
    assert criteria(text) == leaf


def test_a_general_histology_means_its_family_in_codes_that_a_count_understands() -> None:
    codes = criteria("adénocarcinome")["tumour"]["morphology"]  # type: ignore[index]
    assert all("8140/3".startswith(code) or not "8500/3".startswith(code) for code in codes)
    assert any("8140/3".startswith(code) for code in codes)
    assert any("8389/3".startswith(code) for code in codes)
    assert not any("8390/3".startswith(code) for code in codes)


@pytest.mark.parametrize(
    ("span", "covered"),
    [
        ("C18-C20", ["C18", "C19", "C20"]),
        ("C50", ["C50"]),
        ("8720-8799", ["872", "873", "874", "875", "876", "877", "878", "879"]),
        ("9590-9729", ["959", "96", "970", "971", "972"]),
        ("8140/3", ["8140/3"]),
    ],
)
def test_a_range_of_codes_is_covered_by_beginnings(span: str, covered: list[str]) -> None:
    assert codes_under(span) == covered


def test_words_left_over_are_words_of_documents() -> None:
    understood = asked("cancer du sein avec fatigue et dyspnée d’effort")
    assert understood.words == ["fatigue", "dyspnee", "effort"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("douleur abdominale", ["douleur", "abdominale"]),
        ("épanchement pleural", ["epanchement", "pleural"]),
        ("scanner thoracique", ["scanner", "thoracique"]),
        ("biopsie", ["biopsie"]),
    ],
)
def test_a_symptom_or_an_examination_is_searched_as_written(text: str, words: list[str]) -> None:
    understood = asked(text)
    assert understood.chips == []
    assert understood.words == words


def test_a_site_in_a_histology_is_still_a_site() -> None:
    assert criteria("adénocarcinome pulmonaire")["tumour"]["topography"] == ["C34"]  # type: ignore[index]


def test_quotes_keep_words_together_and_a_minus_takes_them_out() -> None:
    understood = asked('"carence martiale" fatigue -toux')
    assert (understood.phrases, understood.words, understood.excluded) == (["carence martiale"], ["fatigue"], ["toux"])
    assert asked("« carence martiale »").phrases == ["carence martiale"]


@pytest.mark.parametrize("text", ["", "   ", "de la les", "😀😀😀", "patients", "!?;()", '"', "'", "-", "«»"])
def test_a_question_with_nothing_to_search_says_so(text: str) -> None:
    understood = asked(text)
    assert understood.is_empty
    assert understood.notice


def test_a_lone_quote_is_not_an_error() -> None:
    assert asked('sein "fatigue').words == ["fatigue"]


@pytest.mark.parametrize(
    "text",
    ["&& ipp:=`123`", "patient_id:=[1,2]", "* || 1=1", "body:toux", "`]) || (sex:=`male`", "../../etc", "<script>"],
)
def test_nothing_but_plain_words_goes_to_the_engine(text: str) -> None:
    understood = asked(text)
    assert all(word.isalnum() for word in [*understood.words, *understood.excluded])
    assert all(part.isalnum() for phrase in understood.phrases for part in phrase.split())


@pytest.mark.parametrize(
    "text",
    ["cancer du sein " * 700, "a" * 10_000, '"' * 10_000, "-a " * 4000, "sans " * 2500, "2019 " * 2000, "é" * 10_000],
)
def test_ten_thousand_characters_are_read_in_bounded_time_and_the_cut_is_said(text: str) -> None:
    asked("sein")  # the dictionary is loaded
    started = time.perf_counter()
    understood = asked(text)
    assert time.perf_counter() - started < 2.0
    assert f"{LONGEST_QUESTION}" in (understood.notice or "")


def test_a_term_that_means_several_organs_asks_for_each_of_them() -> None:
    assert criteria("cancer colorectal") == {"tumour": {"topography": ["C18", "C19", "C20"]}}
    assert labels("cancer colorectal") == ["Colorectal"]


def test_a_criterion_is_told_in_the_words_it_was_asked_in() -> None:
    from consore.search import describe

    denied = asked("sans métastase").criteria
    assert denied is not None
    assert describe(denied, terminology()) == "sans Maladie métastatique"
