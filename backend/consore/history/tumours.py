"""The primary tumours of a patient: every statement of a primary, gathered into as few tumours as the rules allow.

A *statement* is a tumour sheet, or a morphology and a topography that one sentence joins, or a CIM-10 code of
a stay. Statements that may speak of one primary (`primaries.same_primary`) refine each other; what is left
over makes a second tumour only when it has the support that `rules.toml` asks for. A site where the patient
has metastases is not a primary site, unless its histology is of another group and a sheet or a pathology
report says so.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from consore.history.beliefs import confidence, key_of, voices, when_said, who_says
from consore.history.clues import Clue, Page, Reading, row_evidence, side_of
from consore.history.periods import Period, day, earliest, period_of
from consore.history.primaries import (
    UNSPECIFIED_SITES,
    behaviour,
    histology,
    is_spread,
    is_unlikely,
    is_unspecified,
    is_vague,
    opposite,
    same_histology,
    same_primary,
    site,
    site_group,
    usual_site,
)
from consore.history.rules import Rules, rules
from consore.model import (
    Conflict,
    EvidenceItem,
    EvidenceRef,
    Laterality,
    MentionKind,
    SetAside,
    StructuredRow,
    TumourItem,
)
from consore.referentials import Terminology

UNKNOWN = "C80.9"  # ICD-O-3: unknown primary site
ATTRIBUTES = {
    "laterality": "côté",
    "morphology": "morphologie",
    "diagnosis_date": "diagnostic du",
    "existence": "",
    "stage": "stade",
    "grade": "grade",
    "ctnm": "TNM clinique",
    "ptnm": "TNM anatomopathologique",
    "status": "résultat",
    "value": "valeur",
    "date": "date",
    "drugs": "médicaments",
}
SHEET_SIDES = {"G": Laterality.LEFT, "D": Laterality.RIGHT, "B": Laterality.BILATERAL, "M": Laterality.MIDLINE}


@dataclass(slots=True, eq=False)
class Statement:
    """One source that states (a part of) a primary tumour."""

    source: str
    origin: str  # the document or row, so that one document counts once
    topography: str | None
    morphology: str | None
    laterality: Laterality | None
    date: dt.date | None
    is_dated: bool = False
    clue: Clue | None = None
    row: StructuredRow | None = None

    def evidence(self) -> EvidenceRef:
        """Why the statement is believed."""
        return self.clue.evidence() if self.clue else row_evidence(self.row)  # type: ignore[arg-type]


_TREATED = (MentionKind.DRUG, MentionKind.REGIMEN, MentionKind.PROCEDURE)


@dataclass(slots=True, eq=False)
class Draft:
    """A tumour in the making: the statements that speak of it."""

    statements: list[Statement] = field(default_factory=list)
    topography: str | None = None
    morphology: str | None = None
    laterality: Laterality | None = None

    def agrees(self, statement: Statement) -> bool:
        """Whether the statement may speak of this tumour."""
        return same_primary(
            self.topography,
            self.morphology,
            self.laterality,
            statement.topography,
            statement.morphology,
            statement.laterality,
        )

    def add(self, statement: Statement) -> None:
        """Take the statement in; what was unspecified becomes as specific as it says."""
        self.statements.append(statement)
        if statement.topography and (
            self.topography is None or (is_vague(self.topography) and not is_vague(statement.topography))
        ):
            self.topography = statement.topography
        if statement.morphology and (
            self.morphology is None or (is_unspecified(self.morphology) and not is_unspecified(statement.morphology))
        ):
            self.morphology = statement.morphology
        self.laterality = self.laterality or statement.laterality

    @property
    def has_sheet(self) -> bool:
        """Whether a tumour sheet states it."""
        return any(statement.source == "tumour_sheet" for statement in self.statements)

    def is_staged(self) -> bool:
        """Whether a sentence gives it a stage of its own: only a primary has a T."""
        return any(
            other.kind is MentionKind.TNM or other.kind is MentionKind.STAGE
            for statement in self.statements
            if statement.clue and statement.topography
            for other in statement.clue.neighbours
        )

    def is_called_primary(self, table: Rules) -> bool:
        """Whether a report names it a primary in so many words ("adénocarcinome pulmonaire primitif")."""
        return any(
            statement.topography is not None
            and statement.clue is not None
            and table.called_primary.search(statement.clue.words_after(table.support["called_within"])) is not None
            for statement in self.statements
        )

    def support(self, table: Rules) -> int:
        """Sum of the weights of its sources, each document once."""
        best: dict[str, int] = {}
        for statement in self.statements:
            if statement.topography is not None or is_spread(statement.morphology):
                weight = table.weight.get(statement.source, 1)
                best[statement.origin] = max(best.get(statement.origin, 0), weight)
        return sum(best.values())

    def is_told_past(self) -> bool:
        """Whether an antecedent tells it whole: its histology, its organ, its date and how it was treated.

        Nobody sends again the pathology of a cancer of ten years ago. Carcinomas of the skin are not counted.
        """
        return any(
            one.clue is not None
            and one.clue.is_history
            and one.is_dated
            and one.topography is not None
            and one.topography[:3] not in rules().metastatic["sites"]
            and one.morphology is not None
            and histology(one.morphology)[1] != "nos"
            and any(other.kind in _TREATED and other.is_history for other in one.clue.neighbours)
            for one in self.statements
        )

    def is_well_supported(self, table: Rules) -> bool:
        """Whether it may stand beside another tumour without a sheet."""
        whole = [one for one in self.statements if one.topography or is_spread(one.morphology)]
        sources, origins = {one.source for one in whole}, {one.origin for one in whole}
        strong = bool(sources & set(table.support["strong_kinds"])) or len(origins) >= table.support["documents"]
        if self.is_told_past():
            return True
        if len(origins) == 1 and (self.morphology is None or histology(self.morphology)[1] == "nos"):
            return False  # one report names no histology: a word of its microscopy was taken for an organ
        return strong and self.support(table) >= int(table.support["second_tumour"])


@dataclass(slots=True)
class Tumours:
    """The tumours as items, and which one a clue speaks of."""

    items: list[TumourItem]
    drafts: list[Draft]
    of_page: dict[str, int] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)

    def of(self, clue: Clue) -> TumourItem | None:
        """The tumour a clue speaks of: its sentence's, else its document's, else the last one known at its date."""
        return self.named_by(clue) or self.at(clue.date)

    def named_by(self, clue: Clue) -> TumourItem | None:
        """The tumour that the sentence or the document of a clue names; the only one, where there is one."""
        if len(self.items) <= 1:
            return self.items[0] if self.items else None
        for other in clue.neighbours:
            if other.kind is not MentionKind.TOPOGRAPHY or other.code.startswith("C77"):
                continue  # nodes are of the tumour that drains there, not of a lymphoma
            found = self.at_site(other.code)
            if found:
                return found
        rank = self.of_page.get(clue.page.document.id)
        return self.items[rank - 1] if rank else None

    def remove(self, item: TumourItem) -> None:
        """Take a tumour out; its clues speak of none."""
        place = self.items.index(item)
        del self.items[place]
        if self.drafts:
            del self.drafts[place]
        self.of_page = {page: rank for page, rank in self.of_page.items() if rank != item.rank}

    def add(self, item: TumourItem) -> None:
        """Put in a tumour that no clue tells."""
        self.items.append(item)
        self.drafts.append(Draft())

    def rank_again(self) -> None:
        """Count the ranks anew, by diagnosis date."""
        pairs = sorted(
            zip(self.items, self.drafts, strict=True),
            key=lambda pair: (pair[0].diagnosis_date or dt.date.max, pair[0].topography or "", pair[0].rank),
        )
        self.items, self.drafts = [item for item, _ in pairs], [draft for _, draft in pairs]
        new = {item.rank: rank for rank, item in enumerate(self.items, start=1)}
        self.of_page = {page: new[rank] for page, rank in self.of_page.items() if rank in new}
        for rank, item in enumerate(self.items, start=1):
            item.rank = rank

    def at_site(self, topography: str) -> TumourItem | None:
        """The only tumour of this site, if there is exactly one."""
        group = site_group(topography)
        found = [item for item in self.items if item.topography and site_group(item.topography) == group]
        return found[0] if len(found) == 1 else None

    def at(self, day: dt.date | None) -> TumourItem | None:
        """The tumour diagnosed last at that day, else the first one."""
        if not self.items:
            return None
        known = [item for item in self.items if day and item.diagnosis_date and item.diagnosis_date <= day]
        return known[-1] if known else self.items[0]


def find_tumours(reading: Reading, terminology: Terminology) -> Tumours:
    """The primary tumours, ranked by diagnosis date, without their staging and biomarkers."""
    table = rules()
    whole, partial = (
        sorted(found, key=lambda one: _strength(one, table)) for found in _statements(reading, terminology, table)
    )
    drafts: list[Draft] = []
    for statement in whole:
        _take_in(drafts, statement)
    if not drafts:
        for statement in partial:
            if statement.topography and statement.source == "diagnosis":
                _take_in(drafts, statement)
    for statement in partial:
        _born_where_usual(drafts, statement)
    metastatic = _metastatic_sites(reading, table)
    if _is_followed(reading, table):
        drafts = [draft for draft in drafts if not _is_passing_word(draft)]
    kept = _believed(drafts, metastatic, table)
    aside = [draft for draft in drafts if draft not in kept and draft.topography]
    if not kept and partial:
        kept = _last_resort(partial, table)
        kept = [draft for draft in kept if not (_is_followed(reading, table) and _is_passing_word(draft))]
    for statement in partial:
        _refine(kept, statement)
    tumours = _ranked(kept, table, terminology)
    tumours.set_aside = [_set_aside(draft, kept, metastatic, table, terminology) for draft in aside]
    return tumours


def tumour_label(item: TumourItem, terminology: Terminology) -> str:
    """The tumour in French words: "carcinome canalaire infiltrant du sein gauche"."""
    what = _short(terminology.label("ICD-O-3-M", item.morphology)) if item.morphology else "tumeur"
    if not item.topography or site_group(item.topography) in UNSPECIFIED_SITES:
        return what
    place = site(item.topography)
    return f"{what} {place.of}{side_label(item.laterality, place.gender)}"


def side_label(laterality: Laterality | None, gender: str) -> str:
    """ " gauche", " droit" or " droite", " bilatéral" as French agrees it; empty without a side."""
    if laterality is Laterality.LEFT:
        return " gauche"
    if laterality is Laterality.RIGHT:
        return " droite" if gender == "f" else " droit"
    if laterality is Laterality.BILATERAL:
        return " (bilatéral)"
    return ""


# --- Statements ---------------------------------------------------------------------------------------------


def _statements(reading: Reading, terminology: Terminology, table: Rules) -> tuple[list[Statement], list[Statement]]:
    """Statements that may make a tumour (`whole`) and those that only refine one (`partial`)."""
    whole: list[Statement] = [_sheet(row) for row in reading.rows_of("tumour_sheet")]
    partial: list[Statement] = []
    for page in reading.pages:
        _read_page(page, whole, partial, table, terminology)
    for row in reading.rows_of("diagnosis"):
        code = str(row.values.get("code", ""))
        topography = terminology.topography_of_cim10(code) if code[:1] in "CD" else None
        if topography and code[:3] not in ("C77", "C78", "C79"):
            partial.append(Statement("diagnosis", row.id, topography, None, None, row.date, row=row))
    return whole, partial


def _sheet(row: StructuredRow) -> Statement:
    values = row.values
    return Statement(
        "tumour_sheet",
        row.id,
        values.get("topographie") or None,
        values.get("morphologie") or None,
        SHEET_SIDES.get(str(values.get("lateralite") or "").upper()),
        row.date or _day(values.get("date_diagnostic")),
        is_dated=True,
        row=row,
    )


def _read_page(
    page: Page, whole: list[Statement], partial: list[Statement], table: Rules, terminology: Terminology
) -> None:
    """The statements of one document; a report whose only site and only morphology lie apart joins them."""
    joined: list[Statement] = []
    loose: list[Statement] = []
    kinds = (MentionKind.MORPHOLOGY, MentionKind.TOPOGRAPHY)
    named = {clue.sentence: clue.neighbours for kind in kinds for clue in page.of(kind)}
    for sentence in sorted(named):
        _read_sentence(named[sentence], joined, loose, table, terminology)
    if not any(one.topography for one in (*joined, *loose)):
        loose.extend(_sampled(page, terminology))
        joined.extend(_named_beside(loose, terminology, table))
        if not any(one.topography for one in (*joined, *loose)):
            partial.extend(_removed(page, loose, terminology))
    if not joined and page.kind in ("pathology", "surgery", "rcp", "molecular"):
        morphologies = [one for one in loose if one.morphology]
        topographies = [
            one
            for one in loose
            if one.topography
            and not one.morphology
            and not _is_image(one, table)
            and not all(is_unlikely(one.topography, str(other.morphology)) for other in morphologies)
        ]
        if morphologies and topographies and len({site_group(str(one.topography)) for one in topographies}) == 1:
            best = next((one for one in morphologies if not is_unspecified(str(one.morphology))), morphologies[0])
            side = next((one.laterality for one in topographies if one.laterality), None)
            specific = next((one for one in topographies if not str(one.topography).endswith(".9")), topographies[0])
            joined.append(_joined(best.clue, specific.topography, best.morphology, side))  # type: ignore[arg-type]
    whole.extend(joined)
    partial.extend(loose)


def _is_image(statement: Statement, table: Rules) -> bool:
    """Whether the site is that of an image ("nodule pulmonaire de 5 mm"), not yet of a tumour."""
    return statement.clue is not None and table.image.search(statement.clue.words_before(25)) is not None


def _sampled(page: Page, terminology: Terminology) -> list[Statement]:
    """The organ that the words of a sample or an operation name ("biopsie du col utérin", "tumorectomie sein droit").

    The reader marks the sites of tumours; an organ inside an act it leaves to the act. A report of a specimen that
    names no other site is of this one.
    """
    if page.kind not in rules().diagnosis["specimen_kinds"]:
        return []
    found = []
    for clue in page.of(MentionKind.PROCEDURE):
        if clue.code in rules().diagnosis["sampling_acts"]:
            place = organ_in(clue.words_after(rules().diagnosis["organ_within"]), terminology)
            if place and site_group(place.code) not in rules().metastatic["sites"]:
                found.append(_joined(clue, place.code, None, _side_of_organ(place, clue)))
    return found


def _removed(page: Page, loose: list[Statement], terminology: Terminology) -> list[Statement]:
    """The histologies of a specimen, in the organ that was removed ("pièce de prostatectomie : adénocarcinome")."""
    if page.kind not in rules().diagnosis["removed_kinds"]:
        return []
    places = {site_of_act(terminology, clue.code) for clue in page.of(MentionKind.PROCEDURE)}
    sites = {place for place in places if place and site_group(place) not in rules().metastatic["sites"]}
    if len({site_group(place) for place in sites}) != 1:
        return []
    return [replace(one, topography=min(sites)) for one in loose if one.morphology]


@lru_cache(maxsize=4096)
def site_of_act(terminology: Terminology, code: str) -> str | None:
    """The topography of the organ that an act is of ("prostatectomie": C61.9), where the referentials know it.

    Of the acts on nodes there is none: they are of the organ that drains there.
    """
    concept = terminology.concept("LOCAL" if code.startswith("PROC:") else "CCAM", code)
    place = concept.attributes.get("site", "") if concept else ""
    return place if place and not place.startswith("C77") else None


def _named_beside(loose: list[Statement], terminology: Terminology, table: Rules) -> list[Statement]:
    """Histologies with the organ that their own words name, where the reader marked none ("carcinome de l'amygdale").

    After the histology, else just before it ("amygdale D : carcinome épidermoïde"). Not where metastases sit, nor
    where a histology that has an organ of its own is not born.
    """
    found = []
    for one in [one for one in loose if one.clue and one.morphology and not is_spread(one.morphology)]:
        clue, morphology = one.clue, str(one.morphology)
        assert clue is not None
        reach = table.diagnosis["organ_within"]
        place = organ_in(clue.words_after(reach)[len(clue.mention.text) :], terminology) or organ_in(
            clue.words_before(reach), terminology, last=True
        )
        usual = usual_site(None, morphology)
        if (
            place is None
            or place.code[:3] in table.diagnosis["no_organ"]
            or is_unlikely(place.code, morphology)
            or (usual and site_group(usual) != site_group(place.code))
        ):
            continue
        if not usual and place.code[:3] in table.metastatic["not_born_untold"]:
            continue
        loose.remove(one)
        found.append(_joined(clue, place.code, morphology, _side_of_organ(place, clue)))
    return found


def _side_of_organ(place: _Organ, clue: Clue) -> Laterality | None:
    if not _has_side(place.code) or place.side:
        return place.side if _has_side(place.code) else None
    sides = [one for one in clue.neighbours if one.kind is MentionKind.LATERALITY]
    near = _nearest(clue, sides, rules().diagnosis["side_characters"])
    return side_of(near) if near else None


def _has_side(code: str) -> bool:
    """Whether it is one of two; a region of the body (C76) is no organ, what is born there may have a side."""
    return site(code).paired or code.startswith("C76")


class _Organ(NamedTuple):
    code: str
    side: Laterality | None  # that its words hold or that stands just after it


_AFTER_ORGAN = re.compile(r"\s*\(?(?:(?P<right>droite?|dte?|D)|(?P<left>gauche|gche|G))\b")


@lru_cache(maxsize=4096)
def organ_in(words: str, terminology: Terminology, *, last: bool = False) -> _Organ | None:
    """The first (or last) organ that the dictionary knows in these words and that they do not call free of tumour."""
    spared = rules().spared
    organs = [
        one
        for one in terminology.match(words)
        if one.kind == "topography" and one.code and not spared.match(words, one.end)
    ]
    if not organs:
        return None
    organ = organs[-1 if last else 0]
    named = rules().diagnosis["side_of_words"].get(words[organ.start : organ.end])
    if named:
        return _Organ(str(organ.code), Laterality(named))
    side = _AFTER_ORGAN.match(words, organ.end)
    return _Organ(str(organ.code), None if not side else Laterality.RIGHT if side["right"] else Laterality.LEFT)


def _read_sentence(
    clues: list[Clue], joined: list[Statement], loose: list[Statement], table: Rules, terminology: Terminology
) -> None:
    spread: list[Clue] = []
    primaries: list[Clue] = []
    topographies: list[Clue] = []
    for clue in clues:
        if clue.kind is MentionKind.TOPOGRAPHY:
            if clue.code.startswith("C") and not _is_spared(clue, table):
                topographies.append(clue)
        elif clue.kind is MentionKind.MORPHOLOGY:
            nature = behaviour(clue.code)
            if nature in ("2", "3") or clue.code[:4] in table.diagnosis["also_malignant"]:
                primaries.append(clue)
            elif nature == "6":
                spread.append(clue)
    if not primaries and not topographies:
        return
    metastases = [clue for clue in clues if clue.kind is MentionKind.METASTASIS]
    sides = [clue for clue in clues if clue.kind is MentionKind.LATERALITY]
    blood = any(is_spread(clue.code) for clue in primaries)  # nodes are where lymphomas are born
    topographies = [
        clue
        for clue in topographies
        if (blood or not clue.code.startswith("C77"))
        and not (primaries and all(is_unlikely(clue.code, one.code) or _holds(one, clue) for one in primaries))
        and not _is_of_metastasis(clue, metastases, spread, primaries)
    ]
    taken: set[int] = set()
    for morphology in primaries:
        reachable = [one for one in topographies if not _is_apart(morphology, one)]
        near = _nearest(morphology, reachable, table.diagnosis["pair_characters"])
        if near is None:
            (joined if is_spread(morphology.code) else loose).append(_joined(morphology, None, morphology.code, None))
            continue
        for topography in topographies:
            if site_group(topography.code) == site_group(near.code):
                taken.add(id(topography))
                side = _side(topography, sides, table, usual_site(topography.code, morphology.code))
                code, part = topography.code, _part_after(topography, table, terminology)
                if part:
                    code, side = part.code, side or part.side
                joined.append(_joined(morphology, code, morphology.code, side))
    for topography in topographies:
        if id(topography) not in taken:
            loose.append(_joined(topography, topography.code, None, _side(topography, sides, table)))


def _is_spared(organ: Clue, table: Rules) -> bool:
    """Whether the next words say that the organ is free of the tumour ("vésicules séminales indemnes")."""
    return table.spared.match(organ.words_after(40)[len(organ.mention.text) :]) is not None


def _part_after(topography: Clue, table: Rules, terminology: Terminology) -> _Organ | None:
    """The part of the organ that the next words name and the reader did not mark ("bronchique LSG")."""
    if not topography.code.endswith(".9"):
        return None
    part = organ_in(topography.words_after(table.diagnosis["part_within"])[len(topography.mention.text) :], terminology)
    return part if part and part.code[:3] == topography.code[:3] and not part.code.endswith(".9") else None


def _holds(morphology: Clue, topography: Clue) -> bool:
    """Whether the site is a word of the histology ("adénocarcinome de type intestinal")."""
    if topography.words_before(6).lower().endswith("type "):
        return True
    return morphology.mention.start <= topography.mention.start and topography.mention.end <= morphology.mention.end


def _joined(clue: Clue, topography: str | None, morphology: str | None, side: Laterality | None) -> Statement:
    if topography and topography[:3] in UNSPECIFIED_SITES:
        topography = usual_site(topography, morphology)
    return Statement(
        clue.source, clue.page.document.id, topography, morphology, side, clue.date, is_dated=clue.is_dated, clue=clue
    )


def _is_of_metastasis(topography: Clue, metastases: list[Clue], spread: list[Clue], primaries: list[Clue]) -> bool:
    """Whether the site is where a metastasis sits: inside its words, just after them, or of the same code.

    "Adénocarcinome du côlon avec métastases hépatiques" has a site of each: a site is of the tumour word that it
    follows most closely.
    """
    to_primary = min((_distance(one, topography) for one in primaries), default=None)
    if spread and (to_primary is None or min(_distance(one, topography) for one in spread) < to_primary):
        return True
    for metastasis in metastases:
        if metastasis.code and metastasis.code[:3] == topography.code[:3]:
            return True
        gap = topography.mention.start - metastasis.mention.end
        if topography.mention.end > metastasis.mention.start and gap < 40:
            return to_primary is None or _distance(metastasis, topography) < to_primary
    return False


def _nearest(clue: Clue, others: Iterable[Clue], within: float) -> Clue | None:
    """The nearest other clue; French puts the site after the tumour, so one before counts as twice as far."""
    best: tuple[int, int, Clue] | None = None
    for other in others:
        distance = _distance(clue, other)
        if distance <= within and (best is None or (distance, other.mention.start) < best[:2]):
            best = (distance, other.mention.start, other)
    return best[2] if best else None


_FULL_STOP = re.compile(r"\.\s+[A-ZÀÂÉÈÊÎÔ]")


def _is_apart(clue: Clue, other: Clue) -> bool:
    """Whether another sentence begins between the two, which the splitter took for an abbreviation."""
    first, last = sorted((clue.mention, other.mention), key=lambda one: one.start)
    return _FULL_STOP.search(clue.page.document.text, first.end, max(first.end, last.start + 1)) is not None


def _distance(clue: Clue, other: Clue) -> int:
    """Characters from a tumour's words to another clue; one that stands before counts twice as far."""
    after = other.mention.start - clue.mention.end
    if after >= 0:
        return after
    return 2 * max(clue.mention.start - other.mention.end, 0)


