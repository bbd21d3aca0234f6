"""The charts of a cohort: the pyramid of ages, the curve of survival. Form tells what colour tells."""

from __future__ import annotations

from typing import Any

from kivy.app import App
from kivy.clock import Clock
from kivy.graphics import Color, Line, Rectangle, RoundedRectangle
from kivy.metrics import dp
from kivy.properties import ListProperty, ObjectProperty
from kivy.uix.widget import Widget
from kivy.utils import get_color_from_hex

from consore_mobile.chart_layout import bands, stairs
from consore_mobile.formatting import number
from consore_mobile.widgets.pen import Pen
from consore_mobile.words import word

BAND = 26  # dp of a step of the pyramid
MIDDLE = 64  # dp for the ages between both sides
COUNT = 44  # dp for a number beyond a bar
NUMBER = 30  # dp for a number below a curve


class Chart(Widget):
    """A drawing that is done again when its place, its content, the colours or the language change."""

    def __init__(self, **given: Any) -> None:
        self._pen = Pen()
        self._again = Clock.create_trigger(self._paint_anew)
        super().__init__(**given)
        self.size_hint_y = None
        self.bind(pos=self._again, size=self._again)
        app = App.get_running_app()
        app.c.bind(scheme=self._again)
        app.bind(language=self._again)

    def _paint_anew(self, *_: Any) -> None:
        self.canvas.clear()
        app = App.get_running_app()
        with self.canvas:
            self.paint(app.c.hexes(), app.language)

    def paint(self, colours: dict[str, str], language: str) -> None:
        """Draw it."""


class AgePyramid(Chart):
    """Women at the left, men at the right, the youngest below."""

    bands = ListProperty()

    def on_bands(self, *_: Any) -> None:
        self.height = dp(BAND) * (len(self.bands) + 1)
        self._again()

    def paint(self, colours: dict[str, str], language: str) -> None:
        most = max((max(one.female, one.male) for one in self.bands), default=0)
        room = (self.width - dp(MIDDLE)) / 2 - dp(COUNT)
        if not most or room <= 0:
            return
        left, right = self.center_x - dp(MIDDLE) / 2, self.center_x + dp(MIDDLE) / 2
        for name, x, ends in (("F", left, True), ("M", right, False)):
            text = word(language, f"cohort.sex.{name}")
            self._pen.write(text, x, self.top - dp(BAND) / 2, colours["quiet"], 12, "RobotoMedium", right=ends)
        for place, one in enumerate(self.bands):
            y, tall = self.y + dp(BAND) * place, dp(BAND - 6)
            middle = y + tall / 2
            self._pen.write(_ages(one.band), self.center_x, middle, colours["text"], 12, middle=True)
            for count, colour, x, ends in (
                (one.female, "lane_biology", left, True),
                (one.male, "lane_diagnosis", right, False),
            ):
                wide = max(dp(2), room * count / most) if count else 0
                Color(*get_color_from_hex(colours[colour]))
                RoundedRectangle(pos=(x - wide if ends else x, y), size=(wide, tall), radius=[dp(3)])
                beyond = x - wide - dp(6) if ends else x + wide + dp(6)
                if count:
                    self._pen.write(number(language, count), beyond, middle, colours["quiet"], 12, right=ends)


def _ages(band: str) -> str:
    """`80-` is written `80+`."""
    return f"{band[:-1]}+" if band.endswith("-") else band


class SurvivalCurve(Chart):
    """The part that is free of the event, its interval of 95 % around, who is still followed below."""

    survival = ObjectProperty(None, allownone=True)

    def on_survival(self, *_: Any) -> None:
        self._again()

    def paint(self, colours: dict[str, str], language: str) -> None:
        found = self.survival
        if found is None or not found.points:
            return
        left, below = self.x + dp(56), self.y + dp(60)
        wide, tall = self.right - left - dp(16), self.top - below - dp(12)
        end = max(found.points[-1].months, *(one.months for one in found.at_risk), 1.0)

        def at(months: float, part: float) -> tuple[float, float]:
            return left + wide * months / end, below + tall * part

        for part in (0, 25, 50, 75, 100):
            _, y = at(0, part / 100)
            Color(*get_color_from_hex(colours["outline"]))
            Rectangle(pos=(left, round(y)), size=(wide, max(1, dp(1))))
            self._pen.write(f"{part} %", left - dp(8), y, colours["quiet"], 12, right=True)
        Color(*get_color_from_hex(colours["primary"] + "2E"))
        for first, last, lower, upper in bands(found.points, end):
            (x, bottom), (after, top) = at(first, lower), at(last, upper)
            Rectangle(pos=(x, bottom), size=(after - x, top - bottom))
        Color(*get_color_from_hex(colours["primary"]))
        corners = stairs(found.points, end)
        Line(points=[value for corner in corners for value in at(*corner)], width=dp(1.3), joint="miter", cap="none")
        for text, height in (("cohort.months", 40), ("cohort.followed", 16)):
            self._pen.write(word(language, text), self.x, self.y + dp(height), colours["quiet"], 12)
        apart = wide / max(1, len(found.at_risk))
        for one in found.at_risk[:: 1 if apart >= dp(NUMBER) else 2]:
            x, _ = at(one.months, 0)
            self._pen.write(str(one.months), x, self.y + dp(40), colours["quiet"], 12, middle=True)
            count = number(language, one.patients)
            self._pen.write(count, x, self.y + dp(16), colours["text"], 12, middle=True)
