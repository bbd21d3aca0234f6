"""Where each item of a patient's history is drawn: geometry only, in density-independent pixels, y growing downwards.

Time runs from left to right over `width * zoom`. Each lane has one or more rows; an item goes to the first row
where it and its label are free, so that nothing is drawn over anything else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from consore_mobile.answers import Timeline, TimelineItem

ROW = 34.0
LANE_CAPTION = 20.0  # room for the lane's name above its rows when there is no gutter
LANE_GAP = 6.0
AXIS = 28.0
RADIUS = 8.0
SHORTEST_SPAN = 12.0
LABEL_GAP = 6.0
LONGEST_LABEL = 250.0
MOST_ROWS = 4
EDGE = 16.0
TICK_GAP = 44.0  # for years; months need half as much again
STEPS = (1, 3, 6, 12, 24, 60, 120)  # months between ticks

SHAPES = {
    "initial": "circle",
    "second_cancer": "ring",
    "local_recurrence": "triangle",
    "regional_recurrence": "triangle_down",
    "metastatic_recurrence": "cross",
    "progression": "chevron",
    "remission": "ring",
    "death": "bar",
    "surgery": "square",
    "sample": "diamond",
    "radiotherapy": "hexagon",
    "biology": "plus",
}
COLOURS = {
    "initial": "lane_diagnosis",
    "second_cancer": "lane_diagnosis",
    "surgery": "lane_surgery",
    "transplant": "lane_surgery",
    "radiotherapy": "lane_radiotherapy",
    "chemotherapy": "lane_chemotherapy",
    "hormonotherapy": "lane_hormonotherapy",
    "targeted": "lane_targeted",
    "immunotherapy": "lane_immunotherapy",
    "cell_therapy": "lane_immunotherapy",
    "remission": "lane_surgery",
    "sample": "lane_samples",
    "biology": "lane_biology",
    "death": "text",
}
SPAN_PATTERNS = {"hormonotherapy": "hollow", "targeted": "striped", "immunotherapy": "dotted"}


@dataclass(slots=True, frozen=True)
class Mark:
    """An item on the drawing. `x`, `y`: its centre line's left end; `width` 0 for a point. `label_x`: null, no room."""

    item: TimelineItem
    shape: str
    colour: str
    x: float
    y: float
    width: float
    label: str
    label_x: float
    label_width: float
    label_inside: bool

    def holds(self, x: float, y: float, finger: float = 24.0) -> bool:
        """Whether a touch at (x, y) means this item; `finger` is half of the smallest target."""
        right = max(self.x + self.width, self.label_x + self.label_width)
        return min(self.x - finger, self.label_x) <= x <= max(right, self.x + finger) and abs(y - self.y) <= finger


@dataclass(slots=True, frozen=True)
class Lane:
    """A band of the drawing."""

    key: str
    label: str
    top: float
    height: float


@dataclass(slots=True, frozen=True)
class Tick:
    """A date of the axis; `major` ones start a year."""

    x: float
    day: dt.date
    major: bool


@dataclass(slots=True, frozen=True)
class Layout:
    """The whole drawing; `width` is that of its content, wider than the view when zoomed."""

    width: float
    height: float
    lanes: list[Lane]
    marks: list[Mark]
    ticks: list[Tick]

    def at(self, x: float, y: float) -> TimelineItem | None:
        """The item under a touch: the nearest of those whose target holds it."""
        near = [mark for mark in self.marks if mark.holds(x, y)]
        return min(near, key=lambda mark: (abs(y - mark.y), _distance(mark, x))).item if near else None


def lay_out(
    timeline: Timeline, width: float, zoom: float, measure: Callable[[str], float], *, captions: bool
) -> Layout:
    """The drawing of `timeline` in a view of `width`; `measure` gives the width of a label.

    `captions`: lanes carry their name above their rows (a narrow view has no room for a gutter).
    """
    lanes = [lane for lane in timeline.lanes if lane.items]
    items = [item for lane in lanes for item in lane.items]
    content = max(width, 1.0) * max(zoom, 1.0)
    if not items:
        return Layout(content, 0.0, [], [], [])
    first, last = _bounds(items)
    scale = (content - 2 * EDGE) / (last - first).days

    def across(day: dt.date) -> float:
        return EDGE + (day - first).days * scale

    marks: list[Mark] = []
    bands: list[Lane] = []
    top = AXIS
    for lane in lanes:
        head = LANE_CAPTION if captions else 4.0
        placed, rows = _place(lane.items, top + head, across, content, measure)
        height = head + rows * ROW + (4.0 if not captions else 0.0)
        bands.append(Lane(lane.key, lane.label, top, height))
        marks += placed
        top += height + LANE_GAP
    return Layout(content, top, bands, marks, _ticks(first, last, across, scale))


