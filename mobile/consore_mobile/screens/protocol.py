"""A protocol that is pasted and read line by line: what each line asks for, what counts for nothing, what is kept."""

from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty

from consore_mobile.answers import EligibilityLine, Protocol, Trial
from consore_mobile.failures import Failure
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Heading, TappableCard, failure_words
from consore_mobile.words import word

PARTS = ("INCLUSION", "EXCLUSION")
COVERAGE_ICONS = {"WHOLE": "check-circle-outline", "PARTLY": "circle-half-full", "NOTHING": "help-circle-outline"}


class LineCard(TappableCard):
    """One line of a protocol; a tap makes it count, or no more."""

    place = NumericProperty(0)
    text = StringProperty("")
    meaning = StringProperty("")
    left = StringProperty("")
    icon = StringProperty("check-circle-outline")
    counts = BooleanProperty(False)
    can_count = BooleanProperty(True)


class ProtocolPage(Page):
    """Paste, read, choose, keep."""

    lines = ListProperty()
    problem = StringProperty("")
    busy = BooleanProperty(False)
    summary = StringProperty("")

    def open(self, **_: Any) -> None:
        """Begin anew."""
        self.choices: dict[int, bool] = {}
        self.lines, self.problem, self.summary, self.busy = [], "", "", False
        self.ids.name.text = self.ids.protocol.text = ""
        self.ids.cards.clear_widgets()

    def read(self) -> None:
        """Have the text read."""
        text = self.ids.protocol.text.strip()
        if not text:
            self.ids.protocol.error = word(self.app.language, "trials.text_missing")
            return
        self.busy, self.problem = True, ""
        self.app.ask(self.app.client.read_protocol(text), self._show, self._failed)

    def keep(self) -> None:
        """Keep it as a trial, and open it."""
        name, text = self.ids.name.text.strip(), self.ids.protocol.text.strip()
        if not name:
            self.ids.name.error = word(self.app.language, "cohorts.name_missing")
            self.ids.scroll.scroll_y = 1
            return
        self.busy, self.problem = True, ""
        self.app.ask(self.app.client.save_trial(name, text, self.choices, False), self._kept, self._failed)

    def _show(self, found: Protocol) -> None:
        self.busy = False
        self.choices = {}
        self.lines = found.lines
        box = self.ids.cards
        box.clear_widgets()
        fill_lines(self.app.language, box, found.lines, self._toggle)
        self._sum_up()

    def _toggle(self, card: LineCard) -> None:
        if card.can_count:
            card.counts = not card.counts
            self.choices[int(card.place)] = card.counts
            self._sum_up()

    def _sum_up(self) -> None:
        counted = sum(self.choices.get(place, line.accepted) for place, line in enumerate(self.lines))
        self.summary = word(self.app.language, "trials.summary", counted=counted, lines=len(self.lines))

    def _kept(self, trial: Trial) -> None:
        self.busy = False
        self.app.say(word(self.app.language, "trials.kept", name=trial.cohort.name))
        self.app.shell.main.get_screen("cohorts").of = "trials"
        self.app.shell.replace("trial", cohort_id=trial.cohort.id)
        self.given = None

    def _failed(self, failure: Failure) -> None:
        self.busy = False
        self.problem = " ".join(failure_words(self.app.language, failure))


def fill_lines(language: str, box: Any, lines: list[EligibilityLine], tapped: Any = None) -> None:
    """Put the lines of a protocol into a column, inclusions first; `tapped` is told which card was touched."""
    for part in PARTS:
        of_part = [(place, line) for place, line in enumerate(lines) if line.part == part]
        if of_part:
            box.add_widget(Heading(text=word(language, f"trials.part.{part}")))
        for place, line in of_part:
            left = word(language, "trials.left", words=", ".join(line.words)) if line.words else ""
            card = LineCard(
                place=place,
                text=line.text,
                meaning=line.description or word(language, "trials.not_coded"),
                left=left if line.description else "",
                icon=COVERAGE_ICONS.get(line.coverage, "help-circle-outline"),
                counts=line.accepted,
                can_count=bool(line.description) and tapped is not None,
            )
            if tapped is not None:
                card.bind(on_release=tapped)
            box.add_widget(card)


rules_beside(__file__)
