"""What people should know of their criteria before they believe a zero: what cannot be met, what nobody has coded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from consore.model import System
from consore.referentials import Terminology
from consore.search.criteria import Criteria, DateRange, Delay, NumberRange, PatientLeaf, steps
from consore.search.reasons import describe

# The attributes whose code system is known whole; `C`, `L` and the like stand above its first level.
_SYSTEMS = {
    ("tumour", "topography"): System.ICDO3_T,
    ("event", "site"): System.ICDO3_T,
    ("treatment", "drug"): System.ATC,
}
MOST_TOLD = 5


def notices(criteria: Criteria, terminology: Terminology) -> list[str]:
    """French sentences on the criteria, the gravest first; none where there is nothing to say."""
    told = [*_contradictions(criteria, terminology), *_unknown(criteria, terminology)]
    return list(dict.fromkeys(told))[:MOST_TOLD]


def _contradictions(criteria: Criteria, terminology: Terminology) -> Iterator[str]:
    for node in _nodes(criteria):
        for low, high in _empty_ranges(getattr(node, node.key)):
            yield f"Personne ne peut remplir « {describe(node, terminology)} » : {low} est après {high}."
    for group in _nodes(criteria):
        if group.all is None:
            continue
        asked = steps(group)
        denied = {step.none[0].canonical() for step in asked if step.none}
        for step in asked:
            if step.canonical() in denied:
                yield f"« {describe(step, terminology)} » est à la fois demandé et exclu."
        if _at_odds([step.patient for step in asked if step.patient]):
            yield "Ces critères sur le patient s’excluent l’un l’autre."


def _empty_ranges(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Criteria) or not isinstance(value, BaseModel):
        return
    low: Any = None
    high: Any = None
    if isinstance(value, NumberRange | Delay):
        low, high = value.min, value.max
    elif isinstance(value, DateRange):
        low, high = value.from_, value.to
    if low is not None and high is not None and low > high:
        yield (low, high) if isinstance(value, DateRange) else (f"{low:g}", f"{high:g}")
    for name in type(value).model_fields:
        yield from _empty_ranges(getattr(value, name))


def _at_odds(leaves: list[PatientLeaf]) -> bool:
    """Whether no patient meets them all. Ages at diagnosis may be those of two tumours."""
    ages = [leaf.current_age for leaf in leaves if leaf.current_age]
    least = max((age.min for age in ages if age.min is not None), default=None)
    most = min((age.max for age in ages if age.max is not None), default=None)
    return (
        len({leaf.sex for leaf in leaves if leaf.sex}) > 1
        or len({leaf.vital_status for leaf in leaves if leaf.vital_status}) > 1
        or (len(ages) > 1 and least is not None and most is not None and least > most)
    )


def _unknown(criteria: Criteria, terminology: Terminology) -> Iterator[str]:
    for node in _nodes(criteria):
        leaf = getattr(node, node.key)
        for (key, name), system in _SYSTEMS.items():
            codes = (getattr(leaf, name) or []) if node.key == key else []
            for code in codes:
                if len(code) > 1 and terminology.concept(system.value, code) is None:
                    yield f"Le code {code} n’est pas dans {system.value} : personne ne l’a, sauf erreur de saisie."


def _nodes(node: Criteria) -> Iterator[Criteria]:
    yield node
    for child in node.children:
        yield from _nodes(child)
