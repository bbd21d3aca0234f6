"""Notations as people write them, and the same letters where they mean something else."""

from __future__ import annotations

import datetime as dt

import pytest

from consore.language import Reader
from consore.model import MentionKind

DOCUMENT_DATE = dt.date(2024, 5, 2)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


def values(reader: Reader, text: str, kind: MentionKind) -> list[tuple[str | None, str | None]]:
    return [(m.code, m.value) for m in reader.read(text, date=DOCUMENT_DATE) if m.kind is kind]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("classée pT2N1M0", "pT2N1M0"),
        ("cT3 N0 M0", "cT3N0M0"),
        ("ypT1c pN1mi (sn)", "ypT1cN1mi(sn)"),
        ("tumeur T4d", "T4d"),
        ("T2 N1 M0", "T2N1M0"),
        ("usT3N1", "usT3N1"),
        ("pTis", "pTis"),
        ("M1b", "M1b"),
        ("pT2 cN1", "pT2cN1"),
        ("pT3 pN2a cM0", "pT3N2aM0"),
    ],
)
def test_tnm_is_read_in_its_usual_notations(reader: Reader, text: str, code: str) -> None:
    assert values(reader, text, MentionKind.TNM) == [(code, code)]


@pytest.mark.parametrize(
    "text", ["Séquence T2 en IRM", "hypersignal T2 du foie", "fracture de T12", "LAM M1", "le 2 mars"]
)
def test_letters_that_are_not_tnm_are_left(reader: Reader, text: str) -> None:
    assert values(reader, text, MentionKind.TNM) == []


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Stade IIIA", MentionKind.STAGE, ("STAGE:IIIA", "IIIA")),
        ("stade 4", MentionKind.STAGE, ("STAGE:IV", "IV")),
        ("FIGO IIIC", MentionKind.STAGE, ("STAGE:IIIC", "IIIC")),
        ("carcinome SBR II", MentionKind.GRADE, ("GRADE:2", "2")),
        ("grade histologique 3", MentionKind.GRADE, ("GRADE:3", "3")),
        ("Gleason 7 (3+4)", MentionKind.GRADE, ("GLEASON:7", "7 (3+4)")),
        ("Gleason 4+3 = 7", MentionKind.GRADE, ("GLEASON:7", "7 (4+3)")),
        ("groupe ISUP 3", MentionKind.GRADE, ("ISUP:3", "3")),
        ("adénocarcinome bien différencié", MentionKind.GRADE, ("GRADE:1", "1")),
        ("OMS 1", MentionKind.PERFORMANCE_STATUS, ("PS:1", "1")),
        ("performance status 0", MentionKind.PERFORMANCE_STATUS, ("PS:0", "0")),
        ("ECOG à 2", MentionKind.PERFORMANCE_STATUS, ("PS:2", "2")),
        ("2e ligne", MentionKind.LINE, ("LINE:2", "2")),
        ("première ligne métastatique", MentionKind.LINE, ("LINE:1", "1")),
        ("chimiothérapie en L2", MentionKind.LINE, ("LINE:2", "2")),
    ],
)
def test_stages_grades_status_and_lines(
    reader: Reader, text: str, kind: MentionKind, expected: tuple[str, str]
) -> None:
    assert values(reader, text, kind) == [expected]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Neuropathie de grade 2.", MentionKind.GRADE),
        ("Insuffisance rénale stade 3.", MentionKind.STAGE),
        ("Tassement de la vertèbre L2.", MentionKind.LINE),
        ("Classification OMS 2016.", MentionKind.PERFORMANCE_STATUS),
    ],
)
def test_scales_of_other_diseases_are_not_the_tumours(reader: Reader, text: str, kind: MentionKind) -> None:
    assert values(reader, text, kind) == []


