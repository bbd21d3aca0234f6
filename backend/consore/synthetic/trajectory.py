"""The lives that the fictional centre has treated: drawn first, written about afterwards, so that the truth is known.

Every date is consistent: a diagnosis, its care, what came back and when, never after `TODAY`, a death, or the last news
of someone lost to follow-up. What is drawn from what: `README.md`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from consore.synthetic.knowledge import (
    Cancer,
    Course,
    Drug,
    Histology,
    Place,
    Step,
    SurgicalAct,
    Table,
    acts,
    cancer_table,
    cancers,
    course,
    health,
    labs,
    names,
    sites,
)

TODAY = dt.date(2026, 11, 20)
FIRST_DIAGNOSIS = dt.date(2012, 2, 1)

_BENIGN, _OPPOSED, _MERGED, _DUPLICATE, _LOST = 0.06, 0.03, 0.02, 0.01, 0.04
_SYNCHRONOUS, _METACHRONOUS = 0.014, 0.14
_INHERITED_SECOND = 0.18
_NO_SUBDIVISION = {"C19", "C20", "C23", "C37", "C52", "C56", "C61", "C64", "C73"}
_NOT_A_RESECTION = {
    "PROC:turb",
    "PROC:metastasectomy",
    "PROC:ablation",
    "PROC:neck_dissection",
    "PROC:lymph_node_dissection",
    "PROC:axillary_dissection",
    "PROC:chemoembolisation",
    "PROC:craniotomy",
}
_AROMATASE = ("létrozole", "anastrozole", "exémestane")


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

    @property
    def cim10(self) -> str:
        """The French CIM-10 code of the tumour; of the quarter or lobe where the classification has one."""
        general, place = self.cancer.cim10, self.place.code
        if place[:3] != general[:3] or general[:3] in _NO_SUBDIVISION:
            return general
        return place


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
    if rng.random() < _BENIGN:
        return _benign_life(rng, ipp, split)
    cancer = cancer_table().draw(rng)
    sex = "F" if rng.random() < cancer.raw["female"] else "M"
    date = _day_between(rng, FIRST_DIAGNOSIS, TODAY - dt.timedelta(days=40))
    life = _identity(rng, ipp, split, sex, date, _age(rng, cancer.raw), bool(cancer.raw.get("smoker")))
    tumour = _draw_tumour(rng, cancer, 1, date, life)
    _inherit(rng, life, tumour)
    _comorbidities(rng, life, date, cirrhosis=rng.random() < cancer.raw.get("cirrhosis", 0))
    _Story(rng, life, _horizon(rng, life, date)).tell(tumour)
    return life


def _age(rng: Random, raw: dict[str, Any]) -> float:
    mean, spread, low, high = (float(value) for value in raw["age"])
    if "age2" in raw and rng.random() < raw["age2"][0]:
        _, mean, spread = raw["age2"]
    return min(high, max(low, rng.gauss(mean, spread)))


def _identity(rng: Random, ipp: str, split: str, sex: str, date: dt.date, age: float, smoker: bool) -> Life:
    """A person of `age` years on `date`."""
    pool = names()[split]
    family_name = rng.choice(pool["families"])
    married = sex == "F" and rng.random() < 0.6
    postcode, town = rng.choice(pool["towns"])
    given_names = pool["female" if sex == "F" else "male"]
    # Families and given names are in no order of frequency; common given names come back, as they do.
    life = Life(
        ipp=ipp,
        family_name=family_name,
        birth_name=rng.choice(pool["families"]) if married else family_name,
        given_name=given_names[int(len(given_names) * rng.random() ** 1.3)],
        sex=sex,
        birth=date - dt.timedelta(days=int(age * 365.25) + rng.randrange(360)),
        postcode=postcode,
        town=town,
        opposed=rng.random() < _OPPOSED,
        pack_years=rng.randint(8, 60) if rng.random() < (0.85 if smoker else 0.25) else 0,
    )
    life.past = [act for act in ("cholecystectomie", "appendicectomie") if rng.random() < 0.14]
    number = int(ipp[-6:]) if ipp[-6:].isdigit() else None
    dice = rng.random()
    if dice < _MERGED:
        other = f"{ipp[:-6]}{900000 + number % 100000:06d}" if number is not None else f"{ipp}-2"
        life.merged_ipps = [(other, _day_between(rng, date + dt.timedelta(days=5), TODAY))]
    elif dice < _MERGED + _DUPLICATE:
        life.duplicate_ipp = f"{ipp[:-6]}{800000 + number % 100000:06d}" if number is not None else f"{ipp}-3"
    return life


def _horizon(rng: Random, life: Life, date: dt.date) -> dt.date:
    """The day after which nothing is known: today, a death of another cause, or the last visit of someone lost.

    Deaths of other causes follow Gompertz, close to the French life table (Insee, 2020-2022): half of men live to 82,
    half of women to 87. Smoking doubles them (Santé publique France, 2015), cirrhosis multiplies them by six (order of
    magnitude).
    """
    slope, level = 0.1, 2.1e-5 if life.sex == "M" else 1.15e-5
    level *= 1.7 if life.pack_years else 0.85
    level *= 6 if any(item.cim10 == "K74.6" for item in life.comorbidities) else 1
    start = (date - life.birth).days / 365.25
    years = math.log(1 - slope * math.log(1 - rng.random()) / (level * math.exp(slope * start))) / slope
    natural = date + dt.timedelta(days=40 + int(years * 365.25))
    if rng.random() < _LOST:
        left = _day_between(rng, date + dt.timedelta(days=150), TODAY)
        if left < min(natural, TODAY - dt.timedelta(days=600)):
            life.lost = True
            return left
    if natural < TODAY:
        life.death = natural
    return min(natural, TODAY)


def _inherit(rng: Random, life: Life, tumour: Tumour) -> None:
    """A constitutional variant for some, with the cancers of relatives that come with it; else chance cancers."""
    raw = tumour.cancer.raw
    profile = next(item for item in raw["profiles"] if item["name"] == tumour.profile)
    dice = rng.random() * (1.0 if life.age(tumour.date) < 60 else 1.8)
    for gene, share in {**raw.get("predispositions", {}), **profile.get("predispositions", {})}.items():
        dice -= share * 1.3
        if dice < 0:
            known = health()["predispositions"][gene]
            variant = rng.choice(known["variants"])
            life.predisposition = Predisposition(gene, variant, tuple(known["syndrome"]))
            tumour.alterations[gene] = variant
            codes = rng.sample(known["relatives"], min(len(known["relatives"]), rng.randint(1, 3)))
            life.family = [_relative(rng, code) for code in codes]
            return
    if rng.random() < 0.38:
        life.family = [_relative(rng, _relatives().draw(rng)) for _ in range(1 if rng.random() < 0.75 else 2)]


@lru_cache
def _relatives() -> Table[str]:
    return Table((code, item["weight"]) for code, item in health()["relatives"]["cancers"].items())


def _relative(rng: Random, code: str) -> tuple[str, str, str]:
    told = health()["relatives"]
    cancer = told["cancers"][code]
    who = {"F": told["women"], "M": told["men"]}.get(cancer.get("sex", ""), told["women"] + told["men"])
    return rng.choice(who), code, cancer["words"]


def _comorbidities(rng: Random, life: Life, date: dt.date, cirrhosis: bool = False) -> None:
    decades = (life.age(date) - 65) / 10
    for item in health()["comorbidities"]:
        share = item["share"] * item["growth"] ** decades
        if life.pack_years:
            share *= item.get("smoker", 1.0)
        if rng.random() < share or (cirrhosis and item.get("cirrhosis")):
            since = max(date - dt.timedelta(days=rng.randint(200, 5500)), life.birth + dt.timedelta(days=365 * 16))
            life.comorbidities.append(Comorbidity(item["cim10"], tuple(item["words"]), min(since, date)))


def _benign_life(rng: Random, ipp: str, split: str) -> Life:
    """Someone seen for a lesion that turned out benign."""
    date = _day_between(rng, FIRST_DIAGNOSIS, TODAY - dt.timedelta(days=40))
    item = _benign_table().draw(rng)
    sex = item["sex"] or rng.choice("FM")
    life = _identity(rng, ipp, split, sex, date, min(88.0, max(20.0, rng.gauss(54, 15))), smoker=False)
    _comorbidities(rng, life, date)
    if rng.random() < 0.2:
        life.family = [_relative(rng, _relatives().draw(rng))]
    life.benign.append(Benign(tuple(item["words"]), item["topography"], date))
    life.last_news = _horizon(rng, life, date) if rng.random() < 0.3 else date + dt.timedelta(days=rng.randint(5, 35))
    if life.death:
        life.last_news = life.death
        life.happenings.append(Happening("death", life.death, None))
    for code in ("HB", "PNN", "PLQ", "CREAT"):
        life.labs.append(_count(rng, code, date, 0.0))
    return life


@lru_cache
def _benign_table() -> Table[dict[str, Any]]:
    return Table((item, item["share"]) for item in health()["benign"])


def _draw_tumour(rng: Random, cancer: Cancer, rank: int, date: dt.date, life: Life) -> Tumour:
    raw = cancer.raw
    stage = cancer.stage_table.draw(rng)
    histology = cancer.histology_table.draw(rng)
    age = life.age(date)
    profile = cancer.profile_tables[histology.code].draw(rng)
    low, high = profile.get("ages", (0, 150))
    if not low <= age <= high:
        profile = next(item for item in raw["profiles"] if item.get("ages", (0, 150))[0] <= age <= item["ages"][1])
    grades = stage.get("grades") or profile.get("grades") or raw["grades"]
    tnm = rng.choice(stage["t"]) + rng.choice(stage["n"]) + stage["m"] if stage["t"] else None
    place = cancer.place_table.draw(rng)
    known = {**profile["biomarkers"], **stage.get("biomarkers", {})}
    tumour = Tumour(
        rank=rank,
        cancer=cancer,
        place=place,
        histology=histology,
        side=rng.choice(("left", "right")) if cancer.lateral else None,
        date=date,
        stage=stage["stage"],
        ctnm=f"c{tnm}" if tnm else None,
        ptnm=None,
        grade=rng.choice(grades) if grades else None,
        profile=profile["name"],
        biomarkers={code: _biomarker(rng, values) for code, values in known.items()},
        alterations={gene: rng.choice(values) for gene, values in profile["alterations"].items()},
    )
    if tnm:
        skin = place.code.startswith("C44")
        tumour.size_mm = rng.randint(4, 32) if skin else _size(rng, tumour.ctnm or "")
    if stage["m"] == "M1":
        tumour.sites = _draw_sites(rng, cancer)
    if cancer.key == "hcc" and rng.random() < 0.35:
        tumour.method = "imagerie"
    elif cancer.key == "thyroid" or (cancer.raw.get("haematology") and cancer.organ.code.startswith("C42")):
        tumour.method = "cytologie"
    life.tumours.append(tumour)
    return tumour


def _size(rng: Random, tnm: str) -> int:
    low, high = {"0": (1, 2), "1": (6, 20), "2": (21, 49), "3": (42, 85), "4": (50, 110)}.get(tnm[2:3], (8, 40))
    return rng.randint(low, high)


def _biomarker(rng: Random, values: list[Any]) -> tuple[str, str | None]:
    status, *bounds = values
    if not bounds:
        return status, None
    low, high = bounds
    if high > 100:  # concentrations: many are low, few are very high
        return status, str(round(low * (high / max(low, 1)) ** rng.random()))
    number = rng.randint(low, high)
    if high - low > 15 and status:
        number = round(number, -1) or 5
    elif high - low > 15:
        number = 5 * round(number / 5) or 1
    return status, str(number)


def _draw_sites(rng: Random, cancer: Cancer) -> list[str]:
    weights = dict(cancer.raw["sites"])
    found: list[str] = []
    dice = rng.random()
    for _ in range(1 if dice < 0.62 else 2 if dice < 0.9 else 3):
        if weights:
            code = Table(weights.items()).draw(rng)
            weights.pop(code)
            found.append(code)
    return found


class _Story:
    """Tells what happens to one life from its first diagnosis to `stop`, the day after which nothing is known."""

    def __init__(self, rng: Random, life: Life, stop: dt.date) -> None:
        self.rng = rng
        self.life = life
        self.stop = stop

    def tell(self, tumour: Tumour) -> None:
        """The first tumour, perhaps a second, and the end."""
        self._live_through(tumour)
        self._second_cancer(tumour)
        self._end()
        self._alarms()
        self._performance()
        self._labs()

    # The course of a tumour

    def _live_through(self, tumour: Tumour) -> None:
        """Care of one tumour from its diagnosis on."""
        rng = self.rng
        kind = "initial" if tumour.rank == 1 else "second_cancer"
        self._happen(kind, tumour.date, tumour, list(tumour.sites))
        clock = tumour.date + dt.timedelta(days=rng.randint(18, 45))
        age = self.life.age(tumour.date)
        plan = next(
            (p for p in tumour.cancer.plans if p.fits(tumour.stage, tumour.profile, tumour.place.code, age)), None
        )
        if plan is None:
            self._advanced(tumour, clock, tumour.sites)
            return
        steps = [step for step in plan.steps if rng.random() < step.chance]
        clock = self._cure(tumour, steps if steps or plan.watch else list(plan.steps[:1]), clock)
        if clock >= self.stop:
            return
        cared = bool(steps) or not plan.watch
        if cared and rng.random() < 0.6:
            remission = clock + dt.timedelta(days=rng.randint(60, 110))
            if remission < self.stop:
                self._happen("remission", remission, tumour)
        relapse = tumour.cancer.raw["relapse"]
        chance = relapse.get("any", relapse.get(tumour.stage.rstrip("ABC123"), 0.3))
        if rng.random() < chance:
            days = tumour.cancer.raw["relapse_days"] * math.exp(rng.gauss(0, 0.6))
            self._relapse(tumour, clock + dt.timedelta(days=max(120, int(days))))

    def _cure(self, tumour: Tumour, steps: list[Step], clock: dt.date) -> dt.date:
        """The first care; gives the date when the next thing may happen."""
        before = False
        started = clock
        for number, step in enumerate(steps, start=1):
            care = self._step(tumour, step, started if step.together else clock)
            if care is None:
                continue
            if care.start > self.stop:
                break
            if care.type in ("radiotherapy", "chemotherapy") and any(_resects(later) for later in steps[number:]):
                care.intent = "neoadjuvant"
            self._give(care)
            if care.type == "surgery" and care.act and care.act.local not in _NOT_A_RESECTION:
                self._operate(tumour, care.act, after=before)
            before = before or care.intent == "neoadjuvant"
            # Hormones and maintenance run for years: the story goes on while they last.
            end = care.end or self.stop
            long_run = care.intent == "adjuvant" and (end - care.start).days > 300
            done = (care.start if long_run else min(end, self.stop)) + dt.timedelta(days=self.rng.randint(20, 45))
            clock = max(clock, done)
            started = care.start if care.course else clock
        return clock

    def _step(self, tumour: Tumour, step: Step, start: dt.date) -> Care | None:
        if step.kind == "surgery":
            act = acts()[_preferred(self.rng, step.options)]
            intent = "palliative" if act.local == "PROC:chemoembolisation" else "curative"
            return Care(act.kind, tumour, start, start, intent, act=act)
        if step.kind == "rt":
            end = start + dt.timedelta(days=max(1, int(step.fractions * 1.4)))
            care = Care("radiotherapy", tumour, start, end, "curative")
            care.target, care.dose, care.fractions = step.options[0], step.dose, step.fractions
            return care
        return self._prescribe(tumour, step.options, start, step.intent, step.cycles)

    def _prescribe(
        self,
        tumour: Tumour,
        options: tuple[str, ...],
        start: dt.date,
        intent: str,
        cycles: int,
        line: int | None = None,
    ) -> Care | None:
        """One of the courses that exist on that day and suit the patient; None when there is none."""
        given = self._suited(tumour, [course(option) for option in options], start)
        if not given:
            return None
        chosen = _preferred(self.rng, given)
        length = cycles * 30 if chosen.kind == "hormonotherapy" and cycles >= 24 else cycles * chosen.days
        end: dt.date | None = start + dt.timedelta(days=max(1, length - chosen.days))
        if end and end > self.stop:
            end = None
        care = Care(chosen.kind, tumour, start, end, intent, line=line, course=chosen, cycles=cycles)
        care.doses = [f"{drug.name} {drug.dose}" for drug in chosen.drugs if drug.dose]
        if care.type == "cell_therapy":
            care.cycles, care.end = 1, start
        return care

    def _suited(self, tumour: Tumour, options: list[Course], start: dt.date) -> list[Course]:
        found = [option for option in options if option.since <= start.year]
        if tumour.cancer.key == "breast" and (self.life.sex == "M" or self.life.age(start) < 50):
            # No aromatase inhibitor alone for a man, nor before the menopause: tamoxifen.
            alone = [o for o in found if not (len(o.drugs) == 1 and o.drugs[0].name in _AROMATASE)]
            return alone or ([course("tamoxifène")] if found else [])
        return found

    def _give(self, care: Care) -> None:
        rng = self.rng
        told = health()["toxicities"].get(care.type)
        if told and rng.random() < 0.45:
            care.toxicities = [(word, rng.choice((1, 1, 2, 2, 3))) for word in rng.sample(told, rng.randint(1, 2))]
        self.life.cares.append(care)

    def _operate(self, tumour: Tumour, act: SurgicalAct, after: bool) -> None:
        """The operative specimen gives the pTNM; after a first drug treatment it is a ypTNM, often smaller."""
        rng = self.rng
        if tumour.operated:
            return
        tumour.operated = True
        found = re.match(r"c(T\w+?)(N[\dx]\w?)(M\d)", tumour.ctnm or "")
        if not found or tumour.metastatic:
            return
        t, n, _ = found.groups()
        t = {"T1c": "T2", "T2a": "T2"}.get(t, t) if tumour.cancer.key == "prostate" else t
        dice = rng.random()
        if after and dice < 0.2:
            t, n = "T0", "N0"
        elif after and dice < 0.45:
            t, n = "T1", "N0"
        elif after and dice < 0.7:
            t = "T1"
        tumour.ptnm = f"{'yp' if after else 'p'}{t}{n}M0"
        if act.key in ("tumorectomie", "mastectomie_simple"):
            tumour.nodes = (rng.randint(1, 4), 0 if n == "N0" else 1)
        elif act.local not in ("PROC:skin_excision", "PROC:sarcoma_resection", "PROC:conisation", "PROC:orchiectomy"):
            most = {"0": (0, 0), "1": (1, 3), "2": (4, 9), "3": (10, 14)}.get(n[1:2], (0, 0))
            tumour.nodes = (rng.randint(max(8, most[1]), 26), rng.randint(*most))

    def _relapse(self, tumour: Tumour, date: dt.date) -> None:
        rng, raw = self.rng, tumour.cancer.raw
        if date > self.stop - dt.timedelta(days=15):
            return
        self._stop_care(tumour, date)
        after = date + dt.timedelta(days=rng.randint(15, 40))
        if raw.get("haematology") or raw["relapse_kinds"][1] == 100:
            self._happen("local_recurrence", date, tumour, [] if raw.get("haematology") else [tumour.cancer.organ.code])
            self._advanced(tumour, after, [])
            return
        kind = Table(zip(("metastatic", "local", "regional"), raw["relapse_kinds"], strict=True)).draw(rng)
        if kind == "metastatic":
            self._spread(tumour, date, after)
            return
        where, steps = (
            (tumour.cancer.organ.code, tumour.cancer.local)
            if kind == "local"
            else (raw["regional"], tumour.cancer.regional_care)
        )
        self._happen(f"{kind}_recurrence", date, tumour, [where])
        after = self._cure(tumour, list(steps), after)
        later = after + dt.timedelta(days=max(120, int(raw["relapse_days"] * 0.6 * math.exp(rng.gauss(0, 0.5)))))
        if raw["sites"] and rng.random() < raw.get("spread_later", 0.4) and later < self.stop - dt.timedelta(days=30):
            self._stop_care(tumour, later)
            self._spread(tumour, later, later + dt.timedelta(days=20))

    def _spread(self, tumour: Tumour, date: dt.date, after: dt.date) -> None:
        found = _draw_sites(self.rng, tumour.cancer)
        self._happen("metastatic_recurrence", date, tumour, found)
        self._advanced(tumour, after, found)

    def _advanced(self, tumour: Tumour, clock: dt.date, where: list[str]) -> None:
        """Lines of treatment, a progression between two lines; then the last news or the end."""
        rng, life, raw = self.rng, self.life, tumour.cancer.raw
        lines = tumour.cancer.lines(tumour.profile)
        pace, number = raw["pace"], 0
        if clock < self.stop and rng.random() < 0.5:
            target = "os 30 10" if "C41.9" in where else "lésion_cérébrale 33 3" if "C71.9" in where else ""
            if target:
                word, dose, fractions = target.split()
                end = clock + dt.timedelta(days=int(fractions))
                rays = Care("radiotherapy", tumour, clock, min(end, self.stop), "palliative")
                rays.target, rays.dose, rays.fractions = word, int(dose), int(fractions)
                self._give(rays)
        for options in lines:
            if clock >= self.stop:
                return
            # Fewer are fit for each further line; the very old often have none.
            if rng.random() > (0.94 if number == 0 else 0.68) * (0.75 if life.age(clock) > 82 else 1.0):
                break
            care = self._prescribe(tumour, options, clock, "palliative", 6, number + 1)
            if care is None or self._same_as_before(care):
                continue
            number += 1
            stop = care.start + dt.timedelta(
                days=max(50, int(240 * pace * 0.88**number * math.exp(rng.gauss(0, 0.55))))
            )
            assert care.course is not None
            if care.type != "cell_therapy":
                care.cycles = max(1, (stop - care.start).days // care.course.days + 1)
                care.end = stop
            else:
                stop += dt.timedelta(days=200)
            # A line that lasts less than a hundred days has mostly met a disease that grew.
            if stop >= care.start + dt.timedelta(days=100) or rng.random() < 0.4:
                weights = (45, 9 if number == 1 else 3, 46)
                care.response = rng.choices(("partial", "complete", "stable"), weights)[0]
            self._give(care)
            if stop >= self.stop:
                care.end = None if care.type != "cell_therapy" else care.end
                return
            act = self._act_after(tumour, care, where)
            if act:
                if act.kind == "transplant":  # consolidates a few cycles
                    care.end = min(stop, care.start + dt.timedelta(days=80))
                day = (care.end or stop) + dt.timedelta(days=30)
                if day < self.stop:
                    self._give(Care(act.kind, tumour, day, day, "curative", act=act))
                    if rng.random() < (0.55 if act.kind == "transplant" else 0.25):
                        return
                    stop = day + dt.timedelta(days=rng.randint(200, 900))
                    if stop >= self.stop:
                        return
            site = [rng.choice(where)] if where else []
            self._happen("progression", stop, tumour, site)
            clock = stop + dt.timedelta(days=rng.randint(14, 35))
        if rng.random() < 0.93:
            self._die(clock + dt.timedelta(days=max(12, int(110 * pace**0.5 * math.exp(rng.gauss(0, 0.8))))))

    def _act_after(self, tumour: Tumour, care: Care, where: list[str]) -> SurgicalAct | None:
        """A transplant, or the removal of metastases, for some of those who respond to a line."""
        raw, age = tumour.cancer.raw, self.life.age(care.start)
        graft = raw.get("transplant")
        if graft and care.response and care.line == graft["line"] and age < graft["below"]:
            return acts()[graft["act"]] if self.rng.random() < graft["share"] else None
        removal = (
            raw.get("metastasectomy", {}).get(where[0]) if len(where) == 1 and care.line == 1 and age < 80 else None
        )
        if removal and care.response in ("partial", "complete") and self.rng.random() < 0.35:
            return acts()[removal]
        return None

    def _same_as_before(self, care: Care) -> bool:
        given = {
            drug.name
            for earlier in self.life.cares
            if earlier.line and earlier.tumour is care.tumour
            for drug in earlier.drugs
        }
        return bool(given) and {drug.name for drug in care.drugs} <= given

    def _die(self, date: dt.date) -> None:
        if date <= self.stop and not self.life.lost:
            self.life.death = self.stop = date

    def _stop_care(self, tumour: Tumour, date: dt.date) -> None:
        kept = []
        for care in self.life.cares:
            if care.tumour is tumour and (care.end is None or care.end > date):
                care.end = date
            if care.tumour is not tumour or care.start < date:
                kept.append(care)
        self.life.cares = kept

    def _happen(self, kind: str, date: dt.date, tumour: Tumour | None, where: list[str] | None = None) -> None:
        self.life.happenings.append(Happening(kind, date, tumour, where or []))

    # A second cancer

    def _second_cancer(self, first: Tumour) -> None:
        """Synchronous (within six months), metachronous, or of the other breast or lung."""
        rng, life = self.rng, self.life
        key = first.cancer.key
        gene = life.predisposition.gene if life.predisposition else ""
        dice = rng.random()
        contralateral = first.cancer.raw.get("contralateral", 0.0)
        inherited = _INHERITED_SECOND if gene else 0.0
        if dice < _SYNCHRONOUS:
            date = first.date + dt.timedelta(days=rng.choice((0, rng.randint(1, 180))))
        elif dice < _SYNCHRONOUS + _METACHRONOUS + contralateral + inherited:
            date = first.date + dt.timedelta(days=rng.randint(250, 4800))
        else:
            return
        advanced = min((care.start for care in life.cares if care.line), default=self.stop)
        if date > min(self.stop, advanced) - dt.timedelta(days=60):
            return
        same = _SYNCHRONOUS + _METACHRONOUS <= dice < _SYNCHRONOUS + _METACHRONOUS + contralateral
        if same:
            cancer = first.cancer
        else:
            related = [
                c for c in health()["predispositions"].get(gene, {}).get("cancers", ()) if self._may_have(c, first)
            ]
            drawn = rng.choice(related) if related and rng.random() < 0.7 else self._other(first, life.age(date))
            if drawn is None:
                return
            cancer = cancers()[drawn]
        second = _draw_tumour(rng, cancer, 2, date, life)
        if same:
            second.side = "right" if first.side == "left" else "left"
        if life.predisposition and (gene in second.alterations or key in health()["predispositions"][gene]["cancers"]):
            second.alterations[gene] = life.predisposition.variant
        self._live_through(second)

    def _other(self, first: Tumour, age: int) -> str | None:
        for _ in range(12):
            cancer = cancer_table().draw(self.rng)
            mean, spread, *_ = cancer.raw["age"]
            likely = math.exp(-(((age - mean) / spread) ** 2) / 2)  # as often as at this age
            if self.rng.random() < likely and self._may_have(cancer.key, first):
                return cancer.key
        return None

    def _may_have(self, key: str, first: Tumour) -> bool:
        cancer = cancers()[key]
        fits = cancer.raw["female"] != (0.0 if self.life.sex == "F" else 1.0)
        colorectal = {key, first.cancer.key} == {"colon", "rectum"}
        lungs = {key, first.cancer.key} == {"lung", "sclc"}
        male_breast = key == "breast" and self.life.sex == "M"
        return fits and key not in (first.cancer.key, "cup") and not (colorectal or lungs or male_breast)

    # The end

    def _end(self) -> None:
        """Nothing happens after the last day that is known; the last news are a death, or a recent date."""
        life, stop = self.life, self.stop
        if life.death:
            life.death = stop = min(life.death, stop)
        life.tumours = [tumour for tumour in life.tumours if tumour.date <= stop]
        life.happenings = [item for item in life.happenings if item.date <= stop]
        life.cares = [care for care in life.cares if care.start <= stop]
        if life.death:
            life.cares = [
                care for care in life.cares if care.start < stop - dt.timedelta(days=3) or care.end == care.start
            ]
        for care in life.cares:
            if life.death and (care.end is None or care.end >= stop):
                care.end = max(care.start, stop - dt.timedelta(days=self.rng.randint(10, 40)))
                if not care.act and not care.dose and (care.end - care.start).days < 70:
                    care.response = None
            elif life.lost and (care.end is None or care.end > stop):
                care.end = stop
            elif care.end and care.end > stop:
                care.end = None
        for tumour in life.tumours:
            if tumour.ptnm and not any(care.tumour is tumour and care.type == "surgery" for care in life.cares):
                tumour.ptnm, tumour.nodes, tumour.operated = None, None, False
        life.happenings.sort(key=lambda item: item.date)
        life.cares.sort(key=lambda care: care.start)
        if life.death:
            self._happen("death", life.death, None)
            life.last_news = life.death
            return
        latest = max([item.date for item in life.happenings] + [care.end or care.start for care in life.cares])
        if life.lost:
            life.last_news = stop
        elif any(care.end is None for care in life.cares):  # under treatment: seen these last weeks
            life.last_news = max(latest, stop - dt.timedelta(days=self.rng.randint(1, 40)))
        else:
            life.last_news = max(latest, _day_between(self.rng, latest, stop))
        for care in life.cares:
            if care.end is None and (life.last_news - care.start).days < 70:
                care.response = None

    def _alarms(self) -> None:
        """A suspicious image in the follow-up of some patients without metastases, refuted within weeks."""
        rng, life = self.rng, self.life
        tumour = life.tumours[0]
        if tumour.metastatic or not tumour.cancer.raw["sites"]:
            return
        bad = [h.date for h in life.happenings if h.tumour is tumour and h.type.endswith(("recurrence", "progression"))]
        start = tumour.date + dt.timedelta(days=240)
        stop = min([*bad, life.last_news]) - dt.timedelta(days=60)
        if start < stop and rng.random() < 0.4:
            usual = [code for code in ("C22.0", "C34.9", "C41.9") if code in tumour.cancer.raw["sites"]]
            site = sites()[rng.choice(usual or ["C22.0"])]
            date = _day_between(rng, start, stop)
            refuted = date + dt.timedelta(days=rng.randint(10, 35))
            life.alarms.append(Alarm(date, refuted, site.code, rng.choice(site.benign), tumour))

    def _performance(self) -> None:
        """WHO performance status at each diagnosis and each line; it worsens."""
        rng, life = self.rng, self.life
        dates = sorted([tumour.date for tumour in life.tumours] + [care.start for care in life.cares if care.line])
        status = rng.choices((0, 1, 2), (58, 34, 8))[0]
        for date in dates:
            life.performance.append((date, status))
            status = min(3, status + (rng.random() < 0.35))

    # Biology

    def _labs(self) -> None:
        """The marker of each tumour along its course, and counts at diagnosis and under chemotherapy."""
        life = self.life
        for tumour in life.tumours:
            for code in ("HB", "PNN", "PLQ", "CREAT"):
                life.labs.append(_count(self.rng, code, tumour.date, 0.0))
            if "marker" in tumour.cancer.raw:
                self._marker(tumour, tumour.cancer.raw["marker"])
        for care in life.cares:
            if care.type != "chemotherapy" or care.course is None:
                continue
            last = min(care.end or life.last_news, life.last_news)
            for cycle in range(1, min(care.cycles, 3) + 1):
                date = care.start + dt.timedelta(days=care.course.days * cycle - 7)
                if date <= last:
                    for code in ("HB", "PNN", "PLQ"):
                        life.labs.append(_count(self.rng, code, date, self.rng.random()))
        life.labs.sort(key=lambda lab: lab.date)

    def _marker(self, tumour: Tumour, code: str) -> None:
        """High at diagnosis, low once the tumour is removed or responds, high again when it comes back."""
        rng, life, known = self.rng, self.life, labs()[code]
        low, high = known["late" if tumour.metastatic else "early"]
        told = tumour.biomarkers.get(code)
        level = float(told[1]) if told and told[1] else low * (high / low) ** rng.random()
        normal = max(known.get("low", 0.0) * 2.2, known["high"], known["early"][0]) * 0.5
        vanishing = code in ("PSA", "THYROGLOBULINE", "HCG")  # nothing else of the body makes them
        life.labs.append(_lab(code, tumour.date, level, known))
        floor = known.get("low", 0.0)
        turns: list[tuple[dt.date, float]] = []
        removed = False
        for care in life.cares:
            if care.tumour is not tumour:
                continue
            if care.act and care.act.kind != "transplant":
                removed = removed or care.type == "surgery"
                turns.append((care.start + dt.timedelta(days=45), 0.02 if vanishing else normal * 1.1))
            elif care.response in ("partial", "complete"):
                turns.append((care.start + dt.timedelta(days=80), 0.3 if care.response == "partial" else 0.05))
            elif not care.line:
                after = normal * rng.uniform(0.15, 0.6) if vanishing else normal * rng.uniform(0.8, 1.3)
                turns.append((care.start + dt.timedelta(days=90), 0.02 if removed and vanishing else after))
        for event in life.happenings:
            if event.tumour is tumour and event.type.endswith(("recurrence", "progression")):
                spread = event.type == "metastatic_recurrence" or bool(event.sites and tumour.metastatic)
                bounds = known["late" if spread or event.type == "progression" else "early"]
                turns.append((event.date, bounds[0] * (bounds[1] / bounds[0]) ** (0.15 + 0.7 * rng.random())))
        turns.sort()
        date, clock = tumour.date, 0
        for when, target in turns:
            if when > life.last_news:
                break
            level = max(level * target, floor) if target in (0.3, 0.05) else target
            life.labs.append(_lab(code, when, level * rng.uniform(0.9, 1.1), known))
            date = when
        while clock < 4:
            clock += 1
            date += dt.timedelta(days=rng.randint(150, 260))
            if date > life.last_news:
                return
            life.labs.append(_lab(code, date, level * rng.uniform(0.8, 1.25), known))


def _resects(step: Step) -> bool:
    """Whether a step removes the tumour."""
    found = [acts()[option] for option in step.options] if step.kind == "surgery" else []
    return any(act.kind == "surgery" and act.local not in _NOT_A_RESECTION for act in found)


def _lab(code: str, date: dt.date, value: float, known: dict[str, Any]) -> Lab:
    return Lab(date, code, round(value, known["digits"]), known["unit"], known.get("low"), known.get("high"))


def _count(rng: Random, code: str, date: dt.date, fall: float) -> Lab:
    """A count or creatinine; `fall` between 0 and 1 is how much of the chemotherapy's nadir there is."""
    known = labs()[code]
    mean, spread = known["usual"]
    value = max(mean * 0.55, rng.gauss(mean, spread)) * (1 - known["nadir"] * fall)
    return _lab(code, date, value, known)


def _preferred(rng: Random, options: Any) -> Any:
    """One of `options`, the first twice as often as each other."""
    return options[max(0, rng.randrange(len(options) + 1) - 1)]


def _day_between(rng: Random, first: dt.date, last: dt.date) -> dt.date:
    return first + dt.timedelta(days=rng.randrange(max(1, (last - first).days)))
