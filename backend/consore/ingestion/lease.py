"""Who holds a run: a row in the store, taken by one process at a time, and taken over from a process that has died.

A holder on this machine is known dead by its process (number and start time); one on another machine by its silence.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from consore.ingestion.patience import transact
from consore.ingestion.progress import Signal, Stopped
from consore.model import Checkpoint, now
from consore.store import Store

SILENCE = dt.timedelta(minutes=5)  # after which a holder on another machine is held for dead
BEAT = 30.0  # seconds between two signs of life

_held_here: set[str] = set()


class Lease:
    """The right to do one thing, `key`, until `release`."""

    def __init__(self, store: Store, key: str) -> None:
        self.key = f"lease:{key}"
        self._store = store
        self._token = uuid.uuid4().hex
        self._value = ""
        self._released = threading.Event()

    def take(self) -> bool:
        """Take it; False where a living process has it."""
        self._value = json.dumps(
            {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid()), "token": self._token}
        )
        _held_here.add(self._token)
        if self._insert() or self._take_over():
            threading.Thread(target=self._beat, name=self.key, daemon=True).start()
            return True
        _held_here.discard(self._token)
        return False

    def release(self) -> None:
        """Give it back."""
        self._released.set()
        _held_here.discard(self._token)
        transact(
            self._store,
            lambda session: session.execute(delete(Checkpoint).where(_key == self.key, _value == self._value)),
        )

    def _insert(self) -> bool:
        try:
            with self._store.session() as session:
                session.execute(insert(Checkpoint).values(key=self.key, value=self._value, updated_at=now()))
        except IntegrityError:
            return False
        return True

    def _take_over(self) -> bool:
        with self._store.session() as session:
            held = session.execute(select(_value, _updated).where(_key == self.key)).first()
            if held is not None and _lives(held[0], held[1]):
                return False
            if held is None:
                return False  # given back a moment ago: the next try gets it
            taken = session.execute(
                update(Checkpoint)
                .where(_key == self.key, _value == held[0])
                .values(value=self._value, updated_at=now())
            )
            return bool(taken.rowcount == 1)

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            with contextlib.suppress(SQLAlchemyError), self._store.session() as session:
                session.execute(
                    update(Checkpoint).where(_key == self.key, _value == self._value).values(updated_at=now())
                )


@contextlib.contextmanager
def waiting_lease(store: Store, key: str, stop: Signal | None = None) -> Iterator[None]:
    """Hold `key`, waiting for whoever has it. Raises Stopped where someone asks to stop meanwhile."""
    lease = Lease(store, key)
    while not transact(store, lambda _: lease.take(), stop):
        if stop is not None and stop.is_set():
            raise Stopped("The reading was stopped.", "The next one goes on from there.")
        time.sleep(0.2)
    try:
        yield
    finally:
        lease.release()


def is_held(store: Store, key: str) -> bool:
    """Whether a living process holds `key`."""
    with store.session() as session:
        held = session.execute(select(_value, _updated).where(_key == f"lease:{key}")).first()
    return held is not None and _lives(held[0], held[1])


_key, _value, _updated = Checkpoint.__table__.c.key, Checkpoint.__table__.c.value, Checkpoint.__table__.c.updated_at  # type: ignore[attr-defined]


def _lives(value: str, seen: dt.datetime) -> bool:
    holder = json.loads(value)
    if holder["host"] != socket.gethostname():
        return now() - seen < SILENCE
    if holder["pid"] == os.getpid():
        return holder["token"] in _held_here
    return _started(holder["pid"]) == holder["started"] != ""


def _started(pid: int) -> str:
    """When a process of this machine started, in clock ticks since boot; empty where there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():  # no procfs: only whether it is there can be told
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return "?"
    try:
        fields = stat.read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
