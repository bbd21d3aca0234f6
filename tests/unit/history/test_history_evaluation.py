"""The measure itself: what counts as right."""

from consore.history import evaluate

TRUE = {
    "patient_id": "P1",
    "tumours": [{"topography": "C50.4", "laterality": "left", "diagnosis_date": "2019-03-04", "biomarkers": []}],
    "events": [{"type": "initial", "date": "2019-03-04"}, {"type": "local_recurrence", "date": "2021-03-04"}],
    "treatments": [{"type": "chemotherapy", "drugs": [{"name": "paclitaxel"}], "start": "2019-06-01"}],
}


def test_the_truth_itself_is_right():
    scores = evaluate([TRUE], {"P1": TRUE}).scores
    assert all(scores[name].f1 == 1 for name in ("tumours", "diagnosis_date", "events", "treatments"))


def test_a_tumour_of_the_wrong_side_is_wrong_and_the_subsite_does_not_matter():
    tumour = TRUE["tumours"][0]
    right = evaluate([{**TRUE, "tumours": [{**tumour, "topography": "C50.9"}]}], {"P1": TRUE})
    wrong = evaluate([{**TRUE, "tumours": [{**tumour, "laterality": "right"}]}], {"P1": TRUE})
    assert right.of("tumours").f1 == 1
    assert wrong.of("tumours").f1 == 0


def test_an_event_a_year_off_is_wrong_and_is_named():
    late = {**TRUE, "events": [TRUE["events"][0], {"type": "local_recurrence", "date": "2022-03-04"}]}
    result = evaluate([late], {"P1": TRUE})
    assert (result.of("events").right, result.of("events:local_recurrence").right) == (1, 0)
    assert {miss[2] for miss in result.misses} == {"found", "missed"}


def test_a_patient_without_a_history_counts_as_missed():
    assert evaluate([], {"P1": TRUE}).of("events").recall == 0


def test_a_treatment_needs_its_drugs_and_its_start():
    course = TRUE["treatments"][0]
    other = evaluate([{**TRUE, "treatments": [{**course, "drugs": [{"name": "docétaxel"}]}]}], {"P1": TRUE})
    late = evaluate([{**TRUE, "treatments": [{**course, "start": "2019-07-15"}]}], {"P1": TRUE})
    assert other.of("treatments").right == late.of("treatments").right == 0


def test_of_two_operations_near_one_truth_the_nearest_is_the_right_one():
    operation = {"type": "surgery", "drugs": [], "start": "2020-01-16"}
    other = {"type": "surgery", "drugs": [], "start": "2019-12-24"}
    truth = {**TRUE, "treatments": [operation]}
    missed = evaluate([{**TRUE, "treatments": [other, operation]}], {"P1": truth}).misses
    assert [(what, item["start"]) for _, _, what, item in missed] == [("found", "2019-12-24")]


def test_the_operation_that_made_the_diagnosis_may_be_told_as_a_treatment_or_not():
    truth = {**TRUE, "tumours": [{**TRUE["tumours"][0], "sampled_by_surgery": True}], "treatments": []}
    resection = {"type": "surgery", "drugs": [], "start": "2019-03-10"}
    for given in ([], [resection]):
        score = evaluate([{**truth, "treatments": given}], {"P1": truth}).of("treatments")
        assert (score.right, score.found, score.true) == (0, 0, 0)


def test_an_irradiation_that_was_found_is_asked_for_its_dose():
    rays = {"type": "radiotherapy", "drugs": [], "start": "2019-06-01", "dose": 50}
    truth = {**TRUE, "treatments": [rays]}
    assert evaluate([truth], {"P1": truth}).of("treatment_dose").f1 == 1
    assert evaluate([{**truth, "treatments": [{**rays, "dose": 2.0}]}], {"P1": truth}).of("treatment_dose").f1 == 0
