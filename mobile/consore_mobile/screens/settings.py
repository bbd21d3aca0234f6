"""Appearance, language, who is signed in and where; signing out."""

from __future__ import annotations

from kivy.properties import StringProperty

from consore_mobile import __version__
from consore_mobile.formatting import number
from consore_mobile.preferences import THEMES
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.words import LANGUAGES, word


class SettingsPage(Page):
    """A short list."""

    version = StringProperty(__version__)
    person = StringProperty("")
    role = StringProperty("")
    centre = StringProperty("")
    centre_line = StringProperty("")
    referent = StringProperty("")
    server = StringProperty("")
    themes = THEMES
    languages = LANGUAGES

    def arrive(self, given: dict[str, object]) -> None:
        """Who is signed in may have changed."""
        self.given = dict(given)
        self.open()

    def open(self, **_: object) -> None:
        """Show who is signed in."""
        me, language = self.app.me, self.app.language
        if me is None:
            return
        self.person = f"{me.name}  ({me.login})"
        self.role = word(language, f"settings.role.{me.role}")
        self.centre = me.centre.name
        self.centre_line = word(
            language,
            "settings.patients",
            patients=number(language, me.centre.patient_count),
            documents=number(language, me.centre.document_count),
        )
        referent = (me.centre.referent_name, me.centre.referent_email, me.centre.referent_phone)
        self.referent = " · ".join(part for part in referent if part)
        self.server = self.app.client.address if self.app.client else ""


rules_beside(__file__)
