"""What a person sees of a patient, and what is written of having seen it."""

import pytest
from api_centre import LOGINS, REPORT, ApiClient
from sqlalchemy import event, text
from sqlmodel import select

from consore.model import AuditEntry, Patient, Role

WHOLE = """query ($id: ID!) { patient(id: $id) { __typename ... on NotFound { code message hint } ... on Patient {
  id ipp familyName givenName birthDate sex age vitalStatus deathDate lastNewsDate headline summary
  tumours { id rank label topography topographyLabel morphology morphologyLabel laterality diagnosisDate ctnm ptnm
    stage grade biomarkers { code status } evidence { documentId documentKind date start end quote confidence } }
  events { id type label date tumourRank sites { code label } evidence { quote } }
  treatments { id type name regimen drugs { name atc } line start end intent response tumourRank evidence { quote } }
  biomarkers { id code label status value unit date evidence { quote } }
  alterations { id gene variant status date } samples { id type status date }
  timeline { from to lanes { key label items { id kind label start end tumourRank evidence { quote } } } }
  documents(first: 2) { totalCount edges { cursor node { id kind title date author service } }
    pageInfo { hasNextPage endCursor } } } } }"""


def test_a_physician_sees_the_whole_patient(physician, patients):
    patient = physician.ask(WHOLE, id=patients[0])["patient"]
    assert (patient["ipp"], patient["familyName"], patient["birthDate"]) == ("00812345", "MARCHANT", "1956-02-03")
    assert patient["headline"].startswith("Femme, ")
    assert "sein gauche" in patient["headline"]
    assert "récidive métastatique" in patient["headline"]
    assert patient["summary"][0].endswith("carcinome canalaire infiltrant du sein gauche pT2N1M0 HER2+ (03/2019)")
    assert patient["summary"][1:3] == ["→ mastectomie", "→ rechute hépatique (06/2022) → L1 paclitaxel (07/2022)"]
    tumour = patient["tumours"][0]
    assert tumour["biomarkers"] == [{"code": "HER2", "status": "positive"}]
    assert tumour["topographyLabel"] not in (None, "C50.4")
    assert "MARCHANT" in tumour["evidence"][0]["quote"]
    assert patient["events"][1]["sites"][0]["label"] != "C22.0"
    assert patient["events"][1]["label"]
    assert patient["treatments"][1]["drugs"] == [{"name": "paclitaxel", "atc": "L01CD01"}]
    assert patient["documents"]["totalCount"] == 3


def test_the_timeline_has_its_seven_lanes_in_order(physician, patients):
    timeline = physician.ask(WHOLE, id=patients[0])["patient"]["timeline"]
    lanes = {lane["key"]: lane for lane in timeline["lanes"]}
    assert list(lanes) == ["diagnosis", "surgery", "radiotherapy", "systemic", "events", "biology", "samples"]
    assert [lane["label"] for lane in timeline["lanes"]][:2] == ["Diagnostic", "Chirurgie"]
    assert [item["kind"] for item in lanes["diagnosis"]["items"]] == ["initial"]
    assert [item["label"] for item in lanes["surgery"]["items"]] == ["Mastectomie"]
    assert lanes["radiotherapy"]["items"] == []
    assert lanes["systemic"]["items"][0]["label"] == "Paclitaxel (ligne 1)"
    assert lanes["systemic"]["items"][0]["end"] == "2022-12-01"
    assert lanes["events"]["items"][0]["tumourRank"] == 1
    assert lanes["samples"]["items"][0]["kind"] == "sample"
    assert (timeline["from"], timeline["to"]) == ("2019-03-04", "2022-12-01")


def test_the_summary_and_the_lanes_speak_the_language_of_who_asks(http, patients):
    english = ApiClient(http, Role.PHYSICIAN, language="en")
    patient = english.ask(WHOLE, id=patients[0])["patient"]
    assert "woman, infiltrating duct carcinoma of the left breast pT2N1M0 HER2+" in patient["summary"][0]
    assert patient["summary"][2] == "→ hepatic recurrence (06/2022) → L1 paclitaxel (07/2022)"
    assert [lane["label"] for lane in patient["timeline"]["lanes"]][-2:] == ["Biology", "Samples"]


def test_a_researcher_sees_the_history_without_the_identity(researcher, patients):
    patient = researcher.ask(WHOLE, id=patients[0])["patient"]
    assert [patient[field] for field in ("ipp", "familyName", "givenName", "birthDate")] == [None] * 4
    assert patient["age"] > 60
    assert patient["tumours"][0]["topography"] == "C50.4"
    assert "MARCHANT" not in str(patient)
    assert "00812345" not in str(patient)
    assert "03/02/1956" not in str(patient)


def test_a_researcher_reads_a_document_with_the_identity_hidden_at_the_same_offsets(researcher, physician, patients):
    question = """query ($id: ID!) { document(id: $id) { ... on Document {
        text title mentions { start end text kind assertion } patient { familyName } } } }"""
    key = _documents(physician, patients[0])[0]
    masked = researcher.ask(question, id=key)["document"]
    whole = physician.ask(question, id=key)["document"]
    assert whole["text"] == REPORT
    assert len(masked["text"]) == len(REPORT)
    assert "Carcinome canalaire infiltrant" in masked["text"]
    for hidden in ("MARCHANT", "Élise", "1956", "00812345"):
        assert hidden not in str(masked)
    assert [mention["text"] for mention in whole["mentions"]] == ["MARCHANT", "Carcinome canalaire infiltrant"]
    assert [mention["text"] for mention in masked["mentions"]] == ["Carcinome canalaire infiltrant"]
    for mention in masked["mentions"]:
        assert masked["text"][mention["start"] : mention["end"]] == mention["text"]


