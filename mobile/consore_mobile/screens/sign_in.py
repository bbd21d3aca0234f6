"""Signing in: the server's address (remembered), who, and the password (never kept)."""

from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, StringProperty

from consore_mobile.answers import Me
from consore_mobile.client import Client
from consore_mobile.failures import Failure
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import failure_words
from consore_mobile.words import word


class SignInPage(Page):
    """Three fields and a button."""

    busy = BooleanProperty(False)
    problem = StringProperty("")
    problem_hint = StringProperty("")

    def open(self, **_: Any) -> None:
        """Fill in what is remembered."""
        self.ids.server.text = self.ids.server.text or self.app.preferences.server
        self.ids.login.text = self.ids.login.text or self.app.preferences.login
        self.problem = word(self.app.language, "sign_in.ended") if self.app.ended else ""
        self.problem_hint = ""

    def submit(self) -> None:
        """Ask for a session."""
        server, login, password = (self.ids[name].text.strip() for name in ("server", "login", "password"))
        self.problem = self.problem_hint = ""
        if not (server and login and password):
            self.problem = word(self.app.language, "sign_in.missing")
            return
        if self.busy:
            return
        self.busy = True
        client = Client(server, language=self.app.language, authority=self.app.authority)

        def entered(me: Me) -> None:
            self.busy = False
            self.ids.password.text = ""
            self.app.enter(client, me)

        def failed(failure: Failure) -> None:
            self.busy = False
            self.app.network.send(client.close())
            self.problem, self.problem_hint = failure_words(self.app.language, failure)

        self.app.network.send(client.sign_in(login, password), entered, failed)


rules_beside(__file__)
