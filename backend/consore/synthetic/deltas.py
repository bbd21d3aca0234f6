"""What the hospital knows of a patient, day after day, during a month: day 0 is 2026-10-21, day 30 is `TODAY`.

Every fact is a `Version`: from its day on it is what the hospital's systems say, until the next version of the same
key. A full extract is the last version of each key; the extract of a day is what changed on it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from consore.synthetic import extracts
from consore.synthetic.documents import Report
from consore.synthetic.extracts import Stay
from consore.synthetic.trajectory import TODAY, Care, Life, Tumour

LAST_DAY = 30
START = TODAY - dt.timedelta(days=LAST_DAY)

PATIENTS, SHEETS, CYCLES, SAMPLES = "administratif", "fiches_tumeur", "chimiotherapie", "biobanque"
STAYS, LABS, MOLECULAR, DOCUMENTS = "pmsi", "biologie", "biologie_moleculaire", "documents"

MERGED = "fusion d'identités"
WRONG_PATIENT = "document saisi dans le dossier d'un autre patient"

_BANNER = "COMPTE RENDU PROVISOIRE - EN ATTENTE DE VALIDATION\n\n"
_BREAK = re.compile(r"\n|(?<=\.) ")


@dataclass(slots=True, frozen=True)
class Version:
    """What the systems say of `key` from `day` on, under the identity `ipp`; `values` null: it is taken back."""

    key: str
    day: int
    ipp: str
    values: Any
    reason: str = ""


@dataclass(slots=True, frozen=True)
class Item:
    """A row or a document as it is delivered; `first`: nothing was known of this key before."""

    key: str
    ipp: str
    values: Any
    first: bool = True


@dataclass(slots=True, frozen=True)
class Merge:
    """Two identities of one person became one."""

    old: str
    kept: str
    date: dt.date
    day: int


@dataclass(slots=True, frozen=True)
class Cycle:
    """A line of the prescriptions' file and the care that it belongs to."""

    care: Care
    row: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Issue:
    """A document as it was issued: its version from 1, and whether it is validated."""

    report: Report
    version: int = 1
    final: bool = True


@dataclass(slots=True)
class Dossier:
    """All that the hospital's systems ever said of a patient, by table."""

    life: Life
    number: int
    tables: dict[str, list[Version]] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)


@dataclass(slots=True)
class Delivery:
    """What is delivered of a patient: on a day, or in full (`day` null). `stays`: all that are known by then."""

    life: Life
    number: int
    day: int | None
    tables: dict[str, list[Item]]
    merges: list[Merge]
    removals: list[tuple[str, Version]]
    stays: list[Stay]

    @property
    def date(self) -> dt.date:
        """The day of the extract."""
        return TODAY if self.day is None else START + dt.timedelta(days=self.day)


def day_of(date: dt.date) -> int:
    """The day of the month on which something of this date is known: 0 for what is older, 30 at the latest."""
    return max(0, min(LAST_DAY, (date - START).days))


def live_in_month(life: Life, rng: Random) -> Life:
    """Two patients in a hundred came again under a new identity, seen and merged during the month."""
    if rng.random() < 0.02 and not any(date > START for _, date in life.merged_ipps):
        life.merged_ipps.append((f"{life.ipp}T", START + dt.timedelta(days=rng.randint(4, 28))))
    return life


def record(
    life: Life, number: int, reports: Iterable[Report], rng: Random, stranger: Callable[[], Report | None]
) -> Dossier:
    """The dossier of a patient; `stranger` writes a document of somebody else, to be entered here by mistake."""
    merges = [Merge(old, life.ipp, date, day_of(date)) for old, date in life.merged_ipps]
    dossier = Dossier(life, number, merges=merges)
    names = _Names(life, merges, rng)
    dossier.tables = {
        PATIENTS: _patient(life, merges, rng),
        SHEETS: list(_sheets(life, rng)),
        CYCLES: list(_cycles(life)),
        SAMPLES: list(_samples(life, rng)),
        STAYS: list(_stays(life, number, rng)),
        LABS: list(_labs(life, number, names)),
        MOLECULAR: list(_molecular(life, number, rng)),
        DOCUMENTS: list(_documents(reports, names, rng)),
    }
    if rng.random() < 0.012 and (report := stranger()) is not None:
        entered, found = sorted(rng.sample(range(LAST_DAY + 1), 2))
        wrong = replace(report, id=f"DOC{number * 1000 + 999:08d}", ipp=life.ipp)
        dossier.tables[DOCUMENTS] += [
            Version(wrong.id, entered, life.ipp, Issue(wrong)),
            Version(wrong.id, found, life.ipp, None, WRONG_PATIENT),
        ]
    if arrival := _arrival(life, merges, rng):
        dossier.merges = [replace(merge, day=max(merge.day, arrival)) for merge in merges]
        dossier.tables = {
            table: [replace(version, day=max(version.day, arrival)) for version in versions]
            for table, versions in dossier.tables.items()
        }
    return dossier


