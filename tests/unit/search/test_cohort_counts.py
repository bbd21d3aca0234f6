"""A count is exact: the SQL statement agrees with a plain reading of the criteria over plain objects."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consore.errors import CriteriaError
from consore.model import (
    Act,
    Biomarker,
    Document,
    Fact,
    Patient,
    Stay,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)
from consore.search.cohort import count_patients, patient_ids
from consore.search.criteria import Criteria, parse_criteria
from consore.store import Store

TODAY = dt.date(2026, 3, 1)
SITES = ["C50.1", "C50.4", "C34.1", "C18.7", "C61.9"]
STAGES = [None, "I", "II", "IIIA", "IV"]
EVENTS = ["initial", "local_recurrence", "metastatic_recurrence"]
ACTS = ["QEFA020", "QEFA001", "HHFA009"]
WORDS = ["nodule", "métastases", "hépatiques", "tamoxifène", "l’œdème"]
DRUGS = ["L01FF02", "L01FD01", "L02BA01"]


@dataclass
class Person:
    """A patient as plain values, for the oracle."""

    id: int
    sex: str
    birth: dt.date | None
    death: dt.date | None
    opposed: bool
    tumours: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    treatments: list[dict[str, Any]] = field(default_factory=list)
    biomarkers: list[dict[str, Any]] = field(default_factory=list)
    acts: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)


def population(seed: int, size: int) -> list[Person]:
    rng = random.Random(seed)

    def day(first: int, last: int) -> dt.date:
        return dt.date(rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28))

    def soon() -> dt.date | None:
        """One of few days, of which several meet and some end a month."""
        return rng.choice(
            [None, dt.date(2020, 1, 31), dt.date(2020, 2, 29), dt.date(2020, 1, 1) + dt.timedelta(rng.randint(0, 500))]
        )

    people = []
    for number in range(1, size + 1):
        person = Person(
            number,
            rng.choice(["male", "female", "unknown"]),
            day(1930, 1990) if rng.random() < 0.9 else None,
            day(2022, 2025) if rng.random() < 0.3 else None,
            rng.random() < 0.1,
        )
        for rank in range(1, rng.choice([0, 1, 1, 1, 2]) + 1):
            person.tumours.append(
                {
                    "topography": rng.choice(SITES),
                    "stage": rng.choice(STAGES),
                    "laterality": rng.choice([None, "left", "right"]),
                    "diagnosed": rng.choice([day(2010, 2021), soon()]),
                    "rank": rank,
                }
            )
        for _ in range(rng.randint(0, 2)):
            person.events.append(
                {
                    "type": rng.choice(EVENTS),
                    "site": rng.sample(["C22.0", "C34.9", "C71.9"], rng.randint(0, 2)),
                    "date": soon(),
                }
            )
        for _ in range(rng.randint(0, 2)):
            person.treatments.append(
                {"drug": rng.sample(DRUGS, rng.randint(0, 2)), "line": rng.choice([None, 1, 2]), "start": soon()}
            )
        for _ in range(rng.randint(0, 2)):
            person.biomarkers.append(
                {
                    "code": rng.choice(["HER2", "KI67"]),
                    "status": rng.choice(["positive", "negative"]),
                    "number": rng.choice([None, 5.0, 30.0]),
                    "date": soon(),
                }
            )
        person.acts = [{"code": rng.choice(ACTS), "date": soon()} for _ in range(rng.randint(0, 3))]
        person.facts = [
            {"code": rng.choice(["REC:local", "REC:distant"]), "assertion": said, "date": soon()}
            for said in rng.sample(["present", "negated"], rng.randint(0, 2))
        ]
        person.documents = [
            {
                "text": ", ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 4))),
                "kind": rng.choice(["letter", "imaging"]),
                "date": soon(),
            }
            for _ in range(rng.randint(0, 3))
        ]
        people.append(person)
    return people


def fill(store: Store, people: list[Person]) -> None:
    with store.session() as session:
        for person in people:
            session.add(
                Patient(
                    id=person.id,
                    ipp=f"P{person.id}",
                    sex=person.sex,
                    birth_date=person.birth,
                    death_date=person.death,
                    opposed=person.opposed,
                )
            )
        session.flush()
        for person in people:
            for tumour in person.tumours:
                session.add(
                    Tumour(
                        patient_id=person.id,
                        rank=tumour["rank"],
                        topography=tumour["topography"],
                        stage=tumour["stage"],
                        laterality=tumour["laterality"],
                        diagnosis_date=tumour["diagnosed"],
                    )
                )
            for event in person.events:
                row = TumourEvent(patient_id=person.id, type=event["type"], date=event["date"])
                session.add(row)
                session.flush()
                session.add_all(TumourEventSite(event_id=row.id, code=code) for code in event["site"])
            for treatment in person.treatments:
                given = Treatment(
                    patient_id=person.id,
                    type="chemotherapy",
                    name="x",
                    line=treatment["line"],
                    start=treatment["start"],
                )
                session.add(given)
                session.flush()
                session.add_all(TreatmentDrug(treatment_id=given.id, atc=code, name="x") for code in treatment["drug"])
            for marker in person.biomarkers:
                session.add(Biomarker(patient_id=person.id, **marker))
            if person.acts:
                stay = Stay(patient_id=person.id, number=str(person.id))
                session.add(stay)
                session.flush()
                session.add_all(Act(patient_id=person.id, stay_id=stay.id, **act) for act in person.acts)
            session.add_all(
                Fact(patient_id=person.id, kind="recurrence", system="LOCAL", **fact) for fact in person.facts
            )
            session.add_all(
                Document(patient_id=person.id, external_id=f"{person.id}-{number}", **document)
                for number, document in enumerate(person.documents)
            )


def age(birth: dt.date, day: dt.date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def within(value: float | None, bounds: dict[str, float] | None) -> bool:
    if bounds is None:
        return True
    if value is None:
        return False
    return bounds.get("min", value) <= value <= bounds.get("max", value)


def meets(person: Person, node: dict[str, Any]) -> bool:
    """The oracle: the criteria read over plain objects, as slowly as they are written."""
    ((key, value),) = node.items()
    if key == "all":
        return all(meets(person, child) for child in value)
    if key == "any":
        return any(meets(person, child) for child in value)
    if key == "none":
        return not any(meets(person, child) for child in value)
    if key == "patient":
        last = person.death or TODAY
        return (
            value.get("sex", person.sex) == person.sex
            and value.get("vitalStatus") in (None, "dead" if person.death else "alive")
            and ("currentAge" not in value or within(person.birth and age(person.birth, last), value["currentAge"]))
            and (
                "ageAtDiagnosis" not in value
                or any(
                    within(age(person.birth, tumour["diagnosed"]), value["ageAtDiagnosis"])
                    for tumour in person.tumours
                    if person.birth and tumour["diagnosed"]
                )
            )
        )
    if key == "count":
        return len(met(person, value["of"])) >= value["atLeast"]
    if key == "sequence":
        firsts, thens = met(person, value["first"]), met(person, value["then"])
        return any(
            one is not two and follows(day_of(one), day_of(two), value.get("within")) for one in firsts for two in thens
        )
    return bool(met(person, node))


def met(person: Person, leaf: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a person that meet a leaf."""
    ((key, value),) = leaf.items()
    rows = getattr(person, {"biomarker": "biomarkers", "concept": "facts"}.get(key, f"{key}s"))
    return [row for row in rows if TESTS[key](row, value)]


