"""Real centres for tests: each a home, a store with patients, and a process that answers on loopback.

Run as a program (`python federation_centres.py HOME`) it is one centre.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette

from consore.federation import routes
from consore.settings import Settings, load_settings
from consore.store import Store


@dataclass
class Centre:
    """A centre of the test; `process` is None while it is stopped."""

    settings: Settings
    process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Store:
        """Its store, opened anew."""
        return Store.of(self.settings)

    def start(self) -> None:
        """Start answering; `wait` says when it does."""
        self.process = subprocess.Popen([sys.executable, __file__, str(self.settings.home)], stderr=subprocess.PIPE)

    def wait(self) -> None:
        """Wait until it answers."""
        for _ in range(600):
            try:
                httpx.get(f"{self.settings.address}/federation/centre", timeout=2)
                return
            except httpx.HTTPError:
                if self.process and self.process.poll() is not None:
                    raise RuntimeError((self.process.stderr.read() if self.process.stderr else b"").decode()) from None
                time.sleep(0.1)
        raise RuntimeError("the centre did not start")

    def stop(self) -> None:
        """Stop answering."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            if self.process.stderr:
                self.process.stderr.close()
            self.process = None


def make_centre(home: Path, code: str, name: str, deadline: float = 3.0) -> Centre:
    """A new centre with its settings on disk."""
    home.mkdir(parents=True)
    (home / "consore.toml").write_text(
        f'centre_code = "{code}"\ncentre_name = "{name}"\nport = {free_port()}\n'
        f'referent_name = "Dr {name}"\nreferent_email = "referent@{code.lower()}.example"\n'
        f"federation_deadline_s = {deadline}\n",
        encoding="utf-8",
    )
    return Centre(load_settings(home))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(home: Path) -> None:
    """Answer other centres until stopped."""
    settings = load_settings(home)
    app = Starlette(routes=routes(settings, Store.of(settings)))
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
