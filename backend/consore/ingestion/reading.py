"""The read stage: every document that the present reader has not read is read, by as many processes as allowed."""

from __future__ import annotations

import datetime as dt
import functools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select
from sqlmodel import Session

from consore.ingestion.intake import mark_pending
from consore.ingestion.progress import Meter
from consore.model import Document, DocumentMentions, pack_mentions
from consore.settings import Settings
from consore.store import Store

if TYPE_CHECKING:
    from consore.language import Reader

BATCH = 200  # documents
WORTH_A_POOL = 400  # documents below which starting processes costs more than it brings

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
    settings: Settings, store: Store, meter: Meter, executor: Executor | None = None
) -> list[ReadDocument]:
    """Read all that is unread and note their patients as pending; gives the documents that could not be read.

    `executor`: a cluster's, else processes of this machine. A document that breaks the reader is left without mentions.
    """
    version = _version(settings)
    with store.session() as session:
        total = session.execute(select(func.count()).select_from(Document).outerjoin(*_join).where(_unread(version)))
        waiting = total.scalar_one()
    if not waiting:
        return []
    meter.begin("read", waiting)
    failed: list[ReadDocument] = []
    with _workers(settings, waiting, executor) as workers:
        for batch in _read_pages(settings, _pages(store, version), workers):
            with store.session() as session:
                _save(session, batch, version)
            failed += [document for document in batch if document.failure]
            meter.advance(len(batch))
    meter.end()
    return failed


def read_pages(settings_json: str, pages: Sequence[Page]) -> list[ReadDocument]:
    """Read some pages in this process; the reader is loaded once. `settings_json`: of the node, without its secrets."""
    reader = _reader(settings_json)
    try:
        found = reader.read_many([page[3:] for page in pages])
        return [
            ReadDocument(*page[:3], pack_mentions(mentions), len(mentions))
            for page, mentions in zip(pages, found, strict=True)
        ]
    except Exception:  # one document must not take its neighbours with it: they are read one by one
        return [_read_alone(reader, page) for page in pages]


def _read_alone(reader: Reader, page: Page) -> ReadDocument:
    try:
        mentions = reader.read(*page[3:])
    except Exception as error:
        return ReadDocument(*page[:3], pack_mentions([]), 0, f"{type(error).__name__}: {error}"[:500])
    return ReadDocument(*page[:3], pack_mentions(mentions), len(mentions))


def _read_pages(
    settings: Settings, batches: Iterator[list[Page]], workers: Executor | None
) -> Iterator[list[ReadDocument]]:
    as_json = settings.model_dump_json()
    if workers is None:
        for batch in batches:
            yield read_pages(as_json, batch)
        return
    ahead: deque[tuple[list[Page], Future[list[ReadDocument]]]] = deque()
    broken = False
    for batch in batches:
        if broken:
            yield read_pages(as_json, batch)
            continue
        try:
            ahead.append((batch, workers.submit(read_pages, as_json, batch)))
        except BrokenExecutor:
            broken = True
            yield read_pages(as_json, batch)
        if len(ahead) > 2 * _processes(settings):
            yield _result(as_json, *ahead.popleft())
    while ahead:
        yield _result(as_json, *ahead.popleft())


def _result(settings_json: str, batch: list[Page], future: Future[list[ReadDocument]]) -> list[ReadDocument]:
    try:
        return future.result()
    except BrokenExecutor:  # a process was killed: what it had is read here
        return read_pages(settings_json, batch)


def _pages(store: Store, version: str) -> Iterator[list[Page]]:
    last = 0
    while True:
        with store.session() as session:
            rows = session.execute(
                select(Document.id, Document.patient_id, Document.sha256, Document.text, Document.kind, Document.date)  # type: ignore[call-overload]
                .outerjoin(*_join)
                .where(_unread(version), Document.id > last)
                .order_by(Document.id)
                .limit(BATCH)
            )
            pages = [tuple(row) for row in rows]
        if not pages:
            return
        last = pages[-1][0]
        yield pages


_join: Any = (DocumentMentions, DocumentMentions.document_id == Document.id)


def _unread(version: str) -> ColumnElement[bool]:
    reader: Any = DocumentMentions.reader
    return or_(reader.is_(None), and_(reader.is_not(None), reader != version))


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
    mark_pending(session, {one.patient_id for one in batch if one.document_id in there})


@contextmanager
def _workers(settings: Settings, documents: int, executor: Executor | None) -> Iterator[Executor | None]:
    if executor is not None:
        yield executor
    elif documents < WORTH_A_POOL or _processes(settings) == 1:
        yield None
    else:
        # A fresh interpreter each, not a fork: the API may call us from one of its threads.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(_processes(settings), mp_context=spawn, initializer=_end_with_parent) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, even once its parent was killed: end it then."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _processes(settings: Settings) -> int:
    return settings.read_processes or os.cpu_count() or 1


def _version(settings: Settings) -> str:
    return _reader(settings.model_dump_json()).version


@functools.lru_cache(maxsize=2)
def _reader(settings_json: str) -> Reader:
    from consore.language import Reader

    settings = Settings.model_validate_json(settings_json)
    return Reader.load(settings, profile=settings.language_profile)