def is_tumour(tumour: dict[str, Any], value: dict[str, Any]) -> bool:
    return (
        any((tumour["topography"] or "").startswith(code) for code in value.get("topography", [""]))
        and ("stage" not in value or any(in_stage(tumour["stage"], stage) for stage in value["stage"]))
        and value.get("laterality") in (None, tumour["laterality"])
        and ("diagnosed" not in value or in_period(tumour["diagnosed"], value["diagnosed"]))
        and within(tumour["rank"], value.get("rank"))
    )


def is_event(event: dict[str, Any], value: dict[str, Any]) -> bool:
    return event["type"] in value.get("type", EVENTS) and (
        "site" not in value or any(site.startswith(code) for site in event["site"] for code in value["site"])
    )


def is_treatment(treatment: dict[str, Any], value: dict[str, Any]) -> bool:
    return (
        "drug" not in value or any(atc.startswith(code) for atc in treatment["drug"] for code in value["drug"])
    ) and within(treatment["line"], value.get("line"))


def is_biomarker(marker: dict[str, Any], value: dict[str, Any]) -> bool:
    return (
        marker["code"] in value["code"]
        and marker["status"] in value.get("status", ["positive", "negative"])
        and within(marker["number"], value.get("value"))
    )


def is_act(act: dict[str, Any], value: dict[str, Any]) -> bool:
    return any(act["code"].startswith(code) for code in value["code"])


