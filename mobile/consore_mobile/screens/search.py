"""Searching: a field, what was understood of it, the patients found and why, filters, the way to other centres."""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.properties import BooleanProperty, ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.recycleview.views import RecycleDataViewBehavior

from consore_mobile.answers import Chip as Understood
from consore_mobile.answers import Facet, FacetValue, Hit, Relaxation, SearchResult, Suggestion
from consore_mobile.failures import Failure
from consore_mobile.formatting import identity, patients_found, plain_snippet, short_date, snippet_markup
from consore_mobile.network import Call
from consore_mobile.screens.keeping import cohort_sheet
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import (
    Chip,
    Flow,
    Heading,
    PushButton,
    Quiet,
    Sheet,
    Skeleton,
    Tappable,
    failure_notice,
    line_count,
)
from consore_mobile.words import word, word_or

TYPING_PAUSE_S = 0.22
SHORTEST_PREFIX = 2
ROW_GAP = 8
MOST_VALUES = 12


class HitRow(RecycleDataViewBehavior, Tappable):
    """A patient found. Four labels and a rectangle: lists of thousands must scroll."""

    patient_id = StringProperty("")
    headline = StringProperty("")
    identity = StringProperty("")
    why = StringProperty("")
    snippet = StringProperty("")
    origin = StringProperty("")
    snippet_height = NumericProperty(0)
    chosen = BooleanProperty(False)
    index = NumericProperty(0)

    def refresh_view_attrs(self, view: Any, index: int, data: dict[str, Any]) -> None:
        self.index = index
        super().refresh_view_attrs(view, index, data)


class MoreRow(BoxLayout):
    """The end of the list while the next page comes."""

    index = NumericProperty(0)


class SuggestionRow(Tappable):
    """A completion."""

    label = StringProperty("")
    kind = StringProperty("")
    text = StringProperty("")