def _arrival(life: Life, merges: list[Merge], rng: Random) -> int:
    """The day on which a patient first comes, with all that others did before: half of those of the last months, and
    four in a thousand of the others, for another opinion. 0: before the month.
    """
    dates = [tumour.date for tumour in life.tumours] + [item.date for item in life.benign]
    recent = min(dates, default=TODAY) > TODAY - dt.timedelta(days=100)
    dice, day = rng.random(), rng.randint(1, LAST_DAY)
    if any(merge.day > 0 for merge in merges) or (life.death and day_of(life.death) < day):
        return 0
    return day if dice < (0.5 if recent else 0.004) else 0


def deliver(dossier: Dossier, day: int | None) -> Delivery:
    """What is delivered of a dossier: what changed on `day` (0: all that was known then), or all of it."""
    upto = LAST_DAY if day is None else day
    names = {merge.old: merge.kept for merge in dossier.merges if merge.day <= upto}
    removals: list[tuple[str, Version]] = []
    tables: dict[str, list[Item]] = {}
    for table, versions in dossier.tables.items():
        found: dict[str, list[Version]] = {}
        for version in versions:
            if version.day <= upto:
                found.setdefault(version.key, []).append(version)
        items = tables.setdefault(table, [])
        for key, known in found.items():
            last = known[-1]
            if day is not None and last.day != day:
                continue
            before = next((past for past in reversed(known) if day is not None and past.day < day), None)
            was_there = before is not None and before.values is not None
            ipp = last.ipp if table == PATIENTS else names.get(last.ipp, last.ipp)
            if last.values is not None:
                items.append(Item(key, ipp, last.values, first=not was_there))
            elif day is not None and was_there and last.reason != MERGED:
                removals.append((table, replace(last, ipp=ipp)))
    stays = [version.values for version in dossier.tables[STAYS] if version.day <= upto]
    merges = [merge for merge in dossier.merges if day is None or merge.day == day]
    return Delivery(dossier.life, dossier.number, day, tables, merges, removals, stays)


class _Names:
    """Under which identity something was entered: mostly the right one."""

    def __init__(self, life: Life, merges: list[Merge], rng: Random) -> None:
        self.life, self.rng = life, rng
        self.merge = next((merge for merge in merges if merge.day > 0), None)

    def on(self, date: dt.date) -> str:
        dice = self.rng.random()
        if self.merge and dt.timedelta(0) < self.merge.date - date < dt.timedelta(days=150) and dice < 0.6:
            return self.merge.old
        if self.life.duplicate_ipp and dice < 0.15:
            return self.life.duplicate_ipp
        return self.life.ipp


def _patient(life: Life, merges: list[Merge], rng: Random) -> list[Version]:
    """The administrative row: news, a death, an opposition and a new address arrive as they are known."""
    final = extracts.patient_row(life)
    dates = [tumour.date for tumour in life.tumours] + [item.date for item in life.benign]
    entry = day_of(min(dates, default=START) + dt.timedelta(days=3))
    died = day_of(life.death + dt.timedelta(days=rng.randint(0, 4))) if life.death else entry
    opposed = rng.randint(1, LAST_DAY) if life.opposed and rng.random() < 0.3 else entry
    moved = rng.randint(1, LAST_DAY) if rng.random() < 0.01 else entry
    days = sorted({entry, *(max(entry, day) for day in (day_of(life.last_news), died, opposed, moved))})
    versions: list[Version] = []
    for day in days:
        date = START + dt.timedelta(days=day)
        row = {
            **final,
            "date_deces": final["date_deces"] if day >= died else "",
            "date_dernieres_nouvelles": min(life.last_news, date).isoformat(),
            "opposition": final["opposition"] if day >= opposed else 0,
            "code_postal": final["code_postal"] if day >= moved else "",
            "commune": final["commune"] if day >= moved else "",
        }
        if not versions or versions[-1].values != row:
            versions.append(Version(life.ipp, day, life.ipp, row))
    for merge in merges:
        if merge.day > 0:
            again = {**final, "ipp": merge.old, "date_deces": "", "opposition": 0, "nom_naissance": ""}
            first = max(0, merge.day - rng.randint(2, 40))
            again["date_dernieres_nouvelles"] = min(life.last_news, START + dt.timedelta(days=first)).isoformat()
            versions += [
                Version(merge.old, first, merge.old, again),
                Version(merge.old, merge.day, merge.old, None, MERGED),
            ]
    if life.duplicate_ipp:
        twin = {**final, "ipp": life.duplicate_ipp, "nom_naissance": "", "date_deces": "", "opposition": 0}
        versions.append(Version(life.duplicate_ipp, entry, life.duplicate_ipp, twin))
    return versions


