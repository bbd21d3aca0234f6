"""The index follows the store: whole rebuilds behind an alias, one patient at a time in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dossiers import Person, write
from engines import PROGRAMS, engine_settings
from sqlmodel import select

from consore.errors import SearchEngineError
from consore.index import SearchIndex, TypesenseServer
from consore.model import Document, Patient
from consore.settings import load_settings
from consore.store import Store

PEOPLE = [
    Person(
        "A1",
        tumours=[{"topography": "C50.4", "morphology": "8500/3", "stage": "IIA", "diagnosis_date": "2019-03-01"}],
        documents=[("consultation", "2019-03-02", "Carcinome du sein gauche. Pas de {{métastase}} hépatique.")],
    ),
    Person(
        "A2",
        sex="male",
        tumours=[{"topography": "C34.1", "morphology": "8140/3", "stage": "IV", "diagnosis_date": "2021-06-01"}],
        documents=[("imaging", "2021-06-02", "Masse du lobe supérieur. Dyspnée."), ("rcp", "2021-06-09", "Palliatif.")],
    ),
    Person("A3", opposed=True, documents=[("letter", "2022-01-01", "Carcinome du sein droit.")]),
    Person("A4"),
]


@pytest.fixture
def index(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SearchIndex]:
    code = f"COLL{abs(hash(request.node.name)) % 10**8}"
    with TypesenseServer(engine_settings(code, tmp_path / "node")) as engine:
        made = SearchIndex(engine)
        yield made
        made.drop()


def hits(index: SearchIndex, collection: str, **parameters: object) -> list[dict[str, object]]:
    answer = index.search({"collection": collection, "q": "*", **parameters})[0]
    return [hit["document"] for hit in answer["hits"]]


def test_a_rebuild_holds_every_patient_and_document_but_the_opposed(index: SearchIndex, store: Store) -> None:
    write(store, PEOPLE)
    seen: list[tuple[int, int]] = []
    check = index.rebuild(store, progress=lambda done, total: seen.append((done, total)))
    assert check.agrees
    assert (check.patients_in_index, check.documents_in_index) == (3, 3)
    assert seen[-1] == (3, 3)


def test_a_code_is_found_by_what_it_begins_with(index: SearchIndex, store: Store) -> None:
    ids = write(store, PEOPLE)
    index.rebuild(store)
    for code in ("C50", "C50.4"):
        found = hits(index, index.patients, filter_by=f"topography:=[`{code}`]")
        assert [item["id"] for item in found] == [str(ids["A1"])]
    assert hits(index, index.patients, filter_by="topography:=[`C5`]&&stage:=[`IV`]") == []


def test_a_denied_sentence_is_kept_apart(index: SearchIndex, store: Store) -> None:
    write(store, PEOPLE)
    index.rebuild(store)
    assert hits(index, index.documents, q="metastase", query_by="body", num_typos=0) == []
    assert len(hits(index, index.documents, q="metastase", query_by="other", num_typos=0)) == 1


def test_a_second_rebuild_replaces_the_first_and_leaves_nothing_behind(index: SearchIndex, store: Store) -> None:
    write(store, PEOPLE)
    index.rebuild(store)
    index.rebuild(store)
    ours = [name for name in index.engine.counts() if name.startswith(index.patients)]
    assert len(ours) == 1


def test_an_update_follows_changes_deletions_and_oppositions(index: SearchIndex, store: Store) -> None:
    ids = write(store, PEOPLE)
    assert index.update_patients(store, ids.values()) == 3
    assert index.check(store).agrees

    with store.session() as session:
        session.get_one(Patient, ids["A1"]).opposed = True
        session.delete(session.exec(select(Document).where(Document.kind == "rcp")).one())
    index.update_patients(store, [ids["A1"], ids["A2"], 999_999])
    check = index.check(store)
    assert check.agrees
    assert (check.patients_in_index, check.documents_in_index) == (2, 1)


def test_an_index_that_was_never_built_answers_with_nothing(index: SearchIndex, store: Store) -> None:
    assert hits(index, index.patients) == []
    assert not index.check(store).agrees


def test_what_was_indexed_patient_by_patient_is_there_after_each_restart(tmp_path: Path, store: Store) -> None:
    ids = write(store, PEOPLE)
    settings = load_settings(home=tmp_path / "node", cache_dir=PROGRAMS)
    with TypesenseServer(settings) as engine:
        SearchIndex(engine).update_patients(store, ids.values())
    for _ in range(3):  # the engine does its writes again at each start, in parallel
        with TypesenseServer(settings) as engine:
            assert SearchIndex(engine).check(store).agrees


def test_a_refused_record_is_an_error_and_the_old_index_stays(
    index: SearchIndex, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, PEOPLE)
    index.rebuild(store)
    import consore.index.collections as collections

    monkeypatch.setattr(collections, "patient_record", lambda traits: {"id": "1", "sex": 3.5, "vector": [1.0]})
    with pytest.raises(SearchEngineError, match="refused"):
        index.rebuild(store)
    assert index.check(store).agrees


def test_what_the_engine_refuses_to_search_is_an_error_of_ours(index: SearchIndex, store: Store) -> None:
    write(store, PEOPLE)
    index.rebuild(store)
    with pytest.raises(SearchEngineError, match="refuses a search"):
        hits(index, index.patients, filter_by="no_such_field:=1")
