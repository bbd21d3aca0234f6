"""The text of a document file: plain text, PDF or DOCX, known by its first bytes and not by its name.

Each fault has its own reason, since each is mended by someone else: a truncated file is sent again, a scanned page
needs character recognition, an encrypted one its password.
"""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path

from consore.errors import RecordError
from consore.referentials.decoding import decode
from consore.sources.encoding import clean

MAX_FILE = 64_000_000  # bytes on disk
MAX_UNPACKED = 256_000_000  # bytes of a DOCX once unpacked
MAX_TEXT = 5_000_000  # characters of one document
MAX_PAGES = 3_000

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings name no file; our rejections do


def text_of(file: Path) -> str:
    """The text of a document file, see `text_from`. Raises RecordError with a stable reason."""
    size = file.stat().st_size
    if size > MAX_FILE:
        raise RecordError(
            f"The file holds {size:,} bytes, more than {MAX_FILE:,}.",
            "Split it, or take its images out.",
            reason="file_too_large",
        )
    return text_from(file.read_bytes(), file.suffix.lower())


def text_from(content: bytes, suffix: str = "") -> str:
    """The text of a document: composed accents, `\\n` line ends. `suffix` only says what was meant (`.pdf`)."""
    if not content.strip():
        raise RecordError("The file is empty.", "Export it again.", reason="empty_file")
    if b"%PDF-" in content[:1024]:
        text = _pdf(content)
    elif content.startswith(b"PK"):
        text = _docx(content)
    elif content.startswith((b"{\\rtf", b"\xd0\xcf\x11\xe0", b"\xff\xd8\xff", b"\x89PNG", b"II*\x00", b"MM\x00*")):
        raise RecordError(
            "The file is an RTF, an old Word document or an image.",
            "Export it as text, PDF or DOCX.",
            reason="unsupported_format",
        )
    elif suffix in (".pdf", ".docx"):
        raise RecordError(
            f"The file is named {suffix} but is none.", "Export it again.", reason=f"not_a_{suffix.lstrip('.')}"
        )
    else:
        text = _plain(content)
    text = clean(text).strip("\n ")
    if len(text) > MAX_TEXT:
        raise RecordError(
            f"The document holds {len(text):,} characters, more than {MAX_TEXT:,}.",
            "Split it by report.",
            reason="text_too_long",
        )
    return text


def _plain(content: bytes) -> str:
    text = decode(content)
    if text.count("\x00"):
        raise RecordError("The file holds NUL bytes: it is no text.", "Export it again as text.", reason="nul_bytes")
    if not text.strip():
        raise RecordError("The file holds only blanks.", "Export it again.", reason="empty_file")
    return text


def _pdf(content: bytes) -> str:
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError

    if b"%%EOF" not in content[-2048:]:
        raise RecordError(
            "The PDF is truncated: its end mark is missing.", "Send the file again.", reason="truncated_pdf"
        )
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise RecordError("The PDF is encrypted.", "Export it without a password.", reason="encrypted_pdf")
        if len(reader.pages) > MAX_PAGES:
            raise RecordError(
                f"The PDF has {len(reader.pages)} pages, more than {MAX_PAGES}.",
                "Split it by report.",
                reason="text_too_long",
            )
        pages = [page.extract_text() for page in reader.pages]
    except RecordError:
        raise
    except LimitReachedError as error:
        raise RecordError("The PDF unpacks to more than is safe.", "Export it again.", reason="zip_bomb") from error
    except Exception as error:  # pypdf raises what its parser meets: KeyError, RecursionError, struct.error…
        raise RecordError(
            f"The PDF is damaged ({type(error).__name__}).", "Send the file again.", reason="damaged_pdf"
        ) from error
    text = "\n\n".join(pages)
    if not text.strip():
        raise RecordError(
            "The PDF holds images and no text: it was scanned.",
            "Send it with its recognised text (OCR).",
            reason="pdf_without_text",
        )
    return text


def _docx(content: bytes) -> str:
    from docx import Document as open_docx

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise RecordError("The DOCX is truncated.", "Send the file again.", reason="damaged_docx") from error
    if not {"[Content_Types].xml", "word/document.xml"} <= names:
        raise RecordError(
            "The file is a ZIP of something else, no DOCX.", "Export it as DOCX, PDF or text.", reason="not_a_docx"
        )
    if unpacked > MAX_UNPACKED:
        raise RecordError(
            f"The DOCX unpacks to {unpacked:,} bytes, more than {MAX_UNPACKED:,}.",
            "Take its images out, then export it again.",
            reason="zip_bomb",
        )
    try:
        document = open_docx(io.BytesIO(content))
        text = "\n".join(_blocks(document))
    except Exception as error:  # python-docx raises what its parsers meet: KeyError, XMLSyntaxError, BadZipFile…
        raise RecordError(
            f"The DOCX is damaged ({type(error).__name__}).", "Send the file again.", reason="damaged_docx"
        ) from error
    if not text.strip():
        raise RecordError("The DOCX holds no text.", "Export it with its text.", reason="docx_without_text")
    return text


def _blocks(container):  # type: ignore[no-untyped-def]
    """Paragraphs and table rows in reading order."""
    from docx.table import Table

    for block in container.iter_inner_content():
        if isinstance(block, Table):
            for row in block.rows:
                cells: list[str] = []
                for cell in row.cells:  # a merged cell comes once a column: keep it once
                    if not cells or cell.text != cells[-1]:
                        cells.append(cell.text)
                yield "\t".join(cells)
        else:
            yield block.text
