"""The realism table: what it counts, and that the generated side is nearer to prose than a handful of templates."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from consore.errors import InputError
from consore.synthetic.realism import calibrate, detect, generated_texts, measure, read_corpus, split_sentences, table

REAL = ["Le patient a été opéré en 2014 d'un cancer. Il va bien. TDM : normal."] * 3 + ["Une phrase unique et longue."]


def test_repeated_sentences_are_counted_with_their_digits_masked() -> None:
    found = measure(["Revu le 12 mars 2019.\nRien.", "Revu le 13 mars 2021.\nAutre chose ici donc."] * 1000, 10_000)
    assert found["repeated_sentences"]["10,000"] == 1.0
    assert found["types"]["10,000"] == 12
    assert found["with_number"] == pytest.approx(0.5, abs=0.01)


def test_sentences_end_at_stops_and_lines() -> None:
    assert list(split_sentences("Un. Deux ? Trois\nQuatre ; cinq")) == ["Un.", "Deux ?", "Trois", "Quatre ;", "cinq"]


def test_a_detector_cannot_tell_two_halves_of_one_text_and_tells_two_languages() -> None:
    texts = generated_texts("train", 6_000)
    assert detect(texts[::2], texts[1::2], most=200) < 0.7
    english = ["The patient was treated with surgery and then was well for many years " * 6] * 60
    assert detect(english, texts[:60], most=100) > 0.95


def test_the_detector_is_read_beside_what_it_says_of_real_texts(shared_data: Path) -> None:
    corpora = shared_data / "corpora"
    cases = read_corpus(corpora / "fracco_dev.jsonl.gz")[:300]
    abstracts = read_corpus(corpora / "morfitt_fr_abstracts.jsonl.gz")[:300]
    known = calibrate(cases, abstracts)
    assert 0.35 < known["halves"] < 0.65
    assert known["another"] > 0.9


def test_one_report_a_patient_can_be_taken() -> None:
    each = generated_texts("dev", 2_000, one_each=True)
    everything = generated_texts("dev", 20_000)
    assert each[0] in everything
    assert each[1] not in everything[: everything.index(each[0]) + 1]


def test_thousands_of_words_keep_bringing_new_ones() -> None:
    found = measure(generated_texts("test", 52_000), 50_000)
    assert found["types"]["50,000"] > 1.3 * found["types"]["10,000"]
    assert found["repeated_5grams"] < 0.4
    assert found["heaps"] > 0.2


def test_generated_text_stands_beside_a_real_corpus(shared_data: Path) -> None:
    real = measure(read_corpus(shared_data / "corpora" / "fracco_dev.jsonl.gz"), 50_000)
    made = measure(generated_texts("train", 52_000), 50_000)
    rows = table({"real": real, "generated": made})
    assert {len(row) for row in rows} == {3}
    assert made["types"]["50,000"] > 0.6 * real["types"]["50,000"]


def test_a_corpus_is_read_plain_or_gzipped(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in REAL)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    assert read_corpus(tmp_path / "a.jsonl") == read_corpus(tmp_path / "a.jsonl.gz") == REAL


@pytest.mark.parametrize("content", ["", "not json\n", '{"texte": "x"}\n'])
def test_a_corpus_that_cannot_be_read_says_what_to_give(tmp_path: Path, content: str) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="text"):
        read_corpus(path)
