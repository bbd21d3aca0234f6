"""What the fictional centre knows of oncology: cancers, protocols, drugs, acts and sites, read from `data/*.toml`.

The files name codes of `referentials`, and a test holds them to it; they are not read from there, so that a fictional
centre costs nothing to start and stays the same, byte for byte, whatever editions a site has imported.
"""

from __future__ import annotations

import tomllib
from bisect import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

DATA = Path(__file__).parent / "data"

_PRECEDENCE = ("cell_therapy", "chemotherapy", "immunotherapy", "targeted", "hormonotherapy", "other")

T = TypeVar("T")


class Table(Generic[T]):
    """Things drawn by weight."""

    __slots__ = ("_sums", "items")

    def __init__(self, weighted: Iterable[tuple[T, float]]) -> None:
        pairs = list(weighted)
        self.items = [item for item, _ in pairs]
        self._sums = list(accumulate(weight for _, weight in pairs))

    def __bool__(self) -> bool:
        return bool(self.items)

    def draw(self, rng: Random) -> T:
        """One of them, by weight."""
        return self.items[bisect(self._sums, rng.random() * self._sums[-1], hi=len(self.items) - 1)]


@dataclass(frozen=True, slots=True)
class Place:
    """An organ or a part of it. `code` is ICD-O-3; `article` agrees with every word of `words`."""

    code: str
    article: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Histology:
    """A morphology. `code` is ICD-O-3."""

    code: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug: INN in French, ATC code, brand names, treatment type when given alone, first year of use in France."""

    name: str
    atc: str
    brands: tuple[str, ...]
    kind: str
    since: int = 0
    dose: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """What is prescribed together: a protocol, drugs, or both. `days` between cycles; `since`: first year in use."""

    regimen: str | None
    drugs: tuple[Drug, ...]
    words: tuple[str, ...]
    days: int
    since: int = 0

    @property
    def kind(self) -> str:
        """The treatment type: any cytotoxic makes it chemotherapy, then immunotherapy, targeted, hormones."""
        kinds = {drug.kind for drug in self.drugs}
        return next(kind for kind in _PRECEDENCE if kind in kinds)

    @property
    def extra(self) -> tuple[Drug, ...]:
        """The drugs that the protocol's name does not say."""
        return tuple(d for d in self.drugs if not self.regimen or d.name not in regimens()[self.regimen]["drugs"])


@dataclass(frozen=True, slots=True)
class SurgicalAct:
    """An act: its CCAM code, the kind of procedure (`local`); `sides`: the side is written after it."""

    key: str
    code: str
    local: str
    words: tuple[str, ...]
    sides: bool
    kind: str
    second: str | None = None

    @property
    def name(self) -> str:
        """How the act is most often called."""
        return self.words[0].replace("*", "")


@dataclass(frozen=True, slots=True)
class Site:
    """A site of metastases, by ICD-O-3 topography (`cim10`: as a secondary tumour), and its benign look-alikes."""

    code: str
    cim10: str
    article: str
    nouns: tuple[str, ...]
    metastases: tuple[str, ...]
    lesion: str
    benign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: `options` are acts (`surgery`), a target (`rt`) or courses (`drugs`), the likelier first.

    `together`: it begins with the step before.
    """

    kind: str
    options: tuple[str, ...]
    intent: str = "curative"
    cycles: int = 0
    dose: int = 0
    fractions: int = 0
    chance: float = 1.0
    together: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done first, for some stages, profiles, places and ages (none named: any). `watch`: perhaps nothing."""

    stages: frozenset[str]
    profiles: frozenset[str]
    places: frozenset[str]
    ages: tuple[int, int]
    steps: tuple[Step, ...]
    watch: bool

    def fits(self, stage: str, profile: str, place: str, age: int) -> bool:
        """Whether the plan is for such a tumour."""
        return (
            (not self.stages or stage in self.stages)
            and (not self.profiles or profile in self.profiles)
            and (not self.places or place in self.places)
            and self.ages[0] <= age <= self.ages[1]
        )


@dataclass(frozen=True, slots=True)
class Cancer:
    """One kind of cancer. `raw` holds its table of `data/cancers.toml`; the rest is made ready to draw from."""

    key: str
    label: str
    words: tuple[str, ...]
    cim10: str
    lateral: bool
    organ: Place
    places: tuple[Place, ...]
    histologies: tuple[Histology, ...]
    raw: dict[str, Any] = field(repr=False)
    place_table: Table[Place] = field(repr=False)
    histology_table: Table[Histology] = field(repr=False)
    stage_table: Table[dict[str, Any]] = field(repr=False)
    profile_tables: dict[str, Table[dict[str, Any]]] = field(repr=False)
    plans: tuple[Plan, ...] = field(repr=False)
    local: tuple[Step, ...] = field(repr=False)
    regional_care: tuple[Step, ...] = field(repr=False)

    def __reduce__(self) -> tuple[Callable[[str], Cancer], tuple[str]]:
        """A cancer goes to another process by its key."""
        return _cancer, (self.key,)

    def lines(self, profile: str) -> list[tuple[str, ...]]:
        """The courses of each line of advanced disease, the likelier first."""
        lines = self.raw["lines"]
        return [tuple(line.split("|")) for line in lines.get(profile, lines.get("any", ()))]


def _cancer(key: str) -> Cancer:
    return cancers()[key]


def read_table(name: str) -> dict[str, Any]:
    """One of the files of `data`."""
    with (DATA / name).open("rb") as file:
        return tomllib.load(file)


