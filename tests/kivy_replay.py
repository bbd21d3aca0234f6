"""A server that answers recorded values in the shape of the schema: for faults and for looking at screens, not for
journeys.

The answers go through graphql-core and `backend/schema.graphql`, so that nothing is answered which the schema does
not allow. `Replay.fault` forces what a real server does only on a bad day: `status` 500, a `delay_s`, an expired
token.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

SCHEMA = Path(__file__).parents[1] / "backend" / "schema.graphql"


@dataclass
class Replay:
    """Answers, faults, and what was asked."""

    values: dict[str, Any]
    status: int = 200
    delay_s: float = 0.0
    expired: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        self._schema = build_schema(SCHEMA.read_text(encoding="utf-8"))

    async def answer(self, request: Request) -> Response:
        """One GraphQL request."""
        body = await request.json()
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked.append({**body, "token": token, "language": request.headers.get("accept-language")})
        await asyncio.sleep(self.delay_s)
        if self.status != 200:
            return PlainTextResponse("broken", self.status)
        if token in self.expired:
            error = {"message": "Not signed in.", "extensions": {"code": "not_signed_in", "hint": "Sign in."}}
            return JSONResponse({"data": None, "errors": [error]})
        result = graphql_sync(self._schema, body["query"], root_value=self.values, variable_values=body["variables"])
        return JSONResponse(result.formatted)

    @contextlib.contextmanager
    def serving(self, certificate: Path | None = None, key: Path | None = None) -> Iterator[Replay]:
        """Serve on a free loopback port, on a thread; with TLS when given a certificate."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.address = f"https://localhost:{port}" if certificate else f"http://127.0.0.1:{port}"
            app = Starlette(routes=[Route("/graphql", self.answer, methods=["POST"])])
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.01)
            yield self
            server.should_exit = True
            thread.join(5)
