"""From words to codes: what the dictionary found and what the tagger saw, put together.

The dictionary knows names wherever they stand; the tagger knows from the context that something is a tumour, where it
sits, that it spread or came back, also in words that no dictionary holds. Its spans are coded by, in this order: the
same words in the dictionary, the words that the training corpus codes (`weights/codes.csv`), the name with most of its
words in the span, wherever they stand (`wordings`), a dictionary term inside the span; an abbreviation by the words
that the report explains it with.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from consore.language.spans import Spans
from consore.language.tokens import fold
from consore.language.wordings import GENERIC, Wordings, is_abbreviation, spelt_out
from consore.model import Mention, MentionKind, System
from consore.referentials import LAYERS, Match, Refusal, Terminology

CODES_FILE = "codes.csv"
UNCERTAIN, MALIGNANT, METASTATIC, PRIMARY_OR_METASTATIC = "8000/1", "8000/3", "8000/6", "8000/9"


class Tagged(NamedTuple):
    """A span that the tagger saw, in code points of the text."""

    start: int
    end: int
    tag: str
    score: float


class Doubt:
    """How likely the tagger thinks it that words belong to a tumour or event, or to a site, by place in the text.

    `starts`: where the words begin; `inside`: their chances in pieces, [words, 2] each."""

    def __init__(self, starts: Sequence[int], inside: Sequence[np.ndarray]) -> None:
        self._starts = starts
        self._tumour, self._site = np.concatenate(inside).T.tolist() if inside else ([], [])

    def about(self, kind: str, start: int, end: int) -> float:
        """The highest chance of the words of a span to be of that kind; 1 where no word was read."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_left(self._starts, end)
        return max((self._site if kind == MentionKind.TOPOGRAPHY else self._tumour)[first:last], default=1.0)


class _Terms:
    """The dictionary's matches by kind and place; of one kind they do not overlap."""

    def __init__(self, matches: Iterable[Match]) -> None:
        self._of_kind: dict[str, tuple[list[Match], list[int]]] = {}
        for match in matches:
            found, ends = self._of_kind.setdefault(match.kind, ([], []))
            found.append(match)
            ends.append(match.end)

    def touching(self, kind: str, start: int, end: int) -> list[Match]:
        """The matches of `kind` that share a character with [start, end)."""
        found, ends = self._of_kind.get(kind, ([], []))
        result = []
        for index in range(bisect_right(ends, start), len(found)):
            if found[index].start >= end:
                break
            result.append(found[index])
        return result


