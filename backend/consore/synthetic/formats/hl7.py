"""HL7 v2 messages: ADT (identities and stays), ORU (biology), MDM (documents in base64).

Sources: HL7 v2.5 and 2.6; *IHE PAM National Extension France* 2.11 for ADT (segments ZBE and ZFM); ANS, *Transmission
de documents CDA en HL7 v2* 2.0 for MDM, as their public examples show them. Segments end with a carriage return,
files are in UTF-8. Patients have a local identifier only: a national one would be somebody's.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator
from itertools import groupby

from consore.synthetic import deltas, files
from consore.synthetic.deltas import WRONG_PATIENT, Delivery, Item, Version
from consore.synthetic.extracts import Stay
from consore.synthetic.formats import cda
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.codes import analysis, author_of, document_type, stamp
from consore.synthetic.formats.site import Site
from consore.synthetic.trajectory import TODAY, Lab

_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": "\\.br\\"}
)


def escape(text: str) -> str:
    """Text without the delimiters of HL7."""
    return text.translate(_ESCAPES)


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment with its fields by number; MSH counts its separator as field 1."""
    first = 2 if name == "MSH" else 1
    return "|".join([name, *(fields.get(number, "") for number in range(first, max(fields) + 1))])


def message(segments: list[str]) -> bytes:
    """A message: segments, each with its carriage return."""
    return ("\r".join(segments) + "\r").encode()


def _msh(
    site: Site, sender: str, event: str, structure: str, key: str, when: dt.datetime, version: str, profile: str
) -> str:
    return segment(
        "MSH",
        {
            2: "^~\\&",
            3: sender,
            4: site.code,
            5: "CONSORE",
            6: site.code,
            7: _second(when),
            9: f"{event}^{structure}",
            10: escape(key)[:50],
            11: "P",
            12: version,
            17: "FRA",
            18: "UNICODE UTF-8",
            19: "FR" if version.startswith("2.5") else "",
            21: profile,
        },
    )


def _authority(site: Site) -> str:
    return f"{site.code}&{site.oid}.1&ISO"


def _pid(row: dict[str, str], ipp: str, site: Site, updated: dt.datetime | None = None) -> str:
    """The identity: birth name (L) then usual name (D), status of identity, death."""
    given, birth = escape(row["prenom"].upper()), escape((row["nom_naissance"] or row["nom_usage"]).upper())
    names = f"{birth}^{given}^{given}^^^^L"
    if row["nom_naissance"] and row["nom_usage"] != row["nom_naissance"]:
        names += f"~{escape(row['nom_usage'].upper())}^{given}^^^^^D"
    town, died = escape(row["commune"].upper()), row["date_deces"].replace("-", "")
    fields = {
        1: "1",
        3: f"{ipp}^^^{_authority(site)}^PI",
        5: names,
        7: row["date_naissance"].replace("-", ""),
        8: row["sexe"],
        11: f"^^{town}^^{row['code_postal']}^FRA^H" if town else "",
        29: died,
        30: "Y" if died else "N",
        32: "VALI" if row["nom_naissance"] else "PROV",
    }
    if updated:
        fields[33] = _second(updated)
    return segment("PID", fields)


def _pv1(patient_class: str, site: Site, visit: str = "", **times: dt.date) -> str:
    fields = {1: "1", 2: patient_class}
    if visit:
        fields[3] = f"0101^^^{site.code}&{site.finess}&M"
        fields[19] = f"{visit}^^^{site.code}&{site.oid}.3&ISO^VN"
    if "entry" in times:
        fields[44] = f"{times['entry']:%Y%m%d}080000"
    if "leave" in times:
        fields[45] = f"{times['leave']:%Y%m%d}150000"
    return segment("PV1", fields)