def _side(topography: Clue, sides: list[Clue], table: Rules, place: str | None = None) -> Laterality | None:
    named = table.diagnosis["side_of_words"].get(topography.mention.text)
    own = Laterality(named) if named else side_of(topography)
    if own or not (_has_side(place or topography.code) or _has_side(topography.code)):
        return own
    letter = _AFTER_ORGAN.match(topography.page.document.text, topography.mention.end)
    if letter:
        return Laterality.RIGHT if letter["right"] else Laterality.LEFT
    near = _nearest(topography, sides, table.diagnosis["side_characters"])
    return side_of(near) if near else None


# --- Drafts --------------------------------------------------------------------------------------------------


def _strength(statement: Statement, table: Rules) -> tuple[int, int, dt.date, str, int]:
    """The strongest statement first, then the earliest: what makes a tumour before what joins it."""
    vague = statement.morphology is None or is_unspecified(statement.morphology)
    return (
        -table.weight.get(statement.source, 1),
        int(vague),
        statement.date or dt.date.max,
        statement.origin,
        statement.clue.mention.start if statement.clue else 0,
    )


def _take_in(drafts: list[Draft], statement: Statement) -> None:
    """Give the statement to the draft that it agrees with best, else start one."""
    fitting = [draft for draft in drafts if draft.agrees(statement)]
    if fitting:
        best = max(fitting, key=lambda draft: _closeness(draft, statement)) if len(fitting) > 1 else fitting[0]
    else:
        best = Draft()
        drafts.append(best)
    best.add(statement)


