"""A question answered: the patients, why each of them, and the sentences that say so.

Criteria select on the slim `patients` collection where the engine can answer them exactly, else on the exact set that
the store computes. Words left over are searched in the documents, grouped by patient. Whatever the engine answers,
only patients whom the store knows and who are not opposed are shown.
"""

from __future__ import annotations

import html
import math
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from consore.index import PatientTraits, SearchIndex, load_traits
from consore.index.records import day_number
from consore.model import Document, Evidence
from consore.referentials import Terminology, tokens_for_index
from consore.search.cohort import patient_ids
from consore.search.criteria import Criteria, DocumentLeaf, parse_criteria
from consore.search.filters import engine_filter, ids_filter
from consore.search.reasons import Reason, reasons, traits_of
from consore.search.relaxations import Relaxation, explain_nobody
from consore.search.snippets import Snippet, best_sentence, marked, quoted
from consore.search.understanding import Understood, understand
from consore.store import Store

MOST_A_PAGE = 100
DEEPEST = 10_000  # hits that can be paged to; more is a cohort's work
SNIPPETS = 3  # a patient
MOST_WITH_WORDS = 20_000  # patients that a word can leave out

# Typing errors are forgiven where the word as typed is nowhere; words are dropped only when we ask for it.
TOLERANCE = {
    "num_typos": 2,
    "min_len_1typo": 5,
    "min_len_2typo": 9,
    "typo_tokens_threshold": 1,
    "drop_tokens_threshold": 0,
    "prefix": False,
}
SORTS = {
    "relevance": ("last:desc", "_text_match:desc,date:desc"),
    "date": ("last:desc", "date:desc"),
    "age": ("birth:desc", "birth:desc"),  # the youngest first
}


@dataclass(frozen=True, slots=True)
class SearchContext:
    """What every question needs: the store, the index that follows it, and the words."""

    store: Store
    index: SearchIndex
    terminology: Terminology


@dataclass(frozen=True, slots=True)
class Hit:
    """A patient in the answer. `score` in 0–1, relative to the best of the page; `why` in French."""

    patient_id: int
    score: float
    why: list[str]
    snippets: list[Snippet]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to a question: `total` patients, of which one page. `notice`: what the user should know, in French."""

    understood: Understood
    total: int
    hits: list[Hit]
    milliseconds: int
    notice: str | None = None
    relaxations: list[Relaxation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the criteria given beside it, made ready: what is coded, and what is looked for in documents."""

    understood: Understood
    criteria: Criteria | None
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    papers: DocumentLeaf | None = None

    @property
    def has_words(self) -> bool:
        """Whether documents have to hold something."""
        return bool(self.words or self.phrases)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.criteria or self.has_words or self.excluded)

    @property
    def marks(self) -> frozenset[str]:
        """The single words to mark in a sentence."""
        return frozenset([*self.words, *(word for phrase in self.phrases for word in phrase.split())])

    @property
    def query(self) -> str:
        """The words as the engine reads them: plain words and quoted phrases, nothing else can get in."""
        return " ".join([*self.words, *(f'"{phrase}"' for phrase in self.phrases)])


def search(
    context: SearchContext,
    text: str,
    criteria: Criteria | dict[str, Any] | None = None,
    page: int = 1,
    per_page: int = 20,
    sort: str = "relevance",
) -> SearchResult:
    """The patients who meet a question in plain French and the criteria given beside it.

    `page` counts from 1, `per_page` at most 100. `sort`: `relevance`, `date` (latest first) or `age` (youngest first).
    Never fails on a bad question: the answer's `notice` says what was wrong with it.
    Raises CriteriaError for a wrong criteria tree, SearchEngineError where the engine cannot be used.
    """
    started = time.perf_counter()
    asked = ask(context, text, criteria)
    understood = asked.understood
    if asked.is_empty:
        return SearchResult(understood, 0, [], _since(started), understood.notice)
    page, per_page = max(1, page), min(max(1, per_page), MOST_A_PAGE)
    if page * per_page > DEEPEST:
        too_deep = f"Seuls les {DEEPEST} premiers patients peuvent être feuilletés : précisez la question."
        page = DEEPEST // per_page
        understood = replace(understood, notice=" ".join(filter(None, (understood.notice, too_deep))))
    find = _by_words if asked.has_words else _by_criteria
    total, found, notice = find(context, asked, page, per_page, SORTS.get(sort, SORTS["relevance"]))
    near: list[Relaxation] = []
    if not total:
        said, near = _nobody(context, asked, parse_criteria(criteria) if isinstance(criteria, dict) else criteria)
        notice = notice or said
    hits = _explained(context, asked, found)
    total = max(0, total - (len(found) - len(hits)))
    return SearchResult(
        understood,
        total,
        hits,
        _since(started),
        " ".join(filter(None, (understood.notice, notice))) or None,
        near,
    )


