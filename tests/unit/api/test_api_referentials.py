"""Official files sent through the API: imported, refused in words, in force at once, and nobody else may."""

from __future__ import annotations

import json

import pytest
from api_centre import ApiClient, fill_centre
from sqlmodel import select
from starlette.testclient import TestClient

from consore.api import create_app
from consore.model import AuditEntry, Role
from consore.settings import Settings

IMPORT = """mutation ($kind: String!, $file: Upload!, $edition: String, $dryRun: Boolean! = false) {
  importReferential(kind: $kind, file: $file, edition: $edition, dryRun: $dryRun) {
    ... on ReferentialImport { kind folder slug state active read kept changed rejected against
      reasons { reason count } rejections(first: 5) { file line reason value } }
    ... on InputProblem { code message hint field } } }"""
ACTIVATE = """mutation ($kind: String!, $edition: String!) { activateEdition(kind: $kind, edition: $edition) {
    ... on Referential { system edition activeEdition } ... on InputProblem { message hint field } } }"""
LIST = """{ referentials { system folder name edition concepts terms licence origin kind activeEdition available
    importedAt importedBy lastImport { read kept changed rejected }
    editions { slug name active concepts importedBy } } }"""
TOPOGRAPHY_ROWS = [
    f"C{number:02}{digit};Siège imaginaire {number} {digit}" for number in range(77) for digit in range(10)
]
TOPOGRAPHIES = "\n".join(["code;libelle", *TOPOGRAPHY_ROWS, ""])


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("import-node"), centre_code="IMPORT", upload_megabytes=2)
    app = create_app(settings, engine=False)
    fill_centre(app.state.node.store, 1)
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def admin(node):
    return ApiClient(node, Role.ADMIN)


def send(node, client, content, kind="icdo3-topography", name="table.csv", language="fr", **variables):
    operations = {"query": IMPORT, "variables": {"kind": kind, "file": None, **variables}}
    headers = {"Accept-Language": language}
    if client is not None:
        headers |= {"Authorization": client.headers["Authorization"]}
    body = content.encode("utf-8") if isinstance(content, str) else content
    return node.post(
        "/graphql",
        data={"operations": json.dumps(operations), "map": json.dumps({"0": ["variables.file"]})},
        files={"0": (name, body, "text/csv")},
        headers=headers,
    )


def result(answer):
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert "errors" not in told, told
    return told["data"]["importReferential"]


def in_force(admin):
    return {row["folder"]: row for row in admin.ask(LIST)["referentials"]}


def test_a_file_sent_is_in_force_without_a_restart_and_may_be_taken_back(node, admin):
    app = node.app
    assert in_force(admin)["icdo3_topography"]["lastImport"] is None
    done = result(send(node, admin, TOPOGRAPHIES, edition="Essai 2027", name="../../etc/table.csv"))
    assert (done["slug"], done["state"], done["active"], done["kept"]) == ("essai-2027", "imported", True, 770)
    assert app.state.node.terminology.label("ICD-O-3-T", "C50.4") == "Siège imaginaire 50 4"
    row = in_force(admin)["icdo3_topography"]
    assert (row["edition"], row["activeEdition"], row["available"]) == ("Essai 2027", "essai-2027", ["essai-2027"])
    assert row["lastImport"] == {"read": 770, "kept": 770, "changed": done["changed"], "rejected": 0}
    assert row["importedBy"] == "admin.essai"
    assert row["importedAt"]
    assert row["kind"] == "icdo3-topography"
    assert row["origin"].startswith("table.csv")
    assert [one["active"] for one in row["editions"]] == [True]
    back = admin.ask(ACTIVATE, kind="icdo3-topography", edition="shipped")["activateEdition"]
    assert back["activeEdition"] is None
    assert app.state.node.terminology.label("ICD-O-3-T", "C50.4") != "Siège imaginaire 50 4"


def test_what_an_import_did_is_in_the_audit_trail(node, admin):
    result(send(node, admin, TOPOGRAPHIES))
    with node.app.state.node.store.session() as session:
        details = [
            entry.detail for entry in session.exec(select(AuditEntry).where(AuditEntry.action == "admin_change"))
        ]
    assert any(
        detail.get("referential") == "icdo3-topography" and detail.get("file") == "table.csv" for detail in details
    )


def test_a_dry_run_tells_the_rejected_rows_and_changes_nothing(node, admin):
    before = in_force(admin)["icdo3_topography"]
    told = result(send(node, admin, TOPOGRAPHIES + "C504;Autre chose\nZZZ;Rien\n", dryRun=True))
    assert told["state"] == "dry_run"
    assert told["reasons"] == [{"reason": "duplicate_code", "count": 1}, {"reason": "code_unreadable", "count": 1}]
    assert [one["line"] for one in told["rejections"]] == [772, 773]
    assert in_force(admin)["icdo3_topography"] == before


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("ccam", TOPOGRAPHIES, "Cela ressemble à une table de icdo3-topography, non de ccam."),
        ("cim11", TOPOGRAPHIES, "Il n’y a pas de référentiel de type cim11."),
        ("cim10", b"%PDF-1.4", "table.csv est un PDF."),
        ("cim10", b"", "table.csv est vide."),
        ("cim10", bytes(range(256)) * 9, "table.csv n’est pas un texte"),
        ("icdo3-topography", "code;libelle\nC50;Sein\nC504;Sein\n", "Le fichier contient 2 codes"),
    ],
)
def test_a_wrong_file_is_a_problem_of_the_schema_in_french(node, admin, kind, content, said):
    problem = result(send(node, admin, content, kind=kind))
    assert problem["message"].startswith(said)
    assert problem["hint"]
    assert (problem["code"], problem["field"]) == ("input", "file")


def test_an_edition_that_is_not_there_is_a_problem_of_the_schema(admin):
    problem = admin.ask(ACTIVATE, kind="cim10", edition="1066")["activateEdition"]
    assert problem["message"] == "Il n’y a pas d’édition 1066 de cim10."
    assert problem["field"] == "edition"


@pytest.mark.parametrize("role", [Role.PHYSICIAN, Role.RESEARCHER, None])
def test_a_file_from_who_may_not_import_is_refused_before_it_is_received(node, role):
    answer = send(node, ApiClient(node, role) if role else None, TOPOGRAPHIES)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == ("forbidden" if role else "not_signed_in")


def test_a_file_larger_than_the_setting_is_refused(node, admin):
    assert send(node, admin, b"x" * (3 * 1024 * 1024)).status_code == 413


def test_a_file_larger_than_other_requests_may_be_is_taken(node, admin):
    padded = TOPOGRAPHIES + "\n" * (1_500_000)
    assert result(send(node, admin, padded))["kept"] == 770


def test_a_form_that_holds_no_question_is_a_wrong_request(node, admin):
    headers = {"Authorization": admin.headers["Authorization"], "Content-Type": "multipart/form-data; boundary=x"}
    assert node.post("/graphql", content="--x--", headers=headers).status_code == 400


def test_words_instead_of_a_file_are_a_problem(admin):
    told = admin.ask(IMPORT, kind="cim10", file="C50;Sein")["importReferential"]
    assert told["message"] == "Aucun fichier n’a été envoyé."
