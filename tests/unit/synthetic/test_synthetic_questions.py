"""Questions of physicians with exact answers: enough of them, in the criteria language, and right."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from random import Random

import pytest

from consore.model import (
    Alteration,
    Biomarker,
    Fact,
    Patient,
    System,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)
from consore.referentials import terminology
from consore.search.cohort import patient_ids
from consore.search.criteria import parse_criteria
from consore.store import Store
from consore.synthetic.knowledge import drugs
from consore.synthetic.questions import matches, misspelt, questions, read_table_sets
from consore.synthetic.trajectory import Happening, Life, draw_life
from consore.synthetic.truth import TruthWriter


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [draw_life(Random(f"ask/{number}"), f"TST001{number:06d}", "dev") for number in range(400)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, lives: list[Life]) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    with TruthWriter(folder, seed=1) as writer:
        for life in lives:
            writer.add(life)
    return folder


@pytest.fixture(scope="module")
def asked(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "questions.jsonl").open(encoding="utf-8")]


@pytest.fixture(scope="module")
def patients(folder: Path) -> list[dict]:
    """The histories that may be in an answer, as the exchange format has them."""
    told = [json.loads(line) for line in (folder / "patients.jsonl").open(encoding="utf-8")]
    return [patient for patient in told if not patient["opposed"]]


def answer(asked: list[dict], text: str) -> list[str]:
    return next(row["patients"] for row in asked if row["text"] == text)


def test_there_are_two_hundred_questions_each_in_several_phrasings(asked: list[dict]) -> None:
    by_question: dict[str, list[dict]] = {}
    for row in asked:
        by_question.setdefault(row["question"], []).append(row)
    assert len(by_question) >= 200
    assert len({row["id"] for row in asked}) == len(asked)
    for rows in by_question.values():
        assert {"telegraphic", "sentence", "typo"} <= {row["tags"][0] for row in rows}
        assert len({row["text"] for row in rows}) == len(rows)
        assert all(row["patients"] == rows[0]["patients"] for row in rows)
    tags = {tag for row in asked for tag in row["tags"]}
    assert tags >= {"negation", "date", "age", "threshold", "line", "sequence", "second_cancer", "biomarker", "site"}


def test_most_answers_hold_patients_and_some_hold_none(asked: list[dict]) -> None:
    counts = {row["question"]: row["count"] for row in asked}
    empty = sum(count == 0 for count in counts.values())
    assert 3 <= empty <= 0.3 * len(counts)
    assert all(row["count"] == len(row["patients"]) == len(set(row["patients"])) for row in asked)


def test_criteria_are_those_of_the_search(asked: list[dict]) -> None:
    for row in asked:
        assert parse_criteria(row["criteria"]) is not None
    assert any("sequence" in json.dumps(row["criteria"]) for row in asked)


def test_codes_of_questions_are_those_of_the_words() -> None:
    known = terminology()
    sets = read_table_sets()
    for row in sets["drug"]:
        assert drugs()[row["drug"]].atc == row["atc"]
    for row in sets["regimen"]:
        assert known.regimen(row["code"])
    for row in sets["histology"]:
        assert all(known.concept(System.ICDO3_M.value, code) for code in row["codes"])
    for row in sets["class"]:
        assert any(drug.atc.startswith(row["atc"]) for drug in drugs().values())


def test_no_opposed_patient_is_in_an_answer(asked: list[dict], lives: list[Life]) -> None:
    opposed = {life.ipp for life in lives if life.opposed}
    assert opposed
    assert not opposed & {ipp for row in asked for ipp in row["patients"]}


def test_a_merged_person_is_in_an_answer_once_under_the_identity_that_stayed(
    asked: list[dict], lives: list[Life]
) -> None:
    gone = {ipp for life in lives for ipp, _ in life.merged_ipps}
    assert gone
    assert not gone & {ipp for row in asked for ipp in row["patients"]}


# The same questions asked of the exchange format, in other words than the oracle's.


def test_a_site_before_an_age(asked: list[dict], patients: list[dict]) -> None:
    found = []
    for patient in patients:
        ages = []
        for tumour in patient["tumours"]:
            born, day = dt.date.fromisoformat(patient["birth_date"]), dt.date.fromisoformat(tumour["diagnosis_date"])
            ages.append(day.year - born.year - ((day.month, day.day) < (born.month, born.day)))
        if any(t["topography"].startswith("C50") for t in patient["tumours"]) and min(ages) < 50:
            found.append(patient["patient_id"])
    assert found
    assert answer(asked, "cancer du sein avant 50 ans") == found


def test_a_negation(asked: list[dict], patients: list[dict]) -> None:
    found = [
        patient["patient_id"]
        for patient in patients
        if any(tumour["topography"][:3] == "C18" for tumour in patient["tumours"])
        and all(item["type"] != "chemotherapy" for item in patient["treatments"])
    ]
    assert found
    assert answer(asked, "cancer du côlon sans chimiothérapie") == found


def test_a_threshold_of_a_biomarker(asked: list[dict], patients: list[dict]) -> None:
    found = [
        patient["patient_id"]
        for patient in patients
        if any(
            marker["code"] == "PDL1" and int(marker["value"]) >= 50
            for tumour in patient["tumours"]
            for marker in tumour["biomarkers"]
        )
    ]
    assert found
    assert answer(asked, "PD-L1 au moins 50 %") == found


def test_a_third_line(asked: list[dict], patients: list[dict]) -> None:
    found = [
        patient["patient_id"]
        for patient in patients
        if any(tumour["topography"][:3] == "C34" for tumour in patient["tumours"])
        and any((item["line"] or 0) >= 3 for item in patient["treatments"])
    ]
    assert found
    assert answer(asked, "cancer du poumon en troisième ligne ou plus") == found


def test_a_recurrence_after_a_drug(asked: list[dict], patients: list[dict]) -> None:
    found = []
    for patient in patients:
        starts = [
            item["start"]
            for item in patient["treatments"]
            if any(drug["name"] == "létrozole" for drug in item["drugs"])
        ]
        back = [event["date"] for event in patient["events"] if event["type"].endswith("recurrence")]
        if starts and back and min(starts) < max(back):
            found.append(patient["patient_id"])
    assert found
    assert answer(asked, "récidive après létrozole") == found


def test_an_impossible_question_has_an_empty_answer(asked: list[dict]) -> None:
    assert answer(asked, "homme avec un cancer de l'ovaire") == []


def test_a_sequence_wants_the_second_thing_on_the_same_day_or_later_and_soon_enough() -> None:
    life = Life("P1", "A", "A", "B", "F", dt.date(1960, 1, 1), "34000", "Sète", False)
    test = matches(
        {
            "sequence": {
                "first": {"event": {"type": ["local_recurrence"]}},
                "then": {"event": {"type": ["metastatic_recurrence"]}},
                "within": {"max": 100},
            }
        }
    )
    life.happenings = [Happening("local_recurrence", dt.date(2020, 1, 1), None)]
    assert not test(life)
    for day, expected in ((dt.date(2019, 12, 31), False), (dt.date(2020, 1, 1), True), (dt.date(2021, 1, 1), False)):
        spread = Happening("metastatic_recurrence", day, None)
        life.happenings = [Happening("local_recurrence", dt.date(2020, 1, 1), None), spread]
        assert test(life) is expected


def test_a_stage_means_its_letters_and_no_other_stage(lives: list[Life]) -> None:
    test = matches({"tumour": {"stage": ["I"]}})
    for life in lives:
        assert test(life) == any(t.stage in ("I", "IA", "IB", "IC", "IA1", "IB1") for t in life.tumours)


def test_a_misspelt_question_differs_by_one_slip() -> None:
    for question in questions():
        plain, slip = question.texts[0][1], question.texts[-1][1]
        assert slip != plain
        assert abs(len(slip) - len(plain)) <= 1
    assert misspelt("EC", Random(1)) == "ec"


# The exact count of the store, which was written apart, gives the same answers where the store holds the truth.


def day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def fill(store: Store, patients: list[dict]) -> None:
    """Put histories of the exchange format in a store, as if every report had been read without a fault."""
    with store.session() as session:
        for number, told in enumerate(patients, start=1):
            born = day(told["birth_date"])
            died = day(told["death_date"])
            ipp = told["patient_id"]
            session.add(Patient(id=number, ipp=ipp, sex=told["sex"], birth_date=born, death_date=died))
            session.flush()
            for item in told["tumours"]:
                names = ("rank", "topography", "morphology", "laterality", "ctnm", "ptnm", "stage", "grade")
                date, m = day(item["diagnosis_date"]), (item["ctnm"] or "")[-2:] or None
                kept = {name: item[name] for name in names}
                session.add(Tumour(patient_id=number, diagnosis_date=date, m=m, **kept))
                for marker in item["biomarkers"]:
                    value = float(marker["value"]) if marker["value"] else None
                    session.add(
                        Biomarker(patient_id=number, code=marker["code"], status=marker["status"], number=value)
                    )
                for found in item["alterations"]:
                    session.add(Alteration(patient_id=number, **found))
            for item in told["events"]:
                event = TumourEvent(patient_id=number, type=item["type"], date=day(item["date"]))
                session.add(event)
                session.flush()
                session.add_all(TumourEventSite(event_id=event.id, code=code) for code in item["sites"])
            for item in told["treatments"]:
                names = ("type", "name", "regimen", "act_code", "line", "response")
                begun, over = day(item["start"]), day(item["end"])
                kept = {name: item[name] for name in names}
                treatment = Treatment(patient_id=number, start=begun, end=over, **kept)
                session.add(treatment)
                session.flush()
                session.add_all(TreatmentDrug(treatment_id=treatment.id, **drug) for drug in item["drugs"])
            for item in told["family"]:
                session.add(
                    Fact(
                        patient_id=number,
                        kind="topography",
                        system="ICD-O-3-T",
                        code=item["topography"],
                        assertion="family",
                    )
                )
        session.commit()


def test_the_exact_count_of_a_store_that_holds_the_truth_gives_every_answer(
    store: Store, asked: list[dict], patients: list[dict]
) -> None:
    fill(store, patients)
    ipps = {number: told["patient_id"] for number, told in enumerate(patients, start=1)}
    compared = 0
    with store.session() as session:
        for row in asked:
            # Diagnoses are those of stays in a store, those of the patient in the truth.
            if row["tags"][0] == "telegraphic" and "comorbidity" not in row["tags"]:
                found = [ipps[number] for number in patient_ids(session, parse_criteria(row["criteria"]))]
                assert sorted(found) == sorted(row["patients"]), row["text"]
                compared += 1
    assert compared > 200
