"""The folder of documents: `index.csv` says whose they are, each in one of the file formats that were asked for.

In a large centre (`site.FLAT`) files lie in sub-folders of a thousand patients; `fichier` holds the path.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

from consore.synthetic import deltas, extracts, files
from consore.synthetic.deltas import Delivery, Issue, Item
from consore.synthetic.formats import cda
from consore.synthetic.formats.base import Format, Piece, csv_header, csv_line
from consore.synthetic.formats.site import Site

Carrier = tuple[str, float, str, Callable[[Item, Delivery, Site], bytes]]

# Name, share among those asked for, suffix, and how it is made.
CARRIERS: dict[str, Carrier] = {
    "txt": ("plain text", 70, ".txt", lambda item, *_: files.as_txt(item.values.report.text)),
    "pdf": ("PDF with its text", 15, ".pdf", lambda item, *_: files.as_pdf(*_told(item))),
    "docx": ("DOCX", 15, ".docx", lambda item, *_: files.as_docx(*_told(item))),
    "scan": ("PDF of page images", 5, ".pdf", lambda item, *_: _scan(item)),
    "rtf": ("RTF", 8, ".rtf", lambda item, *_: files.as_rtf(*_told(item))),
    "html": ("HTML", 5, ".html", lambda item, *_: files.as_html(*_told(item))),
    "odt": ("OpenDocument text", 4, ".odt", lambda item, *_: files.as_odt(*_told(item))),
    "cda1": ("CDA R2 level 1 with its PDF inside", 5, ".xml", cda.level_one),
    "cda3": ("CDA R2 level 3, structured", 5, ".xml", cda.level_three),
}


def _told(item: Item) -> tuple[str, str]:
    return item.values.report.text, item.values.report.title


def _scan(item: Item) -> bytes:
    return files.as_scan(item.values.report.text, Random(f"scan/{item.key}/{item.values.version}"))


def carrier(key: str, site: Site) -> str:
    """The file format of a document: drawn by its number, so that a corrected document keeps it."""
    dice = site.dice(key) * sum(CARRIERS[name][1] for name in site.carriers)
    for name in site.carriers:
        dice -= CARRIERS[name][1]
        if dice < 0:
            return name
    return site.carriers[-1]


def path_of(key: str, number: int, site: Site) -> str:
    """Where a document lies under `documents`; nothing where no file format was asked for."""
    if not site.carriers:
        return ""
    return f"{site.folder(number)}{key}{CARRIERS[carrier(key, site)][2]}"


def _write(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.DOCUMENTS]:
        path = path_of(item.key, delivery.number, site)
        yield f"documents/{path}", CARRIERS[carrier(item.key, site)][3](item, delivery, site)
        yield "documents/index.csv", csv_line(extracts.DOCUMENTS, {**_index(item), "fichier": path})


def _index(item: Item) -> dict[str, object]:
    report = item.values.report
    return {
        "id": item.key,
        "ipp": item.ipp,
        "type": report.label,
        "titre": report.title,
        "date": report.date.isoformat(),
        "auteur": report.author,
        "service": report.service,
    }


def _truth(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.DOCUMENTS]:
        issue: Issue = item.values
        told = {
            "id": item.key,
            "ipp": item.ipp,
            "kind": issue.report.kind,
            "date": issue.report.date.isoformat(),
            "version": issue.version,
            "path": path_of(item.key, delivery.number, site),
            "text": issue.report.text,
            "mentions": issue.report.mentions,
        }
        yield "verite/documents.jsonl", _json(told)


def _jsonl(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.DOCUMENTS]:
        issue: Issue = item.values
        told = {**_index(item), "version": issue.version, "valide": issue.final, "texte": issue.report.text}
        yield "documents.jsonl", _json(told)


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


FILES = Format(
    "documents",
    "documents as files, with their index",
    _write,
    {"documents/index.csv": csv_header(extracts.DOCUMENTS)},
)
TRUTH = Format("truth", "mentions of each document", _truth, {"verite/documents.jsonl": b""})
JSONL = Format("jsonl", "documents as JSON lines, for scale", _jsonl, {"documents.jsonl": b""})
