"""The treatments that were given, each once, with its drugs, its days and its line.

Three kinds of sources tell of a treatment: rows (administered cycles, CCAM acts), the reports of those who
gave it, and every later report that repeats it. Rows make courses; mentions join the course that they speak
of, and make one only where no row does. A line is counted from 1 once the tumour is metastatic; what was
given before, or to cure, has none.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from consore.history.beliefs import confidence, french, key_of, voices, when_said, who_says
from consore.history.clues import Clue, Page, Reading, row_evidence
from consore.history.events import TURNS, metastatic_since
from consore.history.periods import Period, day, period_of, precision, whole
from consore.history.primaries import site_group
from consore.history.results import cycles
from consore.history.rules import Rules, rules
from consore.history.staging import number_of
from consore.history.tumours import Tumours, distinct_evidence, site_of_act
from consore.model import (
    DrugItem,
    EventItem,
    EventType,
    EvidenceItem,
    EvidenceRef,
    MentionKind,
    SetAside,
    StructuredRow,
    TreatmentItem,
    TreatmentType,
    TumourItem,
)
from consore.referentials import Terminology

SYSTEMIC = frozenset(
    {
        TreatmentType.CHEMOTHERAPY,
        TreatmentType.HORMONOTHERAPY,
        TreatmentType.TARGETED,
        TreatmentType.IMMUNOTHERAPY,
        TreatmentType.CELL_THERAPY,
    }
)
LASTING = frozenset({TreatmentType.HORMONOTHERAPY, TreatmentType.TARGETED, TreatmentType.IMMUNOTHERAPY})
LOCAL_TYPES = frozenset({TreatmentType.SURGERY, TreatmentType.RADIOTHERAPY, TreatmentType.TRANSPLANT})
ATC_OF_INN = 7  # characters of the code of a drug; shorter ones are classes
NOT_DRUGS = LOCAL_TYPES | {TreatmentType.OTHER}
STRONGEST = (
    TreatmentType.CHEMOTHERAPY,
    TreatmentType.IMMUNOTHERAPY,
    TreatmentType.TARGETED,
    TreatmentType.HORMONOTHERAPY,
    TreatmentType.CELL_THERAPY,
)
_HYPHENS = ("-", "‐", "‑", "–")
_LONGEST_WORD = 40
ADMINISTERED = frozenset({"administré", "administre", "administrée", "fait", "réalisé"})


@dataclass(slots=True, eq=False)
class Course:
    """A treatment in the making."""

    type: TreatmentType
    drugs: frozenset[str] = frozenset()  # ATC codes, or names where no code is known
    items: tuple[DrugItem, ...] = ()
    regimen: str | None = None
    act_code: str | None = None
    name: str = ""
    period: Period | None = None
    last: dt.date | None = None
    line: int | None = None
    intent: str | None = None
    stop_reason: str | None = None
    has_start: bool = False  # a sentence dates it, or those who gave it told its first day
    has_end: bool = False  # a report tells its last day
    seen: dt.date | None = None  # first seen under way then: its first day is an estimate
    is_exact: bool = False  # the day of an operation, told as a day
    from_rows: bool = False  # its days are exact: what only repeats it changes nothing
    tumour: TumourItem | None = None
    clues: list[Clue] = field(default_factory=list)
    rows: list[StructuredRow] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    @property
    def start(self) -> dt.date | None:
        """First day."""
        return self.period.start if self.period else None

    def reach(self, period: Period) -> None:
        """Stretch the course to the days of another telling; a day makes a month precise."""
        held = self.period
        if held is None:
            self.period = period
        elif held.is_day:
            # A month or a year that holds the known days says nothing new.
            if period.is_day and period.start < held.start:
                self.period = period
        elif period.start <= held.end:
            says_less = period.start <= held.start and held.end <= period.end
            says_more = period.end - period.start < held.end - held.start
            self.period = period if says_more or (period.start < held.start and not says_less) else held
        self.last = max(self.last or period.start, period.start)

    def evidence(self, table: Rules) -> list[EvidenceRef]:
        """Rows first, then the sentences."""
        found = [row_evidence(row) for row in self.rows[:2]]
        return distinct_evidence([*found, *(clue.evidence() for clue in self.clues)], table)


@dataclass(frozen=True, slots=True)
class Turns:
    """Days after which what is given again is given anew: relapses and progressions; operations, for chemotherapies."""

    events: list[dt.date]
    operations: list[dt.date]

    def between(self, course: Course, first: dt.date, after: int) -> bool:
        """Whether one lies after the last day of a course, not after `first`, and not within `after` days of its start.

        What a board writes down days after a treatment began is what it was begun for.
        """
        assert course.start is not None
        assert course.last is not None
        last = max(course.last, course.start + dt.timedelta(days=after))
        days = self.events if course.type in LASTING else (*self.events, *self.operations)
        return any(last < day <= first for day in days)


@dataclass(slots=True, eq=False)
class Told:
    """The drugs or the procedure that one place of a report tells of."""

    clue: Clue
    type: TreatmentType
    items: tuple[DrugItem, ...]
    regimen: str | None
    act_code: str | None
    name: str
    line: int | None
    mode: str = ""  # `start`, `during` ("progression sous…", "après 4 cures de…") or `stop`
    period: Period | None = None
    end: dt.date | None = None
    is_dated: bool = False
    drugs: frozenset[str] = frozenset()  # what identifies the drugs
    cycle: int = 0  # the number of the cycle, where it is told


def find_treatments(
    reading: Reading, tumours: Tumours, events: Sequence[EventItem], terminology: Terminology
) -> tuple[list[TreatmentItem], list[SetAside]]:
    """The treatments of a patient, by first day; and those that one passing word tells, not believed."""
    table = rules()
    courses = _courses_of_rows(reading, terminology, table)
    courses = _with_acts(courses, reading, terminology, table)
    _with_stated_days(courses, reading, terminology, table)
    told = [one for page in reading.pages for one in _told_in(page, terminology, table)]
    told = [_not_of_diagnosis(one, tumours, table) for one in told]
    told.sort(key=_telling_order)
    systemic = [one for one in told if one.items or one.type not in NOT_DRUGS]
    local = [one for one in told if not one.items and one.type in NOT_DRUGS]
    for one in sorted(local, key=lambda one: _names_no_act(one, table)):
        _join_local(courses, one, terminology, table)
    turns = Turns(
        sorted(one.date for one in events if one.date and one.type in TURNS),
        sorted(one.start for one in courses if one.start and _is_sure_operation(one, table)),
    )
    for one in systemic:
        _join_systemic(courses, one, turns, table)
    for course in courses:
        _settle_drugs(course, table)
    courses = _without_unnamed(courses, table)
    visits = reading.visits(table.events["told_kinds"])
    has_file = bool(reading.rows_of("chemotherapy"))
    courses = [course for course in courses if _concerns_cancer(course, tumours, table)]
    doubtful = [course for course in courses if not _is_supported(course, has_file, visits, table)]
    doubtful += [course for course in courses if course.period is None and _is_of_another(course, courses)]
    courses = [course for course in courses if course not in doubtful]
    for course in courses:
        course.tumour = _tumour_of(course, tumours, events, table)
        known = course.tumour.diagnosis_date if course.tumour else None
        if known and course.period and not course.period.is_day and course.period.start < known <= course.period.end:
            course.period = Period(known, course.period.end)  # nothing is treated before it is known
            course.last = max(course.last or known, known)
    _estimate_starts(courses, events, table)
    _estimate_ends(courses, events, table)
    _number_lines(courses, events, table)
    items = [_item(course, table) for course in courses]
    _add_responses(items, reading, table)
    _chain(items, events)
    return items, [_set_aside(course, table) for course in doubtful]


def _names_no_act(told: Told, table: Rules) -> bool:
    return told.act_code in table.treatments["vague_acts"]


def _is_sure_operation(course: Course, table: Rules) -> bool:
    return (
        course.type is TreatmentType.SURGERY
        and (course.from_rows or course.is_exact)
        and not _names_none(course.act_code, table)
    )


def by_first_day(items: Iterable[TreatmentItem]) -> list[TreatmentItem]:
    """Treatments by first day."""
    return sorted(items, key=lambda one: (one.start or dt.date.max, one.type.value, one.name, one.end or dt.date.max))


@lru_cache(maxsize=4096)
def _type_of_act(terminology: Terminology, code: str) -> TreatmentType | None:
    return terminology.treatment_type_of_act(code)


@lru_cache(maxsize=4096)
def _drug_of_code(terminology: Terminology, code: str) -> DrugItem:
    return DrugItem(terminology.label("ATC", code).lower(), code)


@lru_cache(maxsize=1024)
def _drugs_of_regimen(terminology: Terminology, code: str) -> tuple[DrugItem, ...]:
    return tuple(DrugItem(inn.lower(), atc) for inn, atc in terminology.regimen(code))


@lru_cache(maxsize=4096)
def drug_of_name(name: str, terminology: Terminology) -> DrugItem:
    """The drug of a written name ("5-FU", "Épirubicine"), in its INN; the name itself where it is unknown."""
    written = name.strip()
    for match in terminology.match(written):
        if match.kind == MentionKind.DRUG.value and match.code and match.end - match.start >= len(written) - 2:
            return DrugItem(terminology.label("ATC", match.code).lower(), match.code)
    return DrugItem(written.lower(), None)


# --- From rows -------------------------------------------------------------------------------------------------


def _courses_of_rows(reading: Reading, terminology: Terminology, table: Rules) -> list[Course]:
    """Administered cycles of one protocol and the same drugs, without a long pause between two, are one course."""
    open_courses: dict[tuple[str | None, frozenset[str], str | None], Course] = {}
    courses: list[Course] = []
    for row in cycles(reading, terminology):
        values = row.values
        if str(values.get("statut") or "administré").strip().lower() not in ADMINISTERED or row.date is None:
            continue
        regimen, items = _drugs_of_row(row, terminology)
        line = _integer(values.get("ligne"))
        intent = table.treatments["intents"].get(str(values.get("intention") or "").strip().lower())
        key = (regimen, frozenset(item.atc or item.name for item in items), intent)
        course = open_courses.get(key)
        if course is None or course.last is None or (row.date - course.last).days > table.treatments["course_gap"]:
            course = Course(
                _type_of(items, terminology, unknown=TreatmentType.CHEMOTHERAPY),
                key[1],
                items,
                regimen,
                name=_name(regimen, items, terminology, str(values.get("protocole") or "")),
                line=line if intent in (None, "palliative") else None,
                intent=intent,
                from_rows=True,
            )
            open_courses[key] = course
            courses.append(course)
        course.reach(day(row.date))
        course.rows.append(row)
    return courses


def _drugs_of_row(row: StructuredRow, terminology: Terminology) -> tuple[str | None, tuple[DrugItem, ...]]:
    protocol = str(row.values.get("protocole") or "").strip()
    regimen = _regimen_of_name(protocol, terminology) if protocol else None
    names = [name for name in str(row.values.get("medicaments") or "").split("+") if name.strip()]
    if names:
        return regimen, tuple(sorted({drug_of_name(name, terminology) for name in names}, key=lambda d: d.name))
    if regimen:
        return regimen, tuple(DrugItem(inn.lower(), atc) for inn, atc in terminology.regimen(regimen))
    return None, ((drug_of_name(protocol, terminology),) if protocol else ())


@lru_cache(maxsize=1024)
def _regimen_of_name(protocol: str, terminology: Terminology) -> str | None:
    if protocol.startswith("REG:"):
        return protocol
    if terminology.concept("LOCAL", f"REG:{protocol.upper()}"):
        return f"REG:{protocol.upper()}"
    for match in terminology.match(protocol):
        if match.kind == MentionKind.REGIMEN.value and match.code:
            return match.code
    return None


def _with_acts(courses: list[Course], reading: Reading, terminology: Terminology, table: Rules) -> list[Course]:
    for row in reading.rows_of("act"):
        code = str(row.values.get("code", ""))
        kind = _type_of_act(terminology, code)
        if kind is None or kind not in LOCAL_TYPES or row.date is None:
            continue
        gap = table.treatments["session_gap" if kind is TreatmentType.RADIOTHERAPY else "surgery_merge"]
        same = next((one for one in courses if one.type is kind and _is_near(one, day(row.date), gap)), None)
        if same is None:
            same = Course(kind, act_code=code, name=terminology.label("CCAM", code), from_rows=True)
            courses.append(same)
        same.reach(day(row.date))
        same.rows.append(row)
    for row in reading.rows_of("diagnosis"):
        name = table.treatments["of_cim10"].get(str(row.values.get("code", "")).replace(".", "")[:5])
        if name is None or row.date is None:
            continue
        kind = TreatmentType(name)
        gap = table.treatments["session_gap"]
        same = next((one for one in courses if one.type is kind and _is_near(one, day(row.date), gap)), None)
        if same is None:
            same = Course(
                kind, act_code=f"PROC:{name}", name=terminology.label("LOCAL", f"PROC:{name}"), from_rows=True
            )
            courses.append(same)
        same.reach(day(row.date))
        same.rows.append(row)
    return courses


def _with_stated_days(courses: list[Course], reading: Reading, terminology: Terminology, table: Rules) -> None:
    """Irradiations whose report states the first and the last day ("du … au …", "entre le … et le …")."""
    for page in reading.pages:
        procedures = [
            clue
            for clue in page.of(MentionKind.PROCEDURE)
            if _type_of_act(terminology, clue.code) is TreatmentType.RADIOTHERAPY
        ]
        if page.kind != "radiotherapy" and not procedures:
            continue
        named = {clue.sentence for clue in procedures}
        near = {sentence + step for sentence in named for step in (-1, 1)}
        for first, last in _ranges(page, table):
            others = any(one.kind in (MentionKind.DRUG, MentionKind.REGIMEN) for one in first.neighbours)
            if first.sentence not in named and (others or (page.kind != "radiotherapy" and first.sentence not in near)):
                continue
            longest = dt.timedelta(days=table.treatments["longest_irradiation"])
            if last.mention.date and first.mention.date and last.mention.date - first.mention.date > longest:
                continue
            start, end = first.mention.date, last.mention.date
            assert start is not None
            assert end is not None
            period, gap = day(start), table.treatments["surgery_merge"]
            same = next(
                (one for one in courses if one.type is TreatmentType.RADIOTHERAPY and _is_near(one, period, gap)), None
            )
            if same is None:
                label = terminology.label("LOCAL", "PROC:radiotherapy")
                same = Course(TreatmentType.RADIOTHERAPY, act_code="PROC:radiotherapy", name=label)
                courses.append(same)
            same.reach(period)
            same.reach(day(end))
            same.clues.append(first)
            same.from_rows = True
    for page in reading.pages:
        if page.kind == "radiotherapy":
            _end_of_irradiation(courses, page, terminology, table)


def _end_of_irradiation(courses: list[Course], page: Page, terminology: Terminology, table: Rules) -> None:
    """An end-of-treatment report is written on the last day: the first one follows from the number of sessions."""
    end = page.document.date
    clue = next(
        (
            one
            for one in page.of(MentionKind.PROCEDURE)
            if _type_of_act(terminology, one.code) is TreatmentType.RADIOTHERAPY
        ),
        None,
    )
    if end is None or clue is None:
        return
    gap = table.treatments["session_gap"]
    near = [one for one in courses if one.type is TreatmentType.RADIOTHERAPY and _is_near(one, day(end), gap)]
    if near:
        near[-1].reach(day(end))
        near[-1].clues.append(clue)
        return
    sessions = _sessions(page, table)
    start = end - dt.timedelta(days=round((sessions - 1) * 7 / 5)) if sessions else end
    label = terminology.label("LOCAL", "PROC:radiotherapy")
    course = Course(TreatmentType.RADIOTHERAPY, act_code="PROC:radiotherapy", name=label, from_rows=True, clues=[clue])
    course.reach(day(start))
    course.reach(day(end))
    courses.append(course)


def _sessions(page: Page, table: Rules) -> int:
    """The number of sessions that a report tells, or that its largest dose takes; 0 where it tells neither."""
    told = [int(match[1]) for match in table.sessions.finditer(page.document.text)]
    if told:
        return max(told)
    dose = _gray(page, 0, len(page.document.text), table)
    known: int | None = table.treatments["sessions_of_dose"].get(f"{dose:g}")
    return known or round(dose / table.treatments["gray_a_session"])


def _gray(page: Page, start: int, end: int, table: Rules) -> float:
    """The total dose in Gy that this part of a report tells: the largest, a dose a session times its sessions."""
    found = [0.0]
    if page.doses is None:
        page.doses = [one for one in page.document.mentions if one.kind is MentionKind.DOSE and one.unit == "Gy"]
    for mention in page.doses:
        if start <= mention.start < end:
            times = table.times.search(page.document.text, max(start, mention.start - 25), mention.start)
            found.append((number_of(mention.value) or 0.0) * (int(times[1]) if times else 1))
    return max(found)


def _dose(course: Course, table: Rules) -> float | None:
    """The dose in Gy that most documents give to an irradiation; of a report of its end, wherever it stands there."""
    told: dict[str, float] = {}
    for clue in course.clues:
        page = clue.page
        if dose := _gray(page, *clue.span, table):
            told[page.document.id] = max(told.get(page.document.id, 0.0), dose)
    for page in {clue.page.document.id: clue.page for clue in course.clues}.values():
        if page.kind == "radiotherapy" and page.document.id not in told:
            told[page.document.id] = _gray(page, 0, len(page.document.text), table)
    votes = Counter(dose for dose in told.values() if dose)
    return max(votes, key=lambda dose: (votes[dose], dose)) if votes else None


def _ranges(page: Page, table: Rules) -> list[tuple[Clue, Clue]]:
    """Pairs of days of one sentence that the text joins as first and last."""
    if page.ranges is None:
        page.ranges = list(_found_ranges(page, table))
    return page.ranges


def _found_ranges(page: Page, table: Rules) -> Iterator[tuple[Clue, Clue]]:
    dates = [clue for clue in page.of(MentionKind.DATE) if clue.is_dated]
    for first, last in pairwise(dates):
        if last.mention.start - first.mention.end >= 40 or (
            first.sentence != last.sentence and page.kind != "radiotherapy"
        ):
            continue
        between = page.document.text[first.mention.end : last.mention.start]
        start, end = first.mention.date, last.mention.date
        longest = dt.timedelta(days=table.treatments["longest_range"])
        joins = table.range_words if first.sentence == last.sentence else table.range_lines
        if start and end and start < end < start + longest and joins.match(between):
            yield first, last


# --- From reports ---------------------------------------------------------------------------------------------


def _told_in(page: Page, terminology: Terminology, table: Rules) -> list[Told]:
    """The treatments that one document tells of; drugs joined by "+", "et", "associé à"… are one."""
    found: list[Told] = []
    group: list[Clue] = []
    for clue in page.of_any(MentionKind.DRUG, MentionKind.REGIMEN):
        if _is_drug(clue, table):
            if group and not _joins(group[-1], clue, table):
                found.extend(_told_drugs(group, terminology, table))
                group = []
            group.append(clue)
    found.extend(_told_drugs(group, terminology, table))
    for clue in page.of(MentionKind.PROCEDURE):
        kind = _type_of_act(terminology, clue.code)
        if kind is TreatmentType.SURGERY and (
            _only_samples(clue, table) or table.department.match(clue.words_after(25))
        ):
            kind = None
        if kind is not None and (
            kind not in table.treatments["ignored_types"] or clue.code in table.treatments["other_acts"]
        ):
            name = clue.mention.label or terminology.label(clue.mention.system, clue.code)
            found.append(Told(clue, kind, (), None, clue.code, name, None))
    if not found:
        return []
    ranges = {
        first.sentence: (first.mention.date, last.mention.date, last.mention.end)
        for first, last in _ranges(page, table)
    }
    return _together([_dated(one, ranges, table) for one in found])


def _is_drug(clue: Clue, table: Rules) -> bool:
    """A drug with its INN, or a regimen; not a class ("platine"), nor the conditioning of a transplant."""
    if not clue.code or (
        clue.kind is MentionKind.DRUG and clue.mention.system == "ATC" and len(clue.code) < ATC_OF_INN
    ):
        return False
    if clue.code in table.treatments["conditioning"]:
        return False
    text, start, end = clue.page.document.text, max(clue.span[0], clue.mention.start - 60), clue.mention.start
    return table.conditioning.search(text[start:end]) is None


def _dated(told: Told, ranges: dict[int, tuple[dt.date | None, dt.date | None, int]], table: Rules) -> Told:
    """When it was given, and whether the words say a start, a stop, or only that it was under way.

    The date of "progression au scanner du … sous sunitinib" is that of the scan: the drug was given before.
    """
    clue = told.clue
    period, end, dated, mode = period_of(clue), None, clue.is_dated, ""
    stated = ranges.get(clue.sentence)
    if stated and clue.mention.date in stated[:2]:
        first, last, after = stated
        assert first is not None
        if clue.mention.date == last and clue.mention.start >= after:
            between = clue.page.document.text[after : clue.mention.start]
            if table.then.search(between):
                return told
        period, end = day(first), last
        mode = "start"
    elif (told.items or told.regimen) and (first_day := _first_day_after(clue, table)):
        period, dated, mode = first_day, True, "start"
    elif told.items or told.regimen:
        mode = _mode(told, table)
    elif told.type is TreatmentType.SURGERY and table.not_done_then.search(clue.words_before(60)):
        period, dated = None, False
    elif told.type is TreatmentType.RADIOTHERAPY and (last_day := _last_day_after(clue, table)):
        return _backwards(told, last_day, table)
    told.period, told.end, told.is_dated, told.mode = period, end, dated, mode
    return told


def _first_day_after(clue: Clue, table: Rules) -> Period | None:
    """The day, month or year on which the words after a drug say that it was begun ("(début le 13/11/2018)")."""
    for other in clue.neighbours:
        if other.kind is MentionKind.DATE and other.mention.date and 0 < other.mention.start - clue.mention.end < 80:
            between = clue.page.document.text[clue.mention.end : other.mention.start]
            if table.begun_on.search(between):
                return whole(other.mention.date, precision(other.mention.value))
    return None


def _last_day_after(clue: Clue, table: Rules) -> Period | None:
    """The day, month or year in which the sentence says that an irradiation ended ("achevée en janvier 2024")."""
    words = clue.words_after(120)
    found = table.ended.search(words)
    if not found:
        return None
    place = clue.mention.start + found.end()
    for other in clue.neighbours:
        if other.kind is MentionKind.DATE and other.mention.date and 0 <= other.mention.start - place < 25:
            return whole(other.mention.date, precision(other.mention.value))
    return None


def _backwards(told: Told, last: Period, table: Rules) -> Told:
    """An irradiation whose end is told began as many sessions before as are told; unknown, it joins a known one."""
    words = told.clue.words_after(120)
    sessions = max((int(match[1]) for match in table.sessions.finditer(words)), default=0)
    start = last.start - dt.timedelta(days=round((sessions or 1) * 7 / 5))
    return replace(told, period=Period(start, max(start, last.end)), end=last.start, is_dated=True, mode="stop")


def _mode(told: Told, table: Rules) -> str:
    clue = told.clue
    before, after = clue.words_before(60), clue.words_after(60)[len(clue.mention.text) :]
    if table.stopped_before.search(before) or table.stopped_after.search(after):
        return "stop"
    if table.continued_before.search(before) or table.continued_after.search(after):
        return "during"
    if told.cycle > 1:
        return ""
    if table.started_before.search(before) or table.started_after.search(after):
        return "start"
    return "during" if table.during.search(before) else ""


def _together(found: list[Told]) -> list[Told]:
    """A prescription lists its drugs one a line: one treatment. Elsewhere, a part of a combination is it again."""
    if len(found) < 2:
        return found
    systemic = [one for one in found if one.items]
    listed = [
        one for one in systemic if one.clue.source == "chemotherapy" and not one.is_dated and one.mode != "during"
    ]
    if len(listed) > 1:
        items = {item.atc or item.name: item for one in listed for item in one.items}
        largest = max(listed, key=lambda one: len(one.items))
        ordered = tuple(sorted(items.values(), key=lambda item: item.name))
        name = largest.name if len(largest.items) == len(ordered) else " + ".join(item.name for item in ordered)
        types = [one.type for one in listed]
        kind = next(kind for kind in STRONGEST if kind in types)
        line = next((one.line for one in listed if one.line), None)
        whole = replace(largest, items=ordered, drugs=_identified(ordered), type=kind, name=name, line=line)
        return [*(one for one in found if one not in listed), whole]
    return [one for one in found if not any(_is_part(one, other) for other in systemic)]


def _is_part(one: Told, other: Told) -> bool:
    """Whether drugs are only some of those told elsewhere in the document, and not begun on another day."""
    if not one.items or not one.drugs < other.drugs:
        return False
    begins = one.mode == "start"
    return not (one.is_dated or begins) or (one.period == other.period and (other.mode == "start" or not begins))


def _told_drugs(group: list[Clue], terminology: Terminology, table: Rules) -> list[Told]:
    if not group:
        return []
    given = _combination(tuple([(one.kind is MentionKind.REGIMEN, one.code) for one in group]), terminology)
    if given.type in table.treatments["ignored_types"]:
        return []
    before = group[0].words_before(50)
    if (len(group) > 1 and table.between.search(before)) or table.weighed.search(before):
        return []  # "entre FOLFIRI et gemcitabine": two that were weighed, not one that was given
    first = next((clue for clue in group if clue.mention.date), group[0])
    lines = [other.mention.value for other in first.neighbours if other.kind is MentionKind.LINE]
    line = _integer(lines[0]) if len(lines) == 1 else None
    cycle = _cycle_of(first, table)
    return [Told(first, given.type, given.items, given.regimen, None, given.name, line, drugs=given.drugs, cycle=cycle)]


class _Combination(NamedTuple):
    regimen: str | None
    items: tuple[DrugItem, ...]
    type: TreatmentType
    name: str
    drugs: frozenset[str]


@lru_cache(maxsize=8192)
def _combination(codes: tuple[tuple[bool, str], ...], terminology: Terminology) -> _Combination:
    """The drugs of some codes, each a regimen's or a drug's, by name; of type `other` where none is known."""
    items: dict[str, DrugItem] = {}
    for is_regimen, code in codes:
        drugs = _drugs_of_regimen(terminology, code) if is_regimen else (_drug_of_code(terminology, code),)
        for drug in drugs:
            items.setdefault(drug.atc or drug.name, drug)
    ordered = tuple(sorted(items.values(), key=lambda drug: drug.name))
    regimen = next((code for is_regimen, code in codes if is_regimen), None)
    name = _name(regimen, ordered, terminology, "")
    return _Combination(regimen, ordered, _type_of(ordered, terminology), name, _identified(ordered))


def _identified(items: Iterable[DrugItem]) -> frozenset[str]:
    return frozenset(item.atc or item.name for item in items)


def _only_samples(clue: Clue, table: Rules) -> bool:
    """Whether the words of an act, or the one that a hyphen ties to them, say that it takes a sample."""
    mention, text = clue.mention, clue.page.document.text
    before = text[max(0, mention.start - _LONGEST_WORD) : mention.start]
    after = text[mention.end : mention.end + _LONGEST_WORD]
    before = before.rsplit(maxsplit=1)[-1] if before.endswith(_HYPHENS) else ""
    after = after.split(maxsplit=1)[0] if after.startswith(_HYPHENS) else ""
    words = f"{before}{mention.text}{after}".lower()
    return any(part in words for part in table.treatments["diagnostic_words"])


def _joins(first: Clue, second: Clue, table: Rules) -> bool:
    """Whether what lies between two drugs makes them one treatment."""
    if first.neighbours is not second.neighbours or second.mention.start - first.mention.end > 40:
        return False
    between = first.page.document.text[first.mention.end : second.mention.start]
    return table.joiners.match(between) is not None


def _join_local(courses: list[Course], told: Told, terminology: Terminology, table: Rules) -> None:
    """An operation or a radiotherapy: dated by its sentence, or by the report of those who did it."""
    clue = told.clue
    own_day = told.is_dated or (
        clue.source in _reporting(told.type, table) and not clue.is_dated and not _is_stay_for_drugs(clue.page, table)
    )
    period = told.period if own_day else None
    gap = table.treatments["session_gap" if told.type is TreatmentType.RADIOTHERAPY else "surgery_merge"]
    same_type = [one for one in courses if one.type is told.type]
    is_exact = (
        period is not None
        and period.is_day
        and (
            clue.source in table.treatments["operating_kinds"]
            or (told.is_dated and period.start != clue.page.document.date)  # "sortie ce jour après mastectomie"
        )
    )
    if period is not None:
        near = [
            one
            for one in same_type
            if one.period and _is_near(one, period, gap) and not (is_exact and _is_another(one, told, period, table))
        ]
    else:
        near = [one for one in same_type if one.start is None or clue.date is None or one.start <= clue.date]
        near = [one for one in near if one.act_code == told.act_code] or [
            one for one in near if _may_be_act(one.act_code, told.act_code, terminology, table)
        ]
    proposed = not own_day and clue.source in table.treatments["proposing_kinds"]
    if proposed and not any(one.act_code == told.act_code for one in near):
        return
    if near:
        course = max(near, key=lambda one: (one.act_code == told.act_code, one.start or dt.date.min))
        course.clues.append(clue)
        if told.mode == "stop":
            return
        if period is not None and not course.from_rows and not course.is_exact:
            course.reach(period)
            if is_exact and told.type is not TreatmentType.RADIOTHERAPY:
                course.period, course.last, course.is_exact = period, period.start, True
        if not course.from_rows and _names_none(course.act_code, table) and not _names_none(told.act_code, table):
            course.act_code, course.name = told.act_code, told.name
        return
    if told.act_code in table.treatments["vague_acts"]:
        around = table.treatments["same_operation"]
        done = [one for one in courses if one.type in NOT_DRUGS and period and _is_near(one, period, around)]
        if done:
            done[-1].clues.append(clue)
        if done or clue.source != "surgery":
            return
    if period is None and (clue.is_history or clue.source in table.treatments["proposing_kinds"]):
        return
    course = Course(told.type, act_code=told.act_code, name=told.name, clues=[clue], is_exact=is_exact)
    if period is not None:
        course.reach(period)
        if told.end:
            course.last = max(course.last or told.end, told.end)
    courses.append(course)


def _may_be_act(one: str | None, other: str | None, terminology: Terminology, table: Rules) -> bool:
    """Whether an act (`other`) told without a day may be this operation: of its organ, or without a name of its own."""
    if _names_none(other, table) or one is None or one in table.treatments["vague_acts"]:
        return True
    return other is not None and _group_of_act(terminology, one) == _group_of_act(terminology, other)


def _names_none(act: str | None, table: Rules) -> bool:
    """Whether the words say that something was removed, not what ("exérèse", "curage")."""
    return act in table.treatments["vague_acts"] or act in table.treatments["accompanying_acts"]


def _group_of_act(terminology: Terminology, code: str) -> str:
    place = site_of_act(terminology, code)
    return site_group(place) if place else ""


def _is_another(course: Course, told: Told, period: Period, table: Rules) -> bool:
    """Whether an operation whose day is told is not this one: another act, some days from its own told day."""
    if told.type is TreatmentType.RADIOTHERAPY or not course.is_exact or course.period is None:
        return False
    vague = table.treatments["vague_acts"]
    same = told.act_code == course.act_code or told.act_code in vague or course.act_code in vague
    if same and not table.redone.search(told.clue.words_before(20) + told.clue.words_after(20)):
        return False
    return abs((period.start - course.period.start).days) > table.treatments["same_operation"]


def _is_stay_for_drugs(page: Page, table: Rules) -> bool:
    return page.kind in table.treatments["stay_kinds"] and any(
        _is_drug(one, table) for one in page.of_any(MentionKind.DRUG, MentionKind.REGIMEN)
    )


def _reporting(kind: TreatmentType, table: Rules) -> Sequence[str]:
    return ["radiotherapy"] if kind is TreatmentType.RADIOTHERAPY else table.treatments["same_day_kinds"]


def _not_of_diagnosis(told: Told, tumours: Tumours, table: Rules) -> Told:
    """The day of the diagnosis beside a drug is the tumour's ("carcinome du 04/03/2019, sous létrozole")."""
    if not (told.is_dated and told.items and told.mode != "start"):
        return told
    of_tumour = any(item.diagnosis_date == told.clue.mention.date for item in tumours.items)
    since = table.since.search(told.clue.words_of_sentence()) is not None
    if not of_tumour and not (since and any(one.kind is MentionKind.MORPHOLOGY for one in told.clue.neighbours)):
        return told
    own = told.clue.page.document.date
    told.is_dated, told.period, told.mode = False, day(own) if own else None, told.mode or "during"
    return told


