"""What the API answers, as plain dataclasses: the screens read these and never a raw dictionary.

Names are the schema's, in snake case. `decode` builds any of them from JSON; dates become `date`, times become
`datetime` in UTC. A field that the operation did not ask for keeps its default.
"""

from __future__ import annotations

import datetime as dt
import re
import types
import typing
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Criteria = dict[str, Any]
GLYPHS = str.maketrans({"→": "›", "↑": "(+)", "↓": "(−)"})  # the font of the app has no arrows
SURE_FROM = 0.6  # below, an item is not shown as a fact; the server marks its summary so too


@dataclass(slots=True, frozen=True)
class Centre:
    """The centre that the server belongs to, with its medical referent."""

    code: str
    name: str
    finess: str = ""
    referent_name: str = ""
    referent_email: str = ""
    referent_phone: str = ""
    patient_count: int = 0
    document_count: int = 0
    freshness: dt.datetime | None = None


@dataclass(slots=True, frozen=True)
class Me:
    """Who is signed in."""

    login: str
    name: str
    role: str
    centre: Centre


@dataclass(slots=True, frozen=True)
class Session:
    """Tokens; kept in memory only."""

    access_token: str
    refresh_token: str
    expires_at: dt.datetime
    me: Me


@dataclass(slots=True, frozen=True)
class Evidence:
    """Why something is believed: the sentence, and where it stands (code points) when it is in a document."""

    quote: str
    confidence: float
    document_id: str | None = None
    document_kind: str | None = None
    date: dt.date | None = None
    start: int | None = None
    end: int | None = None


@dataclass(slots=True, frozen=True)
class Conflict:
    """What another source says of one attribute of an item."""

    attribute: str
    value: str


@dataclass(slots=True, frozen=True)
class Belief:
    """How sure an item is, and why; `key` names it for a review."""

    key: str
    confidence: float
    reviewed: bool
    why: str = ""
    conflicts: list[Conflict] = field(default_factory=list)

    @property
    def is_doubtful(self) -> bool:
        """Whether it is shown with a question mark."""
        return not self.reviewed and self.confidence < SURE_FROM


@dataclass(slots=True, frozen=True)
class Alternative:
    """Another reading of a part of the question; `text` goes in its place."""

    label: str
    text: str


@dataclass(slots=True, frozen=True)
class Chip:
    """A part of the question that was understood; `start`, `end` are code points in the question."""

    text: str
    start: int
    end: int
    kind: str
    label: str
    negated: bool
    criterion: Criteria
    system: str | None = None
    code: str | None = None
    alternatives: list[Alternative] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class Snippet:
    """A sentence of a document; `html` is escaped text with `<mark>` only."""

    document_id: str
    document_kind: str
    html: str
    date: dt.date | None = None


@dataclass(slots=True, frozen=True)
class PatientLine:
    """A patient in a list. Identity is null for roles that may not see it."""

    id: str
    headline: str
    sex: str
    vital_status: str
    ipp: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    birth_date: dt.date | None = None
    age: int | None = None


@dataclass(slots=True, frozen=True)
class Hit:
    """A patient found, and why."""

    patient: PatientLine
    score: float
    why: list[str]
    snippets: list[Snippet]


@dataclass(slots=True, frozen=True)
class Relaxation:
    """A near question that somebody answers, where nobody answers this one; `criteria` are the filters that stay."""

    kind: str
    label: str
    text: str
    count: int
    criteria: Criteria | None = None


@dataclass(slots=True, frozen=True)
class SearchResult:
    """One page of patients."""

    understood: list[Chip]
    words: list[str]
    total: int
    hits: list[Hit]
    milliseconds: int
    criteria: Criteria | None = None
    notice: str | None = None
    relaxations: list[Relaxation] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class FacetValue:
    """A value to narrow the search by."""

    value: str
    label: str
    count: int
    criterion: Criteria


