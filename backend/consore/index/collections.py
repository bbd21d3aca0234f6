"""The index of a node: two collections behind aliases, filled from the store, one patient at a time.

The store is right, the index follows: it can be thrown away and rebuilt at any time. A rebuild fills new collections
beside the old ones, counts them, and only then points the aliases to them, so that nobody ever searches half an index.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from typesense.exceptions import ObjectNotFound

from consore.errors import SearchEngineError
from consore.index.records import DOCUMENT_FIELDS, LAYOUT, PATIENT_FIELDS, document_record, patient_record
from consore.index.server import TypesenseServer
from consore.index.synonyms import put_synonyms
from consore.index.traits import load_traits
from consore.model import Document, DocumentMentions, Patient, unpack_mentions
from consore.referentials import Terminology, terminology
from consore.store import Store

BATCH = 200  # patients read, written and acknowledged at a time
SEARCHES_AT_ONCE = 50  # the engine's own limit for one request

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """What the store holds and what the index holds. `missing` and `superfluous` are patients."""

    patients_in_store: int
    patients_in_index: int
    documents_in_store: int
    documents_in_index: int
    current_layout: bool

    @property
    def agrees(self) -> bool:
        """Whether the index holds what the store holds, in today's layout."""
        return (
            self.current_layout
            and self.patients_in_store == self.patients_in_index
            and self.documents_in_store == self.documents_in_index
        )


