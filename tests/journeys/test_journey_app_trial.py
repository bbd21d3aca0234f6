"""A physician pastes a protocol in the app, says which lines count, and watches who becomes eligible."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from app_network import AppNetwork
from kivy_driver import PHONE, Hand, sign_in
from sqlalchemy import delete
from sqlmodel import select

from consore.model import Cohort, Patient, Trial

pytestmark = pytest.mark.gl
PROTOCOL = """Critères d'inclusion :
- Femme âgée de 18 ans ou plus
- Espérance de vie supérieure à 3 mois
Critères de non-inclusion :
- Traitement antérieur par trastuzumab"""


@pytest.fixture
def physician(open_app: Callable[..., Hand], two_centres: AppNetwork) -> Hand:
    with two_centres.store() as store, store.session() as session:
        session.execute(delete(Trial))
        session.execute(delete(Cohort))
    hand = open_app(two_centres.address, PHONE)
    sign_in(hand, "medecin", two_centres.password("medecin"))
    hand.app.shell.go("cohorts")
    hand.settle(0.3)
    hand.tap(next(one for one in hand.all("Segment") if one.value == "trials"))
    hand.until(lambda: hand.page.of == "trials" and hand.page.state == "ready")
    hand.settle(0.3)
    return hand


def test_a_protocol_is_read_line_by_line_and_who_becomes_eligible_is_told_once(
    physician: Hand, two_centres: AppNetwork
) -> None:
    hand = physician
    hand.tap(hand.page.ids.new_trial)
    hand.until(lambda: hand.page.name == "protocol")
    page = hand.page
    page.ids.name.text, page.ids.protocol.text = "HORIZON", PROTOCOL
    hand.settle(0.2)
    hand.tap(page.ids.read)
    hand.until(lambda: page.lines)
    hand.settle(0.3)
    cards = {card.text: card for card in hand.all("LineCard")}
    assert [card.counts for card in cards.values()].count(True) == 2
    uncoded = cards["Espérance de vie supérieure à 3 mois"]
    assert not uncoded.counts
    hand.tap(uncoded)
    assert not uncoded.counts, "what is not coded cannot count"
    hand.tap(cards["Traitement antérieur par trastuzumab"])
    assert "1 lignes sur 3" in page.summary
    hand.tap(page.ids.keep)
    hand.until(lambda: hand.page.name == "trial" and hand.page.trial)
    trial = hand.page.trial
    with two_centres.store() as store, store.session() as session:
        women = session.exec(select(Patient).where(Patient.sex == "female", ~Patient.opposed)).all()
    assert 0 < trial.cohort.count <= len(women)
    assert [line.accepted for line in trial.lines] == [True, False, False]
    assert not hand.page.has_new
    assert "Personne de nouveau depuis votre dernier passage." in hand.texts(hand.page.ids.people)
    assert hand.app.shell.back()
    hand.until(lambda: hand.all("CohortCard"))
    assert hand.all("CohortCard")[0].name == "HORIZON"
