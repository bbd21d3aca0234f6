"""What the referentials of markers, genes, scales and answers hold, and the traps that their short names set."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from consore.language import Reader
from consore.model import BiomarkerStatus, MentionKind
from consore.referentials import Terminology, fold, grammar_of, table_files, tables, terminology, value_grammars
from consore.settings import shipped_referentials


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


def _rows(folder: str, name: str) -> list[dict[str, str]]:
    with (shipped_referentials() / folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _codes(known: Terminology, text: str, *kinds: str) -> list[str | None]:
    return [match.code for match in known.match(text) if match.kind in kinds]


@pytest.mark.parametrize(
    ("folder", "least"),
    [
        ("genes", 300),
        ("biomarkers", 80),
        ("staging", 400),
        ("performance_status", 27),
        ("response", 60),
        ("abbreviations", 500),
        ("centres", 46),
        ("document_kinds", 14),
    ],
)
def test_a_referential_is_complete(folder: str, least: int) -> None:
    assert len(_rows(folder, "concepts.csv")) >= least


@pytest.mark.parametrize(
    "folder",
    ["genes", "biomarkers", "staging", "performance_status", "response", "events", "laterality", "document_kinds"],
)
def test_a_form_means_one_concept_of_its_referential(folder: str) -> None:
    meant: dict[str, set[str]] = defaultdict(set)
    for row in _rows(folder, "terms.csv"):
        meant[" ".join(fold(row["term"]).split())].add(row["code"])
    assert {form: codes for form, codes in meant.items() if len(codes) > 1} == {}


def test_every_alias_of_a_gene_is_found_as_that_gene_alone(known: Terminology) -> None:
    for row in _rows("genes", "terms.csv"):
        found = _codes(known, f"mutation du gène {row['term']} exon 2", "alteration")
        assert found == [row["code"]], row["term"]


def test_the_symbols_of_genes_are_those_of_ensembl(shared_data: Path) -> None:
    with (shared_data / "referentials/genes/ensembl_human_symbol_alias.csv").open(encoding="utf-8") as file:
        symbols = {row["gene_symbol"] for row in csv.DictReader(file)}
    codes = [row["code"] for row in _rows("genes", "concepts.csv")]
    assert len([code for code in codes if code in symbols]) >= 0.97 * len(codes)


def test_every_gene_says_its_role_and_its_variants(known: Terminology) -> None:
    roles = {"oncogene", "suppressor", "fusion", "predisposition"}
    classes = {
        "snv", "indel", "amplification", "deletion", "fusion", "exon skipping", "promoter", "methylation",
    }  # fmt: skip
    for gene in known.concepts("HGNC"):
        assert set(gene.attributes["role"].split("+")) <= roles, gene.code
        assert set(gene.attributes["variants"].split("+")) <= classes, gene.code


def test_every_biomarker_says_how_its_values_are_written(known: Terminology) -> None:
    statuses = {status.value for status in BiomarkerStatus}
    for marker in known.concepts("LOCAL", "biomarker"):
        assert grammar_of(marker.code) is not None, marker.code
        assert marker.attributes.get("gene", "TP53") in {g.code for g in known.concepts("HGNC")}, marker.code
    for grammar in value_grammars().values():
        assert {status for _, status in grammar.words} | {one.status for one in grammar.thresholds} <= statuses
        assert all(one.source for one in grammar.thresholds), grammar.name


@pytest.mark.parametrize(
    ("code", "number", "scale", "status"),
    [
        ("ER", 10, "", "positive"),
        ("ER", 9, "", "negative"),
        ("KI67", 20, "", "high"),
        ("KI67", 19, "", "low"),
        ("PDL1", 50, "", "high"),
        ("PDL1", 1, "", "positive"),
        ("PDL1", 0, "", "negative"),
        ("PDL1", 10, "cps", "positive"),
        ("TMB", 10, "", "high"),
        ("HRD", 42, "", "positive"),
        ("CLDN18", 74, "", None),
        ("ONCOTYPE", 26, "", "high"),
        ("CA125", 36, "", "high"),
        ("NSE", 12, "", None),
    ],
)
def test_a_number_means_what_the_recommendation_says(code: str, number: float, scale: str, status: str | None) -> None:
    grammar = grammar_of(code)
    assert grammar is not None
    assert grammar.status(number, scale) == status


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        ("CD20+, CD3-", "CD20", "positive"),
        ("CD3 négatif", "CD3", "negative"),
        ("GATA3 positif", "GATA3", "positive"),
        ("Pas d'instabilité microsatellitaire.", "MSI", "negative"),
        ("Instabilité microsatellitaire.", "MSI", "positive"),
        ("Délétion 17p non retrouvée.", "DEL17P", "negative"),
        ("t(4;14) absente", "T414", "negative"),
        ("Caryotype complexe.", "COMPLEXKARYO", "positive"),
        ("Absence de codélétion 1p/19q.", "1P19Q", "negative"),
        ("IGHV non muté", "IGHV", "wild_type"),
        ("FLT3-ITD", "FLT3", "mutated"),
        ("Fusion EML4-ALK détectée.", "ALK", "positive"),
        ("BCR-ABL non détecté.", "BCR_ABL", "negative"),
        ("PD-L1 TPS 60 %", "PDL1", "60"),
        ("Breslow 1,2 mm", "BRESLOW", "1.2"),
        ("HE4 à 120 pmol/L", "HE4", "120"),
        ("HER2-ultralow", "HER2", "low"),
        ("HER2 score 2+, FISH non amplifiée", "HER2", "negative"),
        ("TMB 12 mut/Mb", "TMB", "12"),
        ("Score de récidive à 18", "ONCOTYPE", "18"),
        ("Saut de l'exon 14 de MET", "MET", "mutated"),
    ],
)
def test_a_result_is_read_with_its_marker(reader: Reader, text: str, code: str, value: str) -> None:
    found = [m for m in reader.read(text) if m.kind is MentionKind.BIOMARKER and m.code == code]
    assert [m.value for m in found] == [value]


def test_a_combined_positive_score_has_no_unit(reader: Reader) -> None:
    found = [m for m in reader.read("PD-L1 CPS 20, TPS 10") if m.kind is MentionKind.BIOMARKER]
    assert [(m.value, m.unit) for m in found] == [("20", None), ("10", "%")]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ON MET EN PLACE UNE PERFUSION", "alteration"),
        ("LE SCANNER MET EN EVIDENCE UN NODULE", "biomarker"),
        ("UN KIT DE PANSEMENT", "biomarker"),
        ("LE POLE SUPERIEUR DU REIN", "alteration"),
        ("LE POLE SUPERIEUR DU REIN", "biomarker"),
        ("Arthrose de l'ATM", "alteration"),
        ("ATM gauche douloureuse", "alteration"),
        ("12 JUN 2020", "alteration"),
        ("un ITK est introduit", "alteration"),
        ("suspicion de PML", "alteration"),
        ("dose MAX atteinte", "alteration"),
        ("le chef de POLE du site", "biomarker"),
        ("FEV à 60 %", "alteration"),
        ("le syndrome FAS", "alteration"),
        ("coagulation au APC 2", "alteration"),
        ("date de RET à domicile", "alteration"),
        ("WAS noted", "alteration"),
        ("Auscultation : RAS", "biomarker"),
        ("inhibiteurs de l'ACE", "biomarker"),
        ("comprimés 2 cps le soir", "biomarker"),
        ("pendant ce tps", "biomarker"),
        ("créatine kinase CK 20 UI/L", "biomarker"),
        ("lymphocytes CD4 350/mm3", "biomarker"),
        ("taux de CD8", "biomarker"),
        ("PSAP 27 mmHg", "biomarker"),
        ("Dr Breslow", "biomarker"),
        ("ventilation avec PS 10", "performance_status"),
        ("gliome de grade OMS 2", "performance_status"),
        ("grade de l'OMS 3", "performance_status"),
        ("ventilation PS 3", "performance_status"),
        ("POLE inférieur du rein", "alteration"),
        ("Insuffisance rénale chronique stade III", "stage"),
        ("Insuffisance rénale stade 3", "stage"),
        ("IRC stade IV", "stage"),
        ("NYHA stade II", "stage"),
        ("escarre stade 3", "stage"),
        ("BPCO stade II", "stage"),
        ("dyspnée stade III de la NYHA", "stage"),
        ("endométriose stade IV", "stage"),
        ("Arrêt cardiaque : ACR 5 minutes", "grade"),
        ("toxicité de grade 3", "grade"),
        ("mucite de grade 2", "grade"),
        ("RAI négatives", "grade"),
        ("IPS 0,9 à la cheville", "grade"),
        ("polytraumatisé, ISS II", "grade"),
        ("Mme Child A", "grade"),
        ("neuropathie grade 1", "grade"),
        ("REL AVEC LA FAMILLE", "alteration"),
        ("lymphœdème stade II", "stage"),
        ("diarrhée de grade 2", "grade"),
        ("revue de RMM du service", "response"),
        ("service de RMC", "response"),
        ("rapport RC 2,5", "response"),
        ("moyenne SD 1,4", "response"),
        ("écart type ± SD = 2", "response"),
        ("certificat CMR", "response"),
        ("BLM 10 mg", "alteration"),
        ("FUS sur la prostate", "alteration"),
        ("stabilité hémodynamique", "response"),
        ("MET HEPATIQUES", "biomarker"),
        ("le HGF sérique", "alteration"),
        ("TPR à 80 %", "alteration"),
    ],
)
def test_letters_that_mean_another_thing_are_not_found(known: Terminology, text: str, kind: str) -> None:
    assert _codes(known, text, kind) == []


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("LLC stade B de Binet", "stage", "BINET:B"),
        ("myélome R-ISS II", "stage", "RISS:II"),
        ("BI-RADS 4", "measurement", "BIRADS:4"),
        ("ACR5 du sein droit", "measurement", "BIRADS:5"),
        ("PI-RADS 5", "measurement", "PIRADS:5"),
        ("EU-TIRADS 4", "measurement", "EUTIRADS:4"),
        ("LI-RADS 5", "measurement", "LIRADS:5"),
        ("Bethesda VI", "measurement", "BETHESDA:VI"),
        ("cirrhose Child A5", "measurement", "CHILD:A"),
        ("Child-Pugh B", "measurement", "CHILD:B"),
        ("BCLC C", "stage", "BCLC:C"),
        ("fibrose F4", "measurement", "METAVIRF:4"),
        ("niveau de Clark IV", "grade", "CLARK:IV"),
        ("risque intermédiaire de D'Amico", "measurement", "DAMICO:intermediate"),
        ("pronostic intermédiaire IMDC", "measurement", "IMDC:intermediate"),
        ("Gleason 7 (3+4)", "grade", "GLEASON:7"),
        ("grade ISUP 3", "grade", "ISUP:3"),
        ("Fuhrman 3", "grade", "GRADE:3"),
        ("FIGO IIIC", "stage", "STAGE:IIIC"),
        ("Ann Arbor IVB", "stage", "STAGE:IVB"),
        ("stade 3B", "stage", "STAGE:IIIB"),
        ("Bismuth IIIa", "measurement", "BISMUTH:IIIa"),
        ("hors critères de Milan", "measurement", "MILAN:out"),
        ("IPSS-R élevé", "measurement", "IPSSR:high"),
        ("OMS 1", "performance_status", "PS:1"),
        ("ECOG 2", "performance_status", "PS:2"),
        ("Karnofsky à 80 %", "performance_status", "KPS:80"),
        ("Lansky 90", "performance_status", "LPS:90"),
        ("Deauville 4", "response", "DEAUVILLE:4"),
        ("très bonne réponse partielle", "response", "RESP:partial"),
        ("ypT0 ypN0", "response", "RESP:complete"),
        ("RCB-II", "response", "RCB:II"),
        ("TRG 2 de Mandard", "response", "MANDARD:2"),
        ("réponse moléculaire majeure", "response", "RESP:partial"),
        ("maladie stable selon RECIST 1.1", "response", "RESP:stable"),
    ],
)
def test_a_class_of_a_scale_is_found_as_reports_write_it(known: Terminology, text: str, kind: str, code: str) -> None:
    assert _codes(known, text, kind) == [code]


def test_a_finer_answer_is_told_beside_the_plain_one(known: Terminology) -> None:
    match = next(m for m in known.match("TBRP après quatre cycles") if m.kind == "response")
    assert (match.code, match.value) == ("RESP:partial", "IMWG:VGPR")
    assert known.ancestors("LOCAL", "IMWG:VGPR") == ["RESP:partial"]


def test_a_radiologic_class_is_read_but_is_no_grade_of_the_tumour(reader: Reader) -> None:
    found = {(m.code, m.kind) for m in reader.read("BI-RADS 5. Carcinome de grade 2.")}
    assert {("BIRADS:5", MentionKind.MEASUREMENT), ("GRADE:2", MentionKind.GRADE)} <= found


def test_the_gleason_scores_lie_under_their_isup_grade(known: Terminology) -> None:
    assert known.ancestors("LOCAL", "GLEASON:6") == ["ISUP:1"]
    assert known.ancestors("LOCAL", "GLEASON:9") == ["ISUP:5"]


def test_an_ambiguous_abbreviation_says_all_that_it_may_mean(known: Terminology) -> None:
    found = known.concept("ABBREVIATION", "RP")
    assert found is not None
    assert found.attributes["ambiguous"] == "yes"
    assert set(found.attributes["expansions"].split(";")) >= {"réponse partielle", "récepteur à la progestérone"}


def test_a_site_of_a_cancer_centre_lies_under_its_centre(known: Terminology) -> None:
    assert known.ancestors("FINESS", "920000460") == ["CLCC+CURIE", "CLCC+RESEAU"]
    centres = [c for c in known.concepts("FINESS") if c.parents == ("CLCC+RESEAU",) and c.code.startswith("CLCC")]
    assert len(centres) == 18
    assert all(centre.attributes["region"] and centre.attributes["city"] for centre in centres)


def test_the_sites_of_the_centres_are_those_of_finess(known: Terminology, shared_data: Path) -> None:
    with (shared_data / "referentials/finess/clcc_finess_2023.csv").open(encoding="utf-8") as file:
        listed = {row["fi"] for row in csv.DictReader(file)}
    assert {c.code for c in known.concepts("FINESS") if not c.code.startswith("CLCC")} == listed


def test_cues_and_headings_are_tables_with_known_words() -> None:
    cues = tables("context")["assertion"]
    said = {"present", "negated", "hypothetical", "family", "history"}
    told_apart = {"doubt", "condition", "certain", "aspect", "relative", "dropped", "using"}  # `language.context`
    assert {cue["assertion"] for cue in cues} == said | told_apart
    assert {cue["direction"] for cue in cues} <= {"after", "before", "both", "back"}
    headings = tables("sections")["headings"]
    assert len({heading["phrase"] for heading in headings}) == len(headings)
    assert {heading["section"] for heading in headings} == {"neutral", "history", "family", "plan"}


def test_a_changed_cue_makes_another_version_of_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Reader(terminology()).version
    copied = []
    for folder in ("context", "sections", "biomarkers"):
        for file in table_files(folder):
            copied.append(tmp_path / f"{folder}_{file.name}")
            copied[-1].write_bytes(file.read_bytes())
    copied[0].write_text(copied[0].read_text(encoding="utf-8") + "nulle trace de,negated,after,14,any\n", "utf-8")
    monkeypatch.setattr("consore.language.reader.table_files", lambda folder: copied if folder == "context" else [])
    assert Reader(terminology()).version != before
