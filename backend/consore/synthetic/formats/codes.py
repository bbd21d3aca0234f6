"""Codes that several formats need: LOINC of documents and analyses (`data/loinc.csv`), names of authors."""

from __future__ import annotations

import csv
import datetime as dt
import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from consore.synthetic.knowledge import DATA

_TITLE = re.compile(r"^(Pr|Dr|Docteur|Professeur|IDE|Mme|M\.)\.?\s+")


@dataclass(frozen=True, slots=True)
class Loinc:
    """A LOINC code, its French label and the UCUM unit of an analysis."""

    code: str
    label: str
    unit: str


@cache
def _loinc() -> dict[tuple[str, str], Loinc]:
    with (DATA / "loinc.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["use"], _plain(row["key"])): Loinc(row["code"], row["label"], row["unit"])
            for row in csv.DictReader(file)
        }


def _plain(key: str) -> str:
    letters = unicodedata.normalize("NFD", key.lower())
    return "".join(letter for letter in letters if letter.isalnum())


def document_type(kind: str) -> Loinc:
    """The LOINC type of a document (JDV of document types, ANS); a note where the kind has none."""
    return _loinc().get(("document", _plain(kind))) or _loinc()["document", "other"]


@cache
def analysis(code: str) -> Loinc | None:
    """The LOINC code of an analysis, by its usual name or by the code itself; none where it is not known."""
    by_code = {found.code: found for (use, _), found in _loinc().items() if use == "analysis"}
    return by_code.get(code) or _loinc().get(("analysis", _plain(code)))


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
