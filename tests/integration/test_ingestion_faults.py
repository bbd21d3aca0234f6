"""Bad nights: processes killed, engines and databases away, disks full, files that nobody should send.

Each time nothing is lost, what is wrong is said, and the next reading ends where a night without a fault does.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import engine_settings, shared_engine
from sqlalchemy import event, func, text
from sqlmodel import select
from stores import postgres_store

from consore.index import SearchIndex, TypesenseServer
from consore.ingestion import add_source, catch_up, patience, run_all, run_source
from consore.ingestion.intake import take_in
from consore.ingestion.patience import transact
from consore.ingestion.snapshot import Snapshot, differences, snapshot
from consore.model import (
    Document,
    IngestionRun,
    Patient,
    PendingPatient,
    RejectedRecord,
    SourceKind,
    StructuredRecord,
    Tumour,
)
from consore.settings import Settings
from consore.sources import USUAL_LOCATIONS, SourceRecord
from consore.store import Store
from consore.synthetic import generate_centre

PATIENTS = 4
FILES = [kind for kind in USUAL_LOCATIONS if kind.value not in ("pharmacy", "biology", "molecular")]


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extracts of a small fictional centre."""
    folder = tmp_path_factory.mktemp("centre")
    return generate_centre(folder, code="NUIT", name="Centre des nuits", patients=PATIENTS, seed=8).root


@pytest.fixture
def centre(extracts: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(extracts, tmp_path / "extracts")


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A node of its own on the session's engine."""
    return engine_settings(f"NUIT{abs(hash(request.node.nodeid)) % 10**9}", tmp_path / "home", read_processes=1)


@pytest.fixture
def opened(node: Settings) -> Iterator[Store]:
    """The store of the node."""
    store = Store.of(node)
    yield store
    store.close()


def declare(store: Store, centre: Path) -> dict[str, int]:
    with store.session() as session:
        return {
            kind.value: int(
                add_source(session, name=kind.value, kind=kind, location=centre / USUAL_LOCATIONS[kind]).id or 0
            )
            for kind in FILES
        }


def load(node: Settings, store: Store) -> list[IngestionRun]:
    runs = run_all(node, store)
    assert {run.state for run in runs} == {"done"}, [run.message for run in runs]
    return runs


def picture(node: Settings, store: Store) -> Snapshot:
    with TypesenseServer(node) as engine:
        return snapshot(store, SearchIndex(engine))


def count(store: Store, model: type) -> int:
    with store.session() as session:
        return session.exec(select(func.count()).select_from(model)).one()


def searched(store: Store) -> tuple[int, int]:
    """How many patients and documents the index must hold: those of nobody who is opposed."""
    with store.session() as session:
        patients = session.exec(select(Patient.id).where(Patient.opposed.is_(False))).all()
        documents = session.exec(select(Document.id).where(Document.patient_id.in_(patients))).all()
    return len(patients), len(documents)


def indexed(held: Snapshot) -> tuple[int, int]:
    return held["index of patients"].total(), held["index of documents"].total()


def patient(ipp: str) -> SourceRecord:
    values = {"family_name": "Ferrandin", "given_name": "Lise", "birth_date": "1961-03-04", "sex": "female"}
    return SourceRecord("patient", ipp, ipp, values, f"administratif.csv:{ipp}")


# --- kill -9 at every stage -------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from consore.ingestion import deriving, extraction, quarantine, reading, run_all, structuring
from consore.index import SearchIndex
from consore.settings import Settings
from consore.store import Store

WHERE = {
    "extract, before a batch is written": (extraction, "take_in", "before"),
    "extract, before a batch is committed": (extraction, "take_in", "after"),
    "extract, after a batch": (extraction, "remove_from_index", "never"),
    "read, before mentions are written": (reading, "_save", "before"),
    "read, before mentions are committed": (reading, "_save", "after"),
    "structure, before a history is written": (deriving, "structure_and_save", "before"),
    "structure, before a history is committed": (deriving, "structure_and_save", "after"),
    "index, before it is written": (deriving, "_index_batch", "before"),
    "index, when it is half written": (SearchIndex, "_import", "after"),
    "index, before it is noted": (deriving, "_clear", "before"),
}

if __name__ == "__main__":
    where, times = sys.argv[1], int(sys.argv[2])
    place, name, when = WHERE[where]
    real, calls = getattr(place, name), 0

    def killing(*given, **named):
        global calls
        calls += 1
        if calls == times and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*given, **named)
        if calls == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(place, name, killing)
    settings = Settings.model_validate_json(sys.stdin.read())
    run_all(settings, Store.of(settings))
