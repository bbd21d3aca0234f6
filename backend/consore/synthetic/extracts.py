"""The hospital's extracts of the lives: CSV files, the PMSI file in its fixed-width format, and the truth beside.

PMSI: RSS groupé, format 122, RUM 022 (ATIH, edition 2025); positions in `sources/formats/rss.csv` and `rss_act.csv`.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from consore.synthetic.knowledge import sites
from consore.synthetic.trajectory import TODAY, Care, Life, Tumour

_LATERALITY = {"left": "G", "right": "D", None: ""}
_INTENTS = {"adjuvant": "adjuvant", "neoadjuvant": "néoadjuvant", "curative": "curatif", "palliative": "palliatif"}
_SESSION_OF_CHEMOTHERAPY = "Z511"
_SESSION_OF_RADIOTHERAPY = "Z5101"

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


def write_csv(path: Path, columns: list[str], rows: Iterable[dict[str, Any]]) -> int:
    """Write a `;`-separated UTF-8 file with a header; gives the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=";", lineterminator="\n", restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: "" if value is None else value for name, value in row.items()})
            count += 1
    return count


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


def sheet_rows(life: Life, rng: Random) -> list[dict[str, Any]]:
    """*Fiches tumeur* of a patient: four in five tumours have one, one in five of these is less precise."""
    rows = []
    for tumour in life.tumours:
        if rng.random() >= 0.8:
            continue
        vague = rng.random() < 0.2
        rows.append(
            {
                "id": f"FT{life.ipp}{tumour.rank}",
                "ipp": life.ipp,
                "date_diagnostic": tumour.date.isoformat(),
                "topographie": tumour.cancer.organ.code if vague else tumour.place.code,
                "morphologie": tumour.histology.code if not vague or tumour.cancer.raw.get("haematology") else "8000/3",
                "lateralite": _LATERALITY[tumour.side],
                "ctnm": "" if vague else tumour.ctnm,
                "ptnm": tumour.ptnm,
                "stade": "" if vague else tumour.stage,
                "grade": tumour.grade,
                "base_diagnostic": "histologie",
            }
        )
    return rows


def chemotherapy_rows(life: Life) -> list[dict[str, Any]]:
    """The pharmacy's file: one line a cycle of what is given at the hospital."""
    rows: list[dict[str, Any]] = []
    for care in life.cares:
        if not care.course or care.type == "hormonotherapy":
            continue
        last = care.end or care.start + dt.timedelta(days=care.course.days * care.cycles)
        for cycle in range(1, max(1, care.cycles) + 1):
            date = care.start + dt.timedelta(days=care.course.days * (cycle - 1))
            if date > last:
                break
            future = date > TODAY
            rows.append(
                {
                    "id": f"CH{life.ipp}{len(rows) + 1:03d}",
                    "ipp": life.ipp,
                    "date": date.isoformat(),
                    "protocole": care.course.words[0] if care.course.words else "",
                    "medicaments": "+".join(drug.name for drug in care.drugs),
                    "cycle": cycle,
                    "jour": 1,
                    "ligne": care.line,
                    "intention": _INTENTS[care.intent],
                    "statut": "prévu" if future else "administré",
                }
            )
            if future:
                break
    return rows


def sample_rows(life: Life, rng: Random) -> list[dict[str, Any]]:
    """The biobank's file: half of the patients gave something."""
    rows: list[dict[str, Any]] = []
    for tumour in life.tumours:
        if rng.random() < 0.5:
            continue
        for kind in rng.sample(["bloc FFPE", "tissu congelé", "sang", "ADN", "ARN"], rng.randint(1, 3)):
            rows.append(
                {
                    "id": f"CRB{life.ipp}{len(rows) + 1:02d}",
                    "ipp": life.ipp,
                    "type": kind,
                    "date_prelevement": (tumour.date + dt.timedelta(days=rng.randint(0, 6))).isoformat(),
                    "topographie": tumour.place.code,
                    "statut": "disponible" if rng.random() < 0.8 else "épuisé",
                }
            )
    return rows


@lru_cache
def _positions(name: str) -> dict[str, tuple[int, int]]:
    table = resources.files("consore.sources") / "formats" / name
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {row["name"]: (int(row["position"]), int(row["length"])) for row in rows}


def rss_lines(life: Life, finess: str, first_number: int) -> list[tuple[str, str]]:
    """RUM lines of a patient's stays: (number of the RSS, line without its end)."""
    lines: list[tuple[str, str]] = []
    for care in life.cares:
        for entry, leave, principal, related, sessions, acts in _stays(care):
            number = f"{first_number + len(lines):020d}"
            associated: list[str] = []
            if care.line and care.tumour.sites:
                associated += [_cim10_of_site(site) for site in care.tumour.sites]
            lines.append(
                (number, _rum(life, finess, number, entry, leave, principal, related, sessions, associated, acts))
            )
    return lines


