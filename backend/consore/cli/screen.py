"""What people see in the terminal: one console, one progress bar, one way to complain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from consore.errors import ConsoreError

if TYPE_CHECKING:
    from consore.ingestion import Step

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


def show_step(bar: Progress, tasks: dict[str, TaskID], step: Step, of: str = "") -> None:
    """Show how far a run is: the stage, done, total, items a second, the time that is left, and what was rejected."""
    if step.stage not in tasks:
        tasks[step.stage] = bar.add_task(f"{of}{step.stage}", total=step.total, rate="")
    bar.update(tasks[step.stage], completed=step.done, total=step.total, rate=pace(step))


def step_in_words(step: Step) -> str:
    """`read: 1,204 of 20,000 (6 %) · 35/s · 8 min left`."""
    done = f"{step.done:,} of {step.total:,} ({step.share:.0%})" if step.total else f"{step.done:,}"
    return " · ".join(part for part in (f"{step.stage}: {done}", pace(step)) if part)


def pace(step: Step) -> str:
    """`1,204/s · 2 min left · 3 rejected`, as much of it as is known."""
    parts = [f"{step.rate:,.0f}/s" if step.rate and step.rate >= 10 else f"{step.rate:.1f}/s" if step.rate else ""]
    if step.eta_s and step.done != step.total:
        parts.append(f"{duration(step.eta_s)} left")
    if step.rejected:
        parts.append(f"{step.rejected:,} rejected")
    return " · ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02}"


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
