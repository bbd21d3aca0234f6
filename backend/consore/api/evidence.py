"""Why a derived fact is believed: the document, the sentence, the offsets."""

from __future__ import annotations

import datetime as dt

import strawberry

from consore import model
from consore.access import mask_identity
from consore.api.context import RequestContext
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
            quote=one.row.quote if context.sees_identities else mask_identity(one.row.quote, patient),
            confidence=one.row.confidence,
        )
        for one in found
    ]
