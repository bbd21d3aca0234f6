"""FHIR R4: bulk exports and a real HTTP server asked page by page for what changed."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from consore.errors import SourceError
from consore.model import SourceKind
from consore.sources import Mark, Rejection, SourceRecord, check_source, read_source, reread_record

PATIENT = {
    "resourceType": "Patient",
    "id": "p-1",
    "meta": {"lastUpdated": "2024-03-01T10:00:00.000+01:00"},
    "identifier": [
        {
            "system": "urn:oid:1.2.250.1.213.1.4.8",
            "value": "279035121518989",
            "type": {"coding": [{"code": "INS-NIR"}]},
        },
        {"system": "urn:oid:1.2.3", "value": "000003", "type": {"coding": [{"code": "PI"}]}},
    ],
    "name": [{"use": "official", "family": "DE LA TOUR", "given": ["Zoé"]}, {"use": "usual", "family": "LEFÈVRE"}],
    "gender": "female",
    "birthDate": "1979-03",
}
SUBJECT = {"reference": "Patient/p-1"}


def note(identifier: str, text: str, **more: Any) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "id": identifier,
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11526-1"}], "text": "CR ACP"},
        "subject": SUBJECT,
        "date": "2024-03-01T10:00:00Z",
        "description": "Biopsie",
        "author": [{"display": "Dr Monval"}],
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
        **more,
    }


def result(identifier: str, value: dict[str, Any], updated: str = "2024-03-01T10:00:00Z") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": identifier,
        "meta": {"lastUpdated": updated},
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2857-1", "display": "PSA"}]},
        "subject": SUBJECT,
        "effectiveDateTime": "2024-03-01",
        **value,
    }


PSA = {"valueQuantity": {"value": 4.2, "unit": "ng/mL"}, "referenceRange": [{"high": {"value": 4}}]}


def bulk(tmp_path: Path, **files: list[Any]) -> Path:
    folder = tmp_path / "fhir"
    folder.mkdir(exist_ok=True)
    for name, resources in files.items():
        lines = [one if isinstance(one, str) else json.dumps(one) for one in resources]
        (folder / f"{name}.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def read(place: Path | str, kind: str, **options: Any) -> list[SourceRecord | Rejection]:
    return [item for item in read_source(SourceKind(kind), place, options) if not isinstance(item, Mark)]


def test_a_bulk_export_gives_patients_by_their_ipp(tmp_path: Path) -> None:
    gone = {"resourceType": "Patient", "id": "p-9", "link": [{"other": SUBJECT, "type": "replaced-by"}]}
    patient, merge, rejected = read(bulk(tmp_path, Patient=[PATIENT, gone, "{cut"]), "administrative")
    assert (patient.ipp, patient.version) == ("000003", "20240301090000.000")
    assert (patient.values["family_name"], patient.values["birth_name"]) == ("LEFÈVRE", "DE LA TOUR")
    assert (patient.values["given_name"], patient.values["birth_date"]) == ("Zoé", "1979-03-01")
    assert (merge.kind, merge.ipp, merge.values["merged"]) == ("merge", "000003", "p-9")
    assert (rejected.reason, rejected.position) == ("invalid_json", "Patient.ndjson:3")


def test_a_stay_gathers_the_acts_and_diagnoses_that_name_it(tmp_path: Path) -> None:
    stay = {
        "resourceType": "Encounter",
        "id": "e1",
        "identifier": [{"value": "V42"}],
        "subject": SUBJECT,
        "period": {"start": "2024-03-01", "end": "2024-03-05"},
    }
    act = {
        "resourceType": "Procedure",
        "id": "a",
        "encounter": {"reference": "Encounter/e1"},
        "code": {"coding": [{"code": "QEFA004"}]},
        "performedDateTime": "2024-03-02T08:00:00+01:00",
    }
    diagnosis = {
        "resourceType": "Condition",
        "id": "c",
        "encounter": {"reference": "Encounter/e1"},
        "code": {"coding": [{"code": "C50.4"}]},
    }
    folder = bulk(tmp_path, Patient=[PATIENT], Encounter=[stay], Procedure=[act], Condition=[diagnosis])
    (record,) = read(folder, "pmsi")
    assert (record.external_id, record.ipp, record.values["exit_date"]) == ("V42", "000003", "2024-03-05")
    assert record.values["acts"] == [{"code": "QEFA004", "phase": "0", "date": "2024-03-02"}]
    assert record.values["diagnoses"] == [{"code": "C50.4", "role": "DAS", "date": "2024-03-01"}]
    assert read(folder, "tumour_sheet") == []


def test_results_documents_and_what_is_taken_back(tmp_path: Path) -> None:
    wrong = {**result("o2", PSA), "status": "entered-in-error"}
    deleted = {"resourceType": "Bundle", "entry": [{"request": {"method": "DELETE", "url": "DocumentReference/d9"}}]}
    replacing = note(
        "d2", "Corrigé.", relatesTo=[{"code": "replaces", "target": {"reference": "DocumentReference/d1"}}]
    )
    folder = bulk(
        tmp_path,
        Patient=[PATIENT],
        Observation=[result("o1", PSA), wrong, result("o3", {"valueString": "illisible"})],
        DocumentReference=[
            note("d1", "Carcinome."),
            replacing,
            note("d3", "", content=[{"attachment": {"url": "a.pdf"}}]),
        ],
        deleted=[deleted],
    )
    psa, taken_back, odd = read(folder, "biology")
    assert (psa.values["loinc"], psa.values["valeur"], psa.values["borne_haute"]) == ("2857-1", "4.2", "4")
    assert (taken_back.kind, taken_back.external_id, odd.values["valeur"]) == ("deletion", "o2", "illisible")
    first, gone, second, elsewhere, removed = read(folder, "documents")
    assert (first.ipp, first.values["text"], first.values["author"]) == ("000003", "Carcinome.", "Dr Monval")
    assert (first.values["kind"], first.values["title"]) == ("pathology", "Biopsie")
    assert [(item.kind, item.external_id) for item in (gone, second)] == [("deletion", "d1"), ("document", "d2")]
    assert elsewhere.reason == "external_document"
    assert (removed.kind, removed.external_id) == ("deletion", "d9")


def test_a_resource_of_another_shape_stops_no_other_and_is_read_again(tmp_path: Path) -> None:
    bad = {**result("o1", PSA), "subject": "Patient/p-1"}
    folder = bulk(
        tmp_path,
        Patient=[PATIENT],
        Observation=[bad, {**result("o2", PSA), "effectiveDateTime": None}, result("o3", PSA)],
    )
    shaped, undated, good = read(folder, "biology")
    assert (shaped.reason, undated.reason, good.external_id) == ("invalid_resource", "missing_date", "o3")
    mended = undated.raw.replace(b'"effectiveDateTime": null', b'"effectiveDateTime": "2024-03-02"')
    (again,) = reread_record(SourceKind.BIOLOGY, folder, {}, undated.position, mended)
    assert (again.external_id, again.values["date"]) == ("o2", "2024-03-02")


class _Server:
    """A FHIR server over HTTP: `_lastUpdated`, pages of two, and as many failures as are asked for."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = [PATIENT]
        self.failures = 0
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if self.headers.get("Authorization") != "Bearer sesame":
                    self._answer(401, {})
                elif outer.failures:
                    outer.failures -= 1
                    self._answer(503, {})
                else:
                    self._answer(*outer.page(self.path, f"http://127.0.0.1:{self.server.server_port}"))  # type: ignore[attr-defined]

            def _answer(self, code: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/fhir+json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/fhir"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def page(self, path: str, host: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        kind, _, identifier = parts.path.removeprefix("/fhir/").partition("/")
        mine = [one for one in self.resources if one["resourceType"] == kind]
        if kind == "Binary":
            return 200, {"resourceType": "Binary", "data": base64.b64encode(b"Texte du serveur.").decode()}
        if identifier:
            found = [one for one in mine if one["id"] == identifier]
            return (200, found[0]) if found else (404, {})
        since = asked.get("_lastUpdated", "ge").removeprefix("ge")
        mine = sorted(
            (one for one in mine if one["meta"]["lastUpdated"] >= since), key=lambda one: one["meta"]["lastUpdated"]
        )
        if "_summary" in asked:
            return 200, {"resourceType": "Bundle", "total": len(mine)}
        start = int(asked.get("start", 0))
        link = []
        if len(mine) > start + 2:
            link = [{"relation": "next", "url": f"{host}/fhir/{kind}?start={start + 2}&_lastUpdated=ge{since}"}]
        entries = [{"resource": one} for one in mine[start : start + 2]]
        return 200, {"resourceType": "Bundle", "link": link, "entry": entries}

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("FHIR_TOKEN", "sesame")
    made = _Server()
    yield made
    made.close()


def test_a_server_is_asked_for_what_changed_since_the_last_time(server: _Server) -> None:
    marks: dict[str, str] = {}

    def once() -> list[str]:
        taken = []
        for item in read_source(SourceKind.BIOLOGY, server.url, {"token_env": "FHIR_TOKEN"}, mark=marks.get):
            if isinstance(item, Mark):
                marks[item.key] = item.value
            else:
                assert isinstance(item, SourceRecord)
                assert item.ipp == "000003"
                taken.append(item.external_id)
        return taken

    server.resources += [result(f"o{n}", PSA, f"2024-03-01T10:00:0{n}Z") for n in range(5)]
    assert once() == ["o0", "o1", "o2", "o3", "o4"]
    assert marks == {"fhir:Observation": "2024-03-01T10:00:04Z"}
    server.resources.append(result("o1", {"valueString": "corrigé"}, "2024-03-02T00:00:00Z"))
    assert once() == ["o4", "o1"]
    assert sum("/Patient/" in path for path in server.asked) == 2  # once a reading


def test_a_server_that_fails_for_a_moment_is_asked_again(server: _Server) -> None:
    server.resources += [result("o1", PSA)]
    server.failures = 1
    assert [item.external_id for item in read(server.url, "biology", token_env="FHIR_TOKEN")] == ["o1"]


def test_a_document_that_the_server_keeps_apart_is_fetched_from_it_and_from_no_other(server: _Server) -> None:
    here = note("d1", "", content=[{"attachment": {"url": "Binary/b1"}}], meta={"lastUpdated": "2024-03-01T10:00:00Z"})
    there = note(
        "d2",
        "",
        content=[{"attachment": {"url": "http://elsewhere.example/b"}}],
        meta={"lastUpdated": "2024-03-02T10:00:00Z"},
    )
    server.resources += [here, there]
    document, refused = read(server.url, "documents", token_env="FHIR_TOKEN")
    assert document.values["text"] == "Texte du serveur."
    assert refused.reason == "external_document"


def test_a_check_says_whether_the_server_lets_us_in(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    report = check_source(SourceKind.ADMINISTRATIVE, server.url, {"token_env": "FHIR_TOKEN"})
    assert (report.usable, report.records, report.format) == (True, 1, "fhir")
    monkeypatch.setenv("FHIR_TOKEN", "wrong")
    refused = check_source(SourceKind.ADMINISTRATIVE, server.url, {"token_env": "FHIR_TOKEN"})
    assert "refuses us (401)" in refused.problems[0]
    with pytest.raises(SourceError, match="read as fhir"):
        read(server.url, "biology", format="hl7")