def _refine(drafts: list[Draft], statement: Statement) -> None:
    """Give a partial statement to the one draft that it can speak of; otherwise it is left alone."""
    if statement.topography is None:
        fitting = [draft for draft in drafts if draft.agrees(statement)]
    else:
        group = site_group(statement.topography)
        fitting = [
            draft
            for draft in drafts
            if draft.topography and site_group(draft.topography) == group and draft.agrees(statement)
        ]
    if len(fitting) == 1 and statement.source != "diagnosis":
        fitting[0].add(statement)


def _born_where_usual(drafts: list[Draft], statement: Statement) -> None:
    """A histology that has its own organ ("carcinome hépatocellulaire") is a tumour there, where no other may be it."""
    place = usual_site(None, statement.morphology)
    if statement.topography or place is None or is_spread(statement.morphology):
        return
    own = [draft for draft in drafts if same_histology(draft.morphology, statement.morphology)]
    if not own or any(draft.topography and site_group(draft.topography) == site_group(place) for draft in own):
        _take_in(drafts, replace(statement, topography=place))


def _closeness(draft: Draft, statement: Statement) -> tuple[int, int, int]:
    same_site = bool(
        draft.topography and statement.topography and site_group(draft.topography) == site_group(statement.topography)
    )
    same_side = bool(draft.laterality and draft.laterality is statement.laterality)
    same_code = bool(draft.morphology and draft.morphology == statement.morphology)
    return int(same_site), int(same_side), int(same_code)


