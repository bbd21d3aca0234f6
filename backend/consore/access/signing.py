"""Access tokens: short JSON Web Tokens (HS256) that only this node signs and reads.

The key lies in `home/keys/session.key`, 64 random bytes, readable by the owner alone.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from consore.errors import ConfigurationError

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
    """The node's key, made at first use.

    Two processes may start together: the file is linked into place, and whoever comes second reads the first's.
    Raises ConfigurationError where the file cannot be read or is not a key.
    """
    file = home / "keys" / "session.key"
    try:
        if not file.exists():
            _make_key(file)
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The key {file} cannot be used: {error.strerror}.", "Check who owns the folder and that the disk has room."
        ) from error
    if len(raw) != KEY_BYTES:
        raise ConfigurationError(
            f"The key {file} is damaged.", "Delete it: a new one is made, and everybody signs in again."
        )
    return OctKey.import_key(raw)


def _make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".session.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
