"""The words of documents are found as soon as these are stored, and no longer than they are."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlmodel import col
from stores import downgrade

from consore.model import Document, Patient
from consore.store import Store
from consore.store.words import documents_with
from consore.text import tokens_for_index


@pytest.fixture(autouse=True)
def _patients(store: Store) -> None:
    with store.session() as session:
        session.add_all([Patient(id=1, ipp="1"), Patient(id=2, ipp="2")])


def found(store: Store, *phrases: str) -> list[str]:
    with store.session() as session:
        kept = documents_with(phrases)
        wanted = select(col(Document.external_id)).join(kept, kept.c.document_id == col(Document.id))
        return sorted(session.execute(wanted).scalars())


def keep(store: Store, **texts: str) -> None:
    with store.session() as session:
        rows = [
            {"patient_id": 1, "external_id": name, "kind": "letter", "text": words} for name, words in texts.items()
        ]
        session.execute(insert(Document), rows)


def test_words_are_found_in_any_order_and_phrases_in_theirs(store: Store) -> None:
    keep(store, a="Métastases hépatiques d’un adénocarcinome.", b="Hépatique : pas de métastase.")
    assert found(store, "metastase", "hepatique") == ["a", "b"]
    assert found(store, "metastase hepatique") == ["a"]
    assert found(store, "poumon") == []


def test_a_document_that_is_added_as_an_object_is_found(store: Store) -> None:
    with store.session() as session:
        session.add(Document(patient_id=1, external_id="a", kind="letter", text="Nodule pulmonaire"))
    assert found(store, "nodule") == ["a"]


def test_a_text_that_changes_is_found_by_its_new_words_alone(store: Store) -> None:
    keep(store, a="Nodule bénin", b="Kyste bénin")
    with store.session() as session:
        session.execute(update(Document).where(col(Document.external_id) == "a").values(text="Kyste malin"))
        session.execute(update(Document).where(col(Document.external_id) == "b").values(title="Autre titre"))
    assert found(store, "nodule") == []
    assert found(store, "kyste") == ["a", "b"]
    assert found(store, "benin") == ["b"]


def test_the_words_of_a_patient_who_is_gone_are_gone(store: Store) -> None:
    keep(store, a="Nodule")
    with store.session() as session:
        session.execute(delete(Patient).where(col(Patient.id) == 1))
    with store.session() as session:  # its number is given to another document
        session.add(Document(patient_id=2, external_id="b", kind="letter", text="Kyste"))
    assert found(store, "nodule") == []
    assert found(store, "kyste") == ["b"]


def test_nothing_of_a_transaction_that_fails_is_found(store: Store) -> None:
    with pytest.raises(RuntimeError), store.session() as session:  # noqa: PT012
        session.add(Document(patient_id=1, external_id="a", kind="letter", text="Nodule"))
        session.flush()
        raise RuntimeError
    assert found(store, "nodule") == []


@pytest.mark.parametrize(
    "odd", ["", "\x01", "l'\\'œil « droit »", "😀 緑 ﬁbrose", "a" * 3000, "de " * 20_000 + "fin", '" OR *', "NEAR(a b)"]
)
def test_any_text_can_be_stored_and_its_last_word_found(store: Store, odd: str) -> None:
    keep(store, a=odd)
    words = tokens_for_index(odd).split()
    assert not words or found(store, words[-1]) == ["a"]


def test_documents_that_were_there_before_are_found_after_the_upgrade(store: Store) -> None:
    keep(store, **{f"d{number}": f"Nodule numéro n{number}" for number in range(450)})
    downgrade(store, "006")
    store.upgrade()
    assert len(found(store, "nodule")) == 450
    assert found(store, "n449") == ["d449"]


def test_the_index_agrees_with_the_texts(store: Store) -> None:
    if store.dialect != "sqlite":
        pytest.skip("SQLite checks its index against the texts by itself")
    keep(store, a="Nodule", b="Kyste")
    with store.session() as session:
        session.execute(update(Document).values(text="Autre chose"))
        session.execute(delete(Document).where(col(Document.external_id) == "b"))
        session.execute(text("INSERT INTO documentwords(documentwords, rank) VALUES ('integrity-check', 1)"))
