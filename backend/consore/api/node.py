"""The parts of a node that answering needs, opened once: store, sessions, terminology, search engine.

The engine is opened in the background, since it may have a long log to replay: until then `/readyz` says so and a
search is refused with the reason; everything that comes from the store already answers.
"""

from __future__ import annotations

import threading

import structlog

from consore.access import PatientNames, Sessions, forget_old_entries
from consore.errors import ConsoreError, SearchEngineError
from consore.index import SearchIndex, TypesenseServer
from consore.referentials import Terminology, terminology
from consore.search import SearchContext
from consore.settings import Settings
from consore.store import Store

log = structlog.get_logger("consore.api")


class Node:
    """One node as the API sees it. Threads share it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.sessions = Sessions(settings, store)
        self.names = PatientNames(store)
        self._engine: TypesenseServer | None = None
        self._index: SearchIndex | None = None
        self._engine_problem = SearchEngineError("The search engine is starting.", "Try again in a moment.")
        self._closing = threading.Event()
        self._opening: threading.Thread | None = None

    @property
    def terminology(self) -> Terminology:
        """The code systems in force; those of an edition imported since are taken up at the next question."""
        settings = self.settings
        return terminology(settings.referentials, settings.cache, settings.site_referentials)

    @property
    def index(self) -> SearchIndex:
        """The search index. Raises SearchEngineError while the engine is not there."""
        if self._index is None:
            raise self._engine_problem
        return self._index

    @property
    def search_context(self) -> SearchContext:
        """What `consore.search` works on. Raises SearchEngineError while the engine is not there."""
        return SearchContext(self.store, self.index, self.terminology)

    def engine_counts(self) -> dict[str, int]:
        """How many patients and documents the index holds. Raises SearchEngineError."""
        check = self.index.check(self.store)
        return {"patients": check.patients_in_index, "documents": check.documents_in_index}

    def forget_what_is_over(self) -> None:
        """Remove audit entries past their months, and refresh tokens past their hours."""
        with self.store.session() as session:
            forget_old_entries(session, self.settings.audit_months)
        self.sessions.forget_expired()

    def open_engine(self) -> None:
        """Start or join the search engine, and read the terminology, in the background."""
        self._opening = threading.Thread(target=self._open_engine, name="open-engine", daemon=True)
        self._opening.start()

    def wait_for_engine(self, seconds: float = 60.0) -> None:
        """Wait until the engine answers or has failed. Raises what it failed with."""
        if self._opening:
            self._opening.join(seconds)
        _ = self.index

    def close(self) -> None:
        """Let go of the engine (it stops with its last user) and of the store."""
        self._closing.set()
        if self._opening:
            self._opening.join(10)
        if self._engine:
            self._engine.stop()
        self.store.close()

    def _open_engine(self) -> None:
        _ = self.terminology
        wait_s = 2.0
        while not self._closing.is_set():
            try:
                engine = TypesenseServer(self.settings)
                engine.start()
                self._engine, self._index = engine, SearchIndex(engine)
                return
            except ConsoreError as error:
                self._engine_problem = SearchEngineError(error.message, error.hint)
                log.warning("search_engine_not_open", message=error.message, hint=error.hint)
                self._closing.wait(wait_s)
                wait_s = min(60.0, wait_s * 2)
