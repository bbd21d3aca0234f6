"""Sources from the command line: added with the options of their format, checked, previewed, mapped, listened to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli_of_a_node import consore

MESSAGE = (
    "MSH|^~\\&|GAM|A|DPI|B|20240306111154||ADT^A28^ADT_A05|77|P|2.5\r"
    "PID|1||000077^^^C^PI||ROCHE^Zoé^^^^^L||19790328|F\r"
)


def test_a_source_is_added_with_its_options_checked_and_previewed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "a.hl7").write_text(MESSAGE + "PID|1||12\r", encoding="utf-8", newline="")
    added = consore(
        home, "source", "add", "adt", "administrative", str(tmp_path / "drop"), "--option", "format=hl7",
        "--option", 'records=["patient"]',
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    checked = consore(home, "source", "check", "adt")
    assert "administrative as hl7, 1 records" in checked.stdout
    assert "✓ patient of 000077" in checked.stdout
    assert "family_name=ROCHE" in checked.stdout
    whole = consore(home, "source", "preview", "adt", "--full")
    assert "\n    birth_date=1979-03-28\n" in whole.stdout


def test_a_secret_in_clear_is_refused_with_the_way_to_keep_it(tmp_path: Path) -> None:
    refused = consore(tmp_path, "source", "add", "lab", "biology", "postgresql://u:hunter2@host/base")
    assert refused.returncode == 2
    assert "password_env" in refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout


@pytest.mark.slow
def test_a_proposed_mapping_is_what_a_source_is_added_with(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    rows = [f"{10000000 + n};ROCHE;Ada;F;28/03/19{50 + n}" for n in range(20)]
    file.write_text("\n".join(["NIP;NOM_USUEL;PRENOM;CIVILITE;DDN", *rows]) + "\n", encoding="utf-8")
    home = tmp_path / "home"
    mapped = consore(home, "source", "map", str(file), "--out", str(tmp_path / "map.toml"))
    assert mapped.returncode == 0, mapped.stderr
    assert "administrative" in mapped.stdout
    added = consore(
        home, "source", "add", "patients", "administrative", str(file), "--options", str(tmp_path / "map.toml")
    )
    assert added.returncode == 0, added.stderr
    checked = consore(home, "source", "check", "patients")
    assert checked.stdout.count("✓ patient of 1") == 10


@pytest.mark.slow
def test_a_listener_keeps_what_it_acknowledges(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "consore", "--home", str(tmp_path), "source", "listen", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        port = int(told.split("127.0.0.1:")[1].split(";")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
            sender.sendall(b"\x0b" + MESSAGE.encode() + b"\x1c\r")
            assert b"MSA|AA|77" in sender.recv(4096)
        process.send_signal(signal.SIGINT)
        assert "1 messages kept, 0 refused" in process.stdout.read()
        assert process.wait(20) == 0
    finally:
        process.kill()
    (kept,) = (tmp_path / "spool" / "hl7").rglob("*.hl7")
    assert "ROCHE^Zoé" in kept.read_text(encoding="utf-8")
