"""What FHIR R4 resources tell, as records (HL7 FHIR 4.0.1; French core profiles where they add something).

A resource that a server has deleted, or says was entered in error, is a deletion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from consore.errors import RecordError
from consore.sources import texts
from consore.sources.cda import choose_identifier, decoded_base64
from consore.sources.records import SourceRecord
from consore.sources.values import ccam, cim10, document_kind, instant, measure, parse_moment, word

Resource = dict[str, Any]
Finder = Callable[[str], str | None]
Fetcher = Callable[[str], bytes]

# The resources that each kind of source reads; and of what kind of record each may be.
TYPES: dict[str, tuple[str, ...]] = {
    "administrative": ("Patient",),
    "pmsi": ("Encounter",),
    "tumour_sheet": ("Condition",),
    "chemotherapy": ("MedicationAdministration",),
    "pharmacy": ("MedicationDispense",),
    "biology": ("Observation",),
    "molecular": ("Observation",),
    "biobank": ("Specimen",),
    "documents": ("DocumentReference", "DiagnosticReport"),
}
_DELETED: dict[str, tuple[str, ...]] = {
    "Patient": ("patient",),
    "Encounter": ("stay",),
    "Condition": ("tumour_sheet",),
    "MedicationAdministration": ("chemotherapy",),
    "MedicationDispense": ("pharmacy",),
    "Observation": ("biology", "molecular"),
    "Specimen": ("biobank",),
    "DocumentReference": ("document",),
    "DiagnosticReport": ("document",),
}
_LOINC, _ATC = "http://loinc.org", "http://www.whocc.no/atc"
_GENE, _PROTEIN, _DNA, _FREQUENCY = "48018-6", "48005-3", "48004-6", ("81258-6", "53034-5")
_GENETIC = ("69548-6", "81247-9", "51969-4")
_PRESENT, _ABSENT = "LA9633-4", "LA9634-2"
_TOPOGRAPHY, _MORPHOLOGY = re.compile(r"C\d\d(?:\.\d)?"), re.compile(r"\d{4}/\d")
_CYCLE = re.compile(r"(?P<protocole>.*?)\s*C(?P<cycle>\d+)\s*J(?P<jour>\d+)")
_TUMOUR = re.compile(r"C\d\d|D(?:0\d|3[7-9]|4[0-8])")
_GIVEN = {"completed": "administré", "in-progress": "administré", "stopped": "administré", "not-done": "annulé"}


class Reader:
    """Resources into records of the kinds that are wanted.

    `people` gives the IPP of a Patient's logical id; `fetch` the bytes that an attachment's URL names.
    """

    def __init__(
        self,
        kinds: frozenset[str],
        people: Finder,
        authority: str = "",
        *,
        ocr: bool = True,
        fetch: Fetcher | None = None,
    ) -> None:
        self._kinds = kinds
        self._people = people
        self._authority = authority
        self._ocr = ocr
        self._fetch = fetch

    def records(
        self, resource: Resource, origin: str, attached: list[Resource] | None = None
    ) -> Iterator[SourceRecord]:
        """The records of a resource; `attached`: the Conditions and Procedures of an Encounter. Raises RecordError."""
        kind = str(resource.get("resourceType", ""))
        raw = json.dumps({"resource": resource, "attached": attached or []}, ensure_ascii=False).encode()
        if kind == "Bundle":
            for entry in resource.get("entry", []):
                yield from self._entry(entry, origin, raw)
            return
        if resource.get("status") == "entered-in-error" or _coded(
            resource.get("verificationStatus"), "entered-in-error"
        ):
            yield from self._deletions(
                kind, str(resource.get("id", "")), origin, raw, _version(resource), "entered in error"
            )
            return
        reading = {
            "Patient": self._patient,
            "Encounter": self._stay,
            "Condition": self._tumour,
            "MedicationAdministration": self._administration,
            "MedicationDispense": self._dispensation,
            "Observation": self._observation,
            "Specimen": self._specimen,
            "DocumentReference": self._reference,
            "DiagnosticReport": self._report,
        }.get(kind)
        if reading is None:
            return
        if not resource.get("id"):
            raise RecordError("The resource has no id.", "Export it again.", reason="missing_id")
        for record_kind, identifier, ipp, values in reading(resource, attached or []):
            if record_kind in self._kinds:
                yield SourceRecord(record_kind, identifier, ipp, values, origin, raw, version=_version(resource))  # type: ignore[arg-type]

    def _entry(self, entry: Resource, origin: str, raw: bytes) -> Iterator[SourceRecord]:
        request = entry.get("request") or {}
        if str(request.get("method", "")).upper() == "DELETE":
            kind, _, identifier = str(request.get("url", "")).partition("?")[0].rpartition("/")
            version = instant((entry.get("response") or {}).get("lastModified"))
            yield from self._deletions(kind.rpartition("/")[2], identifier, origin, raw, version, "deleted")
        elif isinstance(entry.get("resource"), dict):
            yield from self.records(entry["resource"], origin)

    def _deletions(
        self, kind: str, identifier: str, origin: str, raw: bytes, version: str, reason: str
    ) -> Iterator[SourceRecord]:
        if "deletion" not in self._kinds or not identifier:
            return
        for of in _DELETED.get(kind, ()):
            if of in self._kinds:
                known = identifier if of != "patient" else self._people(identifier) or identifier
                values = {"of": of, "date": None, "reason": reason}
                yield SourceRecord("deletion", known, "", values, origin, raw, version=version)

    # --- Each resource: (kind, identifier, IPP, values) ------------------------------------------------------------

    def _patient(self, patient: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        ipp = ipp_of(patient, self._authority)
        for link in patient.get("link", []):
            if link.get("type") == "replaced-by":
                kept = self._ipp(link.get("other") or {})
                yield "merge", f"{ipp}→{kept}", kept, {"merged": ipp, "date": None}
                return
            if link.get("type") == "replaces":
                gone = self._ipp(link.get("other") or {})
                yield "merge", f"{gone}→{ipp}", ipp, {"merged": gone, "date": None}
        birth = parse_moment(patient.get("birthDate"))
        names = [name for name in patient.get("name", []) if name.get("family") or name.get("text")]
        if not names:
            raise RecordError("The patient has no name.", "Correct it in the source.", reason="missing_family_name")
        if birth is None:
            raise RecordError(
                "The patient has no birth date.", "Correct it in the source.", reason="missing_birth_date"
            )
        by_use = {str(name.get("use", "official")): name for name in reversed(names)}
        born = by_use.get("official") or by_use.get("maiden") or names[0]
        used = by_use.get("usual") or born
        address = next((one for one in patient.get("address", []) if one.get("city")), {})
        died = parse_moment(patient.get("deceasedDateTime"))
        given = (used.get("given") or born.get("given") or [""])[0]
        values = {
            "family_name": str(used.get("family") or used.get("text") or ""),
            "birth_name": str(born.get("family") or born.get("text") or ""),
            "given_name": str(given),
            "sex": word("sex", {"male": "M", "female": "F"}.get(str(patient.get("gender")), "")) or "unknown",
            "birth_date": birth.isoformat(),
            "death_date": died.isoformat() if died else None,
            "last_news_date": died.isoformat() if died else None,
            "postal_code": str(address.get("postalCode", "")),
            "city": str(address.get("city", "")),
            "opposed": False,
        }
        yield "patient", ipp, ipp, values

    def _stay(self, stay: Resource, attached: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        if stay.get("status") in ("planned", "cancelled"):
            return
        period = stay.get("period") or {}
        entry, leave = parse_moment(period.get("start")), parse_moment(period.get("end"))
        if entry is None:
            raise RecordError(
                "The stay does not say when it began.", "Correct it in the source.", reason="missing_entry_date"
            )
        number = next((str(one["value"]) for one in stay.get("identifier", []) if one.get("value")), str(stay["id"]))
        principal = {
            (one.get("condition") or {}).get("reference", "").rpartition("/")[2]: _first_code(one.get("use"))
            for one in stay.get("diagnosis", [])
        }
        diagnoses = [
            {
                "code": code,
                "role": "DP" if principal.get(str(one.get("id"))) in ("DD", "CC") else "DAS",
                "date": str(entry),
            }
            for one in attached
            if one.get("resourceType") == "Condition" and (code := _first(_codes(one.get("code")), cim10))
        ]
        acts = [
            {"code": code, "phase": "0", "date": str(_performed(one) or entry)}
            for one in attached
            if one.get("resourceType") == "Procedure" and (code := _first(_codes(one.get("code")), ccam))
        ]
        unit = next((str((one.get("location") or {}).get("display", "")) for one in stay.get("location", [])), "")
        values = {
            "number": number,
            "entry_date": entry.isoformat(),
            "exit_date": leave.isoformat() if leave else None,
            "unit": unit,
            "diagnoses": diagnoses,
            "acts": acts,
        }
        yield "stay", number, self._ipp(stay.get("subject") or {}), values

    def _tumour(self, condition: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        codes = _codes(condition.get("code"))
        sites = [code for site in condition.get("bodySite", []) for code in _codes(site)]
        seen = [code for one in condition.get("evidence", []) for part in one.get("code", []) for code in _codes(part)]
        if condition.get("encounter") and not sites:
            return  # a diagnosis of a stay
        diagnosis = _first(codes, lambda code: cim10(code) if _TUMOUR.match(code) else None)
        topography = _first(sites, _shaped(_TOPOGRAPHY)) or _first(codes, _shaped(_TOPOGRAPHY))
        morphology = _first([*seen, *codes], _shaped(_MORPHOLOGY))
        if not diagnosis and not (topography and morphology):
            return  # no tumour
        day = parse_moment(condition.get("onsetDateTime")) or parse_moment(condition.get("recordedDate"))
        for name, value in (("date_diagnostic", day), ("topographie", topography), ("morphologie", morphology)):
            if not value:
                raise RecordError(f"The tumour has no {name}.", "Correct it in the source.", reason=f"missing_{name}")
        stage = next((str((one.get("summary") or {}).get("text", "")) for one in condition.get("stage", [])), "")
        side = _first(sites, lambda code: {"7771000": "G", "24028007": "D", "51440002": "B"}.get(code))  # SNOMED CT
        values = {
            "date_diagnostic": str(day),
            "topographie": topography,
            "morphologie": morphology,
            "lateralite": side or "",
            "ctnm": stage if stage.lower().startswith(("c", "t")) else "",
            "ptnm": stage if stage.lower().startswith(("p", "y")) else "",
            "stade": stage if stage[:1] in ("I", "V", "0", "S", "s") else "",
            "grade": "",
            "base_diagnostic": "",
        }
        yield "tumour_sheet", str(condition["id"]), self._ipp(condition.get("subject") or {}), values

    def _administration(self, given: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        period = given.get("effectivePeriod") or {}
        day = parse_moment(given.get("effectiveDateTime")) or parse_moment(period.get("start"))
        note = next((str(one.get("text", "")) for one in given.get("note", [])), "")
        found = _CYCLE.fullmatch(note.strip())
        name, _atc = _drug(given)
        if day is None or not name:
            raise RecordError(
                "The administration has no date or no drug.", "Correct it in the source.", reason="missing_date"
            )
        values = {
            "date": day.isoformat(),
            "protocole": found["protocole"] if found else "",
            "medicaments": name,
            "cycle": found["cycle"] if found else "",
            "jour": found["jour"] if found else "",
            "ligne": "",
            "intention": "",
            "statut": _GIVEN.get(str(given.get("status")), "prévu"),
        }
        yield "chemotherapy", str(given["id"]), self._ipp(given.get("subject") or {}), values

    def _dispensation(self, given: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        day = parse_moment(given.get("whenHandedOver")) or parse_moment(given.get("whenPrepared"))
        name, atc = _drug(given)
        if day is None or not name:
            raise RecordError("The dispensation has no date or no drug.", "Correct it.", reason="missing_date")
        codes = _codes(given.get("medicationCodeableConcept"))
        quantity = given.get("quantity") or {}
        values = {
            "date": day.isoformat(),
            "ucd7": _first(codes, _shaped(re.compile(r"9\d{6}"))) or "",
            "ucd13": _first(codes, _shaped(re.compile(r"3400[89]\d{8}"))) or "",
            "medicament": name,
            "atc": atc,
            "quantite": _number(quantity.get("value")),
            "unite": str(quantity.get("unit", "")),
            "dose": "",
            "protocole": "",
            "uf": "",
        }
        yield "pharmacy", str(given["id"]), self._ipp(given.get("subject") or {}), values

    def _observation(self, seen: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        codes = _codes(seen.get("code"))
        parts = {code: part for part in seen.get("component", []) for code in _codes(part.get("code"))}
        if _GENE in parts or any(code in _GENETIC for code in codes):
            if "molecular" in self._kinds and _GENE in parts:
                yield "molecular", str(seen["id"]), self._ipp(seen.get("subject") or {}), self._gene(seen, parts)
            return
        categories = [code for one in seen.get("category", []) for code in _codes(one)]
        if "biology" not in self._kinds or (categories and not {"laboratory", "LAB"} & set(categories)):
            return
        if seen.get("status") in ("cancelled", "registered"):
            return
        day = _observed(seen)
        if day is None:
            raise RecordError("The result has no date.", "Correct it in the source.", reason="missing_date")
        ipp = self._ipp(seen.get("subject") or {})
        told = [("", seen), *((f"/{place}", part) for place, part in enumerate(seen.get("component", []), start=1))]
        for key, one in told:
            value, unit = _value(one)
            if not value:
                continue
            bounds = (one.get("referenceRange") or [{}])[0]
            flag = next((code for item in one.get("interpretation", []) for code in _codes(item)), "")
            values = {
                "date": str(day),
                "loinc": _coding(one.get("code"), _LOINC).get("code", ""),
                "analyse": _label(one.get("code")),
                "valeur": value,
                "unite": unit,
                "borne_basse": _number((bounds.get("low") or {}).get("value")),
                "borne_haute": _number((bounds.get("high") or {}).get("value")),
                "interpretation": flag,
            }
            yield "biology", f"{seen['id']}{key}", ipp, values

    def _gene(self, seen: Resource, parts: dict[str, Resource]) -> dict[str, Any]:
        gene = _label(parts[_GENE].get("valueCodeableConcept")) or str(parts[_GENE].get("valueString", ""))
        variant = next((_value(parts[code])[0] for code in (_PROTEIN, _DNA) if code in parts), "")
        answer = _codes(seen.get("valueCodeableConcept"))
        status = "mutated" if variant or _PRESENT in answer else "wild_type" if _ABSENT in answer else "unknown"
        day = _observed(seen)
        if day is None or not gene:
            raise RecordError("The variant has no date or no gene.", "Correct it in the source.", reason="missing_gene")
        return {
            "date": str(day),
            "gene": gene,
            "statut": status,
            "variant": variant,
            "frequence_allelique": next((_value(parts[code])[0] for code in _FREQUENCY if code in parts), ""),
            "technique": _label(seen.get("method")),
            "prelevement": str((seen.get("specimen") or {}).get("display", "")),
            "conclusion": next((str(one.get("text", "")) for one in seen.get("note", [])), ""),
        }

    def _specimen(self, sample: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        collection = sample.get("collection") or {}
        day = parse_moment(collection.get("collectedDateTime")) or parse_moment(sample.get("receivedTime"))
        kind = _label(sample.get("type"))
        if not kind:
            raise RecordError("The sample has no type.", "Correct it in the source.", reason="missing_type")
        values = {
            "type": kind,
            "date_prelevement": day.isoformat() if day else "",
            "topographie": _first(_codes(collection.get("bodySite")), _shaped(_TOPOGRAPHY)) or "",
            "statut": {"available": "disponible", "unavailable": "épuisé"}.get(str(sample.get("status")), ""),
        }
        yield "biobank", str(sample["id"]), self._ipp(sample.get("subject") or {}), values

    def _reference(self, held: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        ipp, identifier = self._ipp(held.get("subject") or {}), str(held["id"])
        if "document" not in self._kinds:
            return
        if held.get("status") == "superseded":
            yield "deletion", identifier, ipp, {"of": "document", "date": None, "reason": "superseded"}
            return
        for link in held.get("relatesTo", []):
            replaced = str((link.get("target") or {}).get("reference", "")).rpartition("/")[2]
            if link.get("code") == "replaces" and replaced and replaced != identifier:
                yield "deletion", replaced, ipp, {"of": "document", "date": None, "reason": f"replaced by {identifier}"}
        attachments = [part.get("attachment") or {} for part in held.get("content", [])]
        kind = held.get("type")
        title = str(held.get("description") or next((one["title"] for one in attachments if one.get("title")), ""))
        context = (held.get("context") or {}).get("period") or {}
        day = parse_moment(held.get("date")) or parse_moment(context.get("start"))
        values = self._document(kind, title, attachments, str(day) if day else None)
        values["author"] = next((str(one["display"]) for one in held.get("author", []) if one.get("display")), "")
        values["service"] = str((held.get("custodian") or {}).get("display", ""))
        yield "document", identifier, ipp, values

    def _report(self, report: Resource, _: list[Resource]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        attachments = report.get("presentedForm") or []
        if not attachments or "document" not in self._kinds:
            return
        day = _observed(report)
        title = str(attachments[0].get("title") or "")
        values = self._document(report.get("code"), title, attachments, str(day) if day else None)
        values["author"] = next((str(one["display"]) for one in report.get("performer", []) if one.get("display")), "")
        values["service"] = ""
        yield "document", str(report["id"]), self._ipp(report.get("subject") or {}), values

    def _document(self, kind: Any, title: str, attachments: list[Resource], day: str | None) -> dict[str, Any]:
        """The text of the fullest of the forms of a document."""
        forms: list[str] = []
        fault: RecordError | None = None
        for attachment in attachments:
            try:
                forms.append(self._text(attachment))
            except RecordError as error:
                fault = fault or error
        if not forms:
            raise fault or RecordError("The document has no content.", "Export it again.", reason="missing_content")
        title = title or _label(kind)
        return {
            "kind": document_kind(title, _coding(kind, _LOINC).get("code", "")),
            "title": title,
            "date": day,
            "text": max(forms, key=len),
        }

    def _text(self, attachment: Resource) -> str:
        mime = str(attachment.get("contentType", "")).partition(";")[0].lower()
        suffix = {"application/pdf": ".pdf", "text/rtf": ".rtf", "application/rtf": ".rtf"}.get(mime, "")
        if attachment.get("data"):
            return texts.text_from(decoded_base64(str(attachment["data"])), suffix, ocr=self._ocr)
        url = str(attachment.get("url", ""))
        if not url or self._fetch is None:
            raise RecordError(
                f"The content lies elsewhere ({url or 'nowhere'}).",
                "Export it with its content inside.",
                reason="external_document",
            )
        return texts.text_from(self._fetch(url), suffix, ocr=self._ocr)

    def _ipp(self, reference: Resource) -> str:
        """The IPP of who a reference names: its identifier, else that of the Patient, else the logical id."""
        identifier = reference.get("identifier") or {}
        if identifier.get("value"):
            return str(identifier["value"])
        logical = str(reference.get("reference", "")).partition("/_history")[0].rpartition("/")[2]
        if not logical:
            raise RecordError("The resource names no patient.", "Correct it in the source.", reason="missing_ipp")
        return self._people(logical) or logical


def ipp_of(patient: Resource, authority: str = "") -> str:
    """The IPP of a Patient resource; its logical id where it has no identifier. Raises RecordError."""
    found = [
        (str(one.get("system", "")), str(one["value"]), next(iter(_codes(one.get("type"))), ""))
        for one in patient.get("identifier", [])
        if one.get("value")
    ]
    if authority and any(_gives(whose, authority) for whose, _, _ in found):
        return next(value for whose, value, _ in found if _gives(whose, authority))
    if not found and patient.get("id"):
        return str(patient["id"])
    return choose_identifier(found, authority)


def _gives(system: str, authority: str) -> bool:
    return authority.casefold() in (system.casefold(), system.casefold().rpartition(":")[2])


def _version(resource: Resource) -> str:
    meta = resource.get("meta") or {}
    number = str(meta.get("versionId", ""))
    return instant(meta.get("lastUpdated")) or (f"{int(number):012d}" if number.isdecimal() else "")


def _codes(concept: Any) -> list[str]:
    if not isinstance(concept, dict):
        return []
    return [str(one["code"]) for one in concept.get("coding", []) if one.get("code")]


def _coded(concept: Any, code: str) -> bool:
    return code in _codes(concept)


def _coding(concept: Any, system: str) -> dict[str, str]:
    if not isinstance(concept, dict):
        return {}
    return next((one for one in concept.get("coding", []) if one.get("system") == system), {})


def _first_code(concept: Any) -> str:
    return next(iter(_codes(concept)), "")


def _label(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    displays = (one.get("display") or one.get("code") for one in concept.get("coding", []))
    return str(concept.get("text") or next(filter(None, displays), ""))


def _first(codes: list[str], read: Callable[[str], str | None]) -> str | None:
    return next((found for code in codes if (found := read(code))), None)


def _shaped(shape: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda code: code if shape.fullmatch(code) else None


def _drug(given: Resource) -> tuple[str, str]:
    """The name of a drug, and its ATC code if it is told."""
    concept = given.get("medicationCodeableConcept")
    reference = given.get("medicationReference") or {}
    if concept is None and reference.get("reference", "").startswith("#"):
        wanted = reference["reference"][1:]
        held = next((one for one in given.get("contained", []) if one.get("id") == wanted), {})
        concept = held.get("code")
    return _label(concept) or str(reference.get("display", "")), str(_coding(concept, _ATC).get("code", ""))


def _performed(procedure: Resource) -> Any:
    period = procedure.get("performedPeriod") or {}
    return parse_moment(procedure.get("performedDateTime")) or parse_moment(period.get("start"))


def _observed(resource: Resource) -> Any:
    period = resource.get("effectivePeriod") or {}
    moments = (
        resource.get("effectiveDateTime"),
        resource.get("effectiveInstant"),
        period.get("start"),
        resource.get("issued"),
    )
    return next(filter(None, map(parse_moment, moments)), None)


def _value(told: Resource) -> tuple[str, str]:
    """The value of an Observation or of one of its components, and its unit."""
    if quantity := told.get("valueQuantity"):
        compared = str(quantity.get("comparator", ""))
        return f"{compared}{_number(quantity.get('value'))}", str(quantity.get("code") or quantity.get("unit") or "")
    if concept := told.get("valueCodeableConcept"):
        return _label(concept), ""
    if bounds := told.get("valueRange"):
        low, high = (bounds.get(name) or {} for name in ("low", "high"))
        return f"{_number(low.get('value'))}-{_number(high.get('value'))}", str(
            low.get("unit") or high.get("unit") or ""
        )
    if ratio := told.get("valueRatio"):
        parts = [_number((ratio.get(name) or {}).get("value")) for name in ("numerator", "denominator")]
        return "/".join(filter(None, parts)), ""
    for name in ("valueString", "valueInteger", "valueDateTime", "valueBoolean"):
        if told.get(name) is not None:
            return measure(str(told[name])), ""
    return "", ""


def _number(value: Any) -> str:
    return "" if value is None else measure(f"{value:g}" if isinstance(value, float) else str(value))
