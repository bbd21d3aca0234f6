"""What the terminology recognises in a question: the terms that read a report read the search bar.

A general word means its family in a question (`poumon`: all of C34). A biomarker takes the result or the bounds beside
it. Values are reported with two decimals at most, so a strict bound (`> 20 %`) is a hundredth away from what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from consore.model import BiomarkerStatus, System, TreatmentType
from consore.referentials import Match, Terminology, normalise
from consore.search.chips import Alternative, Chip, Json, chip
from consore.search.labels import label
from consore.search.phrases import rules

_LOCAL, _HGNC = System.LOCAL.value, System.HGNC.value


def terms(masked: str, plain: str, terminology: Terminology) -> Iterator[Chip]:
    """The chip of every term found; `plain` is `masked` normalised, letter for letter."""
    for match in terminology.match(masked):
        for named in _without_spread(match, terminology):
            found = _chip_of(named, plain, masked, terminology)
            if found:
                yield found


def _without_spread(match: Match, terminology: Terminology) -> Iterator[Match]:
    """« mélanome métastatique » is a melanoma, and metastatic: its behaviour is no other histology in a question."""
    code = match.code or ""
    spread = _SPREAD.search(normalise(match.text))
    if match.kind != "morphology" or not code.endswith("/6") or code.startswith("800") or spread is None:
        yield match
        return
    for part in terminology.match(match.text[: spread.start()]):
        yield replace(part, start=part.start + match.start, end=part.end + match.start)


_SPREAD = re.compile(r"\bmetasta")


def _chip_of(match: Match, plain: str, masked: str, terminology: Terminology) -> Chip | None:
    code = match.code or ""
    is_gene = match.kind == "alteration" or bool(terminology.concept(_HGNC, code))
    if match.kind in ("alteration", "biomarker") and is_gene and code not in PROTEINS:
        return _alteration(match, plain, masked)
    if match.kind == "biomarker":
        return _biomarker(match, plain, masked)
    criterion = _criterion(match, terminology)
    written = plain[match.start : match.end]
    if criterion is None or _APART.search(written):
        return None
    if match.kind == "metastasis" and _BORN_IN.search(written) and not _SPREAD_TO & set(sites_of_metastasis(code)):
        return None
    called = match.text.capitalize() if _several(match) else match.label
    other = (as_written(match.text),) if match.ambiguous else ()
    return chip(match.start, match.end, match.kind, called, criterion, match.system, _several(match) or code, other)


_APART = re.compile(r"metastatiques?\s*[,;:]")  # « non métastatiques, poumon » is no spread to the lung
_BORN_IN = re.compile(r"metastatiques? (?:d(?:e|es|u)\b|d')")  # « métastatiques de la prostate »
_SPREAD_TO = frozenset({"C22", "C40", "C41", "C48", "C71", "C77"})  # organs that cancers reach rather than begin in


def as_written(text: str) -> Alternative:
    """The other reading of any term: the word itself, wherever documents hold it."""
    return Alternative(f"« {text} » tel qu'écrit", f'"{text}"')


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
            if code.endswith("/1"):
                return {"tumour": {"morphology": [code[:4]]}}  # a GIST, whatever was said of its behaviour
            return {"tumour": {"morphology": codes_under(terminology.widened(system, code))}}
        case "metastasis" if code:
            types = ["metastatic_recurrence"] if _RELAPSE.search(normalise(match.text)) else METASTASES
            return {"event": {"type": types, "site": sites_of_metastasis(code)}}
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


_RELAPSE = re.compile(r"rechut|recidiv")


def sites_of_metastasis(code: str) -> list[str]:
    """The organ of a metastasis as its category; bones have two."""
    return ["C40", "C41"] if code[:3] in ("C40", "C41") else [code[:3]]


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


# --- Biomarkers and genes -----------------------------------------------------------------------------------


def _biomarker(match: Match, plain: str, masked: str) -> Chip:
    code = match.code or ""
    start, end, stated, value, said = _result(match, plain, masked)
    if code == "TNBC":
        parts = [{"biomarker": {"code": [marker], "status": ["negative"]}} for marker in ("ER", "PR", "HER2")]
        criterion: Json = {"any": [{"all": parts}, {"biomarker": {"code": ["TNBC"], "status": ["positive"]}}]}
        return chip(match.start, match.end, "biomarker", match.label, criterion, match.system, code)
    status = stated
    other: tuple[Alternative, ...] = ()
    if status is None and value is None and code in _USUALLY:
        status = "positive"  # « cancer du sein HER2 » is said of those that have it
        other = (Alternative(f"{match.label} négatif", f"{match.text} négatif"),)
    if code == "HR" and status in ("positive", "negative"):
        called = f"{match.label} {label('status', status)}s"
        return chip(start, end, "biomarker", called, _hormone_receptors(status), match.system, code)
    if code == "BRCA" and value is None and status in (None, "mutated", "positive", "wild_type", "negative"):
        mutated = status not in ("wild_type", "negative")
        called = f"BRCA {label('status', 'mutated' if mutated else 'wild_type')}"
        return chip(start, end, "biomarker", called, _brca(mutated), match.system, code)
    if code == "RAS" and status in ("mutated", "positive", "wild_type", "negative"):
        mutated = status in ("mutated", "positive")
        called = f"RAS {label('status', 'mutated' if mutated else 'wild_type')}"
        return chip(start, end, "biomarker", called, _ras(mutated), match.system, code)
    leaf: Json = {"code": [code]}
    called = match.label
    if value:
        leaf["value"] = value
        called = f"{match.label} {said}"
    elif status:
        leaf["status"] = _STATUSES.get(status, [status])
        called = f"{match.label} {label('status', status)}"
    return chip(start, end, "biomarker", called, {"biomarker": leaf}, match.system, code, other)


_USUALLY = frozenset({"HER2", "MSI"})  # named without a result, they are there


def _hormone_receptors(status: str) -> Json:
    """Positive when one of the receptors is, negative when both are; or as a report says it in one word."""
    both: list[Json] = [{"biomarker": {"code": [code], "status": [status]}} for code in ("ER", "PR")]
    in_one_word: Json = {"biomarker": {"code": ["HR"], "status": [status]}}
    return {"any": [in_one_word, *both] if status == "positive" else [in_one_word, {"all": both}]}


def _ras(mutated: bool) -> Json:
    """KRAS or NRAS mutated, or neither where KRAS was tested; or as a report says it in one word."""
    if mutated:
        return {"any": [_marker_leaf("RAS", "mutated"), _gene("KRAS", "mutated"), _gene("NRAS", "mutated")]}
    neither = {"all": [_gene("KRAS", "wild_type"), {"none": [_gene("NRAS", "mutated")]}]}
    return {"any": [_marker_leaf("RAS", "wild_type"), neither]}


def _brca(mutated: bool) -> Json:
    """BRCA1 or BRCA2 mutated, or BRCA as a report says it in one word; not mutated where one is said so."""
    status = "mutated" if mutated else "wild_type"
    return {"any": [_marker_leaf("BRCA", status), _gene("BRCA1", status), _gene("BRCA2", status)]}


def _marker_leaf(code: str, status: str) -> Json:
    return {"biomarker": {"code": [code], "status": _STATUSES[status]}}


def _gene(gene: str, status: str) -> Json:
    """A gene's result: some sites write it as an alteration, some as a biomarker."""
    statuses = _STATUSES.get(status, [status])
    return {
        "any": [
            {"alteration": {"gene": [gene], "status": statuses}},
            {"biomarker": {"code": [gene], "status": statuses}},
        ]
    }


