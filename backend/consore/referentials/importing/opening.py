"""Official files as their publishers leave them: folders, .gz, .zip; text of any encoding, JSON, XLSX, ClaML.

Nothing is known from a file's name. What it is comes from its first bytes; its encoding from its bytes (UTF-8, else
Windows-1252, line by line; UTF-16 by its mark or its zeros); its separator from what cuts its lines evenly. Whatever it
is, the rest of the importer sees tables: numbered lines of cells. Tables are read as they stream, never whole.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from consore.errors import InputError
from consore.referentials.decoding import decode, decode_narrow, wide_encoding

MOST_BYTES = 4 * 1024**3  # of one file once decompressed
MOST_BYTES_AT_ONCE = 512 * 1024**2  # of a file that cannot be read as it streams (JSON, a workbook's parts)
MOST_FILES = 500
LONGEST_LINE = 4_000_000  # bytes
SEPARATORS = "\t|;,"
_BLOCK = 1 << 20
_HEAD = 65536
_SAMPLE_LINES = 60
_LINES_OF_A_CELL = 20  # that one quoted cell may span before its quote is held for a stray one

Line = tuple[int, list[str]]


@dataclass(frozen=True)
class Part:
    """One file, wherever it lies: `name` for people, `open` for its bytes from the beginning."""

    name: str
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Table:
    """A table of a file: each call of `lines` reads it anew, as (line or row number from 1, cells without margins)."""

    name: str
    lines: Callable[[], Iterator[Line]]

    def sample(self, most: int) -> list[Line]:
        """The first lines."""
        return list(islice(self.lines(), most))


def tables_of(path: Path) -> tuple[list[Table], list[str]]:
    """Every table of a file or folder, and what of it is none, with the reason.

    Raises InputError where there is no table at all.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.", "Check its name.")
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if len(files) > MOST_FILES:
        raise InputError(f"{path} holds {len(files)} files.", "Give the folder of one publication only.")
    found: list[Table] = []
    refused: list[InputError] = []
    for file in files:
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            for part in _parts(Part(name, partial(_opened, file))):
                try:
                    found += _tables(part)
                except InputError as error:  # a folder may hold a PDF beside its tables
                    refused.append(error)
        except InputError as error:
            refused.append(error)
    if not found:
        raise refused[0] if refused else InputError(f"{path} is empty.", "Download it again.")
    return found, [error.message for error in refused]


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Check the rights on it.") from error


def _parts(part: Part, depth: int = 0) -> Iterator[Part]:
    """The part itself, or those that it is a compressed file of."""
    with reading(part.name), part.open() as stream:
        head = stream.read(4)
    if depth > 2:
        raise InputError(f"{part.name} is compressed again and again.", "Decompress it first.")
    if head[:2] == b"\x1f\x8b":
        inner = Part(part.name.removesuffix(".gz"), partial(_gunzipped, part))
        yield from _parts(inner, depth + 1)
        return
    if head == b"PK\x03\x04":
        with reading(part.name), part.open() as stream, zipfile.ZipFile(stream) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
        names = {info.filename for info in members}
        if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
            if sum(info.file_size for info in members) > MOST_BYTES_AT_ONCE:
                raise InputError(f"The workbook {part.name} is too large once opened.", "Save it as CSV.")
            yield part
            return
        if len(members) > MOST_FILES:
            raise InputError(f"{part.name} holds {len(members)} files.", "Give one publication only.")
        for info in members:
            if not info.filename.rsplit("/", 1)[-1].startswith("."):
                yield from _parts(Part(info.filename, partial(_member, part, info.filename)), depth + 1)
        return
    yield part


def _gunzipped(part: Part) -> IO[bytes]:
    return _Bounded(gzip.GzipFile(fileobj=part.open()), part.name)  # type: ignore[arg-type,return-value]


def _member(part: Part, name: str) -> IO[bytes]:
    return _Bounded(zipfile.ZipFile(part.open()).open(name), part.name)  # type: ignore[return-value]


