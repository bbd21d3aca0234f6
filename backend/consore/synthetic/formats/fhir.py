"""FHIR R4 as a bulk export: one NDJSON file a resource type and a manifest; and molecular reports.

Sources: HL7 FHIR R4 (4.0.1); *Bulk Data Access* 2.0 for the manifest and its `deleted` bundles; *Genomics Reporting*
for the shape of molecular results (a DiagnosticReport and a variant Observation each, LOINC 69548-6, 48018-6, 48004-6).
Profiles are not claimed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from consore.synthetic import deltas
from consore.synthetic.deltas import Cycle, Delivery, Issue, Molecular
from consore.synthetic.extracts import Stay
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.codes import analysis, document_type, stamp
from consore.synthetic.formats.site import Site
from consore.synthetic.trajectory import TODAY, Lab, Tumour

LOINC, CIM10 = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10"
CCAM, ATC, ICDO3 = "urn:oid:1.2.250.1.215.300.1", "http://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.43.1"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_TYPES = (
    "Patient",
    "Encounter",
    "Condition",
    "Procedure",
    "MedicationAdministration",
    "Observation",
    "DocumentReference",
)
_MOLECULAR = ("DiagnosticReport", "Observation")


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _id(key: str) -> str:
    """A logical id: letters, digits, dots and hyphens, at most 64."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in key)[:64]


def _subject(ipp: str) -> dict[str, str]:
    return {"reference": f"Patient/{_id(ipp)}"}


def _patient(ipp: str, row: Mapping[str, Any], site: Site) -> dict[str, Any]:
    birth, usual = row["nom_naissance"] or row["nom_usage"], row["nom_usage"]
    names = [{"use": "official", "family": birth, "given": [row["prenom"]]}]
    if usual != birth:
        names.append({"use": "usual", "family": usual, "given": [row["prenom"]]})
    patient = {
        "resourceType": "Patient",
        "id": _id(ipp),
        "identifier": [
            {
                "use": "usual",
                "type": _concept(f"{_HL7}/v2-0203", "PI", "IPP"),
                "system": f"urn:oid:{site.oid}.1",
                "value": ipp,
            }
        ],
        "active": True,
        "name": names,
        "gender": "female" if row["sexe"] == "F" else "male",
        "birthDate": row["date_naissance"],
    }
    if row["date_deces"]:
        patient["deceasedDateTime"] = row["date_deces"]
    if row["commune"]:
        patient["address"] = [
            {"use": "home", "city": row["commune"], "postalCode": row["code_postal"], "country": "FRA"}
        ]
    return patient


def _encounter(stay: Stay, ipp: str, site: Site) -> dict[str, Any]:
    ambulatory = bool(stay.sessions)
    kind = {"system": f"{_HL7}/v3-ActCode", "code": "AMB" if ambulatory else "IMP"}
    return {
        "resourceType": "Encounter",
        "id": _id(stay.number),
        "identifier": [{"system": f"urn:oid:{site.oid}.3", "value": stay.number}],
        "status": "finished",
        "class": {**kind, "display": "ambulatory" if ambulatory else "inpatient encounter"},
        "subject": _subject(ipp),
        "period": {"start": stay.entry.isoformat(), "end": stay.leave.isoformat()},
        "serviceProvider": {"display": site.name},
    }


def _condition(tumour: Tumour, ipp: str, key: str) -> dict[str, Any]:
    condition = {
        "resourceType": "Condition",
        "id": _id(key),
        "clinicalStatus": {"coding": [{"system": f"{_HL7}/condition-clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{_HL7}/condition-ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": f"{_HL7}/condition-category", "code": "problem-list-item"}]}],
        "code": _concept(CIM10, tumour.cancer.cim10, tumour.place.words[0]),
        "bodySite": [_concept(ICDO3, tumour.place.code, tumour.place.words[0])],
        "subject": _subject(ipp),
        "onsetDateTime": tumour.date.isoformat(),
        "evidence": [{"code": [_concept(ICDO3, tumour.histology.code, tumour.histology.words[0])]}],
    }
    if tumour.stage:
        condition["stage"] = [{"summary": {"text": tumour.ptnm or tumour.ctnm or tumour.stage}}]
    return condition


