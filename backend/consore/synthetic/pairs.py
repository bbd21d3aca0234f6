"""Pairs of patients with a grade of likeness, 0 to 3, and the reasons: what similar patients are measured on.

The rule. Six things are compared between the first tumours: site (topography category), histology (family of
morphology), stage (I to IV, or none), biology (the profile that decides of the treatment), treatments (at least half
of them shared, among drugs, acts and irradiation), course (no recurrence, local or regional, metastatic, metastatic
from the start; and dead or alive).
- 3: same site, histology, stage and biology, and the same treatments or course;
- 2: same site and histology, and two of the other four;
- 1: same site, or same histology with the same biology or treatments;
- 0: everything else.
Pairs are drawn among a bounded sample of the patients (reservoir, Vitter's algorithm R), opposed patients left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from consore.synthetic.trajectory import Life

RESERVOIR = 600
ASKED = 120
_A_PATIENT = 8


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the rule looks at."""

    ipp: str
    site: str
    histology: str
    stage: str
    biology: str
    treatments: frozenset[str]
    course: str


def portrait(life: Life) -> Portrait:
    """The portrait of a patient with a tumour."""
    tumour = life.tumours[0]
    treatments = {drug.atc for care in life.cares if care.tumour is tumour for drug in care.drugs}
    treatments |= {care.act.local for care in life.cares if care.tumour is tumour and care.act}
    treatments |= {"radiotherapy" for care in life.cares if care.tumour is tumour and care.dose}
    types = {event.type for event in life.happenings if event.tumour is tumour}
    if tumour.metastatic:
        course = "metastatic at diagnosis"
    elif "metastatic_recurrence" in types:
        course = "metastatic recurrence"
    elif types & {"local_recurrence", "regional_recurrence"}:
        course = "local or regional recurrence"
    else:
        course = "no recurrence"
    return Portrait(
        ipp=life.ipp,
        site=tumour.place.code[:3],
        histology=tumour.histology.code[:3],
        stage=tumour.stage.rstrip("ABC123"),
        biology=f"{tumour.cancer.key}/{tumour.profile}",
        treatments=frozenset(treatments),
        course=f"{course}, {'dead' if life.death else 'alive'}",
    )


def grade(one: Portrait, other: Portrait) -> tuple[int, list[str], list[str]]:
    """The grade of a pair, what they share, in what they differ."""
    both, either = one.treatments & other.treatments, one.treatments | other.treatments
    same = {
        "site": one.site == other.site,
        "histology": one.histology == other.histology,
        "stage": one.stage == other.stage,
        "biology": one.biology == other.biology,
        "treatments": 2 * len(both) >= len(either),
        "course": one.course == other.course,
    }
    shared = [name for name, alike in same.items() if alike]
    different = [name for name, alike in same.items() if not alike]
    rest = sum(same[name] for name in ("stage", "biology", "treatments", "course"))
    if same["site"] and same["histology"]:
        close = same["stage"] and same["biology"] and (same["treatments"] or same["course"])
        return (3 if close else 2 if rest >= 2 else 1), shared, different
    kin = same["histology"] and (same["biology"] or (same["treatments"] and bool(both)))
    return (1 if same["site"] or kin else 0), shared, different


class PairSampler:
    """Keeps a bounded sample of the patients that go by, and gives graded pairs among them."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"pairs/{seed}")
        self._kept: list[Portrait] = []
        self._seen = 0

    def add(self, life: Life) -> None:
        """A patient goes by."""
        if life.opposed or not life.tumours:
            return
        self._seen += 1
        if len(self._kept) < RESERVOIR:
            self._kept.append(portrait(life))
            return
        at = self._rng.randrange(self._seen)
        if at < RESERVOIR:
            self._kept[at] = portrait(life)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Lines of `pairs.jsonl`: for each patient asked about, two of each grade where there are, and some more."""
        for asked in self._kept[:ASKED]:
            others = [item for item in self._kept if item.ipp != asked.ipp]
            self._rng.shuffle(others)
            graded: dict[int, list[dict[str, Any]]] = {3: [], 2: [], 1: [], 0: []}
            for other in others:
                level, shared, different = grade(asked, other)
                if len(graded[level]) < _A_PATIENT:
                    graded[level].append(
                        {
                            "patient_id": asked.ipp,
                            "other_id": other.ipp,
                            "grade": level,
                            "shared": shared,
                            "different": different,
                        }
                    )
            chosen = [row for rows in graded.values() for row in rows[:2]]
            spare = [row for rows in graded.values() for row in rows[2:]]
            yield from (chosen + spare)[:_A_PATIENT]
