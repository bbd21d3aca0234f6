"""What an administrator sets, and that it holds."""

import time

import pytest
from api_centre import PASSWORD, ApiClient
from sqlmodel import select

from consore.federation import public_key_pem
from consore.model import AuditEntry, Source
from consore.settings import Settings

OF_A_SOURCE = """id name kind location enabled rejectedCount lastRun { state seen }
    schedule { frequency hour minute weekday day timezone lastRunAt nextRunAt }"""
SOURCE = f"... on Source {{ {OF_A_SOURCE} }} ... on InputProblem {{ code message hint }} ... on NotFound {{ code }}"
UPSERT = f"mutation ($i: SourceInput!) {{ upsertSource(input: $i) {{ {SOURCE} }} }}"


def test_sources_are_listed_with_their_schedule_and_last_run(admin):
    source = admin.ask("{ sources { FIELDS } }".replace("FIELDS", OF_A_SOURCE))
    first = source["sources"][0]
    assert first["name"] == "Dossier administratif"
    assert first["lastRun"] == {"state": "done", "seen": 4}
    assert first["schedule"]["frequency"] == "MANUAL"


def test_a_source_is_made_changed_and_scheduled(admin, api_store, tmp_path):
    made = admin.ask(
        UPSERT,
        i={"name": "Comptes rendus", "kind": "documents", "location": str(tmp_path)},
    )["upsertSource"]
    assert made["enabled"]
    changed = admin.ask(
        UPSERT,
        i={"id": made["id"], "name": "Comptes rendus", "kind": "documents", "location": "/srv/cr", "enabled": False},
    )["upsertSource"]
    assert (changed["id"], changed["location"], changed["enabled"]) == (made["id"], "/srv/cr", False)
    planned = admin.ask(
        "mutation ($id: ID!, $i: ScheduleInput!) { setSchedule(sourceId: $id, input: $i) { FIELDS } }".replace(
            "FIELDS", SOURCE
        ),
        id=made["id"],
        i={"frequency": "WEEKLY", "hour": 0, "weekday": 6},
    )["setSchedule"]
    assert planned["schedule"]["frequency"] == "WEEKLY"
    assert (planned["schedule"]["hour"], planned["schedule"]["weekday"]) == (0, 6)
    assert planned["schedule"]["nextRunAt"]
    off = admin.ask(
        "mutation ($id: ID!) { runIngestion(sourceId: $id) { __typename ... on InputProblem { message } } }",
        id=made["id"],
    )["runIngestion"]
    assert off["message"] == "La source Comptes rendus est désactivée."
    with api_store.session() as session:
        details = [e.detail for e in session.exec(select(AuditEntry).where(AuditEntry.action == "admin_change"))]
    assert {"source": "Comptes rendus", "kind": "documents", "location": "/srv/cr", "enabled": False} in details
    assert any(detail.get("frequency") == "weekly" for detail in details)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "", "kind": "documents", "location": "/x"},
        {"name": "Nouvelle", "kind": "roman", "location": "/x"},
        {"name": "Nouvelle", "kind": "documents", "location": " "},
        {"name": "Dossier administratif", "kind": "administrative", "location": "/x"},
        {"name": "Nouvelle", "kind": "documents", "location": "/x", "options": [1]},
        {"name": "x" * 300, "kind": "documents", "location": "/x"},
    ],
)
def test_a_source_that_cannot_be_is_a_problem(admin, api_store, given):
    problem = admin.ask(UPSERT, i=given)
    assert problem["upsertSource"]["code"] == "input"
    assert problem["upsertSource"]["hint"]
    with api_store.session() as session:
        assert session.exec(select(Source).where(Source.name == "Nouvelle")).first() is None


@pytest.mark.parametrize(
    "given", [{"hour": 24}, {"minute": -1}, {"weekday": 7}, {"day": 31}, {"timezone": "Lune/Mer"}, {"timezone": "/etc"}]
)
def test_a_schedule_that_cannot_be_is_a_problem(admin, given):
    answer = admin.ask(
        f'mutation ($i: ScheduleInput!) {{ setSchedule(sourceId: "1", input: $i) {{ {SOURCE} }} }}',
        i={"frequency": "NIGHTLY", **given},
    )
    assert answer["setSchedule"]["code"] == "input"


def test_a_source_that_is_not_there_is_not_found(admin):
    assert admin.ask('mutation { runIngestion(sourceId: "999") { __typename } }')["runIngestion"] == {
        "__typename": "NotFound"
    }
    answer = admin.ask('mutation { setSchedule(sourceId: "x", input: {frequency: MANUAL}) { __typename } }')
    assert answer["setSchedule"] == {"__typename": "NotFound"}


