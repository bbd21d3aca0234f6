"""What a resolver knows of the request: who asks, in which language, on which node; and how it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import strawberry
from anyio import to_thread
from sqlalchemy import event
from sqlmodel import Session

from consore.access import Action, Permission, Principal, audit_each
from consore.api.loading import Loaders
from consore.api.node import Node
from consore.referentials import Terminology

T = TypeVar("T")


@dataclass
class RequestContext:
    """One request, or one connection of subscriptions.

    Everything that waits for a disk or for another process runs in a thread, through `read` or `in_thread`: resolvers
    are coroutines and never block the event loop.
    """

    node: Node
    principal: Principal | None
    language: str = "fr"
    address: str = ""
    token: str = ""
    connection_params: dict[str, Any] | None = None
    similar_asked: int = 0
    seen: set[tuple[str, int, str]] = field(default_factory=set)

    @cached_property
    def loaders(self) -> Loaders:
        """The batching readers of this request."""
        return Loaders(self)

    @cached_property
    def terminology(self) -> Terminology:
        """The code systems of this request: whether their files changed is looked at once, not for every label."""
        return self.node.terminology

    @property
    def sees_identities(self) -> bool:
        """Whether names, IPP and birth dates may be shown."""
        return self.principal is not None and self.principal.may(Permission.IDENTITIES)

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` with a session of the store, in a thread; it is committed before anything is answered."""

        def in_session() -> T:
            with self.node.store.session() as session:
                return work(session)

        return await to_thread.run_sync(in_session)

    def trace(
        self,
        session: Session,
        action: Action,
        patient_ids: list[int],
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Write that these patients were shown, once a request, in the transaction that reads them."""
        about = str((detail or {}).get("document", ""))
        new = [patient_id for patient_id in patient_ids if (action.value, patient_id, about) not in self.seen]
        audit_each(session, self.principal, action, new, detail, self.address)
        traced = [(action.value, patient_id, about) for patient_id in new]
        event.listen(session, "after_commit", lambda _: self.seen.update(traced), once=True)

    def trace_act(self, session: Session, action: Action, detail: dict[str, Any]) -> None:
        """Write an act that shows no patient."""
        audit_each(session, self.principal, action, [None], detail, self.address)

    def of_one_operation(self) -> RequestContext:
        """The same connection with nothing remembered: a later operation reads and traces anew."""
        return replace(self, seen=set(), similar_asked=0)


Info = strawberry.Info[RequestContext, None]


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work that needs no session of its own."""
    return await to_thread.run_sync(work)


def language_of(accept_language: str) -> str:
    """`en` where the client prefers English to French, else `fr`."""
    weights = {"fr": 0.0, "en": 0.0}
    for part in accept_language[:200].split(","):
        tag, _, quality = part.strip().partition(";q=")
        name = tag.strip().lower()[:2]
        if name in weights:
            try:
                weights[name] = max(weights[name], float(quality or 1))
            except ValueError:
                continue
    return "en" if weights["en"] > weights["fr"] else "fr"
