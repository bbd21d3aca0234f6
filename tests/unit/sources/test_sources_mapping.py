"""The mapping assistant: tables that nobody described, known by their names and by what stands in them."""

from __future__ import annotations

import csv
import random
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from consore.model import SourceKind
from consore.referentials import Terminology, terminology
from consore.sources import SourceRecord, check_options, read_source
from consore.sources.mapping import Proposal, as_toml, propose


@pytest.fixture(scope="module")
def terms(shared_cache: Path) -> Terminology:
    return terminology(None, shared_cache)


def table(file: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], separator: str = ";") -> Path:
    with file.open("w", encoding="cp1252", newline="") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow(header)
        writer.writerows(rows)
    return file


def columns(proposal: Proposal) -> dict[str, str]:
    return {one.theirs: one.ours for one in proposal.columns if one.ours}


def read_as(proposal: Proposal, file: Path) -> list[SourceRecord]:
    """What a source with the proposed TOML gives: every row is taken."""
    options = tomllib.loads(as_toml(proposal))
    kind = options.pop("kind")
    check_options(options)
    items = list(read_source(SourceKind(kind), file, {**options, "today": "2026-11-22"}))
    assert all(isinstance(item, SourceRecord) for item in items), items[:3]
    return items  # type: ignore[return-value]


RNG = random.Random(7)
IPP = [f"{RNG.randrange(10**7, 10**8)}" for _ in range(30)]


def test_patients_are_known_by_the_names_of_columns(tmp_path: Path, terms: Terminology) -> None:
    header = ["NIP", "NOM_PATRONYMIQUE", "NOM_MARITAL", "PRENOM_1", "DDN", "CIVILITE", "DATE_DCD", "CP", "VILLE", "TEL"]
    rows = [[ipp, "ROCHE", "ROC", "Ada", "28/03/1950", "F", "", "59000", "LILLE", "03"] for ipp in IPP]
    file = table(tmp_path / "dpi.txt", header, rows, "\t")
    proposal = propose(file, terms)
    assert proposal.kind == "administrative"
    assert columns(proposal) == dict(
        zip(
            header[:-1],
            (
                *("ipp", "nom_naissance", "nom_usage", "prenom", "date_naissance", "sexe", "date_deces"),
                *("code_postal", "commune"),
            ),
            strict=True,
        )
    )
    assert read_as(proposal, file)[0].values["birth_date"] == "1950-03-28"


def test_tumours_are_known_by_their_codes_though_no_name_tells(tmp_path: Path, terms: Terminology) -> None:
    rows = [[RNG.choice(IPP), f"2024{1 + n % 12:02}{1 + n % 28:02}", "C504", "85003", "G"] for n in range(40)]
    file = table(tmp_path / "x.csv", ["A", "B", "C", "D", "E"], rows)
    proposal = propose(file, terms)
    assert proposal.kind == "tumour_sheet"
    assert columns(proposal)["C"] == "topographie"
    assert columns(proposal)["D"] == "morphologie"
    assert columns(proposal)["B"] == "date_diagnostic"
    assert columns(proposal)["A"] == "ipp"
    assert "100% are ICD-O-3 topographies" in next(one.why for one in proposal.columns if one.theirs == "C")
    assert any("No column identifies a row" in question for question in proposal.questions)


def test_american_dates_are_seen_and_written_in_the_mapping(tmp_path: Path, terms: Terminology) -> None:
    rows = [
        [RNG.choice(IPP), f"{1 + n % 12:02}/{1 + n % 28:02}/2024", "FOLFOX", "oxaliplatine + fluorouracile", n, 1]
        for n in range(60)
    ]
    file = table(tmp_path / "cures.csv", ["N° dossier", "Date administration", "Protocole", "DCI", "Cycle", "J"], rows)
    proposal = propose(file, terms)
    assert (proposal.kind, proposal.dates) == ("chemotherapy", {"date": "%m/%d/%Y"})
    assert read_as(proposal, file)[12].values["date"] == "2024-01-13"