@dataclass(slots=True, frozen=True)
class Facet:
    """A group of values."""

    name: str
    label: str
    values: list[FacetValue]


@dataclass(slots=True, frozen=True)
class Suggestion:
    """A completion: `text` goes into the field, `label` is shown."""

    text: str
    label: str
    kind: str
    system: str | None = None
    code: str | None = None


@dataclass(slots=True, frozen=True)
class Biomarker:
    """A biomarker result."""

    id: str
    code: str
    label: str
    status: str
    value: str | None = None
    unit: str | None = None
    date: dt.date | None = None
    evidence: list[Evidence] = field(default_factory=list)
    belief: Belief | None = None


@dataclass(slots=True, frozen=True)
class Tumour:
    """One primary tumour."""

    id: str
    rank: int
    label: str
    topography: str | None = None
    topography_label: str | None = None
    morphology: str | None = None
    morphology_label: str | None = None
    laterality: str | None = None
    diagnosis_date: dt.date | None = None
    ctnm: str | None = None
    ptnm: str | None = None
    stage: str | None = None
    grade: str | None = None
    biomarkers: list[Biomarker] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    belief: Belief | None = None


@dataclass(slots=True, frozen=True)
class Site:
    """An ICD-O-3 site."""

    code: str
    label: str


@dataclass(slots=True, frozen=True)
class TumourEvent:
    """What happened to a tumour."""

    id: str
    type: str
    label: str
    date: dt.date | None = None
    tumour_rank: int | None = None
    sites: list[Site] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    belief: Belief | None = None


@dataclass(slots=True, frozen=True)
class Drug:
    """A drug by its French INN."""

    name: str
    atc: str | None = None


@dataclass(slots=True, frozen=True)
class Treatment:
    """A treatment that was given; `line` counts from 1 in advanced disease."""

    id: str
    type: str
    name: str
    regimen: str | None = None
    drugs: list[Drug] = field(default_factory=list)
    line: int | None = None
    start: dt.date | None = None
    end: dt.date | None = None
    intent: str | None = None
    response: str | None = None
    tumour_rank: int | None = None
    evidence: list[Evidence] = field(default_factory=list)
    belief: Belief | None = None


@dataclass(slots=True, frozen=True)
class Alteration:
    """A gene alteration."""

    id: str
    gene: str
    status: str
    variant: str | None = None
    date: dt.date | None = None
    evidence: list[Evidence] = field(default_factory=list)
    belief: Belief | None = None


@dataclass(slots=True, frozen=True)
class Sample:
    """A sample of the biobank."""

    id: str
    type: str
    status: str
    date: dt.date | None = None


@dataclass(slots=True, frozen=True)
class TimelineItem:
    """A point (no `end`) or a span of the history."""

    id: str
    kind: str
    label: str
    start: dt.date
    end: dt.date | None = None
    tumour_rank: int | None = None
    evidence: list[Evidence] = field(default_factory=list)
    belief: Belief | None = None

    @property
    def shown(self) -> str:
        """The label, with a question mark where it is not sure."""
        label = drawable(self.label)
        return f"{label} (?)" if self.belief and self.belief.is_doubtful else label


@dataclass(slots=True, frozen=True)
class TimelineLane:
    """A row of the history."""

    key: str
    label: str
    items: list[TimelineItem]


@dataclass(slots=True, frozen=True)
class Timeline:
    """The drawn history, from `begin` to `finish`."""

    lanes: list[TimelineLane]
    begin: dt.date | None = None
    finish: dt.date | None = None


@dataclass(slots=True, frozen=True)
class Patient(PatientLine):
    """A patient with the whole history."""

    death_date: dt.date | None = None
    last_news_date: dt.date | None = None
    summary: list[str] = field(default_factory=list)
    tumours: list[Tumour] = field(default_factory=list)
    events: list[TumourEvent] = field(default_factory=list)
    treatments: list[Treatment] = field(default_factory=list)
    biomarkers: list[Biomarker] = field(default_factory=list)
    alterations: list[Alteration] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    timeline: Timeline | None = None


