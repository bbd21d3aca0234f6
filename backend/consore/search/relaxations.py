"""Where nobody answers a question: which of its parts empties it, and the nearest questions that somebody answers.

A near question is a question like any other: the same words with one part made wider (a site its group, a drug its
class, a stage its neighbours, a period or an age some years more) or taken out. It is read again as it will be when it
is tapped, and the store counts it exactly.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from sqlmodel import Session

from consore.model import System
from consore.referentials import Terminology, normalise, tokens_for_index
from consore.search.chips import Chip, Json
from consore.search.cohort import count_patients
from consore.search.criteria import Criteria, parse_criteria
from consore.search.periods import Period, periods, shifted
from consore.search.phrases import STAGES, rules
from consore.search.understanding import Understood, understand, whole_criteria

MOST = 8  # offered
MOST_TRIED = 24  # counted
YEARS_MORE = 2  # on each side of a period
AGES_MORE = 5  # on each side of an age


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A near question. `kind`: `widen` or `drop`; `label`: what changes, in French; `count`: exactly so many patients.

    `text` is the question, `criteria` (JSON) what is asked beside it.
    """

    kind: str
    label: str
    text: str
    criteria: Json | None
    count: int


@dataclass(frozen=True, slots=True)
class Emptiness:
    """Why a question has no answer: the parts that nobody meets even alone, and near questions, the nearest first."""

    alone: list[str]
    relaxations: list[Relaxation]


def explain_nobody(
    session: Session, terminology: Terminology, understood: Understood, beside: Criteria | None
) -> Emptiness:
    """Why nobody meets `understood` and the criteria `beside`. At most 24 near questions are counted."""
    found: list[Relaxation] = []
    for near in islice(_near_questions(understood, terminology, beside is not None), MOST_TRIED):
        if near.further and found:
            break
        kept = beside if near.keeps_beside else None
        count = _count(session, understand(near.text, terminology), kept)
        if count:
            found.append(Relaxation(near.kind, near.label, near.text, kept.as_json() if kept else None, count))
    found.sort(key=lambda one: (one.kind == "drop", one.count if one.kind == "drop" else 0))
    unique = {one.text + str(one.criteria): one for one in reversed(found)}
    alone = [chip.label for chip in understood.chips if not count_patients(session, parse_criteria(chip.criterion))]
    return Emptiness(
        list(dict.fromkeys(alone)), [one for one in found if unique[one.text + str(one.criteria)] is one][:MOST]
    )


def _count(session: Session, understood: Understood, beside: Criteria | None) -> int:
    parts = [node for node in (whole_criteria(understood), beside) if node is not None]
    return count_patients(session, parts[0] if len(parts) == 1 else Criteria(all=parts)) if parts else 0


# --- Near questions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Near:
    kind: str
    label: str
    text: str
    keeps_beside: bool = True
    further: bool = False  # asked only where nothing nearer has an answer


def _near_questions(understood: Understood, terminology: Terminology, filtered: bool) -> Iterator[_Near]:
    """Each part wider, each part out, and, further away, two parts out."""
    text, chips = understood.text, understood.chips
    for chip in chips:
        if not chip.negated:
            yield from (_Near("widen", label, _with(text, chip, wider)) for label, wider in _wider(chip, terminology))
    for period in _longest(periods(normalise(text), dt.date.today())):
        wider = _wider_period(period)
        label = f"{wider[:1].upper()}{wider[1:]}"
        yield _Near("widen", label, f"{text[: period.start]}{wider}{text[period.end :]}")
    if filtered:
        yield _Near("drop", "Sans les filtres", text, keeps_beside=False)
    if len(chips) > 1 or understood.has_words or filtered:
        for chip in chips:
            yield _Near("drop", f"Sans {_named(chip)}", _with(text, chip, ""))
    if understood.words and chips:
        yield _Near("drop", f"Sans les mots « {' '.join(understood.words)} »", _without_words(understood))
    for one, other in combinations(chips, 2):
        if len(chips) > 2 or filtered:
            blank = f"{text[: other.start]}{' ' * (other.end - other.start)}{text[other.end :]}"
            label = f"Sans {_named(one)} ni {_named(other)}"
            yield _Near("drop", label, _with(blank, one, ""), further=True)


def _named(chip: Chip) -> str:
    return f"« {'sans ' if chip.negated else ''}{chip.label} »"


