"""Why a patient is in the answer: the rows of their history that meet each criterion, in French words.

The engine or the store has already decided; here the criteria are read once more over one patient's rows, to name the
row that met each of them and to find the sentence that it was taken from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from consore.index import PatientTraits
from consore.model import (
    Alteration,
    Biomarker,
    EvidenceItem,
    System,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
)
from consore.referentials import Terminology
from consore.search.criteria import (
    AlterationLeaf,
    BiomarkerLeaf,
    CodeLeaf,
    ConceptLeaf,
    Criteria,
    DateRange,
    Delay,
    DocumentLeaf,
    EventLeaf,
    NumberRange,
    PatientLeaf,
    SampleLeaf,
    SequenceLeaf,
    TreatmentLeaf,
    TumourLeaf,
)
from consore.search.labels import label, marker_label, phrases

_T, _M, _ATC, _LOCAL, _CIM10, _CCAM = (
    System.ICDO3_T.value,
    System.ICDO3_M.value,
    System.ATC.value,
    System.LOCAL.value,
    System.CIM10.value,
    System.CCAM.value,
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason in French, and the derived row that it speaks of, if any."""

    text: str
    item: str | None = None
    item_id: int | None = None


def reasons(criteria: Criteria, traits: PatientTraits, terminology: Terminology) -> list[Reason]:
    """One reason for each criterion that the patient meets, in the order of the criteria, without repeats."""
    found: dict[str, Reason] = {}
    for reason in _reasons(criteria, traits, terminology):
        found.setdefault(reason.text, reason)
    return list(found.values())


def traits_of(node: Criteria) -> set[str]:
    """The kinds of traits (`index.load_traits`) that the reasons of these criteria are read from."""
    return {_TRAITS[node.key]} if node.key in _TRAITS else set().union(*map(traits_of, node.children))


_TRAITS = {
    "patient": "tumours",  # the ages at diagnosis
    "tumour": "tumours",
    "event": "events",
    "treatment": "treatments",
    "biomarker": "biomarkers",
    "alteration": "alterations",
    "sample": "samples",
    "diagnosis": "diagnoses",
    "act": "acts",
}


def _reasons(node: Criteria, traits: PatientTraits, terminology: Terminology) -> Iterator[Reason]:
    if node.all is not None:
        for child in node.all:
            yield from _reasons(child, traits, terminology)
    elif node.any is not None:
        # One way to meet it is enough to be told; what cannot be looked up is believed where nothing else holds.
        for child in node.any:
            first = list(_reasons(child, traits, terminology)) if _is_known(child) else []
            if first:
                yield from first
                return
        if believed := [child for child in node.any if not _is_known(child)]:
            yield Reason(describe(Criteria(any=believed), terminology))
    elif node.none is not None:
        for child in node.none:
            words = describe(child, terminology)
            yield Reason(f"Sans {words[:1].lower()}{words[1:]}")
    elif not _is_known(node):
        yield Reason(describe(node, terminology))
    elif node.patient is not None:
        yield from _patient(node.patient, traits)
    elif node.sequence is not None:
        yield from _in_order(node.sequence, traits, terminology) or [Reason(describe(node, terminology))]
    elif node.count is not None:
        yield from (reason for _, reason in islice(_rows(node.count.of, traits, terminology), node.count.at_least))
    else:
        yield from (reason for _, reason in islice(_rows(node, traits, terminology), 1))


def _is_known(node: Criteria) -> bool:
    """Whether the traits hold what the node asks for, and not the store alone."""
    return not (node.concept or node.document) and all(_is_known(child) for child in node.children)


def _in_order(leaf: SequenceLeaf, traits: PatientTraits, terminology: Terminology) -> list[Reason]:
    """The two rows that follow one another, the earliest that do; none where the traits do not have their days."""
    firsts, thens = (
        sorted(((day, reason) for day, reason in _rows(node, traits, terminology) if day), key=lambda dated: dated[0])
        for node in (leaf.first, leaf.then)
    )
    for (one, first), (two, then) in product(firsts, thens):
        if one <= two and first != then and (leaf.within is None or leaf.within.holds(one, two)):
            return [first, then]
    return []