class _Bounded(io.RawIOBase):
    """A decompressed stream that ends in an error rather than filling a disk or a memory."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self._read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else MOST_BYTES_AT_ONCE)
        self._read += len(data)
        if self._read > MOST_BYTES:
            raise InputError(f"{self._name} grows beyond {MOST_BYTES} bytes.", "Decompress it and look at it first.")
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Whatever breaks while a file is read, as an InputError that names it."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{name} is cut short or damaged ({error}).", "Download it again.") from error
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror or error}.", "Check the file and its rights."
        ) from error


def _tables(part: Part) -> Iterator[Table]:
    """The tables of an uncompressed file. Raises InputError for what holds none."""
    with reading(part.name), part.open() as stream:
        head = stream.read(_HEAD)
    start = decode(head)[:200].lstrip("\ufeff \t\r\n")
    if not head.strip():
        raise InputError(f"{part.name} is empty.", "Download it again.")
    if head.startswith(b"PK\x03\x04"):
        yield from _sheets(part)
    elif head.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(f"{part.name} is an old Excel workbook (.xls).", "Save it as .xlsx or as CSV.")
    elif head.startswith(b"%PDF"):
        raise InputError(f"{part.name} is a PDF.", "Give the table that the publisher offers beside it.")
    elif start.startswith("<"):
        yield Table(part.name, partial(_classes, part))
    elif start.startswith(("[", "{")):
        yield Table(part.name, partial(_objects, part))
    elif _is_binary(head):
        raise InputError(f"{part.name} is not a text: it holds bytes that no text has.", "Give the publisher's table.")
    else:
        separator = _separator(part, head)
        yield Table(part.name, partial(_rows, part, separator))


def _is_binary(head: bytes) -> bool:
    if wide_encoding(head):
        return False
    controls = sum(head.count(bytes([byte])) for byte in (*range(9), 11, *range(14, 27), *range(28, 32)))
    return controls > len(head) / 500


# Text


def lines_of(part: Part) -> Iterator[tuple[int, str]]:
    """The lines of a text, numbered from 1, without their ends: LF, CRLF or CR, in one file or mixed."""
    with reading(part.name), part.open() as stream:
        block = stream.read(_HEAD)
        wide = wide_encoding(block)
        decoder = codecs.getincrementaldecoder(wide)("replace") if wide else None
        number, pending = 0, b""
        while True:
            final = not block
            data = decoder.decode(block, final).encode("utf-8", "replace") if decoder else block
            data = pending + (data if number or pending else data.removeprefix(codecs.BOM_UTF8))
            kept = b""
            if not final and data.endswith(b"\r"):  # its \n may be the first of the next block
                data, kept = data[:-1], b"\r"
            pieces = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            pending = pieces.pop() + kept
            for text in _texts(pieces):
                number += 1
                yield number, text
            if final:
                if pending:
                    yield number + 1, decode_narrow(pending)
                return
            if len(pending) > LONGEST_LINE:
                raise InputError(f"{part.name} has a line without end.", "Give a table: one row a line.")
            block = stream.read(_BLOCK)


def _texts(pieces: list[bytes]) -> list[str]:
    """Lines as text: all at once where they are UTF-8, else one by one."""
    try:
        return b"\n".join(pieces).decode("utf-8").split("\n") if pieces else []
    except UnicodeDecodeError:
        return [decode_narrow(piece) for piece in pieces]


def _separator(part: Part, head: bytes) -> str:
    """The separator that cuts most lines evenly; of those, the one that makes the most cells."""
    lines = [text for _, text in islice(lines_of(part), _SAMPLE_LINES) if text.strip()]
    best, best_score = ";", (0.0, 0)
    for separator in SEPARATORS:
        widths = Counter(len(_cells(line, separator)) for line in lines)
        width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(1, 0))
        score = (round(count / max(1, len(lines)), 1), width)
        if width > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _rows(part: Part, separator: str) -> Iterator[Line]:
    """The rows of a delimited text; a quoted cell may span lines."""
    lines = lines_of(part)
    waiting: list[tuple[int, str]] = []
    while True:
        line = waiting.pop(0) if waiting else next(lines, None)
        if line is None:
            return
        number, text = line
        if '"' not in text:
            if text.strip():
                yield number, [cell.strip() for cell in text.split(separator)]
            continue
        span = [line]
        if separator in ",;":
            while sum(part_.count('"') for _, part_ in span) % 2 and len(span) < _LINES_OF_A_CELL:
                following = waiting.pop(0) if waiting else next(lines, None)
                if following is None:
                    break
                span.append(following)
            if sum(part_.count('"') for _, part_ in span) % 2:  # a stray quote
                waiting = span[1:] + waiting
                yield number, [cell.strip() for cell in text.split(separator)]
                continue
        yield number, _cells("\n".join(part_ for _, part_ in span), separator)


def _cells(text: str, separator: str) -> list[str]:
    """The cells of one line. Tabs and pipes are never inside a cell: there, quotes only surround a whole one."""
    if '"' in text and separator in ",;":
        try:
            return [
                " ".join(cell.split()) for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row
            ]
        except csv.Error:
            pass
    return [_unquoted(cell.strip()) for cell in text.split(separator)]


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


# JSON


def _objects(part: Part) -> Iterator[Line]:
    """A list of objects as a table whose first line names the keys; objects are numbered from 1."""
    with reading(part.name), part.open() as stream:
        data = stream.read(MOST_BYTES_AT_ONCE + 1)
    if len(data) > MOST_BYTES_AT_ONCE:
        raise InputError(f"{part.name} is too large for JSON.", "Give the same table as CSV.")
    text = decode(data)
    try:
        objects = _largest_list(json.loads(text))
    except (ValueError, RecursionError) as error:
        try:
            objects = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise InputError(f"{part.name} is not valid JSON: {error}.", "Download it again.") from error
    objects = [one for one in objects if isinstance(one, dict)]
    keys = list(dict.fromkeys(key for one in objects for key in one))
    yield 0, keys
    for number, one in enumerate(objects, start=1):
        yield number, [_as_text(one.get(key)) for key in keys]


def _largest_list(value: Any) -> list[Any]:
    """The longest list of objects of a JSON document, wherever it lies (`{"data": […]}`, a FHIR value set)."""
    best: list[Any] = []
    queue = [value]
    while queue:
        one = queue.pop()
        if isinstance(one, list):
            if len(one) > len(best) and any(isinstance(item, dict) for item in one):
                best = one
            queue += [item for item in one if isinstance(item, list)] if len(one) > 1000 else one
        elif isinstance(one, dict):
            queue += [item for item in one.values() if isinstance(item, list | dict)]
    return best or ([value] if isinstance(value, dict) else [])


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(_as_text(one) for one in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


# Workbooks


def _sheets(part: Part) -> Iterator[Table]:
    with _workbook(part) as book:
        names = [sheet.title for sheet in book.worksheets]
    for index, name in enumerate(names):
        yield Table(f"{part.name}[{name}]", partial(_sheet_rows, part, index))


@contextmanager
def _workbook(part: Part) -> Iterator[Any]:
    import openpyxl  # type: ignore[import-untyped]
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

    try:
        with reading(part.name), part.open() as stream:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()
    except (InvalidFileException, KeyError, ValueError, SyntaxError, TypeError, AttributeError) as error:
        raise InputError(f"The workbook {part.name} cannot be read: {error}.", "Save it again, or as CSV.") from error


def _sheet_rows(part: Part, index: int) -> Iterator[Line]:
    """The rows of a sheet, whatever its header claims of its size (some exports claim a single cell)."""
    with _workbook(part) as book:
        sheet = book.worksheets[index]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells = [_as_text(value) for value in row]
            if any(cells):
                yield number, cells


# ClaML

CLAML_COLUMNS = ["code", "label", "parents", "class", "language"]


def _classes(part: Part) -> Iterator[Line]:
    """The classes of a ClaML file (EN 14463:2007, versions 2 and 3) as a table; modifiers give their codes too.

    `label` is the preferred rubric, `class` is chapter, block or category. A value set of IHE SVS (`code` and
    `displayName` of each concept) is a table as well. Raises InputError for other XML, for an entity declared in the
    file, and for XML that is not well formed.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

    modifiers: dict[str, list[tuple[str, str]]] = {}
    modified: list[tuple[int, str, str, list[str]]] = []
    parents_of: set[str] = set()
    number, root = 0, ""
    yield 0, CLAML_COLUMNS
    try:
        with reading(part.name), part.open() as stream:
            for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=False):
                name = _local(element.tag)
                if not root:
                    root = name
                if root != "ClaML":
                    if event == "end" and (label := element.get("displayName", "")):
                        number += 1
                        yield number, [element.get("code", ""), label, "", "", ""]
                    continue
                if event == "start" or name not in ("Class", "ModifierClass", "Modifier"):
                    continue
                label, language = _rubric(element)
                code = element.get("code", "")
                if name == "ModifierClass":
                    modifiers.setdefault(element.get("modifier", ""), []).append((code, label))
                elif name == "Class":
                    number += 1
                    above = [child.get("code", "") for child in element if _local(child.tag) == "SuperClass"]
                    parents_of.update(above)
                    ways = [child.get("code", "") for child in element if _local(child.tag) == "ModifiedBy"]
                    if ways:
                        modified.append((number, code, label, ways))
                    yield number, [code, label, "|".join(filter(None, above)), element.get("kind", ""), language]
                element.clear()
    except DefusedXmlException as error:
        raise InputError(
            f"{part.name} declares entities, which is not allowed.", "Give the publisher's own file."
        ) from error
    except ParseError as error:
        raise InputError(f"{part.name} is not valid XML: {error}.", "Download it again.") from error
    if not number:
        raise InputError(f"{part.name} is XML of {root}, not ClaML.", "Give the ClaML file, or a table.")
    for number, code, label, ways in modified:
        if code not in parents_of:
            for suffix, meaning in (one for way in ways[:1] for one in modifiers.get(way, [])):
                joined = code + suffix if "." not in code or "." not in suffix else code + suffix.replace(".", "")
                yield number, [joined, f"{label}, {meaning[:1].lower()}{meaning[1:]}", code, "category", ""]


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _rubric(element: Any) -> tuple[str, str]:
    """The preferred name of a class, and its language; `preferredLong` wins where there is one."""
    found: dict[str, tuple[str, str]] = {}
    for rubric in element:
        if _local(rubric.tag) == "Rubric" and (kind := rubric.get("kind", "")) not in found:
            for label in rubric:
                if _local(label.tag) == "Label":
                    language = label.get("{http://www.w3.org/XML/1998/namespace}lang", "")
                    found[kind] = (" ".join("".join(label.itertext()).split()), language)
                    break
    return found.get("preferredLong") or found.get("preferred") or ("", "")
