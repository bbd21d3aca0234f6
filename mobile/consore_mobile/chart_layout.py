"""Where the lines of a curve of survival stand, without any screen."""

from __future__ import annotations

from itertools import pairwise

from consore_mobile.answers import SurvivalPoint


def stairs(points: list[SurvivalPoint], end: float) -> list[tuple[float, float]]:
    """The corners of a curve that keeps each value until the next, from (0, 1) to `end`, in months and parts of 1."""
    corners = [(0.0, 1.0)]
    for point in points:
        corners += [(point.months, corners[-1][1]), (point.months, point.survival)]
    return [*corners, (max(end, corners[-1][0]), corners[-1][1])]


def bands(points: list[SurvivalPoint], end: float) -> list[tuple[float, float, float, float]]:
    """The interval around a curve as rectangles: (from, to, lower, upper), in months and parts of 1."""
    if not points:
        return []
    last = SurvivalPoint(max(end, points[-1].months), 0, 0, 0)
    return [(one.months, after.months, one.lower, one.upper) for one, after in pairwise([*points, last])]
