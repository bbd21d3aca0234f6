"""What the fictional centre knows of oncology: cancers, protocols, drugs, acts and sites, read from `data/*.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"

_PRECEDENCE = ("cell_therapy", "chemotherapy", "immunotherapy", "targeted", "hormonotherapy", "other")


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
    """A drug: INN in French, ATC code, brand names, treatment type when given alone."""

    name: str
    atc: str
    brands: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Course:
    """What is prescribed together: a protocol, drugs, or both. `days` between two cycles."""

    regimen: str | None
    drugs: tuple[Drug, ...]
    words: tuple[str, ...]
    days: int

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
class Cancer:
    """One kind of cancer. `raw` holds the tables that the trajectory draws from (`data/cancers.toml`)."""

    key: str
    label: str
    words: tuple[str, ...]
    cim10: str
    lateral: bool
    organ: Place
    places: tuple[Place, ...]
    histologies: tuple[Histology, ...]
    raw: dict[str, Any] = field(repr=False)


def _read(name: str) -> dict[str, Any]:
    with (DATA / name).open("rb") as file:
        return tomllib.load(file)


@lru_cache
def drugs() -> dict[str, Drug]:
    """Drugs by French INN."""
    return {
        name: Drug(name, codes[0], tuple(codes[1:]), kind)
        for kind, table in _read("drugs.toml").items()
        for name, codes in table.items()
    }


@lru_cache
def regimens() -> dict[str, dict[str, Any]]:
    """Protocols by code (`REG:FOLFOX`)."""
    return _read("regimens.toml")


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
        for key, item in _read("acts.toml").items()
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
        for code, item in _read("sites.toml").items()
    }


@lru_cache
def targets() -> dict[str, str]:
    """What radiotherapy aims at, with its article, by the word that plans use."""
    return _read("targets.toml")


@lru_cache
def diseases() -> dict[str, str]:
    """General words for a malignant disease, with the morphology that they state."""
    return _read("diseases.toml")


@lru_cache
def biomarkers() -> dict[str, dict[str, Any]]:
    """How biomarkers are written, by code."""
    return _read("biomarkers.toml")


@lru_cache
def cancers() -> dict[str, Cancer]:
    """Cancers by key."""
    return {
        key: Cancer(
            key=key,
            label=item["label"],
            words=tuple(item["words"]),
            cim10=item["cim10"],
            lateral=item["lateral"],
            organ=_place(item["organ"]),
            places=tuple(_place(place) for place in item["topographies"]),
            histologies=tuple(Histology(m["code"], tuple(m["words"])) for m in item["morphologies"]),
            raw=item,
        )
        for key, item in _read("cancers.toml").items()
    }


@lru_cache
def names() -> dict[str, Any]:
    """Invented identities, towns, units and authors."""
    return _read("names.toml")


@lru_cache
def course(spelling: str) -> Course:
    """A prescription as the data files write it: `REG:FOLFOX+bévacizumab`, `létrozole+palbociclib`."""
    regimen, given, words, days = None, [], (), 21
    for part in spelling.split("+"):
        if part.startswith("REG:"):
            regimen = part
            given += [drugs()[name] for name in regimens()[part]["drugs"]]
            words, days = tuple(regimens()[part]["words"]), regimens()[part]["days"]
        else:
            given.append(drugs()[part])
    if not regimen and all(drug.kind in ("hormonotherapy", "targeted") for drug in given):
        days = 28
    return Course(regimen, tuple(given), words, days)


def _place(item: dict[str, Any]) -> Place:
    return Place(item["code"], item["article"], tuple(item["words"]))
