"""The structure stage: all that is known of a patient becomes their history, as rows with their evidence.

The derived rows of a patient are replaced whole, in one transaction: a reader sees the old history or the new one.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlmodel import Session

from consore.memory import uncollected
from consore.model import (
    Act,
    Alteration,
    Assertion,
    Belief,
    Believed,
    Biography,
    Biomarker,
    Conflict,
    Correction,
    CorrectionItem,
    Diagnosis,
    Document,
    DocumentKind,
    DocumentMentions,
    Dossier,
    DossierDocument,
    EventType,
    Evidence,
    EvidenceItem,
    EvidenceRef,
    Fact,
    Mention,
    MentionKind,
    Patient,
    Sample,
    SetAside,
    Sex,
    StructuredRecord,
    StructuredRow,
    System,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
    Verdict,
    unpack_page,
)

if TYPE_CHECKING:
    from consore.referentials import Terminology

DERIVED: tuple[Any, ...] = (Evidence, Belief, Fact, Sample, Biomarker, Alteration, Treatment, TumourEvent, Tumour)
SAMPLE_STATUS = {"disponible": "available", "épuisé": "exhausted", "epuise": "exhausted", "": "available"}

_NUMBER = re.compile(r"(?P<sign>[<>≤≥=~≈]{0,2})\s*(?P<number>\d+(?:[.,]\d+)?)\s*%?")
_T = re.compile(r"T(?:is|x|[0-4][a-d]?(?:mi)?)", re.IGNORECASE)
_N = re.compile(r"N(?:x|[0-3][a-d]?(?:mi)?)", re.IGNORECASE)
_M = re.compile(r"M(?:x|[01][a-d]?)", re.IGNORECASE)


def load_dossier(session: Session, patient_id: int) -> Dossier:
    """All that the store knows of one patient. Documents and rows carry the identifiers of their source."""
    return load_dossiers(session, [patient_id])[patient_id].dossier


def structure_and_save(session: Session, patient_ids: int | Sequence[int], terminology: Terminology) -> list[Biography]:
    """Structure some patients and put their histories in the place of the old ones, in the caller's transaction."""
    ids = [patient_ids] if isinstance(patient_ids, int) else list(patient_ids)
    with uncollected():
        return _structure_and_save(session, ids, terminology)


def _structure_and_save(session: Session, ids: list[int], terminology: Terminology) -> list[Biography]:
    from consore.history import structure

    shelves = load_dossiers(session, ids)
    session.expunge_all()
    for model in DERIVED:
        session.execute(delete(model).where(model.patient_id.in_(ids)))
    samples = [sample["external_id"] for shelf in shelves.values() for sample in _samples(0, shelf)]
    session.execute(delete(Sample).where(_in(Sample.external_id, samples)))  # one may have been another patient's
    biographies = {patient_id: structure(shelf.dossier, terminology) for patient_id, shelf in shelves.items()}
    for patient_id, biography in biographies.items():
        shelf = shelves[patient_id]
        if shelf.dossier.death_date is None and shelf.death_date != biography.death_date:
            dead = update(Patient).where(_c(Patient.id) == patient_id)
            session.execute(dead.values(death_date=biography.death_date))
    _save(
        session, [_Rows(patient_id, shelves[patient_id], one, terminology) for patient_id, one in biographies.items()]
    )
    return list(biographies.values())


# --- From the store -----------------------------------------------------------------------------------------


class Shelf:
    """The dossier of one patient, and what its identifiers are in the store."""

    def __init__(self, dossier: Dossier) -> None:
        self.dossier = dossier
        self.death_date = dossier.death_date  # as the store has it, from a file or from reports
        self.documents: dict[str, int] = {}
        self.records: dict[str, int] = {}


