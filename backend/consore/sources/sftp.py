"""A folder of an SFTP server, as a place: its files are fetched one at a time, and never changed.

The server's key must be known (option `host_key`, or the file `known_hosts` of CONSORE_HOME/secrets): without that, a
stranger could be given the login.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from consore.errors import SourceAway, SourceError
from consore.sources.drops import settled
from consore.sources.options import secret_file, secret_of

T = TypeVar("T")
PATIENCE = 30  # seconds for a connection or an answer
RETRIES = 3


class SftpPlace:
    """The folder (or file) that `sftp://user@host:port/path` names."""

    def __init__(self, location: str, options: dict[str, Any]) -> None:
        parts = urlsplit(location)
        self._host, self._port = parts.hostname or "", parts.port or 22
        self._user = unquote(parts.username or "") or options.get("user")
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._connection: Any = None
        self._client: Any = None
        self._folder = tempfile.TemporaryDirectory(prefix="consore-")
        path = unquote(parts.path) or "."
        try:
            self.is_folder = self._ask(lambda client: client.isdir(path))
            if not self.is_folder and not self._ask(lambda client: client.exists(path)):
                raise SourceError(f"{location} holds no {path}.", "Check the location of the source.")
        except BaseException:
            self.close()
            raise
        whole = PurePosixPath(path)
        self.name = whole.name
        self._root = whole if self.is_folder else whole.parent

    def names(self) -> Iterator[str]:
        """The files, a folder at a time; those that are hidden or still being written are left."""
        if not self.is_folder:
            yield self.name
            return
        waiting = [PurePosixPath()]
        while waiting:
            inside = waiting.pop(0)
            entries = self._ask(lambda client, inside=inside: client.readdir(str(self._root / inside)))
            below = []
            for entry in sorted(entries, key=lambda entry: str(entry.filename)):
                name = str(entry.filename)
                if name.startswith("."):
                    continue
                if entry.attrs.type == 2:  # FILEXFER_TYPE_DIRECTORY
                    below.append(inside / name)
                elif settled(name):
                    yield str(inside / name)
            waiting = below + waiting

    def state(self, name: str) -> str | None:
        """Size and time of change."""
        from asyncssh import SFTPNoSuchFile

        try:
            found = self._ask(lambda client: client.stat(str(self._root / name)))
        except SFTPNoSuchFile:
            return None
        return f"{found.size}:{found.mtime}"

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """The file, fetched to this machine and gone afterwards."""
        from asyncssh import SFTPNoSuchFile

        target = Path(self._folder.name) / PurePosixPath(name).name
        try:
            self._ask(lambda client: client.get(str(self._root / name), str(target)))
        except SFTPNoSuchFile as error:
            raise FileNotFoundError(2, "it is not there", name) from error
        try:
            yield target
        finally:
            target.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connection."""
        with suppress(Exception):
            self._leave()
        self._loop.close()
        self._folder.cleanup()

    def _ask(self, question: Any) -> Any:
        """What the server answers; a lost connection is made again, a few times."""
        import asyncssh

        for attempt in range(1, RETRIES + 1):
            try:
                if self._client is None:
                    self._run(self._connect())
                return self._run(question(self._client))
            except (asyncssh.SFTPNoSuchFile, SourceError):
                raise
            except asyncssh.PermissionDenied as error:
                raise SourceError(
                    f"{self._host} refuses the login {self._user}.", "Check its password or key."
                ) from error
            except asyncssh.HostKeyNotVerifiable as error:
                raise SourceError(
                    f"The key of {self._host} is not the one expected, or not known.",
                    f"Check it with `ssh-keyscan -p {self._port} {self._host}`, then put it in the option host_key.",
                ) from error
            except asyncssh.SFTPPermissionDenied as error:
                raise SourceError(f"{self._host} refuses to show this file.", "Check the rights on it.") from error
            except (asyncssh.Error, OSError, TimeoutError) as error:
                with suppress(Exception):
                    self._leave()
                if attempt == RETRIES:
                    raise SourceAway(
                        f"{self._host}:{self._port} cannot be reached: {str(error) or type(error).__name__}.",
                        "Check the address and the network, then read the source again.",
                    ) from error
        return None

    async def _connect(self) -> None:
        import asyncssh

        wanted: dict[str, Any] = {"username": self._user or (), "known_hosts": self._known_hosts(), "config": []}
        if (password := secret_of(self._options, "password")) is not None:
            wanted["password"] = password
        if self._options.get("key_file"):
            wanted["client_keys"] = [str(secret_file(str(self._options["key_file"])))]
        else:
            wanted["client_keys"] = None
        wanted["agent_path"] = None
        self._connection = await asyncssh.connect(
            self._host, self._port, connect_timeout=PATIENCE, login_timeout=PATIENCE, keepalive_interval=15, **wanted
        )
        self._client = await self._connection.start_sftp_client()

    def _known_hosts(self) -> bytes | str:
        if key := self._options.get("host_key"):
            bare = " ".join(str(key).split()[-2:])  # with or without the host that ssh-keyscan puts before
            return f"[{self._host}]:{self._port} {bare}\n{self._host} {bare}\n".encode()
        return str(secret_file("known_hosts"))

    def _leave(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.close()
            self._run(connection.wait_closed())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(asyncio.wait_for(work, None if self._client else PATIENCE))
