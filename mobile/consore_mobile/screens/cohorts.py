"""Cohorts: sets of patients that were kept under a name, mine and those shared in the centre."""

from __future__ import annotations

import datetime as dt

from kivy.properties import BooleanProperty, StringProperty

from consore_mobile.answers import Cohort
from consore_mobile.formatting import ago, patients_found
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Notice, TappableCard
from consore_mobile.words import word


class CohortCard(TappableCard):
    """One cohort."""

    cohort_id = StringProperty("")
    name = StringProperty("")
    count = StringProperty("")
    description = StringProperty("")
    line = StringProperty("")
    shared = BooleanProperty(False)


class CohortsPage(Page):
    """The list, the newest first."""

    def arrive(self, given: dict[str, object]) -> None:
        """Ask again at each visit: a cohort may have been saved, renamed or deleted meanwhile."""
        self.given = dict(given)
        self.forget()
        self.open()

    def open(self, **_: object) -> None:
        """Ask for the cohorts."""
        self.load("cohorts", lambda: self.app.client.cohorts(), self._show)

    def _show(self, found: list[Cohort]) -> None:
        box = self.ids.cards
        box.clear_widgets()
        if not found:
            language = self.app.language
            title, hint = word(language, "cohorts.none_title"), word(language, "cohorts.none")
            notice = Notice(icon="account-group-outline", title=title, hint=hint)
            notice.size_hint_y, notice.height = None, "320dp"
            box.add_widget(notice)
        for cohort in found:
            box.add_widget(self._card(cohort))

    def _card(self, cohort: Cohort) -> CohortCard:
        language = self.app.language
        card = CohortCard(
            cohort_id=cohort.id,
            name=cohort.name,
            count=patients_found(language, cohort.count),
            description=cohort.description,
            line=told_of(language, cohort),
            shared=cohort.shared,
        )
        card.bind(on_release=lambda card: self._open(card.cohort_id))
        return card

    def _open(self, cohort_id: str) -> None:
        (self.app.shell.replace if self.app.two_pane else self.app.shell.open)("cohort", cohort_id=cohort_id)


def told_of(language: str, cohort: Cohort) -> str:
    """Since when a cohort stands as it does, and whose it is where it is not mine."""
    when = word(language, "cohort.refreshed", when=ago(language, cohort.refreshed_at, dt.datetime.now(dt.UTC)))
    if not cohort.is_mine:
        return " · ".join((when, word(language, "cohort.of", owner=cohort.owner)))
    return " · ".join((when, word(language, "cohort.shared"))) if cohort.shared else when


rules_beside(__file__)
