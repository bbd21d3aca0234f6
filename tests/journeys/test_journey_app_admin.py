"""An administrator with the app, on a real centre: what was read, when it will be, and the worker that obeys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_network import AppNetwork
from kivy_driver import Hand, sign_in
from sqlmodel import select

from consore.cli.fictional import SOURCES
from consore.ingestion.lease import Lease
from consore.model import IngestionRun, RejectedRecord, RunProgress, Schedule, now

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
    assert set(cards) == set(SOURCES)
    assert cards["administratif"].last.startswith("À jour")
    assert cards["pmsi"].schedule.startswith("Le ")
    assert not any(card.running for card in cards.values())


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
    due = page.source.schedule.starts_at
    assert due.astimezone(dt.timezone(dt.timedelta(hours=1))).weekday() == 3
    assert page.words_text.startswith("Chaque jeudi à ")
    with two_centres.store() as store:
        worker = Worker(two_centres.centres[0].settings, store)
        runs = worker.run_due_once(due + dt.timedelta(minutes=1))
    assert page.source.id in [str(run.source_id) for run in runs]
    admin.app.shell.back()
    admin.until(lambda: any(c.schedule.startswith("Chaque jeudi") for c in admin.all("SourceCard", name="biobanque")))


@pytest.mark.slow
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


def test_a_cron_schedule_with_a_blackout_is_said_back_and_obeyed(admin: Hand, two_centres: AppNetwork) -> None:
    from consore.ingestion import Worker

    _open(admin, "fiches-tumeur")
    page = admin.page
    admin.tap(next(chip for chip in admin.all("Chip", root=page.ids.frequency) if chip.payload == "CRON"))
    admin.type(page.ids.cron.ids.input, "30 2 * *")
    admin.until(lambda: "cinq champs" in page.problem)
    assert page.ids.save.disabled
    admin.type(page.ids.cron.ids.input, "30 2 * * mon,thu")
    admin.until(lambda: page.words_text == "Chaque lundi et jeudi à 2 h 30.")
    assert "02:30" in page.next_text
    admin.tap(page.ids.add_blackout)
    form = admin.find("BlackoutForm")
    admin.tap(next(chip for chip in admin.all("Chip", root=form) if chip.payload == 0))
    form.ids.start_hour.value, form.ids.end_hour.value = 1, 6
    admin.tap(admin.find("PushButton", text="Ajouter"))
    admin.until(lambda: "Pas de lecture chaque lundi de 1 h à 6 h" in page.words_text)
    assert "06:00" in page.next_text
    admin.tap(page.ids.save)
    admin.until(lambda: not page.busy and not page.changed)
    with two_centres.store() as store, store.session() as session:
        held = session.get(Schedule, int(page.source.id))
        assert (held.cron, held.blackouts) == (
            "30 2 * * mon,thu",
            [{"weekdays": [0], "start": "01:00", "end": "06:00"}],
        )
        monday = next(
            day for day in (dt.datetime.now(dt.UTC) + dt.timedelta(days=by) for by in range(1, 9)) if day.weekday() == 0
        ).replace(hour=3, minute=0, second=0, microsecond=0)
        held.next_run_at = monday
    with two_centres.store() as store:
        worker = Worker(two_centres.centres[0].settings, store)
        assert page.source.id not in [str(run.source_id) for run in worker.run_due_once(monday)]
    admin.app.shell.back()
    admin.until(lambda: any(card.schedule == "Chaque lundi et jeudi à 2 h 30" for card in admin.all("SourceCard")))


def test_a_run_that_goes_on_elsewhere_is_seen_and_cancelled_and_its_rejections_are_grouped(
    admin: Hand, two_centres: AppNetwork
) -> None:
    _open(admin, "biobanque")
    page = admin.page
    key = int(page.source.id)
    with two_centres.store() as store:
        lease = Lease(store, f"source:{key}")  # this process reads it, as a worker would
        assert lease.take()
        with store.session() as session:
            run = IngestionRun(source_id=key, trigger="schedule", stage="read")
            session.add(run)
            session.flush()
            session.add(RunProgress(run_id=run.id, stage="read", done=40, total=160, rate=2.0))
            for number in range(3):
                session.add(
                    RejectedRecord(
                        source_id=key, run_id=run.id, position=f"b.csv:{number}", reason="invalid_date", message="31/02"
                    )
                )
            run_id = run.id
        page._watch()
        line = page.ids.state_line
        admin.until(lambda: line.running)
        assert "40 sur 160" in line.far.replace("\xa0", " ")
        assert "encore 1 min" in line.far or "encore 60" in line.far
        assert line.share == 0.25
        card = admin.find("ReasonCard")
        assert (card.reason_text, card.count_text) == ("Date invalide", "3 enregistrements")
        assert page.run_text == "Annuler la lecture"
        admin.tap(page.ids.run)
        admin.until(lambda: page.run_text == "Arrêt à la prochaine étape" and not page.busy)
        with store.session() as session:
            held = session.get(IngestionRun, run_id)
            assert held.asked == "cancel"
            held.state, held.ended_at = "cancelled", now()
            for rejected in session.exec(select(RejectedRecord).where(RejectedRecord.source_id == key)):
                session.delete(rejected)
        lease.release()
    admin.until(lambda: page.run_text == "Lire maintenant")
    assert line.text.startswith("Lecture annulée")
    admin.until(lambda: not admin.all("ReasonCard"))


def test_nothing_is_asked_any_more_once_the_app_is_closed(admin: Hand) -> None:
    _open(admin, "pmsi")
    page = admin.page
    page.later(0.01, page._watch)
    asked: list[str] = []
    ask = admin.app.ask
    admin.app.ask = lambda *given: asked.append("asked") or ask(*given)
    admin.app.dispatch("on_stop")
    admin.app.on_stop = lambda: None  # it is closed; the fixture closes it again
    admin.frames(10)
    assert asked == []


def test_a_source_is_read_now_and_its_run_is_followed(admin: Hand) -> None:
    _open(admin, "chimiotherapie")
    page = admin.page
    before = len(admin.all("RunRow"))
    admin.tap(page.ids.run)
    admin.until(lambda: len(admin.all("RunRow")) > before, 30)
    admin.until(lambda: "terminée" in admin.all("RunRow")[-1].title, 60)
    assert not page.busy
