"""How near the histories are to the truth: precision, recall and F1 of what a physician reads.

A tumour is right when its three-character topography and its side are; its diagnosis date within 31 days. An
event is right when its type is and its date is within 62 days; a treatment when its type, its set of drugs
and its start (within 31 days) are. Each item of the truth answers for one item found.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Item = dict[str, Any]
Same = Callable[[Item, Item], bool]
DIAGNOSIS_DAYS = 31
EVENT_DAYS = 62
TREATMENT_DAYS = 31
ANCILLARY = frozenset({"acide folinique", "acide lévofolinique", "folinate de calcium", "mesna"})


@dataclass
class Score:
    """Counts of one kind of item."""

    right: int = 0
    found: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of what is true that was found."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / (self.found + self.true) if self.found + self.true else 0.0

    def as_json(self) -> dict[str, float | int]:
        """Counts and ratios, rounded to three places."""
        return {
            "right": self.right,
            "found": self.found,
            "true": self.true,
            "precision": round(self.precision, 3),
            "recall": round(self.recall, 3),
            "f1": round(self.f1, 3),
        }


@dataclass
class HistoryScores:
    """A score by kind of item (`tumours`, `events`, `events:local_recurrence`…), and what was wrong."""

    patients: int = 0
    scores: dict[str, Score] = field(default_factory=dict)
    misses: list[tuple[str, str, str, Item]] = field(default_factory=list)

    def of(self, name: str) -> Score:
        """The score of one kind, made when first asked for."""
        return self.scores.setdefault(name, Score())

    def as_json(self) -> dict[str, Any]:
        """All scores, for files and for comparison."""
        return {"patients": self.patients, **{name: self.scores[name].as_json() for name in sorted(self.scores)}}


def evaluate(histories: Iterable[Mapping[str, Any]], truth: Mapping[str, Mapping[str, Any]]) -> HistoryScores:
    """Compare histories (`Biography.as_json()`) to the truth by patient; one without a history is missed."""
    found = {str(history["patient_id"]): history for history in histories}
    result = HistoryScores(patients=len(truth))
    for patient_id in sorted(truth):
        _compare(patient_id, found.get(patient_id, {}), truth[patient_id], result)
    return result


def read_truth(path: Path) -> dict[str, Item]:
    """The truth of a fictional centre (`verite/patients.jsonl`), by patient."""
    with path.open(encoding="utf-8") as file:
        items = [json.loads(line) for line in file if line.strip()]
    return {str(item["patient_id"]): item for item in items}


def _compare(patient_id: str, found: Mapping[str, Any], true: Mapping[str, Any], result: HistoryScores) -> None:
    pairs = _match(result, "tumours", patient_id, found.get("tumours", []), true.get("tumours", []), _same_tumour)
    for mine, theirs in pairs:
        _match(result, "diagnosis_date", patient_id, [mine], [theirs], _same_diagnosis_date)
        for name in ("topography", "morphology", "ctnm", "ptnm", "stage", "grade"):
            _match_value(result, name, patient_id, mine.get(name), theirs.get(name))
        _match(result, "biomarkers", patient_id, _markers(mine), _markers(theirs), _same_biomarker)
    for name, same in (("events", _same_event), ("treatments", _same_treatment)):
        mine_all, true_all = found.get(name, []), true.get(name, [])
        _match(result, name, patient_id, mine_all, true_all, same)
        for kind in sorted({item["type"] for item in [*mine_all, *true_all]}):
            _match(
                result,
                f"{name}:{kind}",
                "",
                [item for item in mine_all if item["type"] == kind],
                [item for item in true_all if item["type"] == kind],
                same,
            )


def _markers(tumour: Item) -> list[Item]:
    """Biomarkers and gene alterations as one list: whether EGFR is told as one or the other is a matter of taste."""
    genes = {item["gene"]: item for item in tumour.get("alterations") or []}
    told = [item for item in tumour.get("biomarkers") or [] if item["code"] not in genes]
    return [*told, *({"code": gene, "status": item.get("status")} for gene, item in genes.items())]


def _match(
    result: HistoryScores, name: str, patient_id: str, found: list[Item], true: list[Item], same: Same
) -> list[tuple[Item, Item]]:
    """Pair items one to one; what is left over on either side is noted."""
    score = result.of(name)
    score.found += len(found)
    score.true += len(true)
    left = list(true)
    pairs = []
    for item in found:
        partner = next((other for other in left if same(item, other)), None)
        if partner is not None:
            left.remove(partner)
            pairs.append((item, partner))
        elif patient_id:
            result.misses.append((name, patient_id, "found", item))
    if patient_id:
        result.misses.extend((name, patient_id, "missed", item) for item in left)
    score.right += len(pairs)
    return pairs


def _match_value(result: HistoryScores, name: str, patient_id: str, mine: Any, true: Any) -> None:
    found, wanted = ([{"value": value}] if value else [] for value in (mine, true))
    _match(result, name, patient_id, found, wanted, lambda one, other: str(one["value"]) == str(other["value"]))


def _same_tumour(one: Item, other: Item) -> bool:
    return (one.get("topography") or "")[:3] == (other.get("topography") or "")[:3] and one.get(
        "laterality"
    ) == other.get("laterality")


def _same_diagnosis_date(one: Item, other: Item) -> bool:
    return within(one.get("diagnosis_date"), other.get("diagnosis_date"), DIAGNOSIS_DAYS)


def _same_biomarker(one: Item, other: Item) -> bool:
    """The same code, and the same word or, where the truth only holds a measure, the same measure."""
    if one["code"] != other["code"]:
        return False
    if other.get("status") in (None, "unknown") and other.get("value"):
        return str(one.get("value")) == str(other["value"])
    return one.get("status") == other.get("status")


def _same_event(one: Item, other: Item) -> bool:
    return one["type"] == other["type"] and within(one.get("date"), other.get("date"), EVENT_DAYS)


def _same_treatment(one: Item, other: Item) -> bool:
    return (
        one["type"] == other["type"]
        and _drugs(one) == _drugs(other)
        and within(one.get("start"), other.get("start"), TREATMENT_DAYS)
    )


def _drugs(item: Item) -> frozenset[str]:
    names = (drug["name"] if isinstance(drug, dict) else str(drug) for drug in item.get("drugs") or [])
    return frozenset(name.lower() for name in names if name.lower() not in ANCILLARY)


def within(one: str | None, other: str | None, days: int) -> bool:
    """Whether two ISO dates are at most so many days apart; two absent ones are."""
    if not one or not other:
        return not one and not other
    return abs((dt.date.fromisoformat(one[:10]) - dt.date.fromisoformat(other[:10])).days) <= days
