"""The truth of a centre as the pivot files of OSIRIS: eighteen CSV files, with their columns and value sets.

Source: SiRIC OSIRIS, model 1.1 (`data/osiris.toml` has the columns and the codes). Dates are ISO 8601; topographies and
morphologies carry the prefix `ICDO3:`, drugs `ATC:`. An altered gene is a row of Variant, CopyNumber or Fusion with its
chromosome, and a row of Annotation with its symbol and its change (HGVS); coordinates, alleles and read depths stay
empty: no report of routine gives them, and the partner of a fusion is not known. Genes of routine are rows of Biomarker
as well, whatever their result. Nothing in a life measures the expression of a gene, and a life has no samples and no
consents: those three files have their header only.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from consore.synthetic.knowledge import read_table
from consore.synthetic.trajectory import Care, Lab, Life, Tumour

_TNM = re.compile(r"(?P<type>c|yp|p)(?P<t>T[0-4x][a-d]?)\w*?(?P<n>N[0-3x])\w*?(?P<m>M[01x])$")
_FINE_T = {"T1a", "T1b", "T1c", "T4a", "T4b", "T4c", "T4d"}

Rows = dict[str, list[dict[str, Any]]]


@lru_cache
def _codes() -> dict[str, dict[str, Any]]:
    return read_table("osiris.toml")


def pivot_files() -> list[str]:
    """The names of the eighteen files."""
    return [f"OSIRIS_pivot_{table}.csv" for table in _codes()["columns"]]


def write_osiris(lives: Iterable[Life], folder: Path) -> dict[str, int]:
    """Write the pivot files of `lives` under `folder`, a life at a time; gives the rows of each table."""
    with OsirisWriter(folder) as writer:
        for life in lives:
            writer.add(life)
    return writer.counts


class OsirisWriter:
    """The eighteen open files. A context manager: `add` each life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts = dict.fromkeys(_codes()["columns"], 0)
        self._open = ExitStack()

    def __enter__(self) -> OsirisWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._writers = {}
        for table, columns in _codes()["columns"].items():
            path = self.folder / f"OSIRIS_pivot_{table}.csv"
            file = self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._writers[table] = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            self._writers[table].writeheader()
        return self

    def add(self, life: Life) -> None:
        """Write the rows of a life."""
        for table, rows in pivot_rows(life).items():
            self._writers[table].writerows(rows)
            self.counts[table] += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def pivot_rows(life: Life) -> Rows:
    """The rows of a life by table; `Instance_Id` counts from 1 in each table of a patient."""
    rows: Rows = {table: [] for table in _codes()["columns"]}

    def add(table: str, **values: Any) -> int:
        number = len(rows[table]) + 1
        kept = {name: value for name, value in values.items() if value is not None}
        rows[table].append({"Patient_Id": life.ipp, "Instance_Id": number, **kept})
        return number

    _patient(life, add)
    events = {tumour.rank: _tumour(life, tumour, add) for tumour in life.tumours}
    for event in life.happenings:
        if event.tumour and event.type in _codes()["event"] and event.type not in ("initial", "second_cancer"):
            add("TumorPathologyEvent", **_event(event.tumour, event.type, event.date, events[event.tumour.rank]))
    for care in life.cares:
        _treatment(care, events[care.tumour.rank], add)
    _biology(life, events, add)
    return rows


