"""The text as the rules read it: one spelling for each sign, and the way back to the original offsets.

Reports come with decomposed accents (macOS, PDF), soft hyphens, words cut at the end of a line and misspelt names.
Such texts are put right first (`Layout`), and every span found is carried back to the text as given.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

# Two that begin with a character to look for: together they would be tried at each place of the text.
_ODD_CHARACTER = re.compile(r"[\u0300-\u036f\u00ad\u200b-\u200d\ufeff]")
_CUT_WORD = re.compile(r"-(?<=[^\W\d_]-)[ \t]*\r?\n[ \t]*[a-zà-ÿ]")
_PIECES = re.compile(
    r"(?P<accented>[^\W\d_][\u0300-\u036f]+)"
    r"|(?P<invisible>[\u00ad\u200b-\u200d\ufeff]+)"
    r"|(?<=[^\W\d_])(?P<cut>-[ \t]*\r?\n[ \t]*)(?=[a-zà-ÿ])"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """`text`: what is read. `original(start, end)`: where that lies in the text as given."""

    text: str
    _starts: tuple[int, ...] = ()
    _shifts: tuple[int, ...] = ()
    _before: Layout | None = None

    @classmethod
    def of(cls, text: str) -> Layout:
        """The layout of a document; the text itself where nothing has to be put right."""
        if not _has_odd_character(text) and not _CUT_WORD.search(text):
            return cls(text)
        pieces: list[str] = []
        starts: list[int] = []
        shifts: list[int] = []
        position = length = 0
        for match in _PIECES.finditer(text):
            kept = text[position : match.start()]
            if match.lastgroup == "accented":
                kept += unicodedata.normalize("NFC", match.group())
            pieces.append(kept)
            length += len(kept)
            position = match.end()
            starts.append(length)
            shifts.append(position - length)
        pieces.append(text[position:])
        return cls("".join(pieces), tuple(starts), tuple(shifts))

    def spelt(self, words: Iterable[tuple[int, int, str]]) -> Layout:
        """The layout with other words at these places (start, end, word), in order."""
        pieces: list[str] = []
        starts: list[int] = []
        shifts: list[int] = []
        position = length = 0
        for start, end, word in words:
            pieces += [self.text[position:start], word]
            length += start - position + len(word)
            position = end
            starts.append(length - 1)  # the last letter is the last one of both
            shifts.append(position - length)
        return Layout("".join([*pieces, self.text[position:]]), tuple(starts), tuple(shifts), self)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the given text for a span of `text`."""
        if self._starts:
            start, end = self._place(start), self._place(end - 1) + 1
        return self._before.original(start, end) if self._before else (start, end)

    def _place(self, position: int) -> int:
        index = bisect_right(self._starts, position) - 1
        return position + (self._shifts[index] if index >= 0 else 0)


def _has_odd_character(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return _ODD_CHARACTER.search(text) is not None
    return "\u00ad" in text  # the only one of them there


def plain(text: str) -> str:
    """Lower case, no accents, one apostrophe, one dash, one space; exactly as long as `text`.

    Unlike `referentials.normalise` it keeps the dash, which is a result in « RP- », and line breaks.
    """
    for codec, table in _PLAIN_BYTES:
        try:
            return text.encode(codec).translate(table).decode(codec)
        except UnicodeError:
            continue
    return text.translate(_PLAIN)


def _plain_table() -> dict[int, int]:
    table: dict[int, int] = {}
    for point in (*range(0x250), *range(0x1E00, 0x1F00), *range(0x2000, 0x2070), 0x2212):
        character = chr(point)
        if character in "’‘ʼ´`′":
            new = "'"
        elif character in "‐‑‒–—−":
            new = "-"
        elif character in "\t\x0b\x0c\xa0\u2007\u2009\u202f\u2002\u2003":
            new = " "
        elif character in "œŒ":
            new = "o"
        elif character in "æÆ":
            new = "a"
        else:
            base = unicodedata.normalize("NFD", character)[0]
            new = base.lower() if len(base.lower()) == 1 else base
        if new != character:
            table[point] = ord(new)
    return table


_PLAIN = _plain_table()


def _of_code_page(codec: str) -> bytes:
    """The table for texts that fit a code page: bytes are put right ten times as fast as characters."""
    letters = (bytes((byte,)).decode(codec, errors="ignore").translate(_PLAIN) for byte in range(256))
    return b"".join(letter.encode(codec) or bytes((byte,)) for byte, letter in enumerate(letters))


_PLAIN_BYTES = tuple((codec, _of_code_page(codec)) for codec in ("latin-1", "cp1252"))
