"""The formats in which a hospital delivers, one module a family; `FORMATS` names them all.

`chosen(names)` gives what writes them, and the carriers of documents among them.
"""

from __future__ import annotations

from consore.errors import InputError
from consore.synthetic.formats import cda, documents, fhir, hl7, pharmacy, pmsi, sheets, tables
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.site import Site

__all__ = ["DEFAULT", "FORMATS", "TEXT_ONLY", "Format", "Piece", "Site", "chosen"]

_WRITERS = {
    made.name: made
    for made in (
        tables.ADMINISTRATIVE,
        hl7.ADT,
        pmsi.PMSI,
        pmsi.RSA,
        pmsi.VID_HOSP,
        tables.TUMOUR_SHEET,
        sheets.TUMOUR_SHEET_XLSX,
        tables.CHEMOTHERAPY,
        pharmacy.PHARMACY,
        tables.BIOLOGY,
        tables.MOLECULAR,
        tables.BIOBANK,
        hl7.ORU,
        cda.MOLECULAR,
        fhir.MOLECULAR,
        hl7.MDM,
        fhir.BULK,
        documents.JSONL,
    )
}

# Every format by name, with what it is.
FORMATS: dict[str, str] = {
    **{name: made.says for name, made in _WRITERS.items()},
    **{name: f"documents: {says}" for name, (says, *_) in documents.CARRIERS.items()},
}
# The nine sources in the exchange format; and what is quick to make of them.
_TABLES = ("administrative", "pmsi", "tumour_sheet", "chemotherapy", "pharmacy", "biology", "molecular", "biobank")
DEFAULT = (*_TABLES, "txt", "pdf", "docx")
TEXT_ONLY = (*_TABLES, "txt")


def chosen(names: tuple[str, ...]) -> tuple[list[Format], tuple[str, ...]]:
    """What writes these formats, and the file formats of documents among them; `all` stands for every one.

    Raises InputError, which names those that exist.
    """
    wanted = tuple(FORMATS) if "all" in names else names
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise InputError(f"Unknown format {', '.join(unknown)}.", f"Known formats: all, {', '.join(FORMATS)}.")
    carriers = tuple(name for name in documents.CARRIERS if name in wanted)
    writers = [made for name, made in _WRITERS.items() if name in wanted]
    if carriers:
        writers.append(documents.FILES)
    return [*writers, documents.TRUTH], carriers
