"""The HTTP face of a node: `/graphql`, `/healthz`, `/readyz`, `/metrics`, and the questions of other centres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import func
from sqlmodel import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from consore import model
from consore.api.endpoint import GraphQLEndpoint
from consore.api.graphiql import graphiql_asset, graphiql_page
from consore.api.metrics import metrics_of
from consore.api.node import Node
from consore.api.shield import BodyLimit, Shield
from consore.errors import ConsoreError
from consore.federation import routes as federation_routes
from consore.settings import Settings
from consore.store import Store

READING_THREADS = 16


def create_app(settings: Settings, *, engine: bool = True) -> Starlette:
    """The application of one node. Its store is opened and brought up to date at once, its search engine at start.

    `engine=False` leaves the search engine alone: everything but search answers.
    Raises StoreError or ConfigurationError.
    """
    node = Node(settings, Store.of(settings))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = READING_THREADS
        await to_thread.run_sync(node.forget_what_is_over)
        if engine:
            node.open_engine()
        try:
            yield
        finally:
            await to_thread.run_sync(node.close)

    app = Starlette(routes=_routes(node), middleware=_middleware(settings), lifespan=lifespan)
    app.state.node = node
    return app


def _routes(node: Node) -> list[BaseRoute]:
    graphql = GraphQLEndpoint(node)
    routes: list[BaseRoute] = [
        Route("/", _home, methods=["GET"]),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", _Ready(node), methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
        WebSocketRoute("/graphql", graphql),
        Route("/graphql", graphql, methods=["POST"]),
    ]
    routes += federation_routes(node.settings, node.store)
    if node.settings.graphiql:
        routes += [
            Route("/graphql", graphiql_page, methods=["GET"]),
            Route("/graphql/assets/{name}", graphiql_asset, methods=["GET"]),
        ]
    return routes


def _middleware(settings: Settings) -> list[Middleware]:
    layers = [
        Middleware(Shield),
        Middleware(BodyLimit, uploads=settings.upload_megabytes * 1024 * 1024),
        Middleware(GZipMiddleware, minimum_size=1024),
    ]
    if settings.allowed_origins:
        layers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["POST"],
                allow_headers=["Authorization", "Content-Type", "Accept-Language"],
                max_age=600,
            )
        )
    return layers


async def _home(request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _alive(request: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def _metrics(request: Request) -> Response:
    text = await to_thread.run_sync(metrics_of, request.app.state.node)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Ready:
    """Whether the node answers questions, and how many patients and documents it answers from."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        parts = await to_thread.run_sync(self._look)
        ready = all(part["ready"] for part in parts.values())
        answer = JSONResponse({"ready": ready, **parts}, status_code=200 if ready else 503)
        await answer(scope, receive, send)

    def _look(self) -> dict[str, dict[str, Any]]:
        return {"store": self._store(), "search_engine": self._engine()}

    def _store(self) -> dict[str, Any]:
        try:
            with self._node.store.session() as session:
                patients = session.exec(select(func.count()).select_from(model.Patient)).one()
                documents = session.exec(select(func.count()).select_from(model.Document)).one()
        except Exception as error:
            return {"ready": False, "message": f"The store does not answer: {type(error).__name__}."}
        return {"ready": True, "patients": patients, "documents": documents}

    def _engine(self) -> dict[str, Any]:
        try:
            return {"ready": True, **self._node.engine_counts()}
        except ConsoreError as error:
            return {"ready": False, "message": error.message, "hint": error.hint}
