"""The eligibility of a trial, pasted from its protocol: each line read like a question, what is not coded left visible.

A line under an inclusion heading has to be met, one under an exclusion heading must not be. What is proposed is shown
line by line for a person to accept: published experience automates some 40 % of such criteria and finds 70 % useful,
so a line that is not wholly understood says which of its words count for nothing.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from consore.errors import InputError
from consore.referentials import Terminology, normalise
from consore.search.chips import Chip, Json
from consore.search.criteria import Criteria, parse_criteria
from consore.search.understanding import LONGEST_QUESTION, understand

LONGEST_PROTOCOL = 40_000  # characters
MOST_LINES = 200


class Part(StrEnum):
    """What a line is for."""

    INCLUSION = "inclusion"
    EXCLUSION = "exclusion"


class Coverage(StrEnum):
    """How much of a line became criteria."""

    WHOLE = "whole"
    PARTLY = "partly"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class EligibilityLine:
    """One line of a protocol. `criteria` (JSON): what it asks for, whatever its part; null where nothing is coded.

    `words`: those that count for nothing. `accepted`: whether it counts; at first, where it is wholly coded, and where
    an inclusion is partly so: what is left out could only exclude more patients, whom a person still has to judge.
    """

    text: str
    part: Part
    coverage: Coverage
    criteria: Json | None
    chips: tuple[Chip, ...]
    words: tuple[str, ...]
    accepted: bool

    def as_json(self) -> Json:
        """The line as it is kept with the trial."""
        return {
            "text": self.text,
            "part": self.part.value,
            "coverage": self.coverage.value,
            "criteria": self.criteria,
            "words": list(self.words),
            "accepted": self.accepted,
        }


def read_protocol(text: str, terminology: Terminology, *, today: dt.date | None = None) -> list[EligibilityLine]:
    """The lines of an eligibility text under French or English headings; without any, all are inclusions.

    Raises InputError where there is nothing to read, or more than 40,000 characters or 200 lines.
    """
    if len(text) > LONGEST_PROTOCOL:
        raise InputError(
            f"The text has {len(text)} characters; {LONGEST_PROTOCOL} are read.", "Paste the eligibility criteria only."
        )
    part = Part.INCLUSION
    found: list[EligibilityLine] = []
    for line in _lines(text):
        heading = _heading(line)
        if heading is not None:
            part, line = heading
        if line:
            found.append(_read(line, part, terminology, today))
    if not found:
        raise InputError("There is no criterion in this text.", "Paste the lines of the protocol, with their headings.")
    if len(found) > MOST_LINES:
        raise InputError(f"The text has {len(found)} lines; {MOST_LINES} are read.", "Paste the criteria only.")
    return found


def eligible(lines: list[EligibilityLine]) -> Criteria | None:
    """The criteria of the accepted lines: all inclusions, none of the exclusions; None where none is accepted.

    Raises CriteriaError where they are too many for one tree.
    """
    return eligible_of([line.as_json() for line in lines])


def eligible_of(lines: list[dict[str, Any]]) -> Criteria | None:
    """`eligible`, of lines as they are kept."""
    counted = [line for line in lines if line["accepted"] and line["criteria"]]
    nodes = [line["criteria"] for line in counted if line["part"] == Part.INCLUSION]
    out = [line["criteria"] for line in counted if line["part"] == Part.EXCLUSION]
    nodes += [{"none": out}] if out else []
    return parse_criteria(nodes[0] if len(nodes) == 1 else {"all": nodes}) if nodes else None


# --- Lines and headings -------------------------------------------------------------------------------------

_BULLET = re.compile(
    r"^\s*(?:[-–—•▪◦●○*·►➢✓o]\s+|[-–—•▪◦●*·►➢✓]|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)]\s+|[IE]\d{1,2}[.:)]?\s+)"
)
_GOES_ON = re.compile(r"^\s+\S|^[a-zà-ÿ]")
_EXCLUDES = r"(?:(?:non ?inclusion|exclusion)s?|non ?eligibilite|ineligibility)"
_INCLUDES = r"(?:inclusion|eligibilite|eligibility|selection)s?"
_HEADING = re.compile(
    r"^\W*(?:\d+(?:\.\d+)*\.?\s*)?(?:(?:principaux |key |main |major )?(?:criteres?|criteria)?\s*"
    r"(?:d'|de |of |for )?\s*"
    rf"(?:(?P<out>{_EXCLUDES})|(?P<into>{_INCLUDES}))\s*(?:criteres?|criteria)?(?:\s*(?:principaux|criteria|:|\(.*\)))*)\s*[:.]?\s*$"
)
_INTRODUCED = re.compile(
    rf"^\W*(?:criteres? (?:d'|de )?(?:(?P<out>{_EXCLUDES})|(?P<into>{_INCLUDES}))|"
    rf"(?:(?P<out_en>exclusion)|(?P<into_en>inclusion)) criteria)\s*:\s*(?P<rest>\S.*)$"
)


def _lines(text: str) -> list[str]:
    """Criteria one by one: bullets and lines; a line that begins without a bullet and in lower case goes on."""
    found: list[str] = []
    for raw in re.split(r"[\r\n]+|;\s+(?=[-–•A-ZÀ-Ý])", text):
        line = raw.strip()
        if not line:
            continue
        bullet = _BULLET.match(raw)
        if (
            found
            and bullet is None
            and _GOES_ON.match(line)
            and not _heading(line)
            and not found[-1].endswith((":", "."))
        ):
            found[-1] = f"{found[-1]} {line}"
            continue
        found.append(raw[bullet.end() :].strip() if bullet else line)
    return [line.strip(" ;,.\t") or line for line in found]


def _heading(line: str) -> tuple[Part, str] | None:
    """The part that a heading opens, and what follows it on the same line."""
    plain = normalise(line)
    whole = _HEADING.match(plain)
    if whole:
        return (Part.EXCLUSION if whole["out"] else Part.INCLUSION), ""
    opened = _INTRODUCED.match(plain)
    if opened:
        return (Part.EXCLUSION if opened["out"] or opened["out_en"] else Part.INCLUSION), line[opened.start("rest") :]
    return None


def _read(line: str, part: Part, terminology: Terminology, today: dt.date | None) -> EligibilityLine:
    rules = _rules()
    asked = _in_french(line[:LONGEST_QUESTION])
    for idle in rules.idle.finditer(normalise(asked)):
        asked = f"{asked[: idle.start()]}{' ' * len(idle.group())}{asked[idle.end() :]}"
    read = understand(asked, terminology, today=today)
    criteria = _at_inclusion(read.criteria.as_json()) if read.criteria else None
    words = (*read.words, *(f"« {phrase} »" for phrase in read.phrases), *read.excluded)
    if len(line) > LONGEST_QUESTION:
        words += ("…",)
    left = list(normalise(read.text))
    for chip in read.chips:
        left[chip.start : chip.end] = " " * (chip.end - chip.start)
    denied = rules.denial.search("".join(left)) is not None
    coverage = Coverage.NOTHING if criteria is None else Coverage.PARTLY if words else Coverage.WHOLE
    whole, partly = coverage is Coverage.WHOLE, coverage is Coverage.PARTLY and part is Part.INCLUSION
    accepted = (whole or partly) and not denied
    chips = tuple(replace(chip, criterion=_at_inclusion(chip.criterion)) for chip in read.chips)
    return EligibilityLine(line, part, coverage, criteria, chips, words, accepted)


def _in_french(line: str) -> str:
    """An English line with the words that the terminology lists in French; a French line as it is."""
    rules = _rules()
    if not rules.english.search(normalise(line)) or re.search(r"[éèêàçùœ]|\b(?:du|des|une|les|par)\b", line):
        return line
    said = normalise(line)
    for pattern, french in rules.words:
        said = pattern.sub(french, said)
    return " ".join(said.split())


@dataclass(frozen=True, slots=True)
class _Rules:
    idle: re.Pattern[str]
    denial: re.Pattern[str]
    english: re.Pattern[str]
    words: tuple[tuple[re.Pattern[str], str], ...]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    table = tomllib.loads(Path(__file__).with_name("protocols.toml").read_text(encoding="utf-8"))
    return _Rules(
        re.compile(rf"\b(?:{table['idle']})\b"),
        re.compile(table["denial"]),
        re.compile(table["english"]),
        tuple((re.compile(rf"(?<!\w)(?:{word['english']})(?!\w)"), word["french"]) for word in table["word"]),
    )


def _at_inclusion(node: Any) -> Any:
    """Ages of a protocol are those of the day of inclusion."""
    if isinstance(node, list):
        return [_at_inclusion(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {"currentAge" if key == "ageAtDiagnosis" else key: _at_inclusion(value) for key, value in node.items()}
