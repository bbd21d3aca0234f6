"""From what the store holds to what people search: unread documents are read, pending patients structured and indexed.

These stages belong to no source: whichever run ends first brings everything up to date, one process at a time. They ask
the store what is left to do, so that they go on where a killed process stopped.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from consore.errors import StoreError
from consore.ingestion.lease import waiting_lease
from consore.ingestion.patience import transact, with_engine
from consore.ingestion.progress import Meter, Progress, Signal, Stopped
from consore.ingestion.reading import ReadDocument, read_documents, reader_version, unread
from consore.ingestion.structuring import structure_and_save
from consore.ingestion.taken import mark_pending
from consore.model import Document, DocumentMentions, Patient, PendingPatient, now
from consore.settings import Settings
from consore.store import Store

if TYPE_CHECKING:
    from consore.index import SearchIndex
    from consore.referentials import Terminology

BATCH = 100  # patients
LOOK_AGAIN = 1.0  # seconds between two looks for patients all of whose documents are read
StageSeen = Callable[[str], None]

log = structlog.get_logger("consore.ingestion")


@dataclass(slots=True)
class CaughtUp:
    """What could not be brought up to date: documents that broke the reader, patients whose history broke (and why)."""

    unread: list[ReadDocument] = field(default_factory=list)
    unstructured: dict[int, str] = field(default_factory=dict)


class Derivation:
    """Brings everything up to date, beside the reading of sources: what they give is read while they give more.

    Used as a context; `result` says that no more comes, and waits for the end.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        progress: Progress | None = None,
        *,
        stop: Signal | None = None,
        executor: Executor | None = None,
        on_stage: StageSeen = lambda _: None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.progress = progress
        self.executor = executor
        self.on_stage = on_stage
        self.done = CaughtUp()
        self._signal = _Either(stop)
        self._no_more = threading.Event()
        self._read = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._guarded, args=(self._read_all,), name="read", daemon=True)

    def __enter__(self) -> Derivation:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._signal.set()
        self._no_more.set()
        self._thread.join()

    def result(self) -> CaughtUp:
        """Wait until everything is up to date; gives what broke on the way. Raises what stopped it."""
        self._no_more.set()
        self._thread.join()
        if self._errors:
            raise next((error for error in self._errors if not isinstance(error, Stopped)), self._errors[0])
        return self.done

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._errors.append(error)
            self._signal.set()

    def _read_all(self) -> None:
        """The read stage, then, as soon as no source gives more, beside it the structuring of who is wholly read."""
        with waiting_lease(self.store, "derive", self._signal):
            structuring = threading.Thread(
                target=self._guarded, args=(self._structure_all,), name="structure", daemon=True
            )
            structuring.start()
            try:
                meter = Meter(self.progress, self._signal)
                self.on_stage("read")
                self.done.unread = read_documents(
                    self.settings, self.store, meter, self.executor, coming=lambda: not self._no_more.is_set()
                )
            except BaseException:
                self._signal.set()
                raise
            finally:
                self._read.set()
                structuring.join()

    def _structure_all(self) -> None:
        while not self._no_more.wait(LOOK_AGAIN):
            if self._signal.is_set():
                return
        _structure_and_index(self)

    @property
    def all_read(self) -> bool:
        """Whether the read stage is over."""
        return self._read.is_set()

    @property
    def signal(self) -> Signal:
        """Whether to stop."""
        return self._signal


class _Either:
    """Someone asked to stop, or one part failed and the others stop with it."""

    def __init__(self, other: Signal | None) -> None:
        self._own = threading.Event()
        self._other = other

    def is_set(self) -> bool:
        return self._own.is_set() or (self._other is not None and self._other.is_set())

    def set(self) -> None:
        self._own.set()


def catch_up(
    settings: Settings,
    store: Store,
    progress: Progress | None = None,
    *,
    stop: Signal | None = None,
    executor: Executor | None = None,
    on_stage: StageSeen = lambda _: None,
) -> CaughtUp:
    """Read, structure and index whatever is left to do; gives what broke on the way and was gone round."""
    with Derivation(settings, store, progress, stop=stop, executor=executor, on_stage=on_stage) as derivation:
        return derivation.result()


