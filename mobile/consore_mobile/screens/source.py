"""One source, for the admin: its schedule, a reading now, its last runs and its rejected records."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import IngestionRun, RejectedRecord, Schedule, Source
from consore_mobile.failures import Failure
from consore_mobile.formatting import ago, on_and_at, run_counts
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Card, Quiet, failure_words
from consore_mobile.words import word, word_or

FREQUENCIES = ("MANUAL", "NIGHTLY", "WEEKLY", "MONTHLY")
WATCH_S = 1.5  # between two looks at a run under way


class RunRow(BoxLayout):
    """A reading of the source."""

    title = StringProperty("")
    line = StringProperty("")
    icon = StringProperty("check-circle-outline")
    bad = BooleanProperty(False)


class RejectedCard(Card):
    """A record kept aside, and why."""

    message = StringProperty("")
    position = StringProperty("")


class SourcePage(Page):
    """The details of one source."""

    frequencies = FREQUENCIES
    source = ObjectProperty(None, allownone=True)
    name_text = StringProperty("")
    location = StringProperty("")
    next_text = StringProperty("")
    frequency = StringProperty("NIGHTLY")
    weekday = StringProperty("0")
    changed = BooleanProperty(False)
    busy = BooleanProperty(False)

    def open(self, source_id: str) -> None:
        """Ask for this source, its runs and its rejected records."""
        self.source = None
        self.forget()
        self.load(("source", source_id), lambda: self._ask_all(source_id), self._show)

    def edited(self, *_: Any) -> None:
        """A part of the schedule was changed."""
        if self.source is not None:
            self.changed = self._schedule() != _plain(self.source.schedule)

    def save(self) -> None:
        """Keep the schedule."""
        self.busy = True
        work = self.app.client.set_schedule(self.source.id, self._schedule())
        self.app.ask(work, self._saved, self._failed)

    def run(self) -> None:
        """Read the source now."""
        self.busy = True
        self.app.ask(self.app.client.run_ingestion(self.source.id), self._started, self._failed)

    async def _ask_all(self, source_id: str) -> tuple[Source, list[IngestionRun], list[RejectedRecord]]:
        client = self.app.client
        sources, runs, rejected = await asyncio.gather(
            client.sources(), client.ingestion_runs(source_id), client.rejected_records(source_id)
        )
        return next(source for source in sources if source.id == source_id), runs, rejected

    def _show(self, answer: tuple[Source, list[IngestionRun], list[RejectedRecord]]) -> None:
        source, runs, rejected = answer
        self._show_source(source)
        self._show_runs(runs)
        self._show_rejected(rejected)
        if any(run.state.lower() == "running" for run in runs):
            Clock.schedule_once(self._watch, WATCH_S)

    def _show_source(self, source: Source) -> None:
        language = self.app.language
        self.source = None
        self.name_text = source.name
        kind = word_or(language, f"sources.kind.{source.kind}", source.kind)
        self.location = f"{kind} · {source.location}"
        schedule = source.schedule
        self.frequency, self.weekday = schedule.frequency, str(schedule.weekday)
        self.ids.hour.value, self.ids.minute.value, self.ids.day.value = schedule.hour, schedule.minute, schedule.day
        self.next_text = (
            word(language, "sources.next", when=on_and_at(language, schedule.next_run_at, schedule.timezone))
            if schedule.next_run_at
            else ""
        )
        self.source = source
        self.changed = False

    def _show_runs(self, runs: list[IngestionRun]) -> None:
        language, box = self.app.language, self.ids.runs
        box.clear_widgets()
        if not runs:
            box.add_widget(Quiet(text=word(language, "sources.no_runs")))
        icons = {"running": "progress-clock", "done": "check-circle-outline", "failed": "alert-circle-outline"}
        for run in runs:
            state = run.state.lower()
            title = word_or(language, f"sources.state.{state}", run.state) + " · "
            title += ago(language, run.ended_at or run.started_at, dt.datetime.now(dt.UTC))
            line = run_counts(language, run) + (f"\n{run.message}" if run.message else "")
            icon = icons.get(state, "minus-circle-outline")
            box.add_widget(RunRow(title=title, line=line, icon=icon, bad=state == "failed"))

    def _show_rejected(self, records: list[RejectedRecord]) -> None:
        language, box = self.app.language, self.ids.rejected
        box.clear_widgets()
        if not records:
            box.add_widget(Quiet(text=word(language, "sources.no_records")))
        for record in records:
            position = word(language, "sources.position", position=record.position)
            box.add_widget(
                RejectedCard(message=record.message or record.reason, position=f"{position} · {record.reason}")
            )

    def _schedule(self) -> Schedule:
        return Schedule(
            frequency=self.frequency,
            hour=int(self.ids.hour.value),
            minute=int(self.ids.minute.value),
            weekday=int(self.weekday),
            day=int(self.ids.day.value),
            timezone=self.source.schedule.timezone,
        )

    def _saved(self, source: Source) -> None:
        self.busy = False
        self._show_source(source)
        self.app.say(word(self.app.language, "sources.saved"))
        self._refresh_list()

    def _started(self, _: IngestionRun) -> None:
        self.busy = False
        self.app.say(word(self.app.language, "sources.started"))
        Clock.schedule_once(self._watch, WATCH_S)

    def _failed(self, failure: Failure) -> None:
        self.busy = False
        self.app.say(" ".join(failure_words(self.app.language, failure)))

    def _watch(self, *_: Any) -> None:
        # follow a run under way, without covering the screen or undoing what is being edited
        if self.source is None or self.app.client is None:
            return
        source_id = self.source.id

        def received(answer: tuple[Source, list[IngestionRun], list[RejectedRecord]]) -> None:
            if self.source is None or self.source.id != source_id:
                return
            _, runs, rejected = answer
            self._show_runs(runs)
            self._show_rejected(rejected)
            if any(run.state.lower() == "running" for run in runs):
                Clock.schedule_once(self._watch, WATCH_S)
            else:
                self._refresh_list()

        self.app.ask(self._ask_all(source_id), received, lambda _: None)

    def _refresh_list(self) -> None:
        if self.app.shell.main.has_screen("sources"):
            self.app.shell.main.get_screen("sources").refresh()


def _plain(schedule: Schedule) -> Schedule:
    return Schedule(
        schedule.frequency, schedule.hour, schedule.minute, schedule.weekday, schedule.day, schedule.timezone
    )


rules_beside(__file__)
