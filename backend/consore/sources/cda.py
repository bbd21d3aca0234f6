"""CDA R2 documents of the French volets (FRCP, CR-GM, PPS, CR-BIO, level 1…), as text and as coded rows.

Sources: HL7 CDA R2 (2005); ANS, CI-SIS *Structuration minimale de documents de santé*. Elements are known by their
local names: prefixes, extensions and a style sheet around the document (*auto-présentable*) do not matter.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from consore.errors import RecordError
from consore.sources import limits
from consore.sources.markup import Lines, decode_markup, parse_xml
from consore.sources.records import SourceRecord
from consore.sources.values import document_kind, instant, measure, parse_moment, word

# Identifiers that name a person in the whole country: the matricule INS in its six OIDs. An IPP is none of these.
NATIONAL = ("1.2.250.1.213.1.4.",)
TextFrom = Callable[[bytes, str], str]  # the text of a file's bytes, with the suffix that it is meant to have
_NAMED = "ClinicalDocument"
_NATIONAL_TYPES = ("INS", "INS-NIR", "INS-NIA", "INS-C", "NI", "NH", "SS")  # HL7 table 0203, and the French ones
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/rtf": ".rtf",
    "text/rtf": ".rtf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
_LABORATORY = ("11502-2", "1.3.6.1.4.1.19376.1.3.1")  # type of document, template of the laboratory entry (IHE)
_GENE, _PROTEIN, _DNA, _FREQUENCY = "48018-6", "48005-3", "48004-6", ("53034-5", "81258-6")
_COPY_SECTION = "55108-5"  # « copie du document »: a rendering of what the other sections say
_COPY = "69764-9"  # « type de document »: an attached copy of the report, no result


@dataclass(slots=True, frozen=True)
class Clinical:
    """A parsed CDA: its root, local names only, and its bytes."""

    root: Element
    raw: bytes

    @property
    def identifier(self) -> str:
        """What all versions of the document share (`setId`), else its own identifier."""
        for name in ("setId", "id"):
            found = self.root.find(name)
            if found is not None and (written := _identifier(found)):
                return written
        return ""

    @property
    def own_identifier(self) -> str:
        """The identifier of this version."""
        found = self.root.find("id")
        return _identifier(found) if found is not None else ""

    @property
    def version(self) -> str:
        """Sortable: version number, then moment of making."""
        number = self.root.find("versionNumber")
        written = (number.get("value") if number is not None else None) or "0"
        return f"{int(written) if written.isdecimal() else 0:06d} {instant(_value(self.root, 'effectiveTime'))}"

    def ipp(self, authority: str = "") -> str:
        """The patient's identifier: that of `authority` (an OID), else the first local one, else a national one.

        Raises RecordError where there is none.
        """
        found = [
            (element.get("root", ""), element.get("extension", "").strip())
            for element in self.root.findall("recordTarget/patientRole/id")
            if element.get("extension", "").strip()
        ]
        return choose_identifier([(root, extension, "") for root, extension in found], authority)

    def date(self) -> str | None:
        """The day of the document, else that of what it tells of."""
        for path in ("effectiveTime", "author/time", "documentationOf/serviceEvent/effectiveTime/low"):
            if day := parse_moment(_value(self.root, path)):
                return day.isoformat()
        return None

    def code(self) -> str:
        """The type of document (LOINC)."""
        found = self.root.find("code")
        return (found.get("code") if found is not None else None) or ""

    def title(self) -> str:
        """Its title, else the name of its type."""
        found = self.root.find("code")
        named = found.get("displayName", "") if found is not None else ""
        return _words(self.root.find("title")) or named


def holds_cda(content: bytes) -> bool:
    """Whether some bytes are a CDA, by the name of its root."""
    return _NAMED.encode() in content or _NAMED.encode("utf-16-le") in content or _NAMED.encode("utf-16-be") in content


def parse_cda(content: bytes) -> Clinical:
    """A CDA from its bytes. Raises RecordError: an XML bomb, damaged XML, no CDA."""
    try:
        try:
            root = parse_xml(content)
        except ParseError:  # bytes that are not in the encoding that they declare
            root = parse_xml(re.sub(r"^\s*<\?xml[^>]*\?>", "", decode_markup(content)))
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise RecordError(
            f"The document is no well-formed XML: {error}.", "Send it again.", reason="damaged_xml"
        ) from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    clinical = root if root.tag == _NAMED else root.find(f".//{_NAMED}")
    if clinical is None:
        raise RecordError(f"The XML holds no {_NAMED}.", "Send a CDA R2 document.", reason="not_a_cda")
    return Clinical(clinical, content)


def choose_identifier(found: list[tuple[str, str, str]], authority: str = "") -> str:
    """The IPP among (authority, identifier, type) triples: that of `authority`, else the first local one, else any.

    Raises RecordError where there is none.
    """
    if authority:
        mine = [identifier for whose, identifier, _ in found if authority.casefold() in whose.casefold().split("&")]
        if not mine:
            raise RecordError(
                f"The patient has no identifier of {authority}.",
                "Check the option “authority” of the source, or the identity in the source.",
                reason="missing_ipp",
            )
        return mine[0]
    local = [
        (kind, identifier)
        for whose, identifier, kind in found
        if not any(root in whose for root in NATIONAL) and kind not in _NATIONAL_TYPES
    ]
    for wanted in (("PI",), ("MR", "PT", "")):
        for kind, identifier in local:
            if kind in wanted:
                return identifier
    if local or found:
        return (local or [("", found[0][1])])[0][1]
    raise RecordError(
        "The patient has no identifier.",
        "Correct the identity in the source, then send it again.",
        reason="missing_ipp",
    )


def cda_text(content: bytes, text_from: TextFrom) -> str:
    """The text that a person reads in a CDA; `text_from` reads the file that a level 1 document carries."""
    return text_of_clinical(parse_cda(content), text_from)


def text_of_clinical(clinical: Clinical, text_from: TextFrom) -> str:
    """The text of a level 1 document's content, or of the sections of a level 2 or 3. Raises RecordError."""
    body = clinical.root.find("component/nonXMLBody/text")
    if body is not None:
        return _content(body, text_from)
    lines = Lines()
    try:
        for part in clinical.root.findall("component/structuredBody/component/section"):
            _section(part, lines, clinical.title())
    except RecursionError as error:
        raise RecordError("The document is nested without end.", "Send it again.", reason="damaged_xml") from error
    text = lines.text()
    if not text:
        raise RecordError("The CDA holds no text.", "Export it with its narrative.", reason="cda_without_text")
    return text


