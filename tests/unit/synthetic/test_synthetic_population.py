"""A large centre is made in the store for the bench, and both databases count it alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlmodel import func, select
from stores import postgres_store, sqlite_store
from typer.testing import CliRunner

import consore.cli.commands  # noqa: F401
from consore.cli import app
from consore.cli.cohort_bench import measured
from consore.model import Document, Fact, Patient, Tumour
from consore.synthetic.population import fill_store


def test_both_databases_answer_every_question_of_the_bench_alike(tmp_path: Path, postgres_url: str) -> None:
    with sqlite_store(tmp_path) as sqlite, postgres_store(postgres_url) as postgres:
        for store in (sqlite, postgres):
            fill_store(store, patients=400, documents=4, facts=40)
            with store.session() as session:
                rows = [session.exec(select(func.count()).select_from(one)).one() for one in (Patient, Tumour, Fact)]
                assert rows[0] == 400
                assert 14_000 < rows[2] < 18_000
                assert session.exec(select(Patient)).first().updated_at
                assert session.exec(select(Document)).first().text.startswith("mot")
                session.add(Patient(ipp="new"))
        answers: dict[str, set[int]] = {}
        for one in measured([sqlite, postgres], repeat=1):
            answers.setdefault(one.name, set()).add(one.answer)
        assert all(len(found) == 1 for found in answers.values()), answers
        assert sum(max(found) > 0 for found in answers.values()) > len(answers) - 3


@pytest.mark.slow
def test_the_bench_prints_what_it_measured(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = CliRunner().invoke(
        app, ["bench", "cohorts", "--patients", "200", "--documents", "2", "--repeat", "2", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text(encoding="utf-8"))
    assert (report["patients"], report["documents"]) == (200, 400)
    assert {one["store"] for one in report["timings"]} == {"sqlite"}
    assert all(one["p50"] <= one["p95"] <= one["p99"] for one in report["timings"])
    assert "funnel of 5 criteria" in done.output
