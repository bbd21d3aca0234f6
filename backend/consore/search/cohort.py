"""Exact cohorts: a criteria tree becomes one SQL statement over the store.

A ranked index forgives; a count must not. Each leaf is some rows of a table and, by them, a set of patients; `all`,
`any` and `none` combine the sets, and patients who are opposed are in no set at all. The same statement runs on SQLite
and on PostgreSQL.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session

from consore.model import (
    Act,
    Alteration,
    Assertion,
    Biomarker,
    Diagnosis,
    Document,
    Fact,
    Patient,
    Sample,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)
from consore.search.criteria import (
    AlterationLeaf,
    BiomarkerLeaf,
    CodeLeaf,
    ConceptLeaf,
    CountLeaf,
    Criteria,
    DateRange,
    Delay,
    DocumentLeaf,
    EventLeaf,
    NumberRange,
    PatientLeaf,
    SampleLeaf,
    SequenceLeaf,
    TreatmentLeaf,
    TumourLeaf,
)
from consore.store.words import documents_with

Condition = ColumnElement[bool]


def count_patients(session: Session, criteria: Criteria, *, today: dt.date | None = None) -> int:
    """How many patients meet the criteria. Ages are those of `today`."""
    statement = cohort(criteria, today=today).subquery()
    return int(session.execute(select(func.count()).select_from(statement)).scalar_one())


def patient_ids(session: Session, criteria: Criteria, *, today: dt.date | None = None) -> list[int]:
    """The store's identifiers of the patients who meet the criteria, ascending."""
    return list(session.execute(cohort(criteria, today=today).order_by(_column(Patient.id))).scalars())


def cohort(criteria: Criteria, *, today: dt.date | None = None) -> Select[Any]:
    """The statement whose rows are the identifiers of the patients who meet the criteria."""
    met = condition(criteria, today or dt.date.today())
    return select(_column(Patient.id)).where(_column(Patient.opposed).is_(False), met)


def pinned(session: Session, who: Select[Any]) -> Select[Any]:
    """The same patients as a statement that finds them at once, for who asks several things of them."""
    ids = list(session.execute(who).scalars())
    if session.get_bind().dialect.name == "sqlite":
        return select(func.json_each(json.dumps(ids)).table_valued("value").c.value)
    return select(func.unnest(cast(literal(ids, ARRAY(Integer)), ARRAY(Integer))).column_valued("id"))


def condition(node: Criteria, today: dt.date) -> Condition:
    """Whether a patient of the table `patient` meets the criteria."""
    if node.all is not None:
        return and_(True, *(condition(child, today) for child in node.all))
    if node.any is not None:
        return or_(False, *(condition(child, today) for child in node.any))
    if node.none is not None:
        return ~or_(False, *(condition(child, today) for child in node.none))
    if node.patient is not None:
        return _patient(node.patient, today)
    if node.sequence is not None:
        found = _sequence(node.sequence)
    elif node.count is not None:
        found = _count(node.count)
    else:
        found = rows(node).patients()
    patients: Condition = _column(Patient.id).in_(found)
    return patients


