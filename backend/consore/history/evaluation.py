"""How near the histories are to the truth: precision, recall and F1 of what a physician reads.

A tumour is right when its three-character topography and its side are; its diagnosis date within 31 days. An
event is right when its type is and its date is within 62 days; a treatment when its type, its set of drugs
and its start (within 31 days) are. Each item of the truth answers for one item found, the nearest in time. Of what
is right, more is asked: the sites of an event (three characters), the line of a treatment, its last day (within 62
days), the dose of an irradiation.

`second_or_recurrence` is the decision that matters most: of the second cancers that are true, of the recurrences
that were found as one or the other, and of the second cancers that were found without being true, the share that
was told rightly. It counts decisions: its precision, recall and F1 are all that accuracy.

A truth written by hand may leave something open: `any` names the keys of an item that are not asked, `optional`
marks an item that may be found or not (`read_dossiers`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from consore.errors import RecordError
from consore.history.rules import rules

Item = dict[str, Any]
Same = Callable[[Item, Item], bool]
DIAGNOSIS_DAYS = 31
EVENT_DAYS = 62
TREATMENT_DAYS = 31
RECURRENCES = ("local_recurrence", "regional_recurrence", "metastatic_recurrence")
JUDGED = ("tumours", "events", "treatments", "biomarkers")
BANDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)
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
    judged: list[tuple[float, bool]] = field(default_factory=list)  # confidence of an item found, whether it is right

    def of(self, name: str) -> Score:
        """The score of one kind, made when first asked for."""
        return self.scores.setdefault(name, Score())

    def reliability(self) -> list[list[str | int]]:
        """How often items of each confidence are right: a row a band, (band, items, share right)."""
        rows: list[list[str | int]] = []
        for low, high in pairwise(BANDS):
            inside = [right for sure, right in self.judged if low <= sure < high]
            if inside:
                rows.append([f"{low:.2f} to {min(high, 1.0):.2f}", len(inside), f"{sum(inside) / len(inside):.3f}"])
        return rows

    def errors(self, reviewed_share: float = 0.0) -> float:
        """Share of the items found that are wrong, if the least sure share of them had been reviewed and put right."""
        ordered = sorted(self.judged)
        left = ordered[round(reviewed_share * len(ordered)) :]
        return sum(not right for _, right in left) / len(ordered) if ordered else 0.0

    def reviewed(self, share: float = 0.3) -> str:
        """What reviewing the least sure items would bring, in one line."""
        before, after = self.errors(), self.errors(share)
        return f"errors among the items found: {before:.1%}; the least sure {share:.0%} reviewed: {after:.1%}"

    def as_json(self) -> dict[str, Any]:
        """All scores, for files and for comparison."""
        return {
            "errors": round(self.errors(), 4),
            "errors_reviewed": round(self.errors(0.3), 4),
            "patients": self.patients,
            **{name: self.scores[name].as_json() for name in sorted(self.scores)},
        }


@dataclass(frozen=True)
class WrittenDossier:
    """A patient written by hand and the history that a physician would write. `kept`: no rule was tuned on it."""

    name: str
    kept: bool
    patient: Item
    expected: Item


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


def read_dossiers(folder: Path) -> list[WrittenDossier]:
    """The dossiers of a folder (`*.json`, `name`, `style`, `traps`, `kept`, `patient`, `expected`), by file name.

    Raises RecordError naming the file that is not one.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
            found.append(
                WrittenDossier(str(item["name"]), bool(item.get("kept")), dict(item["patient"]), dict(item["expected"]))
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{path.name} is not a dossier ({type(error).__name__}: {error}).",
                'Give {"name", "kept", "patient": a line of `consore history --jsonl`, "expected": a history}.',
                reason="not_a_dossier",
                position=path.name,
            ) from error
    return found


