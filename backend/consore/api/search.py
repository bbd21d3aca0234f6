"""Search as the schema shows it: what was understood, the patients and why, facets, suggestions, concepts."""

from __future__ import annotations

import datetime as dt
import html
import re
from enum import Enum
from typing import Any

import strawberry
from strawberry.scalars import JSON

from consore import model
from consore.access import Action, Permission, mask_identity
from consore.api.bounds import MOST_PAGES, within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field
from consore.api.patient import Patient
from consore.api.unnamed import require_no_names, without_names
from consore.search import Criteria, facets, parse_criteria, search, suggest

_MARKED = re.compile(r"<mark>[^<]*\w")  # something marked that is not hidden


@strawberry.enum
class SearchSort(Enum):
    RELEVANCE = "relevance"
    DATE = "date"
    AGE = "age"


@strawberry.type(description="Another reading of a chip; `text` is what to write in the question in its place.")
class Alternative:
    label: str
    text: str


@strawberry.type(description="A part of the question that was understood; `criterion` is what it becomes.")
class Chip:
    text: str
    start: int
    end: int
    kind: str
    system: str | None
    code: str | None
    label: str
    negated: bool
    criterion: JSON
    alternatives: list[Alternative]


@strawberry.type(description="The sentence that answers; `html` is escaped text with <mark> tags only.")
class Snippet:
    document_id: strawberry.ID
    document_kind: str
    date: dt.date | None
    html: str


@strawberry.type
class Hit:
    patient: Patient
    score: float
    why: list[str]
    snippets: list[Snippet]


@strawberry.type(
    description="Where nobody answers, a near question that somebody does; `count` is exact. `kind`: widen or drop."
)
class Relaxation:
    kind: str
    label: str
    text: str
    criteria: JSON | None
    count: int


@strawberry.type(description="What was understood, how many patients, and one page of them.")
class SearchResult:
    understood: list[Chip]
    words: list[str]
    criteria: JSON | None
    total: int
    hits: list[Hit]
    milliseconds: int
    notice: str | None
    relaxations: list[Relaxation]


@strawberry.type
class FacetValue:
    value: str
    label: str
    count: int
    criterion: JSON


@strawberry.type
class Facet:
    name: str
    label: str
    values: list[FacetValue]


@strawberry.type
class Suggestion:
    text: str
    label: str
    kind: str
    system: str | None
    code: str | None


@strawberry.type(description="A concept of a code system, with its French label.")
class Concept:
    system: str
    code: str
    label: str
    kind: str
    synonyms: list[str]
    matched: str | None = strawberry.field(
        default=None, description="The name that was found, where it is not the label: a brand, a synonym."
    )


