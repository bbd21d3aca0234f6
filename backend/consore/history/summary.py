"""A patient in at most five lines of French or English: what a physician wants to read first.

Each tumour is told as a chain, "carcinome … pT2N1M0 HER2+ (03/2019) → mastectomie → rechute hépatique (06/2021) → …",
then what is known of the end. Only what the history states is told; an item that waits for a physician's check carries
"(?)". English labels are those of the ICD-O-3 and ATC value sets of OSIRIS, and our own for sites and acts
(`english.csv`); a label that has none stays French.
"""

from __future__ import annotations

import csv
import datetime as dt
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from consore.history.events import site_adjectives
from consore.history.headline import completed_years
from consore.history.primaries import is_spread
from consore.model import (
    Believed,
    Biography,
    DrugItem,
    EventItem,
    EventType,
    Sex,
    TreatmentItem,
    TreatmentType,
    TumourItem,
)

LANGUAGES = ("fr", "en")
MOST_LINES = 5
STARTS = (EventType.INITIAL, EventType.SECOND_CANCER)

_FOLDER = Path(__file__).parent
_FULL_TUMOURS = 3
_TOLD_PLAIN = (TreatmentType.SURGERY, TreatmentType.RADIOTHERAPY, TreatmentType.TRANSPLANT, TreatmentType.CELL_THERAPY)

Step = tuple[dt.date, int, EventItem | TreatmentItem]


def summary(
    biography: Biography,
    sex: Sex,
    birth_date: dt.date | None,
    *,
    language: str = "fr",
    last_news: dt.date | None = None,
    today: dt.date | None = None,
) -> list[str]:
    """One to five lines, without identity. The age is that of `today`, or at death.

    An item less sure than `summary.toml` says carries "(?)". Raises ValueError for a language that is not `fr` or `en`.
    """
    if language not in LANGUAGES:
        raise ValueError(f"{language} is not one of {LANGUAGES}.")
    return _Teller(biography, language).lines(sex, birth_date, last_news, today or dt.date.today())


