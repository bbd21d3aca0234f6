"""A patient as the schema shows them: who they are (for who may know), and the whole history behind."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry

from consore import model
from consore.access import Action, Permission
from consore.api.biology import BiologySeries, series_of
from consore.api.bounds import row_id, within
from consore.api.context import Info, in_thread
from consore.api.document import Document, DocumentConnection, DocumentEdge, PageInfo, cursor_of, place_of
from consore.api.guard import field
from consore.api.history import Alteration, Biomarker, Sample, Treatment, Tumour, TumourEvent
from consore.api.loading import PageOfDocuments
from consore.api.outline import outline_of
from consore.api.problem import NotFound
from consore.api.timeline import Timeline, timeline_of
from consore.errors import InputError
from consore.history import completed_years, headline, summary
from consore.model import DocumentKind, Sex
from consore.search import similar_patients

MOST_SIMILAR_ASKED = 3


@strawberry.type(
    description="A patient who is not opposed. Names, IPP and birth date are null without the right to see them."
)
class Patient:
    row: strawberry.Private[model.Patient]
    id: strawberry.ID
    sex: str
    death_date: dt.date | None
    last_news_date: dt.date | None

    @classmethod
    def of(cls, row: model.Patient) -> Patient:
        """The row as the schema shows it. The caller has checked that the patient is not opposed."""
        return cls(
            row=row,
            id=strawberry.ID(str(row.id)),
            sex=row.sex,
            death_date=row.death_date,
            last_news_date=row.last_news_date,
        )

    @strawberry.field
    def ipp(self, info: Info) -> str | None:
        return self.row.ipp if info.context.sees_identities else None

    @strawberry.field
    def family_name(self, info: Info) -> str | None:
        return self.row.family_name if info.context.sees_identities else None

    @strawberry.field
    def given_name(self, info: Info) -> str | None:
        return self.row.given_name if info.context.sees_identities else None

    @strawberry.field
    def birth_date(self, info: Info) -> dt.date | None:
        return self.row.birth_date if info.context.sees_identities else None

    @strawberry.field(description="Completed years today, or at death.")
    def age(self) -> int | None:
        if self.row.birth_date is None:
            return None
        return completed_years(self.row.birth_date, self.row.death_date or dt.date.today())

    @strawberry.field(description="`alive` or `dead`, as last known.")
    def vital_status(self) -> str:
        return "dead" if self.row.death_date else "alive"

    @strawberry.field(description="The patient in one French line, without identity.")
    async def headline(self, info: Info) -> str:
        return headline(await outline_of(info, self.row), Sex(self.row.sex), self.row.birth_date)

    @strawberry.field(
        description="The patient in one to five lines of the asker's language, without identity; what is not sure "
        "carries `(?)`."
    )
    async def summary(self, info: Info) -> list[str]:
        outline = await outline_of(info, self.row, whole=True)
        return summary(
            outline,
            Sex(self.row.sex),
            self.row.birth_date,
            language=info.context.language,
            last_news=self.row.last_news_date,
        )

    @strawberry.field
    async def tumours(self, info: Info) -> list[Tumour]:
        return [Tumour.of(row, self.row) for row in await info.context.loaders.tumours.load(self._key)]

    @strawberry.field
    async def events(self, info: Info) -> list[TumourEvent]:
        return [TumourEvent.of(row, self.row) for row in await info.context.loaders.events.load(self._key)]

    @strawberry.field
    async def treatments(self, info: Info) -> list[Treatment]:
        return [Treatment.of(row, self.row) for row in await info.context.loaders.treatments.load(self._key)]

    @strawberry.field
    async def biomarkers(self, info: Info) -> list[Biomarker]:
        return [Biomarker.of(row, self.row) for row in await info.context.loaders.biomarkers.load(self._key)]

    @strawberry.field
    async def alterations(self, info: Info) -> list[Alteration]:
        return [Alteration.of(row, self.row) for row in await info.context.loaders.alterations.load(self._key)]

    @strawberry.field
    async def samples(self, info: Info) -> list[Sample]:
        return [Sample.of(row) for row in await info.context.loaders.samples.load(self._key)]

    @strawberry.field(
        description="Results of biology over time, an analysis each, from the laboratory and the reports."
    )
    async def biology(self, info: Info) -> list[BiologySeries]:
        return series_of(await info.context.loaders.measures.load(self._key), self.row)

    @strawberry.field
    async def timeline(self, info: Info) -> Timeline:
        return await timeline_of(info, self.row)

    @strawberry.field(description="The newest first; `kind` keeps one kind.")
    async def documents(
        self, info: Info, first: int | None = 50, after: str | None = None, kind: str | None = None
    ) -> DocumentConnection:
        if kind is not None and kind not in set(DocumentKind):
            raise InputError(f"{kind[:40]} is not a kind of document.", f"Take one of: {', '.join(DocumentKind)}.")
        page = PageOfDocuments(self._key, within("first", first, 50), kind, place_of(after) if after else None)
        found = await info.context.loaders.documents.load(page)
        edges = [DocumentEdge(cursor=cursor_of(row), node=Document.of(row, self.row)) for row in found.rows]
        end = edges[-1].cursor if edges else None
        return DocumentConnection(
            total_count=found.total, edges=edges, page_info=PageInfo(has_next_page=found.more, end_cursor=end)
        )

    @strawberry.field(description="The patients whose history is the most alike, with what they share.")
    async def similar(self, info: Info, limit: int | None = 10) -> list[SimilarPatient]:
        context, limit = info.context, within("limit", limit, 10)
        context.similar_asked += 1
        if context.similar_asked > MOST_SIMILAR_ASKED:
            raise InputError(
                f"Similar patients are asked of {MOST_SIMILAR_ASKED} patients at most in one request.",
                "Ask for less at a time.",
            )
        found = await in_thread(lambda: similar_patients(context.node.search_context, self._key, limit))
        rows = await context.loaders.patient.load_many([one.patient_id for one in found])
        shown = [(one, row) for one, row in zip(found, rows, strict=True) if row is not None]
        await context.read(
            lambda session: context.trace(
                session, Action.SIMILAR_SHOWN, [row.id or 0 for _, row in shown], {"to": self._key}
            )
        )
        return [
            SimilarPatient(patient=Patient.of(row), score=one.score, shared=one.shared, different=one.different)
            for one, row in shown
        ]

    @property
    def _key(self) -> int:
        return self.row.id or 0


@strawberry.type
class SimilarPatient:
    patient: Patient
    score: float
    shared: list[str]
    different: list[str]


PatientResult = Annotated[Patient | NotFound, strawberry.union("PatientResult")]


@strawberry.type
class PatientQuery:
    @field(Permission.CLINICAL, description="One patient, by the identifier that the other answers give.")
    async def patient(self, info: Info, id: strawberry.ID) -> PatientResult:
        context, key = info.context, row_id(id)
        row = await context.loaders.patient.load(key) if key is not None else None
        if row is None:
            return NotFound.of(context.language)
        await context.read(lambda session: context.trace(session, Action.PATIENT_READ, [row.id or 0]))
        return Patient.of(row)
