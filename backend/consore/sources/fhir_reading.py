"""Where FHIR R4 resources come from: a bulk export (NDJSON, or a Bundle), or a server asked page by page.

A server is asked for what changed since the last reading (`_lastUpdated`); the mark of a resource type is the moment of
the last change that was given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from consore.errors import RecordError, SourceAway, SourceError
from consore.sources import limits
from consore.sources.drops import wanted
from consore.sources.encoding import MAX_OBJECT, long_lines
from consore.sources.fhir import TYPES, Reader, Resource, ipp_of
from consore.sources.options import secret_of
from consore.sources.places import Items, Marks, Place, each_file
from consore.sources.records import Heap, KeyTable, Mark, Rejection, SourceRecord

PATTERNS = ("*.ndjson", "*.jsonl", "*.json")
PAGE = 200
RETRIES = 5
PATIENCE = 60.0  # seconds for an answer
_ATTACHED = ("Condition", "Procedure")
_MARK = "fhir:"


def read_bulk(place: Place, kind: str, kinds: frozenset[str], options: dict[str, Any], mark: Marks) -> Items:
    """The records of a bulk export: a folder of NDJSON files, or one file."""
    people, attached = KeyTable(), Heap()
    reader = Reader(kinds, people.get, options.get("authority", ""), ocr=options.get("ocr", True))
    try:
        names = [name for name in place.names() if not place.is_folder or wanted(name, PATTERNS, options)]
        for name in names:
            if _may_hold(name, ("Patient",)):
                _gather_people(place, name, people, options.get("authority", ""))
            if "stay" in kinds and _may_hold(name, _ATTACHED):
                _gather_attached(place, name, attached)

        def read(path: Path, name: str) -> Iterator[SourceRecord | Rejection]:
            if not _may_hold(name, (*TYPES[kind], "Bundle")):
                return
            for position, resource, raw in resources_of(path, name):
                yield from _records(reader, resource, position, raw, attached)

        yield from each_file(place, PATTERNS, options, mark, read, leave=("manifest.json",))
    finally:
        people.close()
        attached.close()


def reread_resource(kinds: frozenset[str], options: dict[str, Any], position: str, raw: bytes) -> Items:
    """A rejected resource again."""
    reader = Reader(kinds, lambda _: None, options.get("authority", ""), ocr=options.get("ocr", True))
    try:
        held = json.loads(raw)
    except ValueError:
        fault = RecordError("The line is no JSON.", "Export it again.", reason="invalid_json")
        yield Rejection.of(fault, position, raw)
        return
    resource, attached = (held["resource"], held.get("attached", [])) if "resource" in held else (held, [])
    try:
        yield from reader.records(resource, position, attached)
    except RecordError as error:
        yield Rejection.of(error, position, raw)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        yield Rejection.of(_misshapen(error), position, raw)


def resources_of(path: Path, name: str) -> Iterator[tuple[str, Resource | RecordError, bytes]]:
    """The resources of an NDJSON file, or of a JSON file that holds one resource or a Bundle."""
    lines = long_lines(path)
    first = next((line for line in lines if line[1].strip()), None)
    if first is None:
        return
    head = _parsed(first[1])
    if isinstance(head, RecordError) and first[1].strip() in ("{", "["):
        yield from _whole_file(path, name)
        return
    yield from _each(f"{name}:{first[0]}", head, first[2])
    for number, text, raw in lines:
        if text.strip():
            yield from _each(f"{name}:{number}", _parsed(text), raw)


class FhirServer:
    """A FHIR R4 server: its resources by type, a page at a time; what cannot be reached is tried again."""

    def __init__(self, base: str, options: dict[str, Any]) -> None:
        import httpx

        self._base = base.rstrip("/") + "/"
        headers = {"Accept": "application/fhir+json"}
        if token := secret_of(options, "token"):
            headers["Authorization"] = f"Bearer {token}"
        password = secret_of(options, "password")
        auth = (str(options.get("user", "")), password) if password else None
        self._client = httpx.Client(headers=headers, auth=auth, timeout=PATIENCE, follow_redirects=False)
        self._page = options.get("page_size", PAGE)

    def resources(self, kind: str, since: str | None, **more: str) -> Iterator[tuple[Resource, list[Resource], bool]]:
        """The resources of a type changed since a moment: (resource, what came with it, whether the page ends)."""
        asked = {"_count": str(self._page), "_sort": "_lastUpdated", **more}
        if since:
            asked["_lastUpdated"] = f"ge{since}"
        url: str | None = urljoin(self._base, kind)
        parameters: dict[str, str] | None = asked
        while url:
            page = self._json(url, parameters)
            parameters = None
            entries = [one["resource"] for one in page.get("entry", []) if isinstance(one.get("resource"), dict)]
            matches = [one for one in entries if one.get("resourceType") == kind]
            others = [one for one in entries if one.get("resourceType") not in (kind, "OperationOutcome")]
            for place, one in enumerate(matches, start=1):
                mine = [other for other in others if _encounter_of(other) == one.get("id")]
                yield one, mine, place == len(matches)
            following = next((link.get("url") for link in page.get("link", []) if link.get("relation") == "next"), None)
            url = self._ours(urljoin(url, following)) if following else None

    def one(self, kind: str, identifier: str) -> Resource | None:
        """A resource by its logical id; None where there is none."""
        try:
            return self._json(urljoin(self._base, f"{kind}/{identifier}"), None)
        except RecordError:
            return None

    def content(self, url: str) -> bytes:
        """What an attachment's URL names: a Binary of this server."""
        whole = self._ours(urljoin(self._base, url))
        answer = self._ask(whole, None, accept="*/*")
        data = answer.content
        if answer.headers.get("content-type", "").startswith(("application/fhir+json", "application/json")):
            held = answer.json()
            if held.get("resourceType") == "Binary":
                from consore.sources.cda import decoded_base64

                return decoded_base64(str(held.get("data", "")))
        return data

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ours(self, url: str) -> str:
        """Refuses another server: the login is not given to it."""
        mine, theirs = urlsplit(self._base), urlsplit(url)
        if (mine.scheme, mine.netloc) != (theirs.scheme, theirs.netloc):
            raise RecordError(
                f"The server points to another one ({theirs.netloc}).",
                "Declare that one as a source of its own, or have the server give its own address.",
                reason="external_document",
            )
        return url

    def _json(self, url: str, parameters: dict[str, str] | None) -> dict[str, Any]:
        answer = self._ask(url, parameters)
        try:
            held = answer.json()
        except ValueError as error:
            raise SourceError(f"{url} answers no JSON.", "Check that it is a FHIR R4 server.") from error
        if not isinstance(held, dict) or "resourceType" not in held:
            raise SourceError(f"{url} answers no FHIR resource.", "Check that it is a FHIR R4 server.")
        return held

    def _ask(self, url: str, parameters: dict[str, str] | None, accept: str = "") -> Any:
        import httpx

        fault = ""
        for attempt in range(RETRIES):
            if attempt:
                time.sleep(min(0.5 * 2**attempt, 30))
            try:
                headers = {"Accept": accept} if accept else {}
                with self._client.stream("GET", url, params=parameters, headers=headers) as answer:
                    code = answer.status_code
                    if code in (429, 502, 503, 504):
                        fault = f"it answers {code}"
                        continue
                    size = 0
                    chunks = []
                    for chunk in answer.iter_bytes():
                        size += len(chunk)
                        if size > max(MAX_OBJECT, limits.MAX_FILE):
                            raise limits.too_large(size)
                        chunks.append(chunk)
                    answer._content = b"".join(chunks)  # what `iter_bytes` read, for `json` and `content`
            except httpx.TransportError as error:
                fault = str(error) or type(error).__name__
                continue
            if code in (401, 403):
                raise SourceError(f"{url} refuses us ({code}).", "Check the token or the login of the source.")
            if code in (404, 410):
                raise RecordError(f"{url} holds nothing.", "Check it on the server.", reason="missing_file")
            if code >= 400:
                raise SourceError(f"{url} answers {code}.", "Check that it is a FHIR R4 server.")
            return answer
        raise SourceAway(f"{url} cannot be reached: {fault}.", "Check the address and the network, then read it again.")


