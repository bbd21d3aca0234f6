"""The names that reports misspell: « adénocarcimone », « pembrolizumba », « métastse ».

Only a word that no name holds and that is no ordinary word (`plainwords.txt`) is compared, and only with names of one
word. The floor: the same first letter; one slip of the keyboard from 7 letters on; two in names of drugs from 11, in
others from 14 or where the letters are the same. A word that only ends otherwise is derived from the name, not misspelt
(« biopsié »); of drugs nothing is derived. When last counted, 120 of 512,000 words were changed so, some 15 of
them wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import OSA

from consore.referentials.matcher import Meaning, Patterns
from consore.text import fold, tokens_for_index

_MEANT = frozenset(("topography", "morphology", "drug", "regimen", "metastasis", "recurrence", "procedure"))
SHORTEST = 7  # letters of a word that is compared
_TWO_SLIPS_FROM, _TWO_SURE_FROM = 11, 14
_ENDING = 3
Nearby = Mapping[tuple[str, int], Sequence[str]]  # words by first letter and length


@lru_cache(maxsize=1)
def plain_words() -> frozenset[str]:
    """Ordinary words that are a few slips away from a word of the dictionary, as `tokens_for_index` gives them."""
    lines = Path(__file__).with_name("plainwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


class Slips:
    """The names of one word with what they stand for, and all words of names, folded."""

    def __init__(self, known: Patterns) -> None:
        right: set[bytes] = set()
        names: dict[str, Meaning] = {}
        for head, entries in zip(known.heads, known.entries, strict=True):
            words = head.split()
            right.update(words)
            for _, number, ambiguous, check in entries:
                if check is not None:
                    right.update(check[0].split())
                elif number >= 0 and not ambiguous and len(words) == 1:
                    meaning, name = known.meanings[number], words[0].decode("latin-1")
                    if meaning[3] in _MEANT and len(name) >= SHORTEST and name.isalpha():
                        names.setdefault(name, meaning)
        self._right = frozenset(word.decode("latin-1") for word in right)
        self._names = names
        self._nearby = by_beginning(names)

    def meant(self, word: str) -> str | None:
        """The name that `word` misspells, folded; None where it is right, short, like no name or like several."""
        typed = fold(word)
        if len(typed) < SHORTEST or not typed.isalpha() or typed in self._right:
            return None
        near = nearest(typed, self._nearby)
        meanings = {self._names[name] for name in near}
        if len(meanings) != 1 or tokens_for_index(word) in plain_words():
            return None
        return near[0] if meanings.pop()[3] == "drug" or _is_slip(typed, near[0]) else None


def by_beginning(words: Iterable[str]) -> Nearby:
    """Words by first letter and length."""
    result: dict[tuple[str, int], list[str]] = {}
    for word in sorted(words):
        result.setdefault((word[0], len(word)), []).append(word)
    return result


def nearest(typed: str, words: Nearby) -> list[str]:
    """The words that `typed` is fewest slips away from, two at most: a letter more, less, another, or two exchanged."""
    most = 1 if len(typed) < _TWO_SLIPS_FROM else 2
    found: list[tuple[int, str]] = []
    for length in range(len(typed) - most, len(typed) + most + 1):
        some = words.get((typed[0], length))
        if some:
            near = process.extract(typed, some, scorer=OSA.distance, score_cutoff=most, limit=2)
            found += [(int(distance), word) for word, distance, _ in near]
    found.sort()
    return [word for distance, word in found if distance == found[0][0]]


def _is_slip(typed: str, name: str) -> bool:
    if sorted(typed) == sorted(name):
        return True
    same = min(len(typed), len(name)) - _ENDING
    return typed[:same] != name[:same] and (len(typed) >= _TWO_SURE_FROM or OSA.distance(typed, name) == 1)
