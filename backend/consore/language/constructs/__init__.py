"""French sentences written by hand, each aiming at one construct that makes reports hard to read; and their score.

A TOML file a construct: `document_date`, `exhaustive` (kinds of which everything that must be found is marked, so that
anything else found is wrong) and `[[sentence]]` with `id`, `why` (the source of difficulty), `text` and, for a third of
them, `kept = true`: those are never looked at while rules are written. Mentions are marked in the text:
`[pT2 N0](tnm code=pT2N0)`, `[récidive](recurrence negated)`: kind, assertion (present where none is written), then
`code=`, `value=`, `unit=` where they matter; `code~KRAS` and `value~22` ask only that it is in there.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consore.model import Assertion, Mention, MentionKind

if TYPE_CHECKING:
    from consore.language.reader import Reader

_MARKED = re.compile(r"\[(?P<surface>[^\]]+)\]\((?P<kind>[a-z_]+)(?P<rest>(?: (?:[^\s()]|\([^\s()]*\))+)*)\)")
_WANTED = re.compile(r"(?P<name>code|value|unit)(?P<how>[=~])(?P<wanted>.+)")


@dataclass(frozen=True, slots=True)
class Expected:
    """A mention that must be found: `text[start:end]` at least touched; `wanted` holds (attribute, exact?, text)."""

    start: int
    end: int
    kind: MentionKind
    assertion: Assertion
    wanted: tuple[tuple[str, bool, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence without its markup, what must be read in it, and what makes it hard."""

    id: str
    construct: str
    why: str
    text: str
    mentions: tuple[Expected, ...]
    exhaustive: frozenset[MentionKind]
    document_date: dt.date
    kept: bool


def constructs(folder: Path = Path(__file__).parent) -> Iterator[Sentence]:
    """All sentences, file by file. Raises ValueError for markup that names no kind, and for an id given twice."""
    seen: set[str] = set()
    for file in sorted(folder.glob("*.toml")):
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        exhaustive = frozenset(map(MentionKind, content["exhaustive"]))
        for item in content["sentence"]:
            if item["id"] in seen:
                raise ValueError(f"{file.name}: the id {item['id']!r} is given twice.")
            seen.add(item["id"])
            text, mentions = _unmarked(item["text"])
            yield Sentence(
                item["id"],
                file.stem,
                item["why"],
                text,
                mentions,
                exhaustive,
                content["document_date"],
                item.get("kept", False),
            )


def _unmarked(marked: str) -> tuple[str, tuple[Expected, ...]]:
    text, position, mentions = "", 0, []
    for match in _MARKED.finditer(marked):
        text += marked[position : match.start()]
        start = len(text)
        text += match["surface"]
        position = match.end()
        assertion, wanted = Assertion.PRESENT, []
        for word in match["rest"].split():
            if found := _WANTED.fullmatch(word):
                wanted.append((found["name"], found["how"] == "=", found["wanted"]))
            else:
                assertion = Assertion(word)
        mentions.append(Expected(start, len(text), MentionKind(match["kind"]), assertion, tuple(wanted)))
    return text + marked[position:], tuple(mentions)


@dataclass(slots=True)
class ConstructScore:
    """Of the mentions of some sentences: how many found, right in code and value, right in assertion, right in all;
    `extra`: found where nothing is; `sentences` right as a whole."""

    sentences: int = 0
    whole: int = 0
    mentions: int = 0
    found: int = 0
    coded: int = 0
    asserted: int = 0
    right: int = 0
    extra: int = 0


@dataclass(slots=True)
class ConstructReport:
    """Scores by construct, of the sentences that rules were written with and of the kept ones."""

    scores: dict[tuple[str, bool], ConstructScore] = field(default_factory=dict)
    failures: list[tuple[Sentence, str]] = field(default_factory=list)

    def share(self, kept: bool, construct: str | None = None) -> float:
        """Mentions right in all, over those expected and those too many."""
        chosen = [s for (name, k), s in self.scores.items() if k is kept and construct in (None, name)]
        total = sum(s.mentions + s.extra for s in chosen)
        return round(sum(s.right for s in chosen) / total, 4) if total else 0.0

    def as_json(self) -> dict[str, Any]:
        """Counts by construct, the kept sentences apart."""
        return {
            f"{construct}{', kept' if kept else ''}": {name: getattr(score, name) for name in ConstructScore.__slots__}
            for (construct, kept), score in sorted(self.scores.items())
        }

    def text(self) -> str:
        """The table as people read it."""
        head = (
            f"{'sentences by hand':22}{'':6}{'sent.':>6}{'right':>6} {'ment.':>6}{'found':>7}{'code':>7}{'assert':>7}"
        )
        lines = [f"{head}{'all':>7}{'extra':>6}"]
        for (construct, kept), s in sorted(self.scores.items()):
            n = max(1, s.mentions)
            lines.append(
                f"{construct:22}{'kept' if kept else '':6}{s.sentences:6}{s.whole:6} {s.mentions:6}{s.found / n:7.3f}"
                f"{s.coded / n:7.3f}{s.asserted / n:7.3f}{s.right / n:7.3f}{s.extra:6}"
            )
        lines.append(f"mentions right in all: {self.share(False):.3f}; of the kept sentences {self.share(True):.3f}")
        return "\n".join(lines)


def measure_constructs(reader: Reader, sentences: Sequence[Sentence] | None = None) -> ConstructReport:
    """Read the sentences, each as a document of its own, and score what is found."""
    chosen = list(constructs()) if sentences is None else list(sentences)
    report = ConstructReport()
    read = reader.read_many([(s.text, None, s.document_date) for s in chosen])
    for sentence, mentions in zip(chosen, read, strict=True):
        score = report.scores.setdefault((sentence.construct, sentence.kept), ConstructScore())
        wrong = list(_count(score, sentence, mentions))
        report.failures += [(sentence, message) for message in wrong]
        score.sentences += 1
        score.whole += not wrong
    return report


def _count(score: ConstructScore, sentence: Sentence, mentions: list[Mention]) -> Iterator[str]:
    """Add the sentence to the score; give what is wrong."""
    for expected in sentence.mentions:
        score.mentions += 1
        written = sentence.text[expected.start : expected.end]
        near = [m for m in mentions if m.kind is expected.kind and m.start < expected.end and expected.start < m.end]
        if not near:
            yield f"{expected.kind} « {written} » is missed"
            continue
        best = max(near, key=lambda m: (_is_coded(m, expected), m.assertion is expected.assertion))
        coded, asserted = _is_coded(best, expected), best.assertion is expected.assertion
        score.found += 1
        score.coded += coded
        score.asserted += asserted
        score.right += coded and asserted
        if not coded:
            yield f"{expected.kind} « {written} » is {best.code} {best.value} {best.unit}, not {expected.wanted}"
        if not asserted:
            yield f"{expected.kind} « {written} » is {best.assertion}, not {expected.assertion}"
    for mention in mentions:
        told = any(
            e.kind is mention.kind and e.start < mention.end and mention.start < e.end for e in sentence.mentions
        )
        if mention.kind in sentence.exhaustive and not told:
            score.extra += 1
            yield f"{mention.kind} « {mention.text} » is not there"


def _is_coded(mention: Mention, expected: Expected) -> bool:
    for name, exact, wanted in expected.wanted:
        got = str(getattr(mention, name) or "")
        if got != wanted if exact else wanted not in got:
            return False
    return True
