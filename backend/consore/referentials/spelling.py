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
from consore.text import fold, tokens_for_index

_MEANT = frozenset(
    ("topography", "morphology", "drug", "regimen", "biomarker", "procedure", "metastasis", "recurrence")
)
_OF_REPORTS = frozenset(("ICD-O-3-T", "ICD-O-3-M", "ATC", "LOCAL"))
_SHORTEST = 5
_TWO_ERRORS_FROM = 11


class Spelling:
    """Words are compared as `fold` gives them: lower case, without accents."""

    def __init__(self, names: Names, rows: Sequence[tuple[Any, ...]], more: Iterable[str] = ()) -> None:
        """`rows` are the concepts of `names` as plain values; `more`: other right words, the likelier to be meant."""
        right: set[str] = set()
        slips: dict[str, str] = {}
        meant: set[str] = set()
        for tokens, index, written in zip(names.tokens, names.concepts, names.written, strict=True):
            system, code, label, kind = rows[index][:4]
            words = tokens.split()
            if not written and tokens.isalpha() and tokens not in (tokens_for_index(label), tokens_for_index(code)):
                slips[tokens] = label  # a misspelling that the dictionary lists
                continue
            right.update(words)
            if system in _OF_REPORTS and kind in _MEANT:
                # The words as written: tokens have lost their plurals.
                meant.update(word for word in fold(written or label).split() if len(word) > 3 and word.isalpha())
        added = {word for one in more for word in fold(one).split()}
        self._more = frozenset(added)
        self._right = frozenset(right | {tokens_for_index(word) for word in added})
        self._slips = {slip: plain for slip, plain in slips.items() if slip not in self._right}
        by_length: dict[int, list[str]] = {}
        for word in sorted(meant | added):
            by_length.setdefault(len(word), []).append(word)
        self._by_length = by_length

    def is_right(self, word: str) -> bool:
        """Whether some name holds this word."""
        return tokens_for_index(word) in self._right

    def listed(self, word: str) -> str | None:
        """What a misspelling that the dictionary lists stands for."""
        return self._slips.get(tokens_for_index(word))

    def nearest(self, word: str, shortest: int = _SHORTEST) -> list[str]:
        """The right words nearest to `word`, the most likely first; none where it is right, short or like nothing.

        One error is forgiven up to 8 letters, two from 11 on; words under `shortest` letters are never compared.
        """
        typed = fold(word)
        if len(typed) < shortest or not typed.isalpha() or self.is_right(typed):
            return []
        most = 1 if len(typed) < _TWO_ERRORS_FROM else 2
        found: list[tuple[int, bool, bool, bool, str]] = []
        for length in range(len(typed) - most, len(typed) + most + 1):
            for other, distance, _ in process.extract(
                typed,
                self._by_length.get(length, ()),
                scorer=DamerauLevenshtein.distance,
                score_cutoff=most,
                limit=6,
            ):
                slip = (other not in self._more, other[0] != typed[0], sorted(other) != sorted(typed))
                found.append((int(distance), *slip, other))
        found.sort()
        return [other for distance, _, _, _, other in found if distance == found[0][0]][:3]
