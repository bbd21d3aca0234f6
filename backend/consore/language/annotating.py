"""Documents in, mentions out, a JSON object a line: what `consore annotate --jsonl` does.

A line in: `{"id", "text"}`, optionally `date` (ISO) and `kind`. A line out: `{"id", "mentions": […]}`, in the same
order. A line that cannot be read is reported with its number and the others go on.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from consore.errors import RecordError
from consore.language.reader import Reader

_LINES_AT_ONCE = 100


def annotate_jsonl(lines: Iterable[str | bytes], out: IO[str], reader: Reader) -> list[str]:
    """Read each line's document and write its mentions to `out`; blank lines are skipped.

    Gives one message per line that could not be read, with its number (from 1).
    """
    rejected: list[str] = []
    for batch in _batches(_documents(lines, rejected)):
        read = reader.read_many([(item["text"], item.get("kind"), item["date"]) for item in batch])
        for item, mentions in zip(batch, read, strict=True):
            answer = {"id": item["id"], "mentions": [mention.as_json() for mention in mentions]}
            out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n")
    return rejected


def _documents(lines: Iterable[str | bytes], rejected: list[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _document(line, number)
        except RecordError as error:
            rejected.append(str(error))


def _document(line: str | bytes, number: int) -> dict[str, Any]:
    def refuse(reason: str, message: str) -> RecordError:
        return RecordError(
            f"Line {number}: {message}.",
            'Give one JSON object a line with "id" and "text".',
            reason=reason,
            position=f"ligne {number}",
        )

    try:
        item = json.loads(line.decode("utf-8") if isinstance(line, bytes) else line)
    except UnicodeDecodeError as error:
        raise refuse("encoding", f"not UTF-8 (byte {error.start})") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise refuse("json", f"not JSON ({error})") from error
    if not isinstance(item, dict):
        raise refuse("shape", "not a JSON object")
    if "id" not in item or not isinstance(item.get("text"), str):
        raise refuse("shape", 'no "id", or a "text" that is not a string')
    try:
        date = dt.date.fromisoformat(str(item["date"])[:10]) if item.get("date") else None
    except ValueError as error:
        raise refuse("date", f"the date {item['date']!r} is not ISO (2024-03-01)") from error
    return {**item, "date": date}


def _batches(items: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for item in items:
        batch.append(item)
        if len(batch) == _LINES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
