"""Finds every form of every code system in one pass over a text.

One Aho-Corasick automaton holds all forms, each between two blanks, over folded text: a match therefore begins and
ends at a word. Of a long form only the beginning is in the automaton, and the rest is compared where it is found: the
labels of acts would fill it otherwise. Kinds live in layers. Inside a layer the longest form wins; layers may overlap,
because `métastases hépatiques` is at once a metastatic site, a behaviour and an organ, and each reader wants its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from consore.referentials.concept import Match
from consore.text import Offsets, bare, pattern_of, squeeze_to_bytes, with_signs

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
    "measurement": 7,
    "laterality": 8,
}
_OTHER_LAYER = 9
_LONGEST = 32  # bytes of a form that the automaton holds, to the end of a word
_FEW = 8  # entries of a head that are tried one by one
_FIRST_LONGEST = itemgetter(0, 1)
_BESIDE = 60  # characters on each side of a form that a rule looks at


@dataclass(frozen=True, slots=True)
class Form:
    """What a written form stands for, and how careful to be with it.

    `exact`: the only accepted writings. `mask`: it stands for nothing, and keeps shorter forms from being found in it.
    """

    system: str | None
    code: str | None
    label: str
    kind: str
    value: str | None = None
    exact: frozenset[str] | None = None
    mask: bool = False


# What decides whether an ambiguous form counts: `before` and `after`, regular expressions (empty: none) over the text
# next to the form, folded but for `+`, `%` and `:`, and whether one of them must be there, or must not.
Rule: TypeAlias = tuple[str, str, bool]
Meaning: TypeAlias = tuple[str | None, str | None, str, str, str | None]  # system, code, label, kind, value
Check: TypeAlias = tuple[bytes, tuple[str, ...] | None, tuple[Rule, ...]]  # rest of the form, writings, rules
# layer, number of the meaning (-1: a mask), whether it is ambiguous, what to check first
Entry: TypeAlias = tuple[int, int, bool, Check | None]


class Refusal(NamedTuple):
    """Where a form stands that means something else there, and the layer of its kind."""

    start: int
    end: int
    layer: int


class Patterns(NamedTuple):
    """All forms as plain values, which a file can hold. `heads[i]` is what the automaton finds for `entries[i]`."""

    heads: list[bytes]
    entries: list[list[Entry]]
    meanings: list[Meaning]
    forms: int


def patterns(
    forms: Mapping[str, list[Form]], rules: Mapping[tuple[str, str], Sequence[Rule]], ambiguous: frozenset[str]
) -> Patterns:
    """The `Patterns` of `forms` (folded text → what it stands for), with the rules (by form and kind) and the
    ambiguous forms."""
    meanings: dict[Meaning, int] = {}
    entries: dict[bytes, list[Entry]] = {}
    for written, found in forms.items():
        whole = b" %b " % pattern_of(written)
        cut = whole.rfind(b" ", 1, _LONGEST) + 1 if len(whole) > _LONGEST else len(whole)
        head, rest = (whole[:cut], whole[cut:]) if cut > 1 else (whole, b"")
        plain = " ".join(written.split())
        for form in sorted(found, key=lambda form: not form.mask):  # a mask hides a form that is the same words
            meaning = (form.system, form.code, form.label, form.kind, form.value)
            number = -1 if form.mask else meanings.setdefault(meaning, len(meanings))
            governing = tuple(rules.get((plain, form.kind)) or rules.get((plain, "")) or ())
            exact = None if form.exact is None else tuple(sorted(form.exact))
            check = (rest, exact, governing) if rest or exact is not None or governing else None
            layer = LAYERS.get(form.kind, _OTHER_LAYER)
            entries.setdefault(head, []).append((layer, number, plain in ambiguous, check))
    return Patterns(
        list(entries), list(entries.values()), list(meanings), sum("  " not in written for written in forms)
    )


class Matcher:
    """The automaton over `Patterns`. It is built when it is made (0.1 s for 50,000 heads)."""

    def __init__(self, known: Patterns) -> None:
        self._entries = [_by_next_word(entries) for entries in known.entries]
        self._meanings, self._forms = known.meanings, known.forms
        self._automaton = BytesAhoCorasick(
            known.heads, matchkind=MatchKind.Standard, implementation=Implementation.ContiguousNFA
        )

    def __len__(self) -> int:
        return self._forms

    def match(self, text: str, refused: list[Refusal] | None = None) -> list[Match]:
        """The forms found in `text`, in order; spans are of `text` itself. Into `refused` come those that stand there
        and mean something else: masks, and forms that a rule `never` excludes."""
        squeezed, offsets = squeeze_to_bytes(text)
        folded = b" %b " % bare(squeezed)
        layers: list[list[tuple[int, int, int, bool]]] = [[] for _ in range(_OTHER_LAYER + 1)]
        for index, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            entries = self._entries[index]
            if isinstance(entries, dict):
                entries = entries.get(folded[end : folded.find(b" ", end) + 1], entries[b""])
            for layer, meaning, ambiguous, check in entries:
                stop = end
                if check is not None:
                    rest, exact, rules = check
                    if rest:
                        if not folded.startswith(rest, end):
                            continue
                        stop += len(rest)
                    if exact is not None:
                        first, last = _span(offsets, start, stop - 2)
                        if text[first:last] not in exact:
                            continue
                    if rules and (unmet := _unmet(squeezed, start, stop - 2, rules)):
                        if refused is not None and not unmet[2]:
                            refused.append(Refusal(*_span(offsets, start, stop - 2), layer))
                        continue
                layers[layer].append((start, 2 - stop, meaning, ambiguous))
        found: list[tuple[int, int, int, int, bool]] = []
        for layer, candidates in enumerate(layers):
            candidates.sort(key=_FIRST_LONGEST)
            free = 0
            for start, minus_end, meaning, ambiguous in candidates:
                if start >= free:
                    free = -minus_end
                    if meaning >= 0:
                        found.append((start, minus_end, layer, meaning, ambiguous))
                    elif refused is not None:
                        refused.append(Refusal(*_span(offsets, start, -minus_end), layer))
        found.sort()
        result: list[Match] = []
        meanings = self._meanings
        for start, minus_end, _, meaning, ambiguous in found:
            first, last = _span(offsets, start, -minus_end)
            system, code, label, kind, value = meanings[meaning]
            result.append(Match(first, last, text[first:last], system, code, label, kind, ambiguous, value))
        return result


def _span(offsets: Offsets | None, start: int, end: int) -> tuple[int, int]:
    return offsets.span(start, end) if offsets else (start, end)


def _by_next_word(entries: list[Entry]) -> list[Entry] | dict[bytes, list[Entry]]:
    """The entries of a head; of many long forms with the same head, by the word that follows (empty: any other)."""
    if len(entries) <= _FEW:
        return entries
    groups: dict[bytes, list[Entry]] = {}
    for entry in entries:
        rest = entry[3][0] if entry[3] else b""
        groups.setdefault(rest[: rest.find(b" ") + 1], []).append(entry)
    whole = groups.setdefault(b"", [])
    return {word: whole + group if word else whole for word, group in groups.items()}


def _unmet(squeezed: bytes, start: int, end: int, rules: tuple[Rule, ...]) -> Rule | None:
    """The first rule that does not let the form at `start`–`end` count, if one does not."""
    left = right = None
    for rule in rules:
        before, after, wants = rule
        there = False
        if before:
            left = with_signs(squeezed[max(0, start - _BESIDE) : start]) if left is None else left
            there = pattern_before(before).search(left) is not None
        if after and not there:
            right = with_signs(squeezed[end : end + _BESIDE]) if right is None else right
            there = pattern_after(after).match(right) is not None
        if there is not wants:
            return rule
    return None


@cache
def pattern_before(words: str) -> re.Pattern[str]:
    """The rule's `before` as it is looked for at the end of the text on the left. Raises re.error."""
    return re.compile(rf"(?:^|\W)(?:{words})\W+$")


@cache
def pattern_after(words: str) -> re.Pattern[str]:
    """The rule's `after` as it is looked for at the beginning of the text on the right. Raises re.error."""
    return re.compile(rf"^\W*(?:{words})")
