"""What spares time changes nothing that is read."""

from __future__ import annotations

from itertools import islice

import pytest

from consore.language import Reader
from consore.language.anchored import Anchored, Places
from consore.language.constructs import constructs
from consore.language.fillers import without_fillers
from consore.language.layout import plain
from consore.language.sample import reports
from consore.model import Assertion, MentionKind

TEXTS = [*(sentence.text for sentence in constructs()), *islice(reports(3), 20)]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


def test_an_anchored_pattern_finds_what_the_pattern_finds() -> None:
    found = 0
    for text in map(plain, TEXTS):
        places = Places(text)
        for anchored in Anchored.known:
            expected = [match.span() for match in anchored.pattern.finditer(text)]
            here = [match.span() for match in anchored.within(text, places)]
            assert set(here) <= set(expected), anchored.pattern
            if not anchored.cased:
                assert here == expected, anchored.pattern
            found += len(here)
    assert found > 300


def test_a_text_without_fillers_knows_the_way_back() -> None:
    text = plain("Nous n'avons, à ce stade, pas manifestement retrouvé de récidive.")
    lean, _ = without_fillers(text, text)
    assert lean.text == "nous n'avons pas retrouve de recidive."
    start = lean.text.index("pas retrouve")
    first, last = lean.original(start, start + len("pas retrouve"))
    assert text[first:last] == "pas manifestement retrouve"


def test_an_adverb_inside_a_denial_does_not_hide_it(reader: Reader) -> None:
    for text in (
        "Nous avons à nos yeux écarté une récidive.",
        "La question posée était somme toute celle d'une récidive.",
    ):
        (recurrence,) = [m for m in reader.read(text) if m.kind is MentionKind.RECURRENCE]
        assert recurrence.assertion in (Assertion.NEGATED, Assertion.HYPOTHETICAL)


def test_an_adicap_code_tells_the_tumour_and_its_site_and_another_number_tells_nothing(reader: Reader) -> None:
    read = {
        (m.kind.value, m.code) for m in reader.read("Code ADICAP : BHGSA7B2. Lot ABQQA7B2.") if m.value == "BHGSA7B2"
    }
    assert read == {("morphology", "8500/3"), ("topography", "C50.9")}
    assert not [m for m in reader.read("Lot ABQQA7B2.") if m.kind is MentionKind.MORPHOLOGY]


def test_what_comes_back_and_is_no_tumour_is_no_recurrence(reader: Reader) -> None:
    assert not [m for m in reader.read("Aphtes récidivants.") if m.kind is MentionKind.RECURRENCE]
