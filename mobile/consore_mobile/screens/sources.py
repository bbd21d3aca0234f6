"""The sources of a centre, for its admin: when each was read, what came, what was rejected."""

from __future__ import annotations

import datetime as dt

from kivy.properties import BooleanProperty, StringProperty

from consore_mobile.answers import Source
from consore_mobile.formatting import ago, rejected, run_counts, when_read
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Quiet, TappableCard
from consore_mobile.words import word, word_or

SOURCE_ICONS = {
    "administrative": "card-account-details-outline",
    "pmsi": "hospital-box-outline",
    "tumour_sheet": "ribbon",
    "chemotherapy": "iv-bag",
    "biobank": "flask-outline",
    "documents": "file-document-multiple-outline",
}


class SourceCard(TappableCard):
    """One source."""

    source_id = StringProperty("")
    name = StringProperty("")
    kind = StringProperty("")
    icon = StringProperty("database-outline")
    last = StringProperty("")
    counts = StringProperty("")
    schedule = StringProperty("")
    rejected = StringProperty("")
    has_rejected = BooleanProperty(False)
    failed = BooleanProperty(False)


class SourcesPage(Page):
    """The list of sources."""

    def open(self, **_: object) -> None:
        """Ask for the sources."""
        self.load("sources", lambda: self.app.client.sources(), self._show)

    def refresh(self) -> None:
        """Ask again: something has changed."""
        self.forget()
        self.open()

    def _show(self, sources: list[Source]) -> None:
        box = self.ids.cards
        box.clear_widgets()
        if not sources:
            box.add_widget(Quiet(text=word(self.app.language, "sources.none"), font_size="15sp"))
        for source in sources:
            box.add_widget(self._card(source))

    def _card(self, source: Source) -> SourceCard:
        language, run = self.app.language, source.last_run
        last = word(language, "sources.never")
        if run:
            last = word(
                language, "sources.last", when=ago(language, run.ended_at or run.started_at, dt.datetime.now(dt.UTC))
            )
            last += " · " + word_or(language, f"sources.state.{run.state.lower()}", run.state)
        if not source.enabled:
            last += " · " + word(language, "sources.disabled")
        card = SourceCard(
            source_id=source.id,
            name=source.name,
            kind=word_or(language, f"sources.kind.{source.kind}", source.kind),
            icon=SOURCE_ICONS.get(source.kind, "database-outline"),
            last=last,
            counts=run_counts(language, run, with_rejected=False) if run else "",
            schedule=when_read(language, source.schedule),
            rejected=rejected(language, source.rejected_count),
            has_rejected=source.rejected_count > 0,
            failed=bool(run and run.state.lower() == "failed"),
        )
        card.bind(on_release=lambda *_: self._open(source))
        return card

    def _open(self, source: Source) -> None:
        show = self.app.shell.replace if self.app.two_pane else self.app.shell.open
        show("source", source_id=source.id)


rules_beside(__file__)
