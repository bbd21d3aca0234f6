"""Patients as the pivot files of OSIRIS: eighteen CSV files, with their columns, checked against their value sets.

Source: SiRIC OSIRIS, model 1.1 (`osiris.toml` has the columns and the codes, `osiris_values.csv` and
`osiris_elements.csv` the published value sets). Dates are ISO 8601; topographies and morphologies carry the prefix
`ICDO3:`, drugs `ATC:`. An altered gene is a row of Variant, CopyNumber or Fusion with its chromosome, and a row of
Annotation with its symbol and its change (HGVS); coordinates, alleles and read depths stay empty: no report of routine
gives them, and the partner of a fusion is not known. Genes of routine are rows of Biomarker as well, whatever their
result. Expression and Consent have their header only. A value that its set does not list is left out of its cell and
counted: a file that is written is a valid one.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from consore.export.record import Care, Measure, Record, Taken
from consore.model import BiomarkerItem, BiomarkerStatus, EventItem, EventType, TreatmentType, TumourItem

Rows = dict[str, list[dict[str, Any]]]

_FOLDER = Path(__file__).parent
_TNM = re.compile(r"(?P<type>c|yp|p)(?P<t>T[0-4x][a-d]?)\w*?(?P<n>N[0-3x])\w*?(?P<m>M[01x])$")
_FINE_T = {"T1a", "T1b", "T1c", "T4a", "T4b", "T4c", "T4d"}
_NORMAL = (BiomarkerStatus.WILD_TYPE, BiomarkerStatus.NEGATIVE)
_FUSIONS = ("positive", "fusion", "réarrangement", "rearrangement", "translocation")
_STARTS = (EventType.INITIAL, EventType.SECOND_CANCER)
_UNCHECKED_DOMAINS = {  # sets that change with the years or are not ours to ship: their shape is checked
    "ATC": re.compile(r"ATC:[A-Z]\d{2}[A-Z]{2}\d{2}"),
    "CCAM": re.compile(r"[A-Z]{4}\d{3}"),
    "ICD10": re.compile(r"[A-Z]\d{2}(?:\.\d)?"),
    "MedDRA_CTCAE-v5.0": re.compile(r"MedDRA:\d{8}"),
}


def pivot_files() -> list[str]:
    """The names of the eighteen files."""
    return [f"OSIRIS_pivot_{table}.csv" for table in codes()["columns"]]


def write_osiris(records: Iterable[Record], folder: Path) -> OsirisWriter:
    """Write the pivot files of `records` under `folder`, one at a time; gives the writer with its counts."""
    with OsirisWriter(folder) as writer:
        for record in records:
            writer.add(record)
    return writer


class OsirisWriter:
    """The eighteen open files. A context manager: `add` each record.

    `counts`: the rows of each table; `left_out`: values that their set does not list, by (column, value); `missing`:
    cells that OSIRIS asks for and that are not known, by column.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts = dict.fromkeys(codes()["columns"], 0)
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.missing: Counter[str] = Counter()
        self._open = ExitStack()

    def __enter__(self) -> OsirisWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._writers = {}
        for table, columns in codes()["columns"].items():
            path = self.folder / f"OSIRIS_pivot_{table}.csv"
            file = self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._writers[table] = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            self._writers[table].writeheader()
        return self

    def add(self, record: Record) -> None:
        """Write the rows of a record."""
        for table, rows in pivot_rows(record).items():
            for row in rows:
                self._clean(table, row)
            self._writers[table].writerows(rows)
            self.counts[table] += len(rows)

    def _clean(self, table: str, row: dict[str, Any]) -> None:
        for column, value in list(row.items()):
            if not is_listed(table, column, str(value)):
                self.left_out[column, str(value)] += 1
                del row[column]
        self.missing.update(column for column in required_columns(table) if row.get(column) in (None, ""))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def is_listed(table: str, column: str, value: str) -> bool:
    """Whether the value set of a column holds a value; True where the column has none."""
    domain = _element(table, column).get("domain", "")
    if not value or not domain:
        return True
    if shape := _UNCHECKED_DOMAINS.get(domain):
        return shape.fullmatch(value) is not None
    known = _values().get(domain)
    return known is None or value in known


