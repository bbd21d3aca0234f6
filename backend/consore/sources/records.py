"""What a source gives: records that can be stored, and rejections that say why not. One bad record stops no other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from consore.errors import RecordError

RecordKind = Literal[
    "patient",
    "stay",
    "tumour_sheet",
    "chemotherapy",
    "pharmacy",
    "biology",
    "molecular",
    "biobank",
    "document",
    "merge",
    "deletion",
]

RAW_LIMIT = 1_000_000  # bytes of a rejected record that are kept
CUT_NOTE = b"\n[cut: only the first 1,000,000 bytes of this record are kept; the whole is in the source]"


@dataclass(slots=True, frozen=True)
class SourceRecord:
    """One record, checked, in the words of the domain.

    `values` hold plain JSON values, dates as ISO text. `patient`: the columns of `model.Patient`; `stay`: `number`,
    `entry_date`, `exit_date`, `unit`, `diagnoses` [{code, role, date}], `acts` [{code, phase, date}]; `document`:
    `kind`, `title`, `date`, `author`, `service`, `text`; `merge`: `merged`, the IPP that goes (`ipp` is the one that
    stays), and `date`; `deletion`: `of`, the kind of the record `external_id` that is taken back (its `ipp` may be
    empty); the others: the row, with the columns of the exchange format.
    `origin` is its position in the source (`chimiotherapie.csv:12`, `documents/R12.pdf`); `raw` what a replay reads.
    `signature` of a document changes with its file and its index line; `known` says that it is the one that the reader
    was told of: the file was not opened and `values` are empty. `version` orders two states of one record where the
    source tells (the time of an HL7 message, `meta.lastUpdated`, as sortable text): an older one replaces no newer one.
    """

    kind: RecordKind
    external_id: str
    ipp: str
    values: dict[str, Any]
    origin: str
    raw: bytes = field(default=b"", repr=False)
    signature: str = ""
    known: bool = False
    version: str = ""


@dataclass(slots=True, frozen=True)
class Mark:
    """How far a source has been read: all that stands under `key` up to `value` has been given before this.

    `key` is a file of a drop folder (`value`: its size and time of change), a FHIR resource type or a SQL query
    (`value`: the last watermark). It is kept with the records, and given back to the next reading, which skips them.
    """

    key: str
    value: str


@dataclass(slots=True, frozen=True)
class Rejection:
    """A record that could not be taken. `reason` is stable (for counting), `message` says what to do, `raw` is it.

    `ipp`: the patient that it waits for, where it is whole and only they are missing.
    """

    position: str
    reason: str
    message: str
    raw: bytes = field(default=b"", repr=False)
    ipp: str = ""

    @classmethod
    def of(cls, error: RecordError, position: str, raw: bytes, ipp: str = "") -> Self:
        """The rejection of the record at `position`, its raw bytes bounded to RAW_LIMIT with a note."""
        return cls(_shown(position), error.reason, _shown(str(error)), bounded(raw), ipp)


def unforeseen(error: Exception) -> RecordError:
    """What is said of a record that our reader stumbles over: it is kept, and the others go on."""
    return RecordError(
        f"The record cannot be read ({type(error).__name__}: {error}).",
        "Look at its bytes; if they are right, report it.",
        reason="unreadable_record",
    )


def _shown(text: str) -> str:
    """Text that any database can keep: what was found in a broken file may hold NUL bytes."""
    return text.replace("\x00", "␀").encode("utf-8", "replace").decode()


def bounded(raw: bytes) -> bytes:
    """`raw`, or its first RAW_LIMIT bytes and a note that says so."""
    return raw if len(raw) <= RAW_LIMIT else raw[:RAW_LIMIT] + CUT_NOTE


class KeyTable:
    """A set, or map, of texts in a temporary file: millions of identifiers in constant memory."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._file = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=OFF")
        self._file.execute("CREATE TABLE pair (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO pair VALUES (?, ?)", pairs)

    def add(self, key: str, value: str = "") -> bool:
        """Put `key` in; False where it already was."""
        return self._file.execute("INSERT OR IGNORE INTO pair VALUES (?, ?)", (key, value)).rowcount == 1

    def get(self, key: str) -> str | None:
        """The value of `key`, or None."""
        row = self._file.execute("SELECT value FROM pair WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Drop the temporary file."""
        self._file.close()


class Heap:
    """Texts by key, several a key, in a temporary file: what belongs to a record and comes apart from it."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=OFF")
        self._file.execute("CREATE TABLE item (key TEXT, value TEXT)")
        self._file.execute("CREATE INDEX by_key ON item (key)")
        self._file.execute("BEGIN")

    def add(self, key: str, value: str) -> None:
        """Put a text under a key."""
        self._file.execute("INSERT INTO item VALUES (?, ?)", (key, value))

    def get(self, key: str) -> list[str]:
        """The texts under a key, in the order in which they came."""
        return [row[0] for row in self._file.execute("SELECT value FROM item WHERE key = ? ORDER BY rowid", (key,))]

    def close(self) -> None:
        """Drop the temporary file."""
        self._file.close()
