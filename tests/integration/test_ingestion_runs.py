"""Extracts of a fictional centre go in; histories and index come out. On the real reader and the real engine."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from engines import engine_settings
from sqlalchemy import func
from sqlmodel import select
from stores import postgres_store

from consore import history
from consore.errors import InputError
from consore.index import SearchIndex, TypesenseServer
from consore.ingestion import (
    Worker,
    add_source,
    load_jsonl,
    reading,
    record_opposition,
    replay_rejected,
    run_all,
    run_source,
    set_schedule,
)
from consore.ingestion.runs import begin_run
from consore.model import (
    Account,
    Document,
    DocumentMentions,
    Evidence,
    Fact,
    IngestionRun,
    Patient,
    PendingPatient,
    RejectedRecord,
    Schedule,
    Source,
    Treatment,
    Trial,
    Tumour,
    TumourEvent,
    now,
    unpack_mentions,
)
from consore.referentials import terminology
from consore.search import parse_criteria, patient_ids
from consore.search.kept_cohorts import Author
from consore.search.protocols import read_protocol
from consore.search.trials import newly_eligible, watch_trial
from consore.settings import Settings
from consore.sources import USUAL_LOCATIONS
from consore.store import Store
from consore.synthetic import generate_centre

PATIENTS = 5
DERIVED = (DocumentMentions, Tumour, TumourEvent, Treatment, Fact, Evidence)


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extracts of a small fictional centre."""
    return generate_centre(
        tmp_path_factory.mktemp("centre"), code="ESSAI", name="Centre d'essai", patients=PATIENTS, seed=5
    ).root


def with_a_tumour(centre: Path) -> int:
    """How many patients of the centre truly have a tumour: some come for what proves benign."""
    lines = (centre / "verite" / "patients.jsonl").read_text(encoding="utf-8").splitlines()
    return sum(bool(json.loads(line)["tumours"]) for line in lines)


@pytest.fixture
def centre(extracts: Path, tmp_path: Path) -> Path:
    """A copy of the extracts that a test may spoil."""
    return shutil.copytree(extracts, tmp_path / "extracts")


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A node of its own on the session's engine."""
    return engine_settings(f"RUN{abs(hash(request.node.nodeid)) % 10**9}", tmp_path / "home", read_processes=1)


@pytest.fixture
def opened(node: Settings):  # type: ignore[no-untyped-def]
    """The store of the node."""
    store = Store.of(node)
    yield store
    store.close()


def declare(store: Store, centre: Path) -> dict[str, int]:
    with store.session() as session:
        return {
            kind.value: add_source(session, name=kind.value, kind=kind, location=centre / place).id
            for kind, place in USUAL_LOCATIONS.items()
        }


def check(node: Settings, store: Store):  # type: ignore[no-untyped-def]
    with TypesenseServer(node) as engine:
        return SearchIndex(engine).check(store)


def totals(store: Store) -> dict[str, int]:
    with store.session() as session:
        return {
            model.__name__: session.exec(select(func.count()).select_from(model)).one()
            for model in (Patient, Document, *DERIVED, PendingPatient)
        }


def test_a_centre_goes_in_and_going_in_again_changes_nothing(centre: Path, node: Settings, opened: Store) -> None:
    declare(opened, centre)
    told: dict[str, tuple[int, int | None]] = {}
    first = run_all(node, opened, progress=lambda step: told.update({step.stage: (step.done, step.total)}))
    assert [run.state for run in first] == ["done"] * len(USUAL_LOCATIONS)
    assert sum(run.rejected for run in first) == 0
    held = totals(opened)
    assert held["Patient"] == PATIENTS
    assert held["DocumentMentions"] == held["Document"] == first[-1].created
    assert held["Tumour"] >= with_a_tumour(centre)
    assert held["PendingPatient"] == 0
    assert told["read"] == (held["Document"], held["Document"])
    assert told["structure"] == told["index"] == (PATIENTS, PATIENTS)
    report = check(node, opened)
    assert (report.patients_in_index, report.documents_in_index) == (PATIENTS, held["Document"])
    again = run_all(node, opened)
    assert [(run.created, run.changed, run.unchanged) for run in again] == [(0, 0, run.created) for run in first]
    assert totals(opened) == held


def test_patients_who_become_eligible_for_a_trial_are_listed_after_the_run(
    centre: Path, node: Settings, opened: Store
) -> None:
    declare(opened, centre)
    with opened.session() as session:
        session.add(Account(id=1, login="physician"))
        lines = read_protocol("Critères d'inclusion\n- Âge ≥ 18 ans\n- Patients opérés", terminology())
        key = watch_trial(session, "Essai", lines, Author(1, "physician"), owner=1).cohort_id
    run_all(node, opened)
    with opened.session() as session:
        eligible = patient_ids(session, parse_criteria({"treatment": {"type": ["surgery"]}}))
        assert eligible
        assert sorted(newly_eligible(session, session.get_one(Trial, key))) == eligible