def required_columns(table: str) -> list[str]:
    """The columns of a table that OSIRIS wants filled."""
    return [column for column in codes()["columns"][table] if _element(table, column).get("required") == "yes"]


def pivot_rows(record: Record) -> Rows:
    """The rows of a record by table; `Instance_Id` counts from 1 in each table of a patient."""
    rows: Rows = {table: [] for table in codes()["columns"]}

    def add(table: str, **values: Any) -> int:
        number = len(rows[table]) + 1
        kept = {name: value for name, value in values.items() if value is not None}
        rows[table].append({"Patient_Id": record.id, "Instance_Id": number, **kept})
        return number

    _patient(record, add)
    starts = {item.rank: _tumour(record, item, add) for item in record.tumours}
    numbers: dict[int, int] = {}
    for place, happened in enumerate(record.events):
        item = happened.item
        if item.tumour_rank not in starts:
            continue
        if item.type in _STARTS:
            numbers[place] = starts[item.tumour_rank]
        elif item.type.value in codes()["event"]:
            tumour = next(one for one in record.tumours if one.rank == item.tumour_rank)
            parent = numbers.get(happened.parent, starts[item.tumour_rank]) if happened.parent is not None else None
            numbers[place] = add("TumorPathologyEvent", **_event(tumour, item, parent or starts[item.tumour_rank]))
    for care in record.cares:
        event = numbers.get(care.event) if care.event is not None else None
        _treatment(care, event or starts.get(care.item.tumour_rank or 0), add)
    _biology(record, starts, add)
    for sample in record.samples:
        _sample(sample, next(iter(starts.values()), None), add)
    return rows


def _patient(record: Record, add: Any) -> None:
    told = codes()
    state = "dead" if record.death else "unknown" if record.is_lost else "alive"
    add(
        "Patient",
        Patient_Gender=told["sex"][record.sex.value],
        Patient_BirthDate=_iso(record.birth),
        Patient_DeathDate=_iso(record.death),
        Patient_ProviderCenterId=record.centre,
        Patient_OriginCenterId=record.centre,
        Patient_CauseOfDeath=told["death"][record.cause_of_death or "unknown"] if record.death else None,
        Patient_LastNewsDate=_iso(record.last_news),
        Patient_LastNewsStatus=told["news"][state],
    )
    for code, since in record.related:
        add("RelatedPathology", RelatedPathology_PathologyCode=code, RelatedPathology_DiagnosisDate=_iso(since))
    for topography, relative in record.family:
        add(
            "FamilyCancerHistory",
            FamilyCancerHistory_TopographyCode=f"ICDO3:{topography}",
            FamilyCancerHistory_Parentage=relative,
        )


def _event(tumour: TumourItem, event: EventItem, parent: int | None = None) -> dict[str, Any]:
    told = codes()
    date = _iso(event.date)
    return {
        "TumorPathologyEvent_ParentRef": parent,
        "TumorPathologyEvent_Type": told["event"][event.type.value],
        "TumorPathologyEvent_StartDate": date,
        "TumorPathologyEvent_DiagnosisDate": date,
        "TumorPathologyEvent_TopographyCode": tumour.topography and f"ICDO3:{tumour.topography}",
        "TumorPathologyEvent_MorphologyCode": tumour.morphology and f"ICDO3:{tumour.morphology}",
        "TumorPathologyEvent_Laterality": told["side"][tumour.laterality.value if tumour.laterality else "none"],
    }


def _tumour(record: Record, tumour: TumourItem, add: Any) -> int:
    kind = EventType.INITIAL if tumour.rank == 1 else EventType.SECOND_CANCER
    event = _event(tumour, EventItem(kind, tumour.diagnosis_date, tumour.rank))
    status = record.performance.get(tumour.rank)
    number = int(add("TumorPathologyEvent", **event, TumorPathologyEvent_PerformanceStatus=status))
    for tnm in (tumour.ctnm, tumour.ptnm):
        found = _TNM.match(tnm or "")
        if found:
            t = found["t"] if found["t"] in _FINE_T else found["t"][:2]
            add(
                "TNM",
                TumorPathologyEvent_Ref=number,
                TNM_Type={"yp": "y"}.get(found["type"], found["type"]),
                TNM_T=t,
                TNM_N=found["n"],
                TNM_M=found["m"],
            )
    return number