@pytest.mark.parametrize(
    ("text", "value", "date"),
    [
        ("le 12/03/2021", "2021-03-12", dt.date(2021, 3, 12)),
        ("le 12.03.21", "2021-03-12", dt.date(2021, 3, 12)),
        ("le 2021-03-12", "2021-03-12", dt.date(2021, 3, 12)),
        ("le 1er mars 2021", "2021-03-01", dt.date(2021, 3, 1)),
        ("en mars 2021", "2021-03", dt.date(2021, 3, 1)),
        ("depuis 03/2019", "2019-03", dt.date(2019, 3, 1)),
        ("en 2015", "2015", dt.date(2015, 1, 1)),
        ("il y a 3 mois", "2024-02", dt.date(2024, 2, 1)),
        ("il y a deux ans", "2022", dt.date(2022, 1, 1)),
        ("le 12 avril", "2024-04-12", dt.date(2024, 4, 12)),
        ("le 12 novembre", "2023-11-12", dt.date(2023, 11, 12)),
    ],
)
def test_dates_keep_the_precision_that_was_written(reader: Reader, text: str, value: str, date: dt.date) -> None:
    found = [m for m in reader.read(text, date=DOCUMENT_DATE) if m.kind is MentionKind.DATE]
    assert [(m.value, m.date) for m in found] == [(value, date)]


@pytest.mark.parametrize("text", ["32/13/2021", "PSA 12.5", "20/20", "1/2", "le 30/02/2020"])
def test_numbers_that_are_no_date_are_left(reader: Reader, text: str) -> None:
    assert values(reader, text, MentionKind.DATE) == []


@pytest.mark.parametrize(
    ("text", "kind", "value", "unit"),
    [
        ("75 mg/m²", MentionKind.DOSE, "75", "mg/m²"),
        ("AUC 5", MentionKind.DOSE, "5", "AUC"),
        ("50 Gy en 25 fractions", MentionKind.DOSE, "50", "Gy"),
        ("lésion de 22 mm", MentionKind.MEASUREMENT, "22", "mm"),
        ("masse de 3,5 x 2 cm", MentionKind.MEASUREMENT, "3.5 x 2", "cm"),
    ],
)
def test_doses_and_sizes_have_a_unit(reader: Reader, text: str, kind: MentionKind, value: str, unit: str) -> None:
    assert [(m.value, m.unit) for m in reader.read(text) if m.kind is kind] == [(value, unit)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RE 90 %, RP négatifs", [("ER", "90"), ("PR", "negative")]),
        ("RE+ RP-", [("ER", "positive"), ("PR", "negative")]),
        ("RE, RP et HER2 négatifs", [("ER", "negative"), ("PR", "negative"), ("HER2", "negative")]),
        ("HER2 3+", [("HER2", "positive")]),
        ("HER2 score 2+, FISH non amplifiée", [("HER2", "negative")]),
        ("HER2 score 2+", [("HER2", "equivocal")]),
        ("Ki67 à 30 %", [("KI67", "30")]),
        ("PD-L1 TPS 60 %", [("PDL1", "60")]),
        ("PSA à 4,2 ng/ml", [("PSA", "4.2")]),
        ("EGFR muté", [("EGFR", "mutated")]),
        ("absence de mutation EGFR", [("EGFR", "wild_type")]),
        ("ALK négatif", [("ALK", "negative")]),
        ("BRAF V600E", [("BRAF", "mutated")]),
    ],
)
def test_biomarkers_carry_their_result(reader: Reader, text: str, expected: list[tuple[str, str]]) -> None:
    assert values(reader, text, MentionKind.BIOMARKER) == expected


def test_triple_negative_is_three_negative_receptors(reader: Reader) -> None:
    found = set(values(reader, "Cancer du sein triple négatif.", MentionKind.BIOMARKER))
    assert found >= {("ER", "negative"), ("PR", "negative"), ("HER2", "negative")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EGFR muté (p.L858R)", ("EGFR", "p.L858R")),
        ("BRAF V600E", ("BRAF", "p.V600E")),
        ("KRAS muté p.G12D", ("KRAS", "p.G12D")),
        ("EGFR : délétion de l'exon 19", ("EGFR", "délétion de l'exon 19")),
        ("KRAS sauvage", ("KRAS", "wild_type")),
    ],
)
def test_alterations_name_the_gene_and_the_variant(reader: Reader, text: str, expected: tuple[str, str]) -> None:
    assert values(reader, text, MentionKind.ALTERATION) == [expected]
