"""HL7 v2 as hospitals send it: any line end, encoding and frame; what a message tells, and what is taken back."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from consore.errors import SourceError
from consore.model import SourceKind
from consore.sources import Mark, Rejection, SourceRecord, read_source, reread_record

MSH = "MSH|^~\\&|GAM|CENTRE|DPI|CENTRE|20240306111154||{type}|{key}|P|2.5|||||FRA|{charset}"
PID = "PID|1||000003^^^CENTRE&1.2.3&ISO^PI~279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS||DE LA TOUR^Zoé^^^^^L~LEFÈVRE^Zoé^^^^^D||19790328|F|||1 rue A^^PARIS^^75007^FRA^H"  # noqa: E501
PV1 = "PV1|1|I|0101||||||||||||||||V42^^^CENTRE^VN|||||||||||||||||||||||||20240306080000|{leave}"
SENTENCE = "Adénocarcinome du sein gauche, récepteurs positifs."


def message(kind: str, *segments: str, key: str = "M1", charset: str = "UNICODE UTF-8") -> str:
    return "\r".join([MSH.format(type=kind, key=key, charset=charset), *segments]) + "\r"


def read(
    tmp_path: Path, content: bytes | str, kind: str = "administrative", **options: Any
) -> list[SourceRecord | Rejection]:
    file = tmp_path / "flux.hl7"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_source(SourceKind(kind), file, options))  # type: ignore[arg-type]


ADMISSION = message(
    "ADT^A01^ADT_A01", "EVN||20240306111154", PID, PV1.format(leave=""), "ZBE|1|20240306080000||INSERT|N"
)


def test_an_admission_gives_the_patient_and_the_stay(tmp_path: Path) -> None:
    (patient,) = read(tmp_path, ADMISSION)
    assert (patient.kind, patient.ipp, patient.version) == ("patient", "000003", "20240306111154")
    assert patient.values == {
        "family_name": "LEFÈVRE",
        "birth_name": "DE LA TOUR",
        "given_name": "Zoé",
        "sex": "female",
        "birth_date": "1979-03-28",
        "death_date": None,
        "last_news_date": None,
        "postal_code": "75007",
        "city": "PARIS",
        "opposed": False,
    }
    (stay,) = read(tmp_path, ADMISSION, "pmsi")
    assert (stay.external_id, stay.values["entry_date"], stay.values["exit_date"]) == ("V42", "2024-03-06", None)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le"])
def test_any_line_end_and_encoding_gives_the_same_name(tmp_path: Path, end: str, encoding: str) -> None:
    charset = {"latin-1": "8859/1", "cp1252": ""}.get(encoding, "UNICODE UTF-8")
    text = message("ADT^A28^ADT_A05", PID, charset=charset).replace("\r", end)
    (patient,) = read(tmp_path, text.encode(encoding))
    assert (patient.values["family_name"], patient.values["given_name"]) == ("LEFÈVRE", "Zoé")


def test_batches_frames_and_blank_lines_hide_no_message(tmp_path: Path) -> None:
    first, second = (message("ADT^A28", PID.replace("000003", ipp), key=ipp) for ipp in ("1", "2"))
    framed = f"FHS|^~\\&|EAI\rBHS|^~\\&|EAI\r\x0b{first}\x1c\r\n\n\x0b{second}\x1c\rBTS|2\rFTS|1\r"
    assert [item.ipp for item in read(tmp_path, framed)] == ["1", "2"]


def test_one_bad_message_stops_no_other_and_can_be_read_again_once_it_is_mended(tmp_path: Path) -> None:
    text = ADMISSION + message("ADT^A28", PID.replace("19790328", "")) + message("ADT^A28", "PV1|1|N") + ADMISSION
    first, no_birth, no_patient, last = read(tmp_path, "garbage before\r" + text)[1:]
    assert isinstance(first, SourceRecord)
    assert isinstance(last, SourceRecord)
    assert (no_birth.reason, no_birth.position) == ("missing_birth_date", "flux.hl7:3")
    assert no_patient.reason == "missing_pid"
    mended = no_birth.raw.replace(b"||F|", b"|19790328|F|")
    (again,) = reread_record(SourceKind.ADMINISTRATIVE, tmp_path / "flux.hl7", {}, no_birth.position, mended)
    assert isinstance(again, SourceRecord)


def test_what_is_no_message_says_so(tmp_path: Path) -> None:
    (rejection,) = read(tmp_path, "name;first name\nA;B\n")
    assert (rejection.reason, rejection.raw) == ("not_hl7", b"name;first name\rA;B\r")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a\\F\\b", "a|b"),
        ("a\\S\\b\\T\\c\\R\\d\\E\\e", "a^b&c~d\\e"),
        ("a\\.br\\b", "a\nb"),
        ("a\\X0D\\b", "a\nb"),
        ("\\XC3A9\\t\\XC3A9\\", "été"),
        ("\\H\\gras\\N\\", "gras"),
        ("a\\.sp2\\b", "a\n\nb"),
        ("C:\\dossier un\\fichier", "C:\\dossier un\\fichier"),
    ],
)
def test_escapes_are_what_they_mean(tmp_path: Path, written: str, meant: str) -> None:
    long = "Compte rendu. " * 20
    text = message(
        "MDM^T02^MDM_T02",
        PID,
        "TXA|1|11526-1|TEXT|20240301||||||||DOC1",
        f"OBX|1|TX|11526-1^CR||{long}{written}||||||F",
    )
    (document,) = read(tmp_path, text, "documents")
    assert document.values["text"] == long + meant


def test_a_line_that_begins_no_segment_goes_on_with_the_one_before(tmp_path: Path) -> None:
    text = message(
        "MDM^T02",
        PID,
        "TXA|1|11526-1|TEXT|20240301||||||||DOC1",
        "OBX|1|FT|11526-1^CR||Conclusion :\nsein gauche.||||||F",
    )
    (document,) = read(tmp_path, text, "documents")
    assert document.values["text"] == "Conclusion :\nsein gauche."


def test_identities_that_merge_say_which_stays_and_which_goes(tmp_path: Path) -> None:
    text = message("ADT^A40^ADT_A39", "EVN||20240306111154||||20240305", PID, "MRG|000009^^^CENTRE&1.2.3&ISO^PI")
    patient, merge = read(tmp_path, text)
    assert patient.kind == "patient"
    assert (merge.kind, merge.ipp, merge.values) == ("merge", "000003", {"merged": "000009", "date": "2024-03-05"})


def test_a_merge_without_the_identity_that_goes_is_rejected(tmp_path: Path) -> None:
    (rejection,) = read(tmp_path, message("ADT^A40^ADT_A39", PID))
    assert rejection.reason == "missing_mrg"


def test_a_discharge_ends_the_stay_and_a_later_update_does_not_open_it_again(tmp_path: Path) -> None:
    discharge = message("ADT^A03", PID, PV1.format(leave="20240310150000"))
    update = message("ADT^A08", PID, PV1.format(leave=""))
    stays = read(tmp_path, ADMISSION + discharge + update, "pmsi")
    assert [stay.values["exit_date"] for stay in stays] == [None, "2024-03-10"]


def test_a_cancelled_admission_takes_the_stay_back(tmp_path: Path) -> None:
    (gone,) = read(tmp_path, message("ADT^A11", PID, PV1.format(leave="")), "pmsi")
    assert (gone.kind, gone.external_id, gone.values["of"]) == ("deletion", "V42", "stay")


def test_the_ipp_is_the_one_of_the_authority_that_is_named(tmp_path: Path) -> None:
    text = message(
        "ADT^A28", PID.replace("000003^^^CENTRE&1.2.3&ISO^PI", "77^^^AUTRE&9.9&ISO^PI~000003^^^CENTRE&1.2.3&ISO^PI")
    )
    assert read(tmp_path, text)[0].ipp == "77"
    assert read(tmp_path, text, authority="1.2.3")[0].ipp == "000003"
    assert read(tmp_path, text, authority="nobody")[0].reason == "missing_ipp"


RESULTS = (
    "OBR|1|P1|F1^SIL||||20240301081500||||||||||||||||||F",
    "OBX|1|NM|2857-1^PSA^LN^PSA^PSA^L||4,20|ng/mL^ng/mL^UCUM|0-4|H|||F|||20240301081500",
    "OBX|2|SN|718-7^Hémoglobine^LN||<^9|g/dL|>12|L|||F",
    "OBX|3|ST|LOC1^Aspect^L||trouble||||||F",
    "OBX|4|NM|777-3^Plaquettes^LN||||||||X",
)


def test_results_carry_their_code_value_unit_and_bounds(tmp_path: Path) -> None:
    psa, haemoglobin, aspect = read(tmp_path, message("ORU^R01", PID, *RESULTS), "biology")
    assert psa.values == {
        "date": "2024-03-01",
        "loinc": "2857-1",
        "analyse": "PSA",
        "valeur": "4.2",
        "unite": "ng/mL",
        "borne_basse": "0",
        "borne_haute": "4",
        "interpretation": "H",
    }
    assert (haemoglobin.values["valeur"], haemoglobin.values["borne_basse"]) == ("<9", "12")
    assert (aspect.values["loinc"], aspect.values["analyse"], aspect.values["valeur"]) == ("", "Aspect", "trouble")
    assert (aspect.values["date"], psa.external_id) == ("2024-03-01", "F1/2857-1")


def test_a_corrected_result_keeps_its_identifier_and_a_deleted_one_is_taken_back(tmp_path: Path) -> None:
    corrected = [line.replace("||||F||||", "||||C||||").replace("4,20", "4,40") for line in RESULTS[:2]]
    deleted = [line.replace("|H|||F", "|H|||D") for line in RESULTS[:2]]
    first, second, third = read(
        tmp_path,
        message("ORU^R01", PID, *RESULTS[:2]) + message("ORU^R01", PID, *corrected) + message("ORU^R01", PID, *deleted),
        "biology",
    )
    assert first.external_id == second.external_id == third.external_id
    assert (second.values["valeur"], third.kind, third.values["of"]) == ("4.4", "deletion", "biology")


def content(data: bytes, kind: str = "text^XML") -> str:
    return f"OBX|1|ED|11526-1^CR d'anatomie pathologique^LN||^{kind}^Base64^{base64.b64encode(data).decode()}||||||F"


def test_a_document_comes_in_base64_is_replaced_and_deleted(tmp_path: Path) -> None:
    new = message(
        "MDM^T02^MDM_T02", PID, "TXA|1|11526-1|TEXT|20240301||||||||DOC1^X", content(SENTENCE.encode(), "text^plain")
    )
    replaced = message(
        "MDM^T10^MDM_T02", PID, "TXA|1|11526-1|TEXT|20240302||||||||DOC2^X|DOC1^X", content(b"Corrige.", "text^plain")
    )
    deleted = message(
        "MDM^T04", PID, "TXA|1|11526-1|TEXT|20240303||||||||DOC2^X", content(b"x").replace("||||||F", "||||||D")
    )
    cancelled = message("MDM^T11^MDM_T01", PID, "TXA|1|11526-1|TEXT|20240303||||||||DOC3^X")
    first, gone, second, third, fourth = read(tmp_path, new + replaced + deleted + cancelled, "documents")
    assert (first.external_id, first.values["text"], first.values["kind"]) == ("DOC1", SENTENCE, "pathology")
    assert (first.values["title"], first.values["date"]) == ("CR d'anatomie pathologique", "2024-03-01")
    assert (gone.kind, gone.external_id) == ("deletion", "DOC1")
    assert (second.external_id, second.values["text"]) == ("DOC2", "Corrige.")
    assert [(item.kind, item.external_id) for item in (third, fourth)] == [("deletion", "DOC2"), ("deletion", "DOC3")]


def test_a_document_cut_within_its_base64_says_what_is_wrong(tmp_path: Path) -> None:
    cut = content(b'<?xml version="1.0"?><ClinicalDocument><id').replace("||||||F", "||||||F")
    (rejection,) = read(tmp_path, message("MDM^T02", PID, "TXA|1|11526-1|TEXT|20240301||||||||DOC1", cut), "documents")
    assert rejection.reason == "damaged_xml"


def test_a_report_in_the_lines_of_a_result_is_a_document_and_no_result(tmp_path: Path) -> None:
    lines = [
        f"OBX|{place}|TX|11526-1^CR||Ligne {place} du compte rendu d'anatomie pathologique.||||||F"
        for place in range(1, 9)
    ]
    text = message("ORU^R01", PID, "OBR|1||F7|11526-1^CR|||20240301", *lines)
    (document,) = read(tmp_path, text, "documents")
    assert document.values["text"].count("\n") == 7
    assert document.external_id == "F7/11526-1"


def test_other_messages_are_left_to_other_sources(tmp_path: Path) -> None:
    acknowledgement = message("ACK^T02^ACK", "MSA|AA|015")
    assert read(tmp_path, acknowledgement + message("ORU^R01", PID, *RESULTS)) == []
    with pytest.raises(SourceError, match="tell of no tumour_sheet"):
        read(tmp_path, ADMISSION, "tumour_sheet")


def test_one_source_may_take_all_that_a_stream_tells(tmp_path: Path) -> None:
    items = read(tmp_path, ADMISSION + message("ORU^R01", PID, *RESULTS), records=["patient", "stay", "biology"])
    assert [item.kind for item in items] == ["patient", "stay", "biology", "biology", "biology"]


def test_a_drop_of_messages_is_read_once_until_a_file_changes(tmp_path: Path) -> None:
    drop = tmp_path / "drop" / "2024-03-06"
    drop.mkdir(parents=True)
    (drop / "a.hl7").write_text(ADMISSION, encoding="utf-8", newline="")
    (drop / "b.hl7").write_text(ADMISSION, encoding="utf-8", newline="")
    (drop / "c.hl7.part").write_text("half", encoding="utf-8")
    marks: dict[str, str] = {}

    def once() -> list[str]:
        kinds = []
        for item in read_source(SourceKind.ADMINISTRATIVE, tmp_path / "drop", {}, mark=marks.get):
            kinds.append(type(item).__name__)
            if isinstance(item, Mark):
                marks[item.key] = item.value
        return kinds

    assert once() == ["SourceRecord", "Mark"] * 2
    assert once() == []
    (drop / "b.hl7").write_text(ADMISSION * 2, encoding="utf-8", newline="")
    assert once() == ["SourceRecord", "SourceRecord", "Mark"]
