"""The one normalisation: spans survive it, and documents and queries meet in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consore.referentials import fold, normalise, tokens_for_index
from consore.text import squeeze


@given(st.text())
def test_normalised_text_is_as_long_as_the_original(text: str) -> None:
    assert len(normalise(text)) == len(text)
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("L’Œsophage", "l'esophage"),
        ("CÔLON", "colon"),
        ("lobe supéro-externe", "lobe supero externe"),
        ("nævus", "nevus"),
    ],
)
def test_case_accents_ligatures_and_dashes_do_not_matter(written: str, expected: str) -> None:
    assert normalise(written) == expected


def test_a_question_in_the_singular_meets_a_report_in_the_plural() -> None:
    assert tokens_for_index("métastases de l’adénocarcinome") == tokens_for_index("Métastase de l'adénocarcinome")


def test_both_spellings_of_a_ligature_meet_in_the_index() -> None:
    assert tokens_for_index("œsophage, cæcum") == tokens_for_index("oesophage caecum")


@given(st.text(alphabet="ab é\n\t\u0301.,", max_size=40))
def test_squeezed_positions_lead_back_to_the_original_letters(text: str) -> None:
    short, offsets = squeeze(text)
    for position, letter in enumerate(short):
        if letter.isalpha():
            start = offsets.start(position) if offsets else position
            assert fold(text[start]) == letter
