"""One way to read any source of a centre, to check it before, and to read again what was kept aside."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from consore.errors import RecordError, SourceError
from consore.model import SourceKind
from consore.referentials.decoding import decode
from consore.sources.database import Query, query_key, read_query
from consore.sources.documents import (
    CONTENT_MARK,
    INDEX,
    Signatures,
    document_file,
    documents_of_rows,
    read_index,
    reread_file,
)
from consore.sources.drops import wanted
from consore.sources.encoding import lines_of
from consore.sources.extracts import UNIQUE, records_of_rows
from consore.sources.fhir_reading import check_server, read_bulk, read_server, reread_resource
from consore.sources.hl7 import Message, messages_of
from consore.sources.hl7_records import FAMILIES, records_of
from consore.sources.links import ANO, ANO_HOSP, Links, read_links
from consore.sources.options import scheme_of, shown
from consore.sources.places import NO_MARK, Items, Marks, Place, each_file, opened
from consore.sources.pmsi import read_rss
from consore.sources.records import CUT_NOTE, KeyTable, Mark, Rejection, SourceRecord, unforeseen
from consore.sources.rsa import TRA, read_rsa, read_tra
from consore.sources.tables import Line, Row, read_header, read_rows, read_table
from consore.sources.workbooks import header_of, json_cells, json_rows, parquet_rows, read_mappings, xlsx_rows

USUAL_LOCATIONS = {
    SourceKind.ADMINISTRATIVE: "administratif.csv",
    SourceKind.PMSI: "pmsi_rss.txt",
    SourceKind.TUMOUR_SHEET: "fiches_tumeur.csv",
    SourceKind.CHEMOTHERAPY: "chimiotherapie.csv",
    SourceKind.PHARMACY: "pharmacie.csv",
    SourceKind.BIOLOGY: "biologie.csv",
    SourceKind.MOLECULAR: "biologie_moleculaire.csv",
    SourceKind.BIOBANK: "biobanque.csv",
    SourceKind.DOCUMENTS: "documents",
}
# Kinds of records that a source gives, unless its option `records` says otherwise.
GIVEN: dict[str, tuple[str, ...]] = {
    "administrative": ("patient", "merge", "deletion"),
    "pmsi": ("stay", "deletion"),
    "documents": ("document", "deletion"),
    **{
        kind: (kind, "deletion")
        for kind in ("tumour_sheet", "chemotherapy", "pharmacy", "biology", "molecular", "biobank")
    },
}
BESIDE = {"fusions": "merges", "suppressions": "deletions"}  # what may lie beside the administrative file
PATTERNS: dict[str, tuple[str, ...]] = {
    "table": ("*.csv", "*.tsv", "*.txt", "*.xlsx", "*.parquet", "*.ndjson", "*.jsonl"),
    "hl7": ("*.hl7", "*.er7", "*.hl7v2", "*.adt", "*.oru", "*.mdm", "*.msg"),
    "cda": ("*.xml", "*.cda"),
    "files": ("*",),
    "rss": ("*rss*.txt", "*rss*", "*.rss"),
    "rsa": ("*rsa*.txt", "*rsa*", "*.rsa"),
}
_SUFFIXES = {
    ".hl7": "hl7",
    ".er7": "hl7",
    ".hl7v2": "hl7",
    ".xml": "cda",
    ".cda": "cda",
    ".pdf": "files",
    ".docx": "files",
    ".odt": "files",
    ".rtf": "files",
    ".html": "files",
}
_NOT_TABLES = (INDEX, ANO)


@dataclass(slots=True, frozen=True)
class CheckReport:
    """What a look at a source shows before it is read: `records` is an upper bound, `problems` what to mend."""

    kind: SourceKind
    location: str
    format: str
    records: int
    columns: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether the source can be read."""
        return not self.problems

    def text(self) -> str:
        """The report as people read it."""
        lines = [
            f"{self.location}: {self.kind.value} as {self.format}, {self.records or 'an unknown number of'} records"
        ]
        lines += [f"columns found: {', '.join(self.columns)}"] if self.columns else []
        return "\n".join([*lines, *self.problems] if self.problems else [*lines, "It can be read."])


