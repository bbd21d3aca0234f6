"""The text of DOCX, ODT and RTF documents; archives are measured before they are unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

from consore.errors import RecordError
from consore.sources import limits
from consore.sources.markup import parse_xml

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
MAX_RATIO = 200  # times that an archive of more than a few MB may grow: text packs to a tenth


def archive_text(content: bytes) -> str:
    """The text of a DOCX or ODT. Raises RecordError where the archive is damaged, a bomb or something else."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            unpacked = sum(member.file_size for member in archive.infolist())
            _refuse_bomb(unpacked, len(content))
            if {"content.xml", "mimetype"} <= names:
                return _odt(archive)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise RecordError("The DOCX is truncated.", "Send the file again.", reason="damaged_docx") from error
    if not {"[Content_Types].xml", "word/document.xml"} <= names:
        raise RecordError(
            "The file is a ZIP of something else, no DOCX.",
            "Export it as DOCX, ODT, PDF or text.",
            reason="not_a_docx",
        )
    return _docx(content)


def rtf_text(content: bytes) -> str:
    """The text of an RTF document (its own code page, Windows-1252 by default)."""
    from striprtf.striprtf import rtf_to_text

    try:
        text = rtf_to_text(content.decode("latin-1"), encoding="cp1252", errors="replace")
    except Exception as error:  # what its parser meets
        raise RecordError(
            f"The RTF is damaged ({type(error).__name__}).", "Send the file again.", reason="damaged_rtf"
        ) from error
    if not text.strip():
        raise RecordError("The RTF holds no text.", "Export it with its text.", reason="rtf_without_text")
    return text


def _refuse_bomb(unpacked: int, packed: int) -> None:
    if unpacked > limits.MAX_UNPACKED or unpacked > 8_000_000 + MAX_RATIO * packed:
        raise RecordError(
            f"The archive unpacks to {unpacked:,} bytes, more than {limits.MAX_UNPACKED:,} or than is likely.",
            "Take its images out, then export it again.",
            reason="zip_bomb",
        )


def _docx(content: bytes) -> str:
    from docx import Document as open_docx

    try:
        text = "\n".join(_blocks(open_docx(io.BytesIO(content))))
    except Exception as error:  # python-docx raises what its parsers meet: KeyError, XMLSyntaxError, BadZipFile…
        raise RecordError(
            f"The DOCX is damaged ({type(error).__name__}).", "Send the file again.", reason="damaged_docx"
        ) from error
    if not text.strip():
        raise RecordError("The DOCX holds no text.", "Export it with its text.", reason="docx_without_text")
    return text


def _blocks(container: Any) -> Iterator[str]:
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


def _odt(archive: zipfile.ZipFile) -> str:
    try:
        root = parse_xml(archive.read("content.xml"))
    except (ParseError, KeyError, zipfile.BadZipFile) as error:
        raise RecordError("The ODT is damaged.", "Send the file again.", reason="damaged_odt") from error
    text = "\n".join(_odt_blocks(root))
    if not text.strip():
        raise RecordError("The ODT holds no text.", "Export it with its text.", reason="odt_without_text")
    return text


def _odt_blocks(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == f"{_TABLE}table-row":
            yield "\t".join(" ".join(_odt_blocks(cell)) for cell in child)
        elif child.tag in (f"{_TEXT}p", f"{_TEXT}h"):
            yield "".join(_odt_words(child))
        elif child.tag != f"{_TEXT}tracked-changes":  # what was struck out is no longer said
            yield from _odt_blocks(child)


def _odt_words(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        match child.tag.removeprefix(_TEXT):
            case "tab":
                yield "\t"
            case "line-break":
                yield "\n"
            case "s":
                yield " " * int(child.get(f"{_TEXT}c") or 1)
            case "note" | "bookmark" | "annotation":
                pass
            case _:
                yield from _odt_words(child)
        yield child.tail or ""
