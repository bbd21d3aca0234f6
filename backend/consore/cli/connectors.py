"""Commands that prepare sources: preview, a proposed mapping, and the listener of HL7 messages."""

from __future__ import annotations

import asyncio
import signal
import ssl
from pathlib import Path
from typing import Annotated, Any

import typer

from consore.cli.app import node, opened_store
from consore.cli.screen import console, print_table
from consore.cli.sources import named_source, print_records, source_app
from consore.errors import ConfigurationError, InputError
from consore.model import SourceKind


@source_app.command("preview")
def preview(
    name: str,
    first: Annotated[int, typer.Option("--first", min=1, max=1000, help="How many records.")] = 10,
    full: Annotated[bool, typer.Option("--full", help="Values whole, one a line.")] = False,
) -> None:
    """Show the first records of a source as they would be stored, and what would be rejected; nothing is kept."""
    from consore.sources import preview_source

    with opened_store(node()) as store, store.session() as session:
        source = named_source(session, name)
    print_records(preview_source(SourceKind(source.kind), source.location, source.options, first), full=full)


@source_app.command("map")
def map_file(
    file: Path,
    kind: Annotated[SourceKind | None, typer.Option(help="What the file holds; else it is proposed.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the mapping there, as TOML.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook; else the first.")] = None,
) -> None:
    """Propose what an unknown CSV, XLSX, Parquet or NDJSON file holds and how its columns map, to confirm or edit."""
    from consore.referentials import terminology
    from consore.sources.mapping import as_toml, propose

    settings = node()
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    proposal = propose(file, terms, kind=kind, options={"sheet": sheet} if sheet else {})
    console.print(f"{file.name}: {proposal.kind} ({proposal.confidence:.0%}): {proposal.why}", markup=False)
    print_table(
        ["column of the file", "column here", "confidence", "why"],
        [
            [one.theirs, one.ours or "—", f"{one.confidence:.0%}" if one.ours else "", one.why]
            for one in proposal.columns
        ],
    )
    for question in proposal.questions:
        console.print(f"? {question}", style="yellow", markup=False)
    text = as_toml(proposal)
    if out is None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    out.write_text(text, encoding="utf-8")
    console.print(
        f"Written to {out}. Edit it, then: consore source add NAME {proposal.kind} {file} --options {out}", markup=False
    )


@source_app.command("listen")
def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port that is listened on; 0: a free one.")] = 2575,
    host: Annotated[str, typer.Option(help="Address that is listened on.")] = "127.0.0.1",
    spool: Annotated[
        Path | None, typer.Option(help="Folder where messages are kept; else CONSORE_HOME/spool/hl7.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate (PEM), with --key.")] = None,
    key: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).")] = None,
) -> None:
    """Receive HL7 v2 messages over MLLP; each is on disk before it is acknowledged. Ctrl-C stops it."""
    from consore.sources.mllp import Listener, Spool

    settings = node()
    folder = spool or settings.home / "spool" / "hl7"
    tls = _tls(certificate, key)
    listener = Listener(Spool(folder), log=lambda line: console.print(line, style="yellow", markup=False))
    asyncio.run(_listening(listener, host, port, tls, folder))
    tally = listener.tally
    console.print(f"{tally.accepted} messages kept, {tally.refused} refused, {tally.failed} to be sent again.")


async def _listening(listener: Any, host: str, port: int, tls: ssl.SSLContext | None, folder: Path) -> None:
    taken = await listener.start(host, port, tls)
    console.print(
        f"Listening on {host}:{taken}; messages lie in {folder}. Read them with sources such as:", markup=False
    )
    for name, kind in (("identities", "administrative"), ("results", "biology"), ("reports", "documents")):
        console.print(f"  consore source add {name} {kind} {folder} --option format=hl7", markup=False)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await listener.stop()


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InputError("TLS needs a certificate and its key.", "Give both --certificate and --key.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"The certificate cannot be used: {error}.", "Give a PEM file and its key.") from error
    return context