def document_of(
    clinical: Clinical, origin: str, text_from: TextFrom, authority: str = "", *, identified: bool = True
) -> SourceRecord:
    """The document as a record. Raises RecordError with the reason.

    `identified`: whether it must say whose it is and which; a message around it may have said so.
    """
    title = clinical.title()
    values = {
        "kind": document_kind(title, clinical.code()),
        "title": title,
        "date": clinical.date(),
        "author": _author(clinical.root),
        "service": _service(clinical.root),
        "text": limits.finished(text_of_clinical(clinical, text_from)),
    }
    identifier = clinical.identifier
    if not identified:
        return SourceRecord("document", identifier, "", values, origin)
    if not identifier:
        raise RecordError("The CDA has no identifier.", "Export it with its id or setId.", reason="missing_id")
    return SourceRecord(
        "document", identifier, clinical.ipp(authority), values, origin, clinical.raw, version=clinical.version
    )


def results_of(clinical: Clinical, origin: str, authority: str = "") -> Iterator[SourceRecord]:
    """The laboratory results (`biology`) and the genes studied (`molecular`) of a CDA."""
    root = clinical.root
    report = clinical.code() == _LABORATORY[0]
    laboratory = [
        element
        for part in ([root] if report else [act for act in root.iter("act") if _claims(act, _LABORATORY[1])])
        for element in part.iter("observation")
    ]
    genes = [element for element in root.iter("observation") if _code(element) == _GENE]
    if not laboratory and not genes:
        return
    ipp, day, identifier = clinical.ipp(authority), clinical.date(), clinical.identifier or clinical.own_identifier
    version = clinical.version
    for place, observation in enumerate(genes, start=1):
        if row := _gene_row(observation, day):
            key = f"{identifier}/{row['gene']}/{place}"
            yield SourceRecord("molecular", key, ipp, row, origin, clinical.raw, version=version)
    if genes or not laboratory:
        return
    for place, observation in enumerate(laboratory, start=1):
        if row := _result_row(observation, day):
            key = f"{identifier}/{row['loinc'] or row['analyse']}/{place}"
            yield SourceRecord("biology", key, ipp, row, origin, clinical.raw, version=version)


# --- Text -----------------------------------------------------------------------------------------------------


def _content(body: Element, text_from: TextFrom) -> str:
    """What a level 1 document carries: base64 of a file, or text."""
    reference = body.find("reference")
    written = "".join(body.itertext()).strip()
    kind = body.get("mediaType", "text/plain").partition(";")[0].strip().lower()
    if not written:
        if reference is not None:
            raise RecordError(
                f"The content lies elsewhere ({reference.get('value', '')}).",
                "Send the document with its content inside.",
                reason="external_document",
            )
        raise RecordError("The CDA holds no content.", "Send it with its content.", reason="cda_without_text")
    if body.get("representation", "TXT").upper() == "B64":
        content = decoded_base64(written)
        if body.get("compression"):
            content = _inflated(content)
        return text_from(content, _SUFFIXES.get(kind, ""))
    return text_from(written.encode(), ".html" if "html" in kind else "")


