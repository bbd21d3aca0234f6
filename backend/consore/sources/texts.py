"""The text of a document file, whatever its format, known by its first bytes and not by its name.

Plain text, PDF (with its text, or scanned where tesseract is installed), DOCX, ODT, RTF, HTML, CDA, page images. Each
fault has its own reason, since each is mended by someone else: a truncated file is sent again, a scanned page needs
character recognition, an encrypted one its password.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from consore.errors import RecordError
from consore.referentials.decoding import decode, wide_encoding
from consore.sources import limits
from consore.sources.cda import cda_text, holds_cda
from consore.sources.markup import HEAD, decode_markup, html_text

_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"II*\x00", b"MM\x00*", b"BM", b"\x00\x00\x00\x0cjP")
_MARKUP = re.compile(r"\s*(?:<\?xml\b[^>]*\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>|\s)*<(?P<tag>[A-Za-z][\w:.-]*)", re.DOTALL)


def text_of(file: Path, *, ocr: bool = True) -> str:
    """The text of a document file, see `text_from`. Raises RecordError with a stable reason."""
    size = file.stat().st_size
    if size > limits.MAX_FILE:
        raise limits.too_large(size)
    return text_from(file.read_bytes(), file.suffix.lower(), ocr=ocr)


def text_from(content: bytes, suffix: str = "", *, ocr: bool = True) -> str:
    """The text of a document: composed accents, `\\n` line ends.

    `suffix` only says what was meant (`.pdf`); `ocr`: whether scanned pages are recognised.
    """
    if len(content) > limits.MAX_FILE:
        raise limits.too_large(len(content))
    if not content.strip():
        raise RecordError("The file is empty.", "Export it again.", reason="empty_file")
    return limits.finished(_read(content, suffix, ocr))


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
    sample = content[:HEAD]
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
    if holds_cda(content):
        return cda_text(content, partial(text_from, ocr=ocr))
    name = tag.rpartition(":")[2].lower()
    if name in ("html", "head", "body") or "<html" in head.lower() or not head.startswith("<?xml"):
        return html_text(decode_markup(content))
    raise RecordError(
        f"The file is XML of another kind (<{tag}>).",
        "Export it as CDA, HTML, PDF or text.",
        reason="unsupported_xml",
    )
