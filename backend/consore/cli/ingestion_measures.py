"""What `consore bench ingestion` measures: how fast a night is, what it costs, and that nothing is lost."""

from __future__ import annotations

import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from consore.cli.loads import (
    EXCHANGE,
    MESSAGES,
    declare,
    load,
    load_days,
    load_with_kills,
    node,
    pictured,
)
from consore.cli.screen import console, print_table
from consore.errors import ComponentError
from consore.ingestion import Step, add_source
from consore.ingestion.snapshot import Snapshot, differences
from consore.model import Document, Patient, Role, SourceKind
from consore.settings import Settings
from consore.store import Store
from consore.synthetic import generate_centre
from consore.synthetic.deltas import LAST_DAY

REPORTS_A_PATIENT = 17  # of a generated centre, on average
ROWS = ("administrative", "pmsi", "tumour_sheet", "chemotherapy", "biobank")
FAMILIES: dict[str, tuple[str, ...]] = {
    "TXT, CDA, HL7": (*ROWS, "txt", "cda3", "mdm"),
    "PDF": (*ROWS, "pdf"),
}
MONTHS = {
    "files": (EXCHANGE, (*ROWS, "txt")),
    "messages": (MESSAGES, ("administrative", "adt", "pharmacy", "oru", "molecular_fhir", "mdm")),
}
ASKED = """query { search(text: "cancer du sein", perPage: 5) { total hits { why patient { id headline } } } }"""
SIGN_IN = """mutation($password: String!) { signIn(login: "banc", password: $password) {
  ... on Session { accessToken } ... on InputProblem { message } } }"""


