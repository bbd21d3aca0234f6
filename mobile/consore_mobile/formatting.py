"""Dates, ages, numbers and short sentences as a French or an English reader expects them."""

from __future__ import annotations

import datetime as dt
import html
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consore_mobile.answers import Biomarker, Blackout, IngestionRun, PatientLine, Progress, Source
from consore_mobile.words import word, word_or

NO_BREAK = "\u00a0"


def long_date(language: str, day: dt.date | None) -> str:
    """`1er mars 2024` or `1 March 2024`; `non renseigné` without a date."""
    if day is None:
        return word(language, "app.unknown")
    number = "1er" if language == "fr" and day.day == 1 else str(day.day)
    return f"{number} {word(language, f'month.{day.month}')} {day.year}"


def short_date(language: str, day: dt.date | None) -> str:
    """`14 févr. 2024` or `14 Feb 2024`; nothing without a date."""
    return f"{day.day} {word(language, f'month_short.{day.month}')} {day.year}" if day else ""


def month(language: str, day: dt.date) -> str:
    """`févr. 2024` or `Feb 2024`."""
    return f"{word(language, f'month_short.{day.month}')} {day.year}"


def period(language: str, start: dt.date | None, end: dt.date | None) -> str:
    """`févr. 2024 – mai 2024`, one day if both are the same, nothing without dates."""
    if start and end and start != end:
        first, last = month(language, start), month(language, end)
        return f"{first} – {last}" if first != last else f"{short_date(language, start)} – {short_date(language, end)}"
    return short_date(language, start or end)


