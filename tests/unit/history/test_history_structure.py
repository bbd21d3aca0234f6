"""What a physician reads in a history, from what the reports and the rows say."""

import datetime as dt
import random
from dataclasses import replace

import pytest
from history_dossiers import (
    A,
    K,
    Mark,
    act,
    breast_biopsy,
    cycle,
    day_,
    document,
    dossier,
    drug,
    gene,
    line,
    mets,
    morph,
    rec,
    regimen,
    resp,
    row,
    sheet,
    side,
    stage,
    tnm,
    topo,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consore.history import headline, structure
from consore.model import (
    DocumentKind,
    Dossier,
    DossierDocument,
    EventType,
    Laterality,
    Mention,
    MentionKind,
    Sex,
    TreatmentType,
)
from consore.referentials import terminology


@pytest.fixture(scope="module")
def words():
    return terminology()


def read(*parts, death=None):
    return structure(dossier(*parts, death=death), terminology())


def visit(identifier, date, text, *marks, kind="consultation"):
    return document(identifier, kind, date, text, *marks)


def types(biography):
    return [(event.type.value, event.date and event.date.isoformat()) for event in biography.events]


# --- Tumours -----------------------------------------------------------------------------------------------


def test_a_tumour_told_by_three_documents_is_one_tumour_and_as_precise_as_the_best_of_them():
    found = read(
        visit(
            "c1",
            "2019-04-01",
            "Carcinome du sein gauche.",
            morph("Carcinome", "8010/3"),
            topo("sein", "C50.9"),
            side("gauche", None, "left"),
        ),
        breast_biopsy(),
        visit(
            "c2",
            "2020-04-01",
            "Suivie pour un cancer du sein gauche.",
            morph("cancer", "8000/3"),
            topo("sein", "C50.9"),
            side("gauche", None, "left"),
        ),
    )
    [tumour] = found.tumours
    assert (tumour.topography, tumour.morphology, tumour.laterality) == ("C50.4", "8500/3", Laterality.LEFT)
    assert tumour.diagnosis_date == dt.date(2019, 3, 4)
    assert tumour.grade == "2"
    assert {one.code: (one.status.value, one.value) for one in tumour.biomarkers} == {
        "ER": ("positive", "90"),
        "PR": ("negative", None),
        "HER2": ("negative", None),
        "KI67": ("high", "30"),
    }


def test_the_tumour_sheet_is_believed_over_the_reports_for_the_date():
    found = read(sheet("F1", "2019-02-20", "C50.4", "8500/3", "G", ctnm="cT2N0M0", stade="IIA"), breast_biopsy())
    [tumour] = found.tumours
    assert tumour.diagnosis_date == dt.date(2019, 2, 20)
    assert (tumour.ctnm, tumour.stage) == ("cT2N0M0", "IIA")


def test_a_liver_metastasis_is_not_a_liver_tumour():
    found = read(
        breast_biopsy(),
        visit(
            "ap2",
            "2021-05-03",
            "Biopsie hépatique : métastase hépatique d'un carcinome d'origine mammaire. Adénocarcinome du foie.",
            mets("métastase hépatique", "C22.0"),
            morph("Adénocarcinome", "8140/3"),
            topo("foie", "C22.0"),
            kind="pathology",
        ),
    )
    assert [one.topography for one in found.tumours] == ["C50.4"]


def test_another_primary_with_its_pathology_report_is_a_second_cancer():
    found = read(
        breast_biopsy(),
        visit(
            "ap2",
            "2022-01-10",
            "Adénocarcinome du côlon sigmoïde.",
            morph("Adénocarcinome", "8140/3"),
            topo("côlon sigmoïde", "C18.7"),
            kind="pathology",
        ),
    )
    assert [(one.rank, one.topography) for one in found.tumours] == [(1, "C50.4"), (2, "C18.7")]
    assert types(found) == [("initial", "2019-03-04"), ("second_cancer", "2022-01-10")]


def test_one_passing_word_in_a_letter_does_not_make_a_second_cancer():
    found = read(
        breast_biopsy(),
        visit("l", "2022-01-10", "Cancer du côlon.", morph("Cancer", "8000/3"), topo("côlon", "C18.9"), kind="letter"),
    )
    assert len(found.tumours) == 1


def test_a_cancer_of_the_other_breast_is_another_tumour():
    found = read(breast_biopsy(), breast_biopsy("ap2", "2023-06-01", "droit"))
    assert [one.laterality for one in found.tumours] == [Laterality.LEFT, Laterality.RIGHT]


def test_a_recurrence_in_the_same_breast_ten_years_later_is_the_same_tumour():
    found = read(breast_biopsy(), breast_biopsy("ap2", "2029-06-01"))
    assert len(found.tumours) == 1


def test_what_is_about_the_family_is_nobodys_tumour():
    found = read(
        visit(
            "c",
            "2020-01-01",
            "Mère : cancer du sein.",
            morph("cancer", "8000/3", assertion=A.FAMILY),
            topo("sein", "C50.9", assertion=A.FAMILY),
        )
    )
    assert found.tumours == []
    assert found.events == []


def test_an_earlier_cancer_told_with_its_year_is_dated_by_it():
    found = read(
        visit(
            "c",
            "2020-01-01",
            "Antécédent de carcinome du sein droit en 2005.",
            morph("carcinome", "8010/3", assertion=A.HISTORY, date="2005-01-01"),
            topo("sein", "C50.9", assertion=A.HISTORY),
            side("droit", None, "right"),
        )
    )
    [tumour] = found.tumours
    assert tumour.diagnosis_date == dt.date(2005, 1, 1)
    assert tumour.laterality is Laterality.RIGHT


def test_staging_comes_from_the_reports_of_the_diagnosis():
    found = read(
        breast_biopsy(),
        visit(
            "op",
            "2019-05-02",
            "Pièce de mastectomie gauche : pT2N1M0. Stade IIB.",
            tnm("pT2N1M0", "pT2N1M0", "pT2N1M0"),
            stage("Stade IIB", "STAGE:IIB", "IIB"),
            kind="pathology",
        ),
        visit("c", "2023-05-02", "Nouveau bilan : pT4N3M1.", tnm("pT4N3M1", "pT4N3M1", "pT4N3M1")),
    )
    assert (found.tumours[0].ptnm, found.tumours[0].stage) == ("pT2N1M0", "IIB")


def test_an_alteration_carries_its_variant():
    found = read(
        breast_biopsy(),
        visit("m", "2019-04-04", "PIK3CA : p.H1047R.", gene("PIK3CA", "PIK3CA", "p.H1047R"), kind="molecular"),
    )
    assert [(one.gene, one.variant) for one in found.tumours[0].alterations] == [("PIK3CA", "p.H1047R")]


# --- Events ------------------------------------------------------------------------------------------------


def test_a_negated_metastasis_is_not_an_event():
    found = read(
        breast_biopsy(),
        visit(
            "i",
            "2021-01-01",
            "Pas de métastase hépatique.",
            mets("métastase hépatique", "C22.0", assertion=A.NEGATED),
            kind="imaging",
        ),
    )
    assert types(found) == [("initial", "2019-03-04")]


def test_metastases_known_at_diagnosis_are_not_a_recurrence():
    found = read(
        breast_biopsy(),
        visit(
            "i",
            "2019-03-20",
            "Métastases osseuses.",
            mets("Métastases osseuses", "C41.9"),
            kind="imaging",
        ),
    )
    [event] = found.events
    assert (event.type, event.sites) == (EventType.INITIAL, ["C41.9"])


def test_a_metastatic_recurrence_retold_at_each_visit_is_one_event_at_its_first_date():
    told = [
        visit(f"c{n}", date, "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"))
        for n, date in enumerate(["2022-06-10", "2022-09-01", "2023-01-15"])
    ]
    scan = visit("s", "2022-05-20", "Métastases hépatiques.\n", mets("Métastases hépatiques", "C22.0"), kind="imaging")
    found = read(breast_biopsy(), *told, scan)
    assert types(found) == [("initial", "2019-03-04"), ("metastatic_recurrence", "2022-05-20")]
    assert found.events[1].sites == ["C22.0"]
    assert found.events[1].label == "Récidive métastatique hépatique"


