"""The app's calls: what is sent, what is made of the answers, and what is said when something goes wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kivy_answers import answers
from kivy_replay import Replay

from consore_mobile.answers import Schedule
from consore_mobile.client import Client, server_address
from consore_mobile.failures import BadCertificate, Failure, Refused, ServerFault, SignedOut, TooSlow, Unreachable


@pytest.fixture
def server() -> Iterator[Replay]:
    with Replay(answers()).serving() as replay:
        yield replay


def _ask(address: str, work: Callable[[Client], Awaitable[Any]], login: str = "medecin", **options: Any) -> Any:
    async def go() -> Any:
        client = Client(address, **options)
        try:
            if login:
                await client.sign_in(login, "secret")
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(go())


def test_every_question_of_the_app_is_answered_and_read(server: Replay) -> None:
    async def all_of_them(client: Client) -> None:
        found = await client.search("sein", None, 3)
        assert (found.total, len(found.hits)) == (43, 3)
        assert found.understood[0].label == "Sein"
        assert (await client.facets("sein", found.criteria))[0].values[0].label == "Sein"
        assert (await client.suggest("can"))[0].text == "cancer du sein"
        patient = await client.patient("0")
        assert patient.tumours[0].diagnosis_date == dt.date(2019, 3, 2)
        assert patient.timeline
        assert patient.timeline.lanes[3].items[0].end == dt.date(2019, 10, 1)
        assert patient.summary[1].startswith("→ mastectomie")
        assert [item.shown for item in patient.timeline.lanes[4].items][1] == "Progression hépatique (?)"
        assert (await client.patient_documents("0")).total == 9
        queue = await client.review_queue()
        assert [(item.kind, item.set_aside) for item in queue.items][:2] == [("TUMOUR", False), ("EVENT", True)]
        assert [item.kind for item in (await client.review_queue("EVENT")).items] == ["EVENT"]
        item = await client.item_for_review("0", queue.items[0].key)
        assert [field.name for field in item.fields if field.others] == ["laterality", "diagnosis_date"]
        review = await client.review_item("0", item.key, "CORRECT", {"laterality": "right"})
        await client.withdraw_review(review)
        assert len((await client.similar("0"))[1]) == 3
        document = await client.document("d1")
        assert all(document.text[m.start : m.end] == m.text for m in document.mentions)
        assert await client.cohort_count({}) == 43
        assert [row.count for row in (await client.centres_count({})).rows] == ["50", "120", "<10", None]
        assert (await client.request_contact("CLCC-B", {}, "Étude de faisabilité")).state == "sent"
        assert (await client.contact_requests())[0].created_at.tzinfo is dt.UTC
        assert (await client.sources())[1].schedule.frequency == "MONTHLY"
        assert (await client.ingestion_runs("6"))[2].state == "failed"
        assert len(await client.rejected_records("6")) == 3
        assert (await client.set_schedule("6", Schedule("WEEKLY", 4, 30, 2))).schedule.hour == 4
        assert (await client.run_ingestion("6")).state == "running"

    _ask(server.address, all_of_them)


def test_questions_go_out_in_the_language_of_the_app(server: Replay) -> None:
    _ask(server.address, lambda client: client.suggest("can"), language="en")
    assert {request["language"] for request in server.asked} == {"en"}


def test_a_wrong_password_is_told_in_the_words_of_the_server(server: Replay) -> None:
    with pytest.raises(Refused) as refused:
        _ask(server.address, lambda client: client.sign_in("medecin", "wrong"), login="")
    assert refused.value.message == "Identifiant ou mot de passe incorrect."


def test_an_expired_session_is_renewed_once_for_all_calls_that_meet_it(server: Replay) -> None:
    server.expired.add("medecin-0")

    async def three_at_once(client: Client) -> list[Any]:
        return await asyncio.gather(*(client.suggest(prefix) for prefix in ("ca", "can", "canc")))

    assert len(_ask(server.address, three_at_once)) == 3
    assert sum("mutation Refresh" in request["query"] for request in server.asked) == 1
    assert server.asked[-1]["token"] == "medecin-1"


def test_the_refresh_token_changes_at_each_use(server: Replay) -> None:
    server.expired.update({"medecin-0", "medecin-1"})

    async def twice(client: Client) -> str:
        with pytest.raises(SignedOut):
            await client.suggest("can")  # the renewed token has expired too: no endless loop
        await client.suggest("can")
        return client.session.refresh_token if client.session else ""

    assert _ask(server.address, twice) == "medecin-r2"


def test_a_session_that_cannot_be_renewed_is_over(server: Replay) -> None:
    server.expired.add("medecin-0")

    async def ended(client: Client) -> None:
        server.values["refresh"] = {"__typename": "InputProblem", "code": "refresh", "message": "", "hint": ""}
        with pytest.raises(SignedOut):
            await client.suggest("can")
        assert client.session is None

    _ask(server.address, ended)


def test_signing_out_closes_the_session_on_the_server_too(server: Replay) -> None:
    async def leave(client: Client) -> None:
        await client.sign_out()
        with pytest.raises(SignedOut):
            await client.suggest("can")

    _ask(server.address, leave)
    assert "mutation SignOut" in server.asked[-1]["query"]
    assert server.asked[-1]["variables"] == {"refreshToken": "medecin-r0"}


def test_a_server_that_is_stopped_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        _ask("http://127.0.0.1:9", lambda client: client.suggest("x"))


def test_an_address_that_is_none_is_unreachable() -> None:
    for address in ("http://", "ftp://x", "https://nulle part", "http://[::1"):
        with pytest.raises(Unreachable):
            _ask(address, lambda client: client.suggest("x"))


def test_a_slow_server_is_told_apart(server: Replay) -> None:
    server.delay_s = 2
    with pytest.raises(TooSlow):
        _ask(server.address, lambda client: client.suggest("x"), timeout_s=0.2)


def test_a_broken_server_is_told_apart(server: Replay) -> None:
    server.status = 500
    with pytest.raises(ServerFault):
        _ask(server.address, lambda client: client.suggest("x"))


def test_an_answer_that_is_no_graphql_is_a_server_fault() -> None:
    for body in (b"<html>", b"[]", b"{}", b'{"data": null}'):
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(200, content=body))
        with pytest.raises(ServerFault):
            _ask("http://localhost", lambda client: client.sign_in("a", "b"), login="", transport=transport)


def test_a_refusal_carries_what_to_do_next() -> None:
    error = {
        "message": "Accès refusé.",
        "extensions": {"code": "forbidden", "hint": "Demandez à votre administrateur."},
    }
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": None, "errors": [error]}))
    with pytest.raises(Refused) as refused:
        _ask("http://localhost", lambda client: client.sign_in("a", "b"), login="", transport=transport)
    assert (refused.value.code, refused.value.hint) == ("forbidden", "Demandez à votre administrateur.")


def test_an_unknown_certificate_is_refused_and_the_hospitals_own_authority_accepted(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    with Replay(answers()).serving(certificate, key) as replay:
        with pytest.raises(BadCertificate):
            _ask(replay.address, lambda client: client.suggest("x"))
        assert _ask(replay.address, lambda client: client.suggest("x"), authority=certificate)
        assert all("secret" in str(request["variables"]) or request["token"] for request in replay.asked)


def test_an_address_is_made_whole() -> None:
    assert server_address(" consore.centre.fr/ ") == "https://consore.centre.fr"
    assert server_address("localhost:8400") == "http://localhost:8400"
    assert server_address("http://10.0.0.1:8400/graphql") == "http://10.0.0.1:8400"


def test_every_failure_has_its_words() -> None:
    from consore_mobile.words import catalogue

    for kind in [Failure, *Failure.__subclasses__()]:
        assert f"failure.{kind.kind}.title" in catalogue("fr")


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Centre Jeanne-Barret")])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "ca.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    assert ssl.create_default_context(cafile=str(files[0]))
    return files