def read_source(
    kind: SourceKind,
    location: Path | str,
    options: dict[str, Any] | None = None,
    known: Signatures = lambda _: None,
    mark: Marks = NO_MARK,
) -> Items:
    """The records of a source and, among them, what could not be read and how far it was read; in constant memory.

    `options`: see `formats/options.csv`. `known` gives the signature of a document that is held: if it is still the
    same, its file is not opened again. `mark` gives the value of a mark that was kept: what it covers is skipped.
    Raises SourceError where the source cannot be read at all.
    """
    options = options or {}
    kind = SourceKind(kind)
    taken = taken_kinds(kind, options)
    where = str(location)
    if scheme_of(where) in ("http", "https"):
        _require(kind, options, "fhir")
        yield from read_server(where, kind.value, taken, options, mark)
        return
    if format_of_url(where, options) == "sql":
        yield from _query(kind, where, options, mark)
        return
    with opened(location, options) as place:
        yield from _read_place(kind, place, options, taken, known, mark)


def preview_source(
    kind: SourceKind, location: Path | str, options: dict[str, Any] | None = None, limit: int = 10
) -> list[SourceRecord | Rejection]:
    """The first records of a source, and what was rejected before them. Raises SourceError."""
    items = read_source(kind, location, options)
    try:
        return list(islice((item for item in items if not isinstance(item, Mark)), limit))
    finally:
        items.close()  # type: ignore[attr-defined]


def reread_record(
    kind: SourceKind, location: Path | str, options: dict[str, Any] | None, position: str, raw: bytes
) -> Iterator[SourceRecord | Rejection]:
    """A rejected record again, from its raw bytes; a file that was too long to keep is taken from where it now lies."""
    options = options or {}
    kind = SourceKind(kind)
    taken = taken_kinds(kind, options)
    where = str(location)
    if scheme_of(where) in ("http", "https"):
        return reread_resource(taken, options, position, raw)  # type: ignore[return-value]
    if format_of_url(where, options) == "sql":
        return _rows_of_raw(kind.value, position, raw, options, None)
    return _reread_in_place(kind, location, options, taken, position, raw)


def check_source(kind: SourceKind, location: Path | str, options: dict[str, Any] | None = None) -> CheckReport:
    """A look at a source without reading its records: can it be reached, is it there, are its columns."""
    kind, options, where = SourceKind(kind), options or {}, str(location)
    columns: tuple[str, ...] = ()
    problems: list[str] = []
    form, records = options.get("format", ""), 0
    try:
        if scheme_of(where) in ("http", "https"):
            form = "fhir"
            _require(kind, options, form)
            records = check_server(where, kind.value, options)
        elif format_of_url(where, options) == "sql":
            form = "sql"
            query = Query(where, options)
            try:
                columns = query.columns()
            finally:
                query.close()
        else:
            with opened(location, options) as place:
                form = format_of(kind, place, options)
                columns = _columns(kind, form, place, options)
                records = _count(form, place, options)
    except (SourceError, RecordError) as error:
        problems.append(str(error))
    return CheckReport(kind, shown(where), form, records, columns, tuple(problems))


def count_records(kind: SourceKind, location: Path | str, options: dict[str, Any] | None = None) -> int:
    """An upper bound of the records of a source on this machine, for a progress bar; 0 where it is not known."""
    options = options or {}
    if scheme_of(str(location)):
        return 0
    try:
        with opened(location, options) as place:
            return _count(format_of(SourceKind(kind), place, options), place, options)
    except (SourceError, RecordError, OSError):
        return 0


def taken_kinds(kind: SourceKind, options: dict[str, Any]) -> frozenset[str]:
    """The kinds of records that a source gives."""
    return frozenset(options.get("records") or GIVEN[SourceKind(kind).value])


# --- Which format -----------------------------------------------------------------------------------------------


def format_of_url(location: str, options: dict[str, Any]) -> str:
    """`sql` for the URL of a database, else the format that the options name, else nothing."""
    if options.get("format"):
        return str(options["format"])
    return "sql" if scheme_of(location) not in ("", "file", "sftp", "http", "https") else ""


def format_of(kind: SourceKind, place: Place, options: dict[str, Any]) -> str:
    """The format of the files of a place: the one named, else the one that its kind, names and first bytes tell."""
    if options.get("format"):
        return str(options["format"])
    if kind is SourceKind.DOCUMENTS and place.is_folder and place.state(INDEX) is not None:
        return "index"
    name = _telling(kind, place)
    suffix = PurePosixPath(name or "").suffix.lower()
    if suffix in _SUFFIXES:
        found = _SUFFIXES[suffix]
        return "files" if found == "cda" and kind is SourceKind.DOCUMENTS and place.is_folder else found
    if name and suffix in (".ndjson", ".json", ".jsonl") and _is_fhir(place, name):
        return "fhir"
    if kind is SourceKind.DOCUMENTS and (place.is_folder or name is None):
        return "index"
    if kind is SourceKind.PMSI and suffix not in (".csv", ".tsv", ".xlsx", ".parquet", ".ndjson", ".jsonl"):
        return "rsa" if "rsa" in PurePosixPath(name or place.name).name.lower() else "rss"
    return "table"


