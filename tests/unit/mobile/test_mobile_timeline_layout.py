"""The history is drawn in order, without anything over anything else, and every item can be touched."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consore_mobile.answers import Timeline, TimelineItem, TimelineLane
from consore_mobile.timeline_layout import SHAPES, Layout, lay_out, legend, shape_of


def _measure(text: str) -> float:
    return 7.0 * len(text)


def _item(
    number: int, kind: str, start: dt.date, end: dt.date | None = None, label: str = "Mastectomie"
) -> TimelineItem:
    return TimelineItem(str(number), kind, label, start, end)


def _drawn(items: list[TimelineItem], zoom: float = 1, width: float = 380) -> Layout:
    lane = TimelineLane("systemic", "Traitements", items)
    return lay_out(Timeline([lane, TimelineLane("surgery", "Chirurgie", [])]), width, zoom, _measure, captions=True)


DAYS = st.dates(dt.date(2005, 1, 1), dt.date(2026, 1, 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(DAYS, st.integers(0, 900)), min_size=1, max_size=14), st.sampled_from([1, 2.5, 9]))
def test_nothing_is_drawn_over_anything_else_and_nothing_is_left_out(
    spans: list[tuple[dt.date, int]], zoom: float
) -> None:
    items = [
        _item(i, "chemotherapy", start, start + dt.timedelta(days=days) if days else None)
        for i, (start, days) in enumerate(spans)
    ]
    drawn = _drawn(items, zoom)
    assert sorted(mark.item.id for mark in drawn.marks) == sorted(item.id for item in items)
    for mark in drawn.marks:
        assert 0 <= mark.x <= drawn.width
        assert 0 < mark.y < drawn.height
        assert mark.label_x >= 0
        assert mark.label_x + mark.label_width <= drawn.width + 1
    for one, other in itertools.combinations([mark for mark in drawn.marks if mark.label], 2):
        apart = one.label_x + one.label_width <= other.label_x or other.label_x + other.label_width <= one.label_x
        assert apart or one.y != other.y


def test_time_runs_from_left_to_right() -> None:
    drawn = _drawn([_item(1, "surgery", dt.date(2024, 1, 1)), _item(2, "surgery", dt.date(2019, 1, 1))])
    by_id = {mark.item.id: mark for mark in drawn.marks}
    assert by_id["2"].x < by_id["1"].x


def test_a_touch_finds_its_item_with_a_finger_of_48_dp() -> None:
    drawn = _drawn([_item(1, "surgery", dt.date(2019, 1, 1)), _item(2, "surgery", dt.date(2024, 1, 1))])
    for mark in drawn.marks:
        assert drawn.at(mark.x, mark.y) is mark.item
        assert drawn.at(mark.x - 20, mark.y + 20) is mark.item
    assert drawn.at(drawn.width / 2, -100) is None


def test_zoom_widens_the_content_and_brings_months() -> None:
    items = [_item(1, "surgery", dt.date(2019, 1, 1)), _item(2, "surgery", dt.date(2024, 1, 1))]
    near, far = _drawn(items, 10), _drawn(items)
    assert near.width == pytest.approx(10 * far.width)
    assert all(tick.major for tick in far.ticks)
    assert not all(tick.major for tick in near.ticks)


def test_empty_lanes_take_no_room_and_an_empty_history_none_at_all() -> None:
    assert [lane.key for lane in _drawn([_item(1, "surgery", dt.date(2019, 1, 1))]).lanes] == ["systemic"]
    empty = lay_out(Timeline([]), 380, 1, _measure, captions=True)
    assert (empty.height, empty.marks, empty.at(1, 1)) == (0, [], None)


def test_one_day_alone_can_be_drawn() -> None:
    drawn = _drawn([_item(1, "death", dt.date(2020, 2, 29))])
    assert len(drawn.marks) == 1
    assert drawn.ticks


def test_kinds_of_events_differ_by_shape_not_by_colour_alone() -> None:
    events = ["initial", "local_recurrence", "regional_recurrence", "metastatic_recurrence", "progression", "death"]
    assert len({SHAPES[kind] for kind in events}) == len(events)
    spans = ["chemotherapy", "hormonotherapy", "targeted", "immunotherapy", "radiotherapy"]
    day = dt.date(2020, 1, 1)
    assert len({shape_of(_item(1, kind, day, day + dt.timedelta(90))) for kind in spans}) == len(spans)


def test_the_legend_names_each_kind_once() -> None:
    day = dt.date(2020, 1, 1)
    drawn = _drawn([_item(1, "surgery", day), _item(2, "surgery", day), _item(3, "death", day)])
    assert [kind for kind, _, _ in legend(drawn)] == ["surgery", "death"]