def load_dossiers(session: Session, patient_ids: Sequence[int]) -> dict[int, Shelf]:
    """The dossiers of some patients (some hundreds at most) by identifier."""
    shelves = {
        patient.id: Shelf(
            Dossier(patient.ipp, Sex(patient.sex), birth_date=patient.birth_date, death_date=patient.death_date)
        )
        for patient in session.scalars(select(Patient).where(_in(Patient.id, patient_ids)).order_by(_c(Patient.id)))
    }
    for patient_id, date in _told_deaths(session, shelves):
        if shelves[patient_id].death_date == date:
            shelves[patient_id].dossier.death_date = None  # what reports told is no file
    _add_documents(session, shelves)
    _add_records(session, shelves)
    _add_corrections(session, shelves)
    _add_codes_of_stays(session, shelves, "diagnosis", Diagnosis, Diagnosis.role)
    _add_codes_of_stays(session, shelves, "act", Act, Act.phase)
    return shelves


def _told_deaths(session: Session, patient_ids: Iterable[int]) -> Sequence[Any]:
    """Patient and day of the deaths that reports told: those of the administrative file have no evidence."""
    statement = (
        select(_c(TumourEvent.patient_id), _c(TumourEvent.date))
        .join(Evidence, (_c(Evidence.item_id) == _c(TumourEvent.id)) & (_c(Evidence.item) == EvidenceItem.EVENT.value))
        .where(_in(TumourEvent.patient_id, patient_ids), _c(TumourEvent.type) == EventType.DEATH.value)
        .distinct()
    )
    return session.execute(statement).all()


def _add_documents(session: Session, shelves: dict[int, Shelf]) -> None:
    columns = (Document.id, Document.patient_id, Document.external_id, Document.kind, Document.date, Document.text)
    statement = (
        select(*columns, DocumentMentions.payload)  # type: ignore[call-overload]
        .outerjoin(DocumentMentions, _c(DocumentMentions.document_id) == _c(Document.id))
        .where(_in(Document.patient_id, shelves))
        .order_by(_c(Document.external_id))
    )
    for document_id, patient_id, external_id, kind, date, text, payload in session.execute(statement):
        shelf = shelves[patient_id]
        shelf.documents[external_id] = document_id
        mentions, spans = unpack_page(payload) if payload else ([], None)
        shelf.dossier.documents.append(DossierDocument(external_id, DocumentKind(kind), date, text, mentions, spans))


def _add_records(session: Session, shelves: dict[int, Shelf]) -> None:
    record = StructuredRecord
    columns = (record.id, record.patient_id, record.kind, record.external_id, record.date, record.values_)
    statement = select(*columns).where(_in(record.patient_id, shelves))  # type: ignore[call-overload]
    statement = statement.order_by(_c(record.kind), _c(record.external_id))
    for record_id, patient_id, kind, external_id, date, values in session.execute(statement):
        shelf = shelves[patient_id]
        identifier = f"{kind}:{external_id}"
        shelf.records[identifier] = record_id
        shelf.dossier.structured.append(StructuredRow(identifier, kind, date, values))


def _add_codes_of_stays(session: Session, shelves: dict[int, Shelf], kind: str, model: Any, detail: Any) -> None:
    """In an order that does not depend on when the rows came: what is derived from it must not either."""
    statement = select(model.patient_id, model.code, model.date, detail).where(_in(model.patient_id, shelves))
    counted: dict[int, int] = defaultdict(int)
    for patient_id, code, date, word in sorted(
        session.execute(statement), key=lambda row: (str(row[2]), row[1], row[3])
    ):
        counted[patient_id] += 1
        values = {"code": code, "date": date.isoformat() if date else None}
        if kind == "diagnosis":
            values["role"] = word
        identifier = f"{kind}:{counted[patient_id]}"
        shelves[patient_id].dossier.structured.append(StructuredRow(identifier, kind, date, values))


def _add_corrections(session: Session, shelves: dict[int, Shelf]) -> None:
    statement = select(Correction).where(_in(Correction.patient_id, shelves), _c(Correction.withdrawn_at).is_(None))
    for row in session.scalars(statement.order_by(_c(Correction.id))):
        shelves[row.patient_id].dossier.corrections.append(
            CorrectionItem(str(row.id), row.key, Verdict(row.verdict), row.values_, row.before, row.author, row.at)
        )


