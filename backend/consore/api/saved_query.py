"""Questions that people keep, for themselves or for the centre."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import strawberry
from sqlalchemy import or_
from sqlmodel import Session, select
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission
from consore.api.bounds import LONGEST_TEXT, row_id, short, within
from consore.api.context import Info, RequestContext
from consore.api.guard import field, mutation
from consore.api.kept_cohort import account_of
from consore.api.search import criteria_of
from consore.api.unnamed import require_no_names, without_names
from consore.errors import CriteriaError, InputError

MOST_SAVED = 500
MOST_READ = 3000  # entries of the trail, of which a page of hits has one a patient


@strawberry.type(description="A question kept by its author; `shared`: the accounts of the centre see it too.")
class SavedQuery:
    id: strawberry.ID
    name: str
    text: str
    criteria: JSON | None
    created_at: dt.datetime
    shared: bool
    is_mine: bool

    @classmethod
    def of(cls, row: model.SavedQuery, account_id: int) -> SavedQuery:
        """The row as the schema shows it to an account."""
        return cls(
            id=strawberry.ID(str(row.id)),
            name=row.name,
            text=row.text,
            criteria=JSON(row.criteria) if row.criteria else None,
            created_at=row.created_at,
            shared=row.shared,
            is_mine=row.account_id == account_id,
        )


@strawberry.type(description="A question that this account asked, when it did last.")
class PastQuestion:
    text: str
    criteria: JSON | None
    at: dt.datetime


@strawberry.type
class SavedQueryQuery:
    @field(
        Permission.SAVED_QUERIES, description="The questions that this account asked and got patients or a count of."
    )
    async def question_history(self, info: Info, limit: int | None = 20) -> list[PastQuestion]:
        most, owner = within("limit", limit, 20), account_of(info.context)

        def asked(session: Session) -> list[PastQuestion]:
            entry: Any = model.AuditEntry
            actions = (Action.PATIENT_LISTED.value, Action.COHORT_COUNTED.value)
            mine = select(entry.at, entry.detail).where(entry.account_id == owner, entry.action.in_(actions))
            found: dict[str, PastQuestion] = {}
            for at, detail in session.execute(mine.order_by(entry.id.desc()).limit(MOST_READ)):
                text, criteria = detail.get("text", ""), detail.get("criteria")
                if text or criteria:
                    same = f"{text}\n{json.dumps(criteria, sort_keys=True)}"
                    found.setdefault(
                        same, PastQuestion(text=text, criteria=JSON(criteria) if criteria else None, at=at)
                    )
            return list(found.values())[:most]

        return await info.context.read(asked)

    @field(Permission.SAVED_QUERIES, description="The questions of this account and those shared, newest first.")
    async def saved_queries(self, info: Info) -> list[SavedQuery]:
        owner, context = account_of(info.context), info.context

        def seen(session: Session) -> list[SavedQuery]:
            query: Any = model.SavedQuery
            whose = or_(query.account_id == owner, query.shared)
            rows = session.scalars(select(query).where(whose).order_by(query.id.desc()).limit(MOST_SAVED))
            return [SavedQuery.of(row, owner) for row in rows if row.account_id == owner or _names_nobody(context, row)]

        return await context.read(seen)


@strawberry.type
class SavedQueryMutation:
    @mutation(Permission.SAVED_QUERIES, description="Keep a question.")
    async def save_query(
        self, info: Info, name: str, text: str, criteria: JSON | None = None, shared: bool = False
    ) -> SavedQuery:
        owner, tree = account_of(info.context), criteria_of(criteria)
        row = model.SavedQuery(
            account_id=owner,
            name=short("name", name),
            text=short("text", text, LONGEST_TEXT, empty=True),
            criteria=tree.as_json() if tree else {},
            shared=shared,
        )

        def keep(session: Session) -> None:
            kept = session.exec(select(model.SavedQuery.id).where(model.SavedQuery.account_id == owner)).all()
            if len(kept) >= MOST_SAVED:
                raise InputError(f"At most {MOST_SAVED} questions are kept.", "Delete one first.")
            session.add(row)

        await info.context.read(keep)
        return SavedQuery.of(row, owner)

    @mutation(
        Permission.SAVED_QUERIES,
        description="Show a question of one's own to the accounts of the centre, or no more; whether there was one.",
    )
    async def share_query(self, info: Info, id: strawberry.ID, shared: bool = True) -> bool:
        owner, key = account_of(info.context), row_id(id)

        def share(session: Session) -> bool:
            row = session.get(model.SavedQuery, key) if key is not None else None
            if row is None or row.account_id != owner:
                return False
            row.shared = shared
            return True

        return await info.context.read(share)

    @mutation(Permission.SAVED_QUERIES, description="Forget a question of one's own; whether there was one.")
    async def delete_query(self, info: Info, id: strawberry.ID) -> bool:
        owner, key = account_of(info.context), row_id(id)

        def forget(session: Session) -> bool:
            row = session.get(model.SavedQuery, key) if key is not None else None
            if row is None or row.account_id != owner:
                return False
            session.delete(row)
            return True

        return await info.context.read(forget)


def _names_nobody(context: RequestContext, row: model.SavedQuery) -> bool:
    """Whether a shared question may be shown: no patient's name to whom may not see names."""
    try:
        require_no_names(context, criteria_of(row.criteria))
    except CriteriaError:
        return False
    return without_names(context, row.text)[1] is None
