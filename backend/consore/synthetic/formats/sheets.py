"""The tumour sheets as an XLSX workbook (ECMA-376), written a row at a time: memory does not grow with the centre."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from consore.synthetic import deltas, extracts
from consore.synthetic.deltas import Delivery
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.site import Site

_ROWS = "fiches_tumeur.rows.xml"  # what the workbook is packed from, gone at the end
_EPOCH = (2020, 1, 1, 0, 0, 0)
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEET}.worksheet+xml"/></Types>',
    "_rels/.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Fiches tumeur" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def _row(values: Mapping[str, object]) -> bytes:
    cells = "".join(
        f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>' if value else "<c/>"
        for value in (values.get(name) for name in extracts.SHEETS)
    )
    return f"<row>{cells}</row>".encode()


def _write(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.SHEETS]:
        yield _ROWS, _row({**item.values, "ipp": item.ipp})


def _pack(root: Path, site: Site, counts: Mapping[str, int]) -> None:
    rows = root / _ROWS
    with zipfile.ZipFile(root / "fiches_tumeur.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _PARTS.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content.encode(), zipfile.ZIP_DEFLATED)
        sheet = zipfile.ZipInfo("xl/worksheets/sheet1.xml", _EPOCH)
        sheet.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(sheet, "w", force_zip64=True) as target, rows.open("rb") as source:
            while block := source.read(1 << 20):
                target.write(block)
    rows.unlink()


TUMOUR_SHEET_XLSX = Format(
    "tumour_sheet_xlsx",
    "tumour sheets (XLSX)",
    _write,
    {_ROWS: f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode() + _row({n: n for n in extracts.SHEETS})},
    {_ROWS: b"</sheetData></worksheet>"},
    _pack,
)
