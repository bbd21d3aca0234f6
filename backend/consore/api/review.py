"""The review queue: what is least sure and matters most, and what a physician says of it."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from enum import Enum
from typing import Annotated, Any

import strawberry
import structlog
from sqlalchemy import func
from sqlmodel import Session, col, select
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission, audit
from consore.api.bounds import LONGEST_TEXT, row_id, short, within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.document import PageInfo
from consore.api.evidence import Belief, Evidence, evidence_of, evidence_told
from consore.api.guard import field, mutation
from consore.api.history import event_label
from consore.api.patient import Patient
from consore.api.problem import InputProblem, NotFound
from consore.errors import ConsoreError, InputError, NotSignedIn
from consore.history import CHOICES, FIELDS, shown
from consore.ingestion import Reviewer, review, withdraw
from consore.model import EvidenceItem
from consore.referentials import Terminology

LEAST_VALUE = 0.1  # below, a look teaches nothing
MOST_COUNTED = 10_000

log = structlog.get_logger("consore.api")

ReviewKind = strawberry.enum(EvidenceItem, name="ReviewKind", description="What an item of a history is.")


@strawberry.enum(description="What a physician says of an item: it is so, it is otherwise, it is not so.")
class ReviewVerdict(Enum):
    CONFIRM = "confirm"
    CORRECT = "correct"
    REJECT = "reject"


@strawberry.type(description="A value and how it reads in French.")
class ReviewChoice:
    value: str
    label: str


@strawberry.type(
    description="A value that may be corrected. `kind` says how it is written (date, topography, drugs…); `value` is "
    "the present one as JSON, `choices` a closed list, `others` what other sources say."
)
class ReviewField:
    name: str
    kind: str
    value: JSON | None
    label: str
    choices: list[str]
    others: list[ReviewChoice]


@strawberry.type(
    description="An item to look at. `set_aside`: some source tells it and the history does not hold it; confirming "
    "takes it in. `type` is that of the event or treatment."
)
class ReviewItem:
    row: strawberry.Private[model.Belief]
    of: strawberry.Private[model.Patient]
    derived: strawberry.Private[Any]
    values: strawberry.Private[dict[str, Any]]
    id: strawberry.ID
    key: str
    kind: ReviewKind  # type: ignore[valid-type]
    type: str | None
    label: str
    date: dt.date | None
    confidence: float
    review_value: float
    set_aside: bool

    @strawberry.field
    def patient_id(self) -> strawberry.ID:
        return strawberry.ID(str(self.of.id))

    @strawberry.field(description="Whose it is; null without the right to histories.")
    def patient(self, info: Info) -> Patient | None:
        return _readable(info.context, self.of)

    @strawberry.field
    def belief(self, info: Info) -> Belief:
        return Belief.of(self.row, self.of, info.context)

    @strawberry.field(description="The sentences and rows behind; without the right to histories, no sentence.")
    async def evidence(self, info: Info) -> list[Evidence]:
        if self.row.item_id is None:
            return await evidence_told(info.context, self.of, self.row.evidence)
        return await evidence_of(info.context, self.of, EvidenceItem(self.row.item), self.row.item_id)

    @strawberry.field
    def fields(self, info: Info) -> list[ReviewField]:
        words = info.context.terminology
        return [self._field(name, kind, words) for name, kind in FIELDS[EvidenceItem(self.row.item)].items()]

    def _field(self, name: str, kind: str, words: Terminology) -> ReviewField:
        value = self.values.get(name)
        others = [one["value"] for one in self.row.conflicts if one["attribute"] == name]
        return ReviewField(
            name=name,
            kind=kind,
            value=JSON(value) if value is not None else None,
            label=shown(kind, value, words),
            choices=CHOICES.get(kind, []),
            others=[ReviewChoice(value=other, label=_label_of(kind, other, words)) for other in dict.fromkeys(others)],
        )


@strawberry.type
class ReviewEdge:
    cursor: str
    node: ReviewItem


@strawberry.type(description="Items to look at, the most worth it first. `total_count` stops at 10,000.")
class ReviewConnection:
    total_count: int
    edges: list[ReviewEdge]
    page_info: PageInfo


@strawberry.type(
    description="What was said, and the patient as they are now (null without the right to histories). "
    "`id` takes it back."
)
class Reviewed:
    id: strawberry.ID
    key: str
    patient: Patient | None


ReviewResult = Annotated[Reviewed | NotFound | InputProblem, strawberry.union("ReviewResult")]


ReviewItemResult = Annotated[ReviewItem | NotFound, strawberry.union("ReviewItemResult")]


@strawberry.type
class ReviewQuery:
    @field(
        Permission.REVIEW,
        description="What is least sure and matters most, of everybody or of one patient; `kind` keeps one kind.",
    )
    async def review_queue(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        kind: ReviewKind | None = None,  # type: ignore[valid-type]
        patient_id: strawberry.ID | None = None,
    ) -> ReviewConnection:
        context, most = info.context, within("first", first, 20)
        place = _place_of(after) if after else None
        only = (row_id(patient_id) or 0) if patient_id is not None else None
        return await context.read(lambda session: _queue(context, session, most, place, kind, only))

    @field(Permission.REVIEW, description="One item of a patient by its key, whatever a look at it is worth.")
    async def item_for_review(self, info: Info, patient_id: strawberry.ID, key: str) -> ReviewItemResult:
        context, patient = info.context, row_id(patient_id)
        row = await context.loaders.patient.load(patient) if patient is not None else None
        found = await context.read(lambda session: _one(context, session, row, key)) if row else None
        return found or NotFound.of(context.language)


@strawberry.type
class ReviewMutation:
    @mutation(
        Permission.REVIEW,
        description="Confirm, correct or reject an item; `values` of a correction as people write them "
        '(`{laterality: "left"}`, `{diagnosis_date: "03/2019"}`). It outranks every source from then on.',
    )
    async def review_item(
        self,
        info: Info,
        patient_id: strawberry.ID,
        key: str,
        verdict: ReviewVerdict,
        values: JSON | None = None,
        comment: str = "",
    ) -> ReviewResult:
        context, patient = info.context, row_id(patient_id)
        row = await context.loaders.patient.load(patient) if patient is not None else None
        if row is None:
            return NotFound.of(context.language)
        told: dict[str, Any] = values if isinstance(values, dict) else {}  # type: ignore[assignment]

        def write(session: Session) -> int:
            said = review(
                session,
                row.id or 0,
                key,
                model.Verdict(verdict.value),
                told,
                _reviewer(context),
                context.terminology,
                short("comment", comment, LONGEST_TEXT, empty=True),
            )
            detail = {"key": key, "verdict": said.verdict, "correction": said.id}
            audit(session, context.principal, Action.REVIEWED, row.id, detail, context.address)
            return said.id or 0

        try:
            said = await context.read(write)
        except InputError as error:
            return InputProblem.of(error, context.language)
        return await _reviewed(context, said, key, row.id or 0)

    @mutation(Permission.REVIEW, description="Take a review back: the history is again what is read.")
    async def withdraw_review(self, info: Info, id: strawberry.ID) -> ReviewResult:
        context = info.context

        def write(session: Session) -> model.Correction | None:
            known = session.get(model.Correction, row_id(id) or 0)
            patient = session.get(model.Patient, known.patient_id) if known else None
            if patient is None or patient.opposed:
                return None
            taken = withdraw(session, row_id(id) or 0, context.terminology)
            if taken is not None:
                detail = {"key": taken.key, "verdict": "withdrawn", "correction": taken.id}
                audit(session, context.principal, Action.REVIEWED, taken.patient_id, detail, context.address)
            return taken

        taken = await context.read(write)
        if taken is None:
            return NotFound.of(context.language)
        return await _reviewed(context, taken.id or 0, taken.key, taken.patient_id)


def _queue(
    context: RequestContext,
    session: Session,
    most: int,
    place: tuple[float, int] | None,
    kind: EvidenceItem | None,
    only: int | None,
) -> ReviewConnection:
    belief, patient = model.Belief, model.Patient
    wanted: list[Any] = [col(belief.review_value) >= LEAST_VALUE, ~col(belief.reviewed), ~col(patient.opposed)]
    if kind is not None:
        wanted.append(belief.item == kind.value)
    if only is not None:
        wanted.append(belief.patient_id == only)
    joined = select(belief, patient).join(patient, col(patient.id) == belief.patient_id)
    counted = joined.where(*wanted).with_only_columns(belief.id).limit(MOST_COUNTED).subquery()
    total = session.execute(select(func.count()).select_from(counted)).scalar_one()
    if place:
        value, key = place
        wanted.append(
            (col(belief.review_value) < value) | ((col(belief.review_value) == value) & (col(belief.id) > key))
        )
    order = (col(belief.review_value).desc(), col(belief.id))
    rows = session.exec(joined.where(*wanted).order_by(*order).limit(most + 1)).all()
    derived = _derived(session, [row for row, _ in rows[:most]])
    edges = [
        ReviewEdge(cursor=_cursor_of(row), node=_item(row, who, derived, context.terminology))
        for row, who in rows[:most]
    ]
    context.trace(session, Action.PATIENT_LISTED, list(dict.fromkeys(who.id or 0 for _, who in rows[:most])))
    end = edges[-1].cursor if edges else None
    return ReviewConnection(
        total_count=total, edges=edges, page_info=PageInfo(has_next_page=len(rows) > most, end_cursor=end)
    )


def _one(context: RequestContext, session: Session, who: model.Patient, key: str) -> ReviewItem | None:
    row = session.exec(select(model.Belief).where(model.Belief.patient_id == who.id, model.Belief.key == key)).first()
    if row is None:
        return None
    context.trace(session, Action.PATIENT_READ, [who.id or 0])
    return _item(row, who, _derived(session, [row]), context.terminology)


_TABLES: dict[str, Any] = {
    "tumour": model.Tumour,
    "event": model.TumourEvent,
    "treatment": model.Treatment,
    "biomarker": model.Biomarker,
    "alteration": model.Alteration,
}


def _derived(session: Session, rows: list[model.Belief]) -> dict[tuple[str, int], Any]:
    """The rows that the items are, by (table, key), with sites and drugs where they have some."""
    found: dict[tuple[str, int], Any] = {}
    for item, table in _TABLES.items():
        ids = [row.item_id for row in rows if row.item == item and row.item_id is not None]
        if ids:
            found.update({(item, one.id): one for one in session.exec(select(table).where(table.id.in_(ids)))})
    for (item, owner), part, column in (
        (("event", "event_id"), model.TumourEventSite, "sites"),
        (("treatment", "treatment_id"), model.TreatmentDrug, "drugs"),
    ):
        ids = [key for kind, key in found if kind == item]
        if ids:
            for one in session.exec(select(part).where(getattr(part, owner).in_(ids)).order_by(part.id)):  # type: ignore[attr-defined, call-overload]
                found.setdefault((column, getattr(one, owner)), []).append(one)
    return found


def _item(row: model.Belief, who: model.Patient, derived: dict[tuple[str, int], Any], words: Terminology) -> ReviewItem:
    found = derived.get((row.item, row.item_id or 0)) if row.item_id is not None else None
    values = _values(row, found, derived)
    return ReviewItem(
        row=row,
        of=who,
        derived=found,
        values=values,
        id=strawberry.ID(str(row.id)),
        key=row.key,
        kind=EvidenceItem(row.item),
        type=values.get("type"),
        label=_label(row, found),
        date=row.date or _date(found),
        confidence=row.confidence,
        review_value=row.review_value,
        set_aside=row.item_id is None,
    )


def _values(row: model.Belief, found: Any, derived: dict[tuple[str, int], Any]) -> dict[str, Any]:
    """The present values, as `Biography.as_json` writes them."""
    if found is None:
        return {**row.values_, **({"date": row.date.isoformat()} if row.date and row.item == "event" else {})}
    values: dict[str, Any] = {}
    for name in FIELDS[EvidenceItem(row.item)]:
        value = getattr(found, name, None)
        values[name] = value.isoformat() if isinstance(value, dt.date) else value
    if row.item == "event":
        values["sites"] = [one.code for one in derived.get(("sites", found.id), [])]
    if row.item == "treatment":
        values["drugs"] = [{"name": one.name, "atc": one.atc} for one in derived.get(("drugs", found.id), [])]
    return values


def _label(row: model.Belief, found: Any) -> str:
    if found is None:
        return row.label
    if isinstance(found, model.TumourEvent):
        return event_label(found)
    if isinstance(found, model.Treatment):
        return f"{found.name} (ligne {found.line})" if found.line else found.name
    if isinstance(found, model.Biomarker):
        return found.label or found.code
    if isinstance(found, model.Alteration):
        return " ".join(part for part in (found.gene, found.variant) if part)
    return found.label or f"Tumeur {found.rank}"


def _date(found: Any) -> dt.date | None:
    for name in ("diagnosis_date", "start", "date"):
        if (value := getattr(found, name, None)) is not None:
            return value  # type: ignore[no-any-return]
    return None


def _label_of(kind: str, value: str, words: Terminology) -> str:
    try:
        return shown(kind, value.split(", ") if kind == "topographies" else value, words)
    except (ValueError, TypeError, KeyError):
        return value


def _reviewer(context: RequestContext) -> Reviewer:
    principal = context.principal
    if principal is None:
        raise NotSignedIn("Nobody is signed in, or the session has ended.", "Sign in and try again.")
    return Reviewer(principal.account_id, principal.login, principal.name)


async def _reviewed(context: RequestContext, said: int, key: str, patient_id: int) -> Reviewed:
    """The patient as they are now; the index follows at once, or with the next run where it cannot."""

    def index() -> None:
        try:
            context.node.index.update_patients(context.node.store, [patient_id])
        except ConsoreError as error:
            log.warning("review_not_indexed", message=error.message)

    await in_thread(index)
    context.loaders.forget()
    row = await context.loaders.patient.load(patient_id)
    return Reviewed(id=strawberry.ID(str(said)), key=key, patient=_readable(context, row))


def _readable(context: RequestContext, row: model.Patient | None) -> Patient | None:
    """The patient for who may read histories: whoever reviews without that right sees coded items alone."""
    may = context.principal is not None and context.principal.may(Permission.CLINICAL)
    return Patient.of(row) if row is not None and may else None


def _cursor_of(row: model.Belief) -> str:
    return base64.urlsafe_b64encode(f"{row.review_value}/{row.id}".encode()).decode()


def _place_of(cursor: str) -> tuple[float, int]:
    try:
        value, _, key = base64.urlsafe_b64decode(cursor[:100].encode()).decode().partition("/")
        return float(value), int(key)
    except (ValueError, binascii.Error) as error:
        raise InputError("The cursor is not one of this list.", "Start again from the first page.") from error
