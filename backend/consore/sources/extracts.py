"""The extracts that are one row a record: patients, merges, deletions, and the rows that go with a patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from consore.errors import RecordError
from consore.model import Sex
from consore.sources.records import Rejection, SourceRecord
from consore.sources.tables import Row

# The identifier that may come once in a file, where it is not `id`; a stay may take several rows.
UNIQUE = {"administrative": "ipp", "merges": "merged", "pmsi_ano": "rss", "pmsi": ""}


def records_of_rows(kind: str, rows: Iterator[Row | Rejection]) -> Iterator[SourceRecord | Rejection]:
    """The records of the rows of an extract (`administrative`, `merges`, `chemotherapy`…)."""
    if kind == "pmsi":
        yield from _stays(rows)
        return
    record = {"administrative": _patient, "merges": _merge, "deletions": _deletion}.get(kind) or _structured(kind)
    for row in rows:
        if isinstance(row, Rejection):
            yield row
            continue
        try:
            yield record(row)
        except RecordError as error:
            yield Rejection.of(error, row.position, row.raw)


def _patient(row: Row) -> SourceRecord:
    values = dict(row.values)
    ipp = values.pop("ipp")
    birth = values["birth_date"]
    for field, word in (("death_date", "death"), ("last_news_date", "last news")):
        if values[field] and values[field] < birth:
            raise RecordError(
                f"The birth date {birth} lies after the date of {word} {values[field]}.",
                "Correct the dates in the source, then read the source again.",
                reason="inconsistent_dates",
            )
    for field in ("birth_name", "postal_code", "city"):
        values[field] = values[field] or ""
    values["sex"] = values["sex"] or Sex.UNKNOWN.value
    return SourceRecord("patient", ipp, ipp, values, row.position, row.raw)


def _merge(row: Row) -> SourceRecord:
    kept, merged, date = row.values["ipp"], row.values["merged"], row.values["date"]
    if kept == merged:
        raise RecordError(
            f"The identity {kept} is merged with itself.", "Correct it in the source.", reason="inconsistent_merge"
        )
    values = {"merged": merged, "date": date}
    return SourceRecord("merge", f"{merged}→{kept}", kept, values, row.position, row.raw)


def _deletion(row: Row) -> SourceRecord:
    values = {name: row.values[name] or None for name in ("of", "date")} | {"reason": row.values["reason"] or ""}
    return SourceRecord("deletion", row.values["id"], row.values["ipp"] or "", values, row.position, row.raw)


def _stays(rows: Iterator[Row | Rejection]) -> Iterator[SourceRecord | Rejection]:
    """Stays of one row each, or of rows that follow each other: a code or some a row."""
    for number, group in groupby(rows, key=lambda row: row.values["number"] if isinstance(row, Row) else ""):
        if not number:
            yield from (row for row in group if isinstance(row, Rejection))
            continue
        held = [row for row in group if isinstance(row, Row)]
        raw = _together([row.raw for row in held])
        try:
            yield _stay(number, held, raw)
        except RecordError as error:
            yield Rejection.of(error, held[0].position, raw)


def _together(raws: list[bytes]) -> bytes:
    """The raw bytes of rows that form one record: JSON objects on lines, or one header and its lines."""
    if raws[0].startswith(b"{"):
        return b"\n".join(raws)
    return raws[0] + b"".join(raw.partition(b"\n")[2] for raw in raws[1:])


def _stay(number: str, rows: list[Row], raw: bytes) -> SourceRecord:
    entry = min(row.values["entry_date"] for row in rows)
    leave = max((row.values["exit_date"] or "" for row in rows), default="")
    if leave and leave < entry:
        raise RecordError(
            f"The stay ends on {leave}, before it begins on {entry}.",
            "Correct the dates in the source.",
            reason="inconsistent_dates",
        )
    diagnoses, acts = [], []
    for row in rows:
        for field, role in (("principal", "DP"), ("related", "DR"), ("associated", "DAS")):
            codes = (row.values[field] or "").split("+")
            diagnoses += [{"code": code, "role": role, "date": entry} for code in codes if code]
        day = row.values["act_date"] or entry
        acts += [{"code": code, "phase": "0", "date": day} for code in (row.values["acts"] or "").split("+") if code]
    values = {
        "number": number,
        "entry_date": entry,
        "exit_date": leave or None,
        "unit": "+".join(dict.fromkeys(filter(None, (row.values["unit"] for row in rows)))),
        "diagnoses": list({tuple(one.items()): one for one in diagnoses}.values()),
        "acts": list({tuple(one.items()): one for one in acts}.values()),
    }
    return SourceRecord("stay", number, rows[0].values["ipp"], values, rows[0].position, raw)


def _structured(kind: str) -> Callable[[Row], SourceRecord]:
    def record(row: Row) -> SourceRecord:
        values = {column: value or "" for column, value in row.values.items() if column not in ("id", "ipp")}
        return SourceRecord(kind, row.values["id"], row.values["ipp"], values, row.position, row.raw)  # type: ignore[arg-type]

    return record
