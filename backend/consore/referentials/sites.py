"""Metastatic sites that are listed, not joined: `métastases hépatiques, osseuses et pulmonaires`.

The automaton finds the head and each organ; what ties them is only a few small words in between.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from consore.referentials.concept import Match
from consore.text import fold, normalise

# Between an organ already said and the next one: a comma or a conjunction, then perhaps an article.
_AND = re.compile(
    r"\s*(?:[,/+]|\bet\b|\bou\b|\bainsi que\b|\bpuis\b)"
    r"(?:\s*(?:et|au niveau|de|du|des|d'|de la|de l'|l'|le|la|les|en))*\s*"
)
# Between a head and its first organ.
_AT = re.compile(
    r"\s+(?:(?:multiples|diffuses|bilaterales|unique|synchrones?|metachrones?|a distance|connues?|viscerales?)\s+)*"
    r"(?:(?:au niveau|en|sur|dans|a|au|aux|de|du|des|d|l|la|le|les)\s+)*"
)
# `cancer métastatique du sein` is a cancer of the breast.
_TUMOURS = ("cancer", "carcinome", "adenocarcinome", "melanome", "tumeur", "sarcome")
_FARTHEST = 40
_REACH = 200  # characters after a head in which its organs are looked for


def listed_sites(text: str, matches: list[Match], label: Callable[[str], str]) -> list[Match]:
    """`matches` (in order) with a metastasis for every organ listed after one.

    An organ that follows a head without a site gives the head its site; one that follows a metastasis gets its own
    match, on the organ's own words.
    """
    organs = sorted((match for match in matches if match.kind == "topography"), key=lambda organ: organ.start)
    if not organs:
        return matches
    starts = [organ.start for organ in organs]
    result: list[Match] = []
    for match in matches:
        if match.kind != "metastasis":
            result.append(match)
            continue
        end = match.end
        following = organs[bisect_left(starts, match.end) : bisect_left(starts, match.end + _REACH)]
        headless = match.code is None and not fold(match.text).startswith(_TUMOURS)
        if headless and following and _tied(_AT, text, end, following[0].start):
            organ = following.pop(0)
            match = _of(match, organ, label, text)
            end = organ.end
        result.append(match)
        if match.code is None:
            continue
        for organ in following:
            if not _tied(_AND, text, end, organ.start):
                break
            result.append(
                replace(organ, kind="metastasis", label=f"Métastase : {label(organ.code or '').lower()}", value=None)
            )
            end = organ.end
    unique = list({(m.start, m.end, m.kind): m for m in reversed(result)}.values())
    unique.reverse()
    unique.sort(key=lambda m: (m.start, -m.end))
    return unique


def _tied(pattern: re.Pattern[str], text: str, start: int, end: int) -> bool:
    between = text[start:end]
    if len(between) > _FARTHEST or "." in between or "\n\n" in between:
        return False
    return pattern.fullmatch(fold(between) if pattern is _AT else normalise(between)) is not None


def _of(head: Match, organ: Match, label: Callable[[str], str], text: str) -> Match:
    return replace(
        head,
        end=organ.end,
        text=text[head.start : organ.end],
        system=organ.system,
        code=organ.code,
        label=f"Métastase : {label(organ.code or '').lower()}",
    )
