"""Access tokens: short JSON Web Tokens (HS256) that only this node signs and reads.

The key lies in `home/keys/session.key`, 64 random bytes, readable by the owner alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from consore.access.secret import node_secret

ALGORITHM = "HS256"
KEY_BYTES = 64


@dataclass(slots=True, frozen=True)
class AccessClaims:
    """What an access token says: whose it is, of which session, until when (Unix seconds)."""

    account_id: int
    session: str
    expires_at: int


def sign_access(key: OctKey, issuer: str, claims: AccessClaims) -> str:
    """The claims as a signed token."""
    body = {
        "iss": issuer,
        "sub": str(claims.account_id),
        "sid": claims.session,
        "iat": int(time.time()),
        "exp": claims.expires_at,
        "use": "access",
    }
    return jwt.encode({"alg": ALGORITHM}, body, key, algorithms=[ALGORITHM])


def read_access(key: OctKey, issuer: str, token: str) -> AccessClaims | None:
    """The claims of a token that this node signed and that has not expired, else None."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            exp={"essential": True},
            use={"essential": True, "value": "access"},
        ).validate(claims)
        return AccessClaims(int(claims["sub"]), str(claims.get("sid", "")), int(claims["exp"]))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def session_key(home: Path) -> OctKey:
    """The node's key, made at first use. Raises ConfigurationError where it cannot be read or is not a key."""
    return OctKey.import_key(
        node_secret(home, "session", KEY_BYTES, "Delete it: a new one is made, and everybody signs in again.")
    )
