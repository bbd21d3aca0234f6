"""The GraphQL schema, and the web application that serves it."""

from consore.api.schema import schema, sdl
from consore.api.server import create_app

__all__ = ["create_app", "schema", "sdl"]