def test_a_centre_goes_into_postgresql_just_so(centre: Path, node: Settings, postgres_url: str) -> None:
    with postgres_store(postgres_url) as store:
        declare(store, centre)
        first = run_all(node, store)
        assert [run.state for run in first] == ["done"] * len(USUAL_LOCATIONS)
        again = run_all(node, store)
        assert [run.unchanged for run in again] == [run.created for run in first]
        held = totals(store)
        assert (held["Patient"], held["PendingPatient"]) == (PATIENTS, 0)
        assert check(node, store).patients_in_index == PATIENTS


def test_every_mention_and_evidence_lies_where_it_says(centre: Path, node: Settings, opened: Store) -> None:
    declare(opened, centre)
    run_all(node, opened)
    with opened.session() as session:
        texts = {}
        for document, read in session.exec(select(Document, DocumentMentions).join(DocumentMentions)):
            texts[document.id] = document.text
            assert all(one.text == document.text[one.start : one.end] for one in unpack_mentions(read.payload))
        for row in session.exec(select(Evidence).where(Evidence.document_id.is_not(None))):
            assert 0 <= row.start < row.end <= len(texts[row.document_id])


def test_a_changed_document_changes_its_patient_alone(centre: Path, node: Settings, opened: Store) -> None:
    sources = declare(opened, centre)
    run_all(node, opened)
    file = sorted((centre / "documents").glob("*.txt"))[0]
    file.write_text(file.read_text() + "\nMétastases hépatiques confirmées ce jour.\n")
    seen: dict[str, int] = {}
    run = run_source(node, opened, sources["documents"], progress=lambda step: seen.update({step.stage: step.done}))
    assert (run.created, run.changed) == (0, 1)
    assert (seen["read"], seen["structure"], seen["index"]) == (1, 1, 1)


def test_records_of_an_unknown_patient_are_kept_once_and_taken_by_themselves_when_the_patient_comes(
    centre: Path, node: Settings, opened: Store
) -> None:
    sources = declare(opened, centre)
    patients = centre / "administratif.csv"
    lines = patients.read_text().splitlines()
    patients.write_text("\n".join(lines[:-1]) + "\n")
    left_out = lines[-1].split(";")[0]
    for _ in range(2):
        run_all(node, opened)
    with opened.session() as session:
        rejected = session.exec(select(RejectedRecord)).all()
        assert {row.reason for row in rejected} == {"unknown_patient"}
        assert len({(row.source_id, row.position) for row in rejected}) == len(rejected)
    assert totals(opened)["Patient"] == PATIENTS - 1
    patients.write_text("\n".join(lines) + "\n")
    run = run_source(node, opened, sources["administrative"])
    assert run.message == f"{len(rejected)} records that waited for their patient were taken."
    with opened.session() as session:
        assert session.exec(select(RejectedRecord).where(RejectedRecord.replayed_at.is_(None))).all() == []
        patient = session.exec(select(Patient).where(Patient.ipp == left_out)).one()
        assert session.exec(select(Tumour).where(Tumour.patient_id == patient.id)).all()
    assert check(node, opened).patients_in_index == PATIENTS


def test_rejected_records_are_replayed_once_their_cause_is_mended(centre: Path, node: Settings, opened: Store) -> None:
    sources = declare(opened, centre)
    run_source(node, opened, sources["administrative"])
    document = sorted((centre / "documents").glob("*.txt"))[0]
    content = document.read_bytes()
    document.unlink()
    run = run_source(node, opened, sources["documents"])
    assert run.rejected == 1
    assert replay_rejected(node, opened).still_rejected == 1
    document.write_bytes(content)
    report = replay_rejected(node, opened)
    assert (report.taken, report.still_rejected) == (1, 0)
    assert totals(opened)["Document"] == run.seen


def test_a_rejected_line_that_is_removed_from_its_file_is_settled(centre: Path, node: Settings, opened: Store) -> None:
    source = declare(opened, centre)["administrative"]
    file = centre / "administratif.csv"
    right = file.read_text()
    file.write_text(right + "ALP9;;;;Q;hier;;;;;0\n")
    assert run_source(node, opened, source).rejected == 1
    file.write_text(right)
    assert run_source(node, opened, source).rejected == 0
    with opened.session() as session:
        assert session.exec(select(RejectedRecord)).one().replayed_at is not None


