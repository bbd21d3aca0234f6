"""Results of biology over time: markers and counts, from structured rows and from what the reports say.

`analyses.csv` has the LOINC code, French label and UCUM unit of each analysis by the names that hospitals and reports
use. A report that repeats a value some weeks later tells no second result.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from consore.model import (
    Assertion,
    DossierDocument,
    EvidenceRef,
    Mention,
    MentionKind,
    StructuredRow,
    System,
)
from consore.referentials import Terminology

RETOLD = dt.timedelta(days=45)
LONGEST_QUOTE = 300

_LOCAL = System.LOCAL.value
_OF_BLOOD = {"serum", "psa", "ca125", "ca153", "ca199", "ace", "cyfra", "thyroglobulin"}  # grammars of `values.csv`
_AS_FRENCH = {"10*3/uL": "G/L", "10*6/uL": "T/L", "m[IU]/L": "mUI/L", "m[IU]/mL": "mUI/mL"}
_NUMBER = re.compile(r"[<>≤≥=~≈ ]*\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Loinc:
    """A LOINC code, its French label and the UCUM unit of an analysis."""

    code: str
    label: str
    unit: str


@dataclass(slots=True)
class Measure:
    """A result. `code`: of the biomarker referential, else a name of `analyses.csv`; `low`, `high`: normal bounds.

    `is_marker`: of a tumour, not a count or a function of an organ.
    """

    code: str
    label: str
    date: dt.date
    value: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    evidence: list[EvidenceRef] = field(default_factory=list)
    is_marker: bool = False

    @property
    def arrow(self) -> str:
        """ " ↓" or " ↑" where it lies outside the bounds that came with it, else nothing."""
        number = number_of(self.value)
        if number is None:
            return ""
        if self.low is not None and number < self.low:
            return " ↓"
        return " ↑" if self.high is not None and number > self.high else ""

    @property
    def is_abnormal(self) -> bool:
        """Whether it lies outside the bounds that came with it."""
        return bool(self.arrow)

    @property
    def written(self) -> str:
        """Value and unit as French people write them: UCUM `[U]/mL` is U/mL, `10*3/uL` G/L."""
        unit = _AS_FRENCH.get(self.unit, self.unit.replace("[", "").replace("]", "").replace("umol", "µmol"))
        return f"{self.value.strip().replace('.', ',')} {unit}".strip()


def measures_of(
    documents: Iterable[DossierDocument], rows: Iterable[StructuredRow], terminology: Terminology
) -> list[Measure]:
    """The dated, measured results of one patient, by date. Rows of the laboratory (`biology`) win over reports."""
    found = [one for row in rows if row.kind == "biology" and (one := _of_row(row, terminology))]
    told = [
        one
        for document in documents
        for mention in document.mentions
        if (one := _of_mention(mention, document, terminology))
    ]
    for one in sorted(told, key=lambda one: (one.date, one.code, one.value)):
        if not any(_is_same(one, other) for other in found):
            found.append(one)
    return sorted(found, key=lambda one: (one.date, one.code, one.value))


def analysis(code: str) -> Loinc | None:
    """The LOINC code of an analysis, by its usual name or by the code itself; none where it is not known."""
    by_name, by_code = _analyses()
    return by_code.get(code) or by_name.get(_plain(code))


def number_of(text: str) -> float | None:
    """The number of a result as written (`<0,04` is 0.04); None where it has none."""
    found = _NUMBER.match(text.strip())
    return float(found.group().lstrip("<>≤≥=~≈ ").replace(",", ".")) if found else None


def _of_row(row: StructuredRow, terminology: Terminology) -> Measure | None:
    values = {key: str(value).strip() for key, value in row.values.items() if value not in (None, "")}
    name, value = values.get("analyse", ""), values.get("valeur", "")
    known = analysis(values.get("loinc", "")) or analysis(name)
    if row.date is None or number_of(value) is None:
        return None
    code = _code_of(known, name, terminology)
    quote = " ".join(part for part in (name, value, values.get("unite", ""), values.get("interpretation", "")) if part)
    return Measure(
        code,
        _label_of(code, known, terminology) or name,
        row.date,
        value,
        values.get("unite", ""),
        number_of(values.get("borne_basse", "")),
        number_of(values.get("borne_haute", "")),
        [EvidenceRef(quote[:LONGEST_QUOTE], 1.0, row_id=row.id)],
        _is_marker(code, terminology),
    )


def _of_mention(mention: Mention, document: DossierDocument, terminology: Terminology) -> Measure | None:
    date = mention.date or document.date
    if mention.kind is not MentionKind.BIOMARKER or mention.assertion is not Assertion.PRESENT or not mention.code:
        return None
    if (
        date is None
        or not mention.value
        or number_of(mention.value) is None
        or not _is_of_blood(mention.code, terminology)
    ):
        return None
    start = max(document.text.rfind("\n", 0, mention.start) + 1, mention.start - LONGEST_QUOTE // 2)
    end = document.text.find("\n", mention.end)
    end = min(end if end >= 0 else len(document.text), mention.end + LONGEST_QUOTE // 2)
    quote = " ".join(document.text[start:end].split())
    return Measure(
        mention.code,
        _label_of(mention.code, analysis(mention.code), terminology),
        date,
        mention.value,
        mention.unit or "",
        evidence=[EvidenceRef(quote, mention.confidence, document.id, mention.start, mention.end)],
        is_marker=_is_marker(mention.code, terminology),
    )


def _is_same(one: Measure, other: Measure) -> bool:
    return (
        one.code == other.code
        and number_of(one.value) == number_of(other.value)
        and abs(one.date - other.date) <= RETOLD
    )


def _is_of_blood(code: str, terminology: Terminology) -> bool:
    concept = terminology.concept(_LOCAL, code)
    return analysis(code) is not None or (concept is not None and concept.attributes.get("values") in _OF_BLOOD)


def _is_marker(code: str, terminology: Terminology) -> bool:
    concept = terminology.concept(_LOCAL, code)
    return concept is not None and concept.kind == MentionKind.BIOMARKER.value


def _code_of(known: Loinc | None, name: str, terminology: Terminology) -> str:
    """The code that reports use for the analysis, so that rows and reports make one series."""
    for key in _names_of(known.code) if known else ():
        if terminology.concept(_LOCAL, key):
            return key
    return _names_of(known.code)[-1] if known else name


def _label_of(code: str, known: Loinc | None, terminology: Terminology) -> str:
    label = terminology.label(_LOCAL, code)
    if terminology.concept(_LOCAL, code) and _is_marker(code, terminology):
        return label
    return known.label.split(" [")[0] if known else label


def _plain(key: str) -> str:
    letters = unicodedata.normalize("NFD", key.lower())
    return "".join(letter for letter in letters if letter.isalnum())


@cache
def _names_of(loinc: str) -> tuple[str, ...]:
    """The names of an analysis as codes (`CA15-3` is also `CA153`)."""
    with (Path(__file__).parent / "analyses.csv").open(encoding="utf-8", newline="") as file:
        keys = [row["key"] for row in csv.DictReader(file) if row["loinc"] == loinc]
    return tuple(dict.fromkeys([*(key.replace("-", "").upper() for key in keys), keys[0]]))


@cache
def _analyses() -> tuple[dict[str, Loinc], dict[str, Loinc]]:
    with (Path(__file__).parent / "analyses.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["key"], Loinc(row["loinc"], row["label"], row["unit"])) for row in csv.DictReader(file)]
    return {_plain(key): one for key, one in rows}, {one.code: one for _, one in rows}


__all__ = ["Loinc", "Measure", "analysis", "measures_of", "number_of"]
