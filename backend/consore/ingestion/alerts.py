"""Alerts: what a person must know of a source, in the log, in the metrics, and to a webhook of the hospital.

An alert is a row, raised once and open until the source is well again, so that a failing night is not told a hundred
times. What leaves the node is the name of the source, a code, and numbers: never a word of a record, not even an error
message, which may quote one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx
import structlog
from sqlalchemy import select
from sqlmodel import Session

from consore.ingestion.health import late_sources
from consore.ingestion.lease import Lease
from consore.model import Alert, AlertKind, Source, now
from consore.settings import Settings
from consore.store import Store

POLL = 5.0  # seconds between two looks
AGAIN = dt.timedelta(days=1)  # an alert that stays open is told again
GIVEN_UP = dt.timedelta(days=1)  # a webhook that has not answered for so long is left alone
LONGEST_WAIT_S = 3600.0

log = structlog.get_logger("consore.alerts")


def raise_alert(
    session: Session, settings: Settings, source_id: int, kind: AlertKind, reason: str, counts: dict[str, Any]
) -> Alert:
    """Open an alert of a source, or note that the open one has come again; told once a day at most."""
    alert = session.scalars(
        select(Alert).where(
            _c(Alert.source_id) == source_id, _c(Alert.kind) == kind.value, _c(Alert.closed_at).is_(None)
        )
    ).first()
    if alert is None:
        alert = Alert(source_id=source_id, kind=kind.value)
        _tell(settings, alert)
    else:
        alert.times += 1
        if alert.told_at is not None and now() - alert.told_at >= AGAIN:
            _tell(settings, alert)
    alert.reason, alert.counts = reason, counts
    session.add(alert)
    source = session.get(Source, source_id)
    log.error("alert", source=source.name if source else source_id, alert=kind.value, reason=reason, **counts)
    return alert


def close_alerts(session: Session, settings: Settings, source_id: int, kinds: Sequence[AlertKind]) -> None:
    """The source is well again; whoever was told of the alert is told of that."""
    found = session.scalars(
        select(Alert).where(_c(Alert.source_id) == source_id, _c(Alert.kind).in_(kinds), _c(Alert.closed_at).is_(None))
    ).all()
    for alert in found:
        alert.closed_at = now()
        log.info("alert_closed", source=source_id, alert=alert.kind)
        if alert.told_at is not None:
            _tell(settings, alert)
        else:
            alert.next_try_at = None
        session.add(alert)


def watch_forever(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Look for sources that are late and tell the webhook what waits, until `stop`.

    Any process of a node may do it, the API too: the worker may be what has died. One does it at a time.
    """
    while not stop.wait(POLL):
        try:
            watch_once(settings, store)
        except Exception:  # the store may be away for a moment
            log.exception("watch")


def watch_once(settings: Settings, store: Store) -> None:
    """One look; nothing where another process is looking."""
    lease = Lease(store, "watch")
    if not lease.take():
        return
    try:
        with store.session() as session:
            _raise_late(session, settings)
        if settings.alert_webhook:
            _tell_all(settings, store)
    finally:
        lease.release()


def signature(secret: str, moment: int, body: bytes) -> str:
    """HMAC-SHA256, in hexadecimal, of `{moment}.{body}`; `moment`, seconds since 1970, dates it."""
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def _raise_late(session: Session, settings: Settings) -> None:
    failing = set(
        session.scalars(
            select(_c(Alert.source_id)).where(_c(Alert.kind) != AlertKind.REJECTIONS, _c(Alert.closed_at).is_(None))
        )
    )
    for source_id, since in late_sources(session, settings).items():
        if source_id not in failing:  # who is told that it fails need not be told that it is late
            hours = round((now() - since).total_seconds() / 3600, 1)
            raise_alert(session, settings, source_id, AlertKind.LATE, "late", {"hours": hours})


def _tell(settings: Settings, alert: Alert) -> None:
    """It is to be told; without a webhook the log has told it."""
    alert.tries, alert.problem = 0, ""
    alert.told_at, alert.next_try_at = (None, now()) if settings.alert_webhook else (now(), None)


def _tell_all(settings: Settings, store: Store) -> None:
    with store.session() as session:
        waiting = session.execute(
            select(Alert, Source)  # type: ignore[call-overload]
            .join(Source, _c(Source.id) == _c(Alert.source_id))
            .where(_c(Alert.next_try_at) <= now())
            .order_by(_c(Alert.id))
        ).all()
    with httpx.Client(timeout=settings.alert_webhook_timeout_s, follow_redirects=False) as client:
        for alert, source in waiting:
            problem = _post(client, settings, alert, source)
            with store.session() as session:
                kept = session.get(Alert, alert.id)
                if kept is not None:
                    _note(settings, kept, problem)
                    session.add(kept)


def _post(client: httpx.Client, settings: Settings, alert: Alert, source: Source) -> str:
    """Post one alert; gives what went wrong, or nothing."""
    message = {
        "id": f"{settings.centre_code}-{alert.id}",
        "centre": settings.centre_code,
        "source": source.name,
        "kind": source.kind,
        "alert": alert.kind,
        "state": "closed" if alert.closed_at else "open",
        "reason": alert.reason,
        "counts": alert.counts,
        "times": alert.times,
        "raised_at": alert.raised_at.isoformat(),
    }
    body = json.dumps(message, ensure_ascii=False).encode()
    moment = int(time.time())
    headers = {"Content-Type": "application/json", "X-Consore-Timestamp": str(moment)}
    if secret := settings.alert_webhook_secret.get_secret_value():
        headers["X-Consore-Signature"] = f"sha256={signature(secret, moment, body)}"
    try:
        answer = client.post(settings.alert_webhook, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return "" if answer.is_success else f"HTTP {answer.status_code}"


def _note(settings: Settings, alert: Alert, problem: str) -> None:
    alert.tries += 1
    alert.problem = problem
    if not problem:
        alert.told_at, alert.next_try_at = now(), None
        return
    wait = dt.timedelta(seconds=min(settings.alert_webhook_retry_s * 2.0 ** min(alert.tries - 1, 30), LONGEST_WAIT_S))
    given_up = now() - (alert.closed_at or alert.raised_at) > GIVEN_UP
    alert.next_try_at = None if given_up else now() + wait
    log.warning("webhook", alert=alert.id, problem=problem, tries=alert.tries, given_up=given_up)


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
