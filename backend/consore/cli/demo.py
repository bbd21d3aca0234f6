"""`consore demo`: fictional centres from nothing to a running network, on real parts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from consore.cli.app import app, node
from consore.cli.fictional import FIRST_PORT, FictionalCentre, prepare_centre
from consore.cli.proof import prove
from consore.cli.running import Network
from consore.cli.screen import console, progress_bar

QUESTIONS = (
    "cancer du sein métastatique sous inhibiteur de CDK4/6",
    "cancer bronchique métastatique sous pembrolizumab",
    "cancer du côlon opéré sans métastase",
)


@app.command()
def demo(
    centres: Annotated[int, typer.Option(min=1, max=18, help="How many centres.")] = 3,
    patients: Annotated[int, typer.Option(min=10, help="Patients of each centre.")] = 150,
    once: Annotated[bool, typer.Option("--once", help="Prove each answer in the terminal, then stop.")] = False,
    no_app: Annotated[bool, typer.Option("--no-app", help="Do not open the app.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65000, help="Port of the first centre; 0: any that is free.")
    ] = FIRST_PORT,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even where an earlier demo lies.")] = False,
) -> None:
    """Start fictional centres end to end and open the app: there is no real patient in them."""
    folder = node().home / "demo"
    if fresh or once:
        shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    stages: list[tuple[str, float]] = []
    ready = [_prepared(folder, number, patients, port, stages) for number in range(centres)]
    from consore.federation import introduce

    introduce([centre.settings for centre in ready])
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


def _prepared(folder: Path, number: int, patients: int, port: int, stages: list[tuple[str, float]]) -> FictionalCentre:
    with progress_bar() as bar:
        return prepare_centre(folder, number, patients=patients, bar=bar, stages=stages, first_port=port)


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
