"""A small grammar that writes French reports and remembers where each fact was written.

A grammar is a folder of TOML files; a rule is a list of alternatives, gathered from all of them. In an alternative:

    {slot}            what the scene knows under that name: text, or a coded mention
    {slot!negated}    the same, with another assertion for its mentions
    {n:60-95/5}       a whole number between both, in steps of 5 (1 when not said); {x:0.4-2.1} one with a decimal
    <rule>            an alternative of that rule; <rule?> nothing when none can be written; <rule!history> as above
    <rule*2-4>        two to four different alternatives, with a space between; <rule*2-4:, > with ", "
    <<TERM = KIND SYSTEM CODE>>   a coded term written as it is; a fourth word is its assertion, a fifth its value
    [a|b|]            one of these
    # heading         at the start of a line: a heading in the author's style, dropped when nothing follows

An alternative that asks for something the scene does not know is not written: another one is tried; and one that this
report has used is avoided. A rule `name.style` is preferred to `name` for an author of that style or of one that is
like it (`styles.toml`). Offsets are kept by construction: spans are joined, never searched for.
`data/grammar/README.md` is the page for who writes templates.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

from consore.errors import ConfigurationError

GRAMMARS = Path(__file__).parent / "data" / "grammar"
SPLITS = ("train", "dev", "test")


@dataclass(slots=True, frozen=True)
class Said:
    """A coded fact, as the truth file tells it (see `Mention` for the conventions)."""

    kind: str
    system: str | None
    code: str | None
    value: str | None = None
    assertion: str = "present"


class Piece(NamedTuple):
    """A run of text, with the fact that it states, if any."""

    text: str
    said: Said | None = None


class CannotSay(LookupError):
    """The scene does not know what the template asks for."""


class Scene(Protocol):
    """What a template may speak of. `used` remembers which alternatives this report has written."""

    style: str
    used: set[tuple[str, int]]

    def say(self, slot: str, rng: Random) -> Sequence[Piece]:
        """The pieces of a slot; raises CannotSay when there is nothing to say."""
        ...

    def choices(self, rule: str, size: int) -> Sequence[int]:
        """Which of the `size` alternatives of a rule are this patient's own; empty: any."""
        ...


# ("text", Piece) | ("slot", name, assertion) | ("number", low, high, step) | ("decimal", low, high)
# | ("rule", name, optional, assertion) | ("several", name, low, high, joint, assertion) | ("choice", [[Node]])
Node = tuple[Any, ...]


@dataclass(slots=True, frozen=True)
class Style:
    """How an author writes: `like` are the styles whose templates are borrowed; the rest are shares between 0 and 1.

    `joins`: of the sentences that continue the one before, `opens`: that begin with a linking word;
    `abbreviate`: of the words that have an abbreviation; `plain`: of the templates without style of their own that are
    taken all the same; `bullets`, `capitals`, `speech`, `english`: 1 when every report has it.
    """

    name: str
    weight: float = 1.0
    like: tuple[str, ...] = ()
    headings: str = ""
    plain: float = 0.15
    abbreviate: float = 0.0
    joins: float = 0.0
    opens: float = 0.0
    bullets: float = 0.0
    capitals: float = 0.0
    speech: float = 0.0
    english: float = 0.0
    copies: float = 0.35
    quotes: float = 0.0


@lru_cache
def styles() -> dict[str, Style]:
    """The styles of authors, by name, from `data/grammar/styles.toml`."""
    with (GRAMMARS / "styles.toml").open("rb") as file:
        return {
            name: Style(name=name, **{**item, "like": tuple(item.get("like", ()))})
            for name, item in tomllib.load(file).items()
        }


