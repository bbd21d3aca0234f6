"""Exact cohorts: a criteria tree becomes one SQL statement over the store.

A ranked index forgives; a count must not. Each leaf is a set of patients, `all`, `any` and `none` combine the sets,
and patients who are opposed are in no set at all. The same statement runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, and_, case, extract, func, or_, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session

from consore.errors import CriteriaError
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
    Criteria,
    DateRange,
    DocumentLeaf,
    EventLeaf,
    NumberRange,
    PatientLeaf,
    SampleLeaf,
    TreatmentLeaf,
    TumourLeaf,
)

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
    condition = _condition(criteria, today or dt.date.today())
    return select(_column(Patient.id)).where(_column(Patient.opposed).is_(False), condition)


def _condition(node: Criteria, today: dt.date) -> Condition:
    if node.all is not None:
        return and_(True, *(_condition(child, today) for child in node.all))
    if node.any is not None:
        return or_(False, *(_condition(child, today) for child in node.any))
    if node.none is not None:
        return ~or_(False, *(_condition(child, today) for child in node.none))
    leaf = getattr(node, node.key)
    if isinstance(leaf, PatientLeaf):
        return _patient(leaf, today)
    patients: Condition = _column(Patient.id).in_(_LEAVES[node.key](leaf))
    return patients


# --- Leaves: each the patients that have at least one such row ---------------------------------------------


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


def _tumour(leaf: TumourLeaf) -> Select[Any]:
    conditions = [
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
    return _rows(Tumour.patient_id, conditions)


def _event(leaf: EventLeaf) -> Select[Any]:
    conditions = [
        _one_of(TumourEvent.type, leaf.type),
        *_between(TumourEvent.date, leaf.between),
    ]
    if leaf.site is not None:
        sites = select(_column(TumourEventSite.event_id)).where(_descends(TumourEventSite.code, leaf.site))
        conditions.append(_column(TumourEvent.id).in_(sites))
    return _rows(TumourEvent.patient_id, conditions)


def _treatment(leaf: TreatmentLeaf) -> Select[Any]:
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
    return _rows(Treatment.patient_id, conditions)


def _biomarker(leaf: BiomarkerLeaf) -> Select[Any]:
    conditions = [
        _one_of(Biomarker.code, leaf.code),
        _one_of(Biomarker.status, leaf.status),
    ]
    if leaf.value:
        conditions += [_column(Biomarker.number).is_not(None), *_within(_column(Biomarker.number), leaf.value)]
        conditions.append(_one_of(Biomarker.unit, leaf.value.unit))
    return _rows(Biomarker.patient_id, conditions)


def _alteration(leaf: AlterationLeaf) -> Select[Any]:
    conditions = [
        _one_of(Alteration.gene, leaf.gene),
        _one_of(Alteration.status, leaf.status),
        _one_of(Alteration.variant, leaf.variant),
    ]
    return _rows(Alteration.patient_id, conditions)


def _sample(leaf: SampleLeaf) -> Select[Any]:
    return _rows(Sample.patient_id, [_one_of(Sample.type, leaf.type), _one_of(Sample.status, leaf.status)])


def _concept(leaf: ConceptLeaf) -> Select[Any]:
    assertions = leaf.assertion or [Assertion.PRESENT]
    conditions = [
        _column(Fact.system) == leaf.system,
        _descends(Fact.code, leaf.code),
        _one_of(Fact.assertion, assertions),
    ]
    return _rows(Fact.patient_id, conditions)


def _document(leaf: DocumentLeaf) -> Select[Any]:
    if leaf.text:
        raise CriteriaError(
            "Words of documents cannot be counted exactly.",
            "Search for them instead, or use a coded criterion (site, drug, biomarker…).",
        )
    conditions = [
        _one_of(Document.kind, leaf.kind),
        *_between(Document.date, leaf.between),
    ]
    return _rows(Document.patient_id, conditions)


def _codes(patient: Any, code: Any) -> Callable[[CodeLeaf], Select[Any]]:
    return lambda leaf: _rows(patient, [_descends(code, leaf.code)])


_LEAVES: dict[str, Callable[[Any], Select[Any]]] = {
    "tumour": _tumour,
    "event": _event,
    "treatment": _treatment,
    "biomarker": _biomarker,
    "alteration": _alteration,
    "sample": _sample,
    "diagnosis": _codes(Diagnosis.patient_id, Diagnosis.code),
    "act": _codes(Act.patient_id, Act.code),
    "concept": _concept,
    "document": _document,
}


# --- Conditions --------------------------------------------------------------------------------------------


def _column(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    assert isinstance(attribute, InstrumentedAttribute)
    return attribute


def _rows(patient: Any, conditions: list[Condition]) -> Select[Any]:
    return select(_column(patient)).where(and_(True, *conditions))


def _one_of(attribute: Any, values: str | Sequence[str] | None) -> Condition:
    if values is None:
        return and_(True)
    words = [values] if isinstance(values, str) else values
    found: Condition = _column(attribute).in_([str(word) for word in words])  # an enumeration's member as plain text
    return found


def _descends(attribute: Any, codes: list[str] | None) -> Condition:
    """A code or one of its descendants, which begin with it."""
    if codes is None:
        return and_(True)
    return or_(False, *(_BeginsWith(_column(attribute), code, _after(code)) for code in codes if code))


def _after(code: str) -> str:
    """The first text, in code point order, that does not begin with `code`."""
    return code[:-1] + chr(ord(code[-1]) + 1)


class _BeginsWith(FunctionElement[bool]):
    """Whether a text begins with another, written so that each dialect's index serves it."""

    type = Boolean()
    name = "begins_with"
    inherit_cache = True


@compiles(_BeginsWith)
def _range(element: Any, compiler: Any, **options: Any) -> str:
    column, first, after = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} >= {first} AND {column} < {after})"


@compiles(_BeginsWith, "postgresql")
def _starts_with(element: Any, compiler: Any, **options: Any) -> str:  # a range would follow the collation
    column, first, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"starts_with({column}, {first})"


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
        either += [column.startswith(stage + letter, autoescape=True) for letter in "ABCDE123456789"]
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
