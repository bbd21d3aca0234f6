"""The rows of the hospital's extracts, from a life: who, which tumours, cycles, stays, samples, results.

What is known of them on which day is told by `deltas`; how they are written, by `formats`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from consore.synthetic.trajectory import TODAY, Care, Life, Tumour

_LATERALITY = {"left": "G", "right": "D", None: ""}
_INTENTS = {"adjuvant": "adjuvant", "neoadjuvant": "néoadjuvant", "curative": "curatif", "palliative": "palliatif"}
SESSION_OF_CHEMOTHERAPY = "Z511"
SESSION_OF_RADIOTHERAPY = "Z5101"

# Columns of the exchange format (`sources/formats/columns.csv`), and of the pharmacy's file.
PATIENTS = [
    "ipp",
    "nom_usage",
    "nom_naissance",
    "prenom",
    "sexe",
    "date_naissance",
    "date_deces",
    "date_dernieres_nouvelles",
    "code_postal",
    "commune",
    "opposition",
]
SHEETS = [
    "id",
    "ipp",
    "date_diagnostic",
    "topographie",
    "morphologie",
    "lateralite",
    "ctnm",
    "ptnm",
    "stade",
    "grade",
    "base_diagnostic",
]
CHEMOTHERAPIES = ["id", "ipp", "date", "protocole", "medicaments", "cycle", "jour", "ligne", "intention", "statut"]
SAMPLES = ["id", "ipp", "type", "date_prelevement", "topographie", "statut"]
DOCUMENTS = ["id", "ipp", "type", "titre", "date", "auteur", "service", "fichier"]
MERGES = ["ipp_ancien", "ipp_conserve", "date"]
REMOVALS = ["source", "id", "ipp", "date", "motif"]


@dataclass(slots=True)
class Stay:
    """A stay of one medical unit. Diagnoses are CIM-10 without the dot; `acts` are (date, CCAM code).

    `number` is that of the RSS and of the visit, 20 digits.
    """

    number: str
    ipp: str
    entry: dt.date
    leave: dt.date
    principal: str
    related: str = ""
    sessions: int = 0
    associated: list[str] = field(default_factory=list)
    acts: list[tuple[dt.date, str]] = field(default_factory=list)


def patient_row(life: Life) -> dict[str, Any]:
    """A line of `administratif.csv`."""
    return {
        "ipp": life.ipp,
        "nom_usage": life.family_name,
        "nom_naissance": life.birth_name,
        "prenom": life.given_name,
        "sexe": life.sex,
        "date_naissance": life.birth.isoformat(),
        "date_deces": life.death.isoformat() if life.death else "",
        "date_dernieres_nouvelles": life.last_news.isoformat(),
        "code_postal": life.postcode,
        "commune": life.town,
        "opposition": int(life.opposed),
    }


def sheet_rows(life: Life, rng: Random) -> list[tuple[Tumour, dict[str, Any]]]:
    """*Fiches tumeur* of a patient: four in five tumours have one."""
    return [(tumour, sheet_row(life, tumour)) for tumour in life.tumours if rng.random() < 0.8]


def sheet_row(life: Life, tumour: Tumour) -> dict[str, Any]:
    """A precise *fiche tumeur*."""
    return {
        "id": f"FT{life.ipp}{tumour.rank}",
        "ipp": life.ipp,
        "date_diagnostic": tumour.date.isoformat(),
        "topographie": tumour.place.code,
        "morphologie": tumour.histology.code,
        "lateralite": _LATERALITY[tumour.side],
        "ctnm": tumour.ctnm,
        "ptnm": tumour.ptnm,
        "stade": tumour.stage,
        "grade": tumour.grade,
        "base_diagnostic": tumour.method,
    }


def vague(row: dict[str, Any], tumour: Tumour) -> dict[str, Any]:
    """A *fiche* filled in a hurry: the organ only, *tumeur maligne* (8000/3) for a solid tumour, no stage."""
    haematology = tumour.cancer.raw.get("haematology")
    morphology = row["morphologie"] if haematology else "8000/3"
    return {**row, "topographie": tumour.cancer.organ.code, "morphologie": morphology, "ctnm": "", "stade": ""}


def chemotherapy_rows(life: Life) -> list[tuple[Care, dict[str, Any]]]:
    """The prescriptions' file: one line a cycle of what is given at the hospital, the next planned one included."""
    rows: list[tuple[Care, dict[str, Any]]] = []
    for care in life.cares:
        if not care.course or care.type == "hormonotherapy":
            continue
        last = care.end or care.start + dt.timedelta(days=care.course.days * care.cycles)
        for cycle in range(1, max(1, care.cycles) + 1):
            date = care.start + dt.timedelta(days=care.course.days * (cycle - 1))
            if date > last:
                break
            row = {
                "id": f"CH{life.ipp}{len(rows) + 1:03d}",
                "ipp": life.ipp,
                "date": date.isoformat(),
                "protocole": care.course.words[0] if care.course.words else "",
                "medicaments": "+".join(drug.name for drug in care.drugs),
                "cycle": cycle,
                "jour": 1,
                "ligne": care.line,
                "intention": _INTENTS[care.intent],
                "statut": "prévu" if date > TODAY else "administré",
            }
            rows.append((care, row))
            if date > TODAY:
                break
    return rows


