"""The search engine and what it holds: a server, two collections behind aliases, and how they follow the store."""

from consore.index.collections import IndexCheck, SearchIndex
from consore.index.server import TypesenseServer, ensure_engine
from consore.index.traits import PatientTraits, completed_years, load_traits

__all__ = [
    "IndexCheck",
    "PatientTraits",
    "SearchIndex",
    "TypesenseServer",
    "completed_years",
    "ensure_engine",
    "load_traits",
]
