"""`consore bench cohorts`: how long exact questions take on a large centre, on SQLite and on PostgreSQL.

The centre is made for the bench in stores of its own (`synthetic.population`), both asked in turn.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy import text
from sqlmodel import Session

from consore.cli.app import JsonOption
from consore.cli.reading import bench_app
from consore.cli.screen import console, print_json
from consore.cli.timings import Ask, Side, Timing, database_server, print_header, print_timings, timed

if TYPE_CHECKING:
    from consore.store import Store

BREAST = {"tumour": {"topography": ["C50"], "stage": ["I", "II"]}}
YOUNG = {"patient": {"sex": "female", "ageAtDiagnosis": {"max": 60}}}
HER2 = {"biomarker": {"code": ["HER2"], "status": ["positive"]}}
TREATED = {"treatment": {"drug": ["L01CD"], "line": {"min": 1}}}
RELAPSE = {"event": {"type": ["metastatic_recurrence"], "site": ["C71"]}}
FACT = {"concept": {"system": "ICD-O-3-T", "code": ["C05"]}}
OTHER_FACT = {"concept": {"system": "LOCAL", "code": ["C07"]}}
COUNTS: dict[str, list[dict[str, Any]]] = {
    "count of 3 criteria": [
        {"all": [BREAST, HER2, YOUNG]},
        {"all": [BREAST, TREATED, {"none": [RELAPSE]}]},
        {"all": [{"any": [HER2, TREATED]}, RELAPSE, YOUNG]},
    ],
    "count of 3 criteria, on facts": [
        {"all": [FACT, OTHER_FACT, YOUNG]},
        {"all": [BREAST, OTHER_FACT, {"none": [FACT]}]},
    ],
    "count with a sequence": [
        {"all": [BREAST, {"sequence": {"first": {"treatment": {"type": ["surgery"]}}, "then": RELAPSE}}]},
        {
            "sequence": {
                "first": {"treatment": {"type": ["chemotherapy"]}},
                "then": {"event": {"type": ["progression"]}},
                "within": {"max": 24, "unit": "months"},
            }
        },
    ],
    "count with a sequence of facts": [
        {"sequence": {"first": FACT, "then": OTHER_FACT, "within": {"min": 30, "max": 900, "unit": "days"}}},
    ],
    "count of two rows": [{"count": {"of": {"treatment": {"type": ["surgery", "radiotherapy"]}}, "atLeast": 2}}],
    "count of rare words": [{"all": [BREAST, {"document": {"text": "motbaa motcab"}}]}],
    "count of broad words": [{"all": [BREAST, {"document": {"text": "motb motd", "kind": ["imaging"]}}]}],
    "count of a phrase": [{"document": {"text": '"motb motc"'}}],
    "count of everyone": [{"all": []}],
}
FUNNEL = {"all": [BREAST, YOUNG, HER2, TREATED, {"none": [RELAPSE]}]}


@bench_app.command("cohorts")
def bench_cohorts(
    patients: Annotated[int, typer.Option(min=100, help="Patients of the centre that is made.")] = 50_000,
    documents: Annotated[int, typer.Option(min=0, help="Documents a patient.")] = 20,
    facts: Annotated[int, typer.Option(min=0, help="Facts a patient.")] = 100,
    postgres: Annotated[str, typer.Option(help="URL of an empty PostgreSQL database, to be asked beside.")] = "",
    repeat: Annotated[int, typer.Option(min=1, help="Times each question is asked.")] = 20,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Milliseconds of exact counts, funnels, tables and curves on a large centre that is made for it."""
    from consore.store import Store
    from consore.synthetic.population import fill_store

    with tempfile.TemporaryDirectory(prefix="consore-bench-") as folder, ExitStack() as stack:
        urls = [f"sqlite:///{folder}/consore.db", *([postgres] if postgres else [])]
        stores, filled = [], []
        for url in urls:
            store = Store(url)
            stack.callback(store.close)
            store.upgrade()
            begin = time.perf_counter()
            made = fill_store(store, patients=patients, documents=documents, facts=facts)
            filled.append(
                {"store": store.dialect, "seconds": round(time.perf_counter() - begin, 1), "bytes": size_of(store)}
            )
            stores.append(store)
            if not as_json:
                console.print(
                    f"{store.dialect}: {filled[-1]['seconds']} s to write, {filled[-1]['bytes'] / 1e6:.0f} MB"
                )
        timings = measured(stores, repeat)
    report = {**asdict(made), "filled": filled, "timings": [asdict(one) for one in timings]}
    if out:
        out.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if as_json:
        print_json(report)
        return
    console.print(f"{patients} patients, {made.documents} documents, {made.facts} facts")
    print_header()
    print_timings(timings)


def measured(stores: list[Store], repeat: int) -> list[Timing]:
    """Each kind of question `repeat` times on each store."""
    return [
        timing
        for name, asks in exact_questions().items()
        for timing in timed(name, [exactly(store, asks) for store in stores], repeat)
    ]


def exactly(store: Store, asks: list[ExactAsk], name: str = "") -> Side:
    """A store that is asked exact questions."""

    def in_session(ask: ExactAsk) -> Ask:
        def asked() -> int:
            with store.session() as session:
                return ask(session)

        return asked

    return Side(name or store.dialect, [in_session(ask) for ask in asks], database_server(store))


ExactAsk = Callable[[Session], int]


def exact_questions() -> dict[str, list[ExactAsk]]:
    """The exact questions of each kind."""
    from consore.search.breakdown import breakdown
    from consore.search.cohort import cohort, count_patients
    from consore.search.criteria import parse_criteria
    from consore.search.funnel import funnel
    from consore.search.survival import survival

    def counting(tree: dict[str, Any]) -> ExactAsk:
        criteria = parse_criteria(tree)
        return lambda session: count_patients(session, criteria)

    breast, narrow = parse_criteria({"all": [BREAST, YOUNG]}), parse_criteria(FUNNEL)
    asked = {name: [counting(tree) for tree in trees] for name, trees in COUNTS.items()}
    asked["funnel of 5 criteria"] = [lambda session: funnel(session, narrow).steps[-1].remaining]
    asked["tables of a cohort"] = [lambda session: breakdown(session, cohort(breast), breast, _NO_WORDS).patients]
    asked["survival of a cohort"] = [lambda session: survival(session, cohort(breast), breast).patients]
    return asked


class _NoWords:
    """Codes as they are: what words cost is not measured here."""

    def label(self, system: str, code: str) -> str:
        return code


_NO_WORDS: Any = _NoWords()


def size_of(store: Store) -> int:
    """Bytes of the store."""
    with store.session() as session:
        if store.dialect == "postgresql":
            return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        pages, size = (session.execute(text(f"PRAGMA page_{what}")).scalar_one() for what in ("count", "size"))
        return int(pages) * int(size)
