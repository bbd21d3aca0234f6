"""What follows the end of a run: a fault that may pass is tried again, later each time; another is told at once.

What is planned stands in the store, in the transaction that ends the run: it outlives the process.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlmodel import Session

from consore.errors import ComponentError, ConfigurationError, ConsoreError, InputError, SourceAway, SourceError
from consore.ingestion.alerts import close_alerts, raise_alert
from consore.ingestion.schedules import closed_until
from consore.model import AlertKind, FailureKind, IngestionRun, RunState, Schedule, now
from consore.settings import Settings

DIED = "process_died"
NOT_PLANNED = ("manual", "replay")  # somebody looks on
OF_CONNECTIONS = (SourceAway, ConnectionError, TimeoutError, httpx.TransportError)
PASSING = (ComponentError, OperationalError, InterfaceError, *OF_CONNECTIONS)
COMPARED_RUNS = 10
THRICE = 3
FEWEST = 20  # records, under which a share says nothing


def failure_of(error: BaseException) -> tuple[FailureKind, str]:
    """Whether an error may pass by itself, and the code of its reason. What caused it counts too.

    What was given (columns, a missing file, a setting) does not mend itself; a connection, a lock, an engine may; of
    what nobody foresaw it is not known, and it is tried again.
    """
    link: BaseException | None = error
    passing = False
    # A database that a connector asked refuses wrong queries in the words of a broken connection: the connector tells.
    signs = OF_CONNECTIONS if isinstance(error, SourceError) else PASSING
    while link is not None and not passing:
        passing = isinstance(link, signs)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    if isinstance(error, ConsoreError):
        reason = SourceAway.code if passing and isinstance(error, SourceError) else error.code
    else:
        reason = "store" if isinstance(error, SQLAlchemyError) else "unexpected"
    lasting = isinstance(error, InputError | ConfigurationError) and not passing
    return (FailureKind.LASTING if lasting else FailureKind.PASSING), reason


def back_off(settings: Settings, attempts: int) -> dt.timedelta:
    """How long to wait after so many failures in a row."""
    seconds = settings.retry_first_s * 2.0 ** min(attempts - 1, 30)
    return dt.timedelta(seconds=min(seconds, settings.retry_ceiling_s))


def conclude(session: Session, settings: Settings, run: IngestionRun) -> None:
    """Plan what follows a run that has just ended, and raise or close the alerts of its source."""
    schedule = session.get(Schedule, run.source_id) or Schedule(source_id=run.source_id)
    session.add(schedule)
    if run.state == RunState.PAUSED:
        schedule.retry_at = closed_until(schedule, now()) or now()
    elif run.state == RunState.CANCELLED:
        schedule.retry_at, schedule.attempts = None, 0
    elif run.state == RunState.DONE and run.trigger != "replay":
        schedule.retry_at, schedule.attempts = None, 0
        close_alerts(session, settings, run.source_id, [AlertKind.FAILED, AlertKind.LATE])
        _compare_rejections(session, settings, run)
    elif run.state == RunState.FAILED and (run.trigger not in NOT_PLANNED or run.reason == DIED):
        _try_again_or_tell(session, settings, run, schedule)


def _try_again_or_tell(session: Session, settings: Settings, run: IngestionRun, schedule: Schedule) -> None:
    schedule.attempts += 1
    if run.failure == FailureKind.PASSING and schedule.attempts <= settings.retry_most:
        at_once = run.reason == DIED and schedule.attempts == 1
        ended = run.ended_at or now()
        schedule.retry_at = ended if at_once else ended + back_off(settings, schedule.attempts)
        return
    counts = {"tries": schedule.attempts, "seen": run.seen, "rejected": run.rejected}
    schedule.retry_at, schedule.attempts = None, 0
    raise_alert(session, settings, run.source_id, AlertKind.FAILED, run.reason, counts)


def _compare_rejections(session: Session, settings: Settings, run: IngestionRun) -> None:
    """Tell where the share of rejected records jumps; the usual one is that of the last runs."""
    if run.seen < FEWEST:
        return
    before = (
        select(_c(IngestionRun.seen), _c(IngestionRun.rejected))
        .where(
            _c(IngestionRun.source_id) == run.source_id,
            _c(IngestionRun.id) < run.id,
            _c(IngestionRun.state) == RunState.DONE.value,
            _c(IngestionRun.trigger) != "replay",
        )
        .order_by(_c(IngestionRun.id).desc())
        .limit(COMPARED_RUNS)
        .subquery()
    )
    seen, rejected = session.execute(select(func.sum(before.c.seen), func.sum(before.c.rejected))).one()
    share, usual = run.rejected / run.seen, (rejected or 0) / seen if seen else 0.0
    if share * 100 >= settings.alert_rejected_percent and share >= THRICE * usual:
        counts = {
            "seen": run.seen,
            "rejected": run.rejected,
            "percent": round(share * 100, 1),
            "usual_percent": round(usual * 100, 1),
        }
        raise_alert(session, settings, run.source_id, AlertKind.REJECTIONS, "rejections", counts)
    else:
        close_alerts(session, settings, run.source_id, [AlertKind.REJECTIONS])


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
