"""A question in plain French finds the right patients, says why, and never shows who is opposed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from dossiers import Person, write
from engines import engine_settings

from consore.errors import CriteriaError, InputError
from consore.index import SearchIndex, TypesenseServer
from consore.model import Patient
from consore.referentials import terminology
from consore.search import SearchContext, SearchResult, facets, patient_ids, search, similar_patients, suggest
from consore.store import Store

BREAST = {"topography": "C50.4", "morphology": "8500/3", "laterality": "left"}
PEOPLE = [
    Person(
        "SEIN-META",
        name="MARCHAND",
        born="1972-04-01",
        tumours=[{**BREAST, "stage": "IIA", "diagnosis_date": "2019-03-01"}],
        events=[
            {"type": "initial", "date": "2019-03-01"},
            {"type": "metastatic_recurrence", "date": "2021-02-01", "sites": ["C22.0"]},
        ],
        treatments=[
            {"type": "surgery", "name": "mastectomie", "start": "2019-04-10"},
            {"type": "immunotherapy", "name": "pembrolizumab", "drugs": ["L01FF02"], "line": 1, "start": "2021-03-01"},
        ],
        biomarkers=[{"code": code, "status": "negative"} for code in ("ER", "PR", "HER2")],
        documents=[
            (
                "consultation",
                "2021-02-10",
                "Dossier 880011223. "
                "Patiente suivie pour un carcinome du sein gauche. Elle se plaint d’une dyspnée d’effort & de fatigue. "
                "Apparition de métastases hépatiques. Pas de {{toux}}.",
            ),
            ("letter", "2021-03-01", "Début du pembrolizumab. Fatigue stable. Carence martiale substituée."),
        ],
    ),
    Person(
        "SEIN-LOCAL",
        name="LENOIR",
        born="1960-01-01",
        died="2024-01-01",
        tumours=[{**BREAST, "laterality": "right", "stage": "I", "diagnosis_date": "2018-06-01"}],
        treatments=[{"type": "surgery", "name": "tumorectomie", "start": "2018-07-01"}],
        biomarkers=[{"code": "HER2", "status": "positive"}],
        documents=[("pathology", "2018-06-01", "Carcinome canalaire infiltrant <grade 2>. HER2 score 3+.")],
    ),
    Person(
        "POUMON",
        name="MARTIN",
        sex="male",
        born="1950-01-01",
        tumours=[
            {"topography": "C34.1", "morphology": "8140/3", "stage": "IV", "m": "M1", "diagnosis_date": "2022-01-05"}
        ],
        treatments=[{"type": "immunotherapy", "name": "pembrolizumab", "drugs": ["L01FF02"], "start": "2022-02-01"}],
        alterations=[{"gene": "EGFR", "variant": "p.L858R", "status": "mutated"}],
        documents=[("imaging", "2022-01-02", "Masse lobaire supérieure. Dyspnée et toux productive.")],
    ),
    Person(
        "OPPOSEE",
        name="MARECHAL",
        opposed=True,
        tumours=[{**BREAST, "stage": "IIA", "diagnosis_date": "2019-01-01"}],
        documents=[("consultation", "2019-01-01", "Dyspnée, fatigue, toux.")],
    ),
    Person("VIDE", name="PETIT"),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SearchContext, dict[str, int]]]:
    home = tmp_path_factory.mktemp("hits")
    store = Store(f"sqlite:///{home}/consore.db")
    store.upgrade()
    ids = write(store, PEOPLE)
    with TypesenseServer(engine_settings("HITS", home)) as engine:
        index = SearchIndex(engine)
        index.rebuild(store, terminology())
        yield SearchContext(store, index, terminology()), ids
        index.drop()
    store.close()


@pytest.fixture
def context(node: tuple[SearchContext, dict[str, int]]) -> SearchContext:
    return node[0]


@pytest.fixture
def names(node: tuple[SearchContext, dict[str, int]]) -> dict[int, str]:
    return {number: ipp for ipp, number in node[1].items()}


def found(result: SearchResult, names: dict[int, str]) -> set[str]:
    assert result.total == len(result.hits)
    return {names[hit.patient_id] for hit in result.hits}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("cancer du sein triple négatif métastatique sous pembrolizumab avant 50 ans", {"SEIN-META"}),
        ("cancer du sein", {"SEIN-META", "SEIN-LOCAL"}),
        ("cancer du sein HER2+", {"SEIN-LOCAL"}),
        ("cancer du sein HER2 négatif", {"SEIN-META"}),
        ("sein gauche", {"SEIN-META"}),
        ("pembrolizumab", {"SEIN-META", "POUMON"}),
        ("sous anti-PD1", {"SEIN-META", "POUMON"}),
        ("métastatique", {"SEIN-META", "POUMON"}),
        ("sans métastase", {"SEIN-LOCAL", "VIDE"}),
        ("métastases hépatiques", {"SEIN-META"}),
        ("jamais opérés", {"POUMON", "VIDE"}),
        ("opérées en 2019", {"SEIN-META"}),
        ("homme poumon EGFR muté", {"POUMON"}),
        ("décédées", {"SEIN-LOCAL"}),
        ("diagnostiqués depuis 2019", {"SEIN-META", "POUMON"}),
        ("sein stade II diagnostiqué entre 2018 et 2020", {"SEIN-META"}),
        ("sein ou poumon de plus de 70 ans", {"POUMON"}),
        ("dyspnée", {"SEIN-META", "POUMON"}),
        ("dyspnee d'effort", {"SEIN-META"}),
        ("dyspnées", {"SEIN-META", "POUMON"}),
        ("dypsnée", {"SEIN-META", "POUMON"}),
        ("dyspnée sein", {"SEIN-META"}),
        ('"carence martiale"', {"SEIN-META"}),
        ('"martiale carence"', set()),
        ("dyspnée -fatigue", {"POUMON"}),
        ("-fatigue", {"SEIN-LOCAL", "POUMON", "VIDE"}),
    ],
)
def test_a_question_finds_its_patients(
    question: str, expected: set[str], context: SearchContext, names: dict[int, str]
) -> None:
    assert found(search(context, question), names) == expected


def test_each_criterion_has_its_reason(context: SearchContext) -> None:
    hit = search(context, "cancer du sein triple négatif métastatique sous pembrolizumab avant 50 ans").hits[0]
    said = " | ".join(hit.why)
    assert "stade IIA" in said
    assert "HER2 négatif" in said
    assert "Récidive métastatique (foie), 02/2021" in said
    assert "pembrolizumab, ligne 1" in said
    assert "46 ans au diagnostic" in said


def test_snippets_are_the_documents_own_sentences_with_marks_and_nothing_else(context: SearchContext) -> None:
    result = search(context, "dyspnée fatigue sein")
    html = result.hits[0].snippets[0].html
    assert html == "Elle se plaint d’une <mark>dyspnée</mark> d’effort &amp; de <mark>fatigue</mark>."
    for question in ("grade", "sein HER2+", "score"):
        for hit in search(context, question).hits:
            for snippet in hit.snippets:
                assert set(re.findall("<[^>]*>", snippet.html)) <= {"<mark>", "</mark>"}


def test_a_word_that_is_only_denied_is_found_and_said_so(context: SearchContext, names: dict[int, str]) -> None:
    assert found(search(context, "toux"), names) == {"POUMON"}
    result = search(context, "toux sein")
    assert found(result, names) == {"SEIN-META"}
    assert "niés" in (result.notice or "")


def test_words_that_are_nowhere_together_are_found_in_part_and_said_so(context: SearchContext) -> None:
    result = search(context, "dyspnée xylophone")
    assert result.total == 2
    assert "une partie" in (result.notice or "")


def test_a_question_that_finds_nothing_says_which_words(context: SearchContext) -> None:
    result = search(context, "xylophone")
    assert (result.total, result.hits) == (0, [])
    assert "xylophone" in (result.notice or "")


def test_criteria_that_nobody_meets_say_which_one_to_take_away(context: SearchContext) -> None:
    result = search(context, "homme sein pembrolizumab")
    assert (result.total, result.hits) == (0, [])
    assert result.notice == "Aucun patient ne remplit tous ces critères. Sans « Sein » : 1."


def relaxed(context: SearchContext, question: str, criteria: dict | None = None) -> dict[str, int]:
    result = search(context, question, criteria)
    assert result.total == 0
    return {one.label: one.count for one in result.relaxations}


def test_where_nobody_answers_near_questions_are_offered_with_their_exact_counts(context: SearchContext) -> None:
    result = search(context, "cancer du sein stade IV opéré en 2021")
    assert result.total == 0
    assert result.relaxations
    for one in result.relaxations:
        assert search(context, one.text, one.criteria).total == one.count > 0
    kinds = [one.kind for one in result.relaxations]
    assert kinds == sorted(kinds, reverse=True), "wider questions come before poorer ones"


def test_a_stage_a_period_and_an_age_are_widened(context: SearchContext) -> None:
    assert relaxed(context, "cancer du sein stade III diagnostiqué en 2019")["Stade II à IV"] == 1
    assert relaxed(context, "cancer du sein diagnostiqué en 2016")["Entre le 01/01/2014 et le 31/12/2018"] == 1
    assert relaxed(context, "cancer du poumon de moins de 70 ans")["Moins de 75 ans"] == 1


def test_a_site_is_widened_to_its_group(context: SearchContext) -> None:
    assert relaxed(context, "trachée")["« Appareil respiratoire et médiastin » au lieu de « Trachée »"] == 1


def test_what_nobody_has_at_all_is_named(context: SearchContext) -> None:
    result = search(context, "cancer du sein sous olaparib")
    assert result.notice == "Aucun patient n'a « olaparib »."
    assert {one.label: one.count for one in result.relaxations} == {"Sans « olaparib »": 2}


def test_filters_that_empty_an_answer_can_be_dropped(context: SearchContext) -> None:
    men = {"patient": {"sex": "male"}}
    result = search(context, "cancer du sein", men)
    dropped = next(one for one in result.relaxations if one.label == "Sans les filtres")
    assert (dropped.count, dropped.criteria, dropped.text) == (2, None, "cancer du sein")


def test_words_are_looked_for_in_the_documents_of_a_kind_a_service_or_a_period(context: SearchContext) -> None:
    assert search(context, "dyspnée").total == 2
    assert search(context, "dyspnée", {"document": {"kind": ["imaging"]}}).total == 1
    assert search(context, "dyspnée", {"document": {"between": {"to": "2021-12-31"}}}).total == 1
    assert search(context, "dyspnée", {"document": {"service": ["service`) || (1=1"]}}).total == 0


def test_a_sequence_is_searched_and_told(context: SearchContext, names: dict[int, str]) -> None:
    result = search(context, "métastases hépatiques dans les 2 ans après chirurgie")
    assert found(result, names) == {"SEIN-META"}
    assert result.hits[0].why


@pytest.mark.parametrize("question", ["", "de la les", "😀", '"', "patients", "-"])
def test_a_question_with_nothing_to_search_says_so_and_shows_nobody(question: str, context: SearchContext) -> None:
    result = search(context, question)
    assert (result.total, result.hits) == (0, [])
    assert result.notice


@pytest.mark.parametrize(
    "question",
    [
        "&& ipp:=`SEIN-META`",
        "patient_id:=[1]",
        "`] || sex:=[`male`",
        "sein && sex:!=female",
        "* -",
        "(((",
        "'; DROP TABLE patient",
    ],
)
def test_the_engines_own_syntax_is_only_words(question: str, context: SearchContext) -> None:
    search(context, question)
    assert search(context, "pembrolizumab").total == 2


@pytest.mark.parametrize("question", ["dyspnée " * 1250, "a" * 10_000, "cancer du sein métastatique " * 400])
def test_ten_thousand_characters_are_answered_soon_and_the_cut_is_said(question: str, context: SearchContext) -> None:
    started = time.perf_counter()
    result = search(context, question)
    assert time.perf_counter() - started < 3
    assert "1000" in (result.notice or "")


def test_criteria_beside_the_question_narrow_it(context: SearchContext, names: dict[int, str]) -> None:
    assert found(search(context, "pembrolizumab", {"patient": {"sex": "male"}}), names) == {"POUMON"}
    assert found(search(context, "", {"patient": {"sex": "male"}}), names) == {"POUMON"}
    assert found(search(context, "", {"document": {"text": "carence martiale"}}), names) == {"SEIN-META"}
    assert found(search(context, "dyspnée", {"document": {"text": "toux", "kind": ["imaging"]}}), names) == {"POUMON"}
    with pytest.raises(CriteriaError):
        search(context, "sein", {"nonsense": 1})


def test_coded_totals_are_the_exact_counts(context: SearchContext) -> None:
    for question in ("sein", "métastatique", "sans chirurgie", "pembrolizumab avant 50 ans", "sein stade I droit"):
        result = search(context, question)
        with context.store.session() as session:
            assert result.total == len(patient_ids(session, result.understood.criteria))  # type: ignore[arg-type]


def test_pages_and_orders(context: SearchContext, names: dict[int, str]) -> None:
    first, second = (search(context, "immunothérapie", page=page, per_page=1) for page in (1, 2))
    assert first.total == second.total == 2
    assert first.hits[0].patient_id != second.hits[0].patient_id
    assert [names[hit.patient_id] for hit in search(context, "immunothérapie", sort="age").hits] == [
        "SEIN-META",
        "POUMON",
    ]
    assert [names[hit.patient_id] for hit in search(context, "dyspnée", sort="age").hits] == ["SEIN-META", "POUMON"]
    assert search(context, "dyspnée", sort="date").hits[0].patient_id == search(context, "poumon").hits[0].patient_id
    assert search(context, "sein", page=10_000).hits == []


def test_a_patient_who_becomes_opposed_vanishes_before_the_index_follows(
    context: SearchContext, names: dict[int, str]
) -> None:
    lung = next(number for number, ipp in names.items() if ipp == "POUMON")
    breast = next(number for number, ipp in names.items() if ipp == "SEIN-META")
    with context.store.session() as session:
        session.get_one(Patient, lung).opposed = True
    try:
        for question in ("poumon", "dyspnée", "pembrolizumab", "-fatigue"):
            assert "POUMON" not in {names[hit.patient_id] for hit in search(context, question).hits}
        assert lung not in {item.patient_id for item in similar_patients(context, breast)}
        with pytest.raises(InputError):
            similar_patients(context, lung)
        assert "patient" not in {item.kind for item in suggest(context, "MARTIN", identities=True)}
    finally:
        with context.store.session() as session:
            session.get_one(Patient, lung).opposed = False


def test_facets_count_the_answer_and_each_narrows_it(context: SearchContext) -> None:
    for question in ("sein", "dyspnée", "", "sein opérées en 2019", "-fatigue"):
        total = search(context, question).total if question else 4
        for facet in facets(context, question):
            for value in facet.values:
                assert 0 < value.count <= total
                assert value.label
                if question in ("sein", "dyspnée"):
                    assert search(context, question, value.criterion).total == value.count, (facet.name, value)
    shown = {facet.name: [(value.label, value.count) for value in facet.values] for facet in facets(context, "sein")}
    assert shown["site"] == [("Sein", 2)]
    assert shown["stage"] == [("Stade I", 1), ("Stade II", 1)]
    assert shown["year"] == [("2019", 1), ("2018", 1)]
    assert ("HER2 positif", 1) in shown["biomarker"]
    assert shown["drug"] == [("pembrolizumab", 1)]
    assert facets(context, "😀") == []


def test_suggestions_go_on_from_what_is_typed(context: SearchContext) -> None:
    assert suggest(context, "pembro")[0].code == "L01FF02"
    last = suggest(context, "cancer du sein pembro")[0]
    assert last.text == "cancer du sein pembrolizumab"
    assert suggest(context, "") == []
    assert len(suggest(context, "car", limit=3)) <= 3


def test_names_are_suggested_only_to_those_who_may_see_them(context: SearchContext) -> None:
    assert not [item for item in suggest(context, "MAR") if item.kind == "patient"]
    people = [item.label for item in suggest(context, "mar", identities=True) if item.kind == "patient"]
    assert people == ["MARCHAND Camille", "MARTIN Camille"]
    assert not [item for item in suggest(context, "100%", identities=True) if item.kind == "patient"]


def test_similar_patients_come_with_what_they_share_and_what_not(context: SearchContext, names: dict[int, str]) -> None:
    ids = {ipp: number for number, ipp in names.items()}
    near = similar_patients(context, ids["SEIN-META"])
    assert [names[item.patient_id] for item in near] == ["SEIN-LOCAL", "POUMON"]
    best = near[0]
    assert 0 < near[1].score < best.score < 1
    assert "sein" in best.shared[0], "the weightiest first"
    assert "chirurgie" in best.shared
    assert "HER2 positif (et non négatif)" in best.different
    assert "stade I (et non II)" in best.different
    assert "sans pembrolizumab" in best.different
    assert "pembrolizumab" in near[1].shared
    assert similar_patients(context, ids["VIDE"]) == []
    with pytest.raises(InputError):
        similar_patients(context, 999_999)


def test_a_question_that_stops_at_a_small_word_goes_on_with_the_centres_usual_sites(context: SearchContext) -> None:
    found = suggest(context, "cancer du", 5)
    assert found
    assert {item.kind for item in found} == {"topography"}
    assert found[0].text == f"cancer du {found[0].label.lower()}"


def test_a_number_is_never_taken_for_another_number(context: SearchContext) -> None:
    assert search(context, "880011223").total == 1
    assert search(context, "880011224").total == 0
