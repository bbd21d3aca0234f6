"""The four extracts that are one row a record: administrative file, tumour sheet, chemotherapy file, biobank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consore.errors import RecordError
from consore.model import Sex, SourceKind
from consore.sources.records import Rejection, SourceRecord
from consore.sources.tables import Line, Row, read_rows, read_table


def read_extract(kind: SourceKind, file: Path, options: dict[str, Any]) -> Iterator[SourceRecord | Rejection]:
    """The records of one of the four extracts."""
    unique = "ipp" if kind is SourceKind.ADMINISTRATIVE else "id"
    return _records(kind, read_table(kind.value, file, options, unique=unique))


def reread_extract(
    kind: SourceKind, name: str, lines: Iterator[Line], options: dict[str, Any]
) -> Iterator[SourceRecord | Rejection]:
    """`read_extract` over lines that were kept aside."""
    unique = "ipp" if kind is SourceKind.ADMINISTRATIVE else "id"
    return _records(kind, read_rows(kind.value, name, lines, options, unique=unique))


def _records(kind: SourceKind, rows: Iterator[Row | Rejection]) -> Iterator[SourceRecord | Rejection]:
    record = _patient if kind is SourceKind.ADMINISTRATIVE else _structured(kind)
    for row in rows:
        if isinstance(row, Rejection):
            yield row
            continue
        try:
            yield record(row)
        except RecordError as error:
            yield Rejection.of(error, row.position, row.raw)


def _patient(row: Row) -> SourceRecord:
    values = dict(row.values)
    ipp = values.pop("ipp")
    birth = values["birth_date"]
    for field, word in (("death_date", "death"), ("last_news_date", "last news")):
        if values[field] and values[field] < birth:
            raise RecordError(
                f"The birth date {birth} lies after the date of {word} {values[field]}.",
                "Correct the dates in the source, then read the source again.",
                reason="inconsistent_dates",
            )
    for field in ("birth_name", "postal_code", "city"):
        values[field] = values[field] or ""
    values["sex"] = values["sex"] or Sex.UNKNOWN.value
    return SourceRecord("patient", ipp, ipp, values, row.position, row.raw)


def _structured(kind: SourceKind):  # type: ignore[no-untyped-def]
    def record(row: Row) -> SourceRecord:
        values = {column: value or "" for column, value in row.values.items() if column not in ("id", "ipp")}
        return SourceRecord(kind.value, row.values["id"], row.values["ipp"], values, row.position, row.raw)  # type: ignore[arg-type]

    return record