def _patient(life: Life, add: Any) -> None:
    codes = _codes()
    cancer = any(event.type.endswith(("recurrence", "progression")) for event in life.happenings)
    cancer = cancer or any(tumour.metastatic for tumour in life.tumours)
    add(
        "Patient",
        Patient_Gender=codes["sex"][life.sex],
        Patient_BirthDate=life.birth.isoformat(),
        Patient_DeathDate=life.death and life.death.isoformat(),
        Patient_ProviderCenterId=life.ipp[:3],
        Patient_OriginCenterId=life.ipp[:3],
        Patient_CauseOfDeath=codes["death"]["cancer" if cancer else "other"] if life.death else None,
        Patient_LastNewsDate=life.last_news.isoformat(),
        Patient_LastNewsStatus=codes["news"]["dead" if life.death else "unknown" if life.lost else "alive"],
    )
    for item in life.comorbidities:
        add(
            "RelatedPathology",
            RelatedPathology_PathologyCode=item.cim10,
            RelatedPathology_DiagnosisDate=item.since.isoformat(),
        )
    for relative, code, _ in life.family:
        add(
            "FamilyCancerHistory",
            FamilyCancerHistory_TopographyCode=f"ICDO3:{code}",
            FamilyCancerHistory_Parentage=codes["relative"][relative],
        )


def _event(tumour: Tumour, kind: str, date: dt.date, parent: int | None = None) -> dict[str, Any]:
    codes = _codes()
    return {
        "TumorPathologyEvent_ParentRef": parent,
        "TumorPathologyEvent_Type": codes["event"][kind],
        "TumorPathologyEvent_StartDate": date.isoformat(),
        "TumorPathologyEvent_DiagnosisDate": date.isoformat(),
        "TumorPathologyEvent_TopographyCode": f"ICDO3:{tumour.place.code}",
        "TumorPathologyEvent_MorphologyCode": f"ICDO3:{tumour.histology.code}",
        "TumorPathologyEvent_Laterality": codes["side"][tumour.side or "none"],
    }


def _tumour(life: Life, tumour: Tumour, add: Any) -> int:
    status = next((value for day, value in life.performance if day == tumour.date), None)
    kind = "initial" if tumour.rank == 1 else "second_cancer"
    event = _event(tumour, kind, tumour.date)
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


def _treatment(care: Care, event: int, add: Any) -> None:
    codes = _codes()
    kind = care.type
    if care.act and care.act.local == "PROC:brachytherapy":
        kind = "brachytherapy"
    elif kind == "targeted":
        kind = "antibody" if any(drug.name.endswith("mab") for drug in care.drugs) else "other"
    number = add(
        "Treatment",
        TumorPathologyEvent_Ref=event,
        Treatment_Type=codes["treatment"].get(kind, codes["treatment"]["other"]),
        Treatment_LineNumber=care.line,
        Treatment_ActivityCode=care.act.code if care.act else None,
        Treatment_StartDate=care.start.isoformat(),
        Treatment_EndDate=care.end.isoformat() if care.end else None,
    )
    for drug in care.drugs:
        add("Drug", Treatment_Ref=number, Drug_Code=f"ATC:{drug.atc}", Drug_Name=drug.name)
    if care.response:
        day = min(care.end or dt.date.max, care.start + dt.timedelta(days=80))
        add(
            "ResponseEvaluation",
            Treatment_Ref=number,
            Date=day.isoformat(),
            Status=codes["response"][care.response],
        )
    for word, grade in care.toxicities:
        add(
            "AdverseEvent",
            Treatment_Ref=number,
            TumorPathologyEvent_Ref=event,
            AdverseEvent_Code=codes["toxicity"][word],
            AdverseEvent_Date=care.start.isoformat(),
            AdverseEvent_Grade=grade,
        )


