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
_MOMENT = re.compile(r"(?P<y>\d{4})(?:-?(?P<m>\d{2})(?:-?(?P<d>\d{2}))?)?")
_INSTANT = re.compile(r"(?P<digits>\d{4,14})(?P<part>\.\d+)?\s*(?P<zone>Z|[+-]\d{2,4})?")
_NUMBER = re.compile(r"[+-]?\d+(?: \d{3})*(?:[.,]\d+)?")


def check(kind: str, written: str, column: str, today: dt.date) -> str | bool | None:
    """The value of a column of type `kind` (see `formats/columns.csv`); None where it is blank.

    Raises RecordError naming the column and what was found.
    """
    if kind == "content":  # bytes as base64, or a text: what a document holds
        return written or None
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


def parse_moment(written: str | None) -> dt.date | None:
    """The day of a moment of HL7, CDA or FHIR, as its author's clock had it: `20240301120000+0100`, `2024-03`, `2024`.

    A moment known to the month or the year is its first day; None where it is none.
    """
    digits = _MOMENT.match((written or "").strip())
    if not digits:
        return None
    year, month, day = digits["y"], digits["m"] or "01", digits["d"] or "01"
    try:
        return dt.date(int(year), int(month) or 1, int(day) or 1)
    except ValueError:
        return None


def instant(written: str | None) -> str:
    """A moment of HL7, CDA or FHIR as text that sorts in time (UTC where it tells its zone); empty where it is none."""
    found = _INSTANT.match(re.sub(r"(?<=\d)[-:T](?=\d)", "", _zone_apart(written or "")))
    if not found:
        return ""
    digits, part, zone = found["digits"], found["part"] or "", found["zone"]
    text = f"{digits[:4]}{digits[4:6] or '01'}{digits[6:8] or '01'}{digits[8:14]:0<6}"
    try:
        moment = dt.datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError:
        return ""
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[3:5] or 0)
        moment -= dt.timedelta(minutes=minutes if zone[0] == "+" else -minutes)
    return f"{moment:%Y%m%d%H%M%S}{part}"


def _zone_apart(written: str) -> str:
    """`2024-03-01T12:00:00+01:00` with its zone as `+0100`, so that no separator is left but those of the day."""
    return re.sub(r"([+-]\d\d):?(\d\d)$", r" \1\2", written.strip()) if "T" in written else written.strip()


def measure(written: str) -> str:
    """A number written one way (`1,50` → `1.5`); what is none (`<0,1`, `positif`) as it came."""
    if not _NUMBER.fullmatch(written):
        return written
    whole = written.replace(" ", "").replace(",", ".").lstrip("+")
    return whole.rstrip("0").rstrip(".") if "." in whole else whole


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


def document_kind(label: str, loinc: str = "") -> str:
    """The DocumentKind of a French label (`Compte rendu opératoire` → `surgery`), or of a LOINC type; else `other`."""
    plain = _plain(label)
    found = _document_kinds().get(plain) or _loinc_kinds().get(loinc)
    if found in (None, "other"):  # a title says more than its first words: « CR-OP Sein gauche »
        starts = [(known, kind) for known, kind in _document_kinds().items() if plain.startswith(f"{known} ")]
        found = max(starts, key=lambda pair: len(pair[0]))[1] if starts else found
    return found or "other"


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


def _measure(written: str, column: str, today: dt.date) -> str:
    return measure(written)


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
    value = word(kind, written)
    if value is None and written:
        expected = _EXPECTED[kind]
        raise RecordError(
            f"The column {column} holds “{written}” where {expected} is expected.",
            "Correct it in the source, then read the source again.",
            reason=f"unknown_{kind}",
        )
    return value == "true" if kind == "boolean" else value


def word(kind: str, written: str) -> str | None:
    """The value of a word of `formats/words.csv` (`sex`, `boolean`, `status`, `record`); None where it is not known."""
    return _words().get((kind, _plain(written)))


def _record(written: str, column: str, today: dt.date) -> str:
    return str(_word("record", written, column))


def _status(written: str, column: str, today: dt.date) -> str:
    return word("status", written) or "unknown"


def _cim10(written: str, column: str, today: dt.date) -> str:
    return _each_code(written, column, cim10, "a CIM-10 code such as C50.4")[0]


def _cim10_list(written: str, column: str, today: dt.date) -> str:
    return "+".join(_each_code(written, column, cim10, "CIM-10 codes such as C77.3+Z51.1"))


def _ccam_list(written: str, column: str, today: dt.date) -> str:
    return "+".join(_each_code(written, column, ccam, "CCAM codes such as QEFA004"))


def _each_code(written: str, column: str, read: Callable[[str], str | None], expected: str) -> list[str]:
    """The codes of a cell, which `+`, a comma, a semicolon, a bar or a blank part."""
    codes = [read(part) for part in re.split(r"[\s+,;|/]+", written) if part]
    if not codes or None in codes:
        raise _wrong_code(column, written, expected)
    return [code for code in codes if code]


_EXPECTED = {"sex": "M or F", "boolean": "0 or 1", "record": "a source such as documents"}
_CHECKS: dict[str, Callable[[str, str, dt.date], str]] = {
    "text": _text,
    "measure": _measure,
    "record": _record,
    "cim10": _cim10,
    "cim10_list": _cim10_list,
    "ccam_list": _ccam_list,
    "status": _status,
    "identifier": _identifier,
    "date": _date,
    "past_date": _past_date,
    "topography": _topography,
    "morphology": _morphology,
}


@cache
def _words() -> dict[tuple[str, str], str]:
    return {(row["type"], _plain(row["written"])): row["value"] for row in read_format("words")}


@cache
def _loinc_kinds() -> dict[str, str]:
    return {row["loinc"]: row["kind"] for row in read_format("document_loinc")}


@cache
def _document_kinds() -> dict[str, str]:
    return {_plain(row["label"]): row["kind"] for row in read_format("document_kinds")}


def _plain(label: str) -> str:
    return " ".join(normalise(label).split())


def read_format(name: str) -> list[dict[str, str]]:
    """The rows of `formats/NAME.csv`."""
    with (FORMATS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
