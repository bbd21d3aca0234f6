"""A physician checks what was read without being sure, on real centres: one tap, and the history is what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_network import AppNetwork
from kivy_driver import PHONE, TABLET, Hand, sign_in
from sqlmodel import select

from consore.model import Belief, Correction

pytestmark = pytest.mark.gl


@pytest.fixture
def physician(open_app: Callable[..., Hand], two_centres: AppNetwork) -> Callable[..., Hand]:
    def start(size: tuple[int, int] = PHONE) -> Hand:
        hand = open_app(two_centres.address, size)
        sign_in(hand, "medecin", two_centres.password("medecin"))
        hand.tap(next(item for item in hand.all("NavItem") if item.name == "review"))
        hand.until(lambda: hand.page.total >= 0 or hand.app.two_pane)
        hand.until(lambda: hand.all("ReviewCard"))
        hand.settle(0.2)
        return hand

    return start


def button(hand: Hand, text: str, root: Any) -> Any:
    return hand.find("PushButton", root=root, text=text)


def last_correction(network: AppNetwork) -> Correction:
    with network.store() as store, store.session() as session:
        return session.exec(select(Correction).order_by(Correction.id.desc())).first()


def test_the_most_useful_item_is_confirmed_with_one_tap_and_taken_back_with_another(
    physician: Callable[..., Hand], two_centres: AppNetwork, tmp_path: Path
) -> None:
    hand = physician()
    page = hand.page
    values = [card.item.review_value for card in hand.all("ReviewCard", root=page.ids.cards)]
    cards = sorted(hand.all("ReviewCard", root=page.ids.cards), key=lambda card: -card.y)
    assert [card.item.review_value for card in cards] == sorted(values, reverse=True)
    card = next(card for card in cards if not card.item.set_aside and card.item.evidence)
    assert card.item.evidence[0].quote.strip() in hand.texts(card)
    total = page.total
    hand.tap(button(hand, "Confirmer", card))
    hand.until(lambda: card.judged)
    assert card.judged.startswith("Confirmé : ")
    assert page.total == total - 1
    said = last_correction(two_centres)
    assert (said.key, said.verdict, said.login) == (card.item.key, "confirm", "medecin")
    assert hand.picture(tmp_path / "review.png").stat().st_size > 10_000
    hand.tap(card.ids.undo)
    hand.until(lambda: last_correction(two_centres).withdrawn_at is not None)
    hand.until(lambda: page.total == total)


def test_a_date_is_corrected_as_people_write_it_and_nonsense_is_refused_in_the_sheet(
    physician: Callable[..., Hand], two_centres: AppNetwork
) -> None:
    hand = physician()
    hand.tap(next(chip for chip in hand.all("Chip", root=hand.page.ids.kinds) if chip.payload == "TREATMENT"))
    hand.until(lambda: hand.all("ReviewCard") and hand.all("ReviewCard")[0].item.kind == "TREATMENT")
    hand.settle(0.2)
    card = max(hand.all("ReviewCard"), key=lambda card: card.y)
    hand.tap(button(hand, "Corriger", card))
    sheet = hand.until(lambda: hand.all("Sheet"))[0]
    hand.settle(0.2)
    hand.tap(next(chip for chip in hand.all("Chip", root=sheet) if chip.payload == "start"))
    field = hand.find("Field", root=sheet)
    hand.type(field.ids.input, "bientôt")
    hand.tap(button(hand, "Enregistrer", sheet))
    hand.until(lambda: any("n’est pas une date" in text for text in hand.texts(sheet)))
    hand.type(field.ids.input, "03/2020")
    hand.tap(button(hand, "Enregistrer", sheet))
    hand.until(lambda: card.judged)
    assert last_correction(two_centres).values_ == {"start": "2020-03-01"}


def test_a_point_of_the_history_is_rejected_where_it_is_explained(
    physician: Callable[..., Hand], two_centres: AppNetwork
) -> None:
    hand = physician(TABLET)
    card = next(
        card
        for card in hand.all("ReviewCard")
        if card.item.kind == "TREATMENT" and card.item.date and not card.item.set_aside
    )
    hand.app.shell.open("patient", patient_id=card.item.patient.id)
    hand.until(lambda: hand.page.name == "patient" and hand.page.patient)
    hand.settle(0.3)
    patient = hand.page.patient
    assert hand.page.summary[0].startswith(("Femme", "Homme"))
    assert 2 <= len(hand.page.summary) <= 5
    items = [item for lane in patient.timeline.lanes for item in lane.items]
    item = next(one for one in items if one.belief and one.belief.key == card.item.key)
    hand.page.show_item(item)
    sheet = hand.until(lambda: hand.all("Sheet"))[0]
    hand.settle(0.2)
    assert item.belief.why in hand.texts(sheet)
    hand.tap(button(hand, "Rejeter", sheet))
    hand.until(lambda: not hand.all("Sheet"))
    hand.until(lambda: hand.page.patient is not patient and hand.page.patient is not None)
    after = [one for lane in hand.page.patient.timeline.lanes for one in lane.items]
    assert item.belief.key not in {one.belief.key for one in after if one.belief}
    with two_centres.store() as store, store.session() as session:
        assert not session.exec(
            select(Belief).where(Belief.patient_id == int(patient.id), Belief.key == item.belief.key)
        ).first()
