"""The page of errors: every difference between what was read and what was marked, in its sentence, as HTML.

For people who improve the reader. Nothing is fetched: style and the two lines of script lie in the page. It quotes the
texts of the corpus, so it is as confidential as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from consore.language.evaluation import Difference, LanguageReport
from consore.language.sentences import sentences
from consore.model import MentionKind

_MOST_OF_A_GROUP = 300
_WIDEST = 160
_WHATS = {
    "missed": "manqué",
    "extra": "en trop",
    "limits": "bornes",
    "code": "code",
    "assertion": "assertion",
}
_KINDS = {
    MentionKind.TOPOGRAPHY: "topographie",
    MentionKind.MORPHOLOGY: "morphologie",
    MentionKind.TNM: "TNM",
    MentionKind.STAGE: "stade",
    MentionKind.GRADE: "grade",
    MentionKind.BIOMARKER: "biomarqueur",
    MentionKind.ALTERATION: "altération",
    MentionKind.DRUG: "médicament",
    MentionKind.REGIMEN: "protocole",
    MentionKind.PROCEDURE: "acte",
    MentionKind.METASTASIS: "métastase",
    MentionKind.RECURRENCE: "récidive",
    MentionKind.RESPONSE: "réponse",
    MentionKind.LINE: "ligne",
    MentionKind.DOSE: "dose",
    MentionKind.DATE: "date",
    MentionKind.PERFORMANCE_STATUS: "état général",
    MentionKind.LATERALITY: "côté",
    MentionKind.MEASUREMENT: "mesure",
}
_CORPORA = {"generated": "comptes rendus fictifs", "fracco": "FRACCO"}
_STYLE = """
:root { color-scheme: light dark; --ok: #1b7f4b; --said: #c0392b; --read: #2563ab; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #8885; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8883; }
th:first-child, td:first-child { text-align: left; }
.legend span, mark { border-radius: 3px; padding: 0 .15em; color: inherit; }
.said { background: #c0392b2e; box-shadow: inset 0 -2px var(--said); }
.read { background: #2563ab2e; box-shadow: inset 0 -2px var(--read); }
.both { background: #6b3fa02e; box-shadow: inset 0 -2px #6b3fa0; }
li { margin: .45rem 0; } .codes { color: #777; font-size: .85rem; }
.doc { color: #777; font-size: .8rem; }
nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 1rem 0; } nav a { border: 1px solid #8886;
border-radius: 1rem; padding: .1rem .7rem; text-decoration: none; color: inherit; }
input { font: inherit; padding: .3rem .6rem; width: 20rem; }
"""
_SCRIPT = """
document.querySelector('input').oninput = e => { const q = e.target.value.toLowerCase();
  for (const li of document.querySelectorAll('li')) li.hidden = !li.textContent.toLowerCase().includes(q); };
"""


def write_errors(path: Path, report: LanguageReport) -> int:
    """Write the page (UTF-8, in French); give the number of differences. At most 300 of a group are shown."""
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for difference in report.differences:
        groups.setdefault((difference.corpus, difference.kind.value, difference.what), []).append(difference)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    links = "".join(
        f'<a href="#{_anchor(key)}">{escape(_title(key))} <b>{len(found)}</b></a>' for key, found in ordered
    )
    body = "\n".join(_group(key, found) for key, found in ordered)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Erreurs de lecture</title><style>{_STYLE}</style></head><body>
<h1>Erreurs de lecture</h1>
<p>Lecteur {escape(report.reader)} ; {len(report.differences)} différences. Cette page cite les textes du corpus : elle
est aussi confidentielle qu'eux.</p>
<p class="legend"><span class="said">annoté, non lu</span> · <span class="read">lu, non annoté</span> ·
<span class="both">annoté et lu</span></p>
{_scores(report)}
<p><input type="search" placeholder="Filtrer : mot, code, document…" aria-label="Filtrer"></p>
<nav>{links}</nav>
{body}
<script>{_SCRIPT}</script></body></html>
""",
        encoding="utf-8",
    )
    return len(report.differences)


def _scores(report: LanguageReport) -> str:
    rows = "".join(
        f"<tr><td>{escape(corpus)}, {escape(kind)}</td><td>{tally.gold}</td><td>{tally.found}</td>"
        f"<td>{tally.exact_scores[2]:.3f}</td><td>{tally.overlap_scores[2]:.3f}</td></tr>"
        for corpus, table in report.tables.items()
        if ":" not in corpus
        for kind, tally in sorted(table.items())
    )
    head = "<tr><th></th><th>annotés</th><th>lus</th><th>F1 exacte</th><th>F1 touchante</th></tr>"
    return f"<details><summary>Scores</summary><table>{head}{rows}</table></details>"


def _title(key: tuple[str, str, str]) -> str:
    corpus, kind, what = key
    return f"{_CORPORA.get(corpus, corpus)} · {_KINDS.get(MentionKind(kind), kind)} · {_WHATS[what]}"


def _anchor(key: tuple[str, str, str]) -> str:
    return "-".join(key)


def _group(key: tuple[str, str, str], found: Sequence[Difference]) -> str:
    usual = Counter(_words(difference).lower() for difference in found).most_common(12)
    often = ", ".join(f"{escape(words)} ({count})" for words, count in usual if count > 1)
    shown = "\n".join(_item(difference) for difference in found[:_MOST_OF_A_GROUP])
    left = len(found) - _MOST_OF_A_GROUP
    more = f"<p>… et {left} autres.</p>" if left > 0 else ""
    frequent = f"<p class='codes'>Les plus fréquents : {often}</p>" if often else ""
    return f'<h2 id="{_anchor(key)}">{escape(_title(key))} ({len(found)})</h2>{frequent}<ul>{shown}</ul>{more}'


def _words(difference: Difference) -> str:
    start, end, _ = difference.said or difference.read or (0, 0, "")
    return " ".join(difference.text[start:end].split())


def _item(difference: Difference) -> str:
    said, read, text = difference.said, difference.read, difference.text
    places = [(span[0], span[1]) for span in (said, read) if span]
    first, last = min(start for start, _ in places), max(end for _, end in places)
    start, end = _around(text, first, last)
    cuts = sorted({start, end, *(at for place in places for at in place)})
    pieces = []
    for a, b in pairwise(cuts):
        in_said = said is not None and said[0] <= a and b <= said[1]
        in_read = read is not None and read[0] <= a and b <= read[1]
        style = "both" if in_said and in_read else "said" if in_said else "read" if in_read else ""
        piece = escape(text[a:b])
        pieces.append(f'<mark class="{style}">{piece}</mark>' if style else piece)
    codes = " → ".join(escape(span[2] or "sans code") for span in (said, read) if span)
    return (
        f'<li>{"".join(pieces)} <span class="codes">{codes}</span> '
        f'<span class="doc">{escape(difference.document)}</span></li>'
    )


def _around(text: str, first: int, last: int) -> tuple[int, int]:
    """The sentence around a span, or what is near where it is long."""
    offset = max(0, first - 1500)
    near = text[offset : last + 1500]
    inside = [(s + offset, e + offset) for s, e in sentences(near) if s + offset < last and first < e + offset]
    start, end = (inside[0][0], inside[-1][1]) if inside else (first, last)
    return max(start, first - _WIDEST), max(last, min(end, last + _WIDEST))