# --- Into the store -----------------------------------------------------------------------------------------


class _Rows:
    """One patient's history as rows; what hangs on a row waits until the store has given it an identifier."""

    def __init__(self, patient_id: int, shelf: Shelf, biography: Biography, terminology: Terminology) -> None:
        self.terminology = terminology
        self.patient_id = patient_id
        self.shelf = shelf
        self.biography = biography
        self.ids: dict[int, int] = {}  # by `id` of an item, that of its row once it has one

    def tumours(self) -> Iterator[tuple[Believed, dict[str, Any]]]:
        """The tumours: the other rows point to them."""
        for item in self.biography.tumours:
            yield (
                item,
                {
                    "patient_id": self.patient_id,
                    "rank": item.rank,
                    "topography": item.topography,
                    "morphology": item.morphology,
                    "laterality": item.laterality.value if item.laterality else None,
                    "diagnosis_date": item.diagnosis_date,
                    "ctnm": item.ctnm,
                    "ptnm": item.ptnm,
                    **tnm_parts(item.ptnm, item.ctnm),
                    "stage": item.stage,
                    "grade": item.grade,
                    "label": item.label,
                },
            )

    def biomarkers(self) -> Iterator[tuple[Believed, dict[str, Any]]]:
        """The biomarkers of the tumours."""
        for tumour in self.biography.tumours:
            for item in tumour.biomarkers:
                yield (
                    item,
                    {
                        "patient_id": self.patient_id,
                        "tumour_id": self.ids[id(tumour)],
                        "code": item.code,
                        "label": item.label,
                        "status": item.status.value,
                        "value": item.value,
                        "number": number_of(item.value),
                        "unit": item.unit,
                        "date": item.date,
                    },
                )

    def alterations(self) -> Iterator[tuple[Believed, dict[str, Any]]]:
        """The alterations of the tumours."""
        for tumour in self.biography.tumours:
            for item in tumour.alterations:
                yield (
                    item,
                    {
                        "patient_id": self.patient_id,
                        "tumour_id": self.ids[id(tumour)],
                        "gene": item.gene,
                        "variant": item.variant,
                        "status": item.status.value,
                        "date": item.date,
                    },
                )

    def events(self) -> Iterator[tuple[Believed, dict[str, Any]]]:
        """The events; which one they follow is written once all have a row (`parents`)."""
        for item in self.biography.events:
            yield (
                item,
                {
                    "patient_id": self.patient_id,
                    "tumour_id": self._tumour_id(item.tumour_rank),
                    "type": item.type.value,
                    "date": item.date,
                    "label": item.label,
                },
            )

    def treatments(self) -> Iterator[tuple[Believed, dict[str, Any]]]:
        """The treatments, each with the event that it treats."""
        events = self._events()
        for item in self.biography.treatments:
            yield (
                item,
                {
                    "patient_id": self.patient_id,
                    "tumour_id": self._tumour_id(item.tumour_rank),
                    "type": item.type.value,
                    "name": item.name,
                    "regimen": item.regimen,
                    "act_code": item.act_code,
                    "line": item.line,
                    "start": item.start,
                    "end": item.end,
                    "intent": item.intent,
                    "response": item.response,
                    "event_id": events.get(item.event or ""),
                    "cycles": item.cycles,
                    "dose": item.dose,
                    "stop_reason": item.stop_reason,
                },
            )

    def parents(self) -> Iterator[dict[str, int]]:
        """Which event each one follows (OSIRIS `TumorPathologyEvent` chain)."""
        events = self._events()
        for item in self.biography.events:
            if item.parent in events:
                yield {"row": self.ids[id(item)], "parent": events[item.parent]}

    def sites(self) -> Iterator[dict[str, Any]]:
        """The sites of the events."""
        for item in self.biography.events:
            yield from ({"event_id": self.ids[id(item)], "code": code} for code in dict.fromkeys(item.sites))

    def drugs(self) -> Iterator[dict[str, Any]]:
        """The drugs of the treatments."""
        for item in self.biography.treatments:
            row = self.ids[id(item)]
            yield from ({"treatment_id": row, "atc": drug.atc, "name": drug.name} for drug in item.drugs)

    def samples(self) -> Iterator[dict[str, Any]]:
        """The samples of the biobank."""
        return _samples(self.patient_id, self.shelf)

    def evidence_rows(self) -> Iterator[dict[str, Any]]:
        """Why each row is believed."""
        for kind, item in self._items():
            name, row = kind.value, self.ids[id(item)]
            for reference in item.evidence:
                yield {
                    "patient_id": self.patient_id,
                    "item": name,
                    "item_id": row,
                    "document_id": self.shelf.documents.get(reference.document_id or ""),
                    "record_id": self.shelf.records.get(reference.row_id or ""),
                    "start": reference.start,
                    "end": reference.end,
                    "quote": reference.quote,
                    "confidence": reference.confidence,
                }

    def belief_rows(self) -> Iterator[dict[str, Any]]:
        """How sure each item is, why, and what others say; then what the history does not hold."""
        from consore.history import is_reviewed, review_value

        for kind, item in (*self._items(), *((one.item, one) for one in self.biography.set_aside)):
            aside = item if isinstance(item, SetAside) else None
            yield {
                "patient_id": self.patient_id,
                "item": kind.value,
                "item_id": self.ids.get(id(item)),
                "key": item.key,
                "confidence": item.confidence,
                "review_value": 0.0 if is_reviewed(item) else review_value(item, kind),
                "reviewed": is_reviewed(item),
                "why": item.why,
                "conflicts": [self._conflict(one) for one in item.conflicts],
                "label": aside.label if aside else "",
                "date": aside.date if aside else None,
                "values": aside.values if aside else {},
                "evidence": self._references(aside.evidence) if aside else [],
            }

    def _conflict(self, one: Conflict) -> dict[str, Any]:
        """A conflict as JSON."""
        return {"attribute": one.attribute, "value": one.value, "evidence": self._references(one.evidence)}

    def _references(self, evidence: list[EvidenceRef]) -> list[dict[str, Any]]:
        """Evidence as JSON, by the identifiers of the store."""
        return [
            {
                "document_id": self.shelf.documents.get(reference.document_id or ""),
                "record_id": self.shelf.records.get(reference.row_id or ""),
                "start": reference.start,
                "end": reference.end,
                "quote": reference.quote,
            }
            for reference in evidence
        ]

    def facts(self) -> list[dict[str, Any]]:
        """What queries by code need."""
        return _facts(self.patient_id, self.shelf, self.biography, self.terminology)

    def _items(self) -> Iterator[tuple[EvidenceItem, Believed]]:
        """What has a row of its own, tumours first."""
        history = self.biography
        yield from ((EvidenceItem.TUMOUR, tumour) for tumour in history.tumours)
        for tumour in history.tumours:
            yield from ((EvidenceItem.BIOMARKER, one) for one in tumour.biomarkers)
            yield from ((EvidenceItem.ALTERATION, one) for one in tumour.alterations)
        yield from ((EvidenceItem.EVENT, one) for one in history.events)
        yield from ((EvidenceItem.TREATMENT, one) for one in history.treatments)

    def _events(self) -> dict[str, int]:
        return {item.key: self.ids[id(item)] for item in self.biography.events}

    def _tumour_id(self, rank: int | None) -> int | None:
        return next((self.ids[id(one)] for one in self.biography.tumours if one.rank == rank), None)


