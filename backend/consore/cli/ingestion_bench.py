"""`consore bench ingestion`: how fast a night is, what it costs, and that nothing is lost, on fictional centres."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consore.cli.reading import bench_app
from consore.errors import InputError

PARTS = ("speed", "memory", "kills", "month")


@bench_app.command("ingestion")
def bench_ingestion(
    documents: Annotated[int, typer.Option(min=200, help="Documents that are loaded to measure the speed.")] = 20_000,
    records: Annotated[int, typer.Option(min=10_000, help="Records over which memory is measured.")] = 200_000,
    kills: Annotated[int, typer.Option(min=1, help="How often a load is killed.")] = 20,
    patients: Annotated[int, typer.Option(min=2, help="Patients of the loads that are killed, and of the month.")] = 20,
    parts: Annotated[str, typer.Option(help=f"Comma-separated: {', '.join(PARTS)}.")] = ",".join(PARTS),
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("bench-ingestion.json"),
) -> None:
    """Documents a second by stage and end to end, memory, what twenty kills lose, a month of days against one load."""
    from consore.cli.ingestion_measures import measure_ingestion

    wanted = [part.strip() for part in parts.split(",")]
    if unknown := sorted(set(wanted) - set(PARTS)):
        raise InputError(f"Nothing is measured under {', '.join(unknown)}.", f"Parts: {', '.join(PARTS)}.")
    measure_ingestion(documents, records, kills, patients, wanted, out)
