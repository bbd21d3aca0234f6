"""The bad days of a node, by its command line and its API on real parts: broken extracts, a death, a changed mind."""

from __future__ import annotations

import csv
import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from engines import PROGRAMS
from sqlmodel import func, select

from consore.access import save_account
from consore.ingestion import add_source
from consore.model import (
    Document,
    DocumentMentions,
    Frequency,
    Patient,
    PendingPatient,
    RejectedRecord,
    Role,
    SourceKind,
)
from consore.settings import load_settings
from consore.store import Store
from consore.synthetic import break_some, generate_centre

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PASSWORD = "Une-phrase-7-longue"
SOURCES = {
    "administratif": ("administrative", "administratif.csv"),
    "pmsi": ("pmsi", "pmsi_rss.txt"),
    "comptes-rendus": ("documents", "documents"),
}
SEARCH = "query ($text: String!) { search(text: $text, perPage: 100) { total hits { patient { id ipp } } } }"
TOTALS = """query ($criteria: JSON!) { cohortCount(criteria: $criteria) { ... on CohortCount { count } }
    federatedCount(criteria: $criteria) { ... on FederatedCount { rows { count } } } centre { patientCount } }"""
SIMILAR = "query ($id: ID!) { patient(id: $id) { ... on Patient { similar(limit: 100) { patient { id } } } } }"


