"""A patient's vector depends on their traits alone, and near patients have near vectors."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from consore.index.records import age_band, beginnings, patient_record, split_by_assertion, stage_beginnings
from consore.index.traits import PatientTraits, completed_years
from consore.index.vectors import DIMENSIONS, stage_group, weighted_traits
from consore.index.vectors import vector as vector_of
from consore.model import Assertion, Mention, MentionKind, Patient, Treatment, TreatmentDrug, Tumour, TumourEvent


def traits(site: str = "C50.4", stage: str = "IIA", drug: str = "L01FF02", born: int = 1970) -> PatientTraits:
    return PatientTraits(
        Patient(id=1, ipp="1", sex="female", birth_date=dt.date(born, 1, 1)),
        tumours=[
            Tumour(
                patient_id=1,
                rank=1,
                topography=site,
                morphology="8500/3",
                stage=stage,
                diagnosis_date=dt.date(2020, 1, 1),
            )
        ],
        events=[(TumourEvent(patient_id=1, type="metastatic_recurrence"), ["C22.0"])],
        treatments=[
            (Treatment(patient_id=1, type="immunotherapy", name=""), [TreatmentDrug(treatment_id=1, atc=drug, name="")])
        ],
    )


def vector(known: PatientTraits) -> list[float]:
    return vector_of(weighted_traits(known))


def test_a_vector_has_length_one_and_128_numbers() -> None:
    made = vector(traits())
    assert len(made) == DIMENSIONS
    assert np.linalg.norm(made) == pytest.approx(1.0, abs=1e-4)


def test_the_same_traits_give_the_same_vector_whatever_their_order() -> None:
    one, other = traits(), traits()
    other.events.append((TumourEvent(patient_id=1, type="progression"), ["C34.9", "C71.9"]))
    one.events.insert(0, (TumourEvent(patient_id=1, type="progression"), ["C71.9", "C34.9"]))
    assert vector(one) == vector(other)


def test_the_more_two_patients_share_the_nearer_they_are() -> None:
    base = np.array(vector(traits()))
    same_site = np.array(vector(traits(stage="IV")))
    other_site = np.array(vector(traits(site="C34.1", stage="IV", drug="L01XA01", born=1940)))
    assert base @ base > base @ same_site > base @ other_site


def test_a_patient_of_whom_nothing_is_known_has_a_vector_still() -> None:
    assert len(vector(PatientTraits(Patient(id=1, ipp="1")))) == DIMENSIONS


def test_attributes_of_one_tumour_are_paired_and_those_of_two_are_not() -> None:
    patient = traits()
    patient.tumours.append(Tumour(patient_id=1, rank=2, topography="C34.1", morphology="8140/3"))
    pairs = patient_record(patient)["same_tumour"]
    assert "topography|C50|morphology|8500/3" in pairs
    assert "topography|C34.1|morphology|8140/3" in pairs
    assert "topography|C50|morphology|8140/3" not in pairs


def test_a_stage_is_found_by_its_group_and_never_by_its_neighbour() -> None:
    assert stage_beginnings("IIIA1") == ["IIIA1", "III", "IIIA"]
    assert stage_beginnings("IV") == ["IV"]
    assert stage_beginnings("IVB") == ["IVB", "IV"]
    assert (stage_group("IIIC1"), stage_group("IV"), stage_group("0")) == ("III", "IV", "0")


def test_bands_and_beginnings() -> None:
    assert [age_band(age) for age in (0, 29, 30, 79, 80, 101)] == ["0-29", "0-29", "30-39", "70-79", "80-", "80-"]
    assert beginnings("C50") == ["C", "C5", "C50"]
    assert beginnings(None) == []
    assert completed_years(dt.date(1970, 5, 2), dt.date(2020, 5, 1)) == 49


def test_only_sentences_that_speak_of_nothing_present_are_set_apart() -> None:
    text = "Carcinome du sein. Pas de métastase. Mère : cancer du sein. Fatigue. Pas de toux ce jour."

    def mention(words: str, assertion: Assertion) -> Mention:
        start = text.index(words)
        return Mention(start, start + len(words), words, MentionKind.TOPOGRAPHY, assertion=assertion)

    asserted, other = split_by_assertion(
        text,
        [
            mention("Carcinome", Assertion.PRESENT),
            mention("métastase", Assertion.NEGATED),
            mention("cancer du sein", Assertion.FAMILY),
        ],
    )
    assert asserted.split("\n") == ["Carcinome du sein.", "Fatigue."]
    assert other.split("\n") == ["Pas de métastase.", "Mère : cancer du sein.", "Pas de toux ce jour."]
