"""Whose a PMSI stay is: `pmsi_ano.csv`, or ANO-HOSP, or VID-HOSP, which lie beside the stays.

ANO-HOSP is read by edition (`formats/ano_hosp_editions.csv`, ATIH): it holds the IPP since 2019. VID-HOSP holds social
security numbers: nothing of it is kept but the stay and the IPP, whose places the option `ano_positions` tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from consore.errors import RecordError, SourceError
from consore.sources.encoding import lines_of
from consore.sources.records import KeyTable, Rejection
from consore.sources.tables import Row, read_table
from consore.sources.values import parse_packed_date, read_format

ANO = "pmsi_ano.csv"
ANO_HOSP = "pmsi_ano_hosp.txt"
WIDTH = 20  # of a stay's number and of an IPP
_VID_HOSP_STAY = (27, WIDTH)  # after the numbers of the insured, the birth date and the sex


class Links:
    """The IPP of a stay, by its RSS number or by its administrative number."""

    def __init__(self, name: str = ANO) -> None:
        self.name = name
        self._by_rss = KeyTable()
        self._by_stay = KeyTable()

    def of(self, rss: str, stay: str = "") -> str | None:
        """The IPP of a stay; None where no line tells it."""
        return self._by_rss.get(rss) or (self._by_stay.get(stay) if stay else None)

    def add(self, ipp: str, *, rss: str = "", stay: str = "") -> None:
        """Tell whose a stay is."""
        if rss:
            self._by_rss.add(rss, ipp)
        if stay:
            self._by_stay.add(stay, ipp)

    def close(self) -> None:
        """Drop what was held."""
        self._by_rss.close()
        self._by_stay.close()


def read_links(file: Path, links: Links, options: dict[str, Any]) -> Iterator[Rejection]:
    """Put the lines of a link file in `links`; what cannot be read is given."""
    if file.suffix.lower() == ".csv":
        for row in read_table("pmsi_ano", file, options, unique="rss"):
            if isinstance(row, Row):
                links.add(row.values["ipp"], rss=row.values["rss"], stay=row.values["rss"])
            else:
                yield row
        return
    if not file.is_file():
        raise SourceError(f"There is no file {file}.", "Name the one that links stays to patients in the option “ano”.")
    declared = options.get("ano_positions")
    for number, text, raw in lines_of(file):
        line = text.rstrip("\r\n\x1a")
        if not line.strip():
            continue
        position = f"{file.name}:{number}"
        try:
            stay, ipp = _declared(line, declared) if declared else _ano_hosp(line)
            if not stay:
                raise RecordError("The line names no stay.", "Export it again.", reason="missing_stay")
            if ipp:
                links.add(ipp, stay=stay)
        except RecordError as error:
            yield Rejection.of(error, position, _without_numbers(raw) if declared else raw)


def unlinked(rss: str, links: Links) -> RecordError:
    """What is said of a stay whose patient is not told."""
    return RecordError(f"The stay {rss} has no patient in {links.name}.", "Add its line there.", reason="unlinked_stay")


def _declared(line: str, places: dict[str, Any]) -> tuple[str, str]:
    stay, ipp = (_cut(line, places.get(name, default)) for name, default in (("stay", _VID_HOSP_STAY), ("ipp", (0, 0))))
    if not ipp:
        raise RecordError("The line names no patient.", "Check the option “ano_positions”.", reason="missing_ipp")
    return stay, ipp


def _ano_hosp(line: str) -> tuple[str, str]:
    """Stay and IPP of an ANO-HOSP line, whose edition is the one whose dates are dates."""
    for edition in _editions():
        dates = [_cut(line, (edition[name], 8)) for name in ("entry_date", "exit_date") if edition[name]]
        if (all(parse_packed_date(date) for date in dates if date) and any(dates)) or not edition["entry_date"]:
            ipp = _cut(line, (edition["ipp"], WIDTH)) if edition["ipp"] else ""
            return _cut(line, (edition["stay"], WIDTH)), ipp
    raise RecordError("The line is of no known edition of ANO-HOSP.", "Export it again.", reason="unknown_version")


def _cut(line: str, place: Any) -> str:
    begin, length = place
    return line[begin - 1 : begin - 1 + length].strip() if begin else ""


def _without_numbers(raw: bytes) -> bytes:
    """A line without the social security numbers that it begins with or holds."""
    return re.sub(rb"[12]\d{12}(?:\d{2})?", lambda found: b"*" * len(found[0]), raw)


@cache
def _editions() -> tuple[dict[str, int], ...]:
    rows = read_format("ano_hosp_editions")
    return tuple({name: int(value or 0) for name, value in row.items()} for row in rows)
