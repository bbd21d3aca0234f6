"""The exact words of documents, which the database keeps beside each text in the transaction that writes it.

Words are those of `tokens_for_index`, so that a count and the search bar agree on what a word is. They are kept as an
index alone: the text is not stored twice. SQLite: an FTS5 table over a view of the texts, which triggers follow.
PostgreSQL: a `tsvector` a document behind a GIN index; a trigger marks what changed, and `keep_words` fills it in
before the session commits.

A phrase is looked for among the first 16,383 words of a document, and the first 255 places of one word, in PostgreSQL
(its limits, which it keeps by itself); words are found anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Subquery, select, table, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType
from sqlmodel import Session

from consore.text import tokens_for_index

SQL_NAME = "consore_words"  # what SQLite calls `tokens_for_index`; a table of documents needs it to be written
LONGEST_WORD = 500  # characters; a lexeme of PostgreSQL is at most 2 KiB
BATCH = 200

SQLITE = (
    f"CREATE VIEW documenttext AS SELECT id, {SQL_NAME}(text) AS words FROM document",
    # What is neither a letter nor a digit is gone already: `ascii` cuts at blanks and nowhere else.
    """CREATE VIRTUAL TABLE documentwords USING fts5(
        words, content='documenttext', content_rowid='id', columnsize=0, tokenize='ascii')""",
    f"""CREATE TRIGGER document_words_new AFTER INSERT ON document BEGIN
        INSERT INTO documentwords(rowid, words) VALUES (new.id, {SQL_NAME}(new.text)); END""",
    f"""CREATE TRIGGER document_words_changed AFTER UPDATE OF text ON document WHEN old.text IS NOT new.text BEGIN
        INSERT INTO documentwords(documentwords, rowid, words) VALUES ('delete', old.id, {SQL_NAME}(old.text));
        INSERT INTO documentwords(rowid, words) VALUES (new.id, {SQL_NAME}(new.text)); END""",
    f"""CREATE TRIGGER document_words_gone AFTER DELETE ON document BEGIN
        INSERT INTO documentwords(documentwords, rowid, words) VALUES ('delete', old.id, {SQL_NAME}(old.text)); END""",
    "INSERT INTO documentwords(documentwords) VALUES ('rebuild')",
)
SQLITE_GONE = (
    "DROP TRIGGER document_words_new",
    "DROP TRIGGER document_words_changed",
    "DROP TRIGGER document_words_gone",
    "DROP TABLE documentwords",
    "DROP VIEW documenttext",
)

GIN = "CREATE INDEX ix_documentwords_words ON documentwords USING gin (words)"
POSTGRESQL = (
    """CREATE TABLE documentwords (
        document_id integer PRIMARY KEY REFERENCES document ON DELETE CASCADE, words tsvector)""",
    GIN,
    "CREATE INDEX ix_documentwords_waiting ON documentwords (document_id) WHERE words IS NULL",
    """CREATE FUNCTION document_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO documentwords (document_id) VALUES (new.id) ON CONFLICT (document_id) DO UPDATE SET words = NULL;
        RETURN NULL; END $$""",
    """CREATE TRIGGER document_words_new AFTER INSERT ON document
        FOR EACH ROW EXECUTE FUNCTION document_words()""",
    """CREATE TRIGGER document_words_changed AFTER UPDATE OF text ON document
        FOR EACH ROW WHEN (old.text IS DISTINCT FROM new.text) EXECUTE FUNCTION document_words()""",
    "INSERT INTO documentwords (document_id) SELECT id FROM document",
)
POSTGRESQL_GONE = (
    "DROP TRIGGER document_words_new ON document",
    "DROP TRIGGER document_words_changed ON document",
    "DROP FUNCTION document_words",
    "DROP TABLE documentwords",
)


def documents_with(phrases: Sequence[str]) -> Subquery:
    """The documents that hold all these words or phrases, by their `document_id`.

    Each is one word or more as `tokens_for_index` gives them; those of a phrase follow one another.
    """
    fts = " AND ".join(f'"{phrase}"' for phrase in phrases)
    cut = [[f"'{word[:LONGEST_WORD]}'" for word in phrase.split()] for phrase in phrases]
    holds = _Holds(fts, " & ".join(f"({' <-> '.join(words)})" for words in cut))
    return select(_Key().label("document_id")).select_from(table("documentwords")).where(holds).subquery()


class _Key(FunctionElement[int]):
    """The document of a row of `documentwords`."""

    type = Integer()
    name = "document_of_words"
    inherit_cache = True


class _Holds(FunctionElement[Any]):
    """Whether it holds the words. Its clauses: these for FTS5, these for PostgreSQL."""

    type = NullType()  # of a Boolean, SQLite would be asked whether it `= 1`, and FTS5 serves no such question
    name = "holds_words"
    inherit_cache = True


@compiles(_Key)
def _rowid(element: Any, compiler: Any, **options: Any) -> str:
    return "documentwords.rowid"


@compiles(_Key, "postgresql")
def _document_id(element: Any, compiler: Any, **options: Any) -> str:
    return "documentwords.document_id"


@compiles(_Holds)
def _match(element: Any, compiler: Any, **options: Any) -> str:
    words, _ = element.clauses
    return f"documentwords MATCH {compiler.process(words, **options)}"


@compiles(_Holds, "postgresql")
def _tsquery(element: Any, compiler: Any, **options: Any) -> str:
    _, words = element.clauses
    return f"documentwords.words @@ CAST({compiler.process(words, **options)} AS tsquery)"


def keep_words(session: Session | Connection) -> None:
    """Index the documents whose words are not, in PostgreSQL; SQLite has done so by itself."""
    waiting = text(
        "SELECT w.document_id, d.text FROM documentwords w JOIN document d ON d.id = w.document_id "
        f"WHERE w.words IS NULL AND w.document_id > :last ORDER BY w.document_id LIMIT {BATCH}"
    )
    filled = text("UPDATE documentwords SET words = CAST(:words AS tsvector) WHERE document_id = :id")
    last = 0
    while rows := session.execute(waiting, {"last": last}).all():
        session.execute(filled, [{"id": key, "words": _vector(words)} for key, words in rows])
        last = rows[-1][0]


def _vector(document: str) -> str:
    """The words with their places, as PostgreSQL writes a `tsvector`."""
    written: dict[str, str] = {}
    for place, word in enumerate(tokens_for_index(document).split(), 1):
        lexeme = word[:LONGEST_WORD]
        written[lexeme] = f"{written[lexeme]},{place}" if lexeme in written else f"'{lexeme}':{place}"
    return " ".join(written.values())
