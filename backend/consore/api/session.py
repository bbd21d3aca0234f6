"""Signing in and out."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry

from consore import model
from consore.access import Permission, Principal, SignedIn
from consore.api.centre import Centre
from consore.api.context import Info, in_thread
from consore.api.guard import field, mutation
from consore.api.problem import InputProblem
from consore.errors import NotSignedIn

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


@strawberry.type
class SessionQuery:
    @field(Permission.ANYONE, description="Who is signed in; null where nobody is.")
    async def me(self, info: Info) -> Me | None:
        return Me.of(info.context.principal) if info.context.principal else None


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
