"""The text of a document file, whatever its format, known by its first bytes and not by its name.

Plain text, PDF (with its text, or scanned where tesseract is installed), DOCX, ODT, RTF, HTML, CDA, page images. Each
fault has its own reason, since each is mended by someone else: a truncated file is sent again, a scanned page needs
character recognition, an encrypted one its password.
"""

from __future__ import annotations

import re
from pathlib import Path

from consore.errors import RecordError
from consore.referentials.decoding import decode, wide_encoding
from consore.sources.encoding import clean

MAX_FILE = 64_000_000  # bytes on disk
MAX_UNPACKED = 256_000_000  # bytes of an archive once unpacked
MAX_TEXT = 5_000_000  # characters of one document
MAX_PAGES = 3_000

_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"II*\x00", b"MM\x00*", b"BM", b"\x00\x00\x00\x0cjP")
_MARKUP = re.compile(r"\s*(?:<\?xml\b[^>]*\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>|\s)*<(?P<tag>[A-Za-z][\w:.-]*)", re.DOTALL)
_HEAD = 16_384  # characters that tell what markup this is


def text_of(file: Path, *, ocr: bool = True) -> str:
    """The text of a document file, see `text_from`. Raises RecordError with a stable reason."""
    size = file.stat().st_size
    if size > MAX_FILE:
        raise too_large(size)
    return text_from(file.read_bytes(), file.suffix.lower(), ocr=ocr)


def text_from(content: bytes, suffix: str = "", *, ocr: bool = True) -> str:
    """The text of a document: composed accents, `\\n` line ends.

    `suffix` only says what was meant (`.pdf`); `ocr`: whether scanned pages are recognised.
    """
    if len(content) > MAX_FILE:
        raise too_large(len(content))
    if not content.strip():
        raise RecordError("The file is empty.", "Export it again.", reason="empty_file")
    return finished(_read(content, suffix, ocr))


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


def _read(content: bytes, suffix: str, ocr: bool) -> str:
    if b"%PDF-" in content[:1024]:
        from consore.sources.pdf import pdf_text

        return pdf_text(content, ocr)
    if content.startswith(b"PK"):
        from consore.sources.office import archive_text

        return archive_text(content)
    if content.lstrip()[:6].lower() == b"{\\rtf1" or content.startswith(b"{\\rtf"):
        from consore.sources.office import rtf_text

        return rtf_text(content)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise RecordError(
            "The file is an old Word document (.doc).",
            "Export it as DOCX, PDF, RTF or text.",
            reason="unsupported_format",
        )
    if content.startswith(_IMAGES):
        from consore.sources.pdf import image_text

        return image_text(content, ocr)
    if suffix in (".pdf", ".docx", ".odt", ".rtf"):
        raise RecordError(
            f"The file is named {suffix} but is none.", "Export it again.", reason=f"not_a_{suffix.lstrip('.')}"
        )
    return _written(content, ocr)


def _written(content: bytes, ocr: bool) -> str:
    """Plain text, or markup that begins as such."""
    sample = content[:_HEAD]
    head = decode(sample[: len(sample) & ~1]) if wide_encoding(sample) else sample.decode("latin-1")
    head = head.removeprefix("\ufeff").removeprefix("ï»¿").lstrip()
    if markup := _MARKUP.match(head):
        return _markup(content, head, markup["tag"], ocr)
    if head.startswith("<?xml"):
        raise RecordError("The XML is cut before it begins.", "Send the document again.", reason="damaged_xml")
    text = decode(content)
    if "\x00" in text:
        raise RecordError("The file holds NUL bytes: it is no text.", "Export it again as text.", reason="nul_bytes")
    if not text.strip():
        raise RecordError("The file holds only blanks.", "Export it again.", reason="empty_file")
    return text


def _markup(content: bytes, head: str, tag: str, ocr: bool) -> str:
    from consore.sources.cda import cda_text, holds_cda
    from consore.sources.markup import html_text

    if holds_cda(content):
        return cda_text(content, ocr=ocr)
    name = tag.rpartition(":")[2].lower()
    if name in ("html", "head", "body") or "<html" in head.lower() or not head.startswith("<?xml"):
        return html_text(decode_markup(content))
    raise RecordError(
        f"The file is XML of another kind (<{tag}>).",
        "Export it as CDA, HTML, PDF or text.",
        reason="unsupported_xml",
    )


def decode_markup(content: bytes) -> str:
    """Markup as text: the encoding that it declares where the bytes agree with it, else the one that they tell."""
    if not wide_encoding(content[:_HEAD]):
        declared = re.search(rb"(?:encoding|charset)\s*=\s*[\"']?([\w.:-]+)", content[:2048])
        if declared:
            try:
                return content.decode(declared[1].decode("ascii")).removeprefix("\ufeff")
            except (LookupError, UnicodeError):
                pass
    return decode(content)
