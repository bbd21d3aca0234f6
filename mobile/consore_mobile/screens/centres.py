"""How many such patients each centre has: rounded counts, their freshness, and whom to contact."""

from __future__ import annotations

import datetime as dt
from typing import Any

from kivy.properties import BooleanProperty, ListProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import CentreRow, CentresCount, ContactRequest
from consore_mobile.failures import Failure
from consore_mobile.formatting import ago, short_date
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Card, Field, Heading, PushButton, Quiet, Sheet, failure_words
from consore_mobile.words import word, word_or

SHORTEST_PURPOSE = 10
STATE_ICONS = {
    "ANSWERED": "check-circle",
    "REFUSED": "cancel",
    "TIMED_OUT": "timer-sand",
    "UNREACHABLE": "lan-disconnect",
}


class CentreCard(Card):
    """The answer of one centre."""

    code = StringProperty("")
    name = StringProperty("")
    count = StringProperty("")
    state = StringProperty("")
    state_text = StringProperty("")
    icon = StringProperty("check-circle")
    good = BooleanProperty(True)
    referent = StringProperty("")
    row = ObjectProperty(None)
    contactable = BooleanProperty(False)

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_contact")
        super().__init__(**given)

    def on_contact(self) -> None:
        """The button was tapped."""


class RequestRow(BoxLayout):
    """A contact request and where it stands."""

    title = StringProperty("")
    line = StringProperty("")
    icon = StringProperty("email-outline")


class CentresPage(Page):
    """The count of the present search in the whole network."""

    criteria = ObjectProperty(None, allownone=True)
    labels = ListProperty()
    words_left = StringProperty("")
    total = StringProperty("")
    rows = ListProperty()
    empty = BooleanProperty(True)

    def arrive(self, given: dict[str, Any]) -> None:
        """Follow the search: its criteria may have changed since the last visit."""
        asking = self.app.asking
        if self.given is None or asking.counted_criteria != self.criteria:
            self.given = dict(given)
            self.open()

    def open(self, **_: Any) -> None:
        """Count the criteria of the present search."""
        asking, language = self.app.asking, self.app.language
        self.criteria = asking.counted_criteria
        self.empty = not self.criteria
        self.total, self.rows = "", []
        self.ids.centres.clear_widgets()
        self.ids.requests.clear_widgets()
        result = asking.result
        understood = result.understood if result else []
        self.labels = [
            word(language, "search.without", label=chip.label) if chip.negated else chip.label for chip in understood
        ] + [value.label for value in asking.filters]
        left = ", ".join(result.words) if result else ""
        self.words_left = word(language, "centres.words_left", words=left) if left and not self.empty else ""
        self._fetch_requests()
        if self.empty:
            self._reveal()
            return
        self.load(str(self.criteria), lambda: self.app.client.centres_count(self.criteria), self._show)

    def again(self) -> None:
        """Count anew."""
        self.forget()
        self.open()

    def contact(self, row: CentreRow) -> None:
        """Ask for the purpose, then send the request."""
        language = self.app.language
        sheet = Sheet(title=word(language, "centres.contact_title", centre=row.centre_name))
        referent = " · ".join(part for part in (row.referent_name, row.referent_email, row.referent_phone) if part)
        purpose = Field(
            label=word(language, "centres.purpose"), hint=word(language, "centres.purpose_hint"), multiline=True
        )
        send = PushButton(text=word(language, "centres.send"), icon="send", size_hint_x=1)
        problem = Quiet(text="", color=self.app.c.danger)

        def submit(*_: Any) -> None:
            text = purpose.text.strip()
            if len(text) < SHORTEST_PURPOSE:
                purpose.error = word(language, "centres.purpose_short")
                return
            send.disabled = True
            problem.text = ""
            self.app.ask(self.app.client.request_contact(row.centre_code, self.criteria, text), sent, failed)

        def sent(_: ContactRequest) -> None:
            sheet.close()
            self.app.say(word(language, "centres.sent", centre=row.centre_name))
            self._fetch_requests()

        def failed(failure: Failure) -> None:
            send.disabled = False
            problem.text = " ".join(failure_words(language, failure))

        send.bind(on_release=submit)
        sheet.put(Quiet(text=referent), Quiet(text=word(language, "centres.contact_intro")), purpose, problem)
        sheet.foot(send)
        self.app.open_sheet(sheet)

    def _show(self, answer: CentresCount) -> None:
        self.total = answer.total
        self.rows = answer.rows
        box = self.ids.centres
        box.clear_widgets()
        for row in answer.rows:
            box.add_widget(self._card(row))

    def _card(self, row: CentreRow) -> CentreCard:
        language = self.app.language
        here = row.centre_code == self.app.me.centre.code
        parts = [word(language, "centres.here")] if here else []
        parts.append(word_or(language, f"centres.state.{row.state}", row.state))
        if row.freshness:
            parts.append(word(language, "centres.fresh", when=ago(language, row.freshness, dt.datetime.now(dt.UTC))))
        if row.message and row.state != "ANSWERED":
            parts.append(row.message)
        referent = word(language, "centres.referent", name=row.referent_name) if row.referent_name else ""
        card = CentreCard(
            code=row.centre_code,
            name=row.centre_name,
            count=row.count or "–",
            state=row.state,
            state_text=" · ".join(parts),
            icon=STATE_ICONS.get(row.state, "help-circle-outline"),
            good=row.state == "ANSWERED",
            referent=referent,
            row=row,
            contactable=not here,
        )
        card.bind(on_contact=lambda card: self.contact(card.row))
        return card

    def _fetch_requests(self) -> None:
        self.app.ask(self.app.client.contact_requests(), self._show_requests, lambda _: None)

    def _show_requests(self, requests: list[ContactRequest]) -> None:
        language, box = self.app.language, self.ids.requests
        box.clear_widgets()
        if requests:
            box.add_widget(Heading(text=word(language, "centres.requests")))
        for request in sorted(requests, key=lambda item: item.created_at, reverse=True)[:10]:
            state = word_or(language, f"centres.request.{request.state}", request.state)
            day = short_date(language, request.created_at.date())
            line = " · ".join(part for part in (request.peer_code, day, state, request.answer) if part)
            sent = request.direction in {"sent", "outgoing", "out"}
            icon = "email-arrow-right-outline" if sent else "email-arrow-left-outline"
            box.add_widget(RequestRow(title=request.purpose, line=line, icon=icon))


rules_beside(__file__)
