"""Patients as FHIR R4 (4.0.1): a Bundle of type collection a patient, in the shapes of mCODE and OSIRIS.

A tumour is a Condition with its ICD-O-3 morphology and side (extensions of mCODE, *Primary Cancer Condition*), its TNM
an Observation (*TNM Stage Group*, LOINC 21908-9 clinical, 21902-2 pathological); metastases are Conditions (*Secondary
Cancer Condition*), recurrences, progressions and remissions Observations of the disease (LOINC 97509-4). Operations,
radiotherapy and transplants are Procedures, drugs MedicationStatements; biomarkers, gene alterations and biology are
Observations, samples Specimens. Profiles are not claimed. The fictional centres' bulk files use the same pieces.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from consore.export.record import Care, Happened, Record, Taken
from consore.history import Measure, analysis
from consore.history.biology import number_of
from consore.model import (
    AlterationItem,
    BiomarkerItem,
    BiomarkerStatus,
    EventType,
    EvidenceRef,
    Laterality,
    TreatmentType,
    TumourItem,
)
from consore.referentials import Terminology

LOINC, CIM10 = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10"
CCAM, ATC, ICDO3 = "urn:oid:1.2.250.1.215.300.1", "http://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.43.1"
LOCAL = "urn:consore:local"
HL7 = "http://terminology.hl7.org/CodeSystem"

Resource = dict[str, Any]

_MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition"
_SNOMED = "http://snomed.info/sct"
SURE_FROM = 0.6  # below, what is read is told as provisional; the summary marks it "(?)"
_STARTS = (EventType.INITIAL, EventType.SECOND_CANCER)
_WORSE, _ABSENT = ("271299001", "Patient's condition worsened"), ("260415000", "Not detected")
_DISEASE = {  # SNOMED CT, as in the value set of mCODE (*Condition Status Trend*)
    EventType.LOCAL_RECURRENCE: _WORSE,
    EventType.REGIONAL_RECURRENCE: _WORSE,
    EventType.METASTATIC_RECURRENCE: _WORSE,
    EventType.PROGRESSION: _WORSE,
    EventType.REMISSION: _ABSENT,
}
_TNM = {"c": ("21908-9", "Stage group.clinical Cancer"), "p": ("21902-2", "Stage group.pathology Cancer")}
_SIDES = {  # SNOMED CT, as in the value set of mCODE
    Laterality.LEFT: ("7771000", "Left"),
    Laterality.RIGHT: ("24028007", "Right"),
    Laterality.BILATERAL: ("51440002", "Bilateral"),
    Laterality.MIDLINE: ("260528009", "Median"),
}
_PROCEDURES = (TreatmentType.SURGERY, TreatmentType.RADIOTHERAPY, TreatmentType.TRANSPLANT, TreatmentType.CELL_THERAPY)


def write_fhir(records: Iterable[Record], folder: Path, terminology: Terminology) -> int:
    """Write one Bundle a patient, `ID.json`, under `folder`; gives how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for record in records:
        text = json.dumps(bundle(record, terminology), ensure_ascii=False, indent=1)
        (folder / f"{logical_id(record.id)}.json").write_text(text + "\n", encoding="utf-8")
        count += 1
    return count


def bundle(record: Record, terminology: Terminology) -> Resource:
    """The record as a Bundle of type collection; references are `urn:uuid:`-free, `Type/id` within it."""
    entries = [
        {"fullUrl": f"urn:consore:{resource['resourceType']}:{resource['id']}", "resource": resource}
        for resource in _resources(record, terminology)
    ]
    return {"resourceType": "Bundle", "id": logical_id(record.id), "type": "collection", "entry": entries}


# --- Pieces, shared with the generator ------------------------------------------------------------------------


def concept(system: str, code: str, display: str) -> Resource:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def category(kind: str, code: str) -> list[Resource]:
    """A category of HL7's own code systems, as a list of one."""
    return [{"coding": [{"system": f"{HL7}/{kind}", "code": code}]}]


