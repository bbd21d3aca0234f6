"""Commands of the fictional centres: synth, bench synth."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Annotated

import typer

from consore.cli.app import JsonOption, app
from consore.cli.reading import bench_app
from consore.cli.screen import console, print_json, print_table, progress_bar


@app.command()
def synth(
    out: Annotated[Path, typer.Option(help="Folder to write to; the centre has its own folder there.")],
    centre: Annotated[str, typer.Option(help="Code of the fictional centre.")] = "ALPHA",
    name: Annotated[str | None, typer.Option(help="Its name; by default made of its code.")] = None,
    patients: Annotated[int, typer.Option(min=1)] = 150,
    seed: Annotated[int, typer.Option(help="Another seed gives other patients.")] = 1,
    split: Annotated[str, typer.Option(help="train, dev or test: other templates, other names.")] = "train",
    noise: Annotated[str, typer.Option(help="none, low, medium or high.")] = "medium",
    formats: Annotated[
        str, typer.Option(help="Comma-separated, or all; an unknown one is answered with the list of those there are.")
    ] = "",
    day: Annotated[
        int | None, typer.Option(help="Only what changed on this day, 0 to 30; day 0 is the first full load.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the files are the same whatever their number.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write over a folder made with other arguments.")] = False,
) -> None:
    """Write the extracts of a fictional centre, in the formats of real ones, with the truth beside."""
    from consore.synthetic import generate_centre
    from consore.synthetic.formats import DEFAULT

    begun = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("patients", total=patients, rate="")

        def shown(done: int, total: int) -> None:
            bar.update(task, completed=done, rate=f"{done / (time.monotonic() - begun):,.0f}/s")

        made = generate_centre(
            out,
            code=centre,
            name=name or f"Centre fictif {centre.capitalize()}",
            patients=patients,
            seed=seed,
            split=split,
            noise=noise,
            formats=tuple(one.strip() for one in formats.split(",") if one.strip()) or DEFAULT,
            workers=workers,
            day=day,
            force=force,
            progress=shown,
        )
    seconds = time.monotonic() - begun
    print_table(["file", "rows"], sorted(made.rows.items()), title=f"{made.name}: {made.root}")
    documents = made.counts["documents"]
    console.print(
        f"{documents:,} documents in {seconds:.1f} s: {documents / seconds:,.0f} a second, "
        f"{peak_memory():,.0f} MB at the most with {workers} process{'es' if workers > 1 else ''}."
    )


@bench_app.command("synth")
def bench_synth(
    patients: Annotated[int, typer.Option(min=20, help="Patients of each centre that is made and thrown away.")] = 400,
    as_json: JsonOption = False,
) -> None:
    """Documents a second with one and with two processes, in text formats; their size and the memory."""
    from tempfile import TemporaryDirectory

    from consore.synthetic import generate_centre
    from consore.synthetic.formats import TEXT_ONLY

    found = []
    for formats, workers in ((TEXT_ONLY, 1), (TEXT_ONLY, 2), ((*TEXT_ONLY[:-1], "jsonl"), 2)):
        with TemporaryDirectory() as folder:
            begun, spent = time.monotonic(), _processor_time()
            made = generate_centre(
                Path(folder), code="BENCH", name="Banc", patients=patients, seed=7, formats=formats, workers=workers
            )
            seconds, spent = time.monotonic() - begun, _processor_time() - spent
            size = sum(path.stat().st_size for path in made.root.rglob("*") if path.is_file()) / 1e6
        documents = made.counts["documents"]
        found.append(
            {
                "as": formats[-1],
                "processes": workers,
                "documents": documents,
                "seconds": round(seconds, 1),
                "documents/s": round(documents / seconds),
                "documents/s of one core": round(documents / spent),
                "MB": round(size, 1),
                "peak MB": round(peak_memory()),
                "extrapolated_hours_of_100000_patients": round(seconds * 100_000 / patients / 3600, 1),
                "extrapolated_GB_of_100000_patients": round(size * 100 / patients, 1),
            }
        )
    if as_json:
        print_json(found)
        return
    shown = [name for name in found[0] if not name.startswith("extrapolated")]
    print_table(
        shown, [[row[name] for name in shown] for row in found], title=f"A fictional centre of {patients} patients"
    )
    last = found[-1]
    console.print(
        f"Extrapolated, not measured: 100,000 patients as {last['as']} with two processes take "
        f"{last['extrapolated_hours_of_100000_patients']} h and {last['extrapolated_GB_of_100000_patients']} GB."
    )


def _processor_time() -> float:
    """Seconds of processor that this process and its children that ended have taken."""
    return sum(os.times()[:4])


def peak_memory() -> float:
    """The most memory that this process and its largest child held together, in MB."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + children) / 1000
