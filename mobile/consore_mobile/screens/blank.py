"""The right side of a tablet before anything was chosen."""

from __future__ import annotations

from kivy.properties import StringProperty

from consore_mobile.screens.page import Page, rules_beside


class BlankPage(Page):
    """An icon and a sentence."""

    of = StringProperty("search")

    def open(self, of: str) -> None:
        """Speak of this destination."""
        self.of = of


rules_beside(__file__)
