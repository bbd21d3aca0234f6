"""The engine's filters select exactly whom the store selects, for every criteria tree that they can express."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from dossiers import Person, write
from engines import engine_settings

from consore.index import SearchIndex, TypesenseServer
from consore.search import parse_criteria, patient_ids
from consore.search.filters import engine_filter
from consore.store import Store

SITES = ["C50.1", "C50.4", "C34.1", "C18.7", "C61.9", None]
HISTOLOGIES = ["8500/3", "8140/3", "8070/3", None]
STAGES = [None, "I", "II", "IIIA", "IIIC1", "IV", "IVB"]
TYPES = ["initial", "local_recurrence", "metastatic_recurrence", "progression"]
METASTASES = ["C22.0", "C34.9", "C71.9", "C41.9"]
DRUGS = ["L01FF02", "L01FF01", "L01FD01", "L02BA01"]
STATUSES = ["positive", "negative", "high"]


def people(rng: random.Random, size: int) -> list[Person]:
    def day(first: int, last: int) -> str:
        return f"{rng.randint(first, last)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"

    def some(most: int) -> range:
        return range(rng.randint(0, most))

    return [
        Person(
            f"P{number}",
            sex=rng.choice(["male", "female", "unknown"]),
            born=day(1930, 1990) if rng.random() < 0.9 else "1960-01-01",
            died=day(2022, 2025) if rng.random() < 0.3 else None,
            opposed=rng.random() < 0.1,
            tumours=[
                {
                    "topography": rng.choice(SITES),
                    "morphology": rng.choice(HISTOLOGIES),
                    "stage": rng.choice(STAGES),
                    "laterality": rng.choice([None, "left", "right"]),
                    "m": rng.choice([None, "M0", "M1", "M1a"]),
                    "diagnosis_date": day(2015, 2022) if rng.random() < 0.9 else None,
                }
                for _ in some(2)
            ],
            events=[
                {"type": rng.choice(TYPES), "date": day(2016, 2024), "sites": rng.sample(METASTASES, rng.randint(0, 2))}
                for _ in some(2)
            ],
            treatments=[
                {
                    "type": rng.choice(["surgery", "chemotherapy", "immunotherapy"]),
                    "line": rng.choice([None, 1, 2]),
                    "regimen": rng.choice([None, "REG:FOLFOX"]),
                    "drugs": rng.sample(DRUGS, rng.randint(0, 2)),
                }
                for _ in some(3)
            ],
            biomarkers=[
                {
                    "code": rng.choice(["HER2", "KI67"]),
                    "status": rng.choice(STATUSES),
                    "number": rng.choice([None, 5.0]),
                }
                for _ in some(2)
            ],
        )
        for number in range(size)
    ]


def leaf(rng: random.Random) -> dict[str, Any]:
    def one_or_two(values: list[Any]) -> list[Any]:
        return rng.sample(values, rng.randint(1, 2))

    tumour = {
        "topography": one_or_two(["C50", "C50.4", "C34", "C", "C18.7"]),
        "morphology": one_or_two(["8500/3", "814", "8"]),
        "stage": one_or_two(["I", "II", "III", "IIIA", "IV"]),
        "laterality": rng.choice(["left", "right"]),
        "m": one_or_two(["M0", "M1", "1"]),
        "diagnosed": {"from": f"{rng.randint(2015, 2018)}-01-01", "to": f"{rng.randint(2019, 2022)}-06-30"},
    }
    treatment = {
        "type": one_or_two(["surgery", "chemotherapy", "immunotherapy"]),
        "drug": one_or_two(["L01FF", "L01FF02", "L02"]),
        "line": {"min": 1, "max": rng.randint(1, 2)},
        "regimen": ["REG:FOLFOX"],
    }
    match rng.choice(["patient", "tumour", "tumour", "event", "treatment", "biomarker"]):
        case "patient":
            low = rng.randint(20, 60)
            asked = {
                "sex": rng.choice(["male", "female"]),
                "vitalStatus": rng.choice(["alive", "dead"]),
                "ageAtDiagnosis": {"min": low, "max": low + rng.randint(0, 30)},
            }
        case "tumour":
            asked = tumour
        case "event":
            asked = {"type": one_or_two(TYPES), "site": one_or_two(["C22", "C34.9", "C71", "C"])}
        case "treatment":
            asked = treatment
        case _:
            return {"biomarker": {"code": ["HER2"], "status": one_or_two(STATUSES)}}
    name = next(kind for kind, keys in _KEYS.items() if set(asked) <= keys)
    kept = rng.sample(sorted(asked), min(len(asked), rng.choice([1, 1, 2])))
    return {name: {key: asked[key] for key in kept}}


_KEYS = {
    "patient": {"sex", "vitalStatus", "ageAtDiagnosis"},
    "event": {"type", "site"},
    "treatment": {"type", "drug", "line", "regimen"},
    "tumour": {"topography", "morphology", "stage", "laterality", "m", "diagnosed"},
}


def tree(rng: random.Random, depth: int = 3) -> dict[str, Any]:
    if depth == 0 or rng.random() < 0.4:
        return leaf(rng)
    return {rng.choice(["all", "any", "none"]): [tree(rng, depth - 1) for _ in range(rng.randint(1, 3))]}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SearchIndex, Store]]:
    home = tmp_path_factory.mktemp("filters")
    store = Store(f"sqlite:///{home}/consore.db")
    store.upgrade()
    write(store, people(random.Random(7), 250))
    with TypesenseServer(engine_settings("FILTERS", home)) as engine:
        index = SearchIndex(engine)
        index.rebuild(store)
        yield index, store
        index.drop()
    store.close()


def test_the_engine_selects_whom_the_store_selects(filled: tuple[SearchIndex, Store]) -> None:
    index, store = filled
    rng = random.Random(11)
    trees = [parse_criteria(tree(rng)) for _ in range(400)]
    expressible = [(criteria, written) for criteria in trees if (written := engine_filter(criteria)) is not None]
    assert len(expressible) > 150, "most criteria are expressible"
    with store.session() as session:
        for criteria, written in expressible:
            answer = index.search(
                {"collection": index.patients, "q": "*", "filter_by": written, "per_page": 250, "include_fields": "id"}
            )[0]
            found = sorted(int(hit["document"]["id"]) for hit in answer["hits"])
            assert found == patient_ids(session, criteria), criteria.canonical()


@pytest.mark.parametrize(
    "criteria",
    [
        {"tumour": {"topography": ["C50"], "morphology": ["8500/3"], "stage": ["II"]}},
        {"biomarker": {"code": ["KI67"], "value": {"min": 20}}},
        {"treatment": {"drug": ["L01FF"], "between": {"from": "2020-01-01"}}},
        {"none": [{"patient": {"ageAtDiagnosis": {"max": 50}}}]},
        {"tumour": {"topography": ["C50`] || sex:=[`male"]}},
        {"concept": {"system": "LOCAL", "code": ["PS:1"]}},
        {"tumour": {}},
        {"tumour": {"topography": []}},
    ],
)
def test_what_the_engine_cannot_answer_exactly_is_left_to_the_store(criteria: dict[str, Any]) -> None:
    assert engine_filter(parse_criteria(criteria)) is None
