"""Reports as files: TXT, PDF, scanned PDF, DOCX, RTF, HTML and ODT, byte for byte the same for the same text."""

from __future__ import annotations

import io
import textwrap
import zipfile
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any
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
    """Helvetica where Windows-1252 suffices, else Vera, which comes with reportlab; Helvetica again where Vera has not
    every sign either: reportlab takes what is missing, such as β, from the standard Symbol.
    """
    from reportlab.pdfbase import pdfmetrics

    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        signs = pdfmetrics.getFont(_vera()).face.charToGlyph
        return "Vera" if all(sign == "\n" or ord(sign) in signs for sign in set(text)) else "Helvetica"
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


def as_rtf(text: str, title: str) -> bytes:
    """Rich text as an old word processor writes it: Windows-1252 escapes, `\\u` beyond, a paragraph a line."""
    body = "\\par\r\n".join(_rtf(line) for line in text.split("\n"))
    return (
        "{\\rtf1\\ansi\\ansicpg1252\\deff0\\deflang1036{\\fonttbl{\\f0\\fswiss\\fcharset0 Arial;}}\r\n"
        f"{{\\info{{\\title {_rtf(title)}}}}}\r\n\\viewkind4\\uc1\\pard\\f0\\fs20 {body}\\par\r\n}}"
    ).encode("ascii")


def _rtf(text: str) -> str:
    out = []
    for character in text:
        if character in "\\{}":
            out.append("\\" + character)
        elif character == "\t":
            out.append("\\tab ")
        elif character.isascii():
            out.append(character)
        else:
            try:
                out.append(f"\\'{character.encode('cp1252')[0]:02x}")
            except UnicodeEncodeError:
                units = character.encode("utf-16-le")
                for place in range(0, len(units), 2):
                    out.append(f"\\u{int.from_bytes(units[place : place + 2], 'little', signed=True)}?")
    return "".join(out)


def as_html(text: str, title: str) -> bytes:
    """A page as a portal exports it: a style sheet, a heading, a paragraph a line."""
    lines = "\n".join(f"<p>{escape(line)}</p>" if line.strip() else "<br/>" for line in text.split("\n"))
    return (
        '<!DOCTYPE html>\n<html lang="fr">\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>{escape(title)}</title>\n<style>body {{ font-family: Arial; }} p {{ margin: 0; }}</style>\n"
        f'</head>\n<body>\n<div class="cr">\n{lines}\n</div>\n</body>\n</html>\n'
    ).encode()


def as_odt(text: str, title: str) -> bytes:
    """An OpenDocument text (OASIS 1.2), one paragraph a line, with fixed dates; `mimetype` comes first, as it must."""
    paragraphs = "".join(
        f'<text:p text:style-name="Standard">{escape(line)}</text:p>' for line in text.replace("\t", " ").split("\n")
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype", _EPOCH), _ODT_TYPE)
        for name, content in (
            ("content.xml", _ODT_CONTENT.format(paragraphs=paragraphs)),
            ("meta.xml", _ODT_META.format(title=escape(title))),
            ("META-INF/manifest.xml", _ODT_MANIFEST),
        ):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content.encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


_DPI = 150
_PAGE = (8.27 * _DPI, 11.69 * _DPI)


def as_scan(text: str, rng: Random) -> bytes:
    """A PDF of page images without a text layer, as a scanner makes it: black and white at 150 dpi (CCITT group 4),
    a little askew, with dust. Characters are 3 mm high or less: recognition works, with a few faults.
    """
    lines = [part for line in text.split("\n") for part in (textwrap.wrap(line, _LINE) or [""])]
    pages = [_scanned(lines[first : first + 52], rng) for first in range(0, len(lines), 52)]
    return _image_pdf(pages)


def _scanned(lines: list[str], rng: Random) -> bytes:
    from PIL import Image, ImageDraw

    width, height = map(int, _PAGE)
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    draw.multiline_text((110, 100), "\n".join(lines), font=_scan_font(), fill=20, spacing=9)
    page = page.rotate(rng.uniform(-0.8, 0.8), resample=Image.Resampling.BILINEAR, fillcolor=255)
    draw = ImageDraw.Draw(page)
    for _ in range(rng.randint(20, 120)):
        x, y, size = rng.randrange(width), rng.randrange(height), rng.choice((0, 0, 1))
        draw.rectangle((x, y, x + size, y + size), fill=0)
    if rng.random() < 0.3:
        x = rng.randrange(width)
        draw.line((x, 0, x + 3, height), fill=60)
    ink = page.point(lambda level: 0 if level > 150 else 255).convert("1")  # 1 is ink, as CCITT has it
    buffer = io.BytesIO()
    ink.save(buffer, "TIFF", compression="group4", tiffinfo={278: height})  # 278: rows per strip
    with Image.open(io.BytesIO(buffer.getvalue())) as image:
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]  # type: ignore[attr-defined]
    return buffer.getvalue()[start : start + length]


@lru_cache
def _scan_font() -> Any:
    import reportlab
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"), 19)


def _image_pdf(pages: list[bytes]) -> bytes:
    """A PDF 1.4 whose pages are CCITT group 4 images."""
    width, height = map(int, _PAGE)
    kids = " ".join(f"{3 + 3 * place} 0 R" for place in range(len(pages)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode()]
    draw = b"q 595 0 0 842 0 0 cm /Im0 Do Q"
    for place, data in enumerate(pages):
        first = 3 + 3 * place
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {first + 1} 0 R"
            f"/Resources<</XObject<</Im0 {first + 2} 0 R>>>>>>".encode(),
            b"<</Length %d>>stream\n%b\nendstream" % (len(draw), draw),
            f"<</Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceGray/BitsPerComponent 1"
            f"/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns {width}/Rows {height}>>"
            f"/Length {len(data)}>>stream\n".encode()
            + data
            + b"\nendstream",
        ]
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODT_TYPE = "application/vnd.oasis.opendocument.text"
_ODT_CONTENT = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-content xmlns:office="{_ODF}:office:1.0" '
    f'xmlns:text="{_ODF}:text:1.0" office:version="1.2"><office:body><office:text>{{paragraphs}}</office:text>'
    "</office:body></office:document-content>"
)
_ODT_META = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-meta xmlns:office="{_ODF}:office:1.0" '
    f'xmlns:meta="{_ODF}:meta:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.2"><office:meta>'
    "<dc:title>{title}</dc:title><meta:creation-date>2020-01-01T00:00:00</meta:creation-date></office:meta>"
    "</office:document-meta>"
)
_ODT_MANIFEST = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0" '
    f'manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODT_TYPE}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
    '<manifest:file-entry manifest:full-path="meta.xml" manifest:media-type="text/xml"/></manifest:manifest>'
)
