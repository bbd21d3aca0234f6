"""One way to read any source of a centre, to check it before, and to read again what was kept aside."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consore.errors import SourceError
from consore.model import SourceKind
from consore.referentials.decoding import decode
from consore.sources.documents import CONTENT_MARK, Signatures, index_of, read_documents, reread_document
from consore.sources.extracts import read_extract, reread_extract
from consore.sources.pmsi import ANO, read_pmsi, reread_pmsi
from consore.sources.records import Mark, Rejection, SourceRecord
from consore.sources.tables import Line, read_header

USUAL_LOCATIONS = {
    SourceKind.ADMINISTRATIVE: "administratif.csv",
    SourceKind.PMSI: "pmsi_rss.txt",
    SourceKind.TUMOUR_SHEET: "fiches_tumeur.csv",
    SourceKind.CHEMOTHERAPY: "chimiotherapie.csv",
    SourceKind.BIOBANK: "biobanque.csv",
    SourceKind.DOCUMENTS: "documents",
}


@dataclass(slots=True, frozen=True)
class CheckReport:
    """What a look at a source shows before it is read: `records` is an upper bound, `problems` what to mend."""

    kind: SourceKind
    location: Path
    records: int
    columns: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether the source can be read."""
        return not self.problems

    def text(self) -> str:
        """The report as people read it."""
        lines = [f"{self.location}: {self.kind.value}, {self.records} lines"]
        lines += [f"columns found: {', '.join(self.columns)}"] if self.columns else []
        return "\n".join([*lines, *self.problems] if self.problems else [*lines, "It can be read."])


def read_source(
    kind: SourceKind,
    location: Path,
    options: dict[str, Any] | None = None,
    known: Signatures = lambda _: None,
    mark: Callable[[str], str | None] = lambda _: None,
) -> Iterator[SourceRecord | Rejection | Mark]:
    """The records of a source and, among them, what could not be read; in constant memory.

    `options`: `columns` {expected: found}, `separator`, `ano` (name of the PMSI link file), `today` (ISO date that
    future dates are told from). `known` gives the signature of a document that is held: if it is still the same, its
    file is not opened again. `mark` gives how far a key was read before.
    Raises SourceError, before anything is given, where the source cannot be read at all.
    """
    options = options or {}
    location = Path(location)
    match SourceKind(kind):
        case SourceKind.DOCUMENTS:
            return read_documents(location, options, known)
        case SourceKind.PMSI:
            return read_pmsi(location, options)
        case extract:
            return read_extract(extract, location, options)


def reread_record(
    kind: SourceKind, location: Path, options: dict[str, Any] | None, position: str, raw: bytes
) -> Iterator[SourceRecord | Rejection]:
    """A rejected record again, from its raw bytes; a document's file is taken from its folder where it now lies."""
    options = options or {}
    location = Path(location)
    match SourceKind(kind):
        case SourceKind.DOCUMENTS:
            index, mark, content = raw.partition(CONTENT_MARK)
            return reread_document(location, _lines(index), options, content if mark else None)
        case SourceKind.PMSI:
            return iter(()) if position.startswith(ANO) else reread_pmsi(location, _lines(raw), options)
        case extract:
            return reread_extract(extract, location.name, _lines(raw), options)


def check_source(kind: SourceKind, location: Path, options: dict[str, Any] | None = None) -> CheckReport:
    """A look at a source without reading its records: is it there, are its columns."""
    kind, location, options = SourceKind(kind), Path(location), options or {}
    columns: tuple[str, ...] = ()
    problems: list[str] = []
    try:
        if kind is SourceKind.PMSI:
            if not location.is_file():
                raise SourceError(f"There is no file {location}.", "Check the location of the source.")
            columns = read_header("pmsi_ano", location.parent / options.get("ano", ANO), options).found
        else:
            table = index_of(location) if kind is SourceKind.DOCUMENTS else location
            columns = read_header(kind.value, table, options).found
    except SourceError as error:
        problems.append(str(error))
    return CheckReport(kind, location, count_records(kind, location), columns, tuple(problems))


def count_records(kind: SourceKind, location: Path) -> int:
    """An upper bound of the records of a source, for a progress bar: its lines. 0 where it cannot be read."""
    kind, location = SourceKind(kind), Path(location)
    file = location / "index.csv" if kind is SourceKind.DOCUMENTS else location
    try:
        with file.open("rb") as stream:
            lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    except OSError:
        return 0
    return lines if kind is SourceKind.PMSI else max(lines - 1, 0)


def _lines(raw: bytes) -> Iterator[Line]:
    for number, line in enumerate(io.BytesIO(raw), start=1):
        yield number, decode(line), line
