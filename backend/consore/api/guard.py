"""Default deny: every field of Query, Mutation and Subscription says who may ask it, or the schema is not built."""

from __future__ import annotations

import inspect
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension

from consore.access import Action, Permission, require
from consore.api.context import Info
from consore.errors import Forbidden


class Requires(FieldExtension):
    """Lets through who holds one of the permissions; a refusal is audited before it is answered."""

    def __init__(self, *any_of: Permission) -> None:
        if not any_of:
            raise ValueError("A field requires at least one permission.")
        self.any_of = any_of

    async def resolve_async(self, next_: Any, source: Any, info: Info, **arguments: Any) -> Any:  # type: ignore[override]
        context = info.context
        try:
            require(context.principal, *self.any_of)
        except Forbidden:
            await context.read(lambda session: context.trace_act(session, Action.REFUSED, {"field": info.field_name}))
            raise
        answer = next_(source, info, **arguments)
        return answer if inspect.isasyncgen(answer) else await answer


def field(*any_of: Permission, **options: Any) -> Any:
    """A root field for who holds one of `any_of`."""
    return strawberry.field(extensions=[Requires(*any_of)], **options)


def mutation(*any_of: Permission, **options: Any) -> Any:
    """A mutation for who holds one of `any_of`."""
    return strawberry.mutation(extensions=[Requires(*any_of)], **options)


def subscription(*any_of: Permission, **options: Any) -> Any:
    """A subscription for who holds one of `any_of`."""
    return strawberry.subscription(extensions=[Requires(*any_of)], **options)


def permissions_of(field: Any) -> tuple[Permission, ...]:
    """What a field requires; nothing where it declares nothing."""
    return next((extension.any_of for extension in field.extensions if isinstance(extension, Requires)), ())


def unguarded_fields(*roots: Any) -> list[str]:
    """The fields of these root types that do not say who may ask them."""
    return [
        f"{root.__strawberry_definition__.name}.{field.python_name}"
        for root in roots
        for field in root.__strawberry_definition__.fields
        if not permissions_of(field)
    ]
