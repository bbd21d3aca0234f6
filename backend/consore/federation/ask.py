"""One question to every centre at once, and a row for each, whatever happens to it.

A centre that is stopped, slow or refuses costs its own row only: the others are there when the deadline ends.
Our own centre answers from the store, exactly, since its patients are ours to count.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import ssl
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from consore.errors import ComponentError, InputError
from consore.federation.coded import require_coded
from consore.federation.keys import node_key
from consore.federation.network import enabled_peers, freshness
from consore.federation.token import sign
from consore.model import ContactRequest, FederatedQuery, Patient, Peer, now
from consore.search.cohort import count_patients
from consore.search.criteria import Criteria
from consore.settings import Settings
from consore.store import Store

_COUNT = re.compile(r"<?\d{1,9}")
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
LONGEST_MESSAGE = 300
LONGEST_PURPOSE = 2_000


class FederatedState(StrEnum):
    """How the asking of one centre ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class FederatedRow:
    """What one centre answered. `count`: "<10", "40", or our own exact count; `upper_bound`: the most it can mean."""

    centre_code: str
    centre_name: str
    state: FederatedState
    count: str | None = None
    upper_bound: int | None = None
    freshness: dt.datetime | None = None
    message: str | None = None
    referent_name: str = ""
    referent_email: str = ""
    referent_phone: str = ""
    milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class FederatedCount:
    """A row a centre, our own first, and what they come to together in French words."""

    request_id: str
    rows: list[FederatedRow]
    total: str
    milliseconds: int


async def ask(
    settings: Settings, store: Store, criteria: Criteria, requester: str, *, account_id: int | None = None
) -> FederatedCount:
    """How many such patients each centre of the network has.

    All enabled peers are asked at once; whoever has not answered after `federation_deadline_s` has timed out.
    Raises CriteriaError where the question is not made of codes alone: then nothing leaves.
    """
    require_coded(criteria)
    started = time.perf_counter()
    request_id = str(uuid.uuid4())
    key = node_key(settings)
    with store.session() as session:
        peers = enabled_peers(session)
    body = _bytes({"request_id": request_id, "requester": requester[:200], "criteria": criteria.as_json()})
    async with _client(settings) as client:
        rows = await asyncio.gather(
            asyncio.to_thread(_own_row, settings, store, criteria),
            *(_ask_peer(client, settings, key, peer, body) for peer in peers),
        )
    await asyncio.to_thread(_log, store, request_id, criteria, requester, account_id, rows[1:])
    return FederatedCount(request_id, list(rows), total(rows), _milliseconds(started))


def total(rows: Sequence[FederatedRow]) -> str:
    """What the rows come to, in French: an upper bound, and how many centres it covers."""
    answered = [row for row in rows if row.state is FederatedState.ANSWERED]
    if not answered:
        return "aucun centre n'a répondu"
    most = sum(row.upper_bound or 0 for row in answered)
    patients = "patient" if most < 2 else "patients"
    if len(answered) == len(rows):
        centres = "1 centre" if len(rows) == 1 else f"{len(rows)} centres"
    else:
        centres = f"{len(answered)} centre{'s' if len(answered) > 1 else ''} sur {len(rows)}"
    return f"au plus {most} {patients} ({centres})"