def test_a_pharmacy_is_known_by_ucd_and_atc_codes(tmp_path: Path, terms: Terminology) -> None:
    rows = [
        [n, RNG.choice(IPP), f"{1 + n % 28:02}032024", "9261098", "PEMBROLIZUMAB 100MG", "L01FF02", 2]
        for n in range(30)
    ]
    file = table(
        tmp_path / "disp.csv", ["lig", "noip", "dt_disp", "produit", "designation", "classe", "qte"], rows, "|"
    )
    proposal = propose(file, terms)
    found = columns(proposal)
    assert proposal.kind == "pharmacy"
    assert (found["produit"], found["classe"], found["designation"]) == ("ucd7", "atc", "medicament")
    assert proposal.dates == {"date": "%d%m%Y"}


def test_results_without_a_single_name_are_known_by_loinc(tmp_path: Path, terms: Terminology) -> None:
    tests = [("2857-1", "PSA", "ng/mL"), ("718-7", "Hémoglobine", "g/dL"), ("777-3", "Plaquettes", "G/L")]
    rows = [
        [RNG.choice(IPP), "01/03/2024", code, name, f"{n},5", unit] for n in range(20) for code, name, unit in tests
    ]
    file = table(tmp_path / "labo.csv", ["C1", "C2", "C3", "C4", "C5", "C6"], rows)
    proposal = propose(file, terms)
    assert proposal.kind == "biology"
    assert list(columns(proposal).values()) == ["ipp", "date", "loinc", "analyse", "valeur", "unite"]


def test_stays_are_known_by_cim10_and_ccam_codes(tmp_path: Path, terms: Terminology) -> None:
    rows = [
        [100 + n, IPP[n % 30], "2024-01-02", "2024-01-03", RNG.choice(["C504", "Z511"]), "QEFA004"] for n in range(50)
    ]
    file = table(tmp_path / "dim.csv", ["nda", "noip", "entree", "sortie", "code_cim", "acte_ccam"], rows)
    proposal = propose(file, terms)
    assert proposal.kind == "pmsi"
    assert columns(proposal)["code_cim"] == "diagnostic_principal"
    assert columns(proposal)["acte_ccam"] == "actes"
    assert len(read_as(proposal, file)) == 50


def test_a_workbook_of_genes_is_known_by_their_symbols(tmp_path: Path, terms: Terminology) -> None:
    book = Workbook()
    book.active.append(["patient", "date résultat", "symbole", "changement"])
    for n in range(20):
        book.active.append(
            [IPP[n], f"2024-02-{1 + n:02}", ["EGFR", "KRAS", "BRAF"][n % 3], ["p.L858R", "p.G12C", "p.V600E"][n % 3]]
        )
    book.save(tmp_path / "ngs.xlsx")
    proposal = propose(tmp_path / "ngs.xlsx", terms)
    assert proposal.kind == "molecular"
    assert list(columns(proposal).values()) == ["ipp", "date", "gene", "variant"]


def test_the_exchange_format_maps_to_itself(tmp_path: Path, terms: Terminology) -> None:
    rows = [[f"B{n}", IPP[n], "sang", "2024-03-01", "C50.4", "disponible"] for n in range(20)]
    file = table(tmp_path / "b.csv", ["id", "ipp", "type", "date_prelevement", "topographie", "statut"], rows)
    proposal = propose(file, terms)
    assert proposal.kind == "biobank"
    assert all(theirs == ours for theirs, ours in columns(proposal).items())
    assert proposal.confidence > 0.9
    assert proposal.questions == []


def test_words_that_are_not_known_are_asked_for(tmp_path: Path, terms: Terminology) -> None:
    rows = [[ipp, "ROCHE", "Ada", "W", "1950-03-28"] for ipp in IPP]
    proposal = propose(table(tmp_path / "p.csv", ["ipp", "nom", "prenom", "sexe", "date_naissance"], rows), terms)
    assert proposal.words == {"sexe": {"W": ""}}
    assert '"W" = ""' in as_toml(proposal)
