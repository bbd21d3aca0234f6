"""A cohort: how many, how they were narrowed down, how they divide, how they fare, and who they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import (
    Breakdown,
    BreakdownTable,
    Cohort,
    CohortChanges,
    CohortMembers,
    Funnel,
    PatientLine,
    Survival,
)
from consore_mobile.failures import Failure
from consore_mobile.formatting import identity, number, patients_found
from consore_mobile.screens.cohorts import told_of
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.charts import AgePyramid, SurvivalCurve
from consore_mobile.widgets.kit import (
    Card,
    Heading,
    PushButton,
    Quiet,
    Segments,
    Sheet,
    TappableCard,
    failure_words,
)
from consore_mobile.words import word

TABS = ("funnel", "breakdown", "survival", "patients")
ENDPOINTS = ("OVERALL", "PROGRESSION_FREE")
MOST_ROWS = 8  # of a table, before the rest is asked for


class CountRow(BoxLayout):
    """Some words, a number, and a bar as long as it is of the greatest."""

    text = StringProperty("")
    count = StringProperty("")
    share = NumericProperty(0.0)
    line = StringProperty("")


class TableCard(Card):
    """One table of a breakdown."""

    title = StringProperty("")
    hint = StringProperty("")


class MemberCard(TappableCard):
    """A patient of the cohort."""

    headline = StringProperty("")
    identity = StringProperty("")


class CohortPage(Page):
    """The detail of a cohort; each section is asked for when it is looked at."""

    cohort = ObjectProperty(None, allownone=True)
    count = StringProperty("")
    line = StringProperty("")
    changes = StringProperty("")
    tab = StringProperty("funnel")
    mine = BooleanProperty(False)
    shared = BooleanProperty(False)

    def open(self, cohort_id: str) -> None:
        """Ask for a cohort."""
        self.cohort = None
        self.load(("cohort", cohort_id), lambda: self.app.client.cohort(cohort_id), self._show)

    def choose(self, tab: str) -> None:
        """Look at another section."""
        if tab != self.tab:
            self.tab = tab
            self._section()

    def refresh(self) -> None:
        """Who meets the criteria now."""
        self._change(lambda cohort: self.app.client.refresh_cohort(cohort.id), "cohort.now")

    def share(self) -> None:
        """Show it to the centre, or no more."""
        said = "cohort.unshared" if self.shared else "cohort.now_shared"
        self._change(lambda cohort: self.app.client.share_cohort(cohort.id, not cohort.shared), said)

    def ask_delete(self) -> None:
        """Delete it, once that was said twice."""
        language, cohort = self.app.language, self.cohort
        sheet = Sheet(title=word(language, "cohort.delete_title", name=cohort.name))
        delete = PushButton(text=word(language, "cohort.delete"), icon="delete-outline", look="danger", size_hint_x=1)

        def deleted(_: None) -> None:
            sheet.close()
            self.app.say(word(language, "cohort.deleted", name=cohort.name))
            self.app.shell.stacks["cohorts"].clear()
            self.app.shell.render()

        def failed(failure: Failure) -> None:
            delete.disabled = False
            self.app.say(" ".join(failure_words(language, failure)))

        def submit(*_: Any) -> None:
            delete.disabled = True
            self.app.ask(self.app.client.delete_cohort(cohort.id), deleted, failed)

        delete.bind(on_release=submit)
        self.app.open_sheet(sheet.put(Quiet(text=word(language, "cohort.delete_hint"), font_size="15sp")).foot(delete))

    def show_changes(self) -> None:
        """Who came and who went with the last refresh."""
        language = self.app.language
        sheet = Sheet(title=word(language, "cohort.changes_title"))
        self.app.open_sheet(sheet)

        def received(found: CohortChanges) -> None:
            for key, lines in (
                ("cohort.came", [(one, "") for one in found.entered]),
                ("cohort.went", [(one.patient, " ; ".join(one.unmet)) for one in found.left]),
            ):
                if lines:
                    sheet.put(Heading(text=word(language, key, count=number(language, len(lines)))))
                for patient, unmet in lines:
                    why = word(language, "cohort.unmet", criteria=unmet) if unmet else ""
                    sheet.put(self._member(patient, why, sheet))

        def failed(failure: Failure) -> None:
            sheet.put(Quiet(text=" ".join(failure_words(language, failure))))

        self.app.ask(self.app.client.cohort_changes(self.cohort.id), received, failed)

    # --- What is shown ------------------------------------------------------------------------------------

    def _show(self, cohort: Cohort) -> None:
        language = self.app.language
        self.cohort, self.mine, self.shared = cohort, cohort.is_mine, cohort.shared
        self.count = patients_found(language, cohort.count)
        self.line = told_of(language, cohort)
        last = cohort.versions[0] if cohort.versions else None
        moved = bool(last and last.number > 1 and (last.entered or last.left))
        self.changes = (
            word(language, "cohort.moved", entered=number(language, last.entered), left=number(language, last.left))
            if moved and last
            else ""
        )
        self.ids.tabs.options = [(tab, word(language, f"cohort.tab.{tab}")) for tab in TABS]
        self.ids.tabs.value = self.tab
        self.ids.scroll.scroll_y = 1
        self._section()

    def _section(self) -> None:
        cohort = self.cohort
        if cohort is None:
            return
        box = self.ids.section
        box.clear_widgets()
        client, tab = self.app.client, self.tab
        if not cohort.count and tab != "funnel":
            box.add_widget(Quiet(text=word(self.app.language, "cohort.nobody"), font_size="15sp"))
        elif tab == "funnel":
            self._fill(lambda: client.cohort_funnel(cohort.id), self._show_funnel)
        elif tab == "breakdown":
            self._fill(lambda: client.cohort_breakdown(cohort.id), self._show_breakdown)
        elif tab == "survival":
            self._show_curve(ENDPOINTS[0])
        else:
            self._fill(lambda: client.cohort_patients(cohort.id), self._show_members)

    def _fill(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Ask for a section; what comes late, when another is looked at, is dropped."""
        language, tab, cohort = self.app.language, self.tab, self.cohort
        waiting = Quiet(text=word(language, "cohorts.counting"), font_size="15sp")
        self.ids.section.add_widget(waiting)

        def still() -> bool:
            return self.tab == tab and self.cohort is cohort and waiting.parent is not None

        def received(answer: Any) -> None:
            if still():
                waiting.parent.remove_widget(waiting)
                then(answer)

        def failed(failure: Failure) -> None:
            if still():
                waiting.text = " ".join(failure_words(language, failure))

        self.app.ask(work(), received, failed)

    def _show_funnel(self, found: Funnel) -> None:
        language, box = self.app.language, self.ids.section
        for notice in found.notices:
            box.add_widget(Quiet(text=notice, color=self.app.c.warn, font_size="14sp"))
        steps = [(word(language, "cohort.everyone"), found.everyone, -1)]
        steps += [(step.label, step.remaining, step.alone) for step in found.steps]
        card = TableCard(title=word(language, "cohort.funnel_title"), hint=word(language, "cohort.funnel_hint"))
        for text, remaining, alone in steps:
            line = word(language, "cohort.alone", count=number(language, alone)) if alone >= 0 else ""
            share = remaining / found.everyone if found.everyone else 0.0
            row = CountRow(text=text, count=number(language, remaining), share=share, line=line)
            card.ids.rows.add_widget(row)
        box.add_widget(card)

    def _show_breakdown(self, found: Breakdown) -> None:
        language, box = self.app.language, self.ids.section
        if any(one.female or one.male for one in found.pyramid):
            card = TableCard(title=word(language, "cohort.pyramid"))
            card.ids.rows.add_widget(AgePyramid(bands=found.pyramid))
            box.add_widget(card)
        for table in found.tables:
            if table.rows:
                box.add_widget(self._table(table, found.patients))

    def _table(self, table: BreakdownTable, patients: int) -> TableCard:
        language = self.app.language
        hint = "" if table.is_partition else word(language, "cohort.several")
        card = TableCard(title=table.label, hint=hint)

        def put(rows: list[Any]) -> None:
            for row in rows:
                text = row.label or word(language, "app.unknown")
                share = row.count / patients if patients else 0.0
                count = f"{number(language, row.count)}  ({round(100 * share)} %)"
                card.ids.rows.add_widget(CountRow(text=text, count=count, share=share))

        put(table.rows[:MOST_ROWS])
        if len(table.rows) > MOST_ROWS:
            more = PushButton(text=word(language, "app.more"), look="text")

            def show_all(*_: Any) -> None:
                card.ids.rows.remove_widget(more)
                put(table.rows[MOST_ROWS:])

            more.bind(on_release=show_all)
            card.ids.rows.add_widget(more)
        return card

    def _show_curve(self, endpoint: str) -> None:
        language, box, cohort = self.app.language, self.ids.section, self.cohort
        box.clear_widgets()
        choice = Segments(
            options=[(one, word(language, f"cohort.endpoint.{one}")) for one in ENDPOINTS], value=endpoint
        )
        choice.bind(on_choice=lambda _, value: self._show_curve(value))
        box.add_widget(choice)
        self._fill(lambda: self.app.client.survival(cohort.id, endpoint), self._draw_curve)

    def _draw_curve(self, found: Survival) -> None:
        language, box = self.app.language, self.ids.section
        if not found.points:
            box.add_widget(Quiet(text=word(language, "cohort.no_curve"), font_size="15sp"))
            return
        card = TableCard(title=_median(language, found), hint=word(language, f"cohort.curve.{found.endpoint}"))
        card.ids.rows.add_widget(SurvivalCurve(survival=found, height="280dp"))
        box.add_widget(card)
        told = word(
            language,
            "cohort.followed_n",
            patients=number(language, found.patients),
            events=number(language, found.events),
            excluded=number(language, found.excluded),
        )
        box.add_widget(Quiet(text=told, font_size="14sp"))

    def _show_members(self, found: CohortMembers) -> None:
        box, cohort = self.ids.section, self.cohort
        for patient in found.patients:
            box.add_widget(self._member(patient))
        shown = sum(isinstance(card, MemberCard) for card in box.children)
        if shown < found.total and found.patients:
            more = PushButton(text=word(self.app.language, "app.more"), look="tonal")

            def grow(*_: Any) -> None:
                box.remove_widget(more)
                self._fill(lambda: self.app.client.cohort_patients(cohort.id, shown), self._show_members)

            more.bind(on_release=grow)
            box.add_widget(more)

    def _member(self, patient: PatientLine, line: str = "", sheet: Sheet | None = None) -> MemberCard:
        who = " · ".join(part for part in (identity(self.app.language, patient), line) if part)
        card = MemberCard(headline=patient.headline, identity=who)

        def open_patient(*_: Any) -> None:
            if sheet is not None:
                sheet.close()
            self.app.shell.open("patient", patient_id=patient.id)

        card.bind(on_release=open_patient)
        return card

    def _change(self, work: Callable[[Cohort], Any], said: str) -> None:
        if self.cohort is None:
            return

        def changed(cohort: Cohort) -> None:
            self.forget()
            self._show(cohort)
            self.app.say(word(self.app.language, said, count=patients_found(self.app.language, cohort.count)))
            self._tell_the_list()

        def failed(failure: Failure) -> None:
            self.app.say(" ".join(failure_words(self.app.language, failure)))

        self.app.ask(work(self.cohort), changed, failed)

    def _tell_the_list(self) -> None:
        if self.app.two_pane and self.app.shell.main.has_screen("cohorts"):
            self.app.shell.main.get_screen("cohorts").arrive({})


def _median(language: str, found: Survival) -> str:
    if found.median is None:
        return word(language, "cohort.median_none")
    lower, upper = (_months(language, value) for value in (found.median_lower, found.median_upper))
    return word(language, "cohort.median", months=_months(language, found.median), lower=lower, upper=upper)


def _months(language: str, value: float | None) -> str:
    if value is None:
        return word(language, "cohort.not_reached")
    text = f"{value:.1f}"
    return text.replace(".", ",") if language == "fr" else text


rules_beside(__file__)
