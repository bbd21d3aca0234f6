"""Signing in and out, and what a person keeps for themselves: saved queries."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry
from sqlmodel import Session as StoreSession
from sqlmodel import select
from strawberry.scalars import JSON

from consore import model
from consore.access import Permission, Principal, SignedIn
from consore.api.bounds import LONGEST_TEXT, row_id, short
from consore.api.centre import Centre
from consore.api.context import Info, in_thread
from consore.api.guard import field, mutation
from consore.api.problem import InputProblem
from consore.api.search import criteria_of
from consore.errors import InputError, NotSignedIn

MOST_SAVED = 500

Role = strawberry.enum(model.Role, name="Role", description="What an account is for.")


@strawberry.type(description="Who is signed in.")
class Me:
    login: str
    name: str
    role: Role  # type: ignore[valid-type]

    @classmethod
    def of(cls, principal: Principal) -> Me:
        """The account behind the request."""
        return cls(login=principal.login, name=principal.name, role=principal.role)

    @strawberry.field
    def centre(self, info: Info) -> Centre:
        return Centre.of(info.context.node.settings)


@strawberry.type(description="An open session; `expiresAt` is the end of the access token.")
class Session:
    access_token: str
    refresh_token: str
    expires_at: dt.datetime
    me: Me

    @classmethod
    def of(cls, signed_in: SignedIn) -> Session:
        """The session as the schema shows it."""
        return cls(
            access_token=signed_in.access_token,
            refresh_token=signed_in.refresh_token,
            expires_at=signed_in.expires_at,
            me=Me.of(signed_in.principal),
        )


SignInResult = Annotated[Session | InputProblem, strawberry.union("SignInResult")]


@strawberry.type(description="A question kept by its author.")
class SavedQuery:
    id: strawberry.ID
    name: str
    text: str
    criteria: JSON | None
    created_at: dt.datetime

    @classmethod
    def of(cls, row: model.SavedQuery) -> SavedQuery:
        """The row as the schema shows it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            name=row.name,
            text=row.text,
            criteria=JSON(row.criteria) if row.criteria else None,
            created_at=row.created_at,
        )


@strawberry.type
class SessionQuery:
    @field(Permission.ANYONE, description="Who is signed in; null where nobody is.")
    async def me(self, info: Info) -> Me | None:
        return Me.of(info.context.principal) if info.context.principal else None

    @field(Permission.SAVED_QUERIES, description="The questions that this account kept, the newest first.")
    async def saved_queries(self, info: Info) -> list[SavedQuery]:
        owner = _owner(info)
        rows = await info.context.read(
            lambda session: session.exec(
                select(model.SavedQuery)
                .where(model.SavedQuery.account_id == owner)
                .order_by(model.SavedQuery.id.desc())  # type: ignore[union-attr]
                .limit(MOST_SAVED)
            ).all()
        )
        return [SavedQuery.of(row) for row in rows]


@strawberry.type
class SessionMutation:
    @mutation(Permission.ANYONE, description="Open a session.")
    async def sign_in(self, info: Info, login: str, password: str) -> SignInResult:
        context = info.context
        try:
            signed_in = await in_thread(lambda: context.node.sessions.sign_in(login, password, context.address))
        except NotSignedIn as error:
            return InputProblem.of(error, context.language, "password")
        return Session.of(signed_in)

    @mutation(Permission.ANYONE, description="Exchange a refresh token, which serves once, for the next session.")
    async def refresh(self, info: Info, refresh_token: str) -> SignInResult:
        context = info.context
        try:
            signed_in = await in_thread(lambda: context.node.sessions.refresh(refresh_token, context.address))
        except NotSignedIn as error:
            return InputProblem.of(error, context.language, "refreshToken")
        return Session.of(signed_in)

    @mutation(Permission.ANYONE, description="End the session that the token belongs to; whether there was one.")
    async def sign_out(self, info: Info, refresh_token: str) -> bool:
        context = info.context
        return await in_thread(lambda: context.node.sessions.sign_out(refresh_token, context.address))

    @mutation(Permission.SAVED_QUERIES, description="Keep a question.")
    async def save_query(self, info: Info, name: str, text: str, criteria: JSON | None = None) -> SavedQuery:
        owner, tree = _owner(info), criteria_of(criteria)
        row = model.SavedQuery(
            account_id=owner,
            name=short("name", name),
            text=short("text", text, LONGEST_TEXT, empty=True),
            criteria=tree.as_json() if tree else {},
        )

        def keep(session: StoreSession) -> None:
            kept = session.exec(select(model.SavedQuery.id).where(model.SavedQuery.account_id == owner)).all()
            if len(kept) >= MOST_SAVED:
                raise InputError(f"At most {MOST_SAVED} questions are kept.", "Delete one first.")
            session.add(row)

        await info.context.read(keep)
        return SavedQuery.of(row)

    @mutation(Permission.SAVED_QUERIES, description="Forget a question of one's own; whether there was one.")
    async def delete_query(self, info: Info, id: strawberry.ID) -> bool:
        owner, key = _owner(info), row_id(id)

        def forget(session: StoreSession) -> bool:
            row = session.get(model.SavedQuery, key) if key is not None else None
            if row is None or row.account_id != owner:
                return False
            session.delete(row)
            return True

        return await info.context.read(forget)


def _owner(info: Info) -> int:
    principal = info.context.principal
    if principal is None:
        raise NotSignedIn("Nobody is signed in, or the session has ended.", "Sign in and try again.")
    return principal.account_id
