"""Rejected records are kept whole, once per place in their source, until they are read right or corrected there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import insert, select, update
from sqlmodel import Session

from consore.model import RejectedRecord, now
from consore.sources import Rejection

_table = RejectedRecord.__table__  # type: ignore[attr-defined]


def keep_rejected(session: Session, source_id: int, run_id: int, rejections: Sequence[Rejection]) -> None:
    """Keep rejections; what the source rejected before at the same place is replaced, not repeated."""
    by_position = {rejection.position: rejection for rejection in rejections}
    held = _held(session, source_id, by_position)
    new = []
    for position, rejection in by_position.items():
        row = {
            "source_id": source_id,
            "run_id": run_id,
            "position": position,
            "reason": rejection.reason,
            "message": rejection.message,
            "raw": rejection.raw,
            "replayed_at": None,
        }
        if position in held:
            session.execute(update(_table).where(_table.c.id == held[position]).values(row))
        else:
            new.append({**row, "created_at": now()})
    if new:
        session.execute(insert(_table), new)


def settle(session: Session, source_id: int, positions: Iterable[str]) -> int:
    """Note that the records at these places have now been read; gives how many had been rejected before."""
    held = _held(session, source_id, positions)
    if held:
        session.execute(update(_table).where(_table.c.id.in_(held.values())).values(replayed_at=now()))
    return len(held)


def _held(session: Session, source_id: int, positions: Iterable[str]) -> dict[str, int]:
    statement = select(_table.c.position, _table.c.id).where(
        _table.c.source_id == source_id, _table.c.replayed_at.is_(None), _table.c.position.in_(list(positions))
    )
    return {row.position: row.id for row in session.execute(statement)}
