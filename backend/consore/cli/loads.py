"""Loads of fictional centres into throwaway nodes, for the bench and the tests that compare two ways to one end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from consore.index import SearchIndex, ensure_engine
from consore.ingestion import add_source, run_all
from consore.ingestion.snapshot import Snapshot, snapshot
from consore.model import IngestionRun, RunState, Source, SourceKind
from consore.settings import Settings
from consore.store import Store

# Where the formats of a fictional centre lie: name of the source, kind, place, options.
EXCHANGE: tuple[tuple[str, SourceKind, str, dict[str, Any]], ...] = (
    ("patients", SourceKind.ADMINISTRATIVE, "administratif.csv", {}),
    ("pmsi", SourceKind.PMSI, "pmsi_rss.txt", {}),
    ("sheets", SourceKind.TUMOUR_SHEET, "fiches_tumeur.csv", {}),
    ("chemotherapy", SourceKind.CHEMOTHERAPY, "chimiotherapie.csv", {}),
    ("biobank", SourceKind.BIOBANK, "biobanque.csv", {}),
    ("documents", SourceKind.DOCUMENTS, "documents", {}),
)
MESSAGES: tuple[tuple[str, SourceKind, str, dict[str, Any]], ...] = (
    ("identities", SourceKind.ADMINISTRATIVE, "hl7/adt.hl7", {"records": ["patient", "merge", "deletion"]}),
    ("pharmacy", SourceKind.PHARMACY, "pharmacie.csv", {}),
    ("biology", SourceKind.BIOLOGY, "hl7/oru.hl7", {}),
    ("molecular", SourceKind.MOLECULAR, "fhir/molecular", {"format": "fhir"}),
    ("messages", SourceKind.DOCUMENTS, "hl7/mdm", {"format": "hl7"}),
)


@contextmanager
def node(home: Path, **values: Any) -> Iterator[tuple[Settings, Store]]:
    """A throwaway node, its engine started."""
    settings = Settings(home=home, centre_code="BENCH", **values)
    store = Store.of(settings)
    try:
        with ensure_engine(settings):
            yield settings, store
    finally:
        store.close()


def declare(store: Store, root: Path, sources: tuple[tuple[str, SourceKind, str, dict[str, Any]], ...]) -> None:
    """Declare the sources of a fictional centre."""
    with store.session() as session:
        for name, kind, place, options in sources:
            add_source(session, name=name, kind=kind, location=root / place, options=options)


def load(settings: Settings, store: Store, **values: Any) -> list[IngestionRun]:
    """Read every source; raises AssertionError with what it says where one fails."""
    runs = run_all(settings, store, **values)
    for run in runs:
        assert run.state == RunState.DONE.value, run.message
    return runs


def pictured(settings: Settings, store: Store) -> Snapshot:
    """What a node holds, index included."""
    with ensure_engine(settings) as engine:
        return snapshot(store, SearchIndex(engine))


def load_days(settings: Settings, store: Store, root: Path, days: range, day_of: Callable[[int], Path]) -> None:
    """Read the deliveries of some days one after the other, each at the place where the sources look: `root`."""
    for day in days:
        root.unlink(missing_ok=True)
        root.symlink_to(day_of(day), target_is_directory=True)
        with store.session() as session:
            for source in session.scalars(select(Source)):
                if not Path(source.location).suffix:  # a drop folder into which nothing came that day
                    Path(source.location).mkdir(parents=True, exist_ok=True)
        load(settings, store)


def load_with_kills(settings: Settings, store: Store, kills: int, seed: int, longest: float) -> int:
    """Read every source in processes that are killed at random moments, then once to the end; gives how many were."""
    chance, killed, tries = random.Random(seed), 0, 0
    command = [sys.executable, "-m", "consore", "--home", str(settings.home), "ingest", "--all"]
    while killed < kills and tries < 3 * kills:  # one that was quicker than its killer does not count
        tries += 1
        process = subprocess.Popen(
            command,
            env={**os.environ, **_environment(settings)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until_it_runs(store, process)
            time.sleep(chance.uniform(0, longest))
        finally:
            alive = process.poll() is None
            if alive:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        killed += alive
    load(settings, store)
    return killed


def _environment(settings: Settings) -> dict[str, str]:
    given = {
        "CONSORE_CENTRE_CODE": settings.centre_code,
        "CONSORE_READ_PROCESSES": str(settings.read_processes),
        "CONSORE_DATABASE_URL": settings.database_url,
        "CONSORE_TYPESENSE_URL": settings.typesense_url,
        "CONSORE_TYPESENSE_API_KEY": settings.typesense_api_key.get_secret_value(),
        "CONSORE_CACHE_DIR": str(settings.cache),
    }
    return {name: value for name, value in given.items() if value}


def _wait_until_it_runs(store: Store, process: subprocess.Popen[bytes]) -> None:
    with store.session() as session:
        before = session.execute(select(IngestionRun.id).order_by(IngestionRun.id.desc()).limit(1)).scalar()  # type: ignore
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        with store.session() as session:
            last = session.execute(select(IngestionRun.id).order_by(IngestionRun.id.desc()).limit(1)).scalar()  # type: ignore
        if last != before:
            return
        time.sleep(0.02)
