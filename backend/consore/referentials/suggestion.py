"""What a user may mean after a few letters: concepts whose words or code begin so, small typing errors forgiven."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from consore.referentials.concept import Concept, Suggestion
from consore.text import fold, tokens_for_index

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
_ONLY_ASKED = frozenset({"ADICAP"})  # a pathologist's codes: suggested to who asks for that system
_CODE = re.compile(r"\s*[A-Za-z]{0,4}[\d:/.+ -]*\d[\w:/.+-]*\s*")
_LIKE = 0.86  # similarity (Jaro-Winkler) from which a word is taken for another
_MOST_LIKE = 8


class Names(NamedTuple):
    """The words that concepts are known by, as plain values, the most telling name first.

    Of each name: `tokens` (as `tokens_for_index` gives them), the number of its concept, how it is written (empty: its
    label, its code, or a misspelling). `words`, sorted, and the names that hold each.
    """

    tokens: list[str]
    concepts: list[int]
    written: list[str]
    words: list[str]
    of_word: list[tuple[int, ...]]


def names_of(concepts: Sequence[Concept]) -> Names:
    """The names of `concepts`, but for those that are not asked for by name and those that are withdrawn."""
    found: list[tuple[tuple[int, int, bool, str], str, int, str]] = []
    place = {(concept.system, concept.code): index for index, concept in enumerate(concepts)}
    for index, concept in enumerate(concepts):
        if concept.kind in _NEVER or not concept.code or "withdrawn" in concept.attributes:
            continue
        general = place.get((concept.system, f"{concept.code}.9"))
        if general is not None and concepts[general].label == concept.label:
            # `Sein` C50 beside `Sein` C50.9 would be the same line twice
            found.append(((False, *_static(concept, "", False)), _compact(concept.code), general, ""))
            continue
        names = {tokens_for_index(concept.label): "", _compact(concept.code): "", tokens_for_index(concept.code): ""}
        slips: set[str] = set()  # typing errors lead to the concept after its names, and are never shown
        for name, type_ in zip(concept.synonyms, concept.types, strict=True):
            tokens = tokens_for_index(name)
            if tokens not in names:
                names[tokens] = "" if type_ == "misspelling" else name
                if type_ == "misspelling":
                    slips.add(tokens)
        for position, (tokens, written) in enumerate(names.items()):
            if tokens:
                slip = tokens in slips
                found.append(((slip, *_static(concept, tokens, position == 0)), tokens, index, written))
    found.sort()
    by_word: dict[str, list[int]] = {}
    for number, (_, tokens, _, _) in enumerate(found):
        for word in set(tokens.split()):
            by_word.setdefault(word, []).append(number)
    words = sorted(by_word)
    return Names(
        [tokens for _, tokens, _, _ in found],
        [index for _, _, index, _ in found],
        [written for _, _, _, written in found],
        words,
        [tuple(by_word[word]) for word in words],
    )


def _static(concept: Concept, tokens: str, is_label: bool) -> tuple[int, int, bool, str]:
    """What puts one name before another whatever is typed."""
    return _ORDER.get(concept.kind, 6), len(tokens), not is_label, concept.code


def _compact(code: str) -> str:
    """A code without its signs: `C50.4` is typed `c504` as well."""
    return fold(code).replace(" ", "")


class Suggester:
    """Suggests from `names`; `rows` are their concepts as plain values, which `concept` makes whole."""

    def __init__(self, names: Names, rows: Sequence[tuple[Any, ...]], concept: Callable[[int], Concept]) -> None:
        self._names, self._rows, self._concept = names, rows, concept

    def suggest(self, text: str, systems: frozenset[str] | None, limit: int) -> list[Suggestion]:
        """At most `limit` concepts, the best first; a concept comes once."""
        words = tokens_for_index(text[:200]).split()[:8]
        words = [word for word in words if word not in _EMPTY] or words
        if not words:
            return []
        code = _compact(text) if len(text) < 20 and _CODE.fullmatch(text) else ""
        best = self._starting(code) if code else set()
        candidates, meant = self._holding(words)
        asked, first = " ".join(meant), meant[0]
        tokens, concepts, late = self._names.tokens, self._names.concepts, _LATE_SYSTEMS
        ranked: list[list[int]] = [[] for _ in range(6)]
        for number in sorted(candidates | best):
            system = self._rows[concepts[number]][0]
            if (systems is None and system in _ONLY_ASKED) or (systems is not None and system not in systems):
                continue
            name = tokens[number]
            if number in best:
                rank = 0 if name == code else 1
            else:
                rank = 0 if name == asked else 1 if name.startswith(asked) else 2 if name.startswith(first) else 3
            ranked[rank + (system in late)].append(number)
        return self._distinct((number for numbers in ranked for number in numbers), limit)

    def _distinct(self, numbers: Iterable[int], limit: int) -> list[Suggestion]:
        found: dict[int, Suggestion] = {}
        for number in numbers:
            index = self._names.concepts[number]
            if index not in found:
                found[index] = Suggestion(self._concept(index), self._names.written[number] or None)
                if len(found) >= limit:
                    break
        return list(found.values())

    def _holding(self, words: list[str]) -> tuple[set[int], list[str]]:
        """The names that hold all `words` or their beginnings, and what was meant by each."""
        candidates: set[int] | None = None
        meant: list[str] = []
        for word in words:
            holding = self._starting(word)
            like = word
            if not holding:
                holding, like = self._alike(word)
            if like in _EMPTY and len(words) > 1:
                continue
            meant.append(like)
            candidates = holding if candidates is None else candidates & holding
            if not candidates:
                return set(), words
        return candidates or set(), meant or words

    def _starting(self, word: str) -> set[int]:
        words = self._names.words
        return set().union(*self._names.of_word[bisect_left(words, word) : bisect_left(words, word + "\uffff")])

    def _alike(self, word: str) -> tuple[set[int], str]:
        """Names holding a word like `word`, or whose beginning is like it, and the word that is most like it."""
        if len(word) < 4:
            return set(), word
        from rapidfuzz import process
        from rapidfuzz.distance import JaroWinkler

        words = self._names.words
        # The first letter is seldom wrong; looking at all words costs ten times more.
        first = bisect_left(words, word[0])
        some = words[first : bisect_left(words, word[0] + "\uffff")]
        for asked, offset in ((some, first), (words, 0)):
            near = process.extract(word, asked, scorer=JaroWinkler.similarity, score_cutoff=_LIKE, limit=_MOST_LIKE)
            if near:
                return set().union(*(self._names.of_word[offset + position] for _, _, position in near)), near[0][0]
        return set(), word