def _save(session: Session, patients: list[_Rows]) -> None:
    """Write the rows of some patients together: a few large statements, not a few hundred small ones."""
    items: tuple[tuple[Any, Callable[[_Rows], Iterable[tuple[Believed, dict[str, Any]]]]], ...] = (
        (Tumour, _Rows.tumours),
        (Biomarker, _Rows.biomarkers),
        (Alteration, _Rows.alterations),
        (TumourEvent, _Rows.events),
        (Treatment, _Rows.treatments),
    )
    for model, made in items:
        found = [(one.ids, item, row) for one in patients for item, row in made(one)]
        if found:
            identified = insert(model.__table__).returning(model.__table__.c.id, sort_by_parameter_order=True)
            rows = session.execute(identified, [row for *_, row in found]).scalars()
            for (ids, item, _), row_id in zip(found, rows, strict=True):
                ids[id(item)] = row_id
    parents = [row for one in patients for row in one.parents()]
    if parents:
        events = TumourEvent.__table__  # type: ignore[attr-defined]
        chained = update(events).where(events.c.id == bindparam("row")).values(parent_id=bindparam("parent"))
        session.execute(chained, parents)
    tables: tuple[tuple[Any, Callable[[_Rows], Iterable[dict[str, Any]]]], ...] = (
        (TumourEventSite, _Rows.sites),
        (TreatmentDrug, _Rows.drugs),
        (Sample, _Rows.samples),
        (Evidence, _Rows.evidence_rows),
        (Belief, _Rows.belief_rows),
        (Fact, _Rows.facts),
    )
    for model, rows in tables:
        values = [row for one in patients for row in rows(one)]
        if values:
            session.execute(insert(model.__table__), values)
    session.expunge_all()


