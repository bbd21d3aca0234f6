"""Dates in French reports: full, partial (« mars 2021 », « 03/2019 », « en 2015 ») and relative (« il y a 3 mois »).

A date mention's `value` is as precise as what is written (`2021-03-12`, `2021-03`, `2015`); its `date` is the first
day of that period. Relative and year-less dates need the document's date and are left out without it.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from consore.language.anchored import Anchored, Places
from consore.model import Mention, MentionKind

_MONTHS = {
    "janvier": 1, "janv": 1, "jan": 1, "fevrier": 2, "fevr": 2, "fev": 2, "mars": 3, "avril": 4, "avr": 4, "mai": 5,
    "juin": 6, "juillet": 7, "juil": 7, "aout": 8, "septembre": 9, "sept": 9, "octobre": 10, "oct": 10,
    "novembre": 11, "nov": 11, "decembre": 12, "dec": 12,
}  # fmt: skip
_MONTH = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_NUMBER_WORDS = {
    "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "neuf": 9,
    "dix": 10, "douze": 12, "quinze": 15,
}  # fmt: skip
_COUNT = r"(?P<count>\d{1,3}|" + "|".join(_NUMBER_WORDS) + ")"

_NUMERIC = re.compile(
    r"(?<![\d/.,-])(?P<a>\d{1,4})(?P<sep>[/.-])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2})(?![\d/]|[.,-]\d)"
)
_MONTH_YEAR = re.compile(rf"(?<![\d/.,-])(?P<month>0[1-9]|1[0-2])\s?[/-]\s?{_YEAR}(?![\d/]|[.,-]\d)")
_WRITTEN = re.compile(
    rf"(?<!\w)(?:(?P<day>\d{{1,2}}|1er)\s+)?{_MONTH}(?:\s+(?P<year>(?:19|20)\d\d)|\s+'?(?P<short>\d\d)(?!\w|"
    rf"[.,]\d))(?!\w)"
)
_DAY_MONTH = re.compile(
    rf"(?<!\w)(?:le|du|au|ce|lundi|mardi|mercredi|jeudi|vendredi|samedi|"
    rf"dimanche)\s+(?P<whole>(?P<day>\d{{1,2}}|1er)\s+{_MONTH}"
    r"|(?P<d>\d{1,2})/(?P<m>\d{1,2}))(?![\w/]|\s+\d{2,4}(?!\w)|[.,]\d)"
)
_YEAR_ALONE = re.compile(
    rf"(?<!\w)(?:en|depuis|l'annee|annee|fin|debut|courant|de|ete|hiver|printemps|"
    rf"automne)\s+(?:l'annee\s)?{_YEAR}(?![\d/-]|\w)"
    rf"|(?<=\()(?P<bracketed>(?:19|20)\d\d)(?=\))"
)
_AGO = re.compile(
    rf"(?<!\w)(?:il y a|voici|voila|depuis)\s+(?:environ\s+|pres de\s+|"
    rf"plus de\s+)?{_COUNT}\s+(?P<unit>jours?|semaines?|mois|ans?|annees?)(?!\w)"
)
_NEAR = re.compile(
    r"(?<!\w)(?P<near>ce jour|aujourd'hui|hier|avant-hier|semaine derniere|mois dernier|"
    r"annee derniere|an dernier|an passe|annee passee|mois passe)(?!\w)"
)
# « En mars dernier » ; « de mars à juin 2021 » lends its year to its beginning.
_LAST_MONTH = re.compile(rf"(?<!\w){_MONTH}\s(?:dernier|passe|de cette annee)(?!\w)")
_FROM_MONTH = re.compile(
    rf"(?<!\w)(?:de|d'|en|entre|debut|fin)\s?{_MONTH}(?=\s(?:a|et|jusqu'en|au)\s(?:\w{{3,9}})\.?\s(?P<later>(?:19|20)\d\d))"
)
_SHORTEST_MONTHS = [month for month in _MONTHS if not any(month != m and month.startswith(m) for m in _MONTHS)]
_DAYS = [f"{sign}{digit}" for sign in "/.-" for digit in range(10)]
_NUMERICS = Anchored(_NUMERIC, *_DAYS, reach=len("2021"))
_WRITTEN_DATES = Anchored(_WRITTEN, *_SHORTEST_MONTHS, reach=len("1er  "))
_MONTH_YEARS = Anchored(
    _MONTH_YEAR,
    *(f"{sign}{gap}{c}" for sign in "/-" for gap in ("", " ", "\n") for c in ("19", "20")),
    reach=len("03 "),
)
_YEARS = Anchored(_YEAR_ALONE, "19", "20", reach=len("printemps  l'annee "))
_FROM_MONTHS = Anchored(_FROM_MONTH, *_SHORTEST_MONTHS, reach=len("debut "))
_DAYS_OF_MONTHS = Anchored(_DAY_MONTH, *_SHORTEST_MONTHS, *_DAYS, reach=len("dimanche  1er  "))
_AGOS = Anchored(_AGO, "il y a", "voici", "voila", "depuis")
_NEARS = Anchored(
    _NEAR, "ce jour", "aujourd'hui", "hier", "avant-hier", "semaine derniere", "mois dernier", "annee derniere",
    "an dernier", "an passe", "annee passee", "mois passe",
)  # fmt: skip
_LAST_MONTHS = Anchored(_LAST_MONTH, *_SHORTEST_MONTHS)
_BIRTH = re.compile(r"(?:(?<!\w)nee?(?:\s*\(e\))?(?:\s+le)?|naissance|ddn)\s*:?\s*(?:le\s)?$")
_CENTURY_PIVOT = 30


@dataclass(frozen=True, slots=True)
class Calendar:
    """What the document's own date allows: relative dates, and years left out."""

    today: dt.date | None = None


