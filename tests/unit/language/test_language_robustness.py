"""Whatever is given as a report is read without a crash, and every mention is where it says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consore.language import Reader

PIECES = st.sampled_from(
    [
        "Pas de métastase hépatique, ",
        "RÉCIDIVE LOCALE ",
        "pT2(m) N1a(2/15)",
        " RE 90 % +++",
        "HER2 1+",
        "\n\n",
        "\t|\t",
        "ATCD familiaux : ",
        "cancer du sein chez sa mère",
        "FOLFOX+bévacizumab",
        "me\u0301tastases",
        "carci-\nnome",
        "\x00\ufffd",
        "\u00ad",
        "50 Gy/25 fr",
        "le 3 mars 2021",
        "EGFR c.2573T>G p.(Leu858Arg)",
        "si progression, ",
        "n'a pas été retrouvée",
        "\u2019",
        "œ",
        "The patient has breast cancer. ",
        "\ud800",
        " ; ",
        "ß",
    ]
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=30).map("".join))
def test_a_mention_is_the_text_between_its_offsets(reader: Reader, text: str) -> None:
    for mention in reader.read(text):
        assert text[mention.start : mention.end] == mention.text
        assert 0 <= mention.start < mention.end <= len(text)
        assert 0.0 <= mention.confidence <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "\x00\x01\x02" * 2000,
        "a" * 50_000,
        "(" * 5_000,
        "ne pas " * 5_000,
        "si " * 10_000,
        "métastase, " * 3_000,
        "pas de récidive ni de métastase " * 2_000,
        "T2 N1 M0 ; RE 90 % ; HER2 2+ | " * 1_000,
        "12/03/2021 " * 5_000,
        "El paciente presenta un carcinoma ductal de mama. " * 200,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_odd_texts_are_read(reader: Reader, text: str) -> None:
    assert all(text[m.start : m.end] == m.text for m in reader.read(text))