def ask(context: SearchContext, text: str, criteria: Criteria | dict[str, Any] | None) -> Asked:
    """A question understood and joined with the criteria given beside it."""
    understood = understand(text, context.terminology)
    given = parse_criteria(criteria) if isinstance(criteria, dict) else criteria
    papers, coded = _take_document_leaf(given, bool(understood.words or understood.phrases))
    parts = [node for node in (coded, understood.criteria) if node is not None]
    whole = parts[0] if len(parts) == 1 else Criteria(all=parts) if parts else None
    phrases = [*understood.phrases, *(papers.phrases if papers else [])]
    if understood.is_empty and (whole or phrases):
        understood = replace(understood, notice=None)  # nothing was typed, but criteria were given
    return Asked(understood, whole, tuple(understood.words), tuple(phrases), tuple(understood.excluded), papers)


def _take_document_leaf(criteria: Criteria | None, has_words: bool) -> tuple[DocumentLeaf | None, Criteria | None]:
    """The words that all must have written are searched, to be ranked and shown; other leaves are the store's.

    Where words are asked for beside (`has_words`), a leaf without any says in which documents they have to stand.
    """
    if criteria is None:
        return None, None
    if criteria.document is not None and (criteria.document.phrases or has_words):
        return criteria.document, None
    for place, child in enumerate(criteria.all or []):
        if child.document is not None and (child.document.phrases or has_words):
            rest = [*criteria.children[:place], *criteria.children[place + 1 :]]
            return child.document, Criteria(all=rest) if rest else None
    return None, criteria


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


# --- Finding ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
    patient_id: int
    score: float = 1.0
    documents: list[int] = field(default_factory=list)


_Finding = tuple[int, list[_Found], str | None]


def selection(context: SearchContext, asked: Asked) -> tuple[str | None, list[int] | None]:
    """The criteria as a filter of `patients`, or the exact identifiers where the engine cannot answer them."""
    if asked.criteria is None:
        return None, None
    written = engine_filter(asked.criteria)
    if written is not None:
        return written, None
    with context.store.session() as session:
        return None, patient_ids(session, asked.criteria)


def _by_criteria(context: SearchContext, asked: Asked, page: int, per_page: int, sort: tuple[str, str]) -> _Finding:
    written, ids = selection(context, asked)
    if ids is not None:
        written = ids_filter(ids)
    written = _and(written, _excluding(context, asked))
    answer = context.index.search(
        {
            "collection": context.index.patients,
            "q": "*",
            "filter_by": written or "",
            "sort_by": sort[0],
            "page": page,
            "per_page": per_page,
            "include_fields": "id",
        }
    )[0]
    return int(answer["found"]), [_Found(int(hit["document"]["id"])) for hit in answer["hits"]], None