_VARIANT = re.compile(r"[ (:,]{0,2}(?:p\.? ?)?([a-z])(\d{1,4})([a-z*])(?!\w)\)?")


def _alteration(match: Match, plain: str, masked: str) -> Chip:
    gene = match.code or ""
    start, end, status, _, _ = _result(match, plain, masked)
    variant = _VARIANT.match(plain, match.end)
    if variant:
        change = f"p.{variant[1].upper()}{variant[2]}{variant[3].upper()}"
        criterion: Json = {"alteration": {"gene": [gene], "variant": change}}
        after = re.compile(r" ?mute(?:e|s|es)?(?!\w)").match(plain, variant.end())
        stop = after.end() if after else variant.end()
        return chip(start, stop, "alteration", f"{gene} {change}", criterion, match.system, gene)
    status = "mutated" if status in (None, "positive", "mutated") else status
    other = () if end > match.end or start < match.start else (Alternative(f"{gene} sauvage", f"{match.text} sauvage"),)
    called = f"{gene} {label('status', status)}"
    return chip(start, end, "alteration", called, _gene(gene, status), match.system, gene, other)


# A question's word covers the neighbouring words that a report may use for the same result.
_STATUSES = {
    "positive": ["positive", "high"],
    "negative": ["negative"],
    "mutated": ["mutated", "positive"],
    "wild_type": ["wild_type", "negative"],
}
_FIGURE = r"(\d{1,5}(?:[.,]\d+)?)"
_UNIT = r"(?:%|ng/ml|[mk]?ui/ml|u/ml|g/l|[mc]m(?!\w)|pour cent)"
_LINKING = r"(?:\(|a |:|est |de |d'|(?:serique|initial|nadir|au diagnostic) |eleve a |qui est )?"
_BETWEEN = re.compile(
    rf"\s*{_LINKING}\s*(?:entre |de |compris entre ){_FIGURE}\s*{_UNIT}? (?:et|a) {_FIGURE}\s*{_UNIT}?"
)
_COMPARED = re.compile(
    rf"\s*{_LINKING}\s*"
    r"(>=|<=|≥|≤|>|<|superieure?s? (?:ou egale?s? )?a|inferieure?s? (?:ou egale?s? )?a|plus de|moins de|au dessus de|"
    r"au dessous de|en dessous de|au dela de|depassant|(?:d')?au moins|(?:d')?au plus|a partir de|=)\s*"
    rf"{_FIGURE}\s*(?P<unit>{_UNIT})?(?: (?:ou|et) (?P<more>plus|moins))?"
)
_LOW_SIGNS = (">", "≥", "s", "p", "au dessus", "au dela", "d'au moins", "au moins", "depassant", "a partir", "=")
_INCLUDED = re.compile(r">=|<=|≥|≤|=|egal|au moins|au plus|a partir")
_STRICTLY = 0.01
_MINUS = re.compile(r"\s?[-–−](?!\w)")
_RESULTS = frozenset(BiomarkerStatus)
_BEFORE = re.compile(
    r"(?:mutations?|amplification|rearrangement|fusion|translocation|mute(?:e|s|es)?|surexpression|deletion|anomalie)"
    r"(?: (?:de|du|d'|des|d|le|la|l'|genes?))*[ ']*$"
)
_NOT_BEFORE = re.compile(r"(?:\bnon mute(?:e|s|es)?|\bsauvages?)(?: (?:pour|de|du|le))* *$")


