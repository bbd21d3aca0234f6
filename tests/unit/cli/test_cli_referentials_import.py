"""Importing code systems from the command line, as an administrator does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TABLE = "code;libelle\n" + "".join(
    f"C{number:02}{digit};Siège imaginaire {number} {digit}\n" for number in range(77) for digit in range(10)
)


@pytest.fixture
def consore(tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "consore", "--home", str(tmp_path / "home"), "referentials", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "COLUMNS": "160"},
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "topographies.csv"
    path.write_text(TABLE + "C504;Autre chose\nZZ;Rien\n", encoding="cp1252")
    return path


@pytest.mark.slow
def test_an_import_tells_what_it_read_and_rejected_and_is_listed_then_taken_back(consore, table):
    done = consore("import", "icdo3-topography", str(table), "--edition", "Essai 2027")
    assert done.returncode == 0, done.stderr
    assert "code = column 1, label = column 2" in done.stdout
    assert "topographies.csv:772: duplicate code: C50.4: Autre chose" in done.stdout
    assert "topographies.csv:773: code unreadable: ZZ" in done.stdout
    assert "It is in force." in done.stdout
    again = consore("import", "auto", str(table))
    assert again.returncode == 2
    assert "KIND" in again.stderr
    assert "already there: essai-2027" in consore("import", "icdo3-topography", str(table)).stdout
    listed = json.loads(consore("editions", "icdo3-topography", "--json").stdout)
    assert [(one["edition"], one["active"], one["concepts"]) for one in listed] == [("essai-2027", True, 770)]
    assert "Essai 2027" in consore("status").stdout
    assert "shipped is in force" in consore("activate", "icdo3-topography", "shipped").stdout
    assert "Essai 2027" not in consore("status").stdout


def test_a_dry_run_is_json_for_programs_and_leaves_no_trace(consore, table, tmp_path):
    done = consore("import", "icdo3-topography", str(table), "--dry-run", "--json")
    report = json.loads(done.stdout)
    assert (report["state"], report["kept"], report["rejected"]) == ("dry_run", 770, 2)
    assert report["rejections"][1] == {"file": table.name, "line": 773, "reason": "code_unreadable", "value": "ZZ"}
    assert not (tmp_path / "home").exists()


def test_a_wrong_file_ends_with_what_was_expected_and_what_was_found(consore, table):
    done = consore("import", "ccam", str(table))
    assert done.returncode == 2
    assert "This looks like a table of icdo3-topography" in done.stderr.replace(" or cim10", "")
    assert "Found: topographies.csv: code | libelle" in done.stderr


def test_a_word_of_the_site_is_added_found_and_removed(consore):
    assert consore("terms", "add", "ICD-O-3-T", "C50.9", "nénette", "--form", "exact").returncode == 0
    listed = json.loads(consore("terms", "list", "--json").stdout)
    assert [(one["folder"], one["code"], one["term"]) for one in listed] == [("icdo3_topography", "C50.9", "nénette")]
    wrong = consore("terms", "add", "ICD-O-3-T", "C99.9", "rien")
    assert wrong.returncode == 2
    assert "no code C99.9" in wrong.stderr
    assert consore("terms", "remove", "ICD-O-3-T", "C50.9", "nénette").returncode == 0
    assert json.loads(consore("terms", "list", "--json").stdout) == []


def test_maintainers_write_the_tables_of_a_shipped_folder(consore, table, tmp_path):
    done = consore("import", "icdo3-topography", str(table), "--out", str(tmp_path / "tables"))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"concepts.csv", "terms.csv"}
    assert not (tmp_path / "home").exists()
