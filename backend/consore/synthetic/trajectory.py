"""The lives that the fictional centre has treated: drawn first, written about afterwards, so that the truth is known.

Every date is consistent: a diagnosis, its care, what came back and when, never after `TODAY` nor after a death.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

from consore.synthetic.knowledge import (
    Cancer,
    Course,
    Drug,
    Histology,
    Place,
    SurgicalAct,
    acts,
    cancers,
    course,
    names,
    sites,
)

TODAY = dt.date(2026, 11, 20)
FIRST_DIAGNOSIS = dt.date(2012, 2, 1)


@dataclass(slots=True)
class Tumour:
    """One primary tumour, as it truly is."""

    rank: int
    cancer: Cancer
    place: Place
    histology: Histology
    side: str | None
    date: dt.date
    stage: str
    ctnm: str | None
    ptnm: str | None
    grade: str | None
    profile: str
    biomarkers: dict[str, tuple[str, str | None]]
    alterations: dict[str, str]
    sites: list[str] = field(default_factory=list)
    operated: bool = False
    method: str = "histologie"
    nodes: tuple[int, int] | None = None
    size_mm: int | None = None

    @property
    def metastatic(self) -> bool:
        """Metastatic at diagnosis."""
        return bool(self.sites)


@dataclass(slots=True)
class Care:
    """One treatment that was given. `end` null: it goes on."""

    type: str
    tumour: Tumour
    start: dt.date
    end: dt.date | None
    intent: str
    line: int | None = None
    course: Course | None = None
    act: SurgicalAct | None = None
    cycles: int = 0
    dose: int = 0
    fractions: int = 0
    target: str = ""
    response: str | None = None
    doses: list[str] = field(default_factory=list)
    toxicities: list[tuple[str, int]] = field(default_factory=list)

    @property
    def drugs(self) -> tuple[Drug, ...]:
        """The drugs given; none for an act."""
        return self.course.drugs if self.course else ()


@dataclass(slots=True)
class Happening:
    """An event of the history, in the vocabulary of `EventType`."""

    type: str
    date: dt.date
    tumour: Tumour | None
    sites: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Alarm:
    """A suspicious finding that a second exam refutes."""

    date: dt.date
    refuted: dt.date
    site: str
    benign: str
    tumour: Tumour


@dataclass(frozen=True, slots=True)
class Comorbidity:
    """Another disease. `cim10` is French CIM-10; `words` are how reports call it."""

    cim10: str
    words: tuple[str, ...]
    since: dt.date


@dataclass(frozen=True, slots=True)
class Predisposition:
    """A constitutional variant. `gene` is the HGNC symbol, `variant` HGVS, `syndrome` how reports call it."""

    gene: str
    variant: str
    syndrome: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Benign:
    """A lesion that turned out to be benign. `topography` is ICD-O-3."""

    words: tuple[str, ...]
    topography: str
    date: dt.date


@dataclass(frozen=True, slots=True)
class Lab:
    """A result of biology: `value` in `unit`, `low` and `high` bound the normal values (null: open)."""

    date: dt.date
    code: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None


@dataclass(slots=True)
class Life:
    """A fictional patient and all that happened to them."""

    ipp: str
    family_name: str
    birth_name: str
    given_name: str
    sex: str
    birth: dt.date
    postcode: str
    town: str
    opposed: bool
    death: dt.date | None = None
    last_news: dt.date = TODAY
    tumours: list[Tumour] = field(default_factory=list)
    cares: list[Care] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    family: list[tuple[str, str, str]] = field(default_factory=list)
    past: list[str] = field(default_factory=list)
    pack_years: int = 0
    comorbidities: list[Comorbidity] = field(default_factory=list)
    predisposition: Predisposition | None = None
    merged_ipps: list[tuple[str, dt.date]] = field(default_factory=list)
    duplicate_ipp: str | None = None
    lost: bool = False
    benign: list[Benign] = field(default_factory=list)
    labs: list[Lab] = field(default_factory=list)
    performance: list[tuple[dt.date, int]] = field(default_factory=list)

    def age(self, on: dt.date) -> int:
        """Age in whole years."""
        return on.year - self.birth.year - ((on.month, on.day) < (self.birth.month, self.birth.day))


def draw_life(rng: Random, ipp: str, split: str) -> Life:
    """Draw a patient: identity, tumours, care, events. `split` chooses the lists of names."""
    cancer = _weighted(rng, list(cancers().values()), lambda item: item.raw["weight"])
    sex = "F" if rng.random() < cancer.raw["female"] else "M"
    diagnosed = _day_between(rng, FIRST_DIAGNOSIS, TODAY - dt.timedelta(days=40))
    life = _identity(rng, ipp, split, sex, diagnosed, cancer)
    first = _draw_tumour(rng, cancer, 1, diagnosed)
    life.tumours.append(first)
    end = _live_through(rng, life, first)
    if rng.random() < 0.075:
        _second_cancer(rng, life, end)
    _last_days(rng, life)
    _alarms(rng, life)
    life.happenings.sort(key=lambda item: item.date)
    life.cares.sort(key=lambda item: item.start)
    return life


def _identity(rng: Random, ipp: str, split: str, sex: str, diagnosed: dt.date, cancer: Cancer) -> Life:
    pool = names()[split]
    mean, spread, low, high = cancer.raw["age"]
    age = min(high, max(low, rng.gauss(mean, spread)))
    birth = diagnosed - dt.timedelta(days=int(age * 365.25) + rng.randrange(360))
    family_name = rng.choice(pool["families"])
    postcode, town = rng.choice(pool["towns"])
    life = Life(
        ipp=ipp,
        family_name=family_name,
        birth_name=rng.choice(pool["families"]) if sex == "F" and rng.random() < 0.6 else family_name,
        given_name=rng.choice(pool["female" if sex == "F" else "male"]),
        sex=sex,
        birth=birth,
        postcode=postcode,
        town=town,
        opposed=rng.random() < 0.03,
        pack_years=rng.randint(8, 60) if rng.random() < (0.85 if cancer.raw.get("smoker") else 0.25) else 0,
    )
    if rng.random() < 0.35:
        relatives = names()["relatives"]
        code, words = rng.choice(relatives["cancers"])
        life.family.append((rng.choice(relatives["relatives"]), code, words))
    life.past = rng.sample(["cholecystectomie", "appendicectomie", "hta", "diabete", "thyroide"], rng.randrange(0, 3))
    return life


def _draw_tumour(rng: Random, cancer: Cancer, rank: int, date: dt.date) -> Tumour:
    raw = cancer.raw
    stage = _weighted(rng, raw["stages"], lambda item: item["weight"])
    profile = _weighted(rng, raw["profiles"], lambda item: item["weight"])
    place = _weighted(rng, list(zip(cancer.places, raw["topographies"], strict=True)), lambda i: i[1]["weight"])[0]
    histology = _weighted(
        rng, list(zip(cancer.histologies, raw["morphologies"], strict=True)), lambda i: i[1]["weight"]
    )
    tnm = _tnm(rng, stage)
    alterations = {gene: rng.choice(values) for gene, values in profile["alterations"].items()}
    tumour = Tumour(
        rank=rank,
        cancer=cancer,
        place=place,
        histology=histology[0],
        side=rng.choice(["left", "right"]) if cancer.lateral else None,
        date=date,
        stage=stage["stage"],
        ctnm=f"c{tnm}" if tnm else None,
        ptnm=None,
        grade=rng.choice(raw["grades"]) if raw["grades"] else None,
        profile=profile["name"],
        biomarkers={code: _biomarker(rng, values) for code, values in profile["biomarkers"].items()},
        alterations=alterations,
    )
    if stage["m"] == "M1":
        tumour.sites = _draw_sites(rng, cancer)
    return tumour


def _tnm(rng: Random, stage: dict[str, Any]) -> str | None:
    if not stage["t"]:
        return None
    return rng.choice(stage["t"]) + rng.choice(stage["n"]) + stage["m"]


def _biomarker(rng: Random, values: list[Any]) -> tuple[str, str | None]:
    status, *bounds = values
    if not bounds:
        return status, None
    low, high = bounds
    number = rng.randint(low, high)
    if high - low > 15 and status:
        number = round(number, -1) or 5
    elif high - low > 15:
        number = 5 * round(number / 5) or 1
    return status, str(number)


def _draw_sites(rng: Random, cancer: Cancer) -> list[str]:
    weights = dict(cancer.raw["sites"])
    found: list[str] = []
    for _ in range(1 if rng.random() < 0.65 else 2):
        code = _weighted(rng, list(weights), lambda item: weights[item])
        weights.pop(code)
        found.append(code)
        if not weights:
            break
    return found


def _live_through(rng: Random, life: Life, tumour: Tumour) -> dt.date:
    """Care of one tumour from its diagnosis on; gives the date where its story stands."""
    life.happenings.append(
        Happening("initial" if tumour.rank == 1 else "second_cancer", tumour.date, tumour, list(tumour.sites))
    )
    clock = tumour.date + dt.timedelta(days=rng.randint(18, 45))
    if tumour.metastatic:
        return _advanced(rng, life, tumour, clock, tumour.sites)
    clock = _initial_care(rng, life, tumour, clock)
    if clock >= TODAY:
        return TODAY
    if rng.random() < 0.6:
        remission = clock + dt.timedelta(days=rng.randint(60, 110))
        if remission < TODAY:
            life.happenings.append(Happening("remission", remission, tumour))
    chance = tumour.cancer.raw["relapse"].get(tumour.stage.rstrip("ABC"), 0.3)
    if rng.random() >= chance:
        return clock
    return _relapse(rng, life, tumour, clock + dt.timedelta(days=rng.randint(200, 1700)))


def _initial_care(rng: Random, life: Life, tumour: Tumour, clock: dt.date) -> dt.date:
    plan = next(
        plan
        for plan in tumour.cancer.raw["plans"]
        if tumour.stage in plan["stages"]
        and (not plan["profiles"] or tumour.profile in plan["profiles"])
        and (not plan.get("sites") or tumour.place.code in plan["sites"])
    )
    steps = [step for step in plan["steps"] if rng.random() < _chance(step)]
    for step in steps or plan["steps"][:1]:
        care = _step(rng, tumour, re.sub(r"\s*\?[\d.]+$", "", step), clock)
        if care.start > TODAY:
            break
        life.cares.append(care)
        if care.act and care.act.kind == "surgery":
            _operate(rng, tumour, after=bool(len(life.cares) > 1 and life.cares[-2].intent == "neoadjuvant"))
        # Hormones and maintenance run for years: the story goes on while they last.
        end = care.end or TODAY
        long_run = care.intent == "adjuvant" and (end - care.start).days > 300
        clock = (care.start if long_run else min(end, TODAY)) + dt.timedelta(days=rng.randint(20, 45))
    return clock


def _step(rng: Random, tumour: Tumour, step: str, start: dt.date) -> Care:
    kind, *rest = step.split()
    if kind == "surgery":
        act = acts()[rng.choice(rest[0].split("|"))]
        return Care(act.kind, tumour, start, start, "curative", act=act)
    if kind == "rt":
        target, dose, fractions = rest[0], int(rest[1]), int(rest[2])
        end = start + dt.timedelta(days=int(fractions * 1.4))
        return Care("radiotherapy", tumour, start, end, "curative", target=target, dose=dose, fractions=fractions)
    return _prescribe(rng, tumour, kind, start, rest[0], int(rest[1]))


def _prescribe(
    rng: Random, tumour: Tumour, spelling: str, start: dt.date, intent: str, cycles: int, line: int | None = None
) -> Care:
    given = course(rng.choice(spelling.split("|")))
    length = cycles * 30 if given.kind == "hormonotherapy" and cycles >= 24 else cycles * given.days
    end: dt.date | None = start + dt.timedelta(days=max(1, length - given.days))
    if end and end > TODAY:
        end = None
    return Care(given.kind, tumour, start, end, intent, line=line, course=given, cycles=cycles)


def _operate(rng: Random, tumour: Tumour, after: bool) -> None:
    """The operative specimen gives the pTNM; after a first drug treatment it is a ypTNM, often smaller."""
    tumour.operated = True
    if not tumour.ctnm:
        return
    t, n, _ = re.match(r"c(T\w+?)(N\d\w?)(M\d)", tumour.ctnm).groups()  # type: ignore[union-attr]
    t = {"T1c": "T2", "T2a": "T2"}.get(t, t) if tumour.cancer.key == "prostate" else t
    if after and rng.random() < 0.3:
        t, n = "T1", "N0"
    elif after and rng.random() < 0.4:
        t = "T1"
    tumour.ptnm = f"{'yp' if after else 'p'}{t}{n}M0"


def _relapse(rng: Random, life: Life, tumour: Tumour, date: dt.date) -> dt.date:
    if date > TODAY - dt.timedelta(days=15):
        return TODAY
    _stop_care(life, tumour, date)
    raw = tumour.cancer.raw
    if raw.get("haematology"):
        life.happenings.append(Happening("local_recurrence", date, tumour))
        return _advanced(rng, life, tumour, date + dt.timedelta(days=rng.randint(10, 30)), [])
    dice = rng.random()
    after = date + dt.timedelta(days=rng.randint(15, 40))
    if dice < 0.64:
        found = _draw_sites(rng, tumour.cancer)
        life.happenings.append(Happening("metastatic_recurrence", date, tumour, found))
        return _advanced(rng, life, tumour, after, found)
    if dice < 0.84:
        life.happenings.append(Happening("local_recurrence", date, tumour, [tumour.cancer.organ.code]))
    else:
        life.happenings.append(Happening("regional_recurrence", date, tumour, [raw["regional"]]))
    if after < TODAY:
        step = "surgery mastectomie_simple" if tumour.cancer.key == "breast" and dice < 0.84 else "rt lit 50 25"
        if tumour.cancer.key == "melanoma":
            step = "surgery reprise_peau"
        life.cares.append(_step(rng, tumour, step, after))
        after = life.cares[-1].end or after
    later = after + dt.timedelta(days=rng.randint(300, 900))
    if rng.random() < 0.35 and later < TODAY - dt.timedelta(days=30):
        found = _draw_sites(rng, tumour.cancer)
        life.happenings.append(Happening("metastatic_recurrence", later, tumour, found))
        return _advanced(rng, life, tumour, later + dt.timedelta(days=20), found)
    return min(after, TODAY)


def _advanced(rng: Random, life: Life, tumour: Tumour, clock: dt.date, where: list[str]) -> dt.date:
    """Lines of treatment, a progression between two lines; then the last news or the end."""
    lines = tumour.cancer.raw["lines"][tumour.profile]
    count = min(len(lines), 1 + int(rng.random() * 3.2))
    if "C41.9" in where and rng.random() < 0.4 and clock < TODAY:
        life.cares.append(_step(rng, tumour, "rt os 30 10", clock))
        life.cares[-1].intent = "palliative"
    for number, spelling in enumerate(lines[:count], start=1):
        if clock >= TODAY:
            return TODAY
        cycles = rng.randint(4, 14)
        care = _prescribe(rng, tumour, spelling, clock, "palliative", cycles, number)
        if care.type == "cell_therapy":
            care.cycles, care.end = 1, care.start
        stop = care.start + dt.timedelta(days=rng.randint(110, 520))
        care.response = rng.choice(["partial", "partial", "complete", "stable", "stable"])
        life.cares.append(care)
        if stop >= TODAY:
            care.end = None if care.type != "cell_therapy" else care.end
            return TODAY
        if care.type != "cell_therapy":
            care.end = stop
        if tumour.cancer.raw.get("haematology") and number == 1 and rng.random() < 0.5:
            care.end = care.start + dt.timedelta(days=80)
            life.cares.append(_step(rng, tumour, "surgery autogreffe", care.start + dt.timedelta(days=110)))
            life.cares[-1].end = life.cares[-1].start
            return life.cares[-1].start
        last = number == count
        if last and rng.random() < 0.25:
            return stop
        site = [rng.choice(where)] if where else []
        life.happenings.append(Happening("progression", stop, tumour, site))
        clock = stop + dt.timedelta(days=rng.randint(14, 35))
        if rng.random() < 0.18:
            break
    if rng.random() < 0.85:
        life.death = min(clock + dt.timedelta(days=rng.randint(40, 300)), TODAY)
    return clock


def _second_cancer(rng: Random, life: Life, end: dt.date) -> None:
    first = life.tumours[0]
    date = max(end, first.date) + dt.timedelta(days=rng.randint(400, 1800))
    if life.death or date > TODAY - dt.timedelta(days=60):
        date = _day_between(rng, first.date + dt.timedelta(days=200), TODAY)
        if life.death or len(life.happenings) > 2 or date > TODAY - dt.timedelta(days=60):
            return
    others = [
        c
        for c in cancers().values()
        if c.key != first.cancer.key
        and c.raw["female"] != (0.0 if life.sex == "F" else 1.0)
        and not (c.key == "breast" and life.sex == "M")
        and {c.key, first.cancer.key} != {"colon", "rectum"}
    ]
    second = _draw_tumour(rng, _weighted(rng, others, lambda item: item.raw["weight"]), 2, date)
    life.tumours.append(second)
    _live_through(rng, life, second)


def _last_days(rng: Random, life: Life) -> None:
    """Nothing happens after a death; the last news are the death, or a recent date."""
    if life.death:
        for care in life.cares:
            if care.end is None or care.end > life.death:
                care.end = life.death - dt.timedelta(days=rng.randint(10, 40))
        life.cares = [care for care in life.cares if care.end and care.start <= care.end]
        life.happenings = [item for item in life.happenings if item.date <= life.death]
        life.happenings.append(Happening("death", life.death, None))
        life.last_news = life.death
        return
    latest = max([item.date for item in life.happenings] + [care.end or care.start for care in life.cares])
    life.last_news = min(TODAY, max(latest, _day_between(rng, latest, TODAY)))


def _alarms(rng: Random, life: Life) -> None:
    """A suspicious image in the follow-up of some patients without metastases, refuted within weeks."""
    tumour = life.tumours[0]
    if tumour.metastatic or tumour.cancer.raw.get("haematology"):
        return
    events = [h.date for h in life.happenings if h.tumour is tumour and h.type.endswith(("recurrence", "progression"))]
    start = tumour.date + dt.timedelta(days=240)
    stop = min([*events, life.last_news]) - dt.timedelta(days=60)
    if start < stop and rng.random() < 0.4:
        site = sites()[
            rng.choice(
                [code for code in ("C22.0", "C34.9", "C41.9") if code in tumour.cancer.raw["sites"]] or ["C22.0"]
            )
        ]
        date = _day_between(rng, start, stop)
        refuted = date + dt.timedelta(days=rng.randint(10, 35))
        life.alarms.append(Alarm(date, refuted, site.code, rng.choice(site.benign), tumour))


def _stop_care(life: Life, tumour: Tumour, date: dt.date) -> None:
    for care in life.cares:
        if care.tumour is tumour and (care.end is None or care.end > date):
            care.end = date
    life.cares = [care for care in life.cares if care.tumour is not tumour or care.start < date]


def _chance(step: str) -> float:
    found = re.search(r"\?([\d.]+)$", step)
    return float(found.group(1)) if found else 1.0


def _weighted(rng: Random, items: list[Any], weight: Any) -> Any:
    return rng.choices(items, weights=[weight(item) for item in items])[0]


def _day_between(rng: Random, first: dt.date, last: dt.date) -> dt.date:
    return first + dt.timedelta(days=rng.randrange(max(1, (last - first).days)))
