"""CDA R2, level 1 and 3: whose it is, what it says, what it codes; prefixes, zones and null flavours do not matter."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from consore.model import SourceKind
from consore.sources import Rejection, SourceRecord, read_source

LOINC = "2.16.840.1.113883.6.1"
HEADER = (
    '<id root="1.2.3" extension="D1v2"/><code code="11526-1" codeSystem="2.16.840.1.113883.6.1" displayName="CR ACP"/>'
    '<title>Biopsie du sein</title><effectiveTime value="{time}"/><setId root="1.2.3" extension="D1"/>'
    '<versionNumber value="2"/><recordTarget><patientRole><id root="1.2.250.1.213.1.4.8" extension="279035121518989"/>'
    '<id nullFlavor="UNK"/><id root="1.2.3.4" extension="000003"/><patient/></patientRole></recordTarget>'
    "<author><assignedAuthor><assignedPerson><name><prefix>M</prefix><given>Agathe</given><family>MONVAL</family>"
    "<suffix>DR</suffix></name></assignedPerson><representedOrganization><name>Anatomie pathologique</name>"
    "</representedOrganization></assignedAuthor></author>"
)
TEXT = "Carcinome infiltrant, œstrogènes 90 %."


def cda(body: str, *, time: str = "20240301233000+0100", prefix: str = "", before: str = "") -> str:
    inside = f"<ClinicalDocument>{HEADER.format(time=time)}<component>{body}</component></ClinicalDocument>"
    named = f"xmlns:{prefix}" if prefix else "xmlns"
    if prefix:
        inside = re.sub(r"<(/?)(\w)", rf"<\1{prefix}:\2", inside)
    spaces = f'{named}="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    return before + inside.replace("ClinicalDocument>", f"ClinicalDocument {spaces}>", 1)


def level_one(content: bytes, kind: str = "text/plain") -> str:
    data = base64.encodebytes(content).decode()
    return f'<nonXMLBody><text mediaType="{kind}" representation="B64">\n{data}</text></nonXMLBody>'


def section(text: str, title: str = "CONCLUSION", entries: str = "") -> str:
    inside = f"<section><title>{title}</title><text>{text}</text>{entries}</section>"
    return f"<structuredBody><component>{inside}</component></structuredBody>"


def read(
    tmp_path: Path, content: str | bytes, kind: str = "documents", **options: Any
) -> list[SourceRecord | Rejection]:
    file = tmp_path / "doc.xml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_source(SourceKind(kind), file, {"format": "cda", **options}))  # type: ignore[arg-type]


def test_a_level_one_document_gives_the_text_of_what_it_carries(tmp_path: Path) -> None:
    (document,) = read(tmp_path, cda(level_one(TEXT.encode("cp1252"))))
    assert (document.kind, document.external_id, document.ipp) == ("document", "1.2.3^D1", "000003")
    assert document.version == "000002 20240301223000"
    assert document.values == {
        "kind": "pathology",
        "title": "Biopsie du sein",
        "date": "2024-03-01",
        "author": "Dr Agathe MONVAL",
        "service": "Anatomie pathologique",
        "text": TEXT,
    }


def test_sections_tables_and_lists_are_laid_out_as_they_are_seen(tmp_path: Path) -> None:
    text = (
        "<paragraph>Tumeur  de\n 2 cm.</paragraph><table><thead><tr><th>Récepteur</th><th>%</th></tr></thead>"
        '<tbody><tr><td>RE</td><td><content ID="a">90</content></td></tr></tbody></table>'
        "<list><item>T1</item><item>N0</item></list>"
        "Suite<br/>fin"
    )
    (document,) = read(tmp_path, cda(section(text)))
    assert document.values["text"] == "CONCLUSION\nTumeur de 2 cm.\nRécepteur\t%\nRE\t90\n- T1\n- N0\nSuite\nfin"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("prefix", ["", "c"])
def test_prefixes_and_encodings_do_not_matter(tmp_path: Path, encoding: str, prefix: str) -> None:
    name = "UTF-8" if encoding.startswith("utf-8") else encoding
    body = section("<paragraph>Adénome</paragraph>")
    (document,) = read(
        tmp_path, cda(body, prefix=prefix, before=f'<?xml version="1.0" encoding="{name}"?>').encode(encoding)
    )
    assert document.values["text"] == "CONCLUSION\nAdénome"


def test_bytes_in_another_encoding_than_they_say_are_read_all_the_same(tmp_path: Path) -> None:
    before = '<?xml version="1.0" encoding="UTF-8"?>'
    (document,) = read(tmp_path, cda(section("<paragraph>Adénome</paragraph>"), before=before).encode("latin-1"))
    assert document.values["text"].endswith("Adénome")


@pytest.mark.parametrize(
    ("time", "day"),
    [("202403", "2024-03-01"), ("2024", "2024-01-01"), ("20240301", "2024-03-01"), ("202403010015-0500", "2024-03-01")],
)
def test_partial_dates_and_zones_give_the_day_of_the_author(tmp_path: Path, time: str, day: str) -> None:
    (document,) = read(tmp_path, cda(section("<paragraph>x</paragraph>"), time=time))
    assert document.values["date"] == day


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
)
SECRET = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (cda(section("<paragraph>&c;</paragraph>"), before=BOMB), "xml_bomb"),
        (cda(section("<paragraph>&f;</paragraph>"), before=SECRET), "xml_bomb"),
        (cda(section("<paragraph>x</paragraph>"))[:-40], "damaged_xml"),
        (cda(section("")), "cda_without_text"),
        (
            cda('<nonXMLBody><text mediaType="application/pdf"><reference value="a.pdf"/></text></nonXMLBody>'),
            "external_document",
        ),
        (cda(level_one(b"%PDF-1.4 cut", "application/pdf")), "truncated_pdf"),
        (
            cda(section("<paragraph>x</paragraph>")).replace('extension="000003"', "").replace("279035121518989", ""),
            "missing_ipp",
        ),
        ("<ClinicalDocument_>", "damaged_xml"),
        ("", "empty_file"),
    ],
)
def test_a_bad_document_says_why(tmp_path: Path, content: str, reason: str) -> None:
    content = content.replace("<title>CONCLUSION</title>", "") if reason == "cda_without_text" else content
    (rejection,) = read(tmp_path, content)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason
    assert rejection.raw == content.encode()


def test_who_has_only_a_national_identifier_is_named_by_it(tmp_path: Path) -> None:
    (document,) = read(tmp_path, cda(section("<paragraph>x</paragraph>")).replace('extension="000003"', ""))
    assert document.ipp == "279035121518989"


def observation(code: str, label: str, value: str, more: str = "") -> str:
    return (
        f'<observation classCode="OBS" moodCode="EVN"><code code="{code}" displayName="{label}" codeSystem="{LOINC}"/>'
        f'<effectiveTime value="20240229101500+0100"/>{value}{more}</observation>'
    )


def test_laboratory_entries_are_results(tmp_path: Path) -> None:
    high = '<interpretationCode code="H"/>'
    bounds = (
        '<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="0"/><high value="4.0"/></value>'
        "</observationRange></referenceRange>"
    )
    entries = "".join(
        f"<entry>{one}</entry>"
        for one in (
            observation("2857-1", "PSA", '<value xsi:type="PQ" value="4.20" unit="ng/mL"/>', high + bounds),
            observation("600-7", "Hémoculture", '<value xsi:type="CD" code="260385009" displayName="négatif"/>'),
            observation("1988-5", "CRP", '<value xsi:type="IVL_PQ"><high value="1.0" unit="mg/L"/></value>'),
            observation("2-2", "Rien", '<value xsi:type="PQ" nullFlavor="NI"/>'),
        )
    )
    text = cda(section("<paragraph>x</paragraph>", entries=entries)).replace('code="11526-1"', 'code="11502-2"')
    psa, culture, crp = read(tmp_path, text, "biology")
    assert psa.values == {
        "date": "2024-02-29",
        "loinc": "2857-1",
        "analyse": "PSA",
        "valeur": "4.2",
        "unite": "ng/mL",
        "borne_basse": "0",
        "borne_haute": "4",
        "interpretation": "H",
    }
    assert (culture.values["valeur"], crp.values["valeur"]) == ("négatif", "<1.0")


def test_genetic_entries_are_genes_with_their_result(tmp_path: Path) -> None:
    variant = observation("48005-3", "pHGVS", '<value xsi:type="ST">p.(Leu858Arg)</value>')
    coded = observation(
        "48018-6",
        "Gène",
        '<value xsi:type="CD" code="EGFR" displayName="EGFR"/>',
        f"<entryRelationship>{variant}</entryRelationship>",
    )
    said = observation("48018-6", "Gène", '<value xsi:type="ST">KRAS : absence de mutation détectée</value>')
    text = cda(section("<paragraph>x</paragraph>", entries=f"<entry>{coded}</entry><entry>{said}</entry>"))
    first, second = read(tmp_path, text, "molecular")
    assert (first.values["gene"], first.values["statut"], first.values["variant"]) == (
        "EGFR",
        "mutated",
        "p.(Leu858Arg)",
    )
    assert (second.values["gene"], second.values["statut"], second.values["variant"]) == ("KRAS", "wild_type", "")