class Linker:
    """Codes spans. `learned`: folded words → code, by tag, from the corpus that the tagger was trained on."""

    def __init__(self, terminology: Terminology, folder: Path) -> None:
        self.terminology = terminology
        self._learned: dict[tuple[str, str], str] = {}
        self._wordings = Wordings(terminology, self._learned)
        path = folder / CODES_FILE
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file, delimiter=";"):
                    self._learned[row["tag"], row["words"]] = row["code"]

    def tumour_mentions(
        self,
        text: str,
        matches: Sequence[Match],
        tagged: Sequence[Tagged],
        doubt: Doubt | None = None,
        refused: Sequence[Refusal] = (),
    ) -> list[Mention]:
        """Mentions of kind topography, morphology, metastasis, recurrence and response.

        A dictionary term that the tagger is sure is no tumour or site here is left out (`_SURELY_NOTHING`); so is a
        span of the tagger on words that mean something else (`refused`), with no other term beside.
        """
        terms = _Terms(match for match in matches if match.kind in _SURELY_NOTHING)
        tagged = [span for span in tagged if not _is_refused(span, refused, terms)]
        seen = [mention for span in tagged for mention in self._from_tagger(text, span, terms)]
        seen = self._with_abbreviations(text, seen, matches)
        places: dict[str, list[tuple[int, int]]] = {}
        for mention in seen:
            places.setdefault(mention.kind, []).append((mention.start, mention.end))
        taken = {kind: Spans(places.get(kind, ())) for kind in _FROM_BOTH}

        def may_be(match: Match) -> bool:
            least = _SURELY_NOTHING.get(match.kind)
            return least is None or (
                not taken[match.kind].touch(match.start, match.end)
                and (doubt is None or doubt.about(match.kind, match.start, match.end) >= least)
            )

        known = [self._from_dictionary(match) for match in matches if match.kind in _FROM_BOTH and may_be(match)]
        return _with_sites(text, _united(seen, known, taken))

    def plain_mentions(self, matches: Iterable[Match]) -> list[Mention]:
        """Mentions that the dictionary alone reads: drugs, regimens, procedures, and the classes of named scales."""
        return [
            self._from_dictionary(match)
            for match in matches
            if match.kind in _FROM_DICTIONARY
            or (match.kind in _SCALED and not (match.code or "").startswith(_READ_BY_RULES))
        ]

    def _from_dictionary(self, match: Match) -> Mention:
        return Mention(
            match.start,
            match.end,
            match.text,
            _KINDS[match.kind],
            match.system,
            match.code,
            match.label,
            match.value,
            extractor="dictionary",
            confidence=0.5 if match.ambiguous else 0.9,
        )

    def _from_tagger(self, text: str, span: Tagged, terms: _Terms) -> list[Mention]:
        written = text[span.start : span.end]
        if span.tag == "topography":
            code = self._code(written, span, MentionKind.TOPOGRAPHY, terms)
            label = self.terminology.label(System.ICDO3_T.value, code) if code else written
            return [_seen(written, span, MentionKind.TOPOGRAPHY, System.ICDO3_T, code, label)]
        if span.tag == "metastasis":
            code = self._learned_code(written, span) or self._wordings.named(MentionKind.MORPHOLOGY, written)
            tumour = self._tumour(written, span, f"{code[:4]}/6" if code else METASTATIC)
            if tumour.confidence < _LEAST_SPREAD:
                return [tumour]
            return [tumour, _seen(written, span, MentionKind.METASTASIS, System.ICDO3_T, None, "Métastase")]
        if span.tag == "stage":
            return [self._tumour(written, span, METASTATIC)]
        if span.tag == "recurrence":
            code, label = _recurrence(text, span), "Récidive"
        elif span.tag == "progression":
            code, label = "REC:progression", "Progression"
        elif span.tag == "response":
            code, label = _response(text, span)
            return [_seen(written, span, MentionKind.RESPONSE, System.LOCAL, code, label)]
        elif span.tag == "lesion":
            return [self._tumour(written, span, self._learned_code(written, span) or UNCERTAIN)]
        else:
            return [self._tumour(written, span, self._code(written, span, MentionKind.MORPHOLOGY, terms))]
        return [
            self._tumour(written, span, self._learned_code(written, span) or PRIMARY_OR_METASTATIC),
            _seen(written, span, MentionKind.RECURRENCE, System.LOCAL, code, label),
        ]

    def _tumour(self, written: str, span: Tagged, code: str | None) -> Mention:
        label = self.terminology.label(System.ICDO3_M.value, code) or written
        return _seen(written, span, MentionKind.MORPHOLOGY, System.ICDO3_M, code, label)

    def _code(self, written: str, span: Tagged, kind: MentionKind, terms: _Terms) -> str | None:
        inside = terms.touching(kind, span.start, span.end)
        exact = next((m.code for m in inside if m.start == span.start and m.end == span.end), None)
        learned = self._learned_code(written, span)
        if exact and exact not in GENERIC and not _is_more_specific(learned, exact):
            region = _is_of_a_region(learned, exact, written) and not _has_skin_tumour(terms, span)
            return learned if region else exact
        if learned:
            return learned
        around = next((m.code for m in inside if m.start <= span.start and m.end >= span.end), None)
        if around and around not in GENERIC:
            return around
        if kind is MentionKind.TOPOGRAPHY:
            whole = [m.code for m in inside if m.code and m.start >= span.start and m.end <= span.end]
            return self._wordings.site(written, whole) or _longest(inside, span)
        code = self._wordings.named(kind, written) or _longest(inside, span)
        return None if code is None and is_abbreviation(written) else self._wordings.behaving(written, code)

    def _with_abbreviations(self, text: str, seen: list[Mention], matches: Sequence[Match]) -> list[Mention]:
        """The mentions, abbreviations without a code coded as the words that the report explains them with."""
        if not any(_is_unknown_abbreviation(mention) for mention in seen):
            return seen
        named = [*seen, *(self._from_dictionary(match) for match in matches if match.kind in _CODED)]
        meant: dict[tuple[str | None, MentionKind], Mention] = {}
        for mention in named:
            if mention.code and mention.kind in _CODED:
                meant.setdefault((spelt_out(text, mention.start, mention.end), mention.kind), mention)
        result = []
        for mention in seen:
            if _is_unknown_abbreviation(mention):
                words = meant.get((mention.text, mention.kind))
                code = words.code if words else MALIGNANT if mention.kind is MentionKind.MORPHOLOGY else None
                label = self.terminology.label(mention.system, code) if code else mention.text
                mention = replace(mention, code=code, label=label)
            result.append(mention)
        return result

    def _learned_code(self, written: str, span: Tagged) -> str | None:
        return self._learned.get((span.tag, learned_form(written)))


