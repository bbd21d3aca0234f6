"""Days, months, years and durations as people write them: « depuis mars 2021 », « ces deux dernières années ».

Text is normalised (`consore.referentials.normalise`): lower case, no accents, dashes as blanks.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

_UNITS = {
    "jour": "days",
    "jours": "days",
    "semaine": "weeks",
    "semaines": "weeks",
    "mois": "months",
    "trimestre": "quarters",
    "trimestres": "quarters",
    "an": "years",
    "ans": "years",
    "annee": "years",
    "annees": "years",
}
_IN_WORDS = (
    ("zero", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    ("dix", "onze", "douze", "treize", "quatorze", "quinze", "seize", "dix sept", "dix huit", "dix neuf"),
    ("vingt",),
)
_VALUES = {word: number for number, word in enumerate(chain(*_IN_WORDS))} | {"une": 1}
NUMBER = rf"(?:\d{{1,3}}|{'|'.join(sorted(_VALUES, key=len, reverse=True))})"
UNIT = rf"(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
_MONTHS = (
    ("janvier", "janv"),
    ("fevrier", "fevr", "fev"),
    ("mars",),
    ("avril", "avr"),
    ("mai",),
    ("juin",),
    ("juillet", "juil"),
    ("aout",),
    ("septembre", "sept"),
    ("octobre", "oct"),
    ("novembre", "nov"),
    ("decembre", "dec"),
)
_MONTH_NUMBERS = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
_MONTH = rf"(?:{'|'.join(sorted(_MONTH_NUMBERS, key=len, reverse=True))})"
_YEAR = r"(?:19|20)\d\d"
_POINT = (
    rf"(?:(?:1er|\d{{1,2}}) {_MONTH} {_YEAR}|\d{{1,2}}/\d{{1,2}}/{_YEAR}|{_MONTH} {_YEAR}|\d{{1,2}}/{_YEAR}|{_YEAR})"
)
_P = rf"({_POINT})"
_THE = r"(?:l'annee |l'an |le |annee |fin |debut )?"
_LED = r"(?:(?:diagnostiquee?s?|diagnostics?|annees?) )?"


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a question, both included; an open end is None. `words`: how to say it in French, such as « en 2019 »."""

    start: int
    end: int
    first: dt.date | None
    last: dt.date | None
    words: str

    def as_json(self) -> dict[str, str]:
        """The period as criteria write it: `{"from": "2019-01-01", "to": "2019-12-31"}`."""
        days = (("from", self.first), ("to", self.last))
        return {name: day.isoformat() for name, day in days if day is not None}


def number_of(words: str) -> int:
    """A number in figures or in French words up to twenty."""
    return int(words) if words.isdigit() else _VALUES[words]


def unit_of(word: str) -> str:
    """`days`, `weeks`, `months`, `quarters` or `years`."""
    return _UNITS[word]


