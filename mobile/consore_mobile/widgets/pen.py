"""Words drawn on a canvas, at whole pixels: elsewhere they blur."""

from __future__ import annotations

from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Rectangle
from kivy.graphics.texture import Texture
from kivy.metrics import sp
from kivy.utils import get_color_from_hex

from consore_mobile.widgets.kit import shortened

MOST_KEPT = 300  # textures


class Pen:
    """Writes on the canvas that is open, and keeps what it has drawn once."""

    def __init__(self) -> None:
        self._textures: dict[tuple[str, str, float, str, int], Texture] = {}

    def write(
        self,
        text: str,
        x: float,
        y: float,
        colour: str,
        size: float,
        font: str = "Roboto",
        *,
        most: float = 0,
        middle: bool = False,
        right: bool = False,
    ) -> None:
        """`text` from `x` on (`middle`: around it; `right`: up to it), `y` at its middle; both in pixels.

        `size` in sp, `colour` as `#RRGGBB`; shortened where it is longer than `most` pixels.
        """
        texture = self._texture(text, colour, size, font, round(most))
        Color(1, 1, 1, 1)
        left = x - texture.width / 2 if middle else x - texture.width if right else x
        Rectangle(texture=texture, pos=(round(left), round(y - texture.height / 2)), size=texture.size)

    def _texture(self, text: str, colour: str, size: float, font: str, most: int) -> Texture:
        key = (text, colour, size, font, most)
        if key not in self._textures:
            if len(self._textures) > MOST_KEPT:
                self._textures.clear()
            label = CoreLabel(
                text=shortened(text, size, font, most),
                font_size=sp(size),
                font_name=font,
                color=get_color_from_hex(colour),
            )
            label.refresh()
            self._textures[key] = label.texture
        return self._textures[key]
