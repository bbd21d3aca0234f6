"""Schedules as a hospital lives them: workers that die, missed nights, faults, alerts, blackouts, cancelling."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from engines import engine_settings
from sqlmodel import select

from consore.errors import InputError, SourceAway
from consore.ingestion import (
    Worker,
    add_source,
    cancel_run,
    extraction,
    health_of_sources,
    replay_in_background,
    run_source,
    set_schedule,
    watch_once,
)
from consore.model import Alert, Checkpoint, IngestionRun, RejectedRecord, RunProgress, Schedule, Source, now
from consore.settings import Settings
from consore.store import Store

HEADER = (
    "ipp nom_usage nom_naissance prenom sexe date_naissance date_deces date_dernieres_nouvelles code_postal commune"
    " opposition"
)


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return engine_settings(f"SCH{abs(hash(request.node.nodeid)) % 10**9}", tmp_path / "home", read_processes=1)


@pytest.fixture
def store(node: Settings) -> Iterator[Store]:
    opened = Store.of(node)
    yield opened
    opened.close()


@pytest.fixture
def source(store: Store, tmp_path: Path) -> int:
    """The key of a source of three patients."""
    return declare(store, patients(tmp_path / "patients.csv", 3))


def patients(file: Path, count: int, *, bad: int = 0) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(HEADER.split())
        for number in range(count):
            born = "1950-02-31" if number < bad else "1950-01-02"
            name = f"Durand{number}"
            writer.writerow([f"N{number:05}", name, "", "Paul", "M", born, "", "2024-01-01", "35000", "Rennes", "0"])
    return file


def declare(store: Store, file: Path, name: str = "patients", frequency: str = "nightly") -> int:
    with store.session() as session:
        return int(add_source(session, name=name, kind="administrative", location=file, frequency=frequency).id)


def due(store: Store, source: int, moment: dt.datetime | None = None) -> None:
    with store.session() as session:
        session.get(Schedule, source).next_run_at = moment or now()


def schedule_of(store: Store, source: int) -> Schedule:
    with store.session() as session:
        return session.get(Schedule, source)


def runs_of(store: Store, source: int) -> list[IngestionRun]:
    with store.session() as session:
        return list(
            session.exec(select(IngestionRun).where(IngestionRun.source_id == source).order_by(IngestionRun.id))
        )


def alerts_of(store: Store) -> list[Alert]:
    with store.session() as session:
        return list(session.exec(select(Alert).order_by(Alert.id)))


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "what was awaited did not come"
        time.sleep(0.05)
    return found


class Gate:
    """Reads the real records, and waits before the one that comes after the first until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        real = extraction.read_source

        def slowly(*given: Any, **named: Any) -> Iterator[Any]:
            for number, record in enumerate(real(*given, **named)):
                if number == 1:
                    self.reached.set()
                    assert self.open.wait(30)
                yield record

        monkeypatch.setattr(extraction, "read_source", slowly)
        monkeypatch.setattr(extraction, "BATCH", 1)


# --- Real workers ----------------------------------------------------------------------------------------------


@pytest.fixture
def workers(node: Settings, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a real `consore worker` of the node."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "CONSORE_HOME": str(node.home),
        "CONSORE_CENTRE_CODE": node.centre_code,
        "CONSORE_TYPESENSE_URL": node.typesense_url,
        "CONSORE_TYPESENSE_API_KEY": node.typesense_api_key.get_secret_value(),
        "CONSORE_CACHE_DIR": str(node.cache),
        "CONSORE_READ_PROCESSES": "1",
    }

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "consore", "worker"]
        log = (tmp_path / "worker.log").open("ab")
        started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)


