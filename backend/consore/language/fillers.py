"""Words that say nothing of a finding and stand in the middle of what does: « n'avons à ce stade pas retrouvé de ».

Cues are phrases, and French puts adverbs into them: « la question était, somme toute, celle d'une récidive ». They are
looked for in the text without its fillers (referential `context`: `fillers`).
"""

from __future__ import annotations

from functools import lru_cache

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from consore.language.layout import Layout
from consore.referentials import tables


def without_fillers(plain: str, text: str) -> tuple[Layout, str]:
    """A text in its `layout.plain` form without fillers, with the way back; and the text as written, cut alike.

    A filler between two commas takes them along.
    """
    flat = plain.replace("\n", " ")
    cuts: list[tuple[int, int]] = []
    for _, start, end in _automaton().find_matches_as_indexes(flat.encode("ascii", "replace")):
        if (start and flat[start - 1].isalnum()) or flat[end : end + 1].isalnum():
            continue
        if flat[end : end + 1] == "," and flat[:start].rstrip().endswith(","):
            start, end = flat.rindex(",", 0, start), end + 1
        elif flat[end : end + 1] == " ":
            end += 1
        if not cuts or start >= cuts[-1][1]:
            cuts.append((start, end))
    if not cuts:
        return Layout(plain), text
    pieces, written = [], []
    starts, shifts = [], []
    position = taken = 0
    for start, end in cuts:
        pieces.append(plain[position:start])
        written.append(text[position:start])
        taken += end - start
        position = end
        starts.append(end - taken)
        shifts.append(taken)
    lean = "".join([*pieces, plain[position:]])
    return Layout(lean, tuple(starts), tuple(shifts)), "".join([*written, text[position:]])


@lru_cache(maxsize=1)
def _automaton() -> BytesAhoCorasick:
    phrases = [row["phrase"].encode("ascii") for row in tables("context")["fillers"]]
    return BytesAhoCorasick(phrases, matchkind=MatchKind.LeftmostLongest, implementation=Implementation.DFA)