def logical_id(key: str) -> str:
    """A logical id: letters, digits, dots and hyphens, at most 64."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in key)[:64]


def subject(patient: str) -> Resource:
    """The reference to a patient."""
    return {"reference": f"Patient/{logical_id(patient)}"}


def condition(
    key: str,
    patient: str,
    code: tuple[str, str] | None,
    site: tuple[str, str] | None,
    morphology: tuple[str, str] | None,
    onset: str | None,
    stage: str | None = None,
    *,
    is_sure: bool = True,
) -> Resource:
    """A tumour. `code` is CIM-10, `site` and `morphology` ICD-O-3, each with its label; `stage` as people write it.

    One that is not sure is `provisional`.
    """
    display = (site or morphology or ("", "Tumeur"))[1]
    found: Resource = {
        "resourceType": "Condition",
        "id": logical_id(key),
        "clinicalStatus": category("condition-clinical", "active")[0],
        "verificationStatus": category("condition-ver-status", "confirmed" if is_sure else "provisional")[0],
        "category": category("condition-category", "problem-list-item"),
        "code": concept(CIM10, *code) if code else {"text": display},
    }
    if site:
        found["bodySite"] = [concept(ICDO3, *site)]
    found["subject"] = subject(patient)
    if onset:
        found["onsetDateTime"] = onset
    if morphology:
        found["evidence"] = [{"code": [concept(ICDO3, *morphology)]}]
    if stage:
        found["stage"] = [{"summary": {"text": stage}}]
    return found


def laboratory(
    key: str,
    patient: str,
    code: str,
    date: str,
    value: float,
    unit: str,
    low: float | None = None,
    high: float | None = None,
) -> Resource:
    """A result of biology; `code` is a name of `analyses.csv`, else free."""
    loinc = analysis(code)
    quantity: Resource = {"value": value, "unit": unit}
    if loinc and loinc.unit:
        quantity |= {"system": "http://unitsofmeasure.org", "code": loinc.unit}
    bounds: Resource = {}
    if low is not None:
        bounds["low"] = {"value": low, "unit": unit}
    if high is not None:
        bounds["high"] = {"value": high, "unit": unit}
    observation = {
        "resourceType": "Observation",
        "id": logical_id(key),
        "status": "final",
        "category": category("observation-category", "laboratory"),
        "code": concept(LOINC, loinc.code, loinc.label) if loinc else {"text": code},
        "subject": subject(patient),
        "effectiveDateTime": date,
        "valueQuantity": quantity,
    }
    return {**observation, "referenceRange": [bounds]} if bounds else observation


def variant(key: str, patient: str, gene: str, found: str | None, date: str | None) -> Resource:
    """A gene looked at (*Genomics Reporting*: LOINC 69548-6, 48018-6, 48005-3); `found` null: wild type."""
    answer = ("LA9633-4", "Present") if found is not None else ("LA9634-2", "Absent")
    parts = [{"code": concept(LOINC, "48018-6", "Gene studied [ID]"), "valueCodeableConcept": {"text": gene}}]
    if found:
        change = concept(LOINC, "48005-3", "Amino acid change (pHGVS)")
        parts.append({"code": change, "valueCodeableConcept": {"text": found}})
    resource = {
        "resourceType": "Observation",
        "id": logical_id(key),
        "status": "final",
        "category": category("observation-category", "laboratory"),
        "code": concept(LOINC, "69548-6", "Genetic variant assessment"),
        "subject": subject(patient),
    }
    if date:
        resource["effectiveDateTime"] = date
    return {
        **resource,
        "valueCodeableConcept": {"coding": [{"system": LOINC, "code": answer[0], "display": answer[1]}]},
        "component": parts,
    }


# --- A record ---------------------------------------------------------------------------------------------------


def _resources(record: Record, terminology: Terminology) -> Iterator[Resource]:
    yield _patient(record)
    for tumour in record.tumours:
        yield from _tumour(record, tumour, terminology)
    for place, happened in enumerate(record.events):
        yield from _event(record, place, happened, terminology)
    for place, care in enumerate(record.cares):
        yield from _care(record, place, care, terminology)
    for place, one in enumerate(record.measures):
        yield from _measure(record, place, one)
    for sample in record.samples:
        yield _specimen(record, sample)


def _patient(record: Record) -> Resource:
    patient: Resource = {"resourceType": "Patient", "id": logical_id(record.id), "gender": record.sex.value}
    if who := record.identity:
        patient["identifier"] = [{"use": "usual", "type": concept(f"{HL7}/v2-0203", "PI", "IPP"), "value": who.ipp}]
        birth_name = who.birth_name or who.family_name
        names = [{"use": "official", "family": birth_name, "given": [who.given_name]}]
        if who.family_name and who.family_name != birth_name:
            names.append({"use": "usual", "family": who.family_name, "given": [who.given_name]})
        patient["name"] = names
        if who.city:
            patient["address"] = [{"use": "home", "city": who.city, "postalCode": who.postal_code, "country": "FRA"}]
    else:
        patient["identifier"] = [{"use": "secondary", "system": "urn:consore:pseudonym", "value": record.id}]
    if record.birth:
        patient["birthDate"] = str(record.birth.year) if record.birth_is_year else record.birth.isoformat()
    if record.death:
        patient["deceasedDateTime"] = record.death.isoformat()
    return patient


def _tumour(record: Record, tumour: TumourItem, terminology: Terminology) -> Iterator[Resource]:
    key = _tumour_key(record, tumour.rank)
    site = _labelled(terminology, "ICD-O-3-T", tumour.topography)
    morphology = _labelled(terminology, "ICD-O-3-M", tumour.morphology)
    code = terminology.cim10_of(tumour.topography, tumour.morphology) if tumour.morphology else None
    onset = _iso(tumour.diagnosis_date)
    written = tumour.ptnm or tumour.ctnm or tumour.stage
    told, sure = _labelled(terminology, "CIM-10", code), tumour.confidence >= SURE_FROM
    resource = condition(key, record.id, told, site, morphology, onset, written, is_sure=sure)
    if morphology:
        resource["extension"] = [
            {
                "url": f"{_MCODE}/mcode-histology-morphology-behavior",
                "valueCodeableConcept": concept(ICDO3, *morphology),
            }
        ]
    if tumour.laterality and site:
        side = concept(_SNOMED, *_SIDES[tumour.laterality])
        url = f"{_MCODE}/mcode-laterality-qualifier"
        resource["bodySite"][0]["extension"] = [{"url": url, "valueCodeableConcept": side}]
    stages = [_stage(record, tumour, kind, text) for kind, text in (("c", tumour.ctnm), ("p", tumour.ptnm)) if text]
    if stages and "stage" in resource:
        resource["stage"][0]["assessment"] = [{"reference": f"Observation/{one['id']}"} for one in stages]
    yield _with_notes(resource, tumour.evidence)
    yield from stages
    if tumour.grade:
        grade = _observation(
            record, f"{key}-grade", "33732-9", "Histology grade [Identifier] in Cancer specimen", onset
        )
        yield {**grade, "valueCodeableConcept": {"text": tumour.grade}, "focus": [_focus(record, tumour.rank)]}
    for place, item in enumerate(tumour.biomarkers):
        yield _biomarker(record, tumour, place, item)
    for place, item in enumerate(tumour.alterations):
        yield _alteration(record, tumour, place, item)


def _stage(record: Record, tumour: TumourItem, kind: str, text: str) -> Resource:
    code, label = _TNM[kind]
    key = f"{_tumour_key(record, tumour.rank)}-{kind}tnm"
    resource = _observation(record, key, code, label, _iso(tumour.diagnosis_date), category_code="exam")
    return {**resource, "focus": [_focus(record, tumour.rank)], "valueCodeableConcept": {"text": text}}


def _biomarker(record: Record, tumour: TumourItem, place: int, item: BiomarkerItem) -> Resource:
    key = f"{_tumour_key(record, tumour.rank)}-biomarker-{place + 1}"
    date = _iso(item.date or tumour.diagnosis_date)
    resource: Resource = {
        "resourceType": "Observation",
        "id": logical_id(key),
        "status": "final",
        "category": category("observation-category", "laboratory"),
        "code": concept(LOCAL, item.code, item.label or item.code),
        "subject": subject(record.id),
        "focus": [_focus(record, tumour.rank)],
    }
    if date:
        resource["effectiveDateTime"] = date
    number = number_of(item.value) if item.value else None
    if number is not None:
        resource["valueQuantity"] = {"value": number, **({"unit": item.unit} if item.unit else {})}
    elif item.value:
        resource["valueString"] = item.value
    else:
        resource["valueCodeableConcept"] = {"text": item.status.value}
    if number is not None and item.status is not BiomarkerStatus.UNKNOWN:
        resource["interpretation"] = [{"text": item.status.value}]
    return _with_notes(resource, item.evidence)


def _alteration(record: Record, tumour: TumourItem, place: int, item: AlterationItem) -> Resource:
    key = f"{_tumour_key(record, tumour.rank)}-alteration-{place + 1}"
    absent = item.status in (BiomarkerStatus.WILD_TYPE, BiomarkerStatus.NEGATIVE)
    date = _iso(item.date or tumour.diagnosis_date)
    resource = variant(key, record.id, item.gene, None if absent else item.variant, date)
    return _with_notes({**resource, "focus": [_focus(record, tumour.rank)]}, item.evidence)


def _event(record: Record, place: int, happened: Happened, terminology: Terminology) -> Iterator[Resource]:
    item, date = happened.item, _iso(happened.item.date)
    key = f"{record.id}-event-{place + 1}"
    known = item.tumour_rank is not None
    for number, code in enumerate(item.sites, start=1):
        if code.startswith("C"):
            site = _labelled(terminology, "ICD-O-3-T", code)
            secondary = terminology.cim10_of(code, "8000/6")
            told = _labelled(terminology, "CIM-10", secondary)
            sure = item.confidence >= SURE_FROM
            resource = condition(f"{key}-site-{number}", record.id, told, site, None, date, is_sure=sure)
            if not told:
                resource["code"] = {"text": f"Métastase : {site[1] if site else code}"}
            if known:
                url = f"{_MCODE}/mcode-related-primary-cancer-condition"
                resource["extension"] = [{"url": url, "valueReference": _focus(record, item.tumour_rank or 0)}]
            yield _with_notes(resource, item.evidence)
    if item.type not in _DISEASE:
        return
    answer, display = _DISEASE[item.type]
    resource = _observation(record, key, "97509-4", "Cancer disease status", date, category_code="exam")
    if item.confidence < SURE_FROM:
        resource["status"] = "preliminary"
    if known:
        resource["focus"] = [_focus(record, item.tumour_rank or 0)]
    words = {"text": item.label or item.type.value.replace("_", " ")}
    resource["valueCodeableConcept"] = {
        "coding": [{"system": _SNOMED, "code": answer, "display": display}],
        **words,
    }
    yield _with_notes(resource, item.evidence)


def _care(record: Record, place: int, care: Care, terminology: Terminology) -> Iterator[Resource]:
    item, key = care.item, f"{record.id}-treatment-{place + 1}"
    period = {name: text for name, text in (("start", _iso(item.start)), ("end", _iso(item.end))) if text}
    reason = [_focus(record, item.tumour_rank)] if item.tumour_rank else []
    told = [f"ligne {item.line}"] if item.line else []
    told += [f"protocole {item.name}"] if item.regimen else []
    if item.type in _PROCEDURES or not item.drugs:
        resource: Resource = {
            "resourceType": "Procedure",
            "id": logical_id(key),
            "status": "completed" if item.end or item.type is TreatmentType.SURGERY else "unknown",
            "category": {"text": item.type.value},
            "code": concept(CCAM, care.ccam, item.name or care.ccam) if care.ccam else {"text": item.name},
            "subject": subject(record.id),
        }
        if period:
            same = period.get("start") == period.get("end")
            resource["performedDateTime" if same else "performedPeriod"] = period["start"] if same else period
        yield _with_notes({**resource, **({"reasonReference": reason} if reason else {})}, item.evidence)
        return
    for number, drug in enumerate(item.drugs, start=1):
        medication = concept(ATC, drug.atc, drug.name) if drug.atc else {"text": drug.name}
        resource = {
            "resourceType": "MedicationStatement",
            "id": logical_id(f"{key}-{number}"),
            "status": "completed" if item.end else "unknown",
            "category": {"text": item.type.value},
            "medicationCodeableConcept": medication,
            "subject": subject(record.id),
        }
        if period:
            resource["effectivePeriod"] = period
        if reason:
            resource["reasonReference"] = reason
        if told:
            resource["note"] = [{"text": ", ".join(told)}]
        yield _with_notes(resource, item.evidence)


def _measure(record: Record, place: int, one: Measure) -> Iterator[Resource]:
    value = number_of(one.value)
    if value is not None:
        key = f"{record.id}-biology-{place + 1}"
        resource = laboratory(key, record.id, one.code, one.date.isoformat(), value, one.unit, one.low, one.high)
        yield _with_notes(resource, one.evidence)


def _specimen(record: Record, sample: Taken) -> Resource:
    resource: Resource = {
        "resourceType": "Specimen",
        "id": logical_id(f"{record.id}-sample-{sample.id}"),
        "identifier": [{"value": sample.id}],
        "status": "available" if sample.status == "available" else "unavailable",
        "type": {"text": sample.type},
        "subject": subject(record.id),
    }
    if sample.date:
        resource["collection"] = {"collectedDateTime": sample.date.isoformat()}
    return resource


def _observation(
    record: Record, key: str, code: str, label: str, date: str | None, category_code: str = "laboratory"
) -> Resource:
    resource = {
        "resourceType": "Observation",
        "id": logical_id(key),
        "status": "final",
        "category": category("observation-category", category_code),
        "code": concept(LOINC, code, label),
        "subject": subject(record.id),
    }
    return {**resource, "effectiveDateTime": date} if date else resource


def _with_notes(resource: Resource, evidence: list[EvidenceRef]) -> Resource:
    """The resource with the sentences behind it; a record that may not quote has none."""
    notes = [{"text": quote} for one in evidence if (quote := one.quote.strip())]
    return {**resource, "note": [*resource.get("note", []), *notes]} if notes else resource


def _tumour_key(record: Record, rank: int) -> str:
    return f"{record.id}-tumour-{rank}"


def _focus(record: Record, rank: int) -> Resource:
    return {"reference": f"Condition/{logical_id(_tumour_key(record, rank))}"}


def _labelled(terminology: Terminology, system: str, code: str | None) -> tuple[str, str] | None:
    return (code, terminology.label(system, code) or code) if code else None


def _iso(date: dt.date | None) -> str | None:
    return date.isoformat() if date else None


__all__ = [
    "ATC",
    "CCAM",
    "CIM10",
    "HL7",
    "ICDO3",
    "LOINC",
    "bundle",
    "category",
    "concept",
    "condition",
    "laboratory",
    "logical_id",
    "subject",
    "variant",
    "write_fhir",
]
