"""The folder of clinical documents: `index.csv` says whose they are, the files beside it hold the text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from consore.errors import RecordError, SourceError
from consore.sources.encoding import lines_of
from consore.sources.records import RAW_LIMIT, Rejection, SourceRecord, bounded
from consore.sources.tables import Line, Row, read_rows
from consore.sources.texts import text_from, text_of
from consore.sources.values import document_kind

CONTENT_MARK = b"\n-- content of the file --\n"  # in the raw bytes of a document: index lines, this, the file


Signatures = Callable[[str], str | None]  # the signature of a document that is already held, by its identifier


def read_documents(
    folder: Path, options: dict[str, Any], known: Signatures = lambda _: None
) -> Iterator[SourceRecord | Rejection]:
    """The documents of a folder, in the order of its index. Raises SourceError where there is no index."""
    index = index_of(folder)
    yield from _documents(folder, lines_of(index), options, None, known)


def reread_document(
    folder: Path, lines: Iterator[Line], options: dict[str, Any], kept: bytes | None
) -> Iterator[SourceRecord | Rejection]:
    """One document again from its index lines; `kept` is its content where the file is no longer there."""
    yield from _documents(folder, lines, options, kept, lambda _: None)


def index_of(folder: Path) -> Path:
    """The index of a folder of documents."""
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}.", "Check the location of the source and the rights on it.")
    index = folder / "index.csv"
    if not index.is_file():
        raise SourceError(
            f"The folder {folder} holds no index.csv.",
            "Write one with the columns id;ipp;type;titre;date;auteur;service;fichier.",
        )
    return index


def _documents(
    folder: Path, lines: Iterator[Line], options: dict[str, Any], kept: bytes | None, known: Signatures
) -> Iterator[SourceRecord | Rejection]:
    root = folder.resolve()
    for row in read_rows("documents", "index.csv", lines, options):
        if isinstance(row, Rejection):
            yield row
            continue
        content = b""
        position = row.position
        try:
            file = _inside(root, row.values["file"])
            position = f"{folder.name}/{file.relative_to(root).as_posix()}"
            signature = _signature(row, file)
            identifier = row.values["id"]
            if signature and known(identifier) == signature:
                yield SourceRecord("document", identifier, row.values["ipp"], {}, position, b"", signature, known=True)
                continue
            content = _head(file) or kept or b""
            yield _document(row, file, position, kept, content, signature)
        except RecordError as error:
            yield Rejection.of(error, position, row.raw + CONTENT_MARK + content)
        except OSError as error:
            fault = RecordError(
                f"The file cannot be read: {error.strerror}.", "Check the rights on it.", reason="unreadable_file"
            )
            yield Rejection.of(fault, position, row.raw)


def _document(row: Row, file: Path, position: str, kept: bytes | None, content: bytes, signature: str) -> SourceRecord:
    if file.is_file():
        text = text_of(file)
    elif kept and len(kept) <= RAW_LIMIT:
        text = text_from(kept, file.suffix.lower())
    else:
        raise RecordError(
            f"The index names {row.values['file']}, which is not in the folder.",
            "Put the file in the folder, then read the source again.",
            reason="missing_file",
        )
    values = {
        "kind": document_kind(row.values["kind"]),
        "title": row.values["title"] or row.values["kind"],
        "date": row.values["date"],
        "author": row.values["author"] or "",
        "service": row.values["service"] or "",
        "text": text,
    }
    raw = bounded(row.raw + CONTENT_MARK + content)
    return SourceRecord("document", row.values["id"], row.values["ipp"], values, position, raw, signature)


def _inside(root: Path, written: str) -> Path:
    if "\\" in written:
        written = written.replace("\\", "/")
    try:
        file = (root / written).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise RecordError("The name of the file cannot be used.", "Correct it.", reason="path_escape") from error
    if not file.is_relative_to(root) or file == root:
        raise RecordError(
            f"The index names {written}, outside the folder of documents.",
            "Name only files that lie in the folder.",
            reason="path_escape",
        )
    return file


def _signature(row: Row, file: Path) -> str:
    """Of the index line, and of the file's size and time of change; empty where there is no file."""
    try:
        state = file.stat()
    except OSError:
        return ""
    parts = [*map(str, row.values.values()), str(state.st_size), str(state.st_mtime_ns)]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _head(file: Path) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as stream:
        return stream.read(RAW_LIMIT + 1)
