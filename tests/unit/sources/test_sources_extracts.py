"""Delimited extracts: whatever their separator and encoding, good rows are taken and bad ones say why."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from consore.errors import SourceError
from consore.model import SourceKind
from consore.sources import (
    Rejection,
    SourceRecord,
    check_source,
    count_records,
    read_source,
    reread_record,
)

HEADER = (
    "ipp;nom_usage;nom_naissance;prenom;sexe;date_naissance;date_deces;date_dernieres_nouvelles;"
    "code_postal;commune;opposition"
)
GOOD = "000123;Lefèvre;Noël;Zoé;F;1961-03-04;;2024-05-06;59000;Lille;0"
TODAY = {"today": "2026-11-22"}


def read(kind: str, file: Path, **options) -> tuple[list[SourceRecord], list[Rejection]]:
    items = list(read_source(SourceKind(kind), file, {**TODAY, **options}))
    return (
        [item for item in items if isinstance(item, SourceRecord)],
        [item for item in items if isinstance(item, Rejection)],
    )


def administrative(tmp_path: Path, *rows: str, encoding: str = "utf-8", header: str = HEADER) -> Path:
    file = tmp_path / "administratif.csv"
    file.write_bytes("\r\n".join([header, *rows, ""]).encode(encoding))
    return file


def test_a_patient_is_read_in_the_words_of_the_store(tmp_path: Path) -> None:
    records, rejections = read("administrative", administrative(tmp_path, GOOD))
    assert rejections == []
    assert (records[0].kind, records[0].external_id, records[0].ipp) == ("patient", "000123", "000123")
    assert records[0].origin == "administratif.csv:2"
    assert records[0].values == {
        "family_name": "Lefèvre",
        "birth_name": "Noël",
        "given_name": "Zoé",
        "sex": "female",
        "birth_date": "1961-03-04",
        "death_date": None,
        "last_news_date": "2024-05-06",
        "postal_code": "59000",
        "city": "Lille",
        "opposed": False,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le"])
def test_accents_survive_every_encoding_of_a_hospital(tmp_path: Path, encoding: str) -> None:
    records, rejections = read("administrative", administrative(tmp_path, GOOD, encoding=encoding))
    assert rejections == []
    assert (records[0].values["family_name"], records[0].values["given_name"]) == ("Lefèvre", "Zoé")


def test_a_file_in_two_encodings_is_read_line_by_line(tmp_path: Path) -> None:
    file = administrative(tmp_path, GOOD)
    with file.open("ab") as stream:
        stream.write("000124;Hénin — Œuf;;Aÿ;F;1950-01-01;;;;;0\r\n".encode("cp1252"))
    records, _ = read("administrative", file)
    assert [record.values["family_name"] for record in records] == ["Lefèvre", "Hénin — Œuf"]


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_a_wrong_separator_is_seen_and_read_right(tmp_path: Path, separator: str) -> None:
    file = administrative(tmp_path, GOOD.replace(";", separator), header=HEADER.replace(";", separator))
    records, rejections = read("administrative", file)
    assert (len(records), rejections) == (1, [])


def test_columns_may_come_in_any_order_case_and_accents(tmp_path: Path) -> None:
    file = administrative(tmp_path, "F;Zoé;04/03/1961;Lefèvre;7", header="SEXE;Prénom;Date Naissance;NOM_USAGE;IPP")
    records, rejections = read("administrative", file)
    assert rejections == []
    assert (records[0].ipp, records[0].values["birth_date"]) == ("7", "1961-03-04")


def test_columns_of_another_name_can_be_told(tmp_path: Path) -> None:
    file = administrative(tmp_path, GOOD, header=HEADER.replace("ipp", "NUM_PATIENT"))
    records, _ = read("administrative", file, columns={"ipp": "num patient"})
    assert records[0].ipp == "000123"


def test_missing_columns_say_which_were_expected_and_found(tmp_path: Path) -> None:
    file = administrative(tmp_path, "1;2", header="numero;nom")
    with pytest.raises(SourceError, match=r"lacks the columns ipp.*Expected: ipp, nom_usage.*Found: numero, nom"):
        read("administrative", file)


def test_an_empty_file_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    empty = tmp_path / "administratif.csv"
    empty.write_bytes(b"\r\n")
    with pytest.raises(SourceError, match="is empty"):
        read("administrative", empty)
    with pytest.raises(SourceError, match="There is no file or folder"):
        read("administrative", tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1;A;;B;F;2090-01-01;;;;;0", "future_date"),
        ("1;A;;B;F;1961-02-30;;;;;0", "invalid_date"),
        ("1;A;;B;F;61/02/03;;;;;0", "invalid_date"),
        ("1;A;;B;F;1200-01-01;;;;;0", "invalid_date"),
        ("1;A;;B;F;1961-01-01;1960-12-31;;;;0", "inconsistent_dates"),
        ("1;A;;B;X;1961-01-01;;;;;0", "unknown_sex"),
        (";A;;B;F;1961-01-01;;;;;0", "missing_ipp"),
        ("9" * 201 + ";A;;B;F;1961-01-01;;;;;0", "invalid_identifier"),
        ("1;A;;B;F;;;;;;0", "missing_birth_date"),
        ("1;A;;B;F;1961-01-01;;;;;peut-être", "unknown_boolean"),
        ("1;A;;B;F;1961-01-01", "wrong_cell_count"),
        ("1;A;;B;F;1961-01-01;;;;;0;0;0", "wrong_cell_count"),
        ("1;A\x00;;B;F;1961-01-01;;;;;0", "nul_bytes"),
        ('1;"A;;B;F;1961-01-01;;;;;0', "unbalanced_quote"),
        ("000123;A;;B;F;1961-01-01;;;;;0", "duplicate_id"),
    ],
)
def test_a_bad_row_says_why_and_the_others_go_on(tmp_path: Path, row: str, reason: str) -> None:
    other = GOOD.replace("000123", "000999")
    records, rejections = read("administrative", administrative(tmp_path, GOOD, row, other))
    assert [record.ipp for record in records] == ["000123", "000999"]
    assert [(rejection.reason, rejection.position) for rejection in rejections] == [(reason, "administratif.csv:3")]
    assert rejections[0].raw.decode().splitlines() == [HEADER, row]
    assert rejections[0].message.count(".") >= 2  # what is wrong, and what to do


def test_a_rejected_row_can_be_read_again_alone(tmp_path: Path) -> None:
    file = administrative(tmp_path, GOOD, "000123;A;;B;F;1961-01-01;;;;;0", encoding="utf-16")
    _, (rejection,) = read("administrative", file)
    (again,) = reread_record(SourceKind.ADMINISTRATIVE, file, TODAY, rejection.position, rejection.raw)
    assert isinstance(again, SourceRecord)
    assert again.values["family_name"] == "A"


def test_a_quoted_cell_may_hold_the_separator_and_line_ends(tmp_path: Path) -> None:
    records, rejections = read(
        "administrative", administrative(tmp_path, '1;"A; dit\r\n""B""";;C;F;1961-01-01;;;;;0', GOOD)
    )
    assert rejections == []
    assert [record.values["family_name"] for record in records] == ['A; dit\r\n"B"', "Lefèvre"]