"""
PLACES = [line.split('"')[1] for line in KILLED.splitlines() if line.startswith('    "') and "never" not in line]


@pytest.mark.slow
def test_a_kill_at_any_stage_loses_nothing_and_doubles_nothing(
    centre: Path, node: Settings, opened: Store, tmp_path: Path
) -> None:
    declare(opened, centre)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    given = node.model_dump(mode="json")
    given["typesense_api_key"] = node.typesense_api_key.get_secret_value()
    as_json = node.model_validate(given).model_dump_json().replace("**********", given["typesense_api_key"], 1)
    for place in PLACES:
        found = subprocess.run(
            [sys.executable, script, place, "2" if place.startswith("extract") else "1"],
            input=as_json,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert found.returncode == -9, (place, found.stderr[-2000:])
        time.sleep(0.1)
        file = sorted((centre / "documents").glob("*.txt"))[PLACES.index(place)]
        file.write_text(file.read_text() + f"\\nAddendum {place}.\n")  # something is new each night
    load(node, opened)
    assert count(opened, PendingPatient) == 0
    with opened.session() as session:
        assert session.exec(select(IngestionRun).where(IngestionRun.state == "running")).all() == []
    unkilled = engine_settings(f"{node.centre_code}B", tmp_path / "unkilled", read_processes=1)
    store = Store.of(unkilled)
    declare(store, centre)
    load(unkilled, store)
    assert differences(picture(node, opened), picture(unkilled, store)) == {}
    store.close()


# --- The search engine is away ----------------------------------------------------------------------------------


class Gate:
    """A way to the session's engine that can be shut, as a restart or a cut cable does."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = True
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        target = shared_engine().url.rpartition(":")[2]
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", int(target)))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while self.open and (data := source.recv(65536)):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.socket.close()


def test_an_engine_that_comes_back_is_waited_for(
    centre: Path, node: Settings, opened: Store, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 60.0)
    behind = node.model_copy(update={"typesense_url": f"http://127.0.0.1:{gate.port}"})
    declare(opened, centre)
    gate.open = False
    threading.Timer(5.0, lambda: setattr(gate, "open", True)).start()
    load(behind, opened)
    assert count(opened, PendingPatient) == 0
    assert indexed(picture(node, opened)) == searched(opened)


@pytest.mark.slow
def test_an_engine_that_stays_away_is_told_of_and_caught_up_with(
    centre: Path, node: Settings, opened: Store, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 2.0)
    behind = node.model_copy(update={"typesense_url": f"http://127.0.0.1:{gate.port}"})
    declare(opened, centre)
    gate.open = False
    runs = run_all(behind, opened)
    assert {run.state for run in runs} == {"failed"}
    assert "does not answer" in runs[0].message
    assert "Check that it runs" in runs[0].message
    assert count(opened, Patient) == PATIENTS
    assert count(opened, PendingPatient) == PATIENTS
    gate.open = True
    catch_up(behind, opened)
    assert indexed(picture(node, opened)) == searched(opened)


# --- The database is away, busy or full -------------------------------------------------------------------------


def test_a_busy_database_is_waited_for(tmp_path: Path, store: Store) -> None:
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=20"))
    store.engine.dispose()
    other = Store(store.url)
    held = threading.Event()

    def hold() -> None:
        with other.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            held.set()
            time.sleep(1.5)
            connection.rollback()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    transact(store, lambda session: take_in(session, [patient("1")]))
    thread.join()
    assert count(store, Patient) == 1
    other.close()


def test_a_lost_connection_to_postgresql_is_made_again_and_nothing_is_written_twice(postgres_url: str) -> None:
    with postgres_store(postgres_url) as store:
        tries = []

        def take(session):  # type: ignore[no-untyped-def]
            take_in(session, [patient("1"), patient("2")])
            tries.append(1)
            if len(tries) == 1:
                own = session.execute(text("SELECT pg_backend_pid()")).scalar()
                with store.engine.connect() as other:
                    other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})

        transact(store, take)
        assert len(tries) == 2
        assert count(store, Patient) == 2


