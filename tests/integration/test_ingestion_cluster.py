"""Documents are read on a Dask cluster just as they are here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from consore.errors import ComponentError, ConfigurationError
from consore.ingestion import reading
from consore.ingestion.progress import Meter
from consore.ingestion.reading import read_documents
from consore.ingestion.workers import cluster, readers
from consore.model import Document, DocumentMentions, Patient
from consore.settings import Settings
from consore.store import Store

pytestmark = pytest.mark.slow
distributed = pytest.importorskip("distributed", reason="consore[cluster] is not installed")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler and a worker, processes of their own."""
    folder = str(tmp_path_factory.mktemp("dask"))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=folder
    ) as started:
        yield started.scheduler_address


def fill(store: Store, number: int) -> None:
    with store.session() as session:
        session.add(Patient(ipp="1"))
        session.flush()
        for place in range(number):
            text = f"Adénocarcinome du côlon sigmoïde, pT{place % 4 + 1}N0M0. Pas de métastase hépatique."
            session.add(Document(patient_id=1, external_id=f"d{place}", kind="pathology", text=text, sha256=str(place)))


def mentions(store: Store) -> list[tuple[int, bytes, str]]:
    with store.session() as session:
        rows = session.exec(select(DocumentMentions).order_by(DocumentMentions.document_id))
        return [(row.document_id, row.payload, row.reader) for row in rows]


def test_a_cluster_reads_the_same_as_this_machine(
    scheduler: str, settings: Settings, store: Store, tmp_path: Path
) -> None:
    fill(store, 250)
    with readers(scheduler) as executor:
        assert read_documents(settings, store, Meter(), executor) == []
    there = mentions(store)
    assert len(there) == 250
    here = Store(f"sqlite:///{tmp_path / 'here.db'}")
    here.upgrade()
    fill(here, 250)
    read_documents(settings, here, Meter())
    assert mentions(here) == there
    here.close()


def test_what_is_sent_to_a_cluster_holds_no_secret(settings: Settings) -> None:
    secret = settings.model_copy(update={"database_url": "postgresql://u:geheim@h/d", "typesense_url": "http://t"})
    sent = json.loads(secret.model_dump_json(include=set(reading.OF_THE_READER)))
    assert set(sent) == {"home", "cache_dir", "referentials_dir", "language_profile"}


def test_a_reader_of_another_version_is_refused(settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    as_json = settings.model_dump_json(include=set(reading.OF_THE_READER))
    with pytest.raises(ConfigurationError, match="a process has the reader"):
        reading.read_pages(as_json, "another", [])


def test_a_cluster_that_is_not_there_says_so() -> None:
    with pytest.raises(ComponentError, match="no Dask scheduler"), cluster("tcp://127.0.0.1:9"):
        pass
