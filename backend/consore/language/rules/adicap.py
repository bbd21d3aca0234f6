"""ADICAP codes that pathologists write under their reports: `BHGSA7A0`, « Code ADICAP : BH GS A7A0 ».

Eight characters (thésaurus ADICAP, version 5): how the sample was taken, the technique, the organ in two letters, the
lesion in four. A code gives the tumour and its site in ICD-O-3, where the thesaurus maps it; anything else that looks
like one (a batch, a file number) names no lesion of the thesaurus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from consore.language.anchored import Anchored, Places
from consore.model import Mention, MentionKind, System
from consore.referentials import Terminology

_CODE = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[ .]?[A-Z]{2}[ .]?[A-Z]\d[A-Z]\d(?![A-Z0-9])")
_CODES = Anchored(
    _CODE, *(f"{letter}{digit}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for digit in range(10)), reach=6, cased=True
)
_SYSTEM = "ADICAP"


def find_adicap(text: str, places: Places, terms: Terminology) -> Iterator[Mention]:
    """Mentions of kind morphology and topography, on the whole code."""
    for match in _CODES.within(text, places):
        code = match.group().replace(" ", "").replace(".", "")
        if any(terms.concept(_SYSTEM, part) is None for part in (f"D1:{code[0]}", f"D2:{code[1]}", code[2:4])):
            continue
        topography, morphology = terms.icdo3_of_adicap(code)
        if morphology is None:
            continue
        for kind, system, meant in (
            (MentionKind.MORPHOLOGY, System.ICDO3_M, morphology),
            (MentionKind.TOPOGRAPHY, System.ICDO3_T, topography),
        ):
            if meant:
                yield Mention(*match.span(), match.group(), kind, system, meant, terms.label(system.value, meant), code)
