"""How each source is, at a glance: the same for the API, the app, the terminal, the doctor and the metrics."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from consore.ingestion.progress import Step
from consore.ingestion.schedules import closed_until, starts_at
from consore.model import (
    Alert,
    Frequency,
    IngestionRun,
    RejectedRecord,
    RunProgress,
    RunState,
    Schedule,
    Source,
    now,
)
from consore.settings import Settings


class HealthState(StrEnum):
    """What is said of a source first."""

    OFF = "off"
    RUNNING = "running"
    RETRYING = "retrying"  # it failed, and is tried again
    PAUSED = "paused"
    FAILED = "failed"
    LATE = "late"
    CANCELLED = "cancelled"
    NEVER = "never"  # not read yet
    OK = "ok"


@dataclass(slots=True)
class SourceHealth:
    """One source. `next_at`: when it is next read, by its schedule or to try again; `late_since`: when it was due."""

    source: Source
    schedule: Schedule
    state: HealthState
    last_run: IngestionRun | None
    last_success_at: dt.datetime | None
    next_at: dt.datetime | None
    late_since: dt.datetime | None
    rejected_waiting: int
    step: Step | None = None
    alerts: list[Alert] = field(default_factory=list)


def health_of_sources(
    session: Session, settings: Settings, source_ids: list[int] | None = None
) -> dict[int, SourceHealth]:
    """The health of these sources, or of all, by source."""
    query = select(Source).order_by(_c(Source.name))
    if source_ids is not None:
        query = query.where(_c(Source.id).in_(source_ids))
    sources = {int(source.id or 0): source for source in session.scalars(query)}
    keys = list(sources)
    of_them = select(Schedule).where(_c(Schedule.source_id).in_(keys))
    schedules = {row.source_id: row for row in session.scalars(of_them)}
    last, success = _last_runs(session, keys), _last_successes(session, keys)
    rejected = _rejected(session, keys)
    going = [run.id for run in last.values() if run.state == RunState.RUNNING]
    steps = {row.run_id: row for row in session.scalars(select(RunProgress).where(_c(RunProgress.run_id).in_(going)))}
    alerts: dict[int, list[Alert]] = {}
    for alert in session.scalars(select(Alert).where(_c(Alert.closed_at).is_(None)).order_by(_c(Alert.id))):
        alerts.setdefault(alert.source_id, []).append(alert)
    found = {}
    for key, source in sources.items():
        schedule = schedules.get(key) or Schedule(source_id=key)
        run = last.get(key)
        done = success.get(key)
        late = _late_since(settings, source, schedule, run, done.started_at if done else None)
        found[key] = SourceHealth(
            source=source,
            schedule=schedule,
            state=_state(source, schedule, run, late),
            last_run=run,
            last_success_at=done.ended_at if done else None,
            next_at=starts_at(schedule) if source.enabled else None,
            late_since=late,
            rejected_waiting=rejected.get(key, 0),
            step=step_of(run, steps.get(run.id)) if run else None,
            alerts=alerts.get(key, []),
        )
    return found


def late_sources(session: Session, settings: Settings) -> dict[int, dt.datetime]:
    """The sources that should have been read and were not, with when they were due."""
    found = health_of_sources(session, settings)
    return {key: health.late_since for key, health in found.items() if health.late_since is not None}


def step_of(run: IngestionRun, row: RunProgress | None) -> Step | None:
    """How far a run is; None where it is over."""
    if run.state != RunState.RUNNING:
        return None
    if row is None:
        return Step(run.stage, rejected=run.rejected)
    return Step(row.stage, row.done, row.total, row.rate, run.rejected)


def _state(source: Source, schedule: Schedule, run: IngestionRun | None, late: dt.datetime | None) -> HealthState:
    state = run.state if run else None
    if state == RunState.RUNNING:
        return HealthState.RUNNING
    if not source.enabled:
        return HealthState.OFF
    if state == RunState.FAILED:
        return HealthState.RETRYING if schedule.retry_at else HealthState.FAILED
    if late is not None:
        return HealthState.LATE
    if state == RunState.PAUSED:
        return HealthState.PAUSED
    if state == RunState.CANCELLED:
        return HealthState.CANCELLED
    return HealthState.OK if run else HealthState.NEVER


def _late_since(
    settings: Settings, source: Source, schedule: Schedule, run: IngestionRun | None, success: dt.datetime | None
) -> dt.datetime | None:
    """When a source was due that has not been read since; a first reading may last for days, and is not late."""
    if not source.enabled or schedule.frequency == Frequency.MANUAL or (run and run.state == RunState.RUNNING):
        return None
    allowed = now() - dt.timedelta(hours=settings.alert_late_hours)
    due = schedule.next_run_at
    if due is not None and (closed_until(schedule, due) or due) <= allowed:
        return due  # nobody has begun it
    begun = schedule.last_run_at
    if begun is not None and begun <= allowed and (success is None or success < begun):
        return begun  # it was begun, and has not come to an end
    return None


def _last_runs(session: Session, keys: list[int]) -> dict[int, IngestionRun]:
    latest = (
        select(func.max(_c(IngestionRun.id)))
        .where(_c(IngestionRun.source_id).in_(keys), _c(IngestionRun.trigger) != "replay")
        .group_by(_c(IngestionRun.source_id))
    )
    return {run.source_id: run for run in session.scalars(select(IngestionRun).where(_c(IngestionRun.id).in_(latest)))}


def _last_successes(session: Session, keys: list[int]) -> dict[int, IngestionRun]:
    latest = (
        select(func.max(_c(IngestionRun.id)))
        .where(
            _c(IngestionRun.source_id).in_(keys),
            _c(IngestionRun.state) == RunState.DONE.value,
            _c(IngestionRun.trigger) != "replay",
        )
        .group_by(_c(IngestionRun.source_id))
    )
    return {run.source_id: run for run in session.scalars(select(IngestionRun).where(_c(IngestionRun.id).in_(latest)))}


def _rejected(session: Session, keys: list[int]) -> dict[int, int]:
    rows = session.execute(
        select(_c(RejectedRecord.source_id), func.count())
        .where(_c(RejectedRecord.source_id).in_(keys), _c(RejectedRecord.replayed_at).is_(None))
        .group_by(_c(RejectedRecord.source_id))
    )
    return dict(rows.all())


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
