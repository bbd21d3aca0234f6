"""What the words around a fact say of its date, of its organ, of whether it was so."""

from __future__ import annotations

import datetime as dt

import pytest
from history_dossiers import (
    act,
    day_,
    document,
    dose,
    dossier,
    drug,
    marker,
    mets,
    morph,
    rec,
    regimen,
    resp,
    side,
    tnm,
    topo,
)

from consore.history import structure
from consore.history.rules import rules
from consore.model import Assertion as A
from consore.model import EventType, Laterality, TreatmentType
from consore.referentials import terminology


def read(*parts, death=None):
    return structure(dossier(*parts, death=death), terminology())


def lung(identifier="ap", date="2020-02-05"):
    return document(
        identifier,
        "pathology",
        date,
        "Carcinome épidermoïde du lobe supérieur droit du poumon.",
        morph("Carcinome épidermoïde", "8070/3"),
        topo("lobe supérieur droit du poumon", "C34.1"),
        side("droit", None, "right"),
    )


def of(history, kind):
    return [one for one in history.treatments if one.type is kind]


def test_the_date_of_a_scan_that_shows_progression_is_not_the_first_day_of_the_drug():
    text = "Progression au scanner du 22/08/2022 sous sunitinib."
    began = "Début du sunitinib le 06/01/2022."
    found = read(
        lung(),
        document("c1", "consultation", "2022-01-10", began, drug("sunitinib", "L01EX01", date="2022-01-06")),
        document("c2", "consultation", "2022-08-30", text, drug("sunitinib", "L01EX01", date="2022-08-22")),
    )
    assert [(one.start, one.end) for one in of(found, TreatmentType.TARGETED)] == [
        (dt.date(2022, 1, 6), dt.date(2022, 8, 22))
    ]


def test_a_treatment_that_stops_for_toxicity_says_so_and_is_not_begun_again():
    found = read(
        lung(),
        document(
            "c1", "consultation", "2020-03-10", "Début de docétaxel ce jour.", drug("docétaxel", "L01CD02", date=None)
        ),
        document(
            "c2",
            "consultation",
            "2020-06-10",
            "Arrêt du docétaxel pour neuropathie.",
            drug("docétaxel", "L01CD02", date=None),
        ),
    )
    (course,) = of(found, TreatmentType.CHEMOTHERAPY)
    assert (course.start, course.end, course.stop_reason) == (dt.date(2020, 3, 10), dt.date(2020, 6, 10), "toxicity")


def test_two_dates_joined_are_the_first_and_the_last_day_of_a_protocol():
    text = "R-CHOP du 04/04/2020 au 25/07/2020."
    found = read(
        document("ap", "pathology", "2020-03-13", "Lymphome diffus à grandes cellules B.", morph("Lymphome", "9680/3")),
        document(
            "c",
            "consultation",
            "2020-08-22",
            text,
            regimen("R-CHOP", "REG:R_CHOP", date="2020-04-04"),
            day_("04/04/2020", value="2020-04-04", date="2020-04-04"),
            day_("25/07/2020", value="2020-07-25", date="2020-07-25"),
        ),
    )
    (course,) = of(found, TreatmentType.CHEMOTHERAPY)
    assert (course.start, course.end, course.line) == (dt.date(2020, 4, 4), dt.date(2020, 7, 25), None)


def test_two_protocols_that_were_weighed_are_not_one_that_was_given():
    text = "Entre docétaxel et gemcitabine, nous avons hésité."
    found = read(
        lung(),
        document("c", "consultation", "2020-03-10", text, drug("docétaxel", "L01CD02"), drug("gemcitabine", "L01BC05")),
    )
    assert found.treatments == []