def _believed(drafts: list[Draft], metastatic: set[str], table: Rules) -> list[Draft]:
    """The drafts that are tumours: those with a sheet, the best one, and others that are well supported."""
    if not drafts:
        return []
    order = sorted(
        drafts,
        key=lambda draft: (not draft.has_sheet, _is_metastasis(draft, [], metastatic), -draft.support(table)),
    )
    counted = [draft for draft in order if not _is_skin_antecedent(draft)]
    kept = [draft for draft in order if draft.has_sheet] or (counted or order)[:1]
    for draft in counted:
        if draft in kept or not draft.is_well_supported(table) or _is_metastasis(draft, kept, metastatic):
            continue
        kept.append(draft)
    return kept


def _is_skin_antecedent(draft: Draft) -> bool:
    """Whether only the past tells a carcinoma of the skin: registries leave those out of multiple primaries (ENCR)."""
    if draft.has_sheet or draft.morphology is None or (draft.topography or "C44")[:3] != "C44":
        return False
    of_skin = draft.morphology[:3] in ("805", "806", "807", "808", "809")
    return of_skin and all(one.clue is not None and one.clue.is_history for one in draft.statements)


def _is_followed(reading: Reading, table: Rules) -> bool:
    """Whether another document might have said more: one alone is believed, unless it is an image or a note."""
    return len(reading.pages) > 1 or any(page.kind in table.events["weak_kinds"] for page in reading.pages)


