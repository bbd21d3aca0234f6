"""The command line as an administrator meets it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from engines import PROGRAMS


def consore(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "consore", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
    )


def test_init_makes_a_node_once_and_keeps_it_the_second_time(tmp_path: Path) -> None:
    first = consore(tmp_path, "init", "--code", "ESSAI", "--name", "Centre d'essai")
    assert first.returncode == 0, first.stderr
    assert "admin" in first.stdout
    assert "shown only now" in first.stdout
    settings = (tmp_path / "consore.toml").read_text(encoding="utf-8")
    assert 'centre_code = "ESSAI"' in settings
    again = consore(tmp_path, "init", "--code", "AUTRE")
    assert "kept as it is" in again.stdout
    assert (tmp_path / "consore.toml").read_text(encoding="utf-8") == settings


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = consore(tmp_path, "serve", "--port", port)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "choose another" in done.stderr


def test_a_wrong_settings_file_stops_every_command_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "consore.toml").write_text("port = 'many'", encoding="utf-8")
    done = consore(tmp_path, "source", "list")
    assert done.returncode == 2
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_source_lists_the_known_ones(tmp_path: Path) -> None:
    assert consore(tmp_path, "source", "add", "admin-csv", "administrative", "/data/administratif.csv").returncode == 0
    done = consore(tmp_path, "ingest", "nothing")
    assert done.returncode == 2
    assert "admin-csv" in done.stderr


def test_criteria_that_are_not_a_file_are_refused_plainly(tmp_path: Path) -> None:
    done = consore(tmp_path, "cohort", "count", str(tmp_path / "absent.json"))
    assert done.returncode == 2
    assert "absent.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_url_that_means_nothing_says_what_to_write(tmp_path: Path) -> None:
    done = consore(tmp_path, "runs", CONSORE_DATABASE_URL="oracle+nothing://x")
    assert done.returncode == 2
    assert "sqlite:///" in done.stderr


def test_the_doctor_says_what_to_install_letter_for_letter(tmp_path: Path) -> None:
    done = consore(tmp_path, "doctor", CONSORE_DATABASE_URL="nonsense", CONSORE_TYPESENSE_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "'consore[postgres]'" in done.stdout or "consore[postgres]`" in done.stdout


def test_the_next_reading_is_told_by_the_clock_of_its_schedule(tmp_path: Path) -> None:
    consore(tmp_path, "source", "add", "admin-csv", "administrative", "/data/a.csv", "--hour", "2", "--minute", "15")
    listed = consore(tmp_path, "source", "list", COLUMNS="200").stdout
    assert "02:15 Europe/Paris" in listed


def test_reading_every_source_of_a_node_that_has_none_says_what_to_do(tmp_path: Path) -> None:
    done = consore(tmp_path, "ingest", "--all", CONSORE_CACHE_DIR=str(PROGRAMS))
    assert done.returncode == 2
    assert "consore source add" in done.stderr


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, no folder")
    done = consore(tmp_path / "file" / "home", "init")
    assert done.returncode == 2
    assert "CONSORE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_schedule_is_said_back_and_one_that_cannot_be_says_what_to_write(tmp_path: Path) -> None:
    consore(tmp_path, "source", "add", "pmsi", "pmsi", "/data/pmsi.txt")
    cron = ("--cron", "30 2 * * mon,thu", "--blackout", "mon-fri 08:00-18:00")
    said = consore(tmp_path, "source", "schedule", "pmsi", *cron).stdout
    assert "pmsi: every Monday and Thursday at 02:30 (Europe/Paris)." in said
    assert "No reading Monday to Friday from 08:00 to 18:00." in said
    wrong = consore(tmp_path, "source", "schedule", "pmsi", "--cron", "30 2 * *")
    assert wrong.returncode == 2
    assert "30 2 * * mon,thu" in wrong.stderr
    gone = consore(tmp_path, "runs", "--cancel", "7")
    assert gone.returncode == 2
    assert "There is no run 7" in gone.stderr
