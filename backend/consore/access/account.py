"""Accounts: who may sign in, with which role."""

from __future__ import annotations

import re
import unicodedata

from sqlalchemy import update
from sqlmodel import Session, select

from consore.access.password import check_password, hash_password
from consore.errors import InputError
from consore.model import Account, RefreshToken, Role, now

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


def find_account(session: Session, login: str) -> Account | None:
    """The account of that login; case and surrounding spaces do not count."""
    return session.exec(select(Account).where(Account.login == plain_login(login))).one_or_none()


def save_account(
    session: Session,
    login: str,
    *,
    name: str,
    role: Role,
    password: str | None = None,
    email: str = "",
    active: bool = True,
) -> Account:
    """Make the account, or change the one of that login; a null `password` keeps the one there.

    A new password, another role or a closed account ends the sessions in course.
    Raises InputError for a login, a name or a password that cannot be taken, or where nobody could administer any more.
    """
    login = plain_login(login)
    if not _LOGIN.fullmatch(login):
        raise InputError(
            f"The login {login[:64]!r} cannot be used.",
            "Take 2 to 64 letters without accents, digits or . _ @ -, starting with a letter or a digit.",
        )
    if not name.strip():
        raise InputError("The account has no name.", "Give the name of the person, as it is shown to others.")
    account = find_account(session, login) or Account(login=login)
    if account.id is None and password is None:
        raise InputError("A new account needs a password.", "Give a first password.")
    if _last_admin_would_go(session, account, role, active):
        raise InputError("This is the last administrator.", "Give the role to somebody else first.")
    if account.id is not None and (password is not None or account.role != role.value or not active):
        end_sessions(session, account.id)
    account.name, account.role, account.email, account.active = name.strip(), role.value, email.strip(), active
    if password is not None:
        check_password(password, login=login, name=name)
        account.password_hash = hash_password(password)
        account.failed_attempts, account.locked_until = 0, None
    session.add(account)
    session.flush()
    return account


def end_sessions(session: Session, account_id: int) -> None:
    """Revoke every refresh token of an account; its access tokens fall with them."""
    session.exec(
        update(RefreshToken)
        .where(RefreshToken.account_id == account_id, RefreshToken.revoked_at.is_(None))  # type: ignore[arg-type, union-attr]
        .values(revoked_at=now())
    )


def plain_login(login: str) -> str:
    """The login as it is kept: composed, lower case, without surrounding spaces."""
    return unicodedata.normalize("NFC", login).strip().casefold()


def _last_admin_would_go(session: Session, account: Account, role: Role, active: bool) -> bool:
    if account.id is None or account.role != Role.ADMIN.value or (role is Role.ADMIN and active):
        return False
    others = select(Account).where(Account.role == Role.ADMIN.value, Account.active, Account.id != account.id)
    return session.exec(others).first() is None
