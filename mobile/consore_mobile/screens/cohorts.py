"""Cohorts and trials: sets of patients that were kept under a name, mine and those shared in the centre."""

from __future__ import annotations

import datetime as dt

from kivy.properties import BooleanProperty, ListProperty, StringProperty

from consore_mobile.answers import Cohort, Trial
from consore_mobile.formatting import ago, number, patients_found
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
    tags = ListProperty()


class CohortsPage(Page):
    """The lists, the newest first; `of` says which is shown: `cohorts` or `trials`."""

    of = StringProperty("cohorts")
    options = ListProperty()

    def arrive(self, given: dict[str, object]) -> None:
        """Ask again at each visit: a cohort may have been saved, renamed or deleted meanwhile."""
        self.given = dict(given)
        self.forget()
        self.open()

    def open(self, **_: object) -> None:
        """Ask for what is shown."""
        language = self.app.language
        self.options = [("cohorts", word(language, "cohorts.title")), ("trials", word(language, "trials.title"))]
        if self.of == "trials":
            self.load("trials", lambda: self.app.client.trials(), self._show_trials)
        else:
            self.load("cohorts", lambda: self.app.client.cohorts(), self._show)

    def choose(self, of: str) -> None:
        """Show the other list."""
        self.of = of
        self.open()

    def new_trial(self) -> None:
        """Paste a protocol."""
        self._open("protocol")

    def _show(self, found: list[Cohort]) -> None:
        self._fill("cohorts", [self._card(cohort) for cohort in found])

    def _show_trials(self, found: list[Trial]) -> None:
        cards = []
        for trial in found:
            card = self._card(trial.cohort, opens="trial")
            count = number(self.app.language, trial.newly_eligible_count)
            card.tags = [word(self.app.language, "trials.new_n", count=count)] if trial.newly_eligible_count else []
            cards.append(card)
        self._fill("trials", cards)

    def _fill(self, of: str, cards: list[CohortCard]) -> None:
        box = self.ids.cards
        box.clear_widgets()
        if not cards:
            language = self.app.language
            title, hint = word(language, f"kept.none_title.{of}"), word(language, f"kept.none.{of}")
            notice = Notice(icon="account-group-outline", title=title, hint=hint)
            notice.size_hint_y, notice.height = None, "320dp"
            box.add_widget(notice)
        for card in cards:
            box.add_widget(card)

    def _card(self, cohort: Cohort, opens: str = "cohort") -> CohortCard:
        language = self.app.language
        card = CohortCard(
            cohort_id=cohort.id,
            name=cohort.name,
            count=patients_found(language, cohort.count),
            description=cohort.description,
            line=told_of(language, cohort),
            shared=cohort.shared,
        )
        card.bind(on_release=lambda card: self._open(opens, cohort_id=card.cohort_id))
        return card

    def _open(self, name: str, **given: str) -> None:
        (self.app.shell.replace if self.app.two_pane else self.app.shell.open)(name, **given)


def told_of(language: str, cohort: Cohort) -> str:
    """Since when a cohort stands as it does, and whose it is where it is not mine."""
    when = word(language, "cohort.refreshed", when=ago(language, cohort.refreshed_at, dt.datetime.now(dt.UTC)))
    if not cohort.is_mine:
        return " · ".join((when, word(language, "cohort.of", owner=cohort.owner)))
    return " · ".join((when, word(language, "cohort.shared"))) if cohort.shared else when


rules_beside(__file__)