def _rows(node: Criteria, traits: PatientTraits, terminology: Terminology) -> Iterator[tuple[dt.date | None, Reason]]:
    """The patient's rows that meet a leaf, each with its day and its words."""
    leaf = getattr(node, node.key)
    match leaf:
        case TumourLeaf():
            for tumour in traits.tumours:
                if _is_tumour(leaf, tumour):
                    said = tumour_label(tumour, terminology)
                    yield tumour.diagnosis_date, Reason(said, EvidenceItem.TUMOUR.value, tumour.id)
        case EventLeaf():
            for event, sites in traits.events:
                if _is_event(leaf, event, sites):
                    yield event.date, Reason(event_label(event, sites, terminology), EvidenceItem.EVENT.value, event.id)
        case TreatmentLeaf():
            for treatment, drugs in traits.treatments:
                if _is_treatment(leaf, treatment, drugs):
                    said = treatment_label(treatment, terminology)
                    yield treatment.start, Reason(said, EvidenceItem.TREATMENT.value, treatment.id)
        case BiomarkerLeaf():
            for marker in traits.biomarkers:
                if _is_biomarker(leaf, marker):
                    said = biomarker_label(marker, terminology)
                    yield marker.date, Reason(said, EvidenceItem.BIOMARKER.value, marker.id)
        case AlterationLeaf():
            for change in traits.alterations:
                if _is_alteration(leaf, change):
                    said = " ".join(filter(None, (change.gene, label("status", change.status), change.variant)))
                    yield change.date, Reason(said, EvidenceItem.ALTERATION.value, change.id)
        case SampleLeaf():
            for sample in traits.samples:
                if (leaf.type is None or sample.type in leaf.type) and leaf.status in (None, sample.status):
                    yield sample.date, Reason(f"prélèvement {sample.type}")
        case CodeLeaf():
            for code in traits.diagnoses if node.diagnosis else traits.acts:
                if _begins(code, leaf.code):
                    yield None, Reason(_code_label(code, terminology))


# --- Does the row meet the leaf? ------------------------------------------------------------------------------


def _begins(code: str | None, codes: Sequence[str] | None) -> bool:
    return codes is None or (code is not None and any(code.startswith(one) for one in codes))


def _within(value: float | None, bounds: NumberRange | None) -> bool:
    if bounds is None:
        return True
    if value is None:
        return False
    return (bounds.min is None or value >= bounds.min) and (bounds.max is None or value <= bounds.max)


def _between(first: dt.date | None, last: dt.date | None, period: DateRange | None) -> bool:
    """Whether two periods overlap; an unknown day is in none."""
    if period is None:
        return True
    if first is None:
        return False
    return (period.from_ is None or (last or first) >= period.from_) and (period.to is None or first <= period.to)


def _is_tumour(leaf: TumourLeaf, tumour: Tumour) -> bool:
    stages = leaf.stage
    return (
        _begins(tumour.topography, leaf.topography)
        and _begins(tumour.morphology, leaf.morphology)
        and (leaf.laterality is None or tumour.laterality == leaf.laterality.value)
        and (
            stages is None
            or any(
                tumour.stage == stage
                or ((tumour.stage or "").startswith(stage) and (tumour.stage or "")[len(stage)] not in "IV")
                for stage in stages
            )
        )
        and all(
            _begins(value, [v if v[:1].upper() == letter else letter + v for v in wanted] if wanted else wanted)
            for letter, value, wanted in (("T", tumour.t, leaf.t), ("N", tumour.n, leaf.n), ("M", tumour.m, leaf.m))
        )
        and (leaf.grade is None or tumour.grade in leaf.grade)
        and _between(tumour.diagnosis_date, tumour.diagnosis_date, leaf.diagnosed)
        and _within(tumour.rank, leaf.rank)
    )


def _is_event(leaf: EventLeaf, event: TumourEvent, sites: list[str]) -> bool:
    return (
        (leaf.type is None or event.type in leaf.type)
        and (leaf.site is None or any(_begins(site, leaf.site) for site in sites))
        and _between(event.date, event.date, leaf.between)
    )


def _is_treatment(leaf: TreatmentLeaf, treatment: Treatment, drugs: list[TreatmentDrug]) -> bool:
    return (
        (leaf.type is None or treatment.type in leaf.type)
        and (leaf.drug is None or any(_begins(drug.atc, leaf.drug) for drug in drugs))
        and (leaf.regimen is None or treatment.regimen in leaf.regimen)
        and _begins(treatment.act_code, leaf.act)
        and _within(treatment.line, leaf.line)
        and _between(treatment.start, treatment.end, leaf.between)
        and (leaf.response is None or treatment.response in leaf.response)
    )