def _by_words(context: SearchContext, asked: Asked, page: int, per_page: int, sort: tuple[str, str]) -> _Finding:
    wanted = {
        **documents_search(context, asked),
        "sort_by": sort[1],
        "group_limit": SNIPPETS,
        "page": page,
        "per_page": per_page,
        "include_fields": "id,patient_id",
        "highlight_fields": "none",
    }
    answer = context.index.search(wanted)[0]
    notice = None
    if not answer["found"]:
        elsewhere = {**wanted, "query_by": "other"}
        fewer = {**wanted, "drop_tokens_threshold": 1}
        denied, partly = context.index.search(elsewhere, fewer)
        if denied["found"]:
            answer = denied
            notice = "Ces mots ne sont écrits que niés, supposés, ou d'un antécédent ou d'un proche."
        elif partly["found"] and len(asked.words) > 1:
            answer = partly
            notice = "Aucun compte rendu ne contient tous ces mots ; en voici qui en contiennent une partie."
        else:
            notice = "Aucun compte rendu ne contient ces mots : " + ", ".join([*asked.words, *asked.phrases]) + "."
    groups = answer.get("grouped_hits", [])
    best = max((_text_match(group) for group in groups), default=0)
    found = [
        _Found(
            int(group["group_key"][0]),
            round(_text_match(group) / best, 3) if best else 1.0,
            [int(hit["document"]["id"]) for hit in group["hits"]],
        )
        for group in groups
    ]
    return int(answer["found"]), found, notice


def documents_search(context: SearchContext, asked: Asked) -> dict[str, Any]:
    """The search of `documents` for the words asked for, a group a patient."""
    return {
        "collection": context.index.documents,
        "q": asked.query,
        "query_by": "body,title",
        "filter_by": documents_filter(context, asked),
        "group_by": "patient_id",
        "group_limit": 1,
        **_tolerance(asked.query),
    }


def documents_filter(context: SearchContext, asked: Asked) -> str:
    """The `filter_by` of `documents`: the coded patients, the kinds and days asked for, nobody excluded."""
    parts: list[str | None] = []
    if asked.criteria is not None:
        with context.store.session() as session:
            parts.append(ids_filter(patient_ids(session, asked.criteria)))
    if asked.papers and asked.papers.kind:
        parts.append(f"kind:=[{','.join(f'`{kind.value}`' for kind in asked.papers.kind)}]")
    if asked.papers and asked.papers.service:
        parts.append(f"service:=[{','.join(f'`{_unquoted(service)}`' for service in asked.papers.service)}]")
    if asked.papers and asked.papers.between:
        period = asked.papers.between
        parts.append(f"date:[{day_number(period.from_) or 0}..{day_number(period.to) or 99999999}]")
    parts.append(_excluding(context, asked))
    return _and(*parts) or ""


def _unquoted(text: str) -> str:
    """A value that cannot end the quotes of the engine's filters."""
    return text.replace("`", " ")


def _excluding(context: SearchContext, asked: Asked) -> str | None:
    """« -mot » leaves out a patient as soon as one of their documents asserts the word."""
    ids: list[int] = []
    for word in asked.excluded:
        ids += _patients_with_word(context, word)
    return ids_filter(ids, without=True) if ids else None


def _patients_with_word(context: SearchContext, word: str) -> list[int]:
    """The patients who have a document with this word, the first 20,000."""
    answer = context.index.search(
        {
            "collection": context.index.documents,
            "q": word,
            "query_by": "body,title",
            "facet_by": "patient_id",
            "max_facet_values": MOST_WITH_WORDS,
            "per_page": 0,
            **_tolerance(word),
        }
    )[0]
    return [int(item["value"]) for facet in answer["facet_counts"] for item in facet["counts"]]


def _tolerance(query: str) -> dict[str, Any]:
    """No typing error is forgiven in a number or a code: another patient's IPP is one digit away."""
    return {**TOLERANCE, "num_typos": 0} if any(letter.isdigit() for letter in query) else TOLERANCE


def _text_match(group: dict[str, Any]) -> float:
    """The match as a number that differs little between near matches: the engine's own spans 19 digits."""
    score = int(group["hits"][0].get("text_match", 0))
    return math.log1p(score)


def _and(*parts: str | None) -> str | None:
    given = [part for part in parts if part]
    return " && ".join(given) or None


def _nobody(context: SearchContext, asked: Asked, beside: Criteria | None) -> tuple[str, list[Relaxation]]:
    """Why there is nobody, in French, and the nearest questions that have somebody."""
    with context.store.session() as session:
        why = explain_nobody(session, context.terminology, asked.understood, beside)
    drops = [one for one in why.relaxations if one.kind == "drop"]
    if len(why.alone) == 1:
        said = f"Aucun patient n'a « {why.alone[0]} »."
    elif why.alone:
        said = "Aucun patient n'a " + ", ni ".join(f"« {label} »" for label in why.alone) + "."
    elif drops:
        best = max(drops, key=lambda one: (one.count, one.label))
        said = f"Aucun patient ne remplit tous ces critères. {best.label} : {best.count}."
    else:
        said = "Aucun patient ne remplit ces critères."
    return said, why.relaxations


