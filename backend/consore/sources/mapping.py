"""The mapping assistant: what an unknown table holds, and which of its columns are ours, with the reason, to confirm.

A column is known by its name (`formats/column_names.csv`) and by what stands in it: dates and how they are written,
codes that the referentials know, identifiers, words. The kind of source is the one that explains most columns best.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from consore.errors import InputError, RecordError
from consore.model import SourceKind
from consore.referentials import Terminology, normalise
from consore.sources.encoding import lines_of
from consore.sources.tables import SEPARATORS, column_rules
from consore.sources.values import ccam, cim10, document_kind, read_format, word
from consore.sources.workbooks import as_text, json_rows, parquet_rows, xlsx_rows

SAMPLE = 2_000  # rows that are looked at
_ENOUGH = 0.35  # confidence under which a column is left out
_NAME, _CONTENT = 0.55, 0.45  # what a name and a content weigh
_FORMS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%d%m%Y",
    "%Y/%m/%d",
    "%m/%d/%y",
    "%d-%b-%Y",
)
_READ_ANYWAY = ("%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d.%m.%Y")  # dates that need no option


@dataclass(slots=True, frozen=True)
class ColumnProposal:
    """A column of a file and ours that it may be (empty: none), how sure that is and why."""

    theirs: str
    ours: str
    confidence: float
    why: str


@dataclass(slots=True)
class Proposal:
    """What a file may hold. `dates`: how date columns are written where that must be told; `words`: what words mean."""

    kind: str
    confidence: float
    why: str
    columns: list[ColumnProposal]
    separator: str = ""
    sheet: str = ""
    dates: dict[str, str] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    def options(self) -> dict[str, Any]:
        """The options of a source that is read so."""
        told: dict[str, Any] = {"format": "table"}
        if self.separator:
            told["separator"] = self.separator
        if self.sheet:
            told["sheet"] = self.sheet
        told["columns"] = {one.ours: one.theirs for one in self.columns if one.ours}
        for name, value in (("dates", self.dates), ("words", self.words), ("key", self.key)):
            if value:
                told[name] = value
        return told


class _Column:
    """A column of the sample, and the share of its values that are of each content."""

    def __init__(self, name: str, values: Sequence[str], terms: Terminology) -> None:
        self.name = name
        self.values = [value.strip() for value in values if value.strip()]
        self.rows = len(values)
        self.counts = Counter(self.values)
        self.form, self.in_doubt = _date_form(self.counts)
        self._terms = terms
        self._shares: dict[str, float] = {}

    def share(self, content: str) -> float:
        """The share of the values (0–1) that are of a content."""
        if content not in self._shares:
            self._shares[content] = self._measured(content) if self.values else 0.0
        return self._shares[content]

    def _measured(self, content: str) -> float:
        if content == "date":
            return sum(count for value, count in self.counts.items() if _is_date(value, self.form)) / len(self.values)
        if content == "key":
            alone = len(self.counts) / len(self.values)
            short = all(len(value) <= 40 and " " not in value for value in self.counts)
            return alone if alone > 0.98 and short and not self.form else 0.0
        test = _TESTS[content]
        return sum(count for value, count in self.counts.items() if test(value, self._terms)) / len(self.values)


def propose(
    file: Path, terms: Terminology, *, kind: SourceKind | None = None, options: dict[str, Any] | None = None
) -> Proposal:
    """What a file holds and how its columns map. Raises InputError where it is no table."""
    separator, names, rows = _sample(file, options or {})
    if not names:
        raise InputError(f"{file.name} names no columns.", "Export it with a first line that names them.")
    columns = [_Column(name, [row[place] for row in rows], terms) for place, name in enumerate(names)]
    kinds = [kind.value] if kind else [one.value for one in SourceKind]
    proposals = [(_fitted(one, columns), one) for one in kinds]
    proposals.sort(key=lambda pair: -_worth(pair[0], pair[1], columns))
    (chosen, best), *others = proposals
    proposal = _told(best, chosen, columns)
    proposal.separator = separator if separator not in (";", "") else ""
    proposal.sheet = str((options or {}).get("sheet", ""))
    if others:
        second = _worth(others[0][0], others[0][1], columns)
        mine = _worth(chosen, best, columns)
        if second > 0.85 * mine:
            proposal.questions.append(f"It may also be {others[0][1]}: try --kind {others[0][1]}.")
    return proposal


def as_toml(proposal: Proposal) -> str:
    """The proposal as the TOML that `consore source add --options` takes, with its reasons as comments."""
    lines = [
        f"# {proposal.kind}: {proposal.why}",
        "# Column here = column of your file. Correct what is wrong, delete what is not wanted.",
        f'kind = "{proposal.kind}"',
        'format = "table"',
    ]
    if proposal.separator:
        lines.append(f"separator = {_toml(proposal.separator)}")
    if proposal.sheet:
        lines.append(f"sheet = {_toml(proposal.sheet)}")
    if proposal.key:
        lines.append(f"key = {_toml(proposal.key)}  # no column identifies a row: these do together")
    lines += ["", "[columns]"]
    for one in proposal.columns:
        if one.ours:
            lines.append(f"{one.ours} = {_toml(one.theirs)}  # {one.confidence:.0%}: {one.why}")
    lines += [f'# {name} = ""  # required, not found' for name in proposal.missing]
    left = [one.theirs for one in proposal.columns if not one.ours]
    if left:
        lines.append(f"# left out: {', '.join(left)}".replace("\n", " "))
    if proposal.dates:
        lines += ["", "[dates]", *(f"{name} = {_toml(form)}" for name, form in proposal.dates.items())]
    for column, words in proposal.words.items():
        lines += ["", f"[words.{column}]", *(f"{_toml(theirs)} = {_toml(ours)}" for theirs, ours in words.items())]
    return "\n".join(lines) + "\n"


# --- The sample -------------------------------------------------------------------------------------------------------


def _sample(file: Path, options: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    if not file.is_file():
        raise InputError(f"There is no file {file}.", "Check its name.")
    with file.open("rb") as stream:
        head = stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith((b"PK", b"PAR1", b"{")):
        found = xlsx_rows(file, options) if head.startswith(b"PK") else parquet_rows(file)
        if head.startswith(b"{"):
            found = json_rows(file)
        names: list[str] = []
        dictionaries: list[dict[str, str]] = []
        for _, cells, _ in islice(found, SAMPLE):
            if isinstance(cells, RecordError):
                continue
            dictionaries.append({str(name): as_text(value) for name, value in cells.items()})
            names += [name for name in dictionaries[-1] if name not in names]
        return "", names, [[row.get(name, "") for name in names] for row in dictionaries]
    lines = [text for _, text, _ in islice(lines_of(file), SAMPLE) if text.strip()]
    if not lines:
        raise InputError(f"{file.name} is empty.", "Export it again, its first line naming the columns.")
    separator = max(SEPARATORS, key=lambda mark: (_agreement(lines[:50], mark), lines[0].count(mark)))
    rows = [row for row in _split(lines, separator) if row]
    names = [name.strip() or f"column {place}" for place, name in enumerate(rows[0], start=1)]
    width = len(names)
    return separator, names, [[*row, *[""] * width][:width] for row in rows[1:]]


def _split(lines: list[str], separator: str) -> Iterator[list[str]]:
    import csv

    try:
        yield from csv.reader(lines, delimiter=separator)
    except csv.Error:
        return


def _agreement(lines: list[str], mark: str) -> float:
    """How many lines have as many of a separator as the first, which has some."""
    wanted = lines[0].count(mark)
    return sum(line.count(mark) == wanted for line in lines) / len(lines) if wanted else 0.0


# --- What a value is ----------------------------------------------------------------------------------------------


def _date_form(counts: Counter[str]) -> tuple[str, bool]:
    """How the dates of a column are written, and whether day and month could be the other way round."""
    values = list(counts)[:500]
    if not values:
        return "", False
    scores = {form: sum(_is_date(value, form) for value in values) for form in _FORMS}
    best = max(_FORMS, key=lambda form: scores[form])
    if scores[best] < 0.5 * len(values):
        return "", False
    other = {"%d/%m/%Y": "%m/%d/%Y", "%d/%m/%y": "%m/%d/%y"}.get(best)
    return best, bool(other) and scores[other or ""] == scores[best]


def _is_date(value: str, form: str) -> bool:
    if not form:
        return False
    day = re.split(r"[T ]", value, maxsplit=1)[0] if form != "%d-%b-%Y" else value
    try:
        found = dt.datetime.strptime(day, form).date()
    except ValueError:
        return False
    return 1880 <= found.year <= 2100


def _luhn10(code: str) -> bool:
    """Whether a LOINC code ends with its check digit (modulo 10)."""
    digits, _, check = code.partition("-")
    total = sum(
        sum(divmod(int(digit) * 2, 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return str(-total % 10) == check


def _ean13(code: str) -> bool:
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(code[:12]))
    return str(-total % 10) == code[12]


def _shaped(pattern: str) -> Callable[[str, Terminology], bool]:
    shape = re.compile(pattern, re.IGNORECASE)
    return lambda value, _: bool(shape.fullmatch(value))


def _known(system: str, value: str, terms: Terminology) -> bool:
    return terms.concept(system, value) is not None


def _is_cim10(value: str, terms: Terminology) -> bool:
    codes = [cim10(part) for part in re.split(r"[\s+,;|/]+", value) if part]
    return bool(codes) and all(
        code and (_known("CIM-10", code, terms) or _known("CIM-10", code[:3], terms)) for code in codes
    )


def _is_ccam(value: str, terms: Terminology) -> bool:
    codes = [ccam(part.partition("-")[0]) for part in re.split(r"[\s+,;|/]+", value) if part]
    return bool(codes) and all(code and _known("CCAM", code, terms) for code in codes)


def _is_topography(value: str, terms: Terminology) -> bool:
    found = re.fullmatch(r"C(\d\d)\.?(\d)?", value, re.IGNORECASE)
    return bool(found) and _known(
        "ICD-O-3-T", f"C{found[1]}.{found[2]}" if found and found[2] else f"C{found[1]}", terms
    )  # type: ignore[index]


def _is_morphology(value: str, terms: Terminology) -> bool:
    found = re.fullmatch(r"M?-?(\d{4})/?(\d)", value, re.IGNORECASE)
    return bool(found) and _known("ICD-O-3-M", f"{found[1]}/{found[2]}", terms)  # type: ignore[index]


def _is_drug(value: str, terms: Terminology) -> bool:
    names = [part.strip() for part in re.split(r"[+,;/]", value) if part.strip()]
    return bool(names) and any(terms.inn_of(name) or terms.inn_of(name.split()[0]) for name in names)


_TESTS: dict[str, Callable[[str, Terminology], bool]] = {
    "identifier": _shaped(r"[A-Z]{0,6}[-_]?\d{3,20}|[0-9a-f]{8}-[0-9a-f-]{27}"),
    "cim10": _is_cim10,
    "ccam": _is_ccam,
    "atc": lambda value, terms: bool(re.fullmatch(r"[A-Z]\d\d[A-Z]{2}\d\d", value)) and value[0] in "ABCDGHJLMNPRSV",
    "topography": _is_topography,
    "morphology": _is_morphology,
    "ucd7": _shaped(r"9\d{6}"),
    "ucd13": lambda value, _: bool(re.fullmatch(r"340(?:08|09)\d{8}", value)) and _ean13(value),
    "loinc": lambda value, _: bool(re.fullmatch(r"\d{1,5}-\d", value)) and _luhn10(value),
    "sex": lambda value, _: bool(word("sex", value)),
    "boolean": lambda value, _: bool(word("boolean", value)),
    "status": lambda value, _: bool(word("status", value)),
    "postal": _shaped(r"(?:0[1-9]|[1-8]\d|9[0-8])\d{3}|2[AB]\d{3}"),
    "number": _shaped(r"[<>]?\s*[+-]?\d+(?:[.,]\d+)?"),
    "name": _shaped(r"(?:(?:Dr|Pr|M\.|Mme)\.? )?[^\W\d_](?:[^\W\d_]|[ '’.-]){1,60}"),
    "word": _shaped(r".{1,80}"),
    "text": lambda value, _: len(value) > 150,
    "unit": _shaped(
        r"%|[µumnpfdck]?(?:g|mol|l|U|UI|IU|\[I?U\]|Eq|m|s|h|giga|10\S*)(?:/\S{1,8})?"
        r"|[^\s\d]{1,3}/[^\s\d]{1,5}|\S*\[\S+\]\S*|10[*^]\d\S*"
    ),
    "tnm": _shaped(r"[cpyra]{0,3}\s*T(?:is|[0-4xX])\S*.*|[cpyra]{0,3}T\S+"),
    "stage": _shaped(r"(?:stade\s*)?(?:0|I{1,3}|IV)[ABC]?[0-3]?"),
    "laterality": _shaped(r"G|D|B|M|L|R|gauche|droite?|bilat[ée]rale?|m[ée]dian\w*|left|right"),
    "gene": lambda value, terms: bool(re.fullmatch(r"[A-Z][A-Z0-9-]{1,9}", value)) and _known("HGNC", value, terms),
    "variant": _shaped(r"(?:[pcgn]\.)\S+|[A-Z]\d{1,4}(?:[A-Z]|\*|fs\S*|del\S*|dup\S*|ins\S*)|(?:ex|exon)\s*\d+.*"),
    "drug": _is_drug,
    "regimen": lambda value, terms: any(match.kind == "regimen" for match in terms.match(value)[:3])
    if len(value) < 80
    else False,
    "path": _shaped(r"(?:\S.*)?\.(?:pdf|txt|docx?|rtf|html?|odt|xml)"),
    "document_kind": lambda value, _: document_kind(value) != "other",
}  # fmt: skip
# What says more of a column than that it may be so: few things look like a code by chance.
_TELLING = frozenset(
    (
        *("date", "cim10", "ccam", "atc", "topography", "morphology", "ucd7", "ucd13", "loinc", "sex", "gene", "tnm"),
        *("variant", "drug", "regimen", "path", "document_kind", "text", "postal", "stage", "key", "unit", "status"),
    )
)


# --- Which column is which ------------------------------------------------------------------------------------------


def _fitted(kind: str, columns: list[_Column]) -> dict[str, tuple[_Column, float, str]]:
    """Our columns of a kind by the column of the file that fits best, each used once."""
    candidates: list[tuple[float, str, _Column, str]] = []
    for ours in _columns_of(kind):
        for theirs in columns:
            score, why = _score(kind, ours, theirs)
            if score >= _ENOUGH:
                candidates.append((score, ours, theirs, why))
    chosen: dict[str, tuple[_Column, float, str]] = {}
    used: set[str] = set()
    for score, ours, theirs, why in sorted(candidates, key=lambda one: -one[0]):
        if ours not in chosen and theirs.name not in used:
            chosen[ours] = (theirs, score, why)
            used.add(theirs.name)
    for rule in column_rules(kind):  # what is required and has no name that tells: the only column of its content left
        content = _contents(kind).get(rule.column, "word")
        if rule.required and rule.column not in chosen and content in _PLAIN_CONTENTS:
            left = [one for one in columns if one.name not in used and _is_plainly(one, content)]
            if len(left) == 1:
                chosen[rule.column] = (left[0], _ENOUGH, f"the only column left that holds {_PLAIN_CONTENTS[content]}")
                used.add(left[0].name)
    return chosen


_PLAIN_CONTENTS = {"number": "numbers", "word": "words", "drug": "words", "name": "words"}


def _is_plainly(column: _Column, content: str) -> bool:
    if not column.values or column.form:
        return False
    numbers = column.share("number")
    return numbers > 0.8 if content == "number" else numbers < 0.2 and column.share("word") > 0.9


def _score(kind: str, ours: str, theirs: _Column) -> tuple[float, str]:
    named = _by_name(kind, ours, theirs.name)
    content = _contents(kind).get(ours, "word")
    share = theirs.share(content)
    reasons = [f"named “{theirs.name}”"] if named else []
    if content in _TELLING:
        if share > 0.5:
            reasons.append(_said(content, share, theirs))
        if not theirs.values:
            return named * 0.7, f"{', '.join(reasons)}, no value" if reasons else ""
        if content == "key" and not named and theirs.share("identifier") < 0.9:
            return 0.0, ""
        if content in ("sex", "boolean") and named > 0.9:
            return max(_NAME * named + _CONTENT * share, _ENOUGH), ", ".join(reasons)
        if share < 0.3 and content not in ("document_kind", "regimen", "drug", "unit", "status", "stage", "text"):
            return 0.0, ""
        total = _NAME * named + _CONTENT * share
        alone = 0.6 * share if content in _SPEAKING and not named else 0.0
        return max(total, alone), ", ".join(reasons)
    if not named:
        return _as_patient(ours, kind, theirs)
    if not theirs.values:
        return named * 0.7, f"{', '.join(reasons)}, no value"
    return _NAME * named + _CONTENT * (0.5 + 0.5 * share), ", ".join(reasons)


# Contents that tell a column without its name.
_SPEAKING = frozenset(
    ("cim10", "ccam", "atc", "topography", "morphology", "ucd7", "ucd13", "loinc", "gene", "tnm", "path", "text")
)
# Our columns that make two rows of one patient and day differ.
_DIFFERING = frozenset(
    ("medicament", "medicaments", "analyse", "gene", "topographie", "morphologie", "cycle", "jour", "variant", "type")
)


def _said(content: str, share: float, theirs: _Column) -> str:
    match content:
        case "date":
            return f"{share:.0%} are dates as {theirs.form}"
        case "key":
            return "each row has its own"
    return f"{share:.0%} are {_SAID.get(content, content)}"


_SAID = {
    "cim10": "CIM-10 codes",
    "ccam": "CCAM codes",
    "atc": "ATC codes",
    "topography": "ICD-O-3 topographies",
    "morphology": "ICD-O-3 morphologies",
    "ucd7": "UCD codes",
    "ucd13": "UCD or CIP codes with their check digit",
    "loinc": "LOINC codes with their check digit",
    "drug": "names of drugs",
    "gene": "symbols of genes",
    "regimen": "protocols",
    "postal": "postal codes",
    "document_kind": "kinds of documents",
    "tnm": "TNM",
    "stage": "stages",
    "sex": "sexes",
    "unit": "units",
    "path": "names of files",
    "text": "long texts",
    "status": "results",
    "variant": "variants",
}


def _as_patient(ours: str, kind: str, theirs: _Column) -> tuple[float, str]:
    """An IPP that only its values tell: identifiers of one length, which come again where rows are not patients."""
    if ours != "ipp" or not theirs.values or theirs.share("identifier") < 0.95 or theirs.form:
        return 0.0, ""
    lengths = {len(value) for value in theirs.counts}
    alone = len(theirs.counts) == len(theirs.values)
    if len(lengths) > 2 or min(lengths) < 4 or alone != (kind == "administrative"):
        return 0.0, ""
    return 0.45, "identifiers of one length" + ("" if alone else ", the same on several rows")


def _by_name(kind: str, ours: str, theirs: str) -> float:
    """How well a name says one of our columns (0–1)."""
    plain = _plain(theirs)
    if plain == _plain(ours):
        return 1.0
    best = 0.0
    words = set(plain.split())
    for place, known in enumerate(_names(kind).get(ours, ())):
        if plain == known:
            best = max(best, 0.98 - min(place, 20) * 0.005)
            continue
        parts = known.split()
        if set(parts) <= words and len(known) > 2:
            best = max(best, 0.75 * (len(parts) / len(words)) ** 0.3)
        elif (
            len(known) > 3
            and len(parts) == 1
            and any(one.startswith(known) or (known.startswith(one) and len(one) > 3) for one in words)
        ):
            best = max(best, 0.55)
    return best


def _worth(chosen: dict[str, tuple[_Column, float, str]], kind: str, columns: list[_Column]) -> float:
    """How well a kind explains a file: its required columns, then the others, then how much of the file is used."""
    required = [rule.column for rule in column_rules(kind) if rule.required and rule.column != "id"]
    specific = [
        one for one in _columns_of(kind) if one not in ("ipp", "id", "date", "statut", "unite", "type", "protocole")
    ]
    met = sum(chosen[name][1] for name in required if name in chosen) / max(len(required), 1)
    own = sum(chosen[name][1] for name in specific if name in chosen)
    return met * 2 + own + len(chosen) / max(len(columns), 1)


def _told(kind: str, chosen: dict[str, tuple[_Column, float, str]], columns: list[_Column]) -> Proposal:
    rules = {rule.column: rule for rule in column_rules(kind)}
    by_theirs = {theirs.name: (ours, score, why) for ours, (theirs, score, why) in chosen.items()}
    told = [
        ColumnProposal(one.name, *by_theirs[one.name])
        if one.name in by_theirs
        else ColumnProposal(one.name, "", 0.0, "")
        for one in columns
    ]
    missing = [name for name, rule in rules.items() if rule.required and name not in chosen]
    proposal = Proposal(kind, 0.0, "", told)
    if "id" in missing:
        missing.remove("id")
        proposal.key = _key(chosen, columns)
        proposal.questions.append(f"No column identifies a row: is it {' + '.join(proposal.key)}?")
    proposal.missing = missing
    for name in missing:
        proposal.questions.append(f"Which column is {name}? It is required.")
    for ours, (theirs, _, _) in chosen.items():
        rule = rules[ours]
        if rule.type in ("date", "past_date") and theirs.form:
            if theirs.form not in _READ_ANYWAY:
                proposal.dates[ours] = theirs.form
            if theirs.in_doubt:
                proposal.questions.append(f"Is {theirs.name} day first, as {theirs.form}? No value tells.")
        if rule.type in ("sex", "boolean"):
            unknown = [value for value in theirs.counts if word(rule.type, value) is None][:10]
            if unknown:
                proposal.words[ours] = dict.fromkeys(unknown, "")
                proposal.questions.append(f"What do {', '.join(unknown)} mean in {theirs.name}?")
    required = [name for name, rule in rules.items() if rule.required]
    met = [name for name in required if name in chosen or (name == "id" and proposal.key)]
    scores = [chosen[name][1] for name in met if name in chosen]
    proposal.confidence = (sum(scores) / max(len(scores), 1)) * len(met) / max(len(required), 1)
    telling = sorted(chosen, key=lambda name: -chosen[name][1] * (name not in ("ipp", "id", "date")))[:3]
    proposal.why = f"{len(met)} of its {len(required)} required columns are found, and {', '.join(telling)} tell it"
    return proposal


def _key(chosen: dict[str, tuple[_Column, float, str]], columns: list[_Column]) -> list[str]:
    """Columns whose values together identify a row: the patient and the day, then what makes rows differ."""
    dates = [theirs.name for ours, (theirs, _, _) in chosen.items() if ours.startswith("date")]
    parts = [*([chosen["ipp"][0].name] if "ipp" in chosen else []), *dates[:1]]
    rows = max((one.rows for one in columns), default=0)
    for ours, (theirs, _, _) in chosen.items():
        if len(parts) >= 4 or rows == 0:
            break
        if theirs.name not in parts and ours in _DIFFERING:
            parts.append(theirs.name)
    return parts


def _columns_of(kind: str) -> tuple[str, ...]:
    return tuple(rule.column for rule in column_rules(kind) if rule.type != "content" and rule.column != "version")


@cache
def _names(kind: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in read_format("column_names"):
        if row["kind"] in ("*", kind):
            found[row["column"]] = (*(_plain(name) for name in row["names"].split("|")), *found.get(row["column"], ()))
    return found


@cache
def _contents(kind: str) -> dict[str, str]:
    return {row["column"]: row["contents"] for row in read_format("column_contents") if row["kind"] in ("*", kind)}


def _plain(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[^\w]+|_", " ", normalise(spaced)).split())


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