def test_a_lymphoma_that_comes_back_relapses_and_has_no_metastases():
    found = read(
        document("ap", "pathology", "2017-03-13", "Lymphome diffus à grandes cellules B.", morph("Lymphome", "9680/3")),
        document(
            "c",
            "consultation",
            "2018-10-09",
            "Rechute ganglionnaire et hépatique.",
            rec("Rechute", "REC:regional"),
            mets("hépatique", "C22.0"),
        ),
    )
    assert [(one.type, one.sites) for one in found.events] == [
        (EventType.INITIAL, []),
        (EventType.LOCAL_RECURRENCE, []),
    ]
    assert found.tumours[0].topography == "C77.9"


def test_a_hepatocellular_carcinoma_is_a_second_cancer_after_a_colon_cancer_and_not_its_metastasis():
    found = read(
        document(
            "a",
            "pathology",
            "2009-04-20",
            "Adénocarcinome du côlon droit.",
            morph("Adénocarcinome", "8140/3"),
            topo("côlon droit", "C18.2"),
        ),
        document(
            "b", "pathology", "2021-10-04", "Segment VIII : carcinome hépatocellulaire.",
            morph("carcinome hépatocellulaire", "8170/3"),
        ),
    )  # fmt: skip
    assert [(one.topography, one.morphology) for one in found.tumours] == [("C18.2", "8140/3"), ("C22.0", "8170/3")]
    assert found.events[-1].type is EventType.SECOND_CANCER


def test_a_mouth_without_more_and_a_tongue_are_one_tumour():
    found = read(
        document(
            "a",
            "pathology",
            "2020-01-20",
            "Carcinome épidermoïde de la cavité buccale.",
            morph("Carcinome épidermoïde", "8070/3"),
            topo("cavité buccale", "C06.9"),
        ),
        document(
            "b",
            "rcp",
            "2020-02-04",
            "Carcinome épidermoïde de la langue mobile.",
            morph("Carcinome épidermoïde", "8070/3"),
            topo("langue mobile", "C02.3"),
        ),
    )
    assert [one.topography for one in found.tumours] == ["C02.3"]


def test_one_report_that_writes_another_year_does_not_move_the_diagnosis():
    late = document(
        "z",
        "consultation",
        "2023-01-10",
        "Carcinome épidermoïde du poumon diagnostiqué en 2012.",
        morph("Carcinome épidermoïde", "8070/3", date="2012-01-01"),
        topo("poumon", "C34.9", date="2012-01-01"),
        day_("2012", value="2012", date="2012-01-01"),
    )
    found = read(lung(), document("r", "rcp", "2020-02-18", "Carcinome épidermoïde du poumon, cT2N0M0.",
                                  morph("Carcinome épidermoïde", "8070/3"), topo("poumon", "C34.9"),
                                  tnm("cT2N0M0", "T2N0M0", "cT2N0M0")), late)  # fmt: skip
    assert found.tumours[0].diagnosis_date == dt.date(2020, 2, 5)
    assert ("diagnosis_date", "2012-01-01") in [(one.attribute, one.value) for one in found.tumours[0].conflicts]


def test_the_side_of_a_kidney_is_that_of_its_operation():
    found = read(
        document(
            "a",
            "pathology",
            "2019-03-12",
            "Pièce de néphrectomie droite. Carcinome rénal à cellules claires.",
            act("néphrectomie", "PROC:nephrectomy"),
            side("droite", None, "right"),
            morph("Carcinome rénal à cellules claires", "8310/3"),
        ),
    )
    assert (found.tumours[0].topography, found.tumours[0].laterality.value) == ("C64.9", "right")


def test_a_fear_of_cancer_in_one_letter_is_no_tumour():
    found = read(
        document("a", "letter", "2018-02-01", "Inquiète d'un cancer du sein.", morph("cancer", "8000/3"),
                 topo("sein", "C50.9")),
        document("b", "pathology", "2018-02-20", "Fibroadénome."),
    )  # fmt: skip
    assert found.tumours == []