def _join_systemic(courses: list[Course], told: Told, turns: Turns, table: Rules) -> None:
    """Drugs told by a report join the course that has them; without one they are a course of their own."""
    clue, period, drugs = told.clue, told.period, told.drugs
    if not drugs:
        _join_unnamed(courses, told, period, table)
        return
    sharing = [one for one in courses if one.drugs and (drugs <= one.drugs or one.drugs <= drugs)]
    if told.mode in ("during", "stop"):
        begun = [one for one in sharing if one.start is None or period is None or one.start <= period.end]
        if begun:
            _tell_again(max(begun, key=lambda one: _fits(one, drugs)), told, table)
            return
    near = [one for one in sharing if period is None or _tells_of(one, told, turns, table)]
    if near:
        course = max(near, key=lambda one: _fits(one, drugs))
        course.clues.append(clue)
        course.line = course.line or (told.line if course.intent in (None, "palliative") else None)
        if course.from_rows:
            return
        course.told.append(told)
        repeats = course.has_start and not _is_first_hand(told, table)
        if repeats and period is not None and period.start < (course.start or period.start):
            return
        if period is not None and not clue.is_history:
            course.reach(period)
            course.has_start = course.has_start or _is_first_hand(told, table)
            if told.end:
                course.reach(day(told.end))
                course.has_end = True
        return
    if not told.is_dated and (clue.is_history or clue.source in table.treatments["proposing_kinds"]):
        return
    course = Course(
        told.type, drugs, told.items, told.regimen, name=told.name, line=told.line, clues=[clue], told=[told]
    )
    course.has_start = _is_first_hand(told, table)
    if period is not None:
        course.reach(period)
        if told.end:
            course.reach(day(told.end))
            course.has_end = True
    courses.append(course)


