"""What is written into the engine: one slim record a patient, one record a document.

A code is written with everything that it begins with (`C50.4` → `C`, `C5`, `C50`, `C50.4`), so that a filter on a code
finds its descendants just as an exact count does. Attributes of the same tumour, event or treatment are also written
as pairs (`C50|8500/3`), as the engine does not know which values of two lists belong together.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any

from consore.index.traits import PatientTraits
from consore.index.vectors import DIMENSIONS, VERSION, stage_group, vector, weighted_traits, written_traits
from consore.language import sentence_assertions
from consore.model import Assertion, Document, Mention
from consore.referentials import normalise, tokens_for_index

LAYOUT = f"4.{VERSION}"  # raise the first number when fields change: the index is then rebuilt
PAIR = "|"
STAGE_SUBDIVISIONS = "ABCDE123456789"


def _words(name: str, *, facet: bool = False) -> dict[str, Any]:
    return {"name": name, "type": "string[]", "facet": facet, "optional": True}


def _number(name: str, *, many: bool = False, facet: bool = False, sort: bool = False) -> dict[str, Any]:
    return {"name": name, "type": "int32[]" if many else "int32", "facet": facet, "optional": True, "sort": sort}


# What answers are counted by, in both collections: the patients of an answer in words are far too many to be named.
FACET_FIELDS: list[dict[str, Any]] = [
    {"name": "sex", "type": "string", "facet": True},
    {"name": "vital", "type": "string", "facet": True},
    _words("event", facet=True),
    _words("treatment", facet=True),
    _words("site_facet", facet=True),
    _words("histology_facet", facet=True),
    _words("stage_facet", facet=True),
    _words("biomarker_facet", facet=True),
    _words("drug_facet", facet=True),
    _words("age_facet", facet=True),
    _number("year_facet", many=True, facet=True),
    _words("sample_facet", facet=True),
]

PATIENT_FIELDS: list[dict[str, Any]] = [
    {"name": "patient_id", "type": "string"},  # as `id`, which the engine cannot exclude by
    _number("birth", sort=True),  # YYYYMMDD, as all days here
    _number("last", sort=True),
    _number("age_at_diagnosis", many=True),
    *map(_words, ["topography", "morphology", "laterality", "stage", "t", "n", "m", "grade"]),
    _words("same_tumour"),
    _number("diagnosed", many=True),
    _number("rank", many=True),
    *map(_words, ["event_site", "same_event"]),
    *map(_words, ["drug", "regimen", "treatment_act", "response", "same_treatment"]),
    _number("line", many=True),
    *map(_words, ["biomarker", "alteration", "diagnosis", "act"]),
    *FACET_FIELDS,
    {"name": "vector", "type": "float[]", "num_dim": DIMENSIONS},
    {"name": "traits", "type": "string[]", "index": False, "optional": True},  # what the vector was made of
]

DOCUMENT_FIELDS: list[dict[str, Any]] = [
    {"name": "patient_id", "type": "string", "facet": True},
    {"name": "kind", "type": "string", "facet": True},
    {"name": "service", "type": "string", "facet": True, "optional": True},
    _number("date", sort=True),
    _number("birth", sort=True),  # of the patient, as those of FACET_FIELDS
    {"name": "title", "type": "string", "optional": True},
    {"name": "body", "type": "string"},  # what is asserted of the patient now
    {"name": "other", "type": "string", "optional": True},  # negated, planned, of the family, of the past
    *FACET_FIELDS,
]


# --- Patients -----------------------------------------------------------------------------------------------


def patient_record(traits: PatientTraits) -> dict[str, Any]:
    """The record of one patient."""
    patient, weights = traits.patient, weighted_traits(traits)
    record: dict[str, Any] = {
        "id": str(patient.id),
        "patient_id": str(patient.id),
        "sex": patient.sex,
        "vital": traits.vital_status,
        "birth": day_number(patient.birth_date),
        "last": day_number(traits.last_date),
        "age_at_diagnosis": sorted(set(traits.ages_at_diagnosis)),
        **_tumours(traits),
        **_events(traits),
        **_treatments(traits),
        "biomarker": _unique(
            word for item in traits.biomarkers for word in (item.code, f"{item.code}{PAIR}{item.status}")
        ),
        "alteration": _unique(
            word for item in traits.alterations for word in (item.gene, f"{item.gene}{PAIR}{item.status}")
        ),
        "diagnosis": _unique(word for code in traits.diagnoses for word in beginnings(code)),
        "act": _unique(word for code in traits.acts for word in beginnings(code)),
        **_facets(traits),
        "vector": vector(weights),
        "traits": written_traits(weights),
    }
    return {name: value for name, value in record.items() if value not in (None, [])}


def _tumours(traits: PatientTraits) -> dict[str, list[Any]]:
    words: dict[str, list[str]] = {name: [] for name in TUMOUR_ATTRIBUTES}
    pairs: list[str] = []
    for tumour in traits.tumours:
        own = {
            "topography": beginnings(tumour.topography),
            "morphology": beginnings(tumour.morphology),
            "laterality": [tumour.laterality] if tumour.laterality else [],
            "stage": stage_beginnings(tumour.stage),
            "t": beginnings(tumour.t),
            "n": beginnings(tumour.n),
            "m": beginnings(tumour.m),
            "grade": [tumour.grade] if tumour.grade else [],
        }
        for name, values in own.items():
            words[name] += values
        for one, two in combinations(TUMOUR_PAIRS, 2):
            pairs += _pairs(one, own[one], two, own[two])
    days = [day_number(tumour.diagnosis_date) for tumour in traits.tumours if tumour.diagnosis_date]
    return {
        **{name: _unique(values) for name, values in words.items()},
        "same_tumour": _unique(pairs),
        "diagnosed": sorted({day for day in days if day}),
        "rank": sorted({tumour.rank for tumour in traits.tumours}),
    }


TUMOUR_ATTRIBUTES = ("topography", "morphology", "laterality", "stage", "t", "n", "m", "grade")
TUMOUR_PAIRS = ("topography", "morphology", "laterality", "stage")


def _events(traits: PatientTraits) -> dict[str, list[str]]:
    sites: list[str] = []
    pairs: list[str] = []
    for event, codes in traits.events:
        own = [word for code in codes for word in beginnings(code)]
        sites += own
        pairs += _pairs("type", [event.type], "site", own)
    return {
        "event": _unique(event.type for event, _ in traits.events),
        "event_site": _unique(sites),
        "same_event": _unique(pairs),
    }


def _treatments(traits: PatientTraits) -> dict[str, list[Any]]:
    words: dict[str, list[str]] = {name: [] for name in ("treatment", "drug", "regimen", "treatment_act", "response")}
    pairs: list[str] = []
    lines: set[int] = set()
    for treatment, drugs in traits.treatments:
        own = {
            "treatment": [treatment.type],
            "drug": [word for drug in drugs for word in beginnings(drug.atc)],
            "regimen": [treatment.regimen] if treatment.regimen else [],
            "treatment_act": beginnings(treatment.act_code),
            "response": [treatment.response] if treatment.response else [],
        }
        for name, values in own.items():
            words[name] += values
        pairs += _pairs("treatment", own["treatment"], "drug", own["drug"])
        if treatment.line is not None:
            lines.add(treatment.line)
    return {
        **{name: _unique(values) for name, values in words.items()},
        "same_treatment": _unique(pairs),
        "line": sorted(lines),
    }


def _facets(traits: PatientTraits) -> dict[str, list[Any]]:
    tumours = traits.tumours
    return {
        "site_facet": _unique(tumour.topography[:3] for tumour in tumours if tumour.topography),
        "histology_facet": _unique(tumour.morphology for tumour in tumours if tumour.morphology),
        "stage_facet": _unique(stage_group(tumour.stage) for tumour in tumours if tumour.stage),
        "biomarker_facet": _unique(
            f"{item.code}{PAIR}{item.status}" for item in traits.biomarkers if item.status != "unknown"
        ),
        "drug_facet": _unique(drug.atc for _, drugs in traits.treatments for drug in drugs if drug.atc),
        "age_facet": _unique(age_band(age) for age in traits.ages_at_diagnosis),
        "sample_facet": _unique(item.type for item in traits.samples if item.status == "available"),
        "year_facet": sorted({tumour.diagnosis_date.year for tumour in tumours if tumour.diagnosis_date}),
    }


def age_band(age: int) -> str:
    """`0-29`, `30-39`, … `80-`: completed years, both included."""
    if age < 30:
        return "0-29"
    return "80-" if age >= 80 else f"{age // 10 * 10}-{age // 10 * 10 + 9}"


def beginnings(code: str | None) -> list[str]:
    """All that a code begins with, itself included: a filter on `C50` finds `C50.4`."""
    return [code[:length] for length in range(1, len(code) + 1)] if code else []


def stage_beginnings(stage: str | None) -> list[str]:
    """`IIIA1` → `IIIA1`, `IIIA`, `III`, and neither `II` nor `I`."""
    if not stage:
        return []
    shorter = [stage[:length] for length in range(1, len(stage)) if stage[length] in STAGE_SUBDIVISIONS]
    return [stage, *shorter]


def pair(one: str, value: str, two: str, other: str) -> str:
    """The word that says that two attributes hold for the same row. Names keep `topography` and `stage` apart."""
    return f"{one}{PAIR}{value}{PAIR}{two}{PAIR}{other}"


def _pairs(one: str, values: Iterable[str], two: str, others: Iterable[str]) -> Iterator[str]:
    # One letter or digit is no code that anybody filters on; leaving those out halves the pairs.
    longer = [[v for v in side if len(v) > 2 or name in _SHORT] for name, side in ((one, values), (two, others))]
    return (pair(one, value, two, other) for value, other in product(*longer))


_SHORT = frozenset({"stage", "laterality", "treatment", "type"})


def day_number(day: dt.date | None) -> int | None:
    """A day as YYYYMMDD, which sorts and filters as a number."""
    return day.year * 10_000 + day.month * 100 + day.day if day else None


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


# --- Documents ----------------------------------------------------------------------------------------------


_OF_PATIENT = ("birth", *(field["name"] for field in FACET_FIELDS))


def document_record(document: Document, mentions: list[Mention], patient: dict[str, Any]) -> dict[str, Any]:
    """The record of one document: words alone, its text stays in the store; and some of its patient's record."""
    asserted, other = split_by_assertion(document.text, mentions)
    record = {
        "id": str(document.id),
        "patient_id": str(document.patient_id),
        "kind": document.kind,
        "service": document.service,
        "date": day_number(document.date),
        **{name: patient.get(name) for name in _OF_PATIENT},
        "title": tokens_for_index(document.title),
        "body": tokens_for_index(asserted),
        "other": tokens_for_index(other),
    }
    return {name: value for name, value in record.items() if value not in (None, "") or name == "body"}


_DENIES = re.compile(
    r"\W*(?:pas d|absence d|aucune?\b|sans\b|ni\b|n'(?:a|avait) pas|ne (?:presente|signale|rapporte) pas)"
)


def split_by_assertion(text: str, mentions: list[Mention]) -> tuple[str, str]:
    """The sentences of a document that state something of the patient now, and those that deny, plan or recall.

    A sentence that holds no mention is judged by how it begins: « Pas de toux ».
    """
    stated = sorted(mention.start for mention in mentions if mention.assertion is Assertion.PRESENT)
    asserted: list[str] = []
    other: list[str] = []
    for start, end, assertion in sentence_assertions(text, mentions):
        holds = bisect_left(stated, end) > bisect_left(stated, start)
        denied = not holds and _DENIES.match(normalise(text[start : start + 40]))
        (asserted if assertion is Assertion.PRESENT and not denied else other).append(text[start:end])
    return "\n".join(asserted), "\n".join(other)
