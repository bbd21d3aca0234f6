"""Whether the patient lives, and the last day on which something is known of them (*dernières nouvelles*)."""

from __future__ import annotations

import datetime as dt

from consore.history.beliefs import Voice, confidence, when_said, who_says
from consore.history.clues import Page, Reading
from consore.history.rules import Rules, rules
from consore.history.tumours import distinct_evidence
from consore.model import Biography, EventItem, EventType, EvidenceRef, MentionKind

LABEL = "Décès"


def add_death(history: Biography, reading: Reading) -> None:
    """Add the death, from the administrative file or else from the reports that announce it."""
    death = _death_of_file(reading) or _death_told(reading)
    if death:
        history.events.append(death)


def add_vital_status(history: Biography, reading: Reading) -> None:
    """The date of death of the events, corrected as they are, and the date of last news."""
    history.death_date = next((one.date for one in history.events if one.type is EventType.DEATH), None)
    known = [page.document.date for page in reading.pages if page.document.date]
    known += [row.date for rows in reading.rows.values() for row in rows if row.date]
    history.last_news = history.death_date or max(known, default=None)


def _death_of_file(reading: Reading) -> EventItem | None:
    day = reading.dossier.death_date
    if day is None:
        return None
    return EventItem(EventType.DEATH, day, None, label=LABEL, confidence=0.99, why="Date de décès de l'état civil.")


def _death_told(reading: Reading) -> EventItem | None:
    """The death that a report announces, at its sentence's date, else its document's.

    Nobody is seen after their death: what an examination or a stay contradicts was another's, and a document older than
    the last of them is not looked at.
    """
    table = rules()
    told: list[tuple[bool, dt.date, Voice, EvidenceRef]] = []
    visits = reading.visits(table.vital["seen"])
    seen, after = max(visits, default=None), table.vital["seen_after"]
    for page in reading.pages:
        text, own = page.document.text, page.document.date
        if (seen and own and (seen - own).days > after) or not _has_root(text, table):
            continue
        for match in table.death.finditer(text):
            start, end = _sentence_around(text, match.start())
            words = " ".join(text[start:end].split())
            if table.not_the_patients_death.search(table.witnesses.sub(" ", words)):
                continue
            stated = _date_in(page, match.start(), end)
            day = stated or page.document.date
            if day:
                voice = Voice(page.kind, page.document.id, page.document.date, 0.9)
                told.append((stated is None, day, voice, EvidenceRef(words, 0.9, page.document.id, start, end)))
    if not told:
        return None
    told.sort(key=lambda one: (one[0], one[1], one[2].origin, one[3].start or 0))
    death = told[0][1]
    if seen and (seen - death).days > after:
        return None
    heard = list({one[2].origin: one[2] for one in told}.values())
    return EventItem(
        EventType.DEATH,
        death,
        None,
        label=LABEL,
        confidence=confidence(heard),
        why=f"Écrit par {who_says(heard)}{when_said(heard)}.",
        evidence=distinct_evidence((one[3] for one in told), table),
    )


def _has_root(text: str, table: Rules) -> bool:
    """Whether it holds a word for death; a search for a few roots is cheaper than a pattern."""
    low = text.lower()
    return any(root in low for root in table.vital["roots"])


def _sentence_around(text: str, place: int) -> tuple[int, int]:
    start = max(text.rfind(mark, 0, place) for mark in (". ", "\n", "; ")) + 1
    ends = [found for mark in (". ", "\n", "; ") if (found := text.find(mark, place)) >= 0]
    return start, min(ends, default=len(text))


def _date_in(page: Page, start: int, end: int) -> dt.date | None:
    """The first day that the sentence writes after the word."""
    dates = [
        one.date
        for one in page.document.mentions
        if one.kind is MentionKind.DATE and one.date and start <= one.start < end
    ]
    return dates[0] if dates else None
