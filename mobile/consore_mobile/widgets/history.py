"""The drawn history of a patient: lanes, points and spans, panned with a finger, zoomed with two (or with the wheel).

Shape *and* colour tell what an item is. Geometry comes from `timeline_layout`; here it is only painted. Text is
drawn at whole pixels, or it blurs. Rows are painted again only when something changed.
"""

from __future__ import annotations

from math import cos, hypot, pi, sin
from typing import Any

from kivy.app import App
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics import (
    Color,
    Ellipse,
    Line,
    Mesh,
    Rectangle,
    RoundedRectangle,
    StencilPop,
    StencilPush,
    StencilUnUse,
    StencilUse,
)
from kivy.metrics import dp
from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.widget import Widget
from kivy.utils import get_color_from_hex

from consore_mobile import timeline_layout as geometry
from consore_mobile.formatting import month
from consore_mobile.widgets.kit import text_width
from consore_mobile.widgets.pen import Pen

MOST_ZOOM = 24.0
TAP = 10.0  # dp a finger may move and still tap
LABEL_SP = 12.5


class History(Widget):
    """`timeline` drawn over the width there is; `on_item` when an item is tapped."""

    timeline = ObjectProperty(None, allownone=True)
    zoom = NumericProperty(1.0)
    shift = NumericProperty(0.0)  # dp of content hidden at the left
    gutter = NumericProperty(0.0)  # dp for lane names at the left; 0: names above the lanes
    wide = BooleanProperty(False)
    selected = StringProperty("")

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_item")
        self._layout: geometry.Layout | None = None
        self._pen = Pen()
        self._fingers: dict[Any, tuple[float, float]] = {}
        self._pinch: tuple[float, float, float] | None = None
        super().__init__(**given)
        self.size_hint_y = None
        self._again = Clock.create_trigger(self._lay_out)
        self._paint_again = Clock.create_trigger(self._paint)
        self.bind(timeline=self._again, width=self._again, zoom=self._again, wide=self._again)
        self.bind(pos=self._paint_again, shift=self._paint_again, selected=self._paint_again)
        app = App.get_running_app()
        app.c.bind(scheme=self._paint_again)
        app.bind(language=self._paint_again)

    def on_item(self, item: Any) -> None:
        """An item was tapped."""

    @property
    def view_width(self) -> float:
        """Width of what moves, in dp."""
        return float(self.width) / dp(1) - float(self.gutter)

    @property
    def drawn(self) -> geometry.Layout | None:
        """The geometry in force, for the legend and for tests."""
        return self._layout

    def zoom_by(self, factor: float, at: float | None = None) -> None:
        """Zoom around `at` (dp in the view, its middle by default)."""
        at = self.view_width / 2 if at is None else at
        zoom = min(MOST_ZOOM, max(1.0, self.zoom * factor))
        content = (self.shift + at) * zoom / self.zoom
        self.zoom = zoom
        self._pan_to(content - at)

    def centre_of(self, item_id: str) -> tuple[float, float]:
        """Where an item is, in window coordinates (for tests and for pointing at it)."""
        mark = next(mark for mark in self._layout.marks if mark.item.id == item_id)  # type: ignore[union-attr]
        x, y = self._across(mark.x + mark.width / 2), self._down(mark.y)
        return self.to_window(x, y)

    def watch(self, touch: Any) -> bool:
        """Look at a touch before the page does; True when the page must not see it (wheel with Control, sideways)."""
        if not self.collide_point(*self.to_widget_point(touch)):
            return False
        button = getattr(touch, "button", "")
        if button in {"scrollleft", "scrollright"}:
            self._pan_to(self.shift + (40 if button == "scrollleft" else -40))
            return True
        if button in {"scrollup", "scrolldown"}:
            if "ctrl" in Window.modifiers:
                x, _ = self.to_widget_point(touch)
                self.zoom_by(1.25 if button == "scrolldown" else 0.8, (x - self.x) / dp(1) - self.gutter)
                return True
            return False
        touch.grab(self)
        self._fingers[touch.uid] = self.to_widget_point(touch)
        self._pinch = None
        return len(self._fingers) > 1

    def to_widget_point(self, touch: Any) -> tuple[float, float]:
        """The touch in this widget's own coordinates, whatever scrolls around it."""
        return self.to_widget(*self.get_parent_window_point(touch))

    def get_parent_window_point(self, touch: Any) -> tuple[float, float]:
        """The touch in window coordinates."""
        return touch.sx * Window.width, touch.sy * Window.height

    def on_touch_move(self, touch: Any) -> bool:
        if touch.grab_current is not self or touch.uid not in self._fingers:
            return False
        here = self.to_widget_point(touch)
        before = self._fingers[touch.uid]
        self._fingers[touch.uid] = here
        if len(self._fingers) == 2:
            (ax, _), (bx, _) = self._fingers.values()
            spread = max(abs(ax - bx), dp(20))
            middle = ((ax + bx) / 2 - self.x) / dp(1) - self.gutter
            if self._pinch:
                self.zoom_by(spread / self._pinch[0], middle)
            self._pinch = (spread, middle, self.zoom)
        elif self.zoom > 1:
            self._pan_to(self.shift - (here[0] - before[0]) / dp(1))
        return True

    def on_touch_up(self, touch: Any) -> bool:
        if touch.grab_current is not self:
            return False
        touch.ungrab(self)
        self._fingers.pop(touch.uid, None)
        moved = hypot((touch.sx - touch.osx) * Window.width, (touch.sy - touch.osy) * Window.height)
        if moved < dp(TAP) and self._layout and not self._pinch:
            x, y = self.to_widget_point(touch)
            item = self._layout.at((x - self.x) / dp(1) - self.gutter + self.shift, (self.top - y) / dp(1))
            if item:
                self.selected = item.id
                self.dispatch("on_item", item)
        if not self._fingers:
            self._pinch = None
        return True

    def _pan_to(self, shift: float) -> None:
        self.shift = min(max(0.0, shift), max(0.0, self.view_width * (self.zoom - 1)))

    def _lay_out(self, *_: Any) -> None:
        if self.timeline is None or self.width < dp(100):
            return
        labels = [lane.label for lane in self.timeline.lanes if lane.items]
        longest = max((text_width(label, 13, "RobotoMedium") / dp(1) for label in labels), default=0)
        self.gutter = min(longest + 24, 190) if self.wide else 0
        self._layout = geometry.lay_out(
            self.timeline,
            self.view_width,
            self.zoom,
            lambda text: text_width(text, LABEL_SP) / dp(1),
            captions=not self.wide,
        )
        self.height = dp(self._layout.height)
        self._pan_to(self.shift)
        self._paint_again()

    def _across(self, x: float) -> float:
        return float(self.x + dp(self.gutter + x - self.shift))

    def _down(self, y: float) -> float:
        return float(self.top - dp(y))

    def _paint(self, *_: Any) -> None:
        self.canvas.clear()
        if not self._layout:
            return
        app = App.get_running_app()
        colours = app.c.hexes()
        visible = (self.shift - 200, self.shift + self.view_width + 200)
        with self.canvas:
            for lane in self._layout.lanes:
                Color(*get_color_from_hex(colours["sunken"] + "99"))
                band = (self.x, self._down(lane.top + lane.height)), (self.width, dp(lane.height))
                RoundedRectangle(pos=band[0], size=band[1], radius=[dp(8)])
            self._clip()
            for tick in self._layout.ticks:
                if visible[0] <= tick.x <= visible[1]:
                    self._paint_tick(tick, colours, app.language)
            for mark in self._layout.marks:
                if mark.x <= visible[1] and max(mark.x + mark.width, mark.label_x + mark.label_width) >= visible[0]:
                    self._paint_mark(mark, colours)
            self._unclip()
            for lane in self._layout.lanes:
                self._paint_name(lane, colours)

    def _clip(self) -> None:
        area = {"pos": (self.x + dp(self.gutter), self.y), "size": (dp(self.view_width), self.height)}
        StencilPush()
        Rectangle(**area)
        StencilUse()

    def _unclip(self) -> None:
        StencilUnUse()
        Rectangle(pos=(self.x + dp(self.gutter), self.y), size=(dp(self.view_width), self.height))
        StencilPop()

    def _paint_tick(self, tick: geometry.Tick, colours: dict[str, str], language: str) -> None:
        x = round(self._across(tick.x))
        Color(*get_color_from_hex(colours["outline"]))
        Rectangle(pos=(x, self.y + dp(geometry.LANE_GAP)), size=(max(1, dp(1)), self.height - dp(geometry.AXIS)))
        text = str(tick.day.year) if tick.major else month(language, tick.day)
        self._pen.write(
            text, x, self.top - dp(13), colours["quiet"], 12, "RobotoMedium" if tick.major else "Roboto", middle=True
        )

    def _paint_name(self, lane: geometry.Lane, colours: dict[str, str]) -> None:
        if self.gutter:
            y = self._down(lane.top + lane.height / 2)
            self._pen.write(
                lane.label, self.x + dp(10), y, colours["text"], 13, "RobotoMedium", most=dp(self.gutter - 14)
            )
        else:
            y = self._down(lane.top + 12)
            self._pen.write(lane.label, self.x + dp(10), y, colours["quiet"], 12, "RobotoMedium")

    def _paint_mark(self, mark: geometry.Mark, colours: dict[str, str]) -> None:
        colour = get_color_from_hex(colours[mark.colour])
        x, y = self._across(mark.x), self._down(mark.y)
        if mark.item.id == self.selected:
            Color(*get_color_from_hex(colours["primary"] + "40"))
            reach = dp(geometry.RADIUS + 6)
            RoundedRectangle(pos=(x - reach, y - reach), size=(dp(mark.width) + 2 * reach, 2 * reach), radius=[reach])
        Color(*colour)
        if mark.shape.startswith("span_"):
            self._paint_span(mark, x, y, colours)
        else:
            _point(mark.shape, x, y, dp(geometry.RADIUS))
        if mark.label:
            ink = "surface" if mark.label_inside and mark.shape != "span_hollow" else "text"
            self._pen.write(
                mark.label, self._across(mark.label_x), y, colours[ink], LABEL_SP, most=dp(mark.label_width) + 1
            )

    def _paint_span(self, mark: geometry.Mark, x: float, y: float, colours: dict[str, str]) -> None:
        width, half = dp(mark.width), dp(10)
        box = {"pos": (x, y - half), "size": (width, 2 * half)}
        if mark.shape == "span_hollow":
            Line(rounded_rectangle=(x + 1, y - half + 1, width - 2, 2 * half - 2, dp(5)), width=dp(1.6))
            return
        if mark.shape == "span_hexagon":
            _polygon(
                [
                    (x, y),
                    (x + dp(6), y + half),
                    (x + width - dp(6), y + half),
                    (x + width, y),
                    (x + width - dp(6), y - half),
                    (x + dp(6), y - half),
                ]
            )
            return
        RoundedRectangle(**box, radius=[dp(5)])
        if mark.label_inside or mark.shape == "span_plain":
            return
        Color(*get_color_from_hex(colours["surface"]))
        step = dp(8)
        for i in range(1, min(int(width // step), 120)):
            if mark.shape == "span_striped":
                Line(
                    points=[x + i * step - dp(3), y - half + dp(2), x + i * step + dp(3), y + half - dp(2)],
                    width=dp(0.9),
                )
            else:
                Ellipse(pos=(x + i * step - dp(1.5), y - dp(1.5)), size=(dp(3), dp(3)))


class Shape(Widget):
    """One shape of the history, for its legend."""

    shape = StringProperty("circle")
    colour = StringProperty("lane_events")

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._again = Clock.create_trigger(self._paint)
        self.bind(pos=self._again, size=self._again, shape=self._again, colour=self._again)
        App.get_running_app().c.bind(scheme=self._again)
        self._again()

    def _paint(self, *_: Any) -> None:
        self.canvas.clear()
        colours = App.get_running_app().c.hexes()
        with self.canvas:
            Color(*get_color_from_hex(colours[self.colour]))
            x, y = self.center
            if not self.shape.startswith("span_"):
                _point(self.shape, x, y, dp(6.5))
                return
            half, width = dp(6), self.width - dp(2)
            if self.shape == "span_hollow":
                Line(rounded_rectangle=(x - width / 2, y - half + 1, width, 2 * half - 2, dp(4)), width=dp(1.4))
                return
            RoundedRectangle(pos=(x - width / 2, y - half), size=(width, 2 * half), radius=[dp(4)])
            Color(*get_color_from_hex(colours["surface"]))
            for i in (-1, 0, 1):
                if self.shape == "span_striped":
                    Line(
                        points=[x + dp(6) * i - dp(2), y - half + dp(1), x + dp(6) * i + dp(2), y + half - dp(1)],
                        width=dp(0.9),
                    )
                elif self.shape == "span_dotted":
                    Ellipse(pos=(x + dp(6) * i - dp(1.5), y - dp(1.5)), size=(dp(3), dp(3)))


def _point(shape: str, x: float, y: float, r: float) -> None:
    if shape == "circle":
        Ellipse(pos=(x - r, y - r), size=(2 * r, 2 * r))
    elif shape == "ring":
        Line(circle=(x, y, r - dp(1)), width=dp(2))
    elif shape == "square":
        Rectangle(pos=(x - r * 0.88, y - r * 0.88), size=(r * 1.76, r * 1.76))
    elif shape == "cross":
        Line(points=[x - r * 0.8, y - r * 0.8, x + r * 0.8, y + r * 0.8], width=dp(2.2), cap="square")
        Line(points=[x - r * 0.8, y + r * 0.8, x + r * 0.8, y - r * 0.8], width=dp(2.2), cap="square")
    elif shape == "plus":
        Line(points=[x - r * 0.85, y, x + r * 0.85, y], width=dp(2), cap="square")
        Line(points=[x, y - r * 0.85, x, y + r * 0.85], width=dp(2), cap="square")
    elif shape == "bar":
        Rectangle(pos=(x - dp(2.5), y - r * 1.2), size=(dp(5), r * 2.4))
    else:
        _polygon([(x + dx * r, y + dy * r) for dx, dy in _CORNERS[shape]])


def _polygon(points: list[tuple[float, float]]) -> None:
    vertices = [value for x, y in points for value in (x, y, 0, 0)]
    Mesh(vertices=vertices, indices=list(range(len(points))), mode="triangle_fan")


_CORNERS = {
    "triangle": [(-1, -0.85), (1, -0.85), (0, 0.95)],
    "triangle_down": [(-1, 0.85), (1, 0.85), (0, -0.95)],
    "diamond": [(-1, 0), (0, 1), (1, 0), (0, -1)],
    "chevron": [(-0.8, 1), (1, 0), (-0.8, -1)],
    "hexagon": [(cos(i * pi / 3), sin(i * pi / 3)) for i in range(6)],
}