class Node:
    """A node in a folder of its own, as the shell sees it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "CONSORE_CACHE_DIR": str(PROGRAMS), "COLUMNS": "250"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command, started."""
        return subprocess.Popen(
            [sys.executable, "-m", "consore", "--home", str(self.home), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str, fails: bool = False) -> str:
        """What a command says; it must end well, or with `fails` not."""
        process = self.start(*arguments)
        said = process.communicate(timeout=100)[0]
        assert "Traceback" not in said
        assert (process.returncode != 0) is fails, said
        return said

    def add_sources(self, extracts: Path) -> None:
        """Declare the sources of a centre, and an account of each role that is asked here."""
        self.home.mkdir(parents=True)
        with self.store() as store, store.session() as session:
            for name, (kind, place) in SOURCES.items():
                add_source(
                    session, name=name, kind=SourceKind(kind), location=extracts / place, frequency=Frequency.MANUAL
                )
            for role in (Role.PHYSICIAN, Role.ADMIN):
                save_account(session, f"{role.value}.essai", name="Compte", role=role, password=PASSWORD)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Its store."""
        store = Store.of(load_settings(self.home))
        try:
            yield store
        finally:
            store.close()

    def count(self, table: type[Any]) -> int:
        """Rows of a table."""
        with self.store() as store, store.session() as session:
            return int(session.exec(select(func.count()).select_from(table)).one())

    def waiting(self) -> list[str]:
        """Places of the records in quarantine."""
        query = select(RejectedRecord.position).where(RejectedRecord.replayed_at.is_(None))  # type: ignore[union-attr]
        with self.store() as store, store.session() as session:
            return list(session.exec(query))

    @contextmanager
    def served(self) -> Iterator[str]:
        """The address of its API while it is served."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = self.start("serve", "--port", str(port))
        try:
            address = f"http://127.0.0.1:{port}"
            assert wait_until(lambda: _ready(address), 60)
            yield address
        finally:
            process.terminate()
            process.communicate(timeout=30)


class Asker:
    """Someone who is signed in."""

    def __init__(self, address: str, role: str) -> None:
        self.address = address
        self.headers: dict[str, str] = {}
        session = self.ask(
            """mutation ($l: String!, $p: String!) {
                signIn(login: $l, password: $p) { ... on Session { accessToken } } }""",
            l=f"{role}.essai",
            p=PASSWORD,
        )["signIn"]
        self.headers["Authorization"] = f"Bearer {session['accessToken']}"

    def ask(self, question: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = httpx.post(
            f"{self.address}/graphql",
            json={"query": question, "variables": variables},
            headers=self.headers,
            timeout=30,
            trust_env=False,
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


@pytest.fixture
def extracts(tmp_path: Path) -> Path:
    return generate_centre(tmp_path / "extracts", code="QA", name="Centre fictif", patients=8, seed=4).root


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "home")


def test_what_is_broken_in_extracts_is_told_kept_and_taken_once_it_is_mended(node: Node, extracts: Path) -> None:
    good = {name: (extracts / name).read_bytes() for name in ("administratif.csv", "pmsi_rss.txt")}
    patients, documents = len(rows(extracts / "administratif.csv")), len(rows(extracts / "documents" / "index.csv"))
    break_some(extracts, seed=1)
    node.add_sources(extracts)
    node.run("ingest", "--all")
    told = node.run("rejected")
    for reason in ("future_date", "wrong_length", "truncated_pdf", "not_a_docx"):
        assert reason in told
    assert (node.count(Patient), node.count(Document)) == (patients, documents)
    assert len(node.waiting()) == 5

    again = node.run("ingest", "--all")
    assert len(node.waiting()) == 5
    assert (node.count(Patient), node.count(Document)) == (patients, documents)
    assert again.count("done") == 3

    born = (extracts / "administratif.csv").read_bytes().replace(b"2090-04-12", b"1960-04-12")
    (extracts / "administratif.csv").write_bytes(born)
    (extracts / "documents" / "DOC_ZIP.docx").write_bytes(
        next((extracts / "documents").glob("DOC0*.docx")).read_bytes()
    )
    node.run("ingest", "--all")
    assert node.count(Patient) == patients + 1
    assert node.count(Document) == documents + 1
    assert sorted(place.split(":")[0] for place in node.waiting()) == [
        "documents/DOC_TRONQUE.pdf",
        "pmsi_rss.txt",
        "pmsi_rss.txt",
    ]
    assert good["pmsi_rss.txt"] in (extracts / "pmsi_rss.txt").read_bytes()
    node.run("index", "check")


def test_a_reading_that_is_killed_is_completed_by_the_next_one(node: Node, extracts: Path) -> None:
    node.add_sources(extracts)
    documents = len(rows(extracts / "documents" / "index.csv"))
    killed = node.start("ingest", "--all")
    assert wait_until(lambda: node.count(Document) > 0, 60)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    node.run("ingest", "--all")
    assert node.count(Document) == node.count(DocumentMentions) == documents
    assert node.count(PendingPatient) == 0
    node.run("index", "check")


def test_a_patient_who_opposes_is_gone_from_every_answer_and_an_hour_that_is_changed_is_obeyed(
    node: Node, extracts: Path
) -> None:
    node.add_sources(extracts)
    node.run("ingest", "--all")
    with node.served() as address:
        physician, admin = Asker(address, "physician"), Asker(address, "admin")
        with _changed_hour(node, admin) as obeyed:
            _oppose_and_look(physician, admin)
            obeyed()


def _oppose_and_look(physician: Asker, admin: Asker) -> None:
    everybody = {"patient": {"current_age": {"min": 0}}}
    before = physician.ask(TOTALS, criteria=everybody)
    found = physician.ask(SEARCH, text="carcinome ou adénocarcinome ou lymphome ou mélanome")["search"]["hits"]
    gone, other = found[0]["patient"], found[1]["patient"]
    document = (
        "query ($id: ID!) { patient(id: $id) { ... on Patient { documents(first: 1) { edges { node { id } } } } } }"
    )
    paper = physician.ask(document, id=gone["id"])["patient"]["documents"]["edges"][0]["node"]["id"]

    assert admin.ask("mutation ($i: String!) { recordOpposition(ipp: $i, opposed: true) }", i=gone["ipp"])

    after = physician.ask(TOTALS, criteria=everybody)
    assert after["cohortCount"]["count"] == before["cohortCount"]["count"] - 1
    assert after["centre"]["patientCount"] == before["centre"]["patientCount"] - 1
    assert int(after["federatedCount"]["rows"][0]["count"]) == int(before["federatedCount"]["rows"][0]["count"]) - 1
    look = "query ($p: ID!, $d: ID!) { patient(id: $p) { __typename } document(id: $d) { __typename } }"
    assert physician.ask(look, p=gone["id"], d=paper) == {
        "patient": {"__typename": "NotFound"},
        "document": {"__typename": "NotFound"},
    }
    for text in ("carcinome ou adénocarcinome ou lymphome ou mélanome", gone["ipp"]):
        hits = physician.ask(SEARCH, text=text)["search"]["hits"]
        assert gone["id"] not in [hit["patient"]["id"] for hit in hits]
    alike = physician.ask(SIMILAR, id=other["id"])["patient"]["similar"]
    assert gone["id"] not in [one["patient"]["id"] for one in alike]


@contextmanager
def _changed_hour(node: Node, admin: Asker) -> Iterator[Callable[[], None]]:
    """A source is to be read in the next minute, two workers are there; what is given waits and looks that one did."""
    sources = {one["name"]: one["id"] for one in admin.ask("{ sources { id name } }")["sources"]}
    workers = [node.start("worker"), node.start("worker")]
    try:
        now = dt.datetime.now(ZoneInfo("Europe/Paris"))
        if now.second > 55:  # the minute might be over before it is written
            time.sleep(61 - now.second)
        due = dt.datetime.now(ZoneInfo("Europe/Paris")) + dt.timedelta(minutes=1)
        admin.ask(
            "mutation ($s: ID!, $i: ScheduleInput!) { setSchedule(sourceId: $s, input: $i) { __typename } }",
            s=sources["administratif"],
            i={"frequency": "NIGHTLY", "hour": due.hour, "minute": due.minute},
        )

        def obeyed() -> None:
            assert wait_until(lambda: bool(_scheduled(admin)), 75)
            time.sleep(3)  # the other worker has looked too
            (run,) = _scheduled(admin)
            assert (run["sourceName"], run["seen"]) == ("administratif", 8)

        yield obeyed
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.communicate(timeout=30)


def _scheduled(admin: Asker) -> list[dict[str, Any]]:
    runs = admin.ask("{ ingestionRuns { trigger sourceName seen state } }")["ingestionRuns"]
    return [run for run in runs if run["trigger"] == "schedule"]
