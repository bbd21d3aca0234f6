"""Why a derived fact is believed: the document, the sentence, the offsets."""

from __future__ import annotations

import datetime as dt
from typing import Any

import strawberry

from consore import model
from consore.access import Permission, mask_identity
from consore.api.context import Info, RequestContext
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

    told: strawberry.Private[list[dict[str, Any]]]
    patient: strawberry.Private[model.Patient]

    @strawberry.field
    async def conflicts(self, info: Info) -> list[Conflict]:
        return [
            Conflict(
                attribute=one["attribute"],
                value=one["value"],
                evidence=await evidence_told(info.context, self.patient, one.get("evidence", [])),
            )
            for one in self.told
        ]

    @classmethod
    def of(cls, row: model.Belief, patient: model.Patient, context: RequestContext) -> Belief:
        """The row as this principal may read it."""
        return cls(
            key=row.key,
            confidence=row.confidence,
            reviewed=row.reviewed,
            review_value=row.review_value,
            why=shown_text(row.why, patient, context),
            told=row.conflicts,
            patient=patient,
        )


async def belief_of(context: RequestContext, patient: model.Patient, item: EvidenceItem, key: int) -> Belief | None:
    """How sure one derived row is; None where it was structured before beliefs were kept."""
    row = await context.loaders.belief.load((item.value, key))
    return Belief.of(row, patient, context) if row else None


def shown_text(text: str, patient: model.Patient, context: RequestContext) -> str:
    """A sentence as this principal may read it: none without the right to histories, no name without that to names."""
    if context.principal is None or not context.principal.may(Permission.CLINICAL):
        return ""
    return text if context.sees_identities else mask_identity(text, patient)


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


async def evidence_told(context: RequestContext, patient: model.Patient, told: list[dict[str, Any]]) -> list[Evidence]:
    """Evidence that is kept beside what it stands behind (`Belief.conflicts`, `Belief.evidence`)."""
    keys = [one["document_id"] for one in told if one.get("document_id")]
    rows = await context.loaders.document.load_many(keys)
    documents = {row.id: row for row in rows if row}
    found = []
    for one in told:
        document = documents.get(one.get("document_id"))
        found.append(
            Evidence(
                document_id=strawberry.ID(str(document.id)) if document else None,
                document_kind=document.kind if document else None,
                date=document.date if document else None,
                start=one.get("start"),
                end=one.get("end"),
                quote=shown_text(one.get("quote") or "", patient, context),
                confidence=one.get("confidence", 1.0),
            )
        )
    return found


async def evidence_of_measure(context: RequestContext, patient: model.Patient, measure: Measure) -> list[Evidence]:
    """The sentence or the row behind a result of biology."""
    told = [
        {
            "document_id": int(one.document_id) if one.document_id else None,
            "start": one.start,
            "end": one.end,
            "quote": one.quote,
            "confidence": one.confidence,
        }
        for one in measure.evidence
    ]
    return await evidence_told(context, patient, told)
