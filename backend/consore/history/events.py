"""What happened to the tumours: diagnosis, recurrences, progressions, second cancers, remission, death.

Reports retell the past at every visit, so an event is told many times. A *telling* is one mention with the
days that it may mean; tellings of one event are merged by the windows of `rules.toml`: those that date
themselves first, then the others, which join the event that was already known at the date of their document.
Metastases known at diagnosis are the sites of the `initial` event, not a recurrence; once metastatic, what
comes later is progression.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from consore.history.beliefs import Voice, confidence, key_of, voices, when_said, who_says
from consore.history.clues import Clue, Reading, row_evidence
from consore.history.periods import Period, day, earliest, period_of
from consore.history.primaries import UNSPECIFIED_SITES, is_spread, is_vague, site, site_group
from consore.history.rules import Rules, rules
from consore.history.tumours import Tumours, distinct_evidence, organ_in, said_otherwise, site_of_act
from consore.model import (
    Conflict,
    EventItem,
    EventType,
    EvidenceItem,
    EvidenceRef,
    MentionKind,
    SetAside,
    StructuredRow,
    TumourItem,
)
from consore.referentials import Terminology

RECURRENCES = {
    "REC:local": EventType.LOCAL_RECURRENCE,
    "REC:regional": EventType.REGIONAL_RECURRENCE,
    "REC:metastatic": EventType.METASTATIC_RECURRENCE,
    "REC:progression": EventType.PROGRESSION,
    "RESP:progression": EventType.PROGRESSION,
    "RESP:complete": EventType.REMISSION,
}
RELAPSES = (EventType.LOCAL_RECURRENCE, EventType.REGIONAL_RECURRENCE, EventType.METASTATIC_RECURRENCE)
TURNS = (*RELAPSES, EventType.PROGRESSION)
LABELS = {
    EventType.LOCAL_RECURRENCE: "Récidive locale",
    EventType.REGIONAL_RECURRENCE: "Récidive régionale",
    EventType.METASTATIC_RECURRENCE: "Récidive métastatique",
    EventType.PROGRESSION: "Progression",
    EventType.REMISSION: "Rémission complète",
    EventType.DEATH: "Décès",
}
ORDER = list(EventType)


@dataclass(slots=True, eq=False)
class Telling:
    """One mention or row that tells of an event."""

    type: EventType
    period: Period
    sites: list[str]
    source: str
    is_dated: bool
    tumour: TumourItem
    clue: Clue | None = None
    row: StructuredRow | None = None
    is_vague: bool = False  # the year of the diagnosis, and nothing more: it tells of an event, not when
    year: Period | None = None  # the year of the document that it tells of, where nothing more is told

    def is_near(self, period: Period, window: int) -> bool:
        """Whether the event of that period may be this one."""
        return period.near(self.period, window) or (self.year is not None and period.near(self.year, 0))

    def evidence(self) -> EvidenceRef:
        """Why the event is believed."""
        return self.clue.evidence() if self.clue else row_evidence(self.row)  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class Happening:
    """An event in the making: its tellings. Its period is that of the most precise one."""

    type: EventType
    period: Period
    tellings: list[Telling] = field(default_factory=list)
    retold: bool = False  # metastases that later documents go on telling
    sites: set[str] = field(default_factory=set)

    def add(self, telling: Telling, *, with_sites: bool = True) -> None:
        """Take a telling in; a day inside a month makes the month precise."""
        self.tellings.append(telling)
        if with_sites:
            self.sites.update(telling.sites)
        if not self.period.is_day and self.period.start <= telling.period.start <= self.period.end:
            self.period = telling.period


class Course:
    """What happens around the events of a patient; each is looked for once, where a recurrence asks for it."""

    def __init__(self, reading: Reading, table: Rules) -> None:
        self._reading = reading
        self._table = table

    @cached_property
    def visits(self) -> list[dt.date]:
        """The days on which an event might have been told again."""
        return self._reading.visits(self._table.events["told_kinds"])

    @cached_property
    def decisions(self) -> list[dt.date]:
        """The days of boards, specimens, operations and treatments."""
        return self._reading.visits(self._table.events["deciding_kinds"])

    @cached_property
    def turns(self) -> list[dt.date]:
        """The days on which a drug against cancer is told first, or given after a long pause, and that of the death.

        One visit that tells a drug years after recalls it; those who give it, or two reports, tell that it is given.
        """
        told: dict[str, dict[dt.date, bool]] = defaultdict(dict)
        against_cancer = tuple(self._table.events["against_cancer"])
        giving = (*self._table.treatments["giving_kinds"], *self._table.treatments["proposing_kinds"])
        for clue in self._reading.clues(MentionKind.DRUG, MentionKind.REGIMEN):
            if clue.code.startswith(against_cancer) and clue.date:
                sure = clue.source in giving or self._table.given_again.search(clue.words_of_sentence()) is not None
                told[clue.code][clue.date] = told[clue.code].get(clue.date, False) or sure
        pause = dt.timedelta(days=self._table.events["begun_again"])
        death = self._reading.dossier.death_date
        turns = [death] if death else []
        for found in told.values():
            days = sorted(found)
            turns.append(days[0])
            for before, again, after in zip(days, days[1:], [*days[2:], dt.date.max], strict=False):
                if again - before > pause and (found[again] or after - again < pause):
                    turns.append(again)
        return sorted(turns)

    @cached_property
    def denials(self) -> list[dt.date]:
        """The days of the documents that deny a recurrence."""
        return self._reading.denials()

    @cached_property
    def free(self) -> dict[str, list[dt.date]]:
        """By site, the days of the documents that deny metastases there."""
        found: dict[str, list[dt.date]] = defaultdict(list)
        for denied, code in self._reading.metastases_denied():
            found[site_group(code)].append(denied)
        return found


def find_events(reading: Reading, tumours: Tumours, terminology: Terminology) -> tuple[list[EventItem], list[SetAside]]:
    """The events of all tumours, by date, each with the one that it follows; and what was told and not believed."""
    table = rules()
    tellings = _tellings(reading, tumours, terminology, table)
    course = Course(reading, table)
    events: list[EventItem] = []
    aside: list[SetAside] = []
    for item in tumours.items:
        own = [telling for telling in tellings if telling.tumour is item]
        found, doubtful = _events_of(item, own, course, table)
        if is_stage_iv(item) and not found[0].sites:
            found[0].sites = _lesions_at_diagnosis(item, reading, table)
            found[0].label = event_label(found[0].type, found[0].sites, item)
        events.extend(found)
        aside.extend(_set_aside(one, item, table) for one in doubtful)
    return events, aside


def in_order(events: Iterable[EventItem]) -> list[EventItem]:
    """Events by date, each pointing to the last earlier one of its tumour (OSIRIS `TumorPathologyEvent`)."""
    ordered = sorted(
        events, key=lambda one: (one.date or dt.date.max, one.tumour_rank or 99, ORDER.index(one.type), one.sites)
    )
    last: dict[int, str] = {}
    for event in ordered:
        event.parent = None
        if event.tumour_rank is not None:
            if event.type not in (EventType.INITIAL, EventType.SECOND_CANCER):
                event.parent = last.get(event.tumour_rank)
            last[event.tumour_rank] = event.key
    return ordered


def metastatic_since(item: TumourItem, events: Iterable[EventItem]) -> dt.date | None:
    """The day from which a tumour is metastatic, or null."""
    for event in events:
        if event.tumour_rank != item.rank:
            continue
        if event.type in (EventType.INITIAL, EventType.SECOND_CANCER) and (event.sites or is_stage_iv(item)):
            return event.date
        if event.type is EventType.METASTATIC_RECURRENCE:
            return event.date
        if event.type in TURNS and is_never_metastatic(item):
            return event.date
    return None


def is_never_metastatic(item: TumourItem) -> bool:
    """Whether the disease is advanced once it comes back where it was: haematology, brain."""
    return is_spread(item.morphology) or (item.topography or "")[:3] in rules().events["advanced_in_place"]


def is_stage_iv(item: TumourItem) -> bool:
    """Whether the staging at diagnosis says metastatic: M1, or a stage IV that means so.

    Of the head and neck IVA and IVB are local (UICC TNM, 8th edition); of a lymphoma a stage is of extent.
    """
    if any("M1" in (text or "").upper() for text in (item.ctnm, item.ptnm)):
        return True
    stage = (item.stage or "").upper()
    if not stage.startswith("IV") or is_spread(item.morphology):
        return False
    local = rules().events["stage_iv_local"]
    return (item.topography or "")[:3] not in local.get(stage, ())


def is_localised(item: TumourItem) -> bool:
    """Whether the staging at diagnosis says that there was no metastasis (M0, or a stage before IV)."""
    if is_stage_iv(item):
        return False
    return bool(item.stage) or any("M0" in (text or "").upper() for text in (item.ctnm, item.ptnm))


def event_label(event_type: EventType, sites: Iterable[str], item: TumourItem | None) -> str:
    """The event in French: "Récidive métastatique hépatique et osseuse"."""
    adjectives = site_adjectives(sites)
    where = f" {adjectives}" if adjectives else ""
    if event_type is EventType.INITIAL:
        label = f"Diagnostic : {item.label}" if item else "Diagnostic"
        return f"{label}, d'emblée métastatique{where}" if where else label
    if event_type is EventType.SECOND_CANCER:
        return f"Second cancer : {item.label}" if item else "Second cancer"
    return LABELS[event_type] + where


def site_adjectives(sites: Iterable[str]) -> str:
    """Sites as French feminine adjectives: "hépatique", "hépatique et osseuse", "hépatique, osseuse et cérébrale"."""
    words = list(dict.fromkeys(site(code).adjective for code in sites))
    words = [word for word in words if word]
    return " et ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


# --- Tellings ------------------------------------------------------------------------------------------------


def _tellings(reading: Reading, tumours: Tumours, terminology: Terminology, table: Rules) -> list[Telling]:
    found: list[Telling] = []
    for clue in reading.clues(MentionKind.RECURRENCE, MentionKind.RESPONSE, MentionKind.METASTASIS):
        period = period_of(clue)
        item = (
            tumours.named_by(clue)
            or _metastatic_soon(clue, tumours, table)
            or _advanced(found, period)
            or tumours.at(clue.date)
        )
        if period is None or item is None:
            continue
        if clue.kind is MentionKind.METASTASIS:
            event_type: EventType | None = EventType.METASTATIC_RECURRENCE
            sites = [clue.code] if clue.code else _site_of_specimen(clue, item, terminology)
            if _is_regional_node(clue) or is_spread(item.morphology):
                continue
            if _is_progression(clue, item, found, table):
                event_type = EventType.PROGRESSION
            elif table.in_transit.search(clue.mention.text) and _drains_by_skin(item, table):
                event_type, sites = EventType.REGIONAL_RECURRENCE, []
        else:
            event_type = _recurrence_type(clue, item, terminology, table)
            if event_type is EventType.PROGRESSION and _is_cause_of_death(clue, table):
                continue
            sites = _sites_of(clue, event_type, item, terminology, table)
        if event_type is None:
            continue
        if clue.is_dated and (
            _is_of_diagnosis(period, item, event_type, table)
            or (event_type is not EventType.REMISSION and _is_date_of_tumour(clue, table))
        ):
            own = clue.page.document.date
            if own is None:
                continue
            found.append(Telling(event_type, day(own), sites, clue.source, False, item, clue=clue))
            continue
        vague = clue.is_dated and not period.is_day and _is_year_of_diagnosis(period, item)
        own = clue.page.document.date
        if vague and own and (period.start <= own <= period.end or _dates_the_tumour(clue, table)):
            found.append(Telling(event_type, day(own), sites, clue.source, False, item, clue=clue, year=period))
            continue
        found.append(Telling(event_type, period, sites, clue.source, clue.is_dated, item, clue=clue, is_vague=vague))
    found.extend(_seen_metastases(reading, tumours, table))
    found.extend(_sampled_again(reading, tumours, found))
    for row in reading.rows_of("diagnosis"):
        code = str(row.values.get("code", ""))
        place = table.metastasis_of_cim10.get(code[:4]) or table.metastasis_of_cim10.get(code[:3])
        item = tumours.at(row.date)
        if place and not place.startswith("C77") and row.date and item and not is_spread(item.morphology):
            kind = EventType.METASTATIC_RECURRENCE
            found.append(Telling(kind, day(row.date), [place], "diagnosis", False, item, row=row))
    return found


def _seen_metastases(reading: Reading, tumours: Tumours, table: Rules) -> Iterator[Telling]:
    """Lesions of an organ that the next words call secondary ("deux lésions du foie, typiquement secondaires")."""
    for clue in reading.clues(MentionKind.TOPOGRAPHY):
        if clue.source in table.events["weak_kinds"]:
            continue  # an image suspects; those who read it say what it was
        if clue.code[:3] not in table.metastatic["sites"] or not _is_lesion(clue, table):
            continue
        if any(one.kind is MentionKind.METASTASIS and one.code[:3] == clue.code[:3] for one in clue.neighbours):
            continue
        words = clue.words_after(table.events["secondary_within"])
        item, period = tumours.named_by(clue) or tumours.at(clue.date), period_of(clue)
        if not table.secondary.search(words) or item is None or period is None or is_spread(item.morphology):
            continue
        if site_group(clue.code) not in (_own_site(item), "C77"):
            kind = EventType.METASTATIC_RECURRENCE
            yield Telling(kind, period, [clue.code], clue.source, clue.is_dated, item, clue=clue)


def _sampled_again(reading: Reading, tumours: Tumours, found: list[Telling]) -> list[Telling]:
    """Lymphomas, leukaemias and myelomas that a dated sample shows after a remission: they relapsed."""
    remissions = [one for one in found if one.type is EventType.REMISSION]
    again = []
    for clue in reading.clues(MentionKind.MORPHOLOGY) if remissions else ():
        if not (clue.is_dated and is_spread(clue.code)) or clue.is_history:
            continue
        item, period = tumours.named_by(clue) or tumours.at(clue.date), period_of(clue)
        sampled = any(
            one.code == "PROC:biopsy" and one.date == clue.date and one.mention.end <= clue.mention.start
            for one in clue.neighbours
        )
        if item is None or period is None or not (period.is_day and sampled and is_spread(item.morphology)):
            continue
        if any(one.tumour is item and one.period.end < period.start for one in remissions):
            again.append(Telling(EventType.LOCAL_RECURRENCE, period, [], clue.source, True, item, clue=clue))
    return again


def _metastatic_soon(clue: Clue, tumours: Tumours, table: Rules) -> TumourItem | None:
    """Of metastases that an image shows days before a tumour is written down as metastatic, that tumour."""
    if clue.kind is not MentionKind.METASTASIS or clue.date is None or len(tumours.items) < 2:
        return None
    soon = dt.timedelta(days=table.events["same_date"])
    own = (
        one
        for one in tumours.items
        if one.diagnosis_date and clue.date <= one.diagnosis_date <= clue.date + soon and is_stage_iv(one)
    )
    return next(own, None)


def _advanced(found: Iterable[Telling], period: Period | None) -> TumourItem | None:
    """Of several tumours, the one that last relapsed or progressed: documents that name none go on telling of it."""
    known = [one for one in found if period and one.type in TURNS and one.period.start <= period.start]
    last = max(known, key=lambda one: one.period.start, default=None)
    return last.tumour if last else None


def _is_of_diagnosis(period: Period, item: TumourItem, event_type: EventType, table: Rules) -> bool:
    """Whether the sentence dates the tumour ("rechute métastatique d'un cancer de 2020") and not the event."""
    if item.diagnosis_date is None or event_type is EventType.REMISSION:
        return False
    if event_type is EventType.METASTATIC_RECURRENCE and not is_localised(item):
        return False
    if period.end - period.start > dt.timedelta(days=31):  # of a year, nobody knows which
        return False
    return period.near(day(item.diagnosis_date), table.events["same_visit"])


def _site_of_specimen(clue: Clue, item: TumourItem, terminology: Terminology) -> list[str]:
    """Where a metastasis without a site sits: the organ named before it ("biopsie du foie : métastase")."""
    if clue.source != "pathology":
        return []
    own = _own_site(item)
    before = [
        other.code if other.kind is MentionKind.TOPOGRAPHY else site_of_act(terminology, other.code)
        for other in clue.neighbours
        if other.kind in (MentionKind.TOPOGRAPHY, MentionKind.PROCEDURE) and other.mention.end <= clue.mention.start
    ]
    return [code for code in before if code and site_group(code) != own and not is_vague(code)][-1:]


def _own_site(item: TumourItem) -> str:
    """The site of a tumour as registries count it; empty where it is not known."""
    return site_group(item.topography) if item.topography else ""


def _lesions_at_diagnosis(item: TumourItem, reading: Reading, table: Rules) -> list[str]:
    """Where the images of a tumour that is metastatic at once show lesions ("lésions osseuses multiples"), if nobody
    names its metastases."""
    if item.diagnosis_date is None:
        return []
    own = _own_site(item)
    nearest = dt.timedelta(days=table.events["lesion_days"])
    found = set()
    for clue in reading.clues(MentionKind.TOPOGRAPHY):
        if site_group(clue.code) in (own, "C77") or clue.code[:3] not in table.metastatic["sites"]:
            continue
        if clue.date is None or abs(clue.date - item.diagnosis_date) > nearest:
            continue
        if _is_lesion(clue, table):
            found.add(clue.code)
    return sorted(found)


def _dates_the_tumour(clue: Clue, table: Rules) -> bool:
    """Whether the date of the sentence stands after a word for the tumour ("rechute d'un cancer de 2019")."""
    for other in clue.neighbours:
        if other.kind is MentionKind.DATE and other.mention.date == clue.mention.date:
            between = clue.page.document.text[clue.mention.end : other.mention.start]
            return other.mention.start > clue.mention.end and table.tumour_words.search(between) is not None
    return False


def _is_date_of_tumour(clue: Clue, table: Rules) -> bool:
    """Whether the words before the date say that the tumour was found then ("cancer connu depuis 2019")."""
    text, start = clue.page.document.text, clue.span[0]
    for other in clue.neighbours:
        if other.kind is MentionKind.DATE and other.mention.date == clue.mention.date:
            found = table.date_of_tumour.search(text, max(start, other.mention.start - 120), other.mention.start)
            return found is not None and not found.start() <= clue.mention.start < other.mention.start
    return False


def _is_year_of_diagnosis(period: Period, item: TumourItem) -> bool:
    held = item.diagnosis_date
    return held is not None and period.start <= held <= period.end and (period.end - period.start).days > 31


def _recurrence_type(clue: Clue, item: TumourItem, terminology: Terminology, table: Rules) -> EventType | None:
    """What a recurrence is of; an unspecified one is told by the sites of its sentence.

    A leukaemia, a myeloma or a lymphoma has no metastases: it relapses, wherever it does.
    """
    known = RECURRENCES.get(clue.code)
    if known is EventType.REMISSION and clue.source in table.events["specimen_kinds"]:
        return None
    if known is EventType.REMISSION and (
        table.not_remission.search(clue.words_after(table.events["remission_words"])) or _is_interim(clue, table)
    ):
        return None
    untold = known is None
    if untold and (not clue.code.startswith("REC:") or _is_of_no_tumour(clue, table)):
        return None
    if is_spread(item.morphology) and (untold or known in RELAPSES):
        return EventType.LOCAL_RECURRENCE
    if not untold:
        return known
    if any(other.kind is MentionKind.METASTASIS for other in clue.neighbours):
        return EventType.METASTATIC_RECURRENCE
    places = [other.code for other in clue.neighbours if other.kind is MentionKind.TOPOGRAPHY and other.code]
    after = _places_after(clue, terminology, table)
    if item.topography and any(site_group(code) == site_group(item.topography) for code in after or places):
        return EventType.LOCAL_RECURRENCE
    if any(code.startswith("C77") for code in after or places):
        return EventType.REGIONAL_RECURRENCE
    if not places and item.topography:
        organ = organ_in(clue.words_of_sentence(), terminology)
        if organ and site_group(organ.code) == site_group(item.topography):
            return EventType.LOCAL_RECURRENCE
    elsewhere = [code for code in after or _shown_beside(clue, item, table) if code[:3] not in UNSPECIFIED_SITES]
    return EventType.METASTATIC_RECURRENCE if elsewhere and item.topography else None


def _is_interim(clue: Clue, table: Rules) -> bool:
    """Whether a response is that of an examination in the middle of a treatment (Lugano: remission is of its end)."""
    start = clue.mention.start
    return (
        table.interim.search(clue.page.document.text, max(0, start - table.events["interim_before"]), start) is not None
    )


def _is_cause_of_death(clue: Clue, table: Rules) -> bool:
    """Whether its sentence announces a death and dates nothing else: what the patient died of is no new event."""
    days = {one.mention.date for one in clue.neighbours if one.kind is MentionKind.DATE}
    return len(days) < 2 and table.death.search(clue.words_of_sentence()) is not None


def _is_of_no_tumour(clue: Clue, table: Rules) -> bool:
    """Whether the adjective is of something else than a tumour ("aphtes récidivants")."""
    adjective = clue.mention.text.lower().replace("é", "e").startswith("recidivant")
    return adjective and table.tumour_words.search(clue.words_before(40)) is None


def _places_after(clue: Clue, terminology: Terminology, table: Rules) -> list[str]:
    """The sites told just after the words ("récidive péritonéale", "progression hépatique et osseuse").

    Where the reader marked none, the organ that the dictionary knows in the very next words.
    """
    found: list[str] = []
    end = clue.mention.end
    for other in clue.neighbours:
        if other.kind is not MentionKind.TOPOGRAPHY or not other.code or other.mention.start < clue.mention.start:
            continue
        if other.mention.start - end > table.events["site_after"]:
            break
        found.append(other.code)
        end = max(end, other.mention.end)
    if found:
        return found
    organ = organ_in(clue.words_after(table.events["organ_after"])[len(clue.mention.text) :], terminology)
    return [organ.code] if organ else []


def _sites_of(
    clue: Clue, event_type: EventType | None, item: TumourItem, terminology: Terminology, table: Rules
) -> list[str]:
    """The sites of the event's sentence: its metastases, and the organs told just after its words."""
    if is_spread(item.morphology) or event_type in (None, EventType.REMISSION):
        return []
    metastases = [other.code for other in clue.neighbours if other.kind is MentionKind.METASTASIS and other.code]
    after = _places_after(clue, terminology, table)
    if event_type is EventType.LOCAL_RECURRENCE:
        return [item.topography] if item.topography else []
    if event_type is EventType.REGIONAL_RECURRENCE:
        return [code for code in (*metastases, *after) if code.startswith("C77")]
    own = _own_site(item)
    after = [code for code in after if site_group(code) != own and not is_vague(code)]
    return list(dict.fromkeys((*metastases, *after))) or _shown_beside(clue, item, table) or _sites_beside(clue, table)