def decoded_base64(written: str) -> bytes:
    """Bytes of a base64 text, blanks and missing padding forgiven. Raises RecordError where it is none."""
    bare = re.sub(r"\s+", "", written).replace("-", "+").replace("_", "/").rstrip("=")
    if len(bare) * 3 // 4 > limits.MAX_FILE:
        raise limits.too_large(len(bare) * 3 // 4)
    if len(bare) % 4 == 1:
        bare = bare[:-1]  # cut within a byte: what comes before it is still read, and told damaged if it is
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError("The content is no base64.", "Send the document again.", reason="invalid_base64") from error


def _inflated(content: bytes) -> bytes:
    for bits in (47, -15):  # gzip or zlib by its header, then a bare stream
        unpacker = zlib.decompressobj(bits)
        try:
            data = unpacker.decompress(content, limits.MAX_FILE + 1)
        except zlib.error:
            continue
        if len(data) > limits.MAX_FILE:
            raise RecordError("The content unpacks to more than is safe.", "Send it again.", reason="zip_bomb")
        return data
    raise RecordError("The content cannot be unpacked.", "Send it again.", reason="damaged_content")


def _section(section: Element, lines: Lines, above: str) -> None:
    if _code(section) == _COPY_SECTION:
        return
    title = _words(section.find("title"))
    if title and title != above:  # the title of the only section often repeats that of the document
        lines.block()
        lines.words(title)
        lines.block()
    narrative = section.find("text")
    before = len(lines)
    if narrative is not None:
        _narrative(narrative, lines)
        lines.block()
    below = section.findall("component/section")
    if len(lines) == before and not below:
        for observation in section.iter("observation"):
            if told := _told(observation):
                lines.words(told)
                lines.block()
    for part in below:
        _section(part, lines, title)


_LINES = frozenset(
    ("paragraph", "list", "item", "table", "thead", "tbody", "tfoot", "tr", "caption", "col", "colgroup")
)


def _narrative(element: Element, lines: Lines) -> None:
    """A narrative block (CDA R2, Narrative Block Schema), as it is seen; HTML names are taken too."""
    lines.words(element.text or "")
    for child in element:
        tag = child.tag if isinstance(child.tag, str) else ""
        if tag == "br":
            lines.line()
        elif tag in ("td", "th"):
            lines.cell()
            _narrative(child, lines)
        elif tag in _LINES or tag in ("p", "li", "ul", "ol", "div"):
            lines.block()
            if tag in ("item", "li"):
                lines.words("- ")
            _narrative(child, lines)
            lines.block()
        elif tag == "observationMedia":
            pass  # an image in base64 is no text
        else:
            _narrative(child, lines)
        lines.words(child.tail or "")


def _told(observation: Element) -> str:
    """An entry without narrative, as « what : value »."""
    code, value = observation.find("code"), observation.find("value")
    label = _label(code)
    shown = _shown(value)
    return f"{label} : {shown}" if label and shown else ""


# --- Rows -----------------------------------------------------------------------------------------------------


def _claims(element: Element, template: str) -> bool:
    return any(one.get("root") == template for one in element.findall("templateId"))


def _result_row(observation: Element, day: str | None) -> dict[str, Any] | None:
    code, value = observation.find("code"), observation.find("value")
    if code is None or value is None or code.get("code") == _COPY:
        return None
    shown = _shown(value)
    if not shown:
        return None
    loinc = next((one.get("code", "") for one in (code, *code.findall("translation")) if _is_loinc(one)), "")
    bounds = observation.find("referenceRange/observationRange/value")
    low, high = (bounds.find("low"), bounds.find("high")) if bounds is not None else (None, None)
    flag = observation.find("interpretationCode")
    moment = parse_moment(_value(observation, "effectiveTime")) or parse_moment(
        _value(observation, "effectiveTime/low")
    )
    return {
        "date": moment.isoformat() if moment else day or "",
        "loinc": loinc,
        "analyse": _label(code) or code.get("code") or "",
        "valeur": measure(shown),
        "unite": unit_of(value.get("unit", "")),
        "borne_basse": measure(low.get("value", "")) if low is not None else "",
        "borne_haute": measure(high.get("value", "")) if high is not None else "",
        "interpretation": (flag.get("code") if flag is not None else None) or "",
    }


def _gene_row(observation: Element, day: str | None) -> dict[str, Any] | None:
    value = observation.find("value")
    if value is None:
        return None
    gene, _, result = _shown(value).partition(" : ")
    if value.get("code"):
        gene, result = value.get("code", ""), ""
    parts = {_code(one): _shown(one.find("value")) for one in observation.iter("observation") if one is not observation}
    variant = parts.get(_PROTEIN) or parts.get(_DNA) or ""
    status = word("status", result) if result else ("mutated" if variant else "unknown")
    if status is None:
        variant = variant or result.removeprefix("mutation").strip(" :")
        status = "mutated"
    moment = parse_moment(_value(observation, "effectiveTime"))
    if not gene:
        return None
    return {
        "date": moment.isoformat() if moment else day or "",
        "gene": gene.strip(),
        "statut": status,
        "variant": variant,
        "frequence_allelique": next((measure(parts[code]) for code in _FREQUENCY if parts.get(code)), ""),
        "technique": "",
        "prelevement": "",
        "conclusion": "",
    }


def unit_of(written: str) -> str:
    """A unit as UCUM writes it; what has none is counted in `1` there."""
    return "" if written == "1" else written


def _shown(value: Element | None) -> str:
    """A value as it is said: the number of a quantity, the name of a code, the words of a text."""
    if value is None:
        return ""
    if value.get("value") is not None:
        return value.get("value", "")
    kind = value.get(_TYPE, "").rpartition(":")[2]
    if kind in ("ED", "TS", "IVL_TS", "II"):
        return ""
    if kind.startswith("IVL"):
        low, high = value.find("low"), value.find("high")
        least, most = (one.get("value", "") if one is not None else "" for one in (low, high))
        if least and most:
            return f"{least}-{most}"
        bound = low if least else high
        equal = "=" if bound is not None and bound.get("inclusive") == "true" else ""
        return f">{equal}{least}" if least else f"<{equal}{most}" if most else ""
    if kind.startswith("RTO"):
        parts = [one.get("value", "") for one in value]
        return "/".join(filter(None, parts))
    return value.get("displayName") or _words(value) or value.get("code") or ""


def _words(element: Element | None) -> str:
    """The words of an element, on one line."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _label(code: Element | None) -> str:
    if code is None:
        return ""
    said = _words(code.find("originalText"))
    translated = next((one.get("displayName") for one in code.findall("translation") if one.get("displayName")), "")
    return " ".join((code.get("displayName") or said or translated or "").split())


def _is_loinc(code: Element) -> bool:
    return code.get("codeSystem") == "2.16.840.1.113883.6.1" or (code.get("codeSystemName") or "").upper() == "LOINC"


def _code(observation: Element) -> str:
    code = observation.find("code")
    return (code.get("code") if code is not None else None) or ""


def _value(element: Element, path: str) -> str | None:
    found = element.find(path)
    return found.get("value") if found is not None else None


def _identifier(element: Element) -> str:
    root, extension = element.get("root", "").strip(), element.get("extension", "").strip()
    return f"{root}^{extension}" if root and extension else root or extension


def _author(root: Element) -> str:
    for author in root.findall("author/assignedAuthor"):
        name = author.find("assignedPerson/name")
        if name is not None and (said := person(name)):
            return said
        device = author.find("assignedAuthoringDevice/softwareName")
        if device is not None and (device.text or "").strip():
            return " ".join((device.text or "").split())
    return ""


def person(name: Element) -> str:
    """A name as it is said: « Dr Agathe Monval »."""
    parts = {
        tag: [(one.text or "").strip() for one in name.findall(tag)] for tag in ("prefix", "given", "family", "suffix")
    }
    titles = [one for one in (*parts["suffix"], *parts["prefix"]) if one.upper().rstrip(".") in ("DR", "PR")]
    words = [titles[0].rstrip(".").title() if titles else "", *parts["given"][:1], *parts["family"][:1]]
    return " ".join(filter(None, words)) or " ".join((name.text or "").split())


def _service(root: Element) -> str:
    for path in (
        "componentOf/encompassingEncounter/location/healthCareFacility/location/name",
        "author/assignedAuthor/representedOrganization/name",
        "custodian/assignedCustodian/representedCustodianOrganization/name",
    ):
        found = root.find(path)
        if found is not None and (found.text or "").strip():
            return " ".join((found.text or "").split())
    return ""


def read_cda_file(file: Path) -> bytes:
    """The bytes of a CDA file. Raises RecordError where it is too large or empty."""
    size = file.stat().st_size
    if size > limits.MAX_FILE:
        raise limits.too_large(size)
    content = file.read_bytes()
    if not content.strip():
        raise RecordError("The file is empty.", "Export it again.", reason="empty_file")
    return content
