"""Why an item is believed: the sentences behind it, and the way to each document."""

from __future__ import annotations

from typing import Any

from kivy.properties import StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile.answers import Evidence
from consore_mobile.formatting import short_date
from consore_mobile.screens.page import rules_beside
from consore_mobile.widgets.kit import PushButton, Quiet, Sheet
from consore_mobile.words import word, word_or


class Quote(BoxLayout):
    """A sentence of a report, or a row of a structured file."""

    text = StringProperty("")
    origin = StringProperty("")


def evidence_sheet(app: Any, title: str, subtitle: str, evidence: list[Evidence]) -> Sheet:
    """The sheet that explains an item."""
    language = app.language
    sheet = Sheet(title=title, subtitle=subtitle)
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
