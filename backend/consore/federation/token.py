"""One signed, short-lived, single-use token for each request between two centres.

A JSON Web Token signed by EdDSA on Ed25519 (RFC 8037; its name in the header is `Ed25519`, RFC 9864): who
asks (`iss`), who is asked (`aud`), what for (`act`), when (`iat`, `exp`, at most 60 s later), a number used
once (`jti`), and the SHA-256 of the body (`body`), so that no word of the question can be changed on the way.
Clocks may differ by 30 s.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from consore.errors import AccessError, InputError
from consore.federation.keys import read_public_key
from consore.model import Checkpoint, Peer, now
from consore.store import Store

ALGORITHM = "Ed25519"
LIFE_S = 60
SKEW_S = 30
LONGEST_TOKEN = 4096
_JTI = re.compile(r"[A-Za-z0-9-]{16,64}")
_SEEN = "federation:token:"


class TokenRefused(AccessError):
    """A request of another centre does not prove where it comes from."""

    code = "token_refused"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a token that was believed says."""

    peer: Peer
    token_id: str


def sign(key: Ed25519PrivateKey, *, issuer: str, audience: str, act: str, body: bytes) -> str:
    """A token for one request. `act`: `count`, `contact` or `answer`."""
    issued = int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "act": act,
        "iat": issued,
        "exp": issued + LIFE_S,
        "jti": str(uuid.uuid4()),
        "body": hashlib.sha256(body).hexdigest(),
    }
    return jwt.encode({"alg": ALGORITHM}, claims, OKPKey.import_key(key), algorithms=[ALGORITHM])


def verify(store: Store, *, token: str, audience: str, act: str, body: bytes) -> Signed:
    """Who signed this request; its token cannot be used again.

    Raises TokenRefused saying what is wrong: unknown centre, signature, audience, time, body, or a token seen before.
    """
    with store.session() as session:
        peer = session.get(Peer, _issuer(token))
    if peer is None or not peer.enabled:
        raise _refused("The centre that asks is not known here.", "Ask this centre's administrator to admit it.")
    claims = _claims(token, peer)
    _check(claims, peer, audience, act, body)
    token_id = str(claims["jti"])
    _use_once(store, f"{_SEEN}{peer.code}:{token_id}")
    return Signed(peer, token_id)


def _issuer(token: str) -> str:
    """The `iss` of a token, not yet believed: it only says whose key to try."""
    if not token or len(token) > LONGEST_TOKEN:
        raise _refused("The request carries no token.", "Send `Authorization: Bearer …`.")
    try:
        claims = _json(jws.extract_compact(token.encode("ascii")).payload)
        return str(claims["iss"])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _unreadable() from error


def _claims(token: str, peer: Peer) -> Mapping[str, Any]:
    try:
        key = OKPKey.import_key(read_public_key(peer.public_key))
        return jwt.decode(token, key, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, TypeError, InputError) as error:
        raise _refused(
            "The signature is not that of the centre that it names.", "Exchange the public keys again."
        ) from error


def _check(claims: Mapping[str, Any], peer: Peer, audience: str, act: str, body: bytes) -> None:
    if claims.get("iss") != peer.code or claims.get("aud") != audience or claims.get("act") != act:
        raise _refused("The token was made for another centre or another request.", "Check the codes of both centres.")
    issued, expires, moment = claims.get("iat"), claims.get("exp"), time.time()
    if not isinstance(issued, int) or not isinstance(expires, int) or expires - issued > LIFE_S:
        raise _unreadable()
    if expires + SKEW_S < moment or issued - SKEW_S > moment:
        raise _refused("The token is not of now.", "Set the clocks of both centres (NTP) and ask again.")
    if claims.get("body") != hashlib.sha256(body).hexdigest():
        raise _refused("The request is not the one that was signed.", "Ask again.")
    if not _JTI.fullmatch(str(claims.get("jti", ""))):
        raise _unreadable()


def _use_once(store: Store, key: str) -> None:
    """Write the token down; the primary key makes two simultaneous uses one. Those long expired are forgotten."""
    old = now() - timedelta(seconds=2 * (LIFE_S + 2 * SKEW_S))
    try:
        with store.session() as session:
            session.execute(
                delete(Checkpoint).where(col(Checkpoint.key).startswith(_SEEN), col(Checkpoint.updated_at) < old)
            )
            session.add(Checkpoint(key=key, value=""))
    except IntegrityError as error:
        raise _refused("This request was already received.", "Ask again: each question is signed anew.") from error


def _json(payload: bytes) -> dict[str, Any]:
    value = json.loads(payload)
    if not isinstance(value, dict):
        raise TypeError("claims are not an object")
    return value


def _refused(message: str, hint: str) -> TokenRefused:
    return TokenRefused(message, hint)


def _unreadable() -> TokenRefused:
    return TokenRefused("The token cannot be read.", "Send a token made by Consore, whole.")
