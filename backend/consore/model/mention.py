"""A mention: one span of a report, coded and put in context. And how a document's mentions are kept: one row."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from consore.model.vocabulary import Assertion, MentionKind


@dataclass(slots=True, unsafe_hash=True)
class Mention:
    """One span of a document. Nobody changes one: it is not frozen because a frozen one takes six times as long to make
    and a report makes hundreds.

    `start`, `end`: Python code points in the given text, `text == document[start:end]`.
    `system`, `code`: see `vocabulary.System`; null where nothing could be coded.
    `value`: status or measured value as text (`positive`, `30`, `T2N1M0`); `unit`: `%`, `mg/m²`, `Gy`…
    `date`: the date that the sentence gives to the fact, not the document's own date.
    `extractor`: `dictionary`, `rules` or `tagger`; `confidence` in 0–1.
    """

    start: int
    end: int
    text: str
    kind: MentionKind
    system: str | None = None
    code: str | None = None
    label: str | None = None
    value: str | None = None
    unit: str | None = None
    assertion: Assertion = Assertion.PRESENT
    date: dt.date | None = None
    extractor: str = "rules"
    confidence: float = 1.0

    def judged(self, assertion: Assertion, date: dt.date | None, confidence: float) -> Mention:
        """The same with this assertion, date and confidence."""
        return Mention(
            self.start,
            self.end,
            self.text,
            self.kind,
            self.system,
            self.code,
            self.label,
            self.value,
            self.unit,
            assertion,
            date,
            self.extractor,
            confidence,
        )

    def as_json(self) -> dict[str, Any]:
        """The mention with the keys of `consore annotate`."""
        return {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "kind": self.kind.value,
            "system": self.system,
            "code": self.code,
            "label": self.label,
            "value": self.value,
            "unit": self.unit,
            "assertion": self.assertion.value,
            "date": self.date.isoformat() if self.date else None,
            "extractor": self.extractor,
            "confidence": round(self.confidence, 3),
        }

    @classmethod
    def from_json(cls, item: dict[str, Any]) -> Mention:
        """The inverse of `as_json`."""
        return cls(
            **{
                **item,
                "kind": MentionKind(item["kind"]),
                "assertion": Assertion(item["assertion"]),
                "date": dt.date.fromisoformat(item["date"]) if item["date"] else None,
            }
        )


def pack_mentions(mentions: Iterable[Mention], sentences: Iterable[tuple[int, int]] = ()) -> bytes:
    """The mentions of one document and the spans of its sentences, as zlib-compressed UTF-8 JSON.

    A mention is a list of its values in the order of `as_json`; `sentences` are kept so that a history built again
    need not cut the text again.
    """
    items = [list(mention.as_json().values()) for mention in mentions]
    whole = {"sentences": [place for span in sentences for place in span], "mentions": items}
    return zlib.compress(json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def unpack_mentions(payload: bytes) -> list[Mention]:
    """The mentions that `pack_mentions` kept."""
    return unpack_page(payload)[0]


def unpack_page(payload: bytes) -> tuple[list[Mention], list[tuple[int, int]] | None]:
    """The inverse of `pack_mentions`: mentions and sentences, null where none were kept."""
    whole = json.loads(zlib.decompress(payload))
    if isinstance(whole, list):  # as the first nodes kept them
        return [Mention.from_json(item) for item in whole], None
    places = whole["sentences"]
    return [_mention(item) for item in whole["mentions"]], list(zip(places[::2], places[1::2], strict=True)) or None


_KINDS = {kind.value: kind for kind in MentionKind}
_ASSERTIONS = {assertion.value: assertion for assertion in Assertion}
_day = lru_cache(maxsize=65536)(dt.date.fromisoformat)


def _mention(item: list[Any]) -> Mention:
    start, end, text, kind, system, code, label, value, unit, assertion, date, extractor, confidence = item
    return Mention(
        start,
        end,
        text,
        _KINDS[kind],
        system,
        code,
        label,
        value,
        unit,
        _ASSERTIONS[assertion],
        _day(date) if date else None,
        extractor,
        confidence,
    )
