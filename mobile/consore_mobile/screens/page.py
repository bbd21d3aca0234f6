"""What every screen shares: being given something to show, asking the server for it, waiting, and failing clearly."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.clock import Clock
from kivy.lang import Builder
from kivy.properties import BooleanProperty, ObjectProperty, OptionProperty
from kivymd.app import MDApp
from kivymd.uix.screen import MDScreen

from consore_mobile.failures import Failure
from consore_mobile.network import Call
from consore_mobile.widgets.kit import Skeleton, failure_notice

KEPT = 24  # answers kept for going back
FRESH_S = 300.0


def rules_beside(file: str) -> None:
    """Load the `.kv` beside a module."""
    Builder.load_file(str(Path(file).with_suffix(".kv")))


class Page(MDScreen):
    """A screen. `given` is what it was opened with; `state` is what its `body` shows."""

    can_back = BooleanProperty(False)
    state = OptionProperty("ready", options=["ready", "loading", "failed"])
    given = ObjectProperty(None, allownone=True)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.app: Any = MDApp.get_running_app()
        self._call: Call | None = None
        self._veil: Any = None
        self._answers: OrderedDict[Any, tuple[float, Any]] = OrderedDict()
        self._later: dict[Callable[[], None], Any] = {}
        self.app.bind(language=lambda *_: self._speak_again(), on_stop=lambda *_: self._forget_later())

    def arrive(self, given: dict[str, Any]) -> None:
        """Be shown; opened anew when given something else than before."""
        if given != self.given:
            self.given = dict(given)
            self.open(**given)

    def open(self, **given: Any) -> None:
        """Show what was given. Screens say how."""

    def back(self) -> None:
        """Close this screen."""
        self.app.shell.back()

    def load(self, key: Any, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Ask the server, show the answer; a recent one is shown at once. `work` makes the coroutine, also to retry."""
        if self._call:
            self._call.cancel()
        known = self._answers.get(key)
        if known and time.monotonic() - known[0] < FRESH_S:
            self._reveal()
            then(known[1])
            return

        def received(answer: Any) -> None:
            self._answers[key] = (time.monotonic(), answer)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
            self._reveal()
            then(answer)

        def failed(failure: Failure) -> None:
            self._cover(failure_notice(failure, lambda: self.load(key, work, then)), "failed")

        self._cover(Skeleton(), "loading")
        self._call = self.app.ask(work(), received, failed)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something after a while, once, however often it is asked; never after the app or the session has ended."""

        def now(_: float) -> None:
            del self._later[what]
            if self.app.client is not None:
                what()

        if what in self._later:
            self._later[what].cancel()
        self._later[what] = Clock.schedule_once(now, seconds)

    def _forget_later(self) -> None:
        for event in self._later.values():
            event.cancel()
        self._later.clear()

    def forget(self) -> None:
        """Drop the kept answers: something has changed on the server."""
        self._answers.clear()

    def _speak_again(self) -> None:
        # answers carry labels in the language in which they were asked
        self.forget()
        if self.given is not None:
            self.open(**self.given)

    def _cover(self, veil: Any, state: str) -> None:
        self._reveal()
        self.state = state
        self._veil = veil
        self.ids.body.opacity = 0
        self.ids.body.disabled = True
        self.ids.stage.add_widget(veil)

    def _reveal(self) -> None:
        if self._veil is not None:
            if isinstance(self._veil, Skeleton):
                self._veil.stop()
            self.ids.stage.remove_widget(self._veil)
            self._veil = None
        self.ids.body.opacity = 1
        self.ids.body.disabled = False
        self.state = "ready"


rules_beside(__file__)
