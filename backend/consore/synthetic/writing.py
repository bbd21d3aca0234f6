"""A small grammar that writes French reports and remembers where each fact was written.

A grammar is a folder of TOML files; a rule is a list of alternatives, gathered from all of them. In an alternative:

    {slot}            what the scene knows under that name: text, or a coded mention
    {slot!negated}    the same, with another assertion for its mentions
    <rule>            an alternative of that rule; <rule?> nothing when none can be written; <rule!history> as above
    [a|b|]            one of these
    # heading         at the start of a line: a heading in the author's style, dropped when nothing follows

An alternative that asks for something the scene does not know is not written: another one is tried. A rule
`name.style` is preferred to `name` for an author of that style. Offsets are kept by construction: spans are joined,
never searched for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Protocol

GRAMMARS = Path(__file__).parent / "data" / "grammar"


@dataclass(slots=True, frozen=True)
class Said:
    """A coded fact, as the truth file tells it (see `Mention` for the conventions)."""

    kind: str
    system: str | None
    code: str | None
    value: str | None = None
    assertion: str = "present"


@dataclass(slots=True, frozen=True)
class Piece:
    """A run of text, with the fact that it states, if any."""

    text: str
    said: Said | None = None


class CannotSay(LookupError):
    """The scene does not know what the template asks for."""


class Scene(Protocol):
    """What a template may speak of."""

    style: str

    def say(self, slot: str, rng: Random) -> Sequence[Piece]:
        """The pieces of a slot; raises CannotSay when there is nothing to say."""
        ...


Node = tuple  # ("text", str) | ("slot", name, assertion) | ("rule", name, optional, assertion) | ("choice", [[Node]])


class Grammar:
    """The sentence templates of one split."""

    def __init__(self, rules: dict[str, list[str]]) -> None:
        self.sources = rules
        self._rules = {name: [_parse(text) for text in texts] for name, texts in rules.items()}

    def write(self, rule: str, scene: Scene, rng: Random) -> list[Piece]:
        """Expand a rule. Raises CannotSay when no alternative can be written."""
        chosen = self._rules.get(f"{rule}.{scene.style}")
        if chosen is None or (rule in self._rules and rng.random() < 0.12):
            chosen = self._rules.get(rule)
        if chosen is None:
            raise CannotSay(rule)
        for nodes in rng.sample(chosen, len(chosen)):
            try:
                return self._expand(nodes, scene, rng)
            except CannotSay:
                continue
        raise CannotSay(rule)

    def _expand(self, nodes: list[Node], scene: Scene, rng: Random) -> list[Piece]:
        pieces: list[Piece] = []
        for node in nodes:
            if node[0] == "text":
                pieces.append(Piece(node[1]))
            elif node[0] == "slot":
                pieces += asserted(scene.say(node[1], rng), node[2])
            elif node[0] == "choice":
                pieces += self._expand(rng.choice(node[1]), scene, rng)
            else:
                _, name, optional, assertion = node
                try:
                    pieces += asserted(self.write(name, scene, rng), assertion)
                except CannotSay:
                    if not optional:
                        raise
        return pieces


@lru_cache
def grammar(split: str) -> Grammar:
    """The grammar of `train` or `test`: they share no sentence template."""
    rules: dict[str, list[str]] = {}
    for path in sorted((GRAMMARS / split).glob("*.toml")):
        for name, texts in tomllib.loads(path.read_text(encoding="utf-8")).items():
            rules.setdefault(name, []).extend(texts)
    return Grammar(rules)


def asserted(pieces: Iterable[Piece], assertion: str | None) -> list[Piece]:
    """The same pieces under another assertion; what already differs from present keeps its own."""
    if not assertion:
        return list(pieces)
    return [
        Piece(p.text, replace(p.said, assertion=assertion)) if p.said and p.said.assertion == "present" else p
        for p in pieces
    ]


_FEMININE = re.compile(
    r"(?:néoplasie|tumeur|récidive|rechute|progression|évolution|lésion|localisation|métastase|rémission|réponse|stabilité"
    r"|maladie|bonne|biopsie|macrobiopsie|microbiopsie|fibroscopie|coloscopie|rectoscopie|cystoscopie|cœlioscopie"
    r"|résection|exérèse|hypertrophie|lobectomie|irradiation|radiothérapie|carcinose|pleurésie|mastectomie|instabilité)\b",
    re.IGNORECASE,
)
_SINGULAR = re.compile(r"(?:carcinose|envahissement|pleurésie|métastase) ", re.IGNORECASE)
_TO_FEMININE = {"un": "une", "son": "sa", "ce": "cette", "du": "de la", "le": "la", "au": "à la", "aucun": "aucune"}
_DETERMINER = re.compile(r"\b(un|une|son|ce|du|le|au|aucun|des|les|de|la|sa|que) $", re.IGNORECASE)


def agree(pieces: Iterable[Piece]) -> list[Piece]:
    """Make the little words before a term agree with it: "un néoplasie" → "une", "de exérèse" → "d'exérèse"."""
    out: list[Piece] = []
    for piece in pieces:
        before = out[-1] if out else None
        if piece.text[:1].isalpha() and before and not before.said and (found := _DETERMINER.search(before.text)):
            word = found.group(1)
            new = _agreed(word.lower(), piece.text)
            if new:
                new = new[0].upper() + new[1:] if word[0].isupper() else new
                out[-1] = before = Piece(before.text[: found.start()] + new)
        if before and not before.said and not piece.said:
            out[-1] = Piece(before.text + piece.text)
        else:
            out.append(piece)
    return out


def _agreed(word: str, term: str) -> str | None:
    vowel = term[0].lower() in "aàâeéèêiîoôuœ" or term.lower().startswith(("hy", "hé"))
    feminine = bool(_FEMININE.match(term))
    if word in ("un", "une") and re.match(r"\w+s\b", term) and not feminine and term[0].islower():
        return "des " if re.match(r"(biopsies|métastases|mets)\b", term) else None
    if word in ("des", "les"):
        if not _SINGULAR.match(term + " ") or term.endswith("s"):
            return None
        return ("une " if feminine else "un ") if word == "des" else ("l'" if vowel else "la ")
    if word in ("de", "la", "le", "que", "du", "au", "ce", "sa") and vowel and not term.isupper():
        return {"de": "d'", "la": "l'", "le": "l'", "que": "qu'", "du": "de l'", "au": "à l'", "sa": "son "}.get(
            word, "cette " if feminine else "cet "
        )
    if feminine and word in _TO_FEMININE and not (vowel and word == "son"):
        return _TO_FEMININE[word] + " "
    return None


def assemble(pieces: Iterable[Piece], headings: dict[str, str]) -> tuple[str, list[dict[str, object]]]:
    """Join pieces into a document: (text, mentions as JSON with exact offsets).

    Spaces are tidied, headings without anything below them are dropped, sentences begin with a capital.
    """
    lines: list[list[Piece]] = [[]]
    for piece in pieces:
        parts = [piece.text] if piece.said else piece.text.split("\n")
        for number, part in enumerate(parts):
            if number:
                lines.append([])
            if part:
                lines[-1].append(Piece(part, piece.said))
    out: list[str] = []
    mentions: list[dict[str, object]] = []
    position = 0
    pending_heading: str | None = None
    blank = True
    for line in lines:
        plain = "".join(piece.text for piece in line).strip()
        if plain.startswith("#") and all(piece.said is None for piece in line):
            pending_heading = headings.get(plain[1:].strip(), "")
            continue
        if not plain:
            blank = True
            continue
        prefix = "" if not out else ("\n\n" if blank and pending_heading is None else "\n")
        if pending_heading is not None:
            prefix += pending_heading
            pending_heading = None
        blank = False
        text, found = _line(line, starts_sentence=not prefix.endswith(", "))
        out.append(prefix + text)
        position += len(prefix)
        for start, end, said in found:
            mentions.append(_mention(text[start:end], position + start, position + end, said))
        position += len(text)
    return "".join(out), mentions


def _line(pieces: list[Piece], starts_sentence: bool) -> tuple[str, list[tuple[int, int, Said]]]:
    text = ""
    found: list[tuple[int, int, Said]] = []
    for piece in pieces:
        part = piece.text if piece.said else re.sub(r"  +", " ", piece.text)
        if not text or text.endswith((" ", "(")):
            part = part.lstrip(" ") if not piece.said else part
        if part[:1] in (",", ".", ")", "") and text.endswith(" ") and not piece.said:
            text = text.rstrip(" ")
        if part.startswith(".") and text.endswith("."):
            part = part[1:]
        if not part:
            continue
        if (not text and starts_sentence) or re.search(r"[.?!]\s$", text):
            part = part if part[1:2].isupper() else part[0].upper() + part[1:]
        elif not text and not piece.said and part[1:2].islower():
            part = part[0].lower() + part[1:]
        if piece.said:
            found.append((len(text), len(text) + len(part), piece.said))
        else:
            part = re.sub(r"([.?!] )([a-zàâéèêîôûœç])", lambda m: m.group(1) + m.group(2).upper(), part)
        text += part
    return text.rstrip(" "), found


def _mention(text: str, start: int, end: int, said: Said) -> dict[str, object]:
    return {
        "start": start,
        "end": end,
        "text": text,
        "kind": said.kind,
        "system": said.system,
        "code": said.code,
        "value": said.value,
        "assertion": said.assertion,
    }


_TOKEN = re.compile(
    r"\{(?P<slot>[\w.:+-]+)(?:!(?P<sa>\w+))?\}|<(?P<rule>[\w.]+)(?P<opt>\?)?(?:!(?P<ra>\w+))?>|(?P<punct>[\[\]|])"
)


def _parse(text: str) -> list[Node]:
    nodes, rest = _sequence(text, 0, inside=False)
    if rest != len(text):
        raise ValueError(f"Unbalanced brackets in template: {text!r}")
    return nodes


def _sequence(text: str, at: int, inside: bool) -> tuple[list[Node], int]:
    nodes: list[Node] = []
    while at < len(text):
        found = _TOKEN.search(text, at)
        if not found:
            nodes.append(("text", text[at:]))
            return nodes, len(text)
        if found.start() > at:
            nodes.append(("text", text[at : found.start()]))
        at = found.end()
        if found["slot"]:
            nodes.append(("slot", found["slot"], found["sa"]))
        elif found["rule"]:
            nodes.append(("rule", found["rule"], bool(found["opt"]), found["ra"]))
        elif found["punct"] == "[":
            options = []
            while True:
                option, at = _sequence(text, at, inside=True)
                options.append(option)
                if at >= len(text):
                    raise ValueError(f"Unbalanced brackets in template: {text!r}")
                if text[at] == "]":
                    at += 1
                    break
                at += 1
            nodes.append(("choice", options))
        elif inside:
            return nodes, found.start()
        elif found["punct"] == "|":
            nodes.append(("text", "|"))
        else:
            raise ValueError(f"Unbalanced brackets in template: {text!r}")
    return nodes, at


_KEYS = "azertyuiopqsdfghjklmwxcvbn"


def misspell(pieces: Iterable[Piece], rng: Random, rate: float) -> list[Piece]:
    """Typing mistakes in long words, `rate` of them; in coded terms three times fewer, and never in codes or drugs."""
    return [Piece(_misspelt(piece, rng, rate), piece.said) for piece in pieces]


def _misspelt(piece: Piece, rng: Random, rate: float) -> str:
    if piece.said:
        if piece.said.kind not in ("topography", "morphology", "procedure", "metastasis"):
            return piece.text
        rate /= 3

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() >= rate:
            return word
        at = rng.randrange(1, len(word) - 2)
        dice = rng.random()
        if dice < 0.35:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if dice < 0.65:
            return word[:at] + word[at + 1 :]
        if dice < 0.85:
            return word[:at] + word[at] + word[at:]
        return word[:at] + rng.choice(_KEYS) + word[at + 1 :]

    return re.sub(r"\b[a-zàâéèêîôûç]{6,}\b", slip, piece.text)