def _is_passing_word(draft: Draft) -> bool:
    """Whether only one letter says "cancer", without a histology, a stage or a treatment: a fear is written so too."""
    vague = draft.morphology is None or histology(draft.morphology)[1] == "nos"
    strong = rules().support["strong_kinds"]
    origins = {one.origin for one in draft.statements}
    if not vague or len(origins) > 1 or draft.is_staged() or any(one.source in strong for one in draft.statements):
        return False
    clue = next((one.clue for one in draft.statements if one.clue), None)
    return clue is not None and not clue.is_dated and not _is_treated(clue)


def _is_treated(clue: Clue) -> bool:
    kinds = (MentionKind.DRUG, MentionKind.REGIMEN, MentionKind.PROCEDURE, MentionKind.RESPONSE, MentionKind.RECURRENCE)
    return clue.page.has(*kinds) or any(one.kind is MentionKind.METASTASIS for one in clue.neighbours)


def _is_metastasis(draft: Draft, kept: list[Draft], metastatic: set[str]) -> bool:
    """Whether the draft is a metastasis taken for a primary: a metastatic site, and no histology of its own."""
    if not draft.topography:
        return False
    group = site_group(draft.topography)
    if group not in metastatic and not (kept and group in rules().metastatic["sites"]):
        return False
    if draft.is_staged() or draft.is_called_primary(rules()):
        return False
    if draft.morphology is None or is_unspecified(draft.morphology) or not kept:
        return True
    return any(same_histology(draft.morphology, other.morphology) for other in kept)


