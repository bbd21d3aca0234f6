"""Codes that several formats need: LOINC of documents (`data/loinc.csv`) and analyses, names of authors."""

from __future__ import annotations

import csv
import datetime as dt
import re
import zlib
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from consore.history import Loinc, analysis
from consore.synthetic.knowledge import DATA

_TITLE = re.compile(r"^(Pr|Dr|Docteur|Professeur|IDE|Mme|M\.)\.?\s+")


@cache
def _documents() -> dict[str, Loinc]:
    with (DATA / "loinc.csv").open(encoding="utf-8", newline="") as file:
        return {row["key"]: Loinc(row["code"], row["label"], "") for row in csv.DictReader(file)}


def document_type(kind: str) -> Loinc:
    """The LOINC type of a document (JDV of document types, ANS); a note where the kind has none."""
    return _documents().get(kind) or _documents()["other"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who signs. `rpps` is invented: no RPPS number begins with 99."""

    given: str
    family: str
    suffix: str
    rpps: str


@cache
def author_of(written: str) -> Author:
    """The parts of a signature such as "Dr Agathe Monval"."""
    bare = _TITLE.sub("", written).strip()
    given, _, family = bare.partition(" ")
    doctor = written.startswith(("Dr", "Pr"))
    rpps = f"99{zlib.crc32(written.encode()) % 1_000_000_000:09d}"
    return Author(given, family or given, written.split(" ")[0].rstrip(".").upper() if doctor else "", rpps)


_PARIS = ZoneInfo("Europe/Paris")


def stamp(date: dt.date, key: str) -> dt.datetime:
    """A plausible hour of a working day, always the same for the same key, in Paris time."""
    minutes = 8 * 60 + zlib.crc32(key.encode()) % (10 * 60)
    return dt.datetime(date.year, date.month, date.day, minutes // 60, minutes % 60, tzinfo=_PARIS)


__all__ = ["Author", "Loinc", "analysis", "author_of", "document_type", "stamp"]
