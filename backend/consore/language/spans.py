"""Spans kept so that « does one of them touch this one? » is answered without looking at all of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate


class Spans:
    """A fixed set of spans [start, end)."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._reached = list(accumulate((end for _, end in ordered), max))

    def touch(self, start: int, end: int) -> bool:
        """Whether one of the spans shares a character with [start, end)."""
        before = bisect_left(self._starts, end)
        return before > 0 and self._reached[before - 1] > start
