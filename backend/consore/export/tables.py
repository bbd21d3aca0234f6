"""A cohort as tables, for a statistician: one row a patient, a tumour, an event, a treatment, a result, a sample.

`patient` joins them. CSV is what a French Excel opens: UTF-8 with its mark, semicolons, days as 2024-03-01. A text
that a spreadsheet would take for a formula is written with an apostrophe before it (OWASP, *CSV injection*), in CSV
and XLSX; Parquet holds it as it is.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any

from consore.export.record import Record

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
PARQUET_BATCH = 20_000  # rows held in memory

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

Row = tuple[Any, ...]


class TableForm(StrEnum):
    """How tables are written: a file each (CSV, Parquet), or a workbook with a sheet each."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


def write_tables(records: Iterable[Record], out: Path, form: TableForm) -> Counter[str]:
    """Write the tables of these patients under `out`, a patient at a time; gives the rows of each."""
    out.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    writing = {TableForm.CSV: _csv, TableForm.XLSX: _xlsx, TableForm.PARQUET: _parquet}[form]
    with ExitStack() as stack:
        add = writing(out, stack)
        for record in records:
            for name, table in TABLES.items():
                for row in table.rows(record):
                    add(name, (record.id, *row))
                    counts[name] += 1
    return counts


class Table:
    """A table: the names and types of its columns after `patient`, and its rows of a record."""

    def __init__(self, columns: dict[str, type], rows: Callable[[Record], Iterable[Row]]) -> None:
        self.columns = {"patient": str, **columns}
        self.rows = rows


def _patient(record: Record) -> Iterator[Row]:
    birth, who = record.birth, record.identity
    yield (
        record.sex.value,
        birth.year if birth else None,
        birth if who else None,
        record.death,
        record.last_news,
        who.family_name if who else None,
        who.given_name if who else None,
        who.birth_name if who else None,
    )


TABLES: dict[str, Table] = {
    "patients": Table(
        {
            "sex": str,
            "birth_year": int,
            "birth_date": dt.date,
            "death_date": dt.date,
            "last_news_date": dt.date,
            "family_name": str,
            "given_name": str,
            "birth_name": str,
        },
        _patient,
    ),
    "tumours": Table(
        {
            "tumour": int,
            "topography": str,
            "morphology": str,
            "laterality": str,
            "diagnosis_date": dt.date,
            "ctnm": str,
            "ptnm": str,
            "stage": str,
            "grade": str,
            "label": str,
        },
        lambda record: (
            (
                one.rank,
                one.topography,
                one.morphology,
                one.laterality,
                one.diagnosis_date,
                one.ctnm,
                one.ptnm,
                one.stage,
                one.grade,
                one.label,
            )
            for one in record.tumours
        ),
    ),
    "events": Table(
        {"tumour": int, "type": str, "date": dt.date, "sites": str},
        lambda record: (
            (one.item.tumour_rank, one.item.type, one.item.date, " ".join(one.item.sites)) for one in record.events
        ),
    ),
    "treatments": Table(
        {
            "tumour": int,
            "type": str,
            "name": str,
            "regimen": str,
            "drugs": str,
            "atc": str,
            "line": int,
            "start": dt.date,
            "end": dt.date,
            "intent": str,
            "response": str,
            "cycles": int,
            "dose_gy": float,
            "stop_reason": str,
        },
        lambda record: (
            (
                item.tumour_rank,
                item.type,
                item.name,
                item.regimen,
                ", ".join(drug.name for drug in item.drugs),
                " ".join(drug.atc for drug in item.drugs if drug.atc),
                item.line,
                item.start,
                item.end,
                item.intent,
                item.response,
                item.cycles,
                item.dose,
                item.stop_reason,
            )
            for item in (care.item for care in record.cares)
        ),
    ),
    "biomarkers": Table(
        {"tumour": int, "code": str, "status": str, "value": str, "unit": str, "date": dt.date},
        lambda record: (
            (tumour.rank, one.code, one.status, one.value, one.unit, one.date)
            for tumour in record.tumours
            for one in tumour.biomarkers
        ),
    ),
    "alterations": Table(
        {"tumour": int, "gene": str, "variant": str, "status": str, "date": dt.date},
        lambda record: (
            (tumour.rank, one.gene, one.variant, one.status, one.date)
            for tumour in record.tumours
            for one in tumour.alterations
        ),
    ),
    "samples": Table(
        {"sample": str, "type": str, "status": str, "topography": str, "date": dt.date},
        lambda record: ((one.id, one.type, one.status, one.topography, one.date) for one in record.samples),
    ),
}

_Adding = Callable[[str, Row], None]


def _csv(out: Path, stack: ExitStack) -> _Adding:
    writers = {}
    for name, table in TABLES.items():
        file = stack.enter_context((out / f"{name}.csv").open("w", encoding="utf-8-sig", newline=""))
        writers[name] = csv.writer(file, delimiter=";")
        writers[name].writerow(table.columns)

    def add(name: str, row: Row) -> None:
        writers[name].writerow([_cell(value) for value in row])

    return add


def _xlsx(out: Path, stack: ExitStack) -> _Adding:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheets = {}
    for name, table in TABLES.items():
        sheets[name] = book.create_sheet(name)
        sheets[name].append(list(table.columns))
    stack.callback(lambda: book.save(out / "cohort.xlsx"))

    def add(name: str, row: Row) -> None:
        sheets[name].append([_cell(value) for value in row])

    return add


def _cell(value: Any) -> Any:
    """What a spreadsheet may hold: no control character, no formula."""
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub(" ", value)
    return f"'{text}" if text.lstrip(" \n").startswith(FORMULA) else text


def _parquet(out: Path, stack: ExitStack) -> _Adding:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    types = {str: pyarrow.string(), int: pyarrow.int32(), float: pyarrow.float64(), dt.date: pyarrow.date32()}
    schemas = {
        name: pyarrow.schema([(column, types[kind]) for column, kind in table.columns.items()])
        for name, table in TABLES.items()
    }
    writers = {name: stack.enter_context(ParquetWriter(out / f"{name}.parquet", schemas[name])) for name in TABLES}
    waiting: dict[str, list[Row]] = {name: [] for name in TABLES}

    def flush(name: str) -> None:
        columns = list(zip(*waiting[name], strict=True)) or [()] * len(schemas[name])
        arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schemas[name], strict=True)]
        writers[name].write_table(pyarrow.table(arrays, schema=schemas[name]))
        waiting[name].clear()

    def add(name: str, row: Row) -> None:
        waiting[name].append(tuple(str(value) if isinstance(value, str) else value for value in row))
        if len(waiting[name]) >= PARQUET_BATCH:
            flush(name)

    stack.callback(lambda: [flush(name) for name in TABLES])
    return add


__all__ = ["TABLES", "TableForm", "write_tables"]
