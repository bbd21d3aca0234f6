"""The search engine starts by itself, is shared by a node's processes, and never outlives them."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dossiers import Person, write
from engines import PROGRAMS, engine_settings, shared_engine

import consore.index.binary as binary
from consore.errors import ConfigurationError, SearchEngineError
from consore.index import SearchIndex, TypesenseServer
from consore.settings import load_settings
from consore.store import Store

USER = """
import sys, time
from pathlib import Path
from consore.index import SearchIndex, TypesenseServer
from consore.settings import load_settings
with TypesenseServer(load_settings(home=Path(sys.argv[1]), cache_dir=Path(sys.argv[2]))) as engine:
    print(engine.url, flush=True)
    time.sleep(float(sys.argv[3]))
"""


def a_user(home: Path, seconds: float) -> tuple[subprocess.Popen[str], str]:
    """A process of the node that uses the engine for some seconds, and the engine's address as it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home), str(PROGRAMS), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def engine_processes(home: Path) -> list[int]:
    """Process ids of the keeper and the engine of a home."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            ours = f"--data-dir={home / 'index' / 'data'}" in command or (
                any(part.endswith("keeper.py") for part in command) and str(home) in command
            )
            if ours and state != "Z":
                found.append(int(folder.name))
    return sorted(found)


def wait_until_gone(home: Path, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while engine_processes(home) and time.monotonic() < until:
        time.sleep(0.1)
    assert engine_processes(home) == []


def small_disk(folder: Path, size: str) -> bool:
    """Make `folder` a disk of that size; False where only root could."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_two_processes_share_one_engine_and_the_last_one_stops_it(tmp_path: Path) -> None:
    first, address = a_user(tmp_path, 60)
    second, same_address = a_user(tmp_path, 2)
    assert address == same_address
    assert len(engine_processes(tmp_path)) == 2, "a keeper and an engine"

    first.send_signal(signal.SIGKILL)
    first.wait()
    time.sleep(0.8)
    assert len(engine_processes(tmp_path)) == 2, "the second one still uses it"

    second.wait()
    wait_until_gone(tmp_path, 1.0)


def test_kill_9_of_its_only_user_leaves_no_orphan(tmp_path: Path) -> None:
    user, _ = a_user(tmp_path, 60)
    user.send_signal(signal.SIGKILL)
    user.wait()
    wait_until_gone(tmp_path)


def test_kill_9_of_the_keeper_leaves_no_orphan_and_the_next_request_starts_anew(tmp_path: Path) -> None:
    with TypesenseServer(load_settings(home=tmp_path, cache_dir=PROGRAMS)) as engine:
        engine.client.collections.create({"name": "kept", "fields": [{"name": "word", "type": "string"}]})
        engine.client.collections["kept"].documents.import_([{"word": f"mot{i}"} for i in range(500)])
        before = engine.counts()
        engine.remember_counts(before)
        for process in engine_processes(tmp_path):
            os.kill(process, signal.SIGKILL)
        wait_until_gone(tmp_path, 2.0)
        assert engine.counts() == before == {"kept": 500}
    wait_until_gone(tmp_path, 2.0)


def test_the_key_is_readable_by_its_owner_alone_and_not_on_the_command_line(tmp_path: Path) -> None:
    with TypesenseServer(load_settings(home=tmp_path, cache_dir=PROGRAMS)) as engine:
        file = tmp_path / "keys" / "typesense.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for process in engine_processes(tmp_path):
            assert engine.api_key.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()


def test_a_wrong_key_is_said_clearly(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, typesense_url=shared_engine().url, typesense_api_key="wrong")
    with pytest.raises(SearchEngineError, match="refuses the key") as caught, TypesenseServer(settings):
        pass
    assert "CONSORE_TYPESENSE_API_KEY" in caught.value.hint


def test_a_server_that_is_not_there_is_said_clearly(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, typesense_url="http://127.0.0.1:9", typesense_api_key="k")
    with pytest.raises(SearchEngineError, match="does not answer") as caught, TypesenseServer(settings):
        pass
    assert "CONSORE_TYPESENSE_URL" in caught.value.hint


def test_an_address_that_is_none_is_said_clearly(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, typesense_url="search.example.org", typesense_api_key="k")
    with pytest.raises(ConfigurationError, match="not an address"), TypesenseServer(settings):
        pass


def test_your_own_server_is_used_and_left_running(tmp_path: Path) -> None:
    with TypesenseServer(engine_settings("OWN", tmp_path)) as engine:
        assert engine.version.startswith("0.2")
        assert engine_processes(tmp_path) == []
    assert shared_engine().counts() is not None


def test_a_folder_that_cannot_be_written_is_said_before_starting(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file where the folder should be")
    with (
        pytest.raises(SearchEngineError, match="cannot write to") as caught,
        TypesenseServer(load_settings(home=tmp_path, cache_dir=PROGRAMS)),
    ):
        pass
    assert "CONSORE_HOME" in caught.value.hint


def test_a_full_disk_is_said_before_starting(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not small_disk(disk, "1m"):
        pytest.skip("only root can make a tiny disk")
    try:
        with (
            pytest.raises(SearchEngineError, match="is full") as caught,
            TypesenseServer(load_settings(home=disk, cache_dir=PROGRAMS)),
        ):
            pass
        assert "Make room" in caught.value.hint
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_disk_that_fills_up_stops_indexing_before_anything_is_lost(tmp_path: Path, store: Store) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("only root can make a small disk")
    try:
        first, second = write(store, [Person("P1"), Person("P2")]).values()
        with TypesenseServer(load_settings(home=disk, cache_dir=PROGRAMS)) as engine:
            index = SearchIndex(engine)
            index.update_patients(store, [first])
            ballast = disk / "ballast"
            ballast.write_bytes(b"0" * (shutil.disk_usage(disk).free - 40_000_000))
            with pytest.raises(SearchEngineError, match="is full") as caught:
                index.update_patients(store, [second])
            assert "Make room" in caught.value.hint
            ballast.unlink()
            index.update_patients(store, [second])
            assert index.check(store).agrees
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_two_processes_join_the_program_at_once_and_both_get_it_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from consore.index.binary import engine_binary; "
        "print(engine_binary(Path(sys.argv[1])))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate()[0].strip() for process in both}
    assert len(paths) == 1
    program = Path(paths.pop())
    help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    assert "--data-dir" in help_text.stdout + help_text.stderr
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == [], "no half-written file"
    shutil.rmtree(tmp_path)


def test_a_half_written_program_is_joined_again(tmp_path: Path) -> None:
    target = tmp_path / "typesense-server-0.24.1"
    target.write_bytes(b"half")
    assert binary.engine_binary(tmp_path) == target
    assert target.stat().st_size > 300_000_000
    shutil.rmtree(tmp_path)


def test_a_platform_without_the_program_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary, "HALVES", ("a-package-that-is-not-there",))
    with pytest.raises(SearchEngineError, match="not installed") as caught:
        binary.engine_binary(tmp_path)
    assert "CONSORE_TYPESENSE_URL" in caught.value.hint


def test_threads_that_start_the_engine_together_all_find_the_folders_writable(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from consore.index.server import _prepare

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: _prepare(tmp_path / "home"), range(48)))
