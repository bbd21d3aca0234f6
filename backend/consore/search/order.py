"""What comes before what: « récidive après tamoxifène », « opérés puis irradiés », « rechute dans les deux ans »."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import TypeAlias

from consore.referentials import tokens_for_index
from consore.search.chips import Chip, Json, uncapitalised
from consore.search.clause import Clause, TumourClause, death_of, is_treatment, leaves
from consore.search.criteria import DATED
from consore.search.labels import label
from consore.search.phrases import LINK, rules

Row: TypeAlias = Clause | TumourClause

# Beside the words that say nothing in any question, those that may stand between a thing and what puts it in order.
_FILLERS = frozenset(
    {"arret", "administration", "realisation", "tardif", "tardive", "precoce", "definitif", "definitive", "dernier"}
)


def ordered(clauses: list[Clause], tumours: list[TumourClause], plain: str) -> tuple[list[Clause], dict[int, Chip]]:
    """The clauses, those that a link orders made one sequence; and the links that did, as chips, by where they start.

    A tumour that is in a sequence is marked `used`. A link that puts nothing in order is left out.
    """
    rows: list[Row] = sorted([*clauses, *tumours], key=lambda row: (row.start, row.end))
    made: list[Clause] = []
    shown: dict[int, Chip] = {}
    for position, link in enumerate(rows):
        if not isinstance(link, Clause) or link.kind != LINK:
            continue
        link.used = True
        (chip,) = link.chips
        how = chip.criterion
        first, then = _ends(rows[:position][::-1], link, rows[position + 1 :], how, tumours, plain)
        if first is None or then is None or first is then or first.negated:
            continue
        sequence = _sequence(first, then, how.get("within"))
        if sequence is None:
            continue
        then.used = True
        first.used = first.used or not then.negated  # what was denied after something leaves that thing asked for
        made.append(Clause(link.start, link.end, LINK, sequence, then.negated, link.chips))
        criterion = {"none": [sequence]} if then.negated else sequence
        said = _said(first, then, how.get("within"))
        shown[link.start] = replace(chip, label=said, negated=then.negated, criterion=criterion)
    kept = [clause for clause in clauses if not clause.used]
    return sorted([*kept, *made], key=lambda clause: clause.start), shown


def _ends(
    before: Sequence[Row],
    link: Row,
    after: Sequence[Row],
    how: Json,
    tumours: list[TumourClause],
    plain: str,
) -> tuple[Row | None, Row | None]:
    """What a link puts first and what comes then; `before` is read from the link backwards."""
    left = _near(before, lambda row: plain[row.end : link.start])
    right = _near(after, lambda row: plain[link.end : row.start])
    if how.get("last"):  # « opérés, irradiés ensuite »
        rest = [row for row in before if row is not left]
        return (_near(rest, lambda row: plain[row.end : left.start]) if left else None), left
    if not how.get("diagnosis"):
        return (right, left) if how.get("backward") else (left, right)
    events = [
        row for row in (left, right, *before) if isinstance(row, Clause) and not _is_link(row) and _leaves_of(row)
    ]
    then = events[0] if events else None
    # Days are counted from the diagnosis of the tumour that the question is about; those of a delay alone from the
    # treatment before it, if any.
    first: Row | None = next((one for one in tumours[::-1] if not one.used), TumourClause({}, 0, 0, "Diagnostic"))
    if how.get("alone"):
        care = (row for row in before if isinstance(row, Clause) and row is not then)
        first = next((row for row in care if is_treatment(row) and not row.negated), first)
    return first, then


def _near(rows: Sequence[Row], between: Callable[[Row], str]) -> Row | None:
    """The nearest row, where only words that say nothing stand between."""
    for row in rows:
        if _is_link(row) or not _says_nothing(between(row)):
            return None
        if _leaves_of(row):
            return row
    return None


def _says_nothing(words: str) -> bool:
    said = tokens_for_index(words).split()
    return all(word in _FILLERS or word in rules().stop_words for word in said)


def _is_link(row: Row) -> bool:
    return isinstance(row, Clause) and row.kind == LINK


def _leaves_of(row: Row) -> list[Json]:
    """The dated leaves that a clause may stand for in a sequence; the first kind of them where it is a choice."""
    if isinstance(row, TumourClause):
        return [{"tumour": row.leaf}]
    criterion = death_of(row.criterion) or row.criterion
    found = leaves(criterion, DATED)
    named = [leaf for leaf in found if next(iter(leaf)) in ("event", "treatment")] or found
    if next(iter(criterion)) == "any" and len(row.chips) == 1:
        named = named[:1]  # one thing, in several ways of writing it
    return named


def _sequence(first: Row, then: Row, within: Json | None) -> Json | None:
    """Every leaf of the one before every leaf of the other, or one before one where either is a choice."""
    pairs = [
        {"sequence": {"first": one, "then": other, **({"within": within} if within else {})}}
        for one, other in product(_leaves_of(first), _leaves_of(then))
    ]
    if len(pairs) < 2:
        return pairs[0] if pairs else None
    chosen = any(isinstance(row, Clause) and row.key == "any" for row in (first, then))
    return {"any" if chosen else "all": pairs}


def _said(first: Row, then: Row, within: Json | None) -> str:
    """`Chirurgie, puis récidive (au plus 2 ans)`."""
    said = f"{first.label}, puis {uncapitalised(then.label)}"
    for bound, words in (("max", "au plus"), ("min", "au moins")):
        if within and bound in within:
            count, unit = within[bound], label("delay", within["unit"])
            said += f" ({words} {count} {unit if count > 1 else unit.removesuffix('s') if unit != 'mois' else unit})"
    return said
