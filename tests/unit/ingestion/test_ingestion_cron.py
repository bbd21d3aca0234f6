"""Cron expressions and blackouts, against oracles that look at every minute of the clock on the wall."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consore.errors import InputError
from consore.ingestion.blackouts import Window, blackout_end, parse_windows
from consore.ingestion.cron import Cron, next_instant, parse_cron
from consore.ingestion.schedule_words import blackouts_in_words, cron_in_words

MINUTE = dt.timedelta(minutes=1)
# Hours before clocks change in both directions, by an hour and by half an hour, and a zone where they never do.
EVES = [
    ("Europe/Paris", dt.datetime(2026, 3, 28, 20)),
    ("Europe/Paris", dt.datetime(2026, 10, 24, 20)),
    ("Australia/Lord_Howe", dt.datetime(2026, 4, 4, 10)),
    ("Australia/Lord_Howe", dt.datetime(2026, 10, 3, 10)),
    ("Indian/Reunion", dt.datetime(2026, 12, 31, 12)),
]
eves = st.sampled_from(EVES).map(lambda eve: (ZoneInfo(eve[0]), eve[1].replace(tzinfo=dt.UTC)))
# Clocks change five hours after these eves: most is asked around then.
laters = st.one_of(st.integers(3 * 60, 8 * 60), st.integers(4 * 60 + 30, 6 * 60 + 30), st.integers(0, 3 * 24 * 60))


def some(low: int, high: int, most: int) -> st.SearchStrategy[str]:
    return st.one_of(
        st.just("*"),
        st.integers(2, 20).map(lambda step: f"*/{step}"),
        st.lists(st.integers(low, high), min_size=1, max_size=most).map(lambda values: ",".join(map(str, values))),
        st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    )


minutes = some(0, 59, 3)
hours = st.one_of(st.sampled_from(["1", "2", "3", "1,3", "2-4", "*"]), some(0, 23, 4))
weekdays = st.one_of(st.just("*"), st.sampled_from(["sat,sun", "0", "fri-mon", "1-5", "7"]))


SPRING, AUTUMN = ((ZoneInfo(zone), eve.replace(tzinfo=dt.UTC)) for zone, eve in EVES[:2])


@example(SPRING, "30", "2", "*", 310)  # asked at 3:10 of the day on which 2:30 comes at 3:30
@example(SPRING, "15,30", "2-4", "*", 290)
@example(SPRING, "30", "*", "*", 299)
@example(AUTUMN, "30", "2", "*", 275)  # asked after the first 2:30, before the second
@example(AUTUMN, "30", "*", "*", 275)
@settings(max_examples=120, deadline=None)
@given(eves, minutes, hours, weekdays, laters)
def test_the_next_moment_is_the_one_that_a_walk_over_every_minute_finds(eve, minute, hour, weekday, later) -> None:
    zone, begin = eve
    after = begin + later * MINUTE
    cron = parse_cron(f"{minute} {hour} * * {weekday}")
    found = next_instant(cron, zone, after)
    expected = walked(cron, zone, after)
    if expected is None:
        assert found > after + dt.timedelta(days=2)
    else:
        assert found == expected


def walked(cron: Cron, zone: ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    """Every minute for two days: what the expression names, or what the clocks have left out of it."""
    moment, heard = after - dt.timedelta(hours=4), set()
    while (moment := moment + MINUTE) <= after + dt.timedelta(days=2):
        wall = moment.astimezone(zone).replace(tzinfo=None)
        due = cron.is_due(wall)
        if due and not cron.every_hour:
            due = wall not in heard
            heard.add(wall)
        if not due and not cron.every_hour:  # as late after the gap as it lay in it
            shift = moment.astimezone(zone).utcoffset() - (moment - dt.timedelta(hours=3)).astimezone(zone).utcoffset()
            told = wall - shift
            is_gap = told.replace(tzinfo=zone).astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) != told
            due = shift > dt.timedelta(0) and is_gap and cron.is_due(told)
        if due and moment > after:
            return moment
    return None


times = st.one_of(st.integers(60, 240), st.integers(0, 1439))  # minutes of the day, most of the small hours
days = st.one_of(st.just(set(range(7))), st.sets(st.integers(0, 6), min_size=1))


@example(AUTUMN, [(set(range(7)), 60, 150)], 315)  # at the second 2:15, of a window until 2:30
@example(SPRING, [(set(range(7)), 150, 300)], 270)
@settings(max_examples=150, deadline=None)
@given(eves, st.lists(st.tuples(days, times, times), min_size=1, max_size=3), laters)
def test_a_blackout_is_never_shorter_than_what_the_clock_says_and_on_a_usual_day_no_longer(eve, given_, later) -> None:
    zone, begin = eve
    moment = begin + later * MINUTE
    windows = [Window(frozenset(days), start, end) for days, start, end in given_]
    over = blackout_end(windows, zone, moment)
    if closed_on_the_wall(windows, zone, moment):
        assert over is not None
    usual = len({(moment + dt.timedelta(hours=by)).astimezone(zone).utcoffset() for by in range(-50, 51, 2)}) == 1
    if usual:
        assert (over is not None) == closed_on_the_wall(windows, zone, moment)
        if over is not None and over - moment < dt.timedelta(hours=20):
            assert not closed_on_the_wall(windows, zone, over)
            minutes_left = int((over - moment) / MINUTE)
            assert all(closed_on_the_wall(windows, zone, moment + by * MINUTE) for by in range(minutes_left))


def closed_on_the_wall(windows: list[Window], zone: ZoneInfo, moment: dt.datetime) -> bool:
    local = moment.astimezone(zone)
    at = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    for window in windows:
        over_midnight = window.end <= window.start
        if today in window.weekdays and window.start <= at and (over_midnight or at < window.end):
            return True
        if over_midnight and yesterday in window.weekdays and at < window.end:
            return True
    return False


@pytest.mark.parametrize(
    ("expression", "french", "english"),
    [
        ("30 2 * * mon,thu", "chaque lundi et jeudi à 2 h 30", "every Monday and Thursday at 02:30"),
        ("30 2 * * 1,4", "chaque lundi et jeudi à 2 h 30", "every Monday and Thursday at 02:30"),
        ("0 2 * * *", "chaque jour à 2 h", "every day at 02:00"),
        ("@weekly", "chaque dimanche à 0 h", "every Sunday at 00:00"),
        ("0 0 1,15 * *", "le 1er et le 15 de chaque mois à 0 h", "day 1 and day 15 of every month at 00:00"),
        (
            "0 3 1 1,7 *",
            "le 1er du mois, en janvier et juillet à 3 h",
            "day 1 of the month, in January and July at 03:00",
        ),
        (
            "*/15 8-18 * * mon-fri",
            "du lundi au vendredi, toutes les 15 minutes, de 8 h à 18 h 45",
            "Monday to Friday, every 15 minutes, from 08:00 to 18:45",
        ),
        (
            "30 * * * *",
            "chaque jour, à la minute 30 de chaque heure",
            "every day, at minute 30 of every hour",
        ),
        (
            "0 0 1-7 * mon",
            "du 1er au 7 de chaque mois et chaque lundi à 0 h",
            "days 1 to 7 of every month and every Monday at 00:00",
        ),
    ],
)
def test_a_schedule_is_said_in_words(expression: str, french: str, english: str) -> None:
    cron = parse_cron(expression)
    assert cron_in_words(cron, "fr") == french
    assert cron_in_words(cron, "en") == english


def test_blackouts_are_said_in_words() -> None:
    windows = parse_windows(
        [{"weekdays": [0, 1, 2, 3, 4], "start": "08:00", "end": "18:30"}, {"start": "23:00", "end": "1:00"}]
    )
    assert blackouts_in_words(windows, "fr") == (
        "Pas de lecture du lundi au vendredi de 8 h à 18 h 30 et chaque jour de 23 h à 1 h"
    )
    assert blackouts_in_words(windows, "en") == (
        "No reading Monday to Friday from 08:00 to 18:30 and every day from 23:00 to 01:00"
    )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "five fields"),
        ("0 2 * *", "five fields"),
        ("60 * * * *", "minute 60"),
        ("0 24 * * *", "hour 24"),
        ("0 0 31 2,4 *", "never comes"),
        ("0 0 * * 8", "weekday 8"),
        ("*/0 * * * *", "step 0"),
        ("x * * * *", "minute x"),
        ("5-2 * * * *", "end before they begin"),
        ("1;2 * * * *", "is no minute"),
        ("² * * * *", "minute ²"),
    ],
)
def test_an_expression_that_cannot_be_says_which_field_is_wrong(expression: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        parse_cron(expression)
    assert "30 2 * * mon,thu" in refused.value.hint


def test_the_29th_of_february_comes_in_a_leap_year() -> None:
    due = next_instant(parse_cron("0 2 29 2 *"), ZoneInfo("Europe/Paris"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert due == dt.datetime(2028, 2, 29, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([{"start": "25:00", "end": "06:00"}], "25:00"),
        ([{"start": "22:00"}], "no time of the day"),
        ([{"weekdays": [7], "start": "22:00", "end": "06:00"}], "weekday of a blackout"),
        ([{"start": "00:00", "end": "12:00"}, {"start": "11:00", "end": "00:00"}], "no moment of the week"),
        (["22:00-06:00"], "window of the week"),
        ([{"start": "22:00", "end": "06:00"}] * 21, "21 blackouts"),
    ],
)
def test_a_blackout_that_cannot_be_says_what_is_wrong(windows: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_windows(windows)