def _with(text: str, chip: Chip, other: str) -> str:
    """The question with other words in the place of a chip's, its blanks and commas mended."""
    changed = " ".join(f"{text[: chip.start]} {other} {text[chip.end :]}".split())
    return re.sub(r"^[ ,;]+|[ ,;]+$|(?<=,) *,", "", re.sub(r" +(?=[,;])", "", changed)).strip()


def _without_words(understood: Understood) -> str:
    letters = list(understood.text)
    for word in re.finditer(r"\w+", understood.text):
        inside = any(chip.start <= word.start() < chip.end for chip in understood.chips)
        if not inside and tokens_for_index(word.group()) in understood.words:
            letters[word.start() : word.end()] = " " * len(word.group())
    return " ".join("".join(letters).split()).strip(" ,;")


# --- Wider --------------------------------------------------------------------------------------------------


def _wider(chip: Chip, terminology: Terminology) -> Iterator[tuple[str, str]]:
    """What may stand in the place of a chip and means more: (what changes, the words)."""
    match chip.kind:
        case "topography" if chip.code and "topography" in chip.criterion.get("tumour", {}):
            names = [*_names_above(System.ICDO3_T.value, chip.code, terminology), *rules().groups]
            yield from _first_wider(chip, "tumour", "topography", names, terminology)
        case "drug" if chip.code and "drug" in chip.criterion.get("treatment", {}):
            names = _names_above(System.ATC.value, chip.code, terminology)
            yield from _first_wider(chip, "treatment", "drug", names, terminology)
        case "stage" if "stage" in chip.criterion.get("tumour", {}):
            wider = _wider_stage(chip.criterion["tumour"]["stage"])
            if wider:
                yield f"{wider[:1].upper()}{wider[1:]}", wider
        case "age":
            ((name, span),) = chip.criterion["patient"].items()
            wider = _wider_age(span.get("min"), span.get("max"))
            yield f"{wider[:1].upper()}{wider[1:]}", f"actuellement {wider}" if name == "currentAge" else wider


def _names_above(system: str, code: str, terminology: Terminology) -> list[str]:
    return [terminology.label(system, above) for above in terminology.ancestors(system, code)]


def _first_wider(
    chip: Chip, leaf: str, attribute: str, names: Iterable[str], terminology: Terminology
) -> Iterator[tuple[str, str]]:
    """The first name that is understood as codes that hold all those of the chip, and others."""
    own = set(chip.criterion[leaf][attribute])
    for name in names:
        read = understand(name, terminology)
        if len(read.chips) != 1 or read.has_words:
            continue
        codes = set(read.chips[0].criterion.get(leaf, {}).get(attribute, []))
        if codes - own and all(any(code.startswith(one) for one in codes) for code in own):
            yield f"« {read.chips[0].label} » au lieu de « {chip.label} »", name
            return


def _wider_stage(stages: list[str]) -> str | None:
    """`IIIB` is widened to III, III to II–IV."""
    roots = [re.sub(r"[A-D]\d?$", "", stage) for stage in stages]
    if roots != stages:
        return f"stade {' ou '.join(dict.fromkeys(roots))}"
    places = [STAGES.index(stage) for stage in stages if stage in STAGES]
    if not places:
        return None
    low, high = max(min(places) - 1, 0), min(max(places) + 1, len(STAGES) - 1)
    return f"stade {STAGES[low]} à {STAGES[high]}"


def _wider_age(low: float | None, high: float | None) -> str:
    least = None if low is None else max(int(low) - AGES_MORE, 0)
    most = None if high is None else int(high) + AGES_MORE
    if least is not None and most is not None:
        return f"entre {least} et {most} ans"
    return f"au moins {least} ans" if least is not None else f"moins de {(most or 0) + 1} ans"


def _longest(found: Iterable[Period]) -> list[Period]:
    """Periods that do not overlap, the longest kept."""
    kept: list[Period] = []
    for period in sorted(found, key=lambda one: one.start - one.end):
        if all(period.end <= other.start or other.end <= period.start for other in kept):
            kept.append(period)
    return sorted(kept, key=lambda one: one.start)


def _wider_period(period: Period) -> str:
    first = period.first and shifted(period.first, -YEARS_MORE, "years")
    last = period.last and shifted(period.last, YEARS_MORE, "years")
    if first and last:
        return f"entre le {first:%d/%m/%Y} et le {last:%d/%m/%Y}"
    return f"depuis le {first:%d/%m/%Y}" if first else f"jusqu'au {last:%d/%m/%Y}"
