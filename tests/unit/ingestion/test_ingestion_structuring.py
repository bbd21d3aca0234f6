"""A history becomes rows, each with its evidence; building it again replaces it."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlmodel import select

from consore.ingestion.intake import take_in
from consore.ingestion.structuring import load_dossier, number_of, structure_and_save, tnm_parts
from consore.model import (
    Act,
    Assertion,
    Belief,
    Biomarker,
    Correction,
    Document,
    DocumentMentions,
    Evidence,
    Fact,
    Mention,
    MentionKind,
    Patient,
    Sample,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    now,
    pack_mentions,
)
from consore.referentials import terminology
from consore.sources import SourceRecord
from consore.store import Store

TEXT = "Carcinome du sein. Ki67 : 30 %. Pas de métastase hépatique."


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        (("pT2N1M0",), ("T2", "N1", "M0")),
        (("ypT1c(m) N1mi(sn) Mx",), ("T1c", "N1mi", "Mx")),
        (("pTisN0", "cT1N1M1"), ("Tis", "N0", "M1")),
        ((None, ""), (None, None, None)),
        (("stade inconnu",), (None, None, None)),
    ],
)
def test_a_tnm_is_cut_in_its_parts(written: tuple, parts: tuple) -> None:
    assert tuple(tnm_parts(*written).values()) == parts


def test_a_measured_value_has_a_number_that_thresholds_respect() -> None:
    assert number_of("30") == number_of("30 %") == 30
    assert number_of("4,2") == 4.2
    assert number_of("<1") < 1 < number_of(">1")
    assert number_of("≥50") == 50
    assert number_of("1-5") is number_of("positive") is number_of(None) is None


def test_a_history_becomes_rows_with_evidence_and_is_replaced_whole(store: Store) -> None:
    _fill(store)
    for _ in range(2):
        with store.session() as session:
            (biography,) = structure_and_save(session, 1, terminology())
            assert biography.patient_id == "42"
    with store.session() as session:
        tumour = session.exec(select(Tumour)).one()
        assert (tumour.topography, tumour.morphology, tumour.t, tumour.n) == ("C50.4", "8500/3", "T2", "N1")
        ki67 = session.exec(select(Biomarker)).one()
        assert (ki67.code, ki67.number, ki67.unit, ki67.tumour_id) == ("KI67", 30, "%", tumour.id)
        assert [event.type for event in session.exec(select(TumourEvent))] == ["initial"]
        assert {row.type for row in session.exec(select(Treatment))} == {"chemotherapy", "surgery"}
        treatment = session.exec(select(Treatment).where(Treatment.type == "chemotherapy")).one()
        assert session.exec(select(TreatmentDrug.name)).all() == ["docétaxel"]
        sample = session.exec(select(Sample)).one()
        assert (sample.external_id, sample.status, sample.date) == ("b1", "available", dt.date(2024, 3, 2))
        evidence = session.exec(select(Evidence)).all()
        assert {row.item for row in evidence} >= {"tumour", "event", "treatment", "biomarker"}
        assert all(row.quote for row in evidence)
        of_ki67 = next(row for row in evidence if row.item == "biomarker")
        document = session.exec(select(Document)).one()
        assert (of_ki67.item_id, of_ki67.document_id) == (ki67.id, document.id)
        assert "Ki67" in TEXT[of_ki67.start : of_ki67.end] or "Ki67" in of_ki67.quote
        assert [
            row.record_id is not None for row in evidence if row.item_id == treatment.id and row.item == "treatment"
        ] == [True]


def test_histories_written_together_chain_their_own_events_alone(store: Store) -> None:
    for number in ("42", "43"):
        patient = {"family_name": "Ferrandin", "given_name": "Lise", "sex": "female", "birth_date": "1961-03-04"}
        sheet = {"date_diagnostic": "2020-02-01", "topographie": "C50.4", "morphologie": "8500/3", "ptnm": "pT2N0M0"}
        stay = {
            "number": f"s{number}",
            "entry_date": "2023-03-01",
            "exit_date": "2023-03-05",
            "unit": "MED",
            "acts": [],
        }
        stay["diagnoses"] = [{"code": "C787", "role": "DAS", "date": "2023-03-01"}]
        cure = {"date": "2023-04-01", "protocole": "", "medicaments": "docétaxel", "statut": "administré", "ligne": "1"}
        with store.session() as session:
            take_in(
                session,
                [
                    SourceRecord("patient", number, number, patient, "a"),
                    SourceRecord("tumour_sheet", f"t{number}", number, sheet, "b"),
                    SourceRecord("stay", f"s{number}", number, stay, "c"),
                    SourceRecord("chemotherapy", f"c{number}", number, cure, "d"),
                ],
            )
    with store.session() as session:
        structure_and_save(session, [1, 2], terminology())
    with store.session() as session:
        for patient_id in (1, 2):
            tumour = session.exec(select(Tumour).where(Tumour.patient_id == patient_id)).one()
            events = select(TumourEvent).where(TumourEvent.patient_id == patient_id).order_by(TumourEvent.date)
            first, relapse = session.exec(events).all()
            assert (first.parent_id, relapse.parent_id, relapse.tumour_id) == (None, first.id, tumour.id)
            given = session.exec(select(Treatment).where(Treatment.patient_id == patient_id)).one()
            assert (given.event_id, given.tumour_id, given.line) == (relapse.id, tumour.id, 1)


def test_a_correction_of_a_physician_outlives_every_structuring_and_leaves_the_review_queue(store: Store) -> None:
    _fill(store)
    with store.session() as session:
        (biography,) = structure_and_save(session, 1, terminology())
        treatment = next(one for one in biography.treatments if one.type == "surgery")
        session.add(
            Correction(
                patient_id=1,
                item="treatment",
                key=treatment.key,
                verdict="correct",
                values_={"start": "2024-03-04"},
                author="Dr Fictif",
            )
        )
    for _ in range(2):
        with store.session() as session:
            structure_and_save(session, 1, terminology())
    with store.session() as session:
        operation = session.exec(select(Treatment).where(Treatment.type == "surgery")).one()
        assert operation.start == dt.date(2024, 3, 4)
        beliefs = {row.key: row for row in session.exec(select(Belief))}
        corrected = beliefs[treatment.key]
        assert (corrected.item_id, corrected.reviewed, corrected.review_value) == (operation.id, True, 0.0)
        assert corrected.conflicts[0]["attribute"] == "start"
        assert all(row.why and 0 <= row.confidence <= 1 for row in beliefs.values())
        event = session.exec(select(TumourEvent)).one()
        assert operation.event_id == event.id
        session.exec(select(Correction)).one().withdrawn_at = now()
    with store.session() as session:
        structure_and_save(session, 1, terminology())
        assert session.exec(select(Treatment).where(Treatment.type == "surgery")).one().start == dt.date(2024, 3, 1)


def test_a_sample_that_moves_to_another_patient_moves_at_once(store: Store) -> None:
    _fill(store)
    sample = {"type": "sang", "date_prelevement": "2024-03-02", "statut": "épuisé"}
    with store.session() as session:
        structure_and_save(session, 1, terminology())
        other = {"family_name": "Autret", "given_name": "Yann", "sex": "male", "birth_date": "1950-01-01"}
        take_in(session, [SourceRecord("patient", "43", "43", other, "a")])
        take_in(session, [SourceRecord("biobank", "b1", "43", sample, "d")])
        structure_and_save(session, 2, terminology())
    with store.session() as session:
        moved = session.exec(select(Sample)).one()
        assert (moved.patient_id, moved.type, moved.status) == (2, "sang", "exhausted")


def test_facts_hold_each_code_once_with_its_first_date_and_its_assertion(store: Store) -> None:
    _fill(store)
    with store.session() as session:
        structure_and_save(session, [1], terminology())
    with store.session() as session:
        facts = {(fact.kind, fact.system, fact.code, fact.assertion): fact for fact in session.exec(select(Fact))}
        assert ("metastasis", "ICD-O-3-T", "C22.0", "negated") in facts
        assert ("metastasis", "ICD-O-3-T", "C22.0", "present") not in facts
        assert facts["topography", "ICD-O-3-T", "C50.4", "present"].date == dt.date(2024, 2, 1)
        assert facts["drug", "ATC", "L01CD02", "present"].record_id is not None
        assert facts["procedure", "CCAM", "QEFA004", "present"].date == dt.date(2024, 3, 1)
        assert len(facts) == len(session.exec(select(Fact)).all())


def test_a_dossier_holds_documents_rows_and_acts(store: Store) -> None:
    _fill(store)
    with store.session() as session:
        dossier = load_dossier(session, 1)
        assert session.exec(select(Act)).one().code == "QEFA004"
    assert [document.id for document in dossier.documents] == ["d1"]
    assert len(dossier.documents[0].mentions) == 2
    assert [row.id for row in dossier.structured] == [
        "biobank:b1",
        "chemotherapy:c1",
        "tumour_sheet:t1",
        "diagnosis:1",
        "act:1",
    ]


def test_a_death_that_reports_alone_tell_makes_the_patient_dead_until_they_tell_it_no_more(store: Store) -> None:
    _fill(store)
    announced = "Nous avons appris le décès de la patiente, survenu à domicile."
    letter = {"kind": "letter", "title": "", "date": "2025-06-01", "author": "", "service": ""}
    told = dt.date(2025, 6, 1)
    for version, (text, known) in enumerate(
        [(announced, told), (f"{announced} Cordialement.", told), ("Va bien.", None)]
    ):
        with store.session() as session:
            take_in(session, [SourceRecord("document", "letter", "42", {**letter, "text": text}, f"version {version}")])
            structure_and_save(session, 1, terminology())
        with store.session() as session:
            deaths = session.exec(select(TumourEvent.date).where(TumourEvent.type == "death")).all()
            assert (session.exec(select(Patient.death_date)).one(), deaths) == (known, [known] if known else [])
    with store.session() as session:
        session.exec(select(Patient)).one().death_date = dt.date(2025, 7, 1)  # the administrative file knows it
    for _ in range(2):
        with store.session() as session:
            structure_and_save(session, 1, terminology())
            assert load_dossier(session, 1).death_date == dt.date(2025, 7, 1)


def _fill(store: Store) -> None:
    """One patient with a tumour sheet, a cure, a sample, a stay and a report."""
    patient = {"family_name": "Ferrandin", "given_name": "Lise", "sex": "female", "birth_date": "1961-03-04"}
    sheet = {"date_diagnostic": "2024-02-01", "topographie": "C50.4", "morphologie": "8500/3", "ptnm": "pT2N1M0"}
    cure = {"date": "2024-04-01", "protocole": "", "medicaments": "docétaxel", "statut": "administré", "ligne": ""}
    sample = {"type": "tissu congelé", "date_prelevement": "2024-03-02", "statut": "disponible"}
    stay = {"number": "s1", "entry_date": "2024-03-01", "exit_date": "2024-03-05", "unit": "CHIR"}
    stay["diagnoses"] = [{"code": "C50.4", "role": "DP", "date": "2024-03-01"}]
    stay["acts"] = [{"code": "QEFA004", "phase": "0", "date": "2024-03-01"}]
    report = {"kind": "pathology", "title": "", "date": "2024-02-10", "author": "", "service": "", "text": TEXT}
    with store.session() as session:
        take_in(
            session,
            [
                SourceRecord("patient", "42", "42", patient, "a"),
                SourceRecord("tumour_sheet", "t1", "42", sheet, "b"),
                SourceRecord("chemotherapy", "c1", "42", cure, "c"),
                SourceRecord("biobank", "b1", "42", sample, "d"),
                SourceRecord("stay", "s1", "42", stay, "e"),
                SourceRecord("document", "d1", "42", report, "f"),
            ],
        )
        assert session.exec(select(Patient.id)).one() == 1
        document = session.exec(select(Document)).one()
        mentions = [
            _mention("Ki67 : 30 %", MentionKind.BIOMARKER, "LOCAL", "KI67", value="30", unit="%"),
            _mention("métastase hépatique", MentionKind.METASTASIS, "ICD-O-3-T", "C22.0", assertion=Assertion.NEGATED),
        ]
        session.add(DocumentMentions(document_id=document.id, payload=pack_mentions(mentions), total=2, reader="1"))


def _mention(text: str, kind: MentionKind, system: str, code: str, **values) -> Mention:
    start = TEXT.index(text)
    return Mention(start, start + len(text), text, kind, system, code, label=text, **values)
