"""Where GraphQL comes in: POST with JSON, or with a file in a form, and a WebSocket for subscriptions.

No cookie is ever read: a request carries its access token, so another site cannot ask in a user's name.
"""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.unset import UNSET

from consore.access import Permission, require
from consore.api.context import RequestContext, in_thread, language_of
from consore.api.node import Node
from consore.api.problem import words_of
from consore.api.schema import schema
from consore.errors import AccessError

MOST_SUBSCRIPTIONS = 10


class _Connection(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """A WebSocket: each operation on it reads and traces for itself, as a request would."""

    async def run_operation(self, operation: Any) -> None:
        """Run one operation of the connection."""
        one = copy.copy(self)
        one.context = self.context.of_one_operation()
        await super(_Connection, one).run_operation(operation)


class GraphQLEndpoint(GraphQL[RequestContext, None]):
    """The schema over HTTP and WebSocket."""

    graphql_transport_ws_handler_class = _Connection

    def __init__(self, node: Node) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=10),
            max_subscriptions_per_connection=MOST_SUBSCRIPTIONS,
            allowed_origins=node.settings.allowed_origins,
            multipart_uploads_enabled=True,
        )
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is no GraphQL at all is refused in GraphQL's own form, which every client can read."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                await self._require_who_may_send(request)
            response = await self.run(request)
        except AccessError as error:
            message, hint = words_of(error, language_of(request.headers.get("accept-language", "")))
            problem = {"message": message, "extensions": {"code": error.code, "hint": hint}}
            response = JSONResponse({"errors": [problem], "data": None}, status_code=403)
        except HTTPException as error:
            problem = {"message": error.reason, "extensions": {"code": "bad_request"}}
            response = JSONResponse({"errors": [problem]}, status_code=error.status_code)
        await response(scope, receive, send)

    async def _require_who_may_send(self, request: Request) -> None:
        """Refuse a file before it is received, unless it comes from who may import. Raises AccessError."""
        token = _bearer(request.headers.get("authorization", ""))
        principal = await in_thread(lambda: self._node.sessions.principal_of(token)) if token else None
        require(principal, Permission.REFERENTIALS)

    def decode_json(self, data: str | bytes) -> object:
        """The body as JSON; bytes that are no text, or nested without end, are a wrong request, not our failure."""
        try:
            return super().decode_json(data)
        except (UnicodeDecodeError, RecursionError) as error:
            raise HTTPException(400, "Unable to parse request body as JSON") from error

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> RequestContext:
        """Who asks, in which language. A token that is wrong or over makes the request nobody's."""
        token = _bearer(request.headers.get("authorization", ""))
        return RequestContext(
            node=self._node,
            principal=await in_thread(lambda: self._node.sessions.principal_of(token)) if token else None,
            language=language_of(request.headers.get("accept-language", "")),
            address=request.client.host if request.client else "",
            token=token,
        )

    async def on_ws_connect(self, context: RequestContext) -> Any:
        """A browser's WebSocket has no headers of its own: the token also comes as the connection's `Authorization`."""
        told = context.connection_params or {}
        if token := _bearer(str(told.get("Authorization") or told.get("authorization") or "")):
            context.token = token
            context.principal = await in_thread(lambda: context.node.sessions.principal_of(token))
        if context.principal is None:
            raise ConnectionRejectionError
        return UNSET


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