def _telling(kind: SourceKind, place: Place) -> str | None:
    """The file whose name tells the format: one of the kind's usual name, else the first."""
    told = [
        name
        for name in islice(place.names(), _LOOKED_AT)
        if PurePosixPath(name).suffix.lower() in _TOLD and PurePosixPath(name).name not in (INDEX, ANO, ANO_HOSP, TRA)
    ]
    usual = PurePosixPath(USUAL_LOCATIONS[kind]).stem
    return next((name for name in told if PurePosixPath(name).name.lower().startswith(usual)), next(iter(told), None))


_LOOKED_AT = 1_000  # files of a folder, to tell its format
_TOLD = frozenset((*_SUFFIXES, ".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".ndjson", ".jsonl", ".json"))


def _is_fhir(place: Place, name: str) -> bool:
    with place.file(name) as path, path.open("rb") as stream:
        return b'"resourceType"' in stream.read(65_536)


def _require(kind: SourceKind, options: dict[str, Any], form: str) -> None:
    if options.get("format", form) != form:
        raise SourceError(f"A web address is read as {form}.", f"Leave the option “format” out, or write {form}.")


# --- Reading --------------------------------------------------------------------------------------------------------


def _read_place(
    kind: SourceKind,
    place: Place,
    options: dict[str, Any],
    taken: frozenset[str],
    known: Signatures,
    mark: Marks,
) -> Items:
    match format_of(kind, place, options):
        case "index":
            if not place.is_folder:
                raise SourceError(f"{place.name} is no folder.", f"Give the folder that holds {INDEX}.")
            yield from read_index(place, options, known)
        case "files" | "cda" as form:
            yield from each_file(
                place, PATTERNS[form], options, mark, lambda path, name: document_file(path, name, options, taken)
            )
        case "hl7":
            _require_family(kind, taken)
            yield from each_file(
                place, PATTERNS["hl7"], options, mark, lambda path, name: _messages(path, name, options, taken)
            )
        case "fhir":
            yield from read_bulk(place, kind.value, taken, options, mark)
        case "rss" | "rsa" as form:
            yield from _stays(form, place, options, mark)
        case "table":
            yield from _tables(kind, place, options, mark)
        case form:
            raise SourceError(f"Files are not read as {form}.", "Correct the option “format”.")


def _tables(kind: SourceKind, place: Place, options: dict[str, Any], mark: Marks) -> Items:
    patterns = _table_patterns(kind, place)
    read = lambda path, name: _table(_kind_of_table(kind, name), path, place, options)  # noqa: E731
    yield from each_file(place, patterns, options, mark, read, leave=_NOT_TABLES)
    if not place.is_folder and kind is SourceKind.ADMINISTRATIVE:
        for stem, table in BESIDE.items():
            name = f"{stem}.csv"
            if place.state(name) is not None:
                with place.file(name) as path:
                    yield from _table(table, path, place, options)


def _table_patterns(kind: SourceKind, place: Place) -> tuple[str, ...]:
    """The tables of a kind in a folder: those of its usual name, or all where there is none."""
    stem = PurePosixPath(USUAL_LOCATIONS[kind]).stem
    stems = (stem, *BESIDE) if kind is SourceKind.ADMINISTRATIVE else (stem,)
    usual = tuple(pattern.replace("*", f"{name}*") for name in stems for pattern in PATTERNS["table"])
    if place.is_folder and any(wanted(name, usual[: len(PATTERNS["table"])], {}) for name in place.names()):
        return usual
    return PATTERNS["table"]


def _kind_of_table(kind: SourceKind, name: str) -> str:
    """What a table holds: what its kind says, or merges and deletions beside the administrative file."""
    stem = PurePosixPath(name).name.lower()
    if kind is SourceKind.ADMINISTRATIVE:
        return next((table for start, table in BESIDE.items() if stem.startswith(start)), kind.value)
    return kind.value


def _table(kind: str, path: Path, place: Place | None, options: dict[str, Any]) -> Iterator[SourceRecord | Rejection]:
    unique = UNIQUE.get(kind, "id")
    with path.open("rb") as stream:
        head = stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith(b"PK"):
        rows = read_mappings(kind, path.name, xlsx_rows(path, options), options, unique)
    elif head.startswith(b"PAR1"):
        rows = read_mappings(kind, path.name, parquet_rows(path), options, unique)
    elif head.startswith(b"{"):
        rows = read_mappings(kind, path.name, json_rows(path), options, unique)
    else:
        rows = read_table(kind, path, options, unique=unique)
    yield from _records(kind, rows, place, options)


def _records(
    kind: str, rows: Iterator[Row | Rejection], place: Place | None, options: dict[str, Any], kept: bytes | None = None
) -> Iterator[SourceRecord | Rejection]:
    if kind == SourceKind.DOCUMENTS.value:
        return documents_of_rows(rows, place, options, kept=kept)
    return records_of_rows(kind, rows)


def _query(kind: SourceKind, location: str, options: dict[str, Any], mark: Marks) -> Items:
    since = mark(query_key(location, options))
    for item, version in read_query(kind.value, location, options, since, UNIQUE.get(kind.value, "id")):
        if isinstance(item, Row):
            for record in _records(kind.value, iter([item]), None, options):
                yield replace(record, version=version) if isinstance(record, SourceRecord) and version else record
        else:
            yield item


def _messages(
    path: Path, name: str, options: dict[str, Any], taken: frozenset[str]
) -> Iterator[SourceRecord | Rejection]:
    for number, message, raw in messages_of(path):
        yield from _message(message, f"{name}:{number}", raw, options, taken)


def _message(
    message: bytes | RecordError, position: str, raw: bytes, options: dict[str, Any], taken: frozenset[str]
) -> Iterator[SourceRecord | Rejection]:
    try:
        if isinstance(message, RecordError):
            raise message
        records = records_of(
            Message(message), position, taken, options.get("authority", ""), ocr=options.get("ocr", True)
        )
        for record in records:
            if record.kind in taken and (record.kind != "deletion" or record.values["of"] in taken):
                yield record
    except RecordError as error:
        yield Rejection.of(error, position, raw)
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        yield Rejection.of(unforeseen(error), position, raw)


def _require_family(kind: SourceKind, taken: frozenset[str]) -> None:
    if not any((family - {"deletion"}) & taken for family in FAMILIES.values()):
        raise SourceError(
            f"HL7 v2 messages tell of no {kind.value}.", "Read it from another format, or set the option “records”."
        )


def _stays(form: str, place: Place, options: dict[str, Any], mark: Marks) -> Items:
    def read(path: Path, name: str) -> Iterator[SourceRecord | Rejection]:
        folder = PurePosixPath(name).parent
        with contextlib.ExitStack() as held:
            links = _links(form, place, folder, options)
            held.callback(links.close)
            with place.file(str(folder / links.name)) as file:
                yield from read_links(file, links, options)
            if form == "rss":
                yield from read_rss(PurePosixPath(name).name, lines_of(path), links, options)
                return
            with place.file(str(folder / options.get("tra", TRA))) as file:
                tra = read_tra(file)
            held.callback(tra.close)
            yield from read_rsa(PurePosixPath(name).name, lines_of(path), tra, links, options)

    yield from each_file(place, PATTERNS[form], options, mark, read, leave=(ANO, ANO_HOSP, TRA))


def _links(form: str, place: Place, folder: PurePosixPath, options: dict[str, Any]) -> Links:
    """The file that says whose stays are: the one named, else the usual ones."""
    usual = (ANO_HOSP, ANO) if form == "rsa" else (ANO, ANO_HOSP)
    there = [name for name in usual if place.state(str(folder / name)) is not None]
    return Links(str(options.get("ano") or next(iter(there), usual[0])))


# --- What was kept aside ------------------------------------------------------------------------------------------


def _reread_in_place(
    kind: SourceKind, location: Path | str, options: dict[str, Any], taken: frozenset[str], position: str, raw: bytes
) -> Iterator[SourceRecord | Rejection]:
    with opened(location, options) as place:
        form = format_of(kind, place, options)
        name, _, number = position.rpartition(":") if position.rpartition(":")[2].isdecimal() else (position, "", "")
        if form in ("files", "cda"):
            if raw.endswith(CUT_NOTE) and place.state(position) is not None:
                with place.file(position) as path:
                    yield from document_file(path, position, options, taken)
            else:
                yield from reread_file(raw, position, options, taken)
        elif form == "hl7":
            if raw.endswith(CUT_NOTE) and place.state(name) is not None:
                with place.file(name) as path:
                    for place_, message, whole in messages_of(path):
                        if str(place_) == number:
                            yield from _message(message, position, whole, options, taken)
            else:
                yield from _message(raw, position, raw, options, taken)
        elif form == "fhir":
            yield from reread_resource(taken, options, position, raw)  # type: ignore[misc]
        elif form in ("rss", "rsa"):
            if not name.endswith(("rss.txt", "rsa.txt")) and name in (ANO, ANO_HOSP, options.get("ano")):
                return
            yield from _reread_stay(form, place, name or position, raw, options)
        elif form == "index":
            index, cut, content = raw.partition(CONTENT_MARK)
            rows = read_rows("documents", INDEX, _lines(index), options)
            yield from documents_of_rows(rows, place, options, kept=content if cut else None)
        else:
            yield from _rows_of_raw(_kind_of_table(kind, name), position, raw, options, place)


def _reread_stay(
    form: str, place: Place, name: str, raw: bytes, options: dict[str, Any]
) -> Iterator[SourceRecord | Rejection]:
    folder = PurePosixPath()
    links = _links(form, place, folder, options)
    tra = KeyTable()
    try:
        with place.file(str(folder / links.name)) as file:
            for _ in read_links(file, links, options):
                pass
        if form == "rss":
            yield from read_rss(name, _lines(raw), links, options)
            return
        with place.file(str(folder / options.get("tra", TRA))) as file:
            tra = read_tra(file)
        yield from read_rsa(name, _lines(raw), tra, links, options)
    finally:
        links.close()
        tra.close()


def _rows_of_raw(
    kind: str, position: str, raw: bytes, options: dict[str, Any], place: Place | None
) -> Iterator[SourceRecord | Rejection]:
    """Rows that were kept aside: a JSON object, or a header and its line."""
    unique = UNIQUE.get(kind, "id")
    index, cut, content = raw.partition(CONTENT_MARK)
    if index.lstrip().startswith(b"{"):
        lines = [line for line in index.splitlines() if line.strip()]
        held = [(position, json_cells(decode(line)), line) for line in lines]
        rows = read_mappings(kind, position, held, options, unique)
    else:
        rows = read_rows(kind, position.rpartition(":")[0] or position, _lines(index), options, unique=unique)
    yield from _records(kind, rows, place, options, content if cut else None)


def _lines(raw: bytes) -> Iterator[Line]:
    for number, line in enumerate(io.BytesIO(raw), start=1):
        yield number, decode(line), line


# --- A look -----------------------------------------------------------------------------------------------------------


def _columns(kind: SourceKind, form: str, place: Place, options: dict[str, Any]) -> tuple[str, ...]:
    """The columns of the first table of a place; raises SourceError where something that is needed is missing."""
    if form == "index":
        with place.file(INDEX) as path:
            if not path.is_file():
                next(iter(read_index(place, options, lambda _: None)), None)
            return read_header("documents", path, options).found
    if form in ("rss", "rsa"):
        folder = PurePosixPath()
        links = _links(form, place, folder, options)
        links.close()
        if links.name.endswith(".csv"):
            with place.file(links.name) as path:
                return read_header("pmsi_ano", path, options).found
        return ()
    if form != "table":
        return ()
    patterns = _table_patterns(kind, place)
    for name in place.names():
        if place.is_folder and (not wanted(name, patterns, options) or PurePosixPath(name).name in _NOT_TABLES):
            continue
        with place.file(name) as path:
            return _table_columns(_kind_of_table(kind, name), path, options)
    raise SourceError(f"{place.name} holds no table.", "Check the option “pattern”.")


def _table_columns(kind: str, path: Path, options: dict[str, Any]) -> tuple[str, ...]:
    with path.open("rb") as stream:
        head = stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    for magic, rows in (
        (b"PK", lambda: xlsx_rows(path, options)),
        (b"PAR1", lambda: parquet_rows(path)),
        (b"{", lambda: json_rows(path)),
    ):
        if head.startswith(magic):
            from consore.sources.tables import Columns, require

            found = tuple(header_of(rows()))
            require(path.name, Columns(kind, found, options), found)
            return found
    return read_header(kind, path, options).found


def _count(form: str, place: Place, options: dict[str, Any]) -> int:
    """An upper bound of what a place on this machine holds."""
    if form in ("files", "cda"):
        return sum(wanted(name, PATTERNS[form], options) for name in place.names()) if place.is_folder else 1
    if getattr(place, "root", None) is None:
        return 0
    names = [INDEX] if form == "index" else list(place.names())
    if place.is_folder and form in PATTERNS:
        names = [name for name in names if wanted(name, PATTERNS[form], options)]
    mark, less = (b"MSH|", 0) if form == "hl7" else (b"\n", 1 if form in ("index", "table") else 0)
    return sum(max(_occurrences(place, name, mark) - less, 0) for name in names)


def _occurrences(place: Place, name: str, mark: bytes) -> int:
    total = 0
    try:
        with place.file(name) as path, path.open("rb") as stream:
            while block := stream.read(1 << 20):
                total += block.count(mark)
    except OSError:
        return 0
    return total
