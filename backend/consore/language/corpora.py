"""Annotated documents that the tagger learns from and is measured on, whatever they come from.

Three kinds exist: FRACCO (French oncology cases coded in ICD-O-3, CC BY 4.0; not shipped with Consore), the truth files
of generated centres, and what a site annotated itself (BRAT, CoNLL, JSON lines). The part of a corpus that is kept out
of training is fixed here, by a hash of the identifier.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from consore.errors import InputError
from consore.language.tokens import fold
from consore.model import Assertion, MentionKind, System

KEPT_OUT_PERCENT, CHOICES_PERCENT = 20, 7


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """A span that a person, or the generator, says is there. `assertion` is null where the corpus does not tell."""

    start: int
    end: int
    kind: MentionKind
    system: str | None = None
    code: str | None = None
    value: str | None = None
    assertion: Assertion | None = None


@dataclass(frozen=True, slots=True)
class AnnotatedDocument:
    """A text and its spans."""

    id: str
    text: str
    spans: tuple[GoldSpan, ...]
    origin: str


def is_kept_out(document_id: str) -> bool:
    """Whether the document is kept for measuring (a fifth of them, the same ones for ever)."""
    return _hundredth(document_id) < KEPT_OUT_PERCENT


def is_for_choices(document_id: str) -> bool:
    """Whether the document is kept for choosing (a threshold, a size, an order): neither taught nor measured."""
    return KEPT_OUT_PERCENT <= _hundredth(document_id) < KEPT_OUT_PERCENT + CHOICES_PERCENT


def _hundredth(document_id: str) -> int:
    return int.from_bytes(hashlib.sha256(document_id.encode()).digest()[:4], "big") % 100


def read_fracco(path: Path) -> Iterator[AnnotatedDocument]:
    """The documents of FRACCO (`id, text, entities[{start,end,label,text,norm}]` a line, gzip or plain).

    Only *morphologie*, *topographie* and *differenciation* are taken: *expression_CIM* only joins the first two, and
    TNM is labelled too rarely to teach or to measure.
    """
    for item in json_lines(path):
        spans = [span for entity in item["entities"] if (span := _entity(entity)) is not None]
        yield AnnotatedDocument(str(item["id"]), item["text"], tuple(spans), "fracco")


def read_truth(path: Path) -> Iterator[AnnotatedDocument]:
    """The documents of a generated centre (`verite/documents.jsonl`)."""
    for item in json_lines(path):
        spans = tuple(
            GoldSpan(
                mention["start"],
                mention["end"],
                MentionKind(mention["kind"]),
                mention.get("system"),
                mention.get("code"),
                mention.get("value"),
                Assertion(mention.get("assertion") or "present"),
            )
            for mention in item["mentions"]
        )
        yield AnnotatedDocument(item["id"], item["text"], spans, "generated")


def read_corpus(path: Path) -> Iterator[AnnotatedDocument]:
    """The documents of an annotated corpus, by what is there: a folder of BRAT pairs, a CoNLL file (`.conll`, `.bio`,
    `.iob`, `.tsv`), or JSON lines with `entities` (FRACCO, Doccano's spans) or `mentions` (truth).

    Raises InputError for anything else, and for a corpus none of whose labels is known.
    """
    if path.is_dir():
        yield from read_brat(path)
        return
    if path.suffix in (".conll", ".bio", ".iob", ".tsv"):
        yield from read_conll(path)
        return
    first = next(json_lines(path), None)
    if first is None:
        raise InputError(f"{path} is empty.", "Give a corpus with one JSON object a line.")
    if "mentions" in first:
        yield from read_truth(path)
    elif "entities" in first:
        yield from read_fracco(path)
    else:
        raise InputError(
            f"{path} is not an annotated corpus.",
            'Each line needs "text" with "entities" or "mentions"; or give a BRAT folder, or a CoNLL file.',
        )


# What people call the kinds, folded. The last is the code of spans that carry none.
_LABELS: dict[str, tuple[MentionKind, str | None, str | None]] = {
    **{kind.value: (kind, None, None) for kind in MentionKind},
    "morphology": (MentionKind.MORPHOLOGY, System.ICDO3_M, None),
    "morphologie": (MentionKind.MORPHOLOGY, System.ICDO3_M, None),
    "tumeur": (MentionKind.MORPHOLOGY, System.ICDO3_M, "8000/3"),
    "histologie": (MentionKind.MORPHOLOGY, System.ICDO3_M, "8000/3"),
    "lesion": (MentionKind.MORPHOLOGY, System.ICDO3_M, "8000/1"),
    "topography": (MentionKind.TOPOGRAPHY, System.ICDO3_T, None),
    "topographie": (MentionKind.TOPOGRAPHY, System.ICDO3_T, None),
    "organe": (MentionKind.TOPOGRAPHY, System.ICDO3_T, None),
    "localisation": (MentionKind.TOPOGRAPHY, System.ICDO3_T, None),
    "metastasis": (MentionKind.METASTASIS, System.ICDO3_T, None),
    "metastase": (MentionKind.METASTASIS, System.ICDO3_T, None),
    "recidive": (MentionKind.RECURRENCE, System.LOCAL, None),
    "rechute": (MentionKind.RECURRENCE, System.LOCAL, None),
    "progression": (MentionKind.RECURRENCE, System.LOCAL, "REC:progression"),
    "reponse": (MentionKind.RESPONSE, System.LOCAL, None),
    "differenciation": (MentionKind.GRADE, None, None),
    "medicament": (MentionKind.DRUG, System.ATC, None),
}


def _span(start: int, end: int, label: str, code: str | None) -> GoldSpan | None:
    if (known := _LABELS.get(fold(label))) is None:
        return None
    kind, system, usual = known
    return GoldSpan(start, end, kind, system, code or usual)


def _known(documents: list[AnnotatedDocument], labels: set[str], path: Path) -> list[AnnotatedDocument]:
    if not any(document.spans for document in documents):
        raise InputError(
            f"No label of {path} is known: {', '.join(sorted(labels)[:12]) or 'there is none'}.",
            f"Name the labels as Consore does: {', '.join(sorted(_LABELS))}.",
        )
    return documents


def read_brat(folder: Path) -> Iterator[AnnotatedDocument]:
    """The documents of a BRAT folder: `x.txt` with `x.ann` beside. The code of a span is the first ICD-O-3 code in its
    reference (`N`) or note (`#`); of a span in pieces the whole stretch is taken."""
    documents: list[AnnotatedDocument] = []
    labels: set[str] = set()
    for file in sorted(folder.rglob("*.ann")):
        try:
            text = file.with_suffix(".txt").read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read: {error}.", "Put its .txt beside it, both in UTF-8.") from error
        entities: dict[str, tuple[int, int, str]] = {}
        codes: dict[str, str] = {}
        for line in lines:
            if match := _BRAT_SPAN.match(line):
                entities[match["id"]] = (int(match["start"]), int(match["end"]), match["label"])
                labels.add(match["label"])
            elif (match := _BRAT_NOTE.match(line)) and (code := _CODE.search(match["note"])):
                codes.setdefault(match["of"], code.group())
        spans = [_span(start, end, label, codes.get(name)) for name, (start, end, label) in entities.items()]
        documents.append(
            AnnotatedDocument(
                file.relative_to(folder).with_suffix("").as_posix(), text, tuple(s for s in spans if s), "site"
            )
        )
    yield from _known(documents, labels, folder)


_BRAT_SPAN = re.compile(r"(?P<id>T\d+)\t(?P<label>\S+) (?P<start>\d+)(?: \d+;\d+)* (?P<end>\d+)(?:\t|$)")
_BRAT_NOTE = re.compile(r"[N#]\d+\t\S+ (?P<of>T\d+)(?P<note>.*)")
_SENTENCES_OF_A_DOCUMENT = 20


def read_conll(path: Path) -> Iterator[AnnotatedDocument]:
    """The documents of a CoNLL file: a word a line, its tag (BIO or BIOES) last, an empty line after each sentence,
    `-DOCSTART-` before each document; without these, twenty sentences make one. The text is the words with blanks
    between, but for what follows an apostrophe."""
    documents: list[AnnotatedDocument] = []
    labels: set[str] = set()
    sentences: list[list[tuple[str, str]]] = [[]]

    def close() -> None:
        if any(sentences):
            documents.append(_conll_document(f"{path.stem}-{len(documents) + 1}", sentences))
        sentences[:] = [[]]

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Give a file in UTF-8.") from error
    marked = any(line.startswith("-DOCSTART-") for line in lines)
    for line in lines:
        columns = line.split()
        if line.startswith("-DOCSTART-") or (
            not columns and not marked and len([s for s in sentences if s]) >= _SENTENCES_OF_A_DOCUMENT
        ):
            close()
        elif columns:
            sentences[-1].append((columns[0], columns[-1]))
            labels.add(columns[-1][2:])
        elif sentences[-1]:
            sentences.append([])
    close()
    yield from _known(documents, labels - {""}, path)


def _conll_document(name: str, sentences: list[list[tuple[str, str]]]) -> AnnotatedDocument:
    text = ""
    spans: list[GoldSpan] = []
    for sentence in sentences:
        opened: tuple[int, int, str] | None = None
        for word, tag in sentence:
            start = len(text)
            text += word if word[-1] in "'’" else f"{word} "
            place, label = tag[:1], tag[2:]
            if opened and (place in "BSO" or label != opened[2]):
                spans += [span for span in (_span(*opened, None),) if span]
                opened = None
            if label:
                opened = (opened[0] if opened else start, start + len(word), label)
        if opened:
            spans += [span for span in (_span(*opened, None),) if span]
        text = text.rstrip() + "\n"
    return AnnotatedDocument(name, text, tuple(spans), "site")


def _entity(entity: dict[str, Any]) -> GoldSpan | None:
    return _span(entity["start"], entity["end"], entity["label"], _fracco_code(entity.get("norm")))


_CODE = re.compile(r"C\d\d\.\d|\d{4}/\d")


def _fracco_code(norm: list[str] | str | None) -> str | None:
    found = _CODE.search(norm if isinstance(norm, str) else norm[0]) if norm else None
    return found.group() if found else None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, plain or .gz. Raises InputError for a line that is none."""
    if not path.exists():
        raise InputError(f"There is no file {path}.", "Check the path.")
    opened: Callable[..., IO[str]] = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{path}, line {number} is not JSON: {error.msg}.", "Give a file with one JSON object a line."
                ) from error
