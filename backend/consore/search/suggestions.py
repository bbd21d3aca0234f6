"""What a user may mean while they type: their saved questions, the terms of the code systems, and patients' names where
names may be shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select

from consore.model import Patient, SavedQuery, System
from consore.referentials import normalise
from consore.search.facets import facets
from consore.search.hits import SearchContext
from consore.search.understanding import LONGEST_QUESTION

SYSTEMS = tuple(
    system.value for system in (System.ICDO3_T, System.ICDO3_M, System.ATC, System.LOCAL, System.HGNC, System.CCAM)
)
MOST = 50
MOST_SAVED = 200  # questions of an account that are looked at, the latest
BEFORE_A_SITE = (" du", " de", " de la", " des", " au", " à la")  # what a site follows: « cancer du »


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One suggestion. `text`: the whole question if it is taken; `label`: what to show."""

    text: str
    label: str
    kind: str
    system: str | None
    code: str | None


def suggest(
    context: SearchContext, prefix: str, limit: int = 8, *, identities: bool = False, author: int | None = None
) -> list[Suggestion]:
    """How the question may go on, at most `limit` ways.

    `identities`: also patients whose name or IPP begins like the whole question. `author`: an account, whose saved
    questions are proposed too, by their name or their text.
    """
    question = prefix[:LONGEST_QUESTION].lstrip()
    limit = max(1, min(limit, MOST))
    people = _people(context, question, limit // 2) if identities else []
    people += _saved(context, question, author, identities, limit // 2) if author is not None else []
    if question.rstrip().lower().endswith(BEFORE_A_SITE):
        return [*people, *_usual_sites(context, question.rstrip())][:limit]
    terms: list[Suggestion] = []
    # The longest ending that means something: « cancer du sein trip » goes on with the words after « sein ».
    words = question.split(" ")
    for start in range(max(0, len(words) - 4), len(words)):
        ending = " ".join(words[start:]).strip()
        if len(ending) < 2:
            continue
        before = " ".join(words[:start])
        for concept in context.terminology.suggest(ending, SYSTEMS, limit):
            if concept.kind == "group":
                continue
            text = f"{before} {concept.label}".strip()
            terms.append(Suggestion(text, concept.label, concept.kind, concept.system, concept.code))
        if terms:
            break
    unique = {(term.system, term.code): term for term in reversed(terms)}
    kept = [term for term in terms if unique[(term.system, term.code)] is term]
    return [*people, *kept][:limit]


def _usual_sites(context: SearchContext, question: str) -> list[Suggestion]:
    """« cancer du… » goes on with the sites that this centre's patients have most."""
    sites = next((facet.values for facet in facets(context, "") if facet.name == "site"), [])
    return [
        Suggestion(f"{question} {value.label.lower()}", value.label, "topography", System.ICDO3_T.value, value.value)
        for value in sites
    ]


def _saved(context: SearchContext, question: str, author: int, shared: bool, limit: int) -> list[Suggestion]:
    """The questions that an account saved, whose name or text holds words that begin like those typed.

    `shared`: also those of others, which may name a patient.
    """
    wanted = normalise(question).split()
    if not wanted or len(wanted[-1]) < 2:
        return []
    with context.store.session() as session:
        rows = session.scalars(
            select(SavedQuery)
            .where(or_(SavedQuery.account_id == author, shared and SavedQuery.shared))  # type: ignore[arg-type]
            .order_by(SavedQuery.id.desc())  # type: ignore[union-attr]
            .limit(MOST_SAVED)
        )
        found = [
            Suggestion(row.text, row.name, "saved_query", None, str(row.id))
            for row in rows
            if row.text.strip() and _begin(wanted, normalise(f"{row.name} {row.text}").split())
        ]
    return found[:limit]


def _begin(wanted: list[str], words: list[str]) -> bool:
    """Whether each of `wanted` begins one of `words`."""
    return all(any(word.startswith(one) for word in words) for one in wanted)


def _people(context: SearchContext, prefix: str, limit: int) -> list[Suggestion]:
    wanted = normalise(prefix).strip()
    if len(wanted) < 2:
        return []
    escaped = prefix.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    statement = (
        select(Patient)
        .where(Patient.opposed.is_(False))  # type: ignore[attr-defined]
        .where(
            Patient.family_name.ilike(f"{escaped}%", escape="\\")  # type: ignore[attr-defined]
            | Patient.birth_name.ilike(f"{escaped}%", escape="\\")  # type: ignore[attr-defined]
            | Patient.ipp.ilike(f"{escaped}%", escape="\\")  # type: ignore[attr-defined]
        )
        .order_by(Patient.family_name, Patient.given_name, Patient.id)  # type: ignore[arg-type]
        .limit(limit)
    )
    with context.store.session() as session:
        return [
            Suggestion(
                patient.ipp, f"{patient.family_name} {patient.given_name}".strip(), "patient", None, str(patient.id)
            )
            for patient in session.scalars(statement)
        ]
