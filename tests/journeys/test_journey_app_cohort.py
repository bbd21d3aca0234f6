"""A physician keeps what was found as a cohort, on real centres: narrowed down, in tables, in a curve, refreshed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from app_network import AppNetwork
from kivy_driver import PHONE, TABLET, Hand, sign_in
from sqlalchemy import delete
from sqlmodel import select

from consore.model import Cohort, Patient, Sex, Tumour

pytestmark = pytest.mark.gl
QUESTION = "cancer chez la femme"


@pytest.fixture
def physician(open_app: Callable[..., Hand], two_centres: AppNetwork) -> Callable[..., Hand]:
    def start(size: tuple[int, int] = PHONE) -> Hand:
        with two_centres.store() as store, store.session() as session:
            session.execute(delete(Cohort))
        hand = open_app(two_centres.address, size)
        sign_in(hand, "medecin", two_centres.password("medecin"))
        return hand

    return start


def keep(hand: Hand, name: str) -> int:
    """Search, keep what was found under a name; how many the cohort holds."""
    page = hand.page
    hand.type(page.ids.query, QUESTION)
    hand.enter()
    hand.until(lambda: page.count and page.asking.result is not None)
    found = page.asking.result.total
    hand.settle(0.2)
    hand.tap(page.ids.cohort_button)
    sheet = hand.until(lambda: hand.all("Sheet"))[0]
    hand.until(lambda: any("au compte exact" in text for text in hand.texts(sheet)))
    field = hand.all("Field", root=sheet)[0]
    assert field.text == QUESTION
    field.text = name
    hand.settle(0.2)
    hand.tap(hand.find("PushButton", root=sheet, text="Garder"))
    hand.until(lambda: hand.all("CohortPage") and hand.all("CohortPage")[0].cohort)
    hand.settle(0.3)
    return found


def section(hand: Hand, tab: str) -> None:
    page = hand.all("CohortPage")[0]
    hand.tap(next(one for one in hand.all("Tab", root=page.ids.tabs) if one.value == tab))
    hand.until(lambda: (page.tab == tab and hand.all("TableCard", root=page.ids.section)) or tab == "patients")
    hand.settle(0.3)


def test_what_is_found_is_kept_and_told_in_a_funnel_in_tables_and_in_a_curve(
    physician: Callable[..., Hand], tmp_path: Path
) -> None:
    hand = physician()
    found = keep(hand, "Femmes atteintes")
    page = hand.page
    assert page.name == "cohort"
    assert page.cohort.name == "Femmes atteintes"
    assert page.cohort.count == found
    hand.until(lambda: hand.all("CountRow"))
    rows = sorted(hand.all("CountRow"), key=lambda row: -row.to_window(*row.pos)[1])
    assert rows[0].text == "Tous les patients du centre"
    assert rows[-1].count == str(found)

    section(hand, "breakdown")
    pyramid = hand.all("AgePyramid")[0]
    assert all(band.male == 0 for band in pyramid.bands)
    assert sum(band.female for band in pyramid.bands) <= found

    section(hand, "survival")
    curve = hand.until(lambda: hand.all("SurvivalCurve"))[0]
    assert curve.survival.patients + curve.survival.excluded == found
    hand.tap(next(one for one in hand.all("Segment") if one.value == "PROGRESSION_FREE"))
    hand.until(lambda: any(c.survival.endpoint == "PROGRESSION_FREE" for c in hand.all("SurvivalCurve")))

    section(hand, "patients")
    card = hand.until(lambda: hand.all("MemberCard"))[0]
    assert hand.picture(tmp_path / "cohort.png").stat().st_size > 10_000
    hand.reveal(card)
    hand.tap(card)
    hand.until(lambda: hand.page.name == "patient" and hand.page.patient is not None)
    assert hand.app.shell.back()
    assert hand.page.name == "cohort"


def test_a_refresh_tells_who_came_and_who_went_and_why(physician: Callable[..., Hand], two_centres: AppNetwork) -> None:
    hand = physician(TABLET)
    found = keep(hand, "À suivre")
    page = hand.all("CohortPage")[0]
    assert page.changes == ""
    with two_centres.store() as store, store.session() as session:
        one = session.exec(select(Patient).join(Tumour).where(Patient.sex == Sex.FEMALE.value)).first()
        one.sex = Sex.MALE
        ident = one.id
    try:
        hand.tap(page.ids.refresh)
        hand.until(lambda: page.changes)
        assert page.cohort.count == found - 1
        assert page.changes.startswith("0 entrées, 1 sorties")
        hand.settle(0.3)
        hand.tap(page.ids.changes)
        sheet = hand.until(lambda: hand.all("Sheet"))[0]
        hand.until(lambda: any("ne remplit plus" in text for text in hand.texts(sheet)))
    finally:
        with two_centres.store() as store, store.session() as session:
            session.get(Patient, ident).sex = Sex.FEMALE


def test_a_cohort_is_shared_with_the_centre_then_deleted_once_that_is_confirmed(
    physician: Callable[..., Hand], two_centres: AppNetwork
) -> None:
    hand = physician(TABLET)
    keep(hand, "À partager")
    page = hand.all("CohortPage")[0]
    hand.tap(page.ids.share)
    hand.until(lambda: page.shared)
    hand.until(lambda: any(card.shared for card in hand.all("CohortCard")))
    hand.settle(0.3)
    hand.tap(page.ids.delete)
    sheet = hand.until(lambda: hand.all("Sheet"))[0]
    hand.settle(0.2)
    hand.tap(hand.find("PushButton", root=sheet, text="Supprimer"))
    hand.until(lambda: not hand.all("CohortCard"))
    with two_centres.store() as store, store.session() as session:
        assert session.exec(select(Cohort)).all() == []