def is_fact(fact: dict[str, Any], value: dict[str, Any]) -> bool:
    return (
        value["system"] == "LOCAL"
        and any(fact["code"].startswith(code) for code in value["code"])
        and fact["assertion"] in value.get("assertion", ["present"])
    )


def is_document(document: dict[str, Any], value: dict[str, Any]) -> bool:
    return (
        document["kind"] in value.get("kind", [document["kind"]])
        and ("between" not in value or in_period(document["date"], value["between"]))
        and all(f" {phrase} " in f" {plain(document['text'])} " for phrase in asked(value.get("text", "")))
    )


def asked(text: str) -> list[str]:
    """The phrases between quotes, and each word outside of them."""
    return [
        phrase
        for number, part in enumerate(text.split('"'))
        for phrase in ([plain(part)] if number % 2 else plain(part).split())
    ]


def plain(text: str) -> str:
    letters = text.replace("œ", "oe").replace("’", " ").replace(",", " ").lower()
    bare = "".join(letter for letter in unicodedata.normalize("NFD", letters) if not unicodedata.combining(letter))
    return " ".join(word[:-1] if len(word) > 4 and word.endswith("s") else word for word in bare.split())


TESTS = {
    "tumour": is_tumour,
    "event": is_event,
    "treatment": is_treatment,
    "biomarker": is_biomarker,
    "act": is_act,
    "concept": is_fact,
    "document": is_document,
}


def day_of(row: dict[str, Any]) -> dt.date | None:
    return next((row[name] for name in ("diagnosed", "start", "date") if name in row), None)


def follows(one: dt.date | None, two: dt.date | None, delay: dict[str, Any] | None) -> bool:
    if one is None or two is None or two < one:
        return False
    if not delay:
        return True
    return at_least(one, two, delay.get("min", 0), delay["unit"]) and (
        "max" not in delay or two == one or at_most(one, two, delay["max"], delay["unit"])
    )