def test_a_stage_four_of_the_mouth_without_metastasis_is_not_metastatic():
    found = read(
        document(
            "r",
            "rcp",
            "2020-02-04",
            "Carcinome épidermoïde de la langue, cT4N1M0, stade IVA.",
            morph("Carcinome épidermoïde", "8070/3"),
            topo("langue", "C02.9"),
            tnm("cT4N1M0", "T4N1M0", "cT4N1M0"),
        ),
        document("c", "chemotherapy", "2020-03-10", "Cisplatine ce jour.", drug("Cisplatine", "L01XA01")),
    )
    assert [one.line for one in found.treatments] == [None]


def test_a_complete_response_of_the_specimen_is_not_a_remission():
    found = read(
        lung(),
        document(
            "p", "pathology", "2020-09-05", "Réponse complète sur la pièce.", resp("Réponse complète", "RESP:complete")
        ),
        document("c", "consultation", "2021-03-05", "Rémission complète.", resp("Rémission complète", "RESP:complete")),
    )
    assert [(one.type, one.date) for one in found.events][1:] == [(EventType.REMISSION, dt.date(2021, 3, 5))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cher confrère, décès de votre patient à son domicile.", dt.date(2022, 11, 8)),
        ("Sa mère est décédée d'un cancer.", None),
        ("Pas de décès lié au traitement dans cette étude.", None),
        ("Madame D. nous a quittés, entourée de son mari et de ses enfants.", dt.date(2022, 11, 8)),
        ("Monsieur D. s'est éteint dans le service.", dt.date(2022, 11, 8)),
        ("La patiente a été emportée par l'évolution de sa maladie.", dt.date(2022, 11, 8)),
        ("Exitus constaté à 6 h.", dt.date(2022, 11, 8)),
        ("Sa fille nous apprend le décès de la patiente.", dt.date(2022, 11, 8)),
        ("A quitté l'hôpital ce jour. La fixation pulmonaire s'est éteinte.", None),
        ("Le décès de sa fille l'a beaucoup affectée.", None),
    ],
)
def test_a_death_is_announced_by_a_letter_and_not_that_of_a_relative(text, expected):
    found = read(lung(), document("l", "letter", "2022-11-08", text))
    assert found.death_date == expected
    assert found.last_news == dt.date(2022, 11, 8)


def test_nobody_is_seen_after_their_death():
    found = read(
        lung(),
        document("l", "letter", "2021-11-08", "Décès annoncé."),
        document("c", "consultation", "2022-06-01", "Va bien."),
    )
    assert found.death_date is None


def test_a_death_told_long_before_the_last_visit_does_not_hide_that_of_the_patient():
    found = read(
        lung(),
        document("l", "letter", "2021-11-08", "Décès annoncé."),
        document("c", "consultation", "2022-06-01", "Va bien."),
        document("m", "letter", "2022-09-12", "Décès de votre patient."),
    )
    assert found.death_date == dt.date(2022, 9, 12)


def test_an_event_follows_another_and_a_treatment_treats_one():
    found = read(
        lung(),
        document(
            "c", "consultation", "2021-06-15", "Récidive métastatique hépatique. Début du pembrolizumab.",
            rec("Récidive métastatique", "REC:metastatic"), mets("hépatique", "C22.0"),
            drug("pembrolizumab", "L01FF02"),
        ),
        document("d", "rcp", "2021-06-20", "Récidive métastatique hépatique.",
                 rec("Récidive métastatique", "REC:metastatic"), mets("hépatique", "C22.0")),
    )  # fmt: skip
    first, relapse = found.events
    assert (first.parent, relapse.parent) == (None, first.key)
    assert found.treatments[0].event == relapse.key


def test_a_value_under_its_threshold_is_under_it():
    found = read(
        lung(), document("m", "pathology", "2020-02-06", "PD-L1 < 1 %.", marker("PD-L1", "PDL1", "1", unit="%"))
    )
    (pdl1,) = found.tumours[0].biomarkers
    assert (pdl1.status.value, pdl1.value) == ("negative", "<1")


