"""Small dossiers written by hand: a document is its text and the words in it that a reader would mark."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from consore.model import (
    Assertion,
    DocumentKind,
    Dossier,
    DossierDocument,
    Mention,
    MentionKind,
    Sex,
    StructuredRow,
)

K, A = MentionKind, Assertion


@dataclass(frozen=True)
class Mark:
    """Words of a document and what they mean."""

    words: str
    kind: MentionKind
    system: str | None = None
    code: str | None = None
    value: str | None = None
    unit: str | None = None
    assertion: Assertion = A.PRESENT
    date: dt.date | None = None


def mark(kind: MentionKind, system: str, default: Assertion = A.PRESENT) -> Any:
    """A maker of marks of one kind."""

    def make(words: str, code: str | None = None, value: str | None = None, **more: Any) -> Mark:
        date = more.pop("date", None)
        return Mark(
            words,
            kind,
            system,
            code,
            value,
            more.pop("unit", None),
            more.pop("assertion", default),
            dt.date.fromisoformat(date) if date else None,
        )

    return make


topo = mark(K.TOPOGRAPHY, "ICD-O-3-T")
morph = mark(K.MORPHOLOGY, "ICD-O-3-M")
mets = mark(K.METASTASIS, "ICD-O-3-T")
rec = mark(K.RECURRENCE, "LOCAL")
resp = mark(K.RESPONSE, "LOCAL")
tnm = mark(K.TNM, "TNM")
stage = mark(K.STAGE, "LOCAL")
grade = mark(K.GRADE, "LOCAL")
marker = mark(K.BIOMARKER, "LOCAL")
gene = mark(K.ALTERATION, "HGNC")
drug = mark(K.DRUG, "ATC")
regimen = mark(K.REGIMEN, "LOCAL")
act = mark(K.PROCEDURE, "LOCAL")
side = mark(K.LATERALITY, "LOCAL")
line = mark(K.LINE, "LOCAL")
dose = mark(K.DOSE, "LOCAL")
day_ = mark(K.DATE, "LOCAL")


def document(identifier: str, kind: str, date: str | None, text: str, *marks: Mark) -> DossierDocument:
    """A document whose marks are found in its text, in order."""
    mentions = []
    position = 0
    for one in marks:
        start = text.find(one.words, position)
        if start < 0:
            start = text.index(one.words)
        position = start + 1
        mentions.append(
            Mention(
                start,
                start + len(one.words),
                one.words,
                one.kind,
                one.system,
                one.code,
                None,
                one.value,
                one.unit,
                one.assertion,
                one.date,
            )
        )
    day = dt.date.fromisoformat(date) if date else None
    return DossierDocument(identifier, DocumentKind(kind), day, text, mentions)


def row(identifier: str, kind: str, date: str, **values: Any) -> StructuredRow:
    """A structured row."""
    return StructuredRow(identifier, kind, dt.date.fromisoformat(date), values)


def cycle(identifier: str, date: str, protocol: str, drugs: str, **values: Any) -> StructuredRow:
    """A line of the chemotherapy file."""
    filled = {"protocole": protocol, "medicaments": drugs, "statut": "administré", "intention": "", "ligne": ""}
    return row(identifier, "chemotherapy", date, **{**filled, **values})


def sheet(identifier: str, date: str, topography: str, morphology: str, laterality: str = "", **values: Any) -> Any:
    """A tumour sheet."""
    filled = {"topographie": topography, "morphologie": morphology, "lateralite": laterality}
    return row(identifier, "tumour_sheet", date, date_diagnostic=date, **filled, **values)


def dossier(*parts: DossierDocument | StructuredRow, death: str | None = None) -> Dossier:
    """A patient with these documents and rows."""
    return Dossier(
        "P1",
        Sex.FEMALE,
        dt.date(1965, 6, 1),
        dt.date.fromisoformat(death) if death else None,
        [one for one in parts if isinstance(one, DossierDocument)],
        [one for one in parts if isinstance(one, StructuredRow)],
    )


def breast_biopsy(identifier: str = "ap", date: str = "2019-03-04", which: str = "gauche") -> DossierDocument:
    """The pathology report of a breast cancer."""
    return document(
        identifier,
        "pathology",
        date,
        f"Biopsie du sein {which}.\n"
        f"Carcinome canalaire infiltrant du quadrant supéro-externe du sein {which}, grade 2.\n"
        "RE 90 %, RP négatifs, HER2 négatif, Ki67 30 %.",
        morph("Carcinome canalaire infiltrant", "8500/3"),
        topo("quadrant supéro-externe du sein", "C50.4"),
        side(which, None, "left" if which == "gauche" else "right"),
        grade("grade 2", "GRADE:2", "2"),
        marker("RE", "ER", "90", unit="%"),
        marker("RP négatifs", "PR", "negative"),
        marker("HER2 négatif", "HER2", "negative"),
        marker("Ki67", "KI67", "30", unit="%"),
    )