# --- Rows: what a leaf is made of ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table that meet a leaf. `date`: the column that says when they were.

    `found`: the documents that hold the words of the leaf, where it has some.
    """

    table: Any
    date: Any
    condition: Condition
    found: Subquery | None = None

    def patients(self) -> Select[Any]:
        """Whose they are: one row each."""
        return self._select(_column(self.table.patient_id))

    def dated(self, clock: Callable[[Any], Any]) -> CTE:
        """`id`, `patient_id` and `day`, as the clock writes it, of those that have one; found once."""
        date = _column(self.date)
        wanted = self._select(_column(self.table.id), _column(self.table.patient_id), clock(date).label("day"))
        return wanted.where(date.is_not(None)).cte().prefix_with("MATERIALIZED")

    def ends(self, end: Any, clock: Callable[[Any], Any]) -> CTE:
        """`patient_id` and the first (`func.min`) or last (`func.max`) `day` of each of their patients."""
        owner, date = _column(self.table.patient_id), _column(self.date)
        wanted = self._select(owner, end(clock(date)).label("day")).where(date.is_not(None))
        return wanted.group_by(owner).cte().prefix_with("MATERIALIZED")

    def _select(self, *columns: Any) -> Select[Any]:
        wanted = select(*columns).where(self.condition)
        if self.found is None:
            return wanted
        return wanted.join(self.found, self.found.c.document_id == _column(self.table.id))


def rows(leaf: Criteria) -> Rows:
    """The rows that a leaf of the kinds of `criteria.DATED` speaks of."""
    table, date, conditions = _LEAVES[leaf.key]
    phrases = leaf.document.phrases if leaf.document else []
    found = documents_with(phrases) if phrases else None
    return Rows(table, date, and_(True, *conditions(getattr(leaf, leaf.key))), found)


def _sequence(leaf: SequenceLeaf) -> Select[Any]:
    """The patients of two rows in this order."""
    one, two, within = rows(leaf.first), rows(leaf.then), leaf.within or Delay()
    clock, unit = _clock(within.unit)
    if one.table is not two.table and within.max is None:  # the earliest and the latest tell of all others
        first, then = one.ends(func.min, clock), two.ends(func.max, clock)
        apart = and_(True)
    else:
        first, then = one.dated(clock), two.dated(clock)
        apart = first.c.id != then.c.id if one.table is two.table else and_(True)
    order = [first.c.patient_id == then.c.patient_id, then.c.day >= first.c.day + (within.min or 0) * unit, apart]
    if within.max is not None:
        order.append(then.c.day <= first.c.day + within.max * unit)
    return select(first.c.patient_id).select_from(first.join(then, and_(*order)))


def _count(leaf: CountLeaf) -> Select[Any]:
    """The patients of so many rows."""
    counted = rows(leaf.of)
    return counted.patients().group_by(_column(counted.table.patient_id)).having(func.count() >= leaf.at_least)


# --- Conditions of each leaf --------------------------------------------------------------------------------


def _patient(leaf: PatientLeaf, today: dt.date) -> Condition:
    conditions: list[Condition] = []
    if leaf.sex:
        conditions.append(_column(Patient.sex) == leaf.sex.value)
    if leaf.vital_status:
        dead = _column(Patient.death_date).is_not(None)
        conditions.append(dead if leaf.vital_status == "dead" else ~dead)
    if leaf.current_age:
        last_day = func.coalesce(_column(Patient.death_date), today)
        age = _age(_column(Patient.birth_date), type_coerce(last_day, _column(Patient.death_date).type))
        conditions += [_column(Patient.birth_date).is_not(None), *_within(age, leaf.current_age)]
    if leaf.age_at_diagnosis:
        age = _age(_column(Patient.birth_date), _column(Tumour.diagnosis_date))
        diagnosed = (
            select(_column(Tumour.id))
            .where(_column(Tumour.patient_id) == _column(Patient.id))
            .where(_column(Tumour.diagnosis_date).is_not(None), _column(Patient.birth_date).is_not(None))
            .where(*_within(age, leaf.age_at_diagnosis))
            .correlate(Patient)
        )
        conditions.append(diagnosed.exists())
    return and_(True, *conditions)


def _tumour(leaf: TumourLeaf) -> list[Condition]:
    return [
        _descends(Tumour.topography, leaf.topography),
        _descends(Tumour.morphology, leaf.morphology),
        _one_of(Tumour.laterality, leaf.laterality),
        _stage(leaf.stage),
        _descends(Tumour.t, _lettered(leaf.t, "T")),
        _descends(Tumour.n, _lettered(leaf.n, "N")),
        _descends(Tumour.m, _lettered(leaf.m, "M")),
        _one_of(Tumour.grade, leaf.grade),
        *_between(Tumour.diagnosis_date, leaf.diagnosed),
        *(_within(_column(Tumour.rank), leaf.rank) if leaf.rank else []),
    ]


def _event(leaf: EventLeaf) -> list[Condition]:
    conditions = [
        _one_of(TumourEvent.type, leaf.type),
        *_between(TumourEvent.date, leaf.between),
    ]
    if leaf.site is not None:
        sites = select(_column(TumourEventSite.event_id)).where(_descends(TumourEventSite.code, leaf.site))
        conditions.append(_column(TumourEvent.id).in_(sites))
    return conditions


def _treatment(leaf: TreatmentLeaf) -> list[Condition]:
    conditions = [
        _one_of(Treatment.type, leaf.type),
        _one_of(Treatment.regimen, leaf.regimen),
        _descends(Treatment.act_code, leaf.act),
        _one_of(Treatment.response, leaf.response),
        *(_within(_column(Treatment.line), leaf.line) if leaf.line else []),
    ]
    if leaf.between is not None:  # the treatment and the period overlap
        ended = func.coalesce(_column(Treatment.end), _column(Treatment.start))
        conditions.append(_column(Treatment.start).is_not(None))
        if leaf.between.from_:
            conditions.append(ended >= leaf.between.from_)
        if leaf.between.to:
            conditions.append(_column(Treatment.start) <= leaf.between.to)
    if leaf.drug is not None:
        drugs = select(_column(TreatmentDrug.treatment_id)).where(_descends(TreatmentDrug.atc, leaf.drug))
        conditions.append(_column(Treatment.id).in_(drugs))
    return conditions


def _biomarker(leaf: BiomarkerLeaf) -> list[Condition]:
    conditions = [
        _one_of(Biomarker.code, leaf.code),
        _one_of(Biomarker.status, leaf.status),
    ]
    if leaf.value:
        conditions += [_column(Biomarker.number).is_not(None), *_within(_column(Biomarker.number), leaf.value)]
        conditions.append(_one_of(Biomarker.unit, leaf.value.unit))
    return conditions


def _alteration(leaf: AlterationLeaf) -> list[Condition]:
    return [
        _one_of(Alteration.gene, leaf.gene),
        _one_of(Alteration.status, leaf.status),
        _one_of(Alteration.variant, leaf.variant),
    ]


def _sample(leaf: SampleLeaf) -> list[Condition]:
    return [_one_of(Sample.type, leaf.type), _one_of(Sample.status, leaf.status)]


def _concept(leaf: ConceptLeaf) -> list[Condition]:
    assertions = leaf.assertion or [Assertion.PRESENT]
    return [_column(Fact.system) == leaf.system, _descends(Fact.code, leaf.code), _one_of(Fact.assertion, assertions)]


def _document(leaf: DocumentLeaf) -> list[Condition]:
    return [
        _one_of(Document.kind, leaf.kind),
        _one_of(Document.service, leaf.service),
        *_between(Document.date, leaf.between),
    ]


def _codes(code: Any) -> Callable[[CodeLeaf], list[Condition]]:
    return lambda leaf: [_descends(code, leaf.code)]


_LEAVES: dict[str, tuple[Any, Any, Callable[[Any], list[Condition]]]] = {
    "tumour": (Tumour, Tumour.diagnosis_date, _tumour),
    "event": (TumourEvent, TumourEvent.date, _event),
    "treatment": (Treatment, Treatment.start, _treatment),
    "biomarker": (Biomarker, Biomarker.date, _biomarker),
    "alteration": (Alteration, Alteration.date, _alteration),
    "sample": (Sample, Sample.date, _sample),
    "diagnosis": (Diagnosis, Diagnosis.date, _codes(Diagnosis.code)),
    "act": (Act, Act.date, _codes(Act.code)),
    "concept": (Fact, Fact.date, _concept),
    "document": (Document, Document.date, _document),
}


# --- Conditions --------------------------------------------------------------------------------------------


def _column(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    assert isinstance(attribute, InstrumentedAttribute)
    return attribute


def _one_of(attribute: Any, values: str | Sequence[str] | None) -> Condition:
    if values is None:
        return and_(True)
    words = [values] if isinstance(values, str) else values
    found: Condition = _column(attribute).in_([str(word) for word in words])  # an enumeration's member as plain text
    return found


def _descends(attribute: Any, codes: list[str] | None) -> Condition:
    """A code or one of its descendants, which begin with it: a range, which an index serves.

    SQLite orders texts by code point; so does PostgreSQL the columns of codes (revision 007).
    """
    if codes is None:
        return and_(True)
    column = _column(attribute)
    return or_(False, *(and_(column >= code, column < _after(code)) for code in codes if code))


def _after(code: str) -> str:
    """The first text, in code point order, that does not begin with `code`."""
    return code[:-1] + chr(ord(code[-1]) + 1)


def _lettered(values: list[str] | None, letter: str) -> list[str] | None:
    return values and [value if value[:1].upper() == letter else letter + value for value in values]


def _stage(stages: list[str] | None) -> Condition:
    """`III` means III, IIIA, IIIB1…, and never IV; `IIIA` means IIIA, IIIA1…"""
    if stages is None:
        return and_(True)
    column = _column(Tumour.stage)
    either: list[Condition] = []
    for stage in stages:
        either.append(column == stage)
        either += [and_(column >= stage + first, column < stage + after) for first, after in ("1:", "AF")]
    return or_(False, *either)


def _within(value: Any, bounds: NumberRange) -> list[Condition]:
    conditions: list[Condition] = []
    if bounds.min is not None:
        conditions.append(value >= bounds.min)
    if bounds.max is not None:
        conditions.append(value <= bounds.max)
    return conditions


def _between(attribute: Any, period: DateRange | None) -> list[Condition]:
    if period is None:
        return []
    column = _column(attribute)
    conditions: list[Condition] = [column.is_not(None)]
    if period.from_:
        conditions.append(column >= period.from_)
    if period.to:
        conditions.append(column <= period.to)
    return conditions


def _age(birth: Any, day: Any) -> Any:
    """Completed years between two days."""
    before_birthday = extract("month", day) * 100 + extract("day", day) < (
        extract("month", birth) * 100 + extract("day", birth)
    )
    return extract("year", day) - extract("year", birth) - case((before_birthday, 1), else_=0)


# --- Days as numbers ----------------------------------------------------------------------------------------


def _clock(unit: str) -> tuple[Callable[[Any], Any], int]:
    """How a day is written as a number that grows, and how much of it the unit is.

    Months and years are those of the calendar, to the same day of the month: from 31 January, one month is over on
    1 March, and 28 February still lies within it.
    """
    if unit in ("days", "weeks"):
        return _DayNumber, 7 if unit == "weeks" else 1
    return _calendar, _MONTH * (12 if unit == "years" else 1)


_MONTH = 32  # more than any day of a month


def _calendar(day: Any) -> Any:
    """A day as one number, of which a month is always as long."""
    return (extract("year", day) * 12 + extract("month", day)) * _MONTH + extract("day", day)


class _DayNumber(FunctionElement[int]):
    """A day as the number of days since a fixed one."""

    type = Integer()
    name = "day_number"
    inherit_cache = True


@compiles(_DayNumber)
def _of_date(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} - DATE '2000-01-01')"


@compiles(_DayNumber, "sqlite")
def _of_text(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(julianday({compiler.process(element.clauses, **options)}) AS INTEGER)"
