"""Three centres as three processes on loopback: counts, refusals, a stopped centre, contact between referents."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dossiers import Person, write
from federation_centres import Centre, make_centre
from sqlmodel import select

from consore.errors import ComponentError, CriteriaError, InputError
from consore.federation import (
    FederatedState,
    answer_contact,
    ask,
    introduce,
    key_fingerprint,
    node_key,
    public_key_pem,
    request_contact,
    upsert_peer,
)
from consore.federation.token import sign
from consore.model import ContactRequest, FederatedQuery
from consore.search.criteria import Criteria, parse_criteria

BREAST = parse_criteria({"tumour": {"topography": ["C50"]}})


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Centre]]:
    """Three centres that know each other, with 5, 23 and 12 patients; 9 more of the second are opposed."""
    root: Path = tmp_path_factory.mktemp("network")
    centres = [make_centre(root / code, code, name) for code, name in (("A", "Armor"), ("B", "Brie"), ("C", "Caux"))]
    introduce([centre.settings for centre in centres])
    for centre, count in zip(centres, (5, 23, 12), strict=True):
        people = [Person(f"P{n}", tumours=[{"topography": "C50.4"}]) for n in range(count)]
        if count == 23:
            people += [Person(f"O{n}", tumours=[{"topography": "C50.4"}], opposed=True) for n in range(9)]
        store = centre.store
        write(store, people)
        store.close()
    for centre in centres:
        centre.start()
    for centre in centres:
        centre.wait()
    yield centres
    for centre in centres:
        centre.stop()


def asked(centre: Centre, criteria: Criteria = BREAST):
    store = centre.store
    try:
        return asyncio.run(ask(centre.settings, store, criteria, "Dr Lemoine"))
    finally:
        store.close()


def post(asking: Centre, asked_one: Centre, body: bytes, token: str | None = None, act: str = "count"):
    token = token or sign(
        node_key(asking.settings),
        issuer=asking.settings.centre_code,
        audience=asked_one.settings.centre_code,
        act=act,
        body=body,
    )
    url = f"{asked_one.settings.address}/federation/{'counts' if act == 'count' else 'contacts'}"
    return httpx.post(url, content=body, headers={"authorization": f"Bearer {token}"})


def question(**changes) -> bytes:
    return json.dumps({"request_id": "r-1", "requester": "x", "criteria": BREAST.as_json(), **changes}).encode()


def test_each_centre_gives_a_row_and_only_ours_is_exact(network):
    answer = asked(network[0])
    assert [(row.centre_code, row.state, row.count, row.upper_bound) for row in answer.rows] == [
        ("A", FederatedState.ANSWERED, "5", 5),
        ("B", FederatedState.ANSWERED, "30", 30),
        ("C", FederatedState.ANSWERED, "20", 20),
    ]
    assert answer.total == "au plus 55 patients (3 centres)"
    assert answer.rows[1].referent_name == "Dr Brie"
    assert answer.rows[1].referent_email == "referent@b.example"


def test_every_question_is_written_down_on_both_sides(network):
    answer = asked(network[0])
    for centre, direction in ((network[0], "out"), (network[1], "in")):
        store = centre.store
        with store.session() as session:
            logged = session.exec(select(FederatedQuery).where(FederatedQuery.request_id == answer.request_id)).all()
        store.close()
        assert {(row.direction, row.state, row.requester) for row in logged} == {(direction, "answered", "Dr Lemoine")}


def test_a_stopped_centre_is_unreachable_within_the_deadline_and_costs_no_other_row(network):
    network[2].stop()
    try:
        started = time.perf_counter()
        answer = asked(network[0])
        assert time.perf_counter() - started < network[0].settings.federation_deadline_s + 1
    finally:
        network[2].start()
        network[2].wait()
    assert [row.state.value for row in answer.rows] == ["answered", "answered", "unreachable"]
    assert answer.rows[2].message == "Le centre est injoignable."
    assert answer.total == "au plus 35 patients (2 centres sur 3)"


def test_a_centre_that_does_not_answer_in_time_has_timed_out(network, tmp_path):
    asking = make_centre(tmp_path / "slow", "S", "Saône", deadline=0.5)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        admit(asking, "D", f"http://127.0.0.1:{deaf.getsockname()[1]}", network[1])
        answer = asked(asking)
    assert answer.rows[1].state is FederatedState.TIMED_OUT
    assert answer.milliseconds < 2_000


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", b"nonsense\r\n\r\n"])
def test_a_centre_that_answers_nonsense_is_not_believed(network, tmp_path, said):
    asking = make_centre(tmp_path / "home", "S", "Saône")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        admit(asking, "D", f"http://127.0.0.1:{listening.getsockname()[1]}", network[1])

        def answer_once() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer_once)
        thread.start()
        answer = asked(asking)
        thread.join()
    assert answer.rows[1].state is FederatedState.UNREACHABLE


def test_a_centre_that_does_not_know_us_refuses(network, tmp_path):
    stranger = make_centre(tmp_path / "stranger", "X", "Inconnu")
    admit(stranger, "B", network[1].settings.address, network[1])
    row = asked(stranger).rows[1]
    assert row.state is FederatedState.REFUSED
    assert row.count is None
    assert "not known" in str(row.message)


def test_a_request_sent_twice_is_refused_the_second_time(network):
    body = question()
    token = sign(node_key(network[0].settings), issuer="A", audience="B", act="count", body=body)
    assert post(network[0], network[1], body, token).status_code == 200
    assert post(network[0], network[1], body, token).status_code == 401


def test_a_forged_request_is_refused(network):
    body = question()
    forged = sign(node_key(network[2].settings), issuer="A", audience="B", act="count", body=body)
    response = post(network[0], network[1], body, forged)
    assert response.status_code == 401
    assert response.json()["code"] == "token_refused"


def test_a_request_without_a_token_learns_nothing(network):
    response = httpx.post(f"{network[1].settings.address}/federation/counts", content=question())
    assert response.status_code == 401
    assert "count" not in response.json()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"request_id": "r"}',
        question(criteria={"document": {"text": "Duval"}}),
        question(criteria={"tumour": {"stage": ["Duval"]}}),
        question(request_id=""),
    ],
)
def test_a_question_that_cannot_be_read_is_refused_with_what_to_do(network, body):
    response = post(network[0], network[1], body)
    assert response.status_code == 400
    assert response.json()["hint"]


def test_a_question_too_large_is_not_read(network):
    assert post(network[0], network[1], question(requester="x" * 100_000)).status_code == 413


def test_a_question_with_free_words_does_not_leave(network):
    with pytest.raises(CriteriaError):
        asked(network[0], parse_criteria({"document": {"text": "Duval"}}))


def test_anyone_may_know_who_a_centre_is(network):
    found = httpx.get(f"{network[1].settings.address}/federation/centre").json()
    assert found == {
        "code": "B",
        "name": "Brie",
        "fingerprint": key_fingerprint(network[1].settings),
        "freshness": None,
    }


def test_two_referents_can_talk_about_a_question(network):
    asking, answering = network[0], network[1]
    here, there = asking.store, answering.store
    sent = asyncio.run(
        request_contact(
            asking.settings, here, peer_code="B", criteria=BREAST, purpose="Essai de phase II.", requester="Dr Lemoine"
        )
    )
    with there.session() as session:
        received = session.exec(select(ContactRequest).where(ContactRequest.request_id == sent.request_id)).one()
    assert (received.direction, received.purpose, received.peer_code) == ("in", "Essai de phase II.", "A")
    asyncio.run(answer_contact(answering.settings, there, request_id=sent.request_id, answer="Appelez-moi mardi."))
    with here.session() as session:
        back = session.exec(select(ContactRequest).where(ContactRequest.request_id == sent.request_id)).one()
    assert (back.state, back.answer) == ("answered", "Appelez-moi mardi.")
    here.close()
    there.close()


@pytest.mark.parametrize("purpose", ["", "Au sujet de Camille DUVAL", "Au sujet de camille duval, merci", "Patient P3"])
def test_a_contact_request_never_names_a_patient(network, purpose):
    store = network[0].store
    with pytest.raises(InputError):
        asyncio.run(
            request_contact(
                network[0].settings, store, peer_code="B", criteria=BREAST, purpose=purpose, requester="Dr Lemoine"
            )
        )
    store.close()


def test_an_answer_that_cannot_be_sent_can_be_sent_again(network, tmp_path):
    alone = make_centre(tmp_path / "alone", "Z", "Zénith")
    admit(alone, "A", "http://127.0.0.1:9", network[0])
    store = alone.store
    with store.session() as session:
        session.add(ContactRequest(direction="in", peer_code="A", request_id="q", purpose="Essai"))
    with pytest.raises(ComponentError):
        asyncio.run(answer_contact(alone.settings, store, request_id="q", answer="Oui."))
    with store.session() as session:
        assert session.exec(select(ContactRequest)).one().state == "sent"
    store.close()


@pytest.mark.parametrize(
    "changes", [{"code": "é é"}, {"url": "ftp://x"}, {"url": "centre"}, {"public_key": "PRIVATE KEY"}]
)
def test_a_peer_that_cannot_be_used_is_not_admitted(network, store, changes):
    values = {"code": "B", "name": "", "url": "http://b", "public_key": public_key_pem(network[1].settings), **changes}
    with pytest.raises(InputError), store.session() as session:
        upsert_peer(session, **values)


def admit(centre: Centre, code: str, url: str, key_of: Centre) -> None:
    store = centre.store
    with store.session() as session:
        upsert_peer(session, code=code, name=code, url=url, public_key=public_key_pem(key_of.settings))
    store.close()
