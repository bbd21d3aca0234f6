"""Who may ask what, in which words they are refused, and what is written of it."""

import pytest
from api_centre import LOGINS, PASSWORD, ApiClient
from sqlmodel import select

from consore.access import Permission
from consore.api.guard import permissions_of, unguarded_fields
from consore.api.schema import Mutation, Query, Subscription, schema
from consore.model import AuditEntry, Role

OPEN = {"me", "signIn", "refresh", "signOut"}
QUESTIONS = {
    "search": '{ search(text: "sein") { total } }',
    "facets": '{ facets(text: "sein") { name } }',
    "suggest": '{ suggest(prefix: "sei") { text } }',
    "patient": '{ patient(id: "1") { __typename } }',
    "document": '{ document(id: "1") { __typename } }',
    "cohortCount": '{ cohortCount(criteria: {patient: {sex: "female"}}) { __typename } }',
    "cohorts": "{ cohorts { id } }",
    "cohort": '{ cohort(id: "1") { id } }',
    "cohortFunnel": "{ cohortFunnel(criteria: {patient: {}}) { __typename } }",
    "cohortBreakdown": "{ cohortBreakdown(criteria: {patient: {}}) { __typename } }",
    "survival": "{ survival(criteria: {patient: {}}) { __typename } }",
    "saveCohort": 'mutation { saveCohort(name: "x", criteria: {patient: {}}) { __typename } }',
    "refreshCohort": 'mutation { refreshCohort(id: "999") { __typename } }',
    "shareCohort": 'mutation { shareCohort(id: "999") { __typename } }',
    "deleteCohort": 'mutation { deleteCohort(id: "999") }',
    "shareQuery": 'mutation { shareQuery(id: "999") }',
    "federatedCount": '{ federatedCount(criteria: {patient: {sex: "female"}}) { __typename } }',
    "contactRequests": "{ contactRequests { id } }",
    "savedQueries": "{ savedQueries { id } }",
    "questionHistory": "{ questionHistory { text } }",
    "sources": "{ sources { id } }",
    "ingestionRuns": "{ ingestionRuns { id } }",
    "rejectedRecords": "{ rejectedRecords { id } }",
    "referentials": "{ referentials { system } }",
    "importReferential": 'mutation { importReferential(kind: "cim10", file: "x") { __typename } }',
    "activateEdition": 'mutation { activateEdition(kind: "cim10", edition: "shipped") { __typename } }',
    "accounts": "{ accounts { login } }",
    "auditLog": "{ auditLog { id } }",
    "upsertSource": 'mutation { upsertSource(input: {name: "x", kind: "pmsi", location: "/x"}) { __typename } }',
    "setSchedule": 'mutation { setSchedule(sourceId: "1", input: {frequency: NIGHTLY}) { __typename } }',
    "runIngestion": 'mutation { runIngestion(sourceId: "1") { __typename } }',
    "recordOpposition": 'mutation { recordOpposition(ipp: "00812345", opposed: true) }',
    "upsertAccount": 'mutation { upsertAccount(input: {login: "x", name: "x", role: ADMIN}) { __typename } }',
    "upsertPeer": 'mutation { upsertPeer(input: {code: "X", name: "x", url: "x", publicKey: "x"}) { __typename } }',
    "saveQuery": 'mutation { saveQuery(name: "x", text: "x") { id } }',
    "deleteQuery": 'mutation { deleteQuery(id: "1") }',
    "requestContact": 'mutation { requestContact(peerCode: "X", criteria: {}, purpose: "x") { __typename } }',
    "answerContact": 'mutation { answerContact(id: "1", answer: "x") { __typename } }',
}
ADMINISTRATION = {
    "sources", "ingestionRuns", "rejectedRecords", "referentials", "accounts", "auditLog", "upsertSource",
    "importReferential", "activateEdition",
    "setSchedule", "runIngestion", "recordOpposition", "upsertAccount", "upsertPeer",
}  # fmt: skip
READING = {"search", "facets", "suggest", "patient", "document"}
REFUSED = {
    Role.PHYSICIAN: ADMINISTRATION,
    Role.RESEARCHER: ADMINISTRATION,
    Role.ADMIN: set(QUESTIONS) - ADMINISTRATION,
    Role.INTEGRATOR: set(QUESTIONS) - READING,
}


def test_every_root_field_says_who_may_ask_it():
    assert unguarded_fields(Query, Mutation, Subscription) == []


def test_only_signing_in_and_out_are_open_to_anyone():
    fields = [field for root in (Query, Mutation, Subscription) for field in root.__strawberry_definition__.fields]
    names = {schema.config.name_converter.get_graphql_name(f) for f in fields if Permission.ANYONE in permissions_of(f)}
    assert names == OPEN


def test_a_field_that_says_nothing_is_found():
    import strawberry

    @strawberry.type
    class Forgotten:
        @strawberry.field
        def everything(self) -> str:
            return "all"

    assert unguarded_fields(Forgotten) == ["Forgotten.everything"]