def measure_ingestion(documents: int, records: int, kills: int, patients: int, parts: Sequence[str], out: Path) -> None:
    """Measure `parts` (of PARTS), print the tables and write them to `out` as JSON."""
    found: dict[str, Any] = {"cores": os.cpu_count()}
    with tempfile.TemporaryDirectory(prefix="consore-bench-") as folder:
        base = Path(folder)
        if "speed" in parts:
            found["speed"] = [_speed(base, name, documents // len(FAMILIES)) for name in FAMILIES]
            _print_speed(found["speed"])
        if "memory" in parts:
            found["memory"] = _memory(base, records)
            print_table(["records", "MB"], list(found["memory"].items()), title="Memory of the process that stores")
        if "kills" in parts:
            found["kills"] = _kills(base, patients, kills)
            print_table(list(found["kills"]), [list(found["kills"].values())], title="A load that is killed")
        if "month" in parts:
            found["month"] = [_month(base, name, patients) for name in MONTHS]
            print_table(
                list(found["month"][0]), [list(row.values()) for row in found["month"]], title="Days against one load"
            )
    out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {out}.")


# --- Speed --------------------------------------------------------------------------------------------------


@dataclass
class _Stages:
    """When each stage began and was last heard of, and how much it did."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def tell(self, step: Step) -> None:
        name = "extract and store" if step.stage.startswith("extract") else step.stage
        moment = time.perf_counter()
        if name == "extract and store" and step.stage != "extract documents" and step.stage != "extract messages":
            return
        held = self.found.setdefault(name, [moment, moment, 0.0])
        held[1], held[2] = moment, max(held[2], step.done)

    def rows(self, documents: int, patients: int) -> list[dict[str, Any]]:
        rows = []
        for name, (first, last, done) in self.found.items():
            as_documents = documents if name in ("structure", "index") and done >= patients * 0.9 else done
            rows.append(
                {
                    "stage": name,
                    "seconds": round(last - first, 1),
                    "documents/s": round(as_documents / (last - first)) if last > first else None,
                }
            )
        return rows


def _speed(base: Path, family: str, documents: int) -> dict[str, Any]:
    formats = FAMILIES[family]
    channels = 2 if "mdm" in formats else 1  # MDM is another channel of the same documents: half of them each
    patients = max(3, documents // REPORTS_A_PATIENT // channels)
    folder = base / family.split(",")[0].lower()
    root = generate_centre(
        folder / "centre", code="BANC", name="Banc", patients=patients, seed=11, formats=formats, workers=2
    ).root
    sources = [*EXCHANGE, *(source for source in MESSAGES if "mdm" in formats and source[0] == "messages")]
    if "mdm" in formats:
        _give_other_names(root)
    stages = _Stages()
    with node(folder / "node", port=_free_port()) as (settings, store):
        declare(store, root, tuple(sources))
        with _served(settings, store) as asker:
            at_rest = asker.ask(40)
            asker.begin()
            begun = time.perf_counter()
            load(settings, store, progress=stages.tell)
            seconds = time.perf_counter() - begun
            during = asker.end()
        with store.session() as session:
            held = session.execute(select(func.count()).select_from(Document)).scalar_one()
            people = session.execute(select(func.count()).select_from(Patient)).scalar_one()
    return {
        "family": family,
        "documents": held,
        "patients": people,
        "seconds": round(seconds, 1),
        "documents/s": round(held / seconds, 1),
        "stages": stages.rows(held, people),
        "peak_mb": _peak(),
        "api_ms_at_rest": at_rest,
        "api_ms_during_the_load": during,
    }


def _give_other_names(root: Path) -> None:
    """Documents of the MDM channel under identifiers of their own: twice the documents, half of them in each format."""
    for file in (root / "hl7" / "mdm").glob("*.hl7"):
        file.write_bytes(file.read_bytes().replace(b"DOC0", b"MSG0"))


def _print_speed(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print_table(
            ["stage", "seconds", "documents/s"],
            [
                *[list(stage.values()) for stage in row["stages"]],
                ["end to end", row["seconds"], row["documents/s"]],
            ],
            title=f"{row['family']}: {row['documents']:,} documents of {row['patients']:,} patients",
        )
        console.print(
            f"API: {row['api_ms_at_rest']['median']} ms at rest (p95 {row['api_ms_at_rest']['p95']}), "
            f"{row['api_ms_during_the_load']['median']} ms during the load "
            f"(p95 {row['api_ms_during_the_load']['p95']}). Peak {row['peak_mb']} MB with the largest reader."
        )


def _peak() -> int:
    import resource

    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round((own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1000)


class _Asker:
    """Asks the API of a node, one question after the other."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._over = threading.Event()
        self._taken: list[float] = []
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def ask(self, times: int) -> dict[str, float]:
        """So many times; the milliseconds that it took."""
        self._once()
        return _summed([self._once() for _ in range(times)])

    def begin(self) -> None:
        """Ask four times a second until `end`."""
        self._thread.start()

    def end(self) -> dict[str, float]:
        """Stop asking; the milliseconds that it took."""
        self._over.set()
        self._thread.join()
        return _summed(self._taken)

    def _go_on(self) -> None:
        while not self._over.wait(0.25):
            self._taken.append(self._once())

    def _once(self) -> float:
        begun = time.perf_counter()
        body = self._client.post("/graphql", json={"query": ASKED}).json()
        if "errors" in body:
            raise ComponentError(f"The API answered {body['errors']}.", "See the log of the bench.")
        return (time.perf_counter() - begun) * 1000


def _summed(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken) or [0.0]
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
        "asked": len(taken),
    }


@contextmanager
def _served(settings: Settings, store: Store) -> Iterator[_Asker]:
    """The API of the node in a process of its own, and somebody signed in who asks."""
    from consore.access import save_account

    password = secrets.token_urlsafe(16)
    with store.session() as session:
        save_account(session, login="banc", name="Banc", role=Role.PHYSICIAN, password=password)
    command = [sys.executable, "-m", "consore", "--home", str(settings.home), "serve", "--port", str(settings.port)]
    environment = {
        **os.environ,
        "CONSORE_CENTRE_CODE": settings.centre_code,
        "CONSORE_ACCESS_TOKEN_MINUTES": "1000",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=60) as client:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ComponentError("The API of the bench did not start.", "Free some memory and try again.")
                time.sleep(0.1)
            answer = client.post("/graphql", json={"query": SIGN_IN, "variables": {"password": password}}).json()
            session = (answer.get("data") or {}).get("signIn", {})
            if "accessToken" not in session:
                raise ComponentError(f"Nobody could sign in: {answer}.", "See the log of the bench.")
            client.headers["authorization"] = f"Bearer {session['accessToken']}"
            yield _Asker(client)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- Memory -------------------------------------------------------------------------------------------------


def _memory(base: Path, records: int) -> dict[int, int]:
    """MB that the process holds after so many records of a source have been stored."""
    people = max(100, records // 100)
    folder = base / "memory"
    folder.mkdir()
    chance = random.Random(3)
    with (folder / "administratif.csv").open("w") as file:
        file.write("ipp;nom_usage;nom_naissance;prenom;sexe;date_naissance\n")
        file.writelines(f"P{one};Ferrandin;;Lise;F;1961-03-04\n" for one in range(people))
    with (folder / "biologie.csv").open("w") as file:
        file.write("id;ipp;date;loinc;analyse;valeur;unite\n")
        for one in range(records):
            value = round(chance.uniform(8, 15), 1)
            file.write(f"B{one};P{chance.randrange(people)};2026-03-01;718-7;Hémoglobine;{value};g/dL\n")
    held: dict[int, int] = {}

    def tell(step: Step) -> None:
        if step.stage == "extract biology" and step.done >= (len(held) + 1) * records // 10:
            held[step.done] = _resident()

    with node(folder / "node", read_processes=1) as (settings, store):
        with store.session() as session:
            for kind, name in ((SourceKind.ADMINISTRATIVE, "administratif"), (SourceKind.BIOLOGY, "biologie")):
                add_source(session, name=kind.value, kind=kind, location=folder / f"{name}.csv")
        load(settings, store, progress=tell)
    return held


def _resident() -> int:
    return round(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)


# --- Nothing lost -------------------------------------------------------------------------------------------


def _kills(base: Path, patients: int, kills: int) -> dict[str, Any]:
    """A load that is killed again and again against one that is not, row by row, index included."""
    folder = base / "kills"
    root = generate_centre(
        folder / "centre", code="BANC", name="Banc", patients=patients, seed=12, formats=(*ROWS, "txt", "pdf", "docx")
    ).root
    with node(folder / "whole") as (settings, store):
        declare(store, root, EXCHANGE)
        begun = time.monotonic()
        load(settings, store)
        seconds = time.monotonic() - begun
        whole = pictured(settings, store)
    with node(folder / "killed") as (settings, store):
        declare(store, root, EXCHANGE)
        done = load_with_kills(settings, store, kills, seed=5, longest=max(seconds, 2.0))
        killed = pictured(settings, store)
    lost, doubled = _lost_and_doubled(whole, killed)
    return {"kills": done, "rows": sum(rows.total() for rows in whole.values()), "lost": lost, "too many": doubled}


def _month(base: Path, name: str, patients: int) -> dict[str, Any]:
    """The deliveries of a month one after the other against what is known on its last day, delivered at once."""
    sources, formats = MONTHS[name]
    folder = base / f"month-{name}"

    def delivered(day: int | None) -> Path:
        return generate_centre(
            folder / str(day), code="BANC", name="Banc", patients=patients, seed=13, formats=formats, day=day
        ).root

    with node(folder / "days", read_processes=1) as (settings, store):
        place = folder / "incoming"
        place.symlink_to(delivered(0), target_is_directory=True)
        declare(store, place, sources)
        load_days(settings, store, place, range(LAST_DAY + 1), delivered)
        by_days = pictured(settings, store)
    with node(folder / "whole", read_processes=1) as (settings, store):
        declare(store, delivered(None), sources)
        load(settings, store)
        at_once = pictured(settings, store)
    lost, doubled = _lost_and_doubled(at_once, by_days)
    rows = sum(found.total() for found in at_once.values())
    return {"month of": name, "days": LAST_DAY + 1, "rows": rows, "lost": lost, "too many": doubled}


def _lost_and_doubled(right: Snapshot, other: Snapshot) -> tuple[int, int]:
    found = differences(right, other)
    for table, (missing, superfluous) in found.items():
        console.print(f"{table}: {len(missing)} lost, {len(superfluous)} too many", markup=False)
        console.print(f"  {missing[:1]} … {superfluous[:1]}"[:600], style="dim", markup=False)
    return sum(len(missing) for missing, _ in found.values()), sum(len(more) for _, more in found.values())
