"""Patients leave a node from a shell: valid files, no name unless an account and a purpose are given."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from api_centre import fill_centre
from typer.testing import CliRunner

import consore.cli.commands  # noqa: F401
from consore.cli import app
from consore.errors import ConsoreError
from consore.settings import load_settings
from consore.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "node"
    folder.mkdir()
    opened = Store.of(load_settings(folder))
    fill_centre(opened)
    opened.close()
    return folder


def run(home: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["--home", str(home), *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_cohort_leaves_as_osiris_files_and_a_patient_as_a_fhir_bundle(home: Path, tmp_path: Path) -> None:
    criteria = tmp_path / "criteria.json"
    criteria.write_text(json.dumps({"tumour": {"topography": ["C50"]}}), encoding="utf-8")
    told = run(home, "export", "osiris", "--cohort", str(criteria), "--out", str(tmp_path / "osiris"))
    assert "3 patients in 18 files" in told
    with (tmp_path / "osiris" / "OSIRIS_pivot_Patient.csv").open(encoding="utf-8") as file:
        pseudonyms = {row["Patient_Id"] for row in csv.DictReader(file)}
    assert len(pseudonyms) == 3
    run(home, "export", "fhir", "--patient", "00812345", "--out", str(tmp_path / "fhir"))
    (bundle,) = (tmp_path / "fhir").glob("*.json")
    assert bundle.stem in pseudonyms
    text = bundle.read_text(encoding="utf-8")
    assert "MARCHANT" not in text
    assert "00812345" not in text


def test_names_leave_only_for_an_account_that_says_why(home: Path, tmp_path: Path) -> None:
    words = ("export", "fhir", "--patient", "00812345", "--out", str(tmp_path / "named"), "--identified")
    for more, said in (
        ((), "--account"),
        (("--account", "physician.essai"), "purpose"),
        (("--account", "researcher.essai", "--purpose", "Registre des cancers"), "does not allow"),
        (("--account", "nobody", "--purpose", "Registre des cancers"), "no account"),
    ):
        with pytest.raises(ConsoreError, match=said):
            run(home, *words, *more)
    run(home, *words, "--account", "physician.essai", "--purpose", "Registre des cancers")
    assert "MARCHANT" in next((tmp_path / "named").iterdir()).read_text(encoding="utf-8")


def test_who_is_not_here_and_who_opposed_are_not_exported(home: Path, tmp_path: Path) -> None:
    for patient in ("00000000", "00812348"):
        with pytest.raises(ConsoreError, match="No patient"):
            run(home, "export", "osiris", "--patient", patient, "--out", str(tmp_path / "none"))
    with pytest.raises(ConsoreError, match="Say who"):
        run(home, "export", "osiris", "--out", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
