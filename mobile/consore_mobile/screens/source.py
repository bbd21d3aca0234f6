"""One source, for the admin: how it is, a reading now, its schedule, its last runs and what waits in quarantine."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from kivy.properties import BooleanProperty, ListProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import (
    Blackout,
    IngestionRun,
    RejectedReason,
    RejectedRecord,
    Schedule,
    SchedulePreview,
    Source,
)
from consore_mobile.failures import Failure
from consore_mobile.formatting import ago, blackout_row, number, on_and_at, run_counts, sentence
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.screens.sources import state_of
from consore_mobile.widgets.kit import Card, Chip, PushButton, Quiet, Sheet, failure_words
from consore_mobile.words import word, word_or

FREQUENCIES = ("MANUAL", "NIGHTLY", "WEEKLY", "MONTHLY", "CRON")
# Where France keeps the clocks of its hospitals; another one that is set stays to be chosen.
ZONES = (
    "Europe/Paris",
    "America/Guadeloupe",
    "America/Martinique",
    "America/Cayenne",
    "Indian/Reunion",
    "Indian/Mayotte",
    "Pacific/Noumea",
    "Pacific/Tahiti",
)
WATCH_S = 1.5  # between two looks at a run under way
PREVIEW_S = 0.4  # after the last change
Answer = tuple[Source, list[IngestionRun], list[RejectedReason]]


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


class ReasonCard(Card):
    """The records that wait for one reason, with the newest of them."""

    reason = StringProperty("")
    reason_text = StringProperty("")
    count_text = StringProperty("")
    message = StringProperty("")
    position = StringProperty("")
    busy = BooleanProperty(False)

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_see")
        self.register_event_type("on_replay")
        super().__init__(**given)

    def on_see(self) -> None:
        """All of them were asked for."""

    def on_replay(self) -> None:
        """They are to be read again."""


class BlackoutRow(BoxLayout):
    """A window in which the source is not read."""

    text = StringProperty("")

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_remove")
        super().__init__(**given)

    def on_remove(self) -> None:
        """It is to go."""


class BlackoutForm(BoxLayout):
    """The days and the hours of a new window."""

    def __init__(self, language: str, **given: Any) -> None:
        super().__init__(**given)
        for day in range(7):
            chip = Chip(text=word(language, f"weekday_short.{day}"), payload=day)
            chip.bind(on_release=_turn)
            self.ids.days.add_widget(chip)

    def window(self) -> Blackout:
        """What was set."""
        days = sorted(chip.payload for chip in self.ids.days.children if chip.active)
        start, end = (
            f"{int(self.ids[f'{name}_hour'].value):02d}:{int(self.ids[f'{name}_minute'].value):02d}"
            for name in ("start", "end")
        )
        return Blackout(days or list(range(7)), start, end)


class SourcePage(Page):
    """The details of one source."""

    frequencies = FREQUENCIES
    source = ObjectProperty(None, allownone=True)
    name_text = StringProperty("")
    location = StringProperty("")
    read_on = StringProperty("")
    run_text = StringProperty("")
    running = BooleanProperty(False)
    cancelling = BooleanProperty(False)
    frequency = StringProperty("NIGHTLY")
    is_timed = BooleanProperty(True)
    weekday = StringProperty("0")
    timezone = StringProperty("Europe/Paris")
    blackouts = ListProperty()
    words_text = StringProperty("")
    next_text = StringProperty("")
    problem = StringProperty("")
    changed = BooleanProperty(False)
    busy = BooleanProperty(False)

    def open(self, source_id: str) -> None:
        """Ask for this source, its runs and its rejected records."""
        self.source = None
        self.forget()
        self.load(("source", source_id), lambda: self._ask_all(source_id), self._show)

    def on_frequency(self, *_: Any) -> None:
        self.is_timed = self.frequency not in ("MANUAL", "CRON")

    def edited(self, *_: Any) -> None:
        """A part of the schedule was changed."""
        if self.source is not None:
            self.changed = self._schedule().asked() != self.source.schedule.asked()
            self.later(PREVIEW_S, self._preview)

    def save(self) -> None:
        """Keep the schedule."""
        self.busy = True
        work = self.app.client.set_schedule(self.source.id, self._schedule())
        self.app.ask(work, self._saved, self._failed)

    def run(self) -> None:
        """Read the source now."""
        self.busy = True
        self.app.ask(self.app.client.run_ingestion(self.source.id), self._started, self._failed)

    def cancel(self) -> None:
        """Stop the run that goes on."""
        if self.source is None or self.source.last_run is None:
            return
        self.busy = self.cancelling = True
        self.run_text = word(self.app.language, "sources.cancelling")
        self.app.ask(self.app.client.cancel_run(self.source.last_run.id), self._followed, self._failed)

    def choose_zone(self) -> None:
        """Show the time zones."""
        sheet = Sheet(title=word(self.app.language, "sources.zone"))
        for zone in dict.fromkeys([*ZONES, self.timezone]):
            button = PushButton(
                text=zone, look="tonal" if zone == self.timezone else "text", size_hint_x=1, padding=[0, 0]
            )
            button.bind(on_release=lambda button: self._zone_chosen(button.text))
            sheet.put(button)
        self.app.open_sheet(sheet)

    def ask_blackout(self) -> None:
        """Show the form of a new window."""
        language = self.app.language
        form = BlackoutForm(language)
        add = PushButton(text=word(language, "sources.add"), size_hint_x=1)
        add.bind(on_release=lambda *_: self._add_blackout(form.window()))
        self.app.open_sheet(Sheet(title=word(language, "sources.add_blackout")).put(form).foot(add))

    def replay(self, reason: str) -> None:
        """Read the records of one reason again."""
        self.busy = True
        self.app.ask(self.app.client.replay_rejected(self.source.id, reason), self._replayed, self._failed)

    def see(self, reason: str, title: str) -> None:
        """Show the records of one reason."""
        language = self.app.language

        def show(records: list[RejectedRecord]) -> None:
            cards = [
                RejectedCard(
                    message=record.message or record.reason,
                    position=word(language, "sources.position", position=record.position),
                )
                for record in records
            ]
            self.app.open_sheet(Sheet(title=title).put(*cards))

        self.app.ask(self.app.client.rejected_records(self.source.id, reason), show, self._failed)

    async def _ask_all(self, source_id: str) -> Answer:
        client = self.app.client
        sources, runs, reasons = await asyncio.gather(
            client.sources(), client.ingestion_runs(source_id), client.rejected_reasons(source_id)
        )
        return next(source for source in sources if source.id == source_id), runs, reasons

    def _show(self, answer: Answer) -> None:
        source, runs, reasons = answer
        self._show_schedule(source)
        self._show_health(source)
        self._show_runs(runs)
        self._show_rejected(reasons)
        if source.health.state == "RUNNING" or (runs[:1] and runs[0].state == "running"):
            self.later(WATCH_S, self._watch)

    def _show_schedule(self, source: Source) -> None:
        language = self.app.language
        self.source = None
        self.name_text = source.name
        kind = word_or(language, f"sources.kind.{source.kind}", source.kind)
        self.location = f"{kind} · {source.location}"
        schedule = source.schedule
        self.frequency, self.weekday, self.timezone = schedule.frequency, str(schedule.weekday), schedule.timezone
        self.ids.hour.value, self.ids.minute.value, self.ids.day.value = schedule.hour, schedule.minute, schedule.day
        self.ids.cron.text = schedule.cron
        self.blackouts = list(schedule.blackouts)
        self._show_blackouts()
        self._say(schedule.words, schedule.blackout_words, [])
        self.source = source
        self.changed = False

    def _show_health(self, source: Source) -> None:
        language, line = self.app.language, self.ids.state_line
        said = state_of(language, source)
        line.icon, line.text = said["state_icon"], said["last"]
        for name in ("colour", "running", "share", "far", "advice"):
            setattr(line, name, said[name])
        self.running = source.health.state == "RUNNING"
        self.cancelling = self.running and bool(source.last_run and source.last_run.cancelling)
        self.run_text = word(language, "sources.cancel" if self.running else "sources.run")
        if self.cancelling:
            self.run_text = word(language, "sources.cancelling")
        due = source.health.next_at
        when = on_and_at(language, due, source.schedule.timezone) if due else ""
        self.read_on = word(language, "sources.next", when=when) if due and not self.running else ""

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

    def _show_rejected(self, reasons: list[RejectedReason]) -> None:
        language, box = self.app.language, self.ids.rejected
        box.clear_widgets()
        if not reasons:
            box.add_widget(Quiet(text=word(language, "sources.no_records")))
        for one in reasons:
            count = "sources.waiting_1" if one.count == 1 else "sources.waiting_n"
            card = ReasonCard(
                reason=one.reason,
                reason_text=word_or(language, f"sources.rejection.{one.reason}", one.reason.replace("_", " ")),
                count_text=word(language, count, count=number(language, one.count)),
                message=one.example.message,
                position=word(language, "sources.position", position=one.example.position),
            )
            card.bind(
                on_see=lambda card: self.see(card.reason, card.reason_text),
                on_replay=lambda card: self.replay(card.reason),
            )
            box.add_widget(card)

    def _show_blackouts(self) -> None:
        box = self.ids.blackouts
        box.clear_widgets()
        for window in self.blackouts:
            row = BlackoutRow(text=blackout_row(self.app.language, window))
            row.bind(on_remove=lambda _, gone=window: self._remove_blackout(gone))
            box.add_widget(row)

    def _add_blackout(self, window: Blackout) -> None:
        self.app.close_sheet()
        if window not in self.blackouts:
            self.blackouts = [*self.blackouts, window]
        self._show_blackouts()
        self.edited()

    def _remove_blackout(self, gone: Blackout) -> None:
        self.blackouts = [window for window in self.blackouts if window != gone]
        self._show_blackouts()
        self.edited()

    def _zone_chosen(self, zone: str) -> None:
        self.app.close_sheet()
        self.timezone = zone
        self.edited()

    def _schedule(self) -> Schedule:
        return Schedule(
            frequency=self.frequency,
            hour=int(self.ids.hour.value),
            minute=int(self.ids.minute.value),
            weekday=int(self.weekday),
            day=int(self.ids.day.value),
            timezone=self.timezone,
            cron=self.ids.cron.text.strip() if self.frequency == "CRON" else "",
            blackouts=list(self.blackouts),
        )

    def _preview(self) -> None:
        asked = self._schedule()

        def show(preview: SchedulePreview) -> None:
            if asked == self._schedule():
                self._say(preview.words, preview.blackout_words, preview.next_readings)

        def refuse(failure: Failure) -> None:
            if asked == self._schedule():
                self._say("", "", [])
                self.problem = " ".join(failure_words(self.app.language, failure))

        self.app.ask(self.app.client.schedule_preview(asked), show, refuse)

    def _say(self, words: str, blackouts: str, times: list[dt.datetime]) -> None:
        language = self.app.language
        self.problem = ""
        self.words_text = ". ".join(sentence(part) for part in (words, blackouts) if part) + ("." if words else "")
        listed = " · ".join(on_and_at(language, moment, self.timezone) for moment in times)
        self.next_text = word(language, "sources.next_times", times=listed) if times else ""

    def _saved(self, source: Source) -> None:
        self.busy = False
        self._show_schedule(source)
        self._show_health(source)
        self.app.say(word(self.app.language, "sources.saved"))
        self._refresh_list()

    def _started(self, run: IngestionRun) -> None:
        self.app.say(word(self.app.language, "sources.started"))
        self._followed(run)

    def _replayed(self, run: IngestionRun) -> None:
        self.app.say(word(self.app.language, "sources.replay_started"))
        self._followed(run)

    def _followed(self, _: IngestionRun) -> None:
        self.busy = False
        self._watch()
        self._refresh_list()

    def _failed(self, failure: Failure) -> None:
        self.busy = self.cancelling = False
        self.app.say(" ".join(failure_words(self.app.language, failure)))

    def _watch(self) -> None:
        # follow a run under way, without covering the screen or undoing what is being edited
        if self.source is None:
            return
        source_id = self.source.id

        def received(answer: Answer) -> None:
            if self.source is None or self.source.id != source_id:
                return
            source, runs, reasons = answer
            was = self.running
            if not self.changed:
                self.source = source
            self._show_health(source)
            self._show_runs(runs)
            self._show_rejected(reasons)
            if source.health.state == "RUNNING" or (runs[:1] and runs[0].state == "running"):
                self.later(WATCH_S, self._watch)
            elif was:
                self._refresh_list()

        self.app.ask(self._ask_all(source_id), received, lambda _: self.later(WATCH_S, self._watch))

    def _refresh_list(self) -> None:
        if self.app.shell.main.has_screen("sources"):
            self.app.shell.main.get_screen("sources").look_again()


def _turn(chip: Chip) -> None:
    """A day is taken, or left."""
    chip.active = not chip.active
    chip.icon = "check" if chip.active else ""


rules_beside(__file__)
