"""However a form is written in a report, it is found, and its span is of the report itself."""

import unicodedata
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consore.language.sample import reports
from consore.referentials import Terminology, terminology

KNOWN = terminology()
FORMS = sorted(
    (concept.code, name)
    for concept in (*KNOWN.concepts(kind="topography"), *KNOWN.concepts(kind="drug"))
    for name in concept.synonyms
    if len(name) > 5 and name.replace(" ", "").isalpha()
)


@pytest.fixture(scope="module")
def known() -> Terminology:
    return KNOWN


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("l'ovaire", "C56.9"),
        ("l’ovaire", "C56.9"),
        ("d’origine pancréatique", "C25.9"),
        ("D'ORIGINE PANCRÉATIQUE", "C25.9"),
        ("tumeurs ovariennes", "C56.9"),
        ("l'œsophage", "C15.9"),
        ("l'oesophage", "C15.9"),
        ("L'ŒSOPHAGE", "C15.9"),
        ("L’OESOPHAGE", "C15.9"),
        ("le cæcum", "C18.0"),
        ("le caecum", "C18.0"),
        ("le CÆCUM", "C18.0"),
        ("côlon sigmoide", "C18.7"),
        ("colon\nsigmoïde", "C18.7"),
        ("côlon   sigmoïde", "C18.7"),
        ("côlon\r\n   sigmoïde", "C18.7"),
        ("côlon\u00a0sigmoïde", "C18.7"),
        ("quadrant supéro-externe", "C50.4"),
        ("quadrant supéro externe", "C50.4"),
        ("quadrant supéro‑externe", "C50.4"),
        ("QUADRANT SUPERO-EXTERNE", "C50.4"),
        (unicodedata.normalize("NFD", "quadrant supéro-externe"), "C50.4"),
        ("du poumon.", "C34.9"),
        ("(poumon)", "C34.9"),
        ("poumon/foie", "C34.9"),
        ("«poumon»", "C34.9"),
        ("poumon🙂", "C34.9"),
    ],
)
def test_an_organ_is_found_however_it_is_written(known: Terminology, text: str, code: str) -> None:
    matches = [m for m in known.match(text) if m.kind == "topography"]
    assert code in [m.code for m in matches]
    assert all(text[m.start : m.end] == m.text for m in matches)


@pytest.mark.parametrize("text", ["poumons2x", "Фpoumon", "hypoumon", "quadrant, supéro-externe", "quadrant\n\nsupéro"])
def test_a_part_of_a_word_and_words_of_two_sentences_are_no_form(known: Terminology, text: str) -> None:
    assert {m.code for m in known.match(text)} & {"C34.9", "C50.4"} == set()


def acts(root: Path, *labels: str) -> Terminology:
    folder = root / "ccam"
    folder.mkdir()
    (folder / "source.toml").write_text(
        'system = "CCAM"\nname = "m"\nedition = "1"\nlicence = "x"\norigin = "y"\nkind = "procedure"\n',
        encoding="utf-8",
    )
    rows = "".join(f"A{number},{label}\n" for number, label in enumerate(labels, start=1))
    (folder / "concepts.csv").write_text(f"code,label\n{rows}", encoding="utf-8")
    return terminology(root)


def test_the_accent_of_the_last_letter_belongs_to_the_match(tmp_path: Path) -> None:
    made = acts(tmp_path, "Zorglé")
    (match,) = made.match("un zorgle\u0301 de plus")
    assert match.text == "zorgle\u0301"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.text(alphabet="abé œ\n.,(’2🙂\u0301", max_size=20),
    st.text(alphabet="abé œ\n.,)’2🙂", max_size=20),
    st.sampled_from(
        [str, str.upper, str.title, lambda s: unicodedata.normalize("NFD", s), lambda s: s.replace(" ", "\n")]
    ),
)
def test_a_form_is_found_in_any_surroundings(form: tuple[str, str], before: str, after: str, written) -> None:  # type: ignore[no-untyped-def]
    _, name = form
    words = written(name)
    text = f"{before} -- {words} -- {after}"
    start = len(before) + 4
    covering = [m for m in KNOWN.match(text) if m.start <= start and m.end >= start + len(words)]
    alone = [m.code for m in KNOWN.match(words) if (m.start, m.end) == (0, len(words))]
    assert {m.code for m in covering} >= set(alone)
    assert all(text[m.start : m.end] == m.text for m in KNOWN.match(text))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    for match in KNOWN.match(text):
        assert text[match.start : match.end] == match.text
        assert match.start < match.end


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([name for _, name in FORMS[::7]] + [" ", "\n\n", ", ", " de ", "\u0301", "œ"]), max_size=12
    )
)
def test_spans_hold_in_texts_made_of_forms(parts: list[str]) -> None:
    text = "".join(parts)
    matches = KNOWN.match(text)
    assert all(text[m.start : m.end] == m.text for m in matches)
    assert matches == sorted(matches, key=lambda m: (m.start, -m.end))


def test_loose_accents_change_nothing_that_is_found(known: Terminology) -> None:
    text = "\n".join(islice(reports(), 20))
    loose = unicodedata.normalize("NFD", text)
    assert [m.code for m in known.match(loose)] == [m.code for m in known.match(text)]


def test_a_lone_surrogate_does_no_harm(known: Terminology) -> None:
    assert [m.code for m in known.match("\ud800 poumon \udfff") if m.kind == "topography"] == ["C34.9"]


def test_a_long_act_is_found_whole_and_not_by_its_beginning(tmp_path: Path) -> None:
    long = "Exérèse de tumeur du cervelet par craniotomie occipitale avec repérage"
    made = acts(tmp_path, long, "Exérèse de tumeur du cervelet par craniotomie")
    assert [(m.code, m.text) for m in made.match(f"Fait : {long}.")] == [("A1", long)]
    assert [m.code for m in made.match("exérèse de tumeur du cervelet par craniotomie simple")] == ["A2"]
    assert made.match("exérèse de tumeur du cervelet par voie basse") == []
