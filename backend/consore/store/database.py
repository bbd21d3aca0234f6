"""The store of record: SQLite in WAL mode by default, PostgreSQL by its URL; the same code for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlmodel import Session, create_engine

from consore.errors import ConfigurationError, StoreError
from consore.settings import Settings
from consore.store.words import SQL_NAME, keep_words
from consore.text import tokens_for_index

MIGRATIONS = Path(__file__).parent / "migrations"


class Store:
    """The store of one node.

    `url` is a SQLAlchemy URL. Threads may share a Store; processes each open their own.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @classmethod
    def of(cls, settings: Settings) -> Store:
        """The store of a node, its tables brought up to date."""
        store = cls(settings.store_url)
        store.upgrade()
        return store

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that commits at the end, or rolls back where the block raises."""
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                if self.dialect == "postgresql":
                    session.flush()
                    keep_words(session)
                session.commit()
            except BaseException:
                session.rollback()
                raise

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def upgrade(self) -> None:
        """Bring the tables to the newest revision; does nothing when they are."""
        from alembic import command
        from alembic.config import Config

        try:
            with self.engine.begin() as connection:
                if self.dialect == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(7230418)"))
                else:  # pysqlite opens no transaction before DDL: two processes would make the same tables
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except OperationalError as error:
            raise StoreError(
                f"The store at {make_url(self.url).render_as_string()} cannot be opened: {error.orig}.",
                "Check that it runs, that the folder can be written and that the disk has room.",
            ) from error

    def revision(self) -> str | None:
        """The revision that the tables are at, or None where there are none."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": 30})
            event.listen(engine, "connect", _sqlite_connection)
            return engine
        return create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"The store's URL cannot be used: {error}.",
            "Set CONSORE_DATABASE_URL to sqlite:///FILE or postgresql://USER@HOST/DATABASE "
            "(PostgreSQL needs `pip install consore[postgres]`).",
        ) from error


def _sqlite_connection(connection, _record) -> None:  # type: ignore[no-untyped-def]
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()
    connection.create_function(SQL_NAME, 1, tokens_for_index, deterministic=True)