def _is_biomarker(leaf: BiomarkerLeaf, biomarker: Biomarker) -> bool:
    return (
        biomarker.code in leaf.code
        and (leaf.status is None or biomarker.status in leaf.status)
        and (
            leaf.value is None or (_within(biomarker.number, leaf.value) and leaf.value.unit in (None, biomarker.unit))
        )
    )


def _is_alteration(leaf: AlterationLeaf, alteration: Alteration) -> bool:
    return (
        alteration.gene in leaf.gene
        and (leaf.status is None or alteration.status in leaf.status)
        and leaf.variant in (None, alteration.variant)
    )


# --- Rows in words --------------------------------------------------------------------------------------------


def _patient(leaf: PatientLeaf, traits: PatientTraits) -> Iterator[Reason]:
    if leaf.sex:
        yield Reason(label("sex", traits.patient.sex))
    if leaf.vital_status:
        yield Reason(label("vital", traits.vital_status))
    for age in traits.ages_at_diagnosis if leaf.age_at_diagnosis else []:
        if _within(age, leaf.age_at_diagnosis):
            yield Reason(f"{age} ans au diagnostic")
            break


def tumour_label(tumour: Tumour, terminology: Terminology) -> str:
    """`Adénocarcinome canalaire infiltrant – sein, gauche, stade IIA, 2019`."""
    what = " – ".join(
        part
        for part in (
            terminology.label(_M, tumour.morphology) if tumour.morphology else "",
            terminology.label(_T, tumour.topography).lower() if tumour.topography else "",
        )
        if part
    )
    details = (
        label("laterality", tumour.laterality) if tumour.laterality and not tumour.label else "",  # a label says it
        f"stade {tumour.stage}" if tumour.stage else "",
        str(tumour.diagnosis_date.year) if tumour.diagnosis_date else "",
    )
    return ", ".join(
        [tumour.label or what or "Tumeur", *(part for part in details if part and part not in tumour.label)]
    )


def event_label(event: TumourEvent, sites: Iterable[str], terminology: Terminology) -> str:
    """`Récidive métastatique (foie, os), 03/2021`."""
    places = ", ".join(dict.fromkeys(terminology.label(_T, site).lower() for site in sites))
    if event.type == "initial" and places:
        name = "Métastatique au diagnostic"
    else:
        name = label("event", event.type)
    return ", ".join(part for part in (f"{name} ({places})" if places else name, month(event.date)) if part)


def treatment_label(treatment: Treatment, terminology: Terminology) -> str:
    """`FOLFOX, ligne 2, 03/2021`."""
    name = treatment.name
    if treatment.regimen and terminology.concept(_LOCAL, treatment.regimen):
        name = terminology.label(_LOCAL, treatment.regimen)
    kind = label("treatment", treatment.type)
    if not name or name == treatment.type:
        name = kind
    elif kind.lower() not in name.lower():
        name = f"{kind} : {name}"
    line = f"ligne {treatment.line}" if treatment.line else ""
    return ", ".join(part for part in (name, line, month(treatment.start)) if part)


def biomarker_label(biomarker: Biomarker, terminology: Terminology) -> str:
    """`HER2 positif`, `Ki-67 30 %`."""
    if biomarker.number is not None:
        name = marker_label(terminology, biomarker.code)
        return f"{name} {biomarker.number:g} {biomarker.unit or ''}".strip()
    status = None if biomarker.status == "unknown" else biomarker.status
    return marker_label(terminology, biomarker.code, status)


def month(day: dt.date | None) -> str:
    """`03/2021`."""
    return f"{day:%m/%Y}" if day else ""


# --- Criteria in words ----------------------------------------------------------------------------------------


def describe(node: Criteria, terminology: Terminology) -> str:
    """A criteria tree in French words, for people to read; a phrase of the questions says itself."""
    phrase = phrases().get(node.canonical())
    if phrase:
        return phrase
    if node.all is not None:
        return " et ".join(describe(child, terminology) for child in node.all)
    if node.any is not None:
        return " ou ".join(dict.fromkeys(describe(child, terminology) for child in node.any))
    if node.none is not None:
        return "sans " + ", ni ".join(describe(child, terminology) for child in node.none)
    if node.sequence is not None:
        first, then = (describe(child, terminology) for child in node.children)
        return f"{then} {_lapse(node.sequence.within)}après {first[:1].lower()}{first[1:]}"
    if node.count is not None:
        return f"{describe(node.count.of, terminology)} (au moins {node.count.at_least})"
    return _describe_leaf(getattr(node, node.key), terminology) or label("leaf", node.key)


