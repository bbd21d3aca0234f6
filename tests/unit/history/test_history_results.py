"""Files of results and of the pharmacy say what reports leave out, and stand behind what these say."""

from __future__ import annotations

import datetime as dt
from functools import cache

from consore.history import facts_of_results, structure
from consore.model import BiomarkerStatus, Dossier, StructuredRow, TreatmentType
from consore.referentials import terminology

SHEET = StructuredRow(
    "tumour_sheet:t",
    "tumour_sheet",
    dt.date(2024, 2, 1),
    {"date_diagnostic": "2024-02-01", "topographie": "C34.1", "morphologie": "8140/3", "lateralite": "D"},
)


@cache
def words():  # type: ignore[no-untyped-def]
    return terminology()


def row(kind: str, identifier: str, date: str, **values: str) -> StructuredRow:
    return StructuredRow(f"{kind}:{identifier}", kind, dt.date.fromisoformat(date), {"date": date, **values})


def history(*rows: StructuredRow):  # type: ignore[no-untyped-def]
    return structure(Dossier("1", structured=[SHEET, *rows]), words())


def test_a_row_of_the_molecular_file_is_an_alteration_of_the_tumour_with_its_row_behind_it() -> None:
    found = history(
        row("molecular", "m1", "2024-02-20", gene="EGFR", statut="mutated", variant="p.L858R"),
        row("molecular", "m2", "2024-02-20", gene="KRAS", statut="wild_type"),
        row("molecular", "m3", "2024-02-20", gene="BRAF", statut="unknown"),
    )
    (tumour,) = found.tumours
    assert [(one.gene, one.variant, one.status) for one in tumour.alterations] == [
        ("EGFR", "p.L858R", BiomarkerStatus.MUTATED),
        ("KRAS", "", BiomarkerStatus.WILD_TYPE),
    ]
    assert [one.evidence[0].row_id for one in tumour.alterations] == ["molecular:m1", "molecular:m2"]
    assert tumour.alterations[0].confidence > 0.8


def test_a_marker_of_the_biology_file_is_the_value_nearest_to_the_diagnosis() -> None:
    found = history(
        row("biology", "b1", "2024-02-05", analyse="ACE", valeur="18.2", unite="ng/mL"),
        row("biology", "b2", "2024-06-05", analyse="ACE", valeur="3.1", unite="ng/mL"),
        row("biology", "b3", "2024-02-05", analyse="Hémoglobine", valeur="12", unite="g/dL"),
    )
    (marker,) = found.tumours[0].biomarkers
    assert (marker.code, marker.value, marker.unit, marker.date) == ("ACE", "18.2", "ng/mL", dt.date(2024, 2, 5))
    assert marker.evidence[0].row_id == "biology:b1"


def test_every_value_of_a_marker_is_a_fact_that_queries_find() -> None:
    later = row("biology", "b2", "2026-06-05", analyse="PSA total", valeur="3.1", unite="ng/mL")
    assert facts_of_results(later, words()) == [("biomarker", "LOCAL", "PSA", "3.1", "ng/mL")]
    assert facts_of_results(row("biology", "b3", "2026-06-05", analyse="Sodium", valeur="140"), words()) == []


def test_what_the_pharmacy_dispensed_is_a_treatment_and_premedication_is_none() -> None:
    found = history(
        *(
            row("pharmacy", f"p{month}{drug}", f"2024-0{month}-10", medicament=drug, atc=atc, protocole="")
            for month in (3, 4, 5)
            for drug, atc in (("CARBOPLATINE", "L01XA02"), ("PEMETREXED", "L01BA04"), ("PREDNISONE", "H02AB07"))
        )
    )
    (given,) = found.treatments
    assert given.type is TreatmentType.CHEMOTHERAPY
    assert sorted(drug.atc or "" for drug in given.drugs) == ["L01BA04", "L01XA02"]
    assert (given.start, given.end) == (dt.date(2024, 3, 10), dt.date(2024, 5, 10))
    assert given.evidence[0].row_id.startswith("pharmacy:")


def test_what_is_prescribed_and_dispensed_is_given_once() -> None:
    found = history(
        row("chemotherapy", "c1", "2024-03-10", medicaments="carboplatine+pemetrexed", statut="administré"),
        row("pharmacy", "p1", "2024-03-11", medicament="CARBOPLATINE", atc="L01XA02"),
        row("pharmacy", "p2", "2024-03-11", medicament="PEMETREXED", atc="L01BA04"),
    )
    assert len(found.treatments) == 1
