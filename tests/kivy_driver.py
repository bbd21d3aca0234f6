"""Fixtures of the app's journeys: a hand on the real app, drawn offscreen in software.

Import before anything of Kivy: the window is set here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consore_mobile.window import LARGEST, PHONE, TABLET, prepare

prepare(LARGEST, offscreen=True)

from consore_mobile.driving import Hand  # noqa: E402

__all__ = ["PHONE", "TABLET", "Hand", "open_app", "sign_in"]


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[Callable[..., Hand]]:
    """Starts the app on a phone or a tablet; closed at the end of the test."""
    from consore_mobile.app import ConsoreApp

    hands: list[Hand] = []

    def start(server: str = "", size: tuple[int, int] = PHONE) -> Hand:
        for former in hands:
            former.stop()
        hands.clear()
        hands.append(Hand(ConsoreApp(server=server, folder=tmp_path / "app"), size))
        return hands[0]

    yield start
    for hand in hands:
        hand.stop()


def sign_in(hand: Hand, login: str, password: str) -> None:
    """Fill in the sign-in screen and wait for the first screen."""
    page = hand.app.shell.main.get_screen("sign_in")
    hand.type(page.ids.login.ids.input, login)
    hand.type(page.ids.password.ids.input, password)
    hand.tap(page.ids.submit)
    hand.until(lambda: hand.app.me is not None)
    hand.settle(0.2)
