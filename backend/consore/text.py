"""The one way in which Consore reads letters: the same for reports, for dictionaries and for the search bar.

Two forms exist. `normalise` keeps the length, so that a span found in the normalised text is a span of the original.
`tokens_for_index` does not: it is what the search engine stores and what a query is turned into before it is sent.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

_LIGATURES = {"œ": "e", "Œ": "e", "æ": "e", "Æ": "e", "ß": "s", "ø": "o", "Ø": "o", "ð": "d", "þ": "t", "ł": "l"}
_LIGATURES |= {"ƒ": "f", "Ð": "d", "Þ": "t", "Ł": "l"}
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


def squeeze(text: str) -> tuple[str, Offsets | None]:
    """`fold` for text that wraps lines or carries combining accents: runs of blanks become one, accents vanish.

    Gives the shorter text and what finds the original positions again (None when nothing had to be taken away).
    A blank line stays two blanks, so that nothing is matched across paragraphs.
    """
    marked, offsets = squeeze_to_bytes(text)
    plain = bare(marked)
    letters = plain.decode("latin-1")
    if _OTHER_LETTER not in plain:
        return letters, offsets
    own = (
        fold(text[offsets.start(i) if offsets else i]) if byte == _OTHER_LETTER else "" for i, byte in enumerate(plain)
    )
    return "".join(other or letter for letter, other in zip(letters, own, strict=True)), offsets


def squeeze_to_bytes(text: str) -> tuple[bytes, Offsets | None]:
    """`squeeze` with one byte (Latin-1) a character, which is much faster. Forms are looked for in `bare` of it.

    Letters of other alphabets are all the same letter, 255, which no French form has. Signs and line ends are bytes
    below 32, to be read by `bare` or `with_signs`.
    """
    marked = _marked(text)
    if not any(uneven in marked for uneven in (b"  ", b"\n ", b" \n", b"\n\n", _MARK)):
        return marked, None
    pieces: list[bytes] = []
    starts: list[int] = []
    shifts: list[int] = []
    marks: dict[int, int] = {}
    position = taken = 0
    for gap in _UNEVEN.finditer(marked):
        first, last = gap.span()
        pieces.append(marked[position:first])
        if marked[first] == _MARK[0]:
            marks[first - taken] = last - first
            taken += last - first
        else:
            blank = b"  " if marked.count(b"\n", first, last) > 1 else b" "
            pieces.append(blank)
            taken += last - first - len(blank)
        position = last
        starts.append(last - taken)
        shifts.append(taken)
    pieces.append(marked[position:])
    return b"".join(pieces), Offsets(starts, shifts, marks)


def bare(squeezed: bytes) -> bytes:
    """Letters and digits alone, all else a blank."""
    return squeezed.translate(_EVENED)


def with_signs(squeezed: bytes) -> str:
    """Letters, digits and the signs that say something beside a name (`RE+`, `30 %`, `AP : `), all else a blank."""
    return squeezed.translate(_WITH_SIGNS).decode("latin-1")


def pattern_of(form: str) -> bytes:
    """A dictionary's form as `squeeze_to_bytes` would give it inside a text, without blanks around."""
    return bare(_marked(form).replace(_MARK, b"")).strip()


def _marked(text: str) -> bytes:
    """One byte a character: a folded letter or digit, a blank, a line end, `_MARK` for what is no letter of its own
    (a combining accent, a soft hyphen), 2 to 4 for `_SIGNS`, 0 for others."""
    for codec, table in _MARKED:
        try:
            return text.encode(codec).translate(table)
        except UnicodeEncodeError:
            continue
    return _RARE.sub(_common, _LOOSE.sub("\u00ad", text)).encode("cp1252").translate(_MARKED[1][1])


