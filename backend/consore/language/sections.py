"""The sections of a report that change what a sentence means: history, family, what is planned.

Light on purpose: a heading is a short line, or the start of a line up to a colon, that begins with one of the phrases of
`cues/sections.csv`. A section runs to the next heading or, for one that stands in a running line, to the end of the line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

_CUES = Path(__file__).parent / "cues" / "sections.csv"
_LONGEST_HEADING = 60
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:[-–•*#=]+[ \t]*|\d{1,2}[.)/-][ \t]*)*")


class SectionKind(StrEnum):
    """What a section does to its sentences."""

    NEUTRAL = "neutral"
    HISTORY = "history"
    FAMILY = "family"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Section:
    """`start` is where the heading begins, `end` one past the last character."""

    start: int
    end: int
    kind: SectionKind


def sections(plain_text: str) -> list[Section]:
    """The sections of a text given in its `layout.plain` form, in order and without gaps; the first may be neutral."""
    starts = [(0, SectionKind.NEUTRAL), *_headings(plain_text)]
    ends = [start for start, _ in starts[1:]] + [len(plain_text)]
    return [Section(start, end, kind) for (start, kind), end in zip(starts, ends, strict=True) if end > start]


def _headings(text: str) -> Iterator[tuple[int, SectionKind]]:
    pattern, kinds = _heading_pattern()
    for line in _LINE_START.finditer(text):
        match = pattern.match(text, line.end())
        if match is None:
            continue
        line_end = text.find("\n", match.end())
        line_end = len(text) if line_end < 0 else line_end
        colon = text.find(":", match.end(), min(line_end, match.end() + 30))
        if colon >= 0 or (line_end - line.end() <= _LONGEST_HEADING and not text[match.end() : line_end].strip(" .-=")):
            yield line.end(), kinds[match.group()]


@lru_cache(maxsize=1)
def _heading_pattern() -> tuple[re.Pattern[str], dict[str, SectionKind]]:
    with _CUES.open(encoding="utf-8", newline="") as file:
        kinds = {row["phrase"]: SectionKind(row["section"]) for row in csv.DictReader(file, delimiter=";")}
    longest_first = sorted(kinds, key=len, reverse=True)
    return re.compile("(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)"), kinds
