"""What chronologies, letters and notes in many hands say of the same course of a disease."""

from __future__ import annotations

import datetime as dt

import pytest
from history_dossiers import act, document, dossier, drug, mets, morph, rec, regimen, resp, stage, topo

from consore.history import structure
from consore.model import Assertion, EventType, TreatmentType
from consore.referentials import terminology

D = dt.date.fromisoformat


def read(*parts, death=None):
    return structure(dossier(*parts, death=death), terminology())


def of(history, kind):
    return [one for one in history.treatments if one.type is kind]


def dates(history, kind):
    return [one.date for one in history.events if one.type is kind]


def colon(identifier="ap", date="2020-02-05"):
    text = "Adénocarcinome du côlon gauche."
    return document(identifier, "pathology", date, text, morph("Adénocarcinome", "8140/3"), topo("côlon", "C18.9"))


@pytest.mark.parametrize(
    "told",
    [
        "A reçu sa sixième et dernière cure de FOLFOX le 10/08/2020.",
        "A reçu sa 6e cure de FOLFOX le 10/08/2020.",
        "FOLFOX x 6, dernière cure le 10/08/2020.",
        "FOLFOX, stop le 10/08/2020.",
    ],
)
def test_a_later_cycle_is_of_the_course_that_began_before(told):
    found = read(
        colon(),
        document("c1", "chemotherapy", "2020-03-09", "FOLFOX cure 1.", regimen("FOLFOX", "REG:FOLFOX")),
        document("c2", "consultation", "2020-09-01", told, regimen("FOLFOX", "REG:FOLFOX", date="2020-08-10")),
    )
    (course,) = of(found, TreatmentType.CHEMOTHERAPY)
    assert (course.start, course.end) == (D("2020-03-09"), D("2020-08-10"))


def test_a_drug_that_goes_on_beside_one_that_changes_is_not_begun_again():
    text = "Relais par palbociclib à compter du 14/09/2021, fulvestrant poursuivi."
    found = read(
        document(
            "ap",
            "pathology",
            "2019-04-12",
            "Carcinome du sein.",
            morph("Carcinome", "8500/3"),
            topo("sein", "C50.9"),
        ),
        document(
            "c1",
            "consultation",
            "2021-05-25",
            "Début de fulvestrant le 27/04/2021.",
            drug("fulvestrant", "L02BA03", date="2021-04-27"),
        ),
        document(
            "c2",
            "consultation",
            "2021-09-14",
            text,
            drug("palbociclib", "L01EF01", date="2021-09-14"),
            drug("fulvestrant", "L02BA03", date="2021-09-14"),
        ),
    )
    assert [one.start for one in of(found, TreatmentType.HORMONOTHERAPY)] == [D("2021-04-27")]


def stage_four():
    return document("r", "rcp", "2020-02-25", "Adénocarcinome du côlon stade IV.", stage("stade IV", "STAGE:IV"))


def colon_stage_four():
    text = "Métastases osseuses."
    spread = document("b", "imaging", "2020-02-20", text, mets("Métastases osseuses", "C41.9"))
    return colon(), spread, stage_four()


def test_metastases_that_appear_in_another_organ_of_a_metastatic_tumour_are_a_progression():
    text = "Apparition de métastases cérébrales."
    found = read(
        *colon_stage_four(),
        document("s", "imaging", "2021-06-01", text, mets("métastases cérébrales", "C71.9")),
    )
    (event,) = [one for one in found.events if one.type is EventType.PROGRESSION]
    assert (event.date, event.sites) == (D("2021-06-01"), ["C71.9"])


def test_metastases_told_again_of_a_metastatic_tumour_are_nothing_new():
    found = read(
        *colon_stage_four(),
        document(
            "s",
            "consultation",
            "2021-06-01",
            "Métastases osseuses connues.",
            mets("Métastases osseuses", "C41.9"),
        ),
    )
    assert [one.type for one in found.events] == [EventType.INITIAL]


def test_the_lesions_shown_at_the_diagnosis_of_a_stage_four_are_its_metastases():
    text = "TEP : lésions osseuses multiples."
    found = read(
        colon(),
        document("t", "imaging", "2020-02-20", text, morph("lésions", "8000/1"), topo("osseuses", "C41.9")),
        stage_four(),
    )
    assert found.events[0].sites == ["C41.9"]