def _samples(patient_id: int, shelf: Shelf) -> Iterator[dict[str, Any]]:
    for row in shelf.dossier.structured:
        if row.kind == "biobank":
            status = str(row.values.get("statut") or "").strip().lower()
            yield {
                "patient_id": patient_id,
                "external_id": row.id.removeprefix("biobank:"),
                "type": str(row.values.get("type") or "").strip(),
                "status": SAMPLE_STATUS.get(status, status),
                "topography": row.values.get("topographie") or None,
                "date": row.date,
            }


def tnm_parts(*written: str | None) -> dict[str, str | None]:
    """T, N and M of the first TNM that states each: `ypT2N1mi` → `T2`, `N1mi`. Prefixes and (sn), (m) are left out."""
    parts: dict[str, str | None] = {"t": None, "n": None, "m": None}
    for tnm in written:
        if not tnm:
            continue
        bare = re.sub(r"\(.*?\)", "", tnm)
        for name, shape in (("t", _T), ("n", _N), ("m", _M)):
            if parts[name] is None and (found := shape.search(bare)):
                parts[name] = found[0][0].upper() + found[0][1:].lower()
                bare = bare[: found.start()] + bare[found.end() :]
    return parts


def number_of(value: str | None) -> float | None:
    """The number of a measured value, for thresholds: `30 %` → 30; `<1` lies just below 1; a range has none."""
    found = _NUMBER.fullmatch((value or "").strip())
    if not found:
        return None
    number = float(found["number"].replace(",", "."))
    if found["sign"].startswith("<") and "=" not in found["sign"]:
        return math.nextafter(number, -math.inf)
    if found["sign"].startswith(">") and "=" not in found["sign"]:
        return math.nextafter(number, math.inf)
    return number


# --- Facts: what queries need of the mentions and the rows ----------------------------------------------------


def _facts(patient_id: int, shelf: Shelf, biography: Biography, terminology: Terminology) -> list[dict[str, Any]]:
    """One row per kind × code × assertion × value, with its first date and one of its sources."""
    facts = {_key(fact): fact for fact in _facts_of_mentions(shelf)}
    for fact in (*_facts_of_history(shelf, biography), *_facts_of_rows(shelf, terminology)):
        held = facts.get(_key(fact))
        if held is None or (fact["date"] or dt.date.max) < (held["date"] or dt.date.max):
            facts[_key(fact)] = fact
    return [{"patient_id": patient_id, **fact} for fact in facts.values()]


