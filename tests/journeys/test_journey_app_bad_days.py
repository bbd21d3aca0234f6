"""The app on a bad day: a wrong password, a server that is down, slow or broken, a session that has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kivy_answers import answers
from kivy_driver import Hand, sign_in
from kivy_replay import Replay

pytestmark = pytest.mark.gl


@pytest.fixture
def server() -> Iterator[Replay]:
    with Replay(answers()).serving() as replay:
        yield replay


def _try(hand: Hand, login: str, password: str) -> str:
    page = hand.app.shell.main.get_screen("sign_in")
    hand.type(page.ids.login.ids.input, login)
    hand.type(page.ids.password.ids.input, password)
    hand.tap(page.ids.submit)
    hand.until(lambda: page.problem or hand.app.me)
    return f"{page.problem} {page.problem_hint}"


def test_a_wrong_password_is_told_and_can_be_mended(open_app: Callable[..., Hand], server: Replay) -> None:
    hand = open_app(server.address)
    assert "Identifiant ou mot de passe incorrect." in _try(hand, "medecin", "wrong")
    assert _try(hand, "medecin", "secret") == " "
    assert hand.page.name == "search"


def test_an_empty_field_is_told_before_anything_is_sent(open_app: Callable[..., Hand], server: Replay) -> None:
    hand = open_app(server.address)
    hand.tap(hand.page.ids.submit)
    assert "Renseignez" in hand.page.problem
    assert server.asked == []


def test_a_server_that_is_down_is_told_apart_from_a_wrong_password(open_app: Callable[..., Hand]) -> None:
    hand = open_app("http://127.0.0.1:9")
    assert _try(hand, "medecin", "secret").startswith("Serveur injoignable")


def test_the_address_is_remembered_and_the_password_is_not(open_app: Callable[..., Hand], server: Replay) -> None:
    sign_in(open_app(server.address), "medecin", "secret")
    again = open_app()
    page = again.page
    assert (page.ids.server.text, page.ids.login.text, page.ids.password.text) == (server.address, "medecin", "")


def test_a_broken_answer_can_be_asked_again(open_app: Callable[..., Hand], server: Replay) -> None:
    hand = open_app(server.address)
    sign_in(hand, "medecin", "secret")
    server.status = 500
    hand.page.choose("cancer du sein")
    hand.until(lambda: hand.all("Notice", title="Le serveur a rencontré une erreur"))
    hand.settle(0.2)
    server.status = 200
    hand.tap(hand.find("PushButton", text="Réessayer"))
    hand.until(lambda: hand.page.count == "43 patients")


def test_waiting_shows_a_skeleton_and_the_app_stays_alive(open_app: Callable[..., Hand], server: Replay) -> None:
    hand = open_app(server.address)
    sign_in(hand, "medecin", "secret")
    server.delay_s = 3
    hand.page.choose("cancer du sein")
    hand.frames()
    assert hand.all("Skeleton")
    hand.app.shell.go("settings")
    assert hand.page.name == "settings"
    hand.app.shell.go("search")
    hand.until(lambda: hand.page.count)
    assert not hand.all("Skeleton")


def test_pages_come_as_the_list_is_scrolled(open_app: Callable[..., Hand], server: Replay) -> None:
    hand = open_app(server.address)
    sign_in(hand, "medecin", "secret")
    hand.page.choose("cancer du sein")
    hand.until(lambda: hand.page.count)
    page = hand.page
    for expected in (40, 43):
        page.ids.rows.scroll_y = 0
        hand.until(lambda expected=expected: len(page.asking.hits) == expected)
        hand.settle(0.1)
    assert not page.asking.has_more
    assert len(page.ids.rows.data) == 43


def test_an_expired_session_is_renewed_without_a_word(open_app: Callable[..., Hand], server: Replay) -> None:
    hand = open_app(server.address)
    sign_in(hand, "medecin", "secret")
    server.expired.add("medecin-0")
    hand.page.choose("cancer du sein")
    hand.until(lambda: hand.page.count == "43 patients")
    assert hand.app.client.session.access_token == "medecin-1"


def test_a_session_that_is_over_leads_to_the_sign_in_screen_which_says_so(
    open_app: Callable[..., Hand],
    server: Replay,
) -> None:
    hand = open_app(server.address)
    sign_in(hand, "medecin", "secret")
    server.expired.add("medecin-0")
    server.values["refresh"] = {"__typename": "InputProblem", "code": "refresh", "message": "", "hint": ""}
    hand.page.choose("cancer du sein")
    hand.until(lambda: hand.app.shell.main.current == "sign_in")
    hand.settle(0.1)
    assert hand.page.problem.startswith("Votre session a pris fin")
