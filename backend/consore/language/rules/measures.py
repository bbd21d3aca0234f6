"""Doses (75 mg/m², AUC 5, 50 Gy en 25 fractions) and sizes (22 mm, 3,5 x 2 cm).

`value` holds the number with a point (`3.5`, `22 x 15`), `unit` the unit as people write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from consore.language.anchored import Anchored, Places
from consore.model import Mention, MentionKind

_NUMBER = r"\d{1,5}(?:[.,]\d{1,3})?"
_DOSE = re.compile(
    rf"(?<![\w.,/])(?P<value>{_NUMBER})\s?(?P<unit>mg/m2|mg/m²|mg/kg|mg/j|g/m2|g/m²|µg|ug|mg|mcg|gy|mbq|gbq|mui|ui)"
    r"(?!\w|/[ldm]|(?<!gy)/\d)"
    r"(?P<fractions>,?\s?(?:en|par|/|,)\s?(?P<count>\d{1,2})\s?(?:fractions?|seances?|fr\b|f\b|x\b))?"
)
_AUC = re.compile(rf"(?<!\w)auc\s?[:=]?\s?(?P<value>{_NUMBER})(?!\w)")
_SIZE = re.compile(
    rf"(?<![\w.,/+-])(?P<value>{_NUMBER}(?:\s?(?:mm|cm)?\s?[x×*]\s?{_NUMBER}){{0,2}})\s?(?P<unit>mm|cm)(?![\w²³23/]|\sd'eau)"
)


def _numbers_of(*units: str) -> Iterator[str]:
    """The last digit of a number with its unit: what a dose or a size cannot lack."""
    return (f"{digit}{blank}{unit}" for digit in range(10) for blank in ("", " ", "\n") for unit in units)


_DOSES = Anchored(
    _DOSE, *_numbers_of("mg", "g/m", "µg", "ug", "mcg", "gy", "mbq", "gbq", "mui", "ui"), reach=len("12345.67")
)
_AUCS = Anchored(_AUC, "auc")
_SIZES = Anchored(_SIZE, *_numbers_of("mm", "cm"), reach=len("12345.678 mm x 12345.678 mm x 12345.67"))
_UNITS = {
    "mg/m2": "mg/m²",
    "g/m2": "g/m²",
    "gy": "Gy",
    "mbq": "MBq",
    "gbq": "GBq",
    "ug": "µg",
    "mcg": "µg",
    "ui": "UI",
    "mui": "MUI",
}


def find_measures(text: str, plain: str, places: Places) -> Iterator[Mention]:
    """Mentions of kind dose and measurement."""
    for match in _DOSES.within(plain, places):
        unit = match["unit"]
        label = "Dose" if not match["count"] else f"{match['value']} Gy en {match['count']} fractions"
        yield _mention(text, match, MentionKind.DOSE, label, _UNITS.get(unit, unit))
    for match in _AUCS.within(plain, places):
        yield _mention(text, match, MentionKind.DOSE, "Dose", "AUC")
    for match in _SIZES.within(plain, places):
        yield _mention(text, match, MentionKind.MEASUREMENT, "Taille", match["unit"])


def _mention(text: str, match: re.Match[str], kind: MentionKind, label: str, unit: str) -> Mention:
    start, end = match.span()
    value = re.sub(r"\s?(?:mm|cm)?\s?[x×*]\s?", " x ", match["value"]).replace(",", ".")
    return Mention(start, end, text[start:end], kind, None, None, label, value, unit)
