"""The tables of the store of record. Names are OSIRIS names where OSIRIS has them.

Primary keys are integers made by the store; `external_id` is the identifier in the source and never changes.
Dates are days; times carry their zone, UTC, in every database.
"""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary, Text, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from consore.model.vocabulary import Frequency, Role, RunState, Sex


def now() -> dt.datetime:
    """The present time in UTC, to the second, with its zone, as all stored times are."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _json(default: type[list[Any]] | type[dict[str, Any]] = dict) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


def _text() -> Any:
    return Field(default="", sa_column=Column(Text, nullable=False))


def _later() -> Any:
    """A word that came after the first rows: those have none."""
    return Field(default="", sa_column_kwargs={"server_default": ""})


# --- What the sources say -----------------------------------------------------------------------------------


class Patient(SQLModel, table=True):
    """A person with an IPP (*identifiant permanent du patient*). `opposed`: never in any answer.

    `version`, here and below, orders the states of a record where its source tells; `source_id` is the source that gave
    it last. `record_ipp` is the IPP of the record that the identity was taken from where it is another one: that of a
    merged identity, as long as the one that was kept is not described by itself.
    """

    id: int | None = Field(default=None, primary_key=True)
    ipp: str = Field(unique=True, index=True)
    family_name: str = ""
    given_name: str = ""
    birth_name: str = ""
    sex: str = Field(default=Sex.UNKNOWN.value)
    birth_date: dt.date | None = Field(default=None, index=True)
    death_date: dt.date | None = None
    last_news_date: dt.date | None = None
    postal_code: str = ""
    city: str = ""
    opposed: bool = Field(default=False, index=True)
    sha256: str = ""
    updated_at: dt.datetime = Field(default_factory=now)
    record_ipp: str = _later()
    version: str = _later()
    source_id: int | None = None


class MergedIdentity(SQLModel, table=True):
    """An IPP that was merged into another one (*fusion d'identités*): what comes under it goes to the patient `kept`.

    `kept` is never itself merged. `patient_id`: the row that the identity had, which is never given to another person.
    """

    ipp: str = Field(primary_key=True)
    kept: str = Field(index=True)
    patient_id: int | None = None
    date: dt.date | None = None
    origin: str = ""
    merged_at: dt.datetime = Field(default_factory=now)


class Stay(SQLModel, table=True):
    """A hospital stay, from one or more PMSI RUM of the same RSS."""

    __table_args__ = (UniqueConstraint("patient_id", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    number: str
    entry_date: dt.date | None = None
    exit_date: dt.date | None = None
    unit: str = ""
    sha256: str = ""
    version: str = _later()
    source_id: int | None = Field(default=None, index=True)


class Diagnosis(SQLModel, table=True):
    """A CIM-10 code of a stay. `role`: DP (principal), DR (relié), DAS (associé significatif)."""

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    stay_id: int = Field(foreign_key="stay.id", index=True, ondelete="CASCADE")
    code: str = Field(index=True)
    role: str
    date: dt.date | None = None


class Act(SQLModel, table=True):
    """A CCAM act of a stay."""

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    stay_id: int = Field(foreign_key="stay.id", index=True, ondelete="CASCADE")
    code: str = Field(index=True)
    phase: str = ""
    date: dt.date | None = None


class StructuredRecord(SQLModel, table=True):
    """A row of the tumour sheet, chemotherapy, pharmacy, biology, molecular or biobank file, as it came (`values_`)."""

    __table_args__ = (UniqueConstraint("kind", "external_id"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    kind: str = Field(index=True)
    external_id: str
    date: dt.date | None = None
    values_: dict[str, Any] = Field(default_factory=dict, sa_column=Column("values", JSON, nullable=False))
    origin: str = ""
    sha256: str = ""
    version: str = _later()
    source_id: int | None = Field(default=None, index=True)


class RemovedRecord(SQLModel, table=True):
    """A record that its source took back, kept so that no older state of it is taken for a new one.

    `kind` and `external_id` are those of the record, `version` that of the removal; `sha256` is what it held.
    `patient_id`: the row of a patient who was taken back, which is never given to another person.
    """

    kind: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    version: str = ""
    sha256: str = ""
    patient_id: int | None = None
    origin: str = ""
    removed_at: dt.datetime = Field(default_factory=now)


class Document(SQLModel, table=True):
    """A clinical document as text. `origin` is the file it came from, `kind` a `DocumentKind`.

    `signature` tells, without opening the file, whether it may have changed since it was read.
    """

    __table_args__ = (Index("ix_document_patient_date", "patient_id", "date"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    external_id: str = Field(unique=True)
    kind: str = Field(index=True)
    title: str = ""
    date: dt.date | None = None
    author: str = ""
    service: str = ""
    text: str = _text()
    origin: str = ""
    sha256: str = ""
    signature: str = ""
    version: str = _later()
    source_id: int | None = Field(default=None, index=True)


class DocumentMentions(SQLModel, table=True):
    """All mentions of one document (`mention.pack_mentions`) and the version of the reader that found them."""

    document_id: int = Field(primary_key=True, foreign_key="document.id", ondelete="CASCADE")
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    total: int = 0
    reader: str = ""


# --- What is derived: one patient at a time, rebuilt whole -----------------------------------------------


class Fact(SQLModel, table=True):
    """What queries need: one row per patient × kind × code × assertion × value, with its first date.

    `document_id` or `record_id` is one of its sources.
    """

    __table_args__ = (Index("ix_fact_system_code", "system", "code", "assertion", "patient_id", "date"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    kind: str
    system: str
    code: str
    assertion: str
    value: str | None = None
    unit: str | None = None
    date: dt.date | None = None
    document_id: int | None = None
    record_id: int | None = None


class Tumour(SQLModel, table=True):
    """A primary tumour; see `biography.TumourItem`."""

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    rank: int
    topography: str | None = Field(default=None, index=True)
    morphology: str | None = Field(default=None, index=True)
    laterality: str | None = None
    diagnosis_date: dt.date | None = None
    ctnm: str | None = None
    ptnm: str | None = None
    t: str | None = None
    n: str | None = None
    m: str | None = None
    stage: str | None = None
    grade: str | None = None
    label: str = ""


class TumourEvent(SQLModel, table=True):
    """An event; `parent_id` chains a recurrence to the event that it follows (OSIRIS)."""

    __table_args__ = (Index("ix_tumourevent_type", "type", "patient_id", "date"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    tumour_id: int | None = Field(default=None, foreign_key="tumour.id", index=True, ondelete="CASCADE")
    parent_id: int | None = None
    type: str
    date: dt.date | None = None
    label: str = ""


class TumourEventSite(SQLModel, table=True):
    """A site of an event, ICD-O-3 topography."""

    __table_args__ = (Index("ix_tumoureventsite_code", "code", "event_id"),)
    id: int | None = Field(default=None, primary_key=True)
    event_id: int = Field(foreign_key="tumourevent.id", index=True, ondelete="CASCADE")
    code: str


class Treatment(SQLModel, table=True):
    """A treatment that was given; see `biography.TreatmentItem`."""

    __table_args__ = (Index("ix_treatment_type", "type", "patient_id", "start"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    tumour_id: int | None = Field(default=None, foreign_key="tumour.id", index=True, ondelete="CASCADE")
    type: str
    name: str
    regimen: str | None = Field(default=None, index=True)
    act_code: str | None = Field(default=None, index=True)
    line: int | None = None
    start: dt.date | None = None
    end: dt.date | None = None
    intent: str | None = None
    response: str | None = None
    event_id: int | None = None
    cycles: int | None = None
    dose: float | None = None
    stop_reason: str | None = None


class TreatmentDrug(SQLModel, table=True):
    """A drug of a treatment."""

    __table_args__ = (Index("ix_treatmentdrug_atc", "atc", "treatment_id"),)
    id: int | None = Field(default=None, primary_key=True)
    treatment_id: int = Field(foreign_key="treatment.id", index=True, ondelete="CASCADE")
    atc: str | None = None
    name: str


class Biomarker(SQLModel, table=True):
    """A biomarker result. `number` is the value where it is one, for thresholds."""

    __table_args__ = (Index("ix_biomarker_code", "code", "status", "patient_id"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    tumour_id: int | None = Field(default=None, foreign_key="tumour.id", index=True, ondelete="CASCADE")
    code: str
    label: str = ""
    status: str
    value: str | None = None
    number: float | None = None
    unit: str | None = None
    date: dt.date | None = None


class Alteration(SQLModel, table=True):
    """A gene alteration (HGNC symbol, variant as written)."""

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    tumour_id: int | None = Field(default=None, foreign_key="tumour.id", index=True, ondelete="CASCADE")
    gene: str = Field(index=True)
    variant: str = ""
    status: str = "mutated"
    date: dt.date | None = None


class Sample(SQLModel, table=True):
    """A sample of the biobank (OSIRIS `BiologicalSample`)."""

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    external_id: str = Field(unique=True)
    type: str
    status: str = "available"
    topography: str | None = None
    date: dt.date | None = None


class Evidence(SQLModel, table=True):
    """Why a derived row is believed. `item_id` is a row of the table that `item` names."""

    __table_args__ = (Index("ix_evidence_item", "item", "item_id"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    item: str
    item_id: int
    document_id: int | None = None
    record_id: int | None = None
    start: int | None = None
    end: int | None = None
    quote: str = _text()
    confidence: float = 1.0


class Belief(SQLModel, table=True):
    """How sure a derived row is, why, and what other sources say; see `biography.Believed`.

    `item_id` is a row of the table that `item` names; null for what the history does not hold (`biography.SetAside`),
    which `label`, `date`, `values_` and `evidence` (as in `conflicts`) describe. `review_value` orders the review
    queue: doubt times consequence.
    """

    __table_args__ = (Index("ix_belief_item", "item", "item_id"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    item: str
    item_id: int | None = None
    key: str
    confidence: float = 1.0
    review_value: float = Field(default=0.0, index=True)
    reviewed: bool = False
    why: str = _text()
    conflicts: list[dict[str, Any]] = _json(list)
    label: str = ""
    date: dt.date | None = None
    values_: dict[str, Any] = Field(default_factory=dict, sa_column=Column("values", JSON, nullable=False))
    evidence: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )


# --- What physicians say of it: never derived, never rebuilt ------------------------------------------------


class Correction(SQLModel, table=True):
    """What a physician said of an item of a history: an input of every later structuring, above all sources.

    `key` names the item as it was then; `values_` holds what was changed, with the keys of `Biography.as_json`;
    `before` what the history said, so that the pair can train a reader. The last one of an item wins, attribute by
    attribute; a withdrawn one counts no more. Rows are never changed otherwise nor deleted.
    """

    __table_args__ = (Index("ix_correction_patient_key", "patient_id", "key"),)
    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True, ondelete="CASCADE")
    item: str
    key: str
    verdict: str
    values_: dict[str, Any] = Field(default_factory=dict, sa_column=Column("values", JSON, nullable=False))
    before: dict[str, Any] = _json()
    account_id: int | None = Field(default=None, index=True)
    login: str = ""
    author: str = ""
    comment: str = _text()
    at: dt.datetime = Field(default_factory=now, index=True)
    withdrawn_at: dt.datetime | None = None


# --- How the sources are read ----------------------------------------------------------------------------


class Source(SQLModel, table=True):
    """A source of the centre: a `SourceKind` and where it lies."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    kind: str
    location: str
    options: dict[str, Any] = _json()
    enabled: bool = True


class Schedule(SQLModel, table=True):
    """When a source is read. `weekday` 0 is Monday; `day` 1–28; local time in `timezone`.

    `cron` is the expression of the frequency of that name. `blackouts` are windows in which no run starts or goes on:
    {weekdays (of their start; none: every day), start, end} with times as HH:MM; one that ends before it starts ends
    the next day. `retry_at`: when a run that failed or was paused is gone on with; `attempts`: failures in a row.
    """

    source_id: int = Field(primary_key=True, foreign_key="source.id", ondelete="CASCADE")
    frequency: str = Field(default=Frequency.MANUAL.value)
    hour: int = 2
    minute: int = 0
    weekday: int = 0
    day: int = 1
    timezone: str = "Europe/Paris"
    cron: str = ""
    blackouts: list[dict[str, Any]] = _json(list)
    last_run_at: dt.datetime | None = None
    next_run_at: dt.datetime | None = None
    retry_at: dt.datetime | None = None
    attempts: int = 0


class IngestionRun(SQLModel, table=True):
    """One reading of one source.

    `asked`: what a person asked of it while it goes on (`cancel`). Of a failed one, `reason` is the code of the error
    and `failure` a `FailureKind`.
    """

    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id", index=True, ondelete="CASCADE")
    state: str = Field(default=RunState.RUNNING.value, index=True)
    stage: str = ""
    trigger: str = "manual"
    started_at: dt.datetime = Field(default_factory=now)
    ended_at: dt.datetime | None = None
    seen: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    message: str = _text()
    reason: str = ""
    failure: str = ""
    asked: str = ""


class RunProgress(SQLModel, table=True):
    """How far the stage of a run is, while it goes on; `rate` in items a second."""

    run_id: int = Field(primary_key=True, foreign_key="ingestionrun.id", ondelete="CASCADE")
    stage: str = ""
    done: int = 0
    total: int | None = None
    rate: float | None = None
    updated_at: dt.datetime = Field(default_factory=now)


class Alert(SQLModel, table=True):
    """Something about a source that a person must know; open until the source is well again.

    `counts` are numbers only: an alert never holds a word of a record. `told_at`: when the webhook took it.
    """

    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id", index=True, ondelete="CASCADE")
    kind: str
    reason: str = ""
    counts: dict[str, Any] = _json()
    raised_at: dt.datetime = Field(default_factory=now)
    closed_at: dt.datetime | None = Field(default=None, index=True)
    times: int = 1
    told_at: dt.datetime | None = None
    tries: int = 0
    next_try_at: dt.datetime | None = None
    problem: str = ""


class Checkpoint(SQLModel, table=True):
    """How far a stage has come, so that a killed process resumes."""

    key: str = Field(primary_key=True)
    value: str = _text()
    updated_at: dt.datetime = Field(default_factory=now)


class PendingPatient(SQLModel, table=True):
    """A patient whose data changed and whose history and index entry must be rebuilt, or who is gone from the store."""

    patient_id: int = Field(primary_key=True)
    since: dt.datetime = Field(default_factory=now)


class RejectedRecord(SQLModel, table=True):
    """A record that could not be read, whole, with the reason. It can be replayed.

    `ipp`: the patient that it waits for, where that is why.
    """

    __table_args__ = (Index("ix_rejectedrecord_position", "source_id", "position"),)
    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id", index=True, ondelete="CASCADE")
    run_id: int = Field(foreign_key="ingestionrun.id", index=True, ondelete="CASCADE")
    position: str
    reason: str = Field(index=True)
    message: str = _text()
    raw: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    created_at: dt.datetime = Field(default_factory=now)
    replayed_at: dt.datetime | None = None
    ipp: str = Field(default="", index=True)


# --- Who asks, and what was asked -------------------------------------------------------------------------


class Account(SQLModel, table=True):
    """Who may sign in. `password_hash` is argon2id."""

    id: int | None = Field(default=None, primary_key=True)
    login: str = Field(unique=True, index=True)
    name: str = ""
    role: str = Field(default=Role.PHYSICIAN.value)
    email: str = ""
    service: str = ""
    password_hash: str = ""
    active: bool = True
    failed_attempts: int = 0
    locked_until: dt.datetime | None = None
    created_at: dt.datetime = Field(default_factory=now)


class RefreshToken(SQLModel, table=True):
    """A refresh token, by its SHA-256. The tokens of one session, each exchanged for the next, are a `family`."""

    token_sha256: str = Field(primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True, ondelete="CASCADE")
    family: str = Field(index=True)
    expires_at: dt.datetime
    revoked_at: dt.datetime | None = None


class AuditEntry(SQLModel, table=True):
    """Who did what to whose data, when. Never changed; removed only when its months are over."""

    id: int | None = Field(default=None, primary_key=True)
    at: dt.datetime = Field(default_factory=now, index=True)
    account_id: int | None = Field(default=None, index=True)
    login: str = ""
    role: str = ""
    action: str = Field(index=True)
    patient_id: int | None = Field(default=None, index=True)
    detail: dict[str, Any] = _json()
    address: str = ""


class SavedQuery(SQLModel, table=True):
    """A question kept by its author; `shared`: the accounts of the centre see it too."""

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True, ondelete="CASCADE")
    name: str
    text: str = _text()
    criteria: dict[str, Any] = _json()
    shared: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: dt.datetime = Field(default_factory=now)