def test_an_adjective_of_something_else_than_a_tumour_is_no_recurrence():
    text = "Des aphtes récidivants depuis un mois."
    found = read(lung(), document("c1", "consultation", "2021-03-10", text, rec("récidivants", "REC:unspecified")))
    assert [one.type for one in found.events] == [EventType.INITIAL]


def test_nodes_that_relapse_are_of_the_tumour_that_drains_there_and_not_of_an_old_lymphoma():
    found = read(
        document(
            "old",
            "pathology",
            "2012-06-26",
            "Lymphome diffus à grandes cellules B, ganglion cervical.",
            morph("Lymphome diffus à grandes cellules B", "9680/3"),
            topo("ganglion cervical", "C77.0"),
        ),
        document(
            "ap",
            "pathology",
            "2019-12-15",
            "Carcinome épidermoïde du plancher buccal.",
            morph("Carcinome épidermoïde", "8070/3"),
            topo("plancher buccal", "C04.9"),
        ),
        document(
            "c1",
            "rcp",
            "2021-09-06",
            "Rechute ganglionnaire du plancher buccal.",
            rec("Rechute", "REC:regional"),
            topo("ganglionnaire", "C77.9"),
            topo("plancher buccal", "C04.9"),
        ),
    )
    relapses = [(one.type, one.tumour_rank) for one in found.events if one.type is not EventType.INITIAL]
    assert (EventType.REGIONAL_RECURRENCE, 2) in relapses
    assert all(kind is not EventType.LOCAL_RECURRENCE for kind, _ in relapses)


def test_an_operation_of_the_past_told_without_a_day_takes_nothing_from_the_one_that_was_for_the_cancer():
    found = read(
        lung(),
        document("s1", "surgery", "2020-03-02", "Lobectomie ce jour.", act("Lobectomie", "PROC:lobectomy")),
        document(
            "i1", "imaging", "2020-09-02", "Cholécystectomie ancienne.", act("Cholécystectomie", "PROC:cholecystectomy")
        ),
        document("c1", "consultation", "2020-10-02", "ATCD : circoncision.", act("circoncision", "PROC:circumcision")),
    )
    assert [(one.act_code, one.start) for one in of(found, TreatmentType.SURGERY)] == [
        ("PROC:lobectomy", dt.date(2020, 3, 2))
    ]


def test_a_department_is_no_operation():
    text = "Service de chirurgie thoracique, le 02/03/2020."
    found = read(lung(), document("s1", "surgery", "2020-03-02", text, act("chirurgie", "PROC:surgery")))
    assert not of(found, TreatmentType.SURGERY)


def test_the_number_of_cycles_that_a_later_report_counts_begins_no_treatment():
    found = read(
        lung(),
        document("h1", "chemotherapy", "2020-03-02", "C1 de docétaxel ce jour.", drug("docétaxel", "L01CD02")),
        document("c1", "letter", "2021-10-05", "8 cures de docétaxel.", drug("docétaxel", "L01CD02")),
    )
    assert [one.start for one in of(found, TreatmentType.CHEMOTHERAPY)] == [dt.date(2020, 3, 2)]


def test_a_seventh_cycle_is_not_the_first_day_of_what_a_letter_says_began_earlier():
    began = "Docétaxel choisi en mars 2020."
    found = read(
        lung(),
        document("h7", "chemotherapy", "2020-07-06", "C7 de docétaxel ce jour.", drug("docétaxel", "L01CD02")),
        document(
            "c1", "letter", "2020-12-05", began, drug("Docétaxel", "L01CD02", date="2020-03-01"), month("mars 2020")
        ),
    )
    assert [one.start for one in of(found, TreatmentType.CHEMOTHERAPY)] == [dt.date(2020, 3, 1)]


def month(words):
    return day_(words, None, "2020-03", date="2020-03-01")


