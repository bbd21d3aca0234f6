"""Fictional patients written straight into a store, already structured: what search and index tests stand on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from consore.model import (
    Alteration,
    Assertion,
    Biomarker,
    Document,
    DocumentMentions,
    Evidence,
    Fact,
    Mention,
    MentionKind,
    Patient,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
    pack_mentions,
)
from consore.store import Store


@dataclass
class Person:
    """A patient in few words. Tumours, events, treatments, biomarkers, alterations: keyword values of their tables.

    `documents`: (kind, day, text). A span between `{{` and `}}` is a mention that is denied.
    """

    ipp: str
    sex: str = "female"
    born: str = "1970-05-01"
    died: str | None = None
    opposed: bool = False
    name: str = "DUVAL"
    tumours: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    treatments: list[dict[str, Any]] = field(default_factory=list)
    biomarkers: list[dict[str, Any]] = field(default_factory=list)
    alterations: list[dict[str, Any]] = field(default_factory=list)
    documents: list[tuple[str, str, str]] = field(default_factory=list)


def write(store: Store, people: list[Person]) -> dict[str, int]:
    """Put people in the store; their identifiers by IPP."""
    ids = {}
    with store.session() as session:
        for person in people:
            ids[person.ipp] = _write(session, person)
    return ids


def _write(session: Session, person: Person) -> int:
    patient = Patient(
        ipp=person.ipp,
        family_name=person.name,
        given_name="Camille",
        sex=person.sex,
        birth_date=day(person.born),
        death_date=day(person.died),
        opposed=person.opposed,
    )
    _add(session, patient)
    patient_id = int(patient.id or 0)
    papers = [_document(session, person, patient_id, *paper) for paper in person.documents]
    for rank, values in enumerate(person.tumours, 1):
        tumour = Tumour(**_days({"patient_id": patient_id, "rank": rank, **values}))
        _add(session, tumour)
        _fact(session, patient_id, "topography", "ICD-O-3-T", tumour.topography)
        _fact(session, patient_id, "morphology", "ICD-O-3-M", tumour.morphology)
        _evidence(session, patient_id, "tumour", tumour.id, papers)
    for values in person.events:
        sites = values.get("sites", [])
        event = TumourEvent(**_days({"patient_id": patient_id, **{k: v for k, v in values.items() if k != "sites"}}))
        _add(session, event)
        for code in sites:
            _add(session, TumourEventSite(event_id=event.id, code=code))
        _evidence(session, patient_id, "event", event.id, papers)
    for values in person.treatments:
        drugs = values.get("drugs", [])
        plain = {k: v for k, v in values.items() if k != "drugs"}
        treatment = Treatment(**_days({"patient_id": patient_id, "name": plain.get("type", ""), **plain}))
        _add(session, treatment)
        for atc in drugs:
            _add(session, TreatmentDrug(treatment_id=treatment.id, atc=atc, name=atc.lower()))
        _evidence(session, patient_id, "treatment", treatment.id, papers)
    for values in person.biomarkers:
        biomarker = Biomarker(**{"patient_id": patient_id, **values})
        _add(session, biomarker)
        _evidence(session, patient_id, "biomarker", biomarker.id, papers)
    for values in person.alterations:
        _add(session, Alteration(**{"patient_id": patient_id, **values}))
    return patient_id


def _document(session: Session, person: Person, patient_id: int, kind: str, written: str, text: str) -> Document:
    mentions = []
    while "{{" in text:
        start = text.index("{{")
        end = text.index("}}") - 2
        text = text.replace("{{", "", 1).replace("}}", "", 1)
        mentions.append(Mention(start, end, text[start:end], MentionKind.METASTASIS, assertion=Assertion.NEGATED))
    number = sum(1 for _ in session.new)
    document = Document(
        patient_id=patient_id,
        external_id=f"{person.ipp}-{kind}-{written}-{number}-{len(text)}",
        kind=kind,
        title=kind,
        date=day(written),
        text=text,
    )
    _add(session, document)
    _add(session, DocumentMentions(document_id=document.id, payload=pack_mentions(mentions), total=len(mentions)))
    return document


def _evidence(session: Session, patient_id: int, item: str, item_id: int | None, papers: list[Document]) -> None:
    if papers:
        quote = papers[0].text.split(".")[0]
        _add(
            session,
            Evidence(
                patient_id=patient_id,
                item=item,
                item_id=item_id,
                document_id=papers[0].id,
                start=0,
                end=len(quote),
                quote=quote,
            ),
        )


def _fact(session: Session, patient_id: int, kind: str, system: str, code: str | None) -> None:
    if code:
        _add(session, Fact(patient_id=patient_id, kind=kind, system=system, code=code, assertion="present"))


def _add(session: Session, row: Any) -> None:
    session.add(row)
    session.flush()


def _days(values: dict[str, Any]) -> dict[str, Any]:
    names = ("diagnosis_date", "date", "start", "end")
    return {key: day(value) if key in names else value for key, value in values.items()}


def day(written: str | None) -> dt.date | None:
    """`2024-03-01` as a day."""
    return dt.date.fromisoformat(written) if written else None
