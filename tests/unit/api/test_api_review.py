"""A physician looks at what is least sure, says what is true, and it stays true."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from api_centre import LOGINS, PASSWORD, ApiClient
from sqlmodel import select
from starlette.testclient import TestClient

from consore.access import save_account
from consore.api import create_app
from consore.export import training_lines
from consore.ingestion import structure_and_save
from consore.language.corpora import read_corpus
from consore.model import (
    AuditEntry,
    Belief,
    Correction,
    Document,
    DocumentMentions,
    Mention,
    MentionKind,
    Patient,
    PendingPatient,
    Role,
    StructuredRecord,
    Tumour,
    pack_mentions,
)
from consore.settings import Settings

K = MentionKind
PATHOLOGY = "Mme LORRAIN : carcinome canalaire infiltrant du sein gauche. HER2 positif. Classé pT2N1M0."
LETTER = "Carcinome du sein droit traité par paclitaxel. CA 15-3 à 45 U/mL."
RELAPSE = "Récidive métastatique hépatique."

QUEUE = """query ($first: Int, $after: String, $kind: ReviewKind, $patient: ID) {
  reviewQueue(first: $first, after: $after, kind: $kind, patientId: $patient) {
    totalCount pageInfo { hasNextPage endCursor }
    edges { node { id key kind type label date confidence reviewValue setAside
      patient { id familyName headline } belief { why conflicts { attribute value evidence { quote } } }
      evidence { documentId quote start end }
      fields { name kind value label choices others { value label } } } } } }"""
REVIEW = """mutation ($patient: ID!, $key: String!, $verdict: ReviewVerdict!, $values: JSON) {
  reviewItem(patientId: $patient, key: $key, verdict: $verdict, values: $values) { __typename
    ... on Reviewed { id key patient { tumours { label laterality belief { confidence reviewed why } } } }
    ... on InputProblem { message hint } ... on NotFound { message } } }"""
WITHDRAW = (
    "mutation ($id: ID!) { withdrawReview(id: $id) { __typename ... on Reviewed { patient { tumours { label } } } } }"
)


def mention(
    text: str, words: str, kind: MentionKind, system: str, code: str, value: str | None = None, **more
) -> Mention:
    start = text.index(words)
    return Mention(start, start + len(words), words, kind, system, code, value=value, confidence=0.9, **more)


@pytest.fixture(scope="module")
def app(tmp_path_factory, shared_cache):
    settings = Settings(home=tmp_path_factory.mktemp("review-node"), centre_code="ESSAI", cache_dir=shared_cache)
    return create_app(settings, engine=False)


@pytest.fixture(scope="module")
def words(app):
    return app.state.node.terminology


@pytest.fixture(scope="module")
def store(app):
    return app.state.node.store


@pytest.fixture
def patient(store, words):
    """A new patient each time: their side is told twice differently, their relapse once."""
    with store.session() as session:
        number = len(session.exec(select(Patient.id)).all())
        person = Patient(ipp=f"R{number}", family_name="LORRAIN", sex="female", birth_date=dt.date(1960, 5, 1))
        session.add(person)
        session.flush()
        key = person.id or 0
        told = [
            ("pathology", dt.date(2019, 3, 4), PATHOLOGY, [
                mention(PATHOLOGY, "carcinome canalaire infiltrant", K.MORPHOLOGY, "ICD-O-3-M", "8500/3"),
                mention(PATHOLOGY, "sein gauche", K.TOPOGRAPHY, "ICD-O-3-T", "C50.9", "left"),
                mention(PATHOLOGY, "HER2 positif", K.BIOMARKER, "LOCAL", "HER2", "positive"),
                mention(PATHOLOGY, "pT2N1M0", K.TNM, "TNM", "pT2N1M0", "pT2N1M0"),
            ]),
            ("consultation", dt.date(2019, 5, 6), LETTER, [
                mention(LETTER, "Carcinome", K.MORPHOLOGY, "ICD-O-3-M", "8500/3"),
                mention(LETTER, "sein droit", K.TOPOGRAPHY, "ICD-O-3-T", "C50.9", "right"),
                mention(LETTER, "paclitaxel", K.DRUG, "ATC", "L01CD01"),
                mention(LETTER, "CA 15-3 à 45 U/mL", K.BIOMARKER, "LOCAL", "CA153", "45", unit="U/mL"),
            ]),
            ("imaging", dt.date(2022, 6, 1), RELAPSE, [
                mention(RELAPSE, "Récidive métastatique", K.RECURRENCE, "LOCAL", "REC:metastatic"),
                mention(RELAPSE, "hépatique", K.METASTASIS, "ICD-O-3-T", "C22.0"),
            ]),
        ]  # fmt: skip
        for place, (kind, date, text, mentions) in enumerate(told):
            document = Document(
                patient_id=key, external_id=f"R{number}-{place}", kind=kind, title=kind, date=date, text=text
            )
            session.add(document)
            session.flush()
            session.add(DocumentMentions(document_id=document.id, payload=pack_mentions(mentions), total=len(mentions)))
        values = {"analyse": "Hémoglobine", "valeur": "9.1", "unite": "g/dL", "borne_basse": "12", "loinc": "718-7"}
        session.add(
            StructuredRecord(
                patient_id=key, kind="biology", external_id=f"B{number}", date=dt.date(2022, 6, 2), values_=values
            )
        )
        session.flush()
        structure_and_save(session, key, words)
    return str(key)


@pytest.fixture(scope="module")
def http(app, store):
    with store.session() as session:
        for role, login in LOGINS.items():
            save_account(session, login, name=f"Compte {role.value}", role=role, password=PASSWORD)
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def physician(http):
    return ApiClient(http, Role.PHYSICIAN)


def the_tumour(client, patient):
    return next(item for item in queue(client, patient, kind="TUMOUR") if not item["setAside"])


def queue(client, patient, **asked):
    return [edge["node"] for edge in client.ask(QUEUE, patient=patient, **asked)["reviewQueue"]["edges"]]


def test_the_queue_begins_with_what_a_look_is_worth_most_and_shows_the_sentence(physician, patient, store):
    with store.session() as session:
        row = session.exec(
            select(Belief).where(
                Belief.patient_id == int(patient), Belief.item == "tumour", Belief.item_id.is_not(None)
            )
        ).one()
        row.conflicts = [{"attribute": "ptnm", "value": "pT1N0M0", "evidence": []}]
        session.add(row)
    items = queue(physician, patient)
    values = [item["reviewValue"] for item in items]
    assert values == sorted(values, reverse=True)
    tumour = next(item for item in items if item["kind"] == "TUMOUR" and not item["setAside"])
    assert tumour["belief"]["conflicts"][0]["attribute"] == "ptnm"
    assert "sein gauche" in tumour["evidence"][0]["quote"]
    fields = {field["name"]: field for field in tumour["fields"]}
    assert fields["laterality"]["choices"] == ["left", "right", "bilateral", "midline"]
    assert fields["ptnm"]["others"] == [{"value": "pT1N0M0", "label": "pT1N0M0"}]
    assert tumour["patient"]["familyName"] == "LORRAIN"


def test_what_the_history_left_out_is_asked_with_its_sentence_and_may_be_taken_in(physician, patient):
    aside = next(item for item in queue(physician, patient) if item["setAside"])
    assert "Carcinome du sein droit" in aside["evidence"][0]["quote"]
    assert aside["belief"]["why"].startswith("Non retenu")
    done = physician.ask(REVIEW, patient=patient, key=aside["key"], verdict="CONFIRM")["reviewItem"]
    assert [tumour["laterality"] for tumour in done["patient"]["tumours"]] == ["left", "right"]


def test_the_queue_comes_page_by_page_and_by_kind(physician, patient):
    everything = queue(physician, patient)
    first = physician.ask(QUEUE, patient=patient, first=1)["reviewQueue"]
    assert first["totalCount"] == len(everything)
    assert first["pageInfo"]["hasNextPage"]
    second = physician.ask(QUEUE, patient=patient, first=1, after=first["pageInfo"]["endCursor"])["reviewQueue"]
    assert [edge["node"]["key"] for edge in (*first["edges"], *second["edges"])] == [
        item["key"] for item in everything[:2]
    ]
    assert {item["kind"] for item in queue(physician, patient, kind="TUMOUR")} == {"TUMOUR"}


def test_a_corrected_side_is_the_side_at_once_and_after_a_new_structuring(physician, patient, store, words):
    tumour = the_tumour(physician, patient)
    done = physician.ask(REVIEW, patient=patient, key=tumour["key"], verdict="CORRECT", values={"laterality": "right"})[
        "reviewItem"
    ]
    assert done["patient"]["tumours"][0]["laterality"] == "right"
    assert done["patient"]["tumours"][0]["belief"]["reviewed"]
    assert tumour["key"] not in {item["key"] for item in queue(physician, patient)}
    with store.session() as session:
        structure_and_save(session, int(patient), words)
        assert session.exec(select(Tumour.laterality).where(Tumour.patient_id == int(patient))).one() == "right"
        assert session.get(PendingPatient, int(patient))
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "reviewed")).all()[-1]
        assert (entry.patient_id, entry.detail["verdict"]) == (int(patient), "correct")


def test_a_confirmed_item_is_sure_and_asked_no_more(physician, patient):
    tumour = the_tumour(physician, patient)
    done = physician.ask(REVIEW, patient=patient, key=tumour["key"], verdict="CONFIRM")["reviewItem"]
    assert done["patient"]["tumours"][0]["belief"]["confidence"] == 1.0
    assert "Confirmé par Compte physician" in done["patient"]["tumours"][0]["belief"]["why"]
    assert tumour["key"] not in {item["key"] for item in queue(physician, patient)}


def test_a_rejected_item_is_gone_until_the_review_is_taken_back(physician, patient):
    tumour = the_tumour(physician, patient)
    done = physician.ask(REVIEW, patient=patient, key=tumour["key"], verdict="REJECT")["reviewItem"]
    assert done["patient"]["tumours"] == []
    back = physician.ask(WITHDRAW, id=done["id"])["withdrawReview"]
    assert len(back["patient"]["tumours"]) == 1
    assert physician.ask(WITHDRAW, id=done["id"])["withdrawReview"]["__typename"] == "NotFound"


def test_words_and_french_dates_are_taken_and_nonsense_is_refused_with_what_to_do(physician, patient, store):
    tumour = the_tumour(physician, patient)
    done = physician.ask(
        REVIEW,
        patient=patient,
        key=tumour["key"],
        verdict="CORRECT",
        values={"morphology": "carcinome lobulaire infiltrant", "diagnosis_date": "02/2019"},
    )["reviewItem"]
    assert done["patient"]["tumours"][0]["label"].startswith("carcinome lobulaire")
    with store.session() as session:
        said = session.exec(select(Correction).where(Correction.patient_id == int(patient))).one()
        assert said.values_ == {"morphology": "8520/3", "diagnosis_date": "2019-02-01"}
        assert said.before["evidence"]
    for values, words in (
        ({"diagnosis_date": "demain"}, "date"),
        ({"topography": "xyz"}, "organe"),
        ({"ptnm": "grosse"}, "TNM"),
        ({"colour": "blue"}, "colour"),
        ({}, "corrigé"),
    ):
        refused = physician.ask(REVIEW, patient=patient, key=tumour["key"], verdict="CORRECT", values=values)
        assert refused["reviewItem"]["__typename"] == "InputProblem", values
        assert words in refused["reviewItem"]["message"]


def test_an_item_that_has_changed_meanwhile_is_said_so(physician, patient):
    done = physician.ask(REVIEW, patient=patient, key="tumour:C61:-:2001-01-01", verdict="CONFIRM")["reviewItem"]
    assert "a changé" in done["hint"]


def test_who_may_not_see_names_reviews_without_them_and_others_not_at_all(http, patient):
    admin = ApiClient(http, Role.ADMIN)
    item = next(item for item in queue(admin, patient) if item["kind"] == "TUMOUR")
    assert item["patient"] is None
    done = admin.ask(REVIEW, patient=patient, key=item["key"], verdict="CONFIRM")["reviewItem"]
    assert done["patient"] is None
    assert not any(proof["quote"] for proof in item["evidence"])
    for role in (Role.RESEARCHER, Role.INTEGRATOR):
        assert ApiClient(http, role).refused(QUEUE)["extensions"]["code"] == "forbidden"


def test_results_of_biology_from_reports_and_laboratory_lie_on_the_timeline(physician, patient):
    question = """query ($id: ID!) { patient(id: $id) { ... on Patient {
        biology { code label marker results { date value unit abnormal evidence { quote documentKind } } }
        timeline { lanes { key items { label start evidence { quote } } } } } } }"""
    found = physician.ask(question, id=patient)["patient"]
    lane = next(lane for lane in found["timeline"]["lanes"] if lane["key"] == "biology")
    assert [item["label"] for item in lane["items"]] == ["CA 15-3 45 U/mL", "Hémoglobine 9,1 g/dL ↓"]
    assert "CA 15-3 à 45 U/mL" in lane["items"][0]["evidence"][0]["quote"]
    marker, count = found["biology"]
    assert (marker["code"], marker["marker"], count["marker"]) == ("CA153", True, False)
    assert count["results"][0]["abnormal"]
    assert marker["results"][0]["evidence"][0]["documentKind"] == "consultation"


def test_what_was_corrected_is_text_that_a_reader_learns_from_without_the_name(physician, patient, store, tmp_path):
    tumour = the_tumour(physician, patient)
    physician.ask(REVIEW, patient=patient, key=tumour["key"], verdict="CORRECT", values={"morphology": "8520/3"})
    with store.session() as session:
        lines = [line for line in training_lines(session) if line["review"]["values"] == {"morphology": "8520/3"}]
    assert lines
    for line in lines:
        assert "LORRAIN" not in line["text"]
        for mention in line["mentions"]:
            assert line["text"][mention["start"] : mention["end"]] == mention["text"]
    codes = {mention["code"] for line in lines for mention in line["mentions"] if mention["kind"] == "morphology"}
    assert codes == {"8520/3"}
    file = tmp_path / "reviews.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert [one.text for one in read_corpus(file)] == [line["text"] for line in lines]


def test_the_words_of_a_rejected_item_are_told_apart(physician, patient, store):
    tumour = the_tumour(physician, patient)
    physician.ask(REVIEW, patient=patient, key=tumour["key"], verdict="REJECT")
    with store.session() as session:
        lines = [line for line in training_lines(session) if line["review"]["verdict"] == "reject"]
        traced = session.exec(select(AuditEntry).where(AuditEntry.action == "exported")).all()
    assert {mention["code"] for line in lines for mention in line["rejected"]} & {"8500/3", "C50.9"}
    assert traced[-1].detail == {"form": "training"}
