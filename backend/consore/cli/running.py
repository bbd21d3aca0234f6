"""The centres of a demonstration as processes: an API with its worker each, started and stopped together."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from consore.cli.fictional import FictionalCentre
from consore.errors import ComponentError


class Network:
    """The centres as processes: an API and a worker each. Leaving the block stops them all."""

    def __init__(self, centres: list[FictionalCentre]) -> None:
        self.centres = centres
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Network:
        for centre in self.centres:
            self.start(centre)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.terminate()
        for code in list(self.processes):
            self.stop(code)

    def start(self, centre: FictionalCentre) -> None:
        """Start the API of a centre, with its worker."""
        log = (centre.settings.home / "logs" / "serve.log").open("ab")
        self.processes[centre.code] = subprocess.Popen(
            [sys.executable, "-m", "consore", "--home", str(centre.settings.home), "serve", "--worker"],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if not key.startswith("CONSORE_")},
            start_new_session=True,  # Ctrl-C is ours: we stop them in order
            preexec_fn=_end_with_the_demo if sys.platform == "linux" else None,
        )
        log.close()

    def stop(self, code: str) -> None:
        """Stop the processes of one centre."""
        process = self.processes.pop(code)
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_until_ready(self, seconds: float = 90) -> None:
        """Wait until every centre answers; raises ComponentError naming the one that does not, with its log."""
        import httpx

        deadline = time.monotonic() + seconds
        for centre in self.centres:
            while True:
                try:
                    if httpx.get(f"{centre.settings.address}/readyz", timeout=2).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                if self.processes[centre.code].poll() is not None or time.monotonic() > deadline:
                    log = centre.settings.home / "logs" / "serve.log"
                    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
                    raise ComponentError(f"{centre.name} did not start:\n{tail}", f"The whole log is {log}.")
                time.sleep(0.1)

    def watch(self) -> None:
        """Stay until a centre dies or the user stops us."""
        while True:
            for code, process in self.processes.items():
                if process.poll() is not None:
                    raise ComponentError(
                        f"The centre {code} has stopped.", "See its logs folder, then start the demo again."
                    )
            time.sleep(0.5)


def _end_with_the_demo() -> None:
    """In the child, before it starts: the kernel ends it when the demo dies, however the demo dies."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
