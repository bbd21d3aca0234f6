"""The extracts that are one row a record: patients, merges, deletions, and the rows that go with a patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from consore.errors import RecordError
from consore.model import Sex
from consore.sources.records import Rejection, SourceRecord
from consore.sources.tables import Row

# The identifier that may come once in a file, where it is not `id`.
UNIQUE = {"administrative": "ipp", "merges": "merged", "pmsi_ano": "rss"}


def records_of_rows(kind: str, rows: Iterator[Row | Rejection]) -> Iterator[SourceRecord | Rejection]:
    """The records of the rows of an extract (`administrative`, `merges`, `chemotherapy`…)."""
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


def _structured(kind: str) -> Callable[[Row], SourceRecord]:
    def record(row: Row) -> SourceRecord:
        values = {column: value or "" for column, value in row.values.items() if column not in ("id", "ipp")}
        return SourceRecord(kind, row.values["id"], row.values["ipp"], values, row.position, row.raw)  # type: ignore[arg-type]

    return record
