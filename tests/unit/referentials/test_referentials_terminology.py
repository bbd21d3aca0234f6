"""Codes looked up, climbed and suggested; folders that cannot be read say why."""

from pathlib import Path

import pytest

from consore.errors import ConfigurationError
from consore.model import DocumentKind, System, TreatmentType
from consore.referentials import Terminology, terminology


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


def test_an_unknown_code_is_its_own_label(known: Terminology) -> None:
    assert known.label("ATC", "Z99ZZ99") == "Z99ZZ99"
    assert known.label("ICD-O-3-T", "C22.0") == "Foie"


def test_a_sigmoid_tumour_is_a_colorectal_and_a_digestive_one(known: Terminology) -> None:
    assert known.ancestors("ICD-O-3-T", "C18.7") == ["C18", "C18-C20", "C15-C26"]


def test_a_drug_lies_under_its_class(known: Terminology) -> None:
    assert known.ancestors("ATC", "L01FF02") == ["L01FF", "L01F", "L01", "L"]


def test_a_general_word_means_more_in_a_question(known: Terminology) -> None:
    assert known.widened("ICD-O-3-T", "C34.9") == "C34"
    assert known.widened("ICD-O-3-T", "C34.1") == "C34.1"


def test_every_parent_and_every_drug_of_a_regimen_is_known(known: Terminology) -> None:
    for concept in known.concepts("ICD-O-3-T") + known.concepts("ICD-O-3-M"):
        assert all(known.concept(concept.system, parent) for parent in concept.parents), concept.code
    for regimen in known.concepts(kind="regimen"):
        assert known.regimen(regimen.code), regimen.code
        assert all(known.drug(atc) for _, atc in known.regimen(regimen.code)), regimen.code


def test_folfox_is_three_drugs_and_chemotherapy(known: Terminology) -> None:
    assert {inn for inn, _ in known.regimen("REG:FOLFOX")} == {"acide folinique", "fluorouracile", "oxaliplatine"}
    assert known.treatment_type_of_regimen("REG:FOLFOX") is TreatmentType.CHEMOTHERAPY


@pytest.mark.parametrize(
    ("atc", "expected"),
    [
        ("L01FF02", TreatmentType.IMMUNOTHERAPY),
        ("L01EB04", TreatmentType.TARGETED),
        ("L02BA01", TreatmentType.HORMONOTHERAPY),
        ("L01CD01", TreatmentType.CHEMOTHERAPY),
        ("L01XL03", TreatmentType.CELL_THERAPY),
        ("A04AA01", TreatmentType.OTHER),
    ],
)
def test_a_drug_tells_what_treatment_it_is(known: Terminology, atc: str, expected: TreatmentType) -> None:
    assert known.treatment_type_of_drug(atc) is expected


def test_an_act_tells_what_treatment_it_is(known: Terminology) -> None:
    assert known.treatment_type_of_act("QEFA004") is TreatmentType.SURGERY
    assert known.treatment_type_of_act("PROC:stereotactic") is TreatmentType.RADIOTHERAPY
    assert known.treatment_type_of_act("PROC:biopsy") is None
    assert known.treatment_type_of_act("unknown") is None


@pytest.mark.parametrize(
    ("cim10", "topography"),
    [("C504", "C50.4"), ("C50.4", "C50.4"), ("C61", "C61.9"), ("C43.5", "C44.5"), ("C83.3", "C77.9"), ("I10", None)],
)
def test_a_hospital_diagnosis_gives_its_organ(known: Terminology, cim10: str, topography: str | None) -> None:
    assert known.topography_of_cim10(cim10) == topography


@pytest.mark.parametrize(
    ("typed", "code"),
    [("sein", "C50.9"), ("prosta", "C61.9"), ("pembro", "L01FF02"), ("keytr", "L01FF02"), ("oesoph", "C15.9")],
)
def test_a_few_letters_suggest_the_concept(known: Terminology, typed: str, code: str) -> None:
    assert code in [concept.code for concept in known.suggest(typed, limit=5)]


@pytest.mark.parametrize(
    ("typed", "code"), [("pembrolizumb", "L01FF02"), ("prosttate", "C61.9"), ("melanone", "8720/3")]
)
def test_a_typing_error_is_forgiven(known: Terminology, typed: str, code: str) -> None:
    assert code in [concept.code for concept in known.suggest(typed, limit=5)]


@pytest.mark.parametrize("typed", ["", "  ", "🙂", "x" * 10_000, "le la les"])
def test_nothing_sensible_suggests_nothing_or_little(known: Terminology, typed: str) -> None:
    assert len(known.suggest(typed)) <= 10


def test_suggestions_can_be_kept_to_one_system(known: Terminology) -> None:
    assert {c.system for c in known.suggest("ca", systems=[System.ATC.value])} == {"ATC"}


def test_the_editions_in_force_are_told(known: Terminology) -> None:
    editions = {edition.name: edition for edition in known.editions()}
    assert all(edition.edition and edition.licence and edition.origin for edition in editions.values())
    assert known.forms >= 25_000


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Compte rendu opératoire", DocumentKind.SURGERY),
        ("CRO", DocumentKind.SURGERY),
        ("COMPTE-RENDU D'ANATOMOPATHOLOGIE", DocumentKind.PATHOLOGY),
        ("Fiche RCP sein du 12/03", DocumentKind.MDT),
        ("zorglub", None),
    ],
)
def test_the_title_of_a_document_tells_its_kind(known: Terminology, title: str, kind: DocumentKind | None) -> None:
    assert known.document_kind(title) is kind


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No code system"):
        terminology(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "source.toml").write_text(
        'system = "LOCAL"\nname = "m"\nedition = "1"\nlicence = "x"\norigin = "y"\n', encoding="utf-8"
    )
    (folder / "concepts.csv").write_text("code;label\nA;b\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"concepts\.csv lacks the column"):
        terminology(tmp_path)