def _adt(delivery: Delivery, site: Site) -> Iterator[Piece]:
    """Identities (A28 new, A31 changed), visits (A04 for sessions, A01 and A03 for stays, A08), merges (A40)."""
    rows = {item.ipp: item for item in delivery.tables[deltas.PATIENTS]}
    when = stamp(delivery.date, f"adt{delivery.number}")
    day = "" if delivery.day is None else f"D{delivery.day}"
    for ipp, item in rows.items():
        event = "A28" if item.first else "A31"
        yield _event(site, event, f"{event}{ipp}{day}", when, [_pid(item.values, ipp, site, when), _pv1("N", site)])
        if not item.first and delivery.stays and (delivery.date - delivery.stays[-1].leave).days < 60:
            stay = delivery.stays[-1]
            visit = _pv1("R" if stay.sessions else "I", site, stay.number, entry=stay.entry)
            yield _event(site, "A08", f"A08{ipp}{day}", when, [_pid(item.values, ipp, site, when), visit], "ADT_A01")
    known = _identity(delivery)
    for item in delivery.tables[deltas.STAYS]:
        yield from _visit(item.values, known, item.ipp, site)
    for merge in delivery.merges:
        moment = stamp(merge.date, merge.old)
        if delivery.day is None or merge.day == 0:  # its identity was never delivered: it is announced first
            earlier = moment - dt.timedelta(days=2)
            again = [_pid({**known, "nom_naissance": ""}, merge.old, site, earlier), _pv1("N", site)]
            yield _event(site, "A28", f"A28{merge.old}", earlier, again)
        mrg = segment("MRG", {1: f"{merge.old}^^^{_authority(site)}^PI"})
        yield _event(site, "A40", f"A40{merge.old}", moment, [_pid(known, merge.kept, site, moment), mrg], "ADT_A39")


def _identity(delivery: Delivery) -> dict[str, str]:
    from consore.synthetic.extracts import patient_row

    row = patient_row(delivery.life)
    return row if (delivery.life.death or TODAY) <= delivery.date else {**row, "date_deces": ""}


def _visit(stay: Stay, row: dict[str, str], ipp: str, site: Site) -> Iterator[Piece]:
    alive = {**row, "date_deces": ""}
    entry, leave = stamp(stay.entry, stay.number), stamp(stay.leave, f"{stay.number}/leave")
    if stay.sessions:
        visit = _pv1("R", site, stay.number, entry=stay.entry)
        movement = [_zbe(stay, site, entry, "1"), segment("ZFM", {1: "8"})]
        yield _event(
            site, "A04", f"A04{int(stay.number)}", entry, [_pid(alive, ipp, site), visit, *movement], "ADT_A01"
        )
        return
    visit = _pv1("I", site, stay.number, entry=stay.entry)
    movement = [_zbe(stay, site, entry, "1"), segment("ZFM", {1: "8"})]
    yield _event(site, "A01", f"A01{int(stay.number)}", entry, [_pid(alive, ipp, site), visit, *movement], "ADT_A01")
    visit = _pv1("I", site, stay.number, entry=stay.entry, leave=stay.leave)
    movement = [_zbe(stay, site, leave, "2"), segment("ZFM", {1: "8", 2: "8"})]
    yield _event(site, "A03", f"A03{int(stay.number)}", leave, [_pid(alive, ipp, site), visit, *movement], "ADT_A03")


def _zbe(stay: Stay, site: Site, when: dt.datetime, movement: str) -> str:
    """The movement: its number, its date, that it is new and not of the past, the unit of care, its nature."""
    unit = f"Oncologie^^^^^{site.code}&{site.finess}&M^UF^^^0101"
    return segment(
        "ZBE",
        {
            1: f"{stay.number}{movement}^{site.code}^{site.oid}.4^ISO",
            2: _second(when),
            4: "INSERT",
            5: "N",
            7: unit,
            8: unit,
            9: "HMS",
        },
    )


def _event(
    site: Site, event: str, key: str, when: dt.datetime, segments: list[str], structure: str = "ADT_A05"
) -> Piece:
    msh = _msh(site, "GAM", f"ADT^{event}", structure, key, when, "2.5^FRA^2.11", "2.11^IHE_FRANCE-2.11-PAM")
    evn = segment("EVN", {2: _second(when), 6: _second(when)})
    return _ADT_FILE, message([msh, evn, *segments])