def test_a_full_disk_is_told_of_and_the_reading_goes_on_once_there_is_room(
    centre: Path, node: Settings, opened: Store
) -> None:
    declare(opened, centre)
    full = [True]

    @event.listens_for(opened.engine, "checkout")
    def limit(connection, _record, _proxy) -> None:  # type: ignore[no-untyped-def]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 3 if full[0] else 2**30}")

    runs = run_all(node, opened)
    assert "failed" in {run.state for run in runs}
    assert any("The disk of the store is full" in run.message for run in runs)
    full[0] = False
    load(node, opened)
    assert count(opened, Patient) == PATIENTS
    assert count(opened, PendingPatient) == 0


# --- Sources that go wrong overnight ----------------------------------------------------------------------------


def test_a_source_whose_columns_change_overnight_leaves_what_was_there(
    centre: Path, node: Settings, opened: Store
) -> None:
    sources = declare(opened, centre)
    load(node, opened)
    before = picture(node, opened)
    sheets = centre / "fiches_tumeur.csv"
    sheets.write_text(sheets.read_text().replace("topographie", "localisation", 1))
    run = run_source(node, opened, sources["tumour_sheet"])
    assert (run.state, run.seen) == ("failed", 0)
    assert "lacks the columns topographie" in run.message
    assert differences(before, picture(node, opened)) == {}


def test_a_long_file_takes_no_more_memory_than_a_short_one(node: Settings, opened: Store, tmp_path: Path) -> None:
    run_source(node, opened, _one(opened, SourceKind.ADMINISTRATIVE, _patients(tmp_path / "administratif.csv", 1)))
    file = tmp_path / "chimiotherapie.csv"
    _cycles(file, 2_000)
    source = _one(opened, SourceKind.CHEMOTHERAPY, file)
    run_source(node, opened, source)
    small = _resident()
    _cycles(file, 20_000)
    run = run_source(node, opened, source)
    assert (run.state, run.seen) == ("done", 20_000)
    assert _resident() - small < 120  # MB; all of it at once would be more


def test_a_file_of_two_gigabytes_of_nothing_is_refused_without_being_held(
    node: Settings, opened: Store, tmp_path: Path
) -> None:
    file = tmp_path / "administratif.csv"
    with file.open("wb") as stream:
        stream.truncate(2 * 2**30)  # it takes no room on the disk
    catch_up(node, opened)  # what any run loads is loaded
    small = _resident()
    run = run_source(node, opened, _one(opened, SourceKind.ADMINISTRATIVE, file))
    assert run.state == "failed"
    assert "lacks the columns ipp" in run.message
    assert _resident() - small < 120


def test_empty_records_by_the_thousand_are_rejected_one_by_one_and_told_once(
    node: Settings, opened: Store, tmp_path: Path
) -> None:
    file = _patients(tmp_path / "administratif.csv", 3)
    file.write_text(file.read_text() + ";;;;;;;;\n" * 5_000)
    source = _one(opened, SourceKind.ADMINISTRATIVE, file)
    for _ in range(2):
        run = run_source(node, opened, source)
        assert (run.state, run.rejected) == ("done", 5_000)
    assert count(opened, RejectedRecord) == 5_000
    assert count(opened, Patient) == 3


@pytest.mark.slow
def test_bombs_among_the_documents_stop_no_other(node: Settings, opened: Store, tmp_path: Path) -> None:
    run_source(node, opened, _one(opened, SourceKind.ADMINISTRATIVE, _patients(tmp_path / "administratif.csv", 1)))
    folder = tmp_path / "documents"
    folder.mkdir()
    with zipfile.ZipFile(folder / "bombe.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"<w>" + b"A" * 300_000_000 + b"</w>")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    (folder / "bombe.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]>'
        '<ClinicalDocument xmlns="urn:hl7-org:v3">&l9;</ClinicalDocument>'
    )
    (folder / "long.pdf").write_bytes(_pages(10_000))
    (folder / "sain.txt").write_text("Adénocarcinome du côlon sigmoïde.")
    names = ("bombe.docx", "bombe.xml", "long.pdf", "sain.txt")
    rows = [f"D{number};P0;CR;{name};2024-03-01;;;{name}" for number, name in enumerate(names)]
    (folder / "index.csv").write_text("\n".join(["id;ipp;type;titre;date;auteur;service;fichier", *rows]) + "\n")
    run = run_source(node, opened, _one(opened, SourceKind.DOCUMENTS, folder))
    assert run.state == "done"
    with opened.session() as session:
        taken = set(session.exec(select(Document.external_id)))
        reasons = {row.position: row.reason for row in session.exec(select(RejectedRecord))}
    assert "D3" in taken
    assert {"D0", "D1"} & taken == set()
    assert len(taken) + len(reasons) == len(names)
    assert all(reasons.values())
    assert count(opened, Tumour) >= 1


