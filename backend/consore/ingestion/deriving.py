"""From what the store holds to what people search: unread documents are read, pending patients structured and indexed.

These stages belong to no source: whichever run ends first brings everything up to date, one process at a time. They ask
the store what is left to do, so that they go on where a killed process stopped.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from consore.ingestion.lease import waiting_lease
from consore.ingestion.progress import Meter, Progress
from consore.ingestion.reading import ReadDocument, read_documents
from consore.ingestion.structuring import structure_and_save
from consore.model import Patient, PendingPatient, now
from consore.settings import Settings
from consore.store import Store

if TYPE_CHECKING:
    from consore.index import SearchIndex
    from consore.referentials import Terminology

BATCH = 100  # patients
StageSeen = Callable[[str], None]

log = structlog.get_logger("consore.ingestion")


@dataclass(slots=True)
class CaughtUp:
    """What could not be brought up to date: documents that broke the reader, patients whose history broke (and why)."""

    unread: list[ReadDocument] = field(default_factory=list)
    unstructured: dict[int, str] = field(default_factory=dict)


def catch_up(
    settings: Settings,
    store: Store,
    progress: Progress | None = None,
    *,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
    on_stage: StageSeen = lambda _: None,
) -> CaughtUp:
    """Read, structure and index whatever is left to do; gives what broke on the way and was gone round."""
    done = CaughtUp()
    with waiting_lease(store, "derive", stop):
        meter = Meter(progress, stop)
        on_stage("read")
        done.unread = read_documents(settings, store, meter, executor)
        on_stage("structure")
        _structure_and_index(settings, store, progress, stop, on_stage, done)
    return done


def remove_from_index(settings: Settings, patient_ids: list[int]) -> None:
    """Take patients out of the index at once: they are opposed."""
    with ExitStack() as stack:
        _index(settings, stack).delete_patients(patient_ids)


def record_opposition(settings: Settings, store: Store, ipp: str, opposed: bool) -> bool:
    """Note that a patient opposes the use of their data, or no longer does; False where no patient has this IPP.

    An opposed patient leaves the index at once; one who no longer is enters it again.
    """
    from consore.ingestion.intake import mark_pending

    with store.session() as session:
        patient_id = session.execute(select(_c(Patient.id)).where(_c(Patient.ipp) == ipp)).scalar()
        if patient_id is None:
            return False
        session.execute(update(Patient).where(_c(Patient.id) == patient_id).values(opposed=opposed, updated_at=now()))
        mark_pending(session, [patient_id])
    with ExitStack() as stack:
        index = _index(settings, stack)
        if opposed:
            index.delete_patients([patient_id])
        else:
            index.update_patients(store, [patient_id])
    return True


def _structure_and_index(
    settings: Settings,
    store: Store,
    progress: Progress | None,
    stop: threading.Event | None,
    on_stage: StageSeen,
    done: CaughtUp,
) -> None:
    from consore.referentials import terminology

    with store.session() as session:
        waiting = session.execute(select(func.count()).select_from(PendingPatient)).scalar_one()
    if not waiting:
        return
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    structured, indexed = Meter(progress, stop), Meter(progress, stop)
    structured.begin("structure", waiting)
    indexed.begin("index", waiting)
    with ExitStack() as stack:
        index = _index(settings, stack)
        for batch in _pending(store):
            on_stage("structure")
            with structured.working():
                broken = _structure(store, list(batch), terms)
            structured.advance(len(batch))
            done.unstructured.update(broken)
            ready = {patient_id: since for patient_id, since in batch.items() if patient_id not in broken}
            on_stage("index")
            with indexed.working():
                index.update_patients(store, list(ready))
            with store.session() as session:
                _clear(session, ready)
            indexed.advance(len(batch))
    structured.end()
    indexed.end()


def _structure(store: Store, patient_ids: list[int], terms: Terminology) -> dict[int, str]:
    """Structure some patients; gives those whose history broke: they stay pending, and keep their old history."""
    try:
        with store.session() as session:
            structure_and_save(session, patient_ids, terms)
        return {}
    except SQLAlchemyError:
        raise
    except Exception as error:  # one history must not keep the others back
        if len(patient_ids) == 1:
            log.exception("structure", patient=patient_ids[0])
            return {patient_ids[0]: f"{type(error).__name__}: {error}"}
    broken: dict[int, str] = {}
    for patient_id in patient_ids:
        broken |= _structure(store, [patient_id], terms)
    return broken


def _pending(store: Store) -> Iterator[dict[int, dt.datetime]]:
    """Pending patients in batches, each with the moment of the change that is being brought in."""
    last = 0
    while True:
        with store.session() as session:
            rows = session.execute(
                select(_c(PendingPatient.patient_id), _c(PendingPatient.since))
                .where(_c(PendingPatient.patient_id) > last)
                .order_by(_c(PendingPatient.patient_id))
                .limit(BATCH)
            )
            batch = dict(rows.all())
        if not batch:
            return
        last = max(batch)
        yield batch


def _clear(session: Session, batch: dict[int, dt.datetime]) -> None:
    """Only what was brought in: a patient who changed meanwhile stays pending."""
    done = [
        and_(_c(PendingPatient.patient_id) == patient_id, _c(PendingPatient.since) == since)
        for patient_id, since in batch.items()
    ]
    session.execute(delete(PendingPatient).where(or_(False, *done)))


def _index(settings: Settings, stack: ExitStack) -> SearchIndex:
    from consore.index import SearchIndex, ensure_engine

    return SearchIndex(stack.enter_context(ensure_engine(settings)))


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
