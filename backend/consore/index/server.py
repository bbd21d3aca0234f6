"""The search engine of a node: found if it runs, started if it does not, yours if you name one.

    with TypesenseServer(settings) as engine:
        engine.client.collections.retrieve()

All processes of a home share one engine; see `keeper` for how it starts and how it ends. An engine that has just
started answers before it has read all its data again, so `start` waits until its counts are those of the last write.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import urlsplit

import httpx
import typesense
from typesense.exceptions import (
    HTTPStatus0Error,
    ObjectNotFound,
    RequestForbidden,
    RequestUnauthorized,
    ServiceUnavailable,
    TypesenseClientError,
)

from consore.errors import ConfigurationError, SearchEngineAway, SearchEngineError
from consore.index.binary import engine_binary
from consore.settings import Settings

# The client warns of what newer servers rename; `synonyms` already minds the server's version.
logging.getLogger("typesense").setLevel(logging.ERROR)

LEAST_ROOM = 200 * 1024 * 1024  # bytes: what an empty engine writes, and some
NO_ROOM = 64 * 1024 * 1024  # bytes: on a full disk the engine hangs, or loses writes without saying why
POLL = 0.1  # seconds
STABLE = 3.0  # seconds without change after which counts are taken as they are
STABLE_BUT_SHORT = 30.0  # the same while less is there than was written: a replay pauses on a busy machine

Answer = TypeVar("Answer")
LOST = (httpx.TransportError, HTTPStatus0Error, ServiceUnavailable)


class TypesenseServer:
    """The engine of one node, as a context manager. Threads may share one; so may callers in the same process.

    `deadline_s`: seconds to wait for it, replay included.
    Raises SearchEngineError saying what is wrong and what to do.
    """

    def __init__(self, settings: Settings, *, deadline_s: float = 300.0) -> None:
        self.settings = settings
        self.deadline_s = deadline_s
        self.external = bool(settings.typesense_url)
        self.url = settings.typesense_url.rstrip("/")
        self.version = ""
        self._client: typesense.Client | None = None
        self._started = False
        self._mending = threading.Lock()

    def __enter__(self) -> TypesenseServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def client(self) -> typesense.Client:
        """The client of the official package, connected."""
        if self._client is None:
            raise SearchEngineError("The search engine was not started.", "Use it inside `with TypesenseServer(…)`.")
        return self._client

    @property
    def api_key(self) -> str:
        """The key that allows everything: yours, or the one made for this home (readable by its owner alone)."""
        if self.external:
            return self.settings.typesense_api_key.get_secret_value()
        return _key(self.settings.home)

    @property
    def pid(self) -> int | None:
        """The process of our own engine while it runs."""
        return None if self.external else _state(self.settings.home).get("pid")

    def start(self) -> None:
        """Find or start the engine, and wait until it holds all that it held."""
        if self.external:
            self._connect(self.url)
            self._wait_until_it_answers(alive=lambda: None, deadline_s=min(self.deadline_s, 60.0))
            return
        home = self.settings.home
        if not self._started:
            program = engine_binary(self.settings.cache)
            _prepare(home)
            _use(home)
            self._started = True
        else:
            program = engine_binary(self.settings.cache)
        try:
            with (home / "run" / "typesense.start").open("a+") as lock:
                _lock(lock, self.deadline_s)
                state = _running(home) or _start_keeper(home, program)
            self._connect(f"http://127.0.0.1:{state['port']}")
            self._wait_until_it_answers(alive=lambda: _check_alive(home), deadline_s=self.deadline_s)
            self._wait_until_replayed()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave the engine; the last one to leave stops it, and waits until it has stopped."""
        self._client = None
        if self._started:
            self._started = False
            _leave(self.settings.home)

    def call(self, request: Callable[[typesense.Client], Answer]) -> Answer:
        """The answer of `request`, asked again once where the engine had stopped and could be started again."""
        client = self.client
        try:
            return self._translated(request, client)
        except LOST:
            self.require_room()
            with self._mending:
                if self._client is client:
                    self.start()
            try:
                return self._translated(request, self.client)
            except LOST as error:
                raise self._silent(error) from error

    def remember_counts(self, counts: dict[str, int]) -> None:
        """Note how many documents each collection holds, for the next start to wait for. `counts` by collection."""
        if not self.external:
            path = self.settings.home / "index" / "counts.json"
            temporary = path.with_name(f".counts.{os.getpid()}.{threading.get_ident()}")
            temporary.write_text(json.dumps(counts))
            temporary.replace(path)

    def counts(self) -> dict[str, int]:
        """Documents by collection, as the engine says."""
        found = self.call(lambda client: client.collections.retrieve())
        return {item["name"]: int(item["num_documents"]) for item in found}

    def require_room(self) -> None:
        """Raise SearchEngineError where our own engine's disk is nearly full; of yours, we do not know."""
        if self.external:
            return
        folder = self.settings.home / "index"
        room = shutil.disk_usage(folder).free
        if room < NO_ROOM:
            raise SearchEngineError(
                f"The disk of {folder} is full: {room // 1_000_000} MB are left. Nothing more is indexed.",
                "Make room and do it again: what was indexed is kept.",
            )

    # --- Waiting ------------------------------------------------------------------------------------------

    def _connect(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"CONSORE_TYPESENSE_URL is not an address: {url}.", "Write for example http://search.example.org:8108."
            )
        self.url = url
        node = {
            "host": parts.hostname,
            "port": parts.port or (443 if parts.scheme == "https" else 80),
            "protocol": parts.scheme,
            "path": parts.path,
        }
        self._client = typesense.Client(
            {
                "nodes": [node],
                "api_key": self.api_key or "-",
                "connection_timeout_seconds": 60,
                "num_retries": 0,
                "retry_interval_seconds": 0.1,
                "suppress_deprecation_warnings": True,
            }
        )

    def _wait_until_it_answers(self, alive: Callable[[], None], deadline_s: float) -> None:
        until = time.monotonic() + deadline_s
        while True:
            alive()
            try:
                answer = httpx.get(f"{self.url}/health", timeout=5.0, trust_env=False)
                if answer.status_code == 200 and answer.json().get("ok"):
                    self.version = str(self._translated(lambda client: client.debug.retrieve(), self.client)["version"])
                    return
                problem: Exception = ValueError(answer.text[:200])
            except (httpx.HTTPError, ValueError, *LOST) as error:
                problem = error
                refused = self.external and isinstance(error, httpx.ConnectError)
                if refused and time.monotonic() > until - deadline_s + 3.0:
                    raise self._silent(error) from error
            if time.monotonic() > until:
                raise self._silent(problem) from problem
            time.sleep(POLL)

    def _wait_until_replayed(self) -> None:
        """`/health` says yes up to 18 s too early: wait for the counts of the last write, or for counts that stay."""
        expected = _counts(self.settings.home)
        until = time.monotonic() + self.deadline_s
        last: dict[str, int] | None = None
        since = time.monotonic()
        while time.monotonic() < until:
            _check_alive(self.settings.home)
            try:
                found = {
                    item["name"]: int(item["num_documents"])
                    for item in self._translated(lambda client: client.collections.retrieve(), self.client)
                }
                pending = self._pending_writes()
            except LOST:
                time.sleep(POLL)
                continue
            if pending == 0 and (found == expected if expected is not None else not found):
                return
            if pending or found != last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > (STABLE_BUT_SHORT if _short(found, expected) else STABLE):
                return
            time.sleep(POLL)

    def _pending_writes(self) -> int:
        answer = httpx.get(
            f"{self.url}/stats.json", headers={"X-TYPESENSE-API-KEY": self.api_key}, timeout=5.0, trust_env=False
        )
        return int(answer.json().get("pending_write_batches", 0)) if answer.status_code == 200 else 0

    # --- What errors mean ---------------------------------------------------------------------------------

    def _translated(self, request: Callable[[typesense.Client], Answer], client: typesense.Client) -> Answer:
        try:
            return request(client)
        except (RequestUnauthorized, RequestForbidden) as error:
            raise SearchEngineError(
                f"The search engine at {self.url} refuses the key.",
                "Set CONSORE_TYPESENSE_API_KEY to a key of that server that may read and write."
                if self.external
                else f"Another program may use that port, or {self.settings.home / 'keys'} was changed while it ran.",
            ) from error
        except (*LOST, ObjectNotFound):
            raise
        except TypesenseClientError as error:
            raise SearchEngineError(f"The search engine could not do it: {error}.", self._where_to_look()) from error

    def _silent(self, error: Exception) -> SearchEngineError:
        return SearchEngineAway(
            f"The search engine at {self.url} does not answer ({error or type(error).__name__}).", self._where_to_look()
        )

    def _where_to_look(self) -> str:
        if self.external:
            return "Check that it runs and that CONSORE_TYPESENSE_URL names it."
        return f"Its log is {self.settings.home / 'logs' / 'typesense.log'}."


