"""What words say of a site or a histology where no name stands as the dictionary writes it.

« Carcinome rénal multicentrique à cellules claires » holds all words of « carcinome rénal à cellules claires », with
another between them; « métastase cutanée de l'abdomen » is of the skin of a region. Words are compared without accents,
number or gender, in any order; small words (« de », « à ») do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import combinations, permutations
from typing import NamedTuple

from consore.model import MentionKind, System
from consore.referentials import (
    SHORTEST,
    Nearby,
    Terminology,
    by_beginning,
    fold,
    nearest,
    plain_words,
    tables,
    tokens_for_index,
)

GENERIC = frozenset({"8000/1", "8001/1"})  # « tumeur », « cellules tumorales »
UNCERTAIN_ORIGIN = "8000/9"
_SYSTEMS = {MentionKind.TOPOGRAPHY: System.ICDO3_T.value, MentionKind.MORPHOLOGY: System.ICDO3_M.value}
_MOST_WORDS = 10  # of a span that are tried together: a thousand choices
_FEWEST_LETTERS = 4  # of the longest word of a name
_KEPT = 16_384

_Names = dict[tuple[str, ...], str]  # the words of a name, in order of the alphabet → its code


class _Behaviour(NamedTuple):
    words: re.Pattern[str]
    of: str
    becomes: str


class Wordings:
    """The names of sites and histologies by their words, those of the dictionary first."""

    def __init__(self, terminology: Terminology, learned: Mapping[tuple[str, str], str]) -> None:
        """`learned`: folded words → code, by tag, as the training corpus codes them."""
        self._terminology, self._learned = terminology, learned
        self._known: dict[tuple[MentionKind, str], str | None] = {}

    def named(self, kind: MentionKind, written: str) -> str | None:
        """The code of the name with most words among `written`; of two, the higher one (ICD-O-3, rule K)."""
        key = (kind, written)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._with_most_words(*self._names[kind], written)
        return self._known[key]

    def site(self, written: str, inside: Collection[str]) -> str | None:
        """The site of a span that is no name; `inside`: the codes of the names inside it.

        Vertebrae by their numbers (« L1 », « D2 à D4 ») are the spine (C41.2) or the sacrum (C41.4: ICD-O-3).
        A tissue and a region are the tissue there (`tissues.csv`); of one organ, a part goes before the whole, and
        several parts overlap (.8: ICD-O-3, topography, overlapping sites)."""
        if vertebrae := _VERTEBRAE.fullmatch(written):
            return "C41.4" if vertebrae["sacral"] else "C41.2"
        for tissue, region in permutations(set(inside), 2):
            there = self._tissues.get((tissue, region)) or self._tissues.get((tissue, region[:3]))
            if there:
                return there
        parts = {code for code in inside if not code.endswith((".8", ".9"))}
        if parts and len({code[:3] for code in inside}) == 1:
            return min(parts) if len(parts) == 1 else f"{min(parts)[:4]}8"
        return self.named(MentionKind.TOPOGRAPHY, written)

    def behaving(self, written: str, code: str | None) -> str:
        """The code with the behaviour that the words of a tumour give it (`behaviours.csv`, ICD-O-3, rule F).

        What nothing names (« foyer hypermétabolique ») is malignant, of an origin that is not told."""
        generic = code is None or code in GENERIC
        code = UNCERTAIN_ORIGIN if code is None or generic else code
        said = fold(written)
        for words, of, becomes in self._behaviours:
            if (generic or code[-1] in of) and words.search(said):
                return f"{code[:5]}{becomes}"
        return code

    def _with_most_words(self, names: _Names, vocabulary: Nearby, written: str) -> str | None:
        meant = (self._meant(word, vocabulary) for word in words_of(written))
        words = sorted({word for word in meant if word})[:_MOST_WORDS]
        for size in range(len(words), 0, -1):
            found = [names[some] for some in combinations(words, size) if some in names]
            if found:
                return max(found)
        return None

    def _plain(self, words: Iterable[str]) -> set[str]:
        """The words that are names wherever they stand: « front » is none, which may be that of a tumour."""
        return {match.text for match in self._terminology.match("\n\n".join(words)) if not match.ambiguous}

    @staticmethod
    def _meant(word: str, vocabulary: Nearby) -> str | None:
        """The word of names that `word` is, or misspells."""
        if word in vocabulary.get((word[0], len(word)), ()):
            return word
        if len(word) < SHORTEST or word in plain_words():
            return None
        near = nearest(word, vocabulary)
        return near[0] if len(near) == 1 else None

    @cached_property
    def _names(self) -> dict[MentionKind, tuple[_Names, Nearby]]:
        result = {}
        for kind, system in _SYSTEMS.items():
            names: _Names = {}
            known = list(self._terminology.names(system, kind.value))
            plain = self._plain(tokens for tokens, _ in known if " " not in tokens)
            for tokens, code in known:
                if " " in tokens or tokens in plain:
                    names.setdefault(tuple(sorted(_words(tokens))), code)
            for (tag, written), code in self._learned.items():
                words = tuple(sorted(words_of(written)))
                if tag == kind and names.get(words, code) in {code, *GENERIC}:
                    names[words] = code
            names = {words: code for words, code in names.items() if any(map(_is_telling, words))}
            result[kind] = names, by_beginning({word for words in names for word in words})
        return result

    @cached_property
    def _behaviours(self) -> list[_Behaviour]:
        rows = tables("icdo3_morphology")["behaviours"]
        return [_Behaviour(re.compile(rf"\b(?:{row['words']})\b"), row["of"], row["behaviour"]) for row in rows]

    @cached_property
    def _tissues(self) -> dict[tuple[str, str], str]:
        return {(row["tissue"], row["region"]): row["code"] for row in tables("icdo3_topography")["tissues"]}


@lru_cache(_KEPT)
def words_of(written: str) -> frozenset[str]:
    """The words that count, without their endings; « non infiltrant » is one, and no « infiltrant »."""
    return _words(tokens_for_index(written))


def _words(tokens: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _DENIED.sub("non", tokens).split() if word not in _SMALL)


_VERTEBRA = r"(?:[CDLT]\d{1,2}|(?P<sacral>S[1-5]))"
_VERTEBRAE = re.compile(rf"{_VERTEBRA}(?:(?: ?[,/-] ?| et | à )(?:[CDLTS]?\d{{1,2}}))*", re.IGNORECASE)
_SMALL = frozenset(("a", "au", "aux", "avec", "d", "de", "du", "des", "en", "et", "l", "la", "le", "les", "par", "sai"))
_SMALL |= frozenset(("type", "un", "une"))
_DENIED = re.compile(r"\b(?:non|sans|pas) (?:de |d |a )?(?=\w)")
_FEMININE = (("euse", "eux"), ("ienne", "ien"), ("ive", "if"), ("elle", "el"), ("e", ""))


def _is_telling(word: str) -> bool:
    """Whether it is no abbreviation, which the dictionary reads, and no code."""
    return len(word) >= _FEWEST_LETTERS and word.isalpha()


@lru_cache(_KEPT)
def _stem(word: str) -> str:
    if len(word) < 5 or not word.isalpha():
        return word
    return next((f"{word[: -len(end)]}{masculine}" for end, masculine in _FEMININE if word.endswith(end)), word)


# --- Abbreviations that a report spells out ------------------------------------------------------------------

_SHORT = r"(?=\w*[A-Z]\w*[A-Z])[A-Za-z][A-Za-z0-9]{1,6}"
_OPENED = re.compile(rf"\s?\(\s?({_SHORT})\b")
_BEFORE = re.compile(rf"\b({_SHORT})\s?\(\s?$")
_BEFORE_REACH = 12


def is_abbreviation(written: str) -> bool:
    """Whether it is written as an abbreviation: `CCRc`, `FLC`."""
    return re.fullmatch(_SHORT, written) is not None


def spelt_out(text: str, start: int, end: int) -> str | None:
    """The abbreviation in brackets after the words `start`–`end`, or that they explain in brackets, or None.

    Its letters must stand in the words in this order (Schwartz and Hearst, 2003), or be their first ones in any order:
    « tumeur germinale non séminomateuse (NSGT) » keeps the order of the English."""
    found = _OPENED.match(text, end) or _BEFORE.search(text[max(0, start - _BEFORE_REACH) : start])
    if found is None:
        return None
    letters = [letter for letter in fold(found.group(1)) if letter.isalpha()]
    said = fold(text[start:end])
    begin = sorted(word[0] for word in said.split() if word not in _SMALL)
    in_order = re.search(r"\b" + ".*?".join(letters), said)
    return found.group(1) if in_order or begin == sorted(letters) else None
