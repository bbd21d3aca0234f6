"""How much of a document is taken, and what is said of more."""

from __future__ import annotations

from consore.errors import RecordError
from consore.sources.encoding import clean

MAX_FILE = 64_000_000  # bytes on disk
MAX_UNPACKED = 256_000_000  # bytes of an archive once unpacked
MAX_TEXT = 5_000_000  # characters of one document
MAX_PAGES = 3_000


def finished(text: str) -> str:
    """Text as a document keeps it. Raises RecordError where it is too long."""
    text = clean(text).strip("\n ")
    if len(text) > MAX_TEXT:
        raise RecordError(
            f"The document holds {len(text):,} characters, more than {MAX_TEXT:,}.",
            "Split it by report.",
            reason="text_too_long",
        )
    return text


def too_large(size: int) -> RecordError:
    """What is said of a document of more than MAX_FILE bytes."""
    return RecordError(
        f"The file holds {size:,} bytes, more than {MAX_FILE:,}.",
        "Split it, or take its images out.",
        reason="file_too_large",
    )
