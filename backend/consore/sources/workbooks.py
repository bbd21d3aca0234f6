"""Tables that are no text: XLSX workbooks, Parquet files, NDJSON lines. One row at a time, as text cells.

A row's `raw` is its cells as one JSON object, so that it can be read again alone.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from consore.errors import RecordError, SourceError
from consore.sources.encoding import long_lines
from consore.sources.records import RAW_LIMIT, KeyTable, Rejection
from consore.sources.tables import Columns, Row, already_seen, require

MAX_UNPACKED = 2_000_000_000  # bytes of a workbook once unpacked
MAX_RATIO = 200  # times that a workbook may grow when it is unpacked: ten is usual
BATCH = 1_000  # rows of a Parquet file held at once

Cells = Mapping[str, Any]


def read_mappings(
    kind: str, name: str, rows: Iterable[tuple[str, Cells | RecordError, bytes]], options: dict[str, Any], unique: str
) -> Iterator[Row | Rejection]:
    """Checked rows from (position, cells or why there are none, raw) triples. Raises SourceError on missing columns."""
    seen = KeyTable()
    columns: Columns | None = None
    names: tuple[str, ...] = ()
    try:
        for position, cells, raw in rows:
            try:
                if isinstance(cells, RecordError):
                    raise cells
                if tuple(cells) != names or columns is None:
                    first = columns is None
                    names = tuple(cells)
                    columns = Columns(kind, names, options)
                    if first:
                        require(name, columns, names)
                values = columns.values([as_text(value) for value in cells.values()])
                if unique and not seen.add(values[unique]):
                    raise already_seen(values[unique])
                yield Row(position, values, raw or as_raw(cells))
            except RecordError as error:
                yield Rejection.of(error, position, raw or (as_raw(cells) if isinstance(cells, Mapping) else b""))
    finally:
        seen.close()


def xlsx_rows(file: Path, options: dict[str, Any]) -> Iterator[tuple[str, Cells | RecordError, bytes]]:
    """The rows of a sheet, whose first line that is not blank names the columns."""
    from openpyxl import load_workbook

    _check_archive(file)
    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises what its parsers meet
        raise SourceError(
            f"{file.name} is no workbook that can be read ({type(error).__name__}).", "Save it again as .xlsx."
        ) from error
    try:
        yield from _sheet_rows(book, file.name, options.get("sheet"))
    except SourceError:
        raise
    except Exception as error:  # a damaged sheet is only met while it is read
        raise SourceError(
            f"{file.name} is damaged ({type(error).__name__}).", "Save it again as .xlsx, or send it again."
        ) from error
    finally:
        book.close()


def _sheet_rows(book: Any, file_name: str, wanted: str | None) -> Iterator[tuple[str, Cells | RecordError, bytes]]:
    if wanted and wanted not in book.sheetnames:
        raise SourceError(f"{file_name} has no sheet {wanted}.", f"Its sheets: {', '.join(book.sheetnames)}.")
    sheet = book[wanted] if wanted else book.worksheets[0]
    sheet.reset_dimensions()  # some programs write a wrong one, which would cut rows
    names: list[str] = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        if all(cell is None or cell == "" for cell in cells):
            continue
        if not names:
            names = [as_text(cell) or f"column {place}" for place, cell in enumerate(cells, start=1)]
            continue
        padded = [*cells, *[None] * (len(names) - len(cells))][: len(names)]
        yield f"{file_name}:{number}", dict(zip(names, padded, strict=True)), b""
    if not names:
        raise SourceError(f"{file_name} is empty.", "Export it again, its first line naming the columns.")


def parquet_rows(file: Path) -> Iterator[tuple[str, Cells | RecordError, bytes]]:
    """The rows of a Parquet file, some at a time."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as table:
            number = 0
            for batch in table.iter_batches(batch_size=BATCH):
                for cells in batch.to_pylist():
                    number += 1
                    yield f"{file.name}:{number}", cells, b""
    except (ArrowException, OSError) as error:
        raise SourceError(f"{file.name} is no Parquet file that can be read.", "Export it again.") from error


def json_rows(file: Path) -> Iterator[tuple[str, Cells | RecordError, bytes]]:
    """The objects of an NDJSON file, one a line."""
    for number, text, raw in long_lines(file):
        if text.strip():
            yield f"{file.name}:{number}", json_cells(text), raw


def json_cells(text: str) -> Cells | RecordError:
    """The object of a line, or why there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return RecordError("The line is no JSON.", "Export it again, one object a line.", reason="invalid_json")
    if not isinstance(found, dict):
        return RecordError("The line is no JSON object.", "Export it again, one object a line.", reason="invalid_json")
    return found


def as_text(value: Any) -> str:
    """A cell as text: days as ISO, whole numbers without a fraction, bytes in base64."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "1" if value else "0"
        case dt.datetime():
            return value.isoformat(sep="T")
        case dt.date():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case float():
            return repr(value)
        case Decimal():
            return f"{value.normalize():f}"
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def as_raw(cells: Cells) -> bytes:
    """A row as one JSON object; a cell that is too long is cut, as what is kept of any record."""
    texts = {str(name): as_text(value)[:RAW_LIMIT] for name, value in cells.items()}
    return json.dumps(texts, ensure_ascii=False).encode("utf-8", "replace")


def header_of(rows: Iterator[tuple[str, Cells | RecordError, bytes]]) -> Sequence[str]:
    """The columns of the first row."""
    for _, cells, _ in rows:
        if isinstance(cells, Mapping):
            return tuple(map(str, cells))
    return ()


def _check_archive(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise SourceError(f"{file.name} is no workbook, or a damaged one.", "Save it again as .xlsx.") from error
    if unpacked > MAX_UNPACKED or unpacked > 10_000_000 + MAX_RATIO * file.stat().st_size:
        raise SourceError(f"{file.name} unpacks to {unpacked:,} bytes, more than is safe.", "Export it as CSV.")