def _shown_beside(clue: Clue, item: TumourItem, table: Rules) -> list[str]:
    """The organs, not the tumour's, in which the sentence shows lesions ("récidive avec des nodules du foie")."""
    own = _own_site(item)
    return [
        other.code
        for other in clue.neighbours
        if other.kind is MentionKind.TOPOGRAPHY
        and other.code[:3] in table.metastatic["sites"]
        and site_group(other.code) != own
        and _is_lesion(other, table)
    ]


def _is_lesion(organ: Clue, table: Rules) -> bool:
    """Whether the organ is that of an image ("nodules pulmonaires", "lésions du foie")."""
    return any(
        other.kind is MentionKind.MORPHOLOGY
        and table.lesion.match(other.mention.text)
        and 0 <= organ.mention.start - other.mention.end <= table.events["lesion_within"]
        for other in organ.neighbours
    )


def _sites_beside(clue: Clue, table: Rules) -> list[str]:
    """The metastases of the sentences just before and after ("apparition d'une carcinose. Progression donc.")."""
    nearest = dt.timedelta(days=table.events["beside_sites"])
    return [
        other.code
        for other in clue.page.of(MentionKind.METASTASIS)
        if abs(other.sentence - clue.sentence) == 1
        and other.code
        and not other.is_history
        and clue.date
        and other.date
        and abs(other.date - clue.date) <= nearest
    ]


