"""What files of results and of the pharmacy add to the reports: alterations, biomarkers, drugs really given.

A row of the molecular file is an alteration of the tumour known at its date, or a biomarker (MSI, TMB); a row of the
biology file counts where its analysis is a biomarker of the referentials (PSA, CA 15-3), and stands in the history as
the value nearest to the diagnosis. What the pharmacy dispensed was given: a drug against cancer that no prescribed
cycle tells of makes a cycle.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import lru_cache

from consore.history.beliefs import confidence, voices, when_said, who_says
from consore.history.clues import Reading, row_evidence
from consore.history.rules import Rules, rules
from consore.history.tumours import Tumours
from consore.model import (
    AlterationItem,
    BiomarkerItem,
    BiomarkerStatus,
    MentionKind,
    StructuredRow,
    System,
    TreatmentType,
    TumourItem,
)
from consore.referentials import Terminology

SAME_CYCLE = 3  # days between what is prescribed and what is dispensed
DISPENSED = "pharmacy"


def add_results(reading: Reading, tumours: Tumours, terminology: Terminology) -> None:
    """Add to each tumour what the molecular and biology files say of it; a report's word stands where there is one."""
    table = rules()
    for row in reading.rows_of("molecular"):
        gene, code = _gene_of(str(row.values.get("gene") or ""), terminology)
        item = tumours.at(row.date)
        if item is None or not (gene or code):
            continue
        if gene:
            _add_alteration(item, gene, row)
        else:
            _add_biomarker(item, code, row, str(row.values.get("variant") or "") or None, None, terminology)
    markers: dict[tuple[int, str], list[StructuredRow]] = defaultdict(list)
    for row in reading.rows_of("biology"):
        found, item = marker_of(row, terminology), tumours.at(row.date)
        if found and item is not None and _is_near(item, row.date, table):
            markers[item.rank, found].append(row)
    for (rank, code), rows in sorted(markers.items()):
        item = tumours.items[rank - 1]
        row = min(rows, key=lambda one: (_distance(item, one.date), one.id))
        unit = str(row.values.get("unite") or "") or None
        _add_biomarker(item, code, row, str(row.values.get("valeur") or "") or None, unit, terminology)


Coded = tuple[str, str, str, str | None, str | None]  # kind, system, code, value, unit


def facts_of_results(row: StructuredRow, terminology: Terminology) -> list[Coded]:
    """What queries by code need of a row of results: kind, system, code, value, unit."""
    if row.kind == "molecular":
        gene, code = _gene_of(str(row.values.get("gene") or ""), terminology)
        value = str(row.values.get("variant") or row.values.get("statut") or "") or None
        if gene:
            return [(MentionKind.ALTERATION.value, System.HGNC.value, gene, value, None)]
        return [(MentionKind.BIOMARKER.value, System.LOCAL.value, code, value, None)] if code else []
    if row.kind == "biology" and (code := marker_of(row, terminology)):
        value, unit = (str(row.values.get(name) or "") or None for name in ("valeur", "unite"))
        return [(MentionKind.BIOMARKER.value, System.LOCAL.value, code, value, unit)]
    return []


def marker_of(row: StructuredRow, terminology: Terminology) -> str:
    """The biomarker that a row of biology measures; empty where the referentials hold none."""
    return _marker_of_words(str(row.values.get("analyse") or ""), terminology)


def cycles(reading: Reading, terminology: Terminology) -> list[StructuredRow]:
    """The rows of the prescriptions' file and, as such rows, what the pharmacy dispensed beyond them; by date."""
    prescribed = reading.rows_of("chemotherapy")
    told: dict[str, list[dt.date]] = defaultdict(list)
    for row in prescribed:
        for name in str(row.values.get("medicaments") or "").split("+"):
            if row.date and name.strip():
                told[_drug_of(name, "", terminology)].append(row.date)
    own: dict[tuple[dt.date, str], list[StructuredRow]] = defaultdict(list)
    for row in reading.rows_of(DISPENSED):
        atc = _drug_of(str(row.values.get("medicament") or ""), str(row.values.get("atc") or ""), terminology)
        if row.date is None or terminology.treatment_type_of_drug(atc) in (None, TreatmentType.OTHER):
            continue
        if not any(abs((row.date - day).days) <= SAME_CYCLE for day in told[atc]):
            own[row.date, str(row.values.get("protocole") or "")].append(row)
    made = [_cycle(date, protocol, rows, terminology) for (date, protocol), rows in sorted(own.items())]
    return sorted([*prescribed, *made], key=lambda row: (row.date or dt.date.max, row.id))


# --------------------------------------------------------------------------------------------------------------


