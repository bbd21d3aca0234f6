"""A patient's cancer history (*biographie médicale*) as plain values: what `history` gives and `store` keeps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from consore.model.mention import Mention
from consore.model.vocabulary import BiomarkerStatus, DocumentKind, EventType, Laterality, Sex, TreatmentType


@dataclass(slots=True)
class DossierDocument:
    """One read document of a patient. `id` is unique in the dossier."""

    id: str
    kind: DocumentKind
    date: dt.date | None
    text: str
    mentions: list[Mention]


@dataclass(slots=True)
class StructuredRow:
    """One row that came already structured.

    `kind`: `tumour_sheet`, `chemotherapy`, `biobank`, `act` or `diagnosis`;
    `values`: the row with the keys of the exchange format (`backend/README.md`), dates as ISO text.
    """

    id: str
    kind: str
    date: dt.date | None
    values: dict[str, Any]


@dataclass(slots=True)
class Dossier:
    """All that is known of one patient before structuring."""

    patient_id: str
    sex: Sex = Sex.UNKNOWN
    birth_date: dt.date | None = None
    death_date: dt.date | None = None
    documents: list[DossierDocument] = field(default_factory=list)
    structured: list[StructuredRow] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class EvidenceRef:
    """Why an item is believed: a span of a document, or a structured row.

    `document_id` with `start`, `end` (code points) and `quote` (the sentence), or `row_id` with `quote`.
    """

    quote: str
    confidence: float
    document_id: str | None = None
    start: int | None = None
    end: int | None = None
    row_id: str | None = None


@dataclass(slots=True)
class BiomarkerItem:
    """A biomarker of a tumour; `value` as measured (with `unit`), `date` of the result."""

    code: str
    status: BiomarkerStatus
    label: str = ""
    value: str | None = None
    unit: str | None = None
    date: dt.date | None = None
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True)
class AlterationItem:
    """A gene alteration; `variant` as written (`p.V600E`, `exon 19 deletion`, `fusion`)."""

    gene: str
    variant: str
    status: BiomarkerStatus = BiomarkerStatus.MUTATED
    date: dt.date | None = None
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True)
class TumourItem:
    """One primary tumour. `rank` counts from 1 by diagnosis date; codes are ICD-O-3."""

    rank: int
    topography: str | None
    morphology: str | None
    laterality: Laterality | None = None
    diagnosis_date: dt.date | None = None
    ctnm: str | None = None
    ptnm: str | None = None
    stage: str | None = None
    grade: str | None = None
    label: str = ""
    biomarkers: list[BiomarkerItem] = field(default_factory=list)
    alterations: list[AlterationItem] = field(default_factory=list)
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True)
class EventItem:
    """What happened, when and where. `sites` are ICD-O-3 topographies; `tumour_rank` null: of the patient."""

    type: EventType
    date: dt.date | None
    tumour_rank: int | None = None
    sites: list[str] = field(default_factory=list)
    label: str = ""
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class DrugItem:
    """A drug: French INN in lower case, and its ATC code."""

    name: str
    atc: str | None = None


@dataclass(slots=True)
class TreatmentItem:
    """A treatment that was given. `line` is null for curative or adjuvant care, from 1 in advanced disease."""

    type: TreatmentType
    name: str
    drugs: list[DrugItem] = field(default_factory=list)
    regimen: str | None = None
    act_code: str | None = None
    line: int | None = None
    start: dt.date | None = None
    end: dt.date | None = None
    tumour_rank: int | None = None
    intent: str | None = None
    response: str | None = None
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True)
class Biography:
    """The whole history of one patient."""

    patient_id: str
    tumours: list[TumourItem] = field(default_factory=list)
    events: list[EventItem] = field(default_factory=list)
    treatments: list[TreatmentItem] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The history with the keys of `consore history`."""
        return {
            "patient_id": self.patient_id,
            "tumours": [_plain(item) for item in self.tumours],
            "events": [_plain(item) for item in self.events],
            "treatments": [_plain(item) for item in self.treatments],
        }


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return getattr(value, "value", value)
