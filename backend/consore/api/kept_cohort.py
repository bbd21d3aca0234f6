"""Cohorts that are kept, as the schema shows them: saved, refreshed, shared, and what each refresh changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from sqlalchemy import Select, func, select
from sqlmodel import Session
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import row_id, short, within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation
from consore.api.patient import Patient
from consore.api.problem import InputProblem, NotFound
from consore.api.unnamed import require_no_names
from consore.errors import CriteriaError, InputError, NotSignedIn
from consore.search import Criteria, describe, kept_cohorts, parse_criteria
from consore.search.cohort import cohort as patients_of

MOST_OFFSET = 100_000


@strawberry.type(description="The state of a cohort after it was saved or refreshed: when, by whom, what changed.")
class CohortVersion:
    number: int
    at: dt.datetime
    login: str
    count: int
    entered: int
    left: int
    criteria: JSON

    @classmethod
    def of(cls, row: model.CohortVersion) -> CohortVersion:
        """The row as the schema shows it."""
        return cls(
            number=row.number,
            at=row.at,
            login=row.login,
            count=row.count,
            entered=row.entered,
            left=row.gone,
            criteria=JSON(row.criteria),
        )


@strawberry.type(description="A patient who left a cohort, and the criteria no longer met, in French.")
class CohortDeparture:
    patient: Patient
    unmet: list[str]


@strawberry.type(description="Who entered and who left with a version, the first 200 of each.")
class CohortChanges:
    version: int
    entered: list[Patient]
    left: list[CohortDeparture]


@strawberry.type(description="One page of the patients of a cohort, by their identifiers.")
class CohortPatients:
    total: int
    patients: list[Patient]


@strawberry.type(description="A named set of patients, exact on the day of its last refresh.")
class Cohort:
    row: strawberry.Private[model.Cohort]
    last: strawberry.Private[model.CohortVersion]
    id: strawberry.ID
    name: str
    shared: bool
    is_mine: bool
    owner: str
    created_at: dt.datetime

    @strawberry.field(description="Its patients at the last refresh.")
    def count(self) -> int:
        return self.last.count

    @strawberry.field
    def refreshed_at(self) -> dt.datetime:
        return self.last.at

    @strawberry.field
    def criteria(self) -> JSON:
        return JSON(self.last.criteria)

    @strawberry.field(description="Its criteria in French words.")
    async def description(self, info: Info) -> str:
        return await in_thread(lambda: describe(parse_criteria(self.last.criteria), info.context.terminology))

    @strawberry.field(description="Its versions, the newest first.")
    async def versions(self, info: Info, limit: int | None = 20) -> list[CohortVersion]:
        most = within("limit", limit, 20)
        rows = await info.context.read(lambda session: kept_cohorts.versions(session, self.row, most))
        return [CohortVersion.of(row) for row in rows]

    @strawberry.field(description="The patients of its last version.")
    async def patients(self, info: Info, first: int | None = 20, offset: int | None = 0) -> CohortPatients:
        context = info.context
        most, skipped = within("first", first, 20), within("offset", offset, 0, MOST_OFFSET, 0)

        def page(session: Session) -> tuple[int, list[int]]:
            who = kept_cohorts.members(self.row)
            key: Any = model.Patient.id
            keys = list(session.execute(who.order_by(key).offset(skipped).limit(most)).scalars())
            total = session.execute(select(func.count()).select_from(who.subquery())).scalar_one()
            context.trace(session, Action.PATIENT_LISTED, keys, {"cohort": self.row.id})
            return total, keys

        total, keys = await context.read(page)
        return CohortPatients(total=total, patients=await patients_of_keys(context, keys))

    @strawberry.field(description="What a version changed, the last by default.")
    async def changes(self, info: Info, version: int | None = None) -> CohortChanges:
        context = info.context

        def told(session: Session) -> tuple[int, kept_cohorts.Difference]:
            number = within("version", version, self.last.number, self.last.number)
            row = session.get(model.CohortVersion, (self.row.id, number))
            if row is None:
                raise InputError(f"Version {number} is kept no more.", "Ask for a later one.")
            found = kept_cohorts.difference(session, self.row, row)
            keys = [*found.entered, *(one.patient_id for one in found.left)]
            context.trace(session, Action.PATIENT_LISTED, keys, {"cohort": self.row.id})
            return number, found

        number, found = await context.read(told)
        left = await context.loaders.patient.load_many([one.patient_id for one in found.left])
        return CohortChanges(
            version=number,
            entered=await patients_of_keys(context, found.entered),
            left=[
                CohortDeparture(
                    patient=Patient.of(row), unmet=[describe(node, context.terminology) for node in one.unmet]
                )
                for one, row in zip(found.left, left, strict=True)
                if row
            ],
        )


CohortResult = Annotated[Cohort | InputProblem | NotFound, strawberry.union("CohortResult")]


@strawberry.type
class KeptCohortQuery:
    @field(Permission.COHORT, description="The cohorts of this account and those shared in the centre, newest first.")
    async def cohorts(self, info: Info) -> list[Cohort]:
        context = info.context

        def seen(session: Session) -> list[Cohort]:
            rows = kept_cohorts.visible_cohorts(session, account_of(context))
            return [shown for row in rows if (shown := shown_cohort(context, session, row))]

        return await context.read(seen)

    @field(Permission.COHORT, description="One cohort; null where there is none, or none that may be seen.")
    async def cohort(self, info: Info, id: strawberry.ID) -> Cohort | None:
        context = info.context
        return await context.read(lambda session: _visible(context, session, id))


@strawberry.type
class KeptCohortMutation:
    @mutation(
        Permission.COHORT,
        description="Keep the patients of criteria under a name; with `id`, give a cohort of one's own these criteria.",
    )
    async def save_cohort(
        self, info: Info, name: str, criteria: JSON, shared: bool = False, id: strawberry.ID | None = None
    ) -> CohortResult:
        context = info.context
        try:
            tree, called = parse_criteria(criteria), short("name", name)  # type: ignore[arg-type]
            await in_thread(lambda: require_no_names(context, tree))

            def save(session: Session) -> Cohort | None:
                row = own_cohort(context, session, id) if id is not None else None
                if id is not None and row is None:
                    return None
                if row is None:
                    row = kept_cohorts.save_cohort(
                        session, called, tree, author(context), owner=account_of(context), shared=shared
                    )
                else:
                    row.name, row.shared = called, shared
                    kept_cohorts.refresh_cohort(session, row, author(context), criteria=tree)
                trace_cohort(context, session, row, "saved")
                return shown_cohort(context, session, row)

            return await context.read(save) or NotFound.of(context.language)
        except InputError as error:
            return InputProblem.of(error, context.language, "criteria" if isinstance(error, CriteriaError) else None)

    @mutation(Permission.COHORT, description="A new version of a cohort: who meets its criteria now.")
    async def refresh_cohort(self, info: Info, id: strawberry.ID) -> CohortResult:
        context = info.context

        def refresh(session: Session) -> Cohort | None:
            shown = _visible(context, session, id)
            if shown is None:
                return None
            kept_cohorts.refresh_cohort(session, shown.row, author(context))
            trace_cohort(context, session, shown.row, "refreshed")
            return shown_cohort(context, session, shown.row)

        return await context.read(refresh) or NotFound.of(context.language)

    @mutation(Permission.COHORT, description="Show a cohort of one's own to the accounts of the centre, or no more.")
    async def share_cohort(self, info: Info, id: strawberry.ID, shared: bool = True) -> CohortResult:
        context = info.context

        def share(session: Session) -> Cohort | None:
            row = own_cohort(context, session, id)
            if row is None:
                return None
            row.shared = shared
            trace_cohort(context, session, row, "shared" if shared else "unshared")
            return shown_cohort(context, session, row)

        return await context.read(share) or NotFound.of(context.language)

    @mutation(Permission.COHORT, description="Forget a cohort of one's own and its versions; whether there was one.")
    async def delete_cohort(self, info: Info, id: strawberry.ID) -> bool:
        context = info.context

        def forget(session: Session) -> bool:
            row = own_cohort(context, session, id)
            if row is None:
                return False
            trace_cohort(context, session, row, "deleted")
            session.delete(row)
            return True

        return await context.read(forget)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The patients that a question speaks of, as a statement, and the criteria behind them."""

    who: Select[Any]
    criteria: Criteria


