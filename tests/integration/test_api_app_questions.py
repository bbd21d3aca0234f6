"""Every question that the app asks is answered by the real API, within its limits."""

import pytest
from api_centre import LOGINS, PASSWORD, ApiClient, fill_centre
from graphql import OperationDefinitionNode, parse
from starlette.testclient import TestClient

from consore.api import create_app
from consore.model import Role
from consore.settings import Settings
from consore_mobile.operations import operation, operation_names

BREAST = {"tumour": {"topography": ["C50"]}}
VALUES = {
    "login": LOGINS[Role.PHYSICIAN],
    "password": PASSWORD,
    "text": "cancer du sein",
    "prefix": "carcinome",
    "criteria": BREAST,
    "purpose": "Essai",
    "peerCode": "AUTRE",
    "page": 1,
    "perPage": 20,
    "first": 20,
    "limit": 10,
    "id": "1",
    "sourceId": "1",
    "runId": "1",
    "frequency": "NIGHTLY",
    "input": {"frequency": "NIGHTLY", "hour": 3},
    "refreshToken": "none",
    "kind": "ccam",
    "edition": "shipped",
    "patientId": "1",
    "key": "tumour:C50:left:2019-03-04",
    "verdict": "CONFIRM",
    "name": "Essai",
    "shared": False,
    "offset": 0,
    "endpoint": "OVERALL",
}
OF_AN_ADMINISTRATOR = {
    "sources",
    "set_schedule",
    "schedule_preview",
    "run_ingestion",
    "ingestion_runs",
    "rejected_records",
    "rejected_reasons",
    "replay_rejected",
    "cancel_run",
    "referentials",
    "activate_edition",
}


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    app = create_app(Settings(home=tmp_path_factory.mktemp("questions-node"), centre_code="ESSAI"))
    fill_centre(app.state.node.store, patients=4)
    with TestClient(app) as http:
        app.state.node.wait_for_engine(120)
        app.state.node.index.rebuild(app.state.node.store, app.state.node.terminology)
        yield {role: ApiClient(http, role) for role in (Role.PHYSICIAN, Role.ADMIN)}


@pytest.mark.parametrize("name", operation_names())
def test_a_question_of_the_app_is_answered(clients, name):
    text = operation(name)
    asked = next(node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode))
    variables = {variable.variable.name.value for variable in asked.variable_definitions or ()}
    given = {variable: VALUES[variable] for variable in variables & set(VALUES)}
    client = clients[Role.ADMIN if name in OF_AN_ADMINISTRATOR else Role.PHYSICIAN]
    answer = client.raw(text, **given)
    assert "errors" not in answer, answer["errors"]
    assert answer["data"]
