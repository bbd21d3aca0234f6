"""When a source is due, in the local time of the hospital, whatever the clocks do."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from consore.errors import InputError
from consore.ingestion import add_source, next_run, set_schedule
from consore.model import Frequency, Schedule, Source, SourceKind, now
from consore.store import Store

PARIS = ZoneInfo("Europe/Paris")


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)


def schedule(frequency: Frequency, **values) -> Schedule:
    return Schedule(source_id=1, frequency=frequency.value, **values)


def test_a_nightly_source_is_due_each_night_at_local_time() -> None:
    nightly = schedule(Frequency.NIGHTLY, hour=2, minute=30)
    assert next_run(nightly, utc(2026, 1, 10, 0, 0)) == utc(2026, 1, 10, 1, 30)
    assert next_run(nightly, utc(2026, 1, 10, 1, 30)) == utc(2026, 1, 11, 1, 30)
    assert next_run(nightly, utc(2026, 7, 10, 0, 0)) == utc(2026, 7, 10, 0, 30)


def test_a_weekly_source_is_due_on_its_weekday() -> None:
    sunday = schedule(Frequency.WEEKLY, hour=22, weekday=6)
    assert next_run(sunday, utc(2026, 11, 22, 12, 0)) == utc(2026, 11, 22, 21, 0)
    assert next_run(sunday, utc(2026, 11, 22, 21, 0)) == utc(2026, 11, 29, 21, 0)


def test_a_monthly_source_is_due_on_its_day() -> None:
    monthly = schedule(Frequency.MONTHLY, hour=0, day=28)
    assert next_run(monthly, utc(2026, 2, 28, 0, 0)) == utc(2026, 3, 27, 23, 0)


def test_a_manual_source_is_never_due() -> None:
    assert next_run(schedule(Frequency.MANUAL), utc(2026, 1, 1)) is None


def test_an_hour_that_the_clocks_leave_out_still_runs_once() -> None:
    nightly = schedule(Frequency.NIGHTLY, hour=2, minute=30)
    due = _following(nightly, utc(2026, 3, 27, 12), 4)
    assert [moment.astimezone(PARIS).isoformat() for moment in due] == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ]


def test_an_hour_that_the_clocks_repeat_runs_once() -> None:
    nightly = schedule(Frequency.NIGHTLY, hour=2, minute=30)
    due = _following(nightly, utc(2026, 10, 23, 12), 4)
    assert [moment.astimezone(PARIS).isoformat() for moment in due] == [
        "2026-10-24T02:30:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
        "2026-10-27T02:30:00+01:00",
    ]


@pytest.mark.parametrize("hour", range(0, 5))
@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Guadeloupe", "Indian/Reunion", "Pacific/Noumea"])
def test_a_year_of_nights_has_one_run_a_local_day(hour: int, zone: str) -> None:
    nightly = schedule(Frequency.NIGHTLY, hour=hour, minute=15, timezone=zone)
    due = _following(nightly, utc(2026, 1, 1, 12), 365)
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in due]
    assert all((later - earlier).days == 1 for earlier, later in pairwise(days))


def test_setting_a_schedule_says_when_it_next_runs(store: Store) -> None:
    with store.session() as session:
        source = add_source(session, name="comptes-rendus", kind=SourceKind.DOCUMENTS, location="documents")
        assert set_schedule(session, source.id, "weekly", hour=3, weekday=2).next_run_at > now()
    with store.session() as session:
        kept = session.exec(select(Schedule)).one()
        assert (kept.frequency, kept.hour, kept.weekday) == ("weekly", 3, 2)
        assert set_schedule(session, kept.source_id, Frequency.MANUAL).next_run_at is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frequency": "hourly"}, "no frequency hourly"),
        ({"hour": 24}, "hour 24 is not between 0 and 23"),
        ({"minute": -1}, "minute -1"),
        ({"weekday": 7}, "weekday 7"),
        ({"day": 31}, "day 31 is not between 1 and 28"),
        ({"timezone": "Europe/Lutetia"}, "no time zone Europe/Lutetia"),
        ({"timezone": "../etc/passwd"}, "no time zone"),
        ({"source_id": 999}, "no source 999"),
    ],
)
def test_a_schedule_that_cannot_be_says_what_is_wrong(store: Store, values: dict, message: str) -> None:
    with store.session() as session:
        source = add_source(session, name="pmsi", kind="pmsi", location="pmsi_rss.txt")
        with pytest.raises(InputError, match=message):
            set_schedule(session, **{"source_id": source.id, "frequency": "nightly", **values})


def test_a_source_needs_a_name_of_its_own_and_a_known_kind(store: Store) -> None:
    with store.session() as session:
        add_source(session, name="pmsi", kind="pmsi", location="pmsi_rss.txt")
        assert session.exec(select(Source)).one().location.startswith("/")
        with pytest.raises(InputError, match="already a source pmsi"):
            add_source(session, name="pmsi", kind="pmsi", location="other.txt")
        with pytest.raises(InputError, match="no kind of source fax"):
            add_source(session, name="fax", kind="fax", location="fax")
        with pytest.raises(InputError, match="has a name"):
            add_source(session, name=" ", kind="pmsi", location="other.txt")


def _following(one: Schedule, after: dt.datetime, times: int) -> list[dt.datetime]:
    found = []
    for _ in range(times):
        after = next_run(one, after)
        found.append(after)
    return found
