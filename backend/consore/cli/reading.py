"""Commands of reading: annotate, history, train, evaluate, bench."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from sqlmodel import select

from consore.cli.app import JsonOption, app, node, opened_store
from consore.cli.screen import console, errors, print_json, print_table
from consore.errors import InputError, RecordError
from consore.model import Patient, Sex

evaluate_app = typer.Typer(help="Quality, measured on what was never trained on.", no_args_is_help=True)
bench_app = typer.Typer(help="Speed and memory, measured as ratios in one run.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(bench_app, name="bench")

OutOption = Annotated[Path | None, typer.Option("--out", help="File to write; else standard output.")]


@app.command()
def annotate(
    files: Annotated[list[Path] | None, typer.Argument(help="Text files; `-` is standard input.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help='One {"id","text"} a line.')] = None,
    out: OutOption = None,
    profile: Annotated[str, typer.Option(help="Reading profile.")] = "fast",
) -> None:
    """Documents in, coded mentions out, one JSON line a document."""
    from consore.language import Reader, annotate_jsonl

    if not files and jsonl is None:
        raise InputError("Nothing to read.", "`consore annotate report.txt`, or `consore annotate --jsonl FILE`.")
    reader = Reader.load(node(), profile=profile)
    with _output(out) as output:
        for file in files or []:
            text = sys.stdin.read() if str(file) == "-" else _text_of(file)
            mentions = [mention.as_json() for mention in reader.read(text)]
            output.write(json.dumps({"id": str(file), "mentions": mentions}, ensure_ascii=False) + "\n")
        if jsonl is not None:
            with _opened(jsonl) as lines:
                _say_rejected(annotate_jsonl(lines, output, reader))


@app.command()
def history(
    patient: Annotated[str | None, typer.Argument(help="IPP of a patient of this node.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="One patient with their documents a line.")] = None,
    out: OutOption = None,
) -> None:
    """Documents of a patient in, their cancer history out, as JSON with evidence; of a patient, five lines first."""
    from consore.history import dossier_of_line, structure, summary
    from consore.referentials import terminology

    settings = node()
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    if (patient is None) == (jsonl is None):
        raise InputError("Say whose history.", "`consore history IPP`, or `consore history --jsonl FILE`.")
    if patient is not None:
        from consore.ingestion import load_dossier

        with opened_store(settings) as store, store.session() as session:
            found = session.exec(select(Patient).where(Patient.ipp == patient)).first()
            if found is None or found.opposed:
                raise InputError(f"No patient {patient} here.", "Check the IPP, or `consore search` for them.")
            assert found.id is not None
            biography = structure(load_dossier(session, found.id), terms)
            last_news = found.last_news_date or biography.last_news
            told = summary(biography, Sex(found.sex), found.birth_date, last_news=last_news)
        print_json({"summary": told, **biography.as_json(), "patient_id": patient})
        return
    from consore.language import Reader

    assert jsonl is not None
    with _opened(jsonl) as lines, _output(out) as output:
        reader, rejected = Reader.load(settings), []
        for number, line in enumerate(lines, start=1):
            try:
                if line.strip():
                    dossier = dossier_of_line(line, reader.read_many, position=f"line {number}")
                    output.write(json.dumps(structure(dossier, terms).as_json(), ensure_ascii=False) + "\n")
            except RecordError as error:
                rejected.append(f"{error.position}: {error}")
        _say_rejected(rejected)


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder of the new weights.")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="Annotated: BRAT folder, CoNLL file, JSON lines (plain or .gz); may be repeated."),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="From nothing, not from the weights in use.")] = False,
    chosen: Annotated[
        bool, typer.Option("--chosen", help="With --anew: teach FRACCO's part for choices too, none being left.")
    ] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Read with the new weights on this node from now on.")] = False,
    profile: Annotated[str, typer.Option(help="fast, or accurate: its encoder is taught anew.")] = "fast",
    unannotated: Annotated[
        list[Path] | None, typer.Option(help='JSON lines with "text" that the teacher annotates; may be repeated.')
    ] = None,
    teacher: Annotated[Path | None, typer.Option(help="Folder with accurate.npz, the teacher.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Times that everything is read.")] = None,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Teach the tagger further on annotated documents of the site, compare it with the one in use, and adopt it."""
    from consore.language import training

    settings = node()
    if profile == "accurate":
        training.train_accurate(out, corpus or [], epochs=epochs or 2, seed=seed)
        return
    recipe = training.Recipe(epochs=epochs or (8 if anew else 10), seed=seed)
    if anew:
        texts = (text for path in unannotated or [] for text in training.texts_of(path))
        report = training.train(out, corpus or [], recipe=recipe, unannotated=texts, teacher=teacher, chosen=chosen)
        console.print(report)
        return
    comparison = training.fine_tune(out, corpus or [], settings, recipe=recipe)
    console.print(comparison.text(), markup=False, soft_wrap=True)
    if adopt:
        training.adopt(out, settings)
        console.print(
            "Adopted: this node reads with the new weights; `consore ingest --all` reads its documents again."
        )
    else:
        console.print(f"Not adopted. `consore train --out {out} … --adopt` reads with them from now on.", markup=False)


