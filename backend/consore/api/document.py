"""A document as the schema shows it: its text, and what was read in it, at the offsets of that text."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import TYPE_CHECKING, Annotated

import strawberry

from consore import model
from consore.access import Action, Permission, is_hidden, mask_identity
from consore.api.bounds import row_id
from consore.api.context import Info
from consore.api.guard import field
from consore.api.problem import NotFound
from consore.errors import InputError

if TYPE_CHECKING:
    from consore.api.patient import Patient


@strawberry.type(description="A span of the document, coded and in its context; `text` is that span of the text.")
class Mention:
    start: int
    end: int
    text: str
    kind: str
    system: str | None
    code: str | None
    label: str | None
    value: str | None
    unit: str | None
    assertion: str


@strawberry.type(description="A clinical document.")
class Document:
    row: strawberry.Private[model.Document]
    owner: strawberry.Private[model.Patient]
    id: strawberry.ID
    kind: str
    date: dt.date | None
    author: str
    service: str

    @classmethod
    def of(cls, row: model.Document, owner: model.Patient) -> Document:
        """The row as the schema shows it; its text is read when it is asked."""
        return cls(
            row=row,
            owner=owner,
            id=strawberry.ID(str(row.id)),
            kind=row.kind,
            date=row.date,
            author=row.author,
            service=row.service,
        )

    @strawberry.field
    def title(self, info: Info) -> str:
        return self.row.title if info.context.sees_identities else mask_identity(self.row.title, self.owner)

    @strawberry.field
    async def text(self, info: Info) -> str:
        return await info.context.loaders.text.load(self.row.id or 0)

    @strawberry.field
    async def mentions(self, info: Info) -> list[Mention]:
        context = info.context
        text = await context.loaders.text.load(self.row.id or 0)
        found = await context.loaders.mentions.load(self.row.id or 0)
        return [
            Mention(
                start=one.start,
                end=one.end,
                text=text[one.start : one.end],
                kind=one.kind.value,
                system=one.system,
                code=one.code,
                label=one.label,
                value=one.value,
                unit=one.unit,
                assertion=one.assertion.value,
            )
            for one in found
            if context.sees_identities or not is_hidden(text[one.start : one.end])
        ]

    @strawberry.field
    def patient(self) -> Annotated[Patient, strawberry.lazy("consore.api.patient")]:
        from consore.api.patient import Patient

        return Patient.of(self.owner)


DocumentResult = Annotated[Document | NotFound, strawberry.union("DocumentResult")]


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class DocumentEdge:
    cursor: str
    node: Document


@strawberry.type(description="Documents of a patient, the newest first.")
class DocumentConnection:
    total_count: int
    edges: list[DocumentEdge]
    page_info: PageInfo


def cursor_of(row: model.Document) -> str:
    """Where a document lies in the list, as an opaque word."""
    return base64.urlsafe_b64encode(f"{row.date or ''}/{row.id}".encode()).decode()


def place_of(cursor: str) -> tuple[str, int]:
    """The day (ISO, or empty) and the key that a cursor stands for. Raises InputError."""
    try:
        day, _, key = base64.urlsafe_b64decode(cursor[:100].encode()).decode().rpartition("/")
        if day:
            dt.date.fromisoformat(day)
        return day, int(key)
    except (ValueError, binascii.Error) as error:
        raise InputError("The cursor is not one of this list.", "Start again from the first page.") from error


@strawberry.type
class DocumentQuery:
    @field(Permission.CLINICAL, description="One document.")
    async def document(self, info: Info, id: strawberry.ID) -> DocumentResult:
        context, key = info.context, row_id(id)
        row = await context.loaders.document.load(key) if key is not None else None
        owner = await context.loaders.patient.load(row.patient_id) if row else None
        if row is None or owner is None:
            return NotFound.of(context.language)
        await context.read(
            lambda session: context.trace(session, Action.DOCUMENT_READ, [row.patient_id], {"document": row.id})
        )
        return Document.of(row, owner)
