"""The other centres: who they are, how many such patients they have, and writing to their referents."""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlmodel import Session, select
from strawberry.scalars import JSON

from consore import federation, model
from consore.access import Action, Permission, Principal
from consore.api.bounds import LONGEST_TEXT, row_id, short
from consore.api.context import Info, RequestContext
from consore.api.guard import field, mutation
from consore.api.problem import InputProblem, NotFound
from consore.errors import ComponentError, CriteriaError, InputError, NotSignedIn
from consore.federation import answer_contact, ask, request_contact, require_coded, upsert_peer
from consore.search import parse_criteria

MOST_CONTACTS = 200


@strawberry.enum(description="How a centre's answer ended.")
class FederatedState(Enum):
    ANSWERED = "answered"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"


@strawberry.type(description="What one centre answered; `count` is text, such as `<10` or `40`.")
class FederatedRow:
    centre_code: str
    centre_name: str
    state: FederatedState
    count: str | None
    upper_bound: int | None
    freshness: dt.datetime | None
    message: str | None
    referent_name: str | None
    referent_email: str | None
    referent_phone: str | None
    milliseconds: int

    @classmethod
    def of(cls, row: federation.FederatedRow) -> FederatedRow:
        """The answer as the schema shows it."""
        return cls(
            centre_code=row.centre_code,
            centre_name=row.centre_name,
            state=FederatedState(row.state.value),
            count=row.count,
            upper_bound=row.upper_bound,
            freshness=row.freshness,
            message=row.message,
            referent_name=row.referent_name,
            referent_email=row.referent_email,
            referent_phone=row.referent_phone,
            milliseconds=row.milliseconds,
        )


@strawberry.type(description="A row a centre, and what they come to together.")
class FederatedCount:
    request_id: strawberry.ID
    rows: list[FederatedRow]
    total: str
    milliseconds: int


FederatedCountResult = Annotated[FederatedCount | InputProblem, strawberry.union("FederatedCountResult")]


@strawberry.type(description="Another centre of the network.")
class Peer:
    code: str
    name: str
    url: str
    enabled: bool
    referent_name: str
    referent_email: str
    referent_phone: str

    @classmethod
    def of(cls, row: model.Peer) -> Peer:
        """The row as the schema shows it."""
        return cls(
            code=row.code,
            name=row.name,
            url=row.url,
            enabled=row.enabled,
            referent_name=row.referent_name,
            referent_email=row.referent_email,
            referent_phone=row.referent_phone,
        )