def read_server(base: str, kind: str, kinds: frozenset[str], options: dict[str, Any], mark: Marks) -> Items:
    """What changed on a server since the last reading."""
    server = FhirServer(base, options)
    people = KeyTable()

    def ipp(logical: str) -> str | None:
        if (held := people.get(logical)) is None:
            patient = server.one("Patient", logical)
            try:
                held = ipp_of(patient, options.get("authority", "")) if patient else ""
            except RecordError:
                held = ""
            people.add(logical, held)
        return held or None

    reader = Reader(kinds, ipp, options.get("authority", ""), ocr=options.get("ocr", True), fetch=server.content)
    try:
        for resource_type in TYPES[kind]:
            yield from _changed(server, reader, resource_type, kinds, mark)
    finally:
        people.close()
        server.close()


def check_server(base: str, kind: str, options: dict[str, Any]) -> int:
    """How many resources of the kind a server says it has. Raises SourceError."""
    server = FhirServer(base, options)
    try:
        total = 0
        for resource_type in TYPES[kind]:
            page = server._json(urljoin(server._base, resource_type), {"_summary": "count"})
            total += int(page.get("total") or 0)
        return total
    except RecordError as error:
        raise SourceError(error.message, "Check the address: it ends with the FHIR base, as /fhir.") from error
    finally:
        server.close()