def legend(layout: Layout) -> list[tuple[str, str, str]]:
    """(kind, shape, colour) of what the drawing holds, each once, in the order of the lanes."""
    return list(dict.fromkeys((mark.item.kind, mark.shape, mark.colour) for mark in layout.marks))


def shape_of(item: TimelineItem) -> str:
    """The shape of an item: points by what they are, spans by their pattern."""
    if item.end and item.end != item.start:
        return "span_" + SPAN_PATTERNS.get(item.kind, "hexagon" if item.kind == "radiotherapy" else "plain")
    return SHAPES.get(item.kind, "square" if item.kind in COLOURS else "diamond")


def _place(
    items: list[TimelineItem],
    top: float,
    across: Callable[[dt.date], float],
    content: float,
    measure: Callable[[str], float],
) -> tuple[list[Mark], int]:
    marks: list[Mark] = []
    reached: list[float] = []
    for item in sorted(items, key=lambda item: (item.start, item.end or item.start)):
        x = across(item.start)
        is_span = bool(item.end and item.end > item.start)
        width = max(SHORTEST_SPAN, across(item.end) - x) if is_span and item.end else 0.0
        text = min(measure(item.shown), LONGEST_LABEL)
        inside = is_span and text + 2 * LABEL_GAP <= width
        half = 0.0 if is_span else RADIUS
        label_x = x + LABEL_GAP if inside else x + width + half + LABEL_GAP
        if not inside and label_x + text > content:  # no room at the right: on the side where there is more
            room_before, room_after = x - half - LABEL_GAP - 4.0, content - label_x
            text = min(text, max(room_before, room_after))
            label_x = x - half - LABEL_GAP - text if room_before > room_after else label_x
        left = min(x - half, label_x)
        right = max(x + width + half, label_x + text) + LABEL_GAP
        row = next((i for i, end in enumerate(reached) if end <= left), None)
        if row is None and len(reached) < MOST_ROWS:
            row = len(reached)
            reached.append(0.0)
        label = item.shown
        if row is None:  # too crowded: the item stays, its label goes, a tap still tells all
            row, label, text, label_x = min(range(len(reached)), key=reached.__getitem__), "", 0.0, x
            right = x + width + half
        reached[row] = max(reached[row], right)
        y = top + row * ROW + ROW / 2
        colour = COLOURS.get(item.kind, "lane_events")
        marks.append(Mark(item, shape_of(item), colour, x, y, width, label, label_x, text, inside))
    return marks, len(reached)


def _bounds(items: list[TimelineItem]) -> tuple[dt.date, dt.date]:
    first = min(item.start for item in items)
    last = max(item.end or item.start for item in items)
    months = max(1, round((last - first).days / 365) // 2)  # air on both sides, in proportion
    return _shift(first.replace(day=1), -months), _shift(last.replace(day=1), months + 1)


def _ticks(first: dt.date, last: dt.date, across: Callable[[dt.date], float], scale: float) -> list[Tick]:
    gaps = {months: TICK_GAP * (1.0 if months >= 12 else 1.6) for months in STEPS}
    step = next((months for months in STEPS if months * 30.4 * scale >= gaps[months]), STEPS[-1])
    ticks, index = [], -(-(first.year * 12 + first.month - 1) // step) * step
    while (day := dt.date(index // 12, index % 12 + 1, 1)) <= last:
        ticks.append(Tick(across(day), day, day.month == 1))
        index += step
    return ticks


def _shift(day: dt.date, months: int) -> dt.date:
    index = day.year * 12 + day.month - 1 + months
    return dt.date(index // 12, index % 12 + 1, 1)


def _distance(mark: Mark, x: float) -> float:
    return max(mark.x - x, 0.0, x - (mark.x + mark.width))
