"""A tagger can be taught here, reads the same exported as in Flair, and a foreign model file cannot run code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consore.errors import InputError
from consore.language import Reader, annotate_jsonl
from consore.language.corpora import AnnotatedDocument, GoldSpan, is_kept_out, read_corpus
from consore.language.evaluation import evaluate_language
from consore.language.tagger import Tagger
from consore.language.tokens import words
from consore.language.training import tag_of, train, train_on, write_codes
from consore.model import Assertion, MentionKind, System

TEXTS = ("Carcinome du sein gauche. Pas de fièvre.", "Métastases du foie. Adénocarcinome du rectum.")
TUMOURS = {"Carcinome": "8010/3", "Adénocarcinome": "8140/3", "Mélanome": "8720/3", "Métastases": "8000/6"}
ORGANS = {"sein": "C50.9", "rectum": "C20.9", "foie": "C22.0", "poumon": "C34.9", "col": "C53.9"}
ENDS = ("gauche.", "droit, sans fièvre.", "depuis deux mois.", "à suivre.", "connu du patient.")


def document(number: int) -> AnnotatedDocument:
    tumour = list(TUMOURS)[number % 4]
    organ = list(ORGANS)[number // 4 % 5]
    text = f"{tumour} du {organ} {ENDS[number // 20 % 5]}"
    at = text.index(organ)
    spans = (
        GoldSpan(0, len(tumour), MentionKind.MORPHOLOGY, System.ICDO3_M, TUMOURS[tumour]),
        GoldSpan(at, at + len(organ), MentionKind.TOPOGRAPHY, System.ICDO3_T, ORGANS[organ]),
    )
    return AnnotatedDocument(f"doc-{number}", text, spans, "fracco")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("flair")
    out = tmp_path_factory.mktemp("tagger")
    documents = [document(number) for number in range(100)]
    train_on(
        out,
        documents,
        epochs=25,
        learning_rate=0.03,
        seed=3,
        hidden_size=16,
        buckets=2048,
        dim=16,
        progress=lambda _: None,
    )
    return out


def test_a_taught_tagger_finds_what_it_was_taught(trained: Path) -> None:
    tagger = Tagger(trained)
    right = 0
    for number in range(20):
        text = document(number).text
        cut = words(text)
        (found,) = tagger.tag([[text[s:e] for s, e in cut]])
        right += {text[cut[s.first][0] : cut[s.last][1]] for s in found.spans} == {text.split()[0], text.split()[2]}
    assert right >= 15


def test_the_export_reads_the_same_spans_as_flair(trained: Path) -> None:
    from flair.data import Sentence

    from consore.language.restricted import load_tagger

    model, tagger = load_tagger(trained / "tagger.pt"), Tagger(trained)
    for text in [document(number).text for number in range(40)]:
        cut = [text[s:e] for s, e in words(text)]
        sentence = Sentence(cut)
        model.predict(sentence)
        expected = [(s[0].idx - 1, s[-1].idx - 1, s.get_label("mention").value) for s in sentence.get_spans("mention")]
        assert [(s.first, s.last, s.tag) for s in tagger.tag([cut])[0].spans] == expected


def test_a_model_kept_as_a_flair_file_can_be_exported_again(trained: Path, tmp_path: Path) -> None:
    from consore.language.export import export_file

    again = Tagger(export_file(trained / "tagger.pt", tmp_path))
    cut = [TEXTS[0][s:e] for s, e in words(TEXTS[0])]
    assert again.tag([cut])[0].spans == Tagger(trained).tag([cut])[0].spans


def test_a_model_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("flair")
    from consore.language.restricted import load_tagger

    witness = tmp_path / "witness"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {witness}",)

    file = tmp_path / "hostile.pt"
    torch.save({"state_dict": Hostile()}, file)
    with pytest.raises(InputError, match="refused"):
        load_tagger(file)
    assert not witness.exists()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("flair")
    from consore.language.restricted import load_tagger

    file = tmp_path / "noise.pt"
    file.write_bytes(b"not a model")
    with pytest.raises(InputError, match="refused"):
        load_tagger(file)


def test_training_on_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to learn"):
        train(tmp_path, [])


def test_a_corpus_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"id": 1, "text": "x"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="not an annotated corpus"):
        list(read_corpus(file))


def test_codes_are_learned_only_from_several_documents(tmp_path: Path) -> None:
    documents = [document(number) for number in range(100)]
    alone = "Synovialome du coude."
    documents.append(
        AnnotatedDocument(
            "alone", alone, (GoldSpan(0, 11, MentionKind.MORPHOLOGY, System.ICDO3_M, "9040/3"),), "fracco"
        )
    )
    write_codes(tmp_path / "codes.csv", documents)
    written = (tmp_path / "codes.csv").read_text(encoding="utf-8")
    assert "topography;sein;C50.9" in written
    assert "synovialome" not in written


@pytest.mark.parametrize(
    ("written", "code", "tag"),
    [
        ("récidive locale", "8000/6", "recurrence"),
        ("progression de la maladie", "8000/9", "progression"),
        ("métastases", "8000/6", "metastasis"),
        ("masse", "8000/1", "lesion"),
        ("mélanome", "8720/3", "morphology"),
        ("stade IV", "8000/6", None),
    ],
)
def test_what_the_corpus_calls_morphology_is_told_apart(written: str, code: str, tag: str | None) -> None:
    span = GoldSpan(0, len(written), MentionKind.MORPHOLOGY, System.ICDO3_M, code)
    assert tag_of(written, span) == tag


def test_the_kept_out_fifth_is_always_the_same() -> None:
    kept = [number for number in range(1000) if is_kept_out(f"cc_onco{number}")]
    assert 150 < len(kept) < 250
    assert kept[:3] == [number for number in range(kept[2] + 1) if is_kept_out(f"cc_onco{number}")]


def test_reading_needs_neither_torch_nor_flair() -> None:
    code = (
        "import sys; from consore.language import Reader; Reader.load().read('Carcinome du sein.'); "
        "sys.exit('torch' in sys.modules or 'flair' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_reader_is_measured_against_a_truth(tmp_path: Path) -> None:
    text = "Carcinome canalaire infiltrant du sein gauche. Pas de métastase hépatique."
    mentions = [
        {"start": 0, "end": 30, "kind": "morphology", "system": "ICD-O-3-M", "code": "8500/3", "assertion": "present"},
        {"start": 34, "end": 38, "kind": "topography", "system": "ICD-O-3-T", "code": "C50.9", "assertion": "present"},
        {"start": 54, "end": 73, "kind": "metastasis", "system": "ICD-O-3-T", "code": "C22.0", "assertion": "negated"},
    ]
    file = tmp_path / "documents.jsonl"
    file.write_text(json.dumps({"id": "1", "text": text, "mentions": mentions}), encoding="utf-8")
    report = evaluate_language(generated=file)
    assert report.tables["generated"]["metastasis"].exact_scores == (1.0, 1.0, 1.0)
    assert report.assertions[Assertion.NEGATED.value][0] == 1
    assert "metastasis" in report.text()
    json.dumps(report.as_json())


def test_bad_lines_are_named_and_the_others_go_on() -> None:
    lines = [
        '{"id": "a", "text": "Carcinome du sein."}',
        "not json",
        b'{"id": "b", "text": "caf\xe9"}',
        '{"id": "c"}',
        "[1, 2]",
        "",
        '{"id": "d", "text": "Adénocarcinome.", "date": "2021-13-45"}',
        '{"id": 5, "text": "", "date": null}',
    ]
    out = io.StringIO()
    rejected = annotate_jsonl(lines, out, Reader.load())
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [item["id"] for item in written] == ["a", 5]
    assert [message.split(":")[0] for message in rejected] == ["Line 2", "Line 3", "Line 4", "Line 5", "Line 7"]
    assert {mention["kind"] for mention in written[0]["mentions"]} == {"morphology", "topography"}
