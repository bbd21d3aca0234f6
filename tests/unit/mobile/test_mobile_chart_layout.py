"""A curve of survival is stairs, with the interval around each step."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consore_mobile.answers import SurvivalPoint
from consore_mobile.chart_layout import bands, stairs


@st.composite
def curves(draw: st.DrawFn) -> list[SurvivalPoint]:
    months = sorted(draw(st.sets(st.floats(0.1, 300), max_size=30)))
    parts = sorted((draw(st.floats(0, 1)) for _ in months), reverse=True)
    return [
        SurvivalPoint(month, part, max(0.0, part - 0.1), min(1.0, part + 0.1))
        for month, part in zip(months, parts, strict=True)
    ]


def value_at(points: list[SurvivalPoint], months: float) -> float:
    return next((point.survival for point in reversed(points) if point.months <= months), 1.0)


@given(curves(), st.floats(0, 400))
def test_a_curve_keeps_each_value_until_the_next_and_never_rises(points: list[SurvivalPoint], end: float) -> None:
    corners = stairs(points, end)
    assert corners[0] == (0.0, 1.0)
    assert [part for _, part in corners] == sorted((part for _, part in corners), reverse=True)
    assert corners[-1][0] == max([end, *(point.months for point in points)])
    for (first, part), (last, _) in pairwise(corners):
        if last > first:
            assert part == value_at(points, first)


@given(curves(), st.floats(0, 400))
def test_the_interval_covers_the_curve_from_its_first_step_to_the_end(points: list[SurvivalPoint], end: float) -> None:
    found = bands(points, end)
    for before, after in pairwise(found):
        assert before[1] == after[0]
    for (first, last, lower, upper), point in zip(found, points, strict=True):
        assert (first, lower, upper) == (point.months, point.lower, point.upper)
        assert last >= first
