"""Patients as lines of JSON in, histories as lines of JSON out: what `consore history --jsonl` does.

A line: `{"patient_id", "sex", "birth_date", "documents": [{"id", "kind", "date", "text"}], "structured":
[{"id", "kind", "date", …}]}`. A structured row carries its columns under `values`, or beside `kind`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from consore.errors import RecordError
from consore.history.structure import structure
from consore.model import DocumentKind, Dossier, DossierDocument, Mention, Sex, StructuredRow
from consore.referentials import Terminology

ReadMany = Callable[[Sequence[tuple[str, str | None, dt.date | None]]], Sequence[list[Mention]]]
ROW_DATES = ("date", "date_diagnostic", "date_prelevement")
FRENCH_SEX = {"m": Sex.MALE, "h": Sex.MALE, "1": Sex.MALE, "f": Sex.FEMALE, "2": Sex.FEMALE}


def history_jsonl(lines: Iterable[str], read_many: ReadMany, terminology: Terminology) -> Iterator[dict[str, Any]]:
    """The history of each patient, as plain values with the keys of `consore history`, in the order of the lines.

    `read_many` is the reader's: (text, kind, date) of many documents in, their mentions out.
    Raises RecordError naming the line that is not such a patient; empty lines are skipped.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            dossier = dossier_of_line(line, read_many, position=f"line {number}")
            yield structure(dossier, terminology).as_json()


def dossier_of_line(line: str, read_many: ReadMany, *, position: str = "line") -> Dossier:
    """The dossier of one line, its documents read."""
    try:
        item = json.loads(line)
        documents = item.get("documents") or []
        heads = [(str(one.get("text") or ""), _kind(one.get("kind")), _day(one.get("date"))) for one in documents]
        rows = [_row(one, place) for place, one in enumerate(item.get("structured") or [])]
        dossier = Dossier(
            str(item["patient_id"]),
            sex_of(item.get("sex")),
            _day(item.get("birth_date")),
            _day(item.get("death_date")),
            structured=rows,
        )
        ids = [str(one.get("id") or place) for place, one in enumerate(documents)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"This is not a patient ({type(error).__name__}: {error}).",
            'A line is {"patient_id": "…", "documents": [{"id", "kind", "date", "text"}], "structured": […]}.',
            reason="not_a_patient",
            position=position,
        ) from error
    mentions = read_many([(text, kind.value, date) for text, kind, date in heads])
    dossier.documents = [
        DossierDocument(identifier, kind, date, text, list(found))
        for identifier, (text, kind, date), found in zip(ids, heads, mentions, strict=True)
    ]
    return dossier


def sex_of(value: Any) -> Sex:
    """A sex from our words, M/F/H or the PMSI's 1/2."""
    text = str(value or "").strip().lower()
    if text in Sex._value2member_map_:
        return Sex(text)
    return FRENCH_SEX.get(text[:1], Sex.UNKNOWN)


def _row(item: dict[str, Any], place: int) -> StructuredRow:
    values = item.get("values")
    if not isinstance(values, dict):
        values = {key: value for key, value in item.items() if key not in ("kind", "id")}
    date = next((_day(found) for key in ROW_DATES if (found := item.get(key) or values.get(key))), None)
    identifier = item.get("id") or values.get("id") or f"row-{place}"
    return StructuredRow(str(identifier), str(item.get("kind") or ""), date, values)


def _kind(value: Any) -> DocumentKind:
    text = str(value or "")
    return DocumentKind(text) if text in DocumentKind._value2member_map_ else DocumentKind.OTHER


def _day(value: Any) -> dt.date | None:
    """A day from ISO text or dd/mm/yyyy; null where it is absent."""
    text = str(value or "").strip()
    if not text:
        return None
    if len(text) >= 10 and text[2] == "/" and text[5] == "/":
        return dt.date(int(text[6:10]), int(text[3:5]), int(text[:2]))
    return dt.date.fromisoformat(text[:10])
