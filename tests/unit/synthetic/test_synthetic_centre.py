"""A fictional centre: reproducible, consistent, in the exchange format, its truth exact."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import hashlib
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import docx
import pypdf
import pytest

from consore.errors import InputError
from consore.model import EventType, SourceKind
from consore.sources import USUAL_LOCATIONS, Rejection, read_source
from consore.synthetic import ANNOTATED_KINDS, GeneratedCentre, break_some, generate_centre, is_complete
from consore.synthetic.formats import site
from consore.synthetic.knowledge import names
from consore.synthetic.trajectory import draw_life
from consore.synthetic.writing import grammar

TODAY = "2026-11-22"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> GeneratedCentre:
    out = tmp_path_factory.mktemp("centre")
    return generate_centre(out, code="alpha", name="Centre Alpha", patients=60, seed=7)


@pytest.fixture(scope="module")
def documents(centre: GeneratedCentre) -> list[dict]:
    return [json.loads(line) for line in (centre.root / "verite" / "documents.jsonl").open(encoding="utf-8")]


@pytest.fixture(scope="module")
def patients(centre: GeneratedCentre) -> list[dict]:
    return [json.loads(line) for line in (centre.root / "verite" / "patients.jsonl").open(encoding="utf-8")]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_pdf_and_docx_included(tmp_path: Path) -> None:
    for name in ("first", "second"):
        generate_centre(tmp_path / name, code="beta", name="Centre Bêta", patients=12, seed=3)
    first = digest(tmp_path / "first")
    assert first == digest(tmp_path / "second")
    assert {Path(name).suffix for name in first} == {".csv", ".txt", ".json", ".jsonl", ".pdf", ".docx"}


def test_another_seed_gives_other_patients(tmp_path: Path) -> None:
    one = generate_centre(tmp_path / "one", code="beta", name="B", patients=5, seed=1)
    two = generate_centre(tmp_path / "two", code="beta", name="B", patients=5, seed=2)
    assert (one.root / "administratif.csv").read_text() != (two.root / "administratif.csv").read_text()


def test_every_mention_of_the_truth_lies_where_it_says(documents: list[dict]) -> None:
    for document in documents:
        for mention in document["mentions"]:
            assert document["text"][mention["start"] : mention["end"]] == mention["text"]
            assert mention["kind"] in ANNOTATED_KINDS


def test_mentions_of_a_document_do_not_overlap(documents: list[dict]) -> None:
    for document in documents:
        spans = [(mention["start"], mention["end"]) for mention in document["mentions"]]
        assert all(left[1] <= right[0] for left, right in pairwise(spans))


def test_every_assertion_and_every_kind_of_document_is_there(documents: list[dict]) -> None:
    assertions = {mention["assertion"] for document in documents for mention in document["mentions"]}
    assert assertions == {"present", "negated", "hypothetical", "family", "history"}
    assert len({document["kind"] for document in documents}) >= 12


def test_no_template_syntax_is_left_in_a_report(documents: list[dict]) -> None:
    for document in documents:
        assert not re.search(r"[{}<]|\|{2,}|^#", document["text"], re.MULTILINE), document["text"]


def test_each_patient_has_a_plausible_number_of_reports(documents: list[dict], patients: list[dict]) -> None:
    counts = Counter(document["ipp"] for document in documents)
    twins = {patient["duplicate_ipp"] for patient in patients if patient["duplicate_ipp"]}
    assert set(counts) - twins == {patient["patient_id"] for patient in patients}
    assert max(counts.values()) <= 40
    assert sum(8 <= count <= 26 for count in counts.values()) >= 0.8 * len(counts)


def test_dates_are_consistent_from_birth_to_death(patients: list[dict], documents: list[dict]) -> None:
    for patient in patients:
        first = min((tumour["diagnosis_date"] for tumour in patient["tumours"]), default=patient["birth_date"])
        assert first > patient["birth_date"] or not patient["tumours"]
        end = patient["death_date"] or TODAY
        for event in patient["events"]:
            assert first <= event["date"] <= end, patient
        for treatment in patient["treatments"]:
            assert treatment["start"] <= (treatment["end"] or TODAY) <= end, treatment
    assert all(document["date"] <= TODAY for document in documents)


def test_a_line_is_counted_only_in_advanced_disease(patients: list[dict]) -> None:
    for patient in patients:
        for treatment in patient["treatments"]:
            assert (treatment["line"] is not None) <= (treatment["intent"] == "palliative")


def test_the_population_is_varied() -> None:
    lives = [draw_life(Random(f"varied/{number}"), f"P{number}", "test") for number in range(1500)]
    events = Counter(event.type for life in lives for event in life.happenings)
    assert set(events) == {event.value for event in EventType}
    assert len({tumour.cancer.key for life in lives for tumour in life.tumours}) >= 25
    assert 0.02 <= events["second_cancer"] / len(lives) <= 0.1
    assert 0.02 <= sum(life.opposed for life in lives) / len(lives) <= 0.045
    types = Counter(care.type for life in lives for care in life.cares)
    assert set(types) >= {"surgery", "chemotherapy", "radiotherapy", "hormonotherapy", "targeted", "immunotherapy"}
    quiet = sum(not any(event.type.endswith("recurrence") for event in life.happenings) for life in lives)
    assert 0.5 <= quiet / len(lives) <= 0.85


def test_a_pdf_and_a_docx_say_what_the_truth_says(centre: GeneratedCentre, documents: list[dict]) -> None:
    texts = {document["id"]: document["text"] for document in documents}
    folder = centre.root / "documents"
    words = re.compile(r"\s+")
    for path in sorted(folder.glob("*.pdf"))[:8]:
        read = " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
        assert words.sub("", read) == words.sub("", texts[path.stem])
    for path in sorted(folder.glob("*.docx"))[:8]:
        assert "\n".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs) == texts[path.stem]


def test_a_pdf_keeps_the_ligature_and_signs_beyond_latin_1() -> None:
    import io

    from consore.synthetic.files import as_pdf

    for text in ("Cœlioscopie chez une sœur, œstrogènes", "Ki67 ≥ 20 %, œdème", "β2-microglobuline ≥ 3 mg/L"):
        assert pypdf.PdfReader(io.BytesIO(as_pdf(text, "x"))).pages[0].extract_text().strip() == text


def test_the_extracts_have_the_columns_of_the_exchange_format(centre: GeneratedCentre) -> None:
    expected = {
        "administratif.csv": "ipp;nom_usage;nom_naissance;prenom;sexe;date_naissance;date_deces;"
        "date_dernieres_nouvelles;code_postal;commune;opposition",
        "fiches_tumeur.csv": "id;ipp;date_diagnostic;topographie;morphologie;lateralite;ctnm;ptnm;stade;grade;"
        "base_diagnostic",
        "chimiotherapie.csv": "id;ipp;date;protocole;medicaments;cycle;jour;ligne;intention;statut",
        "biobanque.csv": "id;ipp;type;date_prelevement;topographie;statut",
        "pmsi_ano.csv": "numero_rss;ipp",
        "documents/index.csv": "id;ipp;type;titre;date;auteur;service;fichier",
    }
    for name, header in expected.items():
        assert (centre.root / name).read_text(encoding="utf-8").splitlines()[0] == header


def test_every_document_of_the_index_exists_and_belongs_to_a_patient(centre: GeneratedCentre) -> None:
    known = {row["ipp"] for row in rows(centre.root / "administratif.csv")}
    for row in rows(centre.root / "documents" / "index.csv"):
        assert row["ipp"] in known
        assert (centre.root / "documents" / row["fichier"]).stat().st_size > 0


def test_every_rss_line_has_the_length_that_its_counters_announce(centre: GeneratedCentre) -> None:
    lines = centre.paths["pmsi"].read_bytes().decode("latin-1").split("\r\n")[:-1]
    links = rows(centre.root / "pmsi_ano.csv")
    assert len(lines) == len(links) > 100
    for line, link in zip(lines, links, strict=True):
        associated, documentary, acts = int(line[133:135]), int(line[135:137]), int(line[137:140])
        assert len(line) == 192 + 8 * associated + 8 * documentary + 29 * acts
        assert line[9:12] == "122"
        assert line[27:47] == link["numero_rss"]
        dt.datetime.strptime(line[92:100], "%d%m%Y")


def test_train_and_test_share_no_sentence_and_no_name() -> None:
    def sentences(split: str) -> set[str]:
        return {text for texts in grammar(split).sources.values() for text in texts if len(text.split()) > 3}

    body = {text for text in sentences("train") & sentences("test") if not text.startswith("<head>")}
    assert body == set()
    train, test = names()["train"], names()["test"]
    for column in ("families", "female", "male", "authors"):
        assert not set(train[column]) & set(test[column])


def test_both_grammars_can_write_every_report() -> None:
    topics = {name for name in grammar("train").sources if name.startswith("doc.")}
    assert topics == {name for name in grammar("test").sources if name.startswith("doc.")}


def test_a_hundred_and_fifty_patients_are_written_in_seconds(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    made = generate_centre(
        tmp_path, code="d", name="D", patients=20, seed=5, progress=lambda done, total: seen.append((done, total))
    )
    assert made.counts["documents"] > 150
    assert seen[-1] == (20, 20)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_of_a_centre_is_refused_by_its_sources(tmp_path: Path, seed: int) -> None:
    made = generate_centre(tmp_path, code="QA", name="Centre fictif", patients=30, seed=seed)
    for kind, location in USUAL_LOCATIONS.items():
        refused = [item for item in read_source(kind, made.root / location, {}) if isinstance(item, Rejection)]
        assert refused == []


def test_bad_inputs_are_added_beside_the_good_ones(tmp_path: Path) -> None:
    made = generate_centre(tmp_path, code="e", name="E", patients=8, seed=5)
    before = (made.root / "administratif.csv").read_text(encoding="utf-8")
    faults = {item.fault: item for item in break_some(made.root, seed=1)}
    assert set(faults) == {
        "truncated_pdf",
        "not_a_docx",
        "impossible_birth_date",
        "short_line",
        "long_line",
        "wrong_separator",
        "wrong_encoding",
    }
    assert (made.root / "administratif.csv").read_text(encoding="utf-8").startswith(before)
    with pytest.raises(UnicodeDecodeError):
        faults["wrong_encoding"].path.read_text(encoding="utf-8")
    with pytest.raises(Exception):  # noqa: B017, PT011 - any failure of the reader will do
        pypdf.PdfReader(faults["truncated_pdf"].path, strict=True).pages[0].extract_text()


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train, dev, test"):
        generate_centre(tmp_path, code="f", name="F", patients=1, seed=1, split="validation")


def test_an_unknown_format_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Unknown format fax.*administrative, adt.*cda3"):
        generate_centre(tmp_path, code="f", name="F", patients=1, seed=1, formats=("txt", "fax"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_with_other_arguments_is_not_written_over_unless_forced(tmp_path: Path) -> None:
    first = generate_centre(tmp_path, code="g", name="G", patients=6, seed=1)
    assert is_complete(first.root)
    generate_centre(tmp_path, code="g", name="G", patients=6, seed=1)
    with pytest.raises(InputError, match="--force"):
        generate_centre(tmp_path, code="g", name="G", patients=3, seed=1)
    assert len(rows(first.root / "administratif.csv")) >= 6
    generate_centre(tmp_path, code="g", name="G", patients=3, seed=1, force=True)
    known = {row["fichier"] for row in rows(first.root / "documents" / "index.csv")}
    assert known == {path.name for path in (first.root / "documents").iterdir()} - {"index.csv"}
    stranger = tmp_path / "h" / "notes.txt"
    stranger.parent.mkdir()
    stranger.write_text("mine")
    with pytest.raises(InputError, match="not ours"):
        generate_centre(tmp_path, code="h", name="H", patients=1, seed=1)
    assert stranger.read_text() == "mine"


def test_a_full_disk_is_told_and_the_centre_is_not_taken_for_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match="full"):
            generate_centre(tmp_path, code="i", name="I", patients=2, seed=1)
    assert not is_complete(tmp_path / "i")
    assert is_complete(generate_centre(tmp_path, code="i", name="I", patients=2, seed=1).root)


def test_the_files_are_the_same_whatever_the_number_of_processes(tmp_path: Path) -> None:
    for workers in (1, 2):
        generate_centre(tmp_path / str(workers), code="w", name="W", patients=45, seed=9, workers=workers)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_documents_of_a_large_centre_lie_in_sub_folders_that_its_sources_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "FLAT", 10)
    made = generate_centre(tmp_path, code="L", name="L", patients=12, seed=2)
    index = rows(made.root / "documents" / "index.csv")
    assert {row["fichier"].partition("/")[0] for row in index} == {"0000"}
    read = list(read_source(SourceKind.DOCUMENTS, made.root / "documents", {}))
    assert len(read) == len(index)
    assert not any(isinstance(item, Rejection) for item in read)
