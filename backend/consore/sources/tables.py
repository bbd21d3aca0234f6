"""Delimited extracts (*extractions CSV*): the separator and the columns are found, each row is checked by itself.

What a column may hold is data: `formats/columns.csv`. A row's `raw` carries the header line before it, so that it can
be read again alone.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from consore.errors import RecordError, SourceError
from consore.referentials import normalise
from consore.sources.encoding import lines_of
from consore.sources.records import KeyTable, Rejection
from consore.sources.values import check, read_format

SEPARATORS = ";,\t|"
MAX_ROW_LINES = 50  # lines that one quoted cell may span before the quote is held for a stray one

Line = tuple[int, str, bytes]


@dataclass(slots=True, frozen=True)
class ColumnRule:
    """One column of the exchange format: its name there, the field that it fills, what it may hold."""

    column: str
    field: str
    type: str
    required: bool


@dataclass(slots=True, frozen=True)
class Row:
    """One checked row: values by field name."""

    position: str
    values: dict[str, Any]
    raw: bytes


@dataclass(slots=True, frozen=True)
class Header:
    """What names the cells of a table: its separator, its columns, and where each field of ours is found."""

    separator: str
    found: tuple[str, ...]
    columns: Columns
    raw: bytes


class Columns:
    """A table's columns against those that are expected: a declared mapping, else their names.

    Options (`formats/options.csv`): `columns` {ours: theirs}, `dates` {ours: strptime format}, `words` {ours: {theirs:
    ours}}, `constants` {ours: value}, `key` [theirs] for tables without an identifier of their own.
    """

    def __init__(self, kind: str, found: Sequence[str], options: dict[str, Any]) -> None:
        self.rules = column_rules(kind)
        self._kind = kind
        self.today = _today(options)
        renamed = options.get("columns", {})
        by_name = {_plain(cell): place for place, cell in reversed(list(enumerate(found)))}
        self.places: dict[str, int] = {}
        for rule in self.rules:
            place = by_name.get(_plain(str(renamed.get(rule.column, rule.column))))
            if place is not None:
                self.places[rule.field] = place
        self._constants = {rule.field: str(options.get("constants", {}).get(rule.column, "")) for rule in self.rules}
        self._dates = options.get("dates", {})
        self._words = {
            column: {_plain(str(theirs)): str(ours) for theirs, ours in words.items()}
            for column, words in options.get("words", {}).items()
        }
        key = options.get("key", [])
        self._key = [by_name[_plain(name)] for name in key if _plain(name) in by_name]
        self._unknown_key = [name for name in key if _plain(name) not in by_name]

    @property
    def missing(self) -> list[str]:
        """The required columns that are not there."""
        told = {*self.places, *(field for field, value in self._constants.items() if value)}
        if self._key and not self._unknown_key:
            told.add("id")
        if self._kind == "documents" and not told & {"file", "text", "content"}:
            return [*self._absent(told), "fichier"]
        return self._absent(told)

    def _absent(self, told: set[str]) -> list[str]:
        return [rule.column for rule in self.rules if rule.required and rule.field not in told] + self._unknown_key

    def values(self, cells: Sequence[str]) -> dict[str, Any]:
        """The fields of a row, checked. Raises RecordError naming the column at fault."""
        values: dict[str, Any] = {}
        for rule in self.rules:
            place = self.places.get(rule.field)
            written = cells[place] if place is not None else self._constants[rule.field]
            if rule.field == "id" and place is None and self._key:
                written = "/".join(cells[place].strip() for place in self._key)
            if rule.column in self._words:
                written = self._words[rule.column].get(_plain(written), written)
            if written and rule.column in self._dates:
                written = _dated(written, rule.column, self._dates[rule.column])
            value = check(rule.type, written, rule.column, self.today)
            if value is None and rule.required and rule.type != "sex":
                raise RecordError(
                    f"The column {rule.column} is blank.",
                    "Fill it in the source, then read the source again.",
                    reason=f"missing_{rule.field}",
                )
            values[rule.field] = value
        return values


@cache
def column_rules(kind: str) -> tuple[ColumnRule, ...]:
    """The columns of an extract (`administrative`, `tumour_sheet`, … or `pmsi_ano`)."""
    return tuple(
        ColumnRule(row["column"], row["field"], row["type"], row["required"] == "yes")
        for row in read_format("columns")
        if row["kind"] == kind
    )


def read_table(
    kind: str, file: Path, options: dict[str, Any] | None = None, *, unique: str | None = "id"
) -> Iterator[Row | Rejection]:
    """The rows of a delimited file, in order, in constant memory.

    `unique` is the field whose second occurrence is rejected. `options`: `columns` {expected: found} renames columns,
    `separator` sets it. Raises SourceError where the file or its columns are missing.
    """
    yield from read_rows(kind, file.name, _lines(file), options, unique=unique)


def read_rows(
    kind: str, name: str, lines: Iterator[Line], options: dict[str, Any] | None = None, *, unique: str | None = "id"
) -> Iterator[Row | Rejection]:
    """`read_table` over lines already read; `name` begins each position."""
    options = options or {}
    header = _header(kind, name, lines, options)
    seen = KeyTable()
    try:
        for number, cells, raw, fault in _logical_rows(lines, header):
            position = f"{name}:{number}"
            whole = header.raw + raw
            try:
                if fault:
                    raise fault
                values = header.columns.values(cells)
                if unique and not seen.add(values[unique]):
                    raise already_seen(values[unique])
                yield Row(position, values, whole)
            except RecordError as error:
                yield Rejection.of(error, position, whole)
    finally:
        seen.close()


def read_header(kind: str, file: Path, options: dict[str, Any] | None = None) -> Header:
    """The header of a delimited file. Raises SourceError naming the columns expected and those found."""
    return _header(kind, file.name, _lines(file), options or {})


def _lines(file: Path) -> Iterator[Line]:
    if not file.is_file():
        raise SourceError(f"There is no file {file}.", "Check the location of the source and the rights on it.")
    try:
        yield from lines_of(file)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}.", "Check the rights on it.") from error


def _header(kind: str, name: str, lines: Iterator[Line], options: dict[str, Any]) -> Header:
    first = next((line for line in lines if line[1].strip()), None)
    if first is None:
        raise SourceError(f"{name} is empty.", "Export it again, its first line naming the columns.")
    separators = options.get("separator") or SEPARATORS
    best: Header | None = None
    for separator in separators:
        found = tuple(cell.strip() for cell in _split([first[1].rstrip("\r\n")], separator) or ())
        columns = Columns(kind, found, options)
        raw = first[2] if first[2].endswith(b"\n") else first[2] + b"\n"
        if best is None or len(columns.places) > len(best.columns.places):
            best = Header(separator, found, columns, raw)
    assert best is not None
    require(name, best.columns, best.found)
    return best


def require(name: str, columns: Columns, found: Sequence[str]) -> None:
    """Raises SourceError naming what is missing where a table lacks columns."""
    if not columns.missing:
        return
    expected = ", ".join(rule.column for rule in columns.rules)
    shown = ", ".join(found[:40])[:500]
    raise SourceError(
        f"{name} lacks the columns {', '.join(columns.missing)}. Expected: {expected}. Found: {shown}.",
        "Export it with these columns, or name yours in the source's option “columns”: see `consore source map`.",
    )


def already_seen(identifier: str) -> RecordError:
    """What is said of a second record with the identifier of the first."""
    return RecordError(
        f"The identifier {identifier} already stands higher in the file.",
        "Only the first is kept; give each record its own identifier.",
        reason="duplicate_id",
    )


def _logical_rows(lines: Iterator[Line], header: Header) -> Iterator[tuple[int, list[str], bytes, RecordError | None]]:
    """Rows as lists of cells: one line each, or several where a quoted cell spans them."""
    waiting: list[Line] = []
    width = len(header.found)

    def following() -> Line | None:
        return waiting.pop(0) if waiting else next(lines, None)

    while (line := following()) is not None:
        number, text, raw = line
        if not text.strip():
            continue
        if text.count('"') % 2 == 0:
            yield (number, *_cells([text], raw, header, width))
            continue
        span = [line]
        while len(span) < MAX_ROW_LINES and (extra := following()) is not None:
            span.append(extra)
            if extra[1].count('"') % 2:
                break
        quotes = sum(part[1].count('"') for part in span)
        cells = _split([part[1] for part in span], header.separator) if quotes % 2 == 0 else None
        if cells is not None and len(cells) == width:
            yield number, cells, b"".join(part[2] for part in span), None
            continue
        waiting = span[1:] + waiting
        bare = text.rstrip("\r\n").split(header.separator)
        if len(bare) == width and not any(cell.startswith('"') for cell in bare):
            yield number, bare, raw, None
        else:
            yield (
                number,
                [],
                raw,
                RecordError(
                    "A quote opens and never closes.", "Double the quotes in cells.", reason="unbalanced_quote"
                ),
            )


def _cells(texts: list[str], raw: bytes, header: Header, width: int) -> tuple[list[str], bytes, RecordError | None]:
    cells = _split(texts, header.separator)
    if cells is None:
        return [], raw, RecordError("The row cannot be split in cells.", "Export it again.", reason="unreadable_row")
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) != width:
        fault = RecordError(
            f"The row has {len(cells)} cells where the header has {width}.",
            f"Quote the cells that hold “{header.separator}”.",
            reason="wrong_cell_count",
        )
        return cells, raw, fault
    return cells, raw, None


def _split(texts: Iterable[str], separator: str) -> list[str] | None:
    try:
        rows = list(csv.reader(texts, delimiter=separator))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _dated(written: str, column: str, form: str) -> str:
    try:
        return dt.datetime.strptime(written.strip(), form).date().isoformat()
    except ValueError as error:
        raise RecordError(
            f"The column {column} holds “{written}”, which is not written as {form}.",
            "Correct the option “dates” of the source, or the date.",
            reason="invalid_date",
        ) from error


def _today(options: dict[str, Any]) -> dt.date:
    return dt.date.fromisoformat(options["today"]) if "today" in options else dt.date.today()


def _plain(name: str) -> str:
    return " ".join(normalise(name).replace("_", " ").split())