@strawberry.type(
    description="A request to talk about a question with another centre's referent. It never names a patient."
)
class ContactRequest:
    id: strawberry.ID
    direction: str
    peer_code: str
    requester: str
    purpose: str
    criteria: JSON
    state: str
    answer: str
    created_at: dt.datetime

    @classmethod
    def of(cls, row: model.ContactRequest) -> ContactRequest:
        """The row as the schema shows it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            direction=row.direction,
            peer_code=row.peer_code,
            requester=row.requester,
            purpose=row.purpose,
            criteria=JSON(row.criteria),
            state=row.state,
            answer=row.answer,
            created_at=row.created_at,
        )


@strawberry.input
class PeerInput:
    code: str
    name: str
    url: str
    public_key: str
    referent_name: str | None = None
    referent_email: str | None = None
    referent_phone: str | None = None
    enabled: bool | None = True


ContactResult = Annotated[ContactRequest | InputProblem | NotFound, strawberry.union("ContactResult")]
PeerResult = Annotated[Peer | InputProblem, strawberry.union("PeerResult")]


@strawberry.type
class FederationQuery:
    @field(Permission.FEDERATION, description="How many such patients each centre has: numbers only.")
    async def federated_count(self, info: Info, criteria: JSON, purpose: str | None = None) -> FederatedCountResult:
        context, node = info.context, info.context.node
        try:
            tree = parse_criteria(criteria)  # type: ignore[arg-type]
            require_coded(tree)
            why = short("purpose", purpose or "", LONGEST_TEXT, empty=True)
        except InputError as error:
            return InputProblem.of(error, context.language, "criteria")
        detail = {"criteria": tree.as_json(), "purpose": why}
        await context.read(lambda session: context.trace_act(session, Action.NETWORK_ASKED, detail))
        asker = _asker(context)
        answer = await ask(node.settings, node.store, tree, asker.name, account_id=asker.account_id)
        return FederatedCount(
            request_id=strawberry.ID(answer.request_id),
            rows=[FederatedRow.of(row) for row in answer.rows],
            total=answer.total,
            milliseconds=answer.milliseconds,
        )

    @field(Permission.FEDERATION, Permission.PEERS, description="The other centres of the network.")
    async def peers(self, info: Info) -> list[Peer]:
        rows = await info.context.read(
            lambda session: session.exec(select(model.Peer).order_by(model.Peer.name, model.Peer.code)).all()
        )
        return [Peer.of(row) for row in rows]

    @field(Permission.FEDERATION, description="Requests for a talk that were sent or received, the newest first.")
    async def contact_requests(self, info: Info) -> list[ContactRequest]:
        statement = select(model.ContactRequest).order_by(model.ContactRequest.id.desc()).limit(MOST_CONTACTS)  # type: ignore[union-attr]
        rows = await info.context.read(lambda session: session.exec(statement).all())
        return [ContactRequest.of(row) for row in rows]


@strawberry.type
class FederationMutation:
    @mutation(Permission.FEDERATION, description="Ask another centre's referent for a talk about a question.")
    async def request_contact(self, info: Info, peer_code: str, criteria: JSON, purpose: str) -> ContactResult:
        context, node = info.context, info.context.node
        asker = _asker(context)
        try:
            tree = parse_criteria(criteria)  # type: ignore[arg-type]
            await _trace_contact(context, {"to": peer_code[:40], "criteria": tree.as_json()})
            row = await request_contact(
                node.settings,
                node.store,
                peer_code=peer_code,
                criteria=tree,
                purpose=purpose,
                requester=asker.name,
                account_id=asker.account_id,
            )
        except InputError as error:
            at_fault = "criteria" if isinstance(error, CriteriaError) else None
            return InputProblem.of(error, context.language, at_fault)
        return ContactRequest.of(row)

    @mutation(Permission.FEDERATION, description="Answer a request that another centre sent.")
    async def answer_contact(self, info: Info, id: strawberry.ID, answer: str) -> ContactResult:
        context, node, key = info.context, info.context.node, row_id(id)
        found = await context.read(lambda session: session.get(model.ContactRequest, key) if key is not None else None)
        if found is None or found.direction != "in":
            return NotFound.of(context.language)
        await _trace_contact(context, {"answer": found.request_id})
        try:
            row = await answer_contact(node.settings, node.store, request_id=found.request_id, answer=answer)
        except (InputError, ComponentError) as error:
            return InputProblem.of(error, context.language, "answer")
        return ContactRequest.of(row)

    @mutation(Permission.PEERS, description="Make another centre known, or change what is known of it.")
    async def upsert_peer(self, info: Info, input: PeerInput) -> PeerResult:
        context = info.context
        try:
            row = await context.read(lambda session: _keep_peer(context, session, input))
        except InputError as error:
            return InputProblem.of(error, context.language)
        return Peer.of(row)


def _keep_peer(context: RequestContext, session: Session, given: PeerInput) -> model.Peer:
    row = upsert_peer(
        session,
        code=given.code.strip(),
        name=short("name", given.name),
        url=given.url.strip(),
        public_key=given.public_key,
        referent_name=given.referent_name or "",
        referent_email=given.referent_email or "",
        referent_phone=given.referent_phone or "",
        enabled=given.enabled is not False,
    )
    detail = {"peer": row.code, "url": row.url, "enabled": row.enabled}
    context.trace_act(session, Action.ADMIN_CHANGE, detail)
    return row


async def _trace_contact(context: RequestContext, detail: dict[str, Any]) -> None:
    await context.read(lambda session: context.trace_act(session, Action.CONTACT, detail))


def _asker(context: RequestContext) -> Principal:
    if context.principal is None:
        raise NotSignedIn("Nobody is signed in, or the session has ended.", "Sign in and try again.")
    return context.principal
