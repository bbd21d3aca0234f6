"""The truth of a centre as the pivot files of OSIRIS: a life becomes a record, which `export.osiris` writes.

Nothing in a life measures the expression of a gene, and a life has no samples and no consents: those three files have
their header only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from consore import export
from consore.export import Care, Happened, Record, pivot_files
from consore.history import Measure
from consore.model import (
    AlterationItem,
    BiomarkerItem,
    BiomarkerStatus,
    DrugItem,
    EventItem,
    EventType,
    Laterality,
    Sex,
    TreatmentItem,
    TreatmentType,
    TumourItem,
)
from consore.synthetic import trajectory
from consore.synthetic.knowledge import read_table
from consore.synthetic.trajectory import Life

_PLAIN_STATUSES = ("wild_type", "negative", "positive")


def write_osiris(lives: Iterable[Life], folder: Path) -> dict[str, int]:
    """Write the pivot files of `lives` under `folder`, a life at a time; gives the rows of each table."""
    return export.write_osiris((record_of(life) for life in lives), folder).counts


class OsirisWriter:
    """The eighteen open files. A context manager: `add` each life."""

    def __init__(self, folder: Path) -> None:
        self._writer = export.OsirisWriter(folder)
        self.counts = self._writer.counts

    def __enter__(self) -> OsirisWriter:
        self._writer.__enter__()
        return self

    def add(self, life: Life) -> None:
        """Write the rows of a life."""
        self._writer.add(record_of(life))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def record_of(life: Life) -> Record:
    """The life as exports see a patient."""
    told = _codes()
    cancer = any(event.type.endswith(("recurrence", "progression")) for event in life.happenings)
    cancer = cancer or any(tumour.metastatic for tumour in life.tumours)
    return Record(
        id=life.ipp,
        sex=Sex.FEMALE if life.sex == "F" else Sex.MALE,
        centre=life.ipp[:3],
        birth=life.birth,
        death=life.death,
        cause_of_death=(export.DEATH_OF_CANCER if cancer else export.DEATH_OF_OTHER_CAUSE) if life.death else None,
        last_news=life.last_news,
        is_lost=life.lost,
        tumours=[_tumour(tumour) for tumour in life.tumours],
        events=[
            Happened(EventItem(EventType(one.type), one.date, one.tumour.rank if one.tumour else None, one.sites))
            for one in life.happenings
        ],
        cares=[_care(care) for care in life.cares],
        measures=[
            Measure(lab.code, lab.code, lab.date, str(lab.value), lab.unit, lab.low, lab.high) for lab in life.labs
        ],
        related=[(item.cim10, item.since) for item in life.comorbidities],
        germline={(born.gene, born.variant)} if (born := life.predisposition) else set(),
        is_validated=True,
        family=[(code, told["relative"][relative]) for relative, code, _ in life.family],
        performance={
            tumour.rank: value for tumour in life.tumours for day, value in life.performance if day == tumour.date
        },
    )


def _tumour(tumour: trajectory.Tumour) -> TumourItem:
    return TumourItem(
        rank=tumour.rank,
        topography=tumour.place.code,
        morphology=tumour.histology.code,
        laterality=Laterality(tumour.side) if tumour.side else None,
        diagnosis_date=tumour.date,
        ctnm=tumour.ctnm,
        ptnm=tumour.ptnm,
        stage=tumour.stage or None,
        grade=tumour.grade,
        label=f"{tumour.histology.words[0]}, {tumour.place.words[0]}",
        biomarkers=[
            BiomarkerItem(code, BiomarkerStatus(status or "unknown"), value=value)
            for code, (status, value) in tumour.biomarkers.items()
        ],
        alterations=[
            AlterationItem(
                gene,
                "" if value in _PLAIN_STATUSES else value,
                BiomarkerStatus(value) if value in _PLAIN_STATUSES else BiomarkerStatus.MUTATED,
            )
            for gene, value in tumour.alterations.items()
        ],
    )


def _care(care: trajectory.Care) -> Care:
    told = _codes()
    item = TreatmentItem(
        TreatmentType(care.type),
        name=care.act.name if care.act else "",
        drugs=[DrugItem(drug.name, drug.atc) for drug in care.drugs],
        regimen=care.course.regimen if care.course else None,
        act_code=care.act.code if care.act else None,
        line=care.line,
        start=care.start,
        end=care.end,
        tumour_rank=care.tumour.rank,
        intent=care.intent,
        response=care.response,
    )
    return Care(
        item,
        ccam=care.act.code if care.act else None,
        is_brachytherapy=bool(care.act and care.act.local == "PROC:brachytherapy"),
        evaluated=min(care.end or dt.date.max, care.start + dt.timedelta(days=80)),
        toxicities=[(told["toxicity"][word], grade) for word, grade in care.toxicities],
    )


@lru_cache
def _codes() -> dict[str, dict[str, Any]]:
    return read_table("osiris.toml")


__all__ = ["OsirisWriter", "pivot_files", "record_of", "write_osiris"]