def _treatment(care: Care, event: int | None, add: Any) -> None:
    told, item = codes(), care.item
    kind = item.type.value
    if care.is_brachytherapy:
        kind = "brachytherapy"
    elif item.type is TreatmentType.TARGETED:
        kind = "antibody" if any(drug.name.endswith("mab") for drug in item.drugs) else "other"
    number = add(
        "Treatment",
        TumorPathologyEvent_Ref=event,
        Treatment_Type=told["treatment"].get(kind, told["treatment"]["other"]),
        Treatment_LineNumber=item.line,
        Treatment_ActivityCode=care.ccam,
        Treatment_StartDate=_iso(item.start),
        Treatment_EndDate=_iso(item.end),
    )
    for drug in item.drugs:
        add("Drug", Treatment_Ref=number, Drug_Code=drug.atc and f"ATC:{drug.atc}", Drug_Name=drug.name)
    if item.response in told["response"]:
        add(
            "ResponseEvaluation",
            Treatment_Ref=number,
            Date=_iso(care.evaluated),
            Status=told["response"][item.response],
        )
    for code, grade in care.toxicities:
        add(
            "AdverseEvent",
            Treatment_Ref=number,
            TumorPathologyEvent_Ref=event,
            AdverseEvent_Code=code,
            AdverseEvent_Date=_iso(item.start),
            AdverseEvent_Grade=grade,
        )


def _biology(record: Record, starts: dict[int, int], add: Any) -> None:
    """Analyses of pathology at each diagnosis, and of biology on each day of a sample, with their results."""
    known = codes()["biomarker"]
    for tumour in record.tumours:
        results = [(one.code, _result(one)) for one in tumour.biomarkers if one.code in known]
        results += [
            (one.gene, f"{one.gene} {one.variant or one.status.value}")
            for one in tumour.alterations
            if one.gene in known
        ]
        results = [(code, value) for code, value in results if value]
        if results:
            analysis = add(
                "Analysis",
                TumorPathologyEvent_Ref=starts[tumour.rank],
                Analysis_Type="OSIRIS:C37-4",
                Analysis_Date=_iso(tumour.diagnosis_date),
            )
            for code, value in results:
                add("Biomarker", Analysis_Ref=analysis, Biomarker_Code=known[code], Biomarker_Value=value)
        _omics(record, tumour, starts[tumour.rank], add)
    first = next(iter(starts.values()), None)
    for date, measures in _by_day(record.measures).items():
        measured = [one for one in measures if one.code in known]
        if measured:
            analysis = add(
                "Analysis", TumorPathologyEvent_Ref=first, Analysis_Type="OSIRIS:C37-1", Analysis_Date=date.isoformat()
            )
            for one in measured:
                add(
                    "Biomarker",
                    Analysis_Ref=analysis,
                    Biomarker_Code=known[one.code],
                    Biomarker_Value=one.value,
                    Biomarker_Unit=one.unit,
                )