def sample_rows(life: Life, rng: Random) -> list[dict[str, Any]]:
    """The biobank's file: half of the tumours gave something."""
    rows: list[dict[str, Any]] = []
    for tumour in life.tumours:
        if rng.random() < 0.5:
            continue
        for kind in rng.sample(["bloc FFPE", "tissu congelé", "sang", "ADN", "ARN"], rng.randint(1, 3)):
            taken = min(tumour.date + dt.timedelta(days=rng.randint(0, 6)), TODAY)
            rows.append(
                {
                    "id": f"CRB{life.ipp}{len(rows) + 1:02d}",
                    "ipp": life.ipp,
                    "type": kind,
                    "date_prelevement": taken.isoformat(),
                    "topographie": tumour.place.code,
                    "statut": "disponible" if rng.random() < 0.8 else "épuisé",
                }
            )
    return rows


def stays(life: Life, number: int) -> list[Stay]:
    """The stays that are over, in the order of the cares; `number` is that of the patient in the centre."""
    found: list[Stay] = []
    for care in life.cares:
        for stay in _stays(care):
            stay.number, stay.ipp = f"{number:09d}{len(found) + 1:04d}".zfill(20), life.ipp
            if care.line and care.tumour.sites:
                stay.associated += [_SITE_CIM10.get(site, "C798") for site in care.tumour.sites]
            if care.act:
                stay.associated += [_bare(item.cim10) for item in life.comorbidities if item.since <= stay.entry]
            found.append(stay)
    return found


def _stays(care: Care) -> Iterable[Stay]:
    tumour = care.tumour
    code = _bare(tumour.cancer.cim10)
    if tumour.place.code[:3] == tumour.cancer.cim10[:3] and tumour.cancer.cim10 not in ("C20", "C61", "C56", "C64"):
        code = _bare(tumour.place.code)
    if care.act:
        entry, leave = care.start - dt.timedelta(days=1), care.start + dt.timedelta(days=5)
        if leave <= TODAY:
            yield Stay("", "", entry, leave, code, acts=[(care.start, care.act.code)])
    elif care.type == "radiotherapy":
        leave = care.end or care.start
        if leave <= TODAY:
            yield Stay("", "", care.start, leave, SESSION_OF_RADIOTHERAPY, code, care.fractions)
    elif care.type in ("chemotherapy", "immunotherapy") and care.course:
        for cycle in range(min(care.cycles, 4)):
            date = care.start + dt.timedelta(days=care.course.days * cycle)
            if date <= min(care.end or TODAY, TODAY):
                yield Stay("", "", date, date, SESSION_OF_CHEMOTHERAPY, code, 1)


def _bare(code: str) -> str:
    return code.replace(".", "")


_SITE_CIM10 = {
    "C22.0": "C787",
    "C34.9": "C780",
    "C41.9": "C795",
    "C71.9": "C793",
    "C38.4": "C782",
    "C48.2": "C786",
    "C74.9": "C797",
    "C77.9": "C779",
    "C44.9": "C792",
}
