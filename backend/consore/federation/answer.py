"""What this centre does when another one asks: check who it is, apply the rule, write it down, answer.

Every request of a known centre is logged in `FederatedQuery`, also the refused ones. No answer ever holds a patient.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from consore.errors import ConsoreError, InputError
from consore.federation.coded import require_coded
from consore.federation.keys import key_fingerprint
from consore.federation.network import freshness
from consore.federation.rule import REFUSED, Answer, decide
from consore.federation.token import TokenRefused, verify
from consore.model import ContactRequest, FederatedQuery, now
from consore.search.criteria import Criteria, parse_criteria
from consore.settings import Settings
from consore.store import Store

LARGEST_BODY = 65_536
LONGEST_PURPOSE = 2_000


@dataclass(frozen=True, slots=True)
class Question:
    """The body of a request between centres, read."""

    request_id: str
    requester: str
    criteria: Criteria
    values: dict[str, Any]


def answer_count(settings: Settings, store: Store, token: str, body: bytes) -> dict[str, Any]:
    """The answer to another centre's question: `state`, `count`, `upper_bound`, `message`, freshness and referent.

    Raises TokenRefused where the request does not prove where it comes from, InputError where it cannot be read.
    """
    started = time.perf_counter()
    signed = verify(store, token=token, audience=settings.centre_code, act="count", body=body)
    code = signed.peer.code
    try:
        question = read_question(body)
    except InputError as error:
        with store.session() as session:
            session.add(
                FederatedQuery(
                    direction="in", peer_code=code, request_id=signed.token_id, state=REFUSED, answer=error.message
                )
            )
        raise
    with store.session() as session:
        answer = decide(session, settings, code, question.criteria)
        session.add(
            FederatedQuery(
                direction="in",
                peer_code=code,
                request_id=question.request_id,
                requester=question.requester,
                criteria=question.criteria.as_json(),
                population_sha256=answer.population_sha256,
                state=answer.state,
                answer=answer.count or answer.message,
                milliseconds=round((time.perf_counter() - started) * 1000),
            )
        )
        return _spoken(settings, session, question, answer)


def take_contact(settings: Settings, store: Store, token: str, body: bytes) -> dict[str, Any]:
    """Keep another centre's request to talk about a question, for our referent to answer.

    The same request received twice is one. Raises as `answer_count`.
    """
    signed = verify(store, token=token, audience=settings.centre_code, act="contact", body=body)
    question = read_question(body)
    purpose = str(question.values.get("purpose") or "").strip()
    if not purpose or len(purpose) > LONGEST_PURPOSE:
        raise InputError("The request says no purpose, or too long a one.", "Write up to 2,000 characters.")
    with store.session() as session:
        known = session.exec(select(ContactRequest).where(ContactRequest.request_id == question.request_id)).first()
        if known is None:
            session.add(
                ContactRequest(
                    direction="in",
                    peer_code=signed.peer.code,
                    request_id=question.request_id,
                    requester=question.requester,
                    criteria=question.criteria.as_json(),
                    purpose=purpose,
                    state="received",
                )
            )
    return {"state": "received", "request_id": question.request_id}


def take_contact_answer(settings: Settings, store: Store, token: str, body: bytes) -> dict[str, Any]:
    """Keep the other centre's answer to a contact request of ours."""
    signed = verify(store, token=token, audience=settings.centre_code, act="answer", body=body)
    values = _object(body)
    with store.session() as session:
        request = session.exec(
            select(ContactRequest).where(
                ContactRequest.request_id == str(values.get("request_id") or ""),
                ContactRequest.direction == "out",
                ContactRequest.peer_code == signed.peer.code,
            )
        ).first()
        if request is None:
            raise InputError("This answers no request of ours.", "Check the request's number.")
        request.answer = str(values.get("answer") or "")[:LONGEST_PURPOSE]
        request.state = "answered"
        request.answered_at = now()
        session.add(request)
    return {"state": "received", "request_id": str(values["request_id"])}


def describe_centre(settings: Settings, store: Store) -> dict[str, Any]:
    """What any centre may know of this one: its name, the fingerprint of its public key, how fresh its data are."""
    with store.session() as session:
        return {
            "code": settings.centre_code,
            "name": settings.centre_name,
            "fingerprint": key_fingerprint(settings),
            "freshness": freshness(session),
        }


def routes(settings: Settings, store: Store) -> list[Route]:
    """The paths under which other centres reach this one."""

    def signed(handler: Any) -> Any:
        async def endpoint(request: Request) -> JSONResponse:
            body = await _body(request)
            if body is None:
                return _problem(413, "too_large", "The request is too large.", "Ask a shorter question.")
            try:
                return JSONResponse(await run_in_threadpool(handler, settings, store, _token(request), body))
            except TokenRefused as error:
                return _problem(401, error.code, error.message, error.hint)
            except ConsoreError as error:
                return _problem(400, error.code, error.message, error.hint)

        return endpoint

    async def centre(_request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(describe_centre, settings, store))

    return [
        Route("/federation/counts", signed(answer_count), methods=["POST"]),
        Route("/federation/contacts", signed(take_contact), methods=["POST"]),
        Route("/federation/contact-answers", signed(take_contact_answer), methods=["POST"]),
        Route("/federation/centre", centre, methods=["GET"]),
    ]


def read_question(body: bytes) -> Question:
    """The question of a body; raises InputError where it cannot be read or is not made of codes alone."""
    values = _object(body)
    criteria = parse_criteria(values.get("criteria") or {})
    require_coded(criteria)
    request_id = str(values.get("request_id") or "")
    if not request_id or len(request_id) > 64:
        raise InputError("The request has no number.", "Send `request_id`.")
    return Question(request_id, str(values.get("requester") or "")[:200], criteria, values)


def _object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The request is not JSON.", "Send UTF-8 JSON.") from error
    if not isinstance(values, dict):
        raise InputError("The request is not an object.", "Send a JSON object.")
    return values


def _spoken(settings: Settings, session: Session, question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "request_id": question.request_id,
        "centre": {"code": settings.centre_code, "name": settings.centre_name},
        "state": answer.state,
        "count": answer.count,
        "upper_bound": answer.upper_bound,
        "message": answer.message,
        "freshness": freshness(session),
        "referent": {
            "name": settings.referent_name,
            "email": settings.referent_email,
            "phone": settings.referent_phone,
        },
    }


async def _body(request: Request) -> bytes | None:
    """The body, or None where it is larger than any question."""
    parts = bytearray()
    try:
        async for part in request.stream():
            parts.extend(part)
            if len(parts) > LARGEST_BODY:
                return None
    except ClientDisconnect:
        return b""
    return bytes(parts)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _problem(status: int, code: str, message: str, hint: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "hint": hint}, status_code=status)
