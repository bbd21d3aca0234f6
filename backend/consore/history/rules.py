"""The windows, weights and precedences of `rules.toml`, loaded once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "rules.toml"


@dataclass(frozen=True)
class Rules:
    """`rules.toml` as values. Windows are days."""

    weight: dict[str, int]
    trust: dict[str, float]
    called: dict[str, tuple[str, str]]
    review: dict[str, Any]
    calibration: dict[str, list[tuple[float, float]]]
    precedence: dict[str, dict[str, int]]
    support: dict[str, Any]
    diagnosis: dict[str, Any]
    events: dict[str, Any]
    treatments: dict[str, Any]
    metastatic: dict[str, Any]
    image: re.Pattern[str]
    unknown_primary: re.Pattern[str]
    called_primary: re.Pattern[str]
    joiners: re.Pattern[str]
    range_words: re.Pattern[str]
    range_lines: re.Pattern[str]
    sessions: re.Pattern[str]
    times: re.Pattern[str]
    metastasis_of_cim10: dict[str, str]
    biomarkers: dict[str, Any]
    conditioning: re.Pattern[str]
    cycle: re.Pattern[str]
    weighed: re.Pattern[str]
    department: re.Pattern[str]
    not_done_then: re.Pattern[str]
    begun_on: re.Pattern[str]
    redone: re.Pattern[str]
    given_after: re.Pattern[str]
    ended: re.Pattern[str]
    since: re.Pattern[str]
    between: re.Pattern[str]
    then: re.Pattern[str]
    during: re.Pattern[str]
    started_before: re.Pattern[str]
    started_after: re.Pattern[str]
    stopped_before: re.Pattern[str]
    stopped_after: re.Pattern[str]
    continued_before: re.Pattern[str]
    continued_after: re.Pattern[str]
    stop_reasons: dict[str, re.Pattern[str]]
    tumour_words: re.Pattern[str]
    not_remission: re.Pattern[str]
    interim: re.Pattern[str]
    new_site: re.Pattern[str]
    lesion: re.Pattern[str]
    in_transit: re.Pattern[str]
    spared: re.Pattern[str]
    secondary: re.Pattern[str]
    turn_words: re.Pattern[str]
    given_again: re.Pattern[str]
    date_of_tumour: re.Pattern[str]
    vital: dict[str, Any]
    death: re.Pattern[str]
    not_the_patients_death: re.Pattern[str]
    witnesses: re.Pattern[str]

    def rank(self, attribute: str, source: str) -> int:
        """Place of a source in the precedence of an attribute; 0 is believed first."""
        return self.precedence[attribute].get(source, 99)


@cache
def rules() -> Rules:
    """The rules that ship with Consore."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Rules(
        weight=table["sources"]["weight"],
        trust=table["sources"]["trust"],
        called={source: (one, many) for source, (one, many) in table["sources"]["called"].items()},
        review=table["review"],
        calibration={
            name: [(raw, share) for raw, share in zip(table["calibration"]["at"], shares, strict=True)]
            for name, shares in table["calibration"]["shares"].items()
        },
        precedence={
            attribute: {source: place for place, source in enumerate(order)}
            for attribute, order in table["sources"]["precedence"].items()
        },
        support=table["support"],
        diagnosis=table["diagnosis"],
        events=table["events"],
        treatments=table["treatments"],
        metastatic=table["metastatic"],
        image=re.compile(table["support"]["image"], re.IGNORECASE),
        unknown_primary=re.compile(table["support"]["unknown_primary"], re.IGNORECASE),
        called_primary=re.compile(table["support"]["called_primary"], re.IGNORECASE),
        range_lines=re.compile(table["treatments"]["range_lines"], re.IGNORECASE),
        range_words=re.compile(table["treatments"]["range_words"], re.IGNORECASE),
        sessions=re.compile(table["treatments"]["sessions"], re.IGNORECASE),
        times=re.compile(table["treatments"]["times"], re.IGNORECASE),
        joiners=re.compile(table["treatments"]["joiners"], re.IGNORECASE),
        metastasis_of_cim10=table["metastasis_of_cim10"],
        biomarkers=table["biomarkers"],
        **{
            name: re.compile(table["treatments"]["words"][name], re.IGNORECASE)
            for name in (
                "conditioning",
                "cycle",
                "weighed",
                "department",
                "not_done_then",
                "begun_on",
                "redone",
                "given_after",
                "ended",
                "since",
                "between",
                "then",
                "during",
                "started_before",
                "started_after",
                "stopped_before",
                "stopped_after",
                "continued_before",
                "continued_after",
            )
        },
        stop_reasons={
            name: re.compile(pattern, re.IGNORECASE) for name, pattern in table["treatments"]["stop_reasons"].items()
        },
        tumour_words=re.compile(table["events"]["tumour_words"], re.IGNORECASE),
        not_remission=re.compile(table["events"]["not_remission"], re.IGNORECASE),
        interim=re.compile(table["events"]["interim"], re.IGNORECASE),
        new_site=re.compile(table["events"]["new_site"], re.IGNORECASE),
        lesion=re.compile(table["events"]["lesion"], re.IGNORECASE),
        date_of_tumour=re.compile(table["events"]["date_of_tumour"], re.IGNORECASE),
        given_again=re.compile(table["events"]["given_again"], re.IGNORECASE),
        secondary=re.compile(table["events"]["secondary"], re.IGNORECASE),
        turn_words=re.compile(table["events"]["turn_words"], re.IGNORECASE),
        spared=re.compile(table["diagnosis"]["spared"], re.IGNORECASE),
        in_transit=re.compile(table["events"]["in_transit"], re.IGNORECASE),
        vital=table["vital"],
        death=re.compile(table["vital"]["death"], re.IGNORECASE),
        not_the_patients_death=re.compile(table["vital"]["of_others"], re.IGNORECASE),
        witnesses=re.compile(table["vital"]["witnesses"], re.IGNORECASE),
    )