def _fits(course: Course, drugs: frozenset[str]) -> tuple[bool, bool, dt.date]:
    """The course that drugs are told of: one of the rows, of the same drugs, the last one."""
    return course.from_rows, course.drugs == drugs, course.start or dt.date.min


def _tell_again(course: Course, told: Told, table: Rules) -> None:
    """A course that was under way or that stops: its last day is at least that one."""
    course.clues.append(told.clue)
    course.told.append(told)
    period = told.period
    if course.from_rows or period is None or course.start is None:
        return
    if told.mode == "stop" or (period.start - (course.last or course.start)).days <= table.treatments["continued"]:
        course.last = max(course.last or period.start, period.start)
    if told.mode == "stop":
        course.has_end = True
        words = told.clue.words_of_sentence()
        course.stop_reason = next(
            (name for name, pattern in table.stop_reasons.items() if pattern.search(words)), course.stop_reason
        )


def _join_unnamed(courses: list[Course], told: Told, period: Period | None, table: Rules) -> None:
    """A "chimiothérapie" without drugs speaks of the course of its time; alone it is a treatment if it is dated."""
    gap = table.treatments["told_merge"]
    same = [one for one in courses if one.type is told.type and period and _is_near(one, period, gap)]
    if same:
        same[-1].clues.append(told.clue)
    elif told.clue.is_dated and period:
        course = Course(told.type, act_code=told.act_code, name=told.name, clues=[told.clue])
        course.reach(period)
        courses.append(course)


