"""Reports as files: TXT, PDF and DOCX, byte for byte the same for the same text."""

from __future__ import annotations

import io
import textwrap
import zipfile
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

_EPOCH = (2020, 1, 1, 0, 0, 0)
_LINE = 92  # characters on a line of an A4 page


def as_txt(text: str) -> bytes:
    """UTF-8, a final newline."""
    return (text + "\n").encode()


def as_pdf(text: str, title: str) -> bytes:
    """A4 pages in a font that has œ, ≥ and accents; lines are wrapped as a hospital's printer would."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    font = _font(text)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(title)
    lines = [part for line in text.split("\n") for part in (textwrap.wrap(line, _LINE) or [""])]
    for first in range(0, len(lines), 52):
        page = canvas.beginText(56, 790)
        page.setFont(font, 10, leading=14)
        for line in lines[first : first + 52]:
            page.textLine(line)
        canvas.drawText(page)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _font(text: str) -> str:
    """Helvetica where Windows-1252 suffices, else Vera, which comes with reportlab."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return _vera()
    return "Helvetica"


@lru_cache
def _vera() -> str:
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("Vera", str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf")))
    return "Vera"


def as_docx(text: str, title: str) -> bytes:
    """A word-processor file, one paragraph a line, with fixed dates."""
    paragraphs = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in text.split("\n")
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _RELATIONS),
            ("docProps/core.xml", _CORE.format(title=escape(title))),
            ("word/document.xml", _DOCUMENT.format(paragraphs=paragraphs)),
        ):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content.encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org"
_TYPES = (
    _XML + f'<Types xmlns="{_OFFICE}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
    '<Override PartName="/docProps/core.xml" '
    'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
)
_RELATIONS = (
    _XML + f'<Relationships xmlns="{_OFFICE}/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/package/2006/relationships/metadata/core-properties" '
    'Target="docProps/core.xml"/></Relationships>'
)
_CORE = (
    _XML + f'<cp:coreProperties xmlns:cp="{_OFFICE}/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>{title}</dc:title>'
    '<dcterms:created xsi:type="dcterms:W3CDTF">2020-01-01T00:00:00Z</dcterms:created></cp:coreProperties>'
)
_DOCUMENT = (
    _XML + '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body>{paragraphs}<w:sectPr/></w:body></w:document>"
)
