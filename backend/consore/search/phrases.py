"""What patterns recognise in a question, beside the terms of the code systems: ages, periods, stages, lines, order.

Fixed phrases are the cues of `questions.toml`; what counts or compares is here. Text is normalised, as in `periods`.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from consore.model import System
from consore.referentials import plain_words, tokens_for_index
from consore.search.chips import Alternative, Chip, Json, chip
from consore.search.periods import NUMBER, UNIT, number_of, periods, unit_of

_LOCAL = System.LOCAL.value
LINK = "sequence"  # the kind of a chip that puts two others in order
LINES = "lines"  # the kind of « au moins deux lignes », which is no line of the treatment beside it


def phrases(plain: str, today: dt.date) -> Iterator[Chip]:
    """Every phrase that a pattern recognises in a normalised question, overlapping ones included."""
    yield from _cues(plain)
    yield from _links(plain)
    yield from _ages(plain)
    for period in periods(plain, today):
        criterion: Json = {"tumour": {"diagnosed": period.as_json()}}
        yield chip(period.start, period.end, "year", f"Diagnostic {period.words}", criterion)
    yield from _stages(plain)
    yield from _scores(plain)
    yield from _lines(plain)


def _cues(plain: str) -> Iterator[Chip]:
    for cue in rules().cues:
        for match in cue.pattern.finditer(plain):
            yield chip(match.start(), match.end(), cue.kind, cue.label, cue.criterion, alternatives=cue.alternatives)


# --- Order --------------------------------------------------------------------------------------------------

_FORWARD = r"(?:et )?(?:puis|ensuite)|suivie?s? (?:de|d'|par)|avant|precedant|avec ensuite|ayant precede"
_BACKWARD = r"apres|suivant|a la suite (?:de|d'|du|des)|au decours (?:de|d'|du|des)|secondaire a|post"
_DIAGNOSIS = (
    r"(?:apres |suivant |qui suivent |qui suit |du |de |depuis |a partir du )(?:le |la |leur |son )?diagnostic(?! d)"
)


def _links(plain: str) -> Iterator[Chip]:
    """What puts one thing after another; `criterion` says how until the order is known."""
    for match in re.finditer(r"(?<!\w)(?:ensuite|par la suite|dans un second temps)(?= *(?:$|[,;.)]))", plain):
        yield _link(match, {"last": True})
    for match in re.finditer(rf"(?<!\w)(?:{_FORWARD})(?!\w)", plain):
        yield _link(match, {})
    for match in re.finditer(rf"(?<!\w)(?:{_BACKWARD})(?!\w)", plain):
        yield _link(match, {"backward": True})
    for match in re.finditer(r"(?<!\w)progress\w*(?: tumorale| de la maladie)? (sous)(?!\w)", plain):
        yield chip(*match.span(1), LINK, "", {"backward": True})
    delay = (
        rf"(?P<how>dans (?:les |un delai de |un delai inferieur a )?|moins (?:de |d')|avant |en moins (?:de |d')|"
        rf"(?:a )?plus (?:de |d')|au dela de |(?:a )?au moins |apres |pendant (?:les |la )?)"
        rf"(?P<n>{NUMBER}|l'|la |premieres? )(?:premiere?s? )? ?(?P<u>{UNIT})"
    )
    after = rf"(?P<after> (?P<diagnosis>{_DIAGNOSIS})| (?:{_BACKWARD}|qui suivent|qui suit|de|du|d'))?"
    for match in re.finditer(rf"(?<!\w){delay}{after}(?!\w)", plain):
        ends = plain[match.end("u") : match.end()]
        rest = plain[match.end() :].strip(" .,;)?!")
        if ends.strip() in ("apres", "plus tard") and not rest:
            ends = ""
        if not match["after"] and not re.match(r"\s*(?:$|[,;.)])", plain[match.end() :]):
            continue  # « avant 50 ans au diagnostic » is an age
        if not match["after"] and match["how"] in (
            "moins de ",
            "moins d'",
            "avant ",
            "au moins ",
            "plus de ",
            "plus d'",
        ):
            continue
        if not ends and not re.search(r"(?:rechut|recidiv|progress|deced|mort|deces|cancer|metasta)", plain):
            continue
        count = number_of(match["n"].strip()) if match["n"].strip() in _NUMBERS or match["n"].isdigit() else 1
        unit = unit_of(match["u"])
        if unit == "quarters":
            count, unit = count * 3, "months"
        least = re.match(r"a?\s*(?:plus|au dela|au moins|apres)", match["how"]) is not None
        within = {"min" if least else "max": count, "unit": unit}
        how: Json = {"backward": True, "within": within, "diagnosis": bool(match["diagnosis"]) or not ends}
        how["alone"] = not ends
        yield _link(match, how)


_NUMBERS = frozenset(NUMBER[3:-1].split("|")[1:])


def _link(match: re.Match[str], how: Json) -> Chip:
    return chip(match.start(), match.end(), LINK, "", how)


# --- Ages ---------------------------------------------------------------------------------------------------

_N = r"(\d{1,3})"
_AGED = r"(?:agee?s? )?(?:de )?"
_AGES = (
    (rf"{_AGED}(?:entre|de) {_N}(?: ans)? (?:et|a) {_N} ans", lambda a, b: (a, b)),
    (rf"{_AGED}{_N}(?: ?(?:a|/) ?| ){_N} ans", lambda a, b: (a, b)),
    (rf"{_AGED}(?:plus (?:de |d'))?{_N} ans (?:a|et moins de) {_N} ans", lambda a, b: (a, b)),
    (rf"{_AGED}plus (?:de |d'){_N} ans|> ?{_N} ?ans|superieur a {_N} ans", lambda a: (a + 1, None)),
    (
        rf"{_AGED}(?:d')?(?:au moins |a partir de |apres (?:l'age de )?|des (?:l'age de )?|>= ?|≥ ?){_N} ?ans",
        lambda a: (a, None),
    ),
    (rf"{_AGED}{_N} ans (?:et plus|ou plus|revolus|minimum)", lambda a: (a, None)),
    (
        rf"{_AGED}(?:moins (?:de |d')|avant (?:l'age de |leurs )?|< ?|inferieur a ){_N} ?ans",
        lambda a: (None, a - 1),
    ),
    (rf"{_AGED}(?:d')?(?:au plus |jusqu'a |<= ?|≤ ?){_N} ?ans", lambda a: (None, a)),
    (rf"{_AGED}{_N} ans (?:et moins|ou moins|maximum)", lambda a: (None, a)),
    (rf"(?:a )?{_AGED}(?:l'age de )?{_N} ans", lambda a: (a, a)),
)
_DECADES = {
    "vingtenaires?": 20,
    "trentenaires?": 30,
    "quadragenaires?": 40,
    "quinquagenaires?": 50,
    "sexagenaires?": 60,
    "septuagenaires?": 70,
    "octogenaires?": 80,
    "nonagenaires?": 90,
}
_NOW = r"(?P<now>(?:actuellement|aujourd'hui|a ce jour|maintenant)(?: agee?s?)?(?: ont)? )?"
_AT_DIAGNOSIS = r"(?: au (?:moment du )?diagnostic| actuellement| aujourd'hui)?"


def _ages(plain: str) -> Iterator[Chip]:
    for written, bounds in _AGES:
        pattern = rf"(?<!\w)(?<!depuis ){_NOW}(?:{written})(?!\w){_AT_DIAGNOSIS}(?! (?:apres|suivant))"
        for match in re.finditer(pattern, plain):
            numbers = [int(group) for group in match.groups() if group and group.isdigit()]
            low, high = bounds(*numbers)
            if not any(number > 120 for number in numbers) and (low is None or high is None or low <= high):
                yield _age(match, low, high)
    for written, low in _DECADES.items():
        for match in re.finditer(rf"(?<!\w){_NOW}{written}(?!\w)", plain):
            yield _age(match, low, low + 9)


def _age(match: re.Match[str], low: int | None, high: int | None) -> Chip:
    span = {key: value for key, value in (("min", low), ("max", high)) if value is not None}
    if low == high:
        words = f"{low} ans"
    else:
        words = " ".join(
            part
            for part in (
                f"à partir de {low} ans" if low is not None else "",
                f"jusqu'à {high} ans" if high is not None else "",
            )
            if part
        )
    if match["now"] or re.search(r" (?:actuellement|aujourd'hui)$", match.group()):
        return chip(match.start(), match.end(), "age", f"Âge actuel : {words}", {"patient": {"currentAge": span}})
    other = (
        ()
        if "diagnostic" in match.group()
        else (Alternative(f"Âge actuel : {words}", f"actuellement {_bare(low, high)}"),)
    )
    label = f"Âge au diagnostic : {words}"
    return chip(match.start(), match.end(), "age", label, {"patient": {"ageAtDiagnosis": span}}, alternatives=other)


def _bare(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f"entre {low} et {high} ans" if low != high else f"{low} ans"
    return f"au moins {low} ans" if low is not None else f"moins de {(high or 0) + 1} ans"


# --- Stages, TNM, grades, scores ----------------------------------------------------------------------------

_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_ONE_STAGE = r"(?:iv|i{1,3}|[0-4])(?:\s?[abcd](?:[1-3])?(?![\w']))?"
STAGES = ["0", "I", "II", "III", "IV"]
GRADES = ["1", "2", "3", "4"]
_HOW = (
    r"(?P<how>(?:>=|≥|>|<=|≤|<) ?|(?:au moins|a partir de|superieure?s? ou egale?s? a|superieure?s? a|plus de|"
    r"au plus|inferieure?s? ou egale?s? a|inferieure?s? a|moins de) )?"
)
_BEYOND = r"(?P<beyond> (?:ou|et) (?:plus|moins|au dela|superieure?s?|inferieure?s?))?"


def _is_bound(match: re.Match[str]) -> bool:
    """Whether a step of a scale is named as a bound: « ≥ 8 », « III ou plus », « inférieur à 2 »."""
    return bool(match["how"] or match["beyond"])


def _on_scale(scale: list[str], step: str, match: re.Match[str]) -> list[str]:
    """The steps of an ordered scale that a bound lets in; none where there is no such step."""
    if step not in scale:
        return []
    how, beyond = (match["how"] or "").strip(), match["beyond"] or ""
    place = scale.index(step)
    strict = how in (">", "<") or how.startswith(("plus", "moins")) or (" a" in how and "egal" not in how)
    if how.startswith(("<", "≤", "inf", "moins", "au plus")) or "moins" in beyond or "inf" in beyond:
        return scale[: place + (not strict)]
    return scale[place + strict :]


def _stages(plain: str) -> Iterator[Chip]:
    several = rf"({_ONE_STAGE})(?:\s*(a|au|et|ou|/|,)?\s*(?:stade )?({_ONE_STAGE}))?"
    for match in re.finditer(
        r"(?<!\w)(?:au |de |en )?stades? (?:figo |ajcc |uicc |tnm |cliniques? |pathologiques? |precoces? |avances? )?"
        rf"{_HOW}{several}{_BEYOND}(?!\w)",
        plain,
    ):
        first, joint, last = _stage(match[2]), match[3], match[4] and _stage(match[4])
        stages = [first, last] if last else [first]
        if last and joint not in ("et", "ou", "/", ",") and {first, last} <= set(STAGES):
            stages = STAGES[STAGES.index(first) : STAGES.index(last) + 1]
        elif _is_bound(match):
            stages = _on_scale(STAGES, first.rstrip("ABCD123"), match)
        if stages:
            label = "Stade " + " ou ".join(stages)
            yield chip(match.start(), match.end(), "stage", label, {"tumour": {"stage": stages}})
    for match in re.finditer(
        rf"(?<!\w)grades? (?:sbr |de malignite )?{_HOW}(i{{1,3}}|[1-4])"
        rf"(?:\s*(?:a|et|ou|/|,)?\s*(i{{1,3}}|[1-4]))?(?: sbr)?{_BEYOND}(?!\w)",
        plain,
    ):
        grades = [group if group.isdigit() else str(len(group)) for group in match.group(2, 3) if group]
        grades = _on_scale(GRADES, grades[0], match) if _is_bound(match) else grades
        label = "Grade " + " ou ".join(grades)
        if grades:
            yield chip(match.start(), match.end(), "grade", label, {"tumour": {"grade": grades}})
    for match in re.finditer(
        r"(?<!\w)[cpy]{0,2}(?=[tnm]\d|tis)(t[0-4][a-d]?|tis)?[ ,]?(?:[cpy]{0,2}(n[0-3][a-c]?))?[ ,]?"
        r"(?:[cp]?(m[01][a-c]?))?(?!\w)",
        plain,
    ):
        parts = dict(zip("tnm", match.groups(), strict=True))
        leaf = {key: [value[0].upper() + value[1:]] for key, value in parts.items() if value}
        if not leaf or match.group().strip(" ,") == "m1":
            continue
        end = match.start() + len(match.group().rstrip(" ,"))
        label = "".join(values[0] for values in leaf.values())
        yield chip(match.start(), end, "tnm", label, {"tumour": leaf})


def _stage(text: str) -> str:
    found = re.fullmatch(r"(iv|i{1,3}|[0-4])\s?([abcd](?:[1-3])?)?", text)
    assert found
    return _ROMAN.get(found[1], found[1].upper()) + (found[2] or "").upper()


def _scores(plain: str) -> Iterator[Chip]:
    for match in re.finditer(
        rf"(?<!\w)(?:score de )?gleason (?:score )?(?:a |de |entre |= ?|: ?)?{_HOW}"
        rf"(\d{{1,2}})(?: (?:a|et|ou) (\d{{1,2}}))?(?: ?\(?\d ?\+ ?\d\)?)?{_BEYOND}(?![\w+])",
        plain,
    ):
        yield from _scored(match, "grade", "Gleason", "GLEASON", list(map(str, range(2, 11))))
    for match in re.finditer(
        r"(?<!\w)(?:indice |statut |score )?(?:de performance |performance status )?(?:oms|ps|ecog)"
        rf"(?: oms| ps| ecog| performance status)?(?!\w)\s*(?:de |a |= ?|: ?)?{_HOW}"
        rf"([0-4])(?:\s*(?:a|et|ou|/|,)?\s*([0-4]))?{_BEYOND}(?!\w)",
        plain,
    ):
        yield from _scored(match, "performance_status", "OMS", "PS", list(map(str, range(5))))


def _scored(match: re.Match[str], kind: str, name: str, code: str, scale: list[str]) -> Iterator[Chip]:
    """A score that is named, or a range of them: its first step is the second group, its last the third."""
    steps = [step for step in scale if int(match[2]) <= int(step) <= int(match[3] or match[2])]
    steps = _on_scale(scale, match[2], match) if _is_bound(match) and not match[3] else steps
    if steps:
        criterion: Json = {"concept": {"system": _LOCAL, "code": [f"{code}:{step}" for step in steps]}}
        label = f"{name} {steps[0]}" if len(steps) == 1 else f"{name} {steps[0]} à {steps[-1]}"
        yield chip(match.start(), match.end(), kind, label, criterion)


# --- Lines and primaries ------------------------------------------------------------------------------------

_ORDINALS = {
    r"premiere|1re|1ere|1er": 1,
    r"deuxieme|seconde|2e|2eme|2nde": 2,
    r"troisieme|3e|3eme": 3,
    r"quatrieme|4e|4eme": 4,
    r"cinquieme|5e|5eme": 5,
}
_MORE = r"(?: (?:ou|et) (?:plus|au dela|ulterieure|suivantes))"
_OF_CARE = r"(?: (?:de |d')?(?:traitements?|chimiotherapies?|metastatiques?|therapeutiques?|systemiques?))?"


_HOW_MANY = rf"(?P<how>au moins |plus de |plus d'|>= ?|≥ ?|> ?)?(?P<n>{NUMBER})"


def _lines(plain: str) -> Iterator[Chip]:
    for words, number in _ORDINALS.items():
        for match in re.finditer(
            r"(?<!\w)(?:en |de |des la |a la |a partir de la )?"
            rf"(?:(?:{words}) (?:ligne(?: metastatique)?|intention)|l{number})({_MORE})?(?!\w)",
            plain,
        ):
            more = bool(match[1]) or match.group().startswith(("des", "a partir"))
            line = {"min": number} if more else {"min": number, "max": number}
            label = f"Ligne {number}" + (" ou plus" if more else "")
            yield chip(match.start(), match.end(), LINES if more else "line", label, {"treatment": {"line": line}})
    for match in re.finditer(
        rf"(?<!\w)(?:ayant recu )?{_HOW_MANY} lignes?{_OF_CARE}{_MORE}?(?!\w)",
        plain,
    ):
        least = number_of(match["n"]) + ((match["how"] or "").strip() in ("plus de", "plus d'", ">"))
        if least:
            label = f"Au moins {least} ligne{'s' if least > 1 else ''}"
            yield chip(match.start(), match.end(), LINES, label, {"treatment": {"line": {"min": least}}})
    for match in re.finditer(
        rf"(?<!\w){_HOW_MANY} "
        r"(?:cancers?|tumeurs?|primitifs|neoplasies)(?: (?:primitifs|primitives|differents|differentes|distincts))?"
        r"(?: (?:ou|et) plus)?(?!\w)",
        plain,
    ):
        least = number_of(match["n"]) + ((match["how"] or "").strip() in ("plus de", "plus d'", ">"))
        if least > 1:
            yield chip(
                match.start(), match.end(), "count", f"Au moins {least} cancers", {"tumour": {"rank": {"min": least}}}
            )
    for match in re.finditer(r"(?<!\w)(?:plusieurs (?:cancers|tumeurs|primitifs)|cancers? multiples?)(?!\w)", plain):
        yield chip(match.start(), match.end(), "count", "Au moins 2 cancers", {"tumour": {"rank": {"min": 2}}})


# --- The tables of this room --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase of `questions.toml` and what it means."""

    pattern: re.Pattern[str]
    kind: str
    label: str
    criterion: Json
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """`questions.toml` and `stopwords.txt`, ready to be used on normalised text."""

    cues: tuple[Cue, ...]
    negation: re.Pattern[str]
    goes_on: re.Pattern[str]
    either: re.Pattern[str]
    family: re.Pattern[str]
    statuses: tuple[tuple[str, re.Pattern[str]], ...]
    stop_words: frozenset[str]
    groups: tuple[str, ...]
    spelling: tuple[str, ...]
    ordinary: frozenset[str]