def _tells_of(course: Course, told: Told, turns: Turns, table: Rules) -> bool:
    """Whether drugs told then can be this course: during it, shortly around it, or later as its past.

    A part of its drugs alone, begun after its last day, is what follows it (maintenance, a lighter protocol); the
    same drugs begun again after a long pause are given again.
    """
    clue, period = told.clue, told.period
    if course.period is None or course.last is None or period is None:
        return True
    before = (course.period.start - period.end).days
    after = (period.start - max(course.last, course.period.end)).days
    if before > table.treatments["told_merge"]:
        return False
    # The file of the pharmacy holds every chemotherapy: a report that gives another day retells the same one.
    if course.from_rows and (not clue.is_dated or course.type is TreatmentType.CHEMOTHERAPY):
        return True
    given = clue.source in table.treatments["giving_kinds"] or told.mode == "start"
    is_later_cycle = told.cycle > 1
    if not clue.is_history and not course.from_rows:
        begun = told.is_dated or told.mode == "start"
        apart = after > table.treatments["add_drug"]
        if told.drugs < course.drugs and apart and begun:
            return False
        if course.drugs < told.drugs and apart and (given or begun):
            return False
        if (
            apart
            and (given or begun)
            and not is_later_cycle
            and turns.between(course, period.start, table.treatments["advanced_before"])
        ):
            return False
        if told.is_dated and told.mode == "start" and course.has_start and period.is_day:
            again = told.drugs == course.drugs and told.type is TreatmentType.CHEMOTHERAPY
            if again and after > table.treatments["begun_again"]:
                return False
            if told.drugs != course.drugs and -before > table.treatments["told_merge"]:
                return False
        if is_later_cycle and after <= table.treatments["continued"]:
            return True
    limit = table.treatments["continued" if course.type in LASTING else "told_merge"]
    return after <= limit or (clue.is_history and not clue.is_dated) or (not clue.is_dated and not course.from_rows)


