"""The parts of a patient's history as the schema shows them: tumours, events, treatments, biomarkers, samples."""

from __future__ import annotations

import datetime as dt

import strawberry

from consore import model
from consore.api.context import Info
from consore.api.evidence import Belief, Evidence, belief_of, evidence_of
from consore.history import event_label as words_of_event
from consore.model import EventType, EvidenceItem

TOPOGRAPHY = model.System.ICDO3_T.value
MORPHOLOGY = model.System.ICDO3_M.value


@strawberry.type(description="A biomarker result.")
class Biomarker:
    row: strawberry.Private[model.Biomarker]
    patient: strawberry.Private[model.Patient]
    id: strawberry.ID
    code: str
    label: str
    status: str
    value: str | None
    unit: str | None
    date: dt.date | None

    @classmethod
    def of(cls, row: model.Biomarker, patient: model.Patient) -> Biomarker:
        """The row as the schema shows it."""
        return cls(
            row=row,
            patient=patient,
            id=_id(row.id),
            code=row.code,
            label=row.label or row.code,
            status=row.status,
            value=row.value,
            unit=row.unit,
            date=row.date,
        )

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        return await evidence_of(info.context, self.patient, EvidenceItem.BIOMARKER, self.row.id or 0)

    @strawberry.field
    async def belief(self, info: Info) -> Belief | None:
        return await belief_of(info.context, self.patient, EvidenceItem.BIOMARKER, self.row.id or 0)


@strawberry.type(description="A primary tumour (ICD-O-3).")
class Tumour:
    row: strawberry.Private[model.Tumour]
    patient: strawberry.Private[model.Patient]
    id: strawberry.ID
    rank: int
    topography: str | None
    morphology: str | None
    laterality: str | None
    diagnosis_date: dt.date | None
    ctnm: str | None
    ptnm: str | None
    stage: str | None
    grade: str | None

    @classmethod
    def of(cls, row: model.Tumour, patient: model.Patient) -> Tumour:
        """The row as the schema shows it."""
        return cls(
            row=row,
            patient=patient,
            id=_id(row.id),
            rank=row.rank,
            topography=row.topography,
            morphology=row.morphology,
            laterality=row.laterality,
            diagnosis_date=row.diagnosis_date,
            ctnm=row.ctnm,
            ptnm=row.ptnm,
            stage=row.stage,
            grade=row.grade,
        )

    @strawberry.field
    def label(self, info: Info) -> str:
        words = info.context.terminology
        named = words.label(MORPHOLOGY, self.row.morphology), words.label(TOPOGRAPHY, self.row.topography)
        return self.row.label or ", ".join(word for word in named if word) or f"Tumeur {self.row.rank}"

    @strawberry.field
    def topography_label(self, info: Info) -> str | None:
        return info.context.terminology.label(TOPOGRAPHY, self.row.topography) or None

    @strawberry.field
    def morphology_label(self, info: Info) -> str | None:
        return info.context.terminology.label(MORPHOLOGY, self.row.morphology) or None

    @strawberry.field
    async def biomarkers(self, info: Info) -> list[Biomarker]:
        rows = await info.context.loaders.biomarkers.load(self.row.patient_id)
        return [Biomarker.of(row, self.patient) for row in rows if row.tumour_id == self.row.id]

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        return await evidence_of(info.context, self.patient, EvidenceItem.TUMOUR, self.row.id or 0)

    @strawberry.field
    async def belief(self, info: Info) -> Belief | None:
        return await belief_of(info.context, self.patient, EvidenceItem.TUMOUR, self.row.id or 0)


@strawberry.type(description="A site, ICD-O-3 topography.")
class Site:
    code: str
    label: str


