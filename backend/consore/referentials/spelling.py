"""How a word was probably meant to be spelt, among the words that concepts are known by.

A word that any name holds is right as it is: only what is nowhere is compared. Distances are those of typing errors
(Damerau–Levenshtein: a letter more, less, another, or two exchanged).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from consore.referentials.suggestion import Names
from consore.referentials.text import tokens_for_index

_MEANT = frozenset(
    ("topography", "morphology", "drug", "regimen", "biomarker", "procedure", "metastasis", "recurrence")
)
_OF_REPORTS = frozenset(("ICD-O-3-T", "ICD-O-3-M", "ATC", "LOCAL"))
_SHORTEST = 5
_TWO_ERRORS_FROM = 9


class Spelling:
    """Words as `tokens_for_index` gives them: lower case, no accents, singular."""

    def __init__(self, names: Names, rows: Sequence[tuple[Any, ...]], more: Iterable[str] = ()) -> None:
        """`rows` are the concepts of `names` as plain values; `more`: other right words, which may be meant too."""
        right: set[str] = set()
        slips: dict[str, str] = {}
        meant: set[str] = set()
        for tokens, index, written in zip(names.tokens, names.concepts, names.written, strict=True):
            system, code, label, kind = rows[index][:4]
            plain = tokens_for_index(label)
            words = tokens.split()
            if not written and tokens not in (plain, tokens_for_index(code)) and len(words) == 1 and words[0].isalpha():
                slips[tokens] = plain  # a misspelling that the dictionary lists
                continue
            right.update(words)
            if system in _OF_REPORTS and kind in _MEANT:
                meant.update(word for word in words if len(word) > 3 and word.isalpha())
        added = {word for one in more for word in tokens_for_index(one).split()}
        self._right = frozenset(right | added)
        self._slips = {slip: plain for slip, plain in slips.items() if slip not in self._right}
        by_length: dict[int, list[str]] = {}
        for word in sorted(meant | added):
            by_length.setdefault(len(word), []).append(word)
        self._by_length = by_length

    def is_right(self, word: str) -> bool:
        """Whether some name holds this word."""
        return word in self._right

    def listed(self, word: str) -> str | None:
        """What a misspelling that the dictionary lists stands for."""
        return self._slips.get(word)

    def nearest(self, word: str, shortest: int = _SHORTEST) -> list[str]:
        """The right words nearest to `word`, the most likely first; none where it is right, short or like nothing.

        One error is forgiven up to 8 letters, two from 9 on; words under `shortest` letters are never compared.
        """
        if len(word) < shortest or not word.isalpha() or word in self._right:
            return []
        most = 1 if len(word) < _TWO_ERRORS_FROM else 2
        found: list[tuple[int, bool, bool, str]] = []
        for length in range(len(word) - most, len(word) + most + 1):
            for other, distance, _ in process.extract(
                word,
                self._by_length.get(length, ()),
                scorer=DamerauLevenshtein.distance,
                score_cutoff=most,
                limit=6,
            ):
                found.append((int(distance), other[0] != word[0], sorted(other) != sorted(word), other))
        found.sort()
        return [other for distance, _, _, other in found if distance == found[0][0]][:3]
