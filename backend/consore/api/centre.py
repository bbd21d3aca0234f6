"""The centre itself: its name, its referent, how many patients and how fresh."""

from __future__ import annotations

import datetime as dt

import strawberry
from sqlalchemy import func
from sqlmodel import select

from consore import model
from consore.access import Permission
from consore.api.context import Info
from consore.api.guard import field
from consore.model import RunState
from consore.settings import Settings


@strawberry.type(description="The centre of this node, and whom to call there.")
class Centre:
    code: str
    name: str
    finess: str
    referent_name: str
    referent_email: str
    referent_phone: str

    @classmethod
    def of(cls, settings: Settings) -> Centre:
        """What the settings say of the centre."""
        return cls(
            code=settings.centre_code,
            name=settings.centre_name,
            finess=settings.centre_finess,
            referent_name=settings.referent_name,
            referent_email=settings.referent_email,
            referent_phone=settings.referent_phone,
        )

    @strawberry.field(description="Patients, without those who are opposed.")
    async def patient_count(self, info: Info) -> int:
        return await info.context.read(
            lambda session: session.exec(
                select(func.count()).select_from(model.Patient).where(~model.Patient.opposed)  # type: ignore[operator]
            ).one()
        )

    @strawberry.field(description="Documents of those patients.")
    async def document_count(self, info: Info) -> int:
        return await info.context.read(
            lambda session: session.exec(
                select(func.count())
                .select_from(model.Document)
                .join(model.Patient, model.Patient.id == model.Document.patient_id)  # type: ignore[arg-type]
                .where(~model.Patient.opposed)  # type: ignore[operator]
            ).one()
        )

    @strawberry.field(description="The end of the last reading of a source that succeeded.")
    async def freshness(self, info: Info) -> dt.datetime | None:
        return await info.context.read(
            lambda session: session.exec(
                select(func.max(model.IngestionRun.ended_at)).where(model.IngestionRun.state == RunState.DONE.value)
            ).one()
        )


@strawberry.type
class CentreQuery:
    @field(Permission.SIGNED_IN, description="The centre of this node.")
    async def centre(self, info: Info) -> Centre:
        return Centre.of(info.context.node.settings)