@strawberry.type(description="What happened to a tumour or to the patient.")
class TumourEvent:
    row: strawberry.Private[model.TumourEvent]
    patient: strawberry.Private[model.Patient]
    id: strawberry.ID
    type: str
    date: dt.date | None

    @classmethod
    def of(cls, row: model.TumourEvent, patient: model.Patient) -> TumourEvent:
        """The row as the schema shows it."""
        return cls(row=row, patient=patient, id=_id(row.id), type=row.type, date=row.date)

    @strawberry.field
    def label(self) -> str:
        return event_label(self.row)

    @strawberry.field
    async def tumour_rank(self, info: Info) -> int | None:
        return await rank_of(info, self.row.patient_id, self.row.tumour_id)

    @strawberry.field
    async def sites(self, info: Info) -> list[Site]:
        words = info.context.terminology
        rows = await info.context.loaders.sites.load(self.row.id or 0)
        return [Site(code=row.code, label=words.label(TOPOGRAPHY, row.code)) for row in rows]

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        return await evidence_of(info.context, self.patient, EvidenceItem.EVENT, self.row.id or 0)

    @strawberry.field
    async def belief(self, info: Info) -> Belief | None:
        return await belief_of(info.context, self.patient, EvidenceItem.EVENT, self.row.id or 0)


@strawberry.type(description="A drug: French INN in lower case, ATC code.")
class Drug:
    name: str
    atc: str | None


@strawberry.type(description="A treatment that was given. `line` is null for curative or adjuvant care; `dose` in Gy.")
class Treatment:
    row: strawberry.Private[model.Treatment]
    patient: strawberry.Private[model.Patient]
    id: strawberry.ID
    type: str
    name: str
    regimen: str | None
    line: int | None
    start: dt.date | None
    end: dt.date | None
    intent: str | None
    response: str | None
    cycles: int | None
    dose: float | None
    stop_reason: str | None

    @classmethod
    def of(cls, row: model.Treatment, patient: model.Patient) -> Treatment:
        """The row as the schema shows it."""
        return cls(
            row=row,
            patient=patient,
            id=_id(row.id),
            type=row.type,
            name=row.name,
            regimen=row.regimen,
            line=row.line,
            start=row.start,
            end=row.end,
            intent=row.intent,
            response=row.response,
            cycles=row.cycles,
            dose=row.dose,
            stop_reason=row.stop_reason,
        )

    @strawberry.field
    async def drugs(self, info: Info) -> list[Drug]:
        return [Drug(name=row.name, atc=row.atc) for row in await info.context.loaders.drugs.load(self.row.id or 0)]

    @strawberry.field
    async def tumour_rank(self, info: Info) -> int | None:
        return await rank_of(info, self.row.patient_id, self.row.tumour_id)

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        return await evidence_of(info.context, self.patient, EvidenceItem.TREATMENT, self.row.id or 0)

    @strawberry.field
    async def belief(self, info: Info) -> Belief | None:
        return await belief_of(info.context, self.patient, EvidenceItem.TREATMENT, self.row.id or 0)


@strawberry.type(description="A gene alteration (HGNC symbol, variant as written).")
class Alteration:
    row: strawberry.Private[model.Alteration]
    patient: strawberry.Private[model.Patient]
    id: strawberry.ID
    gene: str
    variant: str
    status: str
    date: dt.date | None

    @classmethod
    def of(cls, row: model.Alteration, patient: model.Patient) -> Alteration:
        """The row as the schema shows it."""
        return cls(
            row=row,
            patient=patient,
            id=_id(row.id),
            gene=row.gene,
            variant=row.variant,
            status=row.status,
            date=row.date,
        )

    @strawberry.field
    async def evidence(self, info: Info) -> list[Evidence]:
        return await evidence_of(info.context, self.patient, EvidenceItem.ALTERATION, self.row.id or 0)

    @strawberry.field
    async def belief(self, info: Info) -> Belief | None:
        return await belief_of(info.context, self.patient, EvidenceItem.ALTERATION, self.row.id or 0)


@strawberry.type(description="A sample of the biobank.")
class Sample:
    id: strawberry.ID
    type: str
    status: str
    date: dt.date | None

    @classmethod
    def of(cls, row: model.Sample) -> Sample:
        """The row as the schema shows it."""
        return cls(id=_id(row.id), type=row.type, status=row.status, date=row.date)


async def rank_of(info: Info, patient_id: int, tumour_id: int | None) -> int | None:
    """The rank of a tumour of the patient; None where the row belongs to none."""
    if tumour_id is None:
        return None
    tumours = await info.context.loaders.tumours.load(patient_id)
    return next((tumour.rank for tumour in tumours if tumour.id == tumour_id), None)


def event_label(row: model.TumourEvent) -> str:
    """The event in French."""
    return row.label or words_of_event(EventType(row.type), [], None)


def _id(key: int | None) -> strawberry.ID:
    return strawberry.ID(str(key))