@pytest.mark.slow
def test_two_workers_share_the_nights_that_were_missed_and_one_goes_on_where_the_other_is_killed(
    workers: Callable[[], subprocess.Popen[bytes]], store: Store, tmp_path: Path
) -> None:
    sources = [declare(store, patients(tmp_path / f"p{n}.csv", 2), f"source {n}") for n in range(3)]
    pipe = tmp_path / "drop.csv"
    os.mkfifo(pipe)  # a reading of it waits for ever
    blocked = declare(store, pipe, "blocked", "manual")
    for key in sources:
        due(store, key, now() - dt.timedelta(days=3, minutes=1))
    both = [workers(), workers()]
    until(lambda: all([run.state for run in runs_of(store, key)] == ["done"] for key in sources))
    assert {run.trigger for key in sources for run in runs_of(store, key)} == {"schedule"}
    assert all(schedule_of(store, key).next_run_at > now() for key in sources)

    with store.session() as session:
        set_schedule(session, blocked, "nightly")
    due(store, blocked)
    holder = until(lambda: holder_of(store, blocked))
    victim = next(process for process in both if process.pid == holder)
    assert [run.state for run in runs_of(store, blocked)] == ["running"]
    pipe.unlink()
    patients(pipe, 2)
    victim.send_signal(signal.SIGKILL)
    until(lambda: [run.state for run in runs_of(store, blocked)] == ["failed", "done"])
    died, gone_on = runs_of(store, blocked)
    assert (died.reason, died.failure, gone_on.trigger) == ("process_died", "passing", "resume")
    assert all(len(runs_of(store, key)) == 1 for key in sources)
    kept = schedule_of(store, blocked)
    assert (kept.retry_at, kept.attempts) == (None, 0)


def holder_of(store: Store, source: int) -> int | None:
    with store.session() as session:
        lease = session.get(Checkpoint, f"lease:source:{source}")
        return json.loads(lease.value)["pid"] if lease and runs_of(store, source) else None


# --- Failures --------------------------------------------------------------------------------------------------


