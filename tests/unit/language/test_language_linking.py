"""What words are linked to: misspelt, in another order, shortened, of a behaviour or a tissue that other words tell."""

from __future__ import annotations

import pytest

from consore.language import Reader
from consore.language.linking import Linker, Tagged
from consore.language.tagger import SHIPPED_WEIGHTS
from consore.language.wordings import Wordings, spelt_out
from consore.model import Mention, MentionKind, System
from consore.referentials import Refusal, tables, terminology

KNOWN = terminology()


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


@pytest.fixture(scope="module")
def wordings() -> Wordings:
    return Wordings(KNOWN, {})


def coded(mentions: list[Mention]) -> set[tuple[str, str | None]]:
    return {(mention.text, mention.code) for mention in mentions}


@pytest.mark.parametrize(
    ("text", "written", "code"),
    [
        ("Adénocarcimone du côlon.", "Adénocarcimone", "8140/3"),
        ("Apparition de métastses hépatiques.", "métastses hépatiques", "C22.0"),
        ("Cure de pembrolizumba ce jour.", "pembrolizumba", "L01FF02"),
        ("CURE DE PEMBROLIZUMBA CE JOUR.", "PEMBROLIZUMBA", "L01FF02"),
        ("Reprise du paclitaxle hebdomadaire.", "paclitaxle", "L01CD01"),
        ("Masse du pancre\u0301sa et douleur abdminale ; cure de pembrolizumba.", "pembrolizumba", "L01FF02"),
    ],
)
def test_a_misspelt_name_is_found_where_it_was_written(reader: Reader, text: str, written: str, code: str) -> None:
    assert (written, code) in coded(reader.read(text))


@pytest.mark.parametrize(
    "word",
    ["personne", "lunettes", "périodiques", "hémothorax", "biopsiées", "tomodensitométriques", "carotte", "Provence"],
)
def test_a_word_that_is_only_like_a_name_stays_as_it_is(word: str) -> None:
    assert KNOWN.slips.meant(word) is None


def test_a_slip_is_forgiven_in_long_words_alone_and_never_in_the_first_letter() -> None:
    assert KNOWN.slips.meant("hapatiques") == "hepatiques"
    assert [KNOWN.slips.meant(word) for word in ("sien", "fioe", "nepatiques", "hapetiqes")] == [None] * 4


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("carcinome rénal multicentrique à cellules claires", "8310/3"),
        ("adénocarcinomes pulmonaires infiltrants papillaires", "8260/3"),
        ("carcinome infiltrant de type non", "8010/3"),  # no « carcinome non infiltrant »
        ("mélanome non desmoplastique", "8720/3"),
        ("xanthroastrocytome anaplasique pléomorphe", "9424/3"),
    ],
)
def test_a_histology_is_known_by_its_words_wherever_they_stand(
    wordings: Wordings, written: str, code: str | None
) -> None:
    assert wordings.named(MentionKind.MORPHOLOGY, written) == code


def test_a_word_that_is_a_name_in_some_places_only_is_none_by_itself(wordings: Wordings) -> None:
    named = [wordings.named(MentionKind.TOPOGRAPHY, word) for word in ("front", "hépatique")]
    assert named == [None, "C22.0"]  # the front of an invasion is no part of the face


@pytest.mark.parametrize(
    ("written", "named", "code"),
    [
        ("foyer hypermétabolique", None, "8000/9"),
        ("tumeur ovarienne primitive", "8000/1", "8000/3"),
        ("reliquat tumoral", None, "8000/3"),
        ("lésion bénigne", "8000/1", "8000/0"),
        ("séminome in situ", "9061/3", "9061/2"),
        ("séminome", "9061/3", "9061/3"),
    ],
)
def test_the_words_beside_a_tumour_tell_its_behaviour(
    wordings: Wordings, written: str, named: str | None, code: str
) -> None:
    assert wordings.behaving(written, named) == code


