"""The sections of a report that change what a sentence means: history, family, what is planned.

Light on purpose: a heading is a short line, or the start of a line up to a colon, that begins with one of the phrases
of the referential `sections`. A section runs to the next heading; history and family also end with their paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from consore.referentials import tables

_LONGEST_HEADING = 60
_SHORT_LINE = 60
_ITEM = re.compile(r"[ \t]*[-–•*·]")
# « Antécédents : néant. » : nothing of what follows is history
_NOTHING = re.compile(
    r"\s*(?:neant|aucune?|ras|rien|non)(?: (?:a signaler|de particulier|notables?|connue?s?))?\s*[.;\n]"
)
_OTHER_HEADING = re.compile(
    r"[a-z][a-z'/.-]*(?: [a-z'/.-]+){0,3} ?:|[a-z][a-z' -]{2,28}(?=\n|$)|=> ?|au total,|en conclusion,"
)
_CONCLUDES = ("=>", "au total,", "en conclusion,")
_BEGINNING = 3
_BULLET = re.compile(r"[-–•*]")  # a short item of a list is no heading
_LINE_MARKS = re.compile(r"[ \t]*(?:[-–•*#=]+[ \t]*|\d{1,2}[.)/-][ \t]*)*")


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
    found = [Section(0, 0, SectionKind.NEUTRAL)]
    for start, content, kind in _headings(plain_text):
        found.append(Section(start, content, kind))
    result: list[Section] = []
    for section, following in zip(found, [*found[1:], None], strict=True):
        limit = following.start if following else len(plain_text)
        end = _end(plain_text, section, limit)
        result += [Section(section.start, end, section.kind), Section(end, limit, SectionKind.NEUTRAL)]
    return [section for section in result if section.end > section.start]


def _end(text: str, section: Section, limit: int) -> int:
    """Where the section stops to speak: history and family are short, and a new paragraph tells something else."""
    if section.kind not in (SectionKind.HISTORY, SectionKind.FAMILY):
        return limit
    position = section.end
    line_end = text.find("\n", position, limit)
    if line_end >= 0 and not text[position:line_end].strip(" :.-="):
        position = line_end + 1  # a heading alone on its line: its first line follows
        line_end = text.find("\n", position, limit)
    while line_end >= 0:
        position = line_end + 1
        line_end = text.find("\n", position, limit)
        line = text[position : limit if line_end < 0 else line_end]
        if not line.strip() or not (_ITEM.match(line) or len(line) <= _SHORT_LINE):
            return position
    return limit


def _headings(text: str) -> Iterator[tuple[int, int, SectionKind]]:
    """Start of the heading, end of its words, and what it opens; any other short « Words : » of a line is neutral."""
    pattern, beginnings, kinds = _heading_pattern()
    line_end = -1
    while line_end < len(text):
        marks = _LINE_MARKS.match(text, line_end + 1)
        assert marks
        start = marks.end()
        line_end = text.find("\n", start)
        line_end = len(text) if line_end < 0 else line_end
        match = pattern.match(text, start) if text[start : start + _BEGINNING] in beginnings else None
        if match is None:
            may_be = line_end - start < _SHORT_LINE or ":" in text[start:line_end] or text.startswith(_CONCLUDES, start)
            other = _OTHER_HEADING.match(text, start) if may_be else None
            if other and not (other.group()[-1].isalpha() and _BULLET.search(marks.group())):
                yield start, other.end(), SectionKind.NEUTRAL
            continue
        line_end = text.find("\n", match.end())
        line_end = len(text) if line_end < 0 else line_end
        colon = text.find(":", match.end(), min(line_end, match.end() + 30))
        alone = line_end - start <= _LONGEST_HEADING and not text[match.end() : line_end].strip(" .-=")
        if colon >= 0 or alone:
            content = colon + 1 if colon >= 0 else match.end()
            yield start, content, SectionKind.NEUTRAL if _NOTHING.match(text, content) else kinds[match.group()]


@lru_cache(maxsize=1)
def _heading_pattern() -> tuple[re.Pattern[str], frozenset[str], dict[str, SectionKind]]:
    """What finds a heading, how headings begin, and what each opens."""
    kinds = {row["phrase"]: SectionKind(row["section"]) for row in tables("sections")["headings"]}
    longest_first = sorted(kinds, key=len, reverse=True)
    pattern = re.compile("(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    return pattern, frozenset(phrase[:_BEGINNING] for phrase in kinds), kinds
