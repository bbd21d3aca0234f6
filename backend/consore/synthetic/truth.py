"""What is true of the lives of a centre: histories, OSIRIS pivot files, questions with answers, pairs with grades."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from consore.synthetic.osiris import OsirisWriter
from consore.synthetic.pairs import PairSampler
from consore.synthetic.questions import questions
from consore.synthetic.trajectory import Care, Life, Tumour

_OPERATIONS = ("PROC:turb", "PROC:orchiectomy")  # that make a diagnosis
_PLAIN_STATUSES = ("wild_type", "negative", "positive")


class TruthWriter:
    """Writes the truth of a centre under `folder`, a life at a time, without holding the lives.

    A context manager: `add` each life in the order of the patients; leaving it writes what needs all of them.
    Files: `patients.jsonl`, `osiris/OSIRIS_pivot_….csv` (18), `questions.jsonl` (a line for each phrasing of a
    question, with its exact answer), `pairs.jsonl`. `counts` says how many rows each has, once left. Opposed patients
    are in no answer and no pair; a merged person is there once, under the identity that stayed.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.counts: dict[str, int] = {"patients": 0}
        self._questions = questions()
        self._pairs = PairSampler(seed)
        self._osiris = OsirisWriter(folder / "osiris")

    def __enter__(self) -> TruthWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._patients = (self.folder / "patients.jsonl").open("w", encoding="utf-8")
        self._osiris.__enter__()
        return self

    def add(self, life: Life) -> None:
        """Take a life into every file."""
        self._patients.write(_json(truth_of_patient(life)))
        self.counts["patients"] += 1
        self._osiris.add(life)
        self._pairs.add(life)
        if not life.opposed:
            for question in self._questions:
                if question.test(life):
                    question.answer.append(life.ipp)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patients.close()
        self._osiris.__exit__(kind, error, trace)
        if error is None:
            asked = (row for question in self._questions for row in question.rows())
            self.counts["questions"] = _write(self.folder / "questions.jsonl", asked)
            self.counts["pairs"] = _write(self.folder / "pairs.jsonl", self._pairs.rows())
            self.counts["osiris"] = sum(self._osiris.counts.values())


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(_json(row))
            count += 1
    return count


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


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
        "stage": tumour.stage or None,
        "sampled_by_surgery": tumour.cancer.raw["biopsy_kind"] in _OPERATIONS,
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
        "dose": care.dose or None,
    }
