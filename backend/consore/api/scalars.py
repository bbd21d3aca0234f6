"""Days and times on the wire: `2024-03-01`, and `2024-03-01T08:00:00` in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

import strawberry
from graphql import GraphQLError


def _time_out(value: dt.datetime) -> str:
    """UTC to the second, without zone, as the schema promises."""
    utc = value.astimezone(dt.UTC) if value.tzinfo else value
    return utc.replace(tzinfo=None, microsecond=0).isoformat()


def _time_in(value: Any) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise GraphQLError(f"DateTime cannot be {value!r}: write 2024-03-01T08:00:00.") from error
    return time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="A time in UTC, such as 2024-03-01T08:00:00.",
    serialize=_time_out,
    parse_value=_time_in,
)
