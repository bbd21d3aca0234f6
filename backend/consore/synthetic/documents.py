"""Which reports a life leaves behind, and their text with the truth of every mention."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from consore.synthetic.knowledge import names
from consore.synthetic.noise import NoiseLevel, disturb, noise_level
from consore.synthetic.scene import Moment, PatientScene, kind_words
from consore.synthetic.trajectory import TODAY, Benign, Care, Life, Tumour
from consore.synthetic.writing import GRAMMARS, CannotSay, Piece, agree, assemble, grammar, styles

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
MOST = 26


@dataclass(slots=True)
class Report:
    """One written document. `mentions` are JSON, offsets in code points of `text`.

    `topic` is what it is about ("staging"), `style` its author's; `contradicts` names what it says wrongly about the
    tumour: side, date or stage. Its mentions are what it says.
    """

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
    topic: str = ""
    style: str = ""
    contradicts: tuple[str, ...] = ()


def write_reports(
    life: Life, split: str, rng: Random, number: int, centre: str, noise: str | NoiseLevel = "medium"
) -> Iterator[Report]:
    """All reports of a life, oldest first; `number` is the first document number, `centre` its name.

    `split`: train, dev or test; `noise`: none, low, medium or high. Raises ConfigurationError.
    """
    level = noise_level(noise)
    told = names()[split]
    authors = {author: _draw_style(rng) for author in told["authors"]}
    habitual = rng.sample(list(authors), min(3, len(authors)))
    copied: list[Piece] = []
    told_before: list[Moment] = []
    for moment in moments(life, rng):
        author = rng.choice(habitual if rng.random() < 0.7 else list(authors))
        style = _draw_style(rng) if rng.random() < 0.3 else authors[author]
        scene = PatientScene(life=life, moment=moment, style=style, author=author, split=split, centre=centre)
        wrong = _mistake(scene, rng) if rng.random() < level.contradictions else ()
        # Colleagues copy each other: the old history is often the last report's, word for word.
        if wrong or not copied or rng.random() > styles()[style].copies * level.copies:
            copied = _recap(scene, rng)
        scene.recap = copied
        if wrong:
            copied = []
        scene.earlier = [past for past in told_before if past.tumour is moment.tumour and past.date < moment.date]
        told_before.append(moment)
        try:
            pieces = grammar(split).write(f"doc.{moment.kind}.{moment.topic}", scene, rng)
        except CannotSay:
            continue
        if rng.random() < level.boilerplate:
            pieces = [*pieces, Piece("\n\n"), *grammar(split).write("boilerplate", scene, rng)]
        text, mentions = assemble(agree(pieces), _headings(style, rng))
        head = f"{centre} - {life.family_name.upper()} {life.given_name} - IPP {life.ipp}"
        text, mentions = disturb(
            text,
            mentions,
            level,
            styles()[style],
            rng,
            running_head=head,
            openers=grammar(split).sources.get("opener", ()),
        )
        words = kind_words(moment.kind, moment.topic)
        yield Report(
            id=f"DOC{number:08d}",
            ipp=life.ipp,
            kind=moment.kind,
            label=words["label"],
            title=f"{words['label']} du {moment.date:%d/%m/%Y}",
            date=moment.date,
            author=author,
            service=words["service"],
            text=text,
            mentions=mentions,
            topic=moment.topic,
            style=style,
            contradicts=wrong,
        )
        number += 1


def _draw_style(rng: Random) -> str:
    known = styles()
    return rng.choices(list(known), weights=[style.weight for style in known.values()])[0]


_SECOND_HAND = ("consultation", "letter", "nurse", "discharge", "hospital_stay", "chemotherapy")


def _mistake(scene: PatientScene, rng: Random) -> tuple[str, ...]:
    """Make the author wrong about one thing: the side, the year or the stage. Reports of exams are not wrong."""
    tumour = scene.moment.tumour
    if tumour is None or scene.moment.kind not in _SECOND_HAND or scene.moment.topic == "first":
        return ()
    options = ["date"]
    if tumour.side in ("left", "right"):
        options += ["side", "side"]
    stages = sorted({stage["stage"] for stage in tumour.cancer.raw["stages"]} - {tumour.stage})
    if stages and not tumour.metastatic:
        options.append("stage")
    what = rng.choice(options)
    if what == "side":
        scene.focus = replace(tumour, side="left" if tumour.side == "right" else "right")
    elif what == "stage":
        scene.focus = replace(tumour, stage=rng.choice([s for s in stages if not s.startswith("IV")] or stages))
    else:
        earlier = tumour.date - dt.timedelta(days=rng.choice([31, 365, 365]))
        scene.focus = replace(tumour, date=earlier)
    return (what,)


def moments(life: Life, rng: Random) -> list[Moment]:
    """What was written, and when: the necessary reports, then follow-up until there are enough."""
    found: list[Moment] = []
    for tumour in life.tumours:
        found += _around_diagnosis(life, tumour, rng)
        for care in (care for care in life.cares if care.tumour is tumour):
            found += _around_care(care, rng)
        found += _around_events(life, tumour, rng)
    for benign in life.benign:
        found += _around_benign(life, benign, rng)
    for alarm in life.alarms:
        found.append(Moment(alarm.date, "imaging", "alarm", alarm.tumour, alarm=alarm))
        found.append(Moment(alarm.refuted, "imaging", "refuted", alarm.tumour, alarm=alarm))
    if life.death:
        date = life.death + dt.timedelta(days=rng.randint(1, 6))
        found.append(Moment(min(date, TODAY), "letter", "death", _last_tumour(life)))
        found += _last_months(life, life.death, rng)
    if life.tumours:
        found += _follow_up(life, rng, MOST - len(found))
        found += _between(life, rng)
    found += _laboratory(life, rng)
    limit = life.death or TODAY
    kept = [m for m in found if m.date <= limit or m.topic == "death"]
    kept.sort(key=lambda m: m.date)
    if len(kept) > MOST:
        spare = [m for m in kept if m.kind in _SPARE or m.topic in _SPARE_TOPICS]
        dropped = {id(m) for m in rng.sample(spare, min(len(spare), len(kept) - MOST))}
        kept = [m for m in kept if id(m) not in dropped]
    return kept


_SPARE = ("biology", "chemotherapy")
_SPARE_TOPICS = ("gp", "anaesthesia", "cycle", "surgery", "treating", "followup", "line")


def _last_tumour(life: Life) -> Tumour | None:
    return life.tumours[0] if life.tumours else None


def _known(life: Life, date: dt.date) -> Tumour | None:
    """The latest tumour that is known at a date."""
    return next((t for t in sorted(life.tumours, key=lambda t: t.date, reverse=True) if t.date < date), None)


def _around_benign(life: Life, benign: Benign, rng: Random) -> list[Moment]:
    """An anomaly that was explored and is no cancer."""
    days, found = 0, []
    for kind, chance in (
        ("letter", 0.4),
        ("imaging", 0.95),
        ("pathology", 0.8),
        ("consultation", 0.95),
        ("biology", 0.4),
    ):
        if rng.random() < chance:
            topic = {"biology": "routine", "letter": "gp"}.get(kind, "benign")
            date = benign.date + dt.timedelta(days=days)
            found.append(Moment(date, kind, topic, None, benign=benign))
            days += rng.randint(2, 15)
    for _ in range(rng.randint(0, 4)):
        days += rng.randint(150, 400)
        date = benign.date + dt.timedelta(days=days)
        if date < life.last_news:
            found.append(Moment(date, rng.choice(["consultation", "imaging", "letter"]), "benign", None, benign=benign))
    return found


def _laboratory(life: Life, rng: Random) -> list[Moment]:
    """Reports of biology on some of the days when blood was taken."""
    days = sorted({lab.date for lab in life.labs})
    return [
        Moment(day, "biology", "routine", _known(life, day))
        for day in rng.sample(days, min(len(days), rng.randint(1, 3)))
    ]


def _last_months(life: Life, death: dt.date, rng: Random) -> list[Moment]:
    found = []
    tumour = _last_tumour(life)
    for kind, topic, chance in (
        ("consultation", "palliative", 0.5),
        ("hospital_stay", "palliative", 0.35),
        ("other", "phone", 0.3),
    ):
        date = death - dt.timedelta(days=rng.randint(8, 60))
        if tumour and rng.random() < chance and date > tumour.date + dt.timedelta(days=60):
            found.append(Moment(date, kind, topic, tumour))
    return found


def _between(life: Life, rng: Random) -> list[Moment]:
    """What is written around care: letters of the family doctor, calls, pharmacy, genetics."""
    found = []
    first = life.tumours[0]
    if rng.random() < 0.3:
        found.append(Moment(first.date - dt.timedelta(days=rng.randint(4, 25)), "letter", "gp", first))
    if life.predisposition or (life.family and rng.random() < 0.35):
        found.append(Moment(first.date + dt.timedelta(days=rng.randint(60, 200)), "consultation", "genetics", first))
    for care in life.cares:
        if care.course and not care.act:
            until = care.end or TODAY
            for kind, topic, chance, after in (
                ("other", "phone", 0.22, 12),
                ("other", "pharmacy", 0.16, 2),
                ("nurse", "call", 0.14, 5),
                ("discharge", "medical", 0.06, 30),
            ):
                date = care.start + dt.timedelta(days=rng.randint(after, after + 30))
                if date < until and rng.random() < chance:
                    found.append(Moment(date, kind, topic, care.tumour, care=care, cycle=1))
    return found


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
    if not life.labs and rng.random() < 0.5:
        found.append(at(rng.randint(1, 15), "biology", "routine"))
    return found


def _around_care(care: Care, rng: Random) -> list[Moment]:
    tumour = care.tumour

    def at(date: dt.date, kind: str, topic: str, cycle: int = 1) -> Moment:
        return Moment(date, kind, topic, tumour, care=care, cycle=cycle)

    if care.act:
        days = rng.randint(3, 8)
        before = [
            at(care.start - dt.timedelta(days=rng.randint(6, 25)), "consultation", topic)
            for topic, chance in (("surgeon", 0.35), ("anaesthesia", 0.3))
            if rng.random() < chance and care.act.kind == "surgery"
        ]
        return [
            *(moment for moment in before if moment.date > tumour.date + dt.timedelta(days=10)),
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
    while start < stop and len(found) < max(2, min(room, 9)):
        if tumour.metastatic:
            kind, topic = rng.choice([("biology", "routine"), ("letter", "stable"), ("consultation", "stable")])
        else:
            kind, topic = rng.choice(
                [("consultation", "followup")] * 4
                + [("letter", "treating")] * 2
                + [("imaging", "followup"), ("biology", "routine"), ("letter", "gp_news")]
            )
        if kind != "biology" or not life.labs:
            found.append(Moment(start, kind, topic, tumour))
        start += dt.timedelta(days=rng.randint(120, 380))
    return found


def _recap(scene: PatientScene, rng: Random) -> list[Piece]:
    """The history so far, as its sentences; older steps are sometimes left out."""
    life, moment = scene.life, scene.moment
    steps: list[tuple[dt.date, str, Moment]] = []
    if moment.tumour is None:
        return []
    tumour = scene.tumour
    if tumour.date >= moment.date:
        return []
    steps.append((tumour.date, "recap_diagnosis", replace(moment, event=None)))
    for care in life.cares:
        under_way = care.dose and (care.end or TODAY) > moment.date
        if care.tumour is moment.tumour and care.start < moment.date and not under_way:
            rule = "recap_surgery" if care.act else "recap_radiotherapy" if care.dose else "recap_systemic"
            steps.append((care.start, rule, replace(moment, care=care)))
    for event in life.happenings:
        if (
            event.tumour is moment.tumour
            and event.date < moment.date
            and event.type.endswith(("recurrence", "progression"))
        ):
            steps.append((event.date, "recap_recurrence", replace(moment, event=event)))
    steps.sort(key=lambda step: step[0])
    pieces: list[Piece] = []
    listed = scene.style in ("telegraphic", "bulleted", "form", "intern", "copied")
    separator = "\n- " if listed and rng.random() < 0.6 else " "
    for index, (_, rule, step) in enumerate(steps):
        if 0 < index < len(steps) - 1 and rng.random() < 0.12:
            continue
        told = PatientScene(life, step, scene.style, scene.author, scene.split, focus=tumour, used=scene.used)
        try:
            written = grammar(scene.split).write(rule, told, rng)
        except CannotSay:
            continue
        pieces += [Piece(separator if pieces else separator.lstrip())] if pieces or separator != " " else []
        pieces += written
        if rng.random() < 0.7:
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
    words = _heading_words()[styles()[style].headings]
    return {name: rng.choice(options) for name, options in words.items()}