def _compare(patient_id: str, found: Mapping[str, Any], true: Mapping[str, Any], result: HistoryScores) -> None:
    pairs = _match(result, "tumours", patient_id, found.get("tumours", []), true.get("tumours", []), _same_tumour)
    for mine, theirs in pairs:
        _match(result, "diagnosis_date", patient_id, [mine], [theirs], _same_diagnosis_date)
        for name in ("topography", "morphology", "ctnm", "ptnm", "stage", "grade"):
            _match_value(result, name, patient_id, mine.get(name), theirs.get(name))
        asked = _markers(theirs)
        _match(result, "biomarkers", patient_id, _asked_for(_markers(mine), asked), asked, _same_biomarker)
    for name, same, more in (
        ("events", _same_event, _compare_event),
        ("treatments", _same_treatment, _compare_treatment),
    ):
        mine_all, true_all = found.get(name, []), true.get(name, [])
        if name == "treatments":
            true_all = [*true_all, *_operations_of_diagnosis(true)]
        for mine, theirs in _match(result, name, patient_id, mine_all, true_all, same):
            more(result, patient_id, mine, theirs)
        for kind in sorted({item["type"] for item in [*mine_all, *true_all]}):
            _match(
                result,
                f"{name}:{kind}",
                "",
                [item for item in mine_all if item["type"] == kind],
                [item for item in true_all if item["type"] == kind],
                same,
            )
    _compare_second_cancers(result, patient_id, found.get("events", []), true.get("events", []))


def _operations_of_diagnosis(true: Mapping[str, Any]) -> list[Item]:
    """The operations that made a diagnosis (a resection of the bladder): told, they are no error; untold, no miss."""
    return [
        {"type": "surgery", "drugs": [], "start": tumour.get("diagnosis_date"), "optional": True}
        for tumour in true.get("tumours", [])
        if tumour.get("sampled_by_surgery")
    ]


def _compare_event(result: HistoryScores, patient_id: str, mine: Item, theirs: Item) -> None:
    if "sites" in theirs:
        sides = (
            [{"site": code} for code in sorted({str(c)[:3] for c in one.get("sites") or []})] for one in (mine, theirs)
        )
        _match(result, "event_sites", patient_id, *sides, same=lambda one, other: one["site"] == other["site"])


def _compare_treatment(result: HistoryScores, patient_id: str, mine: Item, theirs: Item) -> None:
    if "line" in theirs and "line" not in theirs.get("any", ()):
        _agree(result, "treatment_line", patient_id, mine, theirs, mine.get("line") == theirs["line"])
    if theirs.get("dose") and "dose" not in theirs.get("any", ()):
        _agree(result, "treatment_dose", patient_id, mine, theirs, mine.get("dose") == theirs["dose"])
    if theirs.get("end") and "end" not in theirs.get("any", ()):
        _agree(result, "treatment_end", patient_id, mine, theirs, within(mine.get("end"), theirs["end"], EVENT_DAYS))


def _agree(result: HistoryScores, name: str, patient_id: str, mine: Item, theirs: Item, right: bool) -> None:
    """Count one decision, right or wrong."""
    _match(result, name, patient_id, [mine], [theirs], lambda _one, _other: right)


def _compare_second_cancers(result: HistoryScores, patient_id: str, found: list[Item], true: list[Item]) -> None:
    seconds = [one for one in found if one["type"] == "second_cancer"]
    relapses = [one for one in found if one["type"] in RECURRENCES]
    for event in true:
        as_second = [one for one in seconds if within(one.get("date"), event.get("date"), EVENT_DAYS)]
        as_relapse = [one for one in relapses if within(one.get("date"), event.get("date"), EVENT_DAYS)]
        if event["type"] == "second_cancer":
            _agree(result, "second_or_recurrence", patient_id, event, event, bool(as_second))
            seconds = [one for one in seconds if one not in as_second[:1]]
        elif event["type"] in RECURRENCES and (as_second or as_relapse):
            _agree(result, "second_or_recurrence", patient_id, event, event, bool(as_relapse))
            relapses = [one for one in relapses if one not in as_relapse[:1]]
    for one in seconds:
        _agree(result, "second_or_recurrence", patient_id, one, {"type": "nothing"}, False)


