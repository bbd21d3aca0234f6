"""What a format is: which files it writes of a delivery, and what opens and closes those that grow."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consore.synthetic.deltas import Delivery
from consore.synthetic.formats.site import Site

Piece = tuple[str, bytes]


def _nothing(root: Path, site: Site, counts: Mapping[str, int]) -> None:
    return None


@dataclass(frozen=True)
class Format:
    """One format of one source.

    `write` gives (path, bytes) pieces: a piece of a path in `files` is added to that file, another is a file of its
    own. `files` maps a growing file to its first bytes, `ends` to its last ones; `close` may complete what was
    written, given the number of pieces of each file.
    """

    name: str
    says: str
    write: Callable[[Delivery, Site], Iterable[Piece]]
    files: Mapping[str, bytes] = field(default_factory=dict)
    ends: Mapping[str, bytes] = field(default_factory=dict)
    close: Callable[[Path, Site, Mapping[str, int]], None] = _nothing


def csv_line(columns: list[str], row: Mapping[str, Any]) -> bytes:
    """A `;`-separated UTF-8 line; empty where the row says nothing."""
    buffer = io.StringIO()
    values = ("" if (value := row.get(name)) is None else value for name in columns)
    csv.writer(buffer, delimiter=";", lineterminator="\n").writerow(values)
    return buffer.getvalue().encode()


def csv_format(
    name: str, says: str, path: str, columns: list[str], rows: Callable[[Delivery], Iterator[Mapping[str, Any]]]
) -> Format:
    """A format that is one CSV file."""

    def write(delivery: Delivery, site: Site) -> Iterator[Piece]:
        for row in rows(delivery):
            yield path, csv_line(columns, row)

    return Format(name, says, write, {path: csv_header(columns)})


def csv_header(columns: list[str]) -> bytes:
    """The first line of a CSV file."""
    return (";".join(columns) + "\n").encode()
