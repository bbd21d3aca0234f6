"""A search under way, without any screen: its text, its filters, what was understood, the patients received so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from consore_mobile.answers import Alternative, Chip, Facet, FacetValue, Hit, SearchResult


@dataclass
class Asking:
    """One question and its answer so far. `version` grows at each change, so that late answers can be told apart."""

    text: str = ""
    chosen: dict[str, dict[str, FacetValue]] = field(default_factory=dict)
    result: SearchResult | None = None
    hits: list[Hit] = field(default_factory=list)
    page: int = 0
    version: int = 0

    def ask(self, text: str) -> None:
        """Start anew with this text; the filters of the former question go."""
        if text.strip() != self.text:
            self.chosen.clear()
        self.text = text.strip()
        self.restart()

    def restart(self) -> None:
        """Forget the answer and keep the question."""
        self.result, self.hits, self.page = None, [], 0
        self.version += 1

    def without(self, chip: Chip) -> str:
        """The text once `chip` is cut out of it, with its spaces and commas mended."""
        rest = f"{self.text[: chip.start]} {self.text[chip.end :]}"
        return " ".join(rest.split()).strip(" ,;")

    def instead(self, chip: Chip, other: Alternative) -> str:
        """The text with another reading in the place of `chip`."""
        return " ".join(f"{self.text[: chip.start]} {other.text} {self.text[chip.end :]}".split())

    def toggle(self, facet: Facet, value: FacetValue) -> None:
        """Choose a value of a facet, or drop it."""
        values = self.chosen.setdefault(facet.name, {})
        if values.pop(value.value, None) is None:
            values[value.value] = value
        if not values:
            del self.chosen[facet.name]

    def is_chosen(self, facet: Facet, value: FacetValue) -> bool:
        """Whether the value narrows the search."""
        return value.value in self.chosen.get(facet.name, {})

    def drop(self, value: FacetValue) -> None:
        """Drop a chosen value, whatever its facet."""
        for name in list(self.chosen):
            self.chosen[name].pop(value.value, None)
            if not self.chosen[name]:
                del self.chosen[name]

    @property
    def filters(self) -> list[FacetValue]:
        """The chosen values, in the order in which they were chosen."""
        return [value for values in self.chosen.values() for value in values.values()]

    @property
    def criteria(self) -> dict[str, Any] | None:
        """The filters as criteria: any value of a facet, all facets; null without filters."""
        groups = [[value.criterion for value in values.values()] for values in self.chosen.values()]
        nodes = [group[0] if len(group) == 1 else {"any": group} for group in groups]
        if not nodes:
            return None
        return nodes[0] if len(nodes) == 1 else {"all": nodes}

    @property
    def counted_criteria(self) -> dict[str, Any] | None:
        """What can be counted in all centres: what was understood and the filters; null when nothing was."""
        return self.result.criteria if self.result else None

    @property
    def cohort_criteria(self) -> dict[str, Any] | None:
        """What can be counted exactly in this centre: the same, and the words left over, all in one document."""
        words = {"document": {"text": " ".join(self.result.words)}} if self.result and self.result.words else None
        parts = [part for part in (self.counted_criteria, words) if part]
        return {"all": parts} if len(parts) > 1 else parts[0] if parts else None

    def receive(self, result: SearchResult) -> None:
        """Add a page."""
        self.result = result
        self.hits += result.hits
        self.page += 1

    @property
    def has_more(self) -> bool:
        """Whether the server holds more patients than were received."""
        return bool(self.result and self.result.hits and len(self.hits) < self.result.total)