def _cycle(date: dt.date, protocol: str, rows: list[StructuredRow], terminology: Terminology) -> StructuredRow:
    """What was dispensed on a day, as the prescriptions' file would tell it. It is known by its first row."""
    names = {_inn_of(row, terminology) for row in rows}
    values = {"medicaments": "+".join(sorted(names)), "protocole": protocol, "statut": "administré"}
    return StructuredRow(min(row.id for row in rows), DISPENSED, date, values)


def _inn_of(row: StructuredRow, terminology: Terminology) -> str:
    name = str(row.values.get("medicament") or "")
    atc = _drug_of(name, str(row.values.get("atc") or ""), terminology)
    known = terminology.concept(System.ATC.value, atc) if atc else None
    return (known.label if known else name).lower()


def _add_alteration(item: TumourItem, gene: str, row: StructuredRow) -> None:
    variant = str(row.values.get("variant") or "")
    status = _status(row, BiomarkerStatus.MUTATED if variant else BiomarkerStatus.UNKNOWN)
    if status is BiomarkerStatus.UNKNOWN:
        return
    if status is not BiomarkerStatus.MUTATED:
        variant = ""
    same = [one for one in item.alterations if one.gene == gene]
    known = next((one for one in same if one.variant in (variant, "") or not variant), None)
    if known is None:
        said = voices(rows=[row])
        why = f"Écrit par {who_says(said)}{when_said(said)}."
        evidence = [row_evidence(row)]
        item.alterations.append(
            AlterationItem(gene, variant, status, row.date, confidence=confidence(said), why=why, evidence=evidence)
        )
        item.alterations.sort(key=lambda one: (one.gene, one.variant, one.status.value))
        return
    known.variant = known.variant or (variant if known.status is status else "")
    if known.status is status:
        known.evidence = [*known.evidence, row_evidence(row)]


def _add_biomarker(
    item: TumourItem, code: str, row: StructuredRow, value: str | None, unit: str | None, terminology: Terminology
) -> None:
    known = next((one for one in item.biomarkers if one.code == code), None)
    status = _status(row, BiomarkerStatus.UNKNOWN)
    if known is None:
        said = voices(rows=[row])
        item.biomarkers.append(
            BiomarkerItem(
                code=code,
                status=status,
                label=terminology.label(System.LOCAL.value, code),
                value=value,
                unit=unit,
                date=row.date,
                confidence=confidence(said),
                why=f"Écrit par {who_says(said)}{when_said(said)}.",
                evidence=[row_evidence(row)],
            )
        )
        item.biomarkers.sort(key=lambda one: one.code)
        return
    if known.status in (status, BiomarkerStatus.UNKNOWN):
        known.status = status if known.status is BiomarkerStatus.UNKNOWN else known.status
        if known.value is None:
            known.value, known.unit, known.date = value, unit, row.date
        known.evidence = [*known.evidence, row_evidence(row)]


def _status(row: StructuredRow, unknown: BiomarkerStatus) -> BiomarkerStatus:
    written = str(row.values.get("statut") or "")
    found = BiomarkerStatus._value2member_map_.get(written)
    return found if isinstance(found, BiomarkerStatus) and found is not BiomarkerStatus.UNKNOWN else unknown


def _is_near(item: TumourItem, date: dt.date | None, table: Rules) -> bool:
    if item.diagnosis_date is None or date is None:
        return False
    return -table.diagnosis["staging_before"] <= (date - item.diagnosis_date).days <= table.diagnosis["staging_after"]


def _distance(item: TumourItem, date: dt.date | None) -> int:
    return abs((date - item.diagnosis_date).days) if date and item.diagnosis_date else 10**6


@lru_cache(maxsize=4096)
def _gene_of(written: str, terminology: Terminology) -> tuple[str, str]:
    """The gene (HGNC) of a cell, or the biomarker."""
    found = terminology.match(written.strip())
    gene = next((one.code for one in found if one.kind == MentionKind.ALTERATION.value and one.code), "")
    code = next((one.code for one in found if one.kind == MentionKind.BIOMARKER.value and one.code), "")
    return gene or "", "" if gene else code or ""


@lru_cache(maxsize=4096)
def _marker_of_words(written: str, terminology: Terminology) -> str:
    found = terminology.match(written)
    return next((one.code for one in found if one.kind == MentionKind.BIOMARKER.value and one.code), "") or ""


@lru_cache(maxsize=4096)
def _drug_of(name: str, atc: str, terminology: Terminology) -> str:
    """The ATC code of a drug; its name in small letters where it is unknown."""
    if atc and terminology.concept(System.ATC.value, atc):
        return atc
    found = terminology.match(name.strip())
    return next((one.code for one in found if one.kind == MentionKind.DRUG.value and one.code), "") or atc
