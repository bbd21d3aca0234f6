"""PMSI MCO: grouped RSS as the hospital holds them, RSA as it sends them, and what links both to patients.

Formats of the edition 2025 (ATIH), positions in `sources/formats`: RSS 122 with RUM 022 (`rss`, `rss_act`), RSA (`rsa`,
`rsa_um`, `rsa_act`), TRA (`tra`: RSA → RSS and stay) and ANO-HOSP (`ano_hosp`: stay → anonymous number and IPP, what
VID-HOSP becomes). The head of VID-HOSP, up to the stay, stands where the node looks for it; no table of ATIH at hand
gives the rest, so the IPP has a place of this project's own, `VID_HOSP_POSITIONS`. The grouping is plausible, not the
official one; the number of the RSA format (229) is extrapolated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from consore.synthetic import deltas
from consore.synthetic.deltas import Delivery
from consore.synthetic.extracts import SESSION_OF_CHEMOTHERAPY, SESSION_OF_RADIOTHERAPY, Stay
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.fixed import before, fixed, positions
from consore.synthetic.formats.site import Site
from consore.synthetic.trajectory import Life

_CLASSIFICATION = "11"
_SESSIONS = {SESSION_OF_CHEMOTHERAPY: "28Z07Z", SESSION_OF_RADIOTHERAPY: "28Z18Z"}
# Roots of GHM (manuel des GHM, version 11) of the usual operations, by CIM-10 category of the tumour.
_SURGERY = {
    "C18": "06C04",
    "C19": "06C03",
    "C20": "06C03",
    "C34": "04C02",
    "C50": "09C04",
    "C53": "13C14",
    "C54": "13C14",
    "C56": "13C14",
    "C61": "12C11",
    "C64": "11C02",
}
_UNGROUPED = "90Z00Z"
# Where `vid_hosp_line` puts the stay and the IPP: the option `ano_positions` of a source.
VID_HOSP_POSITIONS = {"stay": (27, 20), "ipp": (47, 20)}
_ANO_HOSP_LENGTH = 505  # up to the enciphered zone


def ghm(stay: Stay) -> str:
    """A plausible GHM; 90Z00Z is what the grouping function says of what it cannot group."""
    if stay.sessions:
        return _SESSIONS[stay.principal]
    root = _SURGERY.get(stay.principal[:3]) if stay.acts else None
    return f"{root}{min(4, 1 + len(stay.associated))}" if root else _UNGROUPED


def rss_line(stay: Stay, life: Life, site: Site) -> str:
    """The RUM line of a stay, without its end."""
    fields = {
        "classification": _CLASSIFICATION,
        "ghm": ghm(stay),
        "rss_version": "122",
        "return_code": "000",
        "finess": site.finess,
        "rum_version": "022",
        "rss": stay.number,
        "stay": stay.number,
        "rum": f"{1:010d}",
        "birth_date": f"{life.birth:%d%m%Y}",
        "sex": _sex(life),
        "unit": "0101",
        "entry_date": f"{stay.entry:%d%m%Y}",
        "entry_mode": "8",
        "exit_date": f"{stay.leave:%d%m%Y}",
        "exit_mode": "8",
        "residence": life.postcode,
        "sessions": f"{stay.sessions:02d}",
        "associated_diagnoses": f"{len(stay.associated):02d}",
        "documentary_diagnoses": "00",
        "acts": f"{len(stay.acts):03d}",
        "principal_diagnosis": stay.principal,
        "related_diagnosis": stay.related,
    }
    line = fixed("rss", fields, before("rss", "variable_zone"))
    line += "".join(f"{code:<8}" for code in stay.associated)
    for date, code in stay.acts:
        act = {"date": f"{date:%d%m%Y}", "ccam": code, "phase": "0", "activity": "1", "executions": "01"}
        line += fixed("rss_act", act, 29)
    return line


def rsa_line(stay: Stay, life: Life, site: Site) -> str:
    """The RSA line of a stay: ages and delays instead of dates, without its end."""
    group = ghm(stay)
    age = life.age(stay.entry)
    days = f"{(stay.leave - stay.entry).days:04d}"
    fields = {
        "finess": site.finess,
        "rsa_version": "229",
        "rsa_key": rsa_key(stay),
        "rss_version": "122",
        "tariff": "001",
        "read_classification": _CLASSIFICATION,
        "read_cmd": group[:2],
        "read_type": group[2],
        "read_number": group[3:5],
        "read_severity": group[5],
        "read_return": "000",
        "classification": _CLASSIFICATION,
        "cmd": group[:2],
        "type": group[2],
        "number": group[3:5],
        "severity": group[5],
        "return_code": "000",
        "rums": "01",
        "age": f"{age:03d}",
        "sex": _sex(life),
        "entry_mode": "8",
        "exit_month": f"{stay.leave:%m}",
        "exit_year": f"{stay.leave:%Y}",
        "exit_mode": "8",
        "days": days,
        "residence": life.postcode,
        "postcode": life.postcode,
        "sessions": f"{stay.sessions:02d}",
        "radiotherapy_supplements": "0",
        "dp_rum": "01",
        "principal_diagnosis": stay.principal,
        "related_diagnosis": stay.related,
        "associated_diagnoses": f"{len(stay.associated):04d}",
        "acts": f"{len(stay.acts):05d}",
    }
    unit = {
        "rum": "01",
        "unit": "0001",
        "finess": site.finess,
        "principal_diagnosis": stay.principal,
        "related_diagnosis": stay.related,
        "associated_diagnoses": f"{len(stay.associated):02d}",
        "acts": f"{len(stay.acts):03d}",
        "days": days,
    }
    end, width = positions("rsa_um")["end"]
    line = fixed("rsa", fields, before("rsa", "variable_zone")) + fixed("rsa_um", unit, end + width - 1)
    line += "".join(f"{code:<6}" for code in stay.associated)
    for date, code in stay.acts:
        act = {"delay": f"{(date - stay.entry).days:03d}", "ccam": code, "phase": "0", "activity": "1"}
        line += fixed("rsa_act", {**act, "executions": "01", "date_valid": "1"}, 24)
    return line


def rsa_key(stay: Stay) -> str:
    """The sequence number of the RSA, ten digits: stable from one delivery to the next, unlike the real one."""
    return stay.number[-10:]


def tra_line(stay: Stay) -> str:
    """The line that says which stay an RSA is of."""
    fields = {
        "rsa_key": rsa_key(stay),
        "rss": stay.number,
        "rss_line": f"{int(rsa_key(stay)):010d}",
        "stay": stay.number,
        "entry_date": f"{stay.entry:%d%m%Y}",
        "ghm": ghm(stay),
        "exit_date": f"{stay.leave:%d%m%Y}",
    }
    end, width = positions("tra")["exit_date"]
    return fixed("tra", fields, end + width - 1)


def ano_hosp_line(stay: Stay, life: Life, ipp: str, site: Site) -> str:
    """The line that says whose stay it is, under an anonymous number (an empreinte of nothing that exists)."""
    anonymous = hashlib.sha256(f"{site.code}/{site.seed}/{life.ipp}".encode()).hexdigest()[:17].upper()
    fields = {
        "signature": "V2025001",
        "vid_hosp_version": "015",
        "anonymous": anonymous,
        "anonymous_person": anonymous,
        "stay": stay.number,
        "finess": site.finess,
        "birth_date": f"{life.birth:%d%m%Y}",
        "sex": _sex(life),
        "entry_date": f"{stay.entry:%d%m%Y}",
        "exit_date": f"{stay.leave:%d%m%Y}",
        "country": "FRA",
        "ipp": ipp,
    }
    return fixed("ano_hosp", fields, _ANO_HOSP_LENGTH)


def vid_hosp_line(stay: Stay, life: Life, ipp: str, site: Site) -> str:
    """The line that says whose stay it is, with the number of the insured, its key, grand régime, birth and sex."""
    insured = social_security_number(life, site)
    head = f"{insured}{97 - int(insured) % 97:02d}01{life.birth:%d%m%Y}{_sex(life)}"
    return f"{head}{stay.number:<20}{ipp:<20}"


def social_security_number(life: Life, site: Site) -> str:
    """A number of the form of a NIR, 13 digits, that nobody can have: department 00 and commune 000 do not exist."""
    order = int(hashlib.sha256(f"nir/{site.code}/{site.seed}/{life.ipp}".encode()).hexdigest()[:8], 16) % 999 + 1
    return f"{_sex(life)}{life.birth:%y%m}00000{order:03d}"


def _sex(life: Life) -> str:
    return "1" if life.sex == "M" else "2"


def _rss(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.STAYS]:
        yield "pmsi_rss.txt", _line(rss_line(item.values, delivery.life, site))
        yield "pmsi_ano.csv", f"{item.key};{item.ipp}\n".encode()


def _rsa(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.STAYS]:
        yield "pmsi_rsa.txt", _line(rsa_line(item.values, delivery.life, site))
        yield "pmsi_tra.txt", _line(tra_line(item.values))
        yield "pmsi_ano_hosp.txt", _line(ano_hosp_line(item.values, delivery.life, item.ipp, site))


def _vid_hosp(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.STAYS]:
        yield "pmsi_vid_hosp.txt", _line(vid_hosp_line(item.values, delivery.life, item.ipp, site))


def _line(text: str) -> bytes:
    return (text + "\r\n").encode("latin-1")


PMSI = Format(
    "pmsi",
    "stays as grouped RSS, and the file that links them to patients",
    _rss,
    {"pmsi_rss.txt": b"", "pmsi_ano.csv": b"numero_rss;ipp\n"},
)
RSA = Format(
    "rsa",
    "the same stays as RSA, with TRA and ANO-HOSP to link them",
    _rsa,
    {"pmsi_rsa.txt": b"", "pmsi_tra.txt": b"", "pmsi_ano_hosp.txt": b""},
)
VID_HOSP = Format(
    "vid_hosp",
    "the link of stays to patients as VID-HOSP, with social security numbers that nobody has",
    _vid_hosp,
    {"pmsi_vid_hosp.txt": b""},
)
