"""Records go into the store by what they hold."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete
from sqlmodel import select

from consore.ingestion.intake import Taken, take_in
from consore.ingestion.quarantine import keep_rejected, settle
from consore.model import (
    Act,
    Diagnosis,
    Document,
    DocumentMentions,
    IngestionRun,
    Patient,
    PendingPatient,
    RejectedRecord,
    Source,
    Stay,
    StructuredRecord,
)
from consore.sources import Rejection, SourceRecord
from consore.store import Store


def patient(ipp: str, **values) -> SourceRecord:
    held = {
        "family_name": "Ferrandin",
        "birth_name": "",
        "given_name": "Lise",
        "sex": "female",
        "birth_date": "1961-03-04",
        "death_date": None,
        "last_news_date": None,
        "postal_code": "",
        "city": "",
        "opposed": False,
        **values,
    }
    return SourceRecord("patient", ipp, ipp, held, "administratif.csv:2", b"raw")


def document(identifier: str, ipp: str, text: str = "Adénocarcinome.", **values) -> SourceRecord:
    held = {"kind": "pathology", "title": "", "date": "2024-03-01", "author": "", "service": "", "text": text}
    return SourceRecord("document", identifier, ipp, {**held, **values}, f"documents/{identifier}.txt", b"raw", "s1")


def stay(number: str, ipp: str, *codes: str) -> SourceRecord:
    diagnoses = [{"code": code, "role": "DP", "date": "2024-03-01"} for code in codes]
    acts = [{"code": "QEFA004", "phase": "0", "date": "2024-03-02"}]
    values = {"number": number, "entry_date": "2024-03-01", "exit_date": "2024-03-05", "unit": "CHIR"}
    return SourceRecord("stay", number, ipp, {**values, "diagnoses": diagnoses, "acts": acts}, "pmsi_rss.txt:1")


def cure(identifier: str, ipp: str, **values) -> SourceRecord:
    held = {"date": "2024-03-01", "protocole": "FOLFOX", "statut": "administré", **values}
    return SourceRecord("chemotherapy", identifier, ipp, held, "chimiotherapie.csv:2", b"raw")


def take(store: Store, *records: SourceRecord) -> Taken:
    with store.session() as session:
        return take_in(session, records)


def counts(taken: Taken) -> tuple[int, int, int, int]:
    return taken.created, taken.changed, taken.unchanged, len(taken.rejections)


def pending(store: Store) -> set[str]:
    with store.session() as session:
        return set(session.exec(select(Patient.ipp).join(PendingPatient)))


def clear_pending(store: Store) -> None:
    with store.session() as session:
        session.execute(delete(PendingPatient))


def test_taking_the_same_records_twice_changes_nothing(store: Store) -> None:
    records = (patient("1"), document("d1", "1"), cure("c1", "1"), stay("s1", "1", "C50.4"))
    assert counts(take(store, *records)) == (4, 0, 0, 0)
    assert pending(store) == {"1"}
    clear_pending(store)
    assert counts(take(store, *records)) == (0, 0, 4, 0)
    assert pending(store) == set()


def test_only_the_patient_of_a_changed_record_is_rebuilt(store: Store) -> None:
    take(store, patient("1"), patient("2"), cure("c1", "1"), cure("c2", "2"))
    clear_pending(store)
    assert counts(take(store, cure("c1", "1", protocole="FOLFIRI"), cure("c2", "2"))) == (0, 1, 1, 0)
    assert pending(store) == {"1"}
    with store.session() as session:
        kept = session.exec(select(StructuredRecord).where(StructuredRecord.external_id == "c1")).one()
        assert (kept.values_["protocole"], kept.date) == ("FOLFIRI", dt.date(2024, 3, 1))


def test_a_record_that_moves_to_another_patient_rebuilds_both(store: Store) -> None:
    take(store, patient("1"), patient("2"), document("d1", "1"))
    clear_pending(store)
    take(store, document("d1", "2"))
    assert pending(store) == {"1", "2"}


def test_a_changed_text_is_read_again_and_an_unchanged_one_is_not(store: Store) -> None:
    take(store, patient("1"), document("d1", "1"), document("d2", "1"))
    with store.session() as session:
        for row in session.exec(select(Document)).all():
            session.add(DocumentMentions(document_id=row.id, payload=b"", reader="1"))
    take(store, document("d1", "1", "Carcinome."), document("d2", "1"))
    with store.session() as session:
        read = select(Document.external_id).join(DocumentMentions)
        assert session.exec(read).all() == ["d2"]


def test_a_record_of_an_unknown_patient_is_rejected_and_the_others_go_on(store: Store) -> None:
    taken = take(store, patient("1"), document("d1", "1"), document("d2", "404"))
    assert counts(taken) == (2, 0, 0, 1)
    assert (taken.rejections[0].reason, taken.rejections[0].position) == ("unknown_patient", "documents/d2.txt")
    assert "administrative source first" in taken.rejections[0].message


def test_a_stay_that_changes_has_its_new_codes_only(store: Store) -> None:
    take(store, patient("1"), stay("s1", "1", "C50.4", "C77.3"))
    take(store, stay("s1", "1", "C50.9"))
    with store.session() as session:
        assert session.exec(select(Diagnosis.code)).all() == ["C50.9"]
        assert session.exec(select(Act.code)).all() == ["QEFA004"]
        assert session.exec(select(Stay)).one().exit_date == dt.date(2024, 3, 5)


def test_an_opposition_in_the_extract_is_told_at_once(store: Store) -> None:
    take(store, patient("1"))
    taken = take(store, patient("1", opposed=True))
    with store.session() as session:
        held = session.exec(select(Patient)).one()
        assert held.opposed
        assert taken.opposed == [held.id]


def test_an_opposition_that_a_person_recorded_outlives_the_extract(store: Store) -> None:
    take(store, patient("1"))
    with store.session() as session:
        session.exec(select(Patient)).one().opposed = True
    take(store, patient("1", city="Lille"))
    with store.session() as session:
        held = session.exec(select(Patient)).one()
        assert (held.city, held.opposed) == ("Lille", True)


def test_a_rejected_record_is_kept_once_and_settled_when_it_is_read(store: Store) -> None:
    with store.session() as session:
        source = Source(name="a", kind="administrative", location="a.csv")
        session.add(source)
        session.flush()
        runs = [IngestionRun(source_id=source.id) for _ in range(2)]
        session.add_all(runs)
        session.flush()
        for run in runs:
            keep_rejected(session, source.id, run.id, [Rejection("a.csv:3", "unknown_sex", "…", b"row")])
        kept = session.exec(select(RejectedRecord)).one()
        assert (kept.run_id, kept.raw) == (runs[1].id, b"row")
        assert settle(session, source.id, ["a.csv:3", "a.csv:4"]) == 1
        session.expire_all()
        assert session.exec(select(RejectedRecord)).one().replayed_at is not None