def _administration(cycle: Cycle, ipp: str, key: str) -> Iterator[dict[str, Any]]:
    for place, drug in enumerate(cycle.care.drugs, start=1):
        yield {
            "resourceType": "MedicationAdministration",
            "id": _id(f"{key}-{place}"),
            "status": "completed",
            "medicationCodeableConcept": _concept(ATC, drug.atc, drug.name),
            "subject": _subject(ipp),
            "effectiveDateTime": cycle.row["date"],
            "note": [{"text": f"{cycle.row['protocole']} C{cycle.row['cycle']}J{cycle.row['jour']}".strip()}],
        }


def _observation(lab: Lab, ipp: str, key: str) -> dict[str, Any]:
    loinc = analysis(lab.code)
    code = _concept(LOINC, loinc.code, loinc.label) if loinc else {"text": lab.code}
    quantity: dict[str, Any] = {"value": lab.value, "unit": lab.unit}
    if loinc and loinc.unit:
        quantity |= {"system": "http://unitsofmeasure.org", "code": loinc.unit}
    bounds: dict[str, Any] = {}
    if lab.low is not None:
        bounds["low"] = {"value": lab.low, "unit": lab.unit}
    if lab.high is not None:
        bounds["high"] = {"value": lab.high, "unit": lab.unit}
    observation = {
        "resourceType": "Observation",
        "id": _id(f"LAB-{key}"),
        "status": "final",
        "category": [{"coding": [{"system": f"{_HL7}/observation-category", "code": "laboratory"}]}],
        "code": code,
        "subject": _subject(ipp),
        "effectiveDateTime": lab.date.isoformat(),
        "valueQuantity": quantity,
    }
    return {**observation, "referenceRange": [bounds]} if bounds else observation


def _document(issue: Issue, ipp: str, key: str, first: bool) -> dict[str, Any]:
    report = issue.report
    kind = document_type(report.kind)
    return {
        "resourceType": "DocumentReference",
        "id": _id(key),
        "meta": {"versionId": str(issue.version)},
        "status": "current",
        "docStatus": ("final" if first else "amended") if issue.final else "preliminary",
        "type": _concept(LOINC, kind.code, kind.label),
        "subject": _subject(ipp),
        "date": stamp(report.date, key).isoformat(),
        "author": [{"display": report.author}],
        "description": report.title,
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "language": "fr-FR",
                    "data": base64.b64encode(report.text.encode()).decode(),
                    "title": report.title,
                    "creation": report.date.isoformat(),
                }
            }
        ],
    }


def _bulk(delivery: Delivery, site: Site) -> Iterator[Piece]:
    tables, life = delivery.tables, delivery.life
    for item in tables[deltas.PATIENTS]:
        yield _line(_patient(item.ipp, item.values, site))
    for merge in delivery.merges:
        links = [{"other": _subject(merge.kept), "type": "replaced-by"}]
        yield _line({"resourceType": "Patient", "id": _id(merge.old), "active": False, "link": links})
    for item in tables[deltas.SHEETS]:
        tumour = next(tumour for tumour in life.tumours if item.key.endswith(str(tumour.rank)))
        yield _line(_condition(tumour, item.ipp, item.key))
    for item in tables[deltas.STAYS]:
        yield _line(_encounter(item.values, item.ipp, site))
        for place, (date, code) in enumerate(item.values.acts):
            act = next(care.act for care in life.cares if care.act and care.act.code == code)
            yield _line(
                {
                    "resourceType": "Procedure",
                    "id": _id(f"{item.key}-{place}"),
                    "status": "completed",
                    "code": _concept(CCAM, code, act.words[0]),
                    "subject": _subject(item.ipp),
                    "encounter": {"reference": f"Encounter/{_id(item.key)}"},
                    "performedDateTime": date.isoformat(),
                }
            )
    for item in tables[deltas.CYCLES]:
        if item.values.row["statut"] == "administré":
            for resource in _administration(item.values, item.ipp, item.key):
                yield _line(resource)
    for item in tables[deltas.LABS]:
        yield _line(_observation(item.values, item.ipp, item.key))
    for item in tables[deltas.DOCUMENTS]:
        yield _line(_document(item.values, item.ipp, item.key, item.first))
    for table, version in delivery.removals:
        if table == deltas.DOCUMENTS:
            request = {"method": "DELETE", "url": f"DocumentReference/{_id(version.key)}"}
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
            yield "fhir/deleted.ndjson", _json(bundle)


