"""Fixed-width lines of the PMSI: positions are data, in `sources/formats` (ATIH)."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources


@cache
def positions(name: str) -> dict[str, tuple[int, int]]:
    """(position from 1, length) by field of a line format, such as `rss`."""
    table = resources.files("consore.sources") / "formats" / f"{name}.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {row["name"]: (int(row["position"]), int(row["length"])) for row in rows}


def fixed(name: str, values: dict[str, str], length: int) -> str:
    """A line of `length` characters with each value at its place, cut or padded with blanks to its width."""
    cells = [" "] * length
    places = positions(name)
    for field, value in values.items():
        position, width = places[field]
        cells[position - 1 : position - 1 + width] = f"{value:<{width}}"[:width]
    return "".join(cells)


def before(name: str, field: str) -> int:
    """The number of characters before a field: the length of what comes before a variable zone."""
    return positions(name)[field][0] - 1