def find_dates(text: str, plain: str, places: Places, calendar: Calendar) -> Iterator[Mention]:
    """Date mentions, the more precise reading first, not overlapping. Dates of birth are given without `date`."""
    taken: list[tuple[int, int]] = []
    for start, end, day, precision in _candidates(plain, places, calendar):
        place = bisect_left(taken, (start, end))
        if (place and taken[place - 1][1] > start) or (place < len(taken) and taken[place][0] < end):
            continue
        taken.insert(place, (start, end))
        birth = _BIRTH.search(plain, max(0, start - 24), start) is not None
        value = day.isoformat()[: {"day": 10, "month": 7, "year": 4}[precision]]
        label = "Date de naissance" if birth else "Date"
        yield Mention(
            start, end, text[start:end], MentionKind.DATE, label=label, value=value, date=None if birth else day
        )


def dates_of(mentions: list[Mention], sentence_of: Sequence[int], plain: str, text: str) -> list[dt.date | None]:
    """The date of each mention: its own, else the nearest of its sentence.

    `sentence_of[i]` is the sentence of `mentions[i]`; `plain` is `text` in its `layout.plain` form.

    What lies between the two counts double when another statement (« ; », « puis », « et ») stands there. A date that
    begins a statement (« 66 Gy sur la loge, en mai 2024, rechute ») is never that of what stands before it; one that
    ends a statement (« docétaxel débuté le 9 mars 2013, tumorectomie en 2013 ») is rather not that of what comes after.
    A date that heads a line (« 17/08/2022 : céphalées ; l'IRM montre trois métastases. Stade IV. ») is that of the
    sentences of the line too, up to the one that has another.
    """
    dates: dict[int, list[_Day]] = {}
    recurs: set[int] = set()
    for place, (mention, sentence) in enumerate(zip(mentions, sentence_of, strict=True)):
        if mention.date and mention.kind is MentionKind.DATE:
            dates.setdefault(sentence, []).append(_Day(mention, _begins(mentions, place, plain)))
        elif mention.kind is MentionKind.RECURRENCE:
            recurs.add(sentence)
    if not dates:
        return [mention.date for mention in mentions]
    later = {
        sentence: [day for day in dates.get(sentence, ()) if not _of_diagnosis(day.mention, plain)]
        for sentence in recurs
    }
    found = [
        _date_of(
            mention, later[sentence] if sentence in later and mention.kind in _LATER else dates.get(sentence, ()), plain
        )
        for mention, sentence in zip(mentions, sentence_of, strict=True)
    ]
    for heading in (mention for mention in mentions if _heads_a_line(mention, plain)):
        end = _end_of_line(text, heading.end)
        for place in range(bisect_left(mentions, heading.end, key=attrgetter("start")), len(mentions)):
            mention = mentions[place]
            if mention.start >= end or (mention.kind is MentionKind.DATE and "." in plain[heading.end : mention.start]):
                break
            if sentence_of[place] not in dates:
                found[place] = heading.date
    return found


