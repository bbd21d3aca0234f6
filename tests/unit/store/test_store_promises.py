"""The store gives the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, select

from consore.errors import ConfigurationError, StoreError
from consore.model import (
    Assertion,
    Document,
    DocumentMentions,
    Evidence,
    Mention,
    MentionKind,
    Patient,
    PendingPatient,
    Source,
    StructuredRecord,
    Tumour,
    TumourEvent,
    TumourEventSite,
    now,
    pack_mentions,
    unpack_mentions,
)
from consore.store import Store


def test_the_migrations_make_exactly_the_tables_of_the_model(store: Store) -> None:
    with store.engine.connect() as connection:
        ours = {"compare_type": False, "include_name": lambda name, kind, _: not _keeps_words(name, kind)}
        context = MigrationContext.configure(connection, opts=ours)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_upgrading_twice_changes_nothing(store: Store) -> None:
    before = store.revision()
    store.upgrade()
    assert store.revision() == before is not None


def test_what_is_written_in_a_session_is_read_in_the_next(store: Store) -> None:
    moment = now()
    with store.session() as session:
        session.add(Patient(ipp="42", family_name="Œdipe", birth_date=dt.date(1950, 2, 28), updated_at=moment))
    with store.session() as session:
        patient = session.exec(select(Patient)).one()
        assert (patient.family_name, patient.birth_date, patient.updated_at) == (
            "Œdipe",
            dt.date(1950, 2, 28),
            moment,
        )


def test_a_session_that_raises_writes_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.session() as session:  # noqa: PT012
        session.add(Patient(ipp="42"))
        session.flush()
        raise RuntimeError
    with store.session() as session:
        assert session.exec(select(Patient)).all() == []


def test_an_ipp_belongs_to_one_patient(store: Store) -> None:
    with pytest.raises(IntegrityError), store.session() as session:
        session.add_all([Patient(ipp="42"), Patient(ipp="42")])


def test_json_keeps_accents_and_structure(store: Store) -> None:
    options = {"columns": {"ipp": "Numéro"}, "rang": [1, 2.5, None, True]}
    with store.session() as session:
        session.add(Source(name="Fiches", kind="tumour_sheet", location="/extraits", options=options))
    with store.session() as session:
        assert session.exec(select(Source)).one().options == options


def test_the_mentions_of_a_document_come_back_as_they_went_in(store: Store) -> None:
    mention = Mention(
        start=3,
        end=6,
        text="HER2",
        kind=MentionKind.BIOMARKER,
        code="HER2",
        system="LOCAL",
        value="positive",
        assertion=Assertion.NEGATED,
        date=dt.date(2024, 3, 1),
    )
    with store.session() as session:
        patient = _patient(session, "42")
        document = Document(patient_id=patient.id, external_id="d", kind="pathology", text="…")
        session.add(document)
        session.flush()
        session.add(DocumentMentions(document_id=document.id, payload=pack_mentions([mention]), total=1))
    with store.session() as session:
        assert unpack_mentions(session.exec(select(DocumentMentions)).one().payload) == [mention]


def test_removing_a_patient_removes_all_that_is_theirs(store: Store) -> None:
    with store.session() as session:
        patient = _patient(session, "42")
        document = Document(patient_id=patient.id, external_id="d", kind="letter")
        tumour = Tumour(patient_id=patient.id, rank=1, topography="C50.4")
        session.add_all([document, tumour])
        session.flush()
        event = TumourEvent(patient_id=patient.id, tumour_id=tumour.id, type="initial")
        session.add(event)
        session.flush()
        session.add_all(
            [
                TumourEventSite(event_id=event.id, code="C50.4"),
                Evidence(patient_id=patient.id, item="tumour", item_id=tumour.id, quote="…"),
                DocumentMentions(document_id=document.id, payload=b""),
                PendingPatient(patient_id=patient.id),
                StructuredRecord(patient_id=patient.id, kind="biobank", external_id="b"),
            ]
        )
    with store.session() as session:
        session.delete(session.exec(select(Patient)).one())
    with store.session() as session:
        for table in (Document, DocumentMentions, Tumour, TumourEvent, TumourEventSite, Evidence, StructuredRecord):
            assert session.exec(select(table)).all() == [], table.__name__


def test_an_evidence_of_an_unknown_patient_is_refused(store: Store) -> None:
    with pytest.raises(IntegrityError), store.session() as session:
        session.add(Evidence(patient_id=999, item="tumour", item_id=1))


def test_threads_that_write_at_once_all_get_through(store: Store) -> None:
    failures: list[BaseException] = []

    def write(thread: int) -> None:
        try:
            for number in range(15):
                with store.session() as session:
                    session.add(Patient(ipp=f"{thread}-{number}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with store.session() as session:
        assert len(session.exec(select(Patient)).all()) == 60


def test_two_processes_may_make_the_tables_at_once(store: Store, tmp_path: Path) -> None:
    if store.dialect == "sqlite":
        url = f"sqlite:///{tmp_path}/new/consore.db"
    else:
        url = store.url
        with store.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_upgrade, args=(url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert Store(url).revision()


def test_an_unknown_kind_of_store_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match="CONSORE_DATABASE_URL"):
        Store("oracle://nowhere")


def test_a_store_that_is_not_there_says_what_to_check() -> None:
    with pytest.raises(StoreError, match="Check that it runs"):
        Store("postgresql://nobody@127.0.0.1:1/none").upgrade()


def _keeps_words(name: str | None, kind: str) -> bool:
    """Whether the database keeps the words of documents there, by itself."""
    return kind == "table" and str(name).startswith("documentwords")


def _patient(session, ipp: str) -> Patient:
    patient = Patient(ipp=ipp)
    session.add(patient)
    session.flush()
    return patient


def _upgrade(url: str) -> None:
    Store(url).upgrade()
