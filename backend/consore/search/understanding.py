"""From plain French to visible criteria: « cancer du sein triple négatif métastatique avant 50 ans ».

The same terminology that reads reports reads the question. What it recognises becomes chips, each with its criterion;
phrases that no code system lists (ages, years, events, negation) are in `questions.toml`. The words left over are
searched in the documents. Everything recognised is shown to the user and can be taken away.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from consore.model import System, TreatmentType
from consore.referentials import Match, Terminology, normalise, tokens_for_index
from consore.search.criteria import MAX_LEAVES, QUOTED, Criteria, parse_criteria

LONGEST_QUESTION = 1000  # characters: the rest is not read, and the user is told
MOST_CHIPS = MAX_LEAVES // 3

_ICDO3_T, _ICDO3_M, _LOCAL = System.ICDO3_T.value, System.ICDO3_M.value, System.LOCAL.value
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chip:
    """One recognised criterion: where it stands in the question and what it means.

    `start`, `end`: code points of the question; `criterion`: criteria JSON, negation included.
    """

    text: str
    start: int
    end: int
    kind: str
    system: str | None
    code: str | None
    label: str
    negated: bool
    criterion: Json


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as it was understood.

    `words` and `phrases` are to be found in documents, `excluded` must not be; all are as the index keeps words.
    `notice`: what the user should know of how the question was read, in French.
    """

    text: str
    chips: list[Chip] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    criteria: Criteria | None = None
    notice: str | None = None

    @property
    def has_words(self) -> bool:
        """Whether documents have to be searched."""
        return bool(self.words or self.phrases or self.excluded)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be searched."""
        return not self.chips and not self.has_words


def understand(text: str, terminology: Terminology) -> Understood:
    """What a question in plain French asks for. Never fails: what is not understood is searched as words."""
    whole = unicodedata.normalize("NFC", text).replace("\x00", " ")
    question = whole[:LONGEST_QUESTION]
    notices = []
    if len(whole) > LONGEST_QUESTION:
        notices.append(f"Question trop longue : seuls ses {LONGEST_QUESTION} premiers caractères ont été lus.")
    masked, phrases, excluded = _take_quoted(question)
    plain = normalise(masked)
    chips = _negate(_candidates(masked, plain, terminology), plain)
    if len(chips) > MOST_CHIPS:
        notices.append(f"Trop de critères : seuls les {MOST_CHIPS} premiers ont été retenus.")
        chips = chips[:MOST_CHIPS]
    chips = _without_symptoms(_attach_years(chips, plain), plain)
    chips = [replace(chip, text=question[chip.start : chip.end]) for chip in chips]
    words = _words_left(masked, chips)
    understood = Understood(question, chips, words, phrases, excluded, combine(chips, plain))
    if understood.is_empty:
        notices.append(
            "Rien à chercher dans cette question : précisez un cancer, un traitement, un marqueur ou un autre mot."
            if question.strip()
            else "Tapez une question, par exemple « cancer du sein HER2+ avant 50 ans »."
        )
    return replace(understood, notice=" ".join(notices) or None)


# --- Quotes and exclusions ----------------------------------------------------------------------------------

_EXCLUDED = re.compile(r"(?:^|(?<=\s))[-–−](?=[^\W\d_])([\w’'-]{2,60})")


def _take_quoted(question: str) -> tuple[str, list[str], list[str]]:
    """The question with its quoted phrases and `-words` blanked, and both apart. A lone quote is a blank."""
    phrases: list[str] = []
    excluded: list[str] = []

    def quoted(match: re.Match[str]) -> str:
        phrase = tokens_for_index(next(group for group in match.groups() if group is not None))
        if phrase:
            phrases.append(phrase)
        return " " * len(match.group())

    def minus(match: re.Match[str]) -> str:
        excluded.extend(tokens_for_index(match.group(1)).split())
        return " " * len(match.group())

    masked = QUOTED.sub(quoted, question)
    masked = re.sub(r'["«»“”]', " ", masked)
    return _EXCLUDED.sub(minus, masked), phrases, excluded


# --- What is recognised -------------------------------------------------------------------------------------


def _candidates(masked: str, plain: str, terminology: Terminology) -> list[Chip]:
    """Everything recognised, the longest first where two claim the same letters, in the order of the question."""
    found = [*_cues(plain), *_ages(plain), *_years(plain), *_stagings(plain), *_coded(masked, plain, terminology)]
    found.sort(key=lambda chip: (chip.start - chip.end, chip.start))
    taken: list[Chip] = []
    for chip in found:
        if all(_may_overlap(chip, other) for other in taken if chip.start < other.end and other.start < chip.end):
            taken.append(chip)
    return sorted(taken, key=lambda chip: (chip.start, chip.end))


def _may_overlap(one: Chip, other: Chip) -> bool:
    """`adénocarcinome pulmonaire` is a histology and a site; `sein gauche` a site and a side."""
    kinds = {one.kind, other.kind}
    if kinds == {"topography", "morphology"}:
        return True
    if kinds == {"topography", "laterality"}:
        # The right colon is a site of its own, not a side.
        return not any((chip.code or "").startswith("C18") for chip in (one, other))
    return False


def _cues(plain: str) -> Iterator[Chip]:
    for pattern, kind, label, criterion in _rules().cues:
        for match in pattern.finditer(plain):
            yield _chip(match.start(), match.end(), kind, label, criterion)


def _chip(
    start: int, end: int, kind: str, label: str, criterion: Json, system: str | None = None, code: str | None = None
) -> Chip:
    return Chip("", start, end, kind, system, code, label, False, criterion)


_N = r"(\d{1,3})"
_AGES = (
    (rf"(?:entre|de) {_N}(?: ans)? (?:et|a) {_N} ans", lambda a, b: (a, b)),
    (rf"{_N}\s*(?:a|/)\s*{_N} ans", lambda a, b: (a, b)),
    (rf"(?:agee?s? )?(?:de )?plus (?:de |d'){_N} ans|> ?{_N} ?ans", lambda a: (a + 1, None)),
    (
        rf"(?:agee?s? )?(?:de )?(?:au moins |a partir de |apres (?:l'age de )?|des |>= ?|≥ ?){_N} ans",
        lambda a: (a, None),
    ),
    (rf"{_N} ans (?:et plus|ou plus)", lambda a: (a, None)),
    (rf"(?:agee?s? )?(?:de )?(?:moins (?:de |d')|avant (?:l'age de )?|< ?){_N} ans", lambda a: (None, a - 1)),
    (rf"(?:agee?s? )?(?:d')?(?:au plus |jusqu'a |<= ?|≤ ?){_N} ans", lambda a: (None, a)),
    (rf"{_N} ans (?:et moins|ou moins)", lambda a: (None, a)),
    (rf"(?:agee?s? )?(?:de )?{_N} ans", lambda a: (a, a)),
)


def _ages(plain: str) -> Iterator[Chip]:
    for written, bounds in _AGES:
        for match in re.finditer(rf"(?<!\w)(?:{written})(?!\w)", plain):
            numbers = [int(group) for group in match.groups() if group]
            low, high = bounds(*numbers)
            if any(number > 120 for number in numbers) or (low is not None and high is not None and low > high):
                continue
            span = {key: value for key, value in (("min", low), ("max", high)) if value is not None}
            label = "Âge au diagnostic : " + (
                f"{low} ans"
                if low == high
                else " ".join(
                    part
                    for part in (
                        f"à partir de {low} ans" if low is not None else "",
                        f"jusqu'à {high} ans" if high is not None else "",
                    )
                    if part
                )
            )
            yield _chip(match.start(), match.end(), "age", label, {"patient": {"ageAtDiagnosis": span}})


_Y = r"((?:19|20)\d\d)"
_LED = r"(?:diagnostiquee?s? |diagnostics? |annees? )?"
_YEARS = (
    (rf"{_LED}(?:entre|de) {_Y} (?:et|a) {_Y}", lambda a, b: (a, b)),
    (rf"{_LED}{_Y} ?(?:a|/) ?{_Y}", lambda a, b: (a, b)),
    (rf"{_LED}(?:depuis|a partir de|des) (?:l'annee )?{_Y}", lambda a: (a, None)),
    (rf"{_LED}apres {_Y}", lambda a: (a + 1, None)),
    (rf"{_LED}avant {_Y}", lambda a: (None, a - 1)),
    (rf"{_LED}jusqu'(?:en|a) {_Y}", lambda a: (None, a)),
    (rf"{_LED}(?:en |l'annee |de |annee )?{_Y}", lambda a: (a, a)),
)


def _years(plain: str) -> Iterator[Chip]:
    for written, bounds in _YEARS:
        for match in re.finditer(rf"(?<![\w/]){written}(?![\w/])", plain):
            first, last = bounds(*(int(group) for group in match.groups() if group))
            if first is not None and last is not None and first > last:
                continue
            period = {
                key: value
                for key, value in (
                    ("from", f"{first}-01-01" if first else None),
                    ("to", f"{last}-12-31" if last else None),
                )
                if value
            }
            if first == last:
                when = f"en {first}"
            elif first and last:
                when = f"de {first} à {last}"
            else:
                when = f"depuis {first}" if first else f"jusqu'à {last}"
            yield _chip(match.start(), match.end(), "year", f"Diagnostic {when}", {"tumour": {"diagnosed": period}})


_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_ORDINALS = {
    r"premiere|1re|1ere": 1,
    r"deuxieme|seconde|2e|2eme": 2,
    r"troisieme|3e|3eme": 3,
    r"quatrieme|4e|4eme": 4,
    r"cinquieme|5e|5eme": 5,
}


def _stagings(plain: str) -> Iterator[Chip]:
    for match in re.finditer(r"(?<!\w)stades? (iv|i{1,3}|[0-4])\s?([abc](?:[1-3])?)?(?!\w)", plain):
        stage = _ROMAN.get(match.group(1), match.group(1).upper()) + (match.group(2) or "").upper()
        yield _chip(match.start(), match.end(), "stage", f"Stade {stage}", {"tumour": {"stage": [stage]}})
    for match in re.finditer(r"(?<!\w)grade (i{1,3}|[1-4])(?!\w)", plain):
        grade = match.group(1) if match.group(1).isdigit() else str(len(match.group(1)))
        yield _chip(match.start(), match.end(), "grade", f"Grade {grade}", {"tumour": {"grade": [grade]}})
    for match in re.finditer(
        r"(?<!\w)[cpy]{0,2}(?=[tnm]\d)(t[0-4][a-d]?|tis)?(n[0-3][a-c]?)?(m[01][a-c]?)?(?!\w)", plain
    ):
        if match.group() in ("", "m1"):
            continue
        parts = dict(zip("tnm", match.groups(), strict=True))
        leaf = {key: [value[0].upper() + value[1:]] for key, value in parts.items() if value}
        label = "".join(values[0] for values in leaf.values())
        yield _chip(match.start(), match.end(), "tnm", label, {"tumour": leaf})
    for match in re.finditer(
        r"(?<!\w)(?:score de )?gleason (?:a |de |= ?)?(\d{1,2})(?: ?\(?\d ?\+ ?\d\)?)?(?!\w)", plain
    ):
        score: Json = {"concept": {"system": _LOCAL, "code": [f"GLEASON:{match.group(1)}"]}}
        yield _chip(match.start(), match.end(), "grade", f"Gleason {match.group(1)}", score)
    for words, number in _ORDINALS.items():
        for match in re.finditer(rf"(?<!\w)(?:en |de )?(?:(?:{words}) ligne|l{number})(?!\w)", plain):
            criterion: Json = {"treatment": {"line": {"min": number, "max": number}}}
            yield _chip(match.start(), match.end(), "line", f"Ligne {number}", criterion)


# --- What the terminology knows -----------------------------------------------------------------------------


def _coded(masked: str, plain: str, terminology: Terminology) -> Iterator[Chip]:
    for match in terminology.match(masked):
        chip = _of_match(match, plain, masked, terminology)
        if chip:
            yield chip


def _of_match(match: Match, plain: str, masked: str, terminology: Terminology) -> Chip | None:
    code = match.code or ""
    is_gene = match.kind == "alteration" or bool(terminology.concept(System.HGNC.value, code))
    if match.kind in ("alteration", "biomarker") and is_gene and code not in PROTEINS:
        return _alteration(match, plain, masked)
    if match.kind == "biomarker":
        return _biomarker(match, plain, masked)
    criterion = _criterion(match, terminology)
    if criterion is None:
        return None
    called = match.text.capitalize() if _several(match) else match.label
    return _chip(match.start, match.end, match.kind, called, criterion, match.system, _several(match) or match.code)


def _several(match: Match) -> str | None:
    """The range of codes that a term stands for (`colorectal`: C18-C20), else None."""
    return match.value if match.kind == "topography" and match.value and "-" in match.value else None


# Genes whose result is that of a stain, not of a sequence.
PROTEINS = frozenset({"HER2", "ER", "PR", "HR", "KI67", "PDL1"})
METASTASES = ["initial", "metastatic_recurrence", "progression"]
_RECURRENCES: dict[str, list[str]] = {
    "REC:local": ["local_recurrence"],
    "REC:regional": ["regional_recurrence"],
    "REC:metastatic": ["metastatic_recurrence"],
    "REC:progression": ["progression"],
    "REC:unspecified": ["local_recurrence", "regional_recurrence", "metastatic_recurrence"],
}


def _criterion(match: Match, terminology: Terminology) -> Json | None:
    """The criterion of a recognised term; None where it narrows nothing (`cancer`) or a phrase says it better."""
    code = match.code or ""
    system = match.system or ""
    match match.kind:
        case "topography":
            return {"tumour": {"topography": codes_under(_several(match) or terminology.widened(system, code))}}
        case "morphology":
            if code.startswith("800") or code.endswith("/6"):
                return None  # cancer, tumeur, métastase
            return {"tumour": {"morphology": codes_under(terminology.widened(system, code))}}
        case "metastasis" if code:
            sites = ["C40", "C41"] if code[:3] in ("C40", "C41") else [code[:3]]
            return {"event": {"type": METASTASES, "site": sites}}
        case "recurrence" if code in _RECURRENCES:
            return {"event": {"type": _RECURRENCES[code]}}
        case "drug":
            return {"treatment": {"drug": codes_under(code)}}
        case "regimen":
            return {"treatment": {"regimen": [code]}}
        case "procedure":
            return _procedure(system, code, terminology)
        case "stage" if code.startswith("STAGE:"):
            return {"tumour": {"stage": [match.value or code.removeprefix("STAGE:")]}}
        case "grade" if code.startswith("GRADE:"):
            return {"tumour": {"grade": [match.value or code.removeprefix("GRADE:")]}}
        case "line" if (match.value or "").isdigit():
            number = int(match.value or 0)
            return {"treatment": {"line": {"min": number, "max": number}}}
        case "laterality" if match.value in ("left", "right", "bilateral", "midline"):
            return {"tumour": {"laterality": match.value}}
        case "performance_status" | "response" | "stage" | "grade" | "measurement" if code:
            return {"concept": {"system": system, "code": [code]}}
    return None


def _procedure(system: str, code: str, terminology: Terminology) -> Json | None:
    """A treatment; what only examines (scanner, biopsy) is better found where it is written."""
    kind = code.removeprefix("PROC:")
    if kind in {item.value for item in TreatmentType}:
        return {"treatment": {"type": [kind]}}
    if terminology.treatment_type_of_act(code) is None:
        return None
    either: list[Json] = [{"treatment": {"act": [code]}}]
    if system == System.CCAM.value:
        either.append({"act": {"code": [code]}})
    else:
        either.append({"concept": {"system": system, "code": [code]}})
    return {"any": either}


def _biomarker(match: Match, plain: str, masked: str) -> Chip:
    code = match.code or ""
    if code == "TNBC":
        parts = [{"biomarker": {"code": [marker], "status": ["negative"]}} for marker in ("ER", "PR", "HER2")]
        criterion: Json = {"any": [{"all": parts}, {"biomarker": {"code": ["TNBC"], "status": ["positive"]}}]}
        return _chip(match.start, match.end, "biomarker", match.label, criterion, match.system, code)
    status, value, end = _result(match, plain, masked)
    if status is None and value is None and code == "HER2":
        status = "positive"  # « cancer du sein HER2 » is said of those that have it
    if code == "HR" and status in ("positive", "negative"):
        criterion = _hormone_receptors(status)
        label = f"{match.label} {STATUS_LABELS[status]}s"
        return _chip(match.start, end, "biomarker", label, criterion, match.system, code)
    leaf: Json = {"code": [code]}
    label = match.label
    if value:
        leaf["value"] = value
        label = f"{match.label} {_bounds(value)}"
    elif status:
        leaf["status"] = _STATUSES.get(status, [status])
        label = f"{match.label} {STATUS_LABELS.get(status, status)}"
    return _chip(match.start, end, "biomarker", label, {"biomarker": leaf}, match.system, code)


def _hormone_receptors(status: str) -> Json:
    """Positive when one of the receptors is, negative when both are; or as a report says it in one word."""
    both: list[Json] = [{"biomarker": {"code": [code], "status": [status]}} for code in ("ER", "PR")]
    in_one_word: Json = {"biomarker": {"code": ["HR"], "status": [status]}}
    return {"any": [in_one_word, *both] if status == "positive" else [in_one_word, {"all": both}]}


def _alteration(match: Match, plain: str, masked: str) -> Chip:
    """A gene: some sites write its result as an alteration, some as a biomarker."""
    gene = match.code or ""
    status, _, end = _result(match, plain, masked)
    statuses = _STATUSES.get(status or "mutated", [status or "mutated"])
    if status in (None, "positive", "mutated"):
        statuses = ["mutated", "positive"]
    criterion: Json = {
        "any": [
            {"alteration": {"gene": [gene], "status": statuses}},
            {"biomarker": {"code": [gene], "status": statuses}},
        ]
    }
    label = f"{gene} {STATUS_LABELS.get(status or 'mutated', status)}"
    return _chip(match.start, end, "alteration", label, criterion, match.system, gene)


# A question's word covers the neighbouring words that a report may use for the same result.
_STATUSES = {
    "positive": ["positive", "high"],
    "negative": ["negative"],
    "mutated": ["mutated", "positive"],
    "wild_type": ["wild_type", "negative"],
}
STATUS_LABELS = {
    "positive": "positif",
    "negative": "négatif",
    "high": "élevé",
    "low": "faible",
    "equivocal": "équivoque",
    "mutated": "muté",
    "wild_type": "sauvage",
    "unknown": "inconnu",
}
_NUMBER = re.compile(
    r"\s*(?:a |:|est )?\s*"
    r"(>=|<=|≥|≤|>|<|superieure? (?:ou egale? )?a|inferieure? (?:ou egale? )?a|plus de|moins de|=)\s*"
    r"(\d{1,5}(?:[.,]\d+)?)\s*(%|ng/ml|ui/ml|u/ml)?"
)
_UNITS = {"%": "%", "ng/ml": "ng/mL", "ui/ml": "UI/mL", "u/ml": "U/mL"}


def _result(match: Match, plain: str, masked: str) -> tuple[str | None, Json | None, int]:
    """The status or the bounds stated with a biomarker, and where the statement ends."""
    if match.value in STATUS_LABELS:
        return match.value, None, match.end
    number = _NUMBER.match(plain, match.end)
    if number:
        bound = float(number.group(2).replace(",", "."))
        low = number.group(1)[0] in ">≥sp="
        high = number.group(1)[0] in "<≤im="
        value: Json = {key: bound for key, stated in (("min", low), ("max", high)) if stated}
        return None, value, number.end()
    # Dashes are blanks in normalised text: a minus is read in the original.
    following = (
        plain[: match.end] + re.sub(r"^(\s?)[-–−](?!\w)", r"\1-", masked[match.end :])[:2] + plain[match.end + 2 :]
    )
    for status, pattern in _rules().statuses:
        found = pattern.match(following, match.end)
        if found and found.end() > match.end:
            return status, None, min(found.end(), len(plain))
    before = re.search(
        r"(?:mutations?|amplification|rearrangement|fusion|translocation)(?: (?:de|du|d'|des|d|le|la|l'))*\s*$",
        plain[: match.start],
    )
    return ("mutated" if before else None), None, match.end


def _bounds(value: Json) -> str:
    low, high = value.get("min"), value.get("max")
    if low == high:
        return f"= {low:g}"
    return f"≥ {low:g}" if low is not None else f"≤ {high:g}"


def codes_under(code: str) -> list[str]:
    """A code; for a range (`C18-C20`, `8140-8389`) the shortest beginnings that cover it and nothing else."""
    match = re.fullmatch(r"([A-Z]?)(\d+)-([A-Z]?)(\d+)", code)
    if not match or match.group(1) != match.group(3) or len(match.group(2)) != len(match.group(4)):
        return [code]
    return [match.group(1) + digits for digits in _cover(match.group(2), match.group(4))]


def _cover(first: str, last: str) -> list[str]:
    if set(first) <= {"0"} and set(last) <= {"9"}:
        return [""]
    if first[0] == last[0]:
        return [first[0] + rest for rest in _cover(first[1:], last[1:])]
    beginnings: list[str] = []
    for digit in range(int(first[0]), int(last[0]) + 1):
        low = first[1:] if digit == int(first[0]) else "0" * (len(first) - 1)
        high = last[1:] if digit == int(last[0]) else "9" * (len(last) - 1)
        beginnings += [str(digit) + rest for rest in (_cover(low, high) if low else [""])]
    return beginnings


# --- Negation, years, words left ----------------------------------------------------------------------------


def _negate(chips: list[Chip], plain: str) -> list[Chip]:
    negation = _rules().negation
    result: list[Chip] = []
    for chip in chips:
        before = plain[max(0, chip.start - 60) : chip.start]
        found = negation.search(before)
        if found and chip.kind not in ("age", "year", "laterality"):
            start = chip.start - (len(before) - found.start())
            result.append(replace(chip, start=start, negated=True, criterion={"none": [chip.criterion]}))
        elif (
            result
            and result[-1].negated
            and result[-1].kind == chip.kind
            and re.fullmatch(r"[ ,]*(?:ni|ou)(?: de| d')?\s*", plain[result[-1].end : chip.start])
        ):
            result.append(replace(chip, negated=True, criterion={"none": [chip.criterion]}))
        else:
            result.append(chip)
    return result


def _attach_years(chips: list[Chip], plain: str) -> list[Chip]:
    """« opérés en 2019 »: the year is the treatment's, not the diagnosis'."""
    result: list[Chip] = []
    for chip in chips:
        previous = result[-1] if result else None
        if chip.kind == "year" and previous and not previous.negated and not plain[previous.end : chip.start].strip():
            name = next(iter(previous.criterion))
            if name in ("treatment", "event") and "diag" not in plain[chip.start : chip.end]:
                period = chip.criterion["tumour"]["diagnosed"]
                criterion = {name: {**previous.criterion[name], "between": period}}
                label = f"{previous.label} {chip.label.removeprefix('Diagnostic ')}"
                result[-1] = replace(previous, end=chip.end, label=label, criterion=criterion)
                continue
        result.append(chip)
    return result


_ADJECTIVE = re.compile(r"(?:al|ale|aux|aire|ique|euse?|eux|el|elle|ien|ienne)s?$")


def _without_symptoms(chips: list[Chip], plain: str) -> list[Chip]:
    """« douleur abdominale » is no tumour of the abdomen: an adjective after a word of its own is a word too."""
    stop = _rules().stop_words
    covered = [False] * len(plain)
    for chip in chips:
        if chip.kind != "topography":
            covered[chip.start : chip.end] = [True] * (chip.end - chip.start)

    def qualifies_a_word(chip: Chip) -> bool:
        if chip.kind != "topography" or chip.negated or not _ADJECTIVE.search(plain[chip.start : chip.end]):
            return False
        if any(covered[chip.start : chip.end]):
            return False  # inside a histology
        before = re.search(r"(\w+) +$", plain[: chip.start])
        return bool(
            before and not covered[before.start(1)] and not stop & set(tokens_for_index(before.group(1)).split())
        )

    return [chip for chip in chips if not qualifies_a_word(chip)]


def _words_left(masked: str, chips: list[Chip]) -> list[str]:
    letters = list(masked)
    for chip in chips:
        letters[chip.start : chip.end] = " " * (chip.end - chip.start)
    words = tokens_for_index("".join(letters)).split()
    stop = _rules().stop_words
    return list(dict.fromkeys(word for word in words if word not in stop and word.isalnum() and len(word) > 1))[:24]


# --- Criteria of all chips ----------------------------------------------------------------------------------


def combine(chips: list[Chip], plain: str = "") -> Criteria | None:
    """The criteria of all chips together: attributes of a tumour hold for the same tumour, a line for its treatment.

    `plain`: the normalised question, to see where two chips are joined by « ou ».
    """
    tumour: Json = {}
    nodes: list[Json] = []
    previous: Chip | None = None
    for chip in chips:
        joined = bool(
            previous
            and plain
            and not chip.negated
            and not previous.negated
            and _rules().either.search(plain[previous.end : chip.start])
        )
        name, leaf = next(iter(chip.criterion.items()))
        if name == "tumour" and not chip.negated:
            if chip.kind == "topography" and "topography" in tumour and _both(previous, chip, plain):
                nodes.append(chip.criterion)
            else:
                _merge_tumour(tumour, leaf, nodes)
        elif joined and nodes and previous and next(iter(previous.criterion)) == name:
            last = nodes.pop()
            nodes.append({"any": [*last["any"], chip.criterion] if "any" in last else [last, chip.criterion]})
        elif name == "treatment" and set(leaf) == {"line"} and nodes and "treatment" in nodes[-1]:
            nodes[-1] = {"treatment": {**nodes[-1]["treatment"], **leaf}}
        elif name == "treatment" and nodes and set(nodes[-1].get("treatment", {})) == {"line"}:
            nodes[-1] = {"treatment": {**leaf, **nodes[-1]["treatment"]}}
        else:
            nodes.append(chip.criterion)
        previous = chip
    if tumour:
        nodes.insert(0, {"tumour": tumour})
    unique = list({json.dumps(node, sort_keys=True): node for node in nodes}.values())
    if not unique:
        return None
    return parse_criteria(unique[0] if len(unique) == 1 else {"all": unique})


def _both(previous: Chip | None, chip: Chip, plain: str) -> bool:
    """« sein et ovaire »: two tumours, not one of either."""
    return bool(previous and previous.kind == "topography" and re.search(r"\bet\b", plain[previous.end : chip.start]))


def _merge_tumour(tumour: Json, leaf: Json, nodes: list[Json]) -> None:
    """Lists of one attribute mean « one of »; two sides or two periods cannot hold for one tumour."""
    for key, value in leaf.items():
        if key not in tumour:
            tumour[key] = value
        elif isinstance(value, list):
            tumour[key] = list(dict.fromkeys([*tumour[key], *value]))
        elif tumour[key] != value:
            nodes.append({"tumour": {key: value}})


# --- The tables of this room --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rules:
    cues: list[tuple[re.Pattern[str], str, str, Json]]
    negation: re.Pattern[str]
    either: re.Pattern[str]
    statuses: list[tuple[str, re.Pattern[str]]]
    stop_words: frozenset[str]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    here = Path(__file__).parent
    table = tomllib.loads((here / "questions.toml").read_text(encoding="utf-8"))
    lines = (here / "stopwords.txt").read_text(encoding="utf-8").splitlines()
    words = {tokens_for_index(word) for line in lines if not line.startswith("#") for word in line.split()}
    return _Rules(
        cues=[
            (re.compile(rf"(?<!\w){cue['pattern']}(?!\w)"), cue["kind"], cue["label"], cue["criterion"])
            for cue in table["cue"]
        ],
        negation=re.compile(table["context"]["negation"]),
        either=re.compile(table["context"]["either"]),
        statuses=[(item["status"], re.compile(item["pattern"])) for item in table["context"]["status"]],
        stop_words=frozenset(words),
    )
