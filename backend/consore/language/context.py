"""What the author says of a finding: there, not there, perhaps, planned, in the family, in the past.

Cues are phrases of the referential `context` with a direction and a reach in words. A cue acts inside its sentence, up
to the next boundary (« mais », « en revanche »…) and, for the short ones, up to a comma that opens a new statement; an
enumeration (« pas de métastase hépatique, pulmonaire ni osseuse ») stays under its cue. Cues about plans act on
treatments only. Some phrases look like cues and are not (« pas seulement », « lymphome non hodgkinien », « accompagnée
de sa fille »): they are found first and silence what they cover. Sections (`sections.py`) speak where no cue of the
sentence does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import ahocorasick_rs

from consore.language.sections import Section, SectionKind
from consore.model import Assertion, Mention, MentionKind
from consore.referentials import tables

TREATMENT_KINDS = frozenset(
    {MentionKind.DRUG, MentionKind.REGIMEN, MentionKind.PROCEDURE, MentionKind.LINE, MentionKind.DOSE}
)
# A day or a length is what it is; a result that is written down was obtained, « N0 » and « RE négatifs » included.
_NEVER_TURNED = frozenset({MentionKind.DATE, MentionKind.MEASUREMENT})
_NEVER_NEGATED = frozenset(
    {
        MentionKind.TNM,
        MentionKind.STAGE,
        MentionKind.GRADE,
        MentionKind.BIOMARKER,
        MentionKind.ALTERATION,
        MentionKind.PERFORMANCE_STATUS,
        MentionKind.LATERALITY,
    }
)
_PRECEDENCE = (Assertion.FAMILY, Assertion.NEGATED, Assertion.HYPOTHETICAL, Assertion.HISTORY)
_ASKED = re.compile(r"[^.;:,\n?]{0,25}\?(?!\w)")
_FAR_REACH = 20
_NEW_STATEMENT = re.compile(
    r",\s*(?:avec|mais|il|elle|ils|elles|on|nous|le|la|les|l'|un|une|ce|cet|cette|ces|presence|patiente?|sous|traitee?|"
    r"opere|confirm|qui|dont|a|est|d'autre part|par ailleurs)(?![a-z-])"
)


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase that turns what stands within `reach` words after it, before it, or on both sides."""

    assertion: Assertion
    direction: str
    reach: int
    treatments_only: bool


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    phrase: str


@dataclass(frozen=True, slots=True)
class Context:
    """The cues, boundaries and sections of one document, ready to judge spans of it."""

    text: str
    cues: list[_Found]
    boundaries: list[_Found]
    sections: list[Section]

    @classmethod
    def of(cls, plain_text: str, sections: list[Section]) -> Context:
        """Find the cues of a text given in its `layout.plain` form."""
        lexicon = _lexicon()
        found = lexicon.find(plain_text)
        cues = [f for f in found if f.phrase in lexicon.cues]
        boundaries = [f for f in found if f.phrase in lexicon.boundaries]
        boundaries += [_Found(m.start(), m.start() + 1, ",") for m in _NEW_STATEMENT.finditer(plain_text)]
        boundaries.sort(key=lambda f: f.start)
        return cls(plain_text, cues, boundaries, sections)

    def assertion(self, start: int, end: int, kind: MentionKind, sentence: tuple[int, int]) -> Assertion:
        """How the author stands to the span `start`–`end` of that sentence."""
        if kind in _NEVER_TURNED:
            return Assertion.PRESENT
        said = {cue.assertion for cue in self._acting_on(start, end, kind, sentence)}
        if _ASKED.match(self.text, end):
            said.add(Assertion.HYPOTHETICAL)
        if kind in _NEVER_NEGATED:
            said.discard(Assertion.NEGATED)
        for assertion in _PRECEDENCE:
            if assertion in said:
                return assertion
        return Assertion.PRESENT if Assertion.PRESENT in said else self._of_section(start, kind)

    def _acting_on(self, start: int, end: int, kind: MentionKind, sentence: tuple[int, int]) -> Iterable[Cue]:
        lexicon = _lexicon()
        index = bisect_right(self.cues, sentence[0] - 1, key=lambda f: f.start)
        while index < len(self.cues) and self.cues[index].end <= sentence[1]:
            found = self.cues[index]
            index += 1
            if found.end <= start:
                gap, directions = (found.end, start), ("after", "both")
            elif found.start >= end:
                gap, directions = (end, found.start), ("before", "both")
            else:
                continue
            for cue in lexicon.cues[found.phrase]:
                if cue.direction not in directions or (cue.treatments_only and kind not in TREATMENT_KINDS):
                    continue
                if self._reaches(cue, *gap):
                    yield cue

    def _reaches(self, cue: Cue, start: int, end: int) -> bool:
        if end - start > 12 * (cue.reach + 1) or self.text.count(" ", start, end) > cue.reach:
            return False
        strengths = _lexicon().boundaries
        index = bisect_right(self.boundaries, start - 1, key=lambda f: f.start)
        while index < len(self.boundaries) and self.boundaries[index].start < end:
            strong = strengths.get(self.boundaries[index].phrase, False)
            if strong or cue.reach < _FAR_REACH:
                return False
            index += 1
        return True

    def _of_section(self, start: int, kind: MentionKind) -> Assertion:
        index = bisect_right(self.sections, start, key=lambda s: s.start) - 1
        section = self.sections[index].kind if index >= 0 else SectionKind.NEUTRAL
        if section is SectionKind.FAMILY:
            return Assertion.FAMILY
        if section is SectionKind.HISTORY:
            return Assertion.HISTORY
        if section is SectionKind.PLAN and kind in TREATMENT_KINDS:
            return Assertion.HYPOTHETICAL
        return Assertion.PRESENT


