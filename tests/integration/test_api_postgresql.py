"""The same answers from a store on PostgreSQL."""

import pytest
from api_centre import PASSWORD, ApiClient, fill_centre
from starlette.testclient import TestClient
from stores import postgres_store

from consore.api import create_app
from consore.model import Role
from consore.settings import Settings


@pytest.fixture(scope="module")
def node(postgres_url, tmp_path_factory):
    with postgres_store(postgres_url) as store:
        settings = Settings(home=tmp_path_factory.mktemp("postgres-node"), centre_code="ESSAI", database_url=store.url)
        keys = fill_centre(store)
        with TestClient(create_app(settings, engine=False)) as http:
            yield http, keys


def test_a_patient_is_read_page_by_page_and_the_reading_is_written(node):
    http, keys = node
    physician, admin = ApiClient(http, Role.PHYSICIAN), ApiClient(http, Role.ADMIN)
    question = """query ($id: ID!, $after: String) { patient(id: $id) { ... on Patient { headline familyName
        tumours { evidence { quote date } biomarkers { code } } events { sites { label } }
        timeline { lanes { items { start evidence { quote } } } }
        documents(first: 2, after: $after) { edges { node { id date text } } pageInfo { endCursor } } } } }"""
    first = physician.ask(question, id=keys[0])["patient"]
    assert first["headline"].startswith("Femme")
    assert [edge["node"]["date"] for edge in first["documents"]["edges"]] == ["2019-03-03", "2019-03-02"]
    second = physician.ask(question, id=keys[0], after=first["documents"]["pageInfo"]["endCursor"])["patient"]
    assert [edge["node"]["date"] for edge in second["documents"]["edges"]] == ["2019-03-01"]
    trail = admin.ask("{ auditLog { action patientId } }")["auditLog"]
    assert {"action": "patient_read", "patientId": str(keys[0])} in trail
    assert [entry["action"] for entry in trail].count("document_read") == 3


def test_sessions_locks_and_administration_hold(node):
    http, _ = node
    admin = ApiClient(http, Role.ADMIN)
    made = admin.ask(
        "mutation ($i: AccountInput!) { upsertAccount(input: $i) { ... on Account { login } } }",
        i={"login": "dr.nouveau", "name": "Dr Nouveau", "role": "RESEARCHER", "password": "Une-autre-7-phrase"},
    )
    assert made["upsertAccount"] == {"login": "dr.nouveau"}
    stranger = ApiClient(http)
    attempt = 'mutation ($p: String!) { signIn(login: "dr.nouveau", password: $p) { __typename } }'
    for _ in range(5):
        assert stranger.ask(attempt, p=PASSWORD)["signIn"] == {"__typename": "InputProblem"}
    assert stranger.ask(attempt, p="Une-autre-7-phrase")["signIn"] == {"__typename": "InputProblem"}
    renewed = "mutation ($t: String!) { refresh(refreshToken: $t) { __typename } }"
    token = admin.session["refreshToken"]
    assert admin.ask(renewed, t=token)["refresh"] == {"__typename": "Session"}
    assert admin.ask(renewed, t=token)["refresh"] == {"__typename": "InputProblem"}
    assert admin.ask("{ me { login } }") == {"me": None}


def test_counts_leave_the_opposed_out(node):
    http, keys = node
    physician = ApiClient(http, Role.PHYSICIAN)
    count = physician.ask('{ cohortCount(criteria: {tumour: {topography: ["C50"]}}) { ... on CohortCount { count } } }')
    assert count["cohortCount"]["count"] == len(keys)
    assert physician.ask("{ centre { patientCount freshness } }")["centre"]["patientCount"] == len(keys)
