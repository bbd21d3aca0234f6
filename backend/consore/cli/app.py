"""The Typer application and what every command shares: the node's settings, its store, its search engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consore.settings import Settings, load_settings

if TYPE_CHECKING:
    from consore.store import Store

app = typer.Typer(
    name="consore",
    help="The search engine of a cancer centre: reports read, histories rebuilt, patients found, counts shared.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

_home: Path | None = None

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback()
def _choose(
    home: Annotated[
        Path | None,
        typer.Option("--home", envvar="CONSORE_HOME", help="Folder of everything this node writes."),
    ] = None,
) -> None:
    global _home
    _home = home


def node() -> Settings:
    """The settings of the node that the command speaks of."""
    return load_settings(_home)


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The node's store, up to date, closed at the end."""
    from consore.store import Store

    store = Store.of(settings)
    try:
        yield store
    finally:
        store.close()
