"""What was read without being sure, the most worth a look first: the sentence, and one tap to say what is true."""

from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, ObjectProperty, StringProperty

from consore_mobile.answers import ReviewItem
from consore_mobile.answers import ReviewPage as Answer
from consore_mobile.failures import Failure
from consore_mobile.formatting import identity, number, short_date
from consore_mobile.screens.evidence import Quote
from consore_mobile.screens.judging import because, judging_buttons
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Card, Notice, PushButton, failure_words
from consore_mobile.words import word, word_or

KINDS = ("TUMOUR", "EVENT", "TREATMENT", "BIOMARKER", "ALTERATION")
VERDICTS = {"CONFIRM": "confirmed", "CORRECT": "corrected", "REJECT": "rejected"}
MOST_QUOTES = 2


class ReviewCard(Card):
    """One item: what is believed, of whom, why, and the sentence behind."""

    item = ObjectProperty(None, allownone=True)
    tags = ListProperty()
    title = StringProperty("")
    who = StringProperty("")
    judged = StringProperty("")

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_patient")
        self.register_event_type("on_undo")
        super().__init__(**given)

    def on_patient(self) -> None:
        """The patient's line was tapped."""

    def on_undo(self) -> None:
        """What was said is taken back."""


class ReviewPage(Page):
    """The queue."""

    kind = StringProperty("")
    total = NumericProperty(-1)
    count = StringProperty("")
    kinds = ListProperty()
    is_wide = BooleanProperty(False)

    def open(self, **_: object) -> None:
        """Ask for the first items of the kind that is chosen."""
        language = self.app.language
        self.kinds = [
            ("", word(language, "review.all")),
            *((kind, word_or(language, f"review.kind.{kind}", kind)) for kind in KINDS),
        ]
        self.load(("review", self.kind), lambda: self.app.client.review_queue(self.kind or None), self._show)

    def refresh(self) -> None:
        """Ask again: what was judged elsewhere is gone."""
        self.forget()
        self.open()

    def choose(self, kind: str) -> None:
        """Keep one kind."""
        self.kind = kind
        self.refresh()

    def _show(self, page: Answer) -> None:
        self.ids.cards.clear_widgets()
        self.ids.scroll.scroll_y = 1
        self._count(page.total)
        if not page.items:
            language = self.app.language
            title, hint = word(language, "review.none_title"), word(language, "review.none")
            notice = Notice(icon="check-circle-outline", title=title, hint=hint)
            notice.size_hint_y, notice.height = None, "320dp"
            self.ids.cards.add_widget(notice)
        self._put(page)

    def _put(self, page: Answer) -> None:
        for item in page.items:
            self.ids.cards.add_widget(self._card(item))
        if page.after:
            more = PushButton(text=word(self.app.language, "app.more"), look="tonal")
            more.bind(on_release=lambda *_: self._more(more, page.after or ""))
            self.ids.cards.add_widget(more)

    def _more(self, button: PushButton, after: str) -> None:
        button.disabled = True

        def received(page: Answer) -> None:
            self.ids.cards.remove_widget(button)
            self._put(page)

        def failed(failure: Failure) -> None:
            button.disabled = False
            self.app.say(" ".join(failure_words(self.app.language, failure)))

        self.app.ask(self.app.client.review_queue(self.kind or None, after), received, failed)

    def _count(self, total: int) -> None:
        self.total = total
        language = self.app.language
        if total == 0:
            self.count = ""
        elif total == 1:
            self.count = word(language, "review.count_1")
        else:
            self.count = word(language, "review.count_n", count=number(language, total))

    def _card(self, item: ReviewItem) -> ReviewCard:
        language = self.app.language
        tags = [word_or(language, f"review.kind.{item.kind}", item.kind)]
        tags += [word(language, "review.aside")] if item.set_aside else []
        tags.append(word(language, "evidence.confidence", percent=round(item.confidence * 100)))
        title = " · ".join(part for part in (item.label, short_date(language, item.date)) if part)
        card = ReviewCard(
            item=item, tags=tags, title=title, who=identity(language, item.patient) or item.patient.headline
        )
        for line in because(self.app, item.belief):
            card.ids.why.add_widget(line)
        for proof in [proof for proof in item.evidence if proof.quote.strip()][:MOST_QUOTES]:
            kind = word_or(language, f"document_kind.{proof.document_kind}", proof.document_kind or "")
            origin = " · ".join(part for part in (kind, short_date(language, proof.date)) if part)
            card.ids.quotes.add_widget(Quote(text=proof.quote.strip(), origin=origin))
        buttons = judging_buttons(
            self.app,
            item.patient.id,
            item.key,
            lambda verdict, review: self._judged(card, verdict, review),
            set_aside=item.set_aside,
        )
        for button in buttons:
            card.ids.buttons.add_widget(button)
        card.bind(on_patient=lambda card: self.app.shell.open("patient", patient_id=card.item.patient.id))
        return card

    def _judged(self, card: ReviewCard, verdict: str, review: str) -> None:
        """The card stays in its place with what was said, until it is taken back or the list asked again."""
        language = self.app.language
        said = word(language, f"review.{VERDICTS[verdict]}")
        card.judged = word(language, "review.judged", said=said, title=card.title)
        card.bind(on_undo=lambda *_: self._undo(card, review))
        self.app.histories_changed(card.item.patient.id)
        self._answers.clear()
        self._count(max(0, int(self.total) - 1))

    def _undo(self, card: ReviewCard, review: str) -> None:
        def undone(_: None) -> None:
            self.app.say(word(self.app.language, "review.undone"))
            self.app.histories_changed(card.item.patient.id)
            self.refresh()

        def failed(failure: Failure) -> None:
            self.app.say(" ".join(failure_words(self.app.language, failure)))

        self.app.ask(self.app.client.withdraw_review(review), undone, failed)


rules_beside(__file__)
