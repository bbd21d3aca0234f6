"""What a physician says of a history outranks what is read, and is still there after any re-reading."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from history_dossiers import breast_biopsy, document, dossier, drug, mets, rec

from consore.history import review_queue, structure
from consore.model import (
    CorrectionItem,
    EventType,
    EvidenceItem,
    Laterality,
    TreatmentType,
    Verdict,
)
from consore.referentials import terminology

RELAPSE = document(
    "c1",
    "consultation",
    "2021-06-15",
    "Récidive métastatique hépatique.",
    rec("Récidive métastatique", "REC:metastatic"),
    mets("hépatique", "C22.0"),
)
LETTER = document("c2", "letter", "2023-01-10", "Traitée par paclitaxel.", drug("paclitaxel", "L01CD01"))


def said(key, verdict, values=None, before=None, identifier="1"):
    at = dt.datetime(2024, 3, 12, 9, 0, tzinfo=dt.UTC)
    return CorrectionItem(identifier, key, Verdict(verdict), values or {}, before or {}, "Dr Fictif", at)


def corrected(patient, *corrections):
    return replace(patient, corrections=list(corrections))


@pytest.fixture(scope="module")
def terms():
    return terminology()


@pytest.fixture
def patient():
    return dossier(breast_biopsy(), RELAPSE, LETTER)


def test_a_corrected_side_is_the_side_and_the_read_one_stays_as_a_conflict(patient, terms):
    seen = structure(patient, terms).tumours[0]
    after = structure(corrected(patient, said(seen.key, "correct", {"laterality": "right"})), terms).tumours[0]
    assert after.laterality is Laterality.RIGHT
    assert (after.key, after.confidence) == (seen.key, 1.0)
    assert [(one.attribute, one.value) for one in after.conflicts][-1] == ("laterality", "left")
    assert after.why.startswith("Corrigé par Dr Fictif le 12/03/2024")
    assert "sein droit" in after.label


def test_a_correction_survives_a_new_document_that_moves_the_date(patient, terms):
    seen = structure(patient, terms).tumours[0]
    earlier = replace(patient, documents=[*patient.documents, breast_biopsy("ap0", "2018-12-20")])
    after = structure(corrected(earlier, said(seen.key, "correct", {"laterality": "right"})), terms)
    assert [(one.laterality, one.diagnosis_date) for one in after.tumours] == [
        (Laterality.RIGHT, dt.date(2018, 12, 20))
    ]


def test_a_rejected_event_is_gone_and_its_rejection_outlives_another_document_that_tells_it(patient, terms):
    event = next(one for one in structure(patient, terms).events if one.type is EventType.METASTATIC_RECURRENCE)
    again = replace(RELAPSE, id="c9", date=dt.date(2021, 6, 28))
    more = replace(patient, documents=[*patient.documents, again])
    after = structure(corrected(more, said(event.key, "reject")), terms)
    assert EventType.METASTATIC_RECURRENCE not in [one.type for one in after.events]


def test_a_confirmed_event_that_no_document_tells_any_more_is_made_from_what_was_seen(patient, terms):
    event = next(one for one in structure(patient, terms).events if one.type is EventType.METASTATIC_RECURRENCE)
    before = {"type": "metastatic_recurrence", "date": "2021-06-15", "sites": ["C22.0"], "tumour_rank": 1}
    poorer = replace(patient, documents=[patient.documents[0]])
    after = structure(corrected(poorer, said(event.key, "confirm", before=before)), terms)
    made = next(one for one in after.events if one.type is EventType.METASTATIC_RECURRENCE)
    assert (made.date, made.sites, made.tumour_rank, made.key) == (dt.date(2021, 6, 15), ["C22.0"], 1, event.key)


def test_an_added_treatment_counts_and_a_rejected_tumour_takes_its_events_away(patient, terms):
    values = {"type": "hormonotherapy", "name": "tamoxifène", "drugs": [{"name": "tamoxifène", "atc": "L02BA01"}]}
    key = "treatment:L02BA01:2019-06-01"
    after = structure(corrected(patient, said(key, "add", {**values, "start": "2019-06-01"})), terms)
    made = next(one for one in after.treatments if one.type is TreatmentType.HORMONOTHERAPY)
    assert (made.start, made.key, made.drugs[0].atc) == (dt.date(2019, 6, 1), key, "L02BA01")
    tumour = structure(patient, terms).tumours[0]
    assert structure(corrected(patient, said(tumour.key, "reject")), terms).events == []


def test_the_last_of_two_corrections_wins(patient, terms):
    key = structure(patient, terms).tumours[0].key
    first = said(key, "correct", {"laterality": "right", "stage": "II"}, identifier="1")
    last = replace(
        said(key, "correct", {"laterality": "left"}, identifier="2"), at=dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    )
    after = structure(corrected(patient, last, first), terms).tumours[0]
    assert (after.laterality, after.stage) == (Laterality.LEFT, "II")


def test_every_item_has_a_name_a_reason_and_a_confidence_and_names_are_told_apart(patient, terms):
    history = structure(patient, terms)
    items = [item for _, _, item in review_queue(history)]
    assert all(item.key and item.why.endswith(".") and 0 <= item.confidence <= 1 for item in items)
    assert len({item.key for item in items}) == len(items)


def test_what_is_doubtful_and_matters_is_reviewed_first_and_what_was_reviewed_no_more(patient, terms):
    queue = review_queue(structure(patient, terms))
    assert [value for value, _, _ in queue] == sorted((value for value, _, _ in queue), reverse=True)
    event = next(item for _, kind, item in queue if kind is EvidenceItem.EVENT and "metastatic" in item.key)
    after = review_queue(structure(corrected(patient, said(event.key, "confirm")), terms))
    assert event.key not in [item.key for _, _, item in after]