class SearchIndex:
    """The `patients` and `documents` of one node in the engine.

    On a server of your own that several centres share, the aliases begin with the centre's code.
    """

    def __init__(self, engine: TypesenseServer, *, prefix: str | None = None) -> None:
        self.engine = engine
        if prefix is None:
            prefix = re.sub(r"\W+", "_", engine.settings.centre_code.lower()) + "_" if engine.external else ""
        self.patients = f"{prefix}patients"
        self.documents = f"{prefix}documents"

    # --- Asking -------------------------------------------------------------------------------------------

    def search(self, *searches: dict[str, Any]) -> list[dict[str, Any]]:
        """The answers to searches sent together (50 at most), in order.

        Each names its `collection` (an alias). An index that was never built answers with nothing.
        Raises SearchEngineError where the engine refuses one.
        """
        if len(searches) > SEARCHES_AT_ONCE:
            raise ValueError(f"at most {SEARCHES_AT_ONCE} searches at a time")
        answers: list[dict[str, Any]] = self.engine.call(
            lambda client: client.multi_search.perform({"searches": list(searches)}, {})
        )["results"]
        for number, answer in enumerate(answers):
            if answer.get("error") == "Not found.":  # the collection; an unknown field is a 404 too, in other words
                answers[number] = {"found": 0, "hits": [], "grouped_hits": [], "facet_counts": []}
            elif "error" in answer:
                raise SearchEngineError(
                    f"The search engine refuses a search: {answer['error']}.", "Ask in other words, or report this."
                )
        return answers

    # --- Following the store ------------------------------------------------------------------------------

    def rebuild(self, store: Store, words: Terminology | None = None, progress: Progress | None = None) -> IndexCheck:
        """Build both collections anew from the store and switch to them; the old ones serve until then.

        `words`: the terminology whose synonyms are given to the engine, by default the node's.
        `progress(done, total)` is told after each batch of patients.
        Raises SearchEngineError, and leaves the old index as it was, where a record is refused or the counts differ.
        """
        with self._alone():
            stamp = f"{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S%f}"
            patients, documents = self._create(stamp)
            try:
                written = self._fill(store, patients, documents, progress)
                found = self.engine.counts()
                if (found.get(patients), found.get(documents)) != written:
                    raise SearchEngineError(
                        f"The new index holds {found.get(patients)} patients and {found.get(documents)} documents, "
                        f"{written[0]} and {written[1]} were written. The old one was kept.",
                        "Run `consore index rebuild` again.",
                    )
                put_synonyms(self.engine, documents, words or self._terminology())
            except BaseException:
                with contextlib.suppress(Exception):
                    self._drop(patients)
                    self._drop(documents)
                raise
            for alias, target in ((self.patients, patients), (self.documents, documents)):
                old = self._target(alias)
                self.engine.call(lambda c, a=alias, t=target: c.aliases.upsert(a, {"collection_name": t}))
                if old and old != target:
                    self._drop(old)
            self._drop_leftovers({patients, documents})
            self._remember()
        return self.check(store)

    def update_patients(self, store: Store, patient_ids: Iterable[int]) -> int:
        """Bring these patients' records to what the store says; those who are gone or opposed are taken out.

        Returns the number of documents written. Makes the collections where there are none.
        """
        ids = sorted(set(patient_ids))
        written = 0
        with self._alone():
            patients, documents = self._ensure()
            for batch in _batches(ids, BATCH):
                self.engine.require_room()  # before anything is deleted
                people, papers = _records(store, batch)
                present = {record["id"] for record in people}
                self._delete(documents, "patient_id", map(str, batch))
                self._delete(patients, "id", (str(i) for i in batch if str(i) not in present))
                self._import(patients, people, "upsert")
                self._import(documents, papers, "upsert")
                written += len(papers)
            self._remember()
        return written

    def delete_patients(self, patient_ids: Iterable[int]) -> None:
        """Take patients and their documents out of the index."""
        ids = [str(patient_id) for patient_id in patient_ids]
        with self._alone():
            for alias, field in ((self.documents, "patient_id"), (self.patients, "id")):
                target = self._target(alias)
                for batch in _batches(ids, 1000):
                    if target:  # else nothing was ever indexed: there is nothing to take out
                        self._delete(target, field, batch)
            self._remember()

    def check(self, store: Store) -> IndexCheck:
        """Compare the counts of the store (opposed patients left out) with those of the index."""
        with store.session() as session:
            patients = session.scalar(select(func.count()).select_from(Patient).where(Patient.opposed.is_(False)))  # type: ignore[attr-defined]
            documents = session.scalar(
                select(func.count())
                .select_from(Document)
                .join(Patient, Patient.id == Document.patient_id)  # type: ignore[arg-type]
                .where(Patient.opposed.is_(False))  # type: ignore[attr-defined]
            )
        counts = self.engine.counts()
        targets = self._target(self.patients), self._target(self.documents)
        return IndexCheck(
            patients_in_store=int(patients or 0),
            patients_in_index=counts.get(targets[0] or "", 0),
            documents_in_store=int(documents or 0),
            documents_in_index=counts.get(targets[1] or "", 0),
            current_layout=all(target is not None and _layout(target) == LAYOUT for target in targets),
        )

    def drop(self) -> None:
        """Remove both collections and their aliases."""
        with self._alone():
            for alias in (self.patients, self.documents):
                target = self._target(alias)
                if target:
                    self.engine.call(lambda c, a=alias: c.aliases[a].delete())
                    self._drop(target)
            self._drop_leftovers(set())
            self._remember()

    # --- Collections --------------------------------------------------------------------------------------

    def _create(self, stamp: str) -> tuple[str, str]:
        names = []
        for alias, fields in ((self.patients, PATIENT_FIELDS), (self.documents, DOCUMENT_FIELDS)):
            name = f"{alias}_{stamp}_{LAYOUT}"
            made = self.engine.call(lambda c, n=name, f=fields: c.collections.create({"name": n, "fields": f}))
            # An older server leaves out what it does not know, without a word.
            refused = {field["name"] for field in fields} - {field["name"] for field in made["fields"]}
            if refused:
                raise SearchEngineError(
                    f"The search engine {self.engine.version} does not know the fields {', '.join(sorted(refused))}.",
                    "Use Typesense 0.24 or later.",
                )
            names.append(name)
        return names[0], names[1]

    def _ensure(self) -> tuple[str, str]:
        """The collections behind the aliases, made where there are none. Writes name them, never the alias.

        A starting engine does its writes again, one queue for each *written* name: what was written to an alias may
        come before its collection is there, and be lost.
        """
        patients, documents = self._target(self.patients), self._target(self.documents)
        if patients and documents:
            return patients, documents
        for name in filter(None, (patients, documents)):
            self._drop(name)
        patients, documents = self._create(f"{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S%f}")
        put_synonyms(self.engine, documents, self._terminology())
        for alias, target in ((self.patients, patients), (self.documents, documents)):
            self.engine.call(lambda c, a=alias, t=target: c.aliases.upsert(a, {"collection_name": t}))
        return patients, documents

    def _terminology(self) -> Terminology:
        settings = self.engine.settings
        return terminology(settings.referentials, settings.cache, settings.site_referentials)

    def _target(self, alias: str) -> str | None:
        try:
            return str(self.engine.call(lambda client: client.aliases[alias].retrieve())["collection_name"])
        except ObjectNotFound:
            return None

    def _drop(self, collection: str) -> None:
        with contextlib.suppress(ObjectNotFound):
            self.engine.call(lambda client: client.collections[collection].delete())

    def _drop_leftovers(self, kept: set[str]) -> None:
        """Collections of a rebuild that was killed."""
        ours = re.compile(rf"({re.escape(self.patients)}|{re.escape(self.documents)})_\d{{20}}_")
        for name in self.engine.counts():
            if ours.match(name) and name not in kept:
                self._drop(name)

    def _remember(self) -> None:
        self.engine.remember_counts(self.engine.counts())

    # --- Writing ------------------------------------------------------------------------------------------

    def _fill(self, store: Store, patients: str, documents: str, progress: Progress | None) -> tuple[int, int]:
        with store.session() as session:
            ids = list(session.scalars(select(Patient.id).where(Patient.opposed.is_(False)).order_by(Patient.id)))  # type: ignore
        people_written = papers_written = 0
        with ThreadPoolExecutor(1) as reader:  # the next patients are read while the engine writes the last
            coming = (reader.submit(_records, store, batch) for batch in _batches(ids, BATCH))
            ahead = next(coming, None)
            while ahead is not None:
                people, papers = ahead.result()
                ahead = next(coming, None)
                self._import(patients, people, "create")
                self._import(documents, papers, "create")
                people_written += len(people)
                papers_written += len(papers)
                if progress:
                    progress(people_written, len(ids))
        return people_written, papers_written

    def _import(self, collection: str, records: list[dict[str, Any]], action: str) -> None:
        for part in _batches(records, 1000):
            self.engine.require_room()
            answers = self.engine.call(
                lambda c, p=part: c.collections[collection].documents.import_(p, {"action": action, "batch_size": 100})
            )
            refused = [answer for answer in answers if not answer.get("success")]
            if refused or len(answers) != len(part):
                reason = str(refused[0].get("error", "")) if refused else "fewer answers than records"
                self.engine.require_room()
                raise SearchEngineError(
                    f"The search engine refused {len(refused)} of {len(part)} records: {reason[:300]}.",
                    "Its disk is full: make room." if "OUT_OF_DISK" in reason else "Run `consore index rebuild`.",
                )

    def _delete(self, collection: str, field: str, values: Iterable[str]) -> None:
        listed = list(values)
        if listed:
            filter_by = f"{field}:=[{','.join(f'`{value}`' for value in listed)}]"
            with contextlib.suppress(ObjectNotFound):
                self.engine.call(
                    lambda c: c.collections[collection].documents.delete({"filter_by": filter_by, "batch_size": 1000})
                )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time in a node, so that a rebuild misses no update."""
        folder = self.engine.settings.home / "run"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "index.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _records(store: Store, patient_ids: list[int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The records of some patients and of their documents."""
    with store.session() as session:
        traits = load_traits(session, patient_ids)
        people = {number: patient_record(item) for number, item in traits.items()}
        rows = session.execute(
            select(Document, DocumentMentions.payload)  # type: ignore[call-overload]
            .join(DocumentMentions, DocumentMentions.document_id == Document.id, isouter=True)
            .where(Document.patient_id.in_(list(traits)))  # type: ignore[attr-defined]
            .order_by(Document.id)
        )
        papers = [
            document_record(
                document,
                unpack_mentions(payload) if payload else [],
                people[document.patient_id],
            )
            for document, payload in rows
        ]
    return list(people.values()), papers


def _layout(collection: str) -> str:
    return collection.rsplit("_", 1)[-1]


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
