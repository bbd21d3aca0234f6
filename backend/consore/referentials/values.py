"""How the value of each biomarker is written and what it means: the grammars of `biomarkers/values.csv`.

A biomarker names its grammar in its attribute `values`. A row of a grammar is a `number` (with its unit and bounds), a
`share` (a number that counts only with its unit), a `score` or `word` (a regular expression over folded text, and the
status it states) or a `threshold` (`>=10` in that unit, and the status it means). Statuses are those of
`BiomarkerStatus`; `source` names the recommendation.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from consore.referentials.reading import rows
from consore.referentials.tables import tables
from consore.settings import shipped_referentials

_COMPARED = ((">=", operator.ge), ("<=", operator.le), (">", operator.gt), ("<", operator.lt))


@dataclass(frozen=True, slots=True)
class Threshold:
    """`scale`: the score that the number belongs to (`cps`), empty for the usual one; `bound`: `>=10`, `<20`."""

    scale: str
    unit: str
    bound: str
    status: str
    source: str

    def holds(self, number: float) -> bool:
        """Whether `number`, in `unit`, lies on the side that the bound names."""
        sign, compare = next((sign, compare) for sign, compare in _COMPARED if self.bound.startswith(sign))
        return bool(compare(number, float(self.bound.removeprefix(sign))))


@dataclass(frozen=True, slots=True)
class ValueGrammar:
    """What may be written after a biomarker's name.

    `is_number`: a bare number is its value; `is_share`: only a number with its unit is. `units`: the usual one first;
    `words`: pattern → status, scores included; `thresholds`: in the order of the table, the first that holds decides.
    """

    name: str
    is_number: bool
    is_share: bool
    units: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    thresholds: tuple[Threshold, ...]

    def status(self, number: float, scale: str = "") -> str | None:
        """The status that `number` means on that scale; None where no recommendation says."""
        return next((one.status for one in self.thresholds if one.scale == scale and one.holds(number)), None)


@lru_cache(maxsize=1)
def value_grammars() -> Mapping[str, ValueGrammar]:
    """The grammars shipped with Consore, by name."""
    by_name: dict[str, list[dict[str, str]]] = {}
    for row in tables("biomarkers")["values"]:
        by_name.setdefault(row["grammar"], []).append(row)
    return {
        name: ValueGrammar(
            name,
            any(row["kind"] == "number" for row in lines),
            any(row["kind"] == "share" for row in lines),
            tuple(dict.fromkeys(row["unit"] for row in lines if row["kind"] in ("number", "share") and row["unit"])),
            tuple(
                (row["pattern"], row["status"]) for row in lines if row["kind"] in ("word", "score") and row["status"]
            ),
            tuple(
                Threshold(row["pattern"], row["unit"], row["threshold"], row["status"], row["source"])
                for row in lines
                if row["kind"] == "threshold"
            ),
        )
        for name, lines in by_name.items()
    }


def grammar_of(code: str) -> ValueGrammar | None:
    """The grammar of a biomarker's values, or None when it declares none."""
    return _by_code().get(code)


@lru_cache(maxsize=1)
def _by_code() -> Mapping[str, ValueGrammar]:
    named = re.compile(r"(?:^|\|)values=([^|]+)")
    grammars = value_grammars()
    return {
        row["code"]: grammars[found[1]]
        for row in rows(shipped_referentials() / "biomarkers" / "concepts.csv", "code", "attributes")
        if (found := named.search(row["attributes"]))
    }
