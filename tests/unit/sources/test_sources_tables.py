"""Tables of every make, the exchange format of the nine sources, declared mappings, merges and deletions."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from openpyxl import Workbook

from consore.errors import InputError, SourceError
from consore.model import SourceKind
from consore.sources import (
    Mark,
    Rejection,
    SourceRecord,
    canonical,
    check_options,
    check_source,
    load_options,
    preview_source,
    read_source,
    reread_record,
    shown,
)

TODAY = {"today": "2026-11-22"}
COLUMNS = ["id", "ipp", "date", "loinc", "analyse", "valeur", "unite"]
ROWS: list[list[Any]] = [
    ["R1", "0042", dt.date(2024, 3, 1), "2857-1", "PSA", 4.2, "ng/mL"],
    ["R2", "0042", dt.date(2024, 3, 2), "718-7", "Hémoglobine", 12, "g/dL"],
    ["R3", "0043", None, "718-7", "Hémoglobine", 12, "g/dL"],
]


def workbook(file: Path) -> Path:
    book = Workbook()
    book.active.title = "Notes"
    book.active.append(["rien"])
    sheet = book.create_sheet("Résultats")
    sheet.append(COLUMNS)
    for row in ROWS:
        sheet.append(row)
    book.save(file)
    return file


def parquet(file: Path) -> Path:
    columns = {name: [row[place] for row in ROWS] for place, name in enumerate(COLUMNS)}
    columns["valeur"] = [Decimal(str(value)) for value in columns["valeur"]]
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file


def ndjson(file: Path) -> Path:
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True)), default=str) for row in ROWS]
    file.write_text("\n".join([*lines, "{not json"]) + "\n", encoding="utf-8")
    return file


def read(kind: str, file: Path | str, **options: Any) -> list[SourceRecord | Rejection]:
    return [item for item in read_source(SourceKind(kind), file, {**TODAY, **options}) if not isinstance(item, Mark)]


@pytest.mark.parametrize(
    ("make", "name", "options"),
    [(workbook, "r.xlsx", {"sheet": "Résultats"}), (parquet, "r.parquet", {}), (ndjson, "r.ndjson", {})],
)
def test_a_table_says_the_same_whatever_it_is_made_of(
    tmp_path: Path, make: Any, name: str, options: dict[str, Any]
) -> None:
    file = make(tmp_path / name)
    first, second, undated, *rest = read("biology", file, **options)
    assert first.values == {
        "date": "2024-03-01",
        "loinc": "2857-1",
        "analyse": "PSA",
        "valeur": "4.2",
        "unite": "ng/mL",
        "borne_basse": "",
        "borne_haute": "",
        "interpretation": "",
    }
    assert (second.external_id, second.ipp, second.values["valeur"]) == ("R2", "0042", "12")
    assert undated.reason == "missing_date"
    assert [item.reason for item in rest] == (["invalid_json"] if name == "r.ndjson" else [])
    mended = undated.raw.replace(b'"date": null', b'"date": "2024-03-03"').replace(
        b'"date": ""', b'"date": "2024-03-03"'
    )
    (again,) = reread_record(SourceKind.BIOLOGY, file, {**TODAY, **options}, undated.position, mended)
    assert (again.external_id, again.values["date"]) == ("R3", "2024-03-03")
    report = check_source(SourceKind.BIOLOGY, file, options)
    assert report.columns == tuple(COLUMNS)


def test_a_workbook_that_is_a_bomb_or_none_is_refused(tmp_path: Path) -> None:
    import zipfile

    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    with pytest.raises(SourceError, match="more than is safe"):
        read("biology", bomb)
    (tmp_path / "cut.xlsx").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(SourceError, match="damaged"):
        read("biology", tmp_path / "cut.xlsx")


def test_a_declared_mapping_renames_columns_dates_words_and_makes_identifiers(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(
        "NIP,NOM,PRENOM,SEXE,NE_LE\n7,Roche,Ada,Mme,12/31/1950\n8,Roc,Léo,Mons,01/02/1951\n", encoding="utf-8"
    )
    (tmp_path / "mapping.toml").write_text(
        '[columns]\nipp = "NIP"\nnom_usage = "NOM"\ndate_naissance = "NE_LE"\n'
        '[dates]\ndate_naissance = "%m/%d/%Y"\n[words.sexe]\nMme = "F"\nMons = "M"\n',
        encoding="utf-8",
    )
    options = load_options(tmp_path / "mapping.toml")
    check_options(options)
    ada, leo = read("administrative", file, **options)
    assert (ada.values["sex"], ada.values["birth_date"]) == ("female", "1950-12-31")
    assert (leo.values["sex"], leo.values["birth_date"]) == ("male", "1951-01-02")
    cures = tmp_path / "cures.csv"
    cures.write_text(
        "ipp;date;medicaments;cycle\n7;2024-01-01;docétaxel;1\n7;2024-01-22;docétaxel;2\n", encoding="utf-8"
    )
    first, second = read("chemotherapy", cures, key=["ipp", "cycle"], constants={"statut": "administré"})
    assert (first.external_id, second.external_id, first.values["statut"]) == ("7/1", "7/2", "administré")


def test_what_was_merged_and_taken_back_lies_beside_the_patients(tmp_path: Path) -> None:
    patients = tmp_path / "administratif.csv"
    patients.write_text("ipp;nom_usage;prenom;sexe;date_naissance\n1;A;B;F;1950-01-01\n", encoding="utf-8")
    (tmp_path / "fusions.csv").write_text(
        "ipp_ancien;ipp_conserve;date\n9;1;2024-05-01\n1;1;2024-05-01\n", encoding="utf-8"
    )
    (tmp_path / "suppressions.csv").write_text(
        "source;id;ipp;date;motif\ndocuments;D7;1;2024-05-02;erreur\nfiches_tumeur;T1;1;2024-05-02;\nlune;X;;;\n",
        encoding="utf-8",
    )
    _, merge, itself, document, sheet, moon = read("administrative", patients)
    assert (merge.kind, merge.ipp, merge.values) == ("merge", "1", {"merged": "9", "date": "2024-05-01"})
    assert (document.kind, document.external_id, document.values["of"]) == ("deletion", "D7", "document")
    assert (sheet.values["of"], itself.reason, moon.reason) == ("tumour_sheet", "inconsistent_merge", "unknown_record")
    mended = moon.raw.replace(b"lune", b"pmsi")
    (again,) = reread_record(SourceKind.ADMINISTRATIVE, patients, TODAY, moon.position, mended)
    assert (again.kind, again.values["of"]) == ("deletion", "stay")


def test_a_folder_of_daily_extracts_is_read_in_the_order_of_its_days(tmp_path: Path) -> None:
    for day, name in (("jour_01", "Ada"), ("jour_02", "Adèle")):
        folder = tmp_path / day
        folder.mkdir()
        text = f"ipp;nom_usage;prenom;sexe;date_naissance\n1;A;{name};F;1950-01-01\n"
        (folder / "administratif.csv").write_text(text, encoding="utf-8")
        (folder / "fusions.csv").write_text("ipp_ancien;ipp_conserve;date\n9;1;2024-05-01\n", encoding="utf-8")
        (folder / "biobanque.csv").write_text("id;ipp;type\nB1;1;sang\n", encoding="utf-8")
    items = list(read_source(SourceKind.ADMINISTRATIVE, tmp_path, TODAY))
    assert [item.values["given_name"] for item in items if getattr(item, "kind", "") == "patient"] == ["Ada", "Adèle"]
    assert [item.key for item in items if isinstance(item, Mark)] == [
        f"jour_0{day}/{name}.csv" for day in (1, 2) for name in ("administratif", "fusions")
    ]


def test_one_file_of_a_folder_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "biobanque_1.csv").write_text("numero;nature\nB1;sang\n", encoding="utf-8")
    (tmp_path / "biobanque_2.csv").write_text("id;ipp;type\nB1;1;sang\n", encoding="utf-8")
    refused, taken = read("biobank", tmp_path)
    assert (refused.reason, refused.position) == ("unusable_file", "biobanque_1.csv")
    assert "lacks the columns" in refused.message
    assert taken.external_id == "B1"


def test_stays_may_come_as_a_table_with_one_code_a_row(tmp_path: Path) -> None:
    file = tmp_path / "sejours.csv"
    file.write_text(
        "numero_sejour;ipp;date_entree;date_sortie;diagnostic_principal;diagnostics_associes;actes;date_acte\n"
        "1;7;2024-01-01;2024-01-03;C504;C773+Z511;;\n1;7;2024-01-01;2024-01-03;;;QEFA004;2024-01-02\n"
        "2;7;2024-02-01;;C50;;;\n3;7;2024-02-01;;C5;;;\n",
        encoding="utf-8",
    )
    first, second, wrong = read("pmsi", file)
    assert first.values["diagnoses"] == [
        {"code": code, "role": role, "date": "2024-01-01"}
        for code, role in (("C50.4", "DP"), ("C77.3", "DAS"), ("Z51.1", "DAS"))
    ]
    assert first.values["acts"] == [{"code": "QEFA004", "phase": "0", "date": "2024-01-02"}]
    assert (second.values["exit_date"], wrong.reason) == (None, "invalid_code")


def test_documents_may_stand_in_the_rows_of_a_table(tmp_path: Path) -> None:
    file = tmp_path / "comptes_rendus.ndjson"
    rows = [
        {"id": "D1", "ipp": "7", "type": "Fiche RCP", "date": "2024-01-01", "texte": "Proposition : chirurgie."},
        {"id": "D2", "ipp": "7", "type": "Lettre", "contenu": "e1xydGYxIEJvbmpvdXJ9"},
        {"id": "D3", "ipp": "7", "type": "Lettre", "texte": ""},
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    first, second, empty = read("documents", file, format="table")
    assert (first.values["kind"], first.values["text"]) == ("rcp", "Proposition : chirurgie.")
    assert (second.values["text"], empty.reason) == ("Bonjour", "missing_content")


def test_each_of_the_nine_sources_has_an_exchange_format() -> None:
    from consore.sources.tables import column_rules

    for kind in SourceKind:
        required = {rule.column for rule in column_rules(kind.value) if rule.required}
        assert "ipp" in required


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pasword": "x"}, "There is no option pasword"),
        ({"password": "x"}, "would keep a secret in clear"),
        ({"api_token": "x"}, "would keep a secret in clear"),
        ({"year": "2024"}, "is no number"),
        ({"format": "fax"}, "There is no format fax"),
        ({"records": ["poem"]}, "There is no kind of record poem"),
        ({"name": "("}, "no regular expression"),
    ],
)
def test_options_that_cannot_be_say_why(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_options(options)


def test_a_password_is_neither_kept_nor_shown_in_a_location(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a password") as refused:
        canonical("postgresql://reader:hunter2@host/base")
    assert "hunter2" not in str(refused.value)
    assert shown("sftp://me:hunter2@host/in") == "sftp://me:***@host/in"
    assert canonical("sftp://me@host:22/in") == "sftp://me@host:22/in"
    assert canonical(tmp_path / "a") == str(tmp_path / "a")


def test_a_preview_shows_the_first_records_and_closes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "biobanque.csv"
    file.write_text("id;ipp;type\n" + "".join(f"B{n};1;sang\n" for n in range(50)), encoding="utf-8")
    assert [item.external_id for item in preview_source(SourceKind.BIOBANK, file, limit=3)] == ["B0", "B1", "B2"]


def test_every_option_and_format_is_told_of_in_the_readme() -> None:
    from consore.sources import options

    readme = (Path(options.__file__).parent / "README.md").read_text(encoding="utf-8")
    for name, row in options.known_options().items():
        assert f"`{name}`" in readme or f"{name} =" in readme, name
        assert row["says"].endswith("."), name
    for name in options.FORMATS:
        assert f"| `{name}` |" in readme, name