def _oru(delivery: Delivery, site: Site) -> Iterator[Piece]:
    """One message a sample: OBR, then an OBX a result; analyses without a sure LOINC code have the laboratory's."""
    row = _identity(delivery)
    by_day = groupby(delivery.tables[deltas.LABS], key=lambda item: (item.ipp, item.values.date))
    for (ipp, date), found in by_day:
        items = list(found)
        when = stamp(date, items[0].key)
        order = f"{delivery.number:06d}{date:%Y%m%d}"
        msh = _msh(site, "SIL", "ORU^R01", "ORU_R01", f"R{order}{ipp[-1]}", when, "2.5^FRA^2.11", "")
        obr = segment(
            "OBR",
            {
                1: "1",
                2: f"{order}^{site.code}",
                3: f"{order}^SIL",
                4: "11502-2^CR d'examens biologiques^LN",
                7: _second(when),
                22: _second(when + dt.timedelta(hours=3)),
                25: "F",
            },
        )
        orc = segment("ORC", {1: "RE", 2: f"{order}^{site.code}", 3: f"{order}^SIL", 9: _second(when)})
        results = [_obx(place, item.values, when) for place, item in enumerate(items, start=1)]
        pid = _pid({**row, "date_deces": ""}, ipp, site)
        yield _ORU_FILE, message([msh, pid, _pv1("O", site), orc, obr, *results])


def _obx(place: int, lab: Lab, when: dt.datetime) -> str:
    loinc = analysis(lab.code)
    local = f"{escape(lab.code)}^{escape(lab.code)}^L"
    code = f"{loinc.code}^{escape(loinc.label)}^LN^{local}" if loinc else local
    unit = f"{escape(loinc.unit)}^{escape(lab.unit)}^UCUM" if loinc else f"{escape(lab.unit)}^{escape(lab.unit)}^L"
    low = "" if lab.low is None else f"{lab.low:g}"
    high = "" if lab.high is None else f"{lab.high:g}"
    flag = "L" if lab.low is not None and lab.value < lab.low else ""
    flag = "H" if lab.high is not None and lab.value > lab.high else flag
    bounds = f"{low}-{high}" if low and high else f"<{high}" if high else f">{low}" if low else ""
    return segment(
        "OBX",
        {
            1: str(place),
            2: "NM",
            3: code,
            5: f"{lab.value:g}",
            6: unit,
            7: bounds,
            8: flag or "N",
            11: "F",
            14: _second(when),
        },
    )


def _mdm(delivery: Delivery, site: Site) -> Iterator[Piece]:
    """A message a version of a document: T02, T10 when it replaces another; T04 or T11 when it is taken back."""
    row = {**_identity(delivery), "date_deces": ""}
    folder = f"hl7/mdm/{site.folder(delivery.number)}"
    for item in delivery.tables[deltas.DOCUMENTS]:
        report, version = item.values.report, item.values.version
        replaces = not item.first
        when = stamp(report.date, item.key)
        content = _content(item, delivery, site)
        segments = [
            *_about(site, "T10" if replaces else "T02", f"{item.key}V{version}", when, row, item.ipp),
            _txa(item, site, replaces, when),
            segment("OBX", {1: "1", 2: "ED", 3: _typed(report.kind), 5: content, 11: "C" if replaces else "F"}),
        ]
        signed = author_of(report.author)
        who = f"8{signed.rpps}^{escape(signed.family)}^{escape(signed.given)}^^^^^^{_RPPS}^D^^^RPPS"
        segments.append(segment("PRT", {2: "UC", 4: "SB^^HL70912", 5: who}))
        segments += [
            segment("OBX", {1: str(place), 2: "CWE", 3: f"{code}^{escape(label)}^MetaDMPMSS", 5: "N^^HL70136", 11: "F"})
            for place, (code, label) in enumerate(_FLAGS, start=2)
        ]
        yield f"{folder}{item.key}_v{version}.hl7", message(segments)
    for table, version in delivery.removals:
        if table == deltas.DOCUMENTS:
            yield f"{folder}{version.key}_suppression.hl7", _cancelled(version, delivery, site, row)