def _metastatic_sites(reading: Reading, table: Rules) -> set[str]:
    sites = {site_group(clue.code) for clue in reading.clues(MentionKind.METASTASIS) if clue.code.startswith("C")}
    for row in reading.rows_of("diagnosis"):
        code = str(row.values.get("code", ""))
        found = table.metastasis_of_cim10.get(code[:4]) or table.metastasis_of_cim10.get(code[:3])
        if found:
            sites.add(site_group(found))
    return sites


def _last_resort(partial: list[Statement], table: Rules) -> list[Draft]:
    """No sentence joins a site and a morphology: the malignant morphology stated best, with the site stated most."""
    morphologies = [one for one in partial if one.morphology]
    if not morphologies:
        return []
    first = min(morphologies, key=lambda one: (is_unspecified(str(one.morphology)), *_strength(one, table)))
    draft = Draft()
    draft.add(first)
    votes: dict[str, int] = defaultdict(int)
    for one in partial:
        if one.topography and first.origin == one.origin:
            votes[site_group(one.topography)] += 1
    if votes and not is_spread(first.morphology):
        group = max(sorted(votes), key=lambda code: votes[code])
        draft.add(next(one for one in partial if one.topography and site_group(one.topography) == group))
    return [draft]


# --- From drafts to items -----------------------------------------------------------------------------------


def _ranked(drafts: list[Draft], table: Rules, terminology: Terminology) -> Tumours:
    made = [(_item(draft, table), draft) for draft in drafts]
    made.sort(
        key=lambda pair: (pair[0].diagnosis_date or dt.date.max, pair[0].topography or "", pair[0].morphology or "")
    )
    tumours = Tumours([item for item, _ in made], [draft for _, draft in made])
    votes: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for rank, (item, draft) in enumerate(made, start=1):
        item.rank = rank
        item.label = tumour_label(item, terminology)
        for statement in draft.statements:
            if statement.clue:
                votes[statement.clue.page.document.id][rank] += 1
    for document_id, ranks in votes.items():
        tumours.of_page[document_id] = max(sorted(ranks), key=lambda rank: ranks[rank])
    return tumours


def _item(draft: Draft, table: Rules) -> TumourItem:
    ordered = sorted(draft.statements, key=lambda one: _strength(one, table))
    morphology = _morphology(draft, table)
    item = TumourItem(
        rank=0,
        topography=usual_site(_topography(draft, table), morphology) if not _is_of_unknown(draft, table) else UNKNOWN,
        morphology=morphology,
        laterality=_laterality(draft, table),
        diagnosis_date=_diagnosis_date(draft, table),
        evidence=distinct_evidence((one.evidence() for one in ordered), table),
    )
    _believe(item, draft, table)
    return item