_STARTS_A_LINE = re.compile(r"(?:^|\n) *(?:[-•*·>] *)?(?:(?:le|en|debut|fin|courant|du [^\n]{4,20} au) )?$")
_HEADS = re.compile(r" *(?:[:|]|- )")
_NEXT_LINE = re.compile(r"\n(?![ \t]*[a-zà-öø-ÿœ(])")


def _heads_a_line(mention: Mention, plain: str) -> bool:
    """Whether a line of a chronology begins with this date (« 05/10/2020 : biopsie… »)."""
    if mention.kind is not MentionKind.DATE or mention.date is None:
        return False
    return (
        _HEADS.match(plain, mention.end) is not None
        and _STARTS_A_LINE.search(plain, max(0, mention.start - 40), mention.start) is not None
    )


def _end_of_line(text: str, start: int) -> int:
    """Where the line ends; one that goes on in small letters is wrapped."""
    found = _NEXT_LINE.search(text, start)
    return found.start() if found else len(text)


class _Day(NamedTuple):
    mention: Mention
    begins: bool  # a statement of what was done or happened begins with it


# What comes after the diagnosis: in "récidive d'un cancer diagnostiqué en 2019" the year is not the recurrence's.
_LATER = (MentionKind.RECURRENCE, MentionKind.METASTASIS, MentionKind.RESPONSE)
_DIAGNOSED = re.compile(r"(?:diagnosti(?:c|que)|decouvert|connu|pris en charge|traite|opere)\w*(?: \w+){0,2} ?$")
_HAPPENS = (*_LATER, MentionKind.DRUG, MentionKind.REGIMEN, MentionKind.PROCEDURE)
_BEFORE_A_STATEMENT = re.compile(r"[,;:.\n]\s?(?:-\s?)?(?:(?:le|en|debut|fin|courant)\s)*$")
_SOON = 15  # characters between a date that begins a statement and what it dates


def _begins(mentions: list[Mention], place: int, plain: str) -> bool:
    date = mentions[place]
    if not _BEFORE_A_STATEMENT.search(plain, max(0, date.start - 25), date.start):
        return False
    for following in islice(mentions, place + 1, place + 6):
        if following.kind in _HAPPENS and following.start >= date.end:
            return following.start - date.end <= _SOON
    return False


def _of_diagnosis(date: Mention, plain: str) -> bool:
    return _DIAGNOSED.search(plain, max(0, date.start - 45), date.start) is not None


def _date_of(mention: Mention, days: Sequence[_Day], plain: str) -> dt.date | None:
    if mention.kind is MentionKind.DATE or not days:
        return mention.date
    own = [day for day in days if not (day.begins and mention.end <= day.mention.start)]
    if not own:
        return mention.date
    nearest = own[0] if len(own) == 1 else min(own, key=lambda day: _distance(mention, day, plain))
    return nearest.mention.date


_ANOTHER_STATEMENT = re.compile(r"[;:]|,| puis | et | mais ")
_NEXT_STATEMENT = re.compile(r"[;,]| puis ")
_OF_THE_LAST = 40  # characters by which a date is farther from a statement that follows the one that it ends


def _distance(mention: Mention, day: _Day, plain: str) -> int:
    date = day.mention
    is_before = mention.end <= date.start
    start, end = (mention.end, date.start) if is_before else (date.end, mention.start)
    far = max(0, end - start) + 25 * len(_ANOTHER_STATEMENT.findall(plain, start, max(start, end)))
    if (
        not is_before
        and _NEXT_STATEMENT.search(plain, start, max(start, end))
        and not _BEFORE_A_STATEMENT.search(plain, max(0, date.start - 25), date.start)
    ):
        far += _OF_THE_LAST
    return far


