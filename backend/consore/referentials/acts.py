"""What a CCAM act is: its kind, the treatment that it is if it is one, and the organ, from its label and its code.

The rules are `referentials/ccam/rules.csv`: code,label,act,treatment_type,site,why. `code` is a pattern over the
beginning of the code (its first two letters name an organ, the third what is done, as the CCAM's own guide says),
`label` one over the folded label. Rules are tried in order and the first that says something of an attribute settles
it; `-` settles that there is none. A new edition and the shipped `concepts.csv` go through the same rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from consore.errors import ConfigurationError
from consore.referentials.reading import rows
from consore.settings import shipped_referentials
from consore.text import fold

ATTRIBUTES = ("treatment_type", "act", "site")
_COLUMNS = ("code", "label", *ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class _Rule:
    code: re.Pattern[str]
    label: re.Pattern[str]
    said: dict[str, str]


def classify(label: str, code: str, rules: Path | None = None) -> dict[str, str]:
    """The attributes of an act (`treatment_type`, `act`, `site`), those that nothing tells left out.

    `Mastectomie totale`, `QEFA019` → `{"treatment_type": "surgery", "act": "surgery", "site": "C50.9"}`.
    Raises ConfigurationError for a rule that is not a regular expression.
    """
    folded = " ".join(fold(label).split())
    found: dict[str, str] = {}
    for rule in _read(rules or shipped_referentials() / "ccam" / "rules.csv"):
        if rule.said.keys() - found.keys() and rule.code.match(code) and rule.label.search(folded):
            found = {**rule.said, **found}
            if len(found) == len(ATTRIBUTES):
                break
    return {name: found[name] for name in ATTRIBUTES if found.get(name, "-") != "-"}


@lru_cache(maxsize=4)
def _read(path: Path) -> tuple[_Rule, ...]:
    return tuple(_rule(path, row) for row in rows(path, *_COLUMNS))


def _rule(path: Path, row: dict[str, str]) -> _Rule:
    try:
        said = {name: row[name] for name in ATTRIBUTES if row[name]}
        return _Rule(re.compile(rf"(?:{row['code']})"), re.compile(row["label"]), said)
    except re.error as error:
        raise ConfigurationError(
            f"{path} has a pattern that cannot be read ({row['code']}, {row['label']}): {error}.", "Mend that line."
        ) from error