def test_a_month_told_later_becomes_the_day_of_the_report():
    found = read(
        breast_biopsy(),
        visit(
            "c",
            "2023-01-15",
            "Récidive locale en mai 2022.",
            rec("Récidive locale", "REC:local", date="2022-05-01"),
        ),
        visit("s", "2022-05-20", "Récidive locale.", rec("Récidive locale", "REC:local"), kind="imaging"),
    )
    assert types(found)[1:] == [("local_recurrence", "2022-05-20")]


def test_what_is_retold_without_a_date_joins_what_was_known_then():
    found = read(
        breast_biopsy(),
        visit("s", "2022-05-20", "Récidive locale.", rec("Récidive locale", "REC:local"), kind="pathology"),
        visit("c", "2024-05-20", "Récidive locale traitée.", rec("Récidive locale", "REC:local")),
    )
    assert len(found.events) == 2


def test_once_metastatic_what_comes_is_progression():
    found = read(
        breast_biopsy(),
        visit("s", "2022-05-20", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging"),
        visit(
            "s2",
            "2023-02-20",
            "Progression avec métastases cérébrales.",
            rec("Progression", "REC:progression"),
            mets("métastases cérébrales", "C71.9"),
            kind="imaging",
        ),
        death="2024-01-02",
    )
    assert types(found)[1:] == [
        ("metastatic_recurrence", "2022-05-20"),
        ("progression", "2023-02-20"),
        ("death", "2024-01-02"),
    ]
    assert found.events[2].sites == ["C71.9"]


def test_nodes_found_at_surgery_are_not_metastases():
    found = read(
        breast_biopsy(),
        visit(
            "op", "2019-05-02", "2 ganglions métastatiques.", mets("ganglions métastatiques", "C77.3"), kind="pathology"
        ),
    )
    assert types(found) == [("initial", "2019-03-04")]
    assert found.events[0].sites == []


def test_a_recurrence_dated_by_the_year_of_its_tumour_is_dated_by_its_report():
    found = read(
        breast_biopsy(),
        visit(
            "c",
            "2022-05-20",
            "Rechute métastatique osseuse d'un cancer de 2019.",
            rec("Rechute métastatique", "REC:metastatic", date="2019-01-01"),
            mets("osseuse", "C41.9", date="2019-01-01"),
            day_("2019", value="2019", date="2019-01-01"),
        ),
        sheet("F1", "2019-03-04", "C50.4", "8500/3", "G", stade="IIA"),
    )
    assert types(found) == [("initial", "2019-03-04"), ("metastatic_recurrence", "2022-05-20")]


def test_one_metastatic_node_counted_later_is_not_a_metastatic_recurrence():
    found = read(
        breast_biopsy(),
        visit("c", "2021-05-02", "1 ganglion métastatique sur 16.", mets("ganglion métastatique", "C77.9")),
    )
    assert types(found) == [("initial", "2019-03-04")]


def test_images_give_way_to_what_is_called_a_recurrence():
    found = read(
        breast_biopsy(),
        visit("i1", "2020-05-02", "Métastases pulmonaires.", mets("Métastases pulmonaires", "C34.9"), kind="imaging"),
        visit("c1", "2020-05-20", "Métastases pulmonaires.", mets("Métastases pulmonaires", "C34.9")),
        visit(
            "c2",
            "2022-05-20",
            "Récidive métastatique osseuse.",
            rec("Récidive métastatique", "REC:metastatic"),
            mets("osseuse", "C41.9"),
        ),
    )
    assert types(found)[1:] == [("metastatic_recurrence", "2022-05-20")]
    assert found.events[1].sites == ["C41.9"]


def test_a_remission_marked_without_a_code_is_still_a_remission():
    found = read(breast_biopsy(), visit("c", "2020-05-20", "La rémission est obtenue.", resp("rémission")))
    assert types(found)[1:] == [("remission", "2020-05-20")]


# --- Treatments --------------------------------------------------------------------------------------------


def test_the_cycles_of_a_protocol_are_one_treatment_and_the_cancelled_ones_are_none():
    found = read(
        sheet("F1", "2019-02-20", "C18.7", "8140/3"),
        cycle("1", "2019-04-01", "FOLFOX", "oxaliplatine+acide folinique+fluorouracile", intention="adjuvant"),
        cycle("2", "2019-04-15", "FOLFOX", "oxaliplatine+acide folinique+fluorouracile", intention="adjuvant"),
        cycle("3", "2019-04-29", "FOLFOX", "oxaliplatine+acide folinique+fluorouracile", intention="adjuvant"),
        cycle("4", "2019-05-13", "FOLFOX", "oxaliplatine+acide folinique+fluorouracile", statut="annulé"),
        cycle("5", "2019-05-27", "FOLFOX", "oxaliplatine+acide folinique+fluorouracile", statut="prévu"),
    )
    [course] = found.treatments
    assert (course.type, course.regimen) == (TreatmentType.CHEMOTHERAPY, "REG:FOLFOX")
    assert (course.start, course.end) == (dt.date(2019, 4, 1), dt.date(2019, 4, 29))
    assert course.line is None
    assert course.intent == "adjuvant"
    assert {one.atc for one in course.drugs} == {"L01XA03", "V03AF03", "L01BC02"}


def test_what_is_only_planned_is_not_a_treatment():
    found = read(
        breast_biopsy(),
        visit(
            "c",
            "2019-04-01",
            "On propose du pembrolizumab.",
            drug("pembrolizumab", "L01FF02", assertion=A.HYPOTHETICAL),
        ),
    )
    assert found.treatments == []


def test_lines_are_counted_from_one_in_advanced_disease():
    found = read(
        sheet("F1", "2019-02-20", "C50.4", "8500/3", "G"),
        cycle("1", "2019-04-01", "", "docétaxel+cyclophosphamide", intention="adjuvant"),
        visit("s", "2022-05-20", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging"),
        cycle("2", "2022-06-10", "", "paclitaxel"),
        cycle("3", "2023-02-10", "", "capécitabine"),
    )
    assert [(one.drugs[-1].name, one.line) for one in found.treatments] == [
        ("docétaxel", None),
        ("paclitaxel", 1),
        ("capécitabine", 2),
    ]


def test_drugs_joined_in_a_sentence_are_one_treatment_with_its_line():
    found = read(
        breast_biopsy(),
        visit("s", "2022-05-20", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging"),
        visit(
            "c",
            "2022-06-20",
            "Première ligne par palbociclib + létrozole débutée ce jour.",
            line("Première ligne", "LINE:1", "1"),
            drug("palbociclib", "L01EF01"),
            drug("létrozole", "L02BG04"),
        ),
    )
    [treatment] = found.treatments
    assert [one.atc for one in treatment.drugs] == ["L02BG04", "L01EF01"]
    assert (treatment.type, treatment.line) == (TreatmentType.TARGETED, 1)


def test_a_long_treatment_told_at_visits_is_one_treatment():
    told = [
        visit(f"c{n}", date, f"Consultation {n}. Sous létrozole.", drug("létrozole", "L02BG04"))
        for n, date in enumerate(["2019-12-01", "2020-12-01", "2021-12-01"])
    ]
    [treatment] = read(breast_biopsy(), *told).treatments
    assert (treatment.start, treatment.end) == (dt.date(2019, 12, 1), dt.date(2021, 12, 1))
    assert treatment.type is TreatmentType.HORMONOTHERAPY


def test_an_operation_told_by_its_act_its_report_and_later_letters_is_one_operation():
    found = read(
        breast_biopsy(),
        row("a1", "act", "2019-05-02", code="QEFA020"),
        visit("cro", "2019-05-02", "Mastectomie gauche.", act("Mastectomie", "PROC:mastectomy"), kind="surgery"),
        visit(
            "c", "2021-05-02", "Opérée d'une mastectomie.", act("mastectomie", "PROC:mastectomy", assertion=A.HISTORY)
        ),
    )
    [operation] = found.treatments
    assert (operation.type, operation.start) == (TreatmentType.SURGERY, dt.date(2019, 5, 2))
    assert len(operation.evidence) == 3


def test_a_regimen_told_without_rows_gives_its_drugs():
    found = read(
        breast_biopsy(),
        visit("h", "2019-06-01", "Cure 1 de FOLFOX ce jour.", regimen("FOLFOX", "REG:FOLFOX"), kind="chemotherapy"),
    )
    [treatment] = found.treatments
    assert "oxaliplatine" in {one.name for one in treatment.drugs}


def test_a_response_belongs_to_the_treatment_under_way():
    found = read(
        breast_biopsy(),
        cycle("2", "2022-06-10", "", "paclitaxel", intention="palliatif", ligne="1"),
        visit("s", "2022-08-20", "Réponse partielle.", resp("Réponse partielle", "RESP:partial"), kind="imaging"),
    )
    assert found.treatments[0].response == "partial"


def test_a_suspicion_that_no_later_visit_repeats_was_not_a_recurrence():
    quiet = [visit(f"c{n}", f"202{n}-06-01", f"Contrôle {n}.") for n in range(1, 5)]
    scan = visit("s", "2021-01-05", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging")
    assert types(read(breast_biopsy(), scan, *quiet)) == [("initial", "2019-03-04")]
    assert len(types(read(breast_biopsy(), scan))) == 2


def test_a_year_told_later_does_not_make_a_second_event():
    found = read(
        breast_biopsy(),
        visit("s", "2022-05-20", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging"),
        visit(
            "c",
            "2024-01-15",
            "Récidive métastatique en 2022.",
            rec("Récidive métastatique", "REC:metastatic", date="2022-01-01"),
            day_("2022", value="2022", date="2022-01-01"),
        ),
    )
    assert types(found)[1:] == [("metastatic_recurrence", "2022-05-20")]


def test_the_irradiation_lasts_from_its_first_to_its_last_stated_day():
    found = read(
        breast_biopsy(),
        visit(
            "r",
            "2019-10-09",
            "Rayons délivrés entre le 04/09/2019 et le 09/10/2019. Radiothérapie de 50 Gy.",
            day_("04/09/2019", value="2019-09-04", date="2019-09-04"),
            day_("09/10/2019", value="2019-10-09", date="2019-10-09"),
            act("Radiothérapie", "PROC:radiotherapy"),
            kind="radiotherapy",
        ),
        visit(
            "c",
            "2021-01-09",
            "Radiothérapie finie en 2019.",
            act("Radiothérapie", "PROC:radiotherapy", date="2019-01-01"),
            day_("2019", value="2019", date="2019-01-01"),
        ),
    )
    [course] = found.treatments
    assert (course.start, course.end) == (dt.date(2019, 9, 4), dt.date(2019, 10, 9))


def test_the_first_day_of_an_irradiation_follows_from_its_sessions():
    found = read(
        breast_biopsy(),
        visit(
            "r",
            "2019-10-09",
            "Radiothérapie : 25 séances.",
            act("Radiothérapie", "PROC:radiotherapy"),
            kind="radiotherapy",
        ),
    )
    assert found.treatments[0].start == dt.date(2019, 9, 5)


def test_the_lines_of_a_prescription_are_one_treatment():
    found = read(
        breast_biopsy(),
        visit(
            "o",
            "2019-06-01",
            "- paclitaxel 80 mg/m²\n- carboplatine AUC 2",
            drug("paclitaxel", "L01CD01"),
            drug("carboplatine", "L01XA02"),
            kind="chemotherapy",
        ),
    )
    assert [[one.name for one in treatment.drugs] for treatment in found.treatments] == [["carboplatine", "paclitaxel"]]


def test_what_a_board_proposes_is_not_a_treatment_and_an_old_appendix_is_no_cancer_surgery():
    found = read(
        breast_biopsy(),
        visit("r", "2019-03-20", "Avis : mastectomie.", act("mastectomie", "PROC:mastectomy"), kind="rcp"),
        visit(
            "c",
            "2019-03-22",
            "Appendicectomie en 2004.",
            act("Appendicectomie", "PROC:appendicectomy", date="2004-01-01"),
        ),
        visit("b", "2019-03-22", "Biopsie-exérèse.", act("Biopsie-exérèse", "PROC:skin_excision"), kind="surgery"),
    )
    assert found.treatments == []


def test_a_lymphoma_is_born_in_its_nodes():
    found = read(
        visit(
            "p",
            "2020-01-10",
            "Lymphome B diffus à grandes cellules des ganglions cervicaux.",
            morph("Lymphome B diffus à grandes cellules", "9680/3"),
            topo("ganglions cervicaux", "C77.0"),
            kind="pathology",
        )
    )
    assert [one.topography for one in found.tumours] == ["C77.0"]


# --- Evidence, order, words --------------------------------------------------------------------------------


def everything():
    return dossier(
        breast_biopsy(),
        sheet("F1", "2019-02-20", "C50.4", "8500/3", "G"),
        row("a1", "act", "2019-05-02", code="QEFA020"),
        cycle("1", "2019-06-01", "", "docétaxel+cyclophosphamide", intention="adjuvant"),
        cycle("2", "2019-06-22", "", "docétaxel+cyclophosphamide", intention="adjuvant"),
        visit("cro", "2019-05-02", "Mastectomie gauche.", act("Mastectomie", "PROC:mastectomy"), kind="surgery"),
        visit("s", "2022-05-20", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging"),
        visit("c", "2022-07-20", "Récidive locale en 2022.", rec("Récidive locale", "REC:local", date="2022-01-01")),
        visit("h", "2022-06-20", "Sous létrozole.", drug("létrozole", "L02BG04")),
        breast_biopsy("ap3", "2023-06-01", "droit"),
        death="2024-05-01",
    )


def test_every_item_shows_where_it_comes_from():
    patient = everything()
    texts = {one.id: one for one in patient.documents}
    found = structure(patient, terminology())
    for item in [*found.tumours, *found.events, *found.treatments]:
        if getattr(item, "type", None) is EventType.DEATH:
            continue
        assert item.evidence, item
        for evidence in item.evidence:
            if evidence.document_id:
                text = texts[evidence.document_id].text
                assert text[evidence.start : evidence.end].split()[0] in evidence.quote


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_the_history_does_not_depend_on_the_order_of_documents_rows_and_mentions(rng: random.Random):
    patient = everything()
    expected = structure(patient, terminology()).as_json()
    rng.shuffle(patient.documents)
    rng.shuffle(patient.structured)
    for one in patient.documents:
        rng.shuffle(one.mentions)
    assert structure(patient, terminology()).as_json() == expected


CODES = [None, "", "C50.4", "C77.3", "C22.0", "C5", "8500/3", "8140/6", "9680/3", "x", "REC:local", "REC:metastatic"]
CODES += ["REC:progression", "RESP:complete", "L01CD01", "REG:FOLFOX", "PROC:mastectomy", "PROC:radiotherapy", "LINE:1"]
VALUES = [None, "", "left", "positive", "30", "pT2N1M0", "M1", "2020", "2020-03", "IV", "p.V600E", "7 (3+4)", "50"]
words_ = st.builds(
    Mention,
    start=st.integers(0, 30),
    end=st.integers(31, 60),
    text=st.just("x"),
    kind=st.sampled_from(list(MentionKind)),
    code=st.sampled_from(CODES),
    value=st.sampled_from(VALUES),
    unit=st.sampled_from([None, "%", "Gy"]),
    assertion=st.sampled_from(list(A)),
    date=st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)),
)
papers = st.builds(
    DossierDocument,
    id=st.integers(0, 9).map(str),
    kind=st.sampled_from(list(DocumentKind)),
    date=st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)),
    text=st.text(max_size=60),
    mentions=st.lists(words_, max_size=8),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(papers, max_size=5), st.randoms(use_true_random=False))
def test_whatever_is_read_gives_a_history_and_always_the_same(documents, rng):
    known = terminology()
    first = structure(Dossier("P", documents=documents), known)
    assert headline(first, Sex.MALE, dt.date(1960, 1, 1))
    assert [tumour.rank for tumour in first.tumours] == list(range(1, len(first.tumours) + 1))
    assert all(event.tumour_rank in {None, *(one.rank for one in first.tumours)} for event in first.events)
    again = [replace(one, mentions=rng.sample(one.mentions, len(one.mentions))) for one in documents]
    rng.shuffle(again)
    if len({one.id for one in documents}) == len(documents):
        assert structure(Dossier("P", documents=again), known).as_json() == first.as_json()


def test_an_empty_dossier_has_an_empty_history(words):
    found = structure(Dossier("P0"), words)
    assert (found.tumours, found.events, found.treatments) == ([], [], [])
    assert headline(found, Sex.UNKNOWN, None) == "Patient – pas de tumeur documentée"


def test_the_headline_says_the_patient_in_one_line():
    found = read(
        breast_biopsy(),
        visit("s", "2022-05-20", "Métastases hépatiques.", mets("Métastases hépatiques", "C22.0"), kind="imaging"),
    )
    line_ = headline(found, Sex.FEMALE, dt.date(1965, 6, 1), today=dt.date(2020, 1, 1))
    assert line_.startswith("Femme, 54 ans – ")
    assert line_.endswith("du sein gauche, 2019, récidive métastatique hépatique 2022")


def test_a_primary_and_its_metastases_told_in_one_sentence_each_keep_their_site():
    found = read(
        visit(
            "s",
            "2021-03-10",
            "Adénocarcinome du côlon sigmoïde avec métastases hépatiques.",
            Mark("Adénocarcinome", K.MORPHOLOGY, "ICD-O-3-M", "8140/3"),
            Mark("côlon sigmoïde", K.TOPOGRAPHY, "ICD-O-3-T", "C18.7"),
            mets("métastases hépatiques", "C22.0"),
            Mark("métastases", K.MORPHOLOGY, "ICD-O-3-M", "8000/6"),
            Mark("hépatiques", K.TOPOGRAPHY, "ICD-O-3-T", "C22.0"),
        )
    )
    assert [tumour.topography for tumour in found.tumours] == ["C18.7"]
    assert found.events[0].sites == ["C22.0"]


def test_the_origin_named_after_the_metastases_is_the_tumours_site():
    found = read(
        visit(
            "s",
            "2021-03-10",
            "Métastases hépatiques d'un adénocarcinome du côlon.",
            mets("Métastases hépatiques", "C22.0"),
            Mark("adénocarcinome", K.MORPHOLOGY, "ICD-O-3-M", "8140/3"),
            Mark("côlon", K.TOPOGRAPHY, "ICD-O-3-T", "C18.9"),
        )
    )
    assert [tumour.topography for tumour in found.tumours] == ["C18.9"]


def test_a_lung_tumour_called_primary_is_a_second_cancer_and_not_a_metastasis_of_the_breast():
    found = read(
        breast_biopsy(),
        visit(
            "s",
            "2022-06-01",
            "Adénocarcinome pulmonaire primitif du lobe supérieur.",
            Mark("Adénocarcinome", K.MORPHOLOGY, "ICD-O-3-M", "8140/3"),
            Mark("lobe supérieur", K.TOPOGRAPHY, "ICD-O-3-T", "C34.1"),
            kind="pathology",
        ),
    )
    assert [tumour.topography for tumour in found.tumours][1:] == ["C34.1"]
    assert found.events[-1].type is EventType.SECOND_CANCER
