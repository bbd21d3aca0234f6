"""What a physician may change of an item of a history, how they write it, and whether it can be so.

People type words, not codes: "sein", "12/03/2019", "paclitaxel + trastuzumab". `checked` turns them into the values
that corrections keep (`CorrectionItem.values`), or says what cannot be taken.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from consore.errors import InputError
from consore.model import BiomarkerStatus, EventType, EvidenceItem, Laterality, MentionKind, System, TreatmentType
from consore.referentials import Terminology

# In the order in which they are shown. The kinds are those of `_READERS`.
FIELDS: dict[EvidenceItem, dict[str, str]] = {
    EvidenceItem.TUMOUR: {
        "topography": "topography",
        "morphology": "morphology",
        "laterality": "laterality",
        "diagnosis_date": "date",
        "ctnm": "tnm",
        "ptnm": "tnm",
        "stage": "text",
        "grade": "text",
    },
    EvidenceItem.EVENT: {"type": "event_type", "date": "date", "sites": "topographies"},
    EvidenceItem.TREATMENT: {
        "type": "treatment_type",
        "drugs": "drugs",
        "start": "date",
        "end": "date",
        "line": "number",
    },
    EvidenceItem.BIOMARKER: {"status": "status", "value": "text", "date": "date"},
    EvidenceItem.ALTERATION: {"variant": "text", "status": "status", "date": "date"},
}
CHOICES: dict[str, list[str]] = {
    "laterality": [one.value for one in Laterality],
    "event_type": [one.value for one in EventType],
    "treatment_type": [one.value for one in TreatmentType],
    "status": [one.value for one in BiomarkerStatus],
}
LONGEST_TEXT = 100

_T, _M = System.ICDO3_T.value, System.ICDO3_M.value
_TNM = re.compile(r"[cpyra]{0,3}T(?:is|x|[0-4][a-d]?(?:mi)?)(?:\([^)]*\))?(?:N(?:x|[0-3][a-d]?(?:mi)?))?\S{0,12}", re.I)


def checked(kind: EvidenceItem, values: dict[str, Any], terminology: Terminology) -> dict[str, Any]:
    """The values as a correction keeps them; an empty one means "not known".

    Raises InputError naming the value that cannot be taken.
    """
    if not values:
        raise InputError("Nothing is corrected.", "Give what is true, or confirm the item as it is.")
    known = FIELDS[kind]
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{name[:40]} cannot be corrected here.", f"Take one of: {', '.join(known)}.")
        empty = value is None or value == [] or (isinstance(value, str) and not value.strip())
        found[name] = None if empty else _READERS[known[name]](value, terminology)
    return found


def shown(kind: str, value: Any, terminology: Terminology) -> str:
    """A value as French people read it; words of closed lists stay as they are, for the client to translate."""
    if value is None or value == []:
        return ""
    if kind == "topography":
        return terminology.label(_T, value) or str(value)
    if kind == "morphology":
        return terminology.label(_M, value) or str(value)
    if kind == "topographies":
        return ", ".join(terminology.label(_T, code) or code for code in value)
    if kind == "drugs":
        return " + ".join(str(one["name"]) for one in value)
    if kind == "date":
        day = value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
        return day.strftime("%d/%m/%Y")
    return str(value)


def _date(value: Any, _: Terminology) -> str:
    """12/03/2019, 2019-03-12, 03/2019 or 2019, which mean the first of the month or of the year."""
    text = str(value).strip()
    for pattern, order in (
        (r"(\d{4})-(\d{1,2})-(\d{1,2})", (0, 1, 2)),
        (r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", (2, 1, 0)),
        (r"(\d{1,2})[/.](\d{4})", (1, 0)),
        (r"(\d{4})", (0,)),
    ):
        if found := re.fullmatch(pattern, text):
            parts = [int(found.group(place + 1)) for place in order]
            try:
                day = dt.date(*([*parts, 1, 1])[:3])
            except ValueError:
                break
            if day > dt.date.today() or day.year < 1900:
                raise InputError(f"{text} is not a date of the past.", "Write it as 12/03/2019 or 03/2019.")
            return day.isoformat()
    raise InputError(f"{text[:40]} is not a date.", "Write it as 12/03/2019 or 03/2019.")


def _coded(system: str, kind: MentionKind, code: str, name: str) -> Callable[[Any, Terminology], str]:
    def read(value: Any, terminology: Terminology) -> str:
        text = str(value).strip()
        if re.fullmatch(code, text) and terminology.concept(system, text):
            return text
        for match in terminology.match(text):
            if match.kind == kind.value and match.system == system and match.code:
                return str(match.code)
        raise InputError(
            f"{text[:60]} is not {name} that is known.", "Write it as reports do, or give its ICD-O-3 code."
        )

    return read


def _one_of(choices: list[str]) -> Callable[[Any, Terminology], str]:
    def read(value: Any, _: Terminology) -> str:
        if value not in choices:
            raise InputError(f"{str(value)[:40]} is not one of the choices.", f"Take one of: {', '.join(choices)}.")
        return str(value)

    return read


def _topographies(value: Any, terminology: Terminology) -> list[str]:
    parts = value if isinstance(value, list) else re.split(r"[,;+]| et ", str(value))
    return list(dict.fromkeys(_topography(part, terminology) for part in parts if str(part).strip()))


def _drugs(value: Any, terminology: Terminology) -> list[dict[str, Any]]:
    names = [str(one.get("name", "")) for one in value] if isinstance(value, list) else re.split(r"[+,;]| et ", value)
    found = []
    for name in (name.strip() for name in names if name.strip()):
        concept = terminology.inn_of(name)
        if concept is None:
            raise InputError(
                f"{name[:60]} is not a drug that is known.", "Write its INN or its brand; join several by +."
            )
        found.append({"name": concept.label.lower(), "atc": concept.code})
    return found


def _number(value: Any, _: Terminology) -> int:
    text = str(value).strip()
    if not text.isdigit() or not 1 <= int(text) <= 30:
        raise InputError(f"{text[:20]} is not a number of a line.", "Give a number from 1; nothing for curative care.")
    return int(text)


def _tnm(value: Any, _: Terminology) -> str:
    text = "".join(str(value).split())
    if not _TNM.fullmatch(text):
        raise InputError(f"{text[:40]} is not a TNM.", "Write it as pT2N1M0.")
    return text


def _text(value: Any, _: Terminology) -> str:
    text = str(value).strip()
    if len(text) > LONGEST_TEXT:
        raise InputError(f"The value has {len(text)} characters; at most {LONGEST_TEXT} are taken.", "Make it shorter.")
    return text


_topography = _coded(_T, MentionKind.TOPOGRAPHY, r"C\d{2}(?:\.\d)?", "an organ")
_READERS: dict[str, Callable[[Any, Terminology], Any]] = {
    "date": _date,
    "topography": _topography,
    "topographies": _topographies,
    "morphology": _coded(_M, MentionKind.MORPHOLOGY, r"\d{4}/\d", "a histology"),
    "drugs": _drugs,
    "number": _number,
    "tnm": _tnm,
    "text": _text,
    **{name: _one_of(choices) for name, choices in CHOICES.items()},
}

__all__ = ["CHOICES", "FIELDS", "checked", "shown"]
