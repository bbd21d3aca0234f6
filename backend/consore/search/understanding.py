"""From plain French to visible criteria: « cancer du sein triple négatif métastatique avant 50 ans ».

The same terminology that reads reports reads the question. What it recognises becomes chips, each with its criterion;
phrases that no code system lists (ages, years, events, negation) are in `questions.toml`. A word that is nowhere is
taken for the one that it nearly is, and the chip says so and offers the word as typed. The words left over are
searched in the documents. Everything recognised is shown to the user and can be taken away or read otherwise.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import lru_cache

from consore.referentials import Spelling, Terminology, normalise, tokens_for_index
from consore.search.chips import Alternative, Chip
from consore.search.clauses import compose
from consore.search.criteria import MAX_LEAVES, QUOTED, Criteria, parse_criteria
from consore.search.phrases import LINK, phrases, rules
from consore.search.terms import as_written, terms

LONGEST_QUESTION = 1000  # characters: the rest is not read, and the user is told
MOST_CHIPS = MAX_LEAVES // 3
MOST_CORRECTED = 8  # words


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as it was understood.

    `words` and `phrases` are to be found in documents, `excluded` must not be; all are as the index keeps words.
    `notice`: what the user should know of how the question was read, in French.
    """

    text: str
    chips: list[Chip] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    criteria: Criteria | None = None
    notice: str | None = None

    @property
    def has_words(self) -> bool:
        """Whether documents have to be searched."""
        return bool(self.words or self.phrases or self.excluded)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be searched."""
        return not self.chips and not self.has_words


def understand(text: str, terminology: Terminology, *, today: dt.date | None = None) -> Understood:
    """What a question in plain French asks for. Never fails: what is not understood is searched as words.

    `today`: the day from which « depuis moins de six mois » counts, by default this one.
    """
    whole = unicodedata.normalize("NFC", text).replace("\x00", " ")
    question = whole[:LONGEST_QUESTION]
    notices = []
    if len(whole) > LONGEST_QUESTION:
        notices.append(f"Question trop longue : seuls ses {LONGEST_QUESTION} premiers caractères ont été lus.")
    masked, quoted, excluded = _take_quoted(question)
    day = today or dt.date.today()
    read = _Reading.of(masked, terminology, day)
    corrected = _spelt(read, terminology, day)
    chips, criteria = compose(_first(corrected.found, notices), corrected.plain)
    chips = [_placed(chip, corrected, question) for chip in chips]
    slips = [slip for slip in corrected.slips if any(chip.start <= slip.start < chip.end for chip in chips)]
    notices += [f"Lu « {slip.word} » pour « {slip.typed} »." for slip in slips if slip.is_error]
    words = _words_left(masked, chips, corrected)
    understood = Understood(question, chips, words, quoted, excluded, criteria)
    if understood.is_empty:
        notices.append(
            "Rien à chercher dans cette question : précisez un cancer, un traitement, un marqueur ou un autre mot."
            if question.strip()
            else "Tapez une question, par exemple « cancer du sein HER2+ avant 50 ans »."
        )
    return replace(understood, notice=" ".join(notices) or None)


def whole_criteria(understood: Understood) -> Criteria | None:
    """The criteria of a question with its words as text of documents: the exact set that its search ranks."""
    words = [*understood.words, *(f'"{phrase}"' for phrase in understood.phrases)]
    parts = [understood.criteria] if understood.criteria else []
    if words:
        parts.append(parse_criteria({"document": {"text": " ".join(words)}}))
    parts += [parse_criteria({"none": [{"document": {"text": word}}]}) for word in dict.fromkeys(understood.excluded)]
    return Criteria(all=parts) if len(parts) > 1 else parts[0] if parts else None


def _first(found: list[Chip], notices: list[str]) -> list[Chip]:
    """The criteria that one question may hold."""
    if sum(chip.kind != LINK for chip in found) <= MOST_CHIPS:
        return found
    notices.append(f"Trop de critères : seuls les {MOST_CHIPS} premiers ont été retenus.")
    last = [chip for chip in found if chip.kind != LINK][MOST_CHIPS - 1]
    return [chip for chip in found if chip.end <= last.end]


# --- Quotes and exclusions ----------------------------------------------------------------------------------

_EXCLUDED = re.compile(r"(?:^|(?<=\s))[-–−](?=[^\W\d_])([\w’'-]{2,60})")


def _take_quoted(question: str) -> tuple[str, list[str], list[str]]:
    """The question with its quoted phrases and `-words` blanked, and both apart. A lone quote is a blank."""
    quoted: list[str] = []
    excluded: list[str] = []

    def phrase(match: re.Match[str]) -> str:
        tokens = tokens_for_index(next(group for group in match.groups() if group is not None))
        if tokens:
            quoted.append(tokens)
        return " " * len(match.group())

    def minus(match: re.Match[str]) -> str:
        excluded.extend(tokens_for_index(match.group(1)).split())
        return " " * len(match.group())

    masked = QUOTED.sub(phrase, question)
    masked = re.sub(r'["«»“”]', " ", masked)
    return _EXCLUDED.sub(minus, masked), quoted, excluded


# --- What is recognised -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Slip:
    """A word that was read as another: where it was typed, and both."""

    start: int
    end: int
    typed: str
    word: str
    others: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether letters differ, not only their case."""
        return self.word.lower() != self.typed.lower()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question, perhaps with words spelt anew, and what is recognised in it.

    `origin`: for each letter, and for the end, where it stood in the question as typed.
    """

    text: str
    plain: str
    found: list[Chip]
    origin: list[int]
    slips: list[_Slip]

    @classmethod
    def of(
        cls,
        text: str,
        terminology: Terminology,
        today: dt.date,
        origin: list[int] | None = None,
        slips: list[_Slip] | None = None,
    ) -> _Reading:
        """Everything recognised, the longest first where two claim the same letters, in the order of the question."""
        plain = normalise(text)
        found = [*phrases(plain, today), *terms(text, plain, terminology)]
        found.sort(key=lambda chip: (chip.start - chip.end, chip.start))
        taken: list[Chip] = []
        for chip in found:
            if all(_may_overlap(chip, other) for other in taken if chip.start < other.end and other.start < chip.end):
                taken.append(chip)
        taken.sort(key=lambda chip: (chip.start, chip.end))
        return cls(text, plain, taken, origin or list(range(len(text) + 1)), slips or [])

    def covers(self, start: int, end: int) -> bool:
        """Whether these letters are in something recognised."""
        return any(chip.start < end and start < chip.end for chip in self.found)


def _may_overlap(one: Chip, other: Chip) -> bool:
    """`adénocarcinome pulmonaire` is a histology and a site; `sein gauche` a site and a side."""
    kinds = {one.kind, other.kind}
    if kinds == {"topography", "morphology"}:
        return True
    if kinds == {"topography", "laterality"}:
        # The right colon is a site of its own, not a side.
        return not any((chip.code or "").startswith("C18") for chip in (one, other))
    return False


# --- Typing errors ------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d_]{2,}")
_LONGEST_ABBREVIATION = 7  # letters
_AFTER_CANCER = re.compile(r"(?:cancers?|tumeurs?|k) (?:du|de la|de l'|des|de) ?$")


@lru_cache(maxsize=2)
def _spelling(terminology: Terminology) -> Spelling:
    return terminology.spelling(rules().spelling)


def _spelt(read: _Reading, terminology: Terminology, today: dt.date) -> _Reading:
    """The question read again with its unknown words as they were probably meant, if more is recognised so."""
    spelling = _spelling(terminology)
    slips: list[_Slip] = []
    for match in _WORD.finditer(read.text):
        typed, start, end = match.group(), match.start(), match.end()
        if read.covers(start, end):
            meant = spelling.listed(typed)
            if meant:
                slips.append(_Slip(start, end, typed, meant))
            continue
        word = tokens_for_index(typed)
        if word in rules().stop_words or word in rules().ordinary or len(slips) >= MOST_CORRECTED:
            continue
        if spelling.is_right(typed):
            if typed.islower() and len(typed) < _LONGEST_ABBREVIATION:
                slips.append(_Slip(start, end, typed, typed.upper()))  # some abbreviations are capitals only
            continue
        if start and typed[0].isupper() and not typed.isupper():
            continue  # a name
        beside = _AFTER_CANCER.search(read.plain[:start]) or read.covers(start - 2, start) or typed.isupper()
        near = spelling.nearest(typed, 4 if beside else 5)
        if typed.isupper():
            near = [word.upper() for word in near]
        if near:
            slips.append(_Slip(start, end, typed, near[0], tuple(near[1:])))
    if not slips:
        return read
    pieces: list[str] = []
    origin: list[int] = []
    position = 0
    for slip in slips:
        pieces += [read.text[position : slip.start], slip.word]
        origin += [*range(position, slip.start), *([slip.start] * len(slip.word))]
        position = slip.end
    pieces.append(read.text[position:])
    origin += range(position, len(read.text) + 1)
    return _Reading.of("".join(pieces), terminology, today, origin, slips)


def _placed(chip: Chip, read: _Reading, question: str) -> Chip:
    """The chip where it stands in the question as typed, with other readings of a word that was spelt anew."""
    start = read.origin[chip.start]
    end = read.origin[chip.end - 1] + 1
    alternatives = list(chip.alternatives)
    for slip in read.slips:
        if start <= slip.start < max(end, start + 1):
            end = max(end, slip.end)
            said = question[start:end]
            place = slip.start - start
            alternatives += [
                Alternative(other, said[:place] + other + said[place + len(slip.typed) :]) for other in slip.others
            ]
    if any(start <= slip.start < end for slip in read.slips):
        alternatives.append(as_written(question[start:end]))
    return replace(chip, start=start, end=end, text=question[start:end], alternatives=tuple(alternatives))


# --- Words left ---------------------------------------------------------------------------------------------


def _words_left(masked: str, chips: list[Chip], read: _Reading) -> list[str]:
    """The words that no chip holds and that say something; a misspelt « cancre » says as little as « cancer »."""
    letters = list(masked)
    for chip in chips:
        letters[chip.start : chip.end] = " " * (chip.end - chip.start)
    stop = rules().stop_words
    for slip in read.slips:
        if slip.word in stop:
            letters[slip.start : slip.end] = " " * (slip.end - slip.start)
    words = tokens_for_index("".join(letters)).split()
    return list(dict.fromkeys(word for word in words if word not in stop and word.isalnum() and len(word) > 1))[:24]