@dataclass(slots=True, frozen=True)
class ReviewChoice:
    """A value and how it reads."""

    value: str
    label: str


@dataclass(slots=True, frozen=True)
class ReviewField:
    """A value of an item that may be corrected: `choices` a closed list, `others` what other sources say."""

    name: str
    kind: str
    label: str
    choices: list[str] = field(default_factory=list)
    others: list[ReviewChoice] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class ReviewItem:
    """An item that deserves a look; `set_aside`: the history does not hold it, confirming takes it in."""

    id: str
    key: str
    kind: str
    label: str
    confidence: float
    review_value: float
    set_aside: bool
    patient: PatientLine
    belief: Belief
    type: str | None = None
    date: dt.date | None = None
    evidence: list[Evidence] = field(default_factory=list)
    fields: list[ReviewField] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class ReviewPage:
    """Items to look at, the most worth it first; `after` asks for the next page."""

    total: int
    items: list[ReviewItem]
    after: str | None


@dataclass(slots=True, frozen=True)
class Mention:
    """A span of a document that was recognised."""

    start: int
    end: int
    text: str
    kind: str
    assertion: str
    system: str | None = None
    code: str | None = None
    label: str | None = None
    value: str | None = None
    unit: str | None = None


@dataclass(slots=True, frozen=True)
class Document:
    """A document; in lists `text` is empty and `patient` null."""

    id: str
    kind: str
    title: str
    author: str = ""
    service: str = ""
    date: dt.date | None = None
    text: str = ""
    mentions: list[Mention] = field(default_factory=list)
    patient: PatientLine | None = None


@dataclass(slots=True, frozen=True)
class DocumentPage:
    """Documents of a patient, newest first; `after` asks for the next page."""

    total: int
    documents: list[Document]
    after: str | None


@dataclass(slots=True, frozen=True)
class SimilarPatient:
    """A patient who resembles another one, with what they share and what differs."""

    patient: PatientLine
    score: float
    shared: list[str]
    different: list[str]


@dataclass(slots=True, frozen=True)
class CohortVersion:
    """A cohort after it was saved or refreshed; `entered`, `left`: against the version before."""

    number: int
    at: dt.datetime
    login: str
    count: int
    entered: int = 0
    left: int = 0


@dataclass(slots=True, frozen=True)
class Cohort:
    """A named set of patients, exact at its last refresh; `versions` the newest first."""

    id: str
    name: str
    shared: bool
    is_mine: bool
    owner: str
    count: int
    refreshed_at: dt.datetime
    criteria: Criteria
    description: str = ""
    versions: list[CohortVersion] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class FunnelStep:
    """A criterion: who meets it and all before it, and who meets it alone."""

    label: str
    remaining: int
    alone: int


@dataclass(slots=True, frozen=True)
class Funnel:
    """How many remain after each criterion, from everyone on."""

    everyone: int
    steps: list[FunnelStep]
    notices: list[str] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class BreakdownRow:
    """A value and how many patients have it; an empty value: not known."""

    value: str
    label: str
    count: int


@dataclass(slots=True, frozen=True)
class BreakdownTable:
    """One table; `is_partition`: each patient is in one row of it."""

    name: str
    label: str
    is_partition: bool
    rows: list[BreakdownRow]


@dataclass(slots=True, frozen=True)
class AgeBand:
    """A step of the pyramid of ages."""

    band: str
    female: int
    male: int
    unknown: int = 0


@dataclass(slots=True, frozen=True)
class Breakdown:
    """The tables of a cohort and its pyramid of ages at diagnosis, the youngest first."""

    patients: int
    tables: list[BreakdownTable]
    pyramid: list[AgeBand]


@dataclass(slots=True, frozen=True)
class SurvivalPoint:
    """The curve just after `months`, with its interval of 95 %; all parts of 1."""

    months: float
    survival: float
    lower: float
    upper: float