def shifted(day: dt.date, count: int, unit: str) -> dt.date:
    """The day `count` units later (earlier if negative); the last of the month where the month is shorter."""
    if unit in ("days", "weeks"):
        return day + dt.timedelta(days=count * (7 if unit == "weeks" else 1))
    months = day.year * 12 + day.month - 1 + count * {"months": 1, "quarters": 3, "years": 12}[unit]
    year, month = min(max(months // 12, 1), 9999), months % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def periods(plain: str, today: dt.date) -> Iterator[Period]:
    """Every period that `plain` names, overlapping readings included.

    `today`: what « depuis six mois » counts from.
    """
    for written, made in _ABSOLUTE:
        for match in re.finditer(rf"(?<![\w/]){_LED}(?:{written})(?![\w/])", plain):
            points = [_point(_completed(group, match.groups()[-1])) for group in match.groups()]
            if all(points):
                found = made([point for point in points if point])
                yield from _period(match, *found)
    for written, reading in _RELATIVE:
        for match in re.finditer(rf"(?<!\w)(?<!nouvelles )(?<!nouvelle ){_LED}(?:{written})(?!\w)", plain):
            yield from _period(match, *reading(match, today))


def _period(match: re.Match[str], first: dt.date | None, last: dt.date | None, words: str) -> Iterator[Period]:
    if first is None or last is None or first <= last:
        yield Period(match.start(), match.end(), first, last, words)


# --- Between days that are named ----------------------------------------------------------------------------

_Point = tuple[dt.date, dt.date, str]  # first day, last day, words


def _completed(text: str, whole: str) -> str:
    """A day whose month or year is said later: `1er janvier` in « entre le 1er janvier et le 31 décembre 2025 »."""
    if re.search(_YEAR, text):
        return text
    later = re.split(r"[ /]", whole)
    return " ".join([text, *(later[-1:] if re.search(_MONTH, text) else later[-2:])])


def _point(text: str) -> _Point | None:
    """A day, a month or a year as its first and last day; None where the calendar has no such day."""
    parts = re.split(r"[ /]", text.replace("1er", "1"))
    if not re.fullmatch(_YEAR, parts[-1]):
        return None
    year = int(parts[-1])
    if len(parts) == 1:
        return dt.date(year, 1, 1), dt.date(year, 12, 31), str(year)
    month = _MONTH_NUMBERS.get(parts[-2]) or (int(parts[-2]) if parts[-2].isdigit() else 0)
    if not 1 <= month <= 12:
        return None
    longest = calendar.monthrange(year, month)[1]
    if len(parts) == 2:
        return dt.date(year, month, 1), dt.date(year, month, longest), f"{month:02}/{year}"
    number = int(parts[0])
    if not 1 <= number <= longest:
        return None
    day = dt.date(year, month, number)
    return day, day, f"{day:%d/%m/%Y}"


_Made = tuple[dt.date | None, dt.date | None, str]


def _whole(points: list[_Point]) -> _Made:
    first, last, words = points[0]
    return first, last, f"{'le' if first == last else 'en'} {words}"


def _either(points: list[_Point]) -> _Made:
    """« en 2020 ou 2021 »: from the one to the other."""
    return points[0][0], points[1][1], f"de {points[0][2]} à {points[1][2]}"


_ABSOLUTE: tuple[tuple[str, Callable[[list[_Point]], _Made]], ...] = (
    (rf"(?:entre|de|du) {_THE}{_P} (?:et|a|au|jusqu'(?:a|en|au)) {_THE}{_P}", _either),
    (rf"(?:entre|de|du) {_THE}((?:1er|\d{{1,2}})(?: {_MONTH})?|{_MONTH}) (?:et|a|au) {_THE}{_P}", _either),
    (rf"(?:en )?{_P} ?(?:a|/|ou|et)? ?{_P}", _either),
    (
        rf"(?:depuis|a partir de|a partir du|a compter de|a compter du|des|apres le|depuis le) {_THE}{_P}",
        lambda p: (p[0][0], None, f"depuis {p[0][2]}"),
    ),
    (rf"apres {_THE}{_P}", lambda p: (p[0][1] + dt.timedelta(days=1), None, f"après {p[0][2]}")),
    (rf"avant {_THE}{_P}", lambda p: (None, p[0][0] - dt.timedelta(days=1), f"avant {p[0][2]}")),
    (rf"jusqu'(?:en|a|au) {_THE}{_P}", lambda p: (None, p[0][1], f"jusqu'à {p[0][2]}")),
    (rf"(?:en |au cours de |courant |de |le )?{_THE}{_P}", _whole),
)

# --- Counted from today -------------------------------------------------------------------------------------


def _for_less(match: re.Match[str], today: dt.date) -> _Made:
    count, unit = number_of(match["n"]), match["u"]
    return shifted(today, -count, unit_of(unit)), None, f"depuis moins de {match['n']} {match['u']}"


def _for_more(match: re.Match[str], today: dt.date) -> _Made:
    count, unit = number_of(match["n"]), match["u"]
    return None, shifted(today, -count, unit_of(unit)), f"depuis plus de {match['n']} {match['u']}"


def _this_year(_: re.Match[str], today: dt.date) -> _Made:
    return dt.date(today.year, 1, 1), dt.date(today.year, 12, 31), f"en {today.year}"


def _last_year(_: re.Match[str], today: dt.date) -> _Made:
    return dt.date(today.year - 1, 1, 1), dt.date(today.year - 1, 12, 31), f"en {today.year - 1}"


def _this_month(_: re.Match[str], today: dt.date) -> _Made:
    return today.replace(day=1), None, "ce mois-ci"


_N = rf"(?P<n>{NUMBER}) (?P<u>{UNIT})"
_LAST = r"(?:dernieres?|derniers)"
_WITHIN = r"(?:dans |au cours |depuis |durant |pendant |sur )?(?:de |d')?(?:les |des |ces |le |la )?"
_RELATIVE: tuple[tuple[str, Callable[[re.Match[str], dt.date], _Made]], ...] = (
    (rf"(?:depuis|il y a|datant de|de) (?:moins de |moins d'){_N}", _for_less),
    (rf"(?:depuis|il y a|datant de|de) (?:plus de |plus d'|au moins |minimum ){_N}(?! apres)", _for_more),
    (rf"depuis {_N}", _for_less),
    (rf"{_WITHIN}(?P<n>{NUMBER}) {_LAST} (?P<u>{UNIT})", _for_less),
    (rf"{_WITHIN}(?P<n>{NUMBER}) (?P<u>{UNIT}) {_LAST}", _for_less),
    (r"(?:dans |au cours de )?(?:cette annee|l'annee en cours)", _this_year),
    (r"(?:l'an dernier|l'annee derniere|l'an passe|l'annee passee)", _last_year),
    (r"(?:au cours de |dans )?ce mois(?: ci)?", _this_month),
)
