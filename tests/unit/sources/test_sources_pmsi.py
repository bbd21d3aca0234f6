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


def test_acts_of_before_2016_are_shorter_and_read_all_the_same(tmp_path: Path) -> None:
    line = rum(version="116", acts=())
    line = line[:137] + "001" + line[140:] + "02032014QEFA00401" + " " * 7 + "01"
    (record,) = read(extract(tmp_path, line))[0]
    assert record.values["acts"] == [{"code": "QEFA004", "phase": "0", "date": "2014-03-02"}]


def rsa(
    edition: int, *, year: int | None = None, key: str = "0000000001", acts: tuple[str, ...] = ("001QEFA004",)
) -> str:
    """An RSA line written from the published positions of an edition, independently of the reader."""
    places = {  # sessions… are not read: principal, related, associated, acts, zone, unit, act
        2013: (203, 209, 215, 219, 224, 58, 22),
        2017: (203, 209, 215, 219, 239, 60, 24),
        2021: (212, 218, 224, 228, 248, 61, 24),
        2024: (212, 218, 224, 228, 263, 61, 24),
        2025: (215, 221, 227, 231, 266, 61, 24),
    }[edition]
    principal, related, associated, count, zone, unit, act = places
    line = [" "] * (zone - 1)
    radiotherapy = 131 if edition < 2020 else 136
    authorisations = 109 if edition < 2020 else 114
    for position, text in (
        (1, "590000001"),
        (10, "999"),
        (13, key),
        (51, "01"),
        (62, "03"),
        (64, str(year or edition)),
        (71, "0004"),
        (authorisations, "1"),
        (radiotherapy, "1"),
        (principal, "C504  "),
        (related, "Z511  "),
        (associated, "0002"),
        (count, f"{len(acts):05}"),
    ):
        line[position - 1 : position - 1 + len(text)] = text
    tail = "XX" + "1234567" + " " * unit + "C773  " + "I10   "
    if act == 24:
        tail += "".join(f"{one}  01".ljust(21) + "011" for one in acts)
    else:
        tail += "".join(f"{one}01".ljust(20) + "01" for one in acts)
    return "".join(line) + tail


def sent(tmp_path: Path, *lines: str) -> Path:
    """RSA with its TRA and an ANO-HOSP of 2022."""
    file = tmp_path / "pmsi_rsa.txt"
    file.write_text("".join(line + "\r\n" for line in lines), encoding="latin-1", newline="")
    tra = "".join(
        f"{n:010d}{1000 + n:<20}{n:010d}{7000 + n:<20}01032024" + "09C041" + "05032024\r\n" for n in range(1, 4)
    )
    (tmp_path / "pmsi_tra.txt").write_text(tra, newline="")
    ano = []
    for n in (1, 2):
        line = [" "] * 505
        for position, text in ((41, str(7000 + n)), (324, "01032024"), (332, "05032024"), (403, str(40 + n))):
            line[position - 1 : position - 1 + len(text)] = text
        ano.append("".join(line))
    (tmp_path / "pmsi_ano_hosp.txt").write_text("\r\n".join(ano), newline="")
    return file


@pytest.mark.parametrize("edition", [2013, 2017, 2021, 2024, 2025])
def test_rsa_of_each_edition_give_their_codes_and_days(tmp_path: Path, edition: int) -> None:
    (record,) = read_source(SourceKind.PMSI, sent(tmp_path, rsa(edition)), {})
    assert (record.external_id, record.ipp) == ("1001", "41")
    assert (record.values["entry_date"], record.values["exit_date"]) == ("2024-03-01", "2024-03-05")
    assert [(one["role"], one["code"]) for one in record.values["diagnoses"]] == [
        ("DP", "C50.4"),
        ("DR", "Z51.1"),
        ("DAS", "C77.3"),
        ("DAS", "I10"),
    ]
    assert record.values["acts"] == [{"code": "QEFA004", "phase": "0", "date": "2024-03-02"}]


def test_an_rsa_written_in_a_newer_edition_than_its_year_is_known_by_its_shape(tmp_path: Path) -> None:
    (record,) = read_source(SourceKind.PMSI, sent(tmp_path, rsa(2025, year=2019)), {})
    assert record.values["diagnoses"][0]["code"] == "C50.4"


def test_rsa_that_cannot_be_linked_or_measured_say_why(tmp_path: Path) -> None:
    lines = (rsa(2025, key="0000000009"), rsa(2025, key="0000000003"), rsa(2025) + "X", rsa(2025))
    no_tra, no_patient, long, good = read_source(SourceKind.PMSI, sent(tmp_path, *lines), {})
    assert [no_tra.reason, no_patient.reason, long.reason] == ["missing_tra", "unlinked_stay", "wrong_length"]
    mended = long.raw.replace(b"X\r", b"\r")
    (again,) = reread_record(SourceKind.PMSI, tmp_path / "pmsi_rsa.txt", {}, long.position, mended)
    assert again.external_id == good.external_id == "1001"


def test_stays_are_linked_by_a_vid_hosp_whose_numbers_are_not_kept(tmp_path: Path) -> None:
    file = extract(tmp_path, rum("1001"), rum("1002"))
    (tmp_path / "pmsi_ano.csv").unlink()
    line = "1790399351234" + "00" + "01" + "04031961" + "2" + f"{'1001':<20}" + "V015" + " " * 50 + f"{'42':<20}"
    other = line.replace(f"{'1001':<20}", " " * 20)
    (tmp_path / "vidhosp.txt").write_text(f"{line}\n{other}\n")
    options = {"ano": "vidhosp.txt", "ano_positions": {"stay": [27, 20], "ipp": [101, 20]}}
    unreadable, stay, unlinked = read_source(SourceKind.PMSI, file, options)
    assert (unreadable.reason, stay.ipp, unlinked.reason) == ("missing_stay", "42", "unlinked_stay")
    assert b"1790399351234" not in unreadable.raw
    assert b"*****" in unreadable.raw
