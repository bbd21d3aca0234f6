"""The one way in which Consore reads letters: the same for reports, for dictionaries and for the search bar.

Two forms exist. `normalise` keeps the length, so that a span found in the normalised text is a span of the original.
`tokens_for_index` does not: it is what the search engine stores and what a query is turned into before it is sent.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

_LIGATURES = {"œ": "e", "Œ": "e", "æ": "e", "Æ": "e", "ß": "s", "ø": "o", "Ø": "o", "ð": "d", "þ": "t", "ł": "l"}
_SPELT_OUT = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae"})
_APOSTROPHES = "’‘ʼ´`′"
_DASHES = "-‐‑‒–—−"
_QUOTES = "«»“”„"
_GREEK = {"α": "a", "β": "b", "γ": "g", "δ": "d", "κ": "k", "λ": "l"}


def normalise(text: str) -> str:
    """Lower case, no accents, plain apostrophes, dashes as spaces; exactly as long as `text`.

    Ligatures become one letter (`œsophage` → `esophage`, `nævus` → `nevus`): dictionaries carry both spellings.
    Punctuation other than dashes stays.
    """
    return text.translate(_NORMAL)


def fold(text: str) -> str:
    """`normalise`, with all that is neither a letter nor a digit turned into a space; exactly as long as `text`."""
    return text.translate(_FOLDED)


def fold_but_plus(text: str) -> str:
    """`fold` that keeps `+`: next to a receptor's name it is a result (`RE+`)."""
    return text.translate(_FOLDED_BUT_PLUS)


def squeeze(text: str) -> tuple[str, Offsets | None]:
    """`fold` for text that wraps lines or carries combining accents: runs of blanks become one, accents vanish.

    Gives the shorter text and what finds the original positions again (None when nothing had to be taken away).
    A blank line stays two blanks, so that nothing is matched across paragraphs.
    """
    if not _UNEVEN.search(text):
        return fold(text), None
    pieces: list[str] = []
    starts: list[int] = []
    shifts: list[int] = []
    position = length = 0
    for gap in _UNEVEN.finditer(text):
        kept = fold(text[position : gap.start()])
        if gap.group()[0].isspace():
            kept += "  " if gap.group().count("\n") > 1 else " "
        pieces.append(kept)
        length += len(kept)
        position = gap.end()
        starts.append(length)
        shifts.append(position - length)
    pieces.append(fold(text[position:]))
    return "".join(pieces), Offsets(starts, shifts)


class Offsets:
    """Finds a position of the original text from one of the squeezed text."""

    def __init__(self, starts: list[int], shifts: list[int]) -> None:
        self._starts = starts
        self._shifts = shifts

    def start(self, position: int) -> int:
        """Where the character at `position` lies in the original."""
        index = bisect_right(self._starts, position) - 1
        return position + (self._shifts[index] if index >= 0 else 0)

    def end(self, position: int) -> int:
        """One past where the character before `position` lies in the original."""
        return self.start(position - 1) + 1


def tokens_for_index(text: str) -> str:
    """The words of `text` as the search engine keeps them: no accents, elisions split, light plurals cut.

    `Les métastases de l’adénocarcinome` → `les metastase de l adenocarcinome`. Not length-preserving;
    ligatures are spelt out (`œsophage` and `oesophage` meet). Documents and queries go through it alike.
    """
    words = fold(unicodedata.normalize("NFC", text).translate(_SPELT_OUT)).split()
    return " ".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    """The word without its plural mark; short words, words with digits and those in -ss, -us, -is stay."""
    if len(word) < 5 or not word.isalpha():
        return word
    if word.endswith("aux") and len(word) > 5:
        return f"{word[:-3]}al"
    if word.endswith(("s", "x")) and not word.endswith(("ss", "us", "is", "eux", "oux", "aux")):
        return word[:-1]
    return word


def _tables() -> tuple[dict[int, int], dict[int, int]]:
    """The two translation tables, over every character that reports are made of (the Latin planes and punctuation)."""
    normal: dict[int, int] = {}
    folded: dict[int, int] = {}
    for point in (*range(0x250), *range(0x300, 0x400), *range(0x1E00, 0x1F00), *range(0x2000, 0x2300), 0xFB01, 0xFB02):
        character = chr(point)
        plain = _plain(character)
        if plain != character:
            normal[point] = ord(plain)
        word = plain if plain.isalnum() else " "
        if word != character:
            folded[point] = ord(word)
    return normal, folded


def _plain(character: str) -> str:
    if character in _LIGATURES:
        return _LIGATURES[character]
    if character in _GREEK:
        return _GREEK[character]
    if character in _APOSTROPHES:
        return "'"
    if character in _DASHES or character.isspace():
        return "\n" if character == "\n" else " "
    if character in _QUOTES:
        return '"'
    base = unicodedata.normalize("NFD", character)[0]
    lowered = base.lower()
    return lowered if len(lowered) == 1 else base


_NORMAL, _FOLDED = _tables()
_FOLDED_BUT_PLUS = {point: letter for point, letter in _FOLDED.items() if point != ord("+")}
# What makes a text uneven: two blanks or more (not across punctuation), or an accent written as its own character.
_UNEVEN = re.compile(r"[^\S\n]+\n\s*|\n\s+|[^\S\n]{2,}|[\u0300-\u036f\u00ad\u200b]+")
