"""The values of a source, checked and written in one way: dates, identifiers, sexes, codes.

What cannot be is a RecordError with a stable reason; what is only unusual is kept as it came.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from consore.errors import RecordError
from consore.referentials import normalise

FORMATS = Path(__file__).parent / "formats"
EARLIEST = dt.date(1880, 1, 1)
PLANNED_DAYS = 2 * 366  # how far ahead a planned act may lie
LONGEST_IDENTIFIER = 200

_DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ].*)?"),
    re.compile(r"(?P<d>\d{1,2})[/.](?P<m>\d{1,2})[/.](?P<y>\d{4})(?: .*)?"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
)
_TOPOGRAPHY = re.compile(r"C(\d\d)\.?(\d)?", re.IGNORECASE)
_MORPHOLOGY = re.compile(r"M?-?(\d{4})/?(\d)", re.IGNORECASE)
_CIM10 = re.compile(r"([A-Z]\d\d)\.?([0-9A-Z+]*)")
_CCAM = re.compile(r"[A-Z]{4}\d{3}")


def check(kind: str, written: str, column: str, today: dt.date) -> str | bool | None:
    """The value of a column of type `kind` (see `formats/columns.csv`); None where it is blank.

    Raises RecordError naming the column and what was found.
    """
    written = written.strip()
    if "\x00" in written:
        raise RecordError(f"The column {column} holds NUL bytes.", "Export the file again as text.", reason="nul_bytes")
    if kind in ("sex", "boolean"):
        return _word(kind, written, column)
    if not written:
        return None
    return _CHECKS[kind](written, column, today)


def parse_date(written: str) -> dt.date | None:
    """A day written `2024-03-01`, `01/03/2024`, `01.03.2024` or `20240301`, a time after it ignored; else None."""
    for shape in _DATES:
        if found := shape.fullmatch(written.strip()):
            try:
                return dt.date(int(found["y"]), int(found["m"]), int(found["d"]))
            except ValueError:
                return None
    return None


def parse_packed_date(written: str) -> dt.date | None:
    """A day written `ddmmyyyy`, as ATIH formats write it; None where it is none."""
    try:
        return dt.date(int(written[4:8]), int(written[2:4]), int(written[0:2]))
    except ValueError:
        return None


def cim10(written: str) -> str | None:
    """A CIM-10 code with its dot (`C504  ` → `C50.4`); None where it is none."""
    found = _CIM10.fullmatch(written.strip().upper())
    if not found:
        return None
    return f"{found[1]}.{found[2]}" if found[2] else found[1]


def ccam(written: str) -> str | None:
    """A CCAM code of seven characters; None where it is none."""
    found = _CCAM.fullmatch(written.strip().upper())
    return found[0] if found else None


def document_kind(label: str) -> str:
    """The DocumentKind of a French label (`Compte rendu opératoire` → `surgery`); `other` where it is not known."""
    return _document_kinds().get(_plain(label), "other")


def _date(written: str, column: str, today: dt.date, latest: dt.date | None = None) -> str:
    day = parse_date(written)
    if day is None or day < EARLIEST:
        raise RecordError(
            f"The column {column} holds “{written}”, which is no date.",
            "Write dates as 2024-03-01 or 01/03/2024.",
            reason="invalid_date",
        )
    if day > (latest or today + dt.timedelta(days=PLANNED_DAYS)):
        raise RecordError(
            f"The column {column} holds “{written}”, a date in the future.",
            "Correct it in the source, then read the source again.",
            reason="future_date",
        )
    return day.isoformat()


def _past_date(written: str, column: str, today: dt.date) -> str:
    return _date(written, column, today, latest=today)


def _text(written: str, column: str, today: dt.date) -> str:
    return written


def _identifier(written: str, column: str, today: dt.date) -> str:
    if len(written) > LONGEST_IDENTIFIER:
        raise RecordError(
            f"The column {column} holds {len(written)} characters, too many for an identifier.",
            "Export the file again: its cells may have slipped.",
            reason="invalid_identifier",
        )
    return written


def _topography(written: str, column: str, today: dt.date) -> str:
    found = _TOPOGRAPHY.fullmatch(written)
    if not found:
        raise _wrong_code(column, written, "an ICD-O-3 topography such as C50.4")
    return f"C{found[1]}.{found[2]}" if found[2] else f"C{found[1]}"


def _morphology(written: str, column: str, today: dt.date) -> str:
    found = _MORPHOLOGY.fullmatch(written)
    if not found:
        raise _wrong_code(column, written, "an ICD-O-3 morphology such as 8500/3")
    return f"{found[1]}/{found[2]}"


def _wrong_code(column: str, written: str, expected: str) -> RecordError:
    return RecordError(
        f"The column {column} holds “{written}” where {expected} is expected.",
        "Correct the code in the source, then read the source again.",
        reason="invalid_code",
    )


def _word(kind: str, written: str, column: str) -> str | bool | None:
    value = _words().get((kind, _plain(written)))
    if value is None and written:
        expected = "M or F" if kind == "sex" else "0 or 1"
        raise RecordError(
            f"The column {column} holds “{written}” where {expected} is expected.",
            "Correct it in the source, then read the source again.",
            reason=f"unknown_{kind}",
        )
    return value == "true" if kind == "boolean" else value


_CHECKS: dict[str, Callable[[str, str, dt.date], str]] = {
    "text": _text,
    "identifier": _identifier,
    "date": _date,
    "past_date": _past_date,
    "topography": _topography,
    "morphology": _morphology,
}


@cache
def _words() -> dict[tuple[str, str], str]:
    return {(row["type"], row["written"]): row["value"] for row in read_format("words")}


@cache
def _document_kinds() -> dict[str, str]:
    return {_plain(row["label"]): row["kind"] for row in read_format("document_kinds")}


def _plain(label: str) -> str:
    return " ".join(normalise(label).split())


def read_format(name: str) -> list[dict[str, str]]:
    """The rows of `formats/NAME.csv`."""
    with (FORMATS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
