"""The keeper: a small process of its own that starts the search engine and stops it when nobody uses it any more.

All processes of a node (API, worker, commands) share one engine, so none of them can own it: the first to leave would
take it from the others. Each holds a shared lock on `run/typesense.users` instead; the operating system lets go of it
when a process ends, however it ends. Once the keeper can have that lock for itself, it stops the engine and leaves.
Should the keeper be killed, the kernel kills the engine (PR_SET_PDEATHSIG). So there is never an orphan.

Run as a file by an isolated interpreter, hence with the standard library alone: it weighs some 10 MB.
Usage: keeper.py HOME PROGRAM; the engine's key is read from HOME/keys/typesense.key.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.2  # seconds between two looks at the users' lock
STOP_WITHIN = 20.0  # seconds that the engine has to stop before it is killed
ATTEMPTS = 3  # starts, as a free port may be taken between the look and the start


def main(home: Path, program: str) -> int:
    """Keep the engine of `home` until it ends or nobody uses it. Returns the exit status."""
    run = home / "run"
    keeper_lock = (run / "typesense.keeper").open("a+")
    try:
        fcntl.lockf(keeper_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0  # another keeper is at work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stop_asked.append(number))

    users = (run / "typesense.users").open("a+")
    state = run / "typesense.json"
    for _ in range(ATTEMPTS):
        ports = free_ports(home / "index" / "ports.json")
        engine = start(home, program, ports)
        write_whole(
            state,
            {"pid": engine.pid, "keeper": os.getpid(), "port": ports[0], "peering_port": ports[1]},
        )
        started = time.monotonic()
        while engine.poll() is None:
            if stop_asked or unused(users):
                state.unlink(missing_ok=True)
                stop(engine)
                return 0
            time.sleep(LOOK_EVERY)
        (home / "index" / "ports.json").unlink(missing_ok=True)
        if time.monotonic() - started > 5:
            break
    write_whole(state, {"keeper": os.getpid(), "failed": engine.returncode})
    return 1


def start(home: Path, program: str, ports: tuple[int, int]) -> subprocess.Popen[bytes]:
    """Start the engine on the loopback interface; its key goes by the environment, which `ps` does not show."""
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_the_keeper() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    key = (home / "keys" / "typesense.key").read_text().strip()
    with (home / "logs" / "typesense.log").open("ab") as log:
        return subprocess.Popen(
            [
                program,
                f"--data-dir={home / 'index' / 'data'}",
                "--api-address=127.0.0.1",
                f"--api-port={ports[0]}",
                "--peering-address=127.0.0.1",
                f"--peering-port={ports[1]}",
                "--enable-cors=false",
            ],
            env={name: value for name, value in os.environ.items() if not name.startswith("TYPESENSE_")}
            | {"TYPESENSE_API_KEY": key},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_the_keeper,
        )


def stop(engine: subprocess.Popen[bytes]) -> None:
    """Ask the engine to stop; kill it if it does not."""
    engine.terminate()
    try:
        engine.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def unused(users: object) -> bool:
    """Whether no process uses the engine; if so the lock is kept, and newcomers wait until the engine has stopped."""
    try:
        fcntl.lockf(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def free_ports(remembered: Path) -> tuple[int, int]:
    """Two free loopback ports: those of the last start if they are free, as a change costs an election of 10 s."""
    try:
        ports = json.loads(remembered.read_text())
        if all(map(is_free, ports)):
            return ports[0], ports[1]
    except (OSError, ValueError, IndexError, TypeError):
        pass
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        chosen = one.getsockname()[1], two.getsockname()[1]
    write_whole(remembered, list(chosen))
    return chosen


def is_free(port: int) -> bool:
    """Whether a port of the loopback interface can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def write_whole(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
