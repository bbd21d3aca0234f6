"""PMSI stays from RSS lines of fixed width."""

from __future__ import annotations

from pathlib import Path

import pytest

from consore.errors import SourceError
from consore.model import SourceKind
from consore.sources import Rejection, SourceRecord, read_source, reread_record


def rum(
    rss: str = "1001",
    *,
    version: str = "122",
    entry: str = "01032024",
    exit_: str = "05032024",
    unit: str = "CHIR",
    principal: str = "C504",
    related: str = "",
    associated: tuple[str, ...] = ("C773", "Z511"),
    documentary: tuple[str, ...] = (),
    acts: tuple[str, ...] = ("02032024QEFA004-011",),
) -> str:
    """A RUM line written from the published positions, independently of the reader."""
    line = [" "] * 192
    for position, text in (
        (1, "11"),
        (3, "09C041"),
        (10, version),
        (13, "000"),
        (16, "590000001"),
        (25, "022"),
        (28, rss.ljust(20)),
        (48, rss.ljust(20)),
        (68, "1".rjust(10, "0")),
        (78, "04031961"),
        (86, "2"),
        (87, unit),
        (93, entry),
        (103, exit_),
        (134, f"{len(associated):02}"),
        (136, f"{len(documentary):02}"),
        (138, f"{len(acts):03}"),
        (141, principal.ljust(8)),
        (149, related.ljust(8)),
    ):
        line[position - 1 : position - 1 + len(text)] = text
    zone = "".join(code.ljust(8) for code in associated + documentary)
    zone += "".join(f"{act[:15]}{act[15:18]:3}{act[18:20]:2}{'':7}01".ljust(29)[:29] for act in acts)
    return "".join(line) + zone


def extract(tmp_path: Path, *lines: str, ano: str = "numero_rss;ipp\n1001;42\n1002;43\n") -> Path:
    (tmp_path / "pmsi_ano.csv").write_text(ano)
    file = tmp_path / "pmsi_rss.txt"
    file.write_bytes("".join(line + "\r\n" for line in lines).encode("latin-1"))
    return file


def read(file: Path) -> tuple[list[SourceRecord], list[Rejection]]:
    items = list(read_source(SourceKind.PMSI, file, {}))
    return (
        [item for item in items if isinstance(item, SourceRecord)],
        [item for item in items if isinstance(item, Rejection)],
    )


def test_a_stay_gives_its_dates_diagnoses_and_acts(tmp_path: Path) -> None:
    (stay,), rejections = read(extract(tmp_path, rum(related="Z5101", documentary=("Z000",))))
    assert rejections == []
    assert (stay.kind, stay.external_id, stay.ipp) == ("stay", "1001", "42")
    assert stay.values == {
        "number": "1001",
        "entry_date": "2024-03-01",
        "exit_date": "2024-03-05",
        "unit": "CHIR",
        "diagnoses": [
            {"code": "C50.4", "role": "DP", "date": "2024-03-01"},
            {"code": "Z51.01", "role": "DR", "date": "2024-03-01"},
            {"code": "C77.3", "role": "DAS", "date": "2024-03-01"},
            {"code": "Z51.1", "role": "DAS", "date": "2024-03-01"},
        ],
        "acts": [{"code": "QEFA004", "phase": "1", "date": "2024-03-02"}],
    }


def test_the_rum_of_one_rss_are_one_stay(tmp_path: Path) -> None:
    second = rum(entry="05032024", exit_="09032024", unit="ONCO", associated=("C787",), acts=())
    (stay, other), _ = read(extract(tmp_path, rum(), second, rum("1002")))
    assert (stay.values["entry_date"], stay.values["exit_date"]) == ("2024-03-01", "2024-03-09")
    assert stay.values["unit"] == "CHIR+ONCO"
    assert len(stay.values["diagnoses"]) == 5
    assert other.ipp == "43"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (rum()[:-1], "wrong_length"),
        (rum() + "X", "wrong_length"),
        (rum()[:100], "wrong_length"),
        (rum(version="115"), "unknown_version"),
        (rum(version="   "), "unknown_version"),
        (rum(entry="32132024"), "invalid_date"),
        (rum(entry="06032024"), "inconsistent_dates"),
        (rum(principal="????"), "invalid_code"),
        (rum(acts=("02032024QEFAXXX-011",)), "invalid_code"),
        (rum("7777"), "unlinked_stay"),
        (rum(unit="C\x00IR"), "nul_bytes"),
    ],
)
def test_a_bad_line_says_why_and_the_others_go_on(tmp_path: Path, line: str, reason: str) -> None:
    records, rejections = read(extract(tmp_path, line, rum("1002")))
    assert [record.external_id for record in records] == ["1002"]
    assert [(rejection.reason, rejection.position) for rejection in rejections] == [(reason, "pmsi_rss.txt:1")]
    assert rejections[0].raw == f"{line}\r\n".encode()


def test_half_a_stay_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    records, (rejection,) = read(extract(tmp_path, rum(), rum()[:-1]))
    assert records == []
    assert rejection.position == "pmsi_rss.txt:2"
    assert rejection.raw.count(b"\r\n") == 2


def test_a_stay_is_read_again_once_its_patient_is_linked(tmp_path: Path) -> None:
    file = extract(tmp_path, rum("7777"))
    _, (rejection,) = read(file)
    (tmp_path / "pmsi_ano.csv").write_text("numero_rss;ipp\n7777;44\n")
    (again,) = reread_record(SourceKind.PMSI, file, {}, rejection.position, rejection.raw)
    assert again.ipp == "44"


def test_the_link_file_is_asked_for(tmp_path: Path) -> None:
    file = extract(tmp_path, rum())
    (tmp_path / "pmsi_ano.csv").unlink()
    with pytest.raises(SourceError, match=r"pmsi_ano\.csv"):
        read(file)