def _changed(server: FhirServer, reader: Reader, resource_type: str, kinds: frozenset[str], mark: Marks) -> Items:
    key = f"{_MARK}{resource_type}"
    since = mark(key)
    more = {"_revinclude": "Condition:encounter"} if resource_type == "Encounter" and "stay" in kinds else {}
    latest = since or ""
    in_order = True
    for resource, came, page_ends in server.resources(resource_type, since, **more):
        position = f"{resource_type}/{resource.get('id', '')}"
        moment = str((resource.get("meta") or {}).get("lastUpdated", ""))
        if resource_type == "Encounter" and "stay" in kinds:
            acts = server.resources("Procedure", None, encounter=f"Encounter/{resource.get('id', '')}")
            came = [*came, *(one for one, _, _ in acts)]
        try:
            yield from reader.records(resource, position, came)
        except RecordError as error:
            yield Rejection.of(error, position, _raw(resource, came))
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            yield Rejection.of(_misshapen(error), position, _raw(resource, came))
        in_order = in_order and _moment(moment) >= _moment(latest)
        latest = max(latest, moment, key=_moment)
        if page_ends and in_order and latest:
            yield Mark(key, latest)  # what comes on the next pages is not older
    if latest and latest != since:
        yield Mark(key, latest)


def _moment(written: str) -> str:
    from consore.sources.values import instant

    return instant(written)


def _records(
    reader: Reader, resource: Resource | RecordError, position: str, raw: bytes, attached: Heap
) -> Iterator[SourceRecord | Rejection]:
    came: list[Resource] = []
    try:
        if isinstance(resource, RecordError):
            raise resource
        resource = _inside(resource)[0] if resource.get("resourceType") == "Bundle" and _inside(resource) else resource
        if resource.get("resourceType") == "Encounter":
            came = [json.loads(text) for text in attached.get(str(resource.get("id", "")))]
        yield from reader.records(resource, position, came)
    except RecordError as error:
        yield Rejection.of(error, position, raw if isinstance(resource, RecordError) else _raw(resource, came))
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        yield Rejection.of(_misshapen(error), position, raw)


