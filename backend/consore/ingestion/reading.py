"""The read stage: every document that the present reader has not read is read, by as many processes as allowed.

Documents wait in the store, where no kill loses them; no more than a few batches are on their way at once. The readers
get texts and give mentions: they need the referentials, neither the store nor a secret, so that they may be processes
of this machine or of a cluster.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, tuple_
from sqlmodel import Session

from consore.errors import ComponentError, ConfigurationError
from consore.ingestion.patience import transact
from consore.ingestion.progress import Meter
from consore.ingestion.taken import mark_pending
from consore.ingestion.workers import LOST, local_processes, processes
from consore.model import Checkpoint, Document, DocumentMentions, PendingPatient, now, pack_mentions
from consore.settings import Settings, load_settings
from consore.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from consore.language import Reader

BATCH = 100  # documents
WORTH_A_POOL = 400  # documents below which starting processes costs more than it brings
LOOK_AGAIN = 0.25  # seconds between two looks for documents while sources are being read
OF_THE_READER = frozenset({"home", "cache_dir", "referentials_dir", "language_profile"})

Page = tuple[int, int, str, str, str | None, dt.date | None]  # document, patient, sha256, text, kind, date


@dataclass(slots=True, frozen=True)
class ReadDocument:
    """The mentions of one document, packed; `failure` says why there are none."""

    document_id: int
    patient_id: int
    sha256: str  # of the content that was read
    payload: bytes
    total: int
    failure: str = ""


def read_documents(
    settings: Settings,
    store: Store,
    meter: Meter,
    executor: Executor | None = None,
    *,
    coming: Callable[[], bool] = lambda: False,
) -> list[ReadDocument]:
    """Read all that is unread and note their patients as pending; gives the documents that could not be read.

    `executor`: a cluster's, else processes of this machine. `coming`: whether sources are still being read; what they
    give meanwhile is read at once. A document that breaks the reader is left without mentions.
    """
    stage = _Stage(settings, store, meter, executor)
    with stage.workers:
        stage.read_new(coming)
        stage.read_the_rest()
    stage.remember()
    return stage.failed


def unread(version: str) -> ColumnElement[bool]:
    """Whether a document, outer-joined to its mentions, is to be read by this version of the reader."""
    reader: Any = DocumentMentions.reader
    return or_(reader.is_(None), and_(reader.is_not(None), reader != version))


def reader_version(settings: Settings) -> str:
    """The version of the reader of a node."""
    from consore.language import Reader

    return Reader.version_of(settings)


class _Stage:
    """One reading of what is unread."""

    def __init__(self, settings: Settings, store: Store, meter: Meter, executor: Executor | None) -> None:
        self.settings = settings
        self.store = store
        self.meter = meter
        self.version = reader_version(settings)
        self.known = _seen_by_all(store) == self.version
        self.failed: list[ReadDocument] = []
        self.workers = ExitStack()
        self._executor = executor
        self._as_json = settings.model_dump_json(include=set(OF_THE_READER))
        self._ahead: deque[tuple[list[Page], Future[list[ReadDocument]]]] = deque()
        self._found = 0
        self._begun = False

    def read_new(self, coming: Callable[[], bool]) -> None:
        """Read what comes in while sources are read, in the order in which it comes."""
        if not coming():
            return
        last = _last_document(self.store)
        while coming():
            pages = self._pages(Document.id > last, (Document.id,), BATCH)  # type: ignore[operator]
            if len(pages) < BATCH:
                self.meter.advance(0)  # raises where someone asks to stop
                time.sleep(LOOK_AGAIN)
                continue
            last = pages[-1][0]
            self._expect(len(pages))
            self._read(pages, self._left_after(last))
        self._finish()

    def read_the_rest(self) -> None:
        """Read what is unread, patient by patient, until nothing is: a text may change while it is read."""
        while True:
            waiting = self._count()
            if not waiting:
                break
            self._expect(waiting)
            place = (0, 0)
            while pages := self._pages(
                tuple_(Document.patient_id, Document.id) > place,  # type: ignore[arg-type]
                (Document.patient_id, Document.id),
                BATCH,
            ):
                place = (pages[-1][1], pages[-1][0])
                waiting -= len(pages)
                self._read(pages, waiting)
            self._finish()
        if self._begun:
            self.meter.end()

    def remember(self) -> None:
        """All documents were read by this version: next time only those of pending patients are looked at."""
        if not self.known:
            transact(self.store, lambda session: _remember(session, self.version))

    # --- Reading ------------------------------------------------------------------------------------------

    def _read(self, pages: list[Page], left: int) -> None:
        """Have a batch read, by others where `left` more documents make it worth while."""
        if self._executor is None and len(pages) + left >= WORTH_A_POOL and processes(self.settings) > 1:
            self._executor = self.workers.enter_context(local_processes(self.settings))
        if self._executor is None:
            self._keep(read_pages(self._as_json, self.version, pages))
            return
        try:
            self._ahead.append((pages, self._executor.submit(read_pages, self._as_json, self.version, pages)))
        except LOST:  # the processes were killed: what they had is read here
            self._executor = None
            self._finish()
            self._keep(read_pages(self._as_json, self.version, pages))
        while len(self._ahead) > 2 * processes(self.settings, self._executor):
            self._keep(self._result(*self._ahead.popleft()))

    def _finish(self) -> None:
        while self._ahead:
            self._keep(self._result(*self._ahead.popleft()))

    def _result(self, pages: list[Page], future: Future[list[ReadDocument]]) -> list[ReadDocument]:
        try:
            return future.result()
        except LOST:
            return read_pages(self._as_json, self.version, pages)
        except ConfigurationError:
            raise
        except Exception as error:
            raise ComponentError(
                f"The readers cannot read ({type(error).__name__}: {error}).",
                "Install the same Consore where they run: ops/README.md.",
            ) from error

    def _keep(self, read: list[ReadDocument]) -> None:
        transact(self.store, lambda session: _save(session, read, self.version))
        self.failed += [document for document in read if document.failure]
        self.meter.advance(len(read))

    def _expect(self, documents: int) -> None:
        self._found += documents
        if not self._begun:
            self._begun = True
            self.meter.begin("read", self._found)
        self.meter.expect(self._found)

    # --- What is unread -----------------------------------------------------------------------------------

    def _pages(self, where: Any, order: tuple[Any, ...], limit: int) -> list[Page]:
        columns = (
            Document.id,
            Document.patient_id,
            Document.sha256,
            Document.text,
            Document.kind,
            Document.date,
        )
        statement = (
            select(*columns)  # type: ignore[call-overload]
            .outerjoin(*_join)
            .where(where, unread(self.version), *self._of_pending())
            .order_by(*order)
            .limit(limit)
        )
        return transact(self.store, lambda session: [tuple(row) for row in session.execute(statement)])

    def _count(self) -> int:
        statement = select(func.count()).select_from(Document).outerjoin(*_join)
        statement = statement.where(unread(self.version), *self._of_pending())
        return transact(self.store, lambda session: int(session.execute(statement).scalar_one()))

    def _left_after(self, last: int) -> int:
        statement = select(func.count()).select_from(Document).where(_c(Document.id) > last)
        return transact(self.store, lambda session: int(session.execute(statement).scalar_one()))

    def _of_pending(self) -> list[ColumnElement[bool]]:
        """A document is unread only where its patient is pending, unless the reader itself is new."""
        return [_c(Document.patient_id).in_(select(_c(PendingPatient.patient_id)))] if self.known else []


_join: Any = (DocumentMentions, DocumentMentions.document_id == Document.id)


# --- In the processes that read -------------------------------------------------------------------------------


def read_pages(settings_json: str, version: str, pages: Sequence[Page]) -> list[ReadDocument]:
    """Read some pages in this process; the reader is loaded once.

    `settings_json`: what a reader needs of the node's settings. Raises ConfigurationError where the reader here is not
    of that `version`.
    """
    reader = _reader(settings_json)
    if reader.version != version:
        raise ConfigurationError(
            f"Documents are read by the reader {version}, and a process has the reader {reader.version}.",
            "If referentials were imported meanwhile, read again. On a cluster, give its machines the same Consore and "
            "the folders `referentials` and `tagger` of this node: ops/README.md.",
        )
    try:
        from consore.language.sentences import sentences

        found = reader.read_many([page[3:] for page in pages])
        return [
            ReadDocument(*page[:3], pack_mentions(mentions, sentences(page[3])), len(mentions))
            for page, mentions in zip(pages, found, strict=True)
        ]
    except Exception:  # one document must not take its neighbours with it: they are read one by one
        return [_read_alone(reader, page) for page in pages]


def _read_alone(reader: Reader, page: Page) -> ReadDocument:
    from consore.language.sentences import sentences

    try:
        mentions = reader.read(*page[3:])
    except Exception as error:
        return ReadDocument(*page[:3], b"", 0, f"{type(error).__name__}: {error}"[:500])
    return ReadDocument(*page[:3], pack_mentions(mentions, sentences(page[3])), len(mentions))


@functools.lru_cache(maxsize=2)
def _reader(settings_json: str) -> Reader:
    from consore.language import Reader

    settings = Settings.model_validate_json(settings_json)
    if not settings.home.is_dir():  # a machine of a cluster: it has a home of its own
        settings = load_settings()
    return Reader.load(settings, profile=settings.language_profile)


# --- In the store ---------------------------------------------------------------------------------------------


def _save(session: Session, batch: list[ReadDocument], version: str) -> None:
    ids = [document.document_id for document in batch]
    # A newer text may have been put in its place while a document was read: what was read of the old one is dropped.
    held = session.execute(select(Document.id, Document.sha256).where(Document.id.in_(ids)))  # type: ignore[union-attr, call-overload]
    read = {(one.document_id, one.sha256) for one in batch}
    there = {row.id for row in held if (row.id, row.sha256) in read}
    session.execute(delete(DocumentMentions).where(DocumentMentions.document_id.in_(ids)))  # type: ignore[attr-defined]
    rows = [
        {"document_id": one.document_id, "payload": one.payload, "total": one.total, "reader": version}
        for one in batch
        if one.document_id in there
    ]
    if rows:
        session.execute(insert(DocumentMentions), rows)
    owners = select(_c(Document.patient_id)).where(_c(Document.id).in_(there)).distinct()
    mark_pending(session, session.scalars(owners))  # who they are now: identities may have been merged meanwhile


def _last_document(store: Store) -> int:
    return transact(store, lambda session: session.execute(select(func.max(Document.id))).scalar() or 0)


_SEEN = "reader"  # the checkpoint: the version by which every document was read


def _seen_by_all(store: Store) -> str:
    def look(session: Session) -> str:
        held = session.get(Checkpoint, _SEEN)
        return held.value if held else ""

    return transact(store, look)


def _remember(session: Session, version: str) -> None:
    session.merge(Checkpoint(key=_SEEN, value=version, updated_at=now()))


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
