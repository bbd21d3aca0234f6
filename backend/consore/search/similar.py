"""Patients who resemble one: found by their vectors, then compared trait by trait, so that the likeness can be read.

The engine gives the nearest vectors, which is quick and rough. These patients are then ranked by the traits that are
really shared, weighty ones counting most, and each comes with its shared and its differing traits in French.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consore.errors import InputError
from consore.index import PatientTraits, load_traits
from consore.index.vectors import read_traits, vector, weighted_traits
from consore.model import System
from consore.referentials import Terminology
from consore.search.filters import ids_filter
from consore.search.hits import SearchContext
from consore.search.labels import label, marker_label

NEIGHBOURS = 150  # vectors asked for: recall is whole from 100 on
MOST = 50
SPARE = 5  # for those who are opposed or gone since the index was written
MOST_TRAITS = 10  # told of each kind

_T, _M, _ATC, _LOCAL, _CCAM = (
    System.ICDO3_T.value,
    System.ICDO3_M.value,
    System.ATC.value,
    System.LOCAL.value,
    System.CCAM.value,
)


@dataclass(frozen=True, slots=True)
class SimilarPatient:
    """A patient who resembles another. `score` in 0–1; `shared`, `different`: traits in French, weightiest first."""

    patient_id: int
    score: float
    shared: list[str]
    different: list[str]


def similar_patients(context: SearchContext, patient_id: int, limit: int = 10) -> list[SimilarPatient]:
    """The patients who resemble `patient_id` most, the most alike first; none where nothing is known of them.

    Raises InputError where there is no such patient (or they are opposed).
    """
    limit = max(1, min(limit, MOST))
    with context.store.session() as session:
        asked = load_traits(session, [patient_id]).get(patient_id)
        if asked is None:
            raise InputError(f"There is no patient {patient_id}.", "Search for the patient again.")
        own = weighted_traits(asked)
        if not _tells(own):
            return []
        near = _nearest(context, patient_id, own)
        scores = {number: _score(own, traits) for number, traits in near.items() if _tells(own.keys() & traits.keys())}
        best = sorted(scores, key=lambda number: (-scores[number], number))[: limit + SPARE]
        others = load_traits(session, best)
    return [
        _explained(asked, own, others[number], near[number], scores[number], context.terminology)
        for number in best
        if number in others
    ][:limit]


def _tells(traits: Iterable[str]) -> bool:
    """Whether these traits are more than sex and age."""
    return any(not name.startswith(("sex:", "age:")) for name in traits)


def _nearest(context: SearchContext, patient_id: int, own: dict[str, float]) -> dict[int, dict[str, float]]:
    """The weighted traits of the patients whose vectors are the nearest to the patient's own."""
    numbers = ",".join(f"{value:g}" for value in vector(own))
    answer = context.index.search(
        {
            "collection": context.index.patients,
            "q": "*",
            "vector_query": f"vector:([{numbers}], k:{NEIGHBOURS})",
            "filter_by": ids_filter([patient_id], without=True),
            "per_page": NEIGHBOURS,
            "include_fields": "id,traits",
        }
    )[0]
    papers = (hit["document"] for hit in answer["hits"])
    return {int(paper["id"]): read_traits(paper.get("traits", ())) for paper in papers}


# --- Comparing ----------------------------------------------------------------------------------------------


def _score(own: dict[str, float], theirs: dict[str, float]) -> float:
    """The share of the traits' weight that both have: a weighted Jaccard index, in 0–1."""
    names = own.keys() | theirs.keys()
    common = sum(min(own.get(name, 0.0), theirs.get(name, 0.0)) for name in names)
    whole = sum(max(own.get(name, 0.0), theirs.get(name, 0.0)) for name in names)
    return round(common / whole, 3) if whole else 0.0


def _explained(
    asked: PatientTraits,
    own: dict[str, float],
    other: PatientTraits,
    theirs: dict[str, float],
    score: float,
    terminology: Terminology,
) -> SimilarPatient:
    shared = _told(own.keys() & theirs.keys(), own, terminology)
    ages = list(_ages(asked, other))
    return SimilarPatient(
        patient_id=int(other.patient.id or 0),
        score=score,
        shared=[*(text for _, text, _ in shared), *(text for near, text in ages if near)][:MOST_TRAITS],
        different=[
            *_contrasts(
                _told(own.keys() - theirs.keys(), own, terminology),
                _told(theirs.keys() - own.keys(), theirs, terminology),
            )[: MOST_TRAITS - 1],
            *(text for near, text in ages if not near),
        ],
    )


