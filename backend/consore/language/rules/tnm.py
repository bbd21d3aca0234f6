"""TNM as it is written: pT2N1M0, cT3 N0 M0, ypT1c pN1mi (sn), T4d, T2 N1 M0, M1b (UICC, 8th edition).

The code is the notation without blanks and with one prefix: `pT2N1M0`, `ypT1cN1mi(sn)`. A second prefix is kept only
where it says something else than the first (`pT2cN1`); M has none, it is always clinical or proven.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from consore.language.anchored import Anchored, Places
from consore.model import Mention, MentionKind, System

_PREFIX = r"(?:[yra]{0,2}[cp]|y|us?|(?-i:y?[ra]))"
_T = rf"(?P<tp>{_PREFIX})?[ ]?T[ ]?(?P<t>is|x|0|[1-4](?:[ ]?mi(?![a-z])|[a-d][1-3]?)?)(?P<tm>[ ]?\((?:m|\d|is|s)\))?"
_N = (
    rf"(?P<np>{_PREFIX})?[ ]?N[ ]?(?P<n>x|\+|[0-3](?:[ ]?mi(?![a-z])|[a-c][1-3]?)?(?:[ ]?-[ ]?[1-3])?)"
    r"(?P<nm>[ ]?\((?:sn|i[+-]|mol[+-]|f)\))?(?:[ ]?\(\d{1,3}[ ]?[N/][+]?[ ]?(?:/[ ]?)?\d{1,3}[^)]{0,6}\))?"
)
_M = rf"(?:{_PREFIX})?[ ]?M[ ]?(?P<m>x|[01](?:[a-d][1-3]?)?|(?-i:O)(?![A-Za-z]))(?![0-9])"
_GAP = r"[ ,;/\n-]{0,3}"
_WHOLE = re.compile(rf"(?<![\w-])(?:{_T}(?:{_GAP}{_N})?(?:{_GAP}{_M})?)(?![a-z0-9])", re.IGNORECASE)
_FROM_N = re.compile(rf"(?<![\w-])(?:{_N}(?:{_GAP}{_M})?)(?![a-z0-9])", re.IGNORECASE)
_ONLY_M = re.compile(rf"(?<![\w-])(?:{_M})(?![a-z0-9/-])")

# One a line or a cell: « T : 2   N : 1   M : 0 ».
_TABLE = re.compile(
    r"(?<!\w)(?P<tp>[cp])?T\s?[:=|]\s?(?P<t>is|x|[0-4][a-d]?)[\s,;|]{1,4}(?P<np>[cp])?N\s?[:=|]\s?(?P<n>x|[0-3][a-c]?)"
    r"[\s,;|]{1,4}M\s?[:=|]\s?(?P<m>x|[01][a-c]?)(?!\w)",
    re.IGNORECASE,
)
_CLASSED = re.compile(
    r"(?:class[ée]e?s?|stade|tnm|stadifi[ée]e?|tumeur|l[ée]sion|usTN?|en)\s?:?\s?(?:clinique|path\w*|radiologique|écho\w*)?\s?$",
    re.IGNORECASE,
)
_NOT_TNM = re.compile(
    r"(?:s[ée]quences?|pond[ée]r\w*|hyper\s?signal|hypo\s?signal|signal|irm|flair|en|vert[èe]br\w*|corps|de|à|niveau|rachis|l\.?|lam)"
    r"\s?(?:en|de|la|les|vert[ée]bral)?\s?$",
    re.IGNORECASE,
)


_PREFIXED = len("yrp ")
_TABLES = Anchored(_TABLE, *(f"t{blank}{sign}" for blank in ("", " ", "\n") for sign in ":=|"), reach=1)
_WHOLES = Anchored(_WHOLE, *(f"t{blank}{t}" for blank in ("", " ") for t in ("is", *"x01234")), reach=_PREFIXED)
_FROM_NS = Anchored(_FROM_N, *(f"N{blank}{n}" for blank in ("", " ") for n in "xX+0123"), reach=_PREFIXED, cased=True)
_ONLY_MS = Anchored(_ONLY_M, *(f"M{blank}{m}" for blank in ("", " ") for m in "x01"), reach=_PREFIXED, cased=True)


def find_tnm(text: str, places: Places) -> Iterator[Mention]:
    """TNM mentions, in order. `T2` alone counts only where it cannot be an MRI sequence or a vertebra."""
    for match in _TABLES.within(text, places):
        yield _mention(match)
    for pattern, alone in ((_WHOLES, _t_is_sure), (_FROM_NS, _n_is_sure), (_ONLY_MS, _m_is_sure)):
        for match in pattern.within(text, places):
            if alone(text, match):
                yield _mention(match)


def _t_is_sure(text: str, match: re.Match[str]) -> bool:
    if match["n"] or match["m"]:
        return True
    before = text[max(0, match.start() - 24) : match.start()]
    if match["tp"]:
        return "T" in match.group()
    if "T" not in match.group():
        return False
    if (len(match["t"]) > 1 and match["t"][0] in "1234") or match["t"] == "is":
        return not _NOT_TNM.search(before)
    return bool(_CLASSED.search(before)) and not before.rstrip().endswith(" en")


def _n_is_sure(text: str, match: re.Match[str]) -> bool:
    """N without T: with a prefix, with M, or with a sign that only TNM has; never the tail of a whole TNM."""
    before = text[max(0, match.start() - 12) : match.start()]
    if _AFTER_T.search(before) or "N" not in match.group():
        return False
    return bool(match["np"] or match["m"] or match["nm"] or match["n"].endswith("mi"))


def _m_is_sure(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 14) : match.start()]
    return not _AFTER_N.search(before) and not re.search(
        r"(?:LAM|LA|leuc[ée]mie|FAB|type|segment|m[ée]tacarp\w*)[ -]?$", before
    )


_AFTER_T = re.compile(r"T[ ]?(?:is|x|[0-4][a-d]?[1-3]?(?:[ ]?mi)?)(?:[ ]?\([^)]{1,4}\))?[ ,;/-]{0,3}$", re.IGNORECASE)
_AFTER_N = re.compile(
    r"(?:N[ ]?(?:x|\+|[0-3][a-c]?(?:[ ]?mi)?)(?:[ ]?\([^)]{1,9}\))?|T[ ]?(?:is|x|[0-4][a-d]?))[ ,;/-]{0,3}$",
    re.IGNORECASE,
)


def _mention(match: re.Match[str]) -> Mention:
    parts = match.groupdict()
    code = ""
    prefix = (parts.get("tp") or "").lower()
    n_prefix = (parts.get("np") or "").lower()
    if parts.get("t"):
        prefix = prefix or n_prefix
        code = f"{prefix}T{_value(parts['t'])}{_suffix(parts.get('tm'))}"
    if parts.get("n"):
        own = n_prefix if n_prefix and n_prefix[-1:] != prefix[-1:] else ""
        code += f"{own}N{_value(parts['n'])}{_suffix(parts.get('nm'))}"
    if parts.get("m"):
        code += f"M{_value(parts['m'])}"
    written = match.group().strip()
    start = match.start() + len(match.group()) - len(match.group().lstrip())
    return Mention(
        start,
        start + len(written),
        written,
        MentionKind.TNM,
        System.TNM,
        code,
        label=code,
        value=code,
    )


def _value(written: str) -> str:
    compact = written.replace(" ", "").lower()
    return {"x": "X", "o": "0"}.get(compact, compact)


def _suffix(written: str | None) -> str:
    return written.replace(" ", "").lower() if written else ""