def _key(fact: dict[str, Any]) -> tuple[str | None, ...]:
    return fact["kind"], fact["system"], fact["code"], fact["assertion"], fact["value"]


def _facts_of_mentions(shelf: Shelf) -> Iterator[dict[str, Any]]:
    """Each once: reports say the same many times, and only the first one in time makes a fact."""
    first: dict[tuple[str | None, ...], tuple[dt.date, Mention, DossierDocument]] = {}
    for document in shelf.dossier.documents:
        own = document.date or dt.date.max
        for mention in document.mentions:
            if mention.system and mention.code:
                key = (mention.kind, mention.system, mention.code, mention.assertion, mention.value)
                date, held = mention.date or own, first.get(key)
                if held is None or date < held[0]:
                    first[key] = date, mention, document
    for _, mention, document in first.values():
        yield _fact(
            mention.kind.value,
            str(mention.system),
            str(mention.code),
            assertion=mention.assertion.value,
            value=mention.value,
            unit=mention.unit,
            date=mention.date or document.date,
            document_id=shelf.documents[document.id],
        )


def _facts_of_history(shelf: Shelf, biography: Biography) -> Iterator[dict[str, Any]]:
    """What only structured rows may have told, in the codes that mentions use."""
    for tumour in biography.tumours:
        source = _source(shelf, tumour.evidence)
        if tumour.topography:
            yield _fact(
                MentionKind.TOPOGRAPHY.value,
                System.ICDO3_T.value,
                tumour.topography,
                date=tumour.diagnosis_date,
                **source,
            )
        if tumour.morphology:
            yield _fact(
                MentionKind.MORPHOLOGY.value,
                System.ICDO3_M.value,
                tumour.morphology,
                date=tumour.diagnosis_date,
                **source,
            )
    for treatment in biography.treatments:
        source = _source(shelf, treatment.evidence)
        if treatment.regimen:
            yield _fact(
                MentionKind.REGIMEN.value, System.LOCAL.value, treatment.regimen, date=treatment.start, **source
            )
        for drug in treatment.drugs:
            if drug.atc:
                yield _fact(MentionKind.DRUG.value, System.ATC.value, drug.atc, date=treatment.start, **source)


def _facts_of_rows(shelf: Shelf, terminology: Terminology) -> Iterator[dict[str, Any]]:
    from consore.history import facts_of_results

    for row in shelf.dossier.structured:
        if row.kind == "act":
            yield _fact(MentionKind.PROCEDURE.value, System.CCAM.value, row.values["code"], date=row.date)
        elif row.kind == "diagnosis":
            yield _fact("diagnosis", System.CIM10.value, row.values["code"], date=row.date)
        elif row.kind in ("molecular", "biology"):
            for kind, system, code, value, unit in facts_of_results(row, terminology):
                record_id = shelf.records.get(row.id)
                yield _fact(kind, system, code, value=value, unit=unit, date=row.date, record_id=record_id)


def _fact(
    kind: str,
    system: str,
    code: str,
    *,
    assertion: str = Assertion.PRESENT.value,
    value: str | None = None,
    unit: str | None = None,
    date: dt.date | None = None,
    document_id: int | None = None,
    record_id: int | None = None,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "system": system,
        "code": code,
        "assertion": assertion,
        "value": value,
        "unit": unit,
        "date": date,
        "document_id": document_id,
        "record_id": record_id,
    }


def _source(shelf: Shelf, evidence: list[EvidenceRef]) -> dict[str, int | None]:
    first = evidence[0] if evidence else None
    return {
        "document_id": shelf.documents.get(first.document_id or "") if first else None,
        "record_id": shelf.records.get(first.row_id or "") if first else None,
    }


def _in(column: Any, values: Iterable[Any]) -> Any:
    return column.in_(list(values))


def _c(attribute: Any) -> Any:
    """A mapped attribute as a column: SQLModel types it as the value that it holds."""
    return attribute


__all__ = ["load_dossier", "load_dossiers", "number_of", "structure_and_save", "tnm_parts"]