# --- Identities and corrections, all the way to the index ---------------------------------------------------------


def test_a_merge_and_a_removal_are_followed_through_to_the_index(centre: Path, node: Settings, opened: Store) -> None:
    sources = declare(opened, centre)
    load(node, opened)
    with opened.session() as session:
        kept, gone = session.exec(select(Patient.ipp).order_by(Patient.id)).all()[:2]
        removed = session.exec(select(Document.external_id)).first()
    (centre / "fusions.csv").write_text(f"ipp_ancien;ipp_conserve;date\n{gone};{kept};2026-11-01\n" * 1)
    (centre / "suppressions.csv").write_text(f"source;id;ipp;date;motif\ndocuments;{removed};;2026-11-02;erreur\n")
    for _ in range(2):
        assert run_source(node, opened, sources["administrative"]).state == "done"
    held = picture(node, opened)
    assert count(opened, Patient) == PATIENTS - 1
    assert indexed(held) == searched(opened)
    assert not any("gone from the store" in row[0] for row in held["index of documents"])
    before = held
    load(node, opened)  # all sources again, with the old identity and the removed document in them
    assert differences(before, picture(node, opened)) == {}


def test_an_extract_that_says_it_is_complete_takes_back_what_is_gone(
    centre: Path, node: Settings, opened: Store
) -> None:
    sources = declare(opened, centre)
    with opened.session() as session:
        source = session.get(_source_model(), sources["biobank"])
        source.options = {"complete": True}
        session.add(source)
    load(node, opened)
    file = centre / "biobanque.csv"
    lines = file.read_text().splitlines()
    assert len(lines) > 3
    file.write_text("\n".join(lines[:-1]) + "\n")
    run = run_source(node, opened, sources["biobank"])
    assert run.message == "1 records are gone from the source and were deleted."
    with opened.session() as session:
        rows = session.exec(select(StructuredRecord.external_id).where(StructuredRecord.kind == "biobank")).all()
        assert len(rows) == len(lines) - 2
    file.write_text("\n".join(lines[:1]) + "\n")
    assert "that is too many" in run_source(node, opened, sources["biobank"]).message


def _source_model():  # type: ignore[no-untyped-def]
    from consore.model import Source

    return Source


def _one(store: Store, kind: SourceKind, location: Path) -> int:
    with store.session() as session:
        return int(add_source(session, name=kind.value, kind=kind, location=location).id or 0)


def _patients(file: Path, number: int) -> Path:
    head = "ipp;nom_usage;nom_naissance;prenom;sexe;date_naissance;date_deces;commune;opposition"
    rows = [f"P{place};Ferrandin;;Lise;F;1961-03-04;;;0" for place in range(number)]
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def _cycles(file: Path, number: int) -> None:
    with file.open("w") as stream:
        stream.write("id;ipp;date;protocole;medicaments;cycle;jour;ligne;intention;statut\n")
        for place in range(number):
            stream.write(f"C{place};P0;2024-03-01;FOLFOX;oxaliplatine+fluorouracile;{place};1;1;palliatif;administré\n")


def _resident() -> float:
    """MB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _pages(number: int) -> bytes:
    """A PDF of so many pages, a word on each."""
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(number))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {number}>>".encode()]
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for place in range(number):
        draw = b"BT /F1 10 Tf 50 700 Td (Page %d) Tj ET" % place
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
            % (5 + 2 * place)
        )
        objects.append(b"<</Length %d>>stream\n%b\nendstream" % (len(draw), draw))
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for place, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (place, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table))
