"""A clause: neighbouring chips of a question that are one criterion, and the leaves inside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consore.search.chips import Chip, Json
from consore.search.phrases import LINES, LINK

TREATMENTS = ("treatment",)


@dataclass(slots=True, eq=False)
class Clause:
    """Neighbouring chips that became one criterion; `criterion` is without the negation. `used`: in a sequence."""

    start: int
    end: int
    kind: str
    criterion: Json
    negated: bool
    chips: list[Chip]
    used: bool = False

    @property
    def key(self) -> str:
        """The one key of its criterion."""
        return next(iter(self.criterion), "")

    @property
    def label(self) -> str:
        """What it is called: its first chip."""
        return self.chips[0].label


@dataclass(slots=True, eq=False)
class TumourClause:
    """The attributes of one tumour, and where the question speaks of it. `used`: in a sequence."""

    leaf: Json
    start: int
    end: int
    label: str
    used: bool = False
    negated: bool = False


def is_treatment(clause: Clause) -> bool:
    """Whether it is about one treatment, or a choice or set of them."""
    return clause.kind not in ("line", LINES, LINK) and bool(leaves(clause.criterion, TREATMENTS))


def death_of(criterion: Json) -> Json | None:
    """A death that has a day is an event; « décédés » alone is a state."""
    return {"event": {"type": ["death"]}} if criterion == {"patient": {"vitalStatus": "dead"}} else None


def leaves(criterion: Json, names: Iterable[str]) -> list[Json]:
    """The leaves of these kinds in a criterion that is one leaf or a choice or set of leaves."""
    key = next(iter(criterion), "")
    if key in ("any", "all"):
        return [leaf for child in criterion[key] for leaf in leaves(child, names)]
    return [criterion] if key in names else []


def with_more(criterion: Json, names: Iterable[str], more: Json) -> Json:
    """The criterion with `more` in each of its leaves of these kinds; of a choice, only such leaves are kept."""
    key = next(iter(criterion))
    if key in ("any", "all"):
        kept = [with_more(child, names, more) for child in criterion[key] if leaves(child, names)]
        return kept[0] if len(kept) == 1 else {key: kept}
    return {key: {**criterion[key], **more}} if key in names else criterion
