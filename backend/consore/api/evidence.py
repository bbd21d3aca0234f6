"""Why a derived fact is believed: the document, the sentence, the offsets."""

from __future__ import annotations

import datetime as dt
from typing import Any

import strawberry

from consore import model
from consore.access import Permission, mask_identity
from consore.api.context import RequestContext
from consore.history import Measure
from consore.model import EvidenceItem


@strawberry.type(description="A span of a document (offsets in code points of its text), or a structured row.")
class Evidence:
    document_id: strawberry.ID | None
    document_kind: str | None
    date: dt.date | None
    start: int | None
    end: int | None
    quote: str
    confidence: float


@strawberry.type(description="What another source says of one attribute of an item; `existence`: that it is not so.")
class Conflict:
    attribute: str
    value: str
    evidence: list[Evidence]


@strawberry.type(
    description="How sure an item of a history is: `key` names it, `confidence` is 0 to 1, `why` one French sentence, "
    "`conflicts` what other sources say; `reviewed` where a physician has judged it."
)
class Belief:
    key: str
    confidence: float
    reviewed: bool
    review_value: float
    why: str
    conflicts: list[Conflict]

    @classmethod
    def of(cls, row: model.Belief, patient: model.Patient, context: RequestContext) -> Belief:
        """The row as this principal may read it."""
        return cls(
            key=row.key,
            confidence=row.confidence,
            reviewed=row.reviewed,
            review_value=row.review_value,
            why=shown_text(row.why, patient, context),
            conflicts=[_conflict(one, patient, context) for one in row.conflicts],
        )


async def belief_of(context: RequestContext, patient: model.Patient, item: EvidenceItem, key: int) -> Belief | None:
    """How sure one derived row is; None where it was structured before beliefs were kept."""
    row = await context.loaders.belief.load((item.value, key))
    return Belief.of(row, patient, context) if row else None


def shown_text(text: str, patient: model.Patient, context: RequestContext) -> str:
    """A sentence as this principal may read it: nothing without the right to histories, no name without that to names."""
    if context.principal is None or not context.principal.may(Permission.CLINICAL):
        return ""
    return text if context.sees_identities else mask_identity(text, patient)


def _conflict(told: dict[str, Any], patient: model.Patient, context: RequestContext) -> Conflict:
    return Conflict(
        attribute=told["attribute"],
        value=told["value"],
        evidence=[
            Evidence(
                document_id=strawberry.ID(str(one["document_id"])) if one.get("document_id") else None,
                document_kind=None,
                date=None,
                start=one.get("start"),
                end=one.get("end"),
                quote=shown_text(one.get("quote") or "", patient, context),
                confidence=1.0,
            )
            for one in told.get("evidence", [])
        ],
    )


async def evidence_of(context: RequestContext, patient: model.Patient, item: EvidenceItem, key: int) -> list[Evidence]:
    """The evidence of one derived row, its quotes as this principal may read them."""
    found = await context.loaders.evidence.load((item.value, key))
    return [
        Evidence(
            document_id=strawberry.ID(str(one.row.document_id)) if one.row.document_id else None,
            document_kind=one.document_kind,
            date=one.date,
            start=one.row.start,
            end=one.row.end,
            quote=shown_text(one.row.quote, patient, context),
            confidence=one.row.confidence,
        )
        for one in found
    ]


async def evidence_of_measure(context: RequestContext, patient: model.Patient, measure: Measure) -> list[Evidence]:
    """The sentence or the row behind a result of biology."""
    keys = [int(one.document_id) for one in measure.evidence if one.document_id]
    documents = {key: row for key, row in zip(keys, await context.loaders.document.load_many(keys), strict=True) if row}
    return [
        Evidence(
            document_id=strawberry.ID(one.document_id) if one.document_id else None,
            document_kind=documents[int(one.document_id)].kind if one.document_id else None,
            date=documents[int(one.document_id)].date if one.document_id else measure.date,
            start=one.start,
            end=one.end,
            quote=shown_text(one.quote, patient, context),
            confidence=one.confidence,
        )
        for one in measure.evidence
    ]