async def request_contact(
    settings: Settings,
    store: Store,
    *,
    peer_code: str,
    criteria: Criteria,
    purpose: str,
    requester: str,
    account_id: int | None = None,
) -> ContactRequest:
    """Ask the referent of another centre to talk about a question: the criteria and the purpose, never a patient.

    Kept here with `state` `sent`, or `failed` where the centre could not be reached.
    Raises InputError where the peer is unknown, or the purpose is empty, too long, or seems to name a patient of ours.
    """
    require_coded(criteria)
    purpose = purpose.strip()
    if not purpose or len(purpose) > LONGEST_PURPOSE:
        raise InputError("The purpose is missing or too long.", "Say in a few sentences what you wish to talk about.")
    with store.session() as session:
        peer = session.get(Peer, peer_code)
        if peer is None or not peer.enabled:
            raise InputError("This centre is not in the network.", "Choose one of the centres that were asked.")
        if names_a_patient(session, purpose):
            raise InputError(
                "The purpose seems to name a patient: no patient leaves the centre.",
                "Describe the question, without name or patient number.",
            )
        request = ContactRequest(
            direction="out",
            peer_code=peer_code,
            request_id=str(uuid.uuid4()),
            account_id=account_id,
            requester=requester,
            criteria=criteria.as_json(),
            purpose=purpose,
        )
        session.add(request)
    values = {
        "request_id": request.request_id,
        "requester": requester[:200],
        "criteria": request.criteria,
        "purpose": purpose,
    }
    sent = await _send(settings, peer, "/federation/contacts", "contact", values)
    if not sent:
        request.state = "failed"
        with store.session() as session:
            request = session.merge(request)
    return request


async def answer_contact(settings: Settings, store: Store, *, request_id: str, answer: str) -> ContactRequest:
    """Answer another centre's contact request, and send the answer there.

    Raises InputError where there is no such request, ComponentError where the other centre cannot be reached: the
    answer is not kept then, so that it can be sent again.
    """
    answer = answer.strip()
    if not answer or len(answer) > LONGEST_PURPOSE:
        raise InputError("The answer is missing or too long.", "Write up to 2,000 characters.")
    with store.session() as session:
        request = session.exec(
            select(ContactRequest).where(ContactRequest.request_id == request_id, ContactRequest.direction == "in")
        ).first()
        peer = session.get(Peer, request.peer_code) if request else None
        if request is None or peer is None:
            raise InputError("There is no such request.", "Choose one of the requests received.")
        if names_a_patient(session, answer):
            raise InputError("The answer seems to name a patient: no patient leaves the centre.", "Remove the name.")
    values = {"request_id": request_id, "answer": answer}
    if not await _send(settings, peer, "/federation/contact-answers", "answer", values):
        raise ComponentError(f"{peer.name} cannot be reached.", "Send the answer again later.")
    request.answer, request.state, request.answered_at = answer, "answered", now()
    with store.session() as session:
        return session.merge(request)


def names_a_patient(session: Session, text: str) -> bool:
    """Whether the text holds an IPP of this centre, or the family and given name of one of its patients."""
    words = set(_WORD.findall(text))
    if not words:
        return False
    lowered = {_ascii_lower(form) for word in words for form in (word.lower(), word.upper(), word.title())}
    family = or_(func.lower(Patient.family_name).in_(lowered), func.lower(Patient.birth_name).in_(lowered))
    named = or_(col(Patient.ipp).in_(words), family & func.lower(Patient.given_name).in_(lowered))
    return session.exec(select(Patient.id).where(named).limit(1)).first() is not None


