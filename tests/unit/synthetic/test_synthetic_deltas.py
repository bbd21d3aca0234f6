"""A month of a hospital, day after day: what each day brings adds up to what is known at its end."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from consore.errors import InputError
from consore.synthetic import deltas, generate_centre
from consore.synthetic.centre import dossier_of
from consore.synthetic.deltas import Dossier, deliver
from consore.synthetic.formats import Site
from consore.synthetic.trajectory import TODAY

DAYS = range(deltas.LAST_DAY + 1)
TABLES = {
    "administratif.csv": "ipp",
    "fiches_tumeur.csv": "id",
    "chimiotherapie.csv": "id",
    "biobanque.csv": "id",
    "pmsi_ano.csv": "numero_rss",
    "pharmacie.csv": "id",
    "documents/index.csv": "id",
}
FORMATS = ("administrative", "pmsi", "tumour_sheet", "chemotherapy", "pharmacy", "biobank", "txt", "docx", "mdm", "adt")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


class Hospital:
    """What one knows who takes each day's extract: changed rows replace, what is taken back goes, identities merge."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, str]]] = {name: {} for name in TABLES}
        self.files: dict[str, bytes] = {}
        self.stays: dict[str, str] = {}

    def take(self, folder: Path) -> None:
        for name, key in TABLES.items():
            self.tables[name] |= {row[key]: row for row in rows(folder / name)}
        for row in rows(folder / "documents" / "index.csv"):
            self.files[row["id"]] = (folder / "documents" / row["fichier"]).read_bytes()
        for line in (folder / "pmsi_rss.txt").read_text(encoding="latin-1").splitlines():
            self.stays[line[27:47]] = line
        for merge in rows(folder / "fusions.csv"):
            self.tables["administratif.csv"].pop(merge["ipp_ancien"], None)
            for table in self.tables.values():
                for row in table.values():
                    if row["ipp"] == merge["ipp_ancien"]:
                        row["ipp"] = merge["ipp_conserve"]
        for gone in rows(folder / "suppressions.csv"):
            assert gone["source"] == "documents"
            self.tables["documents/index.csv"].pop(gone["id"])
            self.files.pop(gone["id"])


@pytest.fixture(scope="module")
def dossiers() -> list[Dossier]:
    site = Site("delta", "Centre Delta", 5, "train", 150)
    return [dossier_of(site, number) for number in range(1, 151)]


def test_the_days_of_a_month_applied_in_order_give_the_full_extract_row_for_row(tmp_path: Path) -> None:
    made = {"code": "J", "name": "Centre J", "patients": 5, "seed": 12, "formats": FORMATS}
    full = Hospital()
    full.take(generate_centre(tmp_path / "full", **made).root)
    hospital = Hospital()
    for day in DAYS:
        root = generate_centre(tmp_path / "month", **made, day=day).root
        assert root == tmp_path / "month" / "J" / f"jour_{day:02d}"
        hospital.take(root)
    assert hospital.tables == full.tables
    assert hospital.files == full.files
    assert hospital.stays == full.stays


def test_what_each_day_brings_of_any_patient_adds_up_to_what_is_known_at_the_end(dossiers: list[Dossier]) -> None:
    for dossier in dossiers:
        known: dict[tuple[str, str], object] = {}
        names: dict[str, str] = {}
        for day in DAYS:
            delivery = deliver(dossier, day)
            for table, items in delivery.tables.items():
                for item in items:
                    assert item.first == ((table, item.key) not in known)
                    known[table, item.key] = (item.ipp, item.values)
            for table, version in delivery.removals:
                del known[table, version.key]
            for merge in delivery.merges:
                known.pop((deltas.PATIENTS, merge.old), None)
                names[merge.old] = merge.kept
        for key, (ipp, values) in known.items():
            known[key] = (names.get(ipp, ipp), values)
        full = deliver(dossier, None)
        assert known == {
            (table, item.key): (item.ipp, item.values) for table, items in full.tables.items() for item in items
        }


def test_a_month_has_new_corrected_deleted_and_merged_things(dossiers: list[Dossier]) -> None:
    seen: Counter[str] = Counter()
    for dossier in dossiers:
        for day in DAYS[1:]:
            delivery = deliver(dossier, day)
            seen["merged"] += len(delivery.merges)
            seen["deleted"] += len(delivery.removals)
            for table, items in delivery.tables.items():
                for item in items:
                    seen[f"{table} {'new' if item.first else 'changed'}"] += 1
    for table in (deltas.PATIENTS, deltas.CYCLES, deltas.DOCUMENTS):
        assert seen[f"{table} new"] + seen[f"{table} changed"] > 10, seen
    assert seen["merged"] > 0
    assert seen["deleted"] > 0
    assert seen[f"{deltas.PATIENTS} new"] > 0
    assert seen[f"{deltas.DOCUMENTS} changed"] > 3
    assert seen[f"{deltas.SHEETS} new"] + seen[f"{deltas.SHEETS} changed"] > 0
    assert seen[f"{deltas.STAYS} new"] > 3


def test_nothing_is_known_before_it_happens(dossiers: list[Dossier]) -> None:
    for dossier in dossiers:
        for day in (0, 10, 20):
            today = deltas.START + dt.timedelta(days=day)
            delivery = deliver(dossier, day)
            for item in delivery.tables[deltas.DOCUMENTS]:
                assert item.values.report.date <= today
            for item in delivery.tables[deltas.STAYS]:
                assert item.values.leave <= today
            for item in delivery.tables[deltas.CYCLES]:
                given = item.values.row["statut"] == "administré"
                assert (item.values.row["date"] <= today.isoformat()) or not given
            for item in delivery.tables[deltas.PATIENTS]:
                assert max(item.values["date_deces"], item.values["date_dernieres_nouvelles"]) <= today.isoformat()


def test_a_provisional_report_is_a_part_of_the_one_that_replaces_it_and_its_mentions_lie_where_they_say(
    dossiers: list[Dossier],
) -> None:
    found = 0
    for dossier in dossiers:
        final = {item.key: item.values.report for item in deliver(dossier, None).tables[deltas.DOCUMENTS]}
        for version in dossier.tables[deltas.DOCUMENTS]:
            if version.values is None or version.values.final:
                continue
            found += 1
            text = version.values.report.text
            assert final[version.key].text.startswith(text.partition("\n\n")[2])
            for mention in version.values.report.mentions:
                assert text[mention["start"] : mention["end"]] == mention["text"]
    assert found > 3


def test_after_a_merge_nothing_is_left_under_the_old_identity(dossiers: list[Dossier]) -> None:
    merged = [dossier for dossier in dossiers if any(merge.day > 0 for merge in dossier.merges)]
    assert merged
    for dossier in merged:
        merge = next(merge for merge in dossier.merges if merge.day > 0)
        before, after = deliver(dossier, None), deliver(dossier, merge.day)
        assert merge in after.merges
        assert merge.date <= TODAY
        assert {item.ipp for items in before.tables.values() for item in items} <= {
            dossier.life.ipp,
            dossier.life.duplicate_ipp,
        }


def test_a_day_outside_the_month_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 to 30"):
        generate_centre(tmp_path, code="K", name="K", patients=1, seed=1, day=31)