def _common(rare: re.Match[str]) -> str:
    """A character of the Windows code page that `_marked` takes like this one, which is not in it."""
    character = rare.group()
    if unicodedata.combining(character) or character in _INVISIBLE:
        return "\u00ad"
    folded = fold(character)
    if folded == " ":
        return " " if character.isspace() else "."
    return folded if folded.isascii() and folded.isalnum() else "\u00ff" if folded.isalnum() else "."


class Offsets:
    """Finds a position of the original text from one of the squeezed text."""

    def __init__(self, starts: list[int], shifts: list[int], marks: dict[int, int]) -> None:
        self._starts = starts
        self._shifts = [0, *shifts]
        self._marks = marks

    def start(self, position: int) -> int:
        """Where the character at `position` lies in the original."""
        return position + self._shifts[bisect_right(self._starts, position)]

    def end(self, position: int) -> int:
        """One past where the character before `position` lies in the original, with the accents that follow it."""
        return self.start(position - 1) + 1 + self._marks.get(position, 0)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """`start` and `end` of a part of the squeezed text."""
        starts, shifts = self._starts, self._shifts
        return (
            start + shifts[bisect_right(starts, start)],
            end + shifts[bisect_right(starts, end - 1)] + self._marks.get(end, 0),
        )


def tokens_for_index(text: str) -> str:
    """The words of `text` as the search engine keeps them: no accents, elisions split, light plurals cut.

    `Les métastases de l’adénocarcinome` → `les metastase de l adenocarcinome`. Not length-preserving;
    ligatures are spelt out (`œsophage` and `oesophage` meet). Documents and queries go through it alike.
    """
    return " ".join(map(_singular, unicodedata.normalize("NFC", text).translate(_SPELT).split()))


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
    """The two translation tables, over every character that reports are made of (the Latin planes and punctuation).

    A character that stays itself is in them too: one that is missing costs `translate` more than all else.
    """
    normal: dict[int, int] = {}
    folded: dict[int, int] = {}
    for point in (*range(0x250), *range(0x300, 0x400), *range(0x1E00, 0x1F00), *range(0x2000, 0x2300), 0xFB01, 0xFB02):
        character = chr(point)
        plain = _plain(character)
        normal[point] = ord(plain)
        folded[point] = ord(plain if plain.isalnum() else " ")
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
_SPELT = _FOLDED | str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae"})  # ligatures spelt out
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_MARK = b"\x01"
_SIGNS = {"+": 2, "%": 3, ":": 4}
_OTHER_LETTER = 0xFF


def _marking(codec: str) -> bytes:
    """The table of `_marked` for the bytes of a code page."""
    table = bytearray(256)
    for byte in range(256):
        character = bytes((byte,)).decode(codec, errors="ignore")
        folded = fold(character)
        if character in _INVISIBLE and character:
            table[byte] = _MARK[0]
        elif character in _SIGNS:
            table[byte] = _SIGNS[character]
        elif character.isspace():
            table[byte] = ord("\n" if character == "\n" else " ")
        elif character == "ÿ" and codec == "cp1252":
            table[byte] = _OTHER_LETTER
        elif folded.isalnum():
            table[byte] = ord(folded) if ord(folded) < 256 else _OTHER_LETTER
    return bytes(table)


_MARKED = (("latin-1", _marking("latin-1")), ("cp1252", _marking("cp1252")))
# Lines and signs are blanks in the end.
_EVENED = bytes.maketrans(b"\n\x00\x02\x03\x04", b"     ")
_WITH_SIGNS = bytes.maketrans(b"\n\x00\x02\x03\x04", b"  +%:")
_LOOSE = re.compile("[\u0300-\u036f]")
_RARE = re.compile(
    "[^{}]".format(re.escape("".join(bytes((byte,)).decode("cp1252", errors="ignore") for byte in range(256))))
)
# What makes a text uneven: two blanks or more (not across signs), or an accent written as its own character.
_UNEVEN = re.compile(rb" +\n[ \n]*|\n[ \n]+|  +|\x01+")
