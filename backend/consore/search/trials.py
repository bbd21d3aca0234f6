"""Trials that are watched: the eligibility of a protocol kept as a cohort, brought up to date after each ingestion.

A trial is a kept cohort with the lines of its protocol. Who came in since its owner last looked is newly eligible.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlmodel import Session

from consore.errors import CriteriaError, InputError
from consore.model import Cohort, CohortPatient, Patient, Trial
from consore.search.cohort import patient_ids
from consore.search.criteria import parse_criteria
from consore.search.kept_cohorts import Author, latest_version, members, refresh_cohort, save_cohort, visible_cohorts
from consore.search.protocols import EligibilityLine, eligible

log = structlog.get_logger("consore.search")
WATCHER = Author(None, "trial watch")  # who refreshes after an ingestion


def watch_trial(
    session: Session,
    name: str,
    lines: list[EligibilityLine],
    author: Author,
    *,
    owner: int,
    shared: bool = False,
    today: dt.date | None = None,
) -> Trial:
    """Keep a protocol and those who are eligible now; who becomes so later is newly eligible.

    Raises InputError where no line is accepted, or where the account keeps too many cohorts.
    """
    criteria = eligible(lines)
    if criteria is None:
        raise InputError("No line of the protocol is coded.", "Write its criteria in other words, or accept a line.")
    row = save_cohort(session, name, criteria, author, owner=owner, shared=shared, today=today)
    trial = Trial(cohort_id=row.id or 0, lines=[line.as_json() for line in lines], seen=1)
    session.add(trial)
    session.flush()
    return trial


def refresh_trials(session: Session, *, today: dt.date | None = None) -> int:
    """Bring every trial up to date, and say how many have newly eligible patients. No version where nothing changed."""
    changed = 0
    for trial in session.execute(select(Trial)).scalars().all():
        row = session.get(Cohort, trial.cohort_id)
        if row is None:
            continue
        last = latest_version(session, row)
        if last is None:
            continue
        try:
            criteria = parse_criteria(last.criteria)
        except CriteriaError as error:  # of an older edition: its owner will be told when they open it
            log.warning("trial", cohort=row.id, problem=str(error))
            continue
        now = set(patient_ids(session, criteria, today=today))
        if now != set(session.execute(members(row)).scalars()):
            version = refresh_cohort(session, row, WATCHER, today=today)
            changed += version.entered > 0
    return changed


def visible_trials(session: Session, account_id: int | None) -> list[tuple[Trial, Cohort]]:
    """The trials of an account and those that are shared, the newest first; without an account, all."""
    found = []
    for row in visible_cohorts(session, account_id):
        trial = session.get(Trial, row.id)
        if trial is not None:
            found.append((trial, row))
    return found


def newly_eligible(session: Session, trial: Trial) -> list[int]:
    """The patients who came in since the trial was last looked at and are there still, the latest first."""
    since = _c(CohortPatient.since)
    return list(session.execute(_new(trial).order_by(since.desc(), _c(Patient.id))).scalars())


def count_newly_eligible(session: Session, trial: Trial) -> int:
    """How many they are."""
    return int(session.execute(select(func.count()).select_from(_new(trial).subquery())).scalar_one())


def looked_at(session: Session, trial: Trial) -> None:
    """From now on, only those who come in later are newly eligible."""
    row = session.get(Cohort, trial.cohort_id)
    last = latest_version(session, row) if row else None
    trial.seen = last.number if last else trial.seen
    session.add(trial)


def _new(trial: Trial) -> Any:
    return (
        select(_c(Patient.id))
        .join(CohortPatient, _c(CohortPatient.patient_id) == _c(Patient.id))
        .where(
            _c(CohortPatient.cohort_id) == trial.cohort_id,
            _c(CohortPatient.since) > trial.seen,
            _c(CohortPatient.until).is_(None),
            _c(Patient.opposed).is_(False),
        )
    )


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