def _ascii_lower(text: str) -> str:
    """Lower case as SQLite's `lower` sees it (letters without accents), of a word that PostgreSQL lowers whole."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


# --- One centre --------------------------------------------------------------------------------------------


def _own_row(settings: Settings, store: Store, criteria: Criteria) -> FederatedRow:
    started = time.perf_counter()
    with store.session() as session:
        count = count_patients(session, criteria)
        fresh = _moment(freshness(session))
    return FederatedRow(
        settings.centre_code,
        settings.centre_name,
        FederatedState.ANSWERED,
        str(count),
        count,
        fresh,
        None,
        settings.referent_name,
        settings.referent_email,
        settings.referent_phone,
        _milliseconds(started),
    )


async def _ask_peer(
    client: httpx.AsyncClient, settings: Settings, key: Ed25519PrivateKey, peer: Peer, body: bytes
) -> FederatedRow:
    started = time.perf_counter()
    state, values, message = await _post(client, settings, key, peer, "/federation/counts", "count", body)
    count = upper = None
    if state is FederatedState.ANSWERED:
        told = str(values.get("count") or "")
        state = FederatedState.ANSWERED if values.get("state") == "answered" else FederatedState.REFUSED
        message = str(values.get("message") or "")[:LONGEST_MESSAGE] or None
        if state is FederatedState.ANSWERED:
            if not _COUNT.fullmatch(told):
                state, message = FederatedState.UNREACHABLE, "Le centre a répondu autre chose qu'un nombre."
            else:
                count, upper = told, int(told[1:]) - 1 if told.startswith("<") else int(told)
    referent = values.get("referent")
    referent = referent if isinstance(referent, dict) else {}
    return FederatedRow(
        peer.code,
        peer.name,
        state,
        count,
        upper,
        _moment(values.get("freshness")),
        message,
        str(referent.get("name") or peer.referent_name)[:200],
        str(referent.get("email") or peer.referent_email)[:200],
        str(referent.get("phone") or peer.referent_phone)[:50],
        _milliseconds(started),
    )


async def _post(
    client: httpx.AsyncClient,
    settings: Settings,
    key: Ed25519PrivateKey,
    peer: Peer,
    path: str,
    act: str,
    body: bytes,
) -> tuple[FederatedState, dict[str, Any], str | None]:
    """Send a signed body; how it ended, what came back, and why not in French."""
    token = sign(key, issuer=settings.centre_code, audience=peer.code, act=act, body=body)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    try:
        async with asyncio.timeout(settings.federation_deadline_s):
            response = await client.post(peer.url.rstrip("/") + path, content=body, headers=headers)
        values = response.json()
    except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
        return FederatedState.TIMED_OUT, {}, "Le centre n'a pas répondu dans le délai."
    except (httpx.HTTPError, httpx.InvalidURL):
        return FederatedState.UNREACHABLE, {}, "Le centre est injoignable."
    except ValueError:
        return FederatedState.UNREACHABLE, {}, "Le centre a répondu autre chose qu'une réponse de Consore."
    if not isinstance(values, dict) or response.status_code >= 500:
        return FederatedState.UNREACHABLE, {}, "Le centre a répondu autre chose qu'une réponse de Consore."
    if response.status_code != 200:
        return FederatedState.REFUSED, {}, _reason(values)
    return FederatedState.ANSWERED, values, None


async def _send(settings: Settings, peer: Peer, path: str, act: str, values: Mapping[str, Any]) -> bool:
    """Whether the other centre took it. Raises InputError with its reason where it refused."""
    async with _client(settings) as client:
        state, _, message = await _post(client, settings, node_key(settings), peer, path, act, _bytes(values))
    if state is FederatedState.REFUSED:
        raise InputError(f"{peer.name} refused: {message}", "Ask its administrator.")
    return state is FederatedState.ANSWERED


def _client(settings: Settings) -> httpx.AsyncClient:
    """A stopped machine is found out by half of the deadline; redirects would send a signed question elsewhere."""
    deadline = settings.federation_deadline_s
    timeout = httpx.Timeout(deadline, connect=deadline / 2)
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False, verify=_certificates())


@cache
def _certificates() -> ssl.SSLContext:
    """The authorities that certificates of peers are checked against, read once: that takes longer than a count."""
    return httpx.create_ssl_context()


def _log(
    store: Store,
    request_id: str,
    criteria: Criteria,
    requester: str,
    account_id: int | None,
    rows: Sequence[FederatedRow],
) -> None:
    with store.session() as session:
        for row in rows:
            session.add(
                FederatedQuery(
                    direction="out",
                    peer_code=row.centre_code,
                    request_id=request_id,
                    account_id=account_id,
                    requester=requester,
                    criteria=criteria.as_json(),
                    state=row.state.value,
                    answer=row.count or row.message or "",
                    milliseconds=row.milliseconds,
                )
            )


def _reason(values: Mapping[str, Any]) -> str:
    message = str(values.get("message") or "").strip()[:LONGEST_MESSAGE]
    return f"Le centre a refusé la demande : {message}" if message else "Le centre a refusé la demande."


def _moment(value: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment and moment.tzinfo is None else moment


def _bytes(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _milliseconds(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
