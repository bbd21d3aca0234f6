"""Cohorts through the interface: kept, refreshed, shared, told in tables and curves, and taken out as files."""

import base64
import io

import pytest
from api_centre import ApiClient
from openpyxl import load_workbook
from sqlmodel import select

from consore.model import AuditEntry, Role

BREAST = {"tumour": {"topography": ["C50"]}}
SAVE = """mutation ($name: String!, $criteria: JSON!, $shared: Boolean! = false, $id: ID) {
  saveCohort(name: $name, criteria: $criteria, shared: $shared, id: $id) { __typename
    ... on Cohort { id name shared isMine owner count criteria description
      versions { number count entered left login } }
    ... on InputProblem { code field message } } }"""
EXPORT = """mutation ($id: ID!, $form: ExportForm!, $identified: Boolean! = false, $purpose: String! = "") {
  exportCohort(id: $id, form: $form, identified: $identified, purpose: $purpose) {
    ... on Export { form identified patientCount files { name content isBase64 } }
    ... on InputProblem { code message } } }"""


@pytest.fixture
def kept(physician):
    saved = physician.ask(SAVE, name="Sein", criteria=BREAST)["saveCohort"]
    yield saved["id"]
    physician.ask("mutation ($id: ID!) { deleteCohort(id: $id) }", id=saved["id"])


def test_a_cohort_is_kept_with_its_criteria_in_words_and_its_first_version(physician, kept, patients):
    asked = """query ($id: ID!) { cohort(id: $id) { name count owner isMine description refreshedAt
      versions { number count entered left login criteria }
      patients(first: 2) { total patients { id ipp } } } }"""
    found = physician.ask(asked, id=kept)["cohort"]
    assert (found["count"], found["isMine"], found["description"]) == (len(patients), True, "Sein")
    (version,) = found["versions"]
    assert (version["number"], version["entered"], version["login"]) == (1, len(patients), "physician.essai")
    assert found["patients"]["total"] == len(patients)
    assert [one["id"] for one in found["patients"]["patients"]] == [str(key) for key in patients[:2]]


def test_a_refresh_is_a_version_and_says_what_changed(physician, kept, patients):
    refreshed = """mutation ($id: ID!) { refreshCohort(id: $id) { ... on Cohort { count versions { number }
      changes { version entered { id } left { patient { id } unmet } } } } }"""
    found = physician.ask(refreshed, id=kept)["refreshCohort"]
    assert [one["number"] for one in found["versions"]] == [2, 1]
    assert found["changes"] == {"version": 2, "entered": [], "left": []}
    men = {"all": [BREAST, {"patient": {"sex": "male"}}]}
    saved = physician.ask(SAVE, name="Sein, hommes", criteria=men, id=kept)["saveCohort"]
    assert (saved["count"], saved["versions"][0]["left"]) == (0, len(patients))
    told = physician.ask("query ($id: ID!) { cohort(id: $id) { changes { left { unmet patient { id } } } } }", id=kept)
    assert told["cohort"]["changes"]["left"][0] == {"unmet": ["Homme"], "patient": {"id": str(patients[0])}}


def test_a_cohort_is_its_author_s_until_it_is_shared(physician, researcher, kept):
    one, listed = "query ($id: ID!) { cohort(id: $id) { id isMine } }", "{ cohorts { id } }"
    share = "mutation ($id: ID!, $to: Boolean!) { shareCohort(id: $id, shared: $to) { __typename } }"
    assert researcher.ask(one, id=kept)["cohort"] is None
    assert researcher.ask(share, id=kept, to=True)["shareCohort"]["__typename"] == "NotFound"
    physician.ask(share, id=kept, to=True)
    assert researcher.ask(one, id=kept)["cohort"] == {"id": kept, "isMine": False}
    assert kept in [row["id"] for row in researcher.ask(listed)["cohorts"]]
    assert not researcher.ask("mutation ($id: ID!) { deleteCohort(id: $id) }", id=kept)["deleteCohort"]
    assert researcher.ask(SAVE, name="x", criteria=BREAST, id=kept)["saveCohort"]["__typename"] == "NotFound"
    physician.ask(share, id=kept, to=False)
    assert researcher.ask(one, id=kept)["cohort"] is None


def test_a_shared_cohort_that_names_a_patient_is_not_shown_to_who_may_not_see_names(physician, researcher):
    named = {"document": {"text": "Marchant"}}
    saved = physician.ask(SAVE, name="x", criteria=named, shared=True)["saveCohort"]
    assert saved["count"] == 1
    assert researcher.ask("query ($id: ID!) { cohort(id: $id) { id } }", id=saved["id"])["cohort"] is None
    assert saved["id"] not in [row["id"] for row in researcher.ask("{ cohorts { id } }")["cohorts"]]
    assert researcher.ask(SAVE, name="x", criteria=named)["saveCohort"]["code"] == "criteria"
    physician.ask("mutation ($id: ID!) { deleteCohort(id: $id) }", id=saved["id"])


def test_the_words_of_documents_are_counted(physician, patients):
    asked = """query ($c: JSON!) { cohortCount(criteria: $c) { ... on CohortCount { count notices } } }"""
    tree = {"all": [BREAST, {"document": {"text": "« carcinome canalaire » hépatique"}}]}
    assert physician.ask(asked, c=tree)["cohortCount"] == {"count": len(patients), "notices": []}
    never = {"all": [BREAST, {"none": [BREAST]}]}
    found = physician.ask(asked, c=never)["cohortCount"]
    assert found == {"count": 0, "notices": ["« Sein » est à la fois demandé et exclu."]}


