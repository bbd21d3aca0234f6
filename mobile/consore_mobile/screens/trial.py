"""A trial that is watched: who became eligible since the last look, and what the protocol asks for."""

from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, ObjectProperty, StringProperty

from consore_mobile.answers import Trial
from consore_mobile.failures import Failure
from consore_mobile.formatting import identity, number, patients_found
from consore_mobile.screens.cohort import MemberCard
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.screens.protocol import fill_lines
from consore_mobile.widgets.kit import Heading, Quiet, failure_words
from consore_mobile.words import word


class TrialPage(Page):
    """The detail of a trial."""

    trial = ObjectProperty(None, allownone=True)
    count = StringProperty("")
    has_new = BooleanProperty(False)

    def arrive(self, given: dict[str, Any]) -> None:
        """Ask again at each visit: an ingestion may have brought patients."""
        self.given = dict(given)
        self.forget()
        self.open(**given)

    def open(self, cohort_id: str) -> None:
        """Ask for a trial and its newly eligible patients."""
        self.load(("trial", cohort_id), lambda: self.app.client.trial(cohort_id), self._show)

    def open_cohort(self) -> None:
        """All who are eligible, with their tables."""
        self.app.shell.open("cohort", cohort_id=self.trial.cohort.id)

    def seen(self) -> None:
        """They were looked at."""

        def done(_: Trial) -> None:
            self.app.say(word(self.app.language, "trials.seen"))
            self.forget()
            self.open(self.trial.cohort.id)
            if self.app.two_pane:
                self.app.shell.main.get_screen("cohorts").arrive({})

        def failed(failure: Failure) -> None:
            self.app.say(" ".join(failure_words(self.app.language, failure)))

        self.app.ask(self.app.client.see_trial(self.trial.cohort.id), done, failed)

    def _show(self, trial: Trial) -> None:
        language, new = self.app.language, trial.newly_eligible
        self.trial = trial
        self.count = word(language, "trials.eligible", count=patients_found(language, trial.cohort.count))
        self.has_new = bool(new) and trial.cohort.is_mine
        people, lines = self.ids.people, self.ids.lines
        people.clear_widgets()
        lines.clear_widgets()
        if new:
            people.add_widget(Heading(text=word(language, "trials.new_n", count=number(language, len(new)))))
        else:
            people.add_widget(Quiet(text=word(language, "trials.no_new"), font_size="15sp"))
        for patient in new:
            card = MemberCard(headline=patient.headline, identity=identity(language, patient))
            card.bind(on_release=lambda _, key=patient.id: self.app.shell.open("patient", patient_id=key))
            people.add_widget(card)
        fill_lines(language, lines, trial.lines)
        self.ids.scroll.scroll_y = 1


rules_beside(__file__)
