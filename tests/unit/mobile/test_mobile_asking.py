"""A search under way: chips that can be removed, filters that combine, pages that add up."""

from __future__ import annotations

from consore_mobile.answers import Alternative, Chip, Facet, FacetValue, Hit, PatientLine, SearchResult
from consore_mobile.asking import Asking

SEIN = FacetValue("C50", "Sein", 4, {"tumour": {"topography": ["C50"]}})
COLON = FacetValue("C18", "Côlon", 2, {"tumour": {"topography": ["C18"]}})
FEMALE = FacetValue("female", "Femme", 4, {"patient": {"sex": "female"}})
SITE, SEX = Facet("topography", "Localisation", [SEIN, COLON]), Facet("sex", "Sexe", [FEMALE])


def _chip(question: str, words: str) -> Chip:
    start = question.index(words)
    return Chip(words, start, start + len(words), "topography", words, False, {})


def _page(count: int, total: int) -> SearchResult:
    hit = Hit(PatientLine("1", "Femme", "female", "alive"), 1.0, [], [])
    return SearchResult([], [], total, [hit] * count, 3, criteria={"patient": {"sex": "female"}})


def test_a_removed_chip_leaves_a_clean_question() -> None:
    asking = Asking()
    question = "cancer du sein, triple négatif avant 50 ans"
    asking.ask(question)
    assert asking.without(_chip(question, "triple négatif")) == "cancer du sein, avant 50 ans"
    assert asking.without(_chip(question, "cancer du sein")) == "triple négatif avant 50 ans"


def test_values_of_a_facet_are_alternatives_and_facets_add_up() -> None:
    asking = Asking()
    assert asking.criteria is None
    asking.toggle(SITE, SEIN)
    assert asking.criteria == SEIN.criterion
    asking.toggle(SITE, COLON)
    asking.toggle(SEX, FEMALE)
    assert asking.criteria == {"all": [{"any": [SEIN.criterion, COLON.criterion]}, FEMALE.criterion]}
    asking.toggle(SITE, SEIN)
    asking.drop(FEMALE)
    assert asking.criteria == COLON.criterion
    assert asking.is_chosen(SITE, COLON)


def test_another_question_drops_the_filters_and_the_same_one_keeps_them() -> None:
    asking = Asking()
    asking.ask("sein")
    asking.toggle(SEX, FEMALE)
    asking.ask(" sein ")
    assert asking.filters == [FEMALE]
    asking.ask("côlon")
    assert asking.filters == []


def test_pages_add_up_until_the_total() -> None:
    asking = Asking()
    asking.ask("sein")
    version = asking.version
    asking.receive(_page(20, 43))
    asking.receive(_page(20, 43))
    assert asking.has_more
    asking.receive(_page(3, 43))
    assert (len(asking.hits), asking.page, asking.has_more) == (43, 3, False)
    asking.restart()
    assert (asking.hits, asking.page, asking.version) == ([], 0, version + 1)


def test_what_is_counted_elsewhere_is_what_the_server_understood() -> None:
    asking = Asking()
    assert asking.counted_criteria is None
    asking.receive(_page(1, 1))
    assert asking.counted_criteria == {"patient": {"sex": "female"}}


def test_a_page_that_comes_back_empty_ends_the_list() -> None:
    asking = Asking()
    asking.receive(_page(20, 43))
    asking.receive(_page(0, 43))
    assert not asking.has_more


def test_a_cohort_holds_what_was_understood_and_the_words_left_over_in_one_document() -> None:
    asking = Asking()
    assert asking.cohort_criteria is None
    asking.receive(_page(1, 1))
    assert asking.cohort_criteria == {"patient": {"sex": "female"}}
    asking.receive(SearchResult([], ["fatigue", "jambe"], 1, [], 3, criteria={"patient": {"sex": "female"}}))
    words = {"document": {"text": "fatigue jambe"}}
    assert asking.cohort_criteria == {"all": [{"patient": {"sex": "female"}}, words]}
    asking.receive(SearchResult([], ["fatigue"], 1, [], 3, criteria=None))
    assert asking.cohort_criteria == {"document": {"text": "fatigue"}}


def test_another_reading_takes_the_place_of_its_words() -> None:
    asking = Asking()
    asking.ask("cancer du pouumon opéré")
    chip = Chip("pouumon", 10, 17, "topography", "Poumon", False, {})
    assert asking.instead(chip, Alternative("tel quel", '"pouumon"')) == 'cancer du "pouumon" opéré'
