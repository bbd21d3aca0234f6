"""What people see in the terminal: one console, one progress bar, one way to complain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from consore.errors import ConsoreError

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def complain(error: ConsoreError) -> None:
    """Say what is wrong and what to do next."""
    errors.print(f"[bold red]✗[/] {_plain(error.message)}", soft_wrap=True)
    if error.hint:
        errors.print(f"  → {_plain(error.hint)}", soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table; numbers to the right."""
    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", header_style="dim")
    for row in rows:
        table.add_row(*(_plain("" if cell is None else str(cell)) for cell in row))
    console.print(table)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, so that standard output stays clean."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        yield progress


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
