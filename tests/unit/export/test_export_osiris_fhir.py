"""What others get of a patient: valid OSIRIS and FHIR, no name unless asked for by who may, and a trail of it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pytest
from api_centre import fill_centre
from fhir.resources.R4B.bundle import Bundle
from sqlmodel import select

from consore.access import Principal
from consore.errors import Forbidden, InputError
from consore.export import Dates, Leave, bundle, leaving, pivot_files, write_osiris
from consore.model import AuditEntry, Patient, Role
from consore.referentials import Terminology, terminology
from consore.settings import Settings
from consore.store import Store

PURPOSE = "Registre des cancers du sein"


@pytest.fixture(scope="module")
def words(shared_cache: Path) -> Terminology:
    return terminology(cache=shared_cache)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("export-node"), centre_code="ESSAI")


@pytest.fixture(scope="module")
def store(settings: Settings) -> Store:
    return Store.of(settings)


@pytest.fixture(scope="module")
def keys(store: Store) -> list[int]:
    return fill_centre(store)


def who(role: Role) -> Principal:
    return Principal(1, f"{role.value}.essai", "", role)


def taken(store, settings, words, keys, leave=None, role=Role.PHYSICIAN, form="fhir"):
    leave = leave or Leave()
    with store.session() as session:
        return list(leaving(session, settings, words, keys, leave, form=form, principal=who(role)))


def test_an_export_is_made_of_pseudonyms_and_never_of_names(store, settings, words, keys):
    records = taken(store, settings, words, keys, Leave(has_quotes=True))
    text = json.dumps([bundle(record, words) for record in records], ensure_ascii=False)
    for hidden in ("MARCHANT", "Élise", "00812345", "1956-02", "03/02/1956"):
        assert hidden not in text
    assert "Carcinome canalaire infiltrant" in text
    assert len({record.id for record in records}) == len(keys)


def test_sentences_stay_unless_they_are_asked_for(store, settings, words, keys):
    told = json.dumps([bundle(record, words) for record in taken(store, settings, words, keys)], ensure_ascii=False)
    assert "Pas de métastase" not in told


def test_two_exports_of_a_patient_meet_and_another_node_finds_nothing(store, settings, words, keys, tmp_path):
    first, second = (taken(store, settings, words, keys[:1])[0].id for _ in range(2))
    assert first == second
    elsewhere = Settings(home=tmp_path, centre_code="AUTRE")
    assert taken(store, elsewhere, words, keys[:1])[0].id != first


def test_shifted_dates_keep_every_delay(store, settings, words, keys):
    kept = taken(store, settings, words, keys[:1])[0]
    moved = taken(store, settings, words, keys[:1], Leave(dates=Dates.SHIFTED))[0]
    days = {(one.item.date - other.item.date).days for one, other in zip(kept.events, moved.events, strict=True)} | {
        (one.item.start - other.item.start).days for one, other in zip(kept.cares, moved.cares, strict=True)
    }
    assert len(days) == 1
    assert 1 <= days.pop() <= 180
    assert kept.id == moved.id


def test_only_the_year_of_birth_leaves(store, settings, words, keys):
    record = taken(store, settings, words, keys[:1])[0]
    assert bundle(record, words)["entry"][0]["resource"]["birthDate"] == "1956"
    assert record.birth == dt.date(1956, 7, 1)


def test_names_leave_for_who_may_see_them_and_says_why(store, settings, words, keys):
    named = taken(store, settings, words, keys[:1], Leave(is_identified=True, purpose=PURPOSE))[0]
    patient = bundle(named, words)["entry"][0]["resource"]
    assert patient["name"][0]["family"] == "MARCHANT"
    assert patient["identifier"][0]["value"] == "00812345"
    with pytest.raises(InputError, match="purpose"):
        taken(store, settings, words, keys, Leave(is_identified=True, purpose="essai"))
    for role in (Role.RESEARCHER, Role.ADMIN):
        with pytest.raises(Forbidden):
            taken(store, settings, words, keys, Leave(is_identified=True, purpose=PURPOSE), role)
    with pytest.raises(Forbidden):
        taken(store, settings, words, keys, Leave(has_quotes=True), Role.RESEARCHER)
    with store.session() as session, pytest.raises(Forbidden, match="--account"):
        list(leaving(session, settings, words, keys, Leave(is_identified=True, purpose=PURPOSE), form="fhir"))


def test_every_patient_that_leaves_is_in_the_trail_with_the_purpose(store, settings, words, keys):
    taken(store, settings, words, keys, Leave(is_identified=True, purpose=PURPOSE), form="osiris")
    with store.session() as session:
        rows = session.exec(select(AuditEntry).where(AuditEntry.action == "exported")).all()
        last = [row for row in rows if row.detail["export"] == rows[-1].detail["export"]]
        assert {row.patient_id for row in last} == set(keys)
        assert last[0].detail["purpose"] == PURPOSE
        assert last[0].detail["form"] == "osiris"
        assert last[0].login == "physician.essai"


def test_who_opposed_never_leaves(store, settings, words, keys):
    with store.session() as session:
        everybody = [key for key in session.exec(select(Patient.id)) if key]
    assert len(everybody) == len(keys) + 1
    assert len(taken(store, settings, words, everybody)) == len(keys)


def test_the_bundle_is_valid_fhir_r4_and_its_references_lead_somewhere(store, settings, words, keys):
    found = bundle(taken(store, settings, words, keys[:1], Leave(has_quotes=True))[0], words)
    Bundle.model_validate(found)
    resources = [entry["resource"] for entry in found["entry"]]
    kinds = {one["resourceType"] for one in resources}
    assert kinds >= {"Patient", "Condition", "Procedure", "MedicationStatement", "Observation", "Specimen"}
    ids = {f"{one['resourceType']}/{one['id']}" for one in resources}
    assert len(ids) == len(resources)
    text = json.dumps(found)
    references = {part.split('"')[0] for part in text.split('"reference": "')[1:]}
    assert references <= ids
    tumour = next(one for one in resources if one["id"].endswith("tumour-1"))
    assert tumour["code"]["coding"][0]["code"].startswith("C50")
    assert tumour["stage"][0]["summary"]["text"] == "pT2N1M0"
    assert tumour["bodySite"][0]["extension"][0]["valueCodeableConcept"]["text"] == "Left"


def test_the_pivot_files_of_the_store_hold_the_history_in_the_value_sets(store, settings, words, keys, tmp_path: Path):
    writer = write_osiris(taken(store, settings, words, keys, form="osiris"), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(pivot_files())
    assert not writer.left_out

    def table(name: str) -> list[dict[str, str]]:
        with (tmp_path / f"OSIRIS_pivot_{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    events = [row for row in table("TumorPathologyEvent") if row["Patient_Id"] == table("Patient")[0]["Patient_Id"]]
    assert [row["TumorPathologyEvent_TopographyCode"] for row in events] == ["ICDO3:C50.4"] * 2
    assert events[1]["TumorPathologyEvent_ParentRef"] == events[0]["Instance_Id"]
    assert table("TNM")[0]["TNM_T"] == "T2"
    assert table("Drug")[0]["Drug_Code"] == "ATC:L01CD01"
    assert table("Patient")[0]["Patient_CauseOfDeath"] == ""
    assert table("BiologicalSample")[0]["BiologicalSample_Nature"] == "UMLS:C1548793"


def test_a_code_that_osiris_does_not_list_is_left_out_and_told(store, settings, words, keys, tmp_path: Path):
    record = taken(store, settings, words, keys[:1])[0]
    record.tumours[0].morphology = "9999/9"
    writer = write_osiris([record], tmp_path)
    assert writer.left_out["TumorPathologyEvent_MorphologyCode", "ICDO3:9999/9"] == 2
    assert writer.missing["TumorPathologyEvent_MorphologyCode"] == 2


def test_what_is_not_sure_leaves_as_provisional(store, settings, words, keys):
    record = taken(store, settings, words, keys[:1])[0]
    told = {one["resource"]["id"]: one["resource"] for one in bundle(record, words)["entry"]}
    assert told[f"{record.id}-tumour-1"]["verificationStatus"]["coding"][0]["code"] == "confirmed"
    record.tumours[0].confidence = record.events[1].item.confidence = 0.4
    told = {one["resource"]["id"]: one["resource"] for one in bundle(record, words)["entry"]}
    assert told[f"{record.id}-tumour-1"]["verificationStatus"]["coding"][0]["code"] == "provisional"
    assert told[f"{record.id}-event-2"]["status"] == "preliminary"