@dataclass(slots=True)
class Grammar:
    """The sentence templates of one split. `sources` are the split's own, `_rules` also the words common to all."""

    sources: dict[str, list[str]]
    common: dict[str, list[str]] = field(default_factory=dict)
    _rules: dict[str, list[list[Node]]] = field(default_factory=dict)
    _chosen: dict[tuple[str, str], tuple[list[str], list[str], float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rules in (self.common, self.sources):
            for name, texts in rules.items():
                self._rules.setdefault(name, []).extend(_parse(text) for text in texts)

    def write(self, rule: str, scene: Scene, rng: Random) -> list[Piece]:
        """Expand a rule. Raises CannotSay when no alternative can be written."""
        for name in self._names(rule, scene.style, rng):
            chosen = self._rules[name]
            for at in self._order(name, len(chosen), scene, rng):
                try:
                    pieces = self._expand(chosen[at], scene, rng)
                except CannotSay:
                    continue
                scene.used.add((name, at))
                return pieces
        raise CannotSay(rule)

    def _names(self, rule: str, style: str, rng: Random) -> list[str]:
        """The rules to try: that of the style, those it is like, the plain one; sometimes the plain one first."""
        key = (rule, style)
        chosen = self._chosen.get(key)
        if chosen is None:
            author = styles()[style]
            suffixes = [f"{rule}.{name}" for name in (style, *author.like)]
            names = [name for name in [*suffixes, rule] if name in self._rules]
            chosen = self._chosen[key] = names, names[::-1], author.plain
        names, plain_first, plain = chosen
        return plain_first if len(names) > 1 and rng.random() < plain else names

    @staticmethod
    def _order(name: str, size: int, scene: Scene, rng: Random) -> Iterable[int]:
        used = scene.used
        own = scene.choices(name, size)
        if own:
            free = [at for at in own if (name, at) not in used] or list(own)
            yield from own if len(own) == size else rng.sample(free, len(free))
            return
        if size == 1:
            yield 0
            return
        first = int(rng.random() * size)
        if (name, first) not in used:
            yield first
        rest = rng.sample(range(size), size)
        again = []
        for at in rest:
            if (name, at) in used:
                again.append(at)
            elif at != first:
                yield at
        yield from again

    def _expand(self, nodes: list[Node], scene: Scene, rng: Random) -> list[Piece]:
        pieces: list[Piece] = []
        for node in nodes:
            kind = node[0]
            if kind == "text":
                pieces.append(node[1])
            elif kind == "slot":
                pieces += asserted(scene.say(node[1], rng), node[2])
            elif kind == "choice":
                pieces += self._expand(node[1][int(rng.random() * len(node[1]))], scene, rng)
            elif kind == "number":
                pieces.append(Piece(str(rng.randrange(node[1], node[2] + 1, node[3]))))
            elif kind == "decimal":
                pieces.append(Piece(f"{rng.uniform(node[1], node[2]):.1f}".replace(".", ",")))
            elif kind == "several":
                pieces += asserted(self._several(node, scene, rng), node[5])
            else:
                _, name, optional, assertion = node
                try:
                    pieces += asserted(self.write(name, scene, rng), assertion)
                except CannotSay:
                    if not optional:
                        raise
        return pieces

    def _several(self, node: Node, scene: Scene, rng: Random) -> list[Piece]:
        _, rule, low, high, joint, _ = node
        pieces: list[Piece] = []
        for _ in range(rng.randint(low, high)):
            names = self._names(rule, scene.style, rng)
            if not names:
                raise CannotSay(rule)
            size = len(self._rules[names[0]])
            if all((names[0], at) in scene.used for at in scene.choices(names[0], size) or range(size)):
                break
            try:
                written = self.write(rule, scene, rng)
            except CannotSay:
                break
            pieces += [Piece(joint), *written] if pieces else written
        if not pieces and low:
            raise CannotSay(rule)
        return pieces


@lru_cache
def _common() -> dict[str, list[str]]:
    return _gather(GRAMMARS / "common")


def _gather(folder: Path) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.toml")):
        for name, texts in tomllib.loads(path.read_text(encoding="utf-8")).items():
            rules.setdefault(name, []).extend(texts)
    return rules


@lru_cache
def grammar(split: str) -> Grammar:
    """The grammar of a split: no two share a sentence template. Raises ConfigurationError."""
    if split not in SPLITS:
        raise ConfigurationError(f"Unknown split {split!r}.", f"One of: {', '.join(SPLITS)}.")
    return Grammar(_gather(GRAMMARS / split), _common())


def asserted(pieces: Iterable[Piece], assertion: str | None) -> list[Piece]:
    """The same pieces under another assertion; what already differs from present keeps its own."""
    if not assertion:
        return pieces if isinstance(pieces, list) else list(pieces)
    return [
        Piece(p.text, replace(p.said, assertion=assertion)) if p.said and p.said.assertion == "present" else p
        for p in pieces
    ]


_FEMININE = re.compile(
    r"(?:néoplasie|tumeur|récidive|rechute|progression|évolution|lésion|localisation|métastase|rémission|réponse|stabilité"
    r"|maladie|bonne|biopsie|macrobiopsie|microbiopsie|fibroscopie|coloscopie|rectoscopie|cystoscopie|cœlioscopie"
    r"|résection|exérèse|macrobiopsie|carcinose|masse|leucémie|hormonothérapie|chimiothérapie|adénopathie|rectocolite"
    r"|(?!foie|comité|silence)\w{3,}(?:ie|tion|sion|ité|ance|ence))\b",
    re.IGNORECASE,
)
_SINGULAR = re.compile(r"(?:carcinose|envahissement|pleurésie|métastase) ", re.IGNORECASE)
_TO_FEMININE = {"un": "une", "son": "sa", "ce": "cette", "du": "de la", "le": "la", "au": "à la", "aucun": "aucune"}
_DETERMINERS = ("un", "une", "son", "ce", "du", "le", "au", "aucun", "des", "les", "de", "la", "sa", "que")
_DETERMINER = re.compile(rf"\b({'|'.join(_DETERMINERS)}) $", re.IGNORECASE)
_DETERMINER_ENDS = frozenset(
    a + b + " " for *_, one, last in _DETERMINERS for a in (one, one.upper()) for b in (last, last.upper())
)


def agree(pieces: Iterable[Piece]) -> list[Piece]:
    """Make the little words before a term agree with it: "un néoplasie" → "une", "de exérèse" → "d'exérèse"."""
    out: list[Piece] = []
    run: list[str] = []  # the plain text since the last term, and how it ends
    tail = ""
    for text, said in pieces:
        if tail[-3:] in _DETERMINER_ENDS and text[:1].isalpha() and (found := _DETERMINER.search(tail)):
            word = found.group(1)
            new = _agreed(word.lower(), text)
            if new:
                new = new[0].upper() + new[1:] if word[0].isupper() else new
                run = ["".join(run)[: found.start() - len(tail)] + new]
                tail = run[0][-9:]
        if said:
            if run:
                out.append(Piece(_contracted("".join(run))))
                run, tail = [], ""
            out.append(Piece(text, said))
        else:
            run.append(text)
            tail = text[-9:] if len(text) >= 9 else (tail + text)[-9:]
    if run:
        out.append(Piece(_contracted("".join(run))))
    return out


def _contracted(text: str) -> str:
    """ "de le" → "du", "de des" → "de": looked for only where the letters are, which is cheaper than the patterns."""
    if any(letters in text for letters in ("de le", "De le", "à le", "À le")):
        text = _CONTRACTED.sub(_contract, text)
    if "de des " in text or "De des " in text:
        text = _PARTITIVE.sub(_partitive, text)
    return text


_CONTRACTED = re.compile(r"\b([Dd]e|[àÀ]) (les?) (?=[a-zA-ZàâéèêîôœÉ\d])")
_CONTRACTIONS = {("de", "le"): "du ", ("de", "les"): "des ", ("à", "le"): "au ", ("à", "les"): "aux "}


_PARTITIVE = re.compile(r"\b([Dd])e des (?=([a-zàâéèêîôœ]))")


def _partitive(match: re.Match[str]) -> str:
    """ "en dehors de des ganglions" → "en dehors de ganglions"."""
    return match.group(1) + ("'" if match.group(2) in "aàâeéèêiîoôuœ" else "e ")


def _contract(match: re.Match[str]) -> str:
    contracted = _CONTRACTIONS[match.group(1).lower(), match.group(2)]
    return contracted.capitalize() if match.group(1)[0].isupper() else contracted


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


_HEADING = re.compile(r"# (\w+)\n")


def assemble(pieces: Iterable[Piece], headings: dict[str, str]) -> tuple[str, list[dict[str, object]]]:
    """Join pieces into a document: (text, mentions as JSON with exact offsets).

    Spaces are tidied, headings without anything below them are dropped, sentences begin with a capital.
    """
    lines: list[list[Piece]] = [[]]
    for piece in pieces:
        parts = [piece.text] if piece.said else _HEADING.sub(r"\n# \1\n", piece.text).split("\n")
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
    blanks = 0
    for line in lines:
        plain = "".join(piece.text for piece in line).strip()
        if plain.startswith("#") and all(piece.said is None for piece in line):
            pending_heading = headings.get(plain[1:].strip(), "")
            blanks = 0
            continue
        if not plain:
            blank = True
            blanks += 1
            continue
        if blanks > 1:  # nothing was written below the heading: what comes next is the signature
            pending_heading = None
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


_BLANKS = re.compile("  +")
_STOPS = frozenset(".?!")
_SMALL_START = re.compile(r"(?<=[.?!] )[a-zàâéèêîôûœç]")


def _capital(match: re.Match[str]) -> str:
    return match.group().upper()


def _line(pieces: list[Piece], starts_sentence: bool) -> tuple[str, list[tuple[int, int, Said]]]:
    text = ""
    found: list[tuple[int, int, Said]] = []
    for piece in pieces:
        part = piece.text if piece.said or "  " not in piece.text else _BLANKS.sub(" ", piece.text)
        if not text or text.endswith((" ", "(")):
            part = part.lstrip(" ") if not piece.said else part
        if part[:1] in (",", ".", ")", "") and text.endswith(" ") and not piece.said:
            text = text.rstrip(" ")
        if part.startswith(".") and text.endswith("."):
            part = part[1:]
        if not part:
            continue
        if (not text and starts_sentence) or (text[-2:-1] in _STOPS and text[-1:].isspace()):
            part = part if part[1:2].isupper() else part[0].upper() + part[1:]
        elif not text and not piece.said and (part[1:2].islower() or part[1:2] == "'"):
            part = part[0].lower() + part[1:]
        if piece.said:
            found.append((len(text), len(text) + len(part), piece.said))
        else:
            part = _SMALL_START.sub(_capital, part)
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
    r"<<(?P<term>[^=>]+?) = (?P<kind>\w+) (?P<system>\S+?) (?P<code>[^\s>]+)(?: (?P<ta>\w+)(?: (?P<value>\w+))?)?>>"
    r"|\{n:(?P<low>\d+)-(?P<high>\d+)(?:/(?P<step>\d+))?\}|\{x:(?P<from>[\d.]+)-(?P<to>[\d.]+)\}"
    r"|\{(?P<slot>[\w.:+-]+)(?:!(?P<sa>\w+))?\}"
    r"|<(?P<rule>[\w.]+)(?:(?P<opt>\?)|\*(?P<least>\d+)-(?P<most>\d+)(?::(?P<joint>[^>]*))?)?(?:!(?P<ra>\w+))?>"
    r"|(?P<punct>[\[\]|])"
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
            nodes.append(("text", Piece(text[at:])))
            return nodes, len(text)
        if found.start() > at:
            nodes.append(("text", Piece(text[at : found.start()])))
        at = found.end()
        if found["punct"] == "[":
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
        elif found["punct"]:
            if inside:
                return nodes, found.start()
            if found["punct"] == "]":
                raise ValueError(f"Unbalanced brackets in template: {text!r}")
            nodes.append(("text", Piece("|")))
        else:
            nodes.append(_node(found))
    return nodes, at


def _node(found: re.Match[str]) -> Node:
    if found["term"]:
        system = None if found["system"] == "-" else found["system"]
        code = None if found["code"] == "-" else found["code"]
        return (
            "text",
            Piece(found["term"], Said(found["kind"], system, code, found["value"], found["ta"] or "present")),
        )
    if found["low"]:
        return ("number", int(found["low"]), int(found["high"]), int(found["step"] or 1))
    if found["from"]:
        return ("decimal", float(found["from"]), float(found["to"]))
    if found["slot"]:
        return ("slot", found["slot"], found["sa"])
    if found["least"]:
        joint = " " if found["joint"] is None else found["joint"]
        return ("several", found["rule"], int(found["least"]), int(found["most"]), joint, found["ra"])
    return ("rule", found["rule"], bool(found["opt"]), found["ra"])
