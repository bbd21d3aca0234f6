"""A document's text cut into paragraphs and coloured runs, from the mentions that the server recognised.

Paragraphs are drawn one by one: a phone cannot draw a whole report as one texture. How an author stands to an
entity is shown by its form, not by colour alone: negated is struck, hypothetical underlined, family and history
greyed in italics.
"""

from __future__ import annotations

from dataclasses import dataclass

from consore_mobile.answers import Mention
from consore_mobile.formatting import escape_markup

GROUPS = {
    "tumour": ("topography", "morphology", "laterality"),
    "extent": ("tnm", "stage", "grade", "metastasis", "recurrence"),
    "biomarker": ("biomarker", "alteration"),
    "treatment": ("drug", "regimen", "procedure", "line", "dose"),
    "course": ("response", "performance_status"),
    "context": ("date", "measurement"),
}
GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
GREYED = {"family", "history"}
LONGEST_PARAGRAPH = 900  # code points; beyond, a label may exceed the texture size of old phones


@dataclass(slots=True, frozen=True)
class Run:
    """A piece of a paragraph; `mention` is an index in the document's mentions, or null for plain text."""

    text: str
    mention: int | None = None
    group: str = ""
    assertion: str = "present"


@dataclass(slots=True, frozen=True)
class Paragraph:
    """`start`, `end`: code points in the document's text."""

    start: int
    end: int
    runs: list[Run]

    def markup(self, colours: dict[str, str]) -> str:
        """The paragraph for a label with markup; an entity is a tappable `ref` named by its index."""
        return "".join(_run_markup(run, colours) for run in self.runs)


def paragraphs(text: str, mentions: list[Mention]) -> list[Paragraph]:
    """The text line by line, each with its entities. Where mentions overlap, the first and longest is shown."""
    shown = _without_overlaps(text, mentions)
    blocks: list[Paragraph] = []
    for start, end in _lines(text, shown):
        runs, position = [], start
        for index in shown:
            mention = mentions[index]
            if mention.start < start or mention.end > end:
                continue
            if mention.start > position:
                runs.append(Run(text[position : mention.start]))
            group = GROUP_OF.get(mention.kind, "context")
            runs.append(Run(text[mention.start : mention.end], index, group, mention.assertion))
            position = mention.end
        if position < end:
            runs.append(Run(text[position:end]))
        blocks.append(Paragraph(start, end, runs))
    return blocks


def groups_present(mentions: list[Mention]) -> list[str]:
    """The groups to show in the legend, in their fixed order."""
    present = {GROUP_OF.get(mention.kind, "context") for mention in mentions}
    return [group for group in GROUPS if group in present]


def assertions_present(mentions: list[Mention]) -> list[str]:
    """The assertions to show in the legend, in their fixed order; `present` needs no legend."""
    present = {mention.assertion for mention in mentions}
    return [name for name in ("negated", "hypothetical", "family", "history") if name in present]


def _without_overlaps(text: str, mentions: list[Mention]) -> list[int]:
    order = sorted(range(len(mentions)), key=lambda i: (mentions[i].start, -mentions[i].end))
    kept: list[int] = []
    reached = 0
    for index in order:
        mention = mentions[index]
        if reached <= mention.start < mention.end <= len(text):
            kept.append(index)
            reached = mention.end
    return kept


def _lines(text: str, shown: list[int]) -> list[tuple[int, int]]:
    spans, position = [], 0
    for line in text.splitlines(keepends=True):
        start, end = position, position + len(line.rstrip("\r\n"))
        position += len(line)
        while end - start > LONGEST_PARAGRAPH:
            cut = text.rfind(". ", start, start + LONGEST_PARAGRAPH) + 1 or start + LONGEST_PARAGRAPH
            spans.append((start, cut))
            start = cut
        spans.append((start, end))
    return spans


def _run_markup(run: Run, colours: dict[str, str]) -> str:
    text = escape_markup(run.text)
    if run.mention is None:
        return text
    colour = colours["quiet"] if run.assertion in GREYED else colours[f"entity_{run.group}"]
    style = {"negated": "s", "hypothetical": "u"}.get(run.assertion, "i" if run.assertion in GREYED else "b")
    return f"[ref={run.mention}][color={colour}][{style}]{text}[/{style}][/color][/ref]"
