"""Signing in and staying signed in.

A session is an access token of some minutes and a refresh token of some hours. A refresh token serves once: it is
exchanged for the next one of its family. One that comes back a second time was copied, so the whole family ends.
Refresh tokens are kept by their SHA-256 alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, update
from sqlmodel import Session as StoreSession
from sqlmodel import select

from consore.access.account import plain_login
from consore.access.audit import Action, audit
from consore.access.password import password_matches
from consore.access.principal import Principal
from consore.access.signing import AccessClaims, read_access, session_key, sign_access
from consore.errors import NotSignedIn
from consore.model import Account, RefreshToken, Role, now
from consore.settings import Settings
from consore.store import Store

FREE_ATTEMPTS = 5
FIRST_LOCK_S = 30
LONGEST_LOCK_S = 900


@dataclass(slots=True, frozen=True)
class SignedIn:
    """An open session. `expires_at` is the end of the access token, UTC."""

    access_token: str
    refresh_token: str
    expires_at: dt.datetime
    principal: Principal


class Sessions:
    """The sessions of one node. Threads may share it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._key = session_key(settings.home)
        self._issuer = f"consore:{settings.centre_code}"
        self._access_life = dt.timedelta(minutes=settings.access_token_minutes)
        self._refresh_life = dt.timedelta(hours=settings.refresh_token_hours)

    def sign_in(self, login: str, password: str, address: str = "") -> SignedIn:
        """Open a session.

        Raises NotSignedIn, in the same words and after the same work, whether the login is unknown, the password
        wrong, the account closed, or locked after too many failures.
        """
        with self._store.session() as session:
            account, open_now = self._count_attempt(session, plain_login(login))
        matches = password_matches(password, account.password_hash if account else "")
        if account is None or not matches or not open_now:
            with self._store.session() as session:
                audit(session, None, Action.SIGN_IN_REFUSED, detail={}, address=address, login=login)
            raise NotSignedIn(
                "The login or the password is wrong.", f"After {FREE_ATTEMPTS} failures the account rests for a while."
            )
        with self._store.session() as session:
            session.execute(
                update(Account).where(Account.id == account.id).values(failed_attempts=0, locked_until=None)  # type: ignore[arg-type]
            )
            signed_in = self._issue(session, account, family=secrets.token_hex(16))
            audit(session, signed_in.principal, Action.SIGN_IN, address=address)
        return signed_in

    def refresh(self, refresh_token: str, address: str = "") -> SignedIn:
        """Exchange a refresh token for the next session.

        Raises NotSignedIn where it is unknown, expired or used before; used before also ends its whole family.
        """
        signed_in = None
        with self._store.session() as session:
            # The revocation is the claim: of two requests with one token, only one sees a row change.
            fingerprint = _fingerprint(refresh_token)
            claimed = session.execute(
                update(RefreshToken)
                .where(RefreshToken.token_sha256 == fingerprint, RefreshToken.revoked_at.is_(None))  # type: ignore[arg-type, union-attr]
                .values(revoked_at=now())
            ).rowcount  # type: ignore[attr-defined]
            token = session.get(RefreshToken, fingerprint)
            account = session.get(Account, token.account_id) if token else None
            if token and account and not claimed:
                _end_family(session, token.family)
                audit(session, _principal(account, token.family), Action.SESSION_REVOKED, address=address)
            elif token and account and account.active and token.expires_at > now():
                signed_in = self._issue(session, account, family=token.family)
        if signed_in is None:
            raise NotSignedIn("The session has ended.", "Sign in again.")
        return signed_in

    def sign_out(self, refresh_token: str, address: str = "") -> bool:
        """End the session that the token belongs to; whether there was one."""
        with self._store.session() as session:
            token = session.get(RefreshToken, _fingerprint(refresh_token))
            if token is None:
                return False
            account = session.get(Account, token.account_id)
            ended = _end_family(session, token.family)
            if ended and account:
                audit(session, _principal(account, token.family), Action.SIGN_OUT, address=address)
            return bool(ended)

    def principal_of(self, access_token: str) -> Principal | None:
        """Who holds an access token; None where it is wrong or expired, the session ended or the account closed."""
        claims = read_access(self._key, self._issuer, access_token)
        if claims is None:
            return None
        with self._store.session() as session:
            live = select(RefreshToken.account_id).where(
                RefreshToken.family == claims.session,
                RefreshToken.account_id == claims.account_id,
                RefreshToken.revoked_at.is_(None),  # type: ignore[union-attr]
            )
            account = session.exec(
                select(Account).where(Account.id == claims.account_id, Account.active, live.exists())
            ).one_or_none()
        return _principal(account, claims.session) if account else None

    def forget_expired(self) -> int:
        """Remove the refresh tokens whose life is over; returns how many."""
        with self._store.session() as session:
            return session.execute(delete(RefreshToken).where(RefreshToken.expires_at < now())).rowcount  # type: ignore[attr-defined, no-any-return, arg-type]

    def _count_attempt(self, session: StoreSession, login: str) -> tuple[Account | None, bool]:
        """The account and whether it may be tried now.

        The attempt is counted as a failure before the password is looked at, so that many at once gain nothing.
        """
        account = session.exec(select(Account).where(Account.login == login)).one_or_none()
        if account is None:
            return None, False
        resting = account.locked_until is not None and account.locked_until > now()
        if not resting:
            session.execute(
                update(Account)
                .where(Account.id == account.id)  # type: ignore[arg-type]
                .values(failed_attempts=Account.failed_attempts + 1)
            )
            session.refresh(account)
            account.locked_until = _rest_until(account.failed_attempts)
            session.add(account)
        return account, account.active and not resting

    def _issue(self, session: StoreSession, account: Account, family: str) -> SignedIn:
        refresh_token = secrets.token_urlsafe(32)
        expires_at = now() + self._access_life
        principal = _principal(account, family)
        session.add(
            RefreshToken(
                token_sha256=_fingerprint(refresh_token),
                account_id=principal.account_id,
                family=family,
                expires_at=now() + self._refresh_life,
            )
        )
        claims = AccessClaims(principal.account_id, family, int(expires_at.timestamp()))
        return SignedIn(sign_access(self._key, self._issuer, claims), refresh_token, expires_at, principal)


def _rest_until(failures: int) -> dt.datetime | None:
    """From the fifth failure on, a rest that doubles each time: 30 s, 1 min, 2 min … 15 min."""
    if failures < FREE_ATTEMPTS:
        return None
    seconds = min(LONGEST_LOCK_S, FIRST_LOCK_S * 2 ** min(failures - FREE_ATTEMPTS, 10))
    return now() + dt.timedelta(seconds=seconds)


def _end_family(session: StoreSession, family: str) -> int:
    return session.execute(  # type: ignore[attr-defined, no-any-return]
        update(RefreshToken)
        .where(RefreshToken.family == family, RefreshToken.revoked_at.is_(None))  # type: ignore[arg-type, union-attr]
        .values(revoked_at=now())
    ).rowcount


def _principal(account: Account, family: str) -> Principal:
    assert account.id is not None
    return Principal(account.id, account.login, account.name, Role(account.role), family)


def _fingerprint(refresh_token: str) -> str:
    return hashlib.sha256(refresh_token.encode()).hexdigest()
