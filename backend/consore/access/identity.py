"""Hiding who a patient is from those who may read the history but not the name.

The names, the IPP and the birth date are replaced character for character, so that offsets in the text still hold.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache

from consore.model import Patient
from consore.text import fold, squeeze

MASK = "*"
SHORTEST_NAME = 3
PARTICLES = frozenset(
    [
        "de",
        "du",
        "des",
        "la",
        "le",
        "les",
        "van",
        "von",
        "den",
        "der",
        "ben",
        "bent",
        "dit",
        "dite",
        "epouse",
        "nee",
        "et",
    ]
)
_MONTHS = [
    "janvier",
    "fevrier",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "aout",
    "septembre",
    "octobre",
    "novembre",
    "decembre",
]


def mask_identity(text: str, patient: Patient) -> str:
    """`text` with the patient's names, IPP and birth date as `***`; exactly as long.

    Case, accents and dashes do not count; a compound name is found whole and in its parts of 3 letters or more.
    Misspelt names are not found.
    """
    pattern = _pattern(
        (patient.family_name, patient.birth_name, patient.given_name), patient.ipp or "", patient.birth_date
    )
    if pattern is None or not text:
        return text
    plain, offsets = squeeze(text)
    letters = list(text)
    for found in pattern.finditer(plain):
        start, end = (offsets.start(found.start()), offsets.end(found.end())) if offsets else found.span()
        letters[start:end] = [letter if letter.isspace() else MASK for letter in letters[start:end]]
    return "".join(letters)


def is_hidden(text: str) -> bool:
    """Whether a part of a masked text shows nothing but the mask: what was coded of it would tell what it hides."""
    return MASK in text and not any(letter.isalnum() for letter in text)


@lru_cache(maxsize=512)
def _pattern(names: tuple[str, ...], ipp: str, birth_date: dt.date | None) -> re.Pattern[str] | None:
    """What to look for in folded text, the longest first."""
    wanted = {*_name_patterns(names), *_date_patterns(birth_date)}
    if words := fold(ipp).split():
        wanted.add(r"\s*".join(map(re.escape, words)))
    if not wanted:
        return None
    choices = "|".join(sorted(wanted, key=len, reverse=True))
    return re.compile(rf"(?<![a-z0-9])(?:{choices})(?![a-z0-9])")


def _name_patterns(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        words = fold(name).split()
        if words and len("".join(words)) >= 2:
            yield r"\s*".join(map(re.escape, words))
        yield from (re.escape(word) for word in words if len(word) >= SHORTEST_NAME and word not in PARTICLES)


def _date_patterns(date: dt.date | None) -> Iterable[str]:
    """3 February 1956 as 03/02/1956, 3.2.56, 03021956, 1956-02-03, 3 février 1956."""
    if date is None:
        return
    year = rf"(?:{date.year // 100})?{date.year % 100:02d}"
    yield rf"0?{date.day}\s+0?{date.month}\s+{year}"
    yield f"{date.day:02d}{date.month:02d}{date.year}"
    yield f"{date.year}{date.month:02d}{date.day:02d}"
    yield rf"{date.year}\s+0?{date.month}\s+0?{date.day}"
    first = "(?:er)?" if date.day == 1 else ""
    yield rf"0?{date.day}{first}\s+{_MONTHS[date.month - 1]}\s+{year}"
