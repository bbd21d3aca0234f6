"""Annotated documents that the tagger learns from and is measured on, whatever they come from.

Two kinds exist: FRACCO (French oncology cases coded in ICD-O-3, CC BY 4.0; not shipped with Consore) and the truth
files of generated centres. The part of FRACCO kept out of training is fixed here, by a hash of the identifier.
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
from consore.model import Assertion, MentionKind, System

KEPT_OUT_PERCENT = 20


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
    digest = hashlib.sha256(document_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < KEPT_OUT_PERCENT


def read_fracco(path: Path) -> Iterator[AnnotatedDocument]:
    """The documents of FRACCO (`id, text, entities[{start,end,label,text,norm}]` a line, gzip or plain).

    Only *morphologie*, *topographie* and *differenciation* are taken: *expression_CIM* only joins the first two, and
    TNM is labelled too rarely to teach or to measure.
    """
    for item in _lines(path):
        spans = [span for entity in item["entities"] if (span := _fracco_span(entity)) is not None]
        yield AnnotatedDocument(item["id"], item["text"], tuple(spans), "fracco")


def read_truth(path: Path) -> Iterator[AnnotatedDocument]:
    """The documents of a generated centre (`verite/documents.jsonl`)."""
    for item in _lines(path):
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
    """`read_fracco` or `read_truth`, by what the file holds."""
    first = next(_lines(path), None)
    if first is None:
        raise InputError(f"{path} is empty.", "Give a corpus with one JSON object a line.")
    if "entities" in first:
        yield from read_fracco(path)
    elif "mentions" in first:
        yield from read_truth(path)
    else:
        raise InputError(
            f"{path} is not an annotated corpus.",
            'Each line needs "text" and "entities" (FRACCO) or "mentions" (truth).',
        )


def _fracco_span(entity: dict[str, Any]) -> GoldSpan | None:
    kinds = {
        "morphologie": (MentionKind.MORPHOLOGY, System.ICDO3_M),
        "topographie": (MentionKind.TOPOGRAPHY, System.ICDO3_T),
        "differenciation": (MentionKind.GRADE, None),
    }
    if entity["label"] not in kinds:
        return None
    kind, system = kinds[entity["label"]]
    return GoldSpan(entity["start"], entity["end"], kind, system, _fracco_code(entity.get("norm")))


_CODE = re.compile(r"C\d\d\.\d|\d{4}/\d")


def _fracco_code(norm: list[str] | None) -> str | None:
    found = _CODE.search(norm[0]) if norm else None
    return found.group() if found else None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
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