def _omics(record: Record, tumour: TumourItem, event: int, add: Any) -> None:
    """What sequencing, cytogenetics or hybridisation found altered in a tumour; genes found normal are not told."""
    told = codes()["omics"]
    found = [one for one in tumour.alterations if one.status not in _NORMAL]
    if not found:
        return
    date = _iso(tumour.diagnosis_date)
    analysis = add("Analysis", TumorPathologyEvent_Ref=event, Analysis_Type=told["omic"], Analysis_Date=date)
    validation = {"Validation_Type": told["by_biologist"], "Validation_Status": told["validated"]}
    for one in found:
        value = one.variant or one.status.value
        place = codes()["gene"].get(one.gene)
        chromosome = codes()["chromosome"][str(place)] if place is not None else None
        common = {"Analysis_Ref": analysis, **(validation if record.is_validated else {})}
        if value.startswith("amplifi"):
            kind = told["copy_number"]
            number = add(
                "CopyNumber",
                **common,
                AlterationOnSample_AlterationType=kind,
                Alteration_Chromosome=chromosome,
                CNV_SegmentGenomicStatus=told["amplification"],
            )
        elif value in _FUSIONS:
            kind = told["fusion"]
            number = add("Fusion", **common, AlterationOnSample_AlterationType=kind, Fusion_Type=told["translocation"])
        else:
            kind = told["variant"]
            origin = None
            if record.germline is not None:
                origin = told["germline" if (one.gene, one.variant) in record.germline else "somatic"]
            number = add(
                "Variant",
                **common,
                AlterationOnSample_AlterationType=kind,
                Alteration_Chromosome=chromosome,
                Variant_DNASequenceVariationType=_change(value, "dna"),
                VariantInSample_GenomicSourceClass=origin,
            )
        region = re.search(r"exon \d+", value)
        add(
            "Annotation",
            Alteration_Ref=number,
            AlterationOnSample_AlterationType=kind,
            GenomeEntity_Type=told["gene"],
            GenomeEntity_Database=told["hgnc"],
            GenomeEntity_Symbol=one.gene,
            Annotation_DNARegionName=region.group() if region else None,
            Annotation_DNASequenceVariation=value if value.startswith("c.") else None,
            Annotation_AminoAcidChange=value if value.startswith("p.") else None,
            Annotation_AminoAcidChangeType=_change(value, "protein") if value.startswith("p.") else None,
        )


def _change(value: str, level: str) -> str | None:
    """The kind of a change written in HGVS (`c.68_69del`, `p.V600E`) or in words; null when nothing says it."""
    told = codes()["omics"]
    if "del" in value and "ins" in value:
        return str(told["delins"]) if level == "dna" else None
    if "del" in value or "délétion" in value:
        return str(told["deletion"])
    if "dup" in value or value == "ITD":
        return str(told["duplication"])
    if level == "protein":
        return str(told["nonsense" if value.endswith("*") else "missense"])
    return str(told["substitution"]) if value.startswith(("c.", "p.")) else None


def _result(item: BiomarkerItem) -> str | None:
    return item.value or (item.status.value if item.status is not BiomarkerStatus.UNKNOWN else None)


def _by_day(measures: list[Measure]) -> dict[dt.date, list[Measure]]:
    days: dict[dt.date, list[Measure]] = {}
    for one in measures:
        days.setdefault(one.date, []).append(one)
    return days


def _sample(sample: Taken, event: int | None, add: Any) -> None:
    told = codes()
    letters = unicodedata.normalize("NFD", sample.type.lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    nature = next((code for word, code in told["sample"].items() if word in plain), told["sample"]["unknown"])
    origin = "tumour" if "tumor" in plain else "normal" if "sain" in plain or "normal" in plain else "unknown"
    add(
        "BiologicalSample",
        TumorPathologyEvent_Ref=event,
        BiologicalSample_ExternalAccession=sample.id,
        BiologicalSample_CollectDate=_iso(sample.date),
        BiologicalSample_TopographyCode=sample.topography and f"ICDO3:{sample.topography}",
        BiologicalSample_Nature=nature,
        BiologicalSample_Origin=told["origin"][origin],
    )


def _iso(date: dt.date | None) -> str | None:
    return date.isoformat() if date else None


@lru_cache
def codes() -> dict[str, dict[str, Any]]:
    """The tables of `osiris.toml`: columns, and the codes of our words."""
    return tomllib.loads((_FOLDER / "osiris.toml").read_text(encoding="utf-8"))


@lru_cache
def _values() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    with (_FOLDER / "osiris_values.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["domain"], set()).add(row["code"])
    return {domain: frozenset(codes) for domain, codes in found.items()}


@lru_cache
def _elements() -> dict[str, dict[str, str]]:
    with (_FOLDER / "osiris_elements.csv").open(encoding="utf-8", newline="") as file:
        return {row["element"]: row for row in csv.DictReader(file)}


def _element(table: str, column: str) -> dict[str, str]:
    """The published element of a column; ResponseEvaluation writes its columns without the table's name."""
    return _elements().get(column) or _elements().get(f"{table}_{column}") or {}


__all__ = [
    "OsirisWriter",
    "Rows",
    "codes",
    "is_listed",
    "pivot_files",
    "pivot_rows",
    "required_columns",
    "write_osiris",
]
