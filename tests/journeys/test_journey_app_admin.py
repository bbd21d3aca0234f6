"""An administrator with the app, on a real centre: what was read, when it will be, and the worker that obeys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_network import AppNetwork
from kivy_driver import Hand, sign_in

pytestmark = pytest.mark.gl


@pytest.fixture
def admin(open_app: Callable[..., Hand], two_centres: AppNetwork) -> Hand:
    hand = open_app(two_centres.address)
    sign_in(hand, "admin", two_centres.password("admin"))
    hand.until(lambda: hand.all("SourceCard"))
    hand.settle(0.2)
    return hand


def _open(hand: Hand, name: str) -> None:
    hand.tap(hand.find("SourceCard", name=name))
    hand.until(lambda: hand.page.name == "source" and hand.page.source is not None)
    hand.settle(0.2)


def test_the_admin_sees_the_sources_and_nothing_of_a_patient(admin: Hand) -> None:
    assert admin.app.shell.destinations == ["sources", "referentials", "settings"]
    cards = {card.name: card for card in admin.all("SourceCard")}
    assert set(cards) == {"administratif", "pmsi", "fiches-tumeur", "chimiotherapie", "biobanque", "comptes-rendus"}
    assert "terminée" in cards["administratif"].last
    assert cards["pmsi"].schedule.startswith("Le ")


def test_a_schedule_that_is_changed_in_the_app_is_obeyed_by_the_worker(admin: Hand, two_centres: AppNetwork) -> None:
    from consore.ingestion import Worker

    _open(admin, "biobanque")
    page = admin.page
    assert page.ids.save.disabled
    admin.tap(next(chip for chip in admin.all("Chip", root=page.ids.frequency) if chip.payload == "WEEKLY"))
    admin.tap(admin.find("Segment", value="3", root=page.ids.weekday))
    hour = page.ids.hour.value
    admin.tap(admin.all("IconButton", icon="plus", root=page.ids.hour)[0])
    assert page.ids.hour.value == hour + 1
    admin.tap(page.ids.save)
    admin.until(lambda: not page.busy and not page.changed)
    assert page.source.schedule.frequency == "WEEKLY"
    due = page.source.schedule.next_run_at
    assert due.astimezone(dt.timezone(dt.timedelta(hours=1))).weekday() == 3
    assert "mar." not in page.next_text
    with two_centres.store() as store:
        worker = Worker(two_centres.centres[0].settings, store)
        runs = worker.run_due_once(due + dt.timedelta(minutes=1))
    assert page.source.id in [str(run.source_id) for run in runs]
    admin.app.shell.back()
    admin.until(lambda: any(c.schedule.startswith("Chaque jeudi") for c in admin.all("SourceCard", name="biobanque")))


def test_the_edition_in_force_of_a_code_system_is_seen_and_changed(
    admin: Hand, two_centres: AppNetwork, tmp_path: Path
) -> None:
    from consore.referentials import terminology
    from consore.referentials.importing import import_referential

    settings = two_centres.centres[0].settings
    table = tmp_path / "topographies.csv"
    rows = [f"C{number:02}{digit};Siège imaginaire {number} {digit}" for number in range(77) for digit in range(10)]
    table.write_text("\n".join(["code;libelle", *rows]), encoding="utf-8")
    site = settings.site_referentials
    options = {"edition": "Essai 2027", "by": "admin", "activate": False}
    import_referential(settings.referentials, site, "icdo3-topography", table, **options)

    def card() -> Any:
        return next(one for one in admin.all("ReferentialCard") if one.has_choice)

    def label() -> str:
        return terminology(settings.referentials, site=site).label("ICD-O-3-T", "C50.4")

    before = label()
    admin.tap(next(item for item in admin.all("NavItem") if item.name == "referentials"))
    admin.until(lambda: admin.all("ReferentialCard") and any(one.has_choice for one in admin.all("ReferentialCard")))
    admin.settle(0.2)
    admin.tap(next(chip for chip in admin.all("Chip", root=card()) if chip.payload == "essai-2027"))
    admin.until(lambda: card().chosen == "essai-2027" and "Essai 2027" in card().edition)
    assert "770 lignes lues" in card().counts.replace("\u202f", "")
    assert card().imported.endswith("par admin")
    assert label() == "Siège imaginaire 50 4"
    admin.settle(0.2)
    admin.tap(next(chip for chip in admin.all("Chip", root=card()) if chip.payload == "shipped"))
    admin.until(lambda: card().chosen == "shipped")
    assert label() == before


def test_a_source_is_read_now_and_its_run_is_followed(admin: Hand) -> None:
    _open(admin, "chimiotherapie")
    page = admin.page
    before = len(admin.all("RunRow"))
    admin.tap(page.ids.run)
    admin.until(lambda: len(admin.all("RunRow")) > before, 30)
    admin.until(lambda: "terminée" in admin.all("RunRow")[-1].title, 60)
    assert not page.busy
