"""Rejected records are kept whole, once per place in their source, until they are read right or corrected there.

A record that only waits for its patient is read again by itself once the patient is there; one that is no longer in its
source is settled: there is nothing left to mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import insert, or_, select, update
from sqlmodel import Session

from consore.ingestion.intake import UNKNOWN_PATIENT
from consore.model import Document, DocumentMentions, MergedIdentity, Patient, RejectedRecord, now
from consore.sources import Rejection

UNREADABLE_TEXT = "unreadable_text"
_OF_A_TEXT = "text of "  # a position: the document is stored, its reader failed
_IN_A_FILE = re.compile(r"[:#!|\[\s]")  # what stands between a file and the place in it

_table = RejectedRecord.__table__  # type: ignore[attr-defined]
_waiting = _table.c.replayed_at.is_(None)


def keep_rejected(session: Session, source_id: int, run_id: int, rejections: Sequence[Rejection]) -> None:
    """Keep rejections; what the source rejected before at the same place is replaced, not repeated."""
    by_position = {rejection.position: rejection for rejection in rejections}
    if not by_position:
        return
    held = _held(session, source_id, by_position)
    new, again = [], []
    for position, rejection in by_position.items():
        row = {
            "source_id": source_id,
            "run_id": run_id,
            "position": position,
            "reason": rejection.reason,
            "message": rejection.message,
            "raw": rejection.raw,
            "ipp": rejection.ipp,
            "replayed_at": None,
        }
        if position in held:
            again.append({**row, "id": held[position]})
        else:
            new.append({**row, "created_at": now()})
    if again:
        session.execute(update(RejectedRecord), again)
    if new:
        session.execute(insert(_table), new)


def settle(session: Session, source_id: int, positions: Iterable[str]) -> int:
    """Note that the records at these places have now been read; gives how many had been rejected before."""
    return _settle(session, _held(session, source_id, positions).values())


def settle_unseen(session: Session, source_id: int, run_id: int, files: set[str] | None) -> int:
    """Settle what earlier runs rejected and this one, which read the source to its end, did not meet again.

    `files`: those that were read, where a reading skips what has not changed; None: all of it was read.
    """
    statement = select(_table.c.id, _table.c.position).where(
        _table.c.source_id == source_id, _waiting, _table.c.run_id != run_id
    )
    gone = [
        row.id
        for row in session.execute(statement)
        if not row.position.startswith(_OF_A_TEXT) and (files is None or _lies_in(row.position, files))
    ]
    return _settle(session, gone)


def has_rejected(session: Session, source_id: int) -> bool:
    """Whether something of this source waits in quarantine."""
    statement = select(_table.c.id).where(_table.c.source_id == source_id, _waiting).limit(1)
    return session.execute(statement).first() is not None


def waiting_for_patients(session: Session) -> list[int]:
    """The records that waited for a patient who is there now."""
    there = select(Patient.ipp)
    statement = select(_table.c.id).where(
        _waiting,
        _table.c.reason == UNKNOWN_PATIENT,
        or_(
            _table.c.ipp.in_(there),
            _table.c.ipp.in_(select(MergedIdentity.ipp).where(_c(MergedIdentity.kept).in_(there))),
        ),
    )
    return list(session.scalars(statement.order_by(_table.c.id)))


# --- Documents whose text broke the reader --------------------------------------------------------------------


def position_of_text(external_id: str) -> str:
    """Where a document lies whose text could not be read."""
    return f"{_OF_A_TEXT}{external_id}"


def document_of_text(position: str) -> str | None:
    """The document of such a position; None for any other."""
    return position.removeprefix(_OF_A_TEXT) if position.startswith(_OF_A_TEXT) else None


def settle_read_texts(session: Session) -> int:
    """Settle the texts that a reader could not read and a newer one, or a newer text, could."""
    statement = select(_table.c.id, _table.c.position).where(_waiting, _table.c.reason == UNREADABLE_TEXT)
    waiting = {document_of_text(row.position): row.id for row in session.execute(statement)}
    read: list[int] = []
    for some in _chunks(list(waiting)):
        found = session.execute(
            select(Document.external_id)  # type: ignore[call-overload]
            .join(DocumentMentions, _c(DocumentMentions.document_id) == _c(Document.id))
            .where(_c(Document.external_id).in_(some), _c(DocumentMentions.total) > 0)
        )
        read += [waiting[row[0]] for row in found]
    return _settle(session, read)


# --------------------------------------------------------------------------------------------------------------


def _settle(session: Session, ids: Iterable[int]) -> int:
    listed = list(ids)
    for some in _chunks(listed):
        session.execute(update(_table).where(_table.c.id.in_(some)).values(replayed_at=now()))
    return len(listed)


def _lies_in(position: str, files: set[str]) -> bool:
    return position in files or any(position[: cut.start()] in files for cut in _IN_A_FILE.finditer(position))


def _held(session: Session, source_id: int, positions: Iterable[str]) -> dict[str, int]:
    statement = select(_table.c.position, _table.c.id).where(
        _table.c.source_id == source_id, _waiting, _table.c.position.in_(list(positions))
    )
    return {row.position: row.id for row in session.execute(statement)}


def _chunks(items: list) -> Iterator[list]:  # type: ignore[type-arg]
    return (items[first : first + 1000] for first in range(0, len(items), 1000))


def _c(attribute):  # type: ignore[no-untyped-def]
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute
