"""What forms say without a sentence: boxes, cells of tables, lists under a head that denies them.

« ☐ métastase ☑ récidive », « Métastases : [ ] oui [x] non », « Récidive | non », lines under « Absence de : ».
An unticked box denies its own words only, up to the next box or cell; where boxes stand before « oui » and « non »,
the ticked one answers what comes before them, and where none is ticked nobody answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SIGN = re.compile(r"[\[|☐☑☒✓✔✗✘□■∅øØ\t]|  |(?:de|d'|s|ni) ?:[ ]*\n")
_BOX = re.compile(r"(?P<ticked>\[[x*✓✔]\]|[☑☒✓✔✗✘■])|\[[ _]{0,3}\]|[☐□]")
_LIMIT = re.compile(r"[|\t]")
_YES, _NO = re.compile(r"\s*oui(?!\w)"), re.compile(r"\s*non(?!\w)")
_BETWEEN = re.compile(r"[\s/,|]*")
_CELL = re.compile(
    r"(?:[|\t]|[ ]{2,})[ ]*(?:non|aucune?|neant|absente?s?|negati(?:f|ve)s?|0)[ ]*(?=[|\t\n.;]|[ ]{2}|$)"
)
_NONE = re.compile(r"[∅øØ](?!\w)")
_DENIED_LIST = re.compile(
    r"(?:absence|pas|sans|aucun\w*|ni)(?: \w+){0,2}? ?(?:de|d')? ?:[ ]*\n(?P<items>(?:[ ]*[-–•*][^\n]*(?:\n|$))+)"
)
_ITEM = re.compile(r"(?<=\n)[ ]*(?P<bullet>[-–•*])")

UNTICKED, NEGATED, UNANSWERED = "unticked", "negated", "hypothetical"


class Answer(NamedTuple):
    """A sign at `start`–`end` and what it says of the words on that side of it (`before`, `after`)."""

    start: int
    end: int
    says: str
    side: str


def answers(plain: str, text: str) -> tuple[list[Answer], list[int]]:
    """The signs of a text that act, and where a box or a cell ends what was said.

    `plain` is the text in its `layout.plain` form, which has spaces for the tabs of `text`.
    """
    if not _SIGN.search(text):
        return [], []
    if "\t" in text and len(text) == len(plain):
        plain = "".join("\t" if sign == "\t" else letter for sign, letter in zip(text, plain, strict=True))
    boxes = list(_BOX.finditer(plain))
    found = list(_of_boxes(plain, boxes))
    found += [Answer(*cell.span(), NEGATED, "before") for cell in _CELL.finditer(plain)]
    found += [Answer(*none.span(), NEGATED, "after") for none in _NONE.finditer(plain)]
    for denied in _DENIED_LIST.finditer(plain):
        items = _ITEM.finditer(plain, denied.start("items"), denied.end("items"))
        found += [Answer(*item.span("bullet"), NEGATED, "after") for item in items]
    return found, [limit.start() for limit in (*boxes, *_LIMIT.finditer(plain))]


def _of_boxes(plain: str, boxes: list[re.Match[str]]) -> Iterator[Answer]:
    """Boxes stand before their words."""
    answered = -1  # up to where « oui » and « non » are read
    for box, following in zip(boxes, [*boxes, None][1:], strict=True):
        if box.start() < answered:
            continue
        yes, no = _YES.match(plain, box.end()), _NO.match(plain, box.end())
        word = yes or no
        if word is None:
            if not box["ticked"]:
                yield Answer(*box.span(), UNTICKED, "after")
            continue
        ticked = bool(box["ticked"])
        denied = ticked is bool(no)
        if (
            following
            and _BETWEEN.fullmatch(plain, word.end(), following.start())
            and (_YES if no else _NO).match(plain, following.end())
        ):
            answered = following.end()
            if ticked is bool(following["ticked"]):
                yield Answer(*box.span(), UNANSWERED, "before")
                continue
        if denied:
            yield Answer(*box.span(), NEGATED, "before")