_RPPS = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"
_FLAGS = (
    ("MASQUE_PS", "Masqué aux professionnels de Santé"),
    ("INVISIBLE_PATIENT", "Document Non Visible par le patient"),
    ("INVISIBLE_REP_LEGAUX", "Non visible par les représentants Légaux du patient"),
    ("MODIF_CONF_CODE", "Modification Confidentiality Code"),
)


def _about(site: Site, trigger: str, key: str, when: dt.datetime, row: dict[str, str], ipp: str) -> list[str]:
    return [
        _msh(site, "DPI", f"MDM^{trigger}", "MDM_T02" if trigger != "T11" else "MDM_T01", key, when, "2.6", _PROFILE),
        segment("EVN", {2: _second(when), 6: _second(when)}),
        _pid(row, ipp, site),
        _pv1("N", site),
    ]


_PROFILE = "2.0^CISIS_CDA_HL7_V2"


def _txa(item: Item, site: Site, replaces: bool, when: dt.datetime) -> str:
    issue = item.values
    signed = author_of(issue.report.author)
    parent = f"{cda.document_oid(site, item.key, issue.version - 1)}^{site.code}" if replaces else ""
    return segment(
        "TXA",
        {
            1: "1",
            2: document_type(issue.report.kind).code,
            3: "TEXT",
            4: f"{when:%Y%m%d%H%M}",
            12: f"{cda.document_oid(site, item.key, issue.version)}^{site.code}",
            13: parent,
            17: "LA" if issue.final else "PA",
            22: f"8{signed.rpps}",
        },
    )


def _typed(kind: str) -> str:
    found = document_type(kind)
    return f"{found.code}^{escape(found.label)}^LN"


def _content(item: Item, delivery: Delivery, site: Site) -> str:
    """OBX-5: mostly a CDA level 1, as the national profile says; the PDF alone from older systems."""
    if site.dice(f"mdm/{item.key}") < 0.7:
        return f"^text^XML^Base64^{base64.b64encode(cda.level_one(item, delivery, site)).decode()}"
    report = item.values.report
    return f"^application^pdf^Base64^{base64.b64encode(files.as_pdf(report.text, report.title)).decode()}"


def _cancelled(version: Version, delivery: Delivery, site: Site, row: dict[str, str]) -> bytes:
    """T04 with a deleted OBX from systems of the national profile, T11 from those of the base standard."""
    when = stamp(delivery.date, version.key)
    national = site.dice(f"mdm/{version.key}") < 0.7
    identifier = f"{cda.document_oid(site, version.key, 1)}^{site.code}"
    txa = {1: "1", 2: document_type("other").code, 3: "TEXT", 4: f"{when:%Y%m%d%H%M}", 12: identifier, 17: "CA"}
    trigger = "T04" if national else "T11"
    segments = [*_about(site, trigger, f"{version.key}S", when, row, version.ipp), segment("TXA", txa)]
    if national:
        nothing = base64.b64encode(WRONG_PATIENT.encode()).decode()
        told = {1: "1", 2: "ED", 3: _typed("other"), 5: f"^text^plain^Base64^{nothing}", 11: "D"}
        segments.append(segment("OBX", told))
    return message(segments)


def _second(when: dt.datetime) -> str:
    return f"{when:%Y%m%d%H%M%S}"


_ADT_FILE, _ORU_FILE = "hl7/adt.hl7", "hl7/oru.hl7"
_MOMENT = f"{TODAY:%Y%m%d}060000"
_BATCH = f"FHS|^~\\&|EAI||CONSORE||{_MOMENT}\rBHS|^~\\&|EAI||CONSORE||{_MOMENT}\r".encode()
_END = b"BTS|{count}\rFTS|1\r"

ADT = Format(
    "adt", "identities and stays as HL7 v2.5 ADT (IHE PAM France)", _adt, {_ADT_FILE: _BATCH}, {_ADT_FILE: _END}
)
ORU = Format("oru", "biology as HL7 v2.5 ORU^R01", _oru, {_ORU_FILE: _BATCH}, {_ORU_FILE: _END})
MDM = Format("mdm", "documents as HL7 v2.6 MDM, in base64", _mdm)
