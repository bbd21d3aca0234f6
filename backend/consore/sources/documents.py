"""Clinical documents: an index says whose they are and the files beside it hold the text, or the files say it all.

The index is `index.csv`, or any table or SELECT with the same columns; a document may also stand in its row.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from consore.errors import RecordError, SourceError
from consore.sources.cda import document_of, holds_cda, parse_cda, read_cda_file, results_of
from consore.sources.encoding import lines_of
from consore.sources.limits import finished
from consore.sources.places import Place
from consore.sources.records import CUT_NOTE, RAW_LIMIT, Rejection, SourceRecord, bounded, unforeseen
from consore.sources.tables import Row, read_rows
from consore.sources.texts import text_from, text_of
from consore.sources.values import document_kind, parse_date, parse_moment

CONTENT_MARK = b"\n-- content of the file --\n"  # in the raw bytes of a document: index lines, this, the file
INDEX = "index.csv"

Signatures = Callable[[str], str | None]  # the signature of a document that is already held, by its identifier


def read_index(place: Place, options: dict[str, Any], known: Signatures) -> Iterator[SourceRecord | Rejection]:
    """The documents of a folder, in the order of its index. Raises SourceError where there is no index."""
    if place.state(INDEX) is None:
        raise SourceError(
            f"The folder {place.name} holds no {INDEX}.",
            "Write one with the columns id;ipp;type;titre;date;auteur;service;fichier, or set the option “format”.",
        )
    with place.file(INDEX) as index:
        rows = read_rows("documents", INDEX, lines_of(index), options)
        yield from documents_of_rows(rows, place, options, known)


def documents_of_rows(
    rows: Iterator[Row | Rejection],
    place: Place | None,
    options: dict[str, Any],
    known: Signatures = lambda _: None,
    kept: bytes | None = None,
) -> Iterator[SourceRecord | Rejection]:
    """The documents that rows name; `kept` is the content of the only one where its file is no longer there."""
    ocr = options.get("ocr", True)
    for row in rows:
        if isinstance(row, Rejection):
            yield row
        elif row.values.get("file"):
            yield _of_file(row, place, kept, known, ocr)
        else:
            yield _of_row(row, ocr)


def document_file(
    path: Path, name: str, options: dict[str, Any], kinds: frozenset[str]
) -> Iterator[SourceRecord | Rejection]:
    """The document of a file that says whose it is: a CDA, or one whose name tells it (option `name`)."""
    try:
        content = read_cda_file(path)
        yield from _records_of_file(content, name, options, kinds)
    except RecordError as error:
        yield Rejection.of(error, name, _head(path))
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        yield Rejection.of(unforeseen(error), name, _head(path))


def reread_file(content: bytes, name: str, options: dict[str, Any], kinds: frozenset[str]) -> Iterator[Any]:
    """`document_file` over bytes that were kept aside."""
    try:
        if content.endswith(CUT_NOTE):
            raise RecordError(
                "Only the beginning of this file was kept.", "Put it back in its place.", reason="missing_file"
            )
        yield from _records_of_file(content, name, options, kinds)
    except RecordError as error:
        yield Rejection.of(error, name, content)


def _records_of_file(
    content: bytes, name: str, options: dict[str, Any], kinds: frozenset[str]
) -> Iterator[SourceRecord]:
    ocr, authority = options.get("ocr", True), options.get("authority", "")
    if holds_cda(content):
        clinical = parse_cda(content)
        if "document" in kinds:
            yield document_of(clinical, name, partial(text_from, ocr=ocr), authority)
        for record in results_of(clinical, name, authority):
            if record.kind in kinds:
                yield record
        return
    found = re.search(options["name"], name) if options.get("name") else None
    told = {key: value for key, value in (found.groupdict() if found else {}).items() if value}
    if not told.get("ipp"):
        raise RecordError(
            "Neither the document nor its name says whose it is.",
            "Write the option “name”, as (?P<ipp>\\d+)_(?P<date>\\d{8})_(?P<kind>.+)\\.pdf, or an index.csv.",
            reason="missing_ipp",
        )
    if "document" not in kinds:
        return
    label = told.get("kind", "").replace("_", " ")
    day = parse_date(told.get("date", "")) or parse_moment(told.get("date"))
    values = {
        "kind": document_kind(label),
        "title": told.get("title", "").replace("_", " ") or label or PurePosixPath(name).stem,
        "date": day.isoformat() if day else None,
        "author": told.get("author", ""),
        "service": told.get("service", ""),
        "text": text_from(content, PurePosixPath(name).suffix.lower(), ocr=ocr),
    }
    yield SourceRecord("document", told.get("id", name), told["ipp"], values, name, bounded(content))


def _of_row(row: Row, ocr: bool) -> SourceRecord | Rejection:
    """A document that stands in its row: its text, or its file in base64."""
    try:
        content = row.values.get("content")
        if content:
            try:
                text = text_from(b64decode(content, validate=True), ocr=ocr)
            except (binascii.Error, ValueError):
                text = text_from(content.encode(), ocr=ocr)
        elif row.values.get("text"):
            text = finished(row.values["text"])
        else:
            raise RecordError(
                "The row names no file and holds no text.",
                "Fill fichier, texte or contenu in the source.",
                reason="missing_content",
            )
        signature = _signed(row, "")
        return SourceRecord(
            "document", row.values["id"], row.values["ipp"], _values(row, text), row.position, row.raw, signature,
            version=row.values.get("version") or "",
        )  # fmt: skip
    except RecordError as error:
        return Rejection.of(error, row.position, row.raw)


def _of_file(
    row: Row, place: Place | None, kept: bytes | None, known: Signatures, ocr: bool
) -> SourceRecord | Rejection:
    content = b""
    position = row.position
    try:
        if place is None:
            raise _missing(row)
        name = _inside(place, row.values["file"])
        position = f"{place.name}/{name}"
        state = place.state(name)
        signature = _signed(row, state) if state else ""
        identifier, ipp = row.values["id"], row.values["ipp"]
        if signature and known(identifier) == signature:
            return SourceRecord("document", identifier, ipp, {}, position, b"", signature, known=True)
        if state:
            with place.file(name) as file:
                content = _head(file)
                text = text_of(file, ocr=ocr)
        elif kept and len(kept) <= RAW_LIMIT:
            content, text = kept, text_from(kept, PurePosixPath(name).suffix.lower(), ocr=ocr)
        else:
            content = kept or b""
            raise _missing(row)
        raw = bounded(row.raw + CONTENT_MARK + content)
        version = row.values.get("version") or ""
        return SourceRecord("document", identifier, ipp, _values(row, text), position, raw, signature, version=version)
    except RecordError as error:
        return Rejection.of(error, position, row.raw + CONTENT_MARK + content)
    except OSError as error:
        fault = RecordError(
            f"The file cannot be read: {error.strerror}.", "Check the rights on it.", reason="unreadable_file"
        )
        return Rejection.of(fault, position, row.raw)


def _missing(row: Row) -> RecordError:
    return RecordError(
        f"The index names {row.values['file']}, which is not in the folder.",
        "Put the file in the folder, then read the source again.",
        reason="missing_file",
    )


def _values(row: Row, text: str) -> dict[str, Any]:
    return {
        "kind": document_kind(row.values["kind"]),
        "title": row.values["title"] or row.values["kind"],
        "date": row.values["date"],
        "author": row.values["author"] or "",
        "service": row.values["service"] or "",
        "text": text,
    }


def _inside(place: Place, written: str) -> str:
    """The path of a file below its folder. Raises RecordError where it is elsewhere."""
    fault = RecordError(
        f"The index names {written}, outside the folder of documents.",
        "Name only files that lie in the folder.",
        reason="path_escape",
    )
    name = PurePosixPath(written.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or not name.parts or re.match(r"[A-Za-z]:", written):
        raise fault
    root: Path | None = getattr(place, "root", None)
    if root is not None:
        try:
            if not (root / name).resolve().is_relative_to(root.resolve()):  # a link may lead elsewhere
                raise fault
        except (OSError, ValueError, RuntimeError) as error:
            raise RecordError("The name of the file cannot be used.", "Correct it.", reason="path_escape") from error
    return str(name)


def _signed(row: Row, state: str) -> str:
    """Of the index line, and of the file's size and time of change."""
    parts = [*map(str, row.values.values()), state]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _head(file: Path) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as stream:
        return stream.read(RAW_LIMIT + 1)
