"""Patterns looked for from a word that each of their matches holds.

`re` tries a pattern that may begin with many things at each character of a text. One automaton finds the words that all
patterns need in a single pass, and few places are left where a pattern has to be tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind


class Anchored:
    """A pattern each match of which holds one of `words`, at most `reach` characters after its start.

    Words are as `layout.plain` writes them; `cased` ones as the text does, in capitals or not.
    """

    known: ClassVar[list[Anchored]] = []

    def __init__(self, pattern: re.Pattern[str], *words: str, reach: int = 0, cased: bool = False) -> None:
        self.pattern = pattern
        self.words = frozenset(word.lower() for word in words)
        self._sought = re.compile(rf"(?s:.{{0,{reach}}}?)({pattern.pattern})", pattern.flags) if reach else None
        self._reach = reach
        self.cased = words if cased else ()
        Anchored.known.append(self)

    def within(self, text: str, places: Places) -> Iterator[re.Match[str]]:
        """What `pattern.finditer(text)` gives; `text` is the document's, plain or as written."""
        pattern, sought, reach, cased = self.pattern, self._sought, self._reach, self.cased
        reached = 0
        for place in places.of(self.words):
            if place < reached or (cased and not text.startswith(cased, place)):
                continue
            if sought is not None:
                if (near := sought.match(text, max(reached, place - reach))) is None:
                    continue
                place = near.start(1)
            if found := pattern.match(text, place):
                reached = found.end()
                yield found


class Places:
    """Where the words of all anchored patterns stand in a text given in its `layout.plain` form."""

    def __init__(self, plain: str) -> None:
        automaton, wanted, self._groups = _automaton(len(Anchored.known))
        self._found: list[list[int]] = [[] for _ in self._groups]
        for word, start, _ in automaton.find_matches_as_indexes(plain, overlapping=True):
            for group in wanted[word]:
                self._found[group].append(start)

    def of(self, words: frozenset[str]) -> list[int]:
        """Where one of `words` begins, in order."""
        places = self._found[self._groups[words]]
        places.sort()  # the automaton goes by their ends
        return places


@lru_cache(maxsize=1)
def _automaton(_: int) -> tuple[AhoCorasick, list[list[int]], dict[frozenset[str], int]]:
    """Of all patterns known: what finds their words, the groups in which each word is, and the groups by number."""
    groups = {words: number for number, words in enumerate({anchored.words for anchored in Anchored.known})}
    words = sorted(frozenset().union(*groups))
    wanted = [[number for group, number in groups.items() if word in group] for word in words]
    automaton = AhoCorasick(words, matchkind=MatchKind.Standard, implementation=Implementation.DFA)
    return automaton, wanted, groups
