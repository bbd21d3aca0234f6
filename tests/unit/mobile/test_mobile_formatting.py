"""Dates, numbers and sentences as a French or an English reader expects them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from consore_mobile.answers import (
    Biomarker,
    Blackout,
    Health,
    IngestionRun,
    PatientLine,
    Progress,
    Schedule,
    Source,
)
from consore_mobile.formatting import (
    ago,
    blackout_row,
    duration,
    escape_markup,
    health_advice,
    health_line,
    how_far,
    identity,
    long_date,
    number,
    on_and_at,
    patients_found,
    period,
    result_of,
    sentence,
    snippet_markup,
)

NOW = dt.datetime(2026, 11, 22, 18, 0, tzinfo=dt.UTC)


def _patient(**given: object) -> PatientLine:
    return PatientLine(id="1", headline="", sex="female", vital_status="alive", **given)  # type: ignore[arg-type]


def test_dates_are_written_out_in_each_language() -> None:
    assert long_date("fr", dt.date(2024, 3, 1)) == "1er mars 2024"
    assert long_date("en", dt.date(2024, 3, 1)) == "1 March 2024"
    assert long_date("fr", None) == "non renseigné"


def test_a_period_is_told_by_its_months_and_a_point_by_its_day() -> None:
    assert period("fr", dt.date(2019, 5, 20), dt.date(2019, 10, 1)) == "mai 2019 – oct. 2019"
    assert period("fr", dt.date(2019, 5, 2), dt.date(2019, 5, 20)) == "2 mai 2019 – 20 mai 2019"
    assert period("en", dt.date(2019, 5, 20), None) == "20 May 2019"
    assert period("fr", None, None) == ""


def test_freshness_is_told_as_a_person_would() -> None:
    assert ago("fr", NOW - dt.timedelta(seconds=20), NOW) == "à l’instant"
    assert ago("fr", NOW - dt.timedelta(minutes=5), NOW) == "il y a 5 min".replace(" ", "\u00a0")
    assert ago("en", NOW - dt.timedelta(hours=16), NOW) == "16 h ago".replace(" ", "\u00a0")
    assert ago("fr", NOW - dt.timedelta(hours=30), NOW) == "hier"
    assert ago("fr", NOW - dt.timedelta(days=90), NOW) == "le 24 août 2026"
    assert ago("fr", None, NOW) == "non renseigné"


def test_a_time_is_that_of_the_schedule_and_an_unknown_zone_does_not_fail() -> None:
    assert on_and_at("fr", dt.datetime(2026, 11, 23, 1, 0, tzinfo=dt.UTC), "Europe/Paris") == "23 nov. 2026, 02:00"
    assert on_and_at("fr", dt.datetime(2026, 11, 23, 1, 0, tzinfo=dt.UTC), "Mars/Olympus").startswith("23 nov. 2026")


def test_numbers_and_counts_of_patients() -> None:
    assert number("fr", 12480) == "12\u00a0480"
    assert number("en", 12480) == "12,480"
    assert [patients_found("fr", count) for count in (0, 1, 1204)] == [
        "Aucun patient",
        "1 patient",
        "1\u00a0204 patients",
    ]


def test_an_identity_is_shown_as_far_as_the_role_may_see_it() -> None:
    known = _patient(family_name="Lambert", given_name="Odile", birth_date=dt.date(1967, 5, 3), ipp="8001")
    assert identity("fr", known) == "LAMBERT Odile · née le 3 mai 1967 · IPP 8001"
    assert identity("fr", _patient()) == ""


def test_a_biomarker_says_its_status_and_its_value() -> None:
    def told(**given: str) -> str:
        return result_of("fr", Biomarker(id="1", code="KI67", label="Ki67", **given))

    assert told(status="positive") == "positif"
    assert told(status="high", value="60", unit="%") == "élevé (60\u00a0%)"
    assert told(status="unknown", value="4.2", unit="ng/mL") == "4.2\u00a0ng/mL"
    assert told(status="negative", value="negative") == "négatif"


def test_a_schedule_reads_as_a_sentence() -> None:
    assert sentence("à la main") == "À la main"
    assert blackout_row("fr", Blackout([0, 1], "08:00", "18:00")) == "lun. mar. · 08:00 – 18:00"
    assert blackout_row("en", Blackout(list(range(7)), "22:00", "06:00")) == "every day · 22:00 – 06:00"


def test_a_run_tells_how_far_it_is_as_much_as_is_known() -> None:
    whole = Progress("read", done=1204, total=20000, rate=35.2, share=0.06, eta_seconds=534, rejected=3)
    assert how_far("fr", whole).replace("\xa0", " ") == (
        "Lecture des textes · 1 204 sur 20 000 · 35/s · encore 9 min · 3 rejets"
    )
    assert how_far("en", whole) == "Reading texts · 1,204 of 20,000 · 35/s · 9 min left · 3 rejected"
    assert how_far("fr", Progress("extract")) == "Extraction"
    assert duration("fr", 40) == "40 s"
    assert duration("en", 12_000) == "3 h 20"


def test_a_source_says_first_how_it_is_and_then_what_to_do() -> None:
    now = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
    ended = now - dt.timedelta(hours=2)
    run = IngestionRun("1", "1", "pmsi", "failed", "extract", "schedule", ended, ended)

    def source(**health: Any) -> Source:
        return Source("1", "pmsi", "pmsi", "/srv", True, Schedule("NIGHTLY"), Health(**health), 0, run)

    well = source(state="OK", last_success_at=ended)
    assert health_line("fr", well, now).replace("\xa0", " ") == "À jour · Dernière lecture il y a 2 h"
    assert health_advice("fr", well) == ""
    failed = source(state="FAILED", reason="source", message="Le fichier est absent.")
    assert health_line("fr", failed, now).replace("\xa0", " ") == "Échec · il y a 2 h"
    assert health_advice("fr", failed) == "Le fichier est absent. Corrigez la source, puis relancez la lecture."
    retried = source(state="RETRYING", message="Away.", attempts=2, retry_at=now)
    assert health_advice("en", retried) == "Away. Try 2: again on 28 Nov 2026, 13:00."
    late = source(state="LATE", late_since=ended)
    assert health_line("en", late, now).replace("\xa0", " ") == "Late · due 2 h ago"
    assert "consore worker" in health_advice("en", late)


def test_a_snippet_keeps_its_marks_and_loses_nothing_of_its_text() -> None:
    shown = snippet_markup("Ki67 [60 %] &lt;10 &amp; d&#x27;un <mark>sein</mark> gauche", "#AA0000")
    assert shown == "Ki67 &bl;60 %&br; <10 &amp; d'un [b][color=#AA0000]sein[/color][/b] gauche"


def test_brackets_of_a_report_are_not_markup() -> None:
    assert escape_markup("[b]a & b[/b]") == "&bl;b&br;a &amp; b&bl;/b&br;"