class _Teller:
    """The summary of one patient in one language."""

    def __init__(self, biography: Biography, language: str) -> None:
        self.biography = biography
        self.english = language == "en"
        self.words: dict[str, Any] = _table()[language]
        self.has_marked = False

    def lines(self, sex: Sex, birth: dt.date | None, last_news: dt.date | None, today: dt.date) -> list[str]:
        death = next((event for event in self.biography.events if event.type is EventType.DEATH), None)
        who = self._who(sex, birth, (death.date if death else None) or today)
        tumours = self.biography.tumours
        if not tumours:
            ends = self._end(sex, death, last_news)
            return [line for line in (self.words["none"].format(who=who), ends) if line]
        lines: list[str] = []
        for item in tumours[:_FULL_TUMOURS]:
            chains = self._chains(item, 3 if len(tumours) == 1 else 2 if len(tumours) == 2 else 1)
            opening = f"{who}, " if item is tumours[0] else ""
            if opening:
                chains[0] = opening + chains[0]
            else:
                chains[0] = self.words["second"].format(rank=item.rank, tumour=chains[0])
            lines += chains
        if others := tumours[_FULL_TUMOURS:]:
            labels = " ; ".join(self._marked(item, self._name_of_tumour(item) + self._when(item)) for item in others)
            lines.append(self.words["other" if len(others) == 1 else "others"].format(count=len(others), labels=labels))
        end = self._end(sex, death, last_news)
        if self.has_marked:
            end = " ".join(part for part in (end, f"{self.words['marked']}.") if part)
        return [*lines, end] if end else lines

    # --- A tumour and its course ---------------------------------------------------------------------------

    def _chains(self, item: TumourItem, most: int) -> list[str]:
        """The tumour's chain cut into at most `most` lines: diagnosis, first care, then what came back."""
        first = self._tumour(item)
        care, course = self._course(item)
        if most == 1:
            return [" → ".join([first, *self._shortened(care + course)])]
        told = [" → ".join(self._shortened(part)) for part in (care, course) if part]
        if most == 2:
            first = " → ".join([first, *told[:1]])
            told = told[1:]
        return [first, *(f"→ {line}" for line in told)][:most]

    def _tumour(self, item: TumourItem) -> str:
        extent = item.ptnm or item.ctnm or (self.words["stage"].format(stage=item.stage) if item.stage else "")
        parts = [self._name_of_tumour(item), extent, *self._biomarkers(item)]
        words = " ".join(part for part in parts if part)
        if item.grade:
            words += f", {self.words['grade'].format(grade=item.grade)}"
        start = next(
            (one for one in self.biography.events if one.tumour_rank == item.rank and one.type in STARTS), None
        )
        if start and start.sites:
            sites = self._sites(start.sites)
            words += ", " + self.words["synchronous" if sites else "synchronous_bare"].format(sites=sites)
        return self._marked(item, words + self._when(item))

    def _course(self, item: TumourItem) -> tuple[list[str], list[str]]:
        """What was done first, and what followed from the first recurrence or line of advanced disease on."""
        alone = len(self.biography.tumours) == 1
        steps: list[Step] = [
            (event.date, 0, event)
            for event in self.biography.events
            if event.date and event.tumour_rank == item.rank and event.type not in (*STARTS, EventType.DEATH)
        ]
        steps += [
            (treatment.start, 1, treatment)
            for treatment in self.biography.treatments
            if treatment.start and (treatment.tumour_rank == item.rank or (treatment.tumour_rank is None and alone))
        ]
        steps.sort(key=lambda step: step[:2])
        relapse = next(
            (
                place
                for place, (_, _, step) in enumerate(steps)
                if (isinstance(step, EventItem) and step.type is not EventType.REMISSION)
                or (isinstance(step, TreatmentItem) and step.line)
            ),
            len(steps),
        )
        return self._told(steps[:relapse]), self._told(steps[relapse:])

    def _told(self, steps: list[Step]) -> list[str]:
        """The steps in words; treatments of one moment are joined by "+", what is said twice is said once."""
        told: list[str] = []
        joins = False
        for _, _, step in steps:
            words = self._event(step) if isinstance(step, EventItem) else self._treatment(step)
            words = self._marked(step, words)
            joined = isinstance(step, TreatmentItem) and not step.line
            if told and words in told[-1].split(" + "):
                continue
            if told and joins and joined:
                told[-1] += f" + {words}"
            else:
                told.append(words)
            joins = joined
        return told

    def _shortened(self, steps: list[str]) -> list[str]:
        most = int(_table()["most_steps"])
        return steps if len(steps) <= most else [*steps[:2], "…", *steps[-(most - 3) :]]

    # --- Words ---------------------------------------------------------------------------------------------

    def _who(self, sex: Sex, birth: dt.date | None, day: dt.date) -> str:
        person = str(self.words[sex.value])
        if birth:
            age = completed_years(birth, day)
            return str(self.words["aged"].format(person=person, age=age, s="s" if age > 1 else ""))
        return person[:1].upper() + person[1:]

    def _name_of_tumour(self, item: TumourItem) -> str:
        label = item.label or str(self.words["tumour"])
        if not self.english:
            return label
        what, _ = _english("ICD-O-3-M", item.morphology)
        where, _ = _english("ICD-O-3-T", (item.topography or "")[:3])
        side = self.words["side"][item.laterality.value] if item.laterality else ""
        if not what or not where:
            return (
                label if item.morphology else f"{what or self.words['tumour']} of the {side}{where}" if where else label
            )
        return f"{what} of the {side}{where}" if item.topography != "C80.9" else f"{what} of unknown primary"

    def _biomarkers(self, item: TumourItem) -> list[str]:
        """The ones that decide of the treatment, as people write them: "HER2+", "RE−", "EGFR muté"."""
        table = _table()
        shown = {**table["shown"], **self.words.get("shown", {})}
        signs = {**table["sign"], **self.words.get("sign", {})}
        known = {one.code: one for one in item.biomarkers} | {one.gene: one for one in item.alterations}
        told = [
            self._marked(known[code], f"{shown[code]}{signs[known[code].status.value]}")
            for code in shown
            if code in known and known[code].status.value in signs
        ]
        return told[: int(table["most_biomarkers"])]

    def _event(self, event: EventItem) -> str:
        sites = self._sites(event.sites)
        words = str(self.words[event.type.value])
        item = next((one for one in self.biography.tumours if one.rank == event.tumour_rank), None)
        if event.type is EventType.LOCAL_RECURRENCE and item and is_spread(item.morphology):
            words = str(self.words["relapse"])  # a leukaemia has no place to come back to
        if sites and event.type is EventType.METASTATIC_RECURRENCE:
            words = self.words["sited_metastatic_recurrence"].format(sites=sites)
        elif sites:
            words = f"{sites} {words}" if self.english else f"{words} {sites}"
        return f"{words} ({_month(event.date)})"

    def _treatment(self, treatment: TreatmentItem) -> str:
        name = self._name_of_treatment(treatment)
        if treatment.cycles and treatment.cycles > 1 and treatment.drugs:
            name = f"{treatment.cycles} {name}"
        if treatment.line:
            return str(self.words["line"].format(line=treatment.line, name=name)) + f" ({_month(treatment.start)})"
        return name

    def _name_of_treatment(self, treatment: TreatmentItem) -> str:
        if self.english and (act := _english("LOCAL", treatment.act_code)[0]):
            return act
        if treatment.regimen or treatment.type in _TOLD_PLAIN or not treatment.drugs:
            name = treatment.name
            if self.english:
                if treatment.type.value in self.words["kind"] and not treatment.drugs:
                    return str(self.words["kind"][treatment.type.value])
                for drug in treatment.drugs:
                    name = name.replace(drug.name, self._drug(drug))
            return name[:1].lower() + name[1:] if name[1:2].islower() else name
        return "-".join(dict.fromkeys(self._drug(one) for one in treatment.drugs))

    def _drug(self, drug: DrugItem) -> str:
        """The INN; of a drug that OSIRIS does not list, the French one without its accents."""
        if not self.english:
            return drug.name
        plain = unicodedata.normalize("NFD", drug.name)
        return _english("ATC", drug.atc)[0] or "".join(letter for letter in plain if not unicodedata.combining(letter))

    def _sites(self, codes: Iterable[str]) -> str:
        if not self.english:
            return site_adjectives(codes)
        words = list(dict.fromkeys(word for code in codes if (word := _english("ICD-O-3-T", code[:3])[1])))
        return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)

    def _when(self, item: TumourItem) -> str:
        return f" ({_month(item.diagnosis_date)})" if item.diagnosis_date else ""

    def _marked(self, item: Believed, words: str) -> str:
        if item.confidence >= _table()["sure_from"]:
            return words
        self.has_marked = True
        return words + str(_table()["doubtful"])

    def _end(self, sex: Sex, death: EventItem | None, last_news: dt.date | None) -> str:
        """The death; else the last treatment that is known and the last news."""
        if death:
            if death.date is None:
                return str(self.words["dead_undated"])
            return str(self.words[f"dead_{sex.value}"].format(date=_month(death.date)))
        parts = []
        started = [one for one in self.biography.treatments if one.start and one.drugs]
        if started:
            last = max(started, key=lambda one: one.start or dt.date.min)
            name = self._name_of_treatment(last)
            parts.append(self._marked(last, self.words["last_treatment"].format(name=name, date=_month(last.start))))
        if last_news:
            parts.append(self.words["last_news"].format(date=_month(last_news)))
        words = " ; ".join(parts)
        return f"{words[:1].upper()}{words[1:]}." if words else ""


def _month(day: dt.date | None) -> str:
    return f"{day:%m/%Y}" if day else "?"


def _english(system: str, code: str | None) -> tuple[str, str]:
    """English label and adjective of a code; empty where there is none."""
    return _labels().get((system, code or ""), ("", ""))


@lru_cache(maxsize=1)
def _labels() -> dict[tuple[str, str], tuple[str, str]]:
    with (_FOLDER / "english.csv").open(encoding="utf-8", newline="") as file:
        return {(row["system"], row["code"]): (row["label"], row["adjective"]) for row in csv.DictReader(file)}


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return tomllib.loads((_FOLDER / "summary.toml").read_text(encoding="utf-8"))


__all__ = ["LANGUAGES", "MOST_LINES", "summary"]
