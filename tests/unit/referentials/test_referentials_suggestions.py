"""A few letters, a code or a brand, well or badly typed, suggest what was meant."""

from pathlib import Path

import pytest

from consore.referentials import Terminology, terminology


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("prostatte", "C61.9"),
        ("pembrolizmab", "L01FF02"),
        ("canser du sein", "C50.9"),
        ("C50.4", "C50.4"),
        ("c504", "C50.4"),
        ("c50", "C50.9"),
        ("8500/3", "8500/3"),
        ("85003", "8500/3"),
        ("L01FF02", "L01FF02"),
        ("l01ff02", "L01FF02"),
        ("QEFA004", "QEFA004"),
        ("qefa004", "QEFA004"),
        ("D05.1", "D05.1"),
        ("Œso", "C15.9"),
        ("oeso", "C15.9"),
        ("cancer du sein", "C50.9"),
        ("FOLFIRNOX", "REG:FOLFIRINOX"),
        ("r-chop", "REG:R_CHOP"),
        ("côlon sigm", "C18.7"),
        ("her2", "HER2"),
        ("5-fu", "L01BC02"),
    ],
)
def test_what_was_meant_comes_first(known: Terminology, typed: str, code: str) -> None:
    assert known.suggest(typed, limit=5)[0].code == code


@pytest.mark.parametrize(
    ("typed", "label", "matched"),
    [("keytru", "pembrolizumab", "Keytruda"), ("pembroliz", "pembrolizumab", None), ("L01FF02", "pembrolizumab", None)],
)
def test_the_name_that_was_typed_comes_with_the_concept(
    known: Terminology, typed: str, label: str, matched: str | None
) -> None:
    first = known.suggestions(typed, limit=1)[0]
    assert (first.concept.label, first.matched) == (label, matched)


def test_a_misspelling_is_never_shown(known: Terminology) -> None:
    for drug in known.concepts("ATC", "drug")[::7]:
        for name in drug.called("misspelling"):
            assert name not in [one.matched for one in known.suggestions(name)], name


def test_a_concept_comes_once(known: Terminology) -> None:
    found = [(c.system, c.code) for c in known.suggest("ca", limit=50)]
    assert len(found) == len(set(found)) == 50


@pytest.mark.parametrize("typed", ["C", "c5", "5", "/", "C50.4 C50.4", "000", "-", "M8500/3", "a" * 300, "\ud800"])
def test_no_beginning_at_all_is_an_error(known: Terminology, typed: str) -> None:
    assert len(known.suggest(typed)) <= 10


def test_the_words_of_a_site_are_suggested(tmp_path: Path) -> None:
    folder = tmp_path / "site" / "icdo3_topography"
    folder.mkdir(parents=True)
    (folder / "local_terms.csv").write_text("code,term,form\nC50.4,zorglub externe,exact\n", encoding="utf-8")
    (first,) = terminology(site=tmp_path / "site").suggestions("zorgl")
    assert (first.concept.code, first.matched) == ("C50.4", "zorglub externe")


def test_codes_of_pathologists_come_to_who_asks_for_them(known: Terminology) -> None:
    assert "ADICAP" not in {found.system for found in known.suggest("sein", limit=30)}
    assert "ADICAP" in {found.system for found in known.suggest("sein", systems=["ADICAP"])}
