"""The patients of the store as records: what the structure stage derived, and the rows that stand around it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlmodel import Session, SQLModel, select

from consore import model
from consore.export.record import Care, Happened, Identity, Record, Taken
from consore.history import Measure, measures_of
from consore.model import (
    AlterationItem,
    BiomarkerItem,
    BiomarkerStatus,
    DocumentKind,
    DossierDocument,
    DrugItem,
    EventItem,
    EventType,
    EvidenceItem,
    EvidenceRef,
    Laterality,
    Sex,
    StructuredRow,
    System,
    TreatmentItem,
    TreatmentType,
    TumourItem,
    unpack_mentions,
)
from consore.referentials import Terminology

BATCH = 100

_CCAM = re.compile(r"[A-Z]{4}\d{3}")
_CANCER = re.compile(r"C|D0|D3[7-9]|D4[0-8]|[ZRSTVWXYUOP]")  # cancers, and chapters that name no disease

Rows = dict[int, list[Any]]


def records(
    session: Session, patient_ids: Iterable[int], terminology: Terminology, centre: str, *, with_evidence: bool = False
) -> Iterator[Record]:
    """The records of these patients, in the order given; an opposed or unknown one is passed over.

    `with_evidence` brings the sentences; without it no text of a document is read.
    """
    for batch in _chunks(list(patient_ids), BATCH):
        shelf = _Shelf(session, batch, with_evidence)
        for patient_id in batch:
            if patient := shelf.patients.get(patient_id):
                yield _record(session, patient, shelf, terminology, centre, with_evidence)


def measures(session: Session, patient_id: int, terminology: Terminology, *, with_text: bool) -> list[Measure]:
    """The results of biology of one patient; their sentences only `with_text`."""
    document = model.Document
    columns: list[Any] = [
        document.id,
        document.external_id,
        document.kind,
        document.date,
        model.DocumentMentions.payload,
    ]
    if with_text:
        columns.append(document.text)
    statement = (
        select(*columns)
        .join(model.DocumentMentions, model.DocumentMentions.document_id == document.id)
        .where(document.patient_id == patient_id)
        .order_by(document.id)
    )
    documents = [
        DossierDocument(str(key), DocumentKind(kind), date, text[0] if text else "", unpack_mentions(payload))
        for key, _, kind, date, payload, *text in session.execute(statement)
    ]
    kept = session.exec(
        select(model.StructuredRecord).where(
            model.StructuredRecord.patient_id == patient_id, model.StructuredRecord.kind == "biology"
        )
    )
    rows = [StructuredRow(str(row.id), row.kind, row.date, row.values_) for row in kept]
    return measures_of(documents, rows, terminology)


class _Shelf:
    """The derived rows of some patients, read table by table."""

    def __init__(self, session: Session, ids: Sequence[int], with_evidence: bool) -> None:
        wanted = select(model.Patient).where(model.Patient.id.in_(ids), ~model.Patient.opposed)  # type: ignore[union-attr, operator]
        self.patients = {row.id: row for row in session.exec(wanted)}
        self.tumours = _of(session, model.Tumour, "patient_id", ids, model.Tumour.rank)
        self.events = _of(session, model.TumourEvent, "patient_id", ids, model.TumourEvent.date)
        self.treatments = _of(session, model.Treatment, "patient_id", ids, model.Treatment.start)
        self.biomarkers = _of(session, model.Biomarker, "patient_id", ids, model.Biomarker.id)
        self.alterations = _of(session, model.Alteration, "patient_id", ids, model.Alteration.id)
        self.samples = _of(session, model.Sample, "patient_id", ids, model.Sample.date)
        self.diagnoses = _of(session, model.Diagnosis, "patient_id", ids, model.Diagnosis.date)
        self.sites = _of(session, model.TumourEventSite, "event_id", _keys(self.events), model.TumourEventSite.id)
        self.drugs = _of(session, model.TreatmentDrug, "treatment_id", _keys(self.treatments), model.TreatmentDrug.id)
        found: dict[tuple[str, int], list[EvidenceRef]] = defaultdict(list)
        if with_evidence:
            for rows in _of(session, model.Evidence, "patient_id", ids, model.Evidence.id).values():
                for row in rows:
                    document = str(row.document_id) if row.document_id else None
                    found[row.item, row.item_id].append(
                        EvidenceRef(row.quote, row.confidence, document, row.start, row.end)
                    )
        self._evidence = found
        beliefs = _of(session, model.Belief, "patient_id", ids, model.Belief.id)
        self._sure = {(one.item, one.item_id): one.confidence for rows in beliefs.values() for one in rows}

    def sure(self, item: EvidenceItem, row: Any) -> float:
        """How sure a derived row is, 0 to 1."""
        return float(self._sure.get((item.value, row.id), 1.0))

    def evidence(self, item: EvidenceItem, row: Any) -> list[EvidenceRef]:
        """The sentences behind a derived row."""
        return self._evidence.get((item.value, row.id), [])


def _record(
    session: Session,
    patient: model.Patient,
    shelf: _Shelf,
    terminology: Terminology,
    centre: str,
    with_evidence: bool,
) -> Record:
    key = patient.id or 0
    ranks = {row.id: row.rank for row in shelf.tumours[key]}
    places = {row.id: place for place, row in enumerate(shelf.events[key])}
    events = [_happened(row, ranks, places, shelf) for row in shelf.events[key]]
    return Record(
        id=patient.ipp,
        sex=Sex(patient.sex),
        centre=centre,
        birth=patient.birth_date,
        death=patient.death_date,
        last_news=patient.death_date or patient.last_news_date,
        tumours=[_tumour(row, shelf) for row in shelf.tumours[key]],
        events=events,
        cares=[_care(row, ranks, places, terminology, shelf) for row in shelf.treatments[key]],
        measures=measures(session, key, terminology, with_text=with_evidence),
        samples=[Taken(row.external_id, row.type, row.status, row.date, row.topography) for row in shelf.samples[key]],
        related=_related(shelf.diagnoses[key]),
        identity=Identity(
            patient.ipp,
            patient.family_name,
            patient.birth_name,
            patient.given_name,
            patient.postal_code,
            patient.city,
        ),
    )


def _tumour(row: model.Tumour, shelf: _Shelf) -> TumourItem:
    return TumourItem(
        rank=row.rank,
        topography=row.topography,
        morphology=row.morphology,
        laterality=Laterality(row.laterality) if row.laterality else None,
        diagnosis_date=row.diagnosis_date,
        ctnm=row.ctnm,
        ptnm=row.ptnm,
        stage=row.stage,
        grade=row.grade,
        label=row.label,
        biomarkers=[
            BiomarkerItem(
                one.code,
                BiomarkerStatus(one.status),
                one.label,
                one.value,
                one.unit,
                one.date,
                evidence=shelf.evidence(EvidenceItem.BIOMARKER, one),
            )
            for one in shelf.biomarkers[row.patient_id]
            if one.tumour_id == row.id
        ],
        alterations=[
            AlterationItem(
                one.gene,
                one.variant,
                BiomarkerStatus(one.status),
                one.date,
                evidence=shelf.evidence(EvidenceItem.ALTERATION, one),
            )
            for one in shelf.alterations[row.patient_id]
            if one.tumour_id == row.id
        ],
        confidence=shelf.sure(EvidenceItem.TUMOUR, row),
        evidence=shelf.evidence(EvidenceItem.TUMOUR, row),
    )


def _happened(row: model.TumourEvent, ranks: dict[Any, int], places: dict[Any, int], shelf: _Shelf) -> Happened:
    item = EventItem(
        EventType(row.type),
        row.date,
        ranks.get(row.tumour_id),
        [site.code for site in shelf.sites[row.id or 0]],
        row.label,
        confidence=shelf.sure(EvidenceItem.EVENT, row),
        evidence=shelf.evidence(EvidenceItem.EVENT, row),
    )
    return Happened(item, places.get(row.parent_id))


def _care(
    row: model.Treatment, ranks: dict[Any, int], places: dict[Any, int], terminology: Terminology, shelf: _Shelf
) -> Care:
    act = row.act_code or ""
    item = TreatmentItem(
        TreatmentType(row.type),
        row.name,
        [DrugItem(drug.name, drug.atc) for drug in shelf.drugs[row.id or 0]],
        row.regimen,
        row.act_code,
        row.line,
        row.start,
        row.end,
        ranks.get(row.tumour_id),
        row.intent,
        row.response,
        cycles=row.cycles,
        dose=row.dose,
        stop_reason=row.stop_reason,
        confidence=shelf.sure(EvidenceItem.TREATMENT, row),
        evidence=shelf.evidence(EvidenceItem.TREATMENT, row),
    )
    brachytherapy = terminology.label(System.LOCAL.value, "PROC:brachytherapy")
    return Care(
        item,
        ccam=act if _CCAM.fullmatch(act) else None,
        is_brachytherapy=act == "PROC:brachytherapy" or row.name == brachytherapy,
        event=places.get(row.event_id),
    )


def _related(rows: list[model.Diagnosis]) -> list[tuple[str, Any]]:
    """Other diseases of the stays, the first day of each; OSIRIS and its peers take three characters."""
    first: dict[str, Any] = {}
    for row in rows:
        code = row.code[:3]
        if not _CANCER.match(code):
            first.setdefault(code, row.date)
    return list(first.items())


def _of(session: Session, table: type[SQLModel], owner: str, keys: Sequence[Any], order: Any) -> Rows:
    """The rows of a table by what they belong to; rows without a date come last."""
    found: Rows = defaultdict(list)
    column = getattr(table, owner)
    for chunk in _chunks(keys, 500):
        statement = select(table).where(column.in_(chunk)).order_by(order.is_(None), order, table.id)  # type: ignore[attr-defined]
        for row in session.exec(statement):
            found[getattr(row, owner)].append(row)
    return found


def _chunks(keys: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _keys(rows: Rows) -> list[int]:
    return [row.id for some in rows.values() for row in some]


__all__ = ["measures", "records"]
