"""What physicians corrected, as annotated text that a reader can learn from (`consore train --corpus`).

One line a review and sentence: `{"id", "text", "mentions", "rejected", "review"}`. `text` is the sentence behind the
item with the patient's names masked, letter for letter, so that offsets hold. `mentions` are what is true there: the
words read, with the code or value that the physician gave; `rejected`, words that do not say what was read of them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlmodel import Session, col, select

from consore.access import Action, Principal, audit_each, mask_identity
from consore.language.sentences import sentences
from consore.model import (
    Correction,
    Document,
    DocumentMentions,
    Mention,
    MentionKind,
    Patient,
    Verdict,
    unpack_mentions,
)

# Which attribute of an item a mention of that kind states, and where in the mention it stands.
STATES: dict[MentionKind, tuple[tuple[str, str], ...]] = {
    MentionKind.TOPOGRAPHY: (("topography", "code"), ("laterality", "value")),
    MentionKind.MORPHOLOGY: (("morphology", "code"),),
    MentionKind.LATERALITY: (("laterality", "value"),),
    MentionKind.TNM: (("ptnm", "value"), ("ctnm", "value")),
    MentionKind.STAGE: (("stage", "value"),),
    MentionKind.GRADE: (("grade", "value"),),
    MentionKind.BIOMARKER: (("value", "value"), ("status", "value")),
    MentionKind.ALTERATION: (("variant", "value"),),
    MentionKind.LINE: (("line", "value"),),
}


def training_lines(
    session: Session, *, since: dt.date | None = None, principal: Principal | None = None, login: str = ""
) -> Iterator[dict[str, Any]]:
    """The lines of the reviews in force, the oldest first, each traced; those of opposed patients are left out."""
    wanted = (
        select(Correction, Patient)
        .join(Patient, col(Patient.id) == Correction.patient_id)
        .where(col(Correction.withdrawn_at).is_(None), ~col(Patient.opposed))
        .order_by(col(Correction.id))
    )
    rows = [
        (correction, patient)
        for correction, patient in session.exec(wanted)
        if since is None or correction.at.date() >= since
    ]
    audit_each(
        session,
        principal,
        Action.EXPORTED,
        sorted({patient.id or 0 for _, patient in rows}),
        {"form": "training"},
        "",
        login,
    )
    for correction, patient in rows:
        yield from _lines(session, correction, patient)


def _lines(session: Session, correction: Correction, patient: Patient) -> Iterator[dict[str, Any]]:
    spans: dict[str, list[tuple[int, int]]] = {}
    for proof in correction.before.get("evidence", []):
        if proof.get("document_id") and proof.get("start") is not None:
            spans.setdefault(proof["document_id"], []).append((proof["start"], proof["end"]))
    for external_id, found in spans.items():
        statement = (
            select(Document, DocumentMentions)
            .join(DocumentMentions, col(DocumentMentions.document_id) == Document.id)
            .where(Document.external_id == external_id)
        )
        held = session.exec(statement).first()
        if held is None:
            continue
        document, packed = held
        text = mask_identity(document.text, patient)
        read = unpack_mentions(packed.payload)
        for start, end in sentences(document.text):
            inside = [span for span in found if start <= span[0] < end]
            if not inside:
                continue
            here = [one for one in read if start <= one.start and one.end <= end]
            mentions, rejected = _judged(here, inside, correction)
            yield {
                "id": f"review-{correction.id}-{document.id}-{start}",
                "text": text[start:end],
                "mentions": [_moved(one, start, text) for one in mentions],
                "rejected": [_moved(one, start, text) for one in rejected],
                "review": {
                    "item": correction.item,
                    "verdict": correction.verdict,
                    "values": correction.values_,
                    "at": correction.at.isoformat(),
                },
            }


def _judged(
    here: list[Mention], spans: list[tuple[int, int]], correction: Correction
) -> tuple[list[Mention], list[Mention]]:
    """The mentions of a sentence as they truly are, and those that the review says are wrong."""
    true: list[Mention] = []
    wrong: list[Mention] = []
    for mention in here:
        judged = any(start < mention.end and mention.start < end for start, end in spans)
        if judged and correction.verdict == Verdict.REJECT:
            wrong.append(mention)
            continue
        true.append(_corrected(mention, correction.values_) if correction.verdict == Verdict.CORRECT else mention)
    return true, wrong


def _corrected(mention: Mention, values: dict[str, Any]) -> Mention:
    """The mention with what the review gives for it; one that states something else stays as it is."""
    for attribute, place in STATES.get(mention.kind, ()):
        if isinstance(values.get(attribute), str | int) and getattr(mention, place) is not None:
            mention = dataclasses.replace(mention, **{place: str(values[attribute])})
    return mention


def _moved(mention: Mention, start: int, text: str) -> dict[str, Any]:
    plain = mention.as_json()
    words = text[mention.start : mention.end]
    return {**plain, "start": mention.start - start, "end": mention.end - start, "text": words}


__all__ = ["training_lines"]
