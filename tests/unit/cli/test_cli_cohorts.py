"""Cohorts from a shell: counted, narrowed, kept, refreshed and taken out."""

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


@pytest.fixture
def criteria(tmp_path: Path) -> str:
    file = tmp_path / "criteria.json"
    relapse = {"sequence": {"first": {"treatment": {"type": ["surgery"]}}, "then": {"event": {}}}}
    tree = {"all": [{"tumour": {"topography": ["C50"]}}, relapse, {"document": {"text": "carcinome"}}]}
    file.write_text(json.dumps(tree), encoding="utf-8")
    return str(file)


def run(home: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["--home", str(home), *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def told(home: Path, *words: str):
    return json.loads(run(home, *words, "--json"))


def test_a_cohort_is_counted_and_narrowed_criterion_by_criterion(home: Path, criteria: str) -> None:
    found = told(home, "cohort", "count", criteria)
    assert (found["count"], found["notices"]) == (3, [])
    assert "00812345" in found["patients"]
    funnel = told(home, "cohort", "funnel", criteria)
    assert funnel["everyone"] == 3
    assert [step["remaining"] for step in funnel["steps"]] == [3, 3, 3]
    assert funnel["steps"][1]["label"] == "événement après chirurgie"
    assert "chirurgie" in run(home, "cohort", "funnel", criteria)


def test_a_cohort_is_kept_shown_refreshed_and_taken_out(home: Path, criteria: str, tmp_path: Path) -> None:
    saved = told(home, "cohort", "save", "Récidives", criteria, "--account", "physician.essai")
    number = str(saved["number"])
    assert (saved["count"], saved["version"]) == (3, 1)
    assert told(home, "cohort", "refresh", number)["version"] == 2
    shown = told(home, "cohort", "show", number)
    assert [version["version"] for version in shown["versions"]] == [2, 1]
    assert len(shown["patients"]) == 3
    assert [one["name"] for one in told(home, "cohort", "list")] == ["Récidives"]
    out = tmp_path / "out"
    run(home, "cohort", "export", number, "--out", str(out), "--shifted")
    with (out / "patients.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert len(rows) == 3
    assert not any(row["family_name"] for row in rows)
    run(home, "cohort", "export", number, "--out", str(tmp_path / "osiris"), "--form", "osiris")
    assert (tmp_path / "osiris" / "OSIRIS_pivot_Patient.csv").exists()


def test_what_is_not_there_says_what_to_do(home: Path, criteria: str, tmp_path: Path) -> None:
    with pytest.raises(ConsoreError, match="cohort list"):
        run(home, "cohort", "show", "7")
    with pytest.raises(ConsoreError, match="no account"):
        run(home, "cohort", "save", "x", criteria, "--account", "nobody")
    with pytest.raises(ConsoreError, match="cohort"):
        run(home, "cohort", "export", "7", "--out", str(tmp_path / "out"))
