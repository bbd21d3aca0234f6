"""PMSI stays: RSS files of fixed-width RUM lines (ATIH, MCO), linked to patients by a file beside (`links.py`).

Positions are data (`formats/rss.csv`, `rss_act.csv`: ATIH, edition 2025; the positions read here hold since the edition
2012, but those of acts, which `rss_versions.csv` tells). The RUM of one RSS follow each other and form one stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from consore.errors import RecordError
from consore.sources.links import Links, unlinked
from consore.sources.records import KeyTable, Rejection, SourceRecord
from consore.sources.tables import Line
from consore.sources.values import ccam, cim10, parse_packed_date, read_format

DIAGNOSIS_LENGTH = 8


@dataclass(slots=True)
class _Rum:
    number: int
    raw: bytes
    rss: str
    text: str
    fault: RecordError | None = None


def read_rss(
    name: str, lines: Iterator[Line], links: Links, options: dict[str, Any]
) -> Iterator[SourceRecord | Rejection]:
    """The stays of an RSS file, whose RUM are `lines`; `name` begins each position."""
    seen = KeyTable()
    try:
        rums = (_rum(*line) for line in lines if line[1].strip("\r\n\x1a "))
        for rss, group in groupby(rums, key=lambda rum: rum.rss):
            yield from _stay(name, rss, list(group), links, seen)
    finally:
        seen.close()


def _stay(name: str, rss: str, rums: list[_Rum], links: Links, seen: KeyTable) -> Iterator[SourceRecord | Rejection]:
    raw = b"".join(rum.raw if rum.raw.endswith(b"\n") else rum.raw + b"\n" for rum in rums)
    wrong = next((rum for rum in rums if rum.fault), None)
    position = f"{name}:{(wrong or rums[0]).number}"
    try:
        if wrong and wrong.fault:  # a stay is taken whole or not at all: half a stay would look like a complete one
            raise wrong.fault
        ipp = links.of(rss, _field(rums[0].text, "stay").strip())
        if ipp is None:
            raise unlinked(rss, links)
        if not seen.add(rss):
            raise RecordError(
                f"The stay {rss} already stands higher in the file.",
                "Sort the file by RSS number: the RUM of a stay follow each other.",
                reason="duplicate_id",
            )
        yield SourceRecord("stay", rss, ipp, _stay_values(rss, rums), position, raw)
    except RecordError as error:
        yield Rejection.of(error, position, raw)


def _stay_values(rss: str, rums: list[_Rum]) -> dict[str, Any]:
    entries, exits, units = [], [], []
    diagnoses: list[dict[str, Any]] = []
    acts: list[dict[str, Any]] = []
    for rum in rums:
        entry = _day(rum.text, "entry_date")
        exit_ = _day(rum.text, "exit_date")
        if exit_ < entry:
            raise RecordError(
                f"The stay ends on {exit_}, before it begins on {entry}.",
                "Correct the dates in the source.",
                reason="inconsistent_dates",
            )
        entries.append(entry)
        exits.append(exit_)
        units.append(_field(rum.text, "unit").strip())
        diagnoses += _diagnoses(rum.text, entry)
        acts += _acts(rum.text, entry)
    return {
        "number": rss,
        "entry_date": min(entries),
        "exit_date": max(exits),
        "unit": "+".join(dict.fromkeys(filter(None, units))),
        "diagnoses": _distinct(diagnoses),
        "acts": _distinct(acts),
    }


def _diagnoses(text: str, day: str) -> list[dict[str, Any]]:
    start = _positions()["variable_zone"][0]
    written = [("DP", _field(text, "principal_diagnosis")), ("DR", _field(text, "related_diagnosis"))]
    for place in range(_count(text, "associated_diagnoses")):
        begin = start + place * DIAGNOSIS_LENGTH
        written.append(("DAS", text[begin : begin + DIAGNOSIS_LENGTH]))
    found = []
    for role, code in written:
        if not code.strip():
            continue
        if (coded := cim10(code)) is None:
            raise RecordError(
                f"“{code.strip()}” ({role}) is no CIM-10 code.", "Correct it in the source.", reason="invalid_code"
            )
        found.append({"code": coded, "role": role, "date": day})
    return found


def _acts(text: str, entry: str) -> list[dict[str, Any]]:
    before = _count(text, "associated_diagnoses") + _count(text, "documentary_diagnoses")
    start = _positions()["variable_zone"][0] + before * DIAGNOSIS_LENGTH
    length = _versions()[_field(text, "rss_version")]
    fields = _act_positions(length)
    found = []
    for place in range(_count(text, "acts")):
        zone = text[start + place * length : start + (place + 1) * length]
        written = _cut(zone, fields["ccam"])
        if (code := ccam(written)) is None:
            raise RecordError(f"“{written}” is no CCAM code.", "Correct it in the source.", reason="invalid_code")
        day = parse_packed_date(_cut(zone, fields["date"]))
        found.append({"code": code, "phase": _cut(zone, fields["phase"]), "date": day.isoformat() if day else entry})
    return found


def _rum(number: int, line: str, raw: bytes) -> _Rum:
    text = line.rstrip("\r\n")
    rum = _Rum(number, raw, _field(text, "rss").strip() or f"(line {number})", text)
    try:
        _check_shape(text)
    except RecordError as error:
        rum.fault = error
    return rum


def _check_shape(text: str) -> None:
    start = _positions()["variable_zone"][0]
    if len(text) < start:
        raise _wrong_length(len(text), start)
    if "\x00" in text:
        raise RecordError("The line holds NUL bytes.", "Export it again.", reason="nul_bytes")
    version = _field(text, "rss_version")
    if version not in _versions():
        raise RecordError(
            f"The format {version.strip() or '(blank)'} of RSS is not known.",
            f"Known: {', '.join(sorted(_versions()))}. Export the grouped RSS in one of these.",
            reason="unknown_version",
        )
    diagnoses = _count(text, "associated_diagnoses") + _count(text, "documentary_diagnoses")
    expected = start + diagnoses * DIAGNOSIS_LENGTH + _count(text, "acts") * _versions()[version]
    if len(text) < expected or text[expected:].strip():
        raise _wrong_length(len(text), expected)
    if not _field(text, "rss").strip():
        raise RecordError("The line has no RSS number.", "Export it again.", reason="missing_rss")


def _wrong_length(found: int, expected: int) -> RecordError:
    return RecordError(
        f"The line has {found} characters where its format and its counts make {expected}.",
        "Export it again, without cutting or padding lines.",
        reason="wrong_length",
    )


def _count(text: str, field: str) -> int:
    written = _field(text, field).strip() or "0"
    if not written.isdecimal():
        raise RecordError(
            f"“{written}” is no number of {field.replace('_', ' ')}.", "Export it again.", reason="invalid_number"
        )
    return int(written)


def _day(text: str, field: str) -> str:
    written = _field(text, field)
    day = parse_packed_date(written)
    if day is None:
        raise RecordError(
            f"“{written}” is no date ddmmyyyy ({field.replace('_', ' ')}).",
            "Correct it in the source.",
            reason="invalid_date",
        )
    return day.isoformat()


def _field(text: str, name: str) -> str:
    return _cut(text, _positions()[name])


def _cut(text: str, place: tuple[int, int]) -> str:
    return text[place[0] : place[0] + place[1]]


def _distinct(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({tuple(item.items()): item for item in items}.values())


@cache
def _positions() -> dict[str, tuple[int, int]]:
    return {row["name"]: (int(row["position"]) - 1, int(row["length"])) for row in read_format("rss")}


@cache
def _act_positions(length: int) -> dict[str, tuple[int, int]]:
    """Where the fields of an act are: an act of 26 characters (before 2016) has no PMSI extension."""
    places = {row["name"]: (int(row["position"]) - 1, int(row["length"])) for row in read_format("rss_act")}
    shift = max(begin + width for begin, width in places.values()) - length
    return {name: (begin - (shift if begin > 15 else 0), width) for name, (begin, width) in places.items()}


@cache
def _versions() -> dict[str, int]:
    """The length of an act by version of the RSS."""
    return {row["version"]: int(row["act_length"]) for row in read_format("rss_versions")}