@contextlib.contextmanager
def ensure_engine(settings: Settings, *, deadline_s: float = 300.0) -> Iterator[TypesenseServer]:
    """The engine of a node, found or started; left at the end of the block."""
    with TypesenseServer(settings, deadline_s=deadline_s) as server:
        yield server


# --- The files of a home ------------------------------------------------------------------------------------


def _prepare(home: Path) -> None:
    """Make the folders and check, before the engine stumbles over it, that they can be written and have room."""
    for name in ("index/data", "logs", "run", "keys"):
        folder = home / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:  # two threads may try at once
                probe.write(b"x")
        except OSError as error:
            raise SearchEngineError(
                f"The search engine cannot write to {folder}: {error.strerror or error}.",
                "Make room or mend its rights, or choose another folder with CONSORE_HOME.",
            ) from error
    for name in ("keys", "index"):
        (home / name).chmod(0o700)
    room = shutil.disk_usage(home / "index").free
    if room < LEAST_ROOM:
        raise SearchEngineError(
            f"The disk of {home / 'index'} is full: {room // 1_000_000} MB are left, "
            f"the search engine needs {LEAST_ROOM // 1_000_000} MB to start.",
            "Make room, or choose another folder with CONSORE_HOME.",
        )
    _key(home)


def _key(home: Path) -> str:
    path = home / "keys" / "typesense.key"
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        # A link fails where another process was first: then its key is the key.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    return path.read_text().strip()


