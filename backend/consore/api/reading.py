"""Reading a source at the request of an administrator, while the API goes on answering."""

from __future__ import annotations

import threading
import time

import structlog
from sqlmodel import Session, select

from consore import model
from consore.api.journal import told_of
from consore.api.node import Node
from consore.errors import ConsoreError, InputError
from consore.model import RunState

START_S = 30.0

log = structlog.get_logger("consore.api")


def start_reading(node: Node, source: model.Source) -> int:
    """Start to read a source and give the key of its run as soon as it has one.

    Raises InputError where the source is switched off, is being read already, or does not start.
    """
    if not source.enabled:
        raise InputError(f"The source {source.name} is switched off.", "Switch it on first.")
    with node.store.session() as session:
        before = _latest(session, source.id)
        if before and before.state == RunState.RUNNING.value:
            raise InputError(f"The source {source.name} is already being read.", "Wait for the end of the run.")
    reading = _Reading(node, source)
    reading.start()
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with node.store.session() as session:
            run = _latest(session, source.id)
        if run and run.id and (before is None or run.id != before.id):
            return run.id
        if not reading.is_alive():
            break
        time.sleep(0.05)
    if isinstance(reading.problem, ConsoreError):
        raise InputError(reading.problem.message, reading.problem.hint)
    raise InputError(f"The reading of the source {source.name} did not start.", "Look at the log of the server.")


class _Reading(threading.Thread):
    """The thread of one run. What goes wrong in it stands in the run's row and in the log."""

    def __init__(self, node: Node, source: model.Source) -> None:
        super().__init__(name=f"reading-{source.id}", daemon=True)
        self.problem: Exception | None = None
        self._node = node
        self._source = source

    def run(self) -> None:
        from consore.ingestion import run_source

        try:
            run_source(self._node.settings, self._node.store, self._source.id, trigger="manual")
        except Exception as error:
            self.problem = error
            log.error("reading_failed", source=self._source.name, **told_of(error))


def _latest(session: Session, source_id: int | None) -> model.IngestionRun | None:
    run = model.IngestionRun
    return session.exec(select(run).where(run.source_id == source_id).order_by(run.id.desc()).limit(1)).first()  # type: ignore[union-attr]
