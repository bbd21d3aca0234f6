"""Here `store` is each database in turn."""

from __future__ import annotations

import pytest

from consore.store import Store


@pytest.fixture
def store(either_store: Store) -> Store:
    """A new store, once on SQLite and once on PostgreSQL."""
    return either_store
