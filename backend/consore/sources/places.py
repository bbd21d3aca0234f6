"""Where the files of a source lie: a file, a folder, or a folder of an SFTP server. They are read, never touched.

A folder is a drop: each of its files is read once, and again only when it has changed (`Mark`). A file that stands
alone is read each time: the store knows what has not changed in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from consore.errors import InputError, RecordError, SourceError
from consore.sources.drops import settled, wanted
from consore.sources.options import digest, scheme_of
from consore.sources.records import RAW_LIMIT, Mark, Rejection, SourceRecord

Marks = Callable[[str], str | None]
Items = Iterator[SourceRecord | Rejection | Mark]
NO_MARK: Marks = lambda _: None  # noqa: E731


class Place(Protocol):
    """A folder that files are taken from; names are paths below it, with `/`."""

    name: str
    is_folder: bool

    def names(self) -> Iterator[str]:
        """The files, by folder and name."""

    def state(self, name: str) -> str | None:
        """What changes when a file changes (`size:time`); None where there is none."""

    def file(self, name: str) -> Any:
        """A context in which the file lies on this machine, as a Path."""

    def close(self) -> None:
        """Leave it."""


class LocalPlace:
    """A file, or a folder with all that lies below it."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.name = location.name
        self.is_folder = location.is_dir()
        self.root = location if self.is_folder else location.parent
        if not location.exists():
            raise SourceError(
                f"There is no file or folder {location}.", "Check the location of the source and the rights on it."
            )

    def names(self) -> Iterator[str]:
        """The files, a folder at a time; those that are hidden or still being written are left."""
        if not self.is_folder:
            yield self.location.name
            return
        for folder, below, files in os.walk(self.root, onerror=_unreadable):
            below[:] = sorted(name for name in below if not name.startswith("."))
            inside = Path(folder).relative_to(self.root).as_posix()
            for file in sorted(files):
                if settled(file):
                    yield file if inside == "." else f"{inside}/{file}"

    def state(self, name: str) -> str | None:
        """Size and time of change."""
        try:
            found = (self.root / name).stat()
        except OSError:
            return None
        return f"{found.st_size}:{found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else None

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """The file where it is."""
        yield self.root / name

    def close(self) -> None:
        """Nothing to leave."""


@contextmanager
def opened(location: Path | str, options: dict[str, Any]) -> Iterator[Place]:
    """The place of a source's files. Raises SourceError where it cannot be reached."""
    place: Place
    match scheme_of(str(location)):
        case "":
            place = LocalPlace(Path(location))
        case "file":
            place = LocalPlace(Path(str(location).removeprefix("file://")))
        case "sftp":
            from consore.sources.sftp import SftpPlace

            place = SftpPlace(str(location), options)
        case other:
            raise SourceError(f"Files cannot be taken from {other}://.", "Give a path, or sftp://user@host/folder.")
    try:
        yield place
    finally:
        place.close()


def each_file(
    place: Place,
    patterns: tuple[str, ...],
    options: dict[str, Any],
    mark: Marks,
    read: Callable[[Path, str], Iterator[SourceRecord | Rejection]],
    leave: tuple[str, ...] = (),
) -> Items:
    """What `read(path, name)` gives of each file of a drop, then its mark; files that have not changed are skipped.

    A file of a folder that cannot be read at all is one rejection; a file that stands alone raises SourceError.
    """
    alone = not place.is_folder
    settings = digest(options)
    for name in place.names():
        if not alone and not wanted(name, patterns, options):
            continue
        if PurePosixPath(name).name in leave and not alone:
            continue
        state = f"{place.state(name)}:{settings}"
        if not alone and mark(name) == state:
            continue
        try:
            with place.file(name) as path:
                yield from read(path, name)
        except SourceError as error:
            if alone:
                raise
            fault = RecordError(error.message, error.hint, reason="unusable_file")
            yield Rejection.of(fault, name, head_of(place, name))
        except OSError as error:
            if alone:
                raise SourceError(f"{name} cannot be read: {error.strerror}.", "Check the rights on it.") from error
            fault = RecordError(
                f"The file cannot be read: {error.strerror}.", "Check the rights on it.", reason="unreadable_file"
            )
            yield Rejection.of(fault, name, b"")
            continue  # without a mark: it is tried again
        if not alone:
            yield Mark(name, state)


def head_of(place: Place, name: str) -> bytes:
    """The first bytes of a file, as many as are kept of a rejected record; empty where it cannot be read."""
    try:
        with place.file(name) as path, path.open("rb") as stream:
            return stream.read(RAW_LIMIT + 1)
    except (OSError, InputError):
        return b""


def _unreadable(error: OSError) -> None:
    raise SourceError(f"The folder {error.filename} cannot be read: {error.strerror}.", "Check the rights on it.")