def _contrasts(only_own: list[_Told], only_theirs: list[_Told]) -> list[str]:
    """What the other has and what they lack, weightiest first; « stade I (et non II) » where both have a stage."""
    said: list[tuple[float, str]] = []
    matched: set[str] = set()
    for weight, text, name in only_theirs:
        opposite = next((told for told in only_own if _same_question(told[2], name)), None)
        if opposite:
            matched.add(opposite[1])
            weight = max(weight, opposite[0])
            text = f"{text} (et non {_answer(opposite[1], text)})"
        said.append((-weight, text))
    said += [(-weight, f"sans {text}") for weight, text, _ in only_own if text not in matched]
    return [text for _, text in sorted(said)]


def _same_question(one: str, other: str) -> bool:
    """Whether two traits answer the same question: two stages, two results of one marker."""
    kind, _, value = one.partition(":")
    other_kind, _, other_value = other.partition(":")
    if kind != other_kind:
        return False
    if kind in ("biomarker", "alteration"):
        return value.split(":")[0] == other_value.split(":")[0]
    return kind in ("stage", "sex", "subsite", "histology")


def _answer(text: str, other: str) -> str:
    """`HER2 négatif` beside `HER2 positif` is told as `négatif`, `localisation : foie` as `foie`."""
    if " : " in text:
        return text.split(" : ", 1)[1]
    begun = 0
    words, others = text.split(" "), other.split(" ")
    while begun < min(len(words), len(others)) - 1 and words[begun] == others[begun]:
        begun += 1
    return " ".join(words[begun:])


def _ages(asked: PatientTraits, other: PatientTraits) -> Iterator[tuple[bool, str]]:
    """Whether the ages at the first diagnosis are near (5 years), and how to say it."""
    if asked.ages_at_diagnosis and other.ages_at_diagnosis:
        own, theirs = min(asked.ages_at_diagnosis), min(other.ages_at_diagnosis)
        near = abs(own - theirs) <= 5
        yield near, f"âge proche au diagnostic ({theirs} ans)" if near else f"{theirs} ans au diagnostic (et non {own})"


_Told = tuple[float, str, str]  # weight, words, trait
_GENERAL = {"subsite": "site", "histology": "family", "drug": "class"}
_LETTERS = {"site": 3, "family": 3, "class": 5}


def _told(names: set[str], weights: dict[str, float], terminology: Terminology) -> list[_Told]:
    """The traits worth telling, weightiest first; a general trait gives its weight to the precise one that says it."""
    told: dict[str, _Told] = {}
    precise = {_general(name) for name in names}
    for name in names - precise:
        text = _words(name, terminology)
        weight = weights[name] + (weights.get(_general(name), 0.0) if _general(name) in names else 0.0)
        if text and weight > told.get(text, (0.0, "", ""))[0]:
            told[text] = (weight, text, name)
    return sorted(told.values(), key=lambda item: (-item[0], item[1]))


def _general(name: str) -> str:
    """The general trait that a precise one implies: `subsite:C50.4` → `site:C50`; empty where there is none."""
    kind, _, value = name.partition(":")
    general = _GENERAL.get(kind)
    return f"{general}:{value[: _LETTERS[general]]}" if general else ""


def _words(name: str, terminology: Terminology) -> str:
    kind, _, value = name.partition(":")
    match kind:
        case "site" | "subsite":
            return f"localisation : {terminology.label(_T, value).lower()}"
        case "histology":
            return f"histologie : {terminology.label(_M, value).lower()}"
        case "stage":
            return f"stade {value}"
        case "event":
            return label("event", value).lower()
        case "spread":
            return f"atteinte : {terminology.label(_T, value).lower()}"
        case "treatment":
            return label("treatment", value).lower()
        case "regimen":
            return terminology.label(_LOCAL, value)
        case "drug":
            return terminology.label(_ATC, value).lower()
        case "class":
            return terminology.label(_ATC, value).lower() if terminology.concept(_ATC, value) else ""
        case "biomarker" | "alteration":
            code, _, status = value.partition(":")
            return marker_label(terminology, code, status)
        case "sex":
            return label("sex", value).lower() if value != "unknown" else ""
    return ""  # families of histologies, acts and age bands have no name that anybody says
