"""The dictionary is measured on real marked reports where they are at hand."""

import json
from pathlib import Path

import pytest

from consore.errors import InputError
from consore.referentials import terminology
from consore.referentials.coverage import bench, coverage, probed
from consore.settings import shipped_referentials

CORPUS = Path(__file__).parents[3] / "../shared/data/corpora/fracco_dev.jsonl.gz"


def test_what_is_found_and_what_is_not_is_counted(tmp_path: Path) -> None:
    text = "Cancer du sein et zorglub"
    entities = [
        {"start": 0, "end": 6, "label": "morphologie", "text": "Cancer", "norm": ["ICD-O:8000/3"]},
        {"start": 10, "end": 14, "label": "topographie", "text": "sein", "norm": ["ICD-O:C50.9"]},
        {"start": 18, "end": 25, "label": "topographie", "text": "zorglub", "norm": ["ICD-O:C22.0"]},
    ]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps({"id": "1", "text": text, "entities": entities}) + "\n", encoding="utf-8")
    kinds = coverage(corpus)["kinds"]
    assert kinds["topography"]["span_and_code"] == 0.5
    assert kinds["morphology"]["span_and_code"] == 1.0


def test_a_file_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("not json\n", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        coverage(corpus)


@pytest.mark.skipif(not CORPUS.exists(), reason="the marked reports are not at ../shared/data/corpora")
def test_most_organs_of_real_reports_are_in_the_dictionary() -> None:
    assert coverage(CORPUS)["kinds"]["topography"]["span_and_code"] > 0.8


@pytest.mark.slow
def test_the_bench_tells_sizes_and_times() -> None:
    report = bench(shipped_referentials(), texts=["Carcinome canalaire infiltrant du sein gauche. "] * 300)
    told = report.as_json()
    assert told["forms"] == report.forms > 30_000
    assert min(report.documents_per_s.values()) > 0
    assert report.cache_bytes > 100_000
    assert min(report.warm_load_s, report.cold_load_s) > 0
    assert "documents of 500 words/s" in report.text()


def test_recent_drugs_and_their_brands_are_all_found() -> None:
    probes = probed(shipped_referentials() / "probes.csv", terminology())
    assert probes["drugs"] >= 60
    assert probes["missed"] == []


def test_a_name_that_is_not_found_or_found_as_another_drug_is_told(tmp_path: Path) -> None:
    file = tmp_path / "probes.csv"
    file.write_text("year,kind,inn,brands\n2020,x,pembrolizumab,Zorglub|Opdivo\n", encoding="utf-8")
    assert probed(file, terminology())["missed"] == ["Zorglub", "Opdivo"]
