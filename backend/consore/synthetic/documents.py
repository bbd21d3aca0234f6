"""Which reports a life leaves behind, and their text with the truth of every mention."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from consore.synthetic.knowledge import names
from consore.synthetic.scene import Moment, PatientScene
from consore.synthetic.trajectory import TODAY, Care, Life, Tumour
from consore.synthetic.writing import GRAMMARS, CannotSay, Piece, agree, assemble, grammar, misspell

# Every span of these kinds is in the truth.
# The mention of a biomarker or of a gene is its name alone: "HER2" in "HER2 3+".
ANNOTATED_KINDS = frozenset(
    {
        "alteration",
        "biomarker",
        "drug",
        "grade",
        "laterality",
        "line",
        "metastasis",
        "morphology",
        "performance_status",
        "procedure",
        "recurrence",
        "regimen",
        "response",
        "stage",
        "tnm",
        "topography",
    }
)
STYLES = ("headed", "telegraphic", "dictated")
MOST = 20


@dataclass(slots=True)
class Report:
    """One written document. `mentions` are JSON, offsets in code points of `text`."""

    id: str
    ipp: str
    kind: str
    label: str
    title: str
    date: dt.date
    author: str
    service: str
    text: str
    mentions: list[dict[str, object]]


def write_reports(life: Life, split: str, rng: Random, number: int, centre: str) -> Iterator[Report]:
    """All reports of a life, oldest first; `number` is the first document number, `centre` its name."""
    told = names()
    authors = {author: rng.choice(STYLES) for author in told[split]["authors"]}
    habitual = rng.sample(list(authors), min(3, len(authors)))
    copied: list[Piece] = []
    told_before: list[Moment] = []
    for moment in moments(life, rng):
        author = rng.choice(habitual if rng.random() < 0.8 else list(authors))
        style = rng.choice(STYLES) if rng.random() < 0.15 else authors[author]
        scene = PatientScene(life=life, moment=moment, style=style, author=author, split=split, centre=centre)
        # Colleagues copy each other: the old history is often the last report's, word for word.
        if not copied or rng.random() > 0.35:
            copied = _recap(scene, rng)
        scene.recap = copied
        scene.earlier = [past for past in told_before if past.tumour is moment.tumour and past.date < moment.date]
        told_before.append(moment)
        pieces = agree(grammar(split).write(f"doc.{moment.kind}.{moment.topic}", scene, rng))
        if rng.random() < 0.35:
            pieces = misspell(pieces, rng, 0.02)
        text, mentions = assemble(pieces, _headings(style, rng))
        label = told["kinds"][moment.kind]
        yield Report(
            id=f"DOC{number:08d}",
            ipp=life.ipp,
            kind=moment.kind,
            label=label,
            title=f"{label} du {moment.date:%d/%m/%Y}",
            date=moment.date,
            author=author,
            service=told["services"][moment.kind],
            text=text,
            mentions=mentions,
        )
        number += 1


def moments(life: Life, rng: Random) -> list[Moment]:
    """What was written, and when: the necessary reports, then follow-up until there are enough."""
    found: list[Moment] = []
    for tumour in life.tumours:
        found += _around_diagnosis(life, tumour, rng)
        for care in (care for care in life.cares if care.tumour is tumour):
            found += _around_care(care, rng)
        found += _around_events(life, tumour, rng)
    for alarm in life.alarms:
        found.append(Moment(alarm.date, "imaging", "alarm", alarm.tumour, alarm=alarm))
        found.append(Moment(alarm.refuted, "imaging", "refuted", alarm.tumour, alarm=alarm))
    if life.death:
        date = life.death + dt.timedelta(days=rng.randint(1, 6))
        found.append(Moment(min(date, TODAY), "letter", "death", life.tumours[0]))
    found += _follow_up(life, rng, MOST - len(found))
    limit = life.death or TODAY
    kept = [m for m in found if m.date <= limit or m.topic == "death"]
    kept.sort(key=lambda m: m.date)
    if len(kept) > MOST:
        spare = [m for m in kept if m.kind in ("nurse", "biology", "chemotherapy", "hospital_stay", "discharge")]
        dropped = {id(m) for m in rng.sample(spare, min(len(spare), len(kept) - MOST))}
        kept = [m for m in kept if id(m) not in dropped]
    return kept


def _around_diagnosis(life: Life, tumour: Tumour, rng: Random) -> list[Moment]:
    day = tumour.date
    event = next(e for e in life.happenings if e.tumour is tumour and e.type in ("initial", "second_cancer"))
    cares = [care for care in life.cares if care.tumour is tumour]
    first = cares[0] if cares else None

    def at(days: int, kind: str, topic: str) -> Moment:
        return Moment(day + dt.timedelta(days=days), kind, topic, tumour, care=first, event=event)

    found = [
        at(0, "pathology", "biopsy"),
        at(rng.randint(3, 8), "imaging", "staging" if tumour.metastatic else "diagnosis"),
        at(rng.randint(8, 12), "consultation", "first"),
        at(rng.randint(12, 17), "rcp", "initial"),
    ]
    if tumour.alterations:
        found.append(at(rng.randint(12, 25), "molecular", "result"))
    if rng.random() < 0.5:
        found.append(at(rng.randint(1, 15), "biology", "routine"))
    return found


def _around_care(care: Care, rng: Random) -> list[Moment]:
    tumour = care.tumour

    def at(date: dt.date, kind: str, topic: str, cycle: int = 1) -> Moment:
        return Moment(date, kind, topic, tumour, care=care, cycle=cycle)

    if care.act:
        days = rng.randint(3, 8)
        return [
            at(care.start, "surgery", "report"),
            at(care.start + dt.timedelta(days=days), "discharge", "surgery"),
            *([at(care.start + dt.timedelta(days=12), "pathology", "surgery")] if care.act.kind == "surgery" else []),
        ]
    if care.type == "radiotherapy":
        return [at(care.end or care.start, "radiotherapy", "end")]
    found = []
    if care.line:
        found.append(at(care.start, *rng.choice([("consultation", "line"), ("letter", "line")])))
    else:
        found.append(at(care.start, "consultation", "line"))
    assert care.course is not None
    until = care.end or TODAY
    infused = care.type in ("chemotherapy", "immunotherapy") or (care.type == "targeted" and care.course.days == 21)
    if infused:
        for cycle in sorted(rng.sample(range(1, max(2, care.cycles) + 1), min(2, max(1, care.cycles)))):
            date = care.start + dt.timedelta(days=care.course.days * (cycle - 1))
            if date <= until:
                kind, topic = rng.choice(
                    [
                        ("chemotherapy", "cycle"),
                        ("chemotherapy", "cycle"),
                        ("nurse", "cycle"),
                        ("hospital_stay", "cycle"),
                    ]
                )
                found.append(at(date, kind, topic, cycle))
        if rng.random() < 0.15 and care.start + dt.timedelta(days=10) <= until:
            found.append(at(care.start + dt.timedelta(days=10), "hospital_stay", "toxicity"))
    halfway = care.start + dt.timedelta(days=90)
    if care.response and halfway < until:
        found.append(at(halfway, *rng.choice([("imaging", "evaluation"), ("consultation", "evaluation")])))
    return found


def _around_events(life: Life, tumour: Tumour, rng: Random) -> list[Moment]:
    found: list[Moment] = []
    for event in life.happenings:
        if event.tumour is not tumour:
            continue
        care = next((c for c in life.cares if c.tumour is tumour and c.start >= event.date), None)
        current = next(
            (c for c in reversed(life.cares) if c.tumour is tumour and c.course and c.start < event.date), None
        )
        if event.type == "remission":
            found.append(Moment(event.date, "consultation", "remission", tumour, event=event))
        elif event.type == "progression":
            found.append(Moment(event.date, "imaging", "progression", tumour, care=current, event=event))
            if rng.random() < 0.4:
                after = event.date + dt.timedelta(days=rng.randint(5, 12))
                found.append(Moment(after, "rcp", "recurrence", tumour, care=care, event=event))
        elif event.type.endswith("recurrence"):
            found.append(Moment(event.date, "imaging", "recurrence", tumour, event=event))
            after = event.date + dt.timedelta(days=rng.randint(3, 9))
            found.append(Moment(after, "consultation", "recurrence", tumour, care=care, event=event))
            if rng.random() < 0.6:
                found.append(Moment(after + dt.timedelta(days=3), "rcp", "recurrence", tumour, care=care, event=event))
    return found


def _follow_up(life: Life, rng: Random, room: int) -> list[Moment]:
    """Visits without news, in the quiet times after the first care."""
    tumour = life.tumours[0]
    bad = [e.date for e in life.happenings if e.tumour is tumour and e.type.endswith(("recurrence", "progression"))]
    first = [c.end or c.start for c in life.cares if c.tumour is tumour and not c.line and c.type != "hormonotherapy"]
    start = max(first, default=tumour.date) + dt.timedelta(days=100)
    if tumour.metastatic:
        start = tumour.date + dt.timedelta(days=60)
    stop = min([*bad, life.last_news])
    found: list[Moment] = []
    while start < stop and len(found) < max(2, min(room, 7)):
        if tumour.metastatic:
            kind, topic = rng.choice([("biology", "routine"), ("biology", "routine")])
        else:
            kind, topic = rng.choice(
                [("consultation", "followup")] * 3 + [("letter", "treating"), ("biology", "routine")]
            )
        found.append(Moment(start, kind, topic, tumour))
        start += dt.timedelta(days=rng.randint(120, 380))
    return found


def _recap(scene: PatientScene, rng: Random) -> list[Piece]:
    """The history so far, as its sentences; older steps are sometimes left out."""
    life, moment = scene.life, scene.moment
    steps: list[tuple[dt.date, str, Moment]] = []
    tumour = moment.tumour
    steps.append((tumour.date, "recap_diagnosis", replace(moment, event=None)))
    for care in life.cares:
        under_way = care.dose and (care.end or TODAY) > moment.date
        if care.tumour is tumour and care.start < moment.date and not under_way:
            rule = "recap_surgery" if care.act else "recap_radiotherapy" if care.dose else "recap_systemic"
            steps.append((care.start, rule, replace(moment, care=care)))
    for event in life.happenings:
        if event.tumour is tumour and event.date < moment.date and event.type.endswith(("recurrence", "progression")):
            steps.append((event.date, "recap_recurrence", replace(moment, event=event)))
    steps.sort(key=lambda step: step[0])
    pieces: list[Piece] = []
    separator = "\n- " if scene.style == "telegraphic" and rng.random() < 0.5 else " "
    for index, (_, rule, step) in enumerate(steps):
        if 0 < index < len(steps) - 1 and rng.random() < 0.12:
            continue
        told = PatientScene(life, step, scene.style, scene.author, scene.split, focus=tumour)
        try:
            written = grammar(scene.split).write(rule, told, rng)
        except CannotSay:
            continue
        pieces += [Piece(separator if pieces else separator.lstrip())] if pieces or separator != " " else []
        pieces += written
        if rng.random() < 0.45:
            try:
                more = grammar(scene.split).write(f"{rule}_more", told, rng)
            except CannotSay:
                continue
            pieces += [Piece(" "), *more]
    return pieces


@lru_cache
def _heading_words() -> dict[str, dict[str, list[str]]]:
    with (GRAMMARS / "headings.toml").open("rb") as file:
        return tomllib.load(file)


def _headings(style: str, rng: Random) -> dict[str, str]:
    return {name: rng.choice(words) for name, words in _heading_words()[style].items()}
