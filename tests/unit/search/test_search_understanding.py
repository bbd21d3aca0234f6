"""What a physician types becomes visible criteria; what is not understood stays words."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consore.referentials import terminology
from consore.search import Understood, parse_criteria, understand
from consore.search.periods import shifted
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


# --- Typing errors and other readings -------------------------------------------------------------------------


def test_a_slip_of_the_fingers_is_read_as_it_was_meant_and_said() -> None:
    understood = asked("cancer du pouumon")
    assert labels("cancer du pouumon") == ["Poumon"]
    assert understood.notice == "Lu « poumon » pour « pouumon »."
    (chip,) = understood.chips
    assert (chip.text, understood.text[chip.start : chip.end]) == ("pouumon", "pouumon")
    assert chip.alternatives[-1].text == '"pouumon"'


def test_a_misspelling_that_the_dictionary_knows_is_said_too() -> None:
    assert "prostatte" in (asked("prostatte").notice or "")
    assert asked("prostatte").chips[0].alternatives


@pytest.mark.parametrize(
    "words", ["traitement décidé", "patients fumeurs", "perte de poids", "palpation", "survie", "fatigue et dyspnée"]
)
def test_an_ordinary_word_is_never_taken_for_a_term(words: str) -> None:
    assert asked(words).chips == []
    assert asked(words).notice is None


def test_a_name_is_not_corrected() -> None:
    assert asked("suivi par le docteur Colin").chips == []


@pytest.mark.parametrize("text", ["cancer du sein métastatique", "en rechute", "HER2", "prostatte", "avant 50 ans"])
def test_another_reading_put_in_the_place_of_the_chip_is_read_so(text: str) -> None:
    understood = asked(text)
    for chip in understood.chips:
        for other in chip.alternatives:
            mended = asked(text[: chip.start] + other.text + text[chip.end :])
            assert mended.criteria != understood.criteria
            assert mended.chips or mended.phrases


def test_a_word_typed_in_small_letters_is_the_abbreviation_in_capitals() -> None:
    assert labels("côlon msi") == ["Côlon", "Instabilité microsatellitaire positif"]
    assert asked("côlon msi").notice is None


# --- Order, counts, relatives ---------------------------------------------------------------------------------


def test_the_chips_of_an_order_stay_apart_and_each_can_be_taken_away() -> None:
    understood = asked("récidive après tamoxifène")
    assert [chip.kind for chip in understood.chips] == ["event", "sequence", "drug"]
    assert understood.chips[1].label == "tamoxifène, puis récidive"
    assert criteria("récidive  tamoxifène")["all"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("récidive dans les 2 ans après la chirurgie", {"max": 2, "unit": "years"}),
        ("récidive moins de six mois après la chirurgie", {"max": 6, "unit": "months"}),
        ("récidive plus de 5 ans après la chirurgie", {"min": 5, "unit": "years"}),
        ("récidive après la chirurgie", None),
    ],
)
def test_a_delay_bounds_the_order(text: str, within: dict[str, Any] | None) -> None:
    sequence = criteria(text)["sequence"]  # type: ignore[index]
    assert sequence["first"] == {"treatment": {"type": ["surgery"]}}
    assert sequence["then"]["event"]
    assert sequence.get("within") == within


def test_what_is_denied_after_something_denies_the_order_and_not_the_thing_before() -> None:
    assert criteria("sans récidive après chirurgie") == {
        "all": [
            {
                "none": [
                    {
                        "sequence": {
                            "first": {"treatment": {"type": ["surgery"]}},
                            "then": {
                                "event": {"type": ["local_recurrence", "regional_recurrence", "metastatic_recurrence"]}
                            },
                        }
                    }
                ]
            },
            {"treatment": {"type": ["surgery"]}},
        ]
    }


def test_a_line_is_that_of_both_drugs_given_together_and_each_keeps_its_own() -> None:
    line = {"min": 1.0, "max": 1.0}
    both = [{"treatment": {"drug": [code], "line": line}} for code in ("L01EF01", "L02BG04")]
    assert criteria("palbociclib et létrozole en 1re ligne") == {"all": both}
    assert criteria("en 1re ligne par palbociclib et létrozole") == {"all": both}
    first, second = criteria("FOLFOX en 1re ligne et FOLFIRI en 2e ligne")["all"]  # type: ignore[index]
    assert (first["treatment"]["line"]["min"], second["treatment"]["line"]["min"]) == (1, 2)


def test_one_operation_is_no_count() -> None:
    assert "count" not in (criteria("qui a eu une chirurgie ?") or {})
    assert criteria("deux chirurgies") == {"count": {"of": {"treatment": {"type": ["surgery"]}}, "atLeast": 2}}


def test_the_cancer_of_a_relative_is_not_the_patients() -> None:
    found = criteria("mère ayant eu un cancer du sein")
    assert found == {"concept": {"system": "ICD-O-3-T", "code": ["C50"], "assertion": ["family"]}}


def test_a_metastatic_melanoma_is_a_melanoma() -> None:
    assert labels("mélanome métastatique") == ["Mélanome", "Maladie métastatique"]


# --- Periods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("depuis moins de 6 mois", {"from": "2025-12-15"}),
        ("depuis plus de cinq ans", {"to": "2021-06-15"}),
        ("ces deux dernières années", {"from": "2024-06-15"}),
        ("l'an dernier", {"from": "2025-01-01", "to": "2025-12-31"}),
        ("en février 2024", {"from": "2024-02-01", "to": "2024-02-29"}),
        ("entre le 1er janvier et le 31 mars 2022", {"from": "2022-01-01", "to": "2022-03-31"}),
        ("du 12/03/2021 au 15/04/2021", {"from": "2021-03-12", "to": "2021-04-15"}),
    ],
)
def test_periods_are_days_counted_from_today(text: str, period: dict[str, str]) -> None:
    understood = understand(f"diagnostiqués {text}", terminology(), today=dt.date(2026, 6, 15))
    assert understood.criteria is not None
    assert understood.criteria.as_json() == {"tumour": {"diagnosed": period}}


@given(
    day=st.dates(dt.date(1950, 1, 1), dt.date(2090, 12, 31)),
    months=st.integers(-600, 600),
)
def test_a_shift_by_months_keeps_the_day_or_takes_the_last_of_the_month(day: dt.date, months: int) -> None:
    there = shifted(day, months, "months")
    assert (there.year - day.year) * 12 + there.month - day.month == months
    last = (shifted(there.replace(day=1), 1, "months") - dt.timedelta(days=1)).day
    assert there.day == min(day.day, last)


@given(
    first=st.dates(dt.date(1990, 1, 1), dt.date(2025, 12, 31)),
    days=st.integers(0, 4000),
)
def test_a_period_of_two_days_is_read_as_it_is_written(first: dt.date, days: int) -> None:
    last = first + dt.timedelta(days=days)
    text = f"diagnostiqués entre le {first:%d/%m/%Y} et le {last:%d/%m/%Y}"
    assert criteria(text) == {"tumour": {"diagnosed": {"from": first.isoformat(), "to": last.isoformat()}}}


@pytest.mark.parametrize("text", ["en 2019/13", "le 31/02/2020", "entre le 30 février 2020 et le 31 juin 2021"])
def test_a_day_that_no_calendar_has_is_no_error(text: str) -> None:
    assert asked(text).text == text


# --- Bounds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "après " * 160,
        "chirurgie après " * 60,
        "dans les 2 ans après " * 45,
        "de la le les du des " * 50,
        "métastases au foie et " * 45,
        "sans pas jamais aucun " * 45,
        "prostatte pouumon " * 55,
        "(" * 500 + ")" * 500,
        "a" * 31 + "!",
        "1/1/1/1/1/1/" * 80,
        "stade I à II à III à IV " * 40,
        "antécédent familial de de de de de de de " * 24,
    ],
)
def test_a_question_made_to_be_slow_is_read_in_bounded_time(text: str) -> None:
    asked("sein")
    started = time.process_time()
    asked(text)
    assert time.process_time() - started < 2.0


@given(st.text(max_size=400))
def test_any_text_is_read_and_its_chips_stand_in_it(text: str) -> None:
    understood = asked(text)
    for chip in understood.chips:
        assert understood.text[chip.start : chip.end] == chip.text
        assert parse_criteria(chip.criterion)