class Cohort(SQLModel, table=True):
    """A named set of patients, kept by its author; `shared`: the accounts of the centre see it too."""

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True, ondelete="CASCADE")
    name: str
    shared: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: dt.datetime = Field(default_factory=now)


class CohortVersion(SQLModel, table=True):
    """The state of a cohort after it was saved or refreshed, never changed: by which criteria, when, by whom.

    `number` counts from 1. `count`: its patients then; `entered` and `gone`: since the version before.
    """

    cohort_id: int = Field(primary_key=True, foreign_key="cohort.id", ondelete="CASCADE")
    number: int = Field(primary_key=True)
    criteria: dict[str, Any] = _json()
    count: int = 0
    entered: int = 0
    gone: int = 0
    at: dt.datetime = Field(default_factory=now)
    account_id: int | None = None
    login: str = ""


class CohortPatient(SQLModel, table=True):
    """A patient of the versions of a cohort from `since` on, and before `until`; null: still there."""

    __table_args__ = (Index("ix_cohortpatient_until", "cohort_id", "until"),)
    cohort_id: int = Field(primary_key=True, foreign_key="cohort.id", ondelete="CASCADE")
    patient_id: int = Field(primary_key=True, foreign_key="patient.id", index=True, ondelete="CASCADE")
    since: int = Field(primary_key=True)
    until: int | None = None


