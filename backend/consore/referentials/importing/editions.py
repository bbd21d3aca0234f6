"""A site's editions on disk: side by side under `CONSORE_HOME/referentials/<folder>/editions`, one of them in force.

An edition is written beside its place and renamed into it, and `active` is replaced in one step: whoever reads sees the
old state or the new one. Writers of one site take turns.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import fcntl
import io
import json
import os
import re
import shutil
import time
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consore.errors import ConfigurationError, InputError
from consore.text import fold

SHIPPED = "shipped"
CONCEPTS = ("code", "label", "kind", "parents", "attributes")
TERMS = ("code", "term", "form", "value", "type")
_PATIENCE_S = 60.0
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class StoredEdition:
    """One edition of a site. `at` is when it was imported (ISO 8601), `digest` what its tables hold."""

    folder: str
    slug: str
    name: str
    active: bool
    at: str
    by: str
    concepts: int
    digest: str
    report: dict[str, Any]


def slug_of(name: str) -> str:
    """A name as that of a folder: `ATIH 2026 (v2)` → `atih-2026-v2`. Raises InputError where nothing is left."""
    slug = re.sub(r"[^a-z0-9.]+", "-", fold_name(name)).strip("-.")[:60]
    if not slug or slug == SHIPPED:
        raise InputError(f"“{name[:60]}” cannot name an edition.", "Use letters and digits, such as “atih-2026”.")
    return slug


def fold_name(name: str) -> str:
    """Lower case, without accents; points stay."""
    return "".join(plain if letter != "." else "." for plain, letter in zip(fold(name), name, strict=True))


def editions_of(site: Path, folder: str) -> list[StoredEdition]:
    """The imported editions of a folder, the newest first."""
    active = active_edition(site, folder)
    found = []
    for source in (site / folder / "editions").glob("*/source.toml"):
        report = read_report(source.parent)
        found.append(
            StoredEdition(
                folder,
                source.parent.name,
                tomllib.loads(source.read_text(encoding="utf-8")).get("edition", source.parent.name),
                source.parent.name == active,
                str(report.get("at", "")),
                str(report.get("by", "")),
                int(report.get("kept", 0)),
                str(report.get("digest", "")),
                report,
            )
        )
    return sorted(found, key=lambda edition: edition.at, reverse=True)


def active_edition(site: Path, folder: str) -> str:
    """The slug of the edition in force; empty for what Consore ships."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return (site / folder / "active").read_text(encoding="utf-8").strip()
    return ""


def read_report(edition: Path) -> dict[str, Any]:
    """What the importer wrote of an edition; empty where it cannot be read."""
    try:
        found = json.loads((edition / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def concepts_of(folder: Path) -> Iterator[dict[str, str]]:
    """The rows of a folder's `concepts.csv`; none where there is no such file."""
    path = folder / "concepts.csv"
    if path.exists():
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


def tables(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """A table as it is stored: UTF-8, comma-separated, with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


@contextlib.contextmanager
def writing(site: Path) -> Iterator[None]:
    """Hold the site's referentials for writing, waiting for whoever has them.

    Raises ConfigurationError where the site cannot be written, InputError where another import goes on and on.
    """
    try:
        site.mkdir(parents=True, exist_ok=True)
        lock = (site / ".lock").open("a")
    except OSError as error:
        raise _unwritable(site, error) from error
    with lock:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InputError("Another import is going on.", "Try again when it is over.") from None
                time.sleep(0.1)
        try:
            for left in site.glob(f"*/{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        except OSError as error:
            raise _unwritable(site, error) from error
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


def _unwritable(site: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{error.filename or site} cannot be written: {error.strerror or error}.",
        "Give the user of Consore the right to write there, or set CONSORE_HOME elsewhere.",
    )


def write_edition(site: Path, folder: str, slug: str, files: dict[str, bytes]) -> None:
    """Put an edition in its place, whole or not at all. The caller holds `writing`."""
    place = site / folder / "editions" / slug
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = site / folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
    beside.mkdir()
    try:
        for name, content in files.items():
            write_whole(beside / name, content)
        if place.exists():
            shutil.rmtree(place)
        beside.rename(place)
        _sync_folder(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def set_active(site: Path, folder: str, slug: str) -> None:
    """Put an edition in force; empty for what Consore ships. The caller holds `writing`."""
    active = site / folder / "active"
    if slug:
        replace_file(active, f"{slug}\n".encode())
    else:
        active.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write_whole(beside, content)
        beside.replace(path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a new file down to the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def source_toml(values: dict[str, Any]) -> bytes:
    """A `source.toml`: strings, numbers and truths only."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items()).encode("utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(str(value), ensure_ascii=False)


def today() -> str:
    """The day, as `source.toml` writes it."""
    return dt.date.today().isoformat()