def test_a_source_that_cannot_be_read_fails_alone(centre: Path, node: Settings, opened: Store) -> None:
    declare(opened, centre)
    (centre / "biobanque.csv").write_text("a,b\n1,2\n")
    runs = run_all(node, opened)
    states = {run.source_id: run for run in runs}
    failed = [run for run in states.values() if run.state == "failed"]
    assert len(failed) == 1
    assert "lacks the columns id, ipp, type" in failed[0].message
    assert [run.state for run in runs].count("done") == len(USUAL_LOCATIONS) - 1
    assert totals(opened)["Tumour"] >= with_a_tumour(centre)


def test_an_opposed_patient_leaves_the_index_at_once_and_may_come_back(
    centre: Path, node: Settings, opened: Store
) -> None:
    sources = declare(opened, centre)
    run_all(node, opened)
    with opened.session() as session:
        ipps = session.exec(select(Patient.ipp).order_by(Patient.id)).all()
    assert record_opposition(node, opened, ipps[0], True)
    assert check(node, opened).patients_in_index == PATIENTS - 1
    assert record_opposition(node, opened, ipps[0], False)
    assert check(node, opened).patients_in_index == PATIENTS
    assert not record_opposition(node, opened, "nobody", True)
    patients = centre / "administratif.csv"
    with patients.open(newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    rows[2][-1] = "1"
    with patients.open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    run_source(node, opened, sources["administrative"])
    assert check(node, opened).patients_in_index == PATIENTS - 1


def test_one_source_is_read_by_one_process_at_a_time(centre: Path, node: Settings, opened: Store) -> None:
    source = declare(opened, centre)["biobank"]
    started = begin_run(opened, source)
    with pytest.raises(InputError, match="is being read"):
        run_source(node, opened, source)
    started.lease.release()
    assert run_source(node, opened, source).state == "done"
    with opened.session() as session:  # the run that was never ended is not left `running`
        assert session.get(IngestionRun, started.run.id).state == "failed"


def test_documents_gone_from_the_source_are_kept_and_told_of(centre: Path, node: Settings, opened: Store) -> None:
    sources = declare(opened, centre)
    run_all(node, opened)
    index = centre / "documents" / "index.csv"
    index.write_text("\n".join(index.read_text().splitlines()[:-3]) + "\n")
    before = totals(opened)["Document"]
    run = run_source(node, opened, sources["documents"])
    assert run.message.startswith("3 documents are no longer in the source")
    assert totals(opened)["Document"] == before


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_is_killed_at_any_moment_is_completed_by_the_next(
    centre: Path, node: Settings, opened: Store, seed: int
) -> None:
    declare(opened, centre)
    environment = {
        **os.environ,
        "CONSORE_CENTRE_CODE": node.centre_code,
        "CONSORE_TYPESENSE_URL": node.typesense_url,
        "CONSORE_TYPESENSE_API_KEY": node.typesense_api_key.get_secret_value(),
        "CONSORE_READ_PROCESSES": "1",
    }
    command = [sys.executable, "-m", "consore", "--home", str(node.home), "ingest", "--all"]
    chance = random.Random(seed)
    for _ in range(2):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and not _begun(opened) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    runs = run_all(node, opened)
    assert [run.state for run in runs] == ["done"] * len(USUAL_LOCATIONS)
    held = totals(opened)
    assert held["PendingPatient"] == 0
    assert held["DocumentMentions"] == held["Document"] == runs[-1].seen
    with opened.session() as session:
        assert session.exec(select(IngestionRun).where(IngestionRun.state == "running")).all() == []
        ranks = session.exec(select(Tumour.patient_id, Tumour.rank)).all()
        assert len(ranks) == len(set(ranks))  # no history was written twice
        assert len({row[0] for row in ranks}) >= with_a_tumour(centre)
    report = check(node, opened)
    assert (report.patients_in_index, report.documents_in_index) == (PATIENTS, held["Document"])


def _begun(store: Store) -> bool:
    with store.session() as session:
        return session.exec(select(IngestionRun.id)).first() is not None


def test_the_worker_reads_what_is_due_and_says_when_it_comes_next(centre: Path, node: Settings, opened: Store) -> None:
    source = declare(opened, centre)["administrative"]
    worker = Worker(node, opened)
    assert worker.run_due_once() == []
    with opened.session() as session:
        due = set_schedule(session, source, "nightly", hour=2).next_run_at
    (run,) = worker.run_due_once(due + dt.timedelta(days=3))  # three nights were missed: one is caught up
    assert (run.state, run.trigger, run.created) == ("done", "schedule", PATIENTS)
    assert worker.run_due_once(due + dt.timedelta(days=3)) == []
    with opened.session() as session:
        kept = session.get(Schedule, source)
        assert kept.next_run_at > due + dt.timedelta(days=3)
        assert kept.last_run_at == due + dt.timedelta(days=3)


def test_a_worker_goes_on_with_what_a_dead_one_left(centre: Path, node: Settings, opened: Store) -> None:
    sources = declare(opened, centre)
    with opened.session() as session:
        session.add(IngestionRun(source_id=sources["administrative"], trigger="schedule"))  # its process is gone
        session.add(IngestionRun(source_id=sources["biobank"], trigger="schedule", state="paused"))
        session.get(Schedule, sources["biobank"]).retry_at = now()
        session.add(IngestionRun(source_id=sources["pmsi"], trigger="schedule", state="cancelled"))
    Worker(node, opened).resume()
    with opened.session() as session:
        runs = session.exec(select(IngestionRun).where(IngestionRun.trigger == "resume")).all()
        assert {run.source_id for run in runs} == {sources["administrative"], sources["biobank"]}
        assert {run.state for run in runs} == {"done"}
    assert totals(opened)["PendingPatient"] == 0


def test_two_workers_never_run_the_same_job(centre: Path, node: Settings, opened: Store) -> None:
    source = declare(opened, centre)["administrative"]
    with opened.session() as session:
        due = set_schedule(session, source, "nightly").next_run_at
    runs: list[IngestionRun] = []
    threads = [threading.Thread(target=lambda: runs.extend(Worker(node, opened).run_due_once(due))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1


def test_a_running_worker_obeys_a_change_of_schedule(centre: Path, node: Settings, opened: Store) -> None:
    source = declare(opened, centre)["administrative"]
    stop = threading.Event()
    thread = threading.Thread(target=Worker(node, opened).run_forever, args=(stop,))
    thread.start()
    try:
        time.sleep(0.5)
        with opened.session() as session:
            schedule = set_schedule(session, source, "nightly")
            schedule.next_run_at = now()  # as if its hour had just come
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with opened.session() as session:
                run = session.exec(select(IngestionRun).where(IngestionRun.source_id == source)).first()
            if run is not None and run.state == "done":
                break
            time.sleep(0.1)
        assert run is not None
        assert (run.state, run.trigger) == ("done", "schedule")
        with opened.session() as session:  # a row changed by hand is brought in line too
            kept = session.get(Schedule, source)
            kept.hour, before = (kept.hour + 5) % 24, kept.next_run_at
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with opened.session() as session:
                if session.get(Schedule, source).next_run_at != before:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("the worker did not see the change")
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


PATIENT = {
    "patient_id": "P1",
    "family_name": "Ferrandin",
    "given_name": "Lise",
    "sex": "female",
    "birth_date": "1961-03-04",
    "documents": [
        {
            "id": "1",
            "kind": "pathology",
            "date": "2024-02-10",
            "text": "Carcinome canalaire infiltrant du sein gauche.",
        }
    ],
    "structured": [
        {"id": "t", "kind": "tumour_sheet", "date_diagnostic": "2024-02-01", "topographie": "C50.4"},
        {"kind": "act", "code": "QEFA004", "date": "2024-03-01"},
        {"kind": "diagnosis", "code": "C50.4", "role": "DP", "date": "2024-03-01"},
    ],
}


def test_patients_come_from_json_lines_and_bad_lines_say_why(tmp_path: Path, node: Settings, opened: Store) -> None:
    file = tmp_path / "patients.jsonl.gz"
    text = {"id": "essai_1", "text": "Adénocarcinome du côlon sigmoïde opéré en 2023."}
    lines = [
        json.dumps(PATIENT),
        json.dumps(text, ensure_ascii=False),
        "{not json",
        "",
        "[1]",
        json.dumps({"patient_id": "P2", "birth_date": "hier", "documents": []}),
        json.dumps({"patient_id": "P3", "documents": [{"id": "1"}]}),
        json.dumps({"patient_id": "P4", "structured": [{"kind": "fax"}]}),
        json.dumps(PATIENT),
        json.dumps({"id": "\ud800", "text": "a"}),
        json.dumps({"id": "x" * 300, "text": "a"}),
    ]
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.write("\n".join(lines))
    report = load_jsonl(node, opened, file)
    assert (report.patients, report.documents) == (2, 2)
    assert [(row.position, row.reason) for row in report.rejected] == [
        ("line 3", "not_a_patient"),
        ("line 5", "not_a_patient"),
        ("line 6", "not_a_patient"),
        ("line 7", "not_a_patient"),
        ("line 8", "not_a_patient"),
        ("line 9", "duplicate_id"),
        ("line 10", "not_a_patient"),
        ("line 11", "not_a_patient"),
    ]
    with opened.session() as session:
        assert set(session.exec(select(Patient.ipp))) == {"P1", "essai_1"}
        assert set(session.exec(select(Document.external_id))) == {"P1/1", "essai_1"}
        assert {row.topography[:3] for row in session.exec(select(Tumour))} == {"C50", "C18"}
        assert session.exec(select(Treatment.act_code)).all() == ["QEFA004"]
    assert check(node, opened).patients_in_index == 2
    again = load_jsonl(node, opened, file)
    assert (again.created, again.changed, again.unchanged) == (0, 0, report.created)


def test_a_file_of_patients_cut_short_gives_what_it_holds(tmp_path: Path, node: Settings, opened: Store) -> None:
    whole = gzip.compress(
        b"".join(json.dumps({"id": f"d{n}", "text": f"Texte {n}"}).encode() + b"\n" for n in range(999))
    )
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(whole[: len(whole) // 2])
    report = load_jsonl(node, opened, file)
    assert report.patients > 0
    assert report.rejected[-1].reason in ("truncated_file", "not_a_patient")
    with pytest.raises(InputError, match="There is no file"):
        load_jsonl(node, opened, tmp_path / "nowhere.jsonl")
    file.write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be read"):
        load_jsonl(node, opened, file)


def test_sources_are_declared_where_they_lie(centre: Path, opened: Store) -> None:
    declare(opened, centre)
    with opened.session() as session:
        assert {Path(source.location).exists() for source in session.exec(select(Source))} == {True}


def test_a_history_that_breaks_keeps_no_other_back(
    centre: Path, node: Settings, opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(opened, centre)
    real = history.structure

    def breaking(dossier, terms):  # type: ignore[no-untyped-def]
        if dossier.patient_id.endswith("2"):
            raise ZeroDivisionError("a fault in the rules")
        return real(dossier, terms)

    monkeypatch.setattr(history, "structure", breaking)
    runs = run_all(node, opened)
    assert "The history of 1 patients could not be built (ZeroDivisionError" in runs[-1].message
    assert totals(opened)["PendingPatient"] == 1
    assert check(node, opened).patients_in_index == PATIENTS - 1
    monkeypatch.undo()
    run_all(node, opened)
    assert totals(opened)["PendingPatient"] == 0
    assert check(node, opened).patients_in_index == PATIENTS


def test_a_document_that_breaks_the_reader_is_told_of_and_the_others_are_read(
    centre: Path, node: Settings, opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = declare(opened, centre)
    run_source(node, opened, sources["administrative"])
    file = sorted((centre / "documents").glob("*.txt"))[0]
    file.write_text("POISON")
    real = reading._reader

    class Fragile:
        """The real reader, except that one text breaks it."""

        def __init__(self, settings_json: str) -> None:
            self.reader = real(settings_json)
            self.version = self.reader.version

        def read_many(self, pages):  # type: ignore[no-untyped-def]
            if any(text == "POISON" for text, _, _ in pages):
                raise RecursionError("too deep")
            return self.reader.read_many(pages)

        def read(self, *page):  # type: ignore[no-untyped-def]
            return self.read_many([page])[0]

    monkeypatch.setattr(reading, "_reader", Fragile)
    run = run_source(node, opened, sources["documents"])
    assert (run.state, run.rejected) == ("done", 1)
    with opened.session() as session:
        rejected = session.exec(select(RejectedRecord)).one()
        assert (rejected.reason, rejected.raw) == ("unreadable_text", b"POISON")
        read = session.exec(select(DocumentMentions.total)).all()
    assert len(read) == run.seen
    assert sum(total > 0 for total in read) > run.seen * 0.8


def test_a_record_that_the_database_refuses_is_rejected_alone(centre: Path, node: Settings, opened: Store) -> None:
    sources = declare(opened, centre)
    with opened.engine.begin() as connection:  # a rule of the site's own
        connection.exec_driver_sql(
            "CREATE TRIGGER site_rule BEFORE INSERT ON patient WHEN NEW.ipp LIKE '%2' "
            "BEGIN SELECT RAISE(ABORT, 'no even numbers here'); END"
        )
    run = run_source(node, opened, sources["administrative"])
    assert (run.state, run.seen, run.created, run.rejected) == ("done", PATIENTS, PATIENTS - 1, 1)
    with opened.session() as session:
        assert "no even numbers" in session.exec(select(RejectedRecord.message)).one()
