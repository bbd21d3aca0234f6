"""What the index needs to know of a patient, read from the store for many patients at once.

The same plain values make the patient's record in the index, their vector, and the words that explain a likeness.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from consore.model import (
    Act,
    Alteration,
    Biomarker,
    Diagnosis,
    Document,
    Patient,
    Sample,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)


@dataclass(slots=True)
class PatientTraits:
    """One patient's derived history and codes, as the store holds them."""

    patient: Patient
    tumours: list[Tumour] = field(default_factory=list)
    events: list[tuple[TumourEvent, list[str]]] = field(default_factory=list)  # with the sites of each
    treatments: list[tuple[Treatment, list[TreatmentDrug]]] = field(default_factory=list)
    biomarkers: list[Biomarker] = field(default_factory=list)
    alterations: list[Alteration] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    diagnoses: list[str] = field(default_factory=list)  # CIM-10
    acts: list[str] = field(default_factory=list)  # CCAM
    last_document: dt.date | None = None

    @property
    def vital_status(self) -> str:
        """`dead` or `alive`."""
        return "dead" if self.patient.death_date else "alive"

    @property
    def ages_at_diagnosis(self) -> list[int]:
        """Completed years at the diagnosis of each dated tumour."""
        birth = self.patient.birth_date
        days = [tumour.diagnosis_date for tumour in self.tumours if tumour.diagnosis_date]
        return [completed_years(birth, day) for day in days] if birth else []

    @property
    def last_date(self) -> dt.date | None:
        """The last day on which anything is known of the patient."""
        days: list[dt.date | None] = [
            self.patient.death_date,
            self.patient.last_news_date,
            self.last_document,
            *(tumour.diagnosis_date for tumour in self.tumours),
            *(event.date for event, _ in self.events),
        ]
        return max((day for day in days if day), default=None)


def completed_years(birth: dt.date, day: dt.date) -> int:
    """Age in completed years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def load_traits(
    session: Session, patient_ids: Iterable[int], kinds: Collection[str] | None = None
) -> dict[int, PatientTraits]:
    """The traits of these patients by identifier; those who are opposed or unknown are left out.

    Ask for some hundreds at a time: the identifiers go into the statements. `kinds`: the attributes that are wanted of
    what is known of a patient (`tumours`, `events`…), by default all.
    """
    asked = sorted(set(patient_ids))
    patients = session.scalars(select(Patient).where(_c(Patient.id).in_(asked), _c(Patient.opposed).is_(False)))
    traits = {int(patient.id or 0): PatientTraits(patient) for patient in patients}
    for name, load in _LOADERS.items():
        if traits and (kinds is None or name in kinds):
            load(session, traits)
    return traits


def _load_rows(model: Any, name: str) -> _Loader:
    def load(session: Session, traits: dict[int, PatientTraits]) -> None:
        for row in session.scalars(select(model).where(_c(model.patient_id).in_(list(traits))).order_by(model.id)):
            getattr(traits[row.patient_id], name).append(row)

    return load


def _load_codes(model: Any, name: str) -> _Loader:
    def load(session: Session, traits: dict[int, PatientTraits]) -> None:
        pairs = select(_c(model.patient_id), _c(model.code)).where(_c(model.patient_id).in_(list(traits))).distinct()
        for patient_id, code in session.execute(pairs):
            getattr(traits[patient_id], name).append(code)

    return load


def _load_events(session: Session, traits: dict[int, PatientTraits]) -> None:
    ids = list(traits)
    sites: dict[int, list[str]] = defaultdict(list)
    joined = (
        select(_c(TumourEventSite.event_id), _c(TumourEventSite.code))
        .join(TumourEvent, _c(TumourEvent.id) == _c(TumourEventSite.event_id))
        .where(_c(TumourEvent.patient_id).in_(ids))
        .order_by(_c(TumourEventSite.id))
    )
    for event_id, code in session.execute(joined):
        sites[event_id].append(code)
    for event in session.scalars(
        select(TumourEvent).where(_c(TumourEvent.patient_id).in_(ids)).order_by(_c(TumourEvent.id))
    ):
        traits[event.patient_id].events.append((event, sites[int(event.id or 0)]))


def _load_treatments(session: Session, traits: dict[int, PatientTraits]) -> None:
    ids = list(traits)
    drugs: dict[int, list[TreatmentDrug]] = defaultdict(list)
    joined = (
        select(TreatmentDrug)
        .join(Treatment, _c(Treatment.id) == _c(TreatmentDrug.treatment_id))
        .where(_c(Treatment.patient_id).in_(ids))
        .order_by(_c(TreatmentDrug.id))
    )
    for drug in session.scalars(joined):
        drugs[drug.treatment_id].append(drug)
    for treatment in session.scalars(
        select(Treatment).where(_c(Treatment.patient_id).in_(ids)).order_by(_c(Treatment.id))
    ):
        traits[treatment.patient_id].treatments.append((treatment, drugs[int(treatment.id or 0)]))


def _load_last_documents(session: Session, traits: dict[int, PatientTraits]) -> None:
    dates = (
        select(_c(Document.patient_id), func.max(_c(Document.date)))
        .where(_c(Document.patient_id).in_(list(traits)))
        .group_by(_c(Document.patient_id))
    )
    for patient_id, day in session.execute(dates):
        traits[patient_id].last_document = day


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute


_Loader = Callable[[Session, dict[int, PatientTraits]], None]
_LOADERS: dict[str, _Loader] = {
    "tumours": _load_rows(Tumour, "tumours"),
    "biomarkers": _load_rows(Biomarker, "biomarkers"),
    "alterations": _load_rows(Alteration, "alterations"),
    "samples": _load_rows(Sample, "samples"),
    "events": _load_events,
    "treatments": _load_treatments,
    "diagnoses": _load_codes(Diagnosis, "diagnoses"),
    "acts": _load_codes(Act, "acts"),
    "last_document": _load_last_documents,
}