def _markers(tumour: Item) -> list[Item]:
    """Biomarkers and gene alterations as one list: whether EGFR is told as one or the other is a matter of taste."""
    genes = {item["gene"]: item for item in tumour.get("alterations") or []}
    told = [item for item in tumour.get("biomarkers") or [] if item["code"] not in genes]
    return [*told, *({"code": gene, "status": item.get("status")} for gene, item in genes.items())]


def _asked_for(found: list[Item], true: list[Item]) -> list[Item]:
    """Without the serum and lineage markers that the truth does not speak of: it tells what decides of a treatment."""
    told = {item["code"] for item in true}
    left_out = {*rules().biomarkers["serum"], *rules().biomarkers["lineage"]}
    return [item for item in found if item["code"] in told or item["code"] not in left_out]


def _match(
    result: HistoryScores, name: str, patient_id: str, found: list[Item], true: list[Item], same: Same
) -> list[tuple[Item, Item]]:
    """Pair items one to one, the nearest in time first; what is left over on either side is noted."""
    score = result.of(name)
    partners: dict[int, int] = {}
    fitting = [(i, j) for i, one in enumerate(found) for j, other in enumerate(true) if same(one, other)]
    for i, j in sorted(fitting, key=lambda ij: (bool(true[ij[1]].get("optional")), _days(found[ij[0]], true[ij[1]]))):
        if i not in partners and j not in partners.values():
            partners[i] = j
    pairs = [(found[i], true[j]) for i, j in sorted(partners.items())]
    for i, item in enumerate(found):
        if name in JUDGED and "confidence" in item:
            result.judged.append((float(item["confidence"]), i in partners))
        if patient_id and i not in partners:
            result.misses.append((name, patient_id, "found", item))
    if patient_id:
        left = [item for j, item in enumerate(true) if j not in partners.values() and not item.get("optional")]
        result.misses.extend((name, patient_id, "missed", item) for item in left)
    spared = sum(bool(other.get("optional")) for _, other in pairs)
    score.found += len(found) - spared
    score.true += sum(not other.get("optional") for other in true)
    score.right += len(pairs) - spared
    return pairs


def _days(one: Item, other: Item) -> int:
    """Days between two items; of those without a date, none."""
    dates = [
        next((item[key] for key in ("date", "start", "diagnosis_date") if item.get(key)), None) for item in (one, other)
    ]
    if not all(dates):
        return 0
    first, second = (dt.date.fromisoformat(str(date)[:10]) for date in dates)
    return abs((first - second).days)


def _match_value(result: HistoryScores, name: str, patient_id: str, mine: Any, true: Any) -> None:
    found, wanted = ([{"value": value}] if value else [] for value in (mine, true))
    _match(result, name, patient_id, found, wanted, lambda one, other: str(one["value"]) == str(other["value"]))


def _same_tumour(one: Item, other: Item) -> bool:
    if (one.get("topography") or "")[:3] != (other.get("topography") or "")[:3]:
        return False
    return "laterality" in other.get("any", ()) or one.get("laterality") == other.get("laterality")


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
    free = other.get("any", ())
    return (
        ("type" in free or one["type"] == other["type"])
        and _drugs(one) == _drugs(other)
        and ("start" in free or within(one.get("start"), other.get("start"), TREATMENT_DAYS))
    )


def _drugs(item: Item) -> frozenset[str]:
    names = (drug["name"] if isinstance(drug, dict) else str(drug) for drug in item.get("drugs") or [])
    return frozenset(name.lower() for name in names if name.lower() not in ANCILLARY)


def within(one: str | None, other: str | None, days: int) -> bool:
    """Whether two ISO dates are at most so many days apart; two absent ones are."""
    if not one or not other:
        return not one and not other
    return abs((dt.date.fromisoformat(one[:10]) - dt.date.fromisoformat(other[:10])).days) <= days
