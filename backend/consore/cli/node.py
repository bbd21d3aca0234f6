"""Commands of whoever installs and runs a node: init, doctor, serve, worker, schema, account, settings."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from typing import Annotated, Any

import typer
from sqlmodel import select

from consore.cli.app import app, node, opened_store
from consore.cli.screen import console, errors, print_table
from consore.errors import ConfigurationError
from consore.model import Account, Role
from consore.settings import Settings

account_app = typer.Typer(help="Accounts of this node.", no_args_is_help=True)
app.add_typer(account_app, name="account")


@app.command()
def init(
    code: Annotated[str, typer.Option(help="Short code of the centre, unique in the network.")] = "CENTRE",
    name: Annotated[
        str, typer.Option(help="Name of the centre, as people say it.")
    ] = "Centre de lutte contre le cancer",
) -> None:
    """Make this folder a node: settings, store, keys and a first administrator."""
    settings = node()
    file = settings.home / "consore.toml"
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        if file.exists():
            console.print(f"{file} is kept as it is.")
        else:
            file.write_text(settings_file(centre_code=code, centre_name=name), encoding="utf-8")
            console.print(f"Settings written: {file}")
    except OSError as error:
        raise ConfigurationError(
            f"Nothing can be written to {settings.home}: {error.strerror}.",
            "Mend its rights, or choose another folder with CONSORE_HOME.",
        ) from error
    settings = node()
    with opened_store(settings) as store:
        console.print(f"Store ready: {store.engine.url.render_as_string()}")
        from consore.access import save_account
        from consore.federation import node_key

        node_key(settings)
        with store.session() as session:
            if session.exec(select(Account)).first():
                console.print("Accounts are kept as they are.")
            else:
                password = f"Cs-{secrets.token_urlsafe(12)}"  # three kinds of characters, as the rule asks
                save_account(session, "admin", name="Administrator", role=Role.ADMIN, password=password)
                console.print(f"First account: [bold]admin[/] with the password [bold]{password}[/] (shown only now)")
    console.print("Next: `consore source add …`, `consore account add …`, `consore doctor`, `consore serve`.")


def settings_file(**chosen: str) -> str:
    """The text of a `consore.toml`: what was chosen, and every other setting commented with its default."""
    lines = ["# Settings of this node. A variable CONSORE_NAME wins over the line `name` here.", ""]
    for name, field in Settings.model_fields.items():
        if name == "home":
            continue
        lines.append(f"# {field.description}")
        value = chosen.get(name, field.default)
        lines.append(f"{'' if name in chosen else '# '}{name} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value or "").lower() if isinstance(value, bool) else '""'
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@app.command()
def doctor() -> None:
    """Every component: its version, its address, what is wrong and how to mend it."""
    from consore.cli.health import examine

    findings = examine(node())
    for finding in findings:
        colour = "red" if finding.wrong else "yellow" if finding.mend else "green"
        console.print(f"[{colour}]{finding.mark}[/] {finding.component:<14} {finding.version}", soft_wrap=True)
        # What components say is shown as it is: `'consore[postgres]'` is no markup.
        if finding.where:
            console.print(f"{'':<17}{finding.where}", style="dim", markup=False, soft_wrap=True)
        if finding.mend:
            console.print(f"{'':<17}→ {' '.join(finding.mend.split())}", markup=False, soft_wrap=True)
    if any(finding.wrong for finding in findings):
        raise typer.Exit(1)
    console.print("Everything is in order.")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    worker: Annotated[bool, typer.Option("--worker", help="Run the schedules in this process too.")] = False,
) -> None:
    """Serve the API, GraphiQL, health and metrics, and answer the network."""
    settings = node()
    changes = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    settings = settings.model_copy(update=changes)
    _free_or_complain(settings)
    import uvicorn

    from consore.api import create_app

    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    errors.print(f"{settings.centre_name} on http://{settings.host}:{settings.port}/graphql — Ctrl-C stops it")
    stop = threading.Event()
    runner = threading.Thread(target=_work if worker else _watch, args=(settings, stop), daemon=True)
    runner.start()
    try:
        uvicorn.Server(config).run()
    finally:
        stop.set()
        runner.join(timeout=10)


def _free_or_complain(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigurationError(
                f"Nothing can listen on {settings.host}:{settings.port}: {error.strerror}.",
                "Stop what uses that port, or choose another: `consore serve --port 8401`.",
            ) from error


def _work(settings: Settings, stop: threading.Event) -> None:
    from consore.index import ensure_engine
    from consore.ingestion import Worker

    with opened_store(settings) as store, ensure_engine(settings):
        Worker(settings, store).run_forever(stop)


def _watch(settings: Settings, stop: threading.Event) -> None:
    """Tell of sources that are late, worker or not."""
    from consore.ingestion import watch_forever

    with opened_store(settings) as store:
        watch_forever(settings, store, stop)


@app.command()
def worker() -> None:
    """Run the schedules: read each source when it is due."""
    settings = node()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    errors.print(f"Worker of {settings.centre_name} (process {os.getpid()}) — Ctrl-C stops it")
    _work(settings, stop)


@app.command()
def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    from consore.api import sdl

    print(sdl(), end="")


@account_app.command("add")
def add_account(
    login: str,
    role: Annotated[Role, typer.Option(help="What the account is for.")] = Role.PHYSICIAN,
    name: Annotated[str, typer.Option(help="Name shown to people.")] = "",
    password: Annotated[
        str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, envvar="CONSORE_NEW_PASSWORD")
    ] = "",
) -> None:
    """Add an account; the password is asked for, or taken from CONSORE_NEW_PASSWORD."""
    from consore.access import save_account

    with opened_store(node()) as store, store.session() as session:
        save_account(session, login, name=name or login, role=role, password=password)
    console.print(f"Account {login} ({role.value}) added.")


@account_app.command("list")
def list_all_accounts() -> None:
    """List the accounts."""
    with opened_store(node()) as store, store.session() as session:
        accounts = session.exec(select(Account).order_by(Account.login))
        print_table(
            ["login", "name", "role", "active"],
            [[account.login, account.name, account.role, account.active] for account in accounts],
        )