def _biology(life: Life, events: dict[int, int], add: Any) -> None:
    """Analyses of pathology at each diagnosis, and of biology on each day of a sample, with their results."""
    known = _codes()["biomarker"]
    for tumour in life.tumours:
        results = [(code, value or status) for code, (status, value) in tumour.biomarkers.items() if code in known]
        results += [(gene, f"{gene} {value}") for gene, value in tumour.alterations.items() if gene in known]
        if results:
            analysis = add(
                "Analysis",
                TumorPathologyEvent_Ref=events[tumour.rank],
                Analysis_Type="OSIRIS:C37-4",
                Analysis_Date=tumour.date.isoformat(),
            )
            for code, value in results:
                add("Biomarker", Analysis_Ref=analysis, Biomarker_Code=known[code], Biomarker_Value=value)
        _omics(life, tumour, events[tumour.rank], add)
    first = next(iter(events.values()), None)
    for date, labs in _by_day(life):
        measured = [lab for lab in labs if lab.code in known]
        if measured:
            analysis = add(
                "Analysis", TumorPathologyEvent_Ref=first, Analysis_Type="OSIRIS:C37-1", Analysis_Date=date.isoformat()
            )
            for lab in measured:
                add(
                    "Biomarker",
                    Analysis_Ref=analysis,
                    Biomarker_Code=known[lab.code],
                    Biomarker_Value=lab.value,
                    Biomarker_Unit=lab.unit,
                )


def _omics(life: Life, tumour: Tumour, event: int, add: Any) -> None:
    """What sequencing, cytogenetics or hybridisation found altered in a tumour; genes found normal are not told."""
    codes = _codes()["omics"]
    found = {gene: value for gene, value in tumour.alterations.items() if value not in ("wild_type", "negative")}
    if not found:
        return
    analysis = add(
        "Analysis", TumorPathologyEvent_Ref=event, Analysis_Type=codes["omic"], Analysis_Date=tumour.date.isoformat()
    )
    for gene, value in found.items():
        chromosome = _codes()["chromosome"][str(_codes()["gene"][gene])]
        common = {
            "Analysis_Ref": analysis,
            "Validation_Type": codes["by_biologist"],
            "Validation_Status": codes["validated"],
        }
        if value == "amplification":
            kind = codes["copy_number"]
            number = add(
                "CopyNumber",
                **common,
                AlterationOnSample_AlterationType=kind,
                Alteration_Chromosome=chromosome,
                CNV_SegmentGenomicStatus=codes["amplification"],
            )
        elif value == "positive":
            kind = codes["fusion"]
            number = add("Fusion", **common, AlterationOnSample_AlterationType=kind, Fusion_Type=codes["translocation"])
        else:
            kind = codes["variant"]
            born = life.predisposition
            germline = born is not None and (born.gene, born.variant) == (gene, value)
            number = add(
                "Variant",
                **common,
                AlterationOnSample_AlterationType=kind,
                Alteration_Chromosome=chromosome,
                Variant_DNASequenceVariationType=_change(value, "dna"),
                VariantInSample_GenomicSourceClass=codes["germline" if germline else "somatic"],
            )
        region = re.search(r"exon \d+", value)
        add(
            "Annotation",
            Alteration_Ref=number,
            AlterationOnSample_AlterationType=kind,
            GenomeEntity_Type=codes["gene"],
            GenomeEntity_Database=codes["hgnc"],
            GenomeEntity_Symbol=gene,
            Annotation_DNARegionName=region.group() if region else None,
            Annotation_DNASequenceVariation=value if value.startswith("c.") else None,
            Annotation_AminoAcidChange=value if value.startswith("p.") else None,
            Annotation_AminoAcidChangeType=_change(value, "protein") if value.startswith("p.") else None,
        )


def _change(value: str, level: str) -> str | None:
    """The kind of a change written in HGVS (`c.68_69del`, `p.V600E`) or in words; null when nothing says it."""
    codes = _codes()["omics"]
    if "del" in value and "ins" in value:
        return str(codes["delins"]) if level == "dna" else None
    if "del" in value or "délétion" in value:
        return str(codes["deletion"])
    if "dup" in value or value == "ITD":
        return str(codes["duplication"])
    if level == "protein":
        return str(codes["nonsense" if value.endswith("*") else "missense"])
    return str(codes["substitution"]) if value.startswith(("c.", "p.")) else None


def _by_day(life: Life) -> Iterator[tuple[dt.date, list[Lab]]]:
    days: dict[dt.date, list[Lab]] = {}
    for lab in life.labs:
        days.setdefault(lab.date, []).append(lab)
    yield from days.items()