FraccoOption = Annotated[
    Path | None, typer.Option(help="The FRACCO corpus; only its kept-out part is measured.", exists=True)
]
PeerOption = Annotated[
    Path | None,
    typer.Option("--peer", help="Python of an environment with edsnlp; by default this one, where it has it."),
]


@evaluate_app.command("language")
def evaluate_language(
    fracco: FraccoOption = None,
    generated: Annotated[Path | None, typer.Option(help="documents.jsonl of a centre of the test split.")] = None,
    by_hand: Annotated[bool, typer.Option(help="The sentences written by hand.")] = True,
    profile: Annotated[str, typer.Option(help="Reading profile.")] = "fast",
    compare: Annotated[bool, typer.Option("--compare", help="EDS-NLP beside, on the same texts.")] = False,
    peer: PeerOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Documents of each corpus at most.")] = None,
    errors_file: Annotated[Path | None, typer.Option("--errors", help="Page (HTML) of the differences.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Precision, recall and F1 per kind on text never trained on."""
    from consore.language.errors_page import write_errors
    from consore.language.evaluation import evaluate_language as measure

    python = (peer or Path(sys.executable)) if compare or peer else None
    report = measure(
        node(), fracco=fracco, generated=generated, by_hand=by_hand, profile=profile, peer=python, limit=limit
    )
    print_json(report.as_json()) if as_json else console.print(report.text(), markup=False, soft_wrap=True)
    if errors_file is not None:
        count = write_errors(errors_file, report)
        errors.print(f"{count} differences in {errors_file}.", markup=False)


@evaluate_app.command("history")
def evaluate_history(
    truth: Annotated[
        Path | None, typer.Argument(help="patients.jsonl of a centre's truth; without it, fictional patients are made.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Argument(help="What `consore history --jsonl` gave; else this node is measured."),
    ] = None,
    documents_only: Annotated[
        bool, typer.Option("--documents-only", help="Measure from the reports alone, without the extracts.")
    ] = False,
    dossiers: Annotated[
        Path | None, typer.Option(help="Folder of dossiers written by hand (`tests/dossiers`): measured too.")
    ] = None,
    split: Annotated[str, typer.Option(help="Fictional patients: train, dev or test.")] = "test",
    noise: Annotated[str, typer.Option(help="Fictional patients: one or more of low,medium,high.")] = "low,medium,high",
    patients: Annotated[int, typer.Option(min=0, help="Fictional patients at each noise.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed gives other patients.")] = 1,
    misses: Annotated[
        str, typer.Option(help="Also print what was wrong of these kinds: tumours,events,treatments…")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Precision, recall and F1 of tumours, dates, events and treatments, and how far confidences are to be believed."""
    from consore.history.evaluation import HistoryScores, evaluate, read_truth

    results: dict[str, HistoryScores] = {}
    if truth is not None:
        if answers is None:
            histories = list(_histories_of_the_node(documents_only))
        else:
            with _opened(answers) as lines:
                histories = [json.loads(line) for line in lines if line.strip()]
        results[truth.parent.parent.name or "truth"] = evaluate(histories, read_truth(truth))
    else:
        for level in noise.split(",") if patients else ():
            results[f"{split}, {level}"] = _measured_on_fiction(split, level.strip(), patients, seed)
    if dossiers is not None:
        results.update(_measured_on_dossiers(dossiers))
    if as_json:
        print_json({name: scores.as_json() for name, scores in results.items()})
        return
    for name, scores in results.items():
        console.print(f"{name}: {scores.patients} patients", markup=False)
        print_table(
            ["what", "precision", "recall", "F1", "true"],
            [
                [kind, *(f"{ratio:.3f}" for ratio in (score.precision, score.recall, score.f1)), score.true]
                for kind, score in sorted(scores.scores.items())
            ],
        )
        print_table(["confidence", "items", "right"], scores.reliability())
        console.print(scores.reviewed(), markup=False)
        for kind, patient, what, item in scores.misses:
            if kind in misses.split(","):
                console.print(f"{patient} {kind} {what} {_short(item)}", markup=False, soft_wrap=True)


def _short(item: dict[str, Any]) -> str:
    """An item of a history on one line, without its evidence."""
    shown = ("type", "topography", "laterality", "diagnosis_date", "date", "sites", "name", "drugs", "line", "start")
    return json.dumps({key: item[key] for key in shown if item.get(key)}, ensure_ascii=False)


def _measured_on_fiction(split: str, noise: str, patients: int, seed: int) -> Any:
    """Fictional patients from their reports and the date of death alone: no sheet, no chemotherapy file, no act."""
    from consore.history import evaluate, structure
    from consore.language import Reader
    from consore.model import DocumentKind, Dossier, DossierDocument, Sex
    from consore.referentials import terminology
    from consore.synthetic import fictional_dossiers

    settings = node()
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    reader = Reader.load(settings)
    truth, histories = {}, []
    for true, reports in fictional_dossiers(split, noise, patients, seed):
        mentions = reader.read_many([(one.text, one.kind, one.date) for one in reports])
        documents = [
            DossierDocument(one.id, DocumentKind(one.kind), one.date, one.text, list(found))
            for one, found in zip(reports, mentions, strict=True)
        ]
        truth[true["patient_id"]] = true
        death = dt.date.fromisoformat(true["death_date"]) if true["death_date"] else None
        dossier = Dossier(true["patient_id"], Sex(true["sex"]), death_date=death, documents=documents)
        histories.append(structure(dossier, terms).as_json())
    return evaluate(histories, truth)


def _measured_on_dossiers(folder: Path) -> dict[str, Any]:
    """The dossiers written by hand: those that rules were tuned on and those that were kept apart."""
    from consore.history import dossier_of_line, evaluate, structure
    from consore.history.evaluation import read_dossiers
    from consore.language import Reader
    from consore.referentials import terminology

    settings = node()
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    reader = Reader.load(settings)
    written = read_dossiers(folder)
    if not written:
        raise InputError(f"There is no dossier in {folder}.", "Give a folder of JSON files, as `tests/dossiers`.")
    histories = [
        structure(dossier_of_line(json.dumps(one.patient), reader.read_many, position=one.name), terms).as_json()
        for one in written
    ]
    return {
        f"{folder.name}, {name}": evaluate(histories, {one.name: one.expected for one in written if one.kept is kept})
        for name, kept in (("tuned on", False), ("kept apart", True))
    }


def _histories_of_the_node(documents_only: bool) -> Iterator[dict[str, Any]]:
    """Each patient of the store structured anew, as `consore history` prints them."""
    from consore.history import structure
    from consore.ingestion import load_dossier
    from consore.referentials import terminology

    settings = node()
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    with opened_store(settings) as store, store.session() as session:
        for identifier, ipp in session.exec(select(Patient.id, Patient.ipp)).all():
            dossier = load_dossier(session, identifier or 0)
            dossier.patient_id = ipp
            if documents_only:
                dossier.structured = []
            yield structure(dossier, terms).as_json()


@bench_app.command("language")
def bench_language(
    documents: Annotated[int, typer.Option(min=10)] = 400,
    corpus: Annotated[Path | None, typer.Option(help="Texts to read (FRACCO or truth); else built-in ones.")] = None,
    accurate: Annotated[bool, typer.Option("--accurate", help="The profile accurate too (slow).")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="EDS-NLP beside, on the same texts (slow).")] = False,
    peer: PeerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Documents a second and a core, of the whole reader beside the dictionary alone and EDS-NLP."""
    from consore.language.evaluation import bench

    python = (peer or Path(sys.executable)) if compare or peer else None
    report = bench(node(), documents=documents, corpus=corpus, accurate=accurate, peer=python)
    print_json(report.as_json()) if as_json else console.print(report.text(), markup=False, soft_wrap=True)


@bench_app.command("history")
def bench_history(
    patients: Annotated[int, typer.Option(min=10, help="Fictional patients; each is structured several times.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Patients structured a second and a core, from mentions already read, and rebuilt in a store from its rows."""
    from consore.cli.history_measures import rebuilt_in_a_store
    from consore.history.bench import bench
    from consore.synthetic import fictional_dossiers

    report = bench(node(), list(fictional_dossiers("dev", "medium", patients, 1)), rebuilt_in_a_store)
    print_json(report.as_json()) if as_json else console.print(report.text(), markup=False, soft_wrap=True)


@bench_app.command("referentials")
def bench_referentials(
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", "--fracco", help="Marked reports (FRACCO, JSONL or .gz), for the coverage."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Forms by system and type, build and load times, documents a second, suggestions, recent drugs, coverage."""
    from itertools import islice

    from consore.language.sample import reports
    from consore.referentials.coverage import bench

    settings = node()
    report = bench(settings.referentials, corpus, islice(reports(), 300), settings.site_referentials)
    print_json(report.as_json()) if as_json else console.print(report.text(), markup=False, soft_wrap=True)


@bench_app.command("realism")
def bench_realism(
    corpus: Annotated[Path, typer.Option(help="A real corpus to stand beside, as FRACCO: JSON lines, or .gz.")],
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "train",
    noise: Annotated[str, typer.Option(help="none, low, medium or high.")] = "medium",
    words: Annotated[int, typer.Option(min=10_000)] = 200_000,
    other: Annotated[
        Path | None, typer.Option(help="A real corpus of another genre, that tells how to read the detector.")
    ] = None,
    one_each: Annotated[bool, typer.Option(help="One generated report a patient, as corpora of cases have.")] = False,
    seed: int = 1,
    as_json: JsonOption = False,
) -> None:
    """How far generated reports are from real prose: vocabulary, sentences, repetition, a detector."""
    from consore.synthetic import realism

    real = realism.read_corpus(corpus)
    made = realism.generated_texts(split, words, seed=seed, noise=noise, one_each=one_each)
    sides = {corpus.name: realism.measure(real, words), f"{split}, {noise}": realism.measure(made, words)}
    found = realism.detect(real, made)
    known = realism.calibrate(real, realism.read_corpus(other) if other else None)
    if as_json:
        print_json({**sides, "detector": found, "detector_between_real_texts": known})
        return
    rows = [*realism.table(sides), ("detector, balanced accuracy", "", f"{found:.3f}")]
    rows.append(("detector, two halves of the real corpus", f"{known['halves']:.3f}", ""))
    if other:
        rows.append((f"detector, against {other.name}", f"{known['another']:.3f}", ""))
    print_table(("", *sides), rows)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return file.read_text(encoding="cp1252", errors="replace")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Check its name and its rights.") from error


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    import gzip

    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield lines  # type: ignore[misc]
        else:
            with path.open(encoding="utf-8") as lines:
                yield lines
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Give a UTF-8 file, plain or .gz.") from error


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            yield file


def _say_rejected(rejected: list[str]) -> None:
    for line in rejected[:20]:
        errors.print(line, style="yellow", markup=False)
    if rejected:
        errors.print(f"{len(rejected)} lines could not be read; the others were.")
