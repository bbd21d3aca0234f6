"""A patient's cancer history (*biographie médicale*) as plain values: what `history` gives and `store` keeps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from consore.model.mention import Mention
from consore.model.vocabulary import (
    BiomarkerStatus,
    DocumentKind,
    EventType,
    EvidenceItem,
    Laterality,
    Sex,
    TreatmentType,
    Verdict,
)


@dataclass(slots=True)
class DossierDocument:
    """One read document of a patient. `id` is unique in the dossier; `sentences`: their spans, if they are known."""

    id: str
    kind: DocumentKind
    date: dt.date | None
    text: str
    mentions: list[Mention]
    sentences: list[tuple[int, int]] | None = None


@dataclass(slots=True)
class StructuredRow:
    """One row that came already structured.

    `kind`: `tumour_sheet`, `chemotherapy`, `pharmacy`, `biology`, `molecular`, `biobank`, `act` or `diagnosis`;
    `values`: the row with the keys of the exchange format (`backend/README.md`), dates as ISO text.
    """

    id: str
    kind: str
    date: dt.date | None
    values: dict[str, Any]


@dataclass(slots=True, frozen=True)
class CorrectionItem:
    """What a physician said of one item of a history: it outranks whatever is extracted.

    `key`: the item as the physician saw it (`TumourItem.key`…); `values`: what is true, with the keys and the
    writing of `Biography.as_json` (`{"laterality": "left"}`); only those that the physician changed. `before`: the
    item as it was, from which it is made again where nothing tells it any more.
    """

    id: str
    key: str
    verdict: Verdict
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    author: str = ""
    at: dt.datetime | None = None


@dataclass(slots=True)
class Dossier:
    """All that is known of one patient before structuring."""

    patient_id: str
    sex: Sex = Sex.UNKNOWN
    birth_date: dt.date | None = None
    death_date: dt.date | None = None
    documents: list[DossierDocument] = field(default_factory=list)
    structured: list[StructuredRow] = field(default_factory=list)
    corrections: list[CorrectionItem] = field(default_factory=list)


@dataclass(slots=True, unsafe_hash=True)
class EvidenceRef:
    """Why an item is believed: a span of a document, or a structured row. Nobody changes one, as of a `Mention`.

    `document_id` with `start`, `end` (code points) and `quote` (the sentence), or `row_id` with `quote`.
    """

    quote: str
    confidence: float
    document_id: str | None = None
    start: int | None = None
    end: int | None = None
    row_id: str | None = None


@dataclass(slots=True, frozen=True)
class Conflict:
    """What another source says of one attribute of an item (`laterality`, `diagnosis_date`…), and where.

    `attribute` is `existence` where a source denies the item itself.
    """

    attribute: str
    value: str
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Believed:
    """What every item of a history carries besides its attributes.

    `key`: names the item across re-structurings, as corrections do (`history/README.md`).
    `confidence`: 0–1, that the item is true as it stands. `why`: one French sentence, why this and not that.
    `conflicts`: what other sources say. `evidence`: where it is said.
    """

    key: str = ""
    confidence: float = 1.0
    why: str = ""
    conflicts: list[Conflict] = field(default_factory=list)
    evidence: list[EvidenceRef] = field(default_factory=list)


@dataclass(slots=True)
class BiomarkerItem(Believed):
    """A biomarker of a tumour; `value` as measured (with `unit`), `date` of the result."""

    code: str
    status: BiomarkerStatus
    label: str = ""
    value: str | None = None
    unit: str | None = None
    date: dt.date | None = None


@dataclass(slots=True)
class AlterationItem(Believed):
    """A gene alteration; `variant` as written (`p.V600E`, `exon 19 deletion`, `fusion`)."""

    gene: str
    variant: str
    status: BiomarkerStatus = BiomarkerStatus.MUTATED
    date: dt.date | None = None


@dataclass(slots=True)
class TumourItem(Believed):
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


@dataclass(slots=True)
class EventItem(Believed):
    """What happened, when and where. `sites` are ICD-O-3 topographies; `tumour_rank` null: of the patient.

    `parent`: the key of the event that it follows (OSIRIS `TumorPathologyEvent` chain); null for a diagnosis.
    """

    type: EventType
    date: dt.date | None
    tumour_rank: int | None = None
    sites: list[str] = field(default_factory=list)
    label: str = ""
    parent: str | None = None


@dataclass(slots=True, frozen=True)
class DrugItem:
    """A drug: French INN in lower case, and its ATC code."""

    name: str
    atc: str | None = None


@dataclass(slots=True)
class TreatmentItem(Believed):
    """A treatment that was given. `line` is null for curative or adjuvant care, from 1 in advanced disease.

    `event`: the key of the event that it treats. `cycles`: administrations or sessions counted in the rows or told;
    `dose`: of a radiotherapy, in Gy. `stop_reason`: `completed`, `progression`, `toxicity`, `refusal` or `death`.
    """

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
    event: str | None = None
    cycles: int | None = None
    dose: float | None = None
    stop_reason: str | None = None


@dataclass(slots=True)
class SetAside(Believed):
    """An item that some source tells and that the history does not hold, with the reason in `why`."""

    item: EvidenceItem
    label: str = ""
    date: dt.date | None = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Biography:
    """The whole history of one patient. `last_news`: the last day on which something is known of them."""

    patient_id: str
    tumours: list[TumourItem] = field(default_factory=list)
    events: list[EventItem] = field(default_factory=list)
    treatments: list[TreatmentItem] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    death_date: dt.date | None = None
    last_news: dt.date | None = None

    def as_json(self) -> dict[str, Any]:
        """The history with the keys of `consore history`."""
        return {
            "patient_id": self.patient_id,
            "tumours": [_plain(item) for item in self.tumours],
            "events": [_plain(item) for item in self.events],
            "treatments": [_plain(item) for item in self.treatments],
            "vital_status": "dead" if self.death_date else "alive",
            "death_date": _plain(self.death_date),
            "last_news": _plain(self.last_news),
            "set_aside": [_plain(item) for item in self.set_aside],
        }


_BELIEVED = len(Believed.__dataclass_fields__)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        names = list(value.__dataclass_fields__)
        if isinstance(value, Believed):  # what the item is before why it is believed
            names = names[_BELIEVED:] + names[:_BELIEVED]
        return {name: _plain(getattr(value, name)) for name in names}
    return getattr(value, "value", value)