def _result(match: Match, plain: str, masked: str) -> tuple[int, int, str | None, Json | None, str]:
    """Where the statement of a result stands, the status or the bounds that it states, and these bounds in words."""
    start = match.start
    if match.value in _RESULTS:
        return start, match.end, match.value, None, ""
    value, end, said = _measured(match.end, plain)
    if value:
        return start, end, None, value, said
    # Dashes are blanks in normalised text: a minus is read in the original.
    minus = _MINUS.match(masked, match.end)
    following = f"{plain[: minus.end() - 1]}-{plain[minus.end() :]}" if minus else plain
    for status, pattern in rules().statuses:
        found = pattern.match(following, match.end)
        if found and found.end() > match.end:
            return start, min(found.end(), len(plain)), status, None, ""
    unmutated = _NOT_BEFORE.search(plain[:start])
    if unmutated:
        return unmutated.start(), match.end, "wild_type", None, ""
    before = _BEFORE.search(plain[:start])
    if before:
        return before.start(), match.end, "mutated", None, ""
    return start, match.end, None, None, ""


def _measured(position: int, plain: str) -> tuple[Json | None, int, str]:
    between = _BETWEEN.match(plain, position)
    if between:
        low, high = (float(figure.replace(",", ".")) for figure in between.groups())
        return {"min": low, "max": high}, between.end(), f"de {low:g} à {high:g}"
    compared = _COMPARED.match(plain, position)
    if compared is None:
        return None, position, ""
    sign, bound = compared[1], float(compared[2].replace(",", "."))
    if sign == "=" and compared["more"] is None:
        return {"min": bound, "max": bound}, compared.end(), f"= {bound:g}"
    is_low = sign.startswith(_LOW_SIGNS) if compared["more"] is None else compared["more"] == "plus"
    strict = not _INCLUDED.search(sign) and compared["more"] is None
    said = f"{('>' if is_low else '<') if strict else ('≥' if is_low else '≤')} {bound:g}"
    if compared["unit"]:
        said += " %" if compared["unit"] in ("%", "pour cent") else ""
    if strict:
        bound = round(bound + (_STRICTLY if is_low else -_STRICTLY), 4)
    return {"min" if is_low else "max": bound}, compared.end(), said


# --- Ranges of codes ----------------------------------------------------------------------------------------


def codes_under(code: str) -> list[str]:
    """A code; for a range (`C18-C20`, `8140-8389`) the shortest beginnings that cover it and nothing else.

    Several, joined by `+`, are taken one by one (`9840+9865-9874`).
    """
    if "+" in code and code[0].isdigit():
        return [under for part in code.split("+") for under in codes_under(part)]
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