def test_what_a_drug_replaces_stops_and_a_choice_that_was_weighed_was_not_given():
    swap = "Létrozole à la place du tamoxifène à compter du 16/06/2021."
    found = read(
        lung(),
        document("c1", "consultation", "2020-03-02", "Début du tamoxifène.", drug("tamoxifène", "L02BA01")),
        document(
            "c2",
            "consultation",
            "2021-06-16",
            swap,
            drug("Létrozole", "L02BG04", date="2021-06-16"),
            drug("tamoxifène", "L02BA01", date="2021-06-16"),
        ),
        document(
            "c3",
            "consultation",
            "2021-07-16",
            "Entre exémestane et fulvestrant, choix.",
            drug("fulvestrant", "L02BA03"),
        ),
    )
    assert [(one.name, one.start) for one in of(found, TreatmentType.HORMONOTHERAPY)] == [
        ("tamoxifène", dt.date(2020, 3, 2)),
        ("létrozole", dt.date(2021, 6, 16)),
    ]


@pytest.mark.parametrize(
    ("text", "doses", "total"),
    [
        ("Irradiation de 50 Gy en 25 séances de 2 Gy.", ("50", "2"), 50),
        ("Irradiation stéréotaxique 3 x 18 Gy.", ("18",), 54),
        ("Irradiation du sein.", (), None),
    ],
)
def test_an_irradiation_has_its_total_dose(text, doses, total):
    marks = [dose(f"{one} Gy", None, one, unit="Gy") for one in doses]
    report = document("r1", "radiotherapy", "2020-06-30", text, act("Irradiation", "PROC:radiotherapy"), *marks)
    assert [one.dose for one in of(read(lung(), report), TreatmentType.RADIOTHERAPY)] == [total]


def test_an_organ_that_only_the_dictionary_knows_is_the_site_of_the_histology_beside_it():
    text = "Biopsie amygdale D : carcinome épidermoïde."
    (tumour,) = read(document("ap", "pathology", "2020-01-14", text, morph("carcinome épidermoïde", "8070/3"))).tumours
    assert (tumour.topography, tumour.laterality) == ("C09.9", Laterality.RIGHT)


def test_an_organ_where_a_metastasis_was_taken_is_no_primary_site():
    text = "Biopsie du pancréas : carcinome rénal à cellules claires."
    (tumour,) = read(document("ap", "pathology", "2020-01-14", text, morph("carcinome rénal", "8310/3"))).tumours
    assert tumour.topography == "C64.9"


def test_a_lobe_tells_its_side():
    (tumour,) = read(
        document(
            "ap",
            "pathology",
            "2020-01-14",
            "Adénocarcinome du LSD.",
            morph("Adénocarcinome", "8140/3"),
            topo("LSD", "C34.1"),
        )
    ).tumours
    assert tumour.laterality is Laterality.RIGHT


def test_a_progression_that_one_scan_shows_is_so_where_another_drug_follows():
    def told(*more):
        visits = [document(f"v{n}", "consultation", f"2021-0{n}-20", "Va bien.") for n in range(4, 9)]
        scan = document("i1", "imaging", "2021-03-02", "Progression.", rec("Progression", "REC:progression"))
        return [one.date for one in read(lung(), scan, *visits, *more).events if one.type is EventType.PROGRESSION]

    began = document("h1", "chemotherapy", "2021-03-20", "C1 de docétaxel.", drug("docétaxel", "L01CD02"))
    assert told() == []
    assert told(began) == [dt.date(2021, 3, 2)]


def test_a_complete_response_in_the_middle_of_a_treatment_is_no_remission():
    interim = "Scanner intermédiaire. Réponse complète."
    final = "Fin de traitement : rémission complète."
    found = read(
        lung(),
        document("i1", "imaging", "2020-06-05", interim, resp("Réponse complète", "RESP:complete")),
        document("c1", "consultation", "2020-10-05", final, resp("rémission complète", "RESP:complete")),
    )
    assert [one.date for one in found.events if one.type is EventType.REMISSION] == [dt.date(2020, 10, 5)]


