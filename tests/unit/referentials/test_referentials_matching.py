"""What a reader of reports and a typer of questions get from the code systems."""

from itertools import pairwise

import pytest

from consore.referentials import Match, Terminology, terminology


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


def found(known: Terminology, text: str, kind: str) -> list[tuple[str, str | None]]:
    return [(m.text, m.code) for m in known.match(text) if m.kind == kind]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("cancer du sein", "C50.9"),
        ("tumeur du QSE du sein gauche", "C50.4"),
        ("Cancer bronchique", "C34.9"),
        ("lésion du lobe supérieur droit", "C34.1"),
        ("tumeur du côlon sigmoïde", "C18.7"),
        ("TUMEUR DE L'OESOPHAGE", "C15.9"),
        ("tumeur de l’œsophage", "C15.9"),
        ("tumeurs ovariennes", "C56.9"),
        ("moelle osseuse envahie", "C42.1"),
    ],
)
def test_an_organ_is_found_as_oncologists_write_it(known: Terminology, text: str, code: str) -> None:
    assert code in [c for _, c in found(known, text, "topography")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CCI du sein", "8500/3"),
        ("carcinomes canalaires infiltrants", "8500/3"),
        ("ADK", "8140/3"),
        ("CBNPC", "8046/3"),
        ("CHC multifocal", "8170/3"),
        ("LDGCB", "9680/3"),
        ("carcinome à petites cellules", "8041/3"),
        ("un K du sein", "8000/3"),
        ("mélanome malin", "8720/3"),
    ],
)
def test_a_histology_is_found_with_its_abbreviations_and_plurals(known: Terminology, text: str, code: str) -> None:
    assert [c for _, c in found(known, text, "morphology")] == [code]


@pytest.mark.parametrize(
    "text", ["au sein du service", "potassium K 4,2", "survie OS 12 mois", "par voie orale", "trouble thymique"]
)
def test_everyday_words_are_not_tumours(known: Terminology, text: str) -> None:
    assert not [m for m in known.match(text) if m.kind in ("topography", "morphology")]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("métastases hépatiques", ["C22.0"]),
        ("lésions secondaires osseuses", ["C41.9"]),
        ("lésions hépatiques secondaires", ["C22.0"]),
        ("mets pulmonaires", ["C34.9"]),
        ("M1 hep", ["C22.0"]),
        ("carcinose péritonéale", ["C48.2"]),
        ("métastases hépatiques, osseuses et pulmonaires", ["C22.0", "C41.9", "C34.9"]),
        ("métastase dans la glande surrénale et le foie", ["C74.9", "C22.0"]),
        ("métastases multiples. Foie normal", [None]),
        ("cancer métastatique du sein", [None]),
    ],
)
def test_a_metastasis_carries_its_site(known: Terminology, text: str, codes: list[str | None]) -> None:
    assert [c for _, c in found(known, text, "metastasis")] == codes


@pytest.mark.parametrize(
    ("text", "atc"),
    [
        ("Keytruda®", "L01FF02"),
        ("pembrolizumab", "L01FF02"),
        ("T-DXd", "L01FD04"),
        ("trastuzumab déruxtécan", "L01FD04"),
        ("5-FU", "L01BC02"),
        ("OSIMERTINIB", "L01EB04"),
        ("letrozole", "L02BG04"),
    ],
)
def test_a_drug_is_found_by_its_inn_brand_or_abbreviation(known: Terminology, text: str, atc: str) -> None:
    assert [c for _, c in found(known, text, "drug")] == [atc]


@pytest.mark.parametrize(
    ("text", "code"),
    [("mFOLFOX6", "REG:FOLFOX"), ("FEC 100", "REG:FEC100"), ("R-CHOP 21", "REG:R_CHOP"), ("EC x 4", "REG:EC")],
)
def test_a_regimen_is_found_by_its_names(known: Terminology, text: str, code: str) -> None:
    assert [c for _, c in found(known, text, "regimen")] == [code]


@pytest.mark.parametrize("text", ["AP : alvéolite", "protides 7,3 g/dl", "lésion de S1-S2"])
def test_numbers_and_initials_are_not_treatments(known: Terminology, text: str) -> None:
    assert not [m for m in known.match(text) if m.kind in ("regimen", "drug")]


def test_the_grade_of_a_toxicity_is_not_the_grade_of_a_tumour(known: Terminology) -> None:
    assert not found(known, "neuropathie périphérique de grade 2", "grade")
    assert [c for _, c in found(known, "carcinome de grade 2", "grade")] == ["GRADE:2"]


def test_a_short_regimen_name_alone_is_not_a_regimen(known: Terminology) -> None:
    assert not found(known, "EP bilatérale et TC cérébral, service AC", "regimen")


@pytest.mark.parametrize("text", ["RE 90 %, RP 80 %", "RE+, RP+, HER2-", "RE positifs, RP négatifs", "RO+ RP+"])
def test_hormone_receptors_are_found_by_their_initials(known: Terminology, text: str) -> None:
    assert [c for _, c in found(known, text, "biomarker")][:2] == ["ER", "PR"]


def test_nothing_to_report_is_not_a_gene(known: Terminology) -> None:
    assert not found(known, "Auscultation : RAS. RE-évaluation, Pr Martin", "biomarker")


def test_a_status_said_by_the_words_themselves_comes_with_them(known: Terminology) -> None:
    match = next(m for m in known.match("cancer du sein triple négatif") if m.kind == "biomarker")
    assert (match.code, match.value) == ("TNBC", "positive")


def test_a_gene_of_routine_is_a_biomarker_and_an_alteration(known: Terminology) -> None:
    kinds = {m.kind: m.code for m in known.match("mutation de l'EGFR")}
    assert kinds == {"biomarker": "EGFR", "alteration": "EGFR"}


def test_spans_are_of_the_original_text_across_line_ends_and_loose_accents(known: Terminology) -> None:
    text = "Me\u0301tastases \n   hépatiques.\n\nCancer  du\n sein"
    matches: list[Match] = known.match(text)
    assert all(text[m.start : m.end] == m.text for m in matches)
    assert ("metastasis", "C22.0") in {(m.kind, m.code) for m in matches}
    assert ("topography", "C50.9") in {(m.kind, m.code) for m in matches}


def test_matches_of_one_kind_never_overlap(known: Terminology) -> None:
    text = "carcinome canalaire infiltrant du quadrant supéro-externe du sein, curage axillaire, mastectomie totale"
    by_kind: dict[str, list[Match]] = {}
    for match in known.match(text):
        by_kind.setdefault(match.kind, []).append(match)
    for matches in by_kind.values():
        assert all(a.end <= b.start for a, b in pairwise(matches))


def test_an_empty_text_has_no_match(known: Terminology) -> None:
    assert known.match("") == []
