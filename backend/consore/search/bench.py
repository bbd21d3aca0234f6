"""How long typical questions take on this node, warm: milliseconds, the median and the slowest of twenty."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from consore.index import SearchIndex, TypesenseServer
from consore.model import Patient, Tumour
from consore.referentials import terminology
from consore.search.cohort import count_patients
from consore.search.facets import facets
from consore.search.hits import SearchContext, search
from consore.search.similar import similar_patients
from consore.search.suggestions import suggest
from consore.search.understanding import understand
from consore.settings import Settings
from consore.store import Store

CODED = (
    "cancer du sein HER2+ métastatique",
    "cancer du sein triple négatif avant 50 ans",
    "adénocarcinome du côlon stade III sans chimiothérapie",
    "femmes de plus de 70 ans opérées",
)
WORDS = ("dyspnée", "perte de poids", "douleur abdominale", "cancer du sein fatigue")
PREFIXES = ("pem", "adénoc", "cancer du sein trip", "fol")


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one kind of question."""

    name: str
    median: float
    p95: float
    asked: int


@dataclass(frozen=True, slots=True)
class SearchBench:
    """The timings, and how much was searched."""

    patients: int
    documents: int
    timings: list[Timing]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "patients": self.patients,
            "documents": self.documents,
            "milliseconds": {
                item.name: {"median": item.median, "p95": item.p95, "asked": item.asked} for item in self.timings
            },
        }

    def text(self) -> str:
        """A table to print."""
        lines = [f"{self.patients} patients, {self.documents} documents", f"{'':34}{'median':>9}{'p95':>9}  ms"]
        lines += [f"{item.name:34}{item.median:9.1f}{item.p95:9.1f}" for item in self.timings]
        return "\n".join(lines)


def bench(settings: Settings, store: Store, engine: TypesenseServer, *, repeat: int = 20) -> SearchBench:
    """Ask each kind of question `repeat` times, after once to warm up."""
    index = SearchIndex(engine)
    words = terminology(settings.referentials, settings.cache, settings.site_referentials)
    context = SearchContext(store, index, words)
    check = index.check(store)
    with store.session() as session:
        some = list(
            session.scalars(
                select(Tumour.patient_id)  # type: ignore[call-overload]
                .join(Patient, Patient.id == Tumour.patient_id)
                .where(Patient.opposed.is_(False))  # type: ignore[attr-defined]
                .order_by(Tumour.patient_id)
                .limit(8)
            )
        )

    def count(question: str) -> int:
        criteria = understand(question, words).criteria
        with store.session() as session:
            return count_patients(session, criteria) if criteria else 0

    timings = [
        _timing("a question understood", lambda question: understand(question, words), CODED, repeat),
        _timing("coded question", lambda question: search(context, question), CODED, repeat),
        _timing("free words", lambda question: search(context, question), WORDS, repeat),
        _timing("facets", lambda question: facets(context, question), CODED, repeat),
        _timing("suggestion", lambda prefix: suggest(context, prefix), PREFIXES, repeat),
        _timing("exact count", count, CODED, repeat),
        _timing("similar patients, explained", lambda patient: similar_patients(context, patient), some, repeat),
    ]
    return SearchBench(check.patients_in_index, check.documents_in_index, timings)


def _timing(name: str, ask: Callable[[Any], Any], questions: Any, repeat: int) -> Timing:
    taken: list[float] = []
    for question in questions:
        ask(question)
        for _ in range(repeat):
            started = time.perf_counter()
            ask(question)
            taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    if not taken:
        return Timing(name, 0.0, 0.0, 0)
    p95 = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    return Timing(name, round(statistics.median(taken), 1), round(p95, 1), len(taken))
