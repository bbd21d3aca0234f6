"""A patient in one French line, for a list on a small screen."""

from __future__ import annotations

import datetime as dt

from consore.history.events import site_adjectives
from consore.model import Biography, EventItem, EventType, Sex

PERSON = {Sex.FEMALE: "Femme", Sex.MALE: "Homme", Sex.UNKNOWN: "Patient"}
RELAPSES = {
    EventType.LOCAL_RECURRENCE: "récidive locale",
    EventType.REGIONAL_RECURRENCE: "récidive régionale",
    EventType.METASTATIC_RECURRENCE: "récidive métastatique",
    EventType.PROGRESSION: "progression",
}


def headline(biography: Biography, sex: Sex, birth_date: dt.date | None, *, today: dt.date | None = None) -> str:
    """One line: "Femme, 54 ans – carcinome canalaire du sein gauche, 2019, récidive métastatique hépatique 2022".

    The age is that of `today`, or at death; the first tumours are all named, then the last thing that happened.
    """
    death = next((event.date for event in biography.events if event.type is EventType.DEATH), None)
    person = PERSON[sex]
    if birth_date:
        age = completed_years(birth_date, death or today or dt.date.today())
        person += f", {age} an{'s' if age > 1 else ''}"
    parts = [_tumour(biography, item.rank) for item in biography.tumours]
    relapse = _last_relapse(biography.events)
    if relapse and parts:
        parts[-1] += f", {relapse}"
    if death:
        ending = "décédée" if sex is Sex.FEMALE else "décédé"
        parts.append(f"{ending} en {death.year}")
    return f"{person} – {' ; '.join(parts)}" if parts else f"{person} – pas de tumeur documentée"


def completed_years(birth: dt.date, day: dt.date) -> int:
    """Completed years between two days, never negative."""
    return max(day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day)), 0)


def _tumour(biography: Biography, rank: int) -> str:
    item = biography.tumours[rank - 1]
    words = item.label or "tumeur"
    if item.diagnosis_date:
        words += f", {item.diagnosis_date.year}"
    start = next(
        (
            event
            for event in biography.events
            if event.tumour_rank == rank and event.type in (EventType.INITIAL, EventType.SECOND_CANCER)
        ),
        None,
    )
    if start and start.sites:
        words += f", métastatique d'emblée ({site_adjectives(start.sites)})"
    return words


def _last_relapse(events: list[EventItem]) -> str:
    """The metastatic recurrence where there is one, else the last recurrence or progression, with its year."""
    told = [event for event in events if event.type in RELAPSES]
    if not told:
        return ""
    metastatic = [event for event in told if event.type is EventType.METASTATIC_RECURRENCE]
    event = metastatic[0] if metastatic else told[-1]
    words = RELAPSES[event.type]
    if event.type is EventType.METASTATIC_RECURRENCE and event.sites:
        words += f" {site_adjectives(event.sites)}"
    return f"{words} {event.date.year}" if event.date else words