def test_the_sites_of_a_progression_may_stand_in_the_sentence_before():
    text = "Apparition d'une carcinose péritonéale. Progression donc."
    found = read(
        *colon_stage_four(),
        document(
            "s",
            "consultation",
            "2021-06-01",
            text,
            mets("carcinose péritonéale", "C48.2"),
            rec("Progression", "REC:progression"),
        ),
    )
    (event,) = [one for one in found.events if one.type is EventType.PROGRESSION]
    assert event.sites == ["C48.2"]


def test_a_recurrence_after_the_remission_of_a_metastatic_tumour_is_a_recurrence_again():
    found = read(
        *colon_stage_four(),
        document("o", "consultation", "2020-12-05", "Rémission complète.", resp("Rémission complète", "RESP:complete")),
        document(
            "r2",
            "rcp",
            "2022-10-12",
            "Récidive métastatique pulmonaire.",
            rec("Récidive métastatique", "REC:metastatic"),
            topo("pulmonaire", "C34.9"),
        ),
    )
    assert dates(found, EventType.METASTATIC_RECURRENCE) == [D("2022-10-12")]


def test_a_complete_response_after_two_cycles_of_a_lymphoma_is_not_yet_a_remission():
    biopsy = document("ap", "pathology", "2019-11-12", "Lymphome B diffus.", morph("Lymphome B diffus", "9680/3"))
    text = "TEP après 2 cures : réponse complète."
    found = read(
        biopsy, document("t", "imaging", "2020-01-27", text, resp("réponse complète", "RESP:complete", date=None))
    )
    assert dates(found, EventType.REMISSION) == []


def test_a_lymphoma_of_the_neck_sits_in_the_nodes_of_the_neck():
    text = "Lymphome B diffus cervical."
    found = read(
        document("ap", "pathology", "2019-11-12", text, morph("Lymphome B diffus", "9680/3"), topo("cervical", "C76.0"))
    )
    assert found.tumours[0].topography == "C77.0"


def test_what_was_removed_says_the_organ_of_its_histology():
    text = "Pièce de prostatectomie radicale : adénocarcinome."
    found = read(
        document(
            "ap",
            "pathology",
            "2012-05-24",
            text,
            act("prostatectomie radicale", "PROC:prostatectomy"),
            morph("adénocarcinome", "8140/3"),
        )
    )
    assert found.tumours[0].topography == "C61.9"


def test_a_skin_carcinoma_of_the_past_is_not_the_first_cancer():
    text = "Antécédent de carcinome basocellulaire du nez en 2014."
    past = Assertion.HISTORY
    found = read(
        colon(),
        document(
            "r",
            "rcp",
            "2020-02-25",
            text,
            morph("carcinome basocellulaire", "8090/3", assertion=past, date="2014-01-01"),
            topo("nez", "C44.3", assertion=past, date="2014-01-01"),
        ),
    )
    assert [one.topography for one in found.tumours] == ["C18.9"]
    assert [one.values["topography"] for one in found.set_aside] == ["C44.3"]


def test_an_event_that_names_no_tumour_is_of_the_one_that_relapsed_last():
    prostate = document(
        "p",
        "pathology",
        "2020-06-18",
        "Prostate : adénocarcinome de découverte fortuite.",
        topo("Prostate", "C61.9"),
        morph("adénocarcinome", "8140/3"),
    )
    relapse = "Récidive métastatique hépatique de l'adénocarcinome du côlon."
    found = read(
        colon("ap", "2017-06-13"),
        prostate,
        document(
            "r",
            "rcp",
            "2021-10-12",
            relapse,
            rec("Récidive métastatique hépatique", "REC:metastatic"),
            mets("métastatique hépatique", "C22.0"),
            morph("adénocarcinome", "8140/3"),
            topo("côlon", "C18.9"),
        ),
        document("c", "consultation", "2022-03-15", "Progression.", rec("Progression", "REC:progression")),
        document("h", "chemotherapy", "2022-03-28", "Pembrolizumab, 1re perfusion.", drug("Pembrolizumab", "L01FF02")),
    )
    (event,) = [one for one in found.events if one.type is EventType.PROGRESSION]
    (given,) = of(found, TreatmentType.IMMUNOTHERAPY)
    assert (event.tumour_rank, given.tumour_rank) == (1, 1)
