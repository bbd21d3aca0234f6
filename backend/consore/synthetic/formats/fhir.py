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

from consore.export.fhir import ATC, CCAM, HL7, LOINC, concept, condition, laboratory, logical_id, subject, variant
from consore.synthetic import deltas
from consore.synthetic.deltas import Cycle, Delivery, Issue, Molecular
from consore.synthetic.extracts import Stay
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.codes import document_type, stamp
from consore.synthetic.formats.site import Site
from consore.synthetic.trajectory import TODAY, Lab, Tumour

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


def _patient(ipp: str, row: Mapping[str, Any], site: Site) -> dict[str, Any]:
    birth, usual = row["nom_naissance"] or row["nom_usage"], row["nom_usage"]
    names = [{"use": "official", "family": birth, "given": [row["prenom"]]}]
    if usual != birth:
        names.append({"use": "usual", "family": usual, "given": [row["prenom"]]})
    patient = {
        "resourceType": "Patient",
        "id": logical_id(ipp),
        "identifier": [
            {
                "use": "usual",
                "type": concept(f"{HL7}/v2-0203", "PI", "IPP"),
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
    kind = {"system": f"{HL7}/v3-ActCode", "code": "AMB" if ambulatory else "IMP"}
    return {
        "resourceType": "Encounter",
        "id": logical_id(stay.number),
        "identifier": [{"system": f"urn:oid:{site.oid}.3", "value": stay.number}],
        "status": "finished",
        "class": {**kind, "display": "ambulatory" if ambulatory else "inpatient encounter"},
        "subject": subject(ipp),
        "period": {"start": stay.entry.isoformat(), "end": stay.leave.isoformat()},
        "serviceProvider": {"display": site.name},
    }


def _condition(tumour: Tumour, ipp: str, key: str) -> dict[str, Any]:
    site = tumour.place.code, tumour.place.words[0]
    histology = tumour.histology.code, tumour.histology.words[0]
    code = tumour.cancer.cim10, tumour.place.words[0]
    stage = (tumour.ptnm or tumour.ctnm or tumour.stage) if tumour.stage else None
    return condition(key, ipp, code, site, histology, tumour.date.isoformat(), stage)


def _administration(cycle: Cycle, ipp: str, key: str) -> Iterator[dict[str, Any]]:
    for place, drug in enumerate(cycle.care.drugs, start=1):
        yield {
            "resourceType": "MedicationAdministration",
            "id": logical_id(f"{key}-{place}"),
            "status": "completed",
            "medicationCodeableConcept": concept(ATC, drug.atc, drug.name),
            "subject": subject(ipp),
            "effectiveDateTime": cycle.row["date"],
            "note": [{"text": f"{cycle.row['protocole']} C{cycle.row['cycle']}J{cycle.row['jour']}".strip()}],
        }


def _observation(lab: Lab, ipp: str, key: str) -> dict[str, Any]:
    return laboratory(f"LAB-{key}", ipp, lab.code, lab.date.isoformat(), lab.value, lab.unit, lab.low, lab.high)


def _document(issue: Issue, ipp: str, key: str, first: bool) -> dict[str, Any]:
    report = issue.report
    kind = document_type(report.kind)
    return {
        "resourceType": "DocumentReference",
        "id": logical_id(key),
        "meta": {"versionId": str(issue.version)},
        "status": "current",
        "docStatus": ("final" if first else "amended") if issue.final else "preliminary",
        "type": concept(LOINC, kind.code, kind.label),
        "subject": subject(ipp),
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
        links = [{"other": subject(merge.kept), "type": "replaced-by"}]
        yield _line({"resourceType": "Patient", "id": logical_id(merge.old), "active": False, "link": links})
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
                    "id": logical_id(f"{item.key}-{place}"),
                    "status": "completed",
                    "code": concept(CCAM, code, act.words[0]),
                    "subject": subject(item.ipp),
                    "encounter": {"reference": f"Encounter/{logical_id(item.key)}"},
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
            request = {"method": "DELETE", "url": f"DocumentReference/{logical_id(version.key)}"}
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
            "id": logical_id(item.key),
            "status": "final",
            "category": [{"coding": [{"system": f"{HL7}/v2-0074", "code": "GE", "display": "Genetics"}]}],
            "code": concept(LOINC, "51969-4", "CR de génétique moléculaire"),
            "subject": subject(item.ipp),
            "effectiveDateTime": date,
            "issued": stamp(found.date, item.key).isoformat(),
            "performer": [{"display": site.name}],
            "result": results,
        }
        yield _line(report, "fhir/molecular/")


def _variant(gene: str, value: str, ipp: str, key: str, date: str) -> dict[str, Any]:
    absent = value in ("wild_type", "negative")
    return variant(key, ipp, gene, None if absent else "" if value == "positive" else value, date)


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
