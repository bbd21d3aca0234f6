"""Two treatments weighed, the one that was taken told by its rank: « entre A et B, le second n'a pas été prescrit ».

Only the pair named behind « entre » is followed: elsewhere nothing says where the first ends and the second begins.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PAIR = re.compile(r"(?<!\w)entre (?P<pair>[^,;:.?]{5,120})[,;:](?P<told>[^.]{5,300})")
_AND = re.compile(r"\s(?:et|ou)\s")
_RANK = re.compile(
    r"(?<!\w)(?:le|la|au|du|ce|cette) (?:(?P<one>premiere?)|seconde?|deuxieme|derniere?)(?!\w)(?P<then>[^,;]{0,60})"
)
_REJECTED = re.compile(
    r"(?<!\w)(?:n'|ne |ecart|abandonn|refus|recus|rejet|delaiss|laiss|contre-indi|inadapt|exclu|trop )"
)
_WAS = re.compile(r"(?<!\w)(?:avait|avaient|avions|avons)(?!\w)")


class Weighed(NamedTuple):
    """One of two at `start`–`end`: `taken` or not; `past` where the choice was made before."""

    start: int
    end: int
    taken: bool
    past: bool


def weighed(plain: str) -> list[Weighed]:
    """The alternatives of a text in its `layout.plain` form whose outcome is told."""
    if "entre " not in plain:
        return []
    found: list[Weighed] = []
    for match in _PAIR.finditer(plain):
        rank = _RANK.search(match["told"])
        joints = list(_AND.finditer(match["pair"]))
        if rank is None or not joints:
            continue
        joint = joints[len(joints) // 2]  # « paclitaxel et trastuzumab et létrozole et palbociclib »
        start, middle = match.start("pair"), match.start("pair") + joint.start()
        first_taken = bool(rank["one"]) is not bool(_REJECTED.search(rank["then"]))
        past = bool(_WAS.search(match["told"]))
        found.append(Weighed(start, middle, first_taken, past))
        found.append(Weighed(middle, match.end("pair"), not first_taken, past))
    return found
