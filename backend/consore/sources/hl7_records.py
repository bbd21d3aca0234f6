"""What HL7 v2 messages tell: patients, merges and stays (ADT), results (ORU), documents (MDM, and ORU that carry one).

Sources: HL7 v2.5 and 2.6; IHE PAM France 2.11; ANS, *Transmission de documents CDA en HL7 v2*. `formats/hl7_events.csv`
says what each ADT event is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from consore.errors import RecordError
from consore.sources import limits, texts
from consore.sources.cda import choose_identifier, decoded_base64, document_of, holds_cda, parse_cda
from consore.sources.hl7 import Message, Segment
from consore.sources.records import SourceRecord
from consore.sources.values import document_kind, instant, measure, parse_moment, read_format, word

_NAMES_OF_CONTENT = {"pdf": ".pdf", "rtf": ".rtf", "docx": ".docx", "msword": ".doc"}
_NO_DOCUMENT = re.compile(r"CORPSMAIL|CORPS_?MAIL", re.IGNORECASE)  # bodies of letters that go with a document
_MAIL_SUBJECT = re.compile(r"^XDM/1\.0/DDM")
_NUMBERS = ("NM", "SN", "ST", "CE", "CWE", "CF", "CNE", "IS", "ID", "NA", "DT", "TM", "TS", "DTM", "TX", "FT", "")
_LONG_TEXT = 200  # characters: a longer « result » is a report

Kinds = frozenset[str]
FAMILIES = {
    "ADT": frozenset(("patient", "stay", "merge", "deletion")),
    "ORU": frozenset(("biology", "document", "deletion")),
    "MDM": frozenset(("document", "deletion")),
}


def records_of(
    message: Message, origin: str, kinds: Kinds, authority: str = "", *, ocr: bool = True
) -> Iterator[SourceRecord]:
    """The records of these kinds that a message tells of. Raises RecordError with the reason."""
    family = FAMILIES.get(message.type, frozenset()) & kinds
    if not family:
        return
    if message.type == "ADT":
        yield from _identity_and_visit(message, origin, kinds, authority)
    elif "document" in kinds and (message.type == "MDM" or _carries_document(message)):
        yield from _document(message, origin, authority, ocr)
    if message.type == "ORU" and "biology" in kinds:
        yield from _results(message, origin, authority)


# --- ADT: identities and visits ---------------------------------------------------------------------------------


@cache
def _events() -> dict[str, dict[str, str]]:
    return {row["event"]: row for row in read_format("hl7_events")}


def _identity_and_visit(message: Message, origin: str, kinds: Kinds, authority: str) -> Iterator[SourceRecord]:
    event = _events().get(message.event)
    if event is None:
        return
    version, when = _version(message), _when(message)
    if event["merge"] == "yes":
        yield from _merges(message, origin, kinds, authority, version, when)
        return
    pid = _pid(message)
    if message.event == "A29":
        if "deletion" in kinds and "patient" in kinds:
            ipp = _ipp(pid, authority)
            values = {"of": "patient", "date": when, "reason": "A29"}
            yield SourceRecord("deletion", ipp, ipp, values, origin, message.raw, version=version)
        return
    if event["patient"] == "yes" and "patient" in kinds:
        yield _patient(pid, origin, authority, message.raw, version)
    if "stay" in kinds and event["stay"] != "no":
        yield from _stay(message, pid, event["stay"], origin, authority, version, when)


def _patient(pid: Segment, origin: str, authority: str, raw: bytes, version: str) -> SourceRecord:
    ipp = _ipp(pid, authority)
    birth_name, family, given = _names(pid)
    birth = parse_moment(pid.get(7))
    if not family:
        raise RecordError(
            "The patient has no name (PID-5).", "Correct the identity in the source.", reason="missing_family_name"
        )
    if birth is None:
        raise RecordError(
            f"The patient has no birth date (PID-7: “{pid.get(7)}”).",
            "Correct the identity in the source.",
            reason="missing_birth_date",
        )
    address = next(
        (one for one in pid.repeats(11) if pid.part(one, 3) and pid.part(one, 7) not in ("BDL", "N", "F")), ""
    )
    died = parse_moment(pid.get(29))
    if died and died < birth:
        raise RecordError(
            f"The birth date {birth} lies after the date of death {died}.",
            "Correct the dates in the source.",
            reason="inconsistent_dates",
        )
    values = {
        "family_name": family,
        "birth_name": birth_name,
        "given_name": given,
        "sex": word("sex", pid.get(8)) or "unknown",
        "birth_date": birth.isoformat(),
        "death_date": died.isoformat() if died else None,
        "last_news_date": died.isoformat() if died else None,
        "postal_code": pid.part(address, 5),
        "city": pid.part(address, 3),
        "opposed": False,
    }
    return SourceRecord("patient", ipp, ipp, values, origin, raw, version=version)


def _names(pid: Segment) -> tuple[str, str, str]:
    """Birth name (L, else M or B), name in use (D, else that), first given name of PID-5."""
    by_type: dict[str, tuple[str, str]] = {}
    for one in pid.repeats(5):
        if name := pid.part(one, 1):
            by_type.setdefault(pid.part(one, 7).upper() or "L", (name, pid.part(one, 2)))
    born = next((by_type[kind] for kind in ("L", "B", "M") if kind in by_type), None)
    used = by_type.get("D") or by_type.get("U") or born or next(iter(by_type.values()), ("", ""))
    maiden = pid.get(6)
    birth_name = born[0] if born else maiden
    return birth_name or used[0], used[0], used[1] or (born[1] if born else "")


def _merges(
    message: Message, origin: str, kinds: Kinds, authority: str, version: str, when: str | None
) -> Iterator[SourceRecord]:
    pairs: list[tuple[Segment, Segment]] = []
    pid: Segment | None = None
    for segment in message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG" and pid is not None:
            pairs.append((pid, segment))
    if not pairs:
        raise RecordError(
            "The merge names no identity that goes (PID then MRG).",
            "Check what the interface sends.",
            reason="missing_mrg",
        )
    for kept, gone in pairs:
        ipp, merged = _ipp(kept, authority), _identifier_of(gone, 1, authority)
        if "patient" in kinds and kept.raw(5) and parse_moment(kept.get(7)):
            yield _patient(kept, origin, authority, message.raw, version)
        if "merge" in kinds and ipp != merged:
            values = {"merged": merged, "date": when}
            yield SourceRecord("merge", f"{merged}→{ipp}", ipp, values, origin, message.raw, version=version)


def _stay(
    message: Message, pid: Segment, role: str, origin: str, authority: str, version: str, when: str | None
) -> Iterator[SourceRecord]:
    """A visit: told whole when it begins, and when it ends; what neither begins nor ends it changes nothing of it."""
    visit = message.first("PV1")
    number = (visit.get(19) if visit else "") or pid.get(18)
    if visit is None or not number:
        return  # a person without a visit: A28 with PV1-2 = N
    ipp = _ipp(pid, authority)
    if role == "deleted":
        values: dict[str, Any] = {"of": "stay", "date": when, "reason": message.event}
        yield SourceRecord("deletion", number, ipp, values, origin, message.raw, version=version)
        return
    entry, leave = parse_moment(visit.get(44)), parse_moment(visit.get(45))
    if message.event == "A13":
        leave = None
    if entry is None and role == "begins":
        movement = message.first("ZBE")
        entry = parse_moment(movement.get(2) if movement else "") or parse_moment(when)
    if role == "ends" and leave is None:
        return
    if entry is None:
        raise RecordError(
            f"The visit {number} does not say when it began (PV1-44).",
            "Have the interface send PV1-44 with the discharge.",
            reason="missing_entry_date",
        )
    if leave and leave < entry:
        raise RecordError(
            f"The stay ends on {leave}, before it begins on {entry}.",
            "Correct the dates in the source.",
            reason="inconsistent_dates",
        )
    values = {
        "number": number,
        "entry_date": entry.isoformat(),
        "exit_date": leave.isoformat() if leave else None,
        "unit": _unit(message, visit),
        "diagnoses": [],
        "acts": [],
    }
    yield SourceRecord("stay", number, ipp, values, origin, message.raw, version=version)


def _unit(message: Message, visit: Segment) -> str:
    movement = message.first("ZBE")
    return (movement.get(7, 10) if movement else "") or visit.get(3)


# --- ORU: results -----------------------------------------------------------------------------------------------


def _results(message: Message, origin: str, authority: str) -> Iterator[SourceRecord]:
    version = _version(message)
    order, taken, common = "", "", None
    seen: dict[str, int] = {}
    ipp = ""
    for segment in message.segments:
        if segment.name == "ORC":
            common = segment
        elif segment.name == "OBR":
            order = segment.get(3) or (common.get(3) if common else "") or segment.get(2) or message.header.get(10)
            taken = segment.get(7) or segment.get(22)
        elif segment.name == "OBX" and segment.get(2) in _NUMBERS and not _is_flag(segment):
            status = segment.get(11).upper()
            if status in ("X", "N", "O", "I", "S"):
                continue
            value = _value(segment)
            if not value or (segment.get(2) in ("TX", "FT") and len(value) > _LONG_TEXT):
                continue
            ipp = ipp or _ipp(_pid(message), authority)
            code, loinc, label = _analysis(segment)
            key = "/".join(filter(None, (order or message.header.get(10), code, segment.get(4))))
            seen[key] = seen.get(key, 0) + 1
            key = f"{key}#{seen[key]}" if seen[key] > 1 else key
            if status in ("D", "W"):
                gone = {"of": "biology", "date": _when(message), "reason": f"OBX-11 {status}"}
                yield SourceRecord("deletion", key, ipp, gone, origin, message.raw, version=version)
                continue
            day = parse_moment(segment.get(14)) or parse_moment(taken) or parse_moment(message.header.get(7))
            if day is None:
                raise RecordError(
                    "The result has no date (OBX-14, OBR-7).", "Check what the interface sends.", reason="missing_date"
                )
            low, high = _range(segment.text(7))
            row = {
                "date": day.isoformat(),
                "loinc": loinc,
                "analyse": label,
                "valeur": value,
                "unite": segment.get(6),
                "borne_basse": low,
                "borne_haute": high,
                "interpretation": segment.get(8),
            }
            yield SourceRecord("biology", key, ipp, row, origin, message.raw, version=version)


def _value(segment: Segment) -> str:
    kind = segment.get(2)
    if kind == "SN":
        return " ".join(f"{segment.get(5, 1)}{segment.get(5, 2)}{segment.get(5, 3)}{segment.get(5, 4)}".split())
    if kind in ("CE", "CWE", "CF", "CNE"):
        return segment.get(5, 2) or segment.get(5, 1)
    if kind in ("TX", "FT", "ST"):
        return measure(segment.text(5).strip())
    return measure(segment.get(5))


def _analysis(segment: Segment) -> tuple[str, str, str]:
    """The code that names a result, its LOINC code if it has one, its label (OBX-3)."""
    triples = [tuple(segment.get(3, place + step) for step in range(3)) for place in (1, 4)]
    coded = next((one for one in triples if one[2].upper() in ("LN", "LOINC")), None)
    loinc = coded[0] if coded else ""
    label = next((one[1] for one in ((coded,) if coded else ()) + tuple(triples) if one and one[1]), "")
    return triples[0][0] or loinc or label, loinc, label or triples[0][0]


def _range(written: str) -> tuple[str, str]:
    """The bounds of OBX-7: `3,5-5`, `<5`, `>10`."""
    text = written.strip()
    if text.startswith(("<", ">")):
        bound = measure(text.lstrip("<>= "))
        return ("", bound) if text[0] == "<" else (bound, "")
    if found := re.fullmatch(r"(-?[\d.,]+)\s*(?:-|à|to|;)\s*(-?[\d.,]+)", text):
        return measure(found[1]), measure(found[2])
    return "", ""


# --- MDM, and ORU with a document inside --------------------------------------------------------------------------


def _document(message: Message, origin: str, authority: str, ocr: bool) -> Iterator[SourceRecord]:
    version = _version(message)
    txa, order = message.first("TXA"), message.first("OBR")
    contents = [segment for segment in message.all("OBX") if _is_content(segment)]
    identifier = _document_id(message, txa, order, contents)
    ipp = _ipp(_pid(message), authority)
    gone = contents and all(segment.get(11).upper() in ("D", "W") for segment in contents)
    if message.event == "T11" or gone or (txa is not None and txa.get(17).upper() == "CA"):
        values = {"of": "document", "date": _when(message), "reason": message.event}
        yield SourceRecord("deletion", identifier, ipp, values, origin, message.raw, version=version)
        return
    if not contents:
        return  # T01, T03… tell of a document that another message carries
    parent = txa.get(13) if txa is not None else ""
    if parent and parent != identifier and message.event in ("T09", "T10"):
        values = {"of": "document", "date": _when(message), "reason": f"replaced by {identifier}"}
        yield SourceRecord("deletion", parent, ipp, values, origin, message.raw, version=version)
    told = _told(message, contents, origin, ocr)
    type_code = (txa.get(2) if txa is not None else "") or contents[0].get(3)
    label = contents[0].get(3, 2)
    title = told.pop("title", "") or (txa.get(16) if txa is not None and txa.get(16) else "") or label or type_code
    day = told.pop("date", None) or _first_day(
        *((txa.get(4), txa.get(6), txa.get(7)) if txa is not None else ()),
        *((order.get(7), order.get(22)) if order is not None else ()),
        message.header.get(7),
    )
    values = {
        "kind": document_kind(title, type_code),
        "title": title,
        "date": day,
        "author": told.pop("author", "") or _signature(message, txa),
        "service": told.pop("service", "") or (_visit(message)),
        "text": told["text"],
    }
    yield SourceRecord("document", identifier, ipp, values, origin, message.raw, version=version)


def _told(message: Message, contents: list[Segment], origin: str, ocr: bool) -> dict[str, Any]:
    """Title, date, author, service where a CDA tells them, and the text: of the fullest among forms of one document."""
    files = [segment for segment in contents if segment.get(2) in ("ED", "RP")]
    if not files:
        lines = [segment.text(5) for segment in contents]
        return {"text": limits.finished("\n".join(lines))}
    forms: dict[str, dict[str, Any]] = {}
    fault: RecordError | None = None
    for segment in files:
        try:
            told = _form(segment, origin, ocr)
        except RecordError as error:
            fault = fault or error
            continue
        held = forms.get(segment.get(3))
        if held is None or len(told["text"]) > len(held["text"]):
            forms[segment.get(3)] = told
    if not forms:
        raise fault or RecordError("The message carries no document.", "Send it again.", reason="missing_content")
    first, *others = forms.values()
    return {**first, "text": limits.finished("\n\n".join([first["text"], *(one["text"] for one in others)]))}


def _form(segment: Segment, origin: str, ocr: bool) -> dict[str, Any]:
    if segment.get(2) == "RP":
        raise RecordError(
            f"The content lies elsewhere ({segment.get(5)}).",
            "Send the document with its content inside.",
            reason="external_document",
        )
    how, data = segment.get(5, 4).lower(), segment.whole(segment.raw(5), 5)
    if how == "base64":
        content = decoded_base64(data)
    elif how == "hex":
        try:
            content = bytes.fromhex(data)
        except ValueError as error:
            raise RecordError("The content is no hexadecimal.", "Send it again.", reason="invalid_base64") from error
    else:
        content = segment.get(5, 5).encode()
    if not content.strip():
        raise RecordError("The message carries an empty document.", "Send it again.", reason="empty_file")
    if holds_cda(content):
        clinical = document_of(parse_cda(content), origin, partial(texts.text_from, ocr=ocr), identified=False)
        return {name: clinical.values[name] for name in ("title", "date", "author", "service", "text")}
    suffix = _NAMES_OF_CONTENT.get(segment.get(5, 3).lower(), "")
    return {"text": texts.text_from(content, suffix, ocr=ocr)}


def _is_content(segment: Segment) -> bool:
    kind = segment.get(2)
    if kind in ("ED", "RP"):
        name = f"{segment.get(3)} {segment.get(3, 2)}"
        return not (_NO_DOCUMENT.search(name) or _MAIL_SUBJECT.match(segment.get(3, 2)))
    return kind in ("TX", "FT", "ST") and not _is_flag(segment)


def _is_flag(segment: Segment) -> bool:
    """Whether an observation only says how a document is to be shown or sent (ANS, `MetaDMPMSS`)."""
    return segment.get(3, 3).upper() == "METADMPMSS" or segment.get(3).upper().startswith(
        ("MASQUE_", "INVISIBLE_", "MODIF_CONF", "CONNEXION_SECRETE", "DEST", "ACK_", "CORPSMAIL")
    )


def _carries_document(message: Message) -> bool:
    contents = [segment for segment in message.all("OBX") if _is_content(segment)]
    if any(segment.get(2) in ("ED", "RP") for segment in contents):
        return True
    lines = [segment for segment in contents if segment.get(2) in ("TX", "FT")]
    return bool(lines) and (sum(len(segment.raw(5)) for segment in lines) > _LONG_TEXT)


def _document_id(message: Message, txa: Segment | None, order: Segment | None, contents: list[Segment]) -> str:
    if txa is not None and txa.get(12):
        return txa.get(12)
    filler = (order.get(3) or order.get(2)) if order is not None else ""
    code = contents[0].get(3) if contents else ""
    return "/".join(filter(None, (filler, code))) if filler else f"{message.header.get(3)}/{message.header.get(10)}"


def _signature(message: Message, txa: Segment | None) -> str:
    for part in message.all("PRT"):
        if part.get(4) == "SB" and part.raw(5):
            return _named(part, 5)
    if txa is not None:
        for field in (22, 9, 5, 11):
            if named := _named(txa, field):
                return named
    order = message.first("OBR")
    return _named(order, 32) or _named(order, 16) if order is not None else ""


def _named(segment: Segment, field: int) -> str:
    """An XCN as it is said: « Agathe Monval »."""
    return " ".join(filter(None, (segment.get(field, 3), segment.get(field, 2))))


def _visit(message: Message) -> str:
    visit = message.first("PV1")
    return visit.get(3) if visit is not None else ""


# --- What all messages have -----------------------------------------------------------------------------------------


def _pid(message: Message) -> Segment:
    pid = message.first("PID")
    if pid is None:
        raise RecordError(
            "The message names no patient (no PID segment).", "Check what the interface sends.", reason="missing_pid"
        )
    return pid


def _ipp(pid: Segment, authority: str) -> str:
    return _identifier_of(pid, 3, authority)


def _identifier_of(segment: Segment, field: int, authority: str) -> str:
    """The IPP among the identifiers (CX) of a field; PID-2 and PID-4 are where older versions put it."""
    found = [
        (segment.whole(one, 4), segment.part(one, 1), segment.part(one, 5).upper())
        for place in ((field, 2, 4) if segment.name == "PID" else (field,))
        for one in segment.repeats(place)
        if segment.part(one, 1)
    ]
    return choose_identifier(found, authority)


def _version(message: Message) -> str:
    event = message.first("EVN")
    return instant(message.header.get(7)) or instant(event.get(2) if event else "")


def _when(message: Message) -> str | None:
    event = message.first("EVN")
    return _first_day(*((event.get(6), event.get(2)) if event else ()), message.header.get(7))


def _first_day(*moments: str) -> str | None:
    return next((day.isoformat() for moment in moments if (day := parse_moment(moment))), None)
