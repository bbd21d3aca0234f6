"""The code systems of a centre, for its admin: the edition in force of each, and those that it may go back to."""

from __future__ import annotations

import datetime as dt

from kivy.properties import BooleanProperty, ListProperty, StringProperty

from consore_mobile.answers import Referential
from consore_mobile.failures import Failure
from consore_mobile.formatting import ago, number
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Card, failure_words
from consore_mobile.words import word

SHIPPED = "shipped"


class ReferentialCard(Card):
    """One code system."""

    name = StringProperty("")
    edition = StringProperty("")
    size_text = StringProperty("")
    imported = StringProperty("")
    counts = StringProperty("")
    choices = ListProperty()
    chosen = StringProperty(SHIPPED)
    has_choice = BooleanProperty(False)

    def __init__(self, **given: object) -> None:
        self.register_event_type("on_choice")
        super().__init__(**given)

    def on_choice(self, edition: str) -> None:
        """Another edition was tapped."""


class ReferentialsPage(Page):
    """The list of code systems."""

    def open(self, **_: object) -> None:
        """Ask for the code systems."""
        self.load("referentials", lambda: self.app.client.referentials(), self._show)

    def refresh(self) -> None:
        """Ask again: something has changed."""
        self.forget()
        self.open()

    def _show(self, found: list[Referential]) -> None:
        box = self.ids.cards
        box.clear_widgets()
        for one in sorted(found, key=lambda one: (one.active_edition is None, one.kind is None)):
            box.add_widget(self._card(one))

    def _card(self, one: Referential) -> ReferentialCard:
        language, imported, counts = self.app.language, "", ""
        if one.imported_at:
            when = ago(language, one.imported_at, dt.datetime.now(dt.UTC))
            if one.imported_by:
                imported = word(language, "referentials.imported_by", when=when, who=one.imported_by)
            else:
                imported = word(language, "referentials.imported", when=when)
        if last := one.last_import:
            counts = word(
                language,
                "referentials.counts",
                read=number(language, last.read),
                kept=number(language, last.kept),
                changed=number(language, last.changed),
                rejected=number(language, last.rejected),
            )
        card = ReferentialCard(
            name=one.name,
            edition=word(language, "referentials.in_force", edition=one.edition),
            size_text=word(
                language,
                "referentials.size",
                concepts=number(language, one.concepts),
                terms=number(language, one.terms),
            ),
            imported=imported,
            counts=counts,
            choices=[
                (SHIPPED, word(language, "referentials.shipped")),
                *((edition.slug, edition.name) for edition in one.editions),
            ],
            chosen=one.active_edition or SHIPPED,
            has_choice=bool(one.editions) and one.kind is not None,
        )
        card.bind(on_choice=lambda _, edition: self._activate(one, edition))
        return card

    def _activate(self, one: Referential, edition: str) -> None:
        def done(_: Referential) -> None:
            self.app.say(word(self.app.language, "referentials.changed", name=one.name))
            self.refresh()

        def failed(failure: Failure) -> None:
            self.app.say(" ".join(failure_words(self.app.language, failure)))
            self.refresh()

        self.app.ask(self.app.client.activate_edition(one.kind or "", edition), done, failed)


rules_beside(__file__)
