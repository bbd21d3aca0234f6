"""The sentence that speaks for a hit, with the words that were asked for marked.

The engine holds words without accents or plurals; people read the document's own sentence. So the sentence is taken
from the store and its words are compared one by one, in the way in which the index keeps words.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein

from consore.language.sentences import sentences
from consore.referentials import tokens_for_index

LONGEST = 320  # characters shown of a sentence
_WORD = re.compile(r"\w+")
_SURE_ENDS = (".\n", "\n\n")
_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A sentence of a document. `html`: escaped text in which only `<mark>` and `</mark>` are tags."""

    document_id: int
    document_kind: str
    date: dt.date | None
    html: str


def best_sentence(text: str, words: Collection[str]) -> str:
    """The sentence of `text` that holds most of the words (as the index keeps them), marked; its start if none does.

    Words spelt nearly so count only in a text that holds none as they were asked.
    """
    meant = _meant(text, words)
    if not meant:
        return _escaped(_cut(text.strip(), 0)[0])
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    spans: list[tuple[int, int]] = []
    for start, word in sorted((start, word) for spelt, word in meant.items() for start in _starts(text, spelt)):
        if not spans or start >= spans[-1][1]:
            spans = _sentences_around(text, start)
        found[spans[bisect_right(spans, (start, len(text))) - 1]].append(word)
    best = max(found, key=lambda span: (len(set(found[span])), len(found[span]), -span[0]))
    return _marked(text[slice(*best)], meant)


def _sentences_around(text: str, position: int) -> list[tuple[int, int]]:
    """The sentences around a position, from one sure end to the next: an empty line, or a stop at the end of a line."""
    before = max(text.rfind(end, 0, position) for end in _SURE_ENDS) + 1
    after = min((place for end in _SURE_ENDS if (place := text.find(end, position)) >= 0), default=len(text)) + 1
    return [(before + start, before + end) for start, end in sentences(text[before:after])]


def marked(sentence: str, words: Collection[str]) -> str:
    """The sentence as HTML, the words marked; a long one is cut around the first."""
    return _marked(sentence, _meant(sentence, words))


def _marked(sentence: str, spelt: Collection[str]) -> str:
    first = next((token.start() for token in _WORD.finditer(sentence) if token.group() in spelt), 0)
    sentence, before, after = _cut(sentence, first)
    pieces: list[str] = [before]
    position = 0
    for token in _WORD.finditer(sentence):
        if token.group() in spelt:
            pieces += [_escaped(sentence[position : token.start()]), f"<mark>{_escaped(token.group())}</mark>"]
            position = token.end()
    pieces += [_escaped(sentence[position:]), after]
    return "".join(pieces).replace("</mark> <mark>", " ")


def _meant(text: str, words: Collection[str]) -> dict[str, str]:
    """The words of a text, as it spells them, that are asked for, each with the asked one; else those nearly so."""
    # A word is compared once, however often it is written.
    exactly = {word: kept for word in set(_begun_as(frozenset(words)).findall(text)) if (kept := _kept(word)) in words}
    return exactly or {word: near for word in set(_WORD.findall(text)) if (near := _nearly(word, words))}


@lru_cache(maxsize=1000)
def _begun_as(words: frozenset[str]) -> re.Pattern[str]:
    """Words that begin as one of these, whatever the case and the accent: the few that are worth a comparison."""
    first = "".join(_written_as()[word[:1]] for word in words)
    return re.compile(rf"\b[{re.escape(first)}]\w*") if first else _NOTHING


@lru_cache(maxsize=1)
def _written_as() -> dict[str, str]:
    """The characters that the index keeps as each letter or digit: `e` → `eEéÈê…`, `o` → `oOôœ…`."""
    kept: dict[str, str] = defaultdict(str)
    for character in map(chr, range(0x2300)):
        if character.isalnum():
            kept[tokens_for_index(character)[:1]] += character
    return kept


def _starts(text: str, word: str) -> Iterator[int]:
    """Where a whole word begins."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if not (_WORD.match(text, end) or _WORD.match(text[start - 1 : start])):
            yield start
        start = text.find(word, end)


def quoted(quote: str, span: str) -> str:
    """The sentence of a piece of evidence as HTML, its span marked."""
    position = quote.find(span) if span else -1
    text, before, after = _cut(quote.strip(), max(0, position))
    position = text.find(span) if span else -1
    if position < 0:
        return before + _escaped(text) + after
    end = position + len(span)
    return f"{before}{_escaped(text[:position])}<mark>{_escaped(span)}</mark>{_escaped(text[end:])}{after}"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)  # never inside an attribute: quotes stay readable


def _cut(text: str, around: int) -> tuple[str, str, str]:
    """At most LONGEST characters around a position, and the dots to put before and after."""
    text = re.sub(r"\s", " ", text)
    if len(text) <= LONGEST:
        return text, "", ""
    start = max(0, min(around - LONGEST // 3, len(text) - LONGEST))
    if start:
        blank = text.find(" ", start, start + 40)
        start = blank + 1 if blank >= 0 else start
    end = min(len(text), start + LONGEST)
    return text[start:end], "… " if start else "", " …" if end < len(text) else ""


def _nearly(word: str, words: Collection[str]) -> str | None:
    """The asked word that this one nearly is, as the engine forgives typing errors."""
    kept = _kept(word)
    return next((asked for asked in words if _alike(asked, kept)), None) if len(kept) >= 5 else None


def _alike(asked: str, kept: str) -> bool:
    allowed = 0 if len(asked) < 5 else 1 if len(asked) < 9 else 2
    if not allowed or abs(len(asked) - len(kept)) > allowed:
        return False
    return DamerauLevenshtein.distance(asked, kept, score_cutoff=allowed) <= allowed


@lru_cache(maxsize=50_000)
def _kept(word: str) -> str:
    return tokens_for_index(word)
