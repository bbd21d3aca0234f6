"""How well questions are understood and answered, where the right answer is known.

A question has the criteria that it means and, of a fictional centre, the patients whom it is true of. Three things are
measured apart: whether the question was understood (its criteria select, in the store, the very patients that the right
ones select, and leave no word to search), how right the cohort is against the *stored* facts and against the *clinical*
truth (where reading and history may have erred too), and how good the first ten of a ranked search are beside the same
words in plain full text.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, select

from consore.model import Patient
from consore.referentials import tokens_for_index
from consore.search.cohort import patient_ids
from consore.search.criteria import parse_criteria
from consore.search.hits import SearchContext, search
from consore.search.understanding import understand, whole_criteria

RANKED = 10  # patients that nDCG looks at


@dataclass(frozen=True, slots=True)
class KnownQuestion:
    """A question, the criteria (JSON) that it means, the IPP of those whom it is true of, and what it is a trial of."""

    text: str
    tree: dict[str, Any]
    patients: frozenset[str]
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Cohorts:
    """Found cohorts beside right ones, pooled over questions."""

    both: int = 0
    found: int = 0
    right: int = 0

    def add(self, found: set[int], right: set[int]) -> None:
        """One more question."""
        self.both += len(found & right)
        self.found += len(found)
        self.right += len(right)

    @property
    def precision(self) -> float:
        """Of those found, the share that is right."""
        return self.both / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of the right ones, the share that was found."""
        return self.both / self.right if self.right else 1.0

    def as_json(self) -> dict[str, float]:
        """Both, rounded."""
        return {"precision": round(self.precision, 4), "recall": round(self.recall, 4)}


@dataclass(slots=True)
class SearchScores:
    """The scores of a run. `missed`: (question, what was understood instead, patients found, patients right)."""

    questions: int = 0
    understood: int = 0
    stored: Cohorts = field(default_factory=Cohorts)
    clinical: Cohorts = field(default_factory=Cohorts)
    best_clinical: Cohorts = field(default_factory=Cohorts)
    ranked: list[float] = field(default_factory=list)
    plain_text: list[float] = field(default_factory=list)
    by_tag: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    missed: list[tuple[str, str, int, int]] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """The share of questions that were understood."""
        return self.understood / self.questions if self.questions else 1.0

    def as_json(self) -> dict[str, Any]:
        """Everything that is printed, as plain values."""
        return {
            "questions": self.questions,
            "understanding": round(self.accuracy, 4),
            "stored": self.stored.as_json(),
            "clinical": self.clinical.as_json(),
            "clinicalOfRightCriteria": self.best_clinical.as_json(),
            "ndcg10": {
                "ranked": _mean(self.ranked),
                "plainText": _mean(self.plain_text),
                "questions": len(self.ranked),
            },
            "byTag": {tag: {"questions": of, "understood": right} for tag, (right, of) in sorted(self.by_tag.items())},
            "missed": [
                {"text": text, "understood": said, "found": found, "right": right}
                for text, said, found, right in self.missed
            ],
        }


def evaluate_search(context: SearchContext, questions: Iterable[KnownQuestion], *, ranked: bool = True) -> SearchScores:
    """Ask each question of the store, and of the index too if `ranked`, and compare with what is known."""
    scores = SearchScores()
    with context.store.session() as session:
        known = _identifiers(session)
        for question in questions:
            understood = understand(question.text, context.terminology)
            right = set(patient_ids(session, parse_criteria(question.tree)))
            whole = whole_criteria(understood)
            found = set(patient_ids(session, whole)) if whole else set()
            true = {known[ipp] for ipp in question.patients if ipp in known}
            scores.questions += 1
            good = found == right and not understood.words and whole is not None
            scores.understood += good
            for tag in question.tags:
                scores.by_tag[tag][0] += good
                scores.by_tag[tag][1] += 1
            if not good:
                said = whole.canonical() if whole else ""
                scores.missed.append((question.text, said, len(found), len(right)))
            scores.stored.add(found, right)
            scores.clinical.add(found, true)
            scores.best_clinical.add(right, true)
            if ranked and true:
                first = [hit.patient_id for hit in search(context, question.text, per_page=RANKED).hits]
                scores.ranked.append(ndcg(first, true))
                scores.plain_text.append(ndcg(_plain_text(context, question.text), true))
    return scores


def ndcg(first: Sequence[int], right: set[int]) -> float:
    """Normalised discounted cumulative gain of the first ten, where each is right or is not."""
    gain = sum(1 / math.log2(place + 2) for place, found in enumerate(first[:RANKED]) if found in right)
    best = sum(1 / math.log2(place + 2) for place in range(min(RANKED, len(right))))
    return gain / best if best else 1.0


def _plain_text(context: SearchContext, text: str) -> list[int]:
    """The first patients whose documents hold most of the question's words, as an engine ranks words without sense."""
    answer = context.index.search(
        {
            "collection": context.index.documents,
            "q": tokens_for_index(text),
            "query_by": "body,title",
            "group_by": "patient_id",
            "group_limit": 1,
            "per_page": RANKED,
            "include_fields": "id,patient_id",
            "highlight_fields": "none",
            "drop_tokens_threshold": RANKED,
        }
    )[0]
    return [int(group["group_key"][0]) for group in answer.get("grouped_hits", [])]


def _identifiers(session: Session) -> dict[str, int]:
    """The store's identifier of each patient by IPP, opposed ones left out."""
    rows = session.exec(select(Patient).where(Patient.opposed.is_(False)))  # type: ignore[attr-defined]
    return {patient.ipp: int(patient.id or 0) for patient in rows}


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
