"""The side of an organ: « sein gauche », « lobe supérieur droit », « mastectomie bilatérale ».

« droit » and « gauche » also mean other things, so they count only beside an organ, a tumour or an act.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from consore.language.anchored import Anchored, Places
from consore.language.spans import Spans
from consore.model import Laterality, Mention, MentionKind, System

_SIDE = re.compile(
    r"(?<!\w)(?:(?P<right>droite?s?|dte?)|(?P<left>gauches?|gche?)|(?P<bilateral>bilater(?:al|ale|aux|"
    r"ales)|des deux cotes)|"
    r"(?P<midline>median(?:e|s|es)?))(?!\w)"
)
_SIDES = Anchored(_SIDE, "droit", "dt", "gauche", "gch", "bilater", "des deux", "median")
SIDED = frozenset({MentionKind.TOPOGRAPHY, MentionKind.MORPHOLOGY, MentionKind.PROCEDURE, MentionKind.METASTASIS})
_LABELS = {"right": "Droit", "left": "Gauche", "bilateral": "Bilatéral", "midline": "Médian"}
_NEAR_BEFORE, _NEAR_AFTER = 28, 12


def find_sides(text: str, plain: str, places: Places, mentions: Iterable[Mention]) -> Iterator[Mention]:
    """Laterality mentions near the mentions given."""
    found = list(_SIDES.within(plain, places))
    if not found:
        return
    sided = [m for m in mentions if m.kind in SIDED]
    ends = sorted(m.end for m in sided)
    starts = sorted(m.start for m in sided)
    spans = Spans((m.start, m.end) for m in sided)
    for match in found:
        after = bisect_left(ends, match.start() + 1) - 1
        follows = (
            after >= 0
            and match.start() - ends[after] <= _NEAR_BEFORE
            and "\n\n" not in plain[ends[after] : match.start()]
        )
        before = bisect_left(starts, match.end())
        precedes = before < len(starts) and starts[before] - match.end() <= _NEAR_AFTER
        within = spans.touch(*match.span())
        if follows or precedes or within:
            side = Laterality(str(match.lastgroup))
            start, end = match.span()
            yield Mention(
                start,
                end,
                text[start:end],
                MentionKind.LATERALITY,
                System.LOCAL,
                f"LAT:{side}",
                _LABELS[side],
                side.value,
            )
