"""`consore demo`: fictional centres from nothing to a running network, on real parts."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from consore.cli.app import app, node
from consore.cli.fictional import FictionalCentre, introduce_all, prepare_centre
from consore.cli.proof import prove
from consore.cli.screen import console, progress_bar
from consore.errors import ComponentError

QUESTIONS = (
    "cancer du sein HER2 positif métastatique",
    "adénocarcinome bronchique sous pembrolizumab avant 70 ans",
    "cancer du côlon opéré sans métastase",
)


@app.command()
def demo(
    centres: Annotated[int, typer.Option(min=1, max=18, help="How many centres.")] = 3,
    patients: Annotated[int, typer.Option(min=10, help="Patients of each centre.")] = 150,
    once: Annotated[bool, typer.Option("--once", help="Prove each answer in the terminal, then stop.")] = False,
    no_app: Annotated[bool, typer.Option("--no-app", help="Do not open the app.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even where an earlier demo lies.")] = False,
) -> None:
    """Start fictional centres end to end and open the app: there is no real patient in them."""
    folder = node().home / "demo"
    if fresh or once:
        shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    stages: list[tuple[str, float]] = []
    ready = [_prepared(folder, number, patients, stages) for number in range(centres)]
    introduce_all(ready)
    with Network(ready) as network:
        before = time.monotonic()
        network.wait_until_ready()
        stages.append((f"{centres} centres answer", time.monotonic() - before))
        _print_stages(stages, time.monotonic() - started)
        if once:
            prove(network, QUESTIONS)
            return
        _print_welcome(ready)
        application = None if no_app else _open_app(ready[0])
        try:
            network.watch()
        except KeyboardInterrupt:
            console.print("Stopping…")
        finally:
            if application is not None:
                application.terminate()


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


def _prepared(folder: Path, number: int, patients: int, stages: list[tuple[str, float]]) -> FictionalCentre:
    with progress_bar() as bar:
        return prepare_centre(folder, number, patients=patients, bar=bar, stages=stages)


def _print_stages(stages: list[tuple[str, float]], total: float) -> None:
    for name, seconds in stages:
        console.print(f"  [dim]{seconds:6.1f} s[/]  {name}", soft_wrap=True)
    console.print(f"  [bold]{total:6.1f} s[/]  in all\n")


def _print_welcome(centres: list[FictionalCentre]) -> None:
    console.print("[bold]The network runs.[/] Every patient in it is invented.\n")
    for centre in centres:
        console.print(f"  {centre.name:<24} {centre.settings.address}   GraphiQL: {centre.settings.address}/graphql")
    console.print("\n[bold]Accounts[/] (the same in each centre)")
    for account in centres[0].accounts:
        console.print(f"  {account.login:<12} {account.password:<18} {account.role.value}")
    console.print("\n[bold]Try[/]")
    for question in QUESTIONS:
        console.print(f"  {question}")
    console.print("\nCtrl-C stops everything.\n")


def _open_app(centre: FictionalCentre) -> subprocess.Popen[bytes] | None:
    main = Path(__file__).parents[3] / "mobile" / "main.py"
    command = [sys.executable, str(main), "--server", centre.settings.address]
    if not main.exists():
        console.print("The app is not installed here: take `mobile/` from the sources.")
        return None
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        console.print(
            f"There is no screen here. On a machine with one: {' '.join(['python', 'mobile/main.py', *command[2:]])}"
        )
        return None
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)