def _describe_leaf(leaf: Any, terminology: Terminology) -> str:
    parts: list[str] = []
    for name, system in _SYSTEMS.items():
        codes = getattr(leaf, name, None)
        if codes:
            written = [terminology.label(system, code) for code in codes]
            parts.append(" / ".join(written[:3]) + (" …" if len(written) > 3 else ""))
    match leaf:
        case PatientLeaf():
            if leaf.sex:
                parts.append(label("sex", leaf.sex.value))
            if leaf.vital_status:
                parts.append(label("vital", leaf.vital_status))
            if leaf.age_at_diagnosis:
                parts.append(f"âge au diagnostic {_bounds(leaf.age_at_diagnosis)} ans")
            if leaf.current_age:
                parts.append(f"âge {_bounds(leaf.current_age)} ans")
        case TumourLeaf():
            if leaf.laterality:
                parts.append(label("laterality", leaf.laterality.value))
            parts += [f"stade {stage}" for stage in leaf.stage or []]
            parts += [value for group in (leaf.t, leaf.n, leaf.m) for value in group or []]
            parts += [f"grade {grade}" for grade in leaf.grade or []]
            parts += [f"rang {_bounds(leaf.rank)}"] if leaf.rank else []
        case EventLeaf():
            parts[:0] = [label("event", item.value) for item in leaf.type or []]
        case TreatmentLeaf():
            parts[:0] = [label("treatment", item.value) for item in leaf.type or []]
            parts += [f"ligne {_bounds(leaf.line)}"] if leaf.line else []
            parts += [terminology.label(_LOCAL, response) for response in leaf.response or []]
        case BiomarkerLeaf() | AlterationLeaf():
            codes = leaf.code if isinstance(leaf, BiomarkerLeaf) else leaf.gene
            status = leaf.status[0].value if leaf.status else None
            parts = [marker_label(terminology, code, status) for code in codes]
            if isinstance(leaf, AlterationLeaf):
                parts += [leaf.variant] if leaf.variant else []
            elif leaf.value:
                parts.append(f"{_bounds(leaf.value)} {leaf.value.unit or ''}".strip())
        case CodeLeaf():
            parts = [_code_label(code, terminology) for code in leaf.code]
        case ConceptLeaf():
            parts = [terminology.label(leaf.system, code) for code in leaf.code]
        case SampleLeaf():
            parts = ["prélèvement " + " / ".join(leaf.type or ["en biobanque"])]
        case DocumentLeaf():
            parts = [" / ".join(label("document", kind.value) for kind in leaf.kind or []) or "document"]
            parts += leaf.service or []
            if leaf.text:
                parts.append(f"écrit : {leaf.text.strip()}")
    parts += _described_days(leaf)
    return ", ".join(parts)


_SYSTEMS = {"topography": _T, "morphology": _M, "site": _T, "drug": _ATC, "regimen": _LOCAL, "act": _CCAM}


def _code_label(code: str, terminology: Terminology) -> str:
    return terminology.label(_CIM10 if terminology.concept(_CIM10, code) else _CCAM, code)


def _lapse(delay: Delay | None) -> str:
    """`dans les 6 mois `, `de 3 à 6 mois `, `au moins 3 mois `: how long after."""
    if delay is None or (delay.min is None and delay.max is None):
        return ""
    unit = label("delay", delay.unit)
    if delay.max is None:
        return f"au moins {delay.min} {unit} "
    return f"dans les {delay.max} {unit} " if not delay.min else f"de {delay.min} à {delay.max} {unit} "


def _described_days(leaf: Any) -> list[str]:
    """`diagnostic du 01/01/2018 au 31/12/2020`, `depuis le 01/01/2020`: the period of a leaf, if it has one."""
    period = getattr(leaf, "between", None) or getattr(leaf, "diagnosed", None)
    if period is None:
        return []
    first, last = (f"{day:%d/%m/%Y}" if day else "" for day in (period.from_, period.to))
    said = f"du {first} au {last}" if first and last else f"depuis le {first}" if first else f"jusqu’au {last}"
    return [f"diagnostic {said}" if isinstance(leaf, TumourLeaf) else said] if first or last else []


def _bounds(bounds: NumberRange) -> str:
    if bounds.min is not None and bounds.max is not None:
        return f"{bounds.min:g}" if bounds.min == bounds.max else f"de {bounds.min:g} à {bounds.max:g}"
    return f"à partir de {bounds.min:g}" if bounds.min is not None else f"jusqu'à {bounds.max or 0:g}"
