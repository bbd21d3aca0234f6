"""The search engine and what it holds: a server, two collections behind aliases, and how they follow the store."""

from consore.index.server import TypesenseServer, ensure_engine

__all__ = ["TypesenseServer", "ensure_engine"]