# --- Lines, tumours, responses -----------------------------------------------------------------------------


def _tumour_of(course: Course, tumours: Tumours, events: Sequence[EventItem], table: Rules) -> TumourItem | None:
    """The tumour that a treatment treats: that of its sentences; else the one that turned worse not long before."""
    votes: dict[int, int] = defaultdict(int)
    for clue in course.clues:
        item = tumours.named_by(clue)
        if item:
            votes[item.rank] += 1
    if votes and len(tumours.items) > 1:
        return tumours.items[max(sorted(votes), key=lambda rank: votes[rank]) - 1]
    turns = [
        one for one in events if one.type in TURNS and one.date and course.start and (course.start - one.date).days >= 0
    ]
    last = max(turns, key=lambda one: str(one.date), default=None)
    if last and last.date and course.start and (course.start - last.date).days <= table.treatments["unseen_start"]:
        return next((item for item in tumours.items if item.rank == last.tumour_rank), None)
    return tumours.at(course.start)


def _settle_drugs(course: Course, table: Rules) -> None:
    """The drugs of a course that only reports tell: those that most documents name together, proposals left out."""
    if course.from_rows or len(course.told) < 2:
        return
    votes: dict[frozenset[str], set[str]] = defaultdict(set)
    for one in course.told:
        if one.clue.source not in table.treatments["proposing_kinds"] or one.clue.is_dated:
            votes[one.drugs].add(one.clue.page.document.id)
    if not votes:
        return
    # A part of a combination is often told for the whole: a combination that two documents name stands for its parts.
    drugs = max(
        sorted(votes, key=sorted),
        key=lambda one: (
            sum(len(votes[part]) for part in votes if part <= one) if len(votes[one]) > 1 else len(votes[one]),
            len(one),
        ),
    )
    best = next(one for one in course.told if one.drugs == drugs)
    regimen = next((one.regimen for one in course.told if one.drugs == drugs and one.regimen), None)
    named = next((one for one in course.told if one.drugs == drugs and one.regimen), best)
    course.drugs, course.items, course.type, course.regimen, course.name = (
        drugs,
        best.items,
        best.type,
        regimen,
        named.name,
    )