def _misshapen(error: Exception) -> RecordError:
    """What is said of a resource that has a field of another shape than FHIR says."""
    return RecordError(
        f"The resource is not shaped as FHIR R4 says ({error}).", "Correct the export.", reason="invalid_resource"
    )


def _raw(resource: Resource, came: list[Resource]) -> bytes:
    return json.dumps({"resource": resource, "attached": came}, ensure_ascii=False).encode()


def _gather_people(place: Place, name: str, people: KeyTable, authority: str) -> None:
    with place.file(name) as path:
        for _, resource, _ in resources_of(path, name):
            for one in _inside(resource):
                if one.get("resourceType") == "Patient" and one.get("id") and one.get("identifier"):
                    try:
                        people.add(str(one["id"]), ipp_of(one, authority))
                    except (RecordError, TypeError, AttributeError):
                        continue  # told where the patient itself is read


def _gather_attached(place: Place, name: str, attached: Heap) -> None:
    with place.file(name) as path:
        for _, resource, _ in resources_of(path, name):
            for one in _inside(resource):
                if one.get("resourceType") in _ATTACHED and (encounter := _encounter_of(one)):
                    attached.add(encounter, json.dumps(one, ensure_ascii=False))


def _inside(resource: Resource | RecordError) -> list[Resource]:
    if isinstance(resource, RecordError):
        return []
    if resource.get("resourceType") != "Bundle":
        return [resource]
    return [one["resource"] for one in resource.get("entry", []) if isinstance(one.get("resource"), dict)]


def _encounter_of(resource: Resource) -> str:
    held = resource.get("encounter")
    return str(held.get("reference", "")).rpartition("/")[2] if isinstance(held, dict) else ""


def _may_hold(name: str, types: tuple[str, ...]) -> bool:
    """Whether a file may hold these types, by its name; one whose name tells no type may hold any."""
    bare = PurePosixPath(name).name
    told = [kind for kind in (*_KNOWN, "deleted") if kind.lower() in bare.lower().replace("_", "")]
    return not told or "deleted" in told or any(kind in types for kind in told)


_KNOWN = (
    "Patient",
    "Encounter",
    "Condition",
    "Procedure",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "Medication",
    "Observation",
    "DiagnosticReport",
    "DocumentReference",
    "Specimen",
    "Practitioner",
    "Organization",
    "Location",
)


def _whole_file(path: Path, name: str) -> Iterator[tuple[str, Resource | RecordError, bytes]]:
    if path.stat().st_size > MAX_OBJECT:
        yield name, limits.too_large(path.stat().st_size), b""
        return
    raw = path.read_bytes()
    try:
        held = json.loads(raw)
    except (ValueError, RecursionError):
        yield name, RecordError("The file is no JSON.", "Export it again.", reason="invalid_json"), raw
        return
    for place, resource in enumerate(held if isinstance(held, list) else [held], start=1):
        if not isinstance(resource, dict):
            continue
        yield from _each(f"{name}:{place}", resource, b"")


def _each(
    position: str, resource: Resource | RecordError, raw: bytes
) -> Iterator[tuple[str, Resource | RecordError, bytes]]:
    """A resource, or each entry of a Bundle by itself: one that is wrong stops no other."""
    if isinstance(resource, RecordError) or resource.get("resourceType") != "Bundle":
        yield position, resource, raw
        return
    entries = resource.get("entry")
    for number, entry in enumerate(entries if isinstance(entries, list) else [], start=1):
        if isinstance(entry, dict):
            yield f"{position}.{number}", {"resourceType": "Bundle", "entry": [entry]}, b""


def _parsed(text: str) -> Resource | RecordError:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return RecordError("The line is no JSON.", "Export it again, one resource a line.", reason="invalid_json")
    if not isinstance(found, dict):
        return RecordError("The line is no FHIR resource.", "Export it again.", reason="invalid_json")
    return found
