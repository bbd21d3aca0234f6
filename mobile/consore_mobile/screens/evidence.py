"""Why an item is believed: the sentences behind it, and the way to each document."""

from __future__ import annotations

from typing import Any

from kivy.properties import StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import Belief, Evidence
from consore_mobile.formatting import short_date
from consore_mobile.screens.judging import because, judging_buttons, may_judge
from consore_mobile.screens.page import rules_beside
from consore_mobile.widgets.kit import PushButton, Quiet, Sheet, TagFlow
from consore_mobile.words import word, word_or


class Quote(BoxLayout):
    """A sentence of a report, or a row of a structured file."""

    text = StringProperty("")
    origin = StringProperty("")


def evidence_sheet(
    app: Any, title: str, subtitle: str, evidence: list[Evidence], belief: Belief | None = None, patient_id: str = ""
) -> Sheet:
    """The sheet that explains an item; a physician may judge it there."""
    language = app.language
    sheet = Sheet(title=title, subtitle=subtitle)
    if belief:
        sure = word(language, "evidence.confidence", percent=round(belief.confidence * 100))
        told = [word(language, "review.reviewed")] if belief.reviewed else []
        tags = TagFlow()
        tags.tags = [sure, *told]
        sheet.put(tags, *because(app, belief))
        if patient_id and may_judge(app):

            def judged(verdict: str, review: str) -> None:
                sheet.close()
                app.say(word(language, "review.done"))
                app.histories_changed(patient_id)
                app.shell.render()

            sheet.foot(*judging_buttons(app, patient_id, belief.key, judged))
    if not evidence:
        return sheet.put(Quiet(text=word(language, "evidence.none"), font_size="15sp"))
    sheet.put(Quiet(text=word(language, "evidence.title")))
    for item in evidence:
        kind = word_or(language, f"document_kind.{item.document_kind}", item.document_kind or "")
        parts = [kind or word(language, "evidence.structured"), short_date(language, item.date)]
        parts.append(word(language, "evidence.confidence", percent=round(item.confidence * 100)))
        sheet.put(Quote(text=item.quote.strip(), origin=" · ".join(part for part in parts if part)))
        if item.document_id:
            sheet.put(_open_button(app, item, sheet))
    return sheet


def _open_button(app: Any, item: Evidence, sheet: Sheet) -> PushButton:
    button = PushButton(text=word(app.language, "evidence.open"), icon="file-document-outline", look="tonal")

    def open_document(*_: Any) -> None:
        sheet.close()
        app.shell.open("document", document_id=item.document_id, start=item.start, end=item.end)

    button.bind(on_release=open_document)
    return button


rules_beside(__file__)