def _is_supported(course: Course, has_file: bool, visits: Sequence[dt.date], table: Rules) -> bool:
    """Whether a systemic treatment that no row shows is told well enough: by those who gave it, with a day, or often.

    One passing word is not, where the pharmacy's file is there or where later visits never tell it again; nor are few
    documents that name drugs without a day, a beginning, an end or an evaluation: so are options named.
    """
    if course.from_rows or course.type not in SYSTEMIC:
        return True
    documents = {clue.page.document.id for clue in course.clues}
    if course.has_end or any(one.source in table.treatments["giving_kinds"] for one in course.clues):
        return True
    if not any(one.mode or one.is_dated for one in course.told):
        return len(documents) >= table.treatments["passing_documents"]
    if len(documents) > 1 or (not has_file and any(one.mode == "start" for one in course.told)):
        return True
    told = course.clues[0].page.document.date
    if has_file or told is None:
        return not has_file
    later = sum((visit - told).days > table.events["same_visit"] for visit in visits)
    return bool(later < table.events["later_visits"])


def _without_unnamed(courses: list[Course], table: Rules) -> list[Course]:
    """A "chimiothérapie" without drugs whose days are those of a named one is that one."""
    kept = []
    for course in courses:
        if course.type in SYSTEMIC and not course.drugs and course.period:
            named = [
                one
                for one in courses
                if one.drugs and one.type in SYSTEMIC and _is_near(one, course.period, table.treatments["told_merge"])
            ]
            if named:
                named[0].clues.extend(course.clues)
                continue
        kept.append(course)
    return kept


