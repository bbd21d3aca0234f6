"""A physician with the app, on real centres: from the password to the patients of other centres."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from app_network import AppNetwork
from kivy_driver import PHONE, TABLET, Hand, sign_in

pytestmark = pytest.mark.gl
QUESTION = "cancer chez la femme"


@pytest.fixture
def physician(open_app: Callable[..., Hand], two_centres: AppNetwork) -> Callable[..., Hand]:
    def start(size: tuple[int, int] = PHONE) -> Hand:
        hand = open_app(two_centres.address, size)
        sign_in(hand, "medecin", two_centres.password("medecin"))
        return hand

    return start


def _search(hand: Hand, text: str) -> None:
    page = hand.page
    hand.type(page.ids.query, text)
    hand.enter()
    hand.until(lambda: page.count and page.asking.result is not None and page.facets is not None)
    hand.settle(0.2)


def _open_first(hand: Hand) -> None:
    hand.tap(hand.find("HitRow", index=0))
    hand.until(lambda: hand.page.name == "patient" and hand.page.patient is not None)
    hand.settle(0.3)


def test_a_question_is_typed_a_patient_tapped_and_the_history_drawn(
    physician: Callable[..., Hand], tmp_path: Path
) -> None:
    hand = physician()
    assert hand.app.me.role == "PHYSICIAN"
    _search(hand, QUESTION)
    assert "Femme" in [chip.text for chip in hand.all("Chip", root=hand.page.ids.chips)]
    assert hand.page.asking.result.total > 0
    _open_first(hand)
    patient = hand.page.patient
    assert hand.page.headline == patient.headline
    drawn = hand.page.ids.history.drawn
    assert len(drawn.marks) == sum(len(lane.items) for lane in patient.timeline.lanes)
    assert hand.picture(tmp_path / "patient.png").stat().st_size > 10_000
    assert hand.app.shell.back()
    assert hand.page.name == "search"


def test_a_tap_on_the_history_shows_the_sentence_and_leads_to_it_in_the_report(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, QUESTION)
    _open_first(hand)
    history = hand.page.ids.history
    item = next(
        mark.item
        for mark in history.drawn.marks
        if any(proof.document_id and proof.start is not None for proof in mark.item.evidence)
    )
    hand.reveal(history)
    hand.tap_at(*history.centre_of(item.id))
    sheet = hand.until(lambda: hand.all("Sheet"))[0]
    proof = next(proof for proof in item.evidence if proof.document_id and proof.start is not None)
    assert proof.quote.strip() in hand.texts(sheet)
    hand.tap(hand.all("PushButton", root=sheet, icon="file-document-outline")[0])
    hand.until(lambda: hand.page.name == "document" and hand.page.document is not None)
    hand.settle(0.3)
    document = hand.page.document
    pointed = hand.find("TextBlock", pointed=1)
    assert document.text[pointed.paragraph.start : pointed.paragraph.end].strip()
    assert pointed.paragraph.start <= proof.start <= pointed.paragraph.end
    bottom = hand.page.ids.scroll.to_window(*hand.page.ids.scroll.pos)[1]
    top = bottom + hand.page.ids.scroll.height
    assert bottom <= pointed.to_window(*pointed.center)[1] <= top
    assert all(document.text[mention.start : mention.end] == mention.text for mention in document.mentions)


def test_a_chip_that_is_tapped_leaves_the_question(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, "cancer du sein chez l'homme")
    chips = hand.all("Chip", root=hand.page.ids.chips)
    assert len(chips) >= 2
    before = hand.page.asking.result.total
    removed = next(chip for chip in chips if chip.text == "Sein")
    hand.tap(removed)
    hand.until(lambda: hand.page.asking.result is not None and hand.page.asking.result.total > before)
    assert removed.payload.text not in hand.page.ids.query.text


def test_suggestions_come_while_typing_and_complete_the_question(physician: Callable[..., Hand]) -> None:
    hand = physician()
    page = hand.page
    hand.type(page.ids.query, "adénocarc")
    hand.until(lambda: page.suggestions)
    hand.settle(0.1)
    row = hand.all("SuggestionRow")[-1]
    chosen = row.text
    hand.tap(row)
    hand.until(lambda: page.asking.result is not None)
    assert page.ids.query.text == chosen
    assert page.suggestions == []


def test_a_filter_narrows_the_list_and_its_removal_widens_it(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, QUESTION)
    page = hand.page
    total = page.asking.result.total
    facet, value = next((f, v) for f in page.facets for v in f.values if 0 < v.count < total)
    hand.tap(page.ids.filters_button)
    chip = next(chip for chip in hand.all("Chip") if chip.payload == (facet, value))
    hand.tap(chip)
    hand.until(lambda: page.asking.result is not None and page.asking.result.total == value.count)
    hand.app.close_sheet()
    hand.settle(0.2)
    hand.tap(next(chip for chip in hand.all("Chip", root=page.ids.chips) if chip.payload == value))
    hand.until(lambda: page.asking.result is not None and page.asking.result.total == total)


def test_a_question_without_answer_says_why(physician: Callable[..., Hand]) -> None:
    hand = physician()
    page = hand.page
    hand.type(page.ids.query, "cancer de la prostate chez la femme")
    hand.enter()
    notice = hand.until(lambda: hand.all("NoneView"))[0]
    assert notice.title == "Aucun patient ne correspond"
    assert "Touchez un critère" in notice.hint
    near = hand.all("NearRow")
    assert near
    hand.tap(near[0])
    hand.until(lambda: page.asking.result is not None and page.asking.result.total > 0)
    assert near[0].count == page.count


def test_a_word_read_otherwise_is_put_back_with_a_tap(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, "cancer métastatique")
    page = hand.page
    chip = next(chip for chip in hand.all("Chip", root=page.ids.chips) if chip.payload.alternatives)
    hand.tap(chip)
    other = hand.until(lambda: hand.all("NearRow"))[0]
    hand.tap(other)
    hand.until(lambda: page.asking.result is not None and "d'emblée" in page.asking.text)
    assert "Métastatique au diagnostic" in [chip.text for chip in hand.all("Chip", root=page.ids.chips)]


def test_similar_patients_are_named_with_what_they_share(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, QUESTION)
    _open_first(hand)
    first = hand.page.patient.id
    hand.tap(hand.page.ids.similar)
    hand.until(lambda: hand.page.name == "similar" and hand.all("SimilarCard"))
    card = hand.all("SimilarCard")[0]
    assert card.shared
    hand.tap(card)
    hand.until(lambda: hand.page.name == "patient" and hand.page.patient and hand.page.patient.id != first)
    hand.app.shell.back()
    hand.app.shell.back()
    hand.until(lambda: hand.page.name == "patient" and hand.page.patient and hand.page.patient.id == first)


def test_every_centre_has_a_row_also_the_one_that_is_down_and_its_referent_can_be_written_to(
    physician: Callable[..., Hand],
) -> None:
    hand = physician()
    _search(hand, QUESTION)
    hand.tap(hand.page.ids.centres_button)
    page = hand.page
    hand.until(lambda: page.total)
    cards = {card.code: card for card in hand.all("CentreCard")}
    assert set(cards) == {"ALIZE", "BOREAL", "AQUILON"}
    assert cards["BOREAL"].state == "ANSWERED"
    assert cards["BOREAL"].count == "<10" or int(cards["BOREAL"].count) % 10 == 0
    assert cards["AQUILON"].state == "UNREACHABLE"
    assert cards["AQUILON"].count == "–"
    assert not cards["ALIZE"].contactable
    hand.tap(hand.find("PushButton", root=cards["BOREAL"], text="Contacter"))
    sheet = hand.until(lambda: hand.all("Sheet"))[0]
    send = hand.find("PushButton", root=sheet, text="Envoyer la demande")
    hand.tap(send)
    assert hand.find("Field", root=sheet).error
    hand.type(hand.find("Field", root=sheet).ids.input, "Faisabilité d'un essai de phase II")
    hand.tap(send)
    hand.until(lambda: not hand.all("Sheet"))
    hand.until(lambda: any("Faisabilité" in row.title for row in hand.all("RequestRow")))


def test_a_tablet_shows_the_list_beside_the_patient_and_turning_it_loses_nothing(
    physician: Callable[..., Hand],
) -> None:
    hand = physician(TABLET)
    _search(hand, QUESTION)
    _open_first(hand)
    patient = hand.page.patient.id
    assert hand.app.shell.main.current == "search"
    assert hand.all("HitRow", patient_id=patient)[0].chosen
    hand.resize((800, 915))
    assert not hand.app.two_pane
    assert hand.page.name == "patient"
    assert hand.page.patient.id == patient
    hand.resize(TABLET)
    assert hand.app.two_pane
    assert hand.page.patient.id == patient


def test_the_list_scrolls_under_a_finger_and_the_history_zooms(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, QUESTION)
    rows = hand.page.ids.rows
    hand.swipe((200, 300), (200, 700))
    assert rows.scroll_y < 1
    hand.swipe((200, 300), (200, 880))
    hand.until(lambda: len(hand.page.asking.hits) == hand.page.asking.result.total or hand.page.asking.page > 1)
    hand.until(lambda: abs(rows.effect_y.velocity) < 1)  # the list still glides
    rows.effect_y.value = rows.effect_y.max
    rows.scroll_y = 1
    hand.until(lambda: hand.all("HitRow", index=0))
    _open_first(hand)
    history = hand.page.ids.history
    width = history.drawn.width
    history.zoom_by(2)
    hand.settle(0.1)
    assert history.drawn.width == pytest.approx(2 * width)
    x, y = history.to_window(*history.center)
    shift = history.shift
    hand.swipe((x, y), (x - 120, y))
    assert history.shift == pytest.approx(shift + 120, abs=15)
    assert not hand.all("Sheet")


def test_another_language_and_another_light_are_taken_at_once(physician: Callable[..., Hand]) -> None:
    hand = physician()
    hand.app.shell.go("settings")
    hand.settle(0.2)
    hand.tap(hand.find("Segment", value="en"))
    hand.tap(hand.find("Segment", value="dark"))
    assert "Settings" in hand.texts()
    assert hand.app.c.scheme == "dark"
    hand.app.shell.go("search")
    hand.settle(0.2)
    assert "What are you looking for?" in hand.texts()
    _search(hand, QUESTION)
    hand.tap(hand.page.ids.centres_button)
    hand.until(lambda: hand.page.total)


def test_signing_out_leaves_nothing_of_a_patient_on_the_screen(physician: Callable[..., Hand]) -> None:
    hand = physician()
    _search(hand, QUESTION)
    _open_first(hand)
    headline = hand.page.headline
    hand.app.shell.go("settings")
    hand.settle(0.2)
    hand.tap(hand.page.ids.sign_out)
    hand.settle(0.3)
    assert hand.app.shell.main.current == "sign_in"
    assert headline not in hand.texts()
    assert hand.app.client is None
    assert hand.app.asking.result is None