@dataclass(slots=True, frozen=True)
class AtRisk:
    """How many are still followed at a number of months."""

    months: int
    patients: int


@dataclass(slots=True, frozen=True)
class Survival:
    """A curve of Kaplan and Meier, in months."""

    endpoint: str
    patients: int
    excluded: int
    events: int
    points: list[SurvivalPoint]
    at_risk: list[AtRisk]
    median: float | None = None
    median_lower: float | None = None
    median_upper: float | None = None


@dataclass(slots=True, frozen=True)
class CohortMembers:
    """A page of the patients of a cohort."""

    total: int
    patients: list[PatientLine]


@dataclass(slots=True, frozen=True)
class CohortDeparture:
    """A patient who left a cohort, and the criteria that are no longer met."""

    patient: PatientLine
    unmet: list[str]


@dataclass(slots=True, frozen=True)
class CohortChanges:
    """Who came and who went with the last version."""

    version: int
    entered: list[PatientLine]
    left: list[CohortDeparture]


@dataclass(slots=True, frozen=True)
class EligibilityLine:
    """A line of a protocol. `part`: INCLUSION or EXCLUSION; `coverage`: WHOLE, PARTLY or NOTHING of it is coded.

    `words` count for nothing; `accepted`: whether the line counts.
    """

    text: str
    part: str
    coverage: str
    description: str
    words: list[str]
    accepted: bool


@dataclass(slots=True, frozen=True)
class Protocol:
    """A protocol as it was read, with the criteria of the lines that are accepted."""

    lines: list[EligibilityLine]
    criteria: Criteria | None = None


@dataclass(slots=True, frozen=True)
class Trial:
    """A trial that is watched: its cohort follows each ingestion."""

    cohort: Cohort
    lines: list[EligibilityLine]
    newly_eligible_count: int = 0
    newly_eligible: list[PatientLine] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class CentreRow:
    """The answer of one centre: `count` is "<10" or a number rounded up, null when it did not answer."""

    centre_code: str
    centre_name: str
    state: str
    count: str | None = None
    upper_bound: int | None = None
    freshness: dt.datetime | None = None
    message: str | None = None
    referent_name: str | None = None
    referent_email: str | None = None
    referent_phone: str | None = None
    milliseconds: int = 0


@dataclass(slots=True, frozen=True)
class CentresCount:
    """The answers of all centres."""

    request_id: str
    rows: list[CentreRow]
    total: str
    milliseconds: int


@dataclass(slots=True, frozen=True)
class ContactRequest:
    """A request to the referent of another centre, or of another centre to ours."""

    id: str
    direction: str
    peer_code: str
    requester: str
    purpose: str
    state: str
    answer: str
    created_at: dt.datetime
    criteria: Criteria | None = None


@dataclass(slots=True, frozen=True)
class Blackout:
    """No reading from `start` to `end` (HH:MM, it may end the next day) on these weekdays; 0 is Monday."""

    weekdays: list[int]
    start: str
    end: str


@dataclass(slots=True, frozen=True)
class Schedule:
    """When a source is read. `weekday` 0 is Monday; `day` is of the month; times in `timezone`."""

    frequency: str
    hour: int = 2
    minute: int = 0
    weekday: int = 0
    day: int = 1
    timezone: str = "Europe/Paris"
    cron: str = ""
    blackouts: list[Blackout] = field(default_factory=list)
    starts_at: dt.datetime | None = None
    words: str = ""
    blackout_words: str = ""

    def asked(self) -> dict[str, Any]:
        """The parts that a person sets, as the server takes them."""
        names = ("frequency", "hour", "minute", "weekday", "day", "timezone", "cron")
        windows = [{"weekdays": one.weekdays, "start": one.start, "end": one.end} for one in self.blackouts]
        return {**{name: getattr(self, name) for name in names}, "blackouts": windows}