def later(day: dt.date, number: int, unit: str) -> tuple[int, int, int]:
    """Year, month and day after so long; the day may be one that the month has not."""
    if unit in ("days", "weeks"):
        moved = day + dt.timedelta(days=number * (7 if unit == "weeks" else 1))
        return (moved.year, moved.month, moved.day)
    months = day.year * 12 + day.month - 1 + number * (12 if unit == "years" else 1)
    return (months // 12, months % 12 + 1, day.day)


def at_least(one: dt.date, two: dt.date, number: int, unit: str) -> bool:
    return (two.year, two.month, two.day) >= later(one, number, unit)


def at_most(one: dt.date, two: dt.date, number: int, unit: str) -> bool:
    return (two.year, two.month, two.day) <= later(one, number, unit)


def in_stage(stage: str | None, asked: str) -> bool:
    return stage is not None and (stage == asked or (stage.startswith(asked) and stage[len(asked)] in "ABCDE123456789"))


def in_period(day: dt.date | None, period: dict[str, str]) -> bool:
    return day is not None and period.get("from", "0") <= day.isoformat() <= period.get("to", "9")


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


bounds = maybe(min=st.sampled_from([1, 20, 40]), max=st.sampled_from([2, 60, 80])).filter(bool)
patient_leaves = (
    maybe(
        sex=st.sampled_from(["male", "female"]),
        vitalStatus=st.sampled_from(["alive", "dead"]),
        currentAge=bounds,
        ageAtDiagnosis=bounds,
    ).map(lambda leaf: {"patient": leaf}),
)
dated_leaves = st.one_of(
    maybe(
        topography=st.lists(st.sampled_from(["C50", "C50.4", "C34", "C18.7", "C"]), min_size=1, max_size=2),
        stage=st.lists(st.sampled_from(["I", "II", "III", "IIIA", "IV"]), min_size=1, max_size=2),
        laterality=st.sampled_from(["left", "right"]),
        diagnosed=maybe(
            **{"from": st.sampled_from(["2012-06-15", "2018-01-01"]), "to": st.sampled_from(["2016-12-31"])}
        ),
        rank=bounds,
    ).map(lambda leaf: {"tumour": leaf}),
    maybe(
        type=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2),
        site=st.lists(st.sampled_from(["C22", "C71.9"]), min_size=1, max_size=2),
    ).map(lambda leaf: {"event": leaf}),
    maybe(drug=st.lists(st.sampled_from(["L01", "L01FF02", "L02"]), min_size=1, max_size=2), line=bounds).map(
        lambda leaf: {"treatment": leaf}
    ),
    st.fixed_dictionaries(
        {"code": st.lists(st.sampled_from(["HER2", "KI67"]), min_size=1)},
        optional={"status": st.lists(st.sampled_from(["positive", "negative"]), min_size=1), "value": bounds},
    ).map(lambda leaf: {"biomarker": leaf}),
    st.lists(st.sampled_from(["QEFA", "QEFA020", "HH"]), min_size=1, max_size=2).map(
        lambda codes: {"act": {"code": codes}}
    ),
    st.fixed_dictionaries(
        {"system": st.just("LOCAL"), "code": st.lists(st.sampled_from(["REC:", "REC:local"]), min_size=1, max_size=2)},
        optional={"assertion": st.lists(st.sampled_from(["present", "negated"]), min_size=1)},
    ).map(lambda leaf: {"concept": leaf}),
    maybe(
        text=st.lists(
            st.sampled_from(["nodule", "Métastase", '"métastase hépatique"', '"nodule, nodule"', "OEDEME", "absent"]),
            min_size=1,
            max_size=3,
        ).map(" ".join),
        kind=st.lists(st.sampled_from(["letter", "imaging"]), min_size=1),
        between=st.just({"from": "2020-02-01", "to": "2021-01-31"}),
    ).map(lambda leaf: {"document": leaf}),
)
delays = st.fixed_dictionaries(
    {"unit": st.sampled_from(["days", "weeks", "months", "years"])},
    optional={"min": st.integers(0, 14), "max": st.integers(0, 30)},
)
leaves = st.one_of(
    *patient_leaves,
    dated_leaves,
    st.fixed_dictionaries({"first": dated_leaves, "then": dated_leaves}, optional={"within": delays}).map(
        lambda leaf: {"sequence": leaf}
    ),
    st.fixed_dictionaries({"of": dated_leaves, "atLeast": st.integers(1, 3)}).map(lambda leaf: {"count": leaf}),
)
trees = st.recursive(
    leaves,
    lambda child: st.sampled_from(["all", "any", "none"]).flatmap(
        lambda key: st.lists(child, max_size=3).map(lambda nodes: {key: nodes})
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("trees_tried", [150, pytest.param(3000, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_a_count_agrees_with_a_plain_reading_of_the_criteria(either_store: Store, trees_tried: int) -> None:
    people = population(seed=trees_tried, size=120)
    fill(either_store, people)

    @settings(max_examples=trees_tried, deadline=None, suppress_health_check=list(HealthCheck))
    @given(trees)
    def agrees(tree: dict[str, Any]) -> None:
        expected = [person.id for person in people if not person.opposed and meets(person, tree)]
        with either_store.session() as session:
            criteria = parse_criteria(tree)
            assert patient_ids(session, criteria, today=TODAY) == expected
            assert count_patients(session, criteria, today=TODAY) == len(expected)

    agrees()


def one(store: Store, *rows: Any) -> None:
    with store.session() as session:
        session.add(Patient(id=1, ipp="P1", sex="female", birth_date=dt.date(1970, 6, 1)))
        session.flush()
        session.add_all(rows)


def found(store: Store, tree: dict[str, Any]) -> bool:
    with store.session() as session:
        return count_patients(session, parse_criteria(tree), today=TODAY) == 1


def test_the_site_and_the_side_are_those_of_the_same_tumour(store: Store) -> None:
    one(
        store,
        Tumour(patient_id=1, rank=1, topography="C50.4", laterality="left"),
        Tumour(patient_id=1, rank=2, topography="C34.1", laterality="right"),
    )
    assert found(store, {"tumour": {"topography": ["C50"], "laterality": "left"}})
    assert not found(store, {"tumour": {"topography": ["C50"], "laterality": "right"}})


def test_stage_iii_is_not_stage_iv_nor_stage_ii(store: Store) -> None:
    one(store, Tumour(patient_id=1, rank=1, topography="C50.4", stage="IIIA"))
    assert found(store, {"tumour": {"stage": ["III"]}})
    assert not found(store, {"tumour": {"stage": ["II"]}})
    assert not found(store, {"tumour": {"stage": ["I", "IV"]}})


def test_t2_means_t2a_whether_the_letter_is_written_or_not(store: Store) -> None:
    one(store, Tumour(patient_id=1, rank=1, topography="C34.1", t="T2a", n="N0", m="M0"))
    assert found(store, {"tumour": {"t": ["T2"], "n": ["0"]}})
    assert not found(store, {"tumour": {"t": ["T2b"]}})


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ({"tumor": {}}, "wrong at tumor"),
        ({"tumour": {"topography": "C50"}}, "wrong at tumour.topography"),
        ({"all": [], "any": []}, "exactly one key"),
        ({}, "exactly one key"),
        ({"event": {"type": ["relapse"]}}, "wrong at event.type"),
    ],
)
def test_a_wrong_tree_says_where_it_is_wrong(tree: Any, message: str) -> None:
    with pytest.raises(CriteriaError, match=message):
        parse_criteria(tree)


def test_a_tree_of_depth_sixty_is_refused() -> None:
    tree: dict[str, Any] = {"patient": {"sex": "male"}}
    for _ in range(60):
        tree = {"all": [tree]}
    with pytest.raises(CriteriaError, match="Split the question"):
        parse_criteria(tree)


def test_a_tree_comes_back_from_json_as_it_was() -> None:
    tree = {
        "all": [
            {"tumour": {"topography": ["C50"], "diagnosed": {"from": "2020-01-01"}}},
            {"none": [{"act": {"code": ["QEFA"]}}]},
        ]
    }
    criteria = parse_criteria(tree)
    assert criteria.as_json() == tree
    assert isinstance(parse_criteria(criteria.canonical()), Criteria)


def test_a_recurrence_after_a_drug_within_a_year_is_asked_as_one_leaf(store: Store) -> None:
    given, recurred = dt.date(2020, 1, 31), dt.date(2021, 1, 31)
    one(
        store,
        Treatment(id=1, patient_id=1, type="hormonotherapy", name="tamoxifène", start=given),
        TumourEvent(patient_id=1, type="local_recurrence", date=recurred),
    )
    treated, relapse = {"treatment": {"type": ["hormonotherapy"]}}, {"event": {"type": ["local_recurrence"]}}
    assert found(store, {"sequence": {"first": treated, "then": relapse}})
    assert not found(store, {"sequence": {"first": relapse, "then": treated}})
    assert found(store, {"sequence": {"first": treated, "then": relapse, "within": {"max": 1, "unit": "years"}}})
    assert not found(store, {"sequence": {"first": treated, "then": relapse, "within": {"max": 11, "unit": "months"}}})


def test_one_row_is_not_two(store: Store) -> None:
    one(store, Treatment(patient_id=1, type="surgery", name="mastectomie", start=dt.date(2020, 1, 1)))
    surgery = {"treatment": {"type": ["surgery"]}}
    assert found(store, {"count": {"of": surgery, "atLeast": 1}})
    assert not found(store, {"count": {"of": surgery, "atLeast": 2}})
    assert not found(store, {"sequence": {"first": surgery, "then": surgery}})


def test_words_are_sought_in_one_document_and_not_in_two(store: Store) -> None:
    one(
        store,
        Document(patient_id=1, external_id="a", kind="imaging", text="Nodules hépatiques, sans épanchement."),
        Document(patient_id=1, external_id="b", kind="letter", text="Dyspnée."),
    )
    assert found(store, {"document": {"text": "épanchement nodule"}})
    assert found(store, {"document": {"text": "« nodule hépatique »", "kind": ["imaging"]}})
    assert not found(store, {"document": {"text": '"épanchement nodule"'}})
    assert not found(store, {"document": {"text": "nodule dyspnée"}})
    assert not found(store, {"document": {"text": "dyspnée", "kind": ["imaging"]}})


@pytest.mark.parametrize("code", ["C50\x00", "C\n", "\udfff", "\U0010ffff"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(CriteriaError, match=r"wrong at tumour\.topography"):
        parse_criteria({"tumour": {"topography": [code]}})


@pytest.mark.parametrize("code", ["Z99.9", "%", "_", "' OR 1=1 --", "é", "😀"])
def test_a_code_that_nobody_has_finds_nobody(either_store: Store, code: str) -> None:
    one(either_store, Tumour(patient_id=1, rank=1, topography="C50.4"))
    assert not found(either_store, {"tumour": {"topography": [code]}})


def test_too_many_codes_are_refused() -> None:
    leaf = {"tumour": {"topography": [f"C{number}" for number in range(400)]}}
    with pytest.raises(CriteriaError, match="name a code above"):
        parse_criteria({"any": [leaf] * 10})


def test_a_text_without_a_word_is_refused() -> None:
    with pytest.raises(CriteriaError, match="no word"):
        parse_criteria({"document": {"text": "« … »"}})
