"""Commands that feed a node: source, ingest, runs, load-jsonl, index."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.progress import TaskID
from sqlmodel import select

from consore.cli.app import app, node, opened_store
from consore.cli.screen import console, print_table, progress_bar, show_step, step_in_words
from consore.errors import InputError
from consore.model import Frequency, IngestionRun, RunState, Schedule, Source, SourceKind

source_app = typer.Typer(help="Sources of this centre.", no_args_is_help=True)
index_app = typer.Typer(help="The search index.", no_args_is_help=True)
app.add_typer(source_app, name="source")
app.add_typer(index_app, name="index")


@source_app.command("add")
def add_source(
    name: str,
    kind: SourceKind,
    location: Path,
    frequency: Annotated[Frequency, typer.Option(help="How often it is read.")] = Frequency.NIGHTLY,
    hour: Annotated[int, typer.Option(min=0, max=23)] = 2,
    minute: Annotated[int, typer.Option(min=0, max=59)] = 0,
) -> None:
    """Add a source: its name, its kind, and the file or folder where it lies."""
    from consore.ingestion import add_source as add

    with opened_store(node()) as store, store.session() as session:
        add(session, name=name, kind=kind, location=location, frequency=frequency, hour=hour, minute=minute)
    console.print(f"Source {name} added, read {frequency.value}. Next: `consore source check {name}`.")


@source_app.command("list")
def list_sources() -> None:
    """List the sources: how each is, and when it is read."""
    from consore.ingestion import health_of_sources, schedule_in_words

    settings = node()
    with opened_store(settings) as store, store.session() as session:
        print_table(
            ["source", "kind", "location", "state", "read", "next"],
            [
                [
                    health.source.name,
                    health.source.kind,
                    health.source.location,
                    health.state.value,
                    schedule_in_words(health.schedule, "en"),
                    _on_the_clock(health.schedule, health.next_at),
                ]
                for health in health_of_sources(session, settings).values()
            ],
        )


def _on_the_clock(schedule: Schedule, moment: dt.datetime | None) -> str:
    """A moment by the clock of a schedule."""
    return f"{moment.astimezone(ZoneInfo(schedule.timezone)):%Y-%m-%d %H:%M} {schedule.timezone}" if moment else ""


@source_app.command("check")
def check(name: str) -> None:
    """Open a source, read its first records and show how they map."""
    from consore.sources import Rejection, check_source, read_source

    with opened_store(node()) as store, store.session() as session:
        source = _named(session, name)
    kind, location = SourceKind(source.kind), Path(source.location)
    report = check_source(kind, location, source.options)
    console.print(f"{report.location}: {report.kind}, up to {report.records} records")
    console.print(f"columns: {', '.join(report.columns)}", markup=False)
    for problem in report.problems:
        console.print(problem, style="yellow", markup=False)
    if not report.usable:
        raise typer.Exit(1)
    for record in islice(read_source(kind, location, source.options), 10):
        if isinstance(record, Rejection):
            console.print(f"✗ {record.position}: {record.message}", style="yellow", markup=False, soft_wrap=True)
            continue
        values = ", ".join(
            f"{key}={_short(value)}" for key, value in record.values.items() if value not in (None, "", [])
        )
        console.print(f"✓ {record.ipp} {record.external_id}: {values}", markup=False, soft_wrap=True)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:39] + "…"


@app.command()
def ingest(
    name: Annotated[str | None, typer.Argument(help="Name of the source.")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every source, in the order that they stand on each other.")
    ] = False,
    despite_blackout: Annotated[bool, typer.Option(help="Read it though a blackout holds.")] = False,
) -> None:
    """Read a source: extract, store, read, structure, index. Reading it again changes nothing."""
    from consore.index import ensure_engine
    from consore.ingestion import run_all, run_source

    if (name is None) != all_:
        raise InputError("Say which source.", "`consore ingest NAME`, or `consore ingest --all`.")
    settings = node()
    with opened_store(settings) as store, ensure_engine(settings), shown_progress() as progress:
        if name is None:
            runs = run_all(settings, store, progress=progress, despite_blackout=despite_blackout)
        else:
            with store.session() as session:
                identifier = _named(session, name).id
            assert identifier is not None
            runs = [run_source(settings, store, identifier, progress=progress, despite_blackout=despite_blackout)]
        with store.session() as session:
            sources = session.exec(select(Source)).all()
            names = {source.id: source.name for source in sources}
            enabled = {source.id for source in sources if source.enabled}
    if name is None and not enabled:
        raise InputError("There is no source to read.", "Add one with `consore source add`.")
    _print_runs(runs, names)
    left = enabled - {run.source_id for run in runs} if name is None else set()
    if left:
        listed = ", ".join(sorted(names[identifier] for identifier in left))
        console.print(
            f"Being read by another process, or in a blackout: {listed}. `consore runs` tells how it goes.",
            markup=False,
        )
    if any(run.state == RunState.FAILED for run in runs):
        raise typer.Exit(1)


@app.command()
def runs(
    first: Annotated[int, typer.Option("--last", help="How many, the newest first.")] = 20,
    cancel: Annotated[int | None, typer.Option(help="Stop the run of this number at its next step.")] = None,
) -> None:
    """The last readings of sources, how far those are that go on, and what was rejected."""
    from consore.ingestion import cancel_run, step_of
    from consore.model import RunProgress

    with opened_store(node()) as store:
        if cancel is not None:
            asked = cancel_run(store, cancel)
            going = asked.state == RunState.RUNNING
            console.print(f"The run {cancel} {'stops at its next step' if going else 'is cancelled'}.")
        with store.session() as session:
            names = {source.id: source.name for source in session.exec(select(Source))}
            found = session.exec(select(IngestionRun).order_by(IngestionRun.id.desc()).limit(first)).all()  # type: ignore[union-attr]
            _print_runs(list(found), names)
            for run in found:
                step = step_of(run, session.get(RunProgress, run.id))
                if step is not None:
                    console.print(f"Run {run.id}, {names.get(run.source_id, '')}: {step_in_words(step)}", markup=False)


def _print_runs(found: list[IngestionRun], names: dict[int | None, str]) -> None:
    print_table(
        ["run", "source", "state", "started", "seen", "created", "changed", "unchanged", "rejected", ""],
        [
            [
                run.id,
                names.get(run.source_id, ""),
                run.state,
                f"{run.started_at.astimezone():%Y-%m-%d %H:%M %Z}",
                run.seen,
                run.created,
                run.changed,
                run.unchanged,
                run.rejected,
                run.message,
            ]
            for run in found
        ],
    )


@app.command()
def rejected(
    name: Annotated[str | None, typer.Argument(help="Name of the source.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Read them again, now that the cause is mended.")] = False,
) -> None:
    """Records that could not be read, with the reason."""
    from consore.index import ensure_engine
    from consore.ingestion import replay_rejected
    from consore.model import RejectedRecord

    settings = node()
    with opened_store(settings) as store:
        with store.session() as session:
            source_id = _named(session, name).id if name else None
        if replay:
            with ensure_engine(settings), shown_progress() as progress:
                report = replay_rejected(settings, store, source_id=source_id, progress=progress)
            console.print(f"{report.taken} taken, {report.still_rejected} still rejected.")
        with store.session() as session:
            query = select(RejectedRecord).where(RejectedRecord.replayed_at.is_(None))  # type: ignore[union-attr]
            if source_id is not None:
                query = query.where(RejectedRecord.source_id == source_id)
            print_table(
                ["id", "position", "reason", "message"],
                [[row.id, row.position, row.reason, row.message] for row in session.exec(query)],
            )


@app.command("load-jsonl")
def load(path: Path) -> None:
    """Load patients from JSON lines (plain or .gz): whole patients, or one text a line."""
    from consore.index import ensure_engine
    from consore.ingestion import load_jsonl

    settings = node()
    with opened_store(settings) as store, ensure_engine(settings), shown_progress() as progress:
        report = load_jsonl(settings, store, path, progress=progress)
    console.print(
        f"{report.patients} patients, {report.documents} documents loaded ({report.unchanged} unchanged); "
        f"{len(report.rejected)} lines rejected."
    )
    for rejection in report.rejected[:20]:
        console.print(f"  {rejection.position}: {rejection.message}", style="yellow", markup=False)


@index_app.command("rebuild")
def rebuild() -> None:
    """Build the index anew from the store, then switch to it."""
    from consore.index import SearchIndex, ensure_engine
    from consore.ingestion import Step
    from consore.referentials import terminology

    settings = node()
    with opened_store(settings) as store, ensure_engine(settings) as engine, shown_progress() as progress:
        terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
        SearchIndex(engine).rebuild(store, terms, lambda done, total: progress(Step("index", done, total)))
    console.print("The index is rebuilt.")


@index_app.command("check")
def check_index() -> None:
    """Compare the index with the store."""
    from consore.index import SearchIndex, ensure_engine

    settings = node()
    with opened_store(settings) as store, ensure_engine(settings) as engine:
        report = SearchIndex(engine).check(store)
    print_table(
        ["collection", "in the store", "in the index"],
        [
            ["patients", report.patients_in_store, report.patients_in_index],
            ["documents", report.documents_in_store, report.documents_in_index],
        ],
    )
    if not report.agrees:
        console.print("They differ: `consore index rebuild` mends it.")
        raise typer.Exit(1)


def shown_progress():  # type: ignore[no-untyped-def]
    """A progress bar as the callback that ingestion calls with each `Step`."""
    from contextlib import contextmanager

    @contextmanager
    def shown():  # type: ignore[no-untyped-def]
        with progress_bar() as bar:
            tasks: dict[str, TaskID] = {}
            yield lambda step: show_step(bar, tasks, step)

    return shown()


def _named(session, name: str) -> Source:  # type: ignore[no-untyped-def]
    source = session.exec(select(Source).where(Source.name == name)).first()
    if source is None:
        known = ", ".join(session.exec(select(Source.name).order_by(Source.name))) or "none yet"
        raise InputError(f"There is no source {name}.", f"Known sources: {known}. Add one with `consore source add`.")
    return source
