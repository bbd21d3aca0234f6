"""Stage, grade, biomarkers and alterations of each tumour, as they were at its diagnosis.

The tumour sheet first, then the reports near the diagnosis in the precedence of `rules.toml`; a later report
that repeats them serves only where nothing nearer says anything.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict

from consore.history.beliefs import confidence, voices, when_said, who_says
from consore.history.clues import Clue, Reading
from consore.history.rules import Rules, rules
from consore.history.tumours import Tumours, distinct_evidence, said_otherwise
from consore.model import (
    AlterationItem,
    BiomarkerItem,
    BiomarkerStatus,
    Conflict,
    MentionKind,
    TumourItem,
)
from consore.referentials import Terminology

_TNM = re.compile(r"^(?P<prefix>(?:[yra]*[cp])|[yra]+)?(?P<rest>T.*|N.*|M.*)$", re.IGNORECASE)
_NUMBER = re.compile(r"^[<>≥≤~ ]*(\d+(?:[.,]\d+)?)")
# Other scales (« Binet B », « BI-RADS 4 ») are mentions of their own, not the tumour's stage or grade.
_OF_TUMOURS = {"stage": ("STAGE:",), "grade": ("GRADE:", "GLEASON:", "ISUP:")}
_WORDS = {status.value: status for status in BiomarkerStatus}


def add_staging(reading: Reading, tumours: Tumours, terminology: Terminology) -> None:
    """Fill in what is known of each tumour at diagnosis."""
    table = rules()
    _from_sheets(tumours)
    by_tumour: dict[int, dict[MentionKind, list[Clue]]] = defaultdict(lambda: defaultdict(list))
    kinds = (
        MentionKind.TNM,
        MentionKind.STAGE,
        MentionKind.GRADE,
        MentionKind.BIOMARKER,
        MentionKind.ALTERATION,
    )
    for kind in kinds:
        for clue in reading.clues(kind):
            item = tumours.of(clue)
            if item:
                by_tumour[item.rank][kind].append(clue)
    for item in tumours.items:
        found = by_tumour[item.rank]
        _add_tnm(item, _near(item, found[MentionKind.TNM], "tnm", table))
        _add_word(item, "stage", _near(item, found[MentionKind.STAGE], "stage", table), table)
        _add_word(item, "grade", _near(item, found[MentionKind.GRADE], "grade", table), table)
        item.biomarkers = _biomarkers(item, found[MentionKind.BIOMARKER], table, terminology)
        item.alterations = _alterations(item, found[MentionKind.ALTERATION], table)


def split_tnm(text: str) -> tuple[str, str]:
    """Prefix and rest of a TNM: "ypT1cN0" gives ("yp", "T1cN0"), "T2N1M0" gives ("", "T2N1M0")."""
    match = _TNM.match(re.sub(r"[\s,;]+", "", text))
    if not match:
        return "", ""
    return (match["prefix"] or "").lower(), match["rest"]


def status_of(code: str, value: str | None, table: Rules) -> BiomarkerStatus:
    """The word that a stated value of a biomarker means."""
    if value and value in _WORDS:
        return _WORDS[value]
    scores = table.biomarkers["score"].get(code)
    if scores and value:
        return BiomarkerStatus(scores.get(value.strip("+ "), "unknown"))
    number = number_of(value)
    if number is None:
        return BiomarkerStatus.UNKNOWN
    if value and value.startswith("<"):
        number -= 1e-6
    if code in table.biomarkers["positive_from"]:
        limit = table.biomarkers["positive_from"][code]
        return BiomarkerStatus.POSITIVE if number >= limit else BiomarkerStatus.NEGATIVE
    if code in table.biomarkers["high_from"]:
        limit = table.biomarkers["high_from"][code]
        return BiomarkerStatus.HIGH if number >= limit else BiomarkerStatus.LOW
    return BiomarkerStatus.UNKNOWN


def number_of(value: str | None) -> float | None:
    """The number that a value starts with, French comma allowed."""
    match = _NUMBER.match(value or "")
    return float(match[1].replace(",", ".")) if match else None


def _from_sheets(tumours: Tumours) -> None:
    for item, draft in zip(tumours.items, tumours.drafts, strict=True):
        for statement in draft.statements:
            if statement.source != "tumour_sheet" or statement.row is None:
                continue
            values = statement.row.values
            item.ctnm = item.ctnm or values.get("ctnm") or None
            item.ptnm = item.ptnm or values.get("ptnm") or None
            item.stage = item.stage or values.get("stade") or None
            item.grade = item.grade or values.get("grade") or None


def _near(item: TumourItem, clues: list[Clue], attribute: str, table: Rules) -> list[Clue]:
    """The clues near the diagnosis, the most believed first; all of them where none is near."""
    near = [clue for clue in clues if _is_near(item, clue, table)]
    return sorted(near or clues, key=lambda clue: (table.rank(attribute, clue.source), clue.date or dt.date.max))


def _is_near(item: TumourItem, clue: Clue, table: Rules) -> bool:
    if item.diagnosis_date is None or clue.date is None:
        return True
    after = (clue.date - item.diagnosis_date).days
    return -table.diagnosis["staging_before"] <= after <= table.diagnosis["staging_after"]


def _add_tnm(item: TumourItem, clues: list[Clue]) -> None:
    """Clinical and pathological TNM; without a prefix, a pathology or surgery report means pathological."""
    for clue in clues:
        prefix, rest = split_tnm(clue.mention.value or clue.mention.code or "")
        if not rest:
            continue
        pathological = "p" in prefix or (not prefix and clue.source in ("pathology", "surgery"))
        if pathological and item.ptnm is None and "r" not in prefix:
            item.ptnm = (prefix or "p") + rest
            item.evidence = [*item.evidence, clue.evidence()]
        elif not pathological and item.ctnm is None and "r" not in prefix:
            item.ctnm = (prefix or "c") + rest
            item.evidence = [*item.evidence, clue.evidence()]


def _add_word(item: TumourItem, attribute: str, clues: list[Clue], table: Rules) -> None:
    told = [clue for clue in clues if clue.code.startswith(_OF_TUMOURS[attribute])]
    if told:
        _write_word(item, attribute, told)
        held = getattr(item, attribute)
        _add_conflicts(item, attribute, held, [(_word_of(clue), clue) for clue in told], table)


def _add_conflicts(
    item: TumourItem, attribute: str, held: str | None, told: list[tuple[str, Clue]], table: Rules
) -> None:
    """What the other reports near the diagnosis say: as often as it is said, once a value."""
    others: dict[str, list[Clue]] = defaultdict(list)
    for value, clue in told:
        if held and value and value.upper() != held.upper():
            others[value].append(clue)
    for value, found in sorted(others.items()):
        evidence = distinct_evidence((clue.evidence() for clue in found), table)
        item.conflicts = [*item.conflicts, Conflict(attribute, value, evidence)]


def _word_of(clue: Clue) -> str:
    return clue.mention.value or clue.code.rpartition(":")[2]


def _write_word(item: TumourItem, attribute: str, told: list[Clue]) -> None:
    if getattr(item, attribute):
        return
    first = told[0]
    value = _word_of(first)
    if value:
        setattr(item, attribute, value)
        item.evidence = [*item.evidence, first.evidence()]


def _measured(clue: Clue) -> str | None:
    """The value with the sign that stands before it ("PD-L1 < 1 %")."""
    value = clue.mention.value
    if not value or not value[0].isdigit():
        return value
    words = clue.words_after(30)
    if "<" not in words and "≤" not in words:
        return value
    found = re.search(rf"([<≤])\s*{re.escape(value)}(?!\d)", words)
    return found[1] + value if found else value


def _biomarkers(item: TumourItem, clues: list[Clue], table: Rules, terminology: Terminology) -> list[BiomarkerItem]:
    """One item a code: the status of the most believed report, the first measured value."""
    by_code: dict[str, list[tuple[Clue, str | None]]] = defaultdict(list)
    for clue in _near(item, clues, "biomarker", table):
        implied = table.biomarkers["implied"].get(clue.code)
        if implied:
            for code, status in {**implied, clue.code: clue.mention.value or "positive"}.items():
                by_code[code].append((clue, status))
        elif clue.code:
            by_code[clue.code].append((clue, _measured(clue)))
    items = []
    for code in sorted(by_code):
        told = by_code[code]
        statuses = [status_of(code, value, table) for _, value in told]
        known = next((status for status in statuses if status is not BiomarkerStatus.UNKNOWN), BiomarkerStatus.UNKNOWN)
        measured = next((clue for clue, value in told if value not in _WORDS and number_of(value) is not None), None)
        if known is BiomarkerStatus.UNKNOWN and measured is None:
            continue  # named, without a result: asked for, or one of the antibodies tried
        first = told[0][0]
        own = [clue for (clue, _), status in zip(told, statuses, strict=True) if status is known]
        others: dict[str, list[Clue]] = defaultdict(list)
        for (clue, _), status in zip(told, statuses, strict=True):
            if status not in (known, BiomarkerStatus.UNKNOWN):
                others[status.value].append(clue)
        said, against = voices(own), voices(clue for found in others.values() for clue in found)
        conflicts = [
            Conflict("status", status, distinct_evidence((clue.evidence() for clue in found), table))
            for status, found in sorted(others.items())
        ]
        items.append(
            BiomarkerItem(
                code=code,
                status=known,
                label=terminology.label("LOCAL", code),
                value=_measured(measured) if measured else None,
                unit=measured.mention.unit if measured else None,
                date=(measured or first).date,
                confidence=confidence(said, against, table=table),
                conflicts=conflicts,
                why=f"Écrit par {who_says(said)}{when_said(said)}{said_otherwise(conflicts)}.",
                evidence=distinct_evidence((clue.evidence() for clue, _ in told), table),
            )
        )
    return items


def _alterations(item: TumourItem, clues: list[Clue], table: Rules) -> list[AlterationItem]:
    """One item a gene and variant; a gene told with a variant is not told again without one."""
    by_gene: dict[str, dict[tuple[str, BiomarkerStatus], list[Clue]]] = defaultdict(lambda: defaultdict(list))
    for clue in _near(item, clues, "biomarker", table):
        value = clue.mention.value or ""
        if value in _WORDS:
            status = BiomarkerStatus(value)
            by_gene[clue.code]["", status].append(clue)
        else:
            by_gene[clue.code][value, BiomarkerStatus.MUTATED].append(clue)
    items = []
    for gene in sorted(by_gene):
        told = by_gene[gene]
        if any(variant for variant, _ in told):
            told = {key: found for key, found in told.items() if key[0]}
        elif len(told) > 1:
            first = min(told, key=lambda key: table.rank("biomarker", told[key][0].source))
            told = {first: told[first]}
        for (variant, status), found in sorted(told.items()):
            evidence = distinct_evidence((clue.evidence() for clue in found), table)
            said = voices(found)
            items.append(
                AlterationItem(
                    gene,
                    variant,
                    status,
                    min((one.date for one in found if one.date), default=None),
                    confidence=confidence(said, table=table),
                    why=f"Écrit par {who_says(said)}{when_said(said)}.",
                    evidence=evidence,
                )
            )
    return items