def _is_of_unknown(draft: Draft, table: Rules) -> bool:
    """Whether its documents say "primitif inconnu" more often than they name a site."""
    if draft.has_sheet:
        return any(one.source == "tumour_sheet" and (one.topography or "")[:3] == "C80" for one in draft.statements)
    if is_spread(draft.morphology):
        return False
    pages = {one.origin: one.clue.page for one in draft.statements if one.clue}
    named = {one.origin for one in draft.statements if one.topography and one.topography[:3] not in UNSPECIFIED_SITES}
    unknown, known = 0, len(named - pages.keys())
    for place, (origin, page) in enumerate(pages.items()):
        if unknown + len(pages) - place <= known:
            return False  # whatever the others say
        if _says_unknown(page.document.text, table):
            unknown += 1
        elif origin in named:
            known += 1
    return unknown > known


def _says_unknown(text: str, table: Rules) -> bool:
    """Whether the words are there; a look for a part of them is cheaper than the pattern."""
    return ("rimiti" in text or "RIMITI" in text or "CUP" in text) and table.unknown_primary.search(text) is not None


def _set_aside(
    draft: Draft, kept: list[Draft], metastatic: set[str], table: Rules, terminology: Terminology
) -> SetAside:
    """A primary that some source tells and that is no tumour of the history, and why."""
    item = _item(draft, table)
    item.label = tumour_label(item, terminology)
    said = voices((one.clue for one in draft.statements if one.clue), (one.row for one in draft.statements if one.row))
    why = (
        "siège d'une métastase connue, sans histologie propre"
        if _is_metastasis(draft, kept, metastatic)
        else "trop peu de sources pour une seconde tumeur"
    )
    return SetAside(
        item=EvidenceItem.TUMOUR,
        label=item.label,
        date=item.diagnosis_date,
        values={"topography": item.topography, "morphology": item.morphology, "laterality": _plain_side(item)},
        key=key_of(item),
        confidence=round(item.confidence / 2, 2),
        why=f"Non retenu : {why} ; écrit par {who_says(said)}{when_said(said)}.",
        evidence=item.evidence,
    )


def _plain_side(item: TumourItem) -> str | None:
    return item.laterality.value if item.laterality else None


def _believe(item: TumourItem, draft: Draft, table: Rules) -> None:
    """Confidence, conflicts and the sentence that says why, from all the statements of the tumour."""
    own: list[Statement] = []
    conflicts: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for one in draft.statements:
        disagrees = False
        if one.laterality and item.laterality is not one.laterality and site(str(item.topography)).paired:
            conflicts["laterality", one.laterality.value].append(one)
            disagrees = item.laterality is not None
        if one.morphology and item.morphology and not same_histology(one.morphology, item.morphology):
            conflicts["morphology", one.morphology].append(one)
            disagrees = True
        if one.source == "tumour_sheet" or (one.is_dated and one.clue and not one.clue.is_history):
            period = period_of(one.clue) if one.clue else day(one.date) if one.date else None
            if period and item.diagnosis_date and not period.near(day(item.diagnosis_date), table.review["other_date"]):
                conflicts["diagnosis_date", period.start.isoformat()].append(one)
        if not disagrees:
            own.append(one)
    said = voices((one.clue for one in own if one.clue), (one.row for one in own if one.row))
    sides = [one for (name, _), found in conflicts.items() if name == "laterality" for one in found]
    against = voices((one.clue for one in sides if one.clue), (one.row for one in sides if one.row))
    item.confidence = confidence(said, against, table=table)
    item.conflicts = [
        Conflict(name, value, distinct_evidence((one.evidence() for one in found), table))
        for (name, value), found in sorted(conflicts.items())
    ]
    item.why = f"Écrit par {who_says(said)}{when_said(said)}{said_otherwise(item.conflicts)}."


def said_otherwise(conflicts: list[Conflict]) -> str:
    """ " ; mais côté : right (1 fois)": what others say, for the sentence that says why."""
    words = [f"{ATTRIBUTES.get(one.attribute, one.attribute)} {one.value}" for one in conflicts]
    return f" ; écrit aussi : {', '.join(words)}" if words else ""


def _topography(draft: Draft, table: Rules) -> str | None:
    """The most specific topography of the site that the most believed source gives."""
    codes = [one for one in draft.statements if one.topography]
    if draft.morphology and not is_unspecified(draft.morphology):
        codes = [one for one in codes if not is_unlikely(str(one.topography), draft.morphology)]
    if not codes:
        return None
    group = site_group(str(draft.topography))
    own = [one for one in codes if site_group(str(one.topography)) == group] or codes
    own = [one for one in own if not is_vague(str(one.topography))] or own
    votes: dict[str, int] = defaultdict(int)
    best: dict[str, int] = {}
    for one in own:
        code = str(one.topography)
        votes[code] += table.weight.get(one.source, 1)
        best[code] = min(best.get(code, 99), table.rank("topography", one.source))
    three = max(sorted({code[:3] for code in votes}), key=lambda c: sum(votes[code] for code in votes if code[:3] == c))
    codes_of_three = [code for code in sorted(votes) if code[:3] == three]
    return min(codes_of_three, key=lambda code: (code.endswith(".9"), best[code], -votes[code], code))


def _morphology(draft: Draft, table: Rules) -> str | None:
    """The most specific morphology; an invasive one before an in situ one."""
    found = [one for one in draft.statements if one.morphology]
    if not found:
        return None
    votes: dict[str, int] = defaultdict(int)
    best: dict[str, int] = {}
    for one in found:
        code = str(one.morphology)
        votes[code] += table.weight.get(one.source, 1)
        best[code] = min(best.get(code, 99), table.rank("morphology", one.source))
    return min(
        sorted(votes),
        key=lambda code: (
            is_unspecified(code),
            behaviour(code) != "3",
            code[:4] in table.diagnosis["generic_histologies"] and len(votes) > 1,
            best[code],
            -votes[code],
            code,
        ),
    )