def test_the_peritoneum_at_diagnosis_makes_an_ovary_no_metastatic_tumour_and_a_later_one_does():
    found = read(
        document(
            "ap",
            "pathology",
            "2019-11-12",
            "Carcinome séreux de l'ovaire.",
            morph("Carcinome séreux", "8441/3"),
            topo("ovaire", "C56.9"),
        ),
        document("r1", "rcp", "2019-11-28", "Carcinose péritonéale.", mets("Carcinose péritonéale", "C48.2")),
        document("r2", "rcp", "2023-03-07", "Récidive péritonéale.", rec("Récidive", "REC:metastatic")),
        document("i2", "imaging", "2023-03-01", "Carcinose péritonéale.", mets("Carcinose péritonéale", "C48.2")),
    )
    assert [(one.type, one.sites) for one in found.events] == [
        (EventType.INITIAL, []),
        (EventType.METASTATIC_RECURRENCE, ["C48.2"]),
    ]


def test_a_drug_that_letters_only_name_waits_for_a_review_and_one_that_was_begun_does_not():
    named = [document(f"c{n}", "letter", f"2021-0{n}-05", "Sotorasib.", drug("Sotorasib", "L01XX73")) for n in (1, 2)]
    began = document("c3", "letter", "2021-03-05", "Début du sotorasib.", drug("sotorasib", "L01XX73"))
    waiting = read(lung(), *named)
    assert not of(waiting, TreatmentType.TARGETED)
    assert [one.label for one in waiting.set_aside] == ["sotorasib"]
    assert of(read(lung(), *named, began), TreatmentType.TARGETED)


def test_a_confidence_grows_with_what_is_said_and_says_how_often_such_items_proved_right():
    calibration = rules().calibration
    assert set(calibration) >= {"tumour", "event", "treatment", "biomarker", "alteration"}
    for points in calibration.values():
        raws, shares = zip(*points, strict=True)
        assert (raws[0], raws[-1]) == (0, 1)
        assert list(raws) == sorted(set(raws))
        assert [0, *shares, 1] == sorted([0, *shares, 1])


def relapses(history):
    return [(one.type, one.date) for one in history.events if one.type.value.endswith(("recurrence", "progression"))]


def test_the_date_on_which_a_cancer_was_found_is_not_that_of_its_metastases():
    text = "Récidive métastatique d'un cancer du poumon diagnostiqué il y a 3 ans : métastases hépatiques."
    past = {"date": "2020-01-01"}
    found = read(
        lung(),
        document(
            "c",
            "consultation",
            "2023-02-07",
            text,
            rec("Récidive métastatique", "REC:metastatic", **past),
            day_("il y a 3 ans", None, "2020", **past),
            mets("métastases hépatiques", "C22.0", **past),
        ),
    )
    assert relapses(found) == [(EventType.METASTATIC_RECURRENCE, dt.date(2023, 2, 7))]