@lru_cache
def drugs() -> dict[str, Drug]:
    """Drugs by French INN."""
    tables = read_table("drugs.toml")
    since, doses = tables.pop("since"), tables.pop("doses")
    return {
        name: Drug(name, codes[0], tuple(codes[1:]), kind, since.get(name, 0), doses.get(name, ""))
        for kind, table in tables.items()
        for name, codes in table.items()
    }


@lru_cache
def regimens() -> dict[str, dict[str, Any]]:
    """Protocols by code (`REG:FOLFOX`)."""
    return read_table("regimens.toml")


@lru_cache
def acts() -> dict[str, SurgicalAct]:
    """Acts by key."""
    return {
        key: SurgicalAct(
            key,
            item["code"],
            item["local"],
            tuple(item["words"]),
            item.get("sides", False),
            item.get("type", "surgery"),
            item.get("second"),
        )
        for key, item in read_table("acts.toml").items()
    }


@lru_cache
def sites() -> dict[str, Site]:
    """Metastatic sites by topography."""
    return {
        code: Site(
            code,
            item["cim10"],
            item["article"],
            tuple(item["nouns"]),
            tuple(item["metastases"]),
            item["lesion"],
            tuple(item["benign"]),
        )
        for code, item in read_table("sites.toml").items()
    }


@lru_cache
def targets() -> dict[str, str]:
    """What radiotherapy aims at, with its article, by the word that plans use."""
    return read_table("targets.toml")


@lru_cache
def diseases() -> dict[str, str]:
    """General words for a malignant disease, with the morphology that they state."""
    return read_table("diseases.toml")


@lru_cache
def biomarkers() -> dict[str, dict[str, Any]]:
    """How biomarkers are written, by code."""
    return read_table("biomarkers.toml")


@lru_cache
def health() -> dict[str, Any]:
    """Comorbidities, predispositions, benign lesions, relatives, toxicities."""
    return read_table("health.toml")


@lru_cache
def labs() -> dict[str, dict[str, Any]]:
    """Analyses of biology by code: unit, normal values, what they are in health and in disease."""
    return read_table("labs.toml")


@lru_cache
def cancers() -> dict[str, Cancer]:
    """Cancers by key."""
    return {key: _ready(key, item) for key, item in read_table("cancers.toml").items()}


def _ready(key: str, item: dict[str, Any]) -> Cancer:
    places = tuple(_place(place) for place in item["topographies"])
    histologies = tuple(Histology(m["code"], tuple(m["words"])) for m in item["morphologies"])
    return Cancer(
        key=key,
        label=item["label"],
        words=tuple(item["words"]),
        cim10=item["cim10"],
        lateral=item["lateral"],
        organ=_place(item["organ"]),
        places=places,
        histologies=histologies,
        raw=item,
        place_table=Table(zip(places, (place["weight"] for place in item["topographies"]), strict=True)),
        histology_table=Table(zip(histologies, (m["weight"] for m in item["morphologies"]), strict=True)),
        stage_table=Table((stage, stage["weight"]) for stage in item["stages"]),
        profile_tables={
            histology.code: Table(
                (profile, profile["weight"])
                for profile in item["profiles"]
                if histology.code in profile.get("morphologies", (histology.code,))
            )
            for histology in histologies
        },
        plans=tuple(_plan(plan) for plan in item["plans"]),
        local=tuple(_step(step) for step in item.get("local", ())),
        regional_care=tuple(_step(step) for step in item.get("regional_care", ())),
    )


def _plan(item: dict[str, Any]) -> Plan:
    return Plan(
        frozenset(item.get("stages", ())),
        frozenset(item.get("profiles", ())),
        frozenset(item.get("sites", ())),
        tuple(item.get("ages", (0, 150))),
        tuple(_step(step) for step in item["steps"]),
        item.get("watch", False),
    )


def _step(text: str) -> Step:
    """A step as plans write it: `surgery A|B`, `& rt TARGET Gy fractions`, `REG:X|drug+drug intent cycles ?chance`."""
    body, _, chance = text.partition(" ?")
    share, together, body = float(chance or 1), body.startswith("& "), body.removeprefix("& ")
    if body.startswith("surgery "):
        return Step("surgery", tuple(body.removeprefix("surgery ").split("|")), chance=share)
    if body.startswith("rt "):
        _, target, dose, fractions = body.split()
        return Step("rt", (target,), dose=int(dose), fractions=int(fractions), chance=share, together=together)
    spelling, intent, cycles = body.rsplit(maxsplit=2)
    return Step("drugs", tuple(spelling.split("|")), intent, int(cycles), chance=share)


@lru_cache
def cancer_table() -> Table[Cancer]:
    """The cancers by their incidence."""
    return Table((cancer, cancer.raw["weight"]) for cancer in cancers().values())


@lru_cache
def names() -> dict[str, Any]:
    """Invented identities, towns, units and authors."""
    return read_table("names.toml")


@lru_cache
def course(spelling: str) -> Course:
    """A prescription as the data files write it: `REG:FOLFOX+nivolumab@2021` (not before 2021), `létrozole`."""
    regimen, given, words, days = None, [], (), 21
    spelling, _, year = spelling.partition("@")
    for part in spelling.split("+"):
        if part.startswith("REG:"):
            regimen = part
            given += [drugs()[name] for name in regimens()[part]["drugs"]]
            words, days = tuple(regimens()[part]["words"]), regimens()[part]["days"]
        else:
            given.append(drugs()[part])
    if not regimen and all(drug.kind in ("hormonotherapy", "targeted") for drug in given):
        days = 28
    return Course(regimen, tuple(given), words, days, max([int(year or 0), *(drug.since for drug in given)]))


def _place(item: dict[str, Any]) -> Place:
    return Place(item["code"], item["article"], tuple(item["words"]))
