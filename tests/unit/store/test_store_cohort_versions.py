"""A cohort that was kept before there were versions is one, with its patients, and back."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import text
from sqlmodel import select
from stores import downgrade

from consore.model import Account, Cohort, CohortPatient, CohortVersion, Patient
from consore.store import Store


def test_a_cohort_of_before_is_the_first_version_of_itself(store: Store) -> None:
    downgrade(store, "007")
    with store.session() as session:
        session.add_all([Account(id=1, login="a"), *(Patient(id=key, ipp=str(key)) for key in (1, 2))])
        session.flush()
        session.execute(
            text(
                "INSERT INTO cohort (id, account_id, name, criteria, patient_ids, created_at, refreshed_at) VALUES "
                "(4, 1, 'Sein', '{\"tumour\": {}}', '[1, 2, 99]', '2026-01-02 03:04:05', '2026-02-02 03:04:05')"
            )
        )
    store.upgrade()
    with store.session() as session:
        assert (session.exec(select(Cohort)).one().name, session.exec(select(Cohort)).one().shared) == ("Sein", False)
        version = session.exec(select(CohortVersion)).one()
        assert (version.number, version.count, version.criteria) == (1, 2, {"tumour": {}})
        assert version.at.date() == dt.date(2026, 2, 2)
        assert session.exec(select(CohortPatient.patient_id).order_by(CohortPatient.patient_id)).all() == [1, 2]
    downgrade(store, "007")
    with store.session() as session:
        kept = session.execute(text("SELECT patient_ids, criteria FROM cohort")).one()
        assert "99" not in str(kept.patient_ids)
        assert "tumour" in str(kept.criteria)
    store.upgrade()
    with store.session() as session:
        assert session.exec(select(CohortVersion)).one().count == 2