def _seen(written: str, span: Tagged, kind: MentionKind, system: System, code: str | None, label: str) -> Mention:
    return Mention(
        span.start,
        span.end,
        written,
        kind,
        system,
        code,
        label,
        extractor="tagger",
        confidence=round(span.score, 3),
    )


def _is_refused(span: Tagged, refused: Sequence[Refusal], terms: _Terms) -> bool:
    if span.tag not in _SURELY_NOTHING or not refused:
        return False
    layer = LAYERS[span.tag]
    told = any(other.layer == layer and other.start < span.end and span.start < other.end for other in refused)
    return told and not terms.touching(span.tag, span.start, span.end)


def _longest(inside: list[Match], span: Tagged) -> str | None:
    """The code of the longest term inside a span, else of one that reaches into it."""
    within = [match for match in inside if match.start >= span.start] or inside
    return max(within, key=lambda match: match.end - match.start).code if within else None


def _is_unknown_abbreviation(mention: Mention) -> bool:
    return mention.code is None and mention.kind in _CODED and is_abbreviation(mention.text)


def _is_more_specific(learned: str | None, known: str) -> bool:
    """Whether the corpus tells the part of an organ (C71.0) where the dictionary tells the organ (C71.9)."""
    return learned is not None and known.endswith(".9") and learned.startswith(known[:4])


def _is_of_a_region(learned: str | None, known: str, written: str) -> bool:
    """Whether coders mean a region where the dictionary tells its skin (« fesse », C76.3: ICD-O-3, buttock NOS), or an
    organ that the words only stand beside (« para-œsophagien » is no oesophagus)."""
    if learned is None or not learned.startswith(_REGIONS):
        return False
    return known.startswith(_SKIN) or (_BESIDE.match(written) is not None and not known.startswith(_TISSUES))


def _has_skin_tumour(terms: _Terms, span: Tagged) -> bool:
    """Whether a tumour of the skin is named beside: « mélanome de la fesse » is of its skin (C44.5)."""
    beside = terms.touching("morphology", span.start - _NEAREST_SITE, span.end + _NEAREST_SITE)
    return any((match.code or "").startswith(_OF_THE_SKIN) for match in beside)


_REGIONS, _SKIN, _TISSUES = "C76", "C44", ("C47", "C48", "C49")
_BESIDE = re.compile(r"(?:para|p[ée]ri|pr[ée]|r[ée]tro|sous|sus|supra|infra|inter|juxta|lat[ée]ro)", re.IGNORECASE)
# ICD-O-3: basal cell carcinomas, tumours of skin appendages, melanomas and nevi, Merkel cells, dermatofibrosarcomas.
_OF_THE_SKIN = ("809", "839", "840", "841", "842", "872", "873", "874", "877", "878", "8247", "883")


@lru_cache(maxsize=16_384)
def learned_form(written: str) -> str:
    """How words are compared with those of the training corpus."""
    return " ".join(fold(written).replace("-", " ").split())


# Picked on FRACCO's part for choices: 0.5 scores 0.857, 0.7 0.859 (exact F1 of topography and malignant morphology).
_SURELY_NOTHING = {"topography": 0.7, "morphology": 0.7}
# Of 28 metastases that the tagger alone saw below this on generated reports of the dev split, none was one.
_LEAST_SPREAD = 0.6
_FROM_BOTH = frozenset({"topography", "morphology", "metastasis", "recurrence", "response"})
_CODED = frozenset({MentionKind.TOPOGRAPHY, MentionKind.MORPHOLOGY})
_FROM_DICTIONARY = frozenset({"drug", "regimen", "procedure"})
# « Binet B », « BI-RADS 4 », « Karnofsky 80 »: what `rules.grading` reads by its patterns is not read twice.
_SCALED = frozenset({"stage", "grade", "performance_status", "measurement"})
_READ_BY_RULES = ("STAGE:", "GRADE:", "GLEASON:", "ISUP:", "PS:")


_KINDS = {kind.value: kind for kind in MentionKind}


def _united(seen: list[Mention], known: list[Mention], taken: Mapping[str, Spans]) -> list[Mention]:
    """The tagger's spans, and the dictionary's where the tagger saw nothing of that kind; `taken`: where it did.

    Of metastases the dictionary's come first, because it knows their sites; « récidive métastatique » is a recurrence.

    Measured on the kept-out part of FRACCO: see `weights/MODEL_CARD.md`.
    """
    recurring = Spans((m.start, m.end) for m in (*seen, *known) if m.kind is MentionKind.RECURRENCE)
    spread = Spans((m.start, m.end) for m in known if m.kind is MentionKind.METASTASIS)

    def is_told_already(mention: Mention) -> bool:
        if mention.kind is not MentionKind.METASTASIS:
            return mention.extractor != "tagger" and taken[mention.kind].touch(mention.start, mention.end)
        if mention.extractor == "tagger" and spread.touch(mention.start, mention.end):
            return True
        return mention.code is None and recurring.touch(mention.start, mention.end)

    kept = [mention for mention in (*seen, *known) if not is_told_already(mention)]
    kept.sort(key=lambda m: (m.start, -m.end, m.kind))
    return kept


