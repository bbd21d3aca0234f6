"""Words with their offsets, and the features by which the tagger knows a word.

Training and reading must cut and hash words in exactly the same way, else the weights mean nothing; so both come here.
Nothing in this file may change without training the weights anew (`FEATURES_VERSION`).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass

FEATURES_VERSION = 2

# A decimal or a date in one piece; an elided word with its apostrophe (`d'`); letters and digits; any single sign.
_WORD = re.compile(r"\d+(?:[.,/]\d+)+|[^\W\d_]{1,12}['’]|[^\W_]+|[^\w\s]|_")

_LONGEST_WORD = 64
_MOST_GRAMS_OF_A_SIZE = 24


def words(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Spans of the words of `text[start:end]`, in code points of `text`. Linear in the length."""
    return [match.span() for match in _WORD.finditer(text, start, len(text) if end is None else end)]


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
        padded = f"<{folded}>"
        names = [f"w={folded}"]
        for size in (2, 3, 4, 5):
            grams = [padded[i : i + size] for i in range(len(padded) - size + 1)]
            names += grams[:_MOST_GRAMS_OF_A_SIZE]
        names += [f"s={_shape(word)}", f"l={min(len(word), 12)}"]
        return [zlib.crc32(name.encode("utf-8", "surrogatepass")) % self.buckets for name in names]


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
