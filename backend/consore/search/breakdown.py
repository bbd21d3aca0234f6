"""A cohort in tables: how its patients divide by site, histology, stage, age, year, lines, drugs and events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session

from consore.index.records import age_band
from consore.index.traits import completed_years
from consore.index.vectors import stage_group
from consore.model import Patient, System, Treatment, TreatmentDrug, TumourEvent
from consore.referentials import Terminology
from consore.search.cohort import pinned
from consore.search.criteria import Criteria
from consore.search.index_tumours import index_tumours
from consore.search.labels import label

MOST_ROWS = 40  # a table: the most frequent values


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """A value and how many patients have it."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class BreakdownTable:
    """A table. `label` in French. `is_partition`: each patient is in one row; else in as many as apply."""

    name: str
    label: str
    is_partition: bool
    rows: list[BreakdownRow]


@dataclass(frozen=True, slots=True)
class AgeBand:
    """Patients by age at diagnosis, in completed years, such as `50-59`: a step of the pyramid of ages."""

    band: str
    female: int
    male: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The tables of a cohort and its pyramid of ages, the youngest first."""

    patients: int
    tables: list[BreakdownTable]
    pyramid: list[AgeBand]


def breakdown(session: Session, who: Select[Any], criteria: Criteria | None, terminology: Terminology) -> Breakdown:
    """The tables of the patients of `who`; those of tumours speak of the one that the criteria ask for."""
    who = pinned(session, who)
    people = _people(session, who, criteria)
    tables = [_partition(name, Counter(_VALUES[name](person) for person in people), terminology) for name in _VALUES]
    lines: Any = func.max(Treatment.line)
    most = dict(session.execute(_of(Treatment, who, lines).group_by(_c(Treatment.patient_id))).all())
    tables.append(_partition("line", Counter(str(most.get(person.id) or "") for person in people), terminology))
    for name, statement in (
        ("treatment", _of(Treatment, who, Treatment.type)),
        ("drug", _drugs(who)),
        ("event", _of(TumourEvent, who, TumourEvent.type).where(_c(TumourEvent.type) != "initial")),
    ):
        pairs = statement.distinct().subquery()
        value = pairs.c[1]
        counted = session.execute(select(value, func.count()).where(value.is_not(None)).group_by(value))
        tables.append(_table(name, Counter(dict(counted.all())), terminology, is_partition=False))
    return Breakdown(len(people), tables, _pyramid(people))


@dataclass(frozen=True, slots=True)
class _Person:
    """A patient with the tumour by which they are in the cohort, where there is one."""

    id: int
    sex: str
    birth_date: dt.date | None
    death_date: dt.date | None
    topography: str | None = None
    morphology: str | None = None
    stage: str | None = None
    diagnosis_date: dt.date | None = None


def _people(session: Session, who: Select[Any], criteria: Criteria | None) -> list[_Person]:
    """Joined here: SQLite would go through all tumours for each patient."""
    tumours = {key: tumour for key, *tumour in session.execute(select(index_tumours(who, criteria)))}
    patient: Any = Patient
    wanted = select(patient.id, patient.sex, patient.birth_date, patient.death_date).where(patient.id.in_(who))
    return [_Person(*row, *tumours.get(row[0], ())) for row in session.execute(wanted)]


def _age(person: _Person) -> str:
    if person.birth_date is None or person.diagnosis_date is None:
        return ""
    return age_band(completed_years(person.birth_date, person.diagnosis_date))


_VALUES: dict[str, Callable[[_Person], str]] = {
    "site": lambda person: (person.topography or "")[:3],
    "histology": lambda person: person.morphology or "",
    "stage": lambda person: stage_group(person.stage) if person.stage else "",
    "sex": lambda person: str(person.sex),
    "age": _age,
    "year": lambda person: str(person.diagnosis_date.year) if person.diagnosis_date else "",
    "vital": lambda person: "dead" if person.death_date else "alive",
}
_IN_ORDER = {"stage", "age", "year", "line"}
_SYSTEMS = {"site": System.ICDO3_T, "histology": System.ICDO3_M, "drug": System.ATC}


def _partition(name: str, counts: Counter[str], terminology: Terminology) -> BreakdownTable:
    return _table(name, counts, terminology, is_partition=True)


def _table(name: str, counts: Counter[str], terminology: Terminology, *, is_partition: bool) -> BreakdownTable:
    """The rows by frequency, or in the order of their values; what is not known comes last, as an empty value."""
    unknown = counts.pop("", 0)
    values: Iterable[tuple[str, int]] = counts.most_common(MOST_ROWS)
    if name in _IN_ORDER:
        values = sorted(values, key=lambda item: (len(item[0]) if name == "line" else 0, _low(name, item[0])))
    rows = [BreakdownRow(value, _label(name, value, terminology), count) for value, count in values]
    if unknown:
        rows.append(BreakdownRow("", label("unknown", name), unknown))
    return BreakdownTable(name, label("table", name), is_partition, rows)


def _low(name: str, value: str) -> tuple[int, str]:
    return (int(value.partition("-")[0]), value) if name == "age" else (0, value)


def _label(name: str, value: str, terminology: Terminology) -> str:
    if name in _SYSTEMS:
        return terminology.label(_SYSTEMS[name].value, value)
    if name == "stage":
        return f"stade {value}"
    if name == "line":
        return f"{value} ligne" + ("s" if int(value) > 1 else "")
    if name == "age":
        low, _, high = value.partition("-")
        return label("age", value) if label("age", value) != value else f"{low} à {high} ans"
    return label(name, value)


def _pyramid(people: list[_Person]) -> list[AgeBand]:
    counts = Counter((band, str(person.sex)) for person in people if (band := _age(person)))
    bands = sorted({band for band, _ in counts}, key=lambda band: int(band.partition("-")[0]))
    return [AgeBand(band, *(counts[band, sex] for sex in ("female", "male", "unknown"))) for band in bands]


def _of(table: Any, who: Select[Any], value: Any) -> Select[Any]:
    return select(table.patient_id, value).where(table.patient_id.in_(who))


def _drugs(who: Select[Any]) -> Select[Any]:
    owner: Any = Treatment.patient_id
    joined = select(owner, _c(TreatmentDrug.atc)).join(Treatment, _c(Treatment.id) == _c(TreatmentDrug.treatment_id))
    return joined.where(owner.in_(who))


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
