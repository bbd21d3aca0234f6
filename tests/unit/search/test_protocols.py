"""The eligibility text of a protocol becomes criteria line by line, and what is not coded stays visible."""

from __future__ import annotations

import datetime as dt

import pytest

from consore.errors import InputError
from consore.referentials import terminology
from consore.search.protocols import Coverage, EligibilityLine, Part, eligible, read_protocol

TODAY = dt.date(2026, 6, 15)
FRENCH = """Principaux critères d'inclusion :
- Âge ≥ 18 ans
- Carcinome bronchique non à petites cellules histologiquement prouvé
- Stade IIIB ou IV
- PD-L1 ≥ 50 %
- Performance status ECOG 0-1
- Pas de traitement systémique antérieur pour la maladie métastatique
- Fonction rénale correcte
  (clairance de la créatinine > 50 ml/min)

Critères de non-inclusion :
1. Métastases cérébrales symptomatiques
2. Traitement antérieur par anti-PD-1 ou anti-PD-L1
3. Radiothérapie dans les 6 derniers mois
4. Grossesse ou allaitement
"""
ENGLISH = """Key Inclusion Criteria:
1. Age >= 18 years
2. Histologically confirmed HER2 positive breast cancer
3. Metastatic disease with at least two prior lines of therapy
Exclusion Criteria:
* Prior trastuzumab deruxtecan
* Known brain metastases
"""


def read(text: str) -> list[EligibilityLine]:
    return read_protocol(text, terminology(), today=TODAY)


def test_headings_in_french_or_english_say_what_a_line_is_for() -> None:
    assert [line.part for line in read(FRENCH)].count(Part.EXCLUSION) == 4
    assert [line.part for line in read(ENGLISH)].count(Part.EXCLUSION) == 2


def test_coded_lines_are_proposed_and_the_others_keep_their_words() -> None:
    by_text = {line.text: line for line in read(FRENCH)}
    assert by_text["Stade IIIB ou IV"].criteria == {"tumour": {"stage": ["IIIB", "IV"]}}
    assert by_text["Carcinome bronchique non à petites cellules histologiquement prouvé"].coverage is Coverage.WHOLE
    renal = next(line for text, line in by_text.items() if text.startswith("Fonction rénale"))
    assert (renal.coverage, renal.criteria, renal.accepted) == (Coverage.NOTHING, None, False)
    assert {"fonction", "renale"} <= set(renal.words)


def test_ages_of_a_protocol_are_those_of_today() -> None:
    assert read(FRENCH)[0].criteria == {"patient": {"currentAge": {"min": 18.0}}}


def test_an_exclusion_that_is_only_partly_coded_excludes_nobody_until_a_person_says_so() -> None:
    line = next(line for line in read(FRENCH) if line.text.startswith("Métastases cérébrales"))
    assert (line.coverage, line.accepted) == (Coverage.PARTLY, False)


def test_a_denial_that_nothing_coded_took_up_is_not_proposed() -> None:
    line = next(line for line in read(FRENCH) if line.text.startswith("Pas de traitement"))
    assert not line.accepted


def test_accepted_lines_together_are_the_criteria_of_the_trial() -> None:
    criteria = eligible(read(ENGLISH))
    assert criteria is not None
    inclusions, exclusions = criteria.as_json()["all"][:-1], criteria.as_json()["all"][-1]["none"]
    assert {"patient": {"currentAge": {"min": 18.0}}} in inclusions
    assert "{'treatment': {'line': {'min': 2.0}}}" in str(inclusions)
    assert {"treatment": {"drug": ["L01FD04"]}} in exclusions
    assert any("C71" in str(node) for node in exclusions)


@pytest.mark.parametrize("text", ["", "   ", "Critères d'inclusion :\n\nCritères d'exclusion :", "x" * 50_000])
def test_a_text_with_nothing_to_read_says_so(text: str) -> None:
    with pytest.raises(InputError) as error:
        read(text)
    assert error.value.hint


def test_lines_without_a_heading_have_to_be_met() -> None:
    assert [line.part for line in read("Cancer du sein\nHER2 positif")] == [Part.INCLUSION, Part.INCLUSION]
