"""The public examples of French interoperability: all are read, or rejected with a reason that is right."""

from __future__ import annotations

from pathlib import Path

from consore.model import SourceKind
from consore.sources import Rejection, SourceRecord, read_source

# Examples that no reader can take whole, and why.
UNREADABLE = {"message.hl7": "damaged_xml"}  # its base64 is cut after 26 characters
WITHOUT_RECORD = {"ack.er7"}  # an acknowledgement tells of nobody


def test_every_cda_example_is_a_document_of_somebody(shared_data: Path) -> None:
    folder = shared_data / "messages" / "cda"
    items = [item for item in read_source(SourceKind.DOCUMENTS, folder, {}) if not hasattr(item, "key")]
    assert [item for item in items if isinstance(item, Rejection)] == []
    assert {item.origin for item in items} == {file.name for file in folder.iterdir()}
    for item in items:
        assert item.ipp
        assert item.external_id
        assert item.values["title"]
        assert item.values["date"] > "2000"
        assert len(item.values["text"]) > 80
        assert "<" not in item.values["text"][:20]


def test_the_cancer_examples_tell_what_a_physician_would_look_for(shared_data: Path) -> None:
    folder = shared_data / "messages" / "cda"
    texts = {
        item.origin: item.values["text"]
        for item in read_source(SourceKind.DOCUMENTS, folder, {"pattern": "CANCER*.xml"})
        if isinstance(item, SourceRecord)
    }
    assert "Morphologie\t8000/3" in texts["CANCER-FRCP_2022.01_Appareil.xml"]
    assert "Échelle de performance OMS" in texts["CANCER-FRCP_2022.01_Appareil.xml"]
    assert "Adénocarcinome bronchiolo-alvéolaire" in texts["CANCER-CR-GM_2022.01_AnalyseNonRealisee.xml"]
    assert "xsl:" not in texts["CANCER-PPS_2022.01_Autopresentable.xml"]


def test_laboratory_and_genetic_examples_give_their_results(shared_data: Path) -> None:
    folder = shared_data / "messages" / "cda"
    results = [
        item for item in read_source(SourceKind.BIOLOGY, folder, {"format": "cda"}) if isinstance(item, SourceRecord)
    ]
    tsh = next(item for item in results if item.origin == "BIO-CR-BIO_2024.01_TSH_1.xml")
    assert (tsh.values["loinc"], tsh.values["valeur"], tsh.values["unite"]) == ("3016-3", "1.95", "m[IU]/L")
    genes = [
        item for item in read_source(SourceKind.MOLECULAR, folder, {"format": "cda"}) if isinstance(item, SourceRecord)
    ]
    assert {item.values["gene"] for item in genes} == {"AKT1", "ALK", "BRAF"}


def test_every_hl7_example_is_read_or_rejected_for_the_right_reason(shared_data: Path) -> None:
    folder = shared_data / "messages" / "hl7v2"
    options = {"records": ["patient", "stay", "merge", "document", "biology", "deletion"]}
    told: dict[str, set[str]] = {}
    for item in read_source(SourceKind.DOCUMENTS, folder, {"format": "hl7", **options}):
        if isinstance(item, Rejection):
            told.setdefault(item.position.partition(":")[0], set()).add(item.reason)
        elif isinstance(item, SourceRecord):
            told.setdefault(item.origin.partition(":")[0], set()).add(item.kind)
    assert set(told) | WITHOUT_RECORD == {file.name for file in folder.iterdir()}
    assert {name: reason for name, reasons in told.items() for reason in reasons if reason in UNREADABLE.values()} == (
        UNREADABLE
    )
    assert told["admission.er7"] == {"patient", "stay"}
    assert told["message_MDM_CR_Radio_INIT_N1_Base64.er7"] == {"document"}
    assert told["message_MDM_CR_Radio_DEL_N1.er7"] == {"deletion"}
    assert told["message_ORU_CR_Bio_RPLC_N1_Base64_N3_Base64.er7"] == {"document"}
