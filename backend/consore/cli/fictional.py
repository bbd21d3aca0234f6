"""A fictional centre made ready: extracts generated, sources declared, ingested, accounts and keys made."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress
from sqlmodel import func, select

from consore.cli.node import settings_file
from consore.model import Frequency, Patient, Role, SourceKind
from consore.settings import Settings, load_settings

if TYPE_CHECKING:
    from consore.store import Store

NAMES = (
    ("ALIZE", "Centre fictif Alizé", "Dr Solène Kerbrat"),
    ("BOREAL", "Centre fictif Boréal", "Dr Amaury Teyssèdre"),
    ("MISTRAL", "Centre fictif Mistral", "Dr Naïma Courtefois"),
)
SOURCES = {
    "administratif": (SourceKind.ADMINISTRATIVE, "administratif.csv", Frequency.NIGHTLY),
    "pmsi": (SourceKind.PMSI, "pmsi_rss.txt", Frequency.MONTHLY),
    "fiches-tumeur": (SourceKind.TUMOUR_SHEET, "fiches_tumeur.csv", Frequency.WEEKLY),
    "chimiotherapie": (SourceKind.CHEMOTHERAPY, "chimiotherapie.csv", Frequency.NIGHTLY),
    "pharmacie": (SourceKind.PHARMACY, "pharmacie.csv", Frequency.NIGHTLY),
    "biologie": (SourceKind.BIOLOGY, "biologie.csv", Frequency.NIGHTLY),
    "biologie-moleculaire": (SourceKind.MOLECULAR, "biologie_moleculaire.csv", Frequency.WEEKLY),
    "biobanque": (SourceKind.BIOBANK, "biobanque.csv", Frequency.WEEKLY),
    "comptes-rendus": (SourceKind.DOCUMENTS, "documents", Frequency.NIGHTLY),
}
FIRST_PORT = 8401


@dataclass(frozen=True)
class DemoAccount:
    """An account of the demonstration, with its password in clear: it opens invented patients only."""

    login: str
    name: str
    role: Role
    password: str


@dataclass(frozen=True)
class FictionalCentre:
    """A centre that is ready to be started."""

    code: str
    name: str
    settings: Settings
    accounts: list[DemoAccount]


def prepare_centre(
    folder: Path,
    number: int,
    *,
    patients: int,
    bar: Progress,
    stages: list[tuple[str, float]],
    first_port: int = FIRST_PORT,
    seed: int = 100,
) -> FictionalCentre:
    """Make one centre under `folder`, or take it up where an earlier demo left it. Times go to `stages`."""
    code, name, referent = (
        NAMES[number] if number < len(NAMES) else (f"C{number + 1:02}", f"Centre fictif {number + 1}", "")
    )
    home = folder / "nodes" / code
    port = _free_port(first_port and first_port + number)
    settings = _settings(folder, home, number, port=port, code=code, name=name, referent=referent)
    accounts = _accounts(folder)
    from consore.store import Store
    from consore.synthetic import generate_centre, is_complete

    extracts = folder / "extracts" / code
    if not is_complete(extracts):
        with _timed(f"{name}: extracts generated", stages, bar):
            generate_centre(extracts.parent, code=code, name=name, patients=patients, seed=seed + number, force=True)
    store = Store.of(settings)
    try:
        _declare(store, extracts, accounts)
        with store.session() as session:
            loaded = session.exec(select(func.count()).select_from(Patient)).one()
        if not loaded:
            _ingest(settings, store, name, bar, stages)
    finally:
        store.close()
    return FictionalCentre(code, name, settings, accounts)


def _settings(folder: Path, home: Path, number: int, *, port: int, code: str, name: str, referent: str) -> Settings:
    (home / "logs").mkdir(parents=True, exist_ok=True)
    file = home / "consore.toml"
    text = settings_file(
        centre_code=code,
        centre_name=name,
        referent_name=referent,
        referent_email=f"referent@{code.lower()}.example",
        referent_phone=f"01 99 00 00 {number + 1:02}",
        cache_dir=str(folder / "cache"),
    )
    file.write_text(f"port = {port}\n" + text.replace("# port = ", "# default port = "), encoding="utf-8")
    return load_settings(home)


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
            except OSError:
                continue
    raise AssertionError("the system always has a free port")


def _accounts(folder: Path) -> list[DemoAccount]:
    file = folder / "accounts.json"
    if file.exists():
        return [DemoAccount(**{**item, "role": Role(item["role"])}) for item in json.loads(file.read_text())]
    names = {
        Role.PHYSICIAN: ("medecin", "Dr Maëlle Quintrec"),
        Role.RESEARCHER: ("chercheur", "Ilan Borderive"),
        Role.ADMIN: ("admin", "Service informatique"),
        Role.INTEGRATOR: ("integrateur", "Portail du dossier patient"),
    }
    accounts = [DemoAccount(login, name, role, f"Demo-{secrets.token_hex(4)}") for role, (login, name) in names.items()]
    file.write_text(json.dumps([account.__dict__ for account in accounts]), encoding="utf-8")
    file.chmod(0o600)
    return accounts


def _declare(store: Store, extracts: Path, accounts: list[DemoAccount]) -> None:
    from consore.access import find_account, save_account
    from consore.ingestion import add_source
    from consore.model import Source

    with store.session() as session:
        for account in accounts:
            if find_account(session, account.login) is None:
                save_account(session, account.login, name=account.name, role=account.role, password=account.password)
        known_sources = set(session.exec(select(Source.name)))
        for name, (kind, file, frequency) in SOURCES.items():
            if name not in known_sources:
                add_source(session, name=name, kind=kind, location=extracts / file, frequency=frequency)


def _ingest(settings: Settings, store: Store, name: str, bar: Progress, stages: list[tuple[str, float]]) -> None:
    from consore.cli.screen import show_step
    from consore.index import ensure_engine
    from consore.ingestion import Step, run_all

    times: dict[str, list[float]] = {}
    tasks: dict[str, int] = {}

    def progress(step: Step) -> None:
        now = time.monotonic()
        times.setdefault(step.stage, [now, now])[1] = now
        show_step(bar, tasks, step, of=f"{name}: ")

    begun = time.monotonic()
    with ensure_engine(settings):
        run_all(settings, store, progress=progress)
    detail = ", ".join(f"{stage} {last - first:.1f} s" for stage, (first, last) in times.items())
    stages.append((f"{name}: ingested ({detail})", time.monotonic() - begun))


@contextmanager
def _timed(name: str, stages: list[tuple[str, float]], bar: Progress) -> Iterator[None]:
    task = bar.add_task(name, total=None, rate="")
    begun = time.monotonic()
    yield
    bar.remove_task(task)
    stages.append((name, time.monotonic() - begun))
