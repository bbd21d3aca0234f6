"""What a user may mean after a few letters: concepts whose words begin so, small typing errors forgiven."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from consore.referentials.concept import Concept
from consore.referentials.text import tokens_for_index

_ORDER = {
    "topography": 0,
    "morphology": 1,
    "drug": 2,
    "regimen": 2,
    "biomarker": 2,
    "procedure": 3,
    "alteration": 4,
    "metastasis": 4,
    "recurrence": 4,
    "group": 5,
}
_NEVER = frozenset({"document_kind", "centre", "abbreviation"})
# Words that say nothing beside others: `cancer du sein` asks for `sein`.
_EMPTY = frozenset(("de", "du", "des", "d", "la", "le", "les", "l", "en", "et", "au", "cancer", "tumeur"))
_LATE_SYSTEMS = frozenset({"CIM-10", "CCAM"})


class Suggester:
    """An index from the words of labels and synonyms to their concepts."""

    def __init__(self, concepts: Iterable[Concept]) -> None:
        self._names: list[tuple[str, Concept, bool]] = []
        by_word: dict[str, set[int]] = {}
        listed = list(concepts)
        labels = {(concept.system, concept.code): concept.label for concept in listed}
        for concept in listed:
            if concept.kind in _NEVER or not concept.code or "withdrawn" in concept.attributes:
                continue
            if labels.get((concept.system, f"{concept.code}.9")) == concept.label:
                continue  # `Sein` C50 beside `Sein` C50.9 would be the same line twice
            names = dict.fromkeys((concept.label, concept.code, *concept.synonyms))
            for position, name in enumerate(names):
                tokens = tokens_for_index(name)
                for word in tokens.split():
                    by_word.setdefault(word, set()).add(len(self._names))
                self._names.append((tokens, concept, position == 0))
        self._words = sorted(by_word)
        self._of_word = [by_word[word] for word in self._words]

    def suggest(self, text: str, systems: frozenset[str] | None, limit: int) -> list[Concept]:
        """At most `limit` concepts, the best first; a concept comes once."""
        words = tokens_for_index(text[:200]).split()[:8]
        words = [word for word in words if word not in _EMPTY] or words
        if not words:
            return []
        candidates: set[int] | None = None
        for word in words:
            holding = self._starting(word) or self._alike(word)
            candidates = holding if candidates is None else candidates & holding
            if not candidates:
                return []
        asked = " ".join(words)
        ranked = sorted(
            (self._rank(self._names[index], asked, words[0]), index)
            for index in candidates or ()
            if systems is None or self._names[index][1].system in systems
        )
        found: dict[tuple[str, str], Concept] = {}
        for _, index in ranked:
            concept = self._names[index][1]
            found.setdefault((concept.system, concept.code), concept)
            if len(found) == limit:
                break
        return list(found.values())

    def _starting(self, word: str) -> set[int]:
        first = bisect_left(self._words, word)
        last = bisect_left(self._words, word + "\uffff")
        return set().union(*self._of_word[first:last])

    def _alike(self, word: str) -> set[int]:
        """Names holding a word like `word`, or whose beginning is like it."""
        if len(word) < 4:
            return set()
        near = process.extract(word, self._words, scorer=JaroWinkler.similarity, score_cutoff=0.86, limit=6)
        return set().union(*(self._of_word[position] for _, _, position in near)) if near else set()

    @staticmethod
    def _rank(name: tuple[str, Concept, bool], asked: str, first: str) -> tuple[int, int, int, int, str]:
        tokens, concept, is_label = name
        start = 0 if tokens == asked else 1 if tokens.startswith(asked) else 2 if tokens.startswith(first) else 3
        late = 1 if concept.system in _LATE_SYSTEMS else 0
        return start + late, _ORDER.get(concept.kind, 6), len(tokens), 0 if is_label else 1, concept.code