@dataclass(slots=True, frozen=True)
class SchedulePreview:
    """What a schedule would mean."""

    words: str
    blackout_words: str
    next_readings: list[dt.datetime]


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a run is: `share` from 0 to 1 of its stage, `rate` in items a second."""

    stage: str
    done: int = 0
    total: int | None = None
    rate: float | None = None
    share: float | None = None
    eta_seconds: int | None = None
    rejected: int = 0


@dataclass(slots=True, frozen=True)
class IngestionRun:
    """One reading of a source."""

    id: str
    source_id: str
    source_name: str
    state: str
    stage: str
    trigger: str
    started_at: dt.datetime
    ended_at: dt.datetime | None = None
    seen: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    message: str = ""
    reason: str = ""
    may_pass: bool = False
    cancelling: bool = False
    progress: Progress | None = None


@dataclass(slots=True, frozen=True)
class Health:
    """How a source is, at a glance; `state` is RUNNING, FAILED, RETRYING, LATE, PAUSED, CANCELLED, NEVER, OFF or OK."""

    state: str
    last_success_at: dt.datetime | None = None
    next_at: dt.datetime | None = None
    retry_at: dt.datetime | None = None
    attempts: int = 0
    late_since: dt.datetime | None = None
    reason: str = ""
    message: str = ""
    progress: Progress | None = None


@dataclass(slots=True, frozen=True)
class ReferentialEdition:
    """An edition of a code system that was imported by the centre."""

    slug: str
    name: str
    active: bool


@dataclass(slots=True, frozen=True)
class ImportCounts:
    """What the import of the edition in force counted."""

    read: int
    kept: int
    changed: int
    rejected: int


@dataclass(slots=True, frozen=True)
class Referential:
    """A code system in force; `kind` is null where it is not imported, `active_edition` where Consore's own is used."""

    folder: str
    system: str
    name: str
    edition: str
    concepts: int
    terms: int
    licence: str
    kind: str | None = None
    active_edition: str | None = None
    imported_at: dt.datetime | None = None
    imported_by: str | None = None
    last_import: ImportCounts | None = None
    editions: list[ReferentialEdition] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class Source:
    """An extract of the hospital that is read on a schedule."""

    id: str
    name: str
    kind: str
    location: str
    enabled: bool
    schedule: Schedule
    health: Health
    rejected_count: int
    last_run: IngestionRun | None = None


@dataclass(slots=True, frozen=True)
class RejectedRecord:
    """A record kept aside because it could not be read."""

    id: str
    source_id: str
    run_id: str
    position: str
    reason: str
    message: str
    created_at: dt.datetime
    replayed_at: dt.datetime | None = None


@dataclass(slots=True, frozen=True)
class RejectedReason:
    """How many records wait for one reason, with the newest."""

    source_id: str
    reason: str
    count: int
    example: RejectedRecord


def drawable(text: str) -> str:
    """A text of the server in letters that the app's font has."""
    return text.translate(GLYPHS)


def decode(cls: type[T], value: Any) -> T:
    """A `cls` from its JSON object. Unknown keys are ignored, missing ones keep their default."""
    given = {_snake(key): item for key, item in value.items()}
    kinds = _kinds(cls)
    return cls(**{name: _convert(kind, given[name]) for name, kind in kinds.items() if name in given})


def decode_list(cls: type[T], values: list[Any]) -> list[T]:
    """A list of `cls` from a JSON array."""
    return [decode(cls, value) for value in values]


def _convert(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, types.UnionType):
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    origin = typing.get_origin(kind)
    if origin is list:
        (inner,) = typing.get_args(kind)
        return [_convert(inner, item) for item in value]
    if origin is dict:
        return value
    if kind is dt.date:
        return dt.date.fromisoformat(value[:10])
    if kind is dt.datetime:
        moment = dt.datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    if kind is str:
        return str(value)
    return decode(kind, value) if isinstance(value, dict) else value


@cache
def _kinds(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {item.name: hints[item.name] for item in fields(cls)}


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
