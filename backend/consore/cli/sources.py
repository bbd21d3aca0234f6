"""Commands that feed a node: source, ingest, runs, load-jsonl, index."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.progress import TaskID
from sqlmodel import select

from consore.cli.app import app, node, opened_store
from consore.cli.screen import console, print_table, progress_bar, show_step, step_in_words
from consore.errors import InputError
from consore.model import Frequency, IngestionRun, RunState, Schedule, Source, SourceKind

if TYPE_CHECKING:
    from consore.sources import Rejection, SourceRecord

source_app = typer.Typer(help="Sources of this centre.", no_args_is_help=True)
index_app = typer.Typer(help="The search index.", no_args_is_help=True)
app.add_typer(source_app, name="source")
app.add_typer(index_app, name="index")


@source_app.command("add")
def add_source(
    name: str,
    kind: SourceKind,
    location: Annotated[str, typer.Argument(help="A file, a folder, or the URL of a database, SFTP or FHIR server.")],
    options_file: Annotated[
        Path | None, typer.Option("--options", help="Options of the source as TOML or JSON (`consore source map`).")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="One option, as name=value; a value may be JSON. Repeatable.")
    ] = None,
    frequency: Annotated[Frequency, typer.Option(help="How often it is read.")] = Frequency.NIGHTLY,
    hour: Annotated[int, typer.Option(min=0, max=23)] = 2,
    minute: Annotated[int, typer.Option(min=0, max=59)] = 0,
) -> None:
    """Add a source: its name, its kind, where it lies, and the options of its format."""
    from consore.ingestion import add_source as add

    options = _options(options_file, option or [])
    with opened_store(node()) as store, store.session() as session:
        add(
            session,
            name=name,
            kind=kind,
            location=location,
            options=options,
            frequency=frequency,
            hour=hour,
            minute=minute,
        )
    console.print(f"Source {name} added, read {frequency.value}. Next: `consore source check {name}`.")


@source_app.command("list")
def list_sources() -> None:
    """List the sources: how each is, and when it is read."""
    from consore.ingestion import health_of_sources, schedule_in_words
    from consore.sources import shown

    settings = node()
    with opened_store(settings) as store, store.session() as session:
        print_table(
            ["source", "kind", "state", "read", "next", "location"],
            [
                [
                    health.source.name,
                    health.source.kind,
                    health.state.value,
                    schedule_in_words(health.schedule, "en"),
                    _on_the_clock(health.schedule, health.next_at),
                    shown(health.source.location),
                ]
                for health in health_of_sources(session, settings).values()
            ],
        )


def _on_the_clock(schedule: Schedule, moment: dt.datetime | None) -> str:
    """A moment by the clock of a schedule."""
    return f"{moment.astimezone(ZoneInfo(schedule.timezone)):%m-%d %H:%M} {schedule.timezone}" if moment else ""


def _options(file: Path | None, given: list[str]) -> dict[str, Any]:
    """Options of a file, and those given one by one over them."""
    from consore.sources import load_options

    options = load_options(file) if file else {}
    options.pop("kind", None)  # what `consore source map` proposed is told by the command
    for one in given:
        name, equal, value = one.partition("=")
        if not equal:
            raise InputError(f"The option {one} has no value.", "Write it as name=value.")
        try:
            options[name.strip()] = json.loads(value)
        except ValueError:
            options[name.strip()] = value
    return options


@source_app.command("check")
def check(name: str) -> None:
    """Open a source, read its first records and show how they map."""
    from consore.sources import check_source, preview_source

    with opened_store(node()) as store, store.session() as session:
        source = named_source(session, name)
    kind = SourceKind(source.kind)
    report = check_source(kind, source.location, source.options)
    console.print(report.text(), markup=False, soft_wrap=True)
    if not report.usable:
        raise typer.Exit(1)
    print_records(preview_source(kind, source.location, source.options))


def print_records(items: Sequence[SourceRecord | Rejection], *, full: bool = False) -> None:
    """Records as they would be stored, and rejections with what to do."""
    from consore.sources import Rejection

    for item in items:
        if isinstance(item, Rejection):
            console.print(f"✗ {item.position}: {item.message}", style="yellow", markup=False, soft_wrap=True)
            continue
        told = {key: value for key, value in item.values.items() if value not in (None, "", [])}
        shown = [f"{key}={value if full else _short(value)}" for key, value in told.items()]
        head = f"✓ {item.kind} of {item.ipp or '—'}, {item.external_id}"
        console.print(
            f"{head}: {', '.join(shown)}" if not full else "\n    ".join([head, *shown]), markup=False, soft_wrap=True
        )
    if not items:
        console.print("No record of this kind is there.", style="yellow")


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
    cluster: Annotated[
        str, typer.Option(help="Scheduler of a Dask cluster whose machines read the documents: tcp://host:8786.")
    ] = "",
) -> None:
    """Read a source: extract, store, read, structure, index. Reading it again changes nothing."""
    from consore.index import ensure_engine
    from consore.ingestion import readers, run_all, run_source

    if (name is None) != all_:
        raise InputError("Say which source.", "`consore ingest NAME`, or `consore ingest --all`.")
    settings = node()
    with (
        opened_store(settings) as store,
        ensure_engine(settings),
        readers(cluster) as executor,
        shown_progress() as progress,
    ):
        how = {"progress": progress, "executor": executor, "despite_blackout": despite_blackout}
        if name is None:
            runs = run_all(settings, store, **how)
        else:
            with store.session() as session:
                identifier = named_source(session, name).id
            assert identifier is not None
            runs = [run_source(settings, store, identifier, **how)]
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
        ["run", "source", "state", "started", "seen", "new", "changed", "same", "rejected"],
        [
            [
                run.id,
                names.get(run.source_id, ""),
                run.state,
                f"{run.started_at.astimezone():%m-%d %H:%M}",
                run.seen,
                run.created,
                run.changed,
                run.unchanged,
                run.rejected,
            ]
            for run in found
        ],
    )
    for run in found:
        if run.message:
            console.print(f"Run {run.id}, {names.get(run.source_id, '')}: {run.message}", markup=False, soft_wrap=True)


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
            source_id = named_source(session, name).id if name else None
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


def named_source(session, name: str) -> Source:  # type: ignore[no-untyped-def]
    """The source of that name. Raises InputError naming those that there are."""
    source = session.exec(select(Source).where(Source.name == name)).first()
    if source is None:
        known = ", ".join(session.exec(select(Source.name).order_by(Source.name))) or "none yet"
        raise InputError(f"There is no source {name}.", f"Known sources: {known}. Add one with `consore source add`.")
    return source
