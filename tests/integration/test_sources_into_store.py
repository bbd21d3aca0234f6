"""A centre whose systems speak HL7 v2 and SQL: what they send is in the store, once, and follows what they correct."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from engines import engine_settings
from sqlalchemy import create_engine, func, text
from sqlmodel import select

from consore.ingestion import add_source, run_all
from consore.model import Document, Patient, Stay, StructuredRecord
from consore.store import Store
from consore.synthetic import generate_centre

pytestmark = pytest.mark.slow


def total(store: Store, model: type, *conditions: object) -> int:
    with store.session() as session:
        return session.exec(select(func.count()).select_from(model).where(*conditions)).one()  # type: ignore[arg-type, no-any-return]


def test_hl7_drops_and_a_database_fill_the_store_once_and_are_followed(tmp_path: Path) -> None:
    made = generate_centre(
        tmp_path, code="ESSAI", name="Centre d'essai", patients=4, seed=5,
        formats=("administrative", "pmsi", "biology", "adt", "oru", "mdm"),
    )  # fmt: skip
    drop = tmp_path / "drop"
    shutil.copytree(made.root / "hl7", drop)
    database = f"sqlite:///{tmp_path / 'pharmacie.db'}"
    hospital = create_engine(database)
    patient = (drop / "adt.hl7").read_text(encoding="utf-8").split("PID|1||")[1].partition("^")[0]
    with hospital.begin() as connection:
        connection.execute(text("CREATE TABLE sortie (num, ipp, date, medicament, maj)"))
        connection.execute(
            text("INSERT INTO sortie VALUES ('P1', :ipp, '2024-03-01', 'DOCETAXEL', 1)"), {"ipp": patient}
        )
    node = engine_settings("SRC", tmp_path / "home", read_processes=1)
    store = Store.of(node)
    query = "SELECT num AS id, ipp, date, medicament, maj FROM sortie"
    with store.session() as session:
        for kind in ("administrative", "pmsi", "biology", "documents"):
            add_source(session, name=kind, kind=kind, location=drop, options={"format": "hl7"})
        options = {"query": query, "watermark": "maj"}
        add_source(session, name="pharmacy", kind="pharmacy", location=database, options=options)

    first = run_all(node, store)
    assert [run.message for run in first if run.state != "done"] == []
    assert [run.rejected for run in first] == [0] * 5
    assert total(store, Document) == made.counts["documents"]
    assert total(store, Stay) == made.counts["stays"]
    assert total(store, StructuredRecord, StructuredRecord.kind == "biology") == len(
        (made.root / "biologie.csv").read_text(encoding="utf-8").splitlines()
    ) - 1  # fmt: skip
    patients = total(store, Patient)

    again = run_all(node, store)
    assert [(run.created, run.changed) for run in again] == [(0, 0)] * 5
    assert sum(run.seen for run in again) == 1  # the row at the watermark: no message is read twice

    report = next(drop.glob("mdm/*.hl7"))
    message = report.read_text(encoding="utf-8")
    cancelled = message.partition("OBX|")[0].replace("MDM^T02^MDM_T02", "MDM^T11^MDM_T01").replace("|2.6|", "|2.6|", 1)
    (drop / "mdm" / "annulation.hl7").write_text(cancelled, encoding="utf-8", newline="")
    with hospital.begin() as connection:
        connection.execute(text("UPDATE sortie SET medicament = 'PACLITAXEL', maj = 2"))
    run_all(node, store)
    assert total(store, Document) == made.counts["documents"] - 1
    with store.session() as session:
        row = session.exec(select(StructuredRecord).where(StructuredRecord.kind == "pharmacy")).one()
        assert row.values_["medicament"] == "PACLITAXEL"
    assert total(store, Patient) == patients
    store.close()