def _sheets(life: Life, rng: Random) -> Iterable[Version]:
    """*Fiches tumeur* are registered months later; one in five is filled in a hurry, some of these are completed."""
    for tumour, row in extracts.sheet_rows(life, rng):
        registered = tumour.date + dt.timedelta(days=rng.randint(20, 240))
        hurried, completed = rng.random() < 0.2, rng.random() < 0.15
        if registered > TODAY:
            continue
        first = Version(row["id"], day_of(registered), life.ipp, extracts.vague(row, tumour) if hurried else row)
        yield first
        if hurried and completed and first.day < LAST_DAY:
            yield replace(first, day=rng.randint(first.day + 1, LAST_DAY), values=row)


def _cycles(life: Life) -> Iterable[Version]:
    """A cycle is prescribed at the one before, then given on its day."""
    for care, row in extracts.chemotherapy_rows(life):
        date = dt.date.fromisoformat(row["date"])
        assert care.course is not None
        planned, given = day_of(date - dt.timedelta(days=care.course.days)), day_of(date)
        if planned < given or date > TODAY:
            yield Version(row["id"], planned, life.ipp, Cycle(care, {**row, "statut": "prévu"}))
        if date <= TODAY:
            yield Version(row["id"], given, life.ipp, Cycle(care, row))


def _samples(life: Life, rng: Random) -> Iterable[Version]:
    for row in extracts.sample_rows(life, rng):
        first = day_of(dt.date.fromisoformat(row["date_prelevement"]) + dt.timedelta(days=rng.randint(1, 5)))
        used = rng.randint(1, LAST_DAY) if row["statut"] == "épuisé" and rng.random() < 0.1 else first
        if first < used:
            yield Version(row["id"], first, life.ipp, {**row, "statut": "disponible"})
        yield Version(row["id"], max(first, used), life.ipp, row)


def _stays(life: Life, number: int, rng: Random) -> Iterable[Version]:
    """A stay is coded within three weeks; what is not coded yet is not there."""
    for stay in extracts.stays(life, number):
        coded = stay.leave + dt.timedelta(days=rng.randint(2, 21))
        if coded <= TODAY:
            yield Version(stay.number, day_of(coded), stay.ipp, stay)


def _labs(life: Life, number: int, names: _Names) -> Iterable[Version]:
    """Results of a day are entered under one identity."""
    under: dict[dt.date, str] = {}
    for place, lab in enumerate(life.labs, start=1):
        if lab.date <= TODAY:
            ipp = under.setdefault(lab.date, names.on(lab.date))
            yield Version(f"{number:06d}{place:05d}", day_of(lab.date), ipp, lab)


def _molecular(life: Life, number: int, rng: Random) -> Iterable[Version]:
    """A molecular report comes two to four weeks after the sample."""
    for tumour in life.tumours:
        date = tumour.date + dt.timedelta(days=rng.randint(14, 28))
        if tumour.alterations and date <= TODAY:
            yield Version(f"GM{number:06d}{tumour.rank}", day_of(date), life.ipp, Molecular(tumour, date))


@dataclass(slots=True, frozen=True)
class Molecular:
    """The molecular analysis of a tumour and the date of its report."""

    tumour: Tumour
    date: dt.date


def _documents(reports: Iterable[Report], names: _Names, rng: Random) -> Iterable[Version]:
    """A report is validated within days; some are seen before, provisional; old ones may be amended, or come late."""
    for report in reports:
        ipp = names.on(report.date)
        day = day_of(report.date + dt.timedelta(days=rng.randint(0, 4)))
        dice, later = rng.random(), rng.randint(1, LAST_DAY)
        recent = (START - report.date).days < 6
        if recent and dice < 0.25 and day < LAST_DAY:
            validated = min(LAST_DAY, day + rng.randint(1, 6))
        elif dice < 0.004 and day < later:
            validated = later
        elif not recent and dice > 0.997:
            day = validated = later
        else:
            validated = day
        if day < validated:
            yield Version(report.id, day, ipp, Issue(_provisional(report), 1, final=False))
            yield Version(report.id, validated, ipp, Issue(report, 2))
        else:
            yield Version(report.id, day, ipp, Issue(report))


def _provisional(report: Report) -> Report:
    """The first two thirds of a report under a banner; its mentions move with it."""
    wanted, shift = len(report.text) * 2 // 3, len(_BANNER)
    cuts = [match.start() for match in _BREAK.finditer(report.text, wanted)]
    spans = [(int(str(mention["start"])), int(str(mention["end"]))) for mention in report.mentions]
    cut = next((place for place in cuts if not any(start < place < end for start, end in spans)), len(report.text))
    mentions = [
        {**mention, "start": start + shift, "end": end + shift}
        for mention, (start, end) in zip(report.mentions, spans, strict=True)
        if end <= cut
    ]
    title = f"{report.title} (provisoire)"
    return replace(report, title=title, text=_BANNER + report.text[:cut].rstrip(), mentions=mentions)