def _is_of_another(course: Course, courses: Sequence[Course]) -> bool:
    """Whether an undated operation or irradiation that one document tells is a dated one, announced or told again."""
    if course.type not in NOT_DRUGS:
        return False
    if len({clue.page.document.id for clue in course.clues}) == 1 and not any(clue.is_history for clue in course.clues):
        return True
    same = [one for one in courses if one.type is course.type and one.period is not None]
    return any(one.act_code == course.act_code or course.type is TreatmentType.RADIOTHERAPY for one in same)


def _estimate_starts(courses: Sequence[Course], events: Sequence[EventItem], table: Rules) -> None:
    """A systemic treatment first seen under way began before: soon after the relapse or progression that it treats.

    Only where no sentence dates it, no report of its first cycle is there, and nothing else was begun in between.
    """
    longest = table.treatments["unseen_start"]
    for course in courses:
        if course.type not in SYSTEMIC or course.from_rows or course.start is None or not course.told:
            continue
        if any(one.is_dated or one.mode == "start" for one in course.told):
            continue
        if any(
            one.clue.source in table.treatments["first_cycle_kinds"] and not one.clue.is_history for one in course.told
        ):
            continue
        before = [
            one.date
            for one in events
            if one.date
            and one.type in (*TURNS, EventType.INITIAL, EventType.SECOND_CANCER)
            and table.treatments["usual_start"] < (course.start - one.date).days <= longest
        ]
        if not before:
            continue
        guess = max(before) + dt.timedelta(days=table.treatments["usual_start"])
        if any(
            one is not course and one.type in SYSTEMIC and one.start and max(before) <= one.start < course.start
            for one in courses
        ):
            continue
        if guess < course.start:
            course.seen, course.period = course.start, day(guess)


def _estimate_ends(courses: Sequence[Course], events: Sequence[EventItem], table: Rules) -> None:
    """A systemic treatment whose last day nobody tells lasted until the progression after which another one begins.

    Where reports tell it again after that progression, it was kept.
    """
    systemic = [one for one in courses if one.type in SYSTEMIC and one.start]
    for course in systemic:
        if course.from_rows or course.has_end or course.intent in ("adjuvant", "neoadjuvant", "curative"):
            continue
        assert course.start is not None
        told_last = course.last or course.start
        turns = [one.date for one in events if one.type in TURNS and one.date and one.date > course.start]
        if not turns:
            continue
        turn = min(turns)
        others = [one.start for one in systemic if one is not course and one.start and course.start < one.start]
        if told_last <= turn + dt.timedelta(days=table.treatments["add_drug"]) and not any(
            one < turn for one in others
        ):
            since = metastatic_since(course.tumour, events) if course.tumour else None
            if since and since <= course.start + dt.timedelta(days=table.treatments["advanced_before"]):
                course.last, course.stop_reason = turn, course.stop_reason or "progression"


def _concerns_cancer(course: Course, tumours: Tumours, table: Rules) -> bool:
    """Whether an operation may treat one of the tumours; everything else does."""
    if course.type is not TreatmentType.SURGERY:
        return True
    sites = table.treatments["benign_acts"].get(course.act_code or "")
    if sites is not None and not any((item.topography or "")[:3] in sites for item in tumours.items):
        return False
    first = min((item.diagnosis_date for item in tumours.items if item.diagnosis_date), default=None)
    if first is None or course.period is None:
        return True
    return bool((first - course.period.end).days <= table.treatments["before_diagnosis"])


def _number_lines(courses: list[Course], events: Sequence[EventItem], table: Rules) -> None:
    """Count the lines of advanced disease where the rows do not say them.

    A new line is another treatment; a drug added within days, or kept alone afterwards (maintenance), is not.
    """
    by_tumour: dict[int, list[Course]] = defaultdict(list)
    tumours: dict[int, TumourItem] = {}
    for course in courses:
        if course.type in SYSTEMIC and course.start and course.tumour:
            by_tumour[course.tumour.rank].append(course)
            tumours[course.tumour.rank] = course.tumour
    for rank, own in by_tumour.items():
        since = metastatic_since(tumours[rank], events)
        line, previous = 0, None
        for course in sorted(own, key=lambda one: (one.start, one.name)):
            assert course.start is not None
            if course.intent in ("curative", "adjuvant", "neoadjuvant"):
                course.line = None
                continue
            if since is None or (since - course.start).days > table.treatments["advanced_before"]:
                course.line = course.line if course.from_rows else None
                continue
            if course.line is None:
                course.line = line if line and previous and _same_line(previous, course, table) else line + 1
            line, previous = max(line, course.line), course


def _same_line(previous: Course, course: Course, table: Rules) -> bool:
    assert previous.start is not None
    assert course.start is not None
    return course.drugs < previous.drugs or (course.start - previous.start).days <= table.treatments["add_drug"]