def test_metastases_that_the_next_image_denies_were_not_there():
    doubt = document("i1", "imaging", "2021-03-06", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"))
    denied = mets("métastases hépatiques", "C22.0", assertion=A.NEGATED)
    control = document("i2", "imaging", "2021-03-27", "Angiome, pas de métastases hépatiques.", denied)
    assert relapses(read(lung(), doubt)) == [(EventType.METASTATIC_RECURRENCE, dt.date(2021, 3, 6))]
    assert relapses(read(lung(), doubt, control)) == []


def test_what_a_patient_died_of_is_no_new_event():
    told = rec("progression", "REC:progression")
    letter = document("l", "letter", "2022-11-08", "Décès ce jour dans un contexte de progression.", told)
    found = read(lung(), letter)
    assert relapses(found) == []
    assert found.death_date == dt.date(2022, 11, 8)


def test_metastases_in_transit_of_a_melanoma_are_regional():
    melanoma = document("p", "pathology", "2020-02-05", "Mélanome de la jambe.", morph("Mélanome", "8720/3"))
    text = "La biopsie confirme des métastases en transit."
    found = read(melanoma, document("s", "surgery", "2021-10-05", text, mets("métastases en transit", "C44.9")))
    assert relapses(found) == [(EventType.REGIONAL_RECURRENCE, dt.date(2021, 10, 5))]


def test_lesions_that_a_letter_calls_secondary_are_metastases():
    text = "Deux lésions du foie typiquement secondaires."
    marks = (morph("lésions", "8000/1"), topo("foie", "C22.0"))
    letters = [document(f"l{month}", "letter", f"2022-0{month}-10", text, *marks) for month in (5, 6)]
    assert relapses(read(lung(), *letters)) == [(EventType.METASTATIC_RECURRENCE, dt.date(2022, 5, 10))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Adjuvant par pembrolizumab, dont la première perfusion a été faite le 02/06/2020.",
            ["2020-06-02"],
        ),
        ("Traitement adjuvant par pembrolizumab à discuter.", []),
    ],
)
def test_a_drug_planned_and_then_given_was_given(text, expected):
    marks = [drug("pembrolizumab", "L01FF02", assertion=A.HYPOTHETICAL)]
    if expected:
        marks.append(day_("02/06/2020", None, "2020-06-02", date="2020-06-02"))
    found = read(lung(), document("l", "letter", "2020-06-20", text, *marks))
    assert [str(one.start) for one in found.treatments] == expected


def test_what_an_operation_left_is_no_operation_of_that_day():
    operated = act("Néphrectomie", "PROC:nephrectomy", date="2020-03-15")
    scanned = act("néphrectomie", "PROC:nephrectomy", date="2021-04-03")
    kidney = document("p", "pathology", "2020-02-05", "Carcinome rénal.", morph("Carcinome rénal", "8312/3"))
    found = read(
        kidney,
        document("s", "surgery", "2020-03-15", "Néphrectomie le 15/03/2020.", operated),
        document("c", "consultation", "2021-04-10", "Scanner du 03/04/2021 : loge de néphrectomie libre.", scanned),
    )
    assert [one.start for one in of(found, TreatmentType.SURGERY)] == [dt.date(2020, 3, 15)]


def test_an_organ_free_of_tumour_is_not_where_it_was_born():
    text = "Prostatectomie : adénocarcinome acinaire, vésicules séminales indemnes."
    marks = (act("Prostatectomie", "PROC:prostatectomy"), morph("adénocarcinome acinaire", "8550/3"))
    found = read(document("p", "pathology", "2020-05-24", text, *marks, topo("vésicules séminales", "C63.7")))
    assert [one.topography for one in found.tumours] == ["C61.9"]


def test_a_letter_after_a_limb_is_its_side():
    text = "Exérèse cuisse D : liposarcome."
    found = read(
        document("p", "pathology", "2020-05-24", text, topo("cuisse", "C76.5"), morph("liposarcome", "8850/3"))
    )
    assert [(one.topography, one.laterality) for one in found.tumours] == [("C49.2", Laterality.RIGHT)]


def test_an_antecedent_told_whole_is_a_tumour():
    past = {"date": "2006-01-01", "assertion": A.HISTORY}
    text = "ATCD : carcinome canalaire du sein en 2006, tumorectomie."
    marks = (
        morph("carcinome canalaire", "8500/3", **past),
        topo("sein", "C50.9", **past),
        day_("2006", None, "2006", date="2006-01-01"),
        act("tumorectomie", "PROC:lumpectomy", **past),
    )
    found = read(lung(), document("d", "discharge", "2020-03-01", text, *marks))
    assert [one.topography for one in found.tumours] == ["C50.9", "C34.1"]
