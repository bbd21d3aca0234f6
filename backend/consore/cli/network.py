"""Commands of the network of centres: federation ask, peer add, peer list, peer key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import select

from consore.cli.app import JsonOption, app, node, opened_store
from consore.cli.criteria import read_criteria
from consore.cli.screen import console, print_json, print_table
from consore.model import Peer

federation_app = typer.Typer(help="Counts in the other centres.", no_args_is_help=True)
peer_app = typer.Typer(help="The other centres of the network.", no_args_is_help=True)
app.add_typer(federation_app, name="federation")
app.add_typer(peer_app, name="peer")


@federation_app.command("ask")
def ask(
    file: Path,
    requester: Annotated[str, typer.Option(help="Who asks; the other centres log it.")] = "administrator",
    as_json: JsonOption = False,
) -> None:
    """Ask every centre how many of its patients meet the criteria: a row a centre, never a patient."""
    from dataclasses import asdict

    from consore.federation import ask as ask_network

    settings = node()
    criteria = read_criteria(file)
    with opened_store(settings) as store:
        answer = asyncio.run(ask_network(settings, store, criteria, requester=requester))
    if as_json:
        print_json(asdict(answer))
        return
    print_table(
        ["centre", "state", "patients", "referent", "ms", ""],
        [
            [row.centre_name, row.state, row.count or "", row.referent_name, row.milliseconds, row.message or ""]
            for row in answer.rows
        ],
    )


@peer_app.command("add")
def add(
    code: str,
    url: str,
    public_key: Annotated[
        Path, typer.Argument(help="File of the peer's public key (PEM), as `consore peer key` prints.")
    ],
    name: Annotated[str, typer.Option(help="Name of the centre.")] = "",
    referent_name: Annotated[str, typer.Option()] = "",
    referent_email: Annotated[str, typer.Option()] = "",
    referent_phone: Annotated[str, typer.Option()] = "",
) -> None:
    """Admit another centre: its address, and the key that it signs with."""
    from consore.federation import upsert_peer

    with opened_store(node()) as store, store.session() as session:
        upsert_peer(
            session,
            code=code,
            name=name or code,
            url=url,
            public_key=public_key.read_text(encoding="ascii"),
            referent_name=referent_name,
            referent_email=referent_email,
            referent_phone=referent_phone,
        )
    console.print(f"Centre {code} is admitted.")


@peer_app.command("list")
def list_peers() -> None:
    """List the other centres."""
    with opened_store(node()) as store, store.session() as session:
        print_table(
            ["code", "name", "address", "enabled", "referent"],
            [
                [peer.code, peer.name, peer.url, peer.enabled, peer.referent_name]
                for peer in session.exec(select(Peer).order_by(Peer.code))
            ],
        )


@peer_app.command("key")
def key() -> None:
    """Print this node's public key, to hand to the other centres."""
    from consore.federation import public_key_pem

    print(public_key_pem(node()), end="")
