"""A report as it was written, with what was recognised in it; opened from an evidence, it scrolls to that sentence."""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, RoundedRectangle
from kivy.metrics import dp, sp
from kivy.properties import ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.label import Label
from kivy.utils import escape_markup, get_color_from_hex

from consore_mobile import answers
from consore_mobile.entities import GROUP_OF, Paragraph, assertions_present, groups_present, paragraphs
from consore_mobile.formatting import long_date
from consore_mobile.palette import blend
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.widgets.kit import Quiet, Sheet, TagFlow
from consore_mobile.words import word, word_or


class TextBlock(Label):
    """A paragraph. Entities lie on a tint of their colour; the evidence's paragraph has a bar at its left."""

    paragraph = ObjectProperty(None)
    page = ObjectProperty(None)
    pointed = NumericProperty(0)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._retint = Clock.create_trigger(self._tint)
        self.bind(texture=self._retint, pos=self._retint, size=self._retint)

    def on_ref_press(self, ref: str) -> None:
        self.page.explain(int(ref))

    def _tint(self, *_: Any) -> None:
        colours = self.page.app.c.hexes()
        self.canvas.before.clear()
        left, top = self.center_x - self.texture_size[0] / 2, self.center_y + self.texture_size[1] / 2
        with self.canvas.before:
            if self.pointed:
                Color(*get_color_from_hex(colours["primary"]))
                RoundedRectangle(pos=(self.x - dp(10), self.y), size=(dp(4), self.height), radius=[dp(2)])
            for ref, boxes in self.refs.items():
                mention = self.page.document.mentions[int(ref)]
                if mention.assertion in {"family", "history", "negated"}:
                    continue
                ink = colours[f"entity_{GROUP_OF.get(mention.kind, 'context')}"]
                Color(*get_color_from_hex(blend(ink, colours["surface"], 0.13)))
                for x1, y1, x2, _ in boxes:
                    # the room between lines is under the letters of a line
                    pos = (left + x1 - dp(2), top - y1 - sp(20))
                    RoundedRectangle(pos=pos, size=(x2 - x1 + dp(4), sp(21)), radius=[dp(4)])


class LegendChip(Label):
    """A word of the legend, drawn as the text draws it."""


class DocumentPage(Page):
    """One report."""

    document = ObjectProperty(None, allownone=True)
    title_text = StringProperty("")
    subtitle = StringProperty("")
    patient_line = StringProperty("")
    legend = ListProperty()

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.app.c.bind(scheme=lambda *_: self.document and self._show(self.document))

    def open(self, document_id: str, start: int | None = None, end: int | None = None) -> None:
        """Ask for a document; `start` is a code point to scroll to."""
        self._target = start
        self.document = None
        self.load(("document", document_id), lambda: self.app.client.document(document_id), self._show)

    def open_patient(self) -> None:
        """The patient of this report."""
        if self.document and self.document.patient:
            self.app.shell.open("patient", patient_id=self.document.patient.id)

    def explain(self, index: int) -> None:
        """An entity was tapped: what it was read as."""
        language, mention = self.app.language, self.document.mentions[index]
        kind = word_or(
            language, f"kind.{mention.kind}", word(language, f"entity.{GROUP_OF.get(mention.kind, 'context')}")
        )
        tags = [" ".join(part for part in (mention.system, mention.code) if part)] if mention.code else []
        value = " ".join(part for part in (mention.value, mention.unit) if part)
        tags += [word_or(language, f"status.{value}", value)] if value else []
        tags += [word(language, f"assertion.{mention.assertion}")] if mention.assertion != "present" else []
        sheet = Sheet(title=mention.label or mention.text, subtitle=kind)
        sheet.put(Quiet(text=f"« {mention.text} »", font_size="15sp"), TagFlow(tags=tags))
        self.app.open_sheet(sheet)

    def _show(self, document: answers.Document) -> None:
        language, colours = self.app.language, self.app.c.hexes()
        self.document = document
        kind = word_or(language, f"document_kind.{document.kind}", document.kind)
        self.title_text = document.title or kind
        parts = [
            kind if document.title.lower() not in {"", kind.lower()} else "",
            long_date(language, document.date) if document.date else "",
        ]
        parts += [
            document.service,
            word(language, "document.author", author=document.author) if document.author else "",
        ]
        self.subtitle = " · ".join(part for part in parts if part)
        self.patient_line = document.patient.headline if document.patient else ""
        self._show_legend(document, colours)
        box = self.ids.text
        box.clear_widgets()
        blocks = paragraphs(document.text, document.mentions)
        if not document.text.strip():
            box.add_widget(Quiet(text=word(language, "document.no_text"), font_size="15sp"))
            return
        target = next((i for i, b in enumerate(blocks) if self._target is not None and b.end >= self._target), None)
        for index, block in enumerate(blocks):
            box.add_widget(self._block(block, colours, pointed=index == target))
        self.ids.scroll.scroll_y = 1
        if target is not None:
            label = box.children[len(blocks) - 1 - target]
            # two frames: the labels first take their height
            Clock.schedule_once(lambda _: Clock.schedule_once(lambda _: self._scroll_to(label), 0), 0)

    def _block(self, block: Paragraph, colours: dict[str, str], *, pointed: bool) -> TextBlock:
        return TextBlock(text=block.markup(colours), paragraph=block, page=self, pointed=int(pointed))

    def _scroll_to(self, label: Any) -> None:
        scroll = self.ids.scroll
        if label.parent and scroll.children[0].height > scroll.height:
            scroll.scroll_to(label, padding=dp(160), animate=False)

    def _show_legend(self, document: answers.Document, colours: dict[str, str]) -> None:
        box, language = self.ids.legend, self.app.language
        box.clear_widgets()
        for group in groups_present(document.mentions):
            name = escape_markup(word(language, f"entity.{group}"))
            box.add_widget(LegendChip(text=f"[b][color={colours['entity_' + group]}]{name}[/color][/b]"))
        for assertion in assertions_present(document.mentions):
            style = {"negated": "s", "hypothetical": "u"}.get(assertion, "i")
            box.add_widget(LegendChip(text=f"[{style}]{word(language, f'assertion.{assertion}')}[/{style}]"))


rules_beside(__file__)