def _counts(home: Path) -> dict[str, int] | None:
    try:
        return json.loads((home / "index" / "counts.json").read_text())
    except (OSError, ValueError):
        return None


def _short(found: dict[str, int], expected: dict[str, int] | None) -> bool:
    return any(found.get(name, 0) < count for name, count in (expected or {}).items())


def _state(home: Path) -> dict[str, Any]:
    try:
        return json.loads((home / "run" / "typesense.json").read_text())
    except (OSError, ValueError):
        return {}


# --- The keeper ---------------------------------------------------------------------------------------------


def _keeper_lives(home: Path) -> bool:
    """Whether a keeper holds its lock. This process never holds it, so looking cannot lose it."""
    with (home / "run" / "typesense.keeper").open("a+") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _running(home: Path) -> dict[str, Any] | None:
    state = _state(home)
    return state if "port" in state and _keeper_lives(home) else None


def _start_keeper(home: Path, program: Path) -> dict[str, Any]:
    (home / "run" / "typesense.json").unlink(missing_ok=True)
    keeper = Path(__file__).with_name("keeper.py")
    with (home / "logs" / "typesense.log").open("ab") as log:
        # In a session of its own: Ctrl-C in the terminal is for us, and we stop the engine in good order.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(keeper), str(home), str(program)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )
    _reap(process)
    until = time.monotonic() + 30.0
    while time.monotonic() < until:
        state = _state(home)
        if "port" in state or "failed" in state:
            return _unless_failed(home, state)
        time.sleep(POLL / 2)
    raise SearchEngineError("The search engine did not start.", f"Its log is {home / 'logs' / 'typesense.log'}.")


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Collect the keeper's end, whenever it comes, so that it does not stay as a zombie."""
    threading.Thread(target=process.wait, name="typesense-keeper", daemon=True).start()


def _check_alive(home: Path) -> None:
    _unless_failed(home, _state(home))
    if not _keeper_lives(home):
        _unless_failed(home, {"failed": "?"})


def _unless_failed(home: Path, state: dict[str, Any]) -> dict[str, Any]:
    if "failed" in state:
        log = home / "logs" / "typesense.log"
        raise SearchEngineError(f"The search engine stopped at once: {_last_words(log)}", f"Its log is {log}.")
    return state


def _last_words(log: Path) -> str:
    """The last lines of the engine's log that tell of an error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "no log was written."
    telling = [line for line in lines if line.startswith(("E", "F")) or "rror" in line or "No space" in line]
    return (telling or lines or ["no log was written."])[-1].strip()[:300]


# --- Who uses the engine --------------------------------------------------------------------------------------
# A POSIX lock belongs to the process, and goes when the process closes *any* handle of that file: one handle a
# process, kept here, and counted.


class _Use:
    def __init__(self, handle: TextIO) -> None:
        self.handle = handle
        self.pid = os.getpid()
        self.users = 0


_uses: dict[Path, _Use] = {}
_uses_guard = threading.Lock()


def _use(home: Path) -> None:
    with _uses_guard:
        use = _uses.get(home)
        if use is None or use.pid != os.getpid():  # after a fork, the parent's lock is not ours
            use = _uses[home] = _Use((home / "run" / "typesense.users").open("a+"))
            fcntl.lockf(use.handle, fcntl.LOCK_SH)
        use.users += 1


def _leave(home: Path) -> None:
    with _uses_guard:
        use = _uses.get(home)
        if use is None or use.pid != os.getpid():
            return
        use.users -= 1
        if use.users:
            return
        del _uses[home]
        try:
            fcntl.lockf(use.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            last = True
        except OSError:
            last = False
        use.handle.close()
    if last:
        _wait_for_the_end(home)


def _wait_for_the_end(home: Path) -> None:
    begun = time.monotonic()
    while _keeper_lives(home) and time.monotonic() < begun + 30.0:
        if "port" in _state(home) and time.monotonic() > begun + 2.0:
            return  # another process came in between: the engine is its now
        time.sleep(POLL / 2)


def _lock(handle: TextIO, deadline_s: float) -> None:
    until = time.monotonic() + deadline_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() > until:
                raise SearchEngineError(
                    "Another process has been starting the search engine for too long.", "Stop it and try again."
                ) from error
        time.sleep(POLL / 2)
