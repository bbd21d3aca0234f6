"""A criteria tree as a filter of the engine, where the engine can answer it exactly as the store would.

The engine keeps lists of codes and pairs of attributes of the same row. What needs more (three attributes of one
tumour, a measured value, a period of a treatment) gives None here, and the caller takes the exact set from the store.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from consore.index.records import TUMOUR_PAIRS, day_number, pair
from consore.search.criteria import (
    AlterationLeaf,
    BiomarkerLeaf,
    CodeLeaf,
    Criteria,
    EventLeaf,
    NumberRange,
    PatientLeaf,
    TreatmentLeaf,
    TumourLeaf,
)

LONGEST_FILTER = 60_000  # characters
_SAFE = re.compile(r"[\w .:/|+'()-]{1,120}")


class _Inexpressible(Exception):
    """The engine cannot answer this exactly."""


@dataclass(frozen=True, slots=True)
class _Test:
    """A test that the engine can negate: a list field holds one of some words."""

    field: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Range:
    """A number field, or one number of a list, lies within bounds, both included."""

    field: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class _Group:
    all: bool
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Denied:
    part: _Part


_Part = _Test | _Range | _Group | _Denied
LOWEST, HIGHEST = -(2**31) + 1, 2**31 - 1


def engine_filter(criteria: Criteria) -> str | None:
    """The `filter_by` of the `patients` collection that selects whom the criteria select; None where it cannot."""
    try:
        written = _written(_node(criteria), False)
    except _Inexpressible:
        return None
    return written if len(written) <= LONGEST_FILTER else None


def ids_filter(ids: Iterable[int], *, without: bool = False) -> str:
    """A `filter_by` of either collection that names patients, or all others; that of nobody where there are none."""
    return f"patient_id:{'!=' if without else '='}[{','.join(f'`{number}`' for number in ids) or '`0`'}]"


def _node(node: Criteria) -> _Part:
    if node.all is not None or node.any is not None:
        return _Group(node.all is not None, tuple(map(_node, node.children)))
    if node.none is not None:
        return _Denied(_Group(False, tuple(map(_node, node.none))))
    leaf = getattr(node, node.key)
    match leaf:
        case PatientLeaf():
            return _patient(leaf)
        case TumourLeaf():
            return _tumour(leaf)
        case EventLeaf():
            return _event(leaf)
        case TreatmentLeaf():
            return _treatment(leaf)
        case BiomarkerLeaf() if leaf.value is None:
            return _results("biomarker", leaf.code, leaf.status)
        case AlterationLeaf() if leaf.variant is None:
            return _results("alteration", leaf.gene, leaf.status)
        case CodeLeaf():
            return _Test(node.key, tuple(leaf.code))
    raise _Inexpressible


# --- Leaves -------------------------------------------------------------------------------------------------


def _patient(leaf: PatientLeaf) -> _Part:
    if leaf.current_age is not None:
        raise _Inexpressible
    parts: list[_Part] = []
    if leaf.sex:
        parts.append(_Test("sex", (leaf.sex.value,)))
    if leaf.vital_status:
        parts.append(_Test("vital", (leaf.vital_status,)))
    if leaf.age_at_diagnosis:
        parts.append(_range("age_at_diagnosis", leaf.age_at_diagnosis))
    return _Group(True, tuple(parts))


def _tumour(leaf: TumourLeaf) -> _Part:
    given: dict[str, list[str]] = {
        "topography": leaf.topography or [],
        "morphology": leaf.morphology or [],
        "laterality": [leaf.laterality.value] if leaf.laterality else [],
        "stage": leaf.stage or [],
        "t": _lettered(leaf.t, "T"),
        "n": _lettered(leaf.n, "N"),
        "m": _lettered(leaf.m, "M"),
        "grade": leaf.grade or [],
    }
    if any(
        values == [] for values in (leaf.topography, leaf.morphology, leaf.stage, leaf.t, leaf.n, leaf.m, leaf.grade)
    ):
        raise _Inexpressible  # « one of nothing »: nobody; the store knows
    asked = {name: values for name, values in given.items() if values}
    others = [item for item in (leaf.diagnosed, leaf.rank) if item is not None]
    if not asked and not others:
        raise _Inexpressible
    if len(asked) + len(others) == 1:
        if leaf.diagnosed:
            return _days("diagnosed", leaf.diagnosed.from_, leaf.diagnosed.to)
        if leaf.rank:
            return _range("rank", leaf.rank)
        name, values = next(iter(asked.items()))
        return _Test(name, tuple(values))
    if others or len(asked) != 2 or not set(asked) <= set(TUMOUR_PAIRS):
        raise _Inexpressible
    one, two = (name for name in TUMOUR_PAIRS if name in asked)
    return _paired("same_tumour", one, asked[one], two, asked[two])


def _event(leaf: EventLeaf) -> _Part:
    if leaf.between is not None:
        raise _Inexpressible
    types = [item.value for item in leaf.type or []]
    if types and leaf.site:
        return _paired("same_event", "type", types, "site", leaf.site)
    if types and leaf.site is None:
        return _Test("event", tuple(types))
    if leaf.site and leaf.type is None:
        return _Test("event_site", tuple(leaf.site))
    raise _Inexpressible


def _treatment(leaf: TreatmentLeaf) -> _Part:
    if leaf.between is not None:
        raise _Inexpressible
    given = {
        "treatment": [item.value for item in leaf.type] if leaf.type is not None else None,
        "drug": leaf.drug,
        "regimen": leaf.regimen,
        "treatment_act": leaf.act,
        "response": leaf.response,
    }
    asked = {name: values for name, values in given.items() if values is not None}
    if not all(asked.values()):
        raise _Inexpressible
    if leaf.line is not None:
        if asked:
            raise _Inexpressible
        return _range("line", leaf.line)
    if len(asked) == 1:
        name, values = next(iter(asked.items()))
        return _Test(name, tuple(values))
    if set(asked) == {"treatment", "drug"}:
        return _paired("same_treatment", "treatment", asked["treatment"] or [], "drug", asked["drug"] or [])
    raise _Inexpressible


def _results(field: str, codes: list[str], statuses: Iterable[str] | None) -> _Part:
    if statuses is None:
        return _Test(field, tuple(codes))
    return _Test(field, tuple(f"{code}|{status}" for code, status in product(codes, map(str, statuses))))


def _paired(field: str, one: str, values: list[str], two: str, others: list[str]) -> _Part:
    values = [longer for value in values for longer in _of_three(one, value)]
    others = [longer for other in others for longer in _of_three(two, other)]
    return _Test(field, tuple(pair(one, value, two, other) for value, other in product(values, others)))


def _of_three(name: str, value: str) -> list[str]:
    """The values that pairs are written for: codes of three characters on, whole words.

    A beginning of ICD-O-3 topographies is all that begin so (`C`: `C00` … `C99`).
    """
    if name in ("stage", "laterality", "treatment", "type") or len(value) > 2:
        return [value]
    if name in ("topography", "site") and re.fullmatch(r"C\d?", value):
        return [code for number in range(100) if (code := f"C{number:02}").startswith(value)]
    raise _Inexpressible  # searched where there is one choice


def _lettered(values: list[str] | None, letter: str) -> list[str]:
    return [value if value[:1].upper() == letter else letter + value for value in values or []]


def _range(field: str, bounds: NumberRange) -> _Part:
    low = LOWEST if bounds.min is None else -int(-bounds.min // 1)  # the whole numbers within
    high = HIGHEST if bounds.max is None else int(bounds.max // 1)
    if low > high:
        raise _Inexpressible
    return _Range(field, max(low, LOWEST), min(high, HIGHEST))


def _days(field: str, first: dt.date | None, last: dt.date | None) -> _Part:
    low, high = day_number(first) or 0, day_number(last) or HIGHEST
    if low > high:
        raise _Inexpressible
    return _Range(field, low, high)


# --- Writing ------------------------------------------------------------------------------------------------


def _written(part: _Part, denied: bool) -> str:
    match part:
        case _Denied():
            return _written(part.part, not denied)
        case _Test():
            words = part.words
            if not words or not all(_SAFE.fullmatch(word) for word in words):
                raise _Inexpressible
            return f"{part.field}:{'!=' if denied else '='}[{','.join(f'`{word}`' for word in words)}]"
        case _Range():
            if denied:
                raise _Inexpressible  # the engine would deny one number of the list, not all
            return f"{part.field}:[{part.low}..{part.high}]"
        case _Group():
            if not part.parts:
                raise _Inexpressible
            # De Morgan: the engine has no negation of a group.
            joint = " && " if part.all != denied else " || "
            return "(" + joint.join(_written(inner, denied) for inner in part.parts) + ")"