def sentence_assertions(
    text: str, mentions: list[Mention], spans: list[tuple[int, int]] | None = None
) -> list[tuple[int, int, Assertion]]:
    """For each sentence, how its findings are asserted, so that the index can search what is present apart.

    A sentence with any present finding, or none at all, is present; else it takes its first finding's assertion.
    """
    from consore.language.sentences import sentences

    turnable = sorted((m for m in mentions if m.kind not in _NEVER_TURNED), key=lambda m: m.start)
    result: list[tuple[int, int, Assertion]] = []
    index = 0
    for start, end in sentences(text) if spans is None else spans:
        while index < len(turnable) and turnable[index].start < start:
            index += 1
        inside: list[Assertion] = []
        while index < len(turnable) and turnable[index].start < end:
            inside.append(turnable[index].assertion)
            index += 1
        present = not inside or Assertion.PRESENT in inside
        result.append((start, end, Assertion.PRESENT if present else inside[0]))
    return result


class _Lexicon:
    """All phrases in one automaton; the longest at a place wins, so a pseudo-cue hides the cue inside it."""

    def __init__(self) -> None:
        read = tables("context")
        self.cues: dict[str, list[Cue]] = {}
        for row in read["assertion"]:
            cue = Cue(Assertion(row["assertion"]), row["direction"], int(row["reach"]), row["about"] == "treatment")
            self.cues.setdefault(row["phrase"], []).append(cue)
        self.boundaries = {row["phrase"]: row["strength"] == "strong" for row in read["boundaries"]}
        self._phrases = list({*self.cues, *self.boundaries, *(row["phrase"] for row in read["pseudo"])})
        self._automaton = ahocorasick_rs.AhoCorasick(
            self._phrases, matchkind=ahocorasick_rs.MatchKind.Standard, store_patterns=False
        )

    def find(self, text: str) -> list[_Found]:
        """Phrases on whole words, longest first, not overlapping, in order."""
        whole: list[_Found] = []
        flat = text.replace("\n", " ")
        for index, start, end in self._automaton.find_matches_as_indexes(flat, overlapping=True):
            phrase = self._phrases[index]
            if start and flat[start - 1].isalnum():
                continue
            if end < len(flat) and flat[end].isalnum() and not phrase.endswith("'"):
                continue
            whole.append(_Found(start, end, phrase))
        whole.sort(key=lambda f: (f.start, -f.end))
        kept: list[_Found] = []
        reached = 0
        for found in whole:
            if found.start >= reached:
                kept.append(found)
                reached = found.end
        return kept


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    return _Lexicon()
