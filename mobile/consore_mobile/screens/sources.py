"""The sources of a centre, for its admin: how each is, at a glance; when it is read; what was rejected."""

from __future__ import annotations

import datetime as dt
from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import Source
from consore_mobile.formatting import health_advice, health_line, how_far, rejected, run_counts, sentence
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Quiet, TappableCard
from consore_mobile.words import word, word_or

WATCH_S = 2.0  # between two looks while something is being read
SOURCE_ICONS = {
    "administrative": "card-account-details-outline",
    "pmsi": "hospital-box-outline",
    "tumour_sheet": "ribbon",
    "chemotherapy": "iv-bag",
    "pharmacy": "pill",
    "biology": "test-tube",
    "molecular": "dna",
    "biobank": "flask-outline",
    "documents": "file-document-multiple-outline",
}
# icon and colour of each state: the icon tells what the colour tells
STATES = {
    "OK": ("check-circle-outline", "good"),
    "RUNNING": ("progress-clock", "primary"),
    "RETRYING": ("autorenew", "warn"),
    "PAUSED": ("pause-circle-outline", "quiet"),
    "FAILED": ("alert-circle-outline", "danger"),
    "LATE": ("clock-alert-outline", "warn"),
    "CANCELLED": ("minus-circle-outline", "quiet"),
    "NEVER": ("circle-outline", "quiet"),
    "OFF": ("power", "quiet"),
}


class StateLine(BoxLayout):
    """How a source is: an icon and words; while it is being read how far it is; what went wrong and what to do."""

    icon = StringProperty("circle-outline")
    colour = StringProperty("quiet")
    text = StringProperty("")
    running = BooleanProperty(False)
    share = NumericProperty(-1.0)
    far = StringProperty("")
    advice = StringProperty("")


class SourceCard(TappableCard):
    """One source."""

    source_id = StringProperty("")
    name = StringProperty("")
    kind = StringProperty("")
    icon = StringProperty("database-outline")
    state_icon = StringProperty("circle-outline")
    colour = StringProperty("quiet")
    last = StringProperty("")
    running = BooleanProperty(False)
    share = NumericProperty(-1.0)
    far = StringProperty("")
    advice = StringProperty("")
    counts = StringProperty("")
    schedule = StringProperty("")
    rejected = StringProperty("")
    has_rejected = BooleanProperty(False)


class SourcesPage(Page):
    """The list of sources."""

    def open(self, **_: object) -> None:
        """Ask for the sources."""
        self.load("sources", lambda: self.app.client.sources(), self._show)

    def refresh(self) -> None:
        """Ask again: something has changed."""
        self.forget()
        self.open()

    def look_again(self) -> None:
        """Ask again without covering what is shown."""
        self.app.ask(self.app.client.sources(), self._show, lambda _: self.later(WATCH_S, self.look_again))

    def _show(self, sources: list[Source]) -> None:
        box = self.ids.cards
        held = {card.source_id: card for card in box.children if isinstance(card, SourceCard)}
        if set(held) != {source.id for source in sources} or not sources:
            box.clear_widgets()
            held = {}
        if not sources:
            box.add_widget(Quiet(text=word(self.app.language, "sources.none"), font_size="15sp"))
        for source in sources:
            card = held.get(source.id)
            if card is None:
                card = SourceCard()
                card.bind(on_release=lambda card: self._open(card.source_id))
                box.add_widget(card)
            for name, value in self._parts(source).items():
                setattr(card, name, value)
        if any(source.health.state == "RUNNING" for source in sources):
            self.later(WATCH_S, self.look_again)

    def _parts(self, source: Source) -> dict[str, Any]:
        language, run = self.app.language, source.last_run
        return {
            "source_id": source.id,
            "name": source.name,
            "kind": word_or(language, f"sources.kind.{source.kind}", source.kind),
            "icon": SOURCE_ICONS.get(source.kind, "database-outline"),
            "counts": run_counts(language, run, with_rejected=False) if run and run.seen else "",
            "schedule": sentence(source.schedule.words),
            "rejected": rejected(language, source.rejected_count),
            "has_rejected": source.rejected_count > 0,
            **state_of(language, source),
        }

    def _open(self, source_id: str) -> None:
        show = self.app.shell.replace if self.app.two_pane else self.app.shell.open
        show("source", source_id=source_id)


def state_of(language: str, source: Source) -> dict[str, Any]:
    """What a `StateLine` shows of a source, for the card of the list and for its own page."""
    icon, colour = STATES.get(source.health.state, ("circle-outline", "quiet"))
    progress = source.health.progress
    return {
        "state_icon": icon,
        "colour": colour,
        "last": health_line(language, source, dt.datetime.now(dt.UTC)),
        "running": progress is not None,
        "share": progress.share if progress is not None and progress.share is not None else -1.0,
        "far": how_far(language, progress) if progress else "",
        "advice": health_advice(language, source),
    }


rules_beside(__file__)
