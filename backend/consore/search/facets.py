"""What the patients of an answer have in common, counted: each value is one more criterion that can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from consore.model import System
from consore.referentials import Terminology
from consore.search.criteria import Criteria
from consore.search.filters import ids_filter
from consore.search.hits import SearchContext, ask, documents_filter, documents_search, selection
from consore.search.labels import label, marker_label

VALUES = 15  # a facet

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value, how many patients of the answer have it, and the criterion (JSON) that asks for it."""

    value: str
    label: str
    count: int
    criterion: Json


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to narrow an answer. `label` in French."""

    name: str
    label: str
    values: list[FacetValue]


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    label: str
    field: str
    words: Callable[[Terminology, str], str]
    criterion: Callable[[str], Json]


def _age_criterion(band: str) -> Json:
    low, _, high = band.partition("-")
    bounds = {"min": int(low), **({"max": int(high)} if high else {})}
    return {"patient": {"ageAtDiagnosis": bounds}}


def _marker(value: str) -> Json:
    code, _, status = value.partition("|")
    return {"biomarker": {"code": [code], "status": [status]}}


_KINDS = (
    _Kind(
        "site",
        "Localisation",
        "site_facet",
        lambda words, value: words.label(System.ICDO3_T.value, value),
        lambda value: {"tumour": {"topography": [value]}},
    ),
    _Kind(
        "histology",
        "Histologie",
        "histology_facet",
        lambda words, value: words.label(System.ICDO3_M.value, value),
        lambda value: {"tumour": {"morphology": [value]}},
    ),
    _Kind("stage", "Stade", "stage_facet", lambda _, value: f"Stade {value}", lambda v: {"tumour": {"stage": [v]}}),
    _Kind(
        "biomarker",
        "Biomarqueur",
        "biomarker_facet",
        lambda words, value: marker_label(words, *value.split("|", 1)),
        _marker,
    ),
    _Kind(
        "drug",
        "Médicament",
        "drug_facet",
        lambda words, value: words.label(System.ATC.value, value),
        lambda value: {"treatment": {"drug": [value]}},
    ),
    _Kind(
        "treatment",
        "Traitement",
        "treatment",
        lambda _, value: label("treatment", value),
        lambda value: {"treatment": {"type": [value]}},
    ),
    _Kind("event", "Événement", "event", lambda _, value: label("event", value), lambda v: {"event": {"type": [v]}}),
    _Kind(
        "year",
        "Année du diagnostic",
        "year_facet",
        lambda _, value: value,
        lambda value: {"tumour": {"diagnosed": {"from": f"{value}-01-01", "to": f"{value}-12-31"}}},
    ),
    _Kind(
        "age",
        "Âge au diagnostic",
        "age_facet",
        lambda _, value: label("age", value) if label("age", value) != value else f"{value.replace('-', ' à ')} ans",
        _age_criterion,
    ),
    _Kind(
        "sample",
        "Échantillon disponible",
        "sample_facet",
        lambda _, value: value[:1].upper() + value[1:],
        lambda value: {"sample": {"type": [value], "status": "available"}},
    ),
    _Kind("sex", "Sexe", "sex", lambda _, value: label("sex", value), lambda value: {"patient": {"sex": value}}),
    _Kind(
        "vital_status",
        "Statut vital",
        "vital",
        lambda _, value: label("vital", value),
        lambda value: {"patient": {"vitalStatus": value}},
    ),
)
_IN_ORDER = frozenset({"stage", "year", "age"})  # by value; the others by count


def facets(context: SearchContext, text: str, criteria: Criteria | dict[str, Any] | None = None) -> list[Facet]:
    """The facets of an answer; of all patients where nothing is asked. Those without a value are left out.

    Words are searched in the documents, whose groups are counted: each patient once.
    """
    asked = ask(context, text, criteria)
    wanted: Json = {"facet_by": ",".join(kind.field for kind in _KINDS), "max_facet_values": 60, "per_page": 0}
    if asked.has_words:
        wanted |= documents_search(context, asked)
    elif text.strip() and asked.is_empty:
        return []
    else:
        written, ids = selection(context, asked) if not asked.excluded else (documents_filter(context, asked), None)
        written = written if ids is None else ids_filter(ids)
        wanted |= {"collection": context.index.patients, "q": "*", "filter_by": written or ""}
    answer = context.index.search(wanted)[0]
    counted = {facet["field_name"]: facet["counts"] for facet in answer["facet_counts"]}
    return [made for kind in _KINDS if (made := _facet(kind, counted.get(kind.field, []), context.terminology)).values]


def _facet(kind: _Kind, counts: list[Json], terminology: Terminology) -> Facet:
    values = [
        FacetValue(
            str(item["value"]),
            kind.words(terminology, str(item["value"])),
            int(item["count"]),
            kind.criterion(str(item["value"])),
        )
        for item in counts
        if not (kind.name == "event" and item["value"] == "initial")  # everybody has it
    ]
    if kind.name in _IN_ORDER:
        values = sorted(values, key=lambda value: _position(kind.name, value.value))
        return Facet(kind.name, kind.label, values)
    return Facet(kind.name, kind.label, values[:VALUES])


def _position(name: str, value: str) -> tuple[int, str]:
    if name == "year":
        return -int(value), value  # the latest first
    if name == "age":
        return int(value.split("-")[0]), value
    return 0, value
