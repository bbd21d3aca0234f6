"""What `consore bench history` measures of a whole store: histories rebuilt from its rows and put back into it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

from sqlalchemy import insert

from consore.ingestion.deriving import BATCH
from consore.ingestion.structuring import structure_and_save
from consore.language.sentences import sentences
from consore.model import Document, DocumentMentions, Dossier, Patient, pack_mentions
from consore.referentials import Terminology
from consore.store import Store


def rebuilt_in_a_store(dossiers: Sequence[Dossier], terminology: Terminology, rounds: int) -> float:
    """CPU seconds in which the histories of these patients are rebuilt in a SQLite store: read, structured, written.

    The first time, when nothing is there to replace, does not count.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'bench.db'}")
        store.upgrade()
        patients = _kept(store, dossiers)
        _rebuild(store, patients, terminology)
        started = process_time()
        for _ in range(rounds):
            _rebuild(store, patients, terminology)
        spent = (process_time() - started) / rounds
        store.close()
    return spent


def _rebuild(store: Store, patients: Sequence[int], terminology: Terminology) -> None:
    for place in range(0, len(patients), BATCH):
        with store.session() as session:
            structure_and_save(session, patients[place : place + BATCH], terminology)


def _kept(store: Store, dossiers: Sequence[Dossier]) -> list[int]:
    """Keep patients and what was read of their documents; gives the identifiers of the patients."""
    documents = [(number, one) for number, dossier in enumerate(dossiers, start=1) for one in dossier.documents]
    with store.session() as session:
        session.execute(
            insert(Patient),
            [
                {"id": number, "ipp": one.patient_id, "sex": one.sex.value}
                for number, one in enumerate(dossiers, start=1)
            ],
        )
        session.execute(
            insert(Document),
            [
                {"id": place, "patient_id": number, "external_id": one.id, "kind": one.kind.value, "date": one.date}
                | {"title": "", "text": one.text}
                for place, (number, one) in enumerate(documents, start=1)
            ],
        )
        session.execute(
            insert(DocumentMentions),
            [
                {"document_id": place, "total": len(one.mentions)}
                | {"payload": pack_mentions(one.mentions, sentences(one.text)), "reader": ""}
                for place, (_, one) in enumerate(documents, start=1)
            ],
        )
    return list(range(1, len(dossiers) + 1))
