"""Requests between centres prove where they come from, once."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import time
import uuid

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from consore.federation import TokenRefused, node_key, public_key_pem, upsert_peer
from consore.federation.token import sign, verify
from consore.model import Checkpoint, now
from consore.settings import Settings

BODY = b'{"criteria": {}}'


@pytest.fixture
def north(tmp_path, store):
    """A centre that this one knows."""
    settings = Settings(home=tmp_path / "north", centre_code="NORD")
    with store.session() as session:
        upsert_peer(session, code="NORD", name="Nord", url="http://127.0.0.1:1", public_key=public_key_pem(settings))
    return settings


def signed(settings, *, body=BODY, audience="TEST", act="count", issuer="NORD"):
    return sign(node_key(settings), issuer=issuer, audience=audience, act=act, body=body)


def made_up(settings, **changes):
    """A token with claims of one's own, well signed."""
    issued = int(time.time())
    claims = {
        "iss": "NORD",
        "aud": "TEST",
        "act": "count",
        "iat": issued,
        "exp": issued + 60,
        "jti": str(uuid.uuid4()),
        "body": hashlib.sha256(BODY).hexdigest(),
        **changes,
    }
    claims = {key: value for key, value in claims.items() if value is not None}
    key = OKPKey.import_key(node_key(settings))
    return jwt.encode({"alg": "Ed25519"}, claims, key, algorithms=["Ed25519"])


def check(store, token, body=BODY):
    return verify(store, token=token, audience="TEST", act="count", body=body)


def test_a_request_of_a_known_centre_is_believed(store, north):
    assert check(store, signed(north)).peer.code == "NORD"


def test_a_request_is_believed_once(store, north):
    token = signed(north)
    check(store, token)
    with pytest.raises(TokenRefused, match="already"):
        check(store, token)


def test_a_token_signed_by_another_key_is_refused(store, north, tmp_path):
    stranger = Settings(home=tmp_path / "stranger", centre_code="NORD")
    with pytest.raises(TokenRefused, match="signature"):
        check(store, signed(stranger))


def test_an_unknown_centre_is_refused(store, north):
    with pytest.raises(TokenRefused, match="not known"):
        check(store, signed(north, issuer="OUEST"))


def test_a_centre_that_was_switched_off_is_refused(store, north):
    with store.session() as session:
        upsert_peer(
            session,
            code="NORD",
            name="Nord",
            url="http://127.0.0.1:1",
            public_key=public_key_pem(north),
            enabled=False,
        )
    with pytest.raises(TokenRefused, match="not known"):
        check(store, signed(north))


@pytest.mark.parametrize("changes", [{"audience": "SUD"}, {"act": "contact"}])
def test_a_token_for_another_centre_or_another_act_is_refused(store, north, changes):
    with pytest.raises(TokenRefused, match="another"):
        check(store, signed(north, **changes))


def test_a_question_changed_on_the_way_is_refused(store, north):
    with pytest.raises(TokenRefused, match="not the one"):
        check(store, signed(north), body=b'{"criteria": {"all": []}}')


@pytest.mark.parametrize("shift", [-200, +200])
def test_a_clock_minutes_away_is_refused(store, north, shift):
    issued = int(time.time()) + shift
    with pytest.raises(TokenRefused, match="not of now"):
        check(store, made_up(north, iat=issued, exp=issued + 60))


@pytest.mark.parametrize("shift", [-20, +20])
def test_a_clock_seconds_away_is_forgiven(store, north, shift):
    issued = int(time.time()) + shift
    assert check(store, made_up(north, iat=issued, exp=issued + 60))


@pytest.mark.parametrize(
    "changes",
    [{"exp": int(time.time()) + 9_999}, {"jti": None}, {"jti": "x"}, {"iat": "now"}, {"exp": None}],
)
def test_a_token_that_lives_too_long_or_lacks_something_is_refused(store, north, changes):
    with pytest.raises(TokenRefused):
        check(store, made_up(north, **changes))


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "x" * 5000, "eyJhbGciOiJub25lIn0.eyJpc3MiOiJOT1JEIn0."])
def test_what_is_no_token_is_refused(store, north, token):
    with pytest.raises(TokenRefused):
        check(store, token)


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(store, north):
    issued = int(time.time())
    claims = {"iss": "NORD", "aud": "TEST", "act": "count", "iat": issued, "exp": issued + 60}
    head = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    seal = hmac.new(public_key_pem(north).encode(), head.encode(), hashlib.sha256).digest()
    with pytest.raises(TokenRefused, match="signature"):
        check(store, f"{head}.{base64url(seal)}")


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_used_tokens_are_forgotten_when_they_could_not_be_used_anyway(store, north):
    with store.session() as session:
        session.add(Checkpoint(key="federation:token:NORD:old", updated_at=now() - dt.timedelta(hours=1)))
        session.add(Checkpoint(key="ingestion:kept", updated_at=now() - dt.timedelta(hours=1)))
    check(store, signed(north))
    with store.session() as session:
        assert session.get(Checkpoint, "federation:token:NORD:old") is None
        assert session.get(Checkpoint, "ingestion:kept") is not None
