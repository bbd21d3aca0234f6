"""Accounts, the audit trail and oppositions: the rest of the administrator's work."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry
import structlog
from sqlmodel import Session, select
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission, save_account
from consore.api.bounds import within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation
from consore.api.problem import InputProblem
from consore.api.session import Role
from consore.errors import ComponentError, InputError
from consore.ingestion import record_opposition

log = structlog.get_logger("consore.api")


@strawberry.type(description="Who may sign in.")
class Account:
    id: strawberry.ID
    login: str
    name: str
    role: Role  # type: ignore[valid-type]
    email: str
    active: bool

    @classmethod
    def of(cls, row: model.Account) -> Account:
        """The row as the schema shows it, without what guards it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            login=row.login,
            name=row.name,
            role=model.Role(row.role),
            email=row.email,
            active=row.active,
        )


@strawberry.type(description="Who did what, to whose data, when.")
class AuditEntry:
    id: strawberry.ID
    at: dt.datetime
    login: str
    role: str
    action: str
    patient_id: strawberry.ID | None
    detail: JSON

    @classmethod
    def of(cls, row: model.AuditEntry) -> AuditEntry:
        """The row as the schema shows it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            at=row.at,
            login=row.login,
            role=row.role,
            action=row.action,
            patient_id=strawberry.ID(str(row.patient_id)) if row.patient_id is not None else None,
            detail=JSON(row.detail),
        )


@strawberry.input
class AccountInput:
    login: str
    name: str
    role: Role  # type: ignore[valid-type]
    email: str | None = None
    password: str | None = None
    active: bool | None = True


AccountResult = Annotated[Account | InputProblem, strawberry.union("AccountResult")]


@strawberry.type
class AccountQuery:
    @field(Permission.ACCOUNTS, description="Who may sign in.")
    async def accounts(self, info: Info) -> list[Account]:
        rows = await info.context.read(
            lambda session: session.exec(select(model.Account).order_by(model.Account.login)).all()
        )
        return [Account.of(row) for row in rows]

    @field(Permission.AUDIT, description="The audit trail, the newest first.")
    async def audit_log(self, info: Info, first: int | None = 50) -> list[AuditEntry]:
        statement = select(model.AuditEntry).order_by(model.AuditEntry.id.desc()).limit(within("first", first, 50))  # type: ignore[union-attr]
        return [AuditEntry.of(row) for row in await info.context.read(lambda session: session.exec(statement).all())]


@strawberry.type
class AccountMutation:
    @mutation(Permission.ACCOUNTS, description="Make an account, or change the one of that login.")
    async def upsert_account(self, info: Info, input: AccountInput) -> AccountResult:
        context = info.context
        try:
            row = await context.read(lambda session: _keep_account(context, session, input))
        except InputError as error:
            return InputProblem.of(error, context.language)
        return Account.of(row)

    @mutation(
        Permission.OPPOSITION,
        description="Record that a patient opposes the reuse of their data, or no longer does. False: no such IPP.",
    )
    async def record_opposition(self, info: Info, ipp: str, opposed: bool) -> bool:
        context = info.context
        ipp, node = ipp.strip(), context.node
        if not await context.read(lambda session: _trace_opposition(context, session, ipp, opposed)):
            return False
        try:
            return await in_thread(lambda: record_opposition(node.settings, node.store, ipp, opposed))
        except ComponentError as error:
            # It is recorded, and every answer obeys the store; the worker follows in the index when it is back.
            log.warning("opposition_not_in_index_yet", message=error.message)
            return True


def _keep_account(context: RequestContext, session: Session, given: AccountInput) -> model.Account:
    row = save_account(
        session,
        given.login,
        name=given.name,
        role=given.role,
        password=given.password or None,
        email=given.email or "",
        active=given.active is not False,
    )
    detail = {"account": row.login, "role": row.role, "active": row.active, "password": bool(given.password)}
    context.trace_act(session, Action.ADMIN_CHANGE, detail)
    return row


def _trace_opposition(context: RequestContext, session: Session, ipp: str, opposed: bool) -> bool:
    """Write who records whose opposition; whether there is such a patient."""
    key = session.exec(select(model.Patient.id).where(model.Patient.ipp == ipp)).one_or_none()
    if key is None:
        return False
    context.trace(session, Action.ADMIN_CHANGE, [key], {"opposition": opposed})
    return True