def test_a_stray_quote_does_not_swallow_the_rows_after_it(tmp_path: Path) -> None:
    rows = [GOOD.replace("000123", str(number)) for number in range(200)]
    inches = '1001;A 5";;B;F;1961-01-01;;;;;0'
    records, rejections = read(
        "administrative",
        administrative(tmp_path, '1000;"A;;B;F;1961-01-01;;;;;0', *rows, inches),
    )
    assert len(records) == 201
    assert [rejection.reason for rejection in rejections] == ["unbalanced_quote"]


def test_a_sex_left_blank_is_unknown_and_not_refused(tmp_path: Path) -> None:
    records, _ = read("administrative", administrative(tmp_path, "1;A;;B;;1961-01-01;;;;;0"))
    assert records[0].values["sex"] == "unknown"


def test_a_huge_row_is_cut_in_quarantine_with_a_note(tmp_path: Path) -> None:
    _, (rejection,) = read("administrative", administrative(tmp_path, "1;" + "A" * 2_000_000))
    assert len(rejection.raw) < 1_000_200
    assert b"[cut:" in rejection.raw[-200:]


def test_a_tumour_sheet_keeps_its_columns_with_codes_and_dates_written_one_way(tmp_path: Path) -> None:
    file = tmp_path / "fiches_tumeur.csv"
    file.write_text(
        "id;ipp;date_diagnostic;topographie;morphologie;lateralite;ctnm;ptnm;stade;grade;base_diagnostic\n"
        "T1;1;01/02/2020;c504;85003;G;cT2N0M0;;IIA;2;histologie\n"
        "T2;1;2020-02-01;sein;8500/3;G;;;;;\n",
        encoding="utf-8",
    )
    (record,), (rejection,) = read("tumour_sheet", file)
    assert record.values["date_diagnostic"] == "2020-02-01"
    assert (record.values["topographie"], record.values["morphologie"]) == ("C50.4", "8500/3")
    assert list(record.values)[:2] == ["date_diagnostic", "topographie"]
    assert len(record.values) == 9
    assert rejection.reason == "invalid_code"


def test_a_planned_cure_may_lie_ahead_but_not_in_another_century(tmp_path: Path) -> None:
    file = tmp_path / "chimiotherapie.csv"
    file.write_text(
        "id;ipp;date;protocole;medicaments;cycle;jour;ligne;intention;statut\n"
        "C1;1;2026-12-24;FOLFOX;oxaliplatine+fluorouracile;1;1;1;palliatif;prévu\n"
        "C2;1;2126-12-24;FOLFOX;oxaliplatine;1;1;1;palliatif;prévu\n",
        encoding="utf-8",
    )
    (record,), (rejection,) = read("chemotherapy", file)
    assert (record.values["date"], rejection.reason) == ("2026-12-24", "future_date")


def test_a_source_is_checked_without_being_read(tmp_path: Path) -> None:
    report = check_source(SourceKind.ADMINISTRATIVE, administrative(tmp_path, GOOD))
    assert report.usable
    assert (report.records, report.columns[0]) == (1, "ipp")
    missing = check_source(SourceKind.PMSI, tmp_path / "pmsi_rss.txt")
    assert not missing.usable
    assert "There is no file or folder" in missing.problems[0]
    assert count_records(SourceKind.PMSI, tmp_path / "pmsi_rss.txt") == 0


def test_a_large_extract_is_read_in_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "administratif.csv"
    with file.open("w", encoding="utf-8") as stream:
        stream.write(HEADER + "\n")
        for number in range(20_000):
            stream.write(f"{number};Nom{number};;Prénom;M;1950-01-01;;;;;0\n")
    tracemalloc.start()
    total = sum(1 for _ in read_source(SourceKind.ADMINISTRATIVE, file, TODAY))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 20_000
    assert peak < 3_000_000
