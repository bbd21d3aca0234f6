"""Cohorts that are kept: named, shared or not, and refreshed; every refresh is a version that stays as it was.

The patients are kept as rows with the version that each came with and the one that they left with: a refresh writes
only what changed, and any version can be read again. Who is opposed is in no version from that day on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, delete, func, insert, literal, null, or_, select, update
from sqlmodel import Session

from consore.errors import InputError
from consore.model import Cohort, CohortPatient, CohortVersion, Patient
from consore.search.cohort import cohort as patients_of
from consore.search.criteria import Criteria, parse_criteria, steps

MOST_KEPT = 200  # an account
MOST_VERSIONS = 1000  # a cohort: the oldest are forgotten
MOST_TOLD = 200  # patients who entered or left, one by one


@dataclass(frozen=True, slots=True)
class Author:
    """Who saves or refreshes; no account: whoever has a shell on the node."""

    account_id: int | None
    login: str


@dataclass(frozen=True, slots=True)
class Departure:
    """A patient who left, and the criteria that they no longer meet; none where they may no longer be in any answer."""

    patient_id: int
    unmet: list[Criteria]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from the version before: the patients who entered and who left, the first 200 of each."""

    entered: list[int]
    left: list[Departure]


def save_cohort(
    session: Session,
    name: str,
    criteria: Criteria,
    author: Author,
    *,
    owner: int,
    shared: bool = False,
    today: dt.date | None = None,
) -> Cohort:
    """Keep the patients who meet the criteria now under a name, as version 1.

    Raises InputError where the account `owner` keeps 200 cohorts already.
    """
    kept = session.execute(select(func.count()).select_from(Cohort).where(_c(Cohort.account_id) == owner)).scalar_one()
    if kept >= MOST_KEPT:
        raise InputError(f"At most {MOST_KEPT} cohorts are kept.", "Delete one first.")
    row = Cohort(account_id=owner, name=name, shared=shared)
    session.add(row)
    session.flush()
    refresh_cohort(session, row, author, criteria=criteria, today=today)
    return row


def refresh_cohort(
    session: Session,
    row: Cohort,
    author: Author,
    *,
    criteria: Criteria | None = None,
    today: dt.date | None = None,
) -> CohortVersion:
    """A new version of the cohort: who meets its criteria now, or other criteria from now on."""
    last = latest_version(session, row)
    asked = criteria or parse_criteria(last.criteria if last else {})
    number = last.number + 1 if last else 1
    whose = and_(_c(CohortPatient.cohort_id) == row.id, _c(CohortPatient.until).is_(None))
    wanted = patients_of(asked, today=today).subquery()
    there = select(_c(CohortPatient.patient_id)).where(whose)
    counted = select(func.count()).select_from(CohortPatient).where(whose)
    before = session.execute(counted).scalar_one()
    gone: int = session.execute(
        update(CohortPatient)
        .where(whose, _c(CohortPatient.patient_id).not_in(select(wanted.c.id)))
        .values(until=number)
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]
    new = select(literal(row.id), wanted.c.id, literal(number), null()).where(wanted.c.id.not_in(there))
    session.execute(
        insert(CohortPatient).from_select(["cohort_id", "patient_id", "since", "until"], new, include_defaults=False)
    )
    count = session.execute(counted).scalar_one()
    version = CohortVersion(
        cohort_id=row.id or 0,
        number=number,
        criteria=asked.as_json(),
        count=count,
        entered=count - before + gone,
        gone=gone,
        account_id=author.account_id,
        login=author.login,
    )
    session.add(version)
    _forget_before(session, row, number - MOST_VERSIONS)
    session.flush()
    return version


def _forget_before(session: Session, row: Cohort, number: int) -> None:
    if number <= 0:
        return
    old, gone = _c(CohortVersion.number) <= number, _c(CohortPatient.until) <= number
    session.execute(delete(CohortVersion).where(_c(CohortVersion.cohort_id) == row.id, old))
    session.execute(delete(CohortPatient).where(_c(CohortPatient.cohort_id) == row.id, gone))


def visible_cohorts(session: Session, account_id: int | None) -> list[Cohort]:
    """The cohorts of an account and those that are shared, the newest first; without an account, all."""
    wanted = select(Cohort).order_by(_c(Cohort.id).desc())
    if account_id is not None:
        wanted = wanted.where(or_(_c(Cohort.account_id) == account_id, _c(Cohort.shared)))
    return list(session.execute(wanted).scalars())


def visible_cohort(session: Session, key: int | None, account_id: int | None) -> Cohort | None:
    """One of them, by its number."""
    row = session.get(Cohort, key) if key is not None else None
    return row if row and (account_id is None or row.shared or row.account_id == account_id) else None


def versions(session: Session, row: Cohort, limit: int = 100) -> list[CohortVersion]:
    """Its versions, the newest first."""
    wanted = select(CohortVersion).where(_c(CohortVersion.cohort_id) == row.id)
    return list(session.execute(wanted.order_by(_c(CohortVersion.number).desc()).limit(limit)).scalars())


def latest_version(session: Session, row: Cohort) -> CohortVersion | None:
    """Its newest version; none only while it is being saved."""
    return next(iter(versions(session, row, 1)), None)


def members(row: Cohort, number: int | None = None) -> Select[Any]:
    """The statement that gives the patients of a version, the newest by default; who is opposed since is left out."""
    until = _c(CohortPatient.until)
    there = until.is_(None)
    if number is not None:
        there = and_(_c(CohortPatient.since) <= number, or_(until.is_(None), until > number))
    return (
        select(_c(Patient.id))
        .join(CohortPatient, _c(CohortPatient.patient_id) == _c(Patient.id))
        .where(_c(CohortPatient.cohort_id) == row.id, there, _c(Patient.opposed).is_(False))
    )


def difference(session: Session, row: Cohort, version: CohortVersion, *, today: dt.date | None = None) -> Difference:
    """Who entered with a version and who left with it, and by which of its criteria."""
    whose = _c(CohortPatient.cohort_id) == row.id
    patient = _c(CohortPatient.patient_id)
    known = select(_c(Patient.id)).where(_c(Patient.opposed).is_(False))
    entered, left = (
        list(
            session.execute(
                select(patient).where(whose, when == version.number).order_by(patient).limit(MOST_TOLD)
            ).scalars()
        )
        for when in (_c(CohortPatient.since), _c(CohortPatient.until))
    )
    seen = set(session.execute(known.where(_c(Patient.id).in_([*entered, *left]))).scalars())
    unmet: dict[int, list[Criteria]] = {key: [] for key in left}
    for criterion in steps(parse_criteria(version.criteria)):
        meeting = patients_of(criterion, today=today).where(_c(Patient.id).in_(left))
        met = set(session.execute(meeting).scalars())
        for key in left:
            if key in seen and key not in met:
                unmet[key].append(criterion)
    return Difference([key for key in entered if key in seen], [Departure(key, unmet[key]) for key in left])


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