class Trial(SQLModel, table=True):
    """A trial that is watched: the cohort of those who are eligible, and the lines of the protocol as they were read.

    `lines`: see `search.protocols.EligibilityLine.as_json`. `seen`: the version of the cohort that its owner last saw.
    """

    cohort_id: int = Field(primary_key=True, foreign_key="cohort.id", ondelete="CASCADE")
    lines: list[dict[str, Any]] = _json(list)
    seen: int = 0


class Peer(SQLModel, table=True):
    """Another centre of the network: where it is, the key it signs with, whom to call."""

    code: str = Field(primary_key=True)
    name: str = ""
    url: str = ""
    public_key: str = _text()
    referent_name: str = ""
    referent_email: str = ""
    referent_phone: str = ""
    enabled: bool = True


class FederatedQuery(SQLModel, table=True):
    """A question asked by a peer, or by us of peers (`direction` in | out), and what was answered."""

    id: int | None = Field(default=None, primary_key=True)
    direction: str
    peer_code: str = Field(index=True)
    request_id: str = Field(index=True)
    account_id: int | None = None
    requester: str = ""
    criteria: dict[str, Any] = _json()
    population_sha256: str = ""
    state: str = ""
    answer: str = ""
    at: dt.datetime = Field(default_factory=now, index=True)
    milliseconds: int = 0


class ContactRequest(SQLModel, table=True):
    """A request to talk about a question with the referent of another centre. Never names a patient."""

    id: int | None = Field(default=None, primary_key=True)
    direction: str
    peer_code: str = Field(index=True)
    request_id: str = Field(unique=True)
    account_id: int | None = None
    requester: str = ""
    criteria: dict[str, Any] = _json()
    purpose: str = _text()
    state: str = "sent"
    answer: str = _text()
    created_at: dt.datetime = Field(default_factory=now)
    answered_at: dt.datetime | None = None
