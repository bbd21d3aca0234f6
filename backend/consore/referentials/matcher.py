"""Finds every form of every code system in one pass over a text.

One Aho-Corasick automaton holds all forms, each between two blanks, over folded text: a match therefore begins and
ends at a word. Kinds live in layers. Inside a layer the longest form wins; layers may overlap, because `métastases
hépatiques` is at once a metastatic site, a behaviour and an organ, and each reader wants its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from consore.referentials.concept import Match
from consore.referentials.text import fold_but_plus, squeeze

# Kinds of one layer exclude each other.
LAYERS: Mapping[str, int] = {
    "topography": 0,
    "morphology": 1,
    "metastasis": 2,
    "recurrence": 2,
    "response": 2,
    "drug": 3,
    "regimen": 3,
    "procedure": 4,
    "biomarker": 5,
    "alteration": 6,
    "stage": 7,
    "grade": 7,
    "line": 7,
    "performance_status": 7,
    "laterality": 8,
}


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the automaton: what it stands for, and how careful to be with it.

    `exact`: the only accepted writings. `mask`: it stands for nothing, and keeps shorter forms from being found in it.
    """

    system: str | None
    code: str | None
    label: str
    kind: str
    value: str | None = None
    exact: frozenset[str] | None = None
    mask: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides whether an ambiguous form counts.

    `before`, `after`: patterns over the text next to the form, folded but for `+`; `wants`: whether they must be there
    or must not.
    """

    before: re.Pattern[str] | None
    after: re.Pattern[str] | None
    wants: bool

    def admits(self, left: str, right: str) -> bool:
        """Whether the form counts between these neighbours (60 characters on each side)."""
        found = bool(self.before and self.before.search(left)) or bool(self.after and self.after.search(right))
        return found is self.wants


class Matcher:
    """The automaton over `forms` (folded text → what it stands for), with the rules of ambiguous ones."""

    def __init__(
        self, forms: Mapping[str, list[Form]], rules: Mapping[tuple[str, str], list[Rule]], ambiguous: Iterable[str]
    ) -> None:
        self._patterns = list(forms)
        self._forms = [
            [
                (LAYERS.get(form.kind, 9), form, rules.get((pattern, form.kind)) or rules.get((pattern, ""), ()))
                for form in found
            ]
            for pattern, found in forms.items()
        ]
        flagged = frozenset(ambiguous)
        self._ambiguous = [pattern in flagged for pattern in self._patterns]
        self._automaton = AhoCorasick(
            [f" {pattern} " for pattern in self._patterns],
            matchkind=MatchKind.Standard,
            implementation=Implementation.ContiguousNFA,
            store_patterns=False,
        )

    def __len__(self) -> int:
        return len(self._patterns)

    def match(self, text: str) -> list[Match]:
        """The forms found in `text`, in order; spans are of `text` itself."""
        body, offsets = squeeze(text)
        folded = f" {body} "
        layers: dict[int, list[tuple[int, int, int, Form]]] = {}
        for index, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            for layer, form, rules in self._forms[index]:
                if form.exact is not None or rules:
                    first = offsets.start(start) if offsets else start
                    last = offsets.end(end - 2) if offsets else end - 2
                    if form.exact is not None and text[first:last] not in form.exact:
                        continue
                    if rules and not self._admitted(text, first, last, rules):
                        continue
                layers.setdefault(layer, []).append((start, end - 2, index, form))
        found: list[Match] = []
        for candidates in layers.values():
            candidates.sort(key=_longest_first)
            free = 0
            for start, end, index, form in candidates:
                if start < free:
                    continue
                free = end
                if form.mask:
                    continue
                first, last = (offsets.start(start), offsets.end(end)) if offsets else (start, end)
                found.append(
                    Match(
                        first,
                        last,
                        text[first:last],
                        form.system,
                        form.code,
                        form.label,
                        form.kind,
                        self._ambiguous[index],
                        form.value,
                    )
                )
        found.sort(key=_in_order)
        return found

    @staticmethod
    def _admitted(text: str, start: int, end: int, rules: Iterable[Rule]) -> bool:
        left, right = fold_but_plus(text[max(0, start - 60) : start]), fold_but_plus(text[end : end + 60])
        return all(rule.admits(left, right) for rule in rules)


def _longest_first(candidate: tuple[int, int, int, Form]) -> tuple[int, int]:
    return candidate[0], -candidate[1]


def _in_order(match: Match) -> tuple[int, int, int]:
    return match.start, -match.end, LAYERS.get(match.kind, 9)
