"""What every answer passes through: a limit on what is sent, headers that browsers obey, and the counting of it all."""

from __future__ import annotations

import time

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1024 * 1024  # bytes

REQUESTS = Counter("consore_http_requests_total", "HTTP requests answered.", ["path", "status"])
SECONDS = Histogram(
    "consore_http_seconds", "Seconds to answer a request.", ["path"], buckets=(0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10)
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class _TooLarge(Exception):
    """More was sent than may be."""


class BodyLimit:
    """Refuses a body of more than `most` bytes, whether its length is told or not.

    A form with a file (`multipart/form-data`) may have `uploads` bytes; it is passed on as it comes, never held whole.
    """

    def __init__(self, app: ASGIApp, most: int = LARGEST_BODY, uploads: int = LARGEST_BODY) -> None:
        self._app = app
        self._most = most
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        told = headers.get("content-length", "0")
        form = scope["path"] == "/graphql" and headers.get("content-type", "").startswith("multipart/form-data")
        most = self._uploads if form else self._most
        if not told.isdigit() or int(told) > most:
            await self._refuse(scope, receive, send, most)
            return
        if form:
            await self._stream(scope, receive, send)
            return
        pieces, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            more = message.get("more_body", False)
            if size > most:
                await self._refuse(scope, receive, send, most)
                return
        body: Message | None = {"type": "http.request", "body": b"".join(pieces), "more_body": False}

        async def replay() -> Message:
            nonlocal body
            if body is not None:
                message, body = body, None
                return message
            return await receive()

        await self._app(scope, replay, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._uploads:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await self._refuse(scope, receive, send, self._uploads)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        problem = {"message": f"The request is larger than {most} bytes.", "extensions": {"code": "too_large"}}
        await JSONResponse({"errors": [problem]}, status_code=413)(scope, receive, send)


class Shield:
    """Adds the security headers that an answer does not set itself, and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, path, status = time.perf_counter(), _known(scope["path"]), 500

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        finally:
            REQUESTS.labels(path, str(status)).inc()
            SECONDS.labels(path).observe(time.perf_counter() - begin)


def _known(path: str) -> str:
    """The first part of the path where it is one of ours: what anybody types does not become a series."""
    first = "/" + path.lstrip("/").split("/", 1)[0]
    return first if first in ("/graphql", "/healthz", "/readyz", "/metrics", "/federation") else "other"