@pytest.mark.parametrize("field", QUESTIONS)
def test_nobody_signed_in_gets_nothing(stranger, field):
    answer = stranger.raw(QUESTIONS[field])
    assert answer["errors"][0]["extensions"]["code"] == "not_signed_in"
    assert not any((answer["data"] or {}).values())


@pytest.mark.parametrize(("role", "field"), [(role, field) for role in REFUSED for field in sorted(REFUSED[role])])
def test_a_role_is_refused_what_it_may_not_and_the_refusal_is_written(http, api_store, role, field):
    client = _client(http, role)
    answer = client.raw(QUESTIONS[field])
    assert answer["errors"][0]["extensions"]["code"] == "forbidden"
    assert not any((answer["data"] or {}).values())
    with api_store.session() as session:
        entry = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry.action == "refused"
    assert entry.login == LOGINS[role]
    assert entry.detail["field"].replace("_", "").lower() == field.lower()


def test_signing_in_tells_who_one_is(http, physician):
    assert physician.session["me"] == {
        "login": "physician.essai",
        "name": "Compte physician",
        "role": "PHYSICIAN",
    }
    me = physician.ask("{ me { login role centre { code name } } centre { referentName freshness } }")
    assert me["me"]["centre"] == {"code": "ESSAI", "name": "Centre d’essai"}
    assert len(me["centre"]["freshness"] or "2026-01-01T00:00:00") == 19


def test_nobody_signed_in_is_null_and_not_an_error(stranger):
    assert stranger.ask("{ me { login } }") == {"me": None}


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "L’identifiant ou le mot de passe est faux."),
        ("en-GB,en;q=0.9,fr;q=0.2", "The login or the password is wrong."),
        ("de", "L’identifiant ou le mot de passe est faux."),
    ],
)
def test_a_wrong_password_is_said_in_the_reader_s_language(http, language, message):
    client = ApiClient(http, language=language)
    question = 'mutation { signIn(login: "inconnu", password: "x") { ... on InputProblem { code message field } } }'
    problem = client.ask(question)["signIn"]
    assert problem == {"code": "not_signed_in", "message": message, "field": "password"}


def test_a_session_goes_on_by_its_refresh_token_and_ends_by_signing_out(http):
    client = ApiClient(http, Role.PHYSICIAN)
    question = """mutation ($token: String!) { refresh(refreshToken: $token) {
        ... on Session { accessToken refreshToken expiresAt } ... on InputProblem { code } } }"""
    renewed = client.ask(question, token=client.session["refreshToken"])["refresh"]
    assert renewed["accessToken"]
    assert client.ask("mutation ($t: String!) { signOut(refreshToken: $t) }", t=renewed["refreshToken"])["signOut"]
    assert client.ask("{ me { login } }") == {"me": None}
    assert client.ask(question, token=renewed["refreshToken"])["refresh"] == {"code": "not_signed_in"}


def test_a_refusal_speaks_french(http):
    error = _client(http, Role.ADMIN).refused(QUESTIONS["search"])
    assert error["message"] == "Le rôle admin ne le permet pas."
    assert error["extensions"]["hint"] == "Demandez à l’administrateur du centre."


def test_a_saved_query_is_its_author_s_alone(physician, researcher):
    saved = physician.ask(
        'mutation ($c: JSON) { saveQuery(name: "Sein HER2", text: "sein HER2", criteria: $c) { id criteria } }',
        c={"tumour": {"topography": ["C50"]}},
    )["saveQuery"]
    assert saved["criteria"] == {"tumour": {"topography": ["C50"]}}
    assert saved["id"] in [row["id"] for row in physician.ask("{ savedQueries { id } }")["savedQueries"]]
    assert researcher.ask("{ savedQueries { id } }")["savedQueries"] == []
    assert not researcher.ask("mutation ($id: ID!) { deleteQuery(id: $id) }", id=saved["id"])["deleteQuery"]
    assert physician.ask("mutation ($id: ID!) { deleteQuery(id: $id) }", id=saved["id"])["deleteQuery"]


@pytest.mark.parametrize(
    "criteria",
    ['{}', '{tumeur: {}}', '{all: [{tumour: {topography: "C50"}}]}', '"{"', '[1]', '{patient: {sex: "robot"}}'],
)  # fmt: skip
def test_wrong_criteria_are_a_problem_that_says_where(physician, criteria):
    question = "{ cohortCount(criteria: CRITERIA) { ... on InputProblem { code message hint field } } }"
    problem = physician.ask(question.replace("CRITERIA", criteria))["cohortCount"]
    assert problem["code"] == "criteria"
    assert problem["field"] == "criteria"
    assert "critères" in problem["message"]


_clients = {}


def _client(http, role):
    if role not in _clients:
        _clients[role] = ApiClient(http, role)
    return _clients[role]


def test_the_password_of_the_tests_is_not_kept_in_clear(api_store):
    raw = api_store.engine.raw_connection()
    try:
        assert not raw.execute("select 1 from account where password_hash like ?", [f"%{PASSWORD}%"]).fetchall()
    finally:
        raw.close()