@lru_cache(maxsize=1)
def rules() -> Rules:
    """The tables, read once."""
    here = Path(__file__).parent
    table = tomllib.loads((here / "questions.toml").read_text(encoding="utf-8"))
    common = _words(here / "stopwords.txt")
    context = table["context"]
    return Rules(
        cues=tuple(
            Cue(
                re.compile(rf"(?<!\w)(?:{cue['pattern']})(?!\w)"),
                cue["kind"],
                cue["label"],
                cue["criterion"],
                tuple(Alternative(text[:1].upper() + text[1:], text) for text in cue.get("alternatives", ())),
            )
            for cue in table["cue"]
        ),
        negation=re.compile(context["negation"]),
        goes_on=re.compile(context["goes_on"]),
        either=re.compile(context["either"]),
        family=re.compile(context["family"]),
        statuses=tuple((item["status"], re.compile(item["pattern"])) for item in context["status"]),
        stop_words=frozenset(tokens_for_index(word) for word in common),
        groups=tuple(context["groups"]),
        spelling=tuple(dict.fromkeys([*context["spelling"].split(), *(word for word in common if len(word) > 5)])),
        ordinary=plain_words(),
    )


def _words(file: Path) -> list[str]:
    """The words of a list, one or more a line; lines that begin with `#` are about them."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]