@strawberry.type
class SearchQuery:
    @field(Permission.SEARCH, description="Patients of a question in plain French, or of criteria, or of both.")
    async def search(
        self,
        info: Info,
        text: str,
        criteria: JSON | None = None,
        page: int | None = 1,
        per_page: int | None = 20,
        sort: SearchSort | None = SearchSort.RELEVANCE,
    ) -> SearchResult:
        context, tree = info.context, criteria_of(criteria)
        page, per_page = within("page", page, 1, MOST_PAGES), within("perPage", per_page, 20)
        order = (sort or SearchSort.RELEVANCE).value
        asked, said = await in_thread(lambda: _asked(context, text, tree))
        result = await in_thread(
            lambda: search(context.node.search_context, asked, tree, page=page, per_page=per_page, sort=order)
        )
        rows = await context.loaders.patient.load_many([hit.patient_id for hit in result.hits])
        hits = [shown for hit, row in zip(result.hits, rows, strict=True) if row and (shown := _hit(context, hit, row))]
        shown_ids = [hit.patient.row.id or 0 for hit in hits]
        detail = {"text": text, "criteria": tree.as_json() if tree else None, "page": page}
        await context.read(lambda session: context.trace(session, Action.PATIENT_LISTED, shown_ids, detail))
        understood = result.understood
        return SearchResult(
            understood=[_chip(chip) for chip in understood.chips],
            words=list(understood.words),
            criteria=JSON(understood.criteria.as_json()) if understood.criteria else None,
            total=max(0, result.total - (len(result.hits) - len(hits))),
            hits=hits,
            milliseconds=result.milliseconds,
            notice=" ".join(filter(None, (said, result.notice))) or None,
            relaxations=[
                Relaxation(
                    kind=one.kind,
                    label=one.label,
                    text=one.text,
                    criteria=JSON(one.criteria) if one.criteria else None,
                    count=one.count,
                )
                for one in result.relaxations
            ],
        )

    @field(Permission.SEARCH, description="How the patients of a question spread, and what would narrow it.")
    async def facets(self, info: Info, text: str, criteria: JSON | None = None) -> list[Facet]:
        context, tree = info.context, criteria_of(criteria)
        asked, _ = await in_thread(lambda: _asked(context, text, tree))
        found = await in_thread(lambda: facets(context.node.search_context, asked, tree))
        return [
            Facet(
                name=facet.name,
                label=facet.label,
                values=[
                    FacetValue(
                        value=value.value, label=value.label, count=value.count, criterion=JSON(_plain(value.criterion))
                    )
                    for value in facet.values
                ],
            )
            for facet in found
        ]

    @field(Permission.SEARCH, description="What a question that begins so may go on with.")
    async def suggest(self, info: Info, prefix: str, limit: int | None = 8) -> list[Suggestion]:
        context, limit = info.context, within("limit", limit, 8)
        names, author = context.sees_identities, context.principal and context.principal.account_id
        found = await in_thread(
            lambda: suggest(context.node.search_context, prefix, limit, identities=names, author=author)
        )
        people = [int(one.code) for one in found if one.kind == "patient" and one.code]
        await context.read(lambda session: context.trace(session, Action.PATIENT_LISTED, people, {"prefix": prefix}))
        return [
            Suggestion(text=one.text, label=one.label, kind=str(one.kind), system=one.system, code=one.code)
            for one in found
        ]

    @field(
        Permission.SEARCH, Permission.REFERENTIALS, description="Concepts whose name begins so, typing errors allowed."
    )
    async def concepts(
        self, info: Info, text: str, systems: list[str] | None = None, limit: int | None = 10
    ) -> list[Concept]:
        node, limit = info.context.node, within("limit", limit, 10)
        found = await in_thread(lambda: node.terminology.suggestions(text[:200], systems, limit))
        return [
            Concept(
                system=str(one.concept.system),
                code=one.concept.code,
                label=one.concept.label,
                kind=str(one.concept.kind),
                synonyms=list(one.concept.synonyms),
                matched=one.matched,
            )
            for one in found
        ]


def criteria_of(tree: Any) -> Criteria | None:
    """The criteria that came as JSON. Raises CriteriaError."""
    return None if tree in (None, {}) else parse_criteria(tree)


def _asked(context: RequestContext, text: str, tree: Criteria | None) -> tuple[str, str | None]:
    """The question as this principal may ask it, and what to say of the change."""
    require_no_names(context, tree)
    return without_names(context, text)


def mask_marked(snippet: str, patient: model.Patient) -> str:
    """A snippet with the patient's identity hidden; the <mark> tags stay where they are."""
    pieces = re.split(r"(</?mark>)", snippet)
    texts = [html.unescape(piece) for piece in pieces[::2]]
    masked, position = mask_identity("".join(texts), patient), 0
    for number, text in enumerate(texts):
        pieces[2 * number] = html.escape(masked[position : position + len(text)], quote=False)
        position += len(text)
    return "".join(pieces)


def _hit(context: RequestContext, hit: Any, row: model.Patient) -> Hit | None:
    """The hit as this principal may see it; None where it was only found by the patient's identity."""
    if context.sees_identities:
        texts, why = [one.html for one in hit.snippets], list(hit.why)
    else:
        texts, why = [mask_marked(one.html, row) for one in hit.snippets], [mask_identity(one, row) for one in hit.why]
    snippets = [
        Snippet(
            document_id=strawberry.ID(str(one.document_id)),
            document_kind=str(one.document_kind),
            date=_day(one.date),
            html=text,
        )
        for one, text in zip(hit.snippets, texts, strict=True)
        if not _MARKED.search(one.html) or _MARKED.search(text)
    ]
    if hit.snippets and not snippets:
        return None
    return Hit(patient=Patient.of(row), score=hit.score, why=why, snippets=snippets)


def _chip(chip: Any) -> Chip:
    return Chip(
        text=chip.text,
        start=chip.start,
        end=chip.end,
        kind=str(chip.kind),
        system=chip.system,
        code=chip.code,
        label=chip.label,
        negated=chip.negated,
        criterion=JSON(_plain(chip.criterion)),
        alternatives=[Alternative(label=one.label, text=one.text) for one in chip.alternatives],
    )


def _plain(criterion: Any) -> Any:
    return criterion.as_json() if isinstance(criterion, Criteria) else criterion


def _day(value: Any) -> dt.date | None:
    return dt.date.fromisoformat(value) if isinstance(value, str) and value else value or None
