"""The truth of a fictional centre: histories, OSIRIS pivot files and graded pairs, written a life at a time."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from consore.export import osiris
from consore.model import EventType, TreatmentType
from consore.synthetic.knowledge import cancers, health
from consore.synthetic.osiris import pivot_files, write_osiris
from consore.synthetic.pairs import RESERVOIR, PairSampler, Portrait, grade
from consore.synthetic.trajectory import Life, draw_life
from consore.synthetic.truth import TruthWriter, truth_of_patient


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [draw_life(Random(f"truth/{number}"), f"TST001{number:06d}", "dev") for number in range(500)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, lives: list[Life]) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    with TruthWriter(folder, seed=3) as writer:
        for life in lives:
            writer.add(life)
    return folder


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "osiris" / f"OSIRIS_pivot_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- Histories ------------------------------------------------------------------------------------------------


def test_each_patient_has_the_keys_of_the_exchange_format(folder: Path, lives: list[Life]) -> None:
    patients = lines(folder / "patients.jsonl")
    assert [patient["patient_id"] for patient in patients] == [life.ipp for life in lives]
    for patient in patients:
        assert patient["sex"] in ("female", "male")
        for tumour in patient["tumours"]:
            assert set(tumour) >= {"rank", "topography", "morphology", "laterality", "diagnosis_date", "ctnm", "ptnm"}
            assert set(tumour) >= {"stage", "grade", "biomarkers"}
        assert {event["type"] for event in patient["events"]} <= {event.value for event in EventType}
        assert {item["type"] for item in patient["treatments"]} <= {kind.value for kind in TreatmentType}
        for item in patient["treatments"]:
            assert set(item) >= {"type", "name", "drugs", "line", "start", "end", "tumour_rank"}
            assert item["name"]


def test_a_patient_without_cancer_has_a_history_without_tumour(lives: list[Life]) -> None:
    benign = next(life for life in lives if not life.tumours)
    told = truth_of_patient(benign)
    assert told["tumours"] == told["treatments"] == []
    assert told["benign"][0]["topography"] == benign.benign[0].topography


def test_the_same_lives_give_the_same_bytes(tmp_path: Path, folder: Path, lives: list[Life]) -> None:
    with TruthWriter(tmp_path, seed=3) as writer:
        for life in lives:
            writer.add(life)
    for path in folder.rglob("*.*"):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes(), path
    assert writer.counts["patients"] == len(lives)
    assert writer.counts["pairs"] == len(lines(folder / "pairs.jsonl"))


# --- OSIRIS ---------------------------------------------------------------------------------------------------


def test_the_eighteen_pivot_files_have_the_published_columns(shared_data: Path, folder: Path) -> None:
    published = sorted((shared_data / "referentials" / "osiris" / "pivot").glob("*.csv"))
    assert [path.name for path in published] == sorted(pivot_files())
    assert len(published) == 18
    for path in published:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file))
        with (folder / "osiris" / path.name).open(encoding="utf-8", newline="") as file:
            assert next(csv.reader(file)) == header


def test_every_coded_cell_is_in_its_osiris_value_set(shared_data: Path, folder: Path) -> None:
    root = shared_data / "referentials" / "osiris" / "data"
    values: dict[str, set[str]] = {}
    with (root / "ConceptualDomain.tsv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            values.setdefault(row["ConceptualDomain"], set()).add(row["ValueMeaning"])
    with (root / "DataElementConcept.tsv").open(encoding="utf-8-sig", newline="") as file:
        domains = {row["DataElementConcept"]: row["ConceptualDomain"] for row in csv.DictReader(file, delimiter="\t")}
    # OSIRIS carries the ATC of 2018: drugs of since then have codes that it does not list.
    checked: Counter[str] = Counter()
    for name in pivot_files():
        for row in table(folder, name.removeprefix("OSIRIS_pivot_").removesuffix(".csv")):
            for column, value in row.items():
                allowed = values.get(domains.get(column, ""))
                if value and allowed and "TO_BE_DEFINED" not in allowed and column != "Drug_Code":
                    assert value in allowed, (name, column, value)
                    checked[column] += 1
    assert len(checked) >= 15
    assert checked["AdverseEvent_Code"] > 50


def test_references_between_pivot_files_lead_somewhere(folder: Path) -> None:
    def keys(name: str) -> set[tuple[str, str]]:
        return {(row["Patient_Id"], row["Instance_Id"]) for row in table(folder, name)}

    events, treatments, analyses = keys("TumorPathologyEvent"), keys("Treatment"), keys("Analysis")
    for name, column, known in (
        ("Treatment", "TumorPathologyEvent_Ref", events),
        ("TNM", "TumorPathologyEvent_Ref", events),
        ("Drug", "Treatment_Ref", treatments),
        ("ResponseEvaluation", "Treatment_Ref", treatments),
        ("Biomarker", "Analysis_Ref", analyses),
    ):
        rows = table(folder, name)
        assert rows, name
        assert all((row["Patient_Id"], row[column]) in known for row in rows), name
    parents = [row for row in table(folder, "TumorPathologyEvent") if row["TumorPathologyEvent_ParentRef"]]
    assert all((row["Patient_Id"], row["TumorPathologyEvent_ParentRef"]) in events for row in parents)


def test_pivot_files_are_written_from_a_stream(tmp_path: Path, lives: list[Life]) -> None:
    counts = write_osiris(iter(lives), tmp_path)
    assert counts["Patient"] == len(lives)
    assert counts["Treatment"] == sum(len(life.cares) for life in lives)
    assert counts["Expression"] == counts["BiologicalSample"] == counts["Consent"] == 0
    assert len((tmp_path / "OSIRIS_pivot_Expression.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_an_altered_gene_is_a_variant_a_copy_number_or_a_fusion_with_its_annotation(tmp_path: Path) -> None:
    lives = [draw_life(Random(f"omics/{number}"), f"OMI{number:06d}", "train") for number in range(400)]
    counts = write_osiris(iter(lives), tmp_path)
    altered = [
        (life.ipp, gene)
        for life in lives
        for tumour in life.tumours
        for gene, value in tumour.alterations.items()
        if value not in ("wild_type", "negative")
    ]
    assert min(counts["Variant"], counts["CopyNumber"], counts["Fusion"]) > 0
    assert counts["Variant"] + counts["CopyNumber"] + counts["Fusion"] == counts["Annotation"] == len(altered)

    def rows(name: str) -> list[dict[str, str]]:
        with (tmp_path / f"OSIRIS_pivot_{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    annotated = rows("Annotation")
    assert Counter((row["Patient_Id"], row["GenomeEntity_Symbol"]) for row in annotated) == Counter(altered)
    tables = {"OSIRIS:O15-5": "Variant", "OSIRIS:O15-4": "CopyNumber", "OSIRIS:O15-3": "Fusion"}
    known = {(kind, row["Patient_Id"], row["Instance_Id"]) for kind, name in tables.items() for row in rows(name)}
    told = {(row["AlterationOnSample_AlterationType"], row["Patient_Id"], row["Alteration_Ref"]) for row in annotated}
    assert told == known
    braf = next(row for row in annotated if row["Annotation_AminoAcidChange"] == "p.V600E")
    assert (braf["GenomeEntity_Symbol"], braf["Annotation_AminoAcidChangeType"]) == ("BRAF", "LOINC:LA6698-0")
    omics = {
        (row["Patient_Id"], row["Instance_Id"]) for row in rows("Analysis") if row["Analysis_Type"] == "OSIRIS:C37-3"
    }
    assert {(row["Patient_Id"], row["Analysis_Ref"]) for row in rows("Variant")} <= omics


def test_every_gene_that_a_life_may_have_altered_has_its_chromosome() -> None:
    codes = osiris.codes()
    profiles = [profile for cancer in cancers().values() for profile in cancer.raw["profiles"]]
    genes = {gene for profile in profiles for gene in profile.get("alterations", {})} | set(health()["predispositions"])
    assert genes <= set(codes["gene"])
    assert {str(place) for place in codes["gene"].values()} <= set(codes["chromosome"])


# --- Pairs ----------------------------------------------------------------------------------------------------


def made(**changes: object) -> Portrait:
    usual = {
        "ipp": "A",
        "site": "C50",
        "histology": "850",
        "stage": "II",
        "biology": "breast/luminal",
        "treatments": frozenset({"L02BG04", "PROC:lumpectomy", "radiotherapy"}),
        "course": "no recurrence, alive",
    }
    return Portrait(**(usual | changes))  # type: ignore[arg-type]


def test_a_pair_is_graded_as_the_rule_says() -> None:
    assert grade(made(), made(ipp="B"))[0] == 3
    assert grade(made(), made(ipp="B", course="metastatic recurrence, alive"))[0] == 3
    assert grade(made(), made(ipp="B", stage="III"))[0] == 2
    assert grade(made(), made(ipp="B", stage="III", biology="breast/her2", treatments=frozenset()))[0] == 1
    assert grade(made(), made(ipp="B", site="C34", histology="807", biology="lung/wild"))[0] == 0
    level, shared, different = grade(made(), made(ipp="B", stage="III"))
    assert (level, different) == (2, ["stage"])
    assert shared == ["site", "histology", "biology", "treatments", "course"]


def test_every_sampled_patient_has_pairs_of_several_grades(folder: Path, lives: list[Life]) -> None:
    pairs = lines(folder / "pairs.jsonl")
    by_patient: dict[str, list[dict]] = {}
    for pair in pairs:
        assert pair["patient_id"] != pair["other_id"]
        by_patient.setdefault(pair["patient_id"], []).append(pair)
    assert len(by_patient) == 120
    assert all(len(found) >= 5 for found in by_patient.values())
    assert sum(len({pair["grade"] for pair in found}) >= 3 for found in by_patient.values()) > 80
    assert set(Counter(pair["grade"] for pair in pairs)) == {0, 1, 2, 3}
    opposed = {life.ipp for life in lives if life.opposed}
    assert opposed
    assert not opposed & {pair[key] for pair in pairs for key in ("patient_id", "other_id")}


def test_the_sample_of_a_large_centre_stays_small_and_even() -> None:
    sampler = PairSampler(1)
    life = draw_life(Random("one/3"), "TST001000001", "dev")
    assert life.tumours
    life.opposed = False
    for number in range(5000):
        life.ipp = f"P{number}"
        sampler.add(life)
    kept = [int(item.ipp[1:]) for item in sampler._kept]
    assert len(kept) == RESERVOIR
    assert 0.4 < sum(number < 2500 for number in kept) / RESERVOIR < 0.6
