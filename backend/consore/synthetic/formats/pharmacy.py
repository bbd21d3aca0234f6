"""The pharmacy's dispensations: a line a drug a cycle, with its UCD code.

A UCD (*unité commune de dispensation*) has seven digits beginning with 9; with `34008` before and an EAN-13 check digit
after, thirteen (Club Inter Pharmaceutique). The codes written here are of that form and invented, in 96xxxxx–99xxxxx,
where none was given out: the official list is not among our sources. The ATC code and the name are right.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from consore.synthetic import deltas
from consore.synthetic.deltas import Cycle, Delivery
from consore.synthetic.formats.base import Format, csv_format
from consore.synthetic.knowledge import Drug

COLUMNS = ["id", "ipp", "date", "ucd7", "ucd13", "medicament", "atc", "quantite", "unite", "dose", "protocole", "uf"]


def ucd7(drug: Drug) -> str:
    """An invented UCD code, always the same for a drug."""
    atc = drug.atc
    if len(atc) == 7 and atc.startswith("L0") and atc[2] in "1234":
        place = ((int(atc[2]) - 1) * 26 + ord(atc[3]) - 65) * 26 + ord(atc[4]) - 65
        return str(9_700_000 + place * 100 + int(atc[5:]))
    return str(9_600_000 + zlib.crc32(drug.name.encode()) % 100_000)


def ucd13(seven: str) -> str:
    """The thirteen-digit form, with its EAN-13 check digit."""
    digits = f"34008{seven}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def _rows(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
    for item in delivery.tables[deltas.CYCLES]:
        cycle: Cycle = item.values
        if cycle.row["statut"] != "administré":
            continue
        for place, drug in enumerate(cycle.care.drugs, start=1):
            seven = ucd7(drug)
            yield {
                "id": f"PH{cycle.row['id'][2:]}{place}",
                "ipp": item.ipp,
                "date": cycle.row["date"],
                "ucd7": seven,
                "ucd13": ucd13(seven),
                "medicament": drug.name.upper(),
                "atc": drug.atc,
                "quantite": 1 + zlib.crc32(f"{item.key}{drug.name}".encode()) % 3,
                "unite": "UCD",
                "dose": cycle.care.doses[place - 1] if len(cycle.care.doses) >= place else "",
                "protocole": cycle.row["protocole"],
                "uf": "0101",
            }


PHARMACY: Format = csv_format("pharmacy", "dispensed drugs with UCD codes (CSV)", "pharmacie.csv", COLUMNS, _rows)