def ago(language: str, moment: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago `moment` was: `il y a 2 h`, `hier`, then the date. Both in UTC."""
    if moment is None:
        return word(language, "app.unknown")
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return word(language, "time.now")
    if seconds < 3600:
        return word(language, "time.minutes", n=int(seconds // 60))
    if seconds < 86400:
        return word(language, "time.hours", n=int(seconds // 3600))
    days = (now.date() - moment.date()).days
    if days <= 1:
        return word(language, "time.yesterday")
    if days <= 30:
        return word(language, "time.days", n=days)
    return word(language, "time.on", date=short_date(language, moment.date()))


def on_and_at(language: str, moment: dt.datetime, timezone: str = "") -> str:
    """`23 nov. 2026, 02:00` in that time zone; in the device's own where it does not know the zone."""
    try:
        local = moment.astimezone(ZoneInfo(timezone) if timezone else None)
    except (ZoneInfoNotFoundError, ValueError):
        local = moment.astimezone()
    return f"{short_date(language, local.date())}, {local:%H:%M}"


def number(language: str, value: int) -> str:
    """`12 480` or `12,480`."""
    return f"{value:,}".replace(",", NO_BREAK if language == "fr" else ",")


def patients_found(language: str, total: int) -> str:
    """`Aucun patient`, `1 patient`, `1 204 patients`."""
    if total < 2:
        return word(language, f"search.count_{total}")
    return word(language, "search.count_n", count=number(language, total))


def rejected(language: str, count: int) -> str:
    """`aucun rejet`, `1 rejet`, `12 rejets`."""
    if count < 2:
        return word(language, f"sources.rejected_{count}")
    return word(language, "sources.rejected_n", count=number(language, count))


def full_name(patient: PatientLine) -> str:
    """`MARTIN Claire`, or nothing for roles without identities."""
    return " ".join(part for part in ((patient.family_name or "").upper(), patient.given_name or "") if part)


def identity(language: str, patient: PatientLine) -> str:
    """`MARTIN Claire · née le 3 mai 1968 · IPP 123`, as much of it as the role may see."""
    parts = [full_name(patient)]
    if patient.birth_date:
        letter = {"female": "f", "male": "m"}.get(patient.sex, "u")
        parts.append(word(language, f"patient.born_{letter}", date=long_date(language, patient.birth_date)))
    if patient.ipp:
        parts.append(word(language, "patient.ipp", ipp=patient.ipp))
    return " · ".join(part for part in parts if part)


def result_of(language: str, biomarker: Biomarker) -> str:
    """`positif`, `30 %`, or both: `positif (30 %)`."""
    status = word_or(language, f"status.{biomarker.status}", biomarker.status)
    value = f"{biomarker.value or ''}{NO_BREAK if biomarker.unit else ''}{biomarker.unit or ''}".strip()
    if not value or value == biomarker.status:
        return status
    return value if biomarker.status == "unknown" else f"{status} ({value})"


def sentence(text: str) -> str:
    """With a capital: the server says `chaque lundi à 2 h`."""
    return text[:1].upper() + text[1:]


def blackout_row(language: str, window: Blackout) -> str:
    """`lun. mar. mer. · 08:00 – 18:00`."""
    days = word(language, "sources.every_day")
    if 0 < len(window.weekdays) < 7:
        days = " ".join(word(language, f"weekday_short.{day}") for day in window.weekdays)
    return f"{days} · {window.start} – {window.end}"


def duration(language: str, seconds: int) -> str:
    """`40 s`, `12 min`, `3 h 20`."""
    if seconds < 60:
        return word(language, "time.for_seconds", n=seconds)
    if seconds < 3600:
        return word(language, "time.for_minutes", n=round(seconds / 60))
    return word(language, "time.for_hours", hours=seconds // 3600, minutes=f"{seconds % 3600 // 60:02d}")


def how_far(language: str, progress: Progress) -> str:
    """`Lecture · 1 204 sur 20 000 · 35/s · encore 8 min · 3 rejets`, as much of it as is known."""
    parts = [word_or(language, f"sources.stage.{progress.stage}", progress.stage)]
    if progress.total:
        total = number(language, progress.total)
        parts.append(word(language, "sources.done_of", done=number(language, progress.done), total=total))
    if progress.rate and progress.rate >= 0.5:
        parts.append(f"{number(language, round(progress.rate))}/s")
    if progress.eta_seconds and progress.done != progress.total:
        parts.append(word(language, "sources.left", time=duration(language, progress.eta_seconds)))
    if progress.rejected:
        parts.append(rejected(language, progress.rejected))
    return " · ".join(parts)


def health_line(language: str, source: Source, now: dt.datetime) -> str:
    """`À jour · lue il y a 2 h`; what is said first of a source."""
    health = source.health
    parts = [word_or(language, f"sources.health.{health.state}", health.state)]
    if health.state == "LATE" and health.late_since:
        parts.append(word(language, "sources.was_due", when=ago(language, health.late_since, now)))
    elif health.state in ("FAILED", "RETRYING", "CANCELLED", "PAUSED") and source.last_run:
        parts.append(ago(language, source.last_run.ended_at or source.last_run.started_at, now))
    elif health.last_success_at and health.state != "RUNNING":
        parts.append(word(language, "sources.last", when=ago(language, health.last_success_at, now)))
    return " · ".join(parts)


def health_advice(language: str, source: Source) -> str:
    """Why a source is not well, and what will happen or is to be done; nothing for one that is."""
    health = source.health
    if health.state not in ("FAILED", "RETRYING", "LATE", "PAUSED"):
        return ""
    said = health.message if health.state != "LATE" else word(language, "sources.advice.late")
    if health.state == "FAILED":
        said += " " + word_or(language, f"sources.advice.{health.reason}", word(language, "sources.advice.other"))
    if health.retry_at and health.state in ("RETRYING", "PAUSED"):
        when = on_and_at(language, health.retry_at, source.schedule.timezone)
        said += " " + word(language, f"sources.again.{health.state}", when=when, attempts=health.attempts)
    return said.strip()


def run_counts(language: str, run: IngestionRun, *, with_rejected: bool = True) -> str:
    """`1 204 lus · 12 nouveaux · 3 rejets`."""
    parts = [word(language, "sources.seen", seen=number(language, run.seen))]
    for name in ("created", "changed", "unchanged"):
        if count := getattr(run, name):
            parts.append(word(language, f"sources.{name}", count=number(language, count)))
    return " · ".join([*parts, rejected(language, run.rejected)] if with_rejected else parts)


def escape_markup(text: str) -> str:
    """`text` for a label with markup: brackets and ampersands show as they are."""
    return text.replace("&", "&amp;").replace("[", "&bl;").replace("]", "&br;")


def plain_snippet(snippet: str) -> str:
    """A snippet without its marks."""
    return html.unescape(snippet.replace("<mark>", "").replace("</mark>", ""))


def snippet_markup(snippet: str, colour: str) -> str:
    """A snippet (`<mark>` only) as label markup: marked words bold, in `colour` (`#RRGGBB`)."""
    parts = snippet.replace("\n", " ").split("<mark>")
    marked = [escape_markup(html.unescape(parts[0]))]
    for part in parts[1:]:
        inside, _, after = part.partition("</mark>")
        marked.append(f"[b][color={colour}]{escape_markup(html.unescape(inside))}[/color][/b]")
        marked.append(escape_markup(html.unescape(after)))
    return "".join(marked)