def chosen(context: RequestContext, session: Session, criteria: JSON | None, cohort_id: strawberry.ID | None) -> Chosen:
    """Those who meet criteria now, or those of a kept cohort at its last refresh.

    Raises InputError where neither or both are given, or where there is no such cohort; CriteriaError.
    """
    if (criteria is None) == (cohort_id is None):
        raise InputError("Say whom the question is about.", "Give criteria or a kept cohort; one of the two.")
    if cohort_id is None:
        tree = parse_criteria(criteria)  # type: ignore[arg-type]
        require_no_names(context, tree)
        return Chosen(patients_of(tree), tree)
    shown = _visible(context, session, cohort_id)
    if shown is None:
        raise InputError("There is no such cohort.", "Choose one of the list.")
    return Chosen(kept_cohorts.members(shown.row), parse_criteria(shown.last.criteria))


def account_of(context: RequestContext) -> int:
    """The account that asks. Raises NotSignedIn."""
    if context.principal is None:
        raise NotSignedIn("Nobody is signed in, or the session has ended.", "Sign in and try again.")
    return context.principal.account_id


def _visible(context: RequestContext, session: Session, id: strawberry.ID) -> Cohort | None:
    row = kept_cohorts.visible_cohort(session, row_id(id), account_of(context))
    return shown_cohort(context, session, row) if row else None


def own_cohort(context: RequestContext, session: Session, id: strawberry.ID) -> model.Cohort | None:
    """The cohort of that identifier, if it is the asker's own."""
    shown = _visible(context, session, id)
    return shown.row if shown and shown.is_mine else None


def shown_cohort(context: RequestContext, session: Session, row: model.Cohort) -> Cohort | None:
    """The cohort with its last version; none where its criteria name a patient to whom may not see names."""
    last = kept_cohorts.latest_version(session, row)
    owner = session.get(model.Account, row.account_id)
    if last is None:
        return None
    try:
        require_no_names(context, parse_criteria(last.criteria))
    except CriteriaError:
        return None
    return Cohort(
        row=row,
        last=last,
        id=strawberry.ID(str(row.id)),
        name=row.name,
        shared=row.shared,
        is_mine=row.account_id == account_of(context),
        owner=owner.name if owner else "",
        created_at=row.created_at,
    )


def author(context: RequestContext) -> kept_cohorts.Author:
    """Who asks, as a version keeps it."""
    return kept_cohorts.Author(account_of(context), context.principal.login if context.principal else "")


def trace_cohort(context: RequestContext, session: Session, row: model.Cohort, what: str) -> None:
    """Note in the audit trail what was done with a cohort."""
    context.trace_act(session, Action.COHORT_KEPT, {"cohort": row.id, "name": row.name, "what": what})


async def patients_of_keys(context: RequestContext, keys: list[int]) -> list[Patient]:
    """The patients of these keys who may be shown, in this order."""
    rows = await context.loaders.patient.load_many(keys)
    return [Patient.of(row) for row in rows if row]
