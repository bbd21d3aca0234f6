"""Search, facets, suggestions and likeness through the schema, on the real engine."""

import pytest
from api_centre import ApiClient, fill_centre
from sqlmodel import select
from starlette.testclient import TestClient

from consore.api import create_app
from consore.model import AuditEntry, Patient, Role
from consore.settings import Settings

SEARCH = """query ($text: String!, $criteria: JSON, $perPage: Int, $sort: SearchSort) {
  search(text: $text, criteria: $criteria, perPage: $perPage, sort: $sort) {
    understood { text start end kind system code label negated criterion
      alternatives { label text } } words criteria total milliseconds notice
    relaxations { kind label text criteria count }
    hits { score why patient { id familyName headline } snippets { documentId documentKind date html } } } }"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    app = create_app(Settings(home=tmp_path_factory.mktemp("search-node"), centre_code="ESSAI"))
    keys = fill_centre(app.state.node.store, patients=5)
    with TestClient(app) as http:
        app.state.node.wait_for_engine(120)
        app.state.node.index.rebuild(app.state.node.store, app.state.node.terminology)
        yield app.state.node, http, keys


@pytest.fixture(scope="module")
def physician(node):
    return ApiClient(node[1], Role.PHYSICIAN)


@pytest.fixture(scope="module")
def researcher(node):
    return ApiClient(node[1], Role.RESEARCHER)


def test_a_question_in_french_finds_patients_and_says_why(node, physician):
    found = physician.ask(SEARCH, text="cancer du sein HER2 positif")["search"]
    assert {chip["kind"] for chip in found["understood"]} >= {"topography", "biomarker"}
    assert found["total"] == 5
    assert {int(hit["patient"]["id"]) for hit in found["hits"]} == set(node[2])
    assert all(hit["why"] for hit in found["hits"])
    assert found["hits"][0]["patient"]["headline"].startswith("Femme")


def test_each_hit_that_is_shown_leaves_a_trace(node, physician):
    store = node[0].store
    before = _last(store)
    physician.ask(SEARCH, text="cancer du sein", perPage=2)
    with store.session() as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.id > before)).all()
    assert [entry.action for entry in entries] == ["patient_listed"] * 2
    assert entries[0].detail["text"] == "cancer du sein"


def test_criteria_alone_are_a_question(physician):
    found = physician.ask(SEARCH, text="", criteria={"tumour": {"topography": ["C50"]}}, sort="AGE")["search"]
    assert found["total"] == 5
    none = physician.ask(SEARCH, text="", criteria={"tumour": {"topography": ["C61"]}})["search"]
    assert none["total"] == 0


def test_facets_narrow_and_suggestions_go_on(physician):
    facets = physician.ask('{ facets(text: "sein") { name label values { value label count criterion } } }')["facets"]
    assert facets
    assert all(value["criterion"] for facet in facets for value in facet["values"])
    suggestions = physician.ask('{ suggest(prefix: "carcinome cana") { text label kind system code } }')["suggest"]
    assert suggestions
    concepts = physician.ask('{ concepts(text: "sein", systems: ["ICD-O-3-T"]) { code label synonyms } }')["concepts"]
    brand = physician.ask('{ concepts(text: "keytr", limit: 1) { code label matched } }')["concepts"]
    assert brand == [{"code": "L01FF02", "label": "pembrolizumab", "matched": "Keytruda"}]
    assert any(concept["code"].startswith("C50") for concept in concepts)


def test_a_question_without_answer_offers_near_ones(physician):
    found = physician.ask(SEARCH, text="cancer du sein chez l'homme")["search"]
    assert found["total"] == 0
    near = next(one for one in found["relaxations"] if one["label"] == "Sans « Homme »")
    assert physician.ask(SEARCH, text=near["text"])["search"]["total"] == near["count"]


def test_a_word_that_was_corrected_can_be_put_back(physician):
    found = physician.ask(SEARCH, text="cancer du pouumon")["search"]
    (chip,) = found["understood"]
    assert (chip["code"], chip["alternatives"][-1]["text"]) == ("C34.9", '"pouumon"')
    assert "pouumon" in found["notice"]


def test_saved_questions_are_suggested_to_their_author_alone(physician, researcher):
    save = """mutation { saveQuery(name: "Mes seins HER2", text: "cancer du sein HER2 positif") { id } }"""
    physician.ask(save)
    asked = '{ suggest(prefix: "mes se") { text label kind } }'
    own = {"text": "cancer du sein HER2 positif", "label": "Mes seins HER2", "kind": "saved_query"}
    assert own in physician.ask(asked)["suggest"]
    assert own not in researcher.ask(asked)["suggest"]


def test_names_are_suggested_to_those_who_may_see_them_alone(node, physician, researcher):
    question = '{ suggest(prefix: "MARCH") { kind label code } }'
    before = _last(node[0].store)
    shown = [one for one in physician.ask(question)["suggest"] if one["kind"] == "patient"]
    assert [one["label"] for one in shown] == ["MARCHANT Élise"]
    with node[0].store.session() as session:
        traced = session.exec(select(AuditEntry.patient_id).where(AuditEntry.id > before)).all()
    assert traced == [int(shown[0]["code"])]
    assert [one for one in researcher.ask(question)["suggest"] if one["kind"] == "patient"] == []


def test_words_of_the_reports_give_their_sentence(physician):
    found = physician.ask(SEARCH, text="consultation")["search"]
    assert found["total"] == 5
    snippet = found["hits"][0]["snippets"][0]
    assert "<mark>" in snippet["html"]
    assert snippet["documentId"]


def test_a_researcher_finds_the_same_patients_without_their_names(physician, researcher):
    text = "cancer du sein consultation"
    seen = researcher.ask(SEARCH, text=text)["search"]
    assert seen["total"] == physician.ask(SEARCH, text=text)["search"]["total"] == 5
    assert all(hit["patient"]["familyName"] is None for hit in seen["hits"])
    assert "MARCHANT" not in str(seen)


@pytest.mark.parametrize("text", ["MARCHANT", "marchant", "Märchant", "00812345", "lebrun1x 00812346"])
def test_a_researcher_cannot_find_out_who_is_here_by_asking_for_a_name(researcher, text):
    seen = researcher.ask(SEARCH, text=text)["search"]
    assert (seen["total"], seen["hits"]) == (0, [])
    assert "par leur nom" in seen["notice"]


def test_a_name_beside_a_question_changes_nothing_for_a_researcher(researcher, physician):
    seen = researcher.ask(SEARCH, text="cancer du sein MARCHANT")["search"]
    assert seen["total"] == 5
    assert physician.ask(SEARCH, text="cancer du sein MARCHANT")["search"]["total"] == 1


def test_a_name_among_the_criteria_is_refused_to_a_researcher(researcher, physician):
    criteria = {"document": {"text": "MARCHANT"}}
    assert physician.ask(SEARCH, text="sein", criteria=criteria)["search"]["total"] == 1
    error = researcher.refused(SEARCH, text="sein", criteria=criteria)
    assert error["message"] == "Les mots d’un document contiennent le nom d’un patient."
    criteria = {"none": [{"document": {"text": "marchant"}}]}
    assert researcher.refused(SEARCH, text="sein", criteria=criteria)["extensions"]["code"] == "criteria"


def test_similar_patients_are_named_with_what_they_share(node, physician):
    question = """query ($id: ID!) { patient(id: $id) { ... on Patient {
        similar(limit: 3) { score shared different patient { id headline } } } } }"""
    before = _last(node[0].store)
    found = physician.ask(question, id=node[2][0])["patient"]["similar"]
    assert len(found) == 3
    assert found[0]["shared"]
    assert node[2][0] not in [int(one["patient"]["id"]) for one in found]
    with node[0].store.session() as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.id > before)).all()
    assert [entry.action for entry in entries] == ["patient_read", *["similar_shown"] * 3]


def test_likeness_is_not_asked_of_a_whole_page(physician):
    question = '{ search(text: "cancer du sein") { hits { patient { similar(limit: 1) { score } } } } }'
    assert physician.refused(question)["extensions"]["code"] == "input"


def test_a_patient_who_opposes_leaves_every_answer_at_once(node, physician):
    opened, http, keys = node
    admin = ApiClient(http, Role.ADMIN)
    mutation = "mutation ($o: Boolean!, $ipp: String!) { recordOpposition(ipp: $ipp, opposed: $o) }"
    likeness = "query ($id: ID!) { patient(id: $id) { ... on Patient { similar { patient { id } } } } }"
    with opened.store.session() as session:
        ipp = session.get(Patient, keys[4]).ipp
    assert admin.ask(mutation, ipp="inconnu", o=True) == {"recordOpposition": False}
    assert admin.ask(mutation, ipp=f" {ipp} ", o=True) == {"recordOpposition": True}
    found = physician.ask(SEARCH, text="cancer du sein")["search"]
    assert found["total"] == 4
    facets = physician.ask('{ facets(text: "sein") { values { count } } }')["facets"]
    assert max(value["count"] for facet in facets for value in facet["values"]) == 4
    near = physician.ask(likeness, id=keys[0])["patient"]["similar"]
    assert str(keys[4]) not in [one["patient"]["id"] for one in near]
    count = physician.ask('{ cohortCount(criteria: {tumour: {topography: ["C50"]}}) { ... on CohortCount { count } } }')
    assert count["cohortCount"]["count"] == 4
    assert physician.ask("query ($p: String!) { suggest(prefix: $p) { kind } }", p=ipp)["suggest"] == []
    assert admin.ask(mutation, ipp=ipp, o=False) == {"recordOpposition": True}
    assert physician.ask(SEARCH, text="cancer du sein")["search"]["total"] == 5


@pytest.mark.parametrize("text", ["", "   ", "le la les de", "🙂🙂", "x" * 10_000, "\"'(){}[]`&|!:*^~\\", "\x00"])
def test_a_question_that_means_nothing_is_answered_with_a_notice(physician, text):
    found = physician.ask(SEARCH, text=text)["search"]
    assert found["hits"] == [] or found["notice"] or found["total"] == 0


def test_a_page_of_hits_costs_as_many_statements_whatever_its_size(node, physician):
    from sqlalchemy import event

    statements: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if statement.startswith("SELECT"):
            statements.append(statement)

    question = """query ($n: Int) { search(text: "cancer du sein", perPage: $n) { hits { patient {
        headline tumours { topographyLabel evidence { quote } biomarkers { code } } events { sites { label } }
        treatments { drugs { name } } documents(first: 1) { edges { node { title } } } } } } }"""
    event.listen(node[0].store.engine, "before_cursor_execute", note)
    try:
        counts = []
        for number in (1, 5):
            statements.clear()
            physician.ask(question, n=number)
            counts.append(len(statements))
    finally:
        event.remove(node[0].store.engine, "before_cursor_execute", note)
    assert counts[0] == counts[1]


def test_the_node_says_that_it_is_ready(node):
    answer = node[1].get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["search_engine"] == {"ready": True, "patients": 5, "documents": 15}


def _last(store):
    with store.session() as session:
        return session.exec(select(AuditEntry.id).order_by(AuditEntry.id.desc())).first() or 0