def _add_responses(items: list[TreatmentItem], reading: Reading, table: Rules) -> None:
    """The last response told between the start of a systemic treatment and the start of the next one."""
    systemic = sorted((one for one in items if one.type in SYSTEMIC and one.start), key=lambda one: str(one.start))
    for clue in reading.clues(MentionKind.RESPONSE):
        told = clue.date
        if told is None or clue.is_history or not clue.code.startswith("RESP:"):
            continue
        current = [one for one in systemic if one.start and one.start <= told]
        if not current:
            continue
        course = current[-1]
        if course.end is None or (told - course.end).days <= table.treatments["told_merge"]:
            course.response = clue.code.removeprefix("RESP:")


# --- Words ----------------------------------------------------------------------------------------------------


def _chain(items: Iterable[TreatmentItem], events: Sequence[EventItem]) -> None:
    """The event that a treatment treats: the last one of its tumour that was known when it began."""
    for item in items:
        before = [
            one
            for one in events
            if one.tumour_rank == item.tumour_rank
            and one.type not in (EventType.REMISSION, EventType.DEATH)
            and one.date
            and item.start
            and one.date <= item.start
        ]
        first = next((one for one in events if one.tumour_rank == item.tumour_rank), None)
        item.event = max(before, key=lambda one: str(one.date)).key if before else first.key if first else None


def _set_aside(course: Course, table: Rules) -> SetAside:
    item = _item(course, table)
    return SetAside(
        item=EvidenceItem.TREATMENT,
        label=item.name,
        date=item.start,
        values={
            "type": item.type.value,
            "name": item.name,
            "drugs": [{"name": drug.name, "atc": drug.atc} for drug in item.drugs],
            "start": item.start.isoformat() if item.start else None,
        },
        key=key_of(item),
        confidence=round(item.confidence / 2, 2),
        why=f"Non retenu : aucun autre document ne dit qu'il a été donné ; {item.why[:1].lower()}{item.why[1:]}",
        evidence=item.evidence,
    )


def _item(course: Course, table: Rules) -> TreatmentItem:
    operation = course.type in (TreatmentType.SURGERY, TreatmentType.TRANSPLANT)
    name, act_code = _named_operation(course, table) if operation else (course.name, course.act_code)
    said = voices(course.clues, course.rows)
    return TreatmentItem(
        type=course.type,
        name=name,
        drugs=list(course.items),
        regimen=course.regimen,
        act_code=act_code,
        line=course.line,
        start=course.start,
        end=course.start if operation else course.last,
        tumour_rank=course.tumour.rank if course.tumour else None,
        intent=course.intent,
        stop_reason=course.stop_reason,
        cycles=len(course.rows) if course.rows and not operation else None,
        dose=_dose(course, table) if course.type is TreatmentType.RADIOTHERAPY else None,
        confidence=confidence(said, table=table),
        why=f"Écrit par {who_says(said)}{when_said(said)}{_estimated(course)}.",
        evidence=course.evidence(table),
    )


def _estimated(course: Course) -> str:
    return f" ; vu en cours le {french(course.seen)}, début estimé d'après l'événement traité" if course.seen else ""


def _named_operation(course: Course, table: Rules) -> tuple[str, str | None]:
    """Name and code of an operation: the words that the reports use most, for a CCAM label is a paragraph.

    A dissection of nodes goes with an operation; it names one only where nothing else does. The code of a row stays.
    """
    votes: dict[tuple[bool, str, str], int] = defaultdict(int)
    for clue in course.clues:
        if (
            clue.kind is MentionKind.PROCEDURE
            and clue.mention.label
            and clue.code not in table.treatments["vague_acts"]
        ):
            votes[clue.code in table.treatments["accompanying_acts"], clue.mention.label, clue.code] += 1
    if not votes:
        return course.name, course.act_code
    best = min(votes, key=lambda one: (one[0], -votes[one], len(one[1]), one))
    return best[1], course.act_code if course.from_rows else best[2]


@lru_cache(maxsize=4096)
def _type_of(
    items: tuple[DrugItem, ...], terminology: Terminology, unknown: TreatmentType = TreatmentType.OTHER
) -> TreatmentType:
    """The type of a combination: chemotherapy as soon as one drug is; `unknown` where no drug is known."""
    types = {terminology.treatment_type_of_drug(item.atc) if item.atc else TreatmentType.OTHER for item in items}
    return next((kind for kind in STRONGEST if kind in types), unknown)


def _name(regimen: str | None, items: Iterable[DrugItem], terminology: Terminology, written: str) -> str:
    """A regimen's name, else what was written, else the drugs joined by "+"."""
    if regimen:
        return terminology.label("LOCAL", regimen).removeprefix("REG:")
    return written or " + ".join(item.name for item in items)


def _is_near(course: Course, period: Period, gap: int) -> bool:
    return course.period is not None and Period(
        course.period.start, max(course.last or course.period.end, course.period.end)
    ).near(period, gap)


def _telling_order(told: Told) -> tuple[bool, bool, int, bool, dt.date, str, int]:
    """Those who give a day or did it first, then by date: what only repeats, or knows the year, joins what is known."""
    clue, period = told.clue, told.period
    table = rules()
    days = (period.end - period.start).days if period else 999
    later = told.cycle > 1 and told.mode != "start"
    first_hand = told.mode == "start" or (clue.source in table.treatments["giving_kinds"] and not later)
    rank = (
        0
        if days == 0 and (told.is_dated or first_hand) and not later
        else 1
        if days <= 31 and told.is_dated
        else 2
        if days <= 31
        else 3
    )
    return (
        told.mode in ("during", "stop"),
        clue.is_history and not clue.is_dated,
        rank,
        not clue.is_dated and clue.source in table.events["told_kinds"] and told.type in LOCAL_TYPES,
        clue.date or dt.date.max,
        clue.page.document.id,
        clue.mention.start,
    )


def _is_first_hand(told: Told, table: Rules) -> bool:
    """Whether a sentence dates it, says that it begins, or is of those who did it."""
    if told.cycle > 1 and told.mode != "start":
        return False
    if told.is_dated or told.mode == "start":
        return True
    kinds = "operating_kinds" if told.type is TreatmentType.SURGERY else "giving_kinds"
    return told.clue.source in table.treatments[kinds]


def _cycle_of(clue: Clue, table: Rules) -> int:
    """The number of the cycle that the words around a drug tell; 0 where they tell none."""
    found = table.cycle.search(clue.words_before(30) + clue.words_after(40))
    return int(next(number for number in found.groups() if number)) if found else 0


def _integer(value: object) -> int | None:
    text = str(value or "").strip()
    return int(text) if text.isdigit() and int(text) > 0 else None
