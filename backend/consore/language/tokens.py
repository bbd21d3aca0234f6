"""Words with their offsets, and the features by which the tagger knows a word.

Training and reading must cut and hash words in exactly the same way, else the weights mean nothing; so both come here.
Nothing in this file may change without training the weights anew (`FEATURES_VERSION`).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

FEATURES_VERSION = 2

# A decimal or a date in one piece; an elided word with its apostrophe (`d'`); letters and digits; any single sign.
_WORD = r"(\d+(?:[.,/]\d+)+|{letter}{{1,12}}+['’]|{letter_or_digit}++|[^\w\s]|_)"
# Letters told one by one are found twice as fast as by category; of alphabets that reports seldom use they are not.
_USUAL = [*map(chr, range(0x400)), *map(chr, range(0x2000, 0x2C00))]
_UNUSUAL_CHARACTER = re.compile("[^\x00-\u03ff\u2000-\u2bff]")


def _listed(pattern: str) -> str:
    """A class of the usual characters that match `pattern`."""
    return "[" + "".join(re.escape(c) for c in _USUAL if re.fullmatch(pattern, c)) + "]"


_ANY_WORD = re.compile(_WORD.format(letter=r"[^\W\d_]", letter_or_digit=r"[^\W_]"))
_USUAL_WORD = re.compile(_WORD.format(letter=_listed(r"[^\W\d_]"), letter_or_digit=_listed(r"[^\W_]")))

_LONGEST_WORD = 64
_MOST_GRAMS_OF_A_SIZE = 24


class Words(NamedTuple):
    """The words of a text, and where each starts and ends in it, in code points."""

    written: list[str]
    starts: list[int]
    ends: list[int]


def words(text: str) -> Words:
    """Cut a text into words. Linear in the length."""
    pieces = (_ANY_WORD if _UNUSUAL_CHARACTER.search(text) else _USUAL_WORD).split(text)
    limits = list(accumulate(map(len, pieces)))
    return Words(pieces[1::2], limits[:-1:2], limits[1::2])


@dataclass(frozen=True)
class WordFeatures:
    """A word as hashed features: the word, its 2- to 5-grams, and its shape; accents and case only in the shape.

    `buckets` is the height of the embedding table that the features point into.
    """

    buckets: int

    def of(self, word: str) -> list[int]:
        """Rows of the table for `word`, the whole word first. Never empty."""
        word = word[:_LONGEST_WORD]
        folded = fold(word)
        # Of plain letters the bytes are cut, else the characters: one is as good as the other, and bytes are faster.
        padded = f"<{folded}>".encode() if folded.isascii() else f"<{folded}>"
        grams = [
            padded[i : i + size]
            for size in (2, 3, 4, 5)
            for i in range(min(len(padded) - size + 1, _MOST_GRAMS_OF_A_SIZE))
        ]
        names = [f"w={folded}", *grams, f"s={_shape(word)}", f"l={min(len(word), 12)}"]
        crc32, buckets = zlib.crc32, self.buckets
        return [
            crc32(name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")) % buckets
            for name in names
        ]


def fold(word: str) -> str:
    """Lower case without accents: a report in capitals must look like the others."""
    lowered = word.lower().replace("’", "'").replace("œ", "oe").replace("æ", "ae")
    if lowered.isascii():
        return lowered
    return "".join(c for c in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(c))


def _shape(word: str) -> str:
    """`pT2N1` → `xX9X9`; runs of the same class count once."""
    shape: list[str] = []
    for c in word:
        kind = "9" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c
        if not shape or shape[-1] != kind:
            shape.append(kind)
    return "".join(shape)