@pytest.mark.parametrize(
    ("written", "inside", "code"),
    [
        ("cutanée de l'abdomen", ["C44.9", "C76.2"], "C44.5"),
        ("ganglionnaires rétropéritonéaux", ["C77.9", "C48.0"], "C77.2"),
        ("pulmonaire LSD", ["C34.9", "C34.1"], "C34.1"),
        ("pancréatique tête-corps", ["C25.9", "C25.0", "C25.1"], "C25.8"),
    ],
)
def test_a_tissue_in_a_region_and_parts_of_an_organ_are_one_site(
    wordings: Wordings, written: str, inside: list[str], code: str
) -> None:
    assert wordings.site(written, inside) == code


@pytest.mark.parametrize(("written", "code"), [("L1", "C41.2"), ("D2 à D4", "C41.2"), ("S1", "C41.4")])
def test_vertebrae_are_known_by_their_numbers(wordings: Wordings, written: str, code: str) -> None:
    assert wordings.site(written, ()) == code


@pytest.mark.parametrize(
    ("text", "site", "code"),
    [("Lésion de la fesse.", "fesse", "C76.3"), ("Mélanome de la fesse.", "fesse", "C44.5")],
)
def test_a_region_is_its_skin_where_a_tumour_of_the_skin_is_named(text: str, site: str, code: str) -> None:
    linker = Linker(KNOWN, SHIPPED_WEIGHTS)
    found = linker.tumour_mentions(text, KNOWN.match(text), [_tagged_site(text, site)])
    assert (site, code) in coded(found)


def _tagged_site(text: str, site: str) -> Tagged:
    start = text.index(site)
    return Tagged(start, start + len(site), "topography", 1.0)


def test_every_code_of_the_rules_is_one_of_the_classification() -> None:
    rows = tables("icdo3_topography")["tissues"]
    assert rows
    assert not [row for row in rows if KNOWN.concept(System.ICDO3_T.value, row["code"]) is None]


@pytest.mark.parametrize(
    ("words", "beside", "short"),
    [
        ("tumeur myofibroblastique inflammatoire", " (TMI)", "TMI"),
        ("tumeur germinale non séminomateuse", " (NSGT)", "NSGT"),  # the order of the English
        ("sarcome de Kaposi", " (VIH)", None),
        ("sarcome de Kaposi", "", None),
    ],
)
def test_an_abbreviation_stands_for_the_words_that_explain_it(words: str, beside: str, short: str | None) -> None:
    assert spelt_out(words + beside, 0, len(words)) == short


def _tagged(text: str, *written: str) -> list[Tagged]:
    return [Tagged(text.index(w), text.index(w) + len(w), "morphology", 0.9) for w in written]


def test_an_abbreviation_is_coded_as_the_report_explains_it() -> None:
    text = "Tumeur myofibroblastique inflammatoire (TMI). Exérèse de la TMI, puis d'une TXQ."
    tagged = _tagged(text, "Tumeur myofibroblastique inflammatoire", "TMI", "TXQ")
    read = Linker(KNOWN, SHIPPED_WEIGHTS).tumour_mentions(text, KNOWN.match(text), tagged)
    assert {("TMI", "8825/1"), ("TXQ", "8000/3")} <= coded(read)


def test_a_metastasis_of_a_named_histology_keeps_it() -> None:
    text = "Carcinome épidermoïde métastatique."
    tagged = [Tagged(0, len(text) - 1, "metastasis", 0.9)]
    read = Linker(KNOWN, SHIPPED_WEIGHTS).tumour_mentions(text, KNOWN.match(text), tagged)
    assert "8070/6" in {mention.code for mention in read}


@pytest.mark.parametrize(
    ("text", "written", "silent"),
    [
        ("Vu avec le Dr Burkitt ce jour.", "Burkitt", True),
        ("Une maladie osseuse de Paget est connue.", "Paget", True),
        ("Lymphome de Burkitt.", "Lymphome de Burkitt", False),
    ],
)
def test_what_means_something_else_is_no_tumour_though_the_tagger_saw_one(
    text: str, written: str, silent: bool
) -> None:
    refused: list[Refusal] = []
    matches = KNOWN.match(text, refused)
    read = Linker(KNOWN, SHIPPED_WEIGHTS).tumour_mentions(text, matches, _tagged(text, written), refused=refused)
    assert (not [m for m in read if m.kind is MentionKind.MORPHOLOGY]) is silent
