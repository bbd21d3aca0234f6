"""A cohort as tables: each form holds the same, and no cell becomes a formula."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pyarrow.parquet import read_table

from consore.export import Care, Identity, Record, TableForm, write_tables
from consore.model import BiomarkerItem, BiomarkerStatus, DrugItem, Sex, TreatmentItem, TreatmentType, TumourItem

DAY = dt.date(2024, 3, 1)


def record(name: str = "x", label: str = "Cancer du sein", identity: Identity | None = None) -> Record:
    drug = DrugItem("épirubicine", "L01DB03")
    marker = BiomarkerItem("HER2", BiomarkerStatus.POSITIVE, value="3+", date=DAY)
    return Record(
        id=name,
        sex=Sex.FEMALE,
        centre="ESSAI",
        birth=dt.date(1960, 7, 1),
        tumours=[TumourItem(1, "C50.4", "8500/3", diagnosis_date=DAY, label=label, biomarkers=[marker])],
        cares=[Care(TreatmentItem(TreatmentType.CHEMOTHERAPY, "FEC", [drug], dose=1.5, line=1))],
        identity=identity,
    )


def read(out: Path, form: TableForm, table: str) -> list[dict[str, Any]]:
    if form is TableForm.CSV:
        with (out / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))
    if form is TableForm.PARQUET:
        return read_table(out / f"{table}.parquet").to_pylist()
    head, *rows = load_workbook(out / "cohort.xlsx")[table].values
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("form", TableForm)
def test_each_form_holds_the_rows_of_each_patient(form: TableForm, tmp_path: Path) -> None:
    counts = write_tables([record("a"), record("b")], tmp_path, form)
    assert (counts["patients"], counts["tumours"], counts["treatments"], counts["biomarkers"]) == (2, 2, 2, 2)
    (first, _) = read(tmp_path, form, "tumours")
    assert (first["patient"], first["topography"], first["label"]) == ("a", "C50.4", "Cancer du sein")
    assert str(first["diagnosis_date"])[:10] == "2024-03-01"
    treatment = read(tmp_path, form, "treatments")[1]
    assert (treatment["drugs"], treatment["atc"], float(treatment["dose_gy"])) == ("épirubicine", "L01DB03", 1.5)
    assert read(tmp_path, form, "samples") == []


@pytest.mark.parametrize("form", TableForm)
def test_a_pseudonymised_patient_has_a_year_of_birth_and_no_name(form: TableForm, tmp_path: Path) -> None:
    write_tables([record()], tmp_path, form)
    (row,) = read(tmp_path, form, "patients")
    assert int(row["birth_year"]) == 1960
    assert not any(row[name] for name in ("birth_date", "family_name", "given_name", "birth_name"))
    named = Identity("1", "DUVAL", "", "Anne")
    write_tables([record(identity=named)], tmp_path, form)
    assert read(tmp_path, form, "patients")[0]["family_name"] == "DUVAL"


@pytest.mark.parametrize("text", ["=1+1", "+33 6", "-2", "@SUM(A1)", "\t=1", " =cmd|'/c calc'!A1", "\r=1", "＝1"])
def test_no_text_becomes_a_formula(text: str, tmp_path: Path) -> None:
    for form in (TableForm.CSV, TableForm.XLSX):
        write_tables([record(label=text)], tmp_path, form)
        (row,) = read(tmp_path, form, "tumours")
        assert row["label"].startswith("'")
    cells = load_workbook(tmp_path / "cohort.xlsx")["tumours"]
    assert {cell.data_type for row in cells.iter_rows() for cell in row} <= {"s", "n", "d"}


@pytest.mark.parametrize("form", TableForm)
def test_any_character_can_be_written(form: TableForm, tmp_path: Path) -> None:
    write_tables([record(label='a\x00b;"c"\nd\x1f😀')], tmp_path, form)
    label = read(tmp_path, form, "tumours")[0]["label"]
    assert label == ('a\x00b;"c"\nd\x1f😀' if form is TableForm.PARQUET else 'a b;"c"\nd 😀')


@pytest.mark.parametrize("form", TableForm)
def test_a_cohort_of_nobody_is_tables_without_a_row(form: TableForm, tmp_path: Path) -> None:
    assert write_tables([], tmp_path, form)["patients"] == 0
    assert read(tmp_path, form, "patients") == []
