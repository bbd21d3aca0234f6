"""Records go into the store by what they hold."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from sqlalchemy import delete
from sqlmodel import select

from consore.ingestion.intake import Taken, take_in
from consore.ingestion.quarantine import keep_rejected, settle
from consore.model import (
    Account,
    Act,
    Cohort,
    CohortPatient,
    Diagnosis,
    Document,
    DocumentMentions,
    IngestionRun,
    MergedIdentity,
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


def merge(merged: str, kept: str) -> SourceRecord:
    values = {"merged": merged, "date": "2024-05-01"}
    return SourceRecord("merge", f"{merged}>{kept}", kept, values, f"fusions.csv:{merged}", b"raw")


def removal(of: str, identifier: str, version: str = "") -> SourceRecord:
    return SourceRecord("deletion", identifier, "", {"of": of}, "suppressions.csv:2", b"raw", version=version)


def take(store: Store, *records: SourceRecord) -> Taken:
    with store.session() as session:
        return take_in(session, records)


def counts(taken: Taken) -> tuple[int, int, int, int]:
    return taken.created, taken.changed, taken.unchanged, len(taken.rejections)


def pending(store: Store) -> set[str]:
    with store.session() as session:
        return set(session.exec(select(Patient.ipp).join(PendingPatient, PendingPatient.patient_id == Patient.id)))


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
    assert "administrative source gives" in taken.rejections[0].message


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
        assert taken.leaving == [held.id]


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


# --- Identities that become one -------------------------------------------------------------------------------


def owners(store: Store) -> dict[str, str]:
    """Whose each document, row and stay is."""
    with store.session() as session:
        found = {}
        for model, name in ((Document, "external_id"), (StructuredRecord, "external_id"), (Stay, "number")):
            rows = session.exec(select(model, Patient.ipp).join(Patient, Patient.id == model.patient_id))
            found |= {getattr(row, name): ipp for row, ipp in rows}
        return found


def ipps(store: Store) -> set[str]:
    with store.session() as session:
        return set(session.exec(select(Patient.ipp)))


def test_a_merge_moves_everything_to_the_identity_that_stays(store: Store) -> None:
    take(store, patient("A"), patient("B"), document("d1", "A"), cure("c1", "A"), stay("s1", "A", "C50.4"))
    clear_pending(store)
    assert counts(take(store, merge("A", "B"))) == (0, 1, 0, 0)
    assert owners(store) == {"d1": "B", "c1": "B", "s1": "B"}
    assert ipps(store) == {"B"}
    with store.session() as session:
        kept = session.exec(select(Patient)).one()
        waiting = set(session.exec(select(PendingPatient.patient_id)))
        assert kept.id in waiting
        assert len(waiting) == 2  # the one who is gone leaves the index
        assert {row.patient_id for row in session.exec(select(Diagnosis))} == {kept.id}
    assert counts(take(store, merge("A", "B"))) == (0, 0, 1, 0)


def test_what_comes_later_under_the_old_ipp_goes_to_the_patient_who_stays(store: Store) -> None:
    take(store, patient("A"), patient("B"), document("d1", "A"), merge("A", "B"))
    clear_pending(store)
    assert counts(take(store, document("d1", "A"), patient("A"))) == (0, 0, 2, 0)
    assert pending(store) == set()
    assert counts(take(store, document("d2", "A"))) == (1, 0, 0, 0)
    assert owners(store)["d2"] == "B"


def test_the_end_is_the_same_in_whatever_order_merges_and_records_come(store: Store) -> None:
    records = [
        patient("A", city="Lille"),
        patient("B", city="Lyon"),
        patient("C", city="Brest"),
        document("d1", "A"),
        document("d2", "B"),
        merge("A", "B"),
        merge("B", "C"),
    ]
    for order in (
        records,
        records[::-1],
        [*records[5:], *records[:5]],
        [*records[3:], *records[:3]],
        [records[6], records[0], records[5], *records[1:5]],
    ):
        waiting = list(order)
        for _ in range(3):  # what waits for its patient is given again, as a replay does
            waiting = [record for record in waiting if take(store, record).rejections]
        with store.session() as session:
            held = session.exec(select(Patient)).one()
            assert (held.ipp, held.city, held.record_ipp) == ("C", "Brest", "")
        assert owners(store) == {"d1": "C", "d2": "C"}
        with store.session() as session:
            for model in (Patient, MergedIdentity):
                session.execute(delete(model))


def test_a_merged_identity_describes_the_patient_until_the_one_who_stays_does(store: Store) -> None:
    take(store, merge("A", "B"), patient("A", city="Lille"), document("d1", "A"))
    assert (ipps(store), owners(store)) == ({"B"}, {"d1": "B"})
    take(store, patient("B", city="Lyon"))
    take(store, patient("A", city="Lens"))
    with store.session() as session:
        assert session.exec(select(Patient)).one().city == "Lyon"


def test_the_opposition_of_either_identity_is_kept(store: Store) -> None:
    take(store, patient("A", opposed=True), patient("B"))
    taken = take(store, merge("A", "B"))
    with store.session() as session:
        kept = session.exec(select(Patient)).one()
        assert kept.opposed
        assert kept.id in taken.leaving
    take(store, patient("B"), patient("D"), merge("C", "D"))
    taken = take(store, patient("C", opposed=True))
    with store.session() as session:
        assert session.exec(select(Patient).where(Patient.ipp == "D")).one().opposed


def test_a_merge_that_cannot_be_is_refused_with_the_reason(store: Store) -> None:
    take(store, patient("A"), patient("B"), patient("C"), merge("A", "B"))
    refused = take(store, merge("B", "A"), merge("A", "C"), merge("C", "C")).rejections
    assert [one.reason for one in refused] == ["merge_back", "merged_elsewhere", "merge_into_itself"]
    assert "cannot be merged back" in refused[0].message
    assert ipps(store) == {"B", "C"}
    take(store, merge("B", "C"))
    assert counts(take(store, merge("A", "C"))) == (0, 0, 1, 0)  # by now it is so


def test_no_patient_gets_the_number_of_one_who_is_gone(store: Store) -> None:
    take(store, patient("A"), patient("B"))
    with store.session() as session:
        gone = session.exec(select(Patient.id).where(Patient.ipp == "B")).one()
        cohort = Cohort(account_id=_account(session), name="c")
        session.add(cohort)
        session.flush()
        session.add(CohortPatient(cohort_id=cohort.id, patient_id=gone, since=1))
    take(store, merge("B", "A"), patient("C"))
    with store.session() as session:
        numbers = dict(session.exec(select(Patient.ipp, Patient.id)).all())
        assert numbers["C"] > gone
        assert session.exec(select(CohortPatient.patient_id)).all() == [numbers["A"]]


def _account(session) -> int:  # type: ignore[no-untyped-def]
    account = Account(login="a")
    session.add(account)
    session.flush()
    return account.id


# --- Records that are taken back, and states that come in the wrong order -----------------------------------------


def test_a_record_that_is_taken_back_is_gone_and_does_not_come_back_by_itself(store: Store) -> None:
    records = (document("d1", "1"), cure("c1", "1"), stay("s1", "1", "C50.4"))
    take(store, patient("1"), *records)
    clear_pending(store)
    removals = (removal("document", "d1"), removal("chemotherapy", "c1"), removal("stay", "s1"))
    assert counts(take(store, *removals)) == (0, 3, 0, 0)
    assert (owners(store), pending(store)) == ({}, {"1"})
    assert counts(take(store, *removals)) == (0, 0, 3, 0)
    assert counts(take(store, *records)) == (0, 0, 3, 0)
    assert owners(store) == {}
    assert counts(take(store, document("d1", "1", "Un autre texte."))) == (1, 0, 0, 0)


def test_a_patient_who_is_taken_back_goes_with_all_that_is_theirs(store: Store) -> None:
    take(store, patient("1"), document("d1", "1"), stay("s1", "1", "C50.4"))
    with store.session() as session:
        number = session.exec(select(Patient.id)).one()
    take(store, removal("patient", "1"))
    assert (ipps(store), owners(store)) == (set(), {})
    with store.session() as session:
        assert session.exec(select(PendingPatient.patient_id)).all() == [number]
    assert take(store, document("d2", "1")).rejections[0].reason == "unknown_patient"


def test_what_is_taken_back_must_be_of_a_known_kind(store: Store) -> None:
    assert take(store, removal("fax", "1")).rejections[0].reason == "unknown_kind"


def test_an_older_state_never_takes_the_place_of_a_newer_one(store: Store) -> None:
    def version(number: int) -> SourceRecord:
        return replace(document("d1", "1", f"Texte {number}."), version=f"2024-05-0{number}T08:00:00Z")

    take(store, patient("1"), version(2))
    assert counts(take(store, version(1))) == (0, 0, 1, 0)
    assert counts(take(store, version(3), version(2))) == (0, 1, 1, 0)
    take(store, removal("document", "d1", "20240505"))
    assert counts(take(store, version(4), version(3))) == (0, 0, 2, 0)
    assert counts(take(store, removal("document", "d1", "20240504"))) == (0, 0, 1, 0)
    assert counts(take(store, version(6))) == (1, 0, 0, 0)
    assert counts(take(store, removal("document", "d1", "20240505"))) == (0, 0, 1, 0)
    with store.session() as session:
        assert session.exec(select(Document)).one().text == "Texte 6."


def test_a_removal_that_comes_before_its_record_keeps_it_out(store: Store) -> None:
    take(store, patient("1"), removal("document", "d1", "20240505"))
    take(store, replace(document("d1", "1"), version="20240501"))
    assert owners(store) == {}


def test_several_states_of_one_record_in_one_batch_are_one(store: Store) -> None:
    states = [patient("1"), patient("1", city="Lille"), document("d1", "1"), document("d1", "1", "Autre texte.")]
    taken = take(store, *states)
    assert taken.created == 2
    with store.session() as session:
        assert session.exec(select(Patient)).one().city == "Lille"
        assert session.exec(select(Document)).one().text == "Autre texte."


def test_a_document_that_moves_to_another_patient_is_not_read_again(store: Store) -> None:
    take(store, patient("1"), patient("2"), document("d1", "1"))
    with store.session() as session:
        session.add(DocumentMentions(document_id=session.exec(select(Document.id)).one(), payload=b"", reader="1"))
    assert counts(take(store, document("d1", "2"))) == (0, 1, 0, 0)
    with store.session() as session:
        assert session.exec(select(DocumentMentions)).one().reader == "1"


def test_every_kind_of_row_is_kept_with_its_date(store: Store) -> None:
    kinds = ("pharmacy", "biology", "molecular")
    rows = [SourceRecord(kind, "r1", "1", {"date": "2024-03-01", "x": "1"}, "f.csv:2") for kind in kinds]
    take(store, patient("1"), *rows)
    with store.session() as session:
        held = session.exec(select(StructuredRecord)).all()
        assert {(row.kind, row.date) for row in held} == {(kind, dt.date(2024, 3, 1)) for kind in kinds}
