"""Rows of a hospital's database: one SELECT, read only, from the last watermark on, through any SQLAlchemy URL.

A connection that is lost is made again, and the reading goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam, column, create_engine, event, select, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from consore.errors import RecordError, SourceAway, SourceError
from consore.sources.options import secret_of, shown
from consore.sources.records import KeyTable, Mark, Rejection
from consore.sources.tables import Row
from consore.sources.workbooks import Cells, as_raw, read_mappings

ROWS = 1_000  # rows asked of the server at once; a mark is given after as many
RETRIES = 5
_SELECT = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:select|with)\b", re.IGNORECASE | re.DOTALL)

Watermark = Any


class Query:
    """The rows of a source's SELECT."""

    def __init__(self, location: str, options: dict[str, Any]) -> None:
        self._sql = str(options.get("query", "")).strip().rstrip(";").strip()
        self._watermark = options.get("watermark")
        if not self._sql:
            raise SourceError(
                "The source names no query.",
                "Write the option “query”: one SELECT with the columns of the exchange format.",
            )
        if not _SELECT.match(self._sql) or ";" in re.sub(r"'[^']*'", "", self._sql):
            raise SourceError("The query is no single SELECT.", "Write one SELECT, without a semicolon.")
        self._where = shown(location)
        self._engine = _engine(location, options)
        self.key = "sql:" + sha256(f"{self._sql}\x1f{self._watermark}".encode()).hexdigest()[:16]

    def rows(self, since: str | None) -> Iterator[tuple[str, Cells, Watermark]]:
        """The rows from a watermark on (its own included): position, cells, watermark. Raises SourceError."""
        given = KeyTable()
        reached = _parsed(since)
        number = fruitless = 0
        try:
            while True:
                try:
                    for cells in self._from(reached):
                        if not given.add(sha256(as_raw(cells)).hexdigest()):
                            continue  # given before the connection was lost
                        number += 1
                        fruitless = 0
                        reached = self._mark_of(cells) or reached
                        yield f"row {number}", cells, reached
                    return
                except DBAPIError as error:
                    fruitless += 1
                    if not _lost(error) or fruitless > RETRIES:
                        raise self._refused(error) from error
                    time.sleep(min(0.2 * 2**fruitless, 10))
                except SQLAlchemyError as error:
                    raise self._refused(error) from error
        finally:
            given.close()

    def columns(self) -> tuple[str, ...]:
        """The columns of the query."""
        try:
            with self._engine.connect() as connection:
                return tuple(connection.execute(text(f"SELECT * FROM ({self._sql}) AS source WHERE 1 = 0")).keys())
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _from(self, since: Watermark) -> Iterator[Cells]:
        source = text(self._sql).columns().subquery("source")
        if self._watermark:
            grows = column(self._watermark)
            statement = select(text("*")).select_from(source).order_by(grows)
            if since is not None:
                statement = statement.where(grows >= bindparam("since", since))
        else:
            statement = select(text("*")).select_from(source)
        with self._engine.connect() as connection:
            _read_only(connection)
            found = connection.execution_options(stream_results=True, yield_per=ROWS).execute(statement)
            for row in found.mappings():
                yield dict(row)

    def _mark_of(self, cells: Cells) -> Watermark:
        if not self._watermark:
            return None
        wanted = str(self._watermark).casefold()
        return next((value for name, value in cells.items() if str(name).casefold() == wanted), None)

    def _refused(self, error: SQLAlchemyError) -> SourceError:
        said = str(getattr(error, "orig", error)).splitlines()[0][:300]
        kind = SourceAway if isinstance(error, DBAPIError) and _lost(error) else SourceError
        return kind(f"{self._where} refuses the query: {said}.", "Check the address, the login and the option “query”.")


def read_query(
    kind: str, location: str, options: dict[str, Any], since: str | None, unique: str
) -> Iterator[tuple[Row | Rejection | Mark, str]]:
    """Checked rows of a SELECT with the version of each, and marks. Raises SourceError."""
    query = Query(location, options)
    reached: list[Watermark] = [None]

    def triples() -> Iterator[tuple[str, Cells | RecordError, bytes]]:
        for position, cells, watermark in query.rows(since):
            reached[0] = watermark
            yield position, cells, b""

    try:
        once = "" if options.get("watermark") else unique  # a later state of a row replaces the one before
        for number, row in enumerate(read_mappings(kind, "the query", triples(), options, once), start=1):
            yield row, _sortable(reached[0])
            if reached[0] is not None and number % ROWS == 0:
                yield Mark(query.key, _written(reached[0])), ""
        if reached[0] is not None:
            yield Mark(query.key, _written(reached[0])), ""
    finally:
        query.close()


def query_key(location: str, options: dict[str, Any]) -> str:
    """The key of a query's mark."""
    query = Query(location, options)
    query.close()
    return query.key


def _engine(location: str, options: dict[str, Any]) -> Engine:
    try:
        url = make_url(location)
        if (password := secret_of(options, "password")) is not None:
            url = url.set(password=password)
        if options.get("user"):
            url = url.set(username=str(options["user"]))
        engine = create_engine(_read_only_url(url), poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise SourceError(
            f"{shown(location)} cannot be used: {error}.",
            "Write a SQLAlchemy URL, as postgresql+psycopg://reader@host/base, and install its driver.",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
    return engine


def _read_only_url(url: URL) -> URL:
    """A URL that cannot write: a SQLite file is opened as such, and is not made where there is none."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    return url.set(database=f"file:{url.database}", query={**url.query, "mode": "ro", "uri": "true"})


def _read_only(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")


def _lost(error: DBAPIError) -> bool:
    """Whether the connection is lost, and not the query wrong."""
    return bool(error.connection_invalidated) or (
        type(error).__name__ in ("OperationalError", "InterfaceError")
        and any(
            word in str(error).lower()
            for word in ("connect", "server", "closed", "terminat", "reset", "timeout", "locked")
        )
    )


def _written(value: Watermark) -> str:
    match value:
        case bool() | int():
            return json.dumps(["int", int(value)])
        case float() | Decimal():
            return json.dumps(["number", str(value)])
        case dt.datetime():
            return json.dumps(["moment", value.isoformat()])
        case dt.date():
            return json.dumps(["day", value.isoformat()])
    return json.dumps(["text", str(value)])


def _parsed(mark: str | None) -> Watermark:
    if not mark:
        return None
    kind, value = json.loads(mark)
    match kind:
        case "int":
            return int(value)
        case "number":
            return Decimal(value)
        case "moment":
            return dt.datetime.fromisoformat(value)
        case "day":
            return dt.date.fromisoformat(value)
    return value


def _sortable(value: Watermark) -> str:
    """A watermark as text that sorts as it does."""
    match value:
        case None:
            return ""
        case bool() | int():
            return f"{int(value):020d}"
        case float() | Decimal():
            return f"{Decimal(value):040.12f}"
        case dt.datetime():
            moment = value.astimezone(dt.UTC) if value.tzinfo else value
            return f"{moment:%Y%m%d%H%M%S.%f}"
        case dt.date():
            return f"{value:%Y%m%d}"
    return str(value)
