"""As much of a stored history as a headline or a summary tells, from the readers of the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consore import model
from consore.api.context import Info
from consore.model import (
    AlterationItem,
    Biography,
    BiomarkerItem,
    BiomarkerStatus,
    DrugItem,
    EventItem,
    EventType,
    EvidenceItem,
    Laterality,
    TreatmentItem,
    TreatmentType,
    TumourItem,
)


async def outline_of(info: Info, patient: model.Patient, *, whole: bool = False) -> Biography:
    """Tumours and events of a patient; `whole` brings treatments, biomarkers, alterations and confidences too.

    Ranks are counted from 1 without a gap, since a headline finds a tumour by its rank.
    """
    loaders, key = info.context.loaders, patient.id or 0
    tumours = await loaders.tumours.load(key)
    events = await loaders.events.load(key)
    ranks = {tumour.id: rank for rank, tumour in enumerate(tumours, 1)}
    outline = Biography(str(key), [_tumour(row, ranks) for row in tumours], await _events(info, events, ranks))
    if patient.death_date and not any(one.type is EventType.DEATH and one.date for one in outline.events):
        outline.events.append(EventItem(type=EventType.DEATH, date=patient.death_date))
    if not whole:
        return outline
    treatments = await loaders.treatments.load(key)
    drugs = await loaders.drugs.load_many([row.id or 0 for row in treatments])
    outline.treatments = [_treatment(row, of_it, ranks) for row, of_it in zip(treatments, drugs, strict=True)]
    biomarkers, alterations = await loaders.biomarkers.load(key), await loaders.alterations.load(key)
    by_rank = {item.rank: item for item in outline.tumours}
    pairs: list[tuple[EvidenceItem, Any, Any]] = [
        *((EvidenceItem.TUMOUR, row, item) for row, item in zip(tumours, outline.tumours, strict=True)),
        *((EvidenceItem.EVENT, row, item) for row, item in zip(events, outline.events, strict=False)),
        *((EvidenceItem.TREATMENT, row, item) for row, item in zip(treatments, outline.treatments, strict=True)),
    ]
    for row in biomarkers:
        if owner := by_rank.get(ranks.get(row.tumour_id, 0)):
            marker = BiomarkerItem(row.code, BiomarkerStatus(row.status), value=row.value, unit=row.unit)
            owner.biomarkers.append(marker)
            pairs.append((EvidenceItem.BIOMARKER, row, marker))
    for one in alterations:
        if owner := by_rank.get(ranks.get(one.tumour_id, 0)):
            altered = AlterationItem(one.gene, one.variant, BiomarkerStatus(one.status))
            owner.alterations.append(altered)
            pairs.append((EvidenceItem.ALTERATION, one, altered))
    beliefs = await loaders.belief.load_many([(kind.value, row.id or 0) for kind, row, _ in pairs])
    for (_, _, item), belief in zip(pairs, beliefs, strict=True):
        item.confidence = belief.confidence if belief else item.confidence
    return outline


def _tumour(row: model.Tumour, ranks: dict[Any, int]) -> TumourItem:
    return TumourItem(
        rank=ranks[row.id],
        topography=row.topography,
        morphology=row.morphology,
        laterality=Laterality(row.laterality) if row.laterality else None,
        diagnosis_date=row.diagnosis_date,
        ctnm=row.ctnm,
        ptnm=row.ptnm,
        stage=row.stage,
        grade=row.grade,
        label=row.label,
    )


async def _events(info: Info, rows: Sequence[model.TumourEvent], ranks: dict[Any, int]) -> list[EventItem]:
    sites = await info.context.loaders.sites.load_many([row.id or 0 for row in rows])
    return [
        EventItem(EventType(row.type), row.date, ranks.get(row.tumour_id), [site.code for site in of_it], row.label)
        for row, of_it in zip(rows, sites, strict=True)
    ]


def _treatment(row: model.Treatment, drugs: list[model.TreatmentDrug], ranks: dict[Any, int]) -> TreatmentItem:
    return TreatmentItem(
        TreatmentType(row.type),
        row.name,
        [DrugItem(drug.name, drug.atc) for drug in drugs],
        row.regimen,
        row.act_code,
        row.line,
        row.start,
        row.end,
        ranks.get(row.tumour_id),
        cycles=row.cycles,
    )
