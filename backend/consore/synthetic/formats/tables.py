"""The CSV extracts of the exchange format (`sources/formats/columns.csv`), and what a day's extract adds to them.

`fusions.csv` names the identities that were merged, `suppressions.csv` what was taken back; both are invented by this
project: hospitals have no common form for them outside HL7 messages (A40, MDM).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from consore.synthetic import deltas, extracts
from consore.synthetic.deltas import Delivery, Molecular
from consore.synthetic.formats.base import Format, Piece, csv_format, csv_header, csv_line
from consore.synthetic.formats.codes import analysis
from consore.synthetic.formats.site import Site
from consore.synthetic.trajectory import Lab


def _rows(table: str) -> Any:
    def rows(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
        for item in delivery.tables[table]:
            yield {**item.values, "ipp": item.ipp}

    return rows


def _cycles(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
    for item in delivery.tables[deltas.CYCLES]:
        yield {**item.values.row, "ipp": item.ipp}


def _results(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
    for item in delivery.tables[deltas.LABS]:
        lab: Lab = item.values
        loinc = analysis(lab.code)
        yield {
            "id": item.key,
            "ipp": item.ipp,
            "date": lab.date.isoformat(),
            "loinc": loinc.code if loinc else "",
            "analyse": loinc.label if loinc else lab.code,
            "valeur": f"{lab.value:g}",
            "unite": loinc.unit if loinc else lab.unit,
            "borne_basse": "" if lab.low is None else f"{lab.low:g}",
            "borne_haute": "" if lab.high is None else f"{lab.high:g}",
        }


_WORDS = {"wild_type": "sauvage", "negative": "négatif", "positive": "positif"}


def _genes(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
    for item in delivery.tables[deltas.MOLECULAR]:
        found: Molecular = item.values
        for gene, result in found.tumour.alterations.items():
            yield {
                "id": f"{item.key}-{gene}",
                "ipp": item.ipp,
                "date": found.date.isoformat(),
                "gene": gene,
                "statut": _WORDS.get(result, "muté"),
                "variant": "" if result in _WORDS else result,
                "technique": "séquençage haut débit",
            }


def _administrative(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for row in _rows(deltas.PATIENTS)(delivery):
        yield "administratif.csv", csv_line(extracts.PATIENTS, row)
    for merge in delivery.merges:
        row = {"ipp_ancien": merge.old, "ipp_conserve": merge.kept, "date": merge.date.isoformat()}
        yield "fusions.csv", csv_line(extracts.MERGES, row)
    for table, version in delivery.removals:
        row = {"source": table, "id": version.key, "ipp": version.ipp, "date": delivery.date, "motif": version.reason}
        yield "suppressions.csv", csv_line(extracts.REMOVALS, row)


ADMINISTRATIVE = Format(
    "administrative",
    "patients, identities merged, what was taken back (CSV)",
    _administrative,
    {
        "administratif.csv": csv_header(extracts.PATIENTS),
        "fusions.csv": csv_header(extracts.MERGES),
        "suppressions.csv": csv_header(extracts.REMOVALS),
    },
)
TUMOUR_SHEET = csv_format(
    "tumour_sheet", "tumour sheets (CSV)", "fiches_tumeur.csv", extracts.SHEETS, _rows(deltas.SHEETS)
)
CHEMOTHERAPY = csv_format(
    "chemotherapy", "prescribed cycles (CSV)", "chimiotherapie.csv", extracts.CHEMOTHERAPIES, _cycles
)
BIOBANK = csv_format("biobank", "samples (CSV)", "biobanque.csv", extracts.SAMPLES, _rows(deltas.SAMPLES))
BIOLOGY = csv_format(
    "biology",
    "results of biology, with LOINC (CSV)",
    "biologie.csv",
    ["id", "ipp", "date", "loinc", "analyse", "valeur", "unite", "borne_basse", "borne_haute", "interpretation"],
    _results,
)
MOLECULAR = csv_format(
    "molecular",
    "genes studied, a line a gene (CSV)",
    "biologie_moleculaire.csv",
    ["id", "ipp", "date", "gene", "statut", "variant", "frequence_allelique", "technique", "prelevement", "conclusion"],
    _genes,
)