def test_an_account_that_is_made_may_sign_in_and_one_that_is_closed_may_not(admin, http):
    mutation = """mutation ($i: AccountInput!) { upsertAccount(input: $i) {
        ... on Account { id login role active } ... on InputProblem { code message hint } } }"""
    new = {"login": "dr.nouveau", "name": "Dr Paul Nouveau", "role": "PHYSICIAN", "password": PASSWORD}
    assert admin.ask(mutation, i=new)["upsertAccount"]["active"]
    client = ApiClient(http)
    client.sign_in("dr.nouveau", PASSWORD)
    assert client.ask("{ me { role } }") == {"me": {"role": "PHYSICIAN"}}
    admin.ask(mutation, i={**new, "password": None, "active": False})
    assert client.ask("{ me { role } }") == {"me": None}
    weak = admin.ask(mutation, i={**new, "password": "court"})["upsertAccount"]
    assert weak["message"] == "Le mot de passe est trop faible."
    assert weak["hint"].startswith("Prenez au moins 12 caractères")
    assert "dr.nouveau" in [row["login"] for row in admin.ask("{ accounts { login } }")["accounts"]]


def test_an_administrator_reads_the_trail_without_passwords(admin):
    entries = admin.ask("{ auditLog(first: 100) { id at login role action patientId detail } }")["auditLog"]
    assert entries == sorted(entries, key=lambda entry: -int(entry["id"]))
    assert PASSWORD not in str(entries)
    assert "sign_in" in {entry["action"] for entry in entries}


def test_the_referentials_in_force_are_listed(admin):
    asked = "{ referentials { system edition concepts terms folder origin activeEdition available importedAt } }"
    rows = {row["folder"]: row for row in admin.ask(asked)["referentials"]}
    assert {"ICD-O-3-T", "ATC"} <= {row["system"] for row in rows.values()}
    assert all(row["concepts"] > 0 for row in rows.values() if row["folder"] not in ("sections", "context"))
    drugs = rows["drugs"]
    assert drugs["terms"] > 0
    assert drugs["origin"]
    assert (drugs["activeEdition"], drugs["available"], drugs["importedAt"]) == (None, [], None)


def test_a_peer_is_admitted_by_its_key(admin, physician, tmp_path):
    mutation = """mutation ($i: PeerInput!) { upsertPeer(input: $i) {
        ... on Peer { code name url enabled referentName } ... on InputProblem { code message } } }"""
    key = public_key_pem(Settings(home=tmp_path, centre_code="AUTRE"))
    peer = {"code": "AUTRE", "name": "Autre centre", "url": "http://127.0.0.1:9", "publicKey": key}
    assert admin.ask(mutation, i={**peer, "publicKey": "x"})["upsertPeer"]["message"].startswith("Ce n’est pas une clé")
    assert admin.ask(mutation, i={**peer, "url": "ftp://x"})["upsertPeer"]["code"] == "input"
    assert admin.ask(mutation, i=peer)["upsertPeer"]["enabled"]
    assert [row["code"] for row in physician.ask("{ peers { code } }")["peers"]] == ["AUTRE"]
    question = """{ federatedCount(criteria: {tumour: {topography: ["C50"]}}, purpose: "Essai") {
        ... on FederatedCount { requestId total rows { centreCode state count upperBound message } } } }"""
    begin = time.perf_counter()
    answer = physician.ask(question)["federatedCount"]
    assert time.perf_counter() - begin < 10
    assert [(row["centreCode"], row["state"]) for row in answer["rows"]] == [
        ("ESSAI", "ANSWERED"),
        ("AUTRE", "UNREACHABLE"),
    ]
    assert answer["rows"][0]["count"] == "3"
    asked = physician.ask(
        """mutation { requestContact(
            peerCode: "AUTRE", criteria: {tumour: {topography: ["C50"]}}, purpose: "Essai HER2") {
            ... on ContactRequest { id direction peerCode state purpose requester } } }"""
    )["requestContact"]
    assert (asked["direction"], asked["state"]) == ("out", "failed")
    listed = physician.ask("{ contactRequests { id state createdAt criteria } }")["contactRequests"]
    assert listed[0]["id"] == asked["id"]
    unknown = 'mutation ($id: ID!) { answerContact(id: $id, answer: "oui") { __typename } }'
    assert physician.ask(unknown, id=asked["id"])["answerContact"] == {"__typename": "NotFound"}


@pytest.mark.parametrize(
    "criteria",
    [
        '{document: {text: "MARCHANT"}}',
        '{tumour: {topography: ["MARCHANT"]}}',
        '{alteration: {gene: ["X"], variant: "v"}}',
    ],
)
def test_words_never_leave_the_centre(physician, criteria):
    question = "{ federatedCount(criteria: CRITERIA) { ... on InputProblem { code message } } }"
    problem = physician.ask(question.replace("CRITERIA", criteria))
    assert problem["federatedCount"]["code"] == "criteria"
    assert "quittent jamais le centre" in problem["federatedCount"]["message"]