# --- Explaining ---------------------------------------------------------------------------------------------


def _explained(context: SearchContext, asked: Asked, found: list[_Found]) -> list[Hit]:
    """The hits with their reasons; who is opposed or gone since the index was written falls out here."""
    with context.store.session() as session:
        kinds = traits_of(asked.criteria) if asked.criteria else ()
        known = load_traits(session, (item.patient_id for item in found), kinds)
        why = {
            patient_id: reasons(asked.criteria, traits, context.terminology) if asked.criteria else []
            for patient_id, traits in known.items()
        }
        evidence = _evidence(session, why)
        texts = _texts(session, [number for item in found if item.patient_id in known for number in item.documents])
        return [
            _hit(item, asked, known[item.patient_id], why[item.patient_id], evidence, texts)
            for item in found
            if item.patient_id in known
        ]


def _hit(
    item: _Found,
    asked: Asked,
    traits: PatientTraits,
    why: list[Reason],
    evidence: dict[tuple[str, int], Snippet],
    texts: dict[int, Document],
) -> Hit:
    words = asked.marks
    snippets: list[Snippet] = []
    for number in item.documents:
        document = texts.get(number)
        if document is not None:
            sentence = best_sentence(document.text, words)
            if "<mark>" not in sentence and any(word in tokens_for_index(document.title).split() for word in words):
                sentence = marked(document.title, words)
            snippets.append(Snippet(number, document.kind, document.date, sentence))
    said = [reason.text for reason in why]
    if snippets and asked.has_words:
        said.append(_written_words(snippets))
    for reason in why:
        snippet = evidence.get((reason.item or "", reason.item_id or 0))
        if snippet and len(snippets) < SNIPPETS + 1 and all(snippet.html != other.html for other in snippets):
            snippets.append(snippet)
    return Hit(int(traits.patient.id or 0), item.score, said, snippets)


def _written_words(snippets: list[Snippet]) -> str:
    """`Écrit : dyspnée, fatigue`: the words as the documents spell them."""
    spelt = (html.unescape(word) for snippet in snippets for word in re.findall("<mark>(.*?)</mark>", snippet.html))
    words = {word.casefold(): word.lower() for word in spelt}
    return "Écrit : " + ", ".join(list(words.values())[:6]) if words else "Écrit dans un compte rendu"


def _evidence(session: Session, why: dict[int, list[Reason]]) -> dict[tuple[str, int], Snippet]:
    """The best sentence behind each derived row that a reason names, by (item, row)."""
    wanted: dict[str, list[int]] = defaultdict(list)
    for listed in why.values():
        for reason in listed:
            if reason.item and reason.item_id:
                wanted[reason.item].append(reason.item_id)
    found: dict[tuple[str, int], Snippet] = {}
    for item, ids in wanted.items():
        rows = session.execute(
            select(  # type: ignore[call-overload]
                Evidence.item_id,
                Evidence.document_id,
                Evidence.quote,
                Document.kind,
                Document.date,
                func.substr(Document.text, Evidence.start + 1, Evidence.end - Evidence.start),  # type: ignore[operator]
            )
            .join(Document, Document.id == Evidence.document_id)
            .where(Evidence.item == item, Evidence.item_id.in_(ids))  # type: ignore[attr-defined]
            .order_by(Evidence.confidence.desc(), Evidence.id)  # type: ignore[attr-defined]
        )
        for row, document, quote, kind, day, span in rows:
            if (item, row) not in found and quote:
                found[item, row] = Snippet(document, kind, day, quoted(quote, span or ""))
    return found


def _texts(session: Session, ids: Iterable[int]) -> dict[int, Document]:
    wanted = list(ids)
    if not wanted:
        return {}
    rows = session.scalars(select(Document).where(Document.id.in_(wanted)))  # type: ignore[union-attr]
    return {int(row.id or 0): row for row in rows}