def _stays(care: Care) -> Iterable[tuple[dt.date, dt.date, str, str, int, list[tuple[dt.date, str]]]]:
    tumour = care.tumour
    code = _bare(tumour.cancer.cim10)
    if tumour.place.code[:3] == tumour.cancer.cim10[:3] and tumour.cancer.cim10 not in ("C20", "C61", "C56", "C64"):
        code = _bare(tumour.place.code)
    if care.act:
        yield (
            care.start - dt.timedelta(days=1),
            care.start + dt.timedelta(days=5),
            code,
            "",
            0,
            [(care.start, care.act.code)],
        )
    elif care.type == "radiotherapy":
        yield care.start, care.end or care.start, _SESSION_OF_RADIOTHERAPY, code, care.fractions, []
    elif care.type in ("chemotherapy", "immunotherapy") and care.course:
        for cycle in range(min(care.cycles, 4)):
            date = care.start + dt.timedelta(days=care.course.days * cycle)
            if date <= min(care.end or TODAY, TODAY):
                yield date, date, _SESSION_OF_CHEMOTHERAPY, code, 1, []


def _rum(
    life: Life,
    finess: str,
    number: str,
    entry: dt.date,
    leave: dt.date,
    principal: str,
    related: str,
    sessions: int,
    associated: list[str],
    acts: list[tuple[dt.date, str]],
) -> str:
    fields = {
        "classification": "11",
        "ghm": "28Z07Z" if sessions else "90Z00Z",
        "rss_version": "122",
        "return_code": "000",
        "finess": finess,
        "rum_version": "022",
        "rss": number,
        "stay": number,
        "rum": f"{1:010d}",
        "birth_date": f"{life.birth:%d%m%Y}",
        "sex": "1" if life.sex == "M" else "2",
        "unit": "0101",
        "entry_date": f"{entry:%d%m%Y}",
        "entry_mode": "8",
        "exit_date": f"{leave:%d%m%Y}",
        "exit_mode": "8",
        "residence": life.postcode,
        "sessions": f"{sessions:02d}",
        "associated_diagnoses": f"{len(associated):02d}",
        "documentary_diagnoses": "00",
        "acts": f"{len(acts):03d}",
        "principal_diagnosis": principal,
        "related_diagnosis": related,
    }
    positions = _positions("rss.csv")
    line = _fixed(fields, positions, positions["variable_zone"][0] - 1)
    line += "".join(f"{code:<8}" for code in associated)
    act_positions = _positions("rss_act.csv")
    for date, code in acts:
        values = {"date": f"{date:%d%m%Y}", "ccam": code, "phase": "0", "activity": "1", "executions": "01"}
        line += _fixed(values, act_positions, 29)
    return line


def _fixed(values: dict[str, str], positions: dict[str, tuple[int, int]], length: int) -> str:
    cells = [" "] * length
    for name, value in values.items():
        position, width = positions[name]
        cells[position - 1 : position - 1 + width] = f"{value:<{width}}"[:width]
    return "".join(cells)


def _bare(code: str) -> str:
    return code.replace(".", "")


def _cim10_of_site(site: str) -> str:
    return _bare(sites()[site].cim10)


def truth_of_patient(life: Life) -> dict[str, Any]:
    """The history as it truly is, with the keys of `consore history`."""
    return {
        "patient_id": life.ipp,
        "sex": "female" if life.sex == "F" else "male",
        "birth_date": life.birth.isoformat(),
        "death_date": life.death.isoformat() if life.death else None,
        "opposed": life.opposed,
        "tumours": [_tumour(tumour) for tumour in life.tumours],
        "events": [
            {
                "type": event.type,
                "date": event.date.isoformat(),
                "tumour_rank": event.tumour.rank if event.tumour else None,
                "sites": event.sites,
            }
            for event in life.happenings
        ],
        "treatments": [_treatment(care) for care in life.cares],
    }


def _tumour(tumour: Tumour) -> dict[str, Any]:
    return {
        "rank": tumour.rank,
        "topography": tumour.place.code,
        "morphology": tumour.histology.code,
        "laterality": tumour.side,
        "diagnosis_date": tumour.date.isoformat(),
        "ctnm": tumour.ctnm,
        "ptnm": tumour.ptnm,
        "stage": tumour.stage,
        "grade": tumour.grade,
        "biomarkers": [
            {"code": code, "status": status or "unknown", "value": value}
            for code, (status, value) in tumour.biomarkers.items()
        ],
        "alterations": [
            {
                "gene": gene,
                "variant": value if value not in ("wild_type", "negative", "positive") else "",
                "status": value if value in ("wild_type", "negative", "positive") else "mutated",
            }
            for gene, value in tumour.alterations.items()
        ],
    }


def _treatment(care: Care) -> dict[str, Any]:
    name = care.act.name if care.act else "radiothérapie" if not care.course else ""
    if care.course:
        extra = [drug.name for drug in care.course.extra]
        name = " + ".join(([care.course.words[0]] if care.course.words else []) + extra)
    return {
        "type": care.type,
        "name": name,
        "drugs": [{"name": drug.name, "atc": drug.atc} for drug in care.drugs],
        "regimen": care.course.regimen if care.course else None,
        "act_code": care.act.code if care.act else None,
        "line": care.line,
        "start": care.start.isoformat(),
        "end": care.end.isoformat() if care.end else None,
        "tumour_rank": care.tumour.rank,
        "intent": care.intent,
        "response": care.response,
    }
