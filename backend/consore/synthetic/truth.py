"""What is true of the lives of a centre: histories, OSIRIS pivot files, questions with answers, pairs with grades."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from consore.synthetic.trajectory import Care, Life, Tumour

_PLAIN_STATUSES = ("wild_type", "negative", "positive")


class TruthWriter:
    """Writes the truth of a centre under `folder`, a life at a time, without holding the lives.

    A context manager: `add` each life in the order of the patients; leaving it writes what needs all of them.
    Files: `patients.jsonl`. `counts` says how many rows each file has, once left.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.counts: dict[str, int] = {"patients": 0}

    def __enter__(self) -> TruthWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._patients = (self.folder / "patients.jsonl").open("w", encoding="utf-8")
        return self

    def add(self, life: Life) -> None:
        """Take a life into every file."""
        self._patients.write(json.dumps(truth_of_patient(life), ensure_ascii=False) + "\n")
        self.counts["patients"] += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patients.close()


def truth_of_patient(life: Life) -> dict[str, Any]:
    """The history as it truly is, with the keys of `consore history` (and some more)."""
    return {
        "patient_id": life.ipp,
        "sex": "female" if life.sex == "F" else "male",
        "birth_date": life.birth.isoformat(),
        "death_date": life.death.isoformat() if life.death else None,
        "opposed": life.opposed,
        "tumours": [_tumour(tumour) for tumour in life.tumours],
        "events": [
            {
                "type": event.type,
                "date": event.date.isoformat(),
                "tumour_rank": event.tumour.rank if event.tumour else None,
                "sites": event.sites,
            }
            for event in life.happenings
        ],
        "treatments": [_treatment(care) for care in life.cares],
        "last_news": life.last_news.isoformat(),
        "lost": life.lost,
        "merged_ipps": [ipp for ipp, _ in life.merged_ipps],
        "duplicate_ipp": life.duplicate_ipp,
        "comorbidities": [{"cim10": item.cim10, "since": item.since.isoformat()} for item in life.comorbidities],
        "predisposition": life.predisposition
        and {"gene": life.predisposition.gene, "variant": life.predisposition.variant},
        "family": [{"relative": relative, "topography": code} for relative, code, _ in life.family],
        "benign": [{"topography": item.topography, "date": item.date.isoformat()} for item in life.benign],
    }


def _tumour(tumour: Tumour) -> dict[str, Any]:
    return {
        "rank": tumour.rank,
        "topography": tumour.place.code,
        "morphology": tumour.histology.code,
        "laterality": tumour.side,
        "diagnosis_date": tumour.date.isoformat(),
        "ctnm": tumour.ctnm,
        "ptnm": tumour.ptnm,
        "stage": tumour.stage,
        "grade": tumour.grade,
        "biomarkers": [
            {"code": code, "status": status or "unknown", "value": value}
            for code, (status, value) in tumour.biomarkers.items()
        ],
        "alterations": [
            {
                "gene": gene,
                "variant": "" if value in _PLAIN_STATUSES else value,
                "status": value if value in _PLAIN_STATUSES else "mutated",
            }
            for gene, value in tumour.alterations.items()
        ],
    }


def _treatment(care: Care) -> dict[str, Any]:
    name = care.act.name if care.act else "radiothérapie" if not care.course else ""
    if care.course:
        extra = [drug.name for drug in care.course.extra]
        name = " + ".join(([care.course.words[0]] if care.course.words else []) + extra)
    return {
        "type": care.type,
        "name": name,
        "drugs": [{"name": drug.name, "atc": drug.atc} for drug in care.drugs],
        "regimen": care.course.regimen if care.course else None,
        "act_code": care.act.code if care.act else None,
        "line": care.line,
        "start": care.start.isoformat(),
        "end": care.end.isoformat() if care.end else None,
        "tumour_rank": care.tumour.rank,
        "intent": care.intent,
        "response": care.response,
    }
