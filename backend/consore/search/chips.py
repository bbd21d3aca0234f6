"""What is recognised in a question: chips, each a phrase with its criterion, shown to the user and removable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of a chip: `text` is what to write in the question instead of the chip's own words."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One recognised criterion: where it stands in the question and what it means.

    `start`, `end`: code points of the question; `criterion`: criteria JSON, negation included. `alternatives`: what
    else the words may mean, where they may mean several things or were not spelt as known.
    """

    text: str
    start: int
    end: int
    kind: str
    system: str | None
    code: str | None
    label: str
    negated: bool
    criterion: Json
    alternatives: tuple[Alternative, ...] = ()


def uncapitalised(label: str) -> str:
    """A label in the middle of a sentence: `Récidive` becomes `récidive`, `FOLFOX` stays."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def chip(
    start: int,
    end: int,
    kind: str,
    label: str,
    criterion: Json,
    system: str | None = None,
    code: str | None = None,
    alternatives: tuple[Alternative, ...] = (),
) -> Chip:
    """A chip without its text, which the question gives in the end."""
    return Chip("", start, end, kind, system, code, label, False, criterion, alternatives)