def test_a_funnel_tables_and_a_curve_are_asked_of_criteria_or_of_a_kept_cohort(physician, kept, patients):
    asked = """query ($c: JSON, $id: ID) {
      cohortFunnel(criteria: $c, cohortId: $id) { ... on CohortFunnel { everyone steps { label remaining alone } } }
      cohortBreakdown(criteria: $c, cohortId: $id) { ... on CohortBreakdown { patients
        tables { name isPartition rows { value label count } } pyramid { band female } } }
      survival(criteria: $c, cohortId: $id, endpoint: PROGRESSION_FREE) { ... on Survival {
        endpoint patients excluded events median points { months survival lower upper }
        atRisk { months patients } } } }"""
    size = len(patients)
    by_criteria, by_cohort = physician.ask(asked, c=BREAST), physician.ask(asked, id=kept)
    assert by_criteria == by_cohort
    assert by_cohort["cohortFunnel"] == {
        "everyone": size,
        "steps": [{"label": "Sein", "remaining": size, "alone": size}],
    }
    site = next(table for table in by_cohort["cohortBreakdown"]["tables"] if table["name"] == "site")
    assert site["rows"] == [{"value": "C50", "label": "Sein", "count": size}]
    assert by_cohort["cohortBreakdown"]["pyramid"] == [{"band": "60-69", "female": size}]
    curve = by_cohort["survival"]
    assert (curve["patients"], curve["events"], curve["points"][-1]["survival"]) == (size, size, 0)
    assert round(curve["median"]) == 39
    problem = physician.ask("{ cohortFunnel { ... on InputProblem { message } } }")["cohortFunnel"]
    assert problem["message"] == "Dites sur qui porte la question."


@pytest.mark.parametrize("form", ["CSV", "XLSX", "PARQUET", "FHIR", "OSIRIS"])
def test_a_cohort_leaves_in_each_form_without_a_name(researcher, physician, kept, patients, form, api_store):
    share = "mutation ($id: ID!) { shareCohort(id: $id) { __typename } }"
    physician.ask(share, id=kept)
    left = researcher.ask(EXPORT, id=kept, form=form)["exportCohort"]
    assert (left["patientCount"], left["identified"]) == (len(patients), False)
    raw = b"".join(
        base64.b64decode(file["content"]) if file["isBase64"] else file["content"].encode() for file in left["files"]
    )
    assert b"MARCHANT" not in raw
    assert b"00812345" not in raw
    with api_store.session() as session:
        last = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (last.action, last.login, last.detail["form"]) == ("exported", "researcher.essai", form.lower())


def test_names_leave_only_by_role_and_with_a_purpose(physician, researcher, kept):
    physician.ask("mutation ($id: ID!) { shareCohort(id: $id) { __typename } }", id=kept)
    assert physician.ask(EXPORT, id=kept, form="XLSX", identified=True)["exportCohort"]["code"] == "input"
    assert researcher.refused(EXPORT, id=kept, form="XLSX", identified=True, purpose="Registre des cancers du sein")
    purpose = "Registre des cancers du sein"
    left = physician.ask(EXPORT, id=kept, form="XLSX", identified=True, purpose=purpose)["exportCohort"]
    book = load_workbook(io.BytesIO(base64.b64decode(left["files"][0]["content"])))
    rows = list(book["patients"].values)
    assert {"MARCHANT", "00812345"} <= {cell for row in rows for cell in row}


def test_a_question_is_seen_by_others_while_it_is_shared(physician, researcher):
    save = 'mutation ($text: String!) { saveQuery(name: "x", text: $text, shared: true) { id shared isMine } }'
    saved = physician.ask(save, text="cancer du sein")["saveQuery"]
    named = physician.ask(save, text="Marchant")["saveQuery"]
    seen = researcher.ask("{ savedQueries { id isMine } }")["savedQueries"]
    assert {"id": saved["id"], "isMine": False} in seen
    assert named["id"] not in [one["id"] for one in seen]
    share = "mutation ($id: ID!) { shareQuery(id: $id, shared: false) }"
    assert not researcher.ask(share, id=saved["id"])["shareQuery"]
    assert physician.ask(share, id=saved["id"])["shareQuery"]
    assert researcher.ask("{ savedQueries { id } }")["savedQueries"] == []
    for one in (saved, named):
        physician.ask("mutation ($id: ID!) { deleteQuery(id: $id) }", id=one["id"])


def test_what_was_asked_last_can_be_asked_again_by_who_asked_it(http, patients):
    mine, other = ApiClient(http, Role.PHYSICIAN), ApiClient(http, Role.RESEARCHER)
    count = "query ($c: JSON!) { cohortCount(criteria: $c) { __typename } }"
    men = {"all": [BREAST, {"patient": {"sex": "male"}}]}
    for tree in (BREAST, men, BREAST):
        mine.ask(count, c=tree)
    history = "{ questionHistory(limit: 2) { text criteria at } }"
    assert [one["criteria"] for one in mine.ask(history)["questionHistory"]] == [BREAST, men]
    assert men not in [one["criteria"] for one in other.ask(history)["questionHistory"]]