class SearchPage(Page):
    """The first screen of physicians and researchers."""

    count = StringProperty("")
    timing = StringProperty("")
    notice = StringProperty("")
    filter_count = NumericProperty(0)
    asked = BooleanProperty(False)
    typing = BooleanProperty(False)
    suggestions = ListProperty()
    facets = ObjectProperty(None, allownone=True)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._typing = Clock.create_trigger(self._suggest, TYPING_PAUSE_S)
        self._suggesting: Call | None = None
        self._searching: Call | None = None
        self._facetting: Call | None = None
        self._growing = False
        self._rest: Any = None
        self._rewrite = Clock.create_trigger(self._show_rows, 0)
        self.ids.rows.bind(width=self._rewrite, scroll_y=self._near_end)

    @property
    def asking(self) -> Any:
        """The search under way; the app keeps it, for the count in other centres."""
        return self.app.asking

    def open(self, **_: Any) -> None:
        """Come back as it was left; ask again when the language has changed."""
        if self.asking.text or self.asking.filters:
            self.run(self.asking.text)
        else:
            self._show_start()

    def typed(self, text: str) -> None:
        """A letter more or less."""
        if self.ids.query.focus and len(text.strip()) >= SHORTEST_PREFIX:
            self._typing()
        else:
            self.close_suggestions()

    def submit(self) -> None:
        """Enter, or the magnifying glass."""
        self.run(self.ids.query.text)

    def choose(self, text: str) -> None:
        """A suggestion or an example was tapped."""
        self.run(text)

    def clear(self) -> None:
        """Back to the beginning."""
        self.ids.query.text = ""
        self.asking.chosen.clear()
        self.asking.ask("")
        self._cancel()
        self._show_start()
        self.ids.query.focus = True

    def run(self, text: str) -> None:
        """Search anew."""
        self.close_suggestions()
        self.ids.query.focus = False
        self.asking.ask(text)
        if not self.asking.text and not self.asking.filters:
            self._show_start()
            return
        if self.ids.query.text != self.asking.text:
            self.ids.query.text = self.asking.text
            self.ids.query.cursor = (0, 0)
            self.ids.query.scroll_x = 0
            self.close_suggestions()
        self.asked = True
        self.ids.rows.data = []
        self.ids.rows.effect_y.velocity = 0  # a list that still glides would go on in the new one
        self.ids.rows.scroll_y = 1
        self._fetch(first=True)
        self._fetch_facets()

    def remove(self, chip: Understood) -> None:
        """An understood part was tapped: take it out of the question."""
        self._keep_filters(self.asking.without(chip))

    def touch(self, chip: Understood) -> None:
        """An understood part was tapped: taken out, or, where it may mean something else, asked about."""
        if not chip.alternatives:
            self.remove(chip)
            return
        language = self.app.language
        sheet = Sheet(title=chip.label, subtitle=word(language, "search.read_from", text=chip.text))
        for other in chip.alternatives:
            row = NearRow(icon="swap-horizontal", text=other.label)
            row.bind(on_release=lambda _, other=other: self._mend(sheet, self.asking.instead(chip, other)))
            sheet.put(row)
        out = PushButton(text=word(language, "search.take_out"), look="text")
        out.bind(on_release=lambda *_: self._mend(sheet, self.asking.without(chip)))
        sheet.foot(out)
        self.app.open_sheet(sheet)

    def _mend(self, sheet: Sheet, text: str) -> None:
        sheet.close()
        self._keep_filters(text)

    def relax(self, near: Relaxation) -> None:
        """A near question was tapped."""
        if near.criteria is None:
            self.asking.chosen.clear()
        self._keep_filters(near.text)

    def _keep_filters(self, text: str) -> None:
        """Ask with other words and the same filters."""
        chosen = dict(self.asking.chosen)
        self.asking.ask(text)
        self.asking.chosen.update(chosen)
        self.run(self.asking.text)

    def drop(self, value: FacetValue) -> None:
        """A filter was tapped: without it."""
        self.asking.drop(value)
        self.rerun()

    def rerun(self) -> None:
        """The same question with other filters."""
        self.asking.restart()
        self.run(self.asking.text)

    def open_patient(self, patient_id: str) -> None:
        """Read a patient's history."""
        self.close_suggestions()
        (self.app.shell.replace if self.app.two_pane else self.app.shell.open)("patient", patient_id=patient_id)
        self._show_rows()

    def count_elsewhere(self) -> None:
        """The same criteria in all centres."""
        self.app.shell.go("centres")

    def keep(self) -> None:
        """These patients as a cohort."""
        self.app.open_sheet(cohort_sheet(self.app, self.asking))

    def close_suggestions(self) -> None:
        """Hide the completions."""
        self._typing.cancel()
        if self._suggesting:
            self._suggesting.cancel()
        self.suggestions = []

    def on_suggestions(self, *_: Any) -> None:
        box = self.ids.suggestions
        box.clear_widgets()
        for item in self.suggestions:
            row = SuggestionRow(
                label=item.label, text=item.text, kind=word_or(self.app.language, f"kind.{item.kind}", "")
            )
            row.bind(on_release=lambda _, item=item: self._choose(item))
            box.add_widget(row)

    def _choose(self, item: Suggestion) -> None:
        if item.kind == "patient" and item.code:
            self.ids.query.focus = False
            self.open_patient(item.code)
        else:
            self.choose(item.text)

    def open_filters(self) -> None:
        """The sheet of facets."""
        sheet = Sheet(title=word(self.app.language, "search.filters_title"))
        self.app.open_sheet(sheet)
        self._fill_filters(sheet)

    def _suggest(self, *_: Any) -> None:
        prefix = self.ids.query.text.strip()
        if self._suggesting:
            self._suggesting.cancel()

        def received(found: list[Suggestion]) -> None:
            if self.ids.query.focus and self.ids.query.text.strip() == prefix:
                self.suggestions = found

        self._suggesting = self.app.ask(self.app.client.suggest(prefix), received, lambda _: None)

    def _fetch(self, *, first: bool) -> None:
        version = self.asking.version
        if first:
            self._cancel()
            self._stage(Skeleton())
        self._growing = not first

        def received(result: SearchResult) -> None:
            if version != self.asking.version:
                return
            self._growing = False
            self.asking.receive(result)
            self._show_result()

        def failed(failure: Failure) -> None:
            if version != self.asking.version:
                return
            self._growing = False
            if first:
                self._stage(failure_notice(failure, lambda: self._fetch(first=True)))
                self.count = ""
                self.ids.chips.clear_widgets()
            else:
                self.app.say(word(self.app.language, f"failure.{failure.kind}.title"))

        work = self.app.client.search(self.asking.text, self.asking.criteria, self.asking.page + 1)
        self._searching = self.app.ask(work, received, failed)

    def _fetch_facets(self) -> None:
        self.facets = None
        version = self.asking.version

        def received(facets: list[Facet]) -> None:
            if version == self.asking.version:
                self.facets = [facet for facet in facets if facet.values]

        work = self.app.client.facets(self.asking.text, self.asking.criteria)
        self._facetting = self.app.ask(work, received, lambda _: None)

    def _cancel(self) -> None:
        for call in (self._searching, self._facetting):
            if call:
                call.cancel()

    def _show_start(self) -> None:
        self.asked = False
        self.count = self.timing = self.notice = ""
        self.filter_count = 0
        self.ids.chips.clear_widgets()
        self.ids.rows.data = []
        start = StartView()
        for number in (1, 2, 3):
            text = word(self.app.language, f"search.example_{number}")
            example = ExampleRow(text=text)
            example.bind(on_release=lambda row: self.choose(row.text))
            start.ids.examples.add_widget(example)
        self._stage(start)

    def _show_result(self) -> None:
        result, language = self.asking.result, self.app.language
        self._stage(None)
        self.count = patients_found(language, result.total)
        self.timing = f"{result.milliseconds} ms"
        words = word(language, "search.words", words=", ".join(result.words)) if result.words else ""
        self.notice = (result.notice or words) if result.total else ""
        self.filter_count = len(self.asking.filters)
        self._show_chips(result)
        if not result.total:
            labels = ", ".join([chip.label for chip in result.understood] + [v.label for v in self.asking.filters])
            key = "search.none_criteria" if labels else "search.none_words"
            hint = word(language, key, labels=labels)
            if result.notice:
                hint = result.notice + "\n" + word(language, "search.none_tap")
            self._stage(self._none(hint, result.relaxations))
        self._show_rows()

    def _none(self, hint: str, near: list[Relaxation]) -> NoneView:
        language = self.app.language
        view = NoneView(title=word(language, "search.none_title"), hint=hint)
        if near:
            view.ids.near.add_widget(Heading(text=word(language, "search.near"), font_size="14sp"))
        for one in near:
            icon = "arrow-expand-horizontal" if one.kind == "widen" else "minus-circle-outline"
            row = NearRow(icon=icon, text=one.label, count=patients_found(language, one.count))
            row.bind(on_release=lambda _, one=one: self.relax(one))
            view.ids.near.add_widget(row)
        return view

    def _show_chips(self, result: SearchResult) -> None:
        box = self.ids.chips
        box.clear_widgets()
        for chip in result.understood:
            text = word(self.app.language, "search.without", label=chip.label) if chip.negated else chip.label
            trailing = "menu-down" if chip.alternatives else "close"
            view = Chip(text=text, trailing=trailing, active=True, payload=chip)
            if chip.negated:
                view.icon = "minus-circle-outline"
            view.bind(on_release=lambda view: self.touch(view.payload))
            box.add_widget(view)
        for value in self.asking.filters:
            view = Chip(text=value.label, icon="filter-variant", trailing="close", payload=value)
            view.bind(on_release=lambda view: self.drop(view.payload))
            box.add_widget(view)

    def _show_rows(self, *_: Any) -> None:
        shown = self._shown_patient()
        rows = [self._row(hit, shown) for hit in self.asking.hits]
        if self.asking.has_more:
            rows.append({"viewclass": "MoreRow", "height": dp(56)})
        view = self.ids.rows
        before, after = _height(view.data), _height(rows)
        read = (1 - view.scroll_y) * max(0, before - view.height)
        view.data = rows
        if 0 < before < after and after > view.height:
            view.scroll_y = 1 - read / (after - view.height)  # a longer list must not move under the finger

    def _shown_patient(self) -> str:
        stack = self.app.shell.stacks["search"]
        return stack[0].given.get("patient_id", "") if self.app.two_pane and stack else ""

    def _row(self, hit: Hit, shown: str) -> dict[str, Any]:
        language = self.app.language
        snippet = hit.snippets[0] if hit.snippets else None
        room = max(dp(120), self.ids.rows.width - dp(60))
        headline_lines = min(3, line_count(hit.patient.headline, 16, "RobotoMedium", room))
        who = identity(language, hit.patient)
        origin = ""
        if snippet:
            kind = word_or(language, f"document_kind.{snippet.document_kind}", snippet.document_kind)
            origin = " · ".join(part for part in (kind, short_date(language, snippet.date)) if part)
        text = snippet_markup(snippet.html, self.app.c.hexes()["mark"]) if snippet else ""
        said = plain_snippet(snippet.html) if snippet else ""
        snippet_lines = min(2, line_count(said, 14, "RobotoMedium", room)) if snippet else 0
        why = " · ".join(hit.why)
        height = 28 + headline_lines * 22 + (20 if who else 0) + (22 if why else 0)
        height += (24 + snippet_lines * 19) if snippet else 0
        return {
            "viewclass": "HitRow",
            "patient_id": hit.patient.id,
            "headline": hit.patient.headline,
            "identity": who,
            "why": why,
            "snippet": text,
            "origin": origin,
            "snippet_height": dp(19) * snippet_lines,
            "chosen": hit.patient.id == shown,
            "height": dp(height),
        }

    def _near_end(self, _: Any, scroll_y: float) -> None:
        if scroll_y <= 0.1 and self.asking.has_more and not self._growing and self.asking.page:
            self._fetch(first=False)

    def _stage(self, view: Any) -> None:
        if self._rest is not None:
            if isinstance(self._rest, Skeleton):
                self._rest.stop()
            self.ids.stage.remove_widget(self._rest)
        self._rest = view
        if view is not None:
            self.ids.stage.add_widget(view)
        self.ids.body.opacity = 0 if view is not None else 1
        self.ids.body.disabled = view is not None

    def _fill_filters(self, sheet: Sheet) -> None:
        language = self.app.language
        sheet.clear()
        if not self.facets:
            sheet.put(Quiet(text=word(language, "search.filters_none")))
            return
        for facet in self.facets:
            flow = Flow()
            for value in facet.values[:MOST_VALUES]:
                active = self.asking.is_chosen(facet, value)
                chip = Chip(
                    text=f"{value.label}  {value.count}",
                    active=active,
                    icon="check" if active else "",
                    payload=(facet, value),
                )
                chip.bind(on_release=lambda chip: self._toggle(chip, sheet))
                flow.add_widget(chip)
            sheet.put(Heading(text=facet.label), flow)
        clear = PushButton(text=word(language, "search.filters_clear"), look="text", disabled=not self.asking.filters)
        clear.bind(on_release=lambda *_: self._clear_filters(sheet))
        total = self.asking.result.total if self.asking.result else 0
        done = PushButton(text=word(language, "search.filters_apply", count=total), size_hint_x=1)
        done.bind(on_release=sheet.close)
        sheet.foot(clear, done)

    def _toggle(self, chip: Chip, sheet: Sheet) -> None:
        self.asking.toggle(*chip.payload)
        self._refresh_under(sheet)

    def _clear_filters(self, sheet: Sheet) -> None:
        self.asking.chosen.clear()
        self._refresh_under(sheet)

    def _refresh_under(self, sheet: Sheet) -> None:
        # the list behind and the counts in the sheet follow each choice; the sheet is filled again when both are there
        former = self.facets
        self.rerun()
        self.facets = former
        self._fill_filters(sheet)
        version = self.asking.version

        def follow(_: float) -> bool:
            if not sheet.parent or version != self.asking.version:
                return False
            if self.asking.result is not None and self.facets is not former:
                self._fill_filters(sheet)
                return False
            return True

        Clock.schedule_interval(follow, 0.05)


def _height(rows: list[dict[str, Any]]) -> float:
    """The height of the list's content, in pixels."""
    return sum(row["height"] for row in rows) + dp(4) * max(0, len(rows) - 1) + dp(12) if rows else 0.0


class StartView(BoxLayout):
    """What to do here, with three examples."""


class ExampleRow(Tappable):
    """A question to try."""

    text = StringProperty("")


class NearRow(Tappable):
    """Another way to ask: its words, and how many patients it has."""

    icon = StringProperty("")
    text = StringProperty("")
    count = StringProperty("")


class NoneView(BoxLayout):
    """No patient, why, and near questions that have some."""

    title = StringProperty("")
    hint = StringProperty("")


rules_beside(__file__)
