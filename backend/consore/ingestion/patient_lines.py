"""Patients as JSON lines (`consore load-jsonl`): whole patients, or one text a line, into the store and the index.

{"patient_id", "sex", "birth_date", "death_date", "family_name", "given_name", "documents": [{"id", "kind", "date",
 "text"}], "structured": [{"id", "kind", "date", …}]}
{"id", "text"}                                              one patient a document
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consore.errors import InputError, RecordError
from consore.ingestion.deriving import catch_up, remove_from_index
from consore.ingestion.intake import STRUCTURED, take_in
from consore.ingestion.progress import Meter, Progress
from consore.model import DocumentKind, Sex
from consore.referentials.decoding import decode
from consore.settings import Settings
from consore.sources import Rejection, SourceRecord, document_kind, parse_date
from consore.sources.encoding import clean
from consore.sources.records import KeyTable
from consore.store import Store

BATCH = 100  # lines
BATCH_CHARACTERS = 8_000_000
SEXES = {
    "m": Sex.MALE,
    "h": Sex.MALE,
    "1": Sex.MALE,
    "f": Sex.FEMALE,
    "2": Sex.FEMALE,
    **{sex.value: sex for sex in Sex},
}
LONGEST_IDENTIFIER = 200
ROW_DATES = ("date", "date_diagnostic", "date_prelevement")


@dataclass(slots=True)
class LoadReport:
    """What was loaded: `patients` and `documents` seen, `unchanged` records among them, lines rejected with why."""

    patients: int = 0
    documents: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: list[Rejection] = field(default_factory=list)


def load_jsonl(settings: Settings, store: Store, path: Path, progress: Progress | None = None) -> LoadReport:
    """Load a file of patients (plain or .gz), read, structure and index them. Loading it again changes nothing.

    Raises InputError where the file cannot be opened; a bad line is rejected with its number, the others go on.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Give a file of JSON lines, plain or .gz.")
    report = LoadReport()
    meter = Meter(progress)
    meter.begin(f"load {path.name}", None)
    leaving: list[int] = []
    for batch, lines in _batches(_patients(path, report)):
        with store.session() as session:
            taken = take_in(session, batch)
        report.created += taken.created
        report.changed += taken.changed
        report.unchanged += taken.unchanged
        leaving += taken.leaving
        meter.advance(lines)
    meter.end()
    if leaving:
        remove_from_index(settings, leaving)
    catch_up(settings, store, progress)
    return report


def _batches(patients: Iterator[list[SourceRecord]]) -> Iterator[tuple[list[SourceRecord], int]]:
    batch: list[SourceRecord] = []
    lines = weight = 0
    for records in patients:
        batch += records
        lines += 1
        weight += sum(len(record.values.get("text", "")) for record in records)
        if lines >= BATCH or weight >= BATCH_CHARACTERS:
            yield batch, lines
            batch, lines, weight = [], 0, 0
    if batch:
        yield batch, lines


def _patients(path: Path, report: LoadReport) -> Iterator[list[SourceRecord]]:
    seen = KeyTable()
    try:
        for number, raw in _lines(path, report):
            if not raw.strip():
                continue
            position = f"line {number}"
            try:
                records = _records(raw, f"{path.name}:{number}")
                if not seen.add(records[0].ipp):
                    raise RecordError(
                        f"The patient {records[0].ipp} already stands higher in the file.",
                        "Put all of a patient on one line.",
                        reason="duplicate_id",
                    )
            except RecordError as error:
                report.rejected.append(Rejection.of(error, position, raw))
                continue
            report.patients += 1
            report.documents += sum(record.kind == "document" for record in records)
            yield records
    finally:
        seen.close()


def _lines(path: Path, report: LoadReport) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        if number == 0:
            raise InputError(f"{path} cannot be read: {error}.", "Give a file of JSON lines, plain or .gz.") from error
        cut = RecordError(f"The file is cut short: {error}.", "Send it again.", reason="truncated_file")
        report.rejected.append(Rejection.of(cut, f"line {number + 1}", b""))


def _records(raw: bytes, origin: str) -> list[SourceRecord]:
    """The patient of one line and all that is theirs."""
    try:
        item = json.loads(decode(raw))
        if not isinstance(item, dict):
            raise TypeError(f"a line is an object, not {type(item).__name__}")
        if "patient_id" not in item and "text" in item:
            item = {"patient_id": item["id"], "documents": [item], "whole": True}
        return list(_of_patient(item, origin))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"The line is no patient ({type(error).__name__}: {error}).",
            'Write {"patient_id": …, "documents": [{"id", "kind", "date", "text"}]} or {"id": …, "text": …}.',
            reason="not_a_patient",
        ) from error


