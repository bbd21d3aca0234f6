"""The lives of fictional patients: possible, consistent, in French proportions, with the codes of the code systems."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import pickle
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from consore.model import System
from consore.referentials import terminology
from consore.synthetic.knowledge import (
    acts,
    biomarkers,
    cancers,
    course,
    diseases,
    drugs,
    health,
    labs,
    names,
    regimens,
    sites,
    targets,
)
from consore.synthetic.trajectory import FIRST_DIAGNOSIS, TODAY, Life, Tumour, draw_life

NUMBER = 6000


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [draw_life(Random(f"lives/{number}"), f"TST001{number:06d}", "dev") for number in range(NUMBER)]


@pytest.fixture(scope="module")
def treated(lives: list[Life]) -> list[Life]:
    return [life for life in lives if life.tumours]


def tumours(lives: list[Life], *keys: str) -> list[Tumour]:
    return [tumour for life in lives for tumour in life.tumours if tumour.cancer.key in keys]


# --- Dates ----------------------------------------------------------------------------------------------------


def test_nothing_happens_after_a_death_the_last_news_or_today(lives: list[Life]) -> None:
    for life in lives:
        limit = life.death or life.last_news
        assert limit <= TODAY
        dates = [event.date for event in life.happenings] + [care.start for care in life.cares]
        dates += [care.end for care in life.cares if care.end] + [lab.date for lab in life.labs]
        dates += [date for date, _ in life.performance] + [alarm.refuted for alarm in life.alarms]
        dates += [tumour.date for tumour in life.tumours]
        assert all(date <= limit for date in dates), (life.ipp, limit, max(dates))
        assert not life.death or all(care.end for care in life.cares)


def test_a_life_goes_from_birth_through_diagnosis_to_its_care(treated: list[Life]) -> None:
    for life in treated:
        assert life.tumours[0].date >= FIRST_DIAGNOSIS
        assert 14 <= life.age(life.tumours[0].date) <= 101
        for care in life.cares:
            assert care.start >= care.tumour.date
            assert care.end is None or care.end >= care.start
        assert all(item.since <= life.last_news for item in life.comorbidities)
        assert all(a.date <= b.date for a, b in pairwise(life.happenings))


def test_ranks_follow_the_dates_of_diagnosis_and_each_has_its_event(treated: list[Life]) -> None:
    for life in treated:
        assert [tumour.rank for tumour in life.tumours] == list(range(1, len(life.tumours) + 1))
        assert all(a.date <= b.date for a, b in pairwise(life.tumours))
        for tumour in life.tumours:
            kind = "initial" if tumour.rank == 1 else "second_cancer"
            assert [e.date for e in life.happenings if e.tumour is tumour and e.type == kind] == [tumour.date]


def test_lines_are_of_advanced_disease_and_are_counted_from_one(treated: list[Life]) -> None:
    for life in treated:
        for tumour in life.tumours:
            lines = [care.line for care in life.cares if care.tumour is tumour and care.line]
            assert lines == list(range(1, len(lines) + 1))
        assert all((care.line is None) or care.intent == "palliative" for care in life.cares)


def test_a_response_is_seen_while_or_after_the_treatment_lasts_ten_weeks(treated: list[Life]) -> None:
    answered = [(life, care) for life in treated for care in life.cares if care.response and care.course]
    assert len(answered) > 500
    for life, care in answered:
        assert ((care.end or life.last_news) - care.start).days >= 49 or care.type == "cell_therapy"


def test_a_ptnm_needs_an_operation(treated: list[Life]) -> None:
    staged = [(life, tumour) for life in treated for tumour in life.tumours if tumour.ptnm]
    assert len(staged) > 1500
    for life, tumour in staged:
        before = [c for c in life.cares if c.tumour is tumour and c.intent == "neoadjuvant"]
        assert any(care.type == "surgery" and care.tumour is tumour for care in life.cares)
        assert tumour.ptnm is not None
        assert tumour.ptnm.startswith("yp") == bool(before)
        if tumour.nodes:
            examined, positive = tumour.nodes
            assert 0 <= positive <= examined
            assert (positive == 0) == ("N0" in tumour.ptnm)


def test_metastases_at_diagnosis_say_m1(treated: list[Life]) -> None:
    for tumour in (tumour for life in treated for tumour in life.tumours):
        assert tumour.metastatic == bool(tumour.ctnm and tumour.ctnm.endswith("M1"))


# --- Who ------------------------------------------------------------------------------------------------------


def test_cancers_of_one_sex_are_of_that_sex(lives: list[Life]) -> None:
    for life in lives:
        for tumour in life.tumours:
            assert tumour.cancer.raw["female"] != (0.0 if life.sex == "F" else 1.0)
        for item in life.benign:
            assert (item.topography, life.sex) not in {("C61.9", "F"), ("C50.9", "M"), ("C56.9", "M")}
    men = sum(life.sex == "M" for life in lives if any(t.cancer.key == "breast" for t in life.tumours))
    assert 0.002 < men / len(tumours(lives, "breast")) < 0.025


def test_relatives_have_cancers_that_their_sex_can_have(lives: list[Life]) -> None:
    told = health()["relatives"]
    for who, code, _ in (member for life in lives for member in life.family):
        sex = told["cancers"][code].get("sex")
        assert who in told["women"] if sex == "F" else who in told["men"] if sex == "M" else True


def test_the_incidence_is_that_of_france(treated: list[Life]) -> None:
    seen = Counter(life.tumours[0].cancer.key for life in treated)
    assert len(cancers()) >= 25
    assert set(seen) == set(cancers())
    total = sum(cancer.raw["weight"] for cancer in cancers().values())
    for key, cancer in cancers().items():
        expected = len(treated) * cancer.raw["weight"] / total
        assert abs(seen[key] - expected) < 5 * expected**0.5 + 3, key


def test_ages_stages_and_sexes_follow_their_sources(treated: list[Life]) -> None:
    for key in ("breast", "prostate", "lung", "colon", "thyroid", "testis"):
        cancer = cancers()[key]
        firsts = [life for life in treated if life.tumours[0].cancer.key == key]
        mean = sum(life.age(life.tumours[0].date) for life in firsts) / len(firsts)
        assert abs(mean - cancer.raw["age"][0]) < 4, key
        stages = Counter(life.tumours[0].stage for life in firsts)
        whole = sum(stage["weight"] for stage in cancer.raw["stages"])
        for stage in cancer.raw["stages"]:
            assert abs(stages[stage["stage"]] / len(firsts) - stage["weight"] / whole) < 0.16, (key, stage["stage"])


def test_every_situation_of_the_plan_is_there_in_its_share(lives: list[Life], treated: list[Life]) -> None:
    def share(test: object) -> float:
        return sum(bool(test(life)) for life in lives) / len(lives)  # type: ignore[operator]

    assert 0.045 < share(lambda life: not life.tumours) < 0.075
    assert all(life.benign for life in lives if not life.tumours)
    assert 0.022 < share(lambda life: life.opposed) < 0.038
    assert 0.013 < share(lambda life: life.merged_ipps) < 0.027
    assert 0.005 < share(lambda life: life.duplicate_ipp) < 0.016
    assert 0.01 < share(lambda life: life.lost) < 0.06
    assert 0.005 < share(lambda life: life.predisposition) < 0.04
    assert 0.04 < share(lambda life: len(life.tumours) > 1) < 0.085
    gaps = [(life.tumours[1].date - life.tumours[0].date).days for life in treated if len(life.tumours) > 1]
    assert any(gap <= 180 for gap in gaps)
    assert any(gap == 0 for gap in gaps)
    assert any(gap > 1000 for gap in gaps)
    pairs = [life.tumours for life in treated if len(life.tumours) > 1]
    assert any(a.cancer.key == b.cancer.key == "breast" and a.side != b.side for a, b in pairs)
    events = Counter(event.type for life in lives for event in life.happenings)
    assert min(events.values()) > 20
    types = Counter(care.type for life in lives for care in life.cares)
    assert set(types) >= {"surgery", "chemotherapy", "radiotherapy", "hormonotherapy", "targeted", "immunotherapy"}
    assert set(types) >= {"transplant", "cell_therapy"}


def test_what_is_inherited_is_in_the_tumour_and_in_the_family(treated: list[Life]) -> None:
    heirs = [life for life in treated if life.predisposition]
    for life in heirs:
        assert life.predisposition is not None
        known = health()["predispositions"][life.predisposition.gene]
        assert life.predisposition.variant in known["variants"]
        assert life.tumours[0].alterations[life.predisposition.gene] == life.predisposition.variant
        assert {code for _, code, _ in life.family} <= set(known["relatives"])
        assert life.family


def test_identities_of_one_person_are_all_different(lives: list[Life]) -> None:
    numbers = [life.ipp for life in lives] + [ipp for life in lives for ipp, _ in life.merged_ipps]
    numbers += [life.duplicate_ipp for life in lives if life.duplicate_ipp]
    assert len(numbers) == len(set(numbers))


# --- Care -----------------------------------------------------------------------------------------------------


def test_no_drug_is_given_before_it_existed(treated: list[Life]) -> None:
    for care in (care for life in treated for care in life.cares if care.course):
        assert care.course is not None
        assert care.start.year >= care.course.since, (care.start, care.course)
    assert not any(
        drug.name == "osimertinib" and care.start.year < 2016
        for life in treated
        for care in life.cares
        for drug in care.drugs
    )


def test_treatments_fit_the_biology(treated: list[Life]) -> None:
    for care in (care for life in treated for care in life.cares):
        given = {drug.name for drug in care.drugs}
        tumour = care.tumour
        if tumour.cancer.key == "breast" and "trastuzumab" in given:
            assert tumour.biomarkers["HER2"][0] == "positive"
        if "osimertinib" in given:
            assert tumour.alterations["EGFR"] not in ("wild_type", "")
        if tumour.cancer.key in ("colon", "rectum") and given & {"cétuximab", "panitumumab"}:
            assert tumour.alterations.get("KRAS") == "wild_type"
        if "pémétrexed" in given and tumour.cancer.key == "lung":
            assert tumour.histology.code != "8070/3"


def test_men_and_young_women_take_tamoxifen_rather_than_an_aromatase_inhibitor_alone(treated: list[Life]) -> None:
    for life in treated:
        for care in life.cares:
            if care.tumour.cancer.key == "breast" and len(care.drugs) == 1:
                alone = care.drugs[0].name in ("létrozole", "anastrozole", "exémestane")
                assert not alone or (life.sex == "F" and life.age(care.start) >= 50)


def test_chemotherapy_and_radiotherapy_of_a_chemoradiation_begin_together(treated: list[Life]) -> None:
    together = 0
    for life in treated:
        for tumour in tumours([life], "cervix"):
            if tumour.stage in ("IIB", "IIIC1"):
                cisplatin = [c for c in life.cares if c.tumour is tumour and c.course and c.intent == "curative"]
                rays = [c for c in life.cares if c.tumour is tumour and c.target == "col"]
                together += bool(cisplatin and rays and cisplatin[0].start == rays[0].start)
    assert together > 5


def test_the_marker_falls_after_the_operation_and_rises_at_the_recurrence(treated: list[Life]) -> None:
    fell = rose = 0
    for life in treated:
        for tumour in tumours([life], "prostate"):
            psa = [lab for lab in life.labs if lab.code == "PSA"]
            operation = next((c.start for c in life.cares if c.tumour is tumour and c.type == "surgery"), None)
            events = [e for e in life.happenings if e.tumour is tumour and e.type.endswith("recurrence")]
            back = events[0].date if events else None
            if operation and not back and len(psa) > 2:
                assert psa[0].value > 1
                assert psa[-1].value < 0.2
                fell += 1
            if operation and back:
                quiet = [lab.value for lab in psa if operation + dt.timedelta(days=44) < lab.date < back]
                after = [lab.value for lab in psa if lab.date >= back]
                if quiet and after:
                    assert max(after) > max(quiet)
                    rose += 1
    assert fell > 50
    assert rose > 5


def test_chemotherapy_lowers_the_blood_counts(treated: list[Life]) -> None:
    first, later = [], []
    for life in treated:
        counts = [lab for lab in life.labs if lab.code == "PNN"]
        days = {tumour.date for tumour in life.tumours}
        first += [lab.value for lab in counts if lab.date in days]
        later += [lab.value for lab in counts if lab.date not in days]
    assert sum(later) / len(later) < 0.8 * sum(first) / len(first)


# --- Codes ----------------------------------------------------------------------------------------------------


def test_every_drug_and_regimen_is_that_of_the_code_systems() -> None:
    known = terminology()
    for drug in drugs().values():
        concept = known.drug(drug.atc)
        assert concept is not None, drug
        assert concept.label.lower() == drug.name.lower()
        assert known.treatment_type_of_drug(drug.atc).value == drug.kind, drug
    for code, item in regimens().items():
        assert {name for name, _ in known.regimen(code)} == set(item["drugs"]), code
        assert known.treatment_type_of_regimen(code).value == course(code).kind, code


def test_every_cancer_is_made_of_known_codes() -> None:
    known = terminology()
    for cancer in cancers().values():
        for place in (*cancer.places, cancer.organ):
            assert known.concept(System.ICDO3_T.value, place.code), place
        for histology in cancer.histologies:
            assert known.concept(System.ICDO3_M.value, histology.code), histology
        for code in (*cancer.raw["sites"], *filter(None, [cancer.raw["regional"]])):
            assert known.concept(System.ICDO3_T.value, code), code
            assert code in sites() or code == cancer.raw["regional"]
        for profile in cancer.raw["profiles"]:
            assert set(profile["biomarkers"]) <= set(biomarkers())
            for gene in profile["alterations"]:
                assert known.concept(System.HGNC.value, gene), gene
            for gene in profile.get("predispositions", {}):
                assert gene in health()["predispositions"]
        assert known.concept(System.LOCAL.value, cancer.raw["biopsy_kind"]), cancer.key
        marker = cancer.raw.get("marker")
        assert marker is None or (marker in labs() and marker in biomarkers()), marker
        for profile in cancer.raw["profiles"]:
            for options in cancer.lines(profile["name"]):
                assert all(course(option).drugs for option in options)
            assert cancer.lines(profile["name"])
        for plan in cancer.plans:
            for step in plan.steps:
                assert all(option in acts() for option in step.options if step.kind == "surgery"), step
                assert all(option in targets() for option in step.options if step.kind == "rt"), step
                assert all(course(option).drugs for option in step.options if step.kind == "drugs"), step
    for code in biomarkers():
        assert known.concept(System.LOCAL.value, code), code
    for code in diseases().values():
        assert known.concept(System.ICDO3_M.value, code), code


def test_every_act_is_the_kind_of_treatment_that_the_code_systems_say() -> None:
    known = terminology()
    for act in acts().values():
        assert known.concept(System.LOCAL.value, act.local), act
        kind = known.treatment_type_of_act(act.local)
        if act.local != "PROC:biopsy":
            assert kind is not None
            assert kind.value == act.kind, act


def test_every_act_of_the_ccam_and_every_diagnosis_of_the_cim_exists(shared_data: Path) -> None:
    with gzip.open(shared_data / "referentials" / "ccam" / "ccam_actes.json.gz", "rt", encoding="utf-8") as file:
        ccam = {item["code"] for item in json.load(file)}
    used = {act.code for act in acts().values()} | {cancer.raw["biopsy_act"] for cancer in cancers().values()}
    assert used <= ccam
    table = shared_data / "referentials" / "cim10" / "LIBCIM10MULTI_saufch20.TXT"
    cim10 = {line.split("|")[0].strip() for line in table.read_text(encoding="latin-1").splitlines()}
    codes = [item["cim10"] for item in health()["comorbidities"]] + [site.cim10 for site in sites().values()]
    codes += [cancer.cim10 for cancer in cancers().values()]
    assert {code.replace(".", "") for code in codes} <= cim10


def test_the_diagnosis_code_of_each_tumour_exists(treated: list[Life], shared_data: Path) -> None:
    table = shared_data / "referentials" / "cim10" / "LIBCIM10MULTI_saufch20.TXT"
    cim10 = {line.split("|")[0].strip() for line in table.read_text(encoding="latin-1").splitlines()}
    assert {tumour.cim10.replace(".", "") for life in treated for tumour in life.tumours} <= cim10


# --- Names and reproducibility --------------------------------------------------------------------------------


def test_the_three_splits_share_no_name_and_have_enough_of_them() -> None:
    least = {"families": 200, "female": 100, "male": 100, "authors": 30, "towns": 15}
    for column, number in least.items():
        lists = [{str(item) for item in names()[split][column]} for split in ("train", "dev", "test")]
        assert all(len(items) >= number for items in lists), column
        assert not lists[0] & lists[1]
        assert not lists[0] & lists[2]
        assert not lists[1] & lists[2]


def test_the_same_seed_draws_the_same_life_and_a_life_goes_to_another_process() -> None:
    one, other = (draw_life(Random("same"), "TST001000001", "train") for _ in range(2))
    assert one == other
    sent = pickle.loads(pickle.dumps(one))
    assert sent == one
    assert all(tumour.cancer is cancers()[tumour.cancer.key] for tumour in sent.tumours)
    assert all(any(care.tumour is tumour for tumour in sent.tumours) for care in sent.cares)