def _laterality(draft: Draft, table: Rules) -> Laterality | None:
    if is_spread(draft.morphology):
        return None
    if draft.topography and not site(draft.topography).paired:
        return next((one.laterality for one in draft.statements if one.row and one.laterality), None)
    votes: dict[Laterality, int] = defaultdict(int)
    for one in draft.statements:
        if one.laterality:
            if one.source == "tumour_sheet":
                return one.laterality
            votes[one.laterality] += table.weight.get(one.source, 1)
    if not votes:
        votes = _sides_around(draft, table)
    if not votes:
        return None
    side = max(sorted(votes), key=lambda one: votes[one])
    # Reports that contradict each other leave the side unknown.
    return side if votes[side] >= table.diagnosis["side_share"] * sum(votes.values()) else None


def _sides_around(draft: Draft, table: Rules) -> dict[Laterality, int]:
    """The sides that specimens and operations tell ("néphrectomie droite"), not those of other organs."""
    votes: dict[Laterality, int] = defaultdict(int)
    own = site_group(str(draft.topography))
    pages = {one.clue.page.document.id: one.clue.page for one in draft.statements if one.clue}
    for page in pages.values():
        if page.kind not in table.diagnosis["side_kinds"]:
            continue
        for clue in page.of(MentionKind.LATERALITY):
            found = side_of(clue)
            others = (one for one in clue.neighbours if one.kind is MentionKind.TOPOGRAPHY and one.code)
            if found in (Laterality.LEFT, Laterality.RIGHT) and not any(site_group(one.code) != own for one in others):
                votes[found] += table.weight.get(page.kind, 1)
    return votes


def _diagnosis_date(draft: Draft, table: Rules) -> dt.date | None:
    """The sheet's date; else the first pathology report's, unless one is stated well before; else the first one."""
    sheets = [one.date for one in draft.statements if one.source == "tumour_sheet" and one.date]
    if sheets:
        return min(sheets)
    dated = [one for one in draft.statements if one.is_dated and one.clue]
    named = [one for one in dated if one.morphology]  # "une masse du lobe supérieur" is not yet a cancer
    stated = [period for one in named or dated if one.clue and (period := period_of(one.clue)) is not None]
    pathology = [one for one in draft.statements if one.source == "pathology" and one.date and not one.is_dated]
    if pathology:
        oldest = min(pathology, key=lambda one: (str(one.date), one.origin))
        first = oldest.date
        assert first is not None
        before = earliest(one for one in stated if (first - one.end).days > _margin(one, table))
        if before and (_retells(oldest) or _documents_of(draft, before) >= _documents_of(draft, day(first))):
            return before.start
        return first
    undated = [one for one in draft.statements if one.date and not one.is_dated]
    undated = [one for one in undated if one.morphology] or undated
    told = [day(one.date) for one in undated if one.source not in table.events["weak_kinds"] and one.date]
    told = told or [day(one.date) for one in undated if one.date]  # an image suspects before it is known
    known = earliest([*stated, *told])
    if known is None:
        return None
    alone = _documents_of(draft, known)
    for other in sorted(stated):
        # One report that writes another year than all the others is mistaken.
        if not other.near(known, 31) and alone == 1 and _documents_of(draft, other) >= table.diagnosis["outvoted"]:
            return (earliest(one for one in [*stated, *told] if one.near(other, 31)) or other).start
    return known.start


def _documents_of(draft: Draft, period: Period) -> int:
    """How many documents date the tumour so, a sentence that was copied counting once."""
    own = [
        one.clue
        for one in draft.statements
        if one.clue and (found := period_of(one.clue)) is not None and found.near(period, 31)
    ]
    return len({clue.words_of_sentence(): clue.page.document.id for clue in own})


def _retells(statement: Statement) -> bool:
    """Whether the report is of a recurrence or a metastasis: the tumour was known before."""
    clue = statement.clue
    return clue is not None and (
        clue.page.has(MentionKind.RECURRENCE)
        or any(one.kind is MentionKind.METASTASIS and not one.code.startswith("C77") for one in clue.neighbours)
    )


def _margin(stated: Period, table: Rules) -> float:
    """By how many days a stated date must precede the pathology report; "il y a un an" is a year give or take one."""
    return table.diagnosis["earlier_by" if stated.end - stated.start < dt.timedelta(days=32) else "earlier_by_year"]


def distinct_evidence(found: Iterable[EvidenceRef], table: Rules) -> list[EvidenceRef]:
    """The first few pieces of evidence that are not the same sentence twice."""
    kept: dict[tuple[str | None, str], EvidenceRef] = {}
    for one in found:
        kept.setdefault((one.document_id or one.row_id, one.quote), one)
        if len(kept) >= table.events["evidence"]:
            break
    return list(kept.values())


def _short(label: str) -> str:
    """A morphology's official label as it is said: first letter small, without ", SAI"."""
    label = label.split(", SAI")[0].removesuffix(" SAI").strip()
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


__all__ = [
    "Draft",
    "Statement",
    "Tumours",
    "distinct_evidence",
    "find_tumours",
    "opposite",
    "said_otherwise",
    "side_label",
    "tumour_label",
]
