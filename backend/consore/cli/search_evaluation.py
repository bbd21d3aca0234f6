"""The command that measures search: understanding, cohorts and ranking, on a centre whose truth is known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from consore.cli.app import JsonOption, node, opened_store
from consore.cli.reading import evaluate_app
from consore.cli.screen import console, errors, print_json, print_table
from consore.errors import InputError
from consore.settings import Settings

if TYPE_CHECKING:
    from consore.search.evaluation import KnownQuestion, SearchScores


@evaluate_app.command("search")
def evaluate_search(
    extracts: Annotated[
        Path | None,
        typer.Argument(help="Extracts of the fictional centre that this node has ingested; without it, one is made."),
    ] = None,
    patients: Annotated[int, typer.Option(min=20, help="Fictional patients, where a centre is made.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed gives other patients.")] = 1,
    misspelt: Annotated[bool, typer.Option(help="The misspelt questions too.")] = True,
    ranked: Annotated[bool, typer.Option(help="Also nDCG@10 of the ranked search beside plain full text.")] = True,
    misses: Annotated[
        bool, typer.Option("--misses", help="Also print the questions that were not understood.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Understanding, precision and recall of cohorts (stored and clinical truth), nDCG@10, on generated questions."""
    with _centre(extracts, patients, seed) as (settings, folder):
        scores = _scores(settings, list(_questions(folder, misspelt)), ranked)
    if as_json:
        print_json(scores.as_json())
        return
    told = scores.as_json()
    print_table(
        ["what", "precision", "recall"],
        [
            ["cohorts, against the stored facts", *(f"{value:.3f}" for value in told["stored"].values())],
            ["cohorts, against the clinical truth", *(f"{value:.3f}" for value in told["clinical"].values())],
            [
                "the right criteria, clinical truth",
                *(f"{value:.3f}" for value in told["clinicalOfRightCriteria"].values()),
            ],
        ],
    )
    console.print(f"understood: {scores.understood} of {scores.questions} ({scores.accuracy:.3f})")
    if scores.ranked:
        gains = told["ndcg10"]
        console.print(f"nDCG@10: {gains['ranked']:.3f}; plain full text {gains['plainText']:.3f}")
    if misses:
        print_table(["question", "found", "right", "understood"], [[t, f, r, said] for t, said, f, r in scores.missed])


@contextmanager
def _centre(extracts: Path | None, patients: int, seed: int) -> Iterator[tuple[Settings, Path]]:
    """The node to ask and the extracts that it holds: those given, or a centre made for this and thrown away."""
    if extracts is not None:
        yield node(), extracts
        return
    from consore.cli.fictional import prepare_centre

    with tempfile.TemporaryDirectory(prefix="consore-search-") as folder, Progress(console=errors) as bar:
        centre = prepare_centre(Path(folder), 0, patients=patients, seed=seed, bar=bar, stages=[], first_port=0)
        bar.stop()
        yield centre.settings, Path(folder) / "extracts" / centre.code


def _questions(folder: Path, misspelt: bool) -> Iterator[KnownQuestion]:
    from consore.search.evaluation import KnownQuestion

    file = folder / "verite" / "questions.jsonl"
    if not file.exists():
        raise InputError(
            f"{folder} holds no verite/questions.jsonl.", "Give the folder of a centre of `consore synth`."
        )
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if misspelt or "typo" not in row["tags"]:
                yield KnownQuestion(row["text"], row["criteria"], frozenset(row["patients"]), tuple(row["tags"]))


def _scores(settings: Settings, questions: list[KnownQuestion], ranked: bool) -> SearchScores:
    from consore.index import SearchIndex, ensure_engine
    from consore.referentials import terminology
    from consore.search import SearchContext
    from consore.search.evaluation import evaluate_search as measure

    words = terminology(settings.referentials, settings.cache, settings.site_referentials)
    with opened_store(settings) as store, ensure_engine(settings) as engine:
        return measure(SearchContext(store, SearchIndex(engine), words), questions, ranked=ranked)
