"""A schedule as people say it, in French and in English: `chaque lundi et jeudi à 2 h 30`.

The words are made of the values that an expression lets through, not of how it is written: two ways to write the same
schedule are said alike.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from consore.ingestion.blackouts import Window
from consore.ingestion.cron import Cron
from consore.model import Frequency

WORDS = Path(__file__).with_suffix(".toml")
MOST_TIMES = 6  # told one by one


def cron_in_words(cron: Cron | None, language: str, frequency: str = Frequency.CRON) -> str:
    """When it comes; `language` is `fr` or `en`. No expression: it is read by hand."""
    say = _words(language)
    if cron is None:
        return str(say["manual"])
    days = say["night"] if frequency == Frequency.NIGHTLY else _days(cron, say)
    if len(cron.months) < 12:
        days = say["in_months"].format(
            days=days, months=_listed([say["months"][m - 1] for m in sorted(cron.months)], say)
        )
    return _times(cron, days, say)


def blackouts_in_words(windows: Sequence[Window], language: str) -> str:
    """The windows in which nothing is read; empty where there is none."""
    if not windows:
        return ""
    say = _words(language)
    said = [
        say["window"].format(
            days=say["always"] if len(window.weekdays) == 7 else _weekdays(window.weekdays, say),
            start=_clock(*divmod(window.start, 60), say),
            end=_clock(*divmod(window.end, 60), say),
        )
        for window in windows
    ]
    return str(say["no_run"].format(windows=_listed(said, say)))


def _days(cron: Cron, say: dict[str, Any]) -> str:
    each_day, each_weekday = len(cron.days) == 31, len(cron.weekdays) == 7
    if (each_day and each_weekday) or (cron.either and (each_day or each_weekday)):
        return str(say["day"])
    weekdays = _weekdays(cron.weekdays, say)
    if each_day:
        return weekdays
    of = say["of_each_month"] if len(cron.months) == 12 else say["of_the_month"]
    days = of.format(days=_days_of_month(cron.days, say))
    if each_weekday:
        return str(days)
    return (
        f"{days}{say['and']}{weekdays}" if cron.either else str(say["when_it_is"].format(weekdays=weekdays, days=days))
    )


def _weekdays(numbers: frozenset[int], say: dict[str, Any]) -> str:
    names = [say["weekdays"][number] for number in sorted(numbers)]
    if _is_run(sorted(numbers)):
        return str(say["from_to"].format(first=names[0], last=names[-1]))
    return str(say["each"].format(days=_listed(names, say)))


def _days_of_month(numbers: frozenset[int], say: dict[str, Any]) -> str:
    names = [say["first"] if number == 1 else str(number) for number in sorted(numbers)]
    if _is_run(sorted(numbers)):
        return str(say["days_from_to"].format(first=names[0], last=names[-1]))
    return _listed([say["the"].format(day=name) for name in names], say)


def _times(cron: Cron, days: str, say: dict[str, Any]) -> str:
    hours, minutes = sorted(cron.hours), sorted(cron.minutes)
    if len(hours) * len(minutes) <= MOST_TIMES:
        times = [_clock(hour, minute, say) for hour in hours for minute in minutes]
        return str(say["at"].format(days=days, times=_listed(times, say)))
    if len(minutes) == 1 and not cron.every_hour and (step := _step(hours, 24)):
        return str(say["each_hours"].format(days=days, step=step, time=_clock(hours[0], minutes[0], say)))
    if minutes == [0]:
        often = say["each_hour"].format(days=days)
    elif len(minutes) == 60:
        often = say["each_minute"].format(days=days)
    elif minutes[0] == 0 and (step := _step(minutes, 60)):
        often = say["each_minutes"].format(days=days, step=step)
    else:
        listed = _listed([str(minute) for minute in minutes], say)
        often = say["at_minute" if len(minutes) == 1 else "at_minutes"].format(days=days, minutes=listed)
    if cron.every_hour:
        return str(often)
    if _is_run(hours):
        first, last = _clock(hours[0], minutes[0], say), _clock(hours[-1], minutes[-1], say)
        return str(say["between"].format(days=often, first=first, last=last))
    return str(say["at_hours"].format(days=often, hours=_listed([str(hour) for hour in hours], say)))


def _clock(hour: int, minute: int, say: dict[str, Any]) -> str:
    return str(say["clock" if minute else "o_clock"].format(hour=hour, minute=minute))


def _listed(words: Sequence[str], say: dict[str, Any]) -> str:
    return ", ".join(words[:-1]) + (say["and"] if len(words) > 1 else "") + words[-1]


def _is_run(numbers: Sequence[int]) -> bool:
    """Three or more, one after the other."""
    return len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1


def _step(numbers: Sequence[int], length: int) -> int:
    """The distance of values that go evenly round; 0 where they do not."""
    step = length // len(numbers)
    even = list(numbers) == list(range(numbers[0], length, step)) and step * len(numbers) == length
    return step if even and numbers[0] < step else 0


@lru_cache(maxsize=4)
def _words(language: str) -> dict[str, Any]:
    table = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return table["en" if language == "en" else "fr"]
