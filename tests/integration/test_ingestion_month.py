"""A month of daily deliveries ends where one delivery of everything does, row for row, index included."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import engine_settings
from sqlmodel import select

from consore.cli.ingestion_measures import MONTHS
from consore.cli.loads import declare, load, load_days, load_with_kills, pictured
from consore.ingestion.snapshot import differences
from consore.model import Document, RejectedRecord
from consore.store import Store
from consore.synthetic import generate_centre
from consore.synthetic.deltas import LAST_DAY

PATIENTS = 3
SEED = 31

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", list(MONTHS))
def test_a_month_of_days_equals_one_load(name: str, tmp_path: Path) -> None:
    sources, formats = MONTHS[name]

    def delivered(day: int | None) -> Path:
        folder = tmp_path / "deliveries" / str(day)
        return generate_centre(
            folder, code="MOIS", name="Un mois", patients=PATIENTS, seed=SEED, formats=formats, day=day
        ).root

    by_days = engine_settings(f"MOIS{name}A", tmp_path / "days", read_processes=1)
    store = Store.of(by_days)
    place = tmp_path / "incoming"
    place.symlink_to(delivered(0), target_is_directory=True)
    declare(store, place, sources)
    load_days(by_days, store, place, range(LAST_DAY + 1), delivered)
    at_once = engine_settings(f"MOIS{name}B", tmp_path / "whole", read_processes=1)
    other = Store.of(at_once)
    declare(other, delivered(None), sources)
    load(at_once, other)
    assert differences(pictured(by_days, store), pictured(at_once, other)) == {}
    with store.session() as session:
        assert session.exec(select(RejectedRecord).where(RejectedRecord.replayed_at.is_(None))).all() == []
        assert session.exec(select(Document)).first() is not None
    store.close()
    other.close()


def test_a_load_that_is_killed_at_random_equals_one_that_is_not(tmp_path: Path) -> None:
    root = generate_centre(tmp_path / "centre", code="MORT", name="Tué", patients=PATIENTS, seed=SEED).root
    sources, _ = MONTHS["files"]
    ends = []
    for name, kills in (("whole", 0), ("killed", 3)):
        node = engine_settings(f"MORT{name}", tmp_path / name, read_processes=1)
        store = Store.of(node)
        declare(store, root, sources)
        if kills:
            assert load_with_kills(node, store, kills, seed=4, longest=4.0) > 0
        load(node, store)
        ends.append(pictured(node, store))
        store.close()
    assert differences(*ends) == {}