@pytest.mark.parametrize("id_", ["0", "999999", "abc", "-1", "1.5", "٣", "9" * 40, ""])
def test_a_patient_that_is_not_there_is_not_found(physician, id_):
    found = physician.ask(WHOLE, id=id_)["patient"]
    assert found["__typename"] == "NotFound"
    assert found["message"] == "Rien n’a été trouvé."


def test_an_opposed_patient_and_their_documents_are_not_found(physician, api_store, patients):
    with api_store.session() as session:
        opposed = session.exec(select(Patient.id).where(Patient.opposed)).one()
        document = session.exec(text(f"select id from document where patient_id = {opposed}")).scalar()
    assert physician.ask(WHOLE, id=opposed)["patient"]["__typename"] == "NotFound"
    answer = physician.ask("query ($id: ID!) { document(id: $id) { __typename } }", id=document)
    assert answer["document"]["__typename"] == "NotFound"
    count = physician.ask('{ cohortCount(criteria: {tumour: {topography: ["C50"]}}) { ... on CohortCount { count } } }')
    assert count["cohortCount"]["count"] == len(patients)
    assert physician.ask("{ centre { patientCount documentCount } }")["centre"] == {
        "patientCount": len(patients),
        "documentCount": 3 * len(patients),
    }


def test_documents_come_page_by_page_the_newest_first(physician, patients):
    page = """query ($id: ID!, $after: String) { patient(id: $id) { ... on Patient {
        documents(first: 2, after: $after) {
            totalCount edges { node { id date } } pageInfo { hasNextPage endCursor } } } } }"""
    first = physician.ask(page, id=patients[0])["patient"]["documents"]
    assert [edge["node"]["date"] for edge in first["edges"]] == ["2019-03-03", "2019-03-02"]
    assert first["pageInfo"]["hasNextPage"]
    second = physician.ask(page, id=patients[0], after=first["pageInfo"]["endCursor"])["patient"]["documents"]
    assert [edge["node"]["date"] for edge in second["edges"]] == ["2019-03-01"]
    assert not second["pageInfo"]["hasNextPage"]
    assert second["totalCount"] == 3
    assert "curseur" in physician.refused(page, id=patients[0], after="n’importe quoi")["message"]


def test_documents_of_one_kind_are_counted_apart(physician, patients):
    page = """query ($id: ID!, $kind: String) { patient(id: $id) { ... on Patient {
        documents(kind: $kind) { totalCount edges { node { kind } } } } } }"""
    assert physician.ask(page, id=patients[0], kind="pathology")["patient"]["documents"]["totalCount"] == 1
    assert physician.refused(page, id=patients[0], kind="roman")["extensions"]["code"] == "input"


def test_ten_documents_cost_as_many_statements_as_one(physician, api_store, patients):
    """Nested fields are read together: the number of statements does not grow with what is shown."""
    question = """query ($id: ID!, $first: Int) { patient(id: $id) { ... on Patient {
        tumours { evidence { quote } biomarkers { evidence { quote } } } events { sites { code } evidence { quote } }
        treatments { drugs { name } tumourRank evidence { quote } } timeline { lanes { items { evidence { quote } } } }
        documents(first: $first) { edges { node { title text mentions { text } patient { headline } } } } } } }"""
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if statement.startswith("SELECT"):
            statements.append(statement)

    event.listen(api_store.engine, "before_cursor_execute", note)
    try:
        counts = []
        for first in (1, 3):
            statements.clear()
            physician.ask(question, id=patients[0], first=first)
            counts.append(len(statements))
    finally:
        event.remove(api_store.engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] <= 26


def test_each_reading_leaves_a_trace(http, api_store, patients):
    client = ApiClient(http, Role.PHYSICIAN)
    since = _last(api_store)
    client.ask(WHOLE, id=patients[1])
    key = _documents(client, patients[1])[0]
    client.ask("query ($id: ID!) { document(id: $id) { ... on Document { text mentions { text } } } }", id=key)
    entries = [entry for entry in _since(api_store, since) if entry.login == LOGINS[Role.PHYSICIAN]]
    assert [(entry.action, entry.patient_id) for entry in entries] == [
        ("patient_read", patients[1]),
        ("patient_read", patients[1]),
        ("document_read", patients[1]),
    ]
    assert entries[2].detail == {"document": int(key)}
    assert entries[0].address == "testclient"


def test_texts_read_through_a_list_leave_a_trace_each(physician, api_store, patients):
    since = _last(api_store)
    physician.ask(
        "query ($id: ID!) { patient(id: $id) { ... on Patient { documents { edges { node { text } } } } } }",
        id=patients[2],
    )
    assert [entry.action for entry in _since(api_store, since)].count("document_read") == 3


def test_nothing_is_read_where_the_trace_cannot_be_written(physician, api_store, patients):
    with api_store.session() as session:
        session.exec(
            text("create trigger full_disk before insert on auditentry begin select raise(abort, 'full'); end")
        )
    try:
        error = physician.refused(WHOLE, id=patients[0])
        answer = physician.raw(WHOLE, id=patients[0])
    finally:
        with api_store.session() as session:
            session.exec(text("drop trigger full_disk"))
    assert answer["data"] is None
    assert error["extensions"]["code"] == "unexpected"
    assert "full" not in error["message"]
    assert error["extensions"]["id"] in error["message"]


def _documents(client, patient):
    question = "query ($id: ID!) { patient(id: $id) { ... on Patient { documents { edges { node { id } } } } } }"
    return [edge["node"]["id"] for edge in client.ask(question, id=patient)["patient"]["documents"]["edges"]]


def _last(store):
    with store.session() as session:
        return session.exec(select(AuditEntry.id).order_by(AuditEntry.id.desc())).first() or 0


def _since(store, last):
    with store.session() as session:
        return session.exec(select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id)).all()
