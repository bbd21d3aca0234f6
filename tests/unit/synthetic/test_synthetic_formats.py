"""Each format of a fictional centre, read back by another program than the one that wrote it."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import docx
import hl7
import openpyxl
import pypdf
import pytest
from lxml import etree
from striprtf.striprtf import rtf_to_text

from consore.model import SourceKind
from consore.sources import SourceRecord, read_source
from consore.synthetic import break_some, deltas, generate_centre
from consore.synthetic.deltas import deliver
from consore.synthetic.formats import FORMATS, Site, chosen
from consore.synthetic.formats.codes import author_of
from consore.synthetic.formats.hl7 import escape
from consore.synthetic.formats.pharmacy import ucd13
from consore.synthetic.formats.pmsi import VID_HOSP_POSITIONS
from consore.synthetic.trajectory import Lab, draw_life

CDA = {"h": "urn:hl7-org:v3"}
HEADER = [
    "realmCode", "typeId", "templateId", "id", "code", "title", "effectiveTime", "confidentialityCode", "languageCode",
    "setId", "versionNumber", "recordTarget", "author", "custodian", "legalAuthenticator", "documentationOf",
    "relatedDocument", "componentOf", "component",
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("all")
    return generate_centre(out, code="FMT", name="Centre des formats", patients=40, seed=4, formats=("all",)).root


@pytest.fixture(scope="module")
def texts(root: Path) -> dict[str, str]:
    lines = (root / "verite" / "documents.jsonl").open(encoding="utf-8")
    return {told["id"]: told["text"] for told in map(json.loads, lines)}


@pytest.fixture(scope="module")
def carried(root: Path) -> dict[str, Path]:
    """The file of each document."""
    return {row["id"]: root / "documents" / row["fichier"] for row in rows(root / "documents" / "index.csv")}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def words(text: str) -> str:
    return re.sub(r"\s+", "", text)


def pdf_text(content: bytes) -> str:
    return " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def messages(path: Path) -> Iterator[hl7.Message]:
    content = path.read_bytes().decode("utf-8")
    assert "\n" not in content
    for one in re.split(r"(?=MSH\|)", content)[1:]:
        yield hl7.parse(re.split(r"BTS\|", one)[0])


def test_every_format_is_written_when_all_are_asked(root: Path) -> None:
    writers, carriers = chosen(("all",))
    assert len(carriers) + len(writers) - 2 == len(FORMATS)
    suffixes = {path.suffix for path in root.rglob("*") if path.is_file()}
    assert suffixes >= {".csv", ".txt", ".pdf", ".docx", ".rtf", ".html", ".odt", ".xml", ".hl7", ".xlsx", ".ndjson"}
    assert not list(root.rglob("*.rows.xml"))


def test_all_formats_are_the_same_bytes_on_two_runs_and_in_two_processes(tmp_path: Path, root: Path) -> None:
    made = generate_centre(
        tmp_path, code="FMT", name="Centre des formats", patients=40, seed=4, formats=("all",), workers=2
    )

    def digest(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }

    assert digest(made.root) == digest(root)


# Documents as files


def test_a_document_says_the_same_in_whatever_file_it_comes(carried: dict[str, Path], texts: dict[str, str]) -> None:
    seen: Counter[str] = Counter()
    for key, path in carried.items():
        content, text = path.read_bytes(), texts[key]
        if path.suffix == ".txt":
            assert content.decode() == text + "\n"
        elif path.suffix == ".rtf":
            assert words(rtf_to_text(content.decode("ascii"), encoding="cp1252")) == words(text)
        elif path.suffix == ".html":
            assert words(_html_text(content.decode())) == words(text)
        elif path.suffix == ".odt":
            assert words(_odt_text(content)) == words(text)
        elif path.suffix == ".docx":
            assert "\n".join(one.text for one in docx.Document(io.BytesIO(content)).paragraphs) == text
        elif path.suffix == ".pdf" and (read := pdf_text(content)).strip():
            assert words(read) == words(text)
        else:
            continue
        seen[path.suffix] += 1
    assert set(seen) == {".txt", ".rtf", ".html", ".odt", ".docx", ".pdf"}


def _html_text(page: str) -> str:
    found: list[str] = []
    reader = HTMLParser()
    reader.handle_data = found.append  # type: ignore[method-assign]
    reader.feed(page.partition("<body>")[2])
    return "".join(found)


def _odt_text(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"application/vnd.oasis.opendocument.text"
        return "".join(etree.fromstring(archive.read("content.xml")).itertext())


def test_a_scanned_document_is_images_of_dark_letters_on_light_paper_and_no_text(carried: dict[str, Path]) -> None:
    found = 0
    for path in carried.values():
        if path.suffix != ".pdf":
            continue
        page = pypdf.PdfReader(path).pages[0]
        if page.extract_text().strip():
            continue
        found += 1
        image = page.images[0].image
        assert image.size == (1240, 1753)
        light = image.convert("L").histogram()[255] / (image.width * image.height)
        assert 0.8 < light < 0.999
        assert path.stat().st_size < 60_000
    assert found > 3


# CDA


def test_a_cda_has_the_header_of_the_french_profile_in_its_order(root: Path, carried: dict[str, Path]) -> None:
    found = [path for path in carried.values() if path.suffix == ".xml"] + list((root / "cda").glob("*.xml"))
    assert len(found) > 20
    identifiers = []
    for path in found:
        top = etree.parse(path).getroot()
        assert top.tag == "{urn:hl7-org:v3}ClinicalDocument"
        names = [etree.QName(child).localname for child in top]
        order = list(dict.fromkeys(names))
        assert order == [name for name in HEADER if name in order]
        assert set(HEADER) - set(order) <= {"relatedDocument"}
        identifiers.append(top.find("h:id", CDA).get("root"))
        anchors = {content.get("ID") for content in top.iterfind(".//h:content", CDA)}
        for reference in top.iterfind(".//h:reference", CDA):
            assert reference.get("value")[1:] in anchors
        for moment in top.iterfind(".//h:effectiveTime[@value]", CDA):
            assert re.fullmatch(r"\d{14}[+-]\d{4}|\d{8}", moment.get("value"))
    assert len(set(identifiers)) == len(identifiers)


def test_a_cda_of_level_one_holds_the_report_as_a_pdf_and_one_of_level_three_in_its_sections(
    carried: dict[str, Path], texts: dict[str, str]
) -> None:
    levels: Counter[int] = Counter()
    for key, path in carried.items():
        if path.suffix != ".xml":
            continue
        top = etree.parse(path).getroot()
        body = top.find(".//h:nonXMLBody/h:text", CDA)
        if body is not None:
            assert (body.get("mediaType"), body.get("representation")) == ("application/pdf", "B64")
            assert words(pdf_text(base64.b64decode(body.text))) == words(texts[key])
            levels[1] += 1
        else:
            paragraphs = top.iterfind(".//h:section/h:text/h:paragraph", CDA)
            assert words("".join(one.text or "" for one in paragraphs)) == words(texts[key])
            levels[3] += 1
            for code in top.iterfind(".//h:substanceAdministration//h:manufacturedMaterial/h:code", CDA):
                assert re.fullmatch(r"[A-Z]\d\d[A-Z]{2}\d\d", code.get("code"))
    assert min(levels[1], levels[3]) > 3


def test_our_cda_are_built_like_those_that_the_national_agency_shows(root: Path, shared_data: Path) -> None:
    folder = shared_data / "messages" / "cda"
    example = etree.parse(folder / "CANCER-CR-GM_2022.01_AnalyseNonRealisee.xml").getroot()
    ours = etree.parse(next((root / "cda").glob("*.xml"))).getroot()

    def sections(top: etree._Element) -> list[str]:
        found = top.iterfind("h:component/h:structuredBody/h:component/h:section/h:code", CDA)
        return [code.get("code") for code in found]

    def claims(top: etree._Element) -> list[tuple[str, str | None]]:
        return [(one.get("root"), one.get("extension")) for one in top.iterfind("h:templateId", CDA)]

    def kind(top: etree._Element) -> tuple[str, str]:
        code = top.find("h:code", CDA)
        return code.get("code"), code.get("displayName")

    assert sections(ours) == sections(example)
    assert claims(ours) == claims(example)
    assert kind(ours) == kind(example)
    names = {etree.QName(child).localname for child in example if isinstance(child.tag, str)}
    assert {etree.QName(child).localname for child in ours} <= names


# HL7 v2


def test_adt_messages_tell_each_patient_their_stays_and_their_merges(root: Path) -> None:
    seen: Counter[str] = Counter()
    told: dict[str, hl7.Message] = {}
    controls = []
    for message in messages(root / "hl7" / "adt.hl7"):
        event = str(message["MSH.F9.R1.C2"])
        seen[event] += 1
        controls.append(str(message["MSH.F10"]))
        assert len(controls[-1]) <= 20
        assert str(message["MSH.F12.R1.C1"]) == "2.5"
        assert str(message["MSH.F18"]) == "UNICODE UTF-8"
        names = [str(segment[0]) for segment in message]
        assert names[:3] == ["MSH", "EVN", "PID"]
        if event in ("A01", "A03", "A04"):
            assert names[3:] == ["PV1", "ZBE", "ZFM"]
            assert re.fullmatch(r"\d{20}", str(message["PV1.F19.R1.C1"]))
        if event == "A40":
            assert names[3:] == ["MRG"]
        if event == "A28":
            told[str(message["PID.F3.R1.C1"])] = message
    assert set(seen) >= {"A28", "A01", "A03", "A04"}
    assert seen["A01"] == seen["A03"]
    assert len(set(controls)) == len(controls)
    people = {row["ipp"]: row for row in rows(root / "administratif.csv")}
    merged = {row["ipp_ancien"] for row in rows(root / "fusions.csv")}
    assert seen["A40"] == len(merged)
    assert set(told) == set(people) | merged
    for ipp, person in people.items():
        message = told[ipp]
        born = person["nom_naissance"] or person["nom_usage"]
        assert str(message["PID.F5.R1.C1"]) == born.upper()
        assert str(message["PID.F7"]) == person["date_naissance"].replace("-", "")
        assert (str(message["PID.F30"]) == "Y") == bool(person["date_deces"])
    content = (root / "hl7" / "adt.hl7").read_bytes()
    assert content.startswith(b"FHS|")
    assert content.endswith(f"BTS|{sum(seen.values())}\rFTS|1\r".encode())


def test_mdm_messages_carry_the_report_in_base64(root: Path, texts: dict[str, str]) -> None:
    kinds: Counter[str] = Counter()
    for path in sorted((root / "hl7" / "mdm").glob("*.hl7"))[:60]:
        (message,) = messages(path)
        assert [str(segment[0]) for segment in message][:7] == ["MSH", "EVN", "PID", "PV1", "TXA", "OBX", "PRT"]
        assert str(message["MSH.F9.R1.C2"]) == "T02"
        value = message["OBX.F5.R1.C3"], message["OBX.F5.R1.C4"], message["OBX.F5.R1.C5"]
        form, coding, content = map(str, value)
        assert coding == "Base64"
        data = base64.b64decode(content, validate=True)
        kinds[form] += 1
        if form == "XML":
            data = base64.b64decode(etree.fromstring(data).findtext(".//h:nonXMLBody/h:text", namespaces=CDA))
        assert words(pdf_text(data)) == words(texts[path.stem.partition("_")[0]])
    assert set(kinds) == {"XML", "pdf"}


def test_a_month_of_mdm_replaces_and_deletes_and_of_adt_changes_and_merges(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    writers = {made.name: made for made in chosen(("mdm", "adt"))[0]}
    site = Site("mois", "Centre du mois", 5, "train", 600)
    from consore.synthetic.centre import dossier_of

    for number in range(1, 600):  # a document is entered for the wrong patient in one dossier of eighty
        if number > 150 and seen["T04"] + seen["T11"]:
            break
        dossier = dossier_of(site, number)
        for day in range(1, deltas.LAST_DAY + 1):
            delivery = deliver(dossier, day)
            for name in ("mdm", "adt"):
                for _, content in writers[name].write(delivery, site):
                    message = hl7.parse(content.decode())
                    event = str(message["MSH.F9.R1.C2"])
                    seen[event] += 1
                    if event == "T10":
                        assert str(message["TXA.F13.R1.C1"]) != str(message["TXA.F12.R1.C1"])
                        assert str(message["OBX.F11"]) == "C"
                    elif event == "T04":
                        assert str(message["OBX.F11"]) == "D"
                    elif event == "A40":
                        assert str(message["MRG.F1.R1.C1"]) != str(message["PID.F3.R1.C1"])
    assert set(seen) >= {"T02", "T10", "A28", "A31", "A40", "A04"}
    assert seen["T04"] + seen["T11"] > 0


def test_results_of_biology_are_told_with_loinc_codes_bounds_and_flags() -> None:
    life = draw_life(Random(3), "IPP1", "train")
    day = dt.date(2024, 3, 4)
    life.labs = [
        Lab(day, "HB", 9.1, "g/dL", 12.0, 16.0),
        Lab(day, "PSA", 12.5, "ng/mL", None, 4.0),
        Lab(day, "ZZZ", 3.0, "UI/L", 1.0, 5.0),
        Lab(dt.date(2024, 5, 6), "2857-1", 0.2, "ng/mL", None, 4.0),
    ]
    dossier = deltas.record(life, 1, [], Random(1), lambda: None)
    (oru,) = (made for made in chosen(("oru",))[0] if made.name == "oru")
    found = [
        hl7.parse(content.decode()) for _, content in oru.write(deliver(dossier, None), Site("O", "O", 1, "train", 1))
    ]
    assert [len(message.segments("OBX")) for message in found] == [3, 1]
    blood, psa, other = (
        [str(segment[3][0][0]), str(segment[5]), str(segment[7]), str(segment[8])]
        for segment in found[0].segments("OBX")
    )
    assert blood == ["718-7", "9.1", "12-16", "L"]
    assert psa == ["2857-1", "12.5", "<4", "H"]
    assert other == ["ZZZ", "3", "1-5", "N"]
    assert str(found[1]["OBX.F3.R1.C1"]) == "2857-1"


def test_delimiters_in_a_text_do_not_break_a_message() -> None:
    text = "taux|a^b&c~d\\e\nfin"
    assert not set("|^&~\n") & set(escape(text))
    read = str(hl7.parse(f"MSH|^~\\&|X\rNTE|1||{escape(text)}\r")["NTE.F3"])
    assert read.replace("\r", "\n") == text


# PMSI


def test_rsa_lines_have_the_length_that_their_counters_announce_and_lead_back_to_patients(root: Path) -> None:
    stays = {row["numero_rss"]: row["ipp"] for row in rows(root / "pmsi_ano.csv")}
    rsa = (root / "pmsi_rsa.txt").read_bytes().decode("latin-1").split("\r\n")[:-1]
    tra = (root / "pmsi_tra.txt").read_bytes().decode("latin-1").split("\r\n")[:-1]
    ano = (root / "pmsi_ano_hosp.txt").read_bytes().decode("latin-1").split("\r\n")[:-1]
    assert len(rsa) == len(tra) == len(ano) == len(stays)
    ipps = {line[40:60]: line[402:422].strip() for line in ano}
    assert ipps == stays
    links = {line[:10]: line[40:60] for line in tra}
    for line in rsa:
        associated, acts = int(line[226:230]), int(line[230:235])
        assert len(line) == 265 + 61 + 6 * associated + 24 * acts
        assert links[line[12:22]] in stays
        assert re.fullmatch(r"\d\d[CKMZ]\d\d[1-4Z]", line[30:36])
    assert {line[30:36] for line in rsa} >= {"28Z07Z"}


@pytest.mark.parametrize(
    ("link", "positions"), [("pmsi_ano_hosp.txt", None), ("pmsi_vid_hosp.txt", VID_HOSP_POSITIONS)]
)
def test_a_node_links_stays_to_patients_by_the_files_that_hospitals_have(
    root: Path, link: str, positions: dict[str, tuple[int, int]] | None
) -> None:
    def read(options: dict[str, object]) -> dict[str, str]:
        items = list(read_source(SourceKind.PMSI, root / "pmsi_rss.txt", options))
        assert all(isinstance(item, SourceRecord) for item in items)
        return {item.external_id: item.ipp for item in items if isinstance(item, SourceRecord)}

    by_csv = read({})
    assert len(by_csv) > 20
    assert read({"ano": link, **({"ano_positions": positions} if positions else {})}) == by_csv


def test_social_security_numbers_are_of_a_place_that_does_not_exist(root: Path) -> None:
    lines = (root / "pmsi_vid_hosp.txt").read_text(encoding="latin-1").splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[12]\d{4}00000\d{3}", line[:13])
        assert int(line[13:15]) == 97 - int(line[:13]) % 97
        assert line[0] == line[25]


def test_positions_of_the_pmsi_are_those_of_the_official_formats(shared_data: Path) -> None:
    with (shared_data / "referentials" / "pmsi" / "pmeasyr_formats.csv").open(encoding="utf-8") as file:
        official: dict[str, set[tuple[int, int]]] = {}
        for row in csv.DictReader(file):
            if row["champ"] == "mco" and row["an"] in ("25", "xx"):
                place = int(float(row["position"])), int(float(row["longueur"] or 0))
                official.setdefault(row["table"], set()).add(place)
    formats = Path(deltas.__file__).parents[1] / "sources" / "formats"
    tables = {"rsa": "rsa", "rsa_um": "rsa_um", "rsa_act": "rsa_actes", "tra": "tra", "ano_hosp": "rum_ano"}
    for name, table in tables.items():
        with (formats / f"{name}.csv").open(encoding="utf-8") as file:
            ours = {(int(row["position"]), int(row["length"])) for row in csv.DictReader(file)}
        assert ours <= official[table], name


def test_the_number_of_a_fictional_hospital_is_well_formed_and_of_no_department(shared_data: Path) -> None:
    def luhn(number: str) -> int:
        digits = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
        return sum(value // 10 + value % 10 for value in digits) % 10

    real = set(re.findall(r"\b\d{9}\b", "".join(_texts_of(shared_data / "referentials" / "finess"))))
    assert sum(luhn(number) == 0 for number in real) > 0.9 * len(real) > 10
    for code in ("ALPHA", "BETA", "X"):
        finess = Site(code, "", 1, "train", 1).finess
        assert finess.startswith("99")
        assert luhn(finess) == 0
    assert author_of("Dr Anne Martin").rpps.startswith("99")


def _texts_of(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".csv", ".txt", ".json"):
            yield path.read_text(encoding="utf-8", errors="replace")


# Tables


def test_the_workbook_of_tumour_sheets_says_what_the_csv_says(root: Path) -> None:
    sheet = openpyxl.load_workbook(root / "fiches_tumeur.xlsx", read_only=True).active
    head, *found = [["" if value is None else value for value in row] for row in sheet.iter_rows(values_only=True)]
    assert [dict(zip(head, row, strict=True)) for row in found] == rows(root / "fiches_tumeur.csv")


def test_a_dispensed_drug_has_a_ucd_code_of_the_right_form_and_its_cycle(root: Path) -> None:
    assert ucd13("9274584") == "3400892745848"
    cycles = {row["id"] for row in rows(root / "chimiotherapie.csv") if row["statut"] == "administré"}
    codes: dict[str, set[str]] = {}
    for row in rows(root / "pharmacie.csv"):
        assert f"CH{row['id'][2:-1]}" in cycles
        assert row["ucd13"] == ucd13(row["ucd7"])
        codes.setdefault(row["ucd7"], set()).add(row["medicament"])
    assert len(codes) > 5
    assert all(len(names) == 1 for names in codes.values())


# FHIR


def test_a_bulk_export_is_counted_by_its_manifest_and_its_references_lead_somewhere(
    root: Path, texts: dict[str, str]
) -> None:
    resources: dict[str, list[dict]] = {}
    for folder in (root / "fhir", root / "fhir" / "molecular"):
        manifest = json.loads((folder / "manifest.json").read_text())
        assert set(manifest) == {"transactionTime", "request", "requiresAccessToken", "output", "deleted", "error"}
        for output in manifest["output"]:
            lines = (folder / Path(output["url"]).name).read_text(encoding="utf-8").splitlines()
            assert len(lines) == output["count"]
            found = [json.loads(line) for line in lines]
            assert {one["resourceType"] for one in found} == {output["type"]}
            resources.setdefault(output["type"], []).extend(found)
    assert set(resources) >= {"Patient", "Encounter", "Condition", "Procedure", "MedicationAdministration"}
    assert set(resources) >= {"DocumentReference", "DiagnosticReport", "Observation"}
    known = {f"{kind}/{one['id']}" for kind, found in resources.items() for one in found}
    for kind, found in resources.items():
        for one in found:
            assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", one["id"])
            assert kind == "Patient" or one["subject"]["reference"] in known
            for reference in one.get("result", []):
                assert reference["reference"] in known
    for one in resources["DocumentReference"]:
        attachment = one["content"][0]["attachment"]
        assert base64.b64decode(attachment["data"]).decode() == texts[one["id"]]
    for one in resources["Encounter"]:
        assert one["status"] == "finished"
        assert one["class"]["code"] in ("AMB", "IMP")
    for kind, needed in {
        "Condition": ("code", "clinicalStatus"),
        "Procedure": ("status", "code"),
        "MedicationAdministration": ("status", "medicationCodeableConcept", "effectiveDateTime"),
        "Observation": ("status", "code"),
        "DiagnosticReport": ("status", "code"),
    }.items():
        assert all(name in one for one in resources[kind] for name in needed)


# What is broken


def test_broken_messages_are_broken_as_they_say_and_the_good_ones_stay(tmp_path: Path) -> None:
    asked = ("administrative", "pmsi", "rsa", "tumour_sheet", "chemotherapy", "txt", "mdm", "molecular_cda", "fhir")
    made = generate_centre(tmp_path, code="B", name="B", patients=12, seed=6, formats=asked)
    before = {path: path.read_bytes() for path in (made.root / "hl7" / "mdm").glob("*.hl7")}
    faults = {item.fault: item.path for item in break_some(made.root, seed=2)}
    assert all(path.read_bytes() == content for path, content in before.items())
    content = str(hl7.parse(faults["truncated_base64"].read_bytes().decode())["OBX.F5.R1.C5"])
    whole = base64.b64decode(content[: len(content) // 4 * 4], validate=True)
    assert b"%%EOF" not in whole[-20:]
    assert b"</ClinicalDocument>" not in whole
    assert b"\r" not in faults["line_feeds"].read_bytes()
    assert etree.parse(faults["no_namespace"]).getroot().tag == "ClinicalDocument"
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(faults["wrong_declared_encoding"].read_bytes())
    with pytest.raises(json.JSONDecodeError):
        json.loads(faults["truncated_line"].read_text().splitlines()[-1])
    assert len(faults["short_rsa_line"].read_bytes().split(b"\r\n")[-2]) == 90
