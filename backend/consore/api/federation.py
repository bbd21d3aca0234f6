"""The other centres: who they are, how many such patients they have, and writing to their referents."""

from __future__ import annotations

import datetime as dt
import time
from enum import Enum
from typing import Annotated
from urllib.parse import urlsplit

import strawberry
from sqlmodel import Session, select
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import LONGEST_TEXT, short
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation
from consore.api.problem import InputProblem, NotFound
from consore.errors import CriteriaError, InputError
from consore.search.criteria import Criteria, parse_criteria

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
    @field(
        Permission.FEDERATION, description="How many such patients each centre has: numbers only, coded criteria only."
    )
    async def federated_count(self, info: Info, criteria: JSON, purpose: str | None = None) -> FederatedCountResult:
        from consore.federation import ask

        context, begin = info.context, time.perf_counter()
        try:
            tree = _coded(criteria)
            why = short("purpose", purpose or "", LONGEST_TEXT, empty=True)
        except (CriteriaError, InputError) as error:
            return InputProblem.of(error, context.language, "criteria")
        detail = {"criteria": tree.as_json(), "purpose": why}
        await context.read(lambda session: context.trace_act(session, Action.NETWORK_ASKED, detail))
        node, requester = context.node, context.principal.login if context.principal else ""
        rows = await in_thread(lambda: ask(node.settings, node.store, tree, requester))
        return FederatedCount(
            request_id=strawberry.ID(""),
            rows=[_row(row) for row in rows],
            total="",
            milliseconds=round((time.perf_counter() - begin) * 1000),
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
        context = info.context
        try:
            tree = _coded(criteria)
            why = short("purpose", purpose, LONGEST_TEXT)
        except (CriteriaError, InputError) as error:
            return InputProblem.of(error, context.language, "criteria")
        raise NotImplementedError

    @mutation(Permission.FEDERATION, description="Answer a request that another centre sent.")
    async def answer_contact(self, info: Info, id: strawberry.ID, answer: str) -> ContactResult:
        raise NotImplementedError

    @mutation(Permission.PEERS, description="Make another centre known, or change what is known of it.")
    async def upsert_peer(self, info: Info, input: PeerInput) -> PeerResult:
        context = info.context
        try:
            row = await context.read(lambda session: _keep_peer(context, session, input))
        except InputError as error:
            return InputProblem.of(error, context.language)
        return Peer.of(row)


def _coded(criteria: object) -> Criteria:
    """The tree, if nothing in it is free text: a name is text, and text never leaves the centre."""
    tree = parse_criteria(criteria)  # type: ignore[arg-type]
    if not tree.is_coded():
        raise CriteriaError("The criteria hold free text, which never leaves the centre.", "Keep only coded criteria.")
    return tree


def _keep_peer(context: RequestContext, session: Session, given: PeerInput) -> model.Peer:
    code = short("code", given.code, 40)
    address = urlsplit(given.url.strip())
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError(f"The address {given.url[:100]} cannot be used.", "Write it as https://name:port.")
    row = session.get(model.Peer, code) or model.Peer(code=code)
    row.name, row.url = short("name", given.name), given.url.strip().rstrip("/")
    row.public_key = short("publicKey", given.public_key, LONGEST_TEXT)
    row.referent_name = given.referent_name or ""
    row.referent_email = given.referent_email or ""
    row.referent_phone = given.referent_phone or ""
    row.enabled = given.enabled is not False
    session.add(row)
    detail = {"peer": row.code, "url": row.url, "enabled": row.enabled}
    context.trace_act(session, Action.ADMIN_CHANGE, detail)
    return row


def _row(row: object) -> FederatedRow:
    raise NotImplementedError
