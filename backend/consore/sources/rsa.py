"""PMSI stays as RSA, what a hospital sends (ATIH, MCO): TRA tells which stay and its dates, ANO-HOSP whose it is.

Positions are data by edition: `formats/rsa.csv` holds those that never changed, `rsa_editions.csv` the others. The
edition is the one that the option `year` names, else that of the year in which the stay ended, else the newest of those
that the line fits: its counts make its length, and its principal diagnosis is a code.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from consore.errors import RecordError, SourceError
from consore.sources.encoding import lines_of
from consore.sources.links import Links, unlinked
from consore.sources.records import KeyTable, Rejection, SourceRecord
from consore.sources.tables import Line
from consore.sources.values import ccam, cim10, parse_packed_date, read_format

TRA = "pmsi_tra.txt"
_AUTHORISATION, _RADIOTHERAPY, _DIAGNOSIS = 2, 7, 6  # lengths of what stands before the acts


def read_tra(file: Path) -> KeyTable:
    """RSS number, administrative number and days of each RSA, by its key. Raises SourceError where there is no file."""
    if not file.is_file():
        raise SourceError(f"There is no file {file}.", "Put the TRA beside the RSA, or name it in the option “tra”.")
    places = _places("tra")
    table = KeyTable()
    for _, text, _ in lines_of(file):
        line = text.rstrip("\r\n\x1a")
        key = _cut(line, places["rsa_key"])
        entry, leave = (parse_packed_date(_cut(line, places[name])) for name in ("entry_date", "exit_date"))
        if key and entry and leave:
            rss, stay = _cut(line, places["rss"]), _cut(line, places["stay"])
            table.add(key, json.dumps([rss, stay, entry.isoformat(), leave.isoformat()]))
    return table


def read_rsa(
    name: str, lines: Iterator[Line], tra: KeyTable, links: Links, options: dict[str, Any]
) -> Iterator[SourceRecord | Rejection]:
    """The stays of an RSA file; `name` begins each position."""
    seen = KeyTable()
    try:
        for number, text, raw in lines:
            line = text.rstrip("\r\n\x1a")
            if not line.strip():
                continue
            position = f"{name}:{number}"
            try:
                record = _stay(line, raw, position, tra, links, options)
                if not seen.add(record.external_id):
                    raise RecordError(
                        f"The stay {record.external_id} already stands higher in the file.",
                        "Only the first is kept.",
                        reason="duplicate_id",
                    )
                yield record
            except RecordError as error:
                yield Rejection.of(error, position, raw)
    finally:
        seen.close()


def _stay(line: str, raw: bytes, position: str, tra: KeyTable, links: Links, options: dict[str, Any]) -> SourceRecord:
    fixed = _places("rsa")
    layout = _layout(line, options)
    key = _cut(line, fixed["rsa_key"])
    held = tra.get(key)
    if held is None:
        raise RecordError(
            f"The RSA {key or '(blank)'} has no line in the TRA.",
            "Send the TRA of the same month.",
            reason="missing_tra",
        )
    rss, stay, entry, leave = json.loads(held)
    ipp = links.of(rss, stay)
    if ipp is None:
        raise unlinked(rss, links)
    values = {
        "number": rss,
        "entry_date": entry,
        "exit_date": leave,
        "unit": "",
        "diagnoses": _diagnoses(line, layout, entry),
        "acts": _acts(line[layout.acts : layout.end], layout.edition["act_length"], entry),
    }
    return SourceRecord("stay", rss, ipp, values, position, raw)


@dataclass(slots=True, frozen=True)
class _Layout:
    """Where the zones of a line begin (from 0) and where the line ends, in an edition."""

    edition: dict[str, int]
    diagnoses: int
    acts: int
    end: int

    def fits(self, line: str) -> bool:
        """Whether the line is of this edition."""
        principal = line[self.edition["principal_diagnosis"] - 1 :][:_DIAGNOSIS]
        return len(line) >= self.end and not line[self.end :].strip() and cim10(principal) is not None


def _layout(line: str, options: dict[str, Any]) -> _Layout:
    """The layout of a line in its edition. Raises RecordError where it has none."""
    editions = _editions()
    if options.get("year"):
        wanted = [one for one in editions if one["edition"] <= int(options["year"])][-1:] or list(editions[:1])
        return _laid_out(line, wanted[0])
    written = _cut(line, _places("rsa")["exit_year"])
    likely = [one for one in editions if written.isdecimal() and one["edition"] <= int(written)][-1:]
    fault: RecordError | None = None
    for edition in (*likely, *reversed(editions)):
        try:
            layout = _laid_out(line, edition)
        except RecordError as error:
            fault = fault or error
            continue
        if layout.fits(line):
            return layout
        fault = fault or _wrong_length(line, layout)
    raise fault or _wrong_length(line, _laid_out(line, editions[-1]))


def _laid_out(line: str, edition: dict[str, int]) -> _Layout:
    start = (
        edition["variable_zone"]
        - 1
        + _AUTHORISATION * _count(line, (edition["authorisations"] - 1, 1))
        + _RADIOTHERAPY * _count(line, (edition["radiotherapy_supplements"] - 1, 1))
    )
    diagnoses = start + edition["unit_length"] * _count(line, _places("rsa")["rums"])
    acts = diagnoses + _DIAGNOSIS * _count(line, (edition["associated_diagnoses"] - 1, 4))
    return _Layout(edition, diagnoses, acts, acts + edition["act_length"] * _count(line, (edition["acts"] - 1, 5)))


def _wrong_length(line: str, layout: _Layout) -> RecordError:
    return RecordError(
        f"The line has {len(line)} characters where edition {layout.edition['edition']} makes them {layout.end}.",
        "Name the edition in the option “year”, or export it again.",
        reason="wrong_length",
    )


def _diagnoses(line: str, layout: _Layout, day: str) -> list[dict[str, Any]]:
    written = [
        ("DP", line[layout.edition["principal_diagnosis"] - 1 :][:_DIAGNOSIS]),
        ("DR", line[layout.edition["related_diagnosis"] - 1 :][:_DIAGNOSIS]),
        *(("DAS", line[place:][:_DIAGNOSIS]) for place in range(layout.diagnoses, layout.acts, _DIAGNOSIS)),
    ]
    found = []
    for role, code in written:
        if not code.strip():
            continue
        if (coded := cim10(code)) is None:
            raise RecordError(
                f"“{code.strip()}” ({role}) is no CIM-10 code.", "Correct it in the source.", reason="invalid_code"
            )
        found.append({"code": coded, "role": role, "date": day})
    return list({tuple(item.items()): item for item in found}.values())


def _acts(zones: str, length: int, entry: str) -> list[dict[str, Any]]:
    begin = dt.date.fromisoformat(entry)
    phase = 12 if length > 22 else 10  # an act of 22 characters (before 2015) has no descriptive part
    found = []
    for start in range(0, len(zones), length):
        zone = zones[start : start + length]
        if (code := ccam(zone[3:10])) is None:
            raise RecordError(f"“{zone[3:10]}” is no CCAM code.", "Correct it in the source.", reason="invalid_code")
        delay = zone[:3].strip()
        day = begin + dt.timedelta(days=int(delay)) if delay.isdecimal() else begin
        found.append({"code": code, "phase": zone[phase].strip() or "0", "date": day.isoformat()})
    return list({tuple(item.items()): item for item in found}.values())


def _count(line: str, place: tuple[int, int]) -> int:
    written = _cut(line, place) or "0"
    if not written.isdecimal():
        raise RecordError(f"“{written}” is no number.", "Export it again.", reason="invalid_number")
    return int(written)


def _cut(line: str, place: tuple[int, int]) -> str:
    return line[place[0] : place[0] + place[1]].strip()


@cache
def _places(name: str) -> dict[str, tuple[int, int]]:
    return {row["name"]: (int(row["position"]) - 1, int(row["length"])) for row in read_format(name)}


@cache
def _editions() -> tuple[dict[str, int], ...]:
    return tuple({name: int(value) for name, value in row.items()} for row in read_format("rsa_editions"))
