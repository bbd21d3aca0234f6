"""A centre of any size: what is held in memory does not grow with it, and its speed can be asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from consore.synthetic import generate_centre
from consore.synthetic.formats import TEXT_ONLY

FORMATS = (*TEXT_ONLY[:-1], "jsonl", "adt", "fhir", "tumour_sheet_xlsx")


def consore(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CONSORE_HOME": str(folder / "home"), "COLUMNS": "160"}
    return subprocess.run(
        [sys.executable, "-m", "consore", *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_four_times_the_patients_do_not_take_more_memory(tmp_path: Path) -> None:
    def peak(patients: int) -> int:
        tracemalloc.start()
        made = generate_centre(tmp_path, code=f"M{patients}", name="M", patients=patients, seed=2, formats=FORMATS)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert made.counts["patients"] >= patients
        return most

    peak(60)  # what is kept for all patients (grammar, names, words) is met once
    assert peak(61) < 2 * peak(15)


def test_the_command_shows_the_rows_of_each_file_the_speed_and_the_memory(tmp_path: Path) -> None:
    shown = consore(tmp_path, "synth", "--centre", "ESSAI", "--patients", "5", "--out", str(tmp_path / "out"))
    assert shown.returncode == 0, shown.stderr
    for word in ("administratif.csv", "documents/index.csv", "Centre fictif Essai", " a second", " MB at the most"):
        assert word in shown.stdout
    again = consore(tmp_path, "synth", "--centre", "ESSAI", "--patients", "6", "--out", str(tmp_path / "out"))
    assert again.returncode == 2
    assert "--force" in again.stderr


@pytest.mark.slow
def test_the_bench_prints_speed_on_one_and_two_processes_and_says_what_is_extrapolated(tmp_path: Path) -> None:
    shown = consore(tmp_path, "bench", "synth", "--patients", "20", "--json")
    found = json.loads(shown.stdout)
    assert [row["processes"] for row in found] == [1, 2, 2]
    assert all(row["documents/s"] > 0 and row["peak MB"] > 0 for row in found)
    assert all(any("extrapolated" in name for name in row) for row in found)