def _molecular(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.MOLECULAR]:
        found: Molecular = item.values
        date, results = found.date.isoformat(), []
        for gene, value in found.tumour.alterations.items():
            variant = _variant(gene, value, item.ipp, f"{item.key}-{gene}", date)
            results.append({"reference": f"Observation/{variant['id']}"})
            yield _line(variant, "fhir/molecular/")
        report = {
            "resourceType": "DiagnosticReport",
            "id": _id(item.key),
            "status": "final",
            "category": [{"coding": [{"system": f"{_HL7}/v2-0074", "code": "GE", "display": "Genetics"}]}],
            "code": _concept(LOINC, "51969-4", "CR de génétique moléculaire"),
            "subject": _subject(item.ipp),
            "effectiveDateTime": date,
            "issued": stamp(found.date, item.key).isoformat(),
            "performer": [{"display": site.name}],
            "result": results,
        }
        yield _line(report, "fhir/molecular/")


def _variant(gene: str, value: str, ipp: str, key: str, date: str) -> dict[str, Any]:
    absent = value in ("wild_type", "negative")
    answer = ("LA9634-2", "Absent") if absent else ("LA9633-4", "Present")
    parts = [{"code": _concept(LOINC, "48018-6", "Gene studied [ID]"), "valueCodeableConcept": {"text": gene}}]
    if not absent and value != "positive":
        parts.append(
            {"code": _concept(LOINC, "48005-3", "Amino acid change (pHGVS)"), "valueCodeableConcept": {"text": value}}
        )
    return {
        "resourceType": "Observation",
        "id": _id(key),
        "status": "final",
        "category": [{"coding": [{"system": f"{_HL7}/observation-category", "code": "laboratory"}]}],
        "code": _concept(LOINC, "69548-6", "Genetic variant assessment"),
        "subject": _subject(ipp),
        "effectiveDateTime": date,
        "valueCodeableConcept": {"coding": [{"system": LOINC, "code": answer[0], "display": answer[1]}]},
        "component": parts,
    }


def _line(resource: dict[str, Any], folder: str = "fhir/") -> Piece:
    return f"{folder}{resource['resourceType']}.ndjson", _json(resource)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _manifest(folder: str) -> Any:
    def close(root: Path, site: Site, counts: Mapping[str, int]) -> None:
        address = f"https://{site.code.lower()}.example/"

        def outputs(names: list[str]) -> list[dict[str, Any]]:
            return [
                {
                    "type": Path(name).stem if "deleted" not in name else "Bundle",
                    "url": address + name,
                    "count": counts[name],
                }
                for name in names
            ]

        mine = [name for name in sorted(counts) if name.rpartition("/")[0] == folder and counts[name]]
        told = {
            "transactionTime": f"{TODAY.isoformat()}T06:00:00+01:00",
            "request": f"{address}fhir/$export",
            "requiresAccessToken": False,
            "output": outputs([name for name in mine if "deleted" not in name]),
            "deleted": outputs([name for name in mine if "deleted" in name]),
            "error": [],
        }
        (root / folder / "manifest.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")

    return close


BULK = Format(
    "fhir",
    "everything as a FHIR R4 bulk export (NDJSON)",
    _bulk,
    {**{f"fhir/{name}.ndjson": b"" for name in _TYPES}, "fhir/deleted.ndjson": b""},
    close=_manifest("fhir"),
)
MOLECULAR = Format(
    "molecular_fhir",
    "molecular reports as FHIR R4 (NDJSON)",
    _molecular,
    {f"fhir/molecular/{name}.ndjson": b"" for name in _MOLECULAR},
    close=_manifest("fhir/molecular"),
)