def test_a_fault_that_may_pass_is_tried_again_later_each_time_and_then_told(
    node: Settings, store: Store, source: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = node.model_copy(update={"retry_first_s": 60, "retry_ceiling_s": 200, "retry_most": 3})

    def away(*_: Any, **__: Any) -> Iterator[Any]:
        raise SourceAway("The server does not answer.", "Check the network.")

    monkeypatch.setattr(extraction, "read_source", away)
    due(store, source)
    waits = []
    moment = now()
    for tries in (1, 2, 3):
        (run,) = Worker(settings, Store(store.url)).run_due_once(moment)  # another process: what is planned is stored
        assert (run.state, run.failure, run.reason) == ("failed", "passing", "source_away")
        planned = schedule_of(store, source)
        assert planned.attempts == tries
        waits.append(round((planned.retry_at - run.ended_at).total_seconds()))
        assert Worker(settings, store).run_due_once(planned.retry_at - dt.timedelta(seconds=1)) == []
        moment = planned.retry_at
    assert waits == [60, 120, 200]
    assert alerts_of(store) == []
    with store.session() as session:
        assert health_of_sources(session, settings)[source].state == "retrying"
    (last,) = Worker(settings, store).run_due_once(moment)
    assert last.trigger == "retry"
    (alert,) = alerts_of(store)
    assert (alert.kind, alert.reason, alert.counts["tries"]) == ("failed", "source_away", 4)
    assert schedule_of(store, source).retry_at is None


def test_a_fault_that_cannot_mend_itself_is_told_at_once_and_the_alert_closes_when_it_is_mended(
    node: Settings, store: Store, source: int, tmp_path: Path
) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("colonne;inconnue\n1;2\n", encoding="utf-8")
    due(store, source)
    (run,) = Worker(node, store).run_due_once()
    assert (run.failure, run.reason) == ("lasting", "source")
    kept = schedule_of(store, source)
    assert (kept.retry_at, kept.attempts) == (None, 0)
    assert [(alert.kind, alert.closed_at) for alert in alerts_of(store)] == [("failed", None)]
    due(store, source)
    Worker(node, store).run_due_once()  # the next night fails alike: it is the same alert
    (alert,) = alerts_of(store)
    assert alert.times == 2
    patients(file, 3)
    due(store, source)
    (run,) = Worker(node, store).run_due_once()
    assert run.state == "done"
    assert alerts_of(store)[0].closed_at is not None


def test_a_run_that_somebody_began_by_hand_is_neither_tried_again_nor_told(
    node: Settings, store: Store, source: int, tmp_path: Path
) -> None:
    (tmp_path / "patients.csv").unlink()
    assert run_source(node, store, source).state == "failed"
    assert alerts_of(store) == []
    assert schedule_of(store, source).retry_at is None


def test_a_source_that_should_have_been_read_is_late(node: Settings, store: Store, source: int) -> None:
    due(store, source, now() - dt.timedelta(hours=5))
    watch_once(node, store)
    assert alerts_of(store) == []
    due(store, source, now() - dt.timedelta(hours=7))
    watch_once(node, store)
    watch_once(node, store)
    (alert,) = alerts_of(store)
    assert (alert.kind, alert.counts) == ("late", {"hours": 7.0})
    with store.session() as session:
        health = health_of_sources(session, node)[source]
        assert (health.state, health.late_since) == ("late", schedule_of(store, source).next_run_at)
    Worker(node, store).run_due_once()
    assert alerts_of(store)[0].closed_at is not None


def test_a_share_of_rejected_records_that_jumps_is_told(
    node: Settings, store: Store, source: int, tmp_path: Path
) -> None:
    file = tmp_path / "patients.csv"
    for count, bad, told in ((40, 1, []), (40, 8, ["rejections"]), (40, 0, ["rejections"])):
        patients(file, count, bad=bad)
        due(store, source)
        (run,) = Worker(node, store).run_due_once()
        assert (run.state, run.rejected) == ("done", bad)
        assert [alert.kind for alert in alerts_of(store)] == told
    (alert,) = alerts_of(store)
    assert alert.counts == {"seen": 40, "rejected": 8, "percent": 20.0, "usual_percent": 2.5}
    assert alert.closed_at is not None


class Receiver:
    """A webhook of the hospital on loopback; it answers with `statuses`, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.posts = list(statuses), []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alertes"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_webhook_that_fails_twice_is_told_in_the_end_signed_and_without_a_word_of_a_record(
    node: Settings, store: Store, source: int, tmp_path: Path
) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("MARCHANT;Élise;1956-02-03\nLEBRUN;Paul;1950-01-02\n", encoding="utf-8")  # no header: names
    with Receiver(500, 503) as receiver:
        given = {"alert_webhook": receiver.url, "alert_webhook_secret": "s3cret", "alert_webhook_retry_s": 0.01}
        settings = Settings(**{**node.model_dump(), **given})
        due(store, source)
        (run,) = Worker(settings, store).run_due_once()
        assert "MARCHANT" in run.message
        until(lambda: watch_once(settings, store) or alerts_of(store)[0].told_at, 20)
        assert len(receiver.posts) == 3
        headers, body = receiver.posts[-1]
        message = json.loads(body)
        told = {name: message[name] for name in ("source", "alert", "state", "reason", "counts")}
        assert told == {
            "source": "patients",
            "alert": "failed",
            "state": "open",
            "reason": "source",
            "counts": {"tries": 1, "seen": 0, "rejected": 0},
        }
        assert b"MARCHANT" not in body
        assert str(tmp_path).encode() not in body
        signed = f"{headers['X-Consore-Timestamp']}.".encode() + body
        expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert headers["X-Consore-Signature"] == f"sha256={expected}"
        patients(file, 3)
        due(store, source)
        Worker(settings, store).run_due_once()
        until(lambda: watch_once(settings, store) or len(receiver.posts) > 3, 20)
        closed = json.loads(receiver.posts[-1][1])
        assert (closed["id"], closed["state"]) == (message["id"], "closed")


# --- Blackouts, cancelling, progress ---------------------------------------------------------------------------


def around_now() -> dict[str, Any]:
    """A window of today that began an hour ago and ends in two, by a clock that never changes."""
    moment = now()
    start, end = ((moment + dt.timedelta(hours=by)).strftime("%H:%M") for by in (-1, 2))
    return {"start": start, "end": end}


def test_no_run_starts_in_a_blackout_and_what_was_missed_comes_once_after_it(
    node: Settings, store: Store, source: int
) -> None:
    with store.session() as session:
        set_schedule(session, source, "cron", cron="* * * * *", timezone="UTC", blackouts=[around_now()])
    due(store, source)
    assert Worker(node, store).run_due_once() == []
    with pytest.raises(InputError, match="in a blackout until"):
        run_source(node, store, source)
    over = (now() + dt.timedelta(hours=2, minutes=1)).replace(second=0)
    (run,) = Worker(node, store).run_due_once(over)
    assert run.trigger == "schedule"
    assert len(runs_of(store, source)) == 1
    assert run_source(node, store, source, despite_blackout=True).state == "done"


def test_a_run_that_a_blackout_meets_is_paused_at_its_next_step_and_goes_on_after_it(
    node: Settings, store: Store, source: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    due(store, source)
    ran: list[IngestionRun] = []
    thread = threading.Thread(target=lambda: ran.extend(Worker(node, store).run_due_once()))
    thread.start()
    assert gate.reached.wait(20)
    with store.session() as session:
        set_schedule(session, source, "nightly", timezone="UTC", blackouts=[around_now()])
    time.sleep(1.3)  # the run looks at the store once a second
    gate.open.set()
    thread.join(20)
    (run,) = ran
    assert (run.state, run.seen) == ("paused", 2)
    over = schedule_of(store, source).retry_at
    assert dt.timedelta(hours=1, minutes=58) < over - now() < dt.timedelta(hours=2, minutes=1)
    assert Worker(node, store).run_due_once() == []
    monkeypatch.undo()
    with store.session() as session:
        session.get(Schedule, source).blackouts = []
    (run,) = Worker(node, store).run_due_once(over)
    assert (run.state, run.trigger, run.created, run.unchanged) == ("done", "resume", 1, 2)


def test_a_run_is_followed_and_cancelled_from_anywhere_and_is_not_gone_on_with(
    node: Settings, store: Store, source: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    due(store, source)
    ran: list[IngestionRun] = []
    thread = threading.Thread(target=lambda: ran.extend(Worker(node, store).run_due_once()))
    thread.start()
    assert gate.reached.wait(20)
    elsewhere = Store(store.url)
    (going,) = runs_of(elsewhere, source)

    def step() -> RunProgress | None:
        with elsewhere.session() as session:
            return session.get(RunProgress, going.id)

    seen = until(step, 10)
    assert (seen.stage.split()[0], seen.total) == ("extract", 3)
    assert cancel_run(elsewhere, going.id).asked == "cancel"
    time.sleep(1.3)
    gate.open.set()
    thread.join(20)
    (run,) = ran
    assert (run.state, run.seen) == ("cancelled", 2)
    assert step() is None
    assert Worker(node, store).run_due_once() == []
    with pytest.raises(InputError, match="is over"):
        cancel_run(elsewhere, going.id)
    monkeypatch.undo()
    again = run_source(node, store, source)
    assert (again.state, again.created, again.unchanged) == ("done", 1, 2)
    elsewhere.close()


def test_a_run_whose_process_is_gone_is_cancelled_at_once(store: Store, source: int) -> None:
    with store.session() as session:
        run = IngestionRun(source_id=source, trigger="schedule")
        session.add(run)
        session.flush()
        key = run.id
    assert cancel_run(store, key).state == "cancelled"
    with pytest.raises(InputError, match="no run 999"):
        cancel_run(store, 999)


def test_the_rejected_records_of_one_reason_are_read_again_as_a_run(
    node: Settings, store: Store, tmp_path: Path
) -> None:
    source = declare(store, patients(tmp_path / "patients.csv", 4, bad=2))
    assert run_source(node, store, source).rejected == 2
    with store.session() as session:
        held = session.exec(select(RejectedRecord)).all()
        held[0].raw = held[0].raw.replace(b"1950-02-31", b"1950-02-28")
        held[1].reason = "another"
    started = replay_in_background(node, store, source, reason=held[0].reason)
    assert started.trigger == "replay"
    until(lambda: runs_of(store, source)[-1].state == "done")
    run = runs_of(store, source)[-1]
    assert (run.seen, run.changed, run.rejected) == (1, 1, 0)
    with store.session() as session:
        waiting = session.exec(select(RejectedRecord).where(RejectedRecord.replayed_at.is_(None))).all()
        assert [record.reason for record in waiting] == ["another"]
        assert session.get(Source, source) is not None
