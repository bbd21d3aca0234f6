"""Roles as data, the audit trail, and the hiding of identities."""

import datetime as dt

import pytest
from sqlmodel import select

from consore.access import Action, Permission, Principal, audit, audit_each, forget_old_entries, mask_identity
from consore.access.permission import role_permissions
from consore.model import AuditEntry, Patient, Role, now
from consore.store import Store

PATIENT = Patient(
    ipp="00812345",
    family_name="LEFÈVRE-MARTEL",
    given_name="Jean-Noël",
    birth_name="",
    birth_date=dt.date(1956, 2, 3),
)


def test_an_administrator_reads_no_patient_and_a_researcher_no_identity():
    may = role_permissions()
    assert not may[Role.ADMIN] & {Permission.CLINICAL, Permission.SEARCH, Permission.IDENTITIES, Permission.COHORT}
    assert Permission.IDENTITIES not in may[Role.RESEARCHER]
    assert may[Role.RESEARCHER] | {Permission.IDENTITIES, Permission.REVIEW} == may[Role.PHYSICIAN]
    assert not may[Role.INTEGRATOR] & {Permission.ACCOUNTS, Permission.SOURCES, Permission.AUDIT}


@pytest.mark.parametrize(
    "said",
    [
        "LEFÈVRE-MARTEL",
        "Lefevre Martel",
        "lefèvre\nmartel",
        "Lefe\u0300vre",
        "Martel",
        "Jean Noël",
        "jean-noel",
        "00812345",
        "03/02/1956",
        "3.2.56",
        "03-02-1956",
        "1956-02-03",
        "03021956",
        "3 février 1956",
        "03 FEVRIER 1956",
    ],
)
def test_an_identity_is_hidden_however_it_is_written(said):
    text = f"Je revois ce jour M. {said}, âgé de 63 ans, pour sa tumeur."
    masked = mask_identity(text, PATIENT)
    assert len(masked) == len(text)
    assert masked.startswith("Je revois ce jour M. *")
    assert masked.endswith(", âgé de 63 ans, pour sa tumeur.")
    assert not any(character.isalnum() for character in masked[21:-32])


@pytest.mark.parametrize("said", ["Martellement", "04/02/1956", "1008123456", "103/02/1956"])
def test_what_only_resembles_an_identity_stays(said):
    assert mask_identity(f"Note : {said}.", PATIENT) == f"Note : {said}."


def test_a_patient_without_a_name_hides_nothing():
    assert mask_identity("Texte", Patient(ipp="")) == "Texte"


def test_the_trail_has_an_entry_a_patient_and_forgets_after_its_months(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'audit.db'}")
    store.upgrade()
    principal = Principal(4, "anne", "Dr Anne Vasseur", Role.PHYSICIAN)
    with store.session() as session:
        audit_each(session, principal, Action.PATIENT_LISTED, [3, 5], {"text": "sein"}, "10.0.0.1")
        audit(session, None, Action.SIGN_IN_REFUSED, login="x" * 300)
        session.add(AuditEntry(at=now() - dt.timedelta(days=400), action="old"))
    with store.session() as session:
        assert forget_old_entries(session, months=12) == 1
    with store.session() as session:
        entries = session.exec(select(AuditEntry).order_by(AuditEntry.id)).all()
    store.close()
    assert [(e.action, e.patient_id, e.login[:4], e.role) for e in entries] == [
        ("patient_listed", 3, "anne", "physician"),
        ("patient_listed", 5, "anne", "physician"),
        ("sign_in_refused", None, "xxxx", ""),
    ]
    assert len(entries[2].login) == 64
