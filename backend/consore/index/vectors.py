"""A patient as 128 numbers, so that the engine can find whom they resemble before anything is compared in detail.

Each trait (site, histology, stage, event, drug…) is a fixed random direction of ±1, drawn from the trait's own name;
a patient is the weighted sum of theirs, made one long. Two patients are near when they share weighty traits. There is
nothing to train and nothing to keep: the same traits give the same numbers on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from consore.index.traits import PatientTraits

DIMENSIONS = 128
VERSION = 1  # raise it when weights or traits change: the index is then rebuilt

# What makes two patients alike, for a physician: first the disease, then its course, then its care.
SITE, SUBSITE, HISTOLOGY, HISTOLOGY_FAMILY = 3.0, 0.7, 1.6, 1.2
STAGE, METASTATIC_SITE, EVENT = 1.2, 1.0, 1.4
BIOMARKER, ALTERATION = 1.3, 1.3
TREATMENT_TYPE, DRUG_CLASS, DRUG, REGIMEN, ACT = 0.6, 0.5, 0.7, 0.6, 0.4
SEX, AGE = 0.8, 1.2


def vector(weights: dict[str, float]) -> list[float]:
    """The vector of a patient's weighted traits: 128 numbers of length 1; zeros where nothing is known."""
    total = np.zeros(DIMENSIONS)
    for trait, weight in sorted(weights.items()):
        total += weight * _direction(trait)
    length = float(np.linalg.norm(total))
    return [round(float(value), 6) for value in total / length] if length else [0.0] * DIMENSIONS


def weighted_traits(traits: PatientTraits) -> dict[str, float]:
    """The named traits of a patient, each with its weight; a trait counts once, with its greatest weight."""
    weights: dict[str, float] = {}
    for name, weight in _traits(traits):
        weights[name] = max(weight, weights.get(name, 0.0))
    return weights


def written_traits(weights: dict[str, float]) -> list[str]:
    """Weighted traits as words that a record can carry: `site:C50=3`."""
    return [f"{name}={weight:g}" for name, weight in sorted(weights.items())]


def read_traits(written: Iterable[str]) -> dict[str, float]:
    """Weighted traits as a record carries them."""
    return {name: float(weight) for name, _, weight in (word.rpartition("=") for word in written)}


def _traits(traits: PatientTraits) -> Iterator[tuple[str, float]]:
    yield f"sex:{traits.patient.sex}", SEX
    for tumour in traits.tumours:
        if tumour.topography:
            yield f"site:{tumour.topography[:3]}", SITE
            yield f"subsite:{tumour.topography}", SUBSITE
        if tumour.morphology:
            yield f"histology:{tumour.morphology}", HISTOLOGY
            yield f"family:{tumour.morphology[:3]}", HISTOLOGY_FAMILY
        if tumour.stage:
            yield f"stage:{stage_group(tumour.stage)}", STAGE
    for event, sites in traits.events:
        if event.type != "initial":
            yield f"event:{event.type}", EVENT
            for site in sites:
                yield f"spread:{site[:3]}", METASTATIC_SITE
    for treatment, drugs in traits.treatments:
        yield f"treatment:{treatment.type}", TREATMENT_TYPE
        if treatment.regimen:
            yield f"regimen:{treatment.regimen}", REGIMEN
        if treatment.act_code:
            yield f"act:{treatment.act_code[:4]}", ACT
        for drug in drugs:
            if drug.atc:
                yield f"drug:{drug.atc}", DRUG
                yield f"class:{drug.atc[:5]}", DRUG_CLASS
    for biomarker in traits.biomarkers:
        if biomarker.status != "unknown":
            yield f"biomarker:{biomarker.code}:{biomarker.status}", BIOMARKER
    for alteration in traits.alterations:
        yield f"alteration:{alteration.gene}:{alteration.status}", ALTERATION
    yield from _age_bands(traits)


def _age_bands(traits: PatientTraits) -> Iterator[tuple[str, float]]:
    """The age at the first diagnosis, shared between the two nearest decades, as 49 and 51 are alike."""
    ages = traits.ages_at_diagnosis
    if ages:
        age = min(ages)
        lower = age // 10 * 10
        share = (age - lower) / 10
        yield f"age:{lower}", AGE * (1 - share)
        yield f"age:{lower + 10}", AGE * share


def stage_group(stage: str) -> str:
    """`IIIA1` → `III`: the stage without its subdivision."""
    return stage.rstrip("ABCDE0123456789") or stage


@lru_cache(maxsize=100_000)
def _direction(trait: str) -> NDArray[np.float64]:
    bits = np.unpackbits(np.frombuffer(hashlib.sha256(trait.encode()).digest()[: DIMENSIONS // 8], dtype=np.uint8))
    return (bits.astype(np.float64) * 2 - 1) / np.sqrt(DIMENSIONS)
