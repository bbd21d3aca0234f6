"""Where sentences begin and end in hospital text: wrapped lines, headings, lists, abbreviations.

A line break inside a sentence is common (PDF, 80-column exports) and so is a report with one fact a line and no
punctuation, so a break ends a sentence only when the next line does not read as its continuation.
"""

from __future__ import annotations

import re

# Longer than any sentence a person writes: tables and dumps without punctuation are cut so that all work stays linear.
LONGEST_SENTENCE = 1200

_END = re.compile(
    r"""(?P<stop>[.!?…]+(?:["»”)\]]{0,3})(?=\s|$))   # a stop, then space
      | (?P<blank>\n[ \t\r\f\v]*\n\s*)               # an empty line
      | (?P<line>\r?\n|\r|\f|\v)                     # a line break
      | (?P<semicolon>;(?=\s))
    """,
    re.VERBOSE,
)
_END_AT = re.compile(r"[.!?…](?=[.!?…\"»”)\]\s]|$)|[;\n\r\f\v]")  # where it is worth a try
# A single letter is one too.
_ABBREVIATIONS = frozenset(
    [
        *("abs", "atcd", "dr", "drs", "pr", "prs", "mm", "mme", "mmes", "mlle", "st", "ste", "cf", "ex", "env", "art"),
        *("n°", "no", "nb", "vs", "fig", "tab", "av", "bd", "tel", "tél", "resp", "hosp", "ttt", "min", "max", "dg"),
        *("i.e", "p.ex", "ch"),
    ]
)
_BEFORE_WORD = frozenset(" \t\n\r\f\v('’/-\xa0\u202f")
_CONTINUES = re.compile(r"[ \t]*[a-zà-öø-ÿœ(,;:)%/+]")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-–—•*·▪►>→]|\(?\d{1,2}[.)/°-]\)?\s|[a-h]\)\s)")
_LONGEST_ABBREVIATION = 4


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans (code points) of the sentences of `text`, in order, without the white space around them.

    Every character that is not white space lies in exactly one span.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    reached = 0
    for sign in _END_AT.finditer(text):
        match = _END.match(text, sign.start()) if sign.start() >= reached else None
        if match is None:
            continue
        reached = match.end()
        if match.start() == start and match.lastgroup == "line":
            start = reached  # what follows a stop
            continue
        if match.start() < start or not _is_boundary(text, match, start):
            continue
        end = match.end() if match.lastgroup in ("stop", "semicolon") else match.start()
        _add(text, start, end, spans)
        start = match.end()
    _add(text, start, len(text), spans)
    return spans


def _is_boundary(text: str, match: re.Match[str], start: int) -> bool:
    if match.lastgroup == "blank":
        return True
    if match.lastgroup == "stop":
        return not _is_abbreviation(text, match)
    if match.lastgroup == "semicolon":
        return match.start() - start > 20
    return not _wraps(text, match, start)


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    if match.group() != ".":
        return False
    end = start = match.start()
    while start > 0 and text[start - 1] not in _BEFORE_WORD:
        start -= 1
        if end - start > _LONGEST_ABBREVIATION:
            return False
    word = text[start:end].lower()
    if word not in _ABBREVIATIONS and not (len(word) == 1 and word.isascii() and word.isalpha()):
        return False
    # A capital letter ends sentences too (« vitamine C. Le patient »): a name's initial is followed by a capital word
    # just as well, so only the end of a line decides.
    rest = text[match.end() : match.end() + 2]
    return "\n" not in rest and rest != ""


def _wraps(text: str, match: re.Match[str], start: int) -> bool:
    """Whether the line break lies inside a sentence."""
    line_start = max(text.rfind("\n", start, match.start()) + 1, start)
    line = text[line_start : match.start()].rstrip()
    if not line or line[-1] in ".!?:;":
        return False
    following = text[match.end() : match.end() + 12]
    if _LIST_ITEM.match(following):
        return False
    if _CONTINUES.match(following):
        return True
    # A full line that stops in mid-phrase continues even before a capital or a number (« le 3 / mars », « du Dr / X »).
    return line[-1] == "," or bool(_OPEN_WORD.search(line[-8:]))


_OPEN_WORD = re.compile(
    r"(?:\s|')(?:de|du|des|la|le|les|un|une|et|ou|à|au|aux|en|par|pour|avec|sur|dans|d'|l')$", re.IGNORECASE
)


def _add(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> None:
    while end - start > LONGEST_SENTENCE:
        cut = text.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE)
        cut = cut if cut > 0 else start + LONGEST_SENTENCE
        _add_trimmed(text, start, cut, spans)
        start = cut
    _add_trimmed(text, start, end, spans)


def _add_trimmed(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        start += len(piece) - len(piece.lstrip())
        spans.append((start, start + len(stripped)))
