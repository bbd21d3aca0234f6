"""A run started from the app is followed as it goes, over a WebSocket, while the API answers."""

import csv

import pytest
from api_centre import ApiClient, fill_centre
from sqlmodel import select
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from consore.api import create_app
from consore.model import Patient, Role
from consore.settings import Settings

FOLLOW = "subscription ($id: ID) { ingestionProgress(runId: $id) { id sourceName state stage seen created rejected } }"
HEADER = (
    "ipp nom_usage nom_naissance prenom sexe date_naissance date_deces date_dernieres_nouvelles code_postal commune"
)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    app = create_app(Settings(home=tmp_path_factory.mktemp("progress-node"), centre_code="ESSAI"))
    fill_centre(app.state.node.store, patients=1)
    with TestClient(app) as http:
        yield app.state.node, http


@pytest.fixture
def admin(node):
    return ApiClient(node[1], Role.ADMIN)


def test_a_run_is_started_and_followed_to_its_end(node, admin, tmp_path):
    extract = tmp_path / "administratif.csv"
    with extract.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow([*HEADER.split(), "opposition"])
        for number in range(30):
            writer.writerow(
                [f"N{number:05}", "Durand", "", "Paul", "M", "1950-01-02", "", "2024-01-01", "35000", "Rennes", "0"]
            )
    made = admin.ask(
        "mutation ($i: SourceInput!) { upsertSource(input: $i) { ... on Source { id } } }",
        i={"name": "Nouveaux patients", "kind": "administrative", "location": str(extract)},
    )["upsertSource"]
    run = admin.ask(
        "mutation ($id: ID!) { runIngestion(sourceId: $id) { ... on IngestionRun { id state } } }", id=made["id"]
    )["runIngestion"]
    assert run["state"] == "running"
    told = _follow(node[1], admin.session["accessToken"], run["id"])
    assert told[-1]["state"] == "done", told[-1]
    assert told[-1]["sourceName"] == "Nouveaux patients"
    assert (told[-1]["seen"], told[-1]["created"], told[-1]["rejected"]) == (30, 30, 0)
    with node[0].store.session() as session:
        assert len(session.exec(select(Patient).where(Patient.ipp.startswith("N0"))).all()) == 30
    again = admin.ask(
        "mutation ($id: ID!) { runIngestion(sourceId: $id) { ... on IngestionRun { id } } }", id=made["id"]
    )["runIngestion"]
    end = _follow(node[1], admin.session["accessToken"], again["id"])[-1]
    assert (end["state"], end["created"]) == ("done", 0)


def test_a_run_that_is_not_there_ends_at_once(node, admin):
    assert _follow(node[1], admin.session["accessToken"], "99999") == []


def test_a_physician_follows_no_run(node):
    physician = ApiClient(node[1], Role.PHYSICIAN)
    with pytest.raises(AssertionError, match="forbidden"):
        _follow(node[1], physician.session["accessToken"], "1")


def test_a_connection_without_a_token_is_closed(node):
    with node[1].websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init", "payload": {}})
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == 4403


def test_a_page_of_another_site_opens_no_connection(node, admin):
    with (
        pytest.raises(WebSocketDisconnect),
        node[1].websocket_connect(
            "/graphql", subprotocols=["graphql-transport-ws"], headers={"Origin": "https://ailleurs.example"}
        ),
    ):
        pass


def _follow(http, token, run_id):
    told = []
    with http.websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert socket.receive_json()["type"] == "connection_ack"
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": FOLLOW, "variables": {"id": run_id}}})
        while (message := socket.receive_json())["type"] != "complete":
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            told.append(message["payload"]["data"]["ingestionProgress"])
    return told
