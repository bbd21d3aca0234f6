"""A physician's word on an item of a history is written down, and the history made again with it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, col, select

from consore.errors import InputError
from consore.ingestion.intake import mark_pending
from consore.ingestion.structuring import load_dossier, structure_and_save
from consore.model import Believed, Biography, Correction, EvidenceItem, SetAside, Verdict, now

if TYPE_CHECKING:
    from consore.referentials import Terminology

LONGEST_COMMENT = 500


@dataclass(slots=True, frozen=True)
class Reviewer:
    """Who judges."""

    account_id: int | None
    login: str
    name: str


def review(
    session: Session,
    patient_id: int,
    key: str,
    verdict: Verdict,
    values: dict[str, Any],
    reviewer: Reviewer,
    terminology: Terminology,
    comment: str = "",
) -> Correction:
    """Keep what is said of the item of that key, in the caller's transaction; the patient's rows are made again.

    `values` as people write them (`history.checked`); only of a correction. The patient is marked too, for the index.
    Raises InputError where no item answers to the key any more or a value cannot be taken.
    """
    from consore.history import checked, items_of, structure

    biography = structure(load_dossier(session, patient_id), terminology)
    found = next(((kind, item) for kind, item in items_of(biography) if item.key == key), None)
    if found is None:
        raise InputError("This item is not in the history any more.", "Look at the patient again: it has changed.")
    kind, item = found
    correction = Correction(
        patient_id=patient_id,
        item=kind.value,
        key=key,
        verdict=verdict.value,
        values_=checked(kind, values, terminology) if verdict is Verdict.CORRECT else {},
        before=_plain(biography, kind, item),
        account_id=reviewer.account_id,
        login=reviewer.login,
        author=reviewer.name,
        comment=comment.strip()[:LONGEST_COMMENT],
    )
    session.add(correction)
    session.flush()
    session.refresh(correction)
    session.expunge(correction)
    mark_pending(session, [patient_id])
    structure_and_save(session, patient_id, terminology)
    return correction


def withdraw(session: Session, correction_id: int, terminology: Terminology) -> Correction | None:
    """Take a physician's word back: the history is again what is read. None where there is no such correction."""
    found = session.exec(
        select(Correction).where(Correction.id == correction_id, col(Correction.withdrawn_at).is_(None))
    ).first()
    if found is None:
        return None
    found.withdrawn_at = now()
    session.add(found)
    session.flush()
    session.refresh(found)
    session.expunge(found)
    mark_pending(session, [found.patient_id])
    structure_and_save(session, found.patient_id, terminology)
    return found


def _plain(biography: Biography, kind: EvidenceItem, item: Believed) -> dict[str, Any]:
    """The item as `consore history` writes it, with its evidence: what a reader can learn from."""
    if isinstance(item, SetAside):
        evidence = Biography("", set_aside=[item]).as_json()["set_aside"][0]["evidence"]
        return {**item.values, "evidence": evidence, "set_aside": True}
    plain = biography.as_json()
    lists: list[dict[str, Any]] = plain["tumours"] + plain["events"] + plain["treatments"]
    for tumour in plain["tumours"]:
        lists = lists + tumour["biomarkers"] + tumour["alterations"]
    kept: dict[str, Any] = next(one for one in lists if one["key"] == item.key)
    return {name: value for name, value in kept.items() if name not in ("biomarkers", "alterations")}


__all__ = ["Reviewer", "review", "withdraw"]