def remove_from_index(settings: Settings, patient_ids: list[int]) -> None:
    """Take patients out of the index at once: they are opposed."""

    def take_out() -> None:
        with ExitStack() as stack:
            _index(settings, stack).delete_patients(patient_ids)

    with_engine(take_out)


def record_opposition(settings: Settings, store: Store, ipp: str, opposed: bool) -> bool:
    """Note that a patient opposes the use of their data, or no longer does; False where no patient has this IPP.

    An opposed patient leaves the index at once; one who no longer is enters it again.
    """
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


def _structure_and_index(all_of: Derivation) -> None:
    from consore.referentials import terminology

    settings, store, stop = all_of.settings, all_of.store, all_of.signal
    version = reader_version(settings)
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    structured, indexed = Meter(all_of.progress, stop), Meter(all_of.progress, stop)
    found = 0
    with ExitStack() as stack:
        index: SearchIndex | None = None
        for batch, waiting in _pending(all_of, version):
            if index is None:
                index = with_engine(lambda: _index(settings, stack), stop)
                structured.begin("structure", waiting)
                indexed.begin("index", waiting)
            for meter in (structured, indexed):
                meter.expect(found + waiting)
            found += len(batch)
            all_of.on_stage("structure")
            with structured.working():
                broken = _structure(store, list(batch), terms, stop)
            structured.advance(len(batch))
            all_of.done.unstructured.update(broken)
            ready = {patient_id: since for patient_id, since in batch.items() if patient_id not in broken}
            all_of.on_stage("index")
            with indexed.working():
                _index_batch(index, store, list(ready), stop)
            transact(store, lambda session, done=ready: _clear(session, done), stop)  # type: ignore[misc]
            indexed.advance(len(batch))
        if index is not None:
            structured.end()
            indexed.end()


def _index_batch(index: SearchIndex, store: Store, patient_ids: list[int], stop: Signal) -> None:
    with_engine(lambda: index.update_patients(store, patient_ids), stop)


def _structure(store: Store, patient_ids: list[int], terms: Terminology, stop: Signal) -> dict[int, str]:
    """Structure some patients; gives those whose history broke: they stay pending, and keep their old history."""
    try:
        transact(store, lambda session: structure_and_save(session, patient_ids, terms), stop)
        return {}
    except (SQLAlchemyError, StoreError, Stopped):
        raise
    except Exception as error:  # one history must not keep the others back
        if len(patient_ids) == 1:
            log.exception("structure", patient=patient_ids[0])
            return {patient_ids[0]: f"{type(error).__name__}: {error}"}
    broken: dict[int, str] = {}
    for patient_id in patient_ids:
        broken |= _structure(store, [patient_id], terms, stop)
    return broken


def _pending(all_of: Derivation, version: str) -> Iterator[tuple[dict[int, dt.datetime], int]]:
    """Pending patients all of whose documents are read, in batches, each with the moment of the change that is being
    brought in; and how many are pending. Goes round until everything is read and nobody is left.
    """
    while True:
        over, last, found = all_of.all_read, 0, 0
        while True:
            batch, waiting = transact(all_of.store, lambda session: _ready(session, version, last), all_of.signal)  # noqa: B023
            if not batch or (len(batch) < BATCH and not over):
                break
            last = max(batch)
            fresh = {one: since for one, since in batch.items() if one not in all_of.done.unstructured}
            if fresh:
                found += len(fresh)
                yield fresh, waiting
        if over and not found:
            return
        if all_of.signal.is_set():
            raise Stopped("The reading was stopped.", "The next one goes on from there.")
        if not over:
            time.sleep(LOOK_AGAIN)


def _ready(session: Session, version: str, last: int) -> tuple[dict[int, dt.datetime], int]:
    to_read = (
        select(_c(Document.id))
        .outerjoin(DocumentMentions, _c(DocumentMentions.document_id) == _c(Document.id))
        .where(_c(Document.patient_id) == _c(PendingPatient.patient_id), unread(version))
    )
    rows = session.execute(
        select(_c(PendingPatient.patient_id), _c(PendingPatient.since))
        .where(_c(PendingPatient.patient_id) > last, ~to_read.exists())
        .order_by(_c(PendingPatient.patient_id))
        .limit(BATCH)
    )
    batch = dict(rows.all())
    waiting = session.execute(select(func.count()).select_from(PendingPatient)).scalar_one()
    return batch, int(waiting)


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