def _candidates(plain: str, places: Places, calendar: Calendar) -> Iterator[tuple[int, int, dt.date, str]]:
    for match in _NUMERICS.within(plain, places):
        if day := _numeric_day(match["a"], match["b"], match["c"]):
            yield match.start(), match.end(), day, "day"
    for match in _WRITTEN_DATES.within(plain, places):
        year = int(match["year"]) if match["year"] else _full_year(match["short"])
        if match["day"]:
            if day := _day(year, _MONTHS[match["month"]], int(match["day"].removesuffix("er"))):
                yield match.start(), match.end(), day, "day"
        elif match["year"]:
            yield match.start(), match.end(), dt.date(year, _MONTHS[match["month"]], 1), "month"
    for match in _MONTH_YEARS.within(plain, places):
        yield match.start(), match.end(), dt.date(int(match["year"]), int(match["month"]), 1), "month"
    for match in _YEARS.within(plain, places):
        group = "year" if match["year"] else "bracketed"
        yield match.start(group), match.end(group), dt.date(int(match[group]), 1, 1), "year"
    for match in _FROM_MONTHS.within(plain, places):
        yield (
            match.start("month"),
            match.end("month"),
            dt.date(int(match["later"]), _MONTHS[match["month"]], 1),
            "month",
        )
    if calendar.today:
        yield from _relative(plain, places, calendar.today)


def _relative(plain: str, places: Places, today: dt.date) -> Iterator[tuple[int, int, dt.date, str]]:
    for match in _DAYS_OF_MONTHS.within(plain, places):
        month = _MONTHS[match["month"]] if match["month"] else int(match["m"])
        number = int((match["day"] or match["d"]).removesuffix("er"))
        day = _day(today.year, month, number)
        if day and day > today + dt.timedelta(days=60):
            day = _day(today.year - 1, month, number)
        if day:
            yield match.start("whole"), match.end("whole"), day, "day"
    for match in _AGOS.within(plain, places):
        count = int(_NUMBER_WORDS.get(match["count"], match["count"] if match["count"].isdigit() else 0))
        day, precision = _before(today, count, match["unit"])
        if day:
            yield match.start(), match.end(), day, precision
    for match in _LAST_MONTHS.within(plain, places):
        month = _MONTHS[match["month"]]
        year = today.year if month <= today.month else today.year - 1
        yield match.start(), match.end(), dt.date(year, month, 1), "month"
    for match in _NEARS.within(plain, places):
        days, precision = {
            "ce jour": (0, "day"), "aujourd'hui": (0, "day"), "hier": (1, "day"), "avant-hier": (2, "day"),
            "semaine derniere": (7, "month"), "mois dernier": (today.day, "month"), "mois passe": (today.day, "month"),
        }.get(match["near"], (today.timetuple().tm_yday, "year"))  # fmt: skip
        day = today - dt.timedelta(days=days)
        yield match.start(), match.end(), _first_of(day, precision), precision


def _before(today: dt.date, count: int, unit: str) -> tuple[dt.date | None, str]:
    if unit.startswith("jour"):
        return today - dt.timedelta(days=count), "day"
    if unit.startswith("semaine"):
        return today - dt.timedelta(weeks=count), "day"
    if unit == "mois":
        months = today.year * 12 + today.month - 1 - count
        return _day(months // 12, months % 12 + 1, 1), "month"
    return _day(today.year - count, 1, 1), "year"


def _first_of(day: dt.date, precision: str) -> dt.date:
    return day if precision == "day" else day.replace(day=1) if precision == "month" else day.replace(month=1, day=1)


def _numeric_day(a: str, b: str, c: str) -> dt.date | None:
    if len(a) == 4:
        return _day(int(a), int(b), int(c)) if len(c) == 2 else None
    if len(a) > 2:
        return None
    return _day(int(c) if len(c) == 4 else _full_year(c), int(b), int(a))


def _full_year(short: str) -> int:
    return (2000 if int(short) <= _CENTURY_PIVOT else 1900) + int(short)


def _day(year: int, month: int, day: int) -> dt.date | None:
    if not 1900 <= year <= 2100:
        return None
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