def _of_patient(item: dict[str, Any], origin: str) -> Iterator[SourceRecord]:
    ipp = _identifier(item["patient_id"])
    birth, death = _day(item.get("birth_date")), _day(item.get("death_date"))
    if birth and death and death < birth:
        raise ValueError(f"born on {birth}, dead on {death}")
    values = {
        "family_name": _text(item.get("family_name")),
        "given_name": _text(item.get("given_name")),
        "sex": SEXES.get(str(item.get("sex") or "").lower(), Sex.UNKNOWN).value,
        "birth_date": birth,
        "death_date": death,
        "opposed": bool(item.get("opposed", False)),
    }
    yield SourceRecord("patient", ipp, ipp, values, origin)
    for place, document in enumerate(item.get("documents") or [], start=1):
        yield _document(document, ipp, place, origin, whole=bool(item.get("whole")))
    stay: dict[str, list[dict[str, Any]]] = {"acts": [], "diagnoses": []}
    for place, row in enumerate(item.get("structured") or [], start=1):
        record = _row(row, ipp, place, origin, stay)
        if record is not None:
            yield record
    if stay["acts"] or stay["diagnoses"]:
        number = f"{ipp}/stays"
        dates = sorted(one["date"] for one in stay["acts"] + stay["diagnoses"] if one["date"])
        first, last = (dates[0], dates[-1]) if dates else (None, None)
        held = {"number": number, "entry_date": first, "exit_date": last, "unit": "", **stay}
        yield SourceRecord("stay", number, ipp, held, origin)


def _document(item: dict[str, Any], ipp: str, place: int, origin: str, *, whole: bool) -> SourceRecord:
    identifier = _identifier(item.get("id") or place)
    kind = str(item.get("kind") or "")
    text = item.get("text")
    if not isinstance(text, str):
        raise TypeError(f"the document {identifier} has no text")
    values = {
        "kind": kind if kind in [known.value for known in DocumentKind] else document_kind(kind),
        "title": _text(item.get("title")),
        "date": _day(item.get("date")),
        "author": _text(item.get("author")),
        "service": _text(item.get("service")),
        "text": clean(text),
    }
    return SourceRecord("document", identifier if whole else f"{ipp}/{identifier}", ipp, values, origin)


def _row(
    item: dict[str, Any], ipp: str, place: int, origin: str, stay: dict[str, list[dict[str, Any]]]
) -> SourceRecord | None:
    kind = str(item.get("kind") or "")
    values = item.get("values")
    if not isinstance(values, dict):
        values = {name: value for name, value in item.items() if name not in ("id", "kind")}
    date = _day(next((found for name in ROW_DATES if (found := item.get(name) or values.get(name))), None))
    if kind == "act":
        stay["acts"].append({"code": _identifier(values["code"]), "phase": "", "date": date})
        return None
    if kind == "diagnosis":
        role = _text(values.get("role")) or "DP"
        stay["diagnoses"].append({"code": _identifier(values["code"]), "role": role, "date": date})
        return None
    if kind not in STRUCTURED:
        raise ValueError(f"a structured row of kind {kind or '(none)'} is not known")
    identifier = _identifier(item.get("id") or values.get("id") or place)
    kept = {
        _text(name): clean(value) if isinstance(value, str) else value
        for name, value in values.items()
        if name not in ("id", "ipp")
    }
    if date and not any(kept.get(name) for name in ROW_DATES):
        kept["date"] = date
    for name in ROW_DATES:
        if kept.get(name):
            kept[name] = _day(kept[name])
    return SourceRecord(kind, f"{ipp}/{identifier}", ipp, kept, origin)  # type: ignore[arg-type]


def _identifier(value: Any) -> str:
    written = str(value).strip() if isinstance(value, str | int) else ""
    if not 0 < len(written) <= LONGEST_IDENTIFIER or clean(written) != written:
        raise ValueError(f"{value!r:.80} is no identifier")
    return written


def _text(value: Any) -> str:
    return clean(str(value)) if value else ""


def _day(value: Any) -> str | None:
    if not value:
        return None
    day = parse_date(str(value))
    if day is None:
        raise ValueError(f"{value!r} is no date")
    return day.isoformat()
