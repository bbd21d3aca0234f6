"""Patients who resemble another one, with what they share and what differs, named."""

from __future__ import annotations

from typing import Any

from kivy.properties import ListProperty, NumericProperty, StringProperty

from consore_mobile.answers import PatientLine, SimilarPatient
from consore_mobile.formatting import identity
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Notice, TappableCard
from consore_mobile.words import word

MOST_TRAITS = 6


class SimilarCard(TappableCard):
    """One similar patient."""

    headline = StringProperty("")
    identity = StringProperty("")
    score = NumericProperty(0)
    score_text = StringProperty("")
    shared = ListProperty()
    different = ListProperty()


class SimilarPage(Page):
    """A list, best first."""

    of = StringProperty("")

    def open(self, patient_id: str) -> None:
        """Ask for those who resemble this patient."""
        self.load(("similar", patient_id), lambda: self.app.client.similar(patient_id), self._show)

    def _show(self, answer: tuple[PatientLine, list[SimilarPatient]]) -> None:
        language, (patient, found) = self.app.language, answer
        self.of = word(language, "similar.of", headline=patient.headline)
        box = self.ids.cards
        box.clear_widgets()
        if not found:
            notice = Notice(icon="account-multiple-outline", title=word(language, "similar.none"))
            notice.size_hint_y, notice.height = None, "320dp"
            box.add_widget(notice)
        for item in found:
            box.add_widget(self._card(item))
        self.ids.scroll.scroll_y = 1

    def _card(self, item: SimilarPatient) -> SimilarCard:
        card = SimilarCard(
            headline=item.patient.headline,
            identity=identity(self.app.language, item.patient),
            score=max(0.0, min(1.0, item.score)),
            score_text=word(self.app.language, "similar.score", percent=round(max(0.0, min(1.0, item.score)) * 100)),
            shared=_first(item.shared),
            different=_first(item.different),
        )
        card.bind(on_release=lambda *_: self._open(item.patient.id))
        return card

    def _open(self, patient_id: Any) -> None:
        self.app.shell.open("patient", patient_id=patient_id)


def _first(traits: list[str]) -> list[str]:
    """The first traits, which the server puts in order of weight, and how many more there are."""
    return traits if len(traits) <= MOST_TRAITS else [*traits[:MOST_TRAITS], f"+{len(traits) - MOST_TRAITS}"]


rules_beside(__file__)