def _is_progression(clue: Clue, item: TumourItem, found: Iterable[Telling], table: Rules) -> bool:
    """Whether "progression métastatique" is of a tumour whose metastases were told long before."""
    if not clue.mention.text.lower().startswith("progression") or clue.date is None:
        return False
    before = clue.date - dt.timedelta(days=table.events["synchronous"])
    return any(
        one.tumour is item and one.type is EventType.METASTATIC_RECURRENCE and one.period.end < before for one in found
    )


def _drains_by_skin(item: TumourItem, table: Rules) -> bool:
    """Whether metastases in transit of this tumour are regional (AJCC, 8th edition: N of melanomas, of Merkel)."""
    return (item.morphology or "")[:3] in table.events["in_transit_of"]


def _is_regional_node(clue: Clue) -> bool:
    """Nodes alone are the N of the TNM ("1 ganglion métastatique sur 16"); beside a recurrence they are not."""
    if not clue.code.startswith("C77"):
        return False
    return not any(
        other.kind is MentionKind.RECURRENCE
        or (other.kind is MentionKind.METASTASIS and other.code and not other.code.startswith("C77"))
        for other in clue.neighbours
    )


# --- Events of one tumour -----------------------------------------------------------------------------------


def _events_of(
    item: TumourItem, tellings: list[Telling], visits: Course, table: Rules
) -> tuple[list[EventItem], list[Happening]]:
    doubtful: list[Happening] = []
    by_type: dict[EventType, list[Telling]] = defaultdict(list)
    for telling in sorted(tellings, key=_order):
        by_type[telling.type].append(telling)
    first = EventType.INITIAL if item.rank == 1 else EventType.SECOND_CANCER
    start = EventItem(
        first,
        item.diagnosis_date,
        item.rank,
        confidence=item.confidence,
        why=item.why,
        conflicts=[one for one in item.conflicts if one.attribute == "diagnosis_date"],
        evidence=list(item.evidence),
    )
    found: list[Happening] = []
    metastatic = _metastatic(item, by_type[EventType.METASTATIC_RECURRENCE], start, visits, table, doubtful)
    if metastatic:
        found.append(metastatic)
    for kind in (EventType.LOCAL_RECURRENCE, EventType.REGIONAL_RECURRENCE):
        late = _later(item, by_type[kind], table.events["recurrence_after"])
        merged = _merged(kind, late, table.events["local_merge"], table)
        found.extend(one for one in merged if _is_confirmed(one, visits, table))
        doubtful.extend(one for one in merged if not _is_confirmed(one, visits, table))
    since = metastatic.period.start if metastatic else start.date if start.sites or is_stage_iv(item) else None
    if since:
        known = metastatic.sites if metastatic else start.sites
        by_type[EventType.PROGRESSION] += _of_new_sites(by_type[EventType.METASTATIC_RECURRENCE], since, known, table)
        found.extend(_again(by_type, since, metastatic, visits, table))
    progressions = _merged(
        EventType.PROGRESSION,
        _later(item, by_type[EventType.PROGRESSION], table.events["recurrence_after"] // 2),
        table.events["merge_progression"],
        table,
    )
    relapses = list(found)
    for one in progressions:
        if not _is_confirmed(one, visits, table):
            doubtful.append(one)
            continue
        same = next((other for other in relapses if other.period.near(one.period, table.events["merge"])), None)
        if same:
            for telling in one.tellings:
                same.add(telling, with_sites=same.type is EventType.METASTATIC_RECURRENCE)
        else:
            found.append(one)
    if not since and not is_never_metastatic(item) and (is_localised(item) or relapses or by_type[EventType.REMISSION]):
        # What was localised or in remission, and progresses in another organ, is metastatic from then on.
        far = min((one for one in found if _is_far(one, table)), key=lambda one: one.period, default=None)
        if far:
            far.type, since = EventType.METASTATIC_RECURRENCE, far.period.start
    complete = by_type[EventType.REMISSION]
    if item.topography and item.topography[:3] in table.events["advanced_in_place"]:
        since = min([*([since] if since else []), *(one.period.start for one in relapses)], default=None)
    if since and not is_spread(item.morphology):
        # Of an advanced tumour a complete response is the treatment's response, not the end of the disease.
        complete = [one for one in complete if one.period.end < since]
    remissions = _remissions(item, complete, found, table)
    sure = [one for one in remissions if not _is_weak(one, table)]
    doubtful.extend(one for one in remissions if one not in sure)
    found.extend(sure)
    start.sites = sorted(set(start.sites))
    start.label = event_label(first, start.sites, item)
    return [start, *(_event(one, item, table) for one in found)], doubtful


def _is_far(happening: Happening, table: Rules) -> bool:
    """Whether a progression has sites, all of them organs where metastases sit; nodes may be of the tumour's region."""
    far = set(table.metastatic["sites"]) - {"C77"}
    return happening.type is EventType.PROGRESSION and bool(happening.sites) and {c[:3] for c in happening.sites} <= far


def _metastatic(
    item: TumourItem,
    tellings: list[Telling],
    start: EventItem,
    visits: Course,
    table: Rules,
    doubtful: list[Happening],
) -> Happening | None:
    """The metastatic recurrence, or None where there is none or the tumour was metastatic from the start."""
    diagnosed = item.diagnosis_date
    if diagnosed and (item.topography or "")[:3] in table.events["peritoneum_is_regional"]:
        tellings = [one for one in tellings if not _is_first_peritoneum(one, diagnosed, table)]
    clusters = _clusters(_sited(tellings, table), table.events["merge"])
    for telling in tellings:  # "métastases", without a site, tell again of those that are told then
        near = [one for one in clusters if not telling.sites and one.period.near(telling.period, table.events["merge"])]
        if near and telling not in near[0].tellings:
            near[0].add(telling)
    window = table.events["synchronous"]
    documents = {telling.clue.page.document.id for one in clusters for telling in one.tellings if telling.clue}
    for one in clusters:
        one.retold = len(documents) >= table.support["documents"]
    confirmed = [one for one in clusters if _is_confirmed(one, visits, table)]
    doubtful.extend(one for one in clusters if one not in confirmed)
    first = _first_metastases(confirmed, diagnosed, window, table)
    if diagnosed and is_stage_iv(item):
        first = clusters[0] if clusters else None
        window *= 2
    if first is None:
        return None
    if diagnosed and (first.period.start - diagnosed).days <= window:
        near = [one for one in first.tellings if (one.period.start - diagnosed).days <= window]
        start.sites = [code for one in near for code in one.sites]
        start.evidence = distinct_evidence([*start.evidence[:3], *(one.evidence() for one in near)], table)
        return None
    if diagnosed and is_stage_iv(item):
        return None
    for telling in tellings:
        if telling not in first.tellings and telling.period.start > first.period.start:
            first.add(telling, with_sites=not first.sites)
    return first


def _of_new_sites(tellings: list[Telling], since: dt.date, sites: Iterable[str], table: Rules) -> list[Telling]:
    """Metastases that appear where there were none, of a tumour that had others (`sites`) since that day: tellings of a
    progression."""
    known = {site_group(code) for code in sites}
    found = []
    for telling in tellings:
        new = [code for code in telling.sites if site_group(code) not in known]
        late = (telling.period.start - since).days > table.events["synchronous"]
        if late and new and telling.clue and table.new_site.search(_line_before(telling.clue, table)):
            found.append(replace(telling, type=EventType.PROGRESSION, sites=new))
        known.update(site_group(code) for code in telling.sites)
    return found


def _again(
    by_type: dict[EventType, list[Telling]],
    since: dt.date,
    metastatic: Happening | None,
    visits: Course,
    table: Rules,
) -> list[Happening]:
    """What reports call a recurrence of a tumour that is metastatic since that day.

    After a remission it is one; else it is a telling of a progression.
    """
    late = [
        one
        for one in by_type[EventType.METASTATIC_RECURRENCE]
        if _is_named(one, table)
        and one.clue
        and not one.clue.is_history
        and (one.period.start - since).days > table.events["synchronous"]
        and (not metastatic or one not in metastatic.tellings or one.is_dated)
    ]
    complete = [one.period.start for one in by_type[EventType.REMISSION] if one.period.start > since]
    anew = [one for one in late if any(day < one.period.start for day in complete)]
    by_type[EventType.PROGRESSION] += [replace(one, type=EventType.PROGRESSION) for one in late if one not in anew]
    return [one for one in _clusters(anew, table.events["merge"]) if _is_confirmed(one, visits, table)][:1]


def _line_before(clue: Clue, table: Rules) -> str:
    """The words of the line before a clue's own, sentences before included, and its own."""
    start = max(0, clue.mention.start - table.events["new_site_before"])
    return clue.page.document.text[start : clue.mention.end].rsplit("\n", 1)[-1]


def _is_first_peritoneum(telling: Telling, diagnosed: dt.date, table: Rules) -> bool:
    """Whether it tells of the peritoneum at diagnosis, which of an ovary is stage III (FIGO, 2014), no metastasis."""
    of_peritoneum = bool(telling.sites) and all(code.startswith("C48") for code in telling.sites)
    return of_peritoneum and (telling.period.start - diagnosed).days <= table.events["synchronous"]


def _first_metastases(
    clusters: list[Happening], diagnosed: dt.date | None, window: int, table: Rules
) -> Happening | None:
    """The earliest metastases; images that nobody calls a recurrence give way to a later one that is called so."""
    if not clusters:
        return None
    first = clusters[0]
    named = next((one for one in clusters if any(_is_named(telling, table) for telling in one.tellings)), None)
    documents = {telling.clue.page.document.id for telling in first.tellings if telling.clue}
    early = diagnosed is not None and (first.period.start - diagnosed).days <= window
    if named is None or early or len(documents) >= table.support["documents"]:
        return first
    return named


def _is_named(telling: Telling, table: Rules) -> bool:
    """Whether it is called a recurrence or an evolution, and not only metastases."""
    clue = telling.clue
    return clue is None or clue.kind is MentionKind.RECURRENCE or table.turn_words.match(clue.mention.text) is not None


def _clusters(tellings: list[Telling], window: int) -> list[Happening]:
    """Tellings that lie near each other, by date; those that only give a year join the one that they hold."""
    found: list[Happening] = []
    ends: list[dt.date] = []
    for telling in sorted(tellings, key=lambda one: ((one.period.end - one.period.start).days > 31, *_order(one))):
        near = [
            place
            for place, one in enumerate(found)
            if Period(one.period.start, max(one.period.end, ends[place])).near(telling.period, window)
        ]
        if near:
            # A whole year fits several: the one that begins in it, then the one told most.
            place = max(
                near,
                key=lambda place: (
                    telling.period.start <= found[place].period.start <= telling.period.end,
                    len(found[place].tellings),
                    -place,
                ),
            )
            found[place].add(telling)
            ends[place] = max(ends[place], telling.period.start)
        elif not telling.is_vague:
            found.append(Happening(telling.type, telling.period))
            found[-1].add(telling)
            ends.append(telling.period.start)
    for one in found:
        one.period = earliest(telling.period for telling in one.tellings) or one.period
    return sorted(found, key=lambda one: one.period)


def _has_consequence(happening: Happening, course: Course, table: Rules) -> bool:
    """Whether a recurrence is proven, retold with its date, or followed by something: a board, a treatment, a death.

    What one visit seems to tell, what no specimen shows, nobody discusses and nobody treats was a fear or a denial.
    """
    if happening.type not in RELAPSES:
        return True
    strong = table.events["proving_kinds"]
    if any(one.row or one.source in strong for one in happening.tellings):
        return True
    if _is_disproved(happening, course, table):
        return False
    documents = {one.clue.page.document.id for one in happening.tellings if one.clue}
    until = happening.period.end + dt.timedelta(days=table.events["denied_within"])
    if sum(happening.period.start <= day <= until for day in course.denials) >= len(documents):
        return False
    if happening.retold:
        return True
    if any(one.is_dated and not one.is_vague and one.clue and _is_retold(one, table) for one in happening.tellings):
        return True
    days = [one.clue.page.document.date for one in happening.tellings if one.clue and one.clue.page.document.date]
    told = max(days, default=None)
    later = sum(told is not None and (day - told).days > table.events["same_visit"] for day in course.visits)
    in_blood = is_spread(happening.tellings[0].tumour.morphology)
    sited = bool(happening.sites) and happening.type is not EventType.LOCAL_RECURRENCE
    occasions = 1 if _is_only_seen(happening, table) else table.events["consequence_visits"]
    if later < occasions and (sited or in_blood):
        return True  # there was no time yet
    documents = {one.clue.page.document.id for one in happening.tellings if one.clue}
    if len(documents) >= table.support["documents"]:
        return True
    first = happening.period.start - dt.timedelta(days=table.events["same_visit"] * 2)
    last = happening.period.end + dt.timedelta(days=table.events["consequence"])
    if any(first <= day <= last for day in course.decisions):
        return True
    return any(happening.period.start - dt.timedelta(days=5) <= day <= last for day in course.turns)


def _is_retold(telling: Telling, table: Rules) -> bool:
    own = telling.clue.page.document.date if telling.clue else None
    return own is None or (own - telling.period.end).days > table.events["merge"]


def _is_disproved(happening: Happening, course: Course, table: Rules) -> bool:
    """Whether metastases that one image or visit tells are denied at each of their sites by a later one.

    An image was doubtful, another one was asked for ("angiome, pas une métastase").
    """
    days = {one.clue.page.document.date for one in happening.tellings if one.clue}
    told = next(iter(days)) if len(days) == 1 else None
    if happening.type is not EventType.METASTATIC_RECURRENCE or told is None or not happening.sites:
        return False
    until = told + dt.timedelta(days=table.events["denied_within"])
    return all(any(told < day <= until for day in course.free.get(site_group(code), ())) for code in happening.sites)


def _is_only_seen(happening: Happening, table: Rules) -> bool:
    """Whether nothing but images and notes tells it."""
    return all(one.source in table.events["weak_kinds"] for one in happening.tellings)


def _is_weak(happening: Happening, table: Rules) -> bool:
    """Whether only images or notes tell it, and with little confidence; of a progression, images are the proof."""
    if happening.type is EventType.PROGRESSION:
        return False
    said = _voices(happening.tellings)
    weak = table.events["weak_kinds"]
    return all(one.source in weak for one in said) and confidence(said, table=table) < table.events["believed_from"]


def _is_treated(happening: Happening, course: Course, table: Rules) -> bool:
    """Whether a drug against cancer begins, or begins again, soon after a recurrence that nobody denies."""
    first, last = happening.period.start, happening.period.end + dt.timedelta(days=table.events["denied_within"])
    return not any(first <= day <= last for day in course.denials) and _turns(happening, course, table)


def _turns(happening: Happening, course: Course, table: Rules) -> bool:
    """Whether a drug against cancer begins soon after it, or the patient dies."""
    first = happening.period.start
    return any(0 <= (turn - first).days <= table.events["treated_within"] for turn in course.turns)


def _is_confirmed(happening: Happening, visits: Course, table: Rules) -> bool:
    """Whether more than one document tells it, or nobody had the occasion to tell it again, or it is told as long past.

    What one report believes to see and no later one repeats was not so.
    """
    if happening.type in RELAPSES and _is_treated(happening, visits, table):
        return True
    if _is_weak(happening, table) or not _has_consequence(happening, visits, table):
        return False
    documents = {one.clue.page.document.id: one.clue.page.document.date for one in happening.tellings if one.clue}
    if len(documents) != 1 or any(one.row for one in happening.tellings):
        return True
    if any(
        one.is_dated and not one.is_vague and one.source not in table.events["weak_kinds"] for one in happening.tellings
    ):
        return True
    told = next(iter(documents.values()))
    if told is None or (told - happening.period.end).days > table.events["long_past"]:
        return True
    proven = any(one.source in table.events["proving_kinds"] for one in happening.tellings)
    if (happening.type is EventType.PROGRESSION or (happening.type in RELAPSES and proven)) and _turns(
        happening, visits, table
    ):
        return True
    later = sum((visit - told).days > table.events["same_visit"] for visit in visits.visits)
    return bool(later < table.events["later_visits"])


def _sited(tellings: list[Telling], table: Rules) -> list[Telling]:
    """Tellings with a site, or of a stated recurrence; "métastases" alone only where several documents say so."""
    sited = [one for one in tellings if one.sites or (one.clue and one.clue.kind is not MentionKind.METASTASIS)]
    documents = {one.clue.page.document.id for one in tellings if one.clue}
    if sited:
        return sited
    return tellings if len(documents) >= table.metastatic["siteless_documents"] else []


def _later(item: TumourItem, tellings: list[Telling], after: int) -> list[Telling]:
    diagnosed = item.diagnosis_date
    return [one for one in tellings if diagnosed is None or (one.period.end - diagnosed).days > after]


def _merged(kind: EventType, tellings: list[Telling], window: int, table: Rules) -> list[Happening]:
    """One happening for all tellings of one event: self-dated ones first, then those dated by their document."""
    found: list[Happening] = []
    told = set(table.events["told_kinds"])
    for telling in sorted(tellings, key=lambda one: (not one.is_dated, not one.period.is_day, *_order(one))):
        near = [one for one in found if telling.is_near(one.period, window)]
        if not near and not telling.is_dated and telling.source in told and kind is not EventType.PROGRESSION:
            near = [one for one in found if one.period.start <= telling.period.start]
        if near:
            max(near, key=lambda one: one.period).add(telling)
        elif not telling.is_vague and (telling.is_dated or not telling.clue or not telling.clue.is_history):
            happening = Happening(kind, telling.period)
            happening.add(telling)
            found.append(happening)
    return found


def _remissions(item: TumourItem, tellings: list[Telling], others: list[Happening], table: Rules) -> list[Happening]:
    """A remission lasts until something else happens: retold before that, it is the same one."""
    found: list[Happening] = []
    after = table.events["remission_after_blood" if is_spread(item.morphology) else "remission_after"]
    for telling in sorted(_later(item, tellings, after), key=_order):
        last = found[-1] if found else None
        if last and not any(last.period.start < one.period.start <= telling.period.start for one in others):
            last.add(telling)
            continue
        if telling.is_vague:
            continue  # "traité en 2013, en rémission" dates the tumour
        happening = Happening(EventType.REMISSION, telling.period)
        happening.add(telling)
        found.append(happening)
    return found


def _event(happening: Happening, item: TumourItem, table: Rules) -> EventItem:
    sites = sorted(happening.sites)
    said = _voices(happening.tellings)
    dated = sum(one.is_dated for one in happening.tellings)
    conflicts = _other_dates(happening, table)
    how = "datée par ses phrases" if dated else "datée par ses documents"
    return EventItem(
        happening.type,
        happening.period.start,
        item.rank,
        sites=sites,
        label=event_label(happening.type, sites, item),
        confidence=confidence(said, table=table),
        why=f"Écrit par {who_says(said)}{when_said(said)}, {how}{said_otherwise(conflicts)}.",
        conflicts=conflicts,
        evidence=distinct_evidence((one.evidence() for one in happening.tellings), table),
    )


def _set_aside(happening: Happening, item: TumourItem, table: Rules) -> SetAside:
    """What one document believed to see and the later ones do not tell again."""
    event = _event(happening, item, table)
    return SetAside(
        item=EvidenceItem.EVENT,
        label=event.label,
        date=event.date,
        values={"type": event.type.value, "sites": event.sites, "tumour_rank": item.rank},
        key=key_of(event, item),
        confidence=round(event.confidence / 2, 2),
        why=f"Non retenu : les documents suivants ne le disent plus ; {event.why[:1].lower()}{event.why[1:]}",
        evidence=event.evidence,
    )


def _voices(tellings: Iterable[Telling]) -> list[Voice]:
    tellings = list(tellings)
    return voices((one.clue for one in tellings if one.clue), (one.row for one in tellings if one.row))


def _other_dates(happening: Happening, table: Rules) -> list[Conflict]:
    """The dates that some sentence gives to the event and that are not its own."""
    others: dict[str, list[Telling]] = defaultdict(list)
    for one in happening.tellings:
        if one.is_dated and not one.period.near(happening.period, table.events["same_date"]):
            others[one.period.start.isoformat()].append(one)
    return [
        Conflict("date", date, distinct_evidence((one.evidence() for one in found), table))
        for date, found in sorted(others.items())
    ]


def _order(telling: Telling) -> tuple[dt.date, dt.date, str, int]:
    clue = telling.clue
    return (
        telling.period.start,
        telling.period.end,
        clue.page.document.id if clue else telling.row.id if telling.row else "",
        clue.mention.start if clue else 0,
    )


__all__ = ["event_label", "find_events", "in_order", "is_stage_iv", "metastatic_since", "site_adjectives"]