# What may stand between a metastasis and its site: « métastases au niveau du foie », « hépatiques et osseuses ».
_CONNECTORS = re.compile(
    r"[\s,(]*(?:(?:et|ou|ni|au|aux|du|des|de|la|le|les|l['’]|d['’]|niveau|à|sur|dans|multiples?|diffuses?|bilat[ée]ra\w+|"
    r"droite?s?|gauches?|unique|secondaires?|d['’]allure|m[ée]tastatiques?)[\s,]*)*"
)
_NEAREST_SITE = 40
_MOST_SITES = 12


def _with_sites(text: str, mentions: list[Mention]) -> list[Mention]:
    """Give metastases the sites that follow them; a second site makes a second metastasis on the site's own words."""
    if not any(m.kind is MentionKind.METASTASIS and not m.code for m in mentions):
        return mentions
    places = [m for m in mentions if m.kind is MentionKind.TOPOGRAPHY and m.code]
    starts = [place.start for place in places]
    sited = {(m.start, m.end) for m in mentions if m.kind is MentionKind.METASTASIS and m.code}
    result: list[Mention] = []
    for mention in mentions:
        if mention.kind is not MentionKind.METASTASIS or mention.code:
            result.append(mention)
            continue
        within = places[bisect_left(starts, mention.start) : bisect_left(starts, mention.end)]
        sites = [place for place in within if place.end <= mention.end]
        sites += _sites_after(text, mention, places, starts)
        sites = [site for site in sites if (site.start, site.end) not in sited]
        if not sites:
            result.append(mention)
        for rank, site in enumerate(sites):
            if rank == 0:
                end = max(mention.end, site.end)
                whole = replace(mention, end=end, text=text[mention.start : end])
            else:
                whole = replace(mention, start=site.start, end=site.end, text=site.text)
            result.append(replace(whole, system=System.ICDO3_T, code=site.code, label=f"Métastase : {site.label}"))
    return result


def _sites_after(text: str, metastasis: Mention, places: list[Mention], starts: list[int]) -> list[Mention]:
    sites: list[Mention] = []
    reached = metastasis.end
    for index in range(bisect_left(starts, reached), len(places)):
        place = places[index]
        if place.start < reached:
            continue
        near = place.start - reached <= _NEAREST_SITE
        if len(sites) == _MOST_SITES or not near or not _CONNECTORS.fullmatch(text, reached, place.start):
            break
        sites.append(place)
        reached = place.end
    return sites


_RECURRENCES = (
    (
        "REC:metastatic",
        re.compile(r"m[ée]tasta|distance|syst[ée]mi|visc[ée]ral|pulmonaire|h[ée]patique|osseu|c[ée]r[ée]br"),
    ),
    ("REC:local", re.compile(r"loco.?r[ée]gional")),
    ("REC:regional", re.compile(r"r[ée]gional|ganglion|axillaire|sus-clavi")),
    ("REC:local", re.compile(r"local|in situ|pari[ée]tal|cicatri|anastomo|homolat|ipsilat|lit ")),
)


def _recurrence(text: str, span: Tagged) -> str:
    """The code of a recurrence: what its own words say, else those just after, as far as a comma or a denial."""
    near = re.split(r"[.;,\n]|\bsans\b|\bni\b", text[span.start : span.end + 30].lower())[0]
    for words in (text[span.start : span.end].lower(), near):
        code = next((code for code, pattern in _RECURRENCES if pattern.search(words)), None)
        if code:
            return code
    return "REC:unspecified"


_RESPONSES = (
    ("RESP:complete", "Réponse complète", re.compile(r"compl[èe]te|\brc\b|\bcr\b|r[ée]mission")),
    ("RESP:partial", "Réponse partielle", re.compile(r"\brp\b|\bpr\b|partiel|r[ée]gress|diminution|bonne r[ée]ponse")),
    ("RESP:stable", "Maladie stable", re.compile(r"stab|\bsd\b|\bms\b")),
    ("RESP:progression", "Progression", re.compile(r"progress|\bpd\b")),
)


def _response(text: str, span: Tagged) -> tuple[str | None, str]:
    near = re.split(r"[.;,\n]", text[span.start : span.end + 20].lower())[0]
    return next(((code, label) for code, label, pattern in _RESPONSES if pattern.search(near)), (None, "Réponse"))
