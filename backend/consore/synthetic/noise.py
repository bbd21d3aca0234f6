"""What happens to a text between the mind of its author and the record: abbreviations, slips, dictation, scans, pages.

Noise is applied to a finished text cut where its mentions begin and end, and the pieces are joined again: offsets stay
exact, and the text of a mention is what the page says, faults included. Terms suffer less than the words around
them; codes, stages, doses and names of drugs are never touched, except by capitals and lost accents.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from consore.errors import ConfigurationError
from consore.synthetic.writing import GRAMMARS, Style

Mention = dict[str, Any]
Segment = tuple[str, Mention | None]

_TERMS = ("topography", "morphology", "procedure", "metastasis")
_KEYS = "azertyuiopqsdfghjklmwxcvbn"
_LONG = re.compile(r"\b[a-zàâéèêîôûç]{6,}\b")
_OCR = (("rn", "m"), ("m", "rn"), ("l", "1"), ("O", "0"), ("I", "l"), ("é", "e"), ("è", "é"), ("cl", "d"), ("u", "ii"))
_OCR_FAULT = re.compile("|".join(sorted({re.escape(seen) for seen, _ in _OCR}, key=len, reverse=True)))
_PLAIN = str.maketrans(
    {letter: unicodedata.normalize("NFD", letter)[0] for letter in "àâäéèêëîïôöùûüçÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ"}
    | {"œ": "oe", "Œ": "OE", "æ": "ae", "’": "'"}
)


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """How much noise. Shares are of documents unless said otherwise, between 0 and 1.

    `rewording`: of the words that have a synonym; `abbreviations`: factor on what the author's style does; `typos`:
    documents with slips, `slip` of their long words; `accents`: documents without any; `ocr`: documents that were
    scanned, `misread` of their letters that look alike; `wrapped`: documents with broken lines, `hyphens` of the long
    words at a line's end; `paged`: documents with a page's foot and head in their middle; `speech`: factor on dictation
    faults; `boilerplate`: documents with the words that software adds; `copies`: factor on the history that is copied
    from the last report; `contradictions`: documents with one wrong fact (a side, a date, a stage), which their truth
    tells as it is written.
    """

    name: str
    rewording: float
    abbreviations: float
    typos: float
    slip: float
    accents: float
    ocr: float
    misread: float
    wrapped: float
    hyphens: float
    paged: float
    speech: float
    boilerplate: float
    copies: float
    contradictions: float


NOISE = {
    level.name: level
    for level in (
        NoiseLevel("none", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        NoiseLevel("low", 0.4, 0.6, 0.2, 0.01, 0.02, 0.01, 0.01, 0.03, 0.1, 0.03, 0.4, 0.2, 0.7, 0.005),
        NoiseLevel("medium", 0.6, 1.0, 0.4, 0.02, 0.05, 0.05, 0.015, 0.1, 0.2, 0.08, 1.0, 0.35, 1.0, 0.02),
        NoiseLevel("high", 0.7, 1.5, 0.7, 0.04, 0.15, 0.2, 0.03, 0.3, 0.4, 0.25, 1.5, 0.5, 1.3, 0.06),
    )
}


def noise_level(noise: str | NoiseLevel) -> NoiseLevel:
    """The level of that name: none, low, medium or high. Raises ConfigurationError."""
    if isinstance(noise, NoiseLevel):
        return noise
    if noise not in NOISE:
        raise ConfigurationError(f"Unknown noise level {noise!r}.", f"One of: {', '.join(NOISE)}.")
    return NOISE[noise]


def disturb(
    text: str,
    mentions: list[Mention],
    level: NoiseLevel,
    style: Style,
    rng: Random,
    *,
    running_head: str = "",
    openers: Sequence[str] = (),
) -> tuple[str, list[Mention]]:
    """The text as it reaches the record, and its mentions where they now stand.

    `running_head` is what is printed on top of each page, `openers` what may begin a sentence ("Par ailleurs, ").
    Mentions are in order and do not overlap. How sentences are joined is the author's style, whatever the level.
    """
    segments = _cut(text, mentions)
    if style.joins:
        segments = _flowing(segments, rng, style.joins * rng.uniform(0.3, 1.6), style.opens, openers)
    if level.rewording:
        segments = _reworded(segments, rng, level.rewording)
        segments = _paraphrased(segments, rng, level.rewording * rng.uniform(0.5, 1.5))
    if style.bullets and rng.random() < style.bullets:
        segments = _plainly(segments, _bulleted)
    if level.speech and rng.random() < style.speech * level.speech:
        segments = _spoken(segments, rng)
    if style.english and level.abbreviations:
        segments = _shortened(segments, rng, style.english * level.abbreviations, "english")
    if style.abbreviate and level.abbreviations:
        segments = _shortened(segments, rng, style.abbreviate * level.abbreviations, "french")
    if rng.random() < level.typos:
        segments = [(_misspelt(part, rng, _rate(said, level.slip)), said) for part, said in segments]
    capitals = rng.random() < style.capitals
    if capitals:
        segments = [(part.upper(), said) for part, said in segments]
    if rng.random() < (0.8 if capitals and level.accents else level.accents):
        segments = [(part.translate(_PLAIN), said) for part, said in segments]
    if rng.random() < level.ocr:
        segments = [(_misread(part, rng, _rate(said, level.misread)), said) for part, said in segments]
    if running_head and rng.random() < level.paged:
        segments = _paged(segments, rng, running_head)
    if rng.random() < level.wrapped:
        segments = _wrapped(segments, rng, rng.randint(62, 96), level.hyphens)
    return _joined(segments)


def _cut(text: str, mentions: list[Mention]) -> list[Segment]:
    segments: list[Segment] = []
    at = 0
    for mention in mentions:
        if mention["start"] > at:
            segments.append((text[at : mention["start"]], None))
        segments.append((text[mention["start"] : mention["end"]], mention))
        at = mention["end"]
    if at < len(text):
        segments.append((text[at:], None))
    return segments


def _joined(segments: list[Segment]) -> tuple[str, list[Mention]]:
    mentions: list[Mention] = []
    position = 0
    for part, said in segments:
        if said is not None:
            mentions.append({**said, "start": position, "end": position + len(part), "text": part})
        position += len(part)
    return "".join(part for part, _ in segments), mentions


def _plainly(segments: list[Segment], change: Callable[[str], str]) -> list[Segment]:
    return [(part if said else change(part), said) for part, said in segments]


def _rate(said: Mention | None, rate: float) -> float:
    if said is None:
        return rate
    return rate / 3 if said["kind"] in _TERMS else 0.0


_STOP = re.compile(r"(?<=[a-zàâéèêîôûç0-9%)])\. ([A-ZÀÉÈÊÎÔ][a-zàâéèêîôûç]*)(?='|\b)")
_LAST_STOP = re.compile(r"(?<=[a-zàâéèêîôûç0-9%)])\. $")
_STARTS = re.compile(r"[A-ZÀÉÈ][a-zàâéèêîôûçœ]")
_NAMES = frozenset(("Madame", "Monsieur", "Mme", "Mr", "Dr", "Pr", "Hb", "Na", "Mallampati", "Charlson", "Gleason"))
_LOWERED = (*_TERMS, "recurrence", "response")


def _flowing(segments: list[Segment], rng: Random, joins: float, opens: float, openers: Sequence[str]) -> list[Segment]:
    """Some sentences continue the one before, some begin with a word that links them to it."""

    def flow(match: re.Match[str]) -> str:
        word = match.group(1)
        if word in _NAMES or (len(word) == 1 and word not in "ÀL"):
            return match.group()
        dice = rng.random()
        end = match.string.find(". ", match.end())
        if dice < joins and (end if end >= 0 else len(match.string)) - match.end() < 110:
            near = min(match.start(), len(match.string) - match.end()) < 50
            joint = " ; " if near and rng.random() < 0.3 else ", "
            return joint + word[0].lower() + word[1:]
        if openers and dice > 1 - opens:
            opener = openers[int(rng.random() * len(openers))]
            return match.group() if opener.startswith(word) else f". {opener}{word[0].lower()}{word[1:]}"
        return match.group()

    out: list[Segment] = []
    for number, (part, said) in enumerate(segments):
        if said is not None:
            if out and out[-1][0].endswith((" ; ", ", ")) and said["kind"] in _LOWERED and _STARTS.match(part):
                part = part[0].lower() + part[1:]
            out.append((part, said))
            continue
        part = _STOP.sub(flow, part)
        after = segments[number + 1][1] if number + 1 < len(segments) else None
        if after is not None and rng.random() < joins:
            part = _LAST_STOP.sub(" ; " if rng.random() < 0.4 else ", ", part)
        out.append((part, said))
    return out


def _bulleted(part: str) -> str:
    """One line a sentence; what follows a title ("Dr", "M.") is not a sentence."""
    return re.sub(r"(?<=[a-zé)%0-9]\.) (?=[A-ZÀÉÈÊ]|$)", "\n- ", part)


def _any_of(words: Iterable[str]) -> str:
    """A regular expression of these words, with or without a capital; the longest wins. Letters shared at the start are
    written once, which is ten times faster than a plain list."""
    tree: dict[str, Any] = {}
    for word in words:
        for form in (word, word[0].upper() + word[1:]):
            at = tree
            for letter in form:
                at = at.setdefault(letter, {})
            at[""] = {}

    def written(node: dict[str, Any]) -> str:
        ends = "" in node
        options = [re.escape(letter) + written(rest) for letter, rest in node.items() if letter]
        if not options:
            return ""
        joined = options[0] if len(options) == 1 and not ends else f"(?:{'|'.join(options)})"
        return joined + "?" if ends else joined

    return written(tree)


@lru_cache
def _short_words() -> dict[str, tuple[re.Pattern[str], dict[str, list[str]]]]:
    with (GRAMMARS / "abbreviations.toml").open("rb") as file:
        tables: dict[str, dict[str, Any]] = tomllib.load(file)
    found = {}
    for name in ("french", "english"):
        words = {long: [short] if isinstance(short, str) else short for long, short in tables[name].items()}
        found[name] = (re.compile(rf"\b(?:{_any_of(words)})\b"), words)
    return found


@lru_cache
def _homophones() -> tuple[re.Pattern[str], dict[str, str]]:
    with (GRAMMARS / "abbreviations.toml").open("rb") as file:
        words: dict[str, str] = tomllib.load(file)["homophones"]
    return re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b"), words


@lru_cache
def _synonyms() -> tuple[re.Pattern[str], dict[str, list[str]]]:
    with (GRAMMARS / "synonyms.toml").open("rb") as file:
        groups: list[list[str]] = tomllib.load(file)["groups"]
    words = {word: group for group in groups for word in group}
    return re.compile(rf"(?<![\w'’])(?:{_any_of(words)})(?![\w'’])"), words


def _reworded(segments: list[Segment], rng: Random, rate: float) -> list[Segment]:
    pattern, words = _synonyms()

    def reword(match: re.Match[str]) -> str:
        if rng.random() >= rate:
            return match.group()
        word = match.group()
        options = words.get(word) or words[word[0].lower() + word[1:]]
        chosen = options[int(rng.random() * len(options))]
        return chosen[0].upper() + chosen[1:] if word[0].isupper() else chosen

    return _plainly(segments, lambda part: pattern.sub(reword, part))


@lru_cache
def _fillers() -> tuple[list[str], list[str], list[str]]:
    with (GRAMMARS / "synonyms.toml").open("rb") as file:
        tables: dict[str, list[str]] = tomllib.load(file)
    return tables["adverbs"], tables["additions"], tables["numbers"]


_AUXILIARY = re.compile(
    r"(?<!['’])\b(est|sont|était|étaient|reste|restent|demeure|demeurent|paraît|semble|a été|ont été|avons|ai|a|ont"
    r"|avait) (?!été |eu |pas |plus |guère |ni |jamais |que |rien |aucun|personne |lieu )(?=[a-zéèêà]{4})"
)
_ADDITION = re.compile(r"(?<=[a-zé)\d]) et (?=(?:une? |des |l['’]|l[ae]s? )[a-zéèê])")
_SMALL_NUMBER = re.compile(
    r"(?<![\w,./:+-])(?<![A-Zn°/] )(1[0-6]|[2-9]) (?=(?:jour|semaine|mois|ans\b|an\b|fois|heure|minute|nuit|enfant"
    r"|étage|séance|passage|épisode|pause|mention|marche|foyer|fragment|vaisseau|bride|niveau|champ|lame|coupe|prise|accès|repas|visite)s?)"
)


def _paraphrased(segments: list[Segment], rng: Random, rate: float) -> list[Segment]:
    """Little words that change nothing: an adverb after an auxiliary, another conjunction, a number in letters."""
    adverbs, additions, numbers = _fillers()
    draw = rng.random
    letters = draw() < 0.6

    def fill(match: re.Match[str]) -> str:
        return f"{match.group()}{adverbs[int(draw() * len(adverbs))]} " if draw() < rate else match.group()

    def add(match: re.Match[str]) -> str:
        if draw() >= rate:
            return match.group()
        word = additions[int(draw() * len(additions))]
        elided = word.endswith("que") and match.string[match.end()] == "u"
        return f" {word[:-1]}'" if elided else f" {word} "

    def spell(match: re.Match[str]) -> str:
        return numbers[int(match.group(1))] + " " if draw() < 0.75 else match.group()

    def paraphrase(part: str) -> str:
        part = _ADDITION.sub(add, _AUXILIARY.sub(fill, part))
        return _SMALL_NUMBER.sub(spell, part) if letters else part

    return _plainly(segments, paraphrase)


def _shortened(segments: list[Segment], rng: Random, rate: float, table: str) -> list[Segment]:
    pattern, words = _short_words()[table]

    def shorten(match: re.Match[str]) -> str:
        if rng.random() >= rate:
            return match.group()
        options = words.get(match.group()) or words[match.group()[0].lower() + match.group()[1:]]
        short = options[int(rng.random() * len(options))]
        return short[0].upper() + short[1:] if match.group()[0].isupper() else short

    return _plainly(segments, lambda part: pattern.sub(shorten, part))


def _spoken(segments: list[Segment], rng: Random) -> list[Segment]:
    """Speech recognition: punctuation lost or written as it was said, and words that sound alike."""
    pattern, words = _homophones()
    lost, said = rng.choice([(0.5, 0.02), (0.15, 0.12), (0.3, 0.0)])

    def comma(match: re.Match[str]) -> str:
        dice = rng.random()
        return " virgule " if dice < said else " " if dice < said + lost else match.group()

    def stop(match: re.Match[str]) -> str:
        dice = rng.random()
        return " point " if dice < said / 2 else " point à la ligne " if dice < said * 0.7 else match.group()

    def sound(match: re.Match[str]) -> str:
        return words[match.group()] if rng.random() < 0.03 else match.group()

    def dictated(part: str) -> str:
        part = re.sub(r"(?<=\w), (?=\w)", comma, part)
        part = re.sub(r"(?<=[a-zé])\. (?=[A-ZÀÉ])", stop, part)
        return pattern.sub(sound, part)

    return _plainly(segments, dictated)


def _misspelt(text: str, rng: Random, rate: float) -> str:
    if not rate:
        return text

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() >= rate:
            return word
        at = rng.randrange(1, len(word) - 2)
        dice = rng.random()
        if dice < 0.3:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if dice < 0.6:
            return word[:at] + word[at + 1 :]
        if dice < 0.75:
            return word[:at] + word[at] + word[at:]
        if dice < 0.9:
            return word.translate(_PLAIN)
        return word[:at] + rng.choice(_KEYS) + word[at + 1 :]

    return _LONG.sub(slip, text)


def _misread(text: str, rng: Random, rate: float) -> str:
    if not rate:
        return text
    faults: dict[str, str] = dict(_OCR)

    def fault(match: re.Match[str]) -> str:
        return faults[match.group()] if rng.random() < rate else match.group()

    return _OCR_FAULT.sub(fault, text)


def _paged(segments: list[Segment], rng: Random, running_head: str) -> list[Segment]:
    """A page ends in the middle of the text: its foot and the next one's head come between two lines."""
    places = [number for number, (part, said) in enumerate(segments) if said is None and "\n" in part]
    if sum(segments[number][0].count("\n") for number in places) < 3:
        return segments
    number = places[len(places) // 2]
    part = segments[number][0]
    at = part.index("\n")
    foot = rng.choice(["Page 1/2", "1/2", "- 1 -", "page 1 sur 2", "../..", "Page : 1 / 2"])
    mark = f"\n{foot}\n{running_head}"
    return [*segments[:number], (part[:at] + mark + part[at:], None), *segments[number + 1 :]]


def _wrapped(segments: list[Segment], rng: Random, width: int, hyphens: float) -> list[Segment]:
    """Lines broken at a width; a long word at a line's end is sometimes cut by a hyphen."""
    column = 0
    out: list[Segment] = []
    for text, said in segments:
        parts: list[str] = []
        for token in re.split(r"( (?![;:?!%])|\n)", text):
            if token == "\n":
                column = 0
            elif token == " " and column >= width - 4:
                token, column = "\n", 0
            elif said is None and column + len(token) > width and re.fullmatch(r"[a-zàâéèêîôûç]{9,}[.,]?", token):
                if rng.random() < hyphens:
                    at = rng.randint(3, len(token) - 4)
                    token, column = f"{token[:at]}-\n{token[at:]}", len(token) - at
                else:
                    column += len(token)
            else:
                column += len(token)
            parts.append(token)
        out.append(("".join(parts), said))
    return out
