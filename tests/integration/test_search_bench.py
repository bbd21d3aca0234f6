"""`consore bench search` makes a centre once, asks it every kind of question, and tells what was seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engines import PROGRAMS, shared_engine
from typer.testing import CliRunner

import consore.cli.commands  # noqa: F401
from consore.cli import app


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    engine = shared_engine()
    monkeypatch.setenv("CONSORE_TYPESENSE_URL", engine.url)
    monkeypatch.setenv("CONSORE_TYPESENSE_API_KEY", engine.api_key)
    monkeypatch.setenv("CONSORE_CACHE_DIR", str(PROGRAMS))

    def asked(*arguments: str) -> Any:
        home = ["--home", str(tmp_path / "home")]
        return CliRunner().invoke(app, [*home, "bench", "search", "--repeat", "1", *arguments])

    return asked


@pytest.mark.slow
def test_a_large_centre_is_made_once_and_its_words_are_asked_of_fts5_too(bench: Any, tmp_path: Path) -> None:
    kept, out = tmp_path / "kept", tmp_path / "bench.json"
    size = ["--patients", "60", "--documents", "600", "--no-postgres", "--keep", str(kept)]
    assert (first := bench(*size, "--out", str(out))).exit_code == 0, first.output
    report = json.loads(out.read_text(encoding="utf-8"))
    asked = {(one["name"], one["store"]): one for one in report["timings"]}
    assert 0 < report["patients"] <= 60
    assert asked["two broad words", "SQLite FTS5"]["answer"] == 20
    assert asked["two broad words", "sqlite"]["answer"] >= 20  # all of them, where FTS5 gives the best
    for kind in ("coded question", "two free words", "suggestion", "facets of a coded question"):
        assert asked[kind, "sqlite"]["p50"] <= asked[kind, "sqlite"]["p99"]
        assert kind in first.output
    made = (kept / "made.json").read_text(encoding="utf-8")
    assert (again := bench(*size)).exit_code == 0, again.output
    assert (kept / "made.json").read_text(encoding="utf-8") == made
    other = bench("--patients", "61", "--documents", "600", "--no-postgres", "--keep", str(kept))
    assert other.exit_code != 0
    assert "another size" in str(other.exception)


def test_a_node_that_holds_nothing_is_asked_all_the_same(bench: Any) -> None:
    report = json.loads(bench("--json").output)
    assert (report["patients"], report["documents"]) == (0, 0)
    assert {one["store"] for one in report["timings"]} == {"sqlite"}
