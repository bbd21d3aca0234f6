"""Three fictional centres from nothing: every promise of the network asked over HTTP, one centre stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


def demo(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "consore", "--home", str(home), "demo", "--no-app", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        # a suite in the background hands down a SIGINT that is ignored; whoever types Ctrl-C has another
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def processes_of(home: Path) -> list[str]:
    """Command lines of the processes that work under `home`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in command:
            found.append(command)
    return found


def wait_until(condition: object, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.2)
    return False


def test_three_centres_answer_every_question_and_a_stopped_one_is_said_unreachable(tmp_path: Path) -> None:
    process = demo(tmp_path, "--once", "--patients", "40")
    out, complaint = process.communicate(timeout=270)
    assert process.returncode == 0, out + complaint
    assert "Every answer was given." in out
    assert "unreachable" in out
    assert "Patients like this one" in out
    assert re.search(r"« cancer du sein métastatique sous inhibiteur de CDK4/6 »", out)
    counts = re.findall(r"answered\s+(<10|\d+)", out)
    assert counts
    others = [count for count in counts[1:] if count != "<10"]
    assert all(int(count) % 10 == 0 for count in others[1:])
    assert wait_until(lambda: not processes_of(tmp_path), 30), processes_of(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_demo_that_ends_leaves_no_process_behind(how: signal.Signals, tmp_path: Path) -> None:
    process = demo(tmp_path, "--centres", "1", "--patients", "10")
    try:
        assert wait_until(lambda: any(" serve" in command for command in processes_of(tmp_path)), 200)
        assert wait_until(lambda: any("typesense-server" in command for command in processes_of(tmp_path)), 30)
    finally:
        process.send_signal(how)
        process.wait(timeout=60)
    assert wait_until(lambda: not processes_of(tmp_path), 40), processes_of(tmp_path)
