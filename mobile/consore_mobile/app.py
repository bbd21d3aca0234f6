"""The app: who is signed in, which colours and language, which screens are open; and the shell that shows them.

A phone shows one screen over a bottom bar; from 840 dp of width a tablet shows a rail, a list and its detail side
by side. Each destination keeps its own stack of details, so that coming back finds things as they were.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kivy.clock import Clock
from kivy.core.window import Window
from kivy.lang import Builder
from kivy.metrics import dp
from kivy.properties import BooleanProperty, ListProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.screenmanager import NoTransition, ScreenManager
from kivymd.app import MDApp
from kivymd.uix.screen import MDScreen

from consore_mobile.answers import Me
from consore_mobile.asking import Asking
from consore_mobile.client import Client
from consore_mobile.failures import Failure, SignedOut
from consore_mobile.network import Call, Network
from consore_mobile.preferences import Preferences
from consore_mobile.widgets.kit import Colours, Sheet, Tappable, Toast

TWO_PANES_FROM = 840  # dp
LAYOUTS_A_FRAME = 30  # words in a card in a list: a change of height passes through more layouts than Kivy's ten
DESTINATIONS = {
    "search": "magnify",
    "review": "check-decagram-outline",
    "cohorts": "account-group-outline",
    "centres": "hospital-building",
    "sources": "database-outline",
    "referentials": "book-open-variant-outline",
    "settings": "cog-outline",
}
DESTINATIONS_OF_ROLE = {
    "PHYSICIAN": ["search", "review", "cohorts", "centres", "settings"],
    "ADMIN": ["sources", "referentials", "settings"],
    "INTEGRATOR": ["settings"],
}
WITH_DETAIL = {"search", "review", "cohorts", "sources"}
MODULES = {
    "sign_in": "SignInPage",
    "search": "SearchPage",
    "review": "ReviewPage",
    "cohorts": "CohortsPage",
    "centres": "CentresPage",
    "sources": "SourcesPage",
    "referentials": "ReferentialsPage",
    "settings": "SettingsPage",
    "patient": "PatientPage",
    "document": "DocumentPage",
    "similar": "SimilarPage",
    "cohort": "CohortPage",
    "trial": "TrialPage",
    "protocol": "ProtocolPage",
    "source": "SourcePage",
    "blank": "BlankPage",
}


@dataclass(slots=True)
class Route:
    """A screen and what it shows."""

    name: str
    given: dict[str, Any] = field(default_factory=dict)


class NavItem(Tappable):
    """One destination of the bar or of the rail."""

    name = StringProperty("")
    icon = StringProperty("circle")
    active = BooleanProperty(False)


class NavBar(BoxLayout):
    """Destinations at the bottom of a phone."""


class NavRail(BoxLayout):
    """Destinations at the left of a tablet."""


class Pane(ScreenManager):
    """Where one screen is shown; screens are created on their first visit."""

    def show(self, route: Route, *, can_back: bool) -> Any:
        """Show a screen with what it is given."""
        if not self.has_screen(route.name):
            module = importlib.import_module(f"consore_mobile.screens.{route.name}")
            self.add_widget(getattr(module, MODULES[route.name])(name=route.name))
        page = self.get_screen(route.name)
        page.can_back = can_back
        self.current = route.name
        page.arrive(route.given)
        return page


class Shell(FloatLayout):
    """The panes, the navigation, and what floats above."""

    destination = StringProperty("")
    destinations = ListProperty()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.stacks: dict[str, list[Route]] = {name: [] for name in DESTINATIONS}
        self.body = BoxLayout()
        self.column = BoxLayout(orientation="vertical")
        self.main = Pane(transition=NoTransition())
        self.detail = Pane(transition=NoTransition())
        self.bar, self.rail = NavBar(), NavRail()
        self.add_widget(self.body)

    def fill(self, destinations: list[str]) -> None:
        """Set the destinations of who is signed in; empty: the sign-in screen alone."""
        self.destinations = destinations
        for stack in self.stacks.values():
            stack.clear()
        for nav in (self.bar, self.rail):
            nav.ids.places.clear_widgets()
            for name in destinations:
                item = NavItem(name=name, icon=DESTINATIONS[name])
                item.bind(on_release=lambda item: self.go(item.name))
                nav.ids.places.add_widget(item)
        for pane in (self.main, self.detail):
            pane.clear_widgets()
        self.destination = ""

    def go(self, name: str) -> None:
        """Go to a destination; a second time: back to its first screen."""
        if name == self.destination:
            self.stacks[name].clear()
        self.destination = name
        self.render()

    def open(self, name: str, **given: Any) -> None:
        """Open a detail over the present destination."""
        stack = self.stacks[self.destination]
        route = Route(name, given)
        if not stack or stack[-1] != route:
            stack.append(route)
        self.render()

    def replace(self, name: str, **given: Any) -> None:
        """Open a detail in place of all others: a tap in the list of a tablet."""
        self.stacks[self.destination].clear()
        self.open(name, **given)

    def back(self) -> bool:
        """Close the last detail; False when there is none."""
        stack = self.stacks.get(self.destination)
        if not stack:
            return False
        stack.pop()
        self.render()
        return True

    def render(self, *_: Any) -> None:
        """Lay the panes out for the present width and show what is open."""
        app = MDApp.get_running_app()
        self.body.clear_widgets()
        self.column.clear_widgets()
        for item in [*self.bar.ids.places.children, *self.rail.ids.places.children]:
            item.active = item.name == self.destination
        if not self.destination:
            self.body.add_widget(self.main)
            self.main.show(Route("sign_in"), can_back=False)
            return
        stack = self.stacks[self.destination]
        if app.two_pane:
            self._render_tablet(stack)
            return
        shown = self.detail if stack else self.main
        self.column.add_widget(shown)
        self.column.add_widget(self.bar)
        self.body.add_widget(self.column)
        shown.size_hint = (1, 1)
        shown.show(stack[-1] if stack else Route(self.destination), can_back=bool(stack))

    def _render_tablet(self, stack: list[Route]) -> None:
        self.body.add_widget(self.rail)
        self.body.add_widget(self.main)
        self.main.size_hint = (1, 1)
        self.main.show(Route(self.destination), can_back=False)
        if self.destination in WITH_DETAIL:
            self.main.size_hint = (None, 1)
            self.main.width = max(dp(380), min(dp(460), self.width * 0.36))
            self.body.add_widget(self.detail)
            route = stack[-1] if stack else Route("blank", {"of": self.destination})
            self.detail.show(route, can_back=len(stack) > 1)


class ConsoreApp(MDApp):
    """The running app. `server` overrides the remembered address; `folder` holds preferences."""

    language = StringProperty("fr")
    theme = StringProperty("system")
    two_pane = BooleanProperty(False)
    c = ObjectProperty(rebind=True)
    me = ObjectProperty(None, allownone=True)

    def __init__(
        self, server: str = "", folder: Path | None = None, authority: Path | None = None, **given: Any
    ) -> None:
        self.c = Colours()
        super().__init__(**given)
        self.title = "Consore"
        self.folder = folder or Path(os.environ.get("CONSORE_MOBILE_HOME") or self.user_data_dir)
        self.authority = authority
        self.preferences = Preferences.load(self.folder / "preferences.json")
        self.preferences.server = server or self.preferences.server
        self.network = Network(lambda function: Clock.schedule_once(lambda _: function(), 0))
        self.client: Client | None = None
        self.asking = Asking()
        self.ended = False
        self._sheet: Sheet | None = None
        self._toast: Toast | None = None

    def build(self) -> MDScreen:
        """The root: a themed screen with the shell in it."""
        self.language, self.theme = self.preferences.language, self.preferences.theme
        self._follow_theme()
        self._follow_width()
        Clock.max_iteration = LAYOUTS_A_FRAME
        self.shell = Shell()
        root = MDScreen(self.shell)
        root.theme_bg_color = "Custom"
        root.md_bg_color = self.c.background
        self.c.bind(background=lambda _, colour: setattr(root, "md_bg_color", colour))
        Window.bind(width=self._follow_width, on_keyboard=self._on_key)
        Window.softinput_mode = "below_target"
        self.shell.fill([])
        self.shell.render()
        return root

    def on_stop(self) -> None:
        """Close the session and the network thread."""
        Window.unbind(width=self._follow_width, on_keyboard=self._on_key)
        client, self.client = self.client, None  # an answer that comes meanwhile asks nothing more
        if client:
            with contextlib.suppress(Exception):  # closing must not fail because the server has gone
                self.network.run(self._leave(client))
        self.network.stop()

    def ask(self, work: Any, then: Any, otherwise: Any) -> Call:
        """Send a call; a session that has ended leads to the sign-in screen, whoever asked."""

        def failed(failure: Failure) -> None:
            if isinstance(failure, SignedOut):
                self.end_session()
            else:
                otherwise(failure)

        return self.network.send(work, then, failed)

    def enter(self, client: Client, me: Me) -> None:
        """Someone has signed in."""
        self.client, self.me, self.ended = client, me, False
        self.asking = Asking()
        self.preferences.server, self.preferences.login = client.address, me.login
        self.save_preferences()
        self.shell.fill(DESTINATIONS_OF_ROLE.get(me.role, ["search", "cohorts", "centres", "settings"]))
        self.shell.go(self.shell.destinations[0])

    def sign_out(self) -> None:
        """Leave on purpose."""
        if self.client:
            self.network.send(self._leave(self.client))
        self._forget()

    def end_session(self) -> None:
        """The server has closed the session: say so on the sign-in screen."""
        if self.client:
            self.ended = True
            self.network.send(self.client.close())
            self._forget()

    def open_sheet(self, sheet: Sheet) -> Sheet:
        """Show a panel over everything."""
        self.close_sheet()
        sheet.wide = Window.width >= dp(600)
        sheet.bind(on_closed=lambda *_: setattr(self, "_sheet", None))
        self._sheet = sheet
        self.shell.add_widget(sheet)
        return sheet

    def close_sheet(self) -> bool:
        """Close the open panel; False when there is none."""
        if not self._sheet:
            return False
        self._sheet.close()
        return True

    def say(self, text: str) -> None:
        """A short message at the bottom, for four seconds."""
        if self._toast and self._toast.parent:
            self._toast.parent.remove_widget(self._toast)
        toast = self._toast = Toast(text=text)
        toast.pos_hint = {"center_x": 0.5}
        toast.y = dp(104)
        self.shell.add_widget(toast)
        Clock.schedule_once(lambda _: toast.parent and toast.parent.remove_widget(toast), 4)

    def set_theme(self, theme: str) -> None:
        """`light`, `dark` or `system`."""
        self.theme = self.preferences.theme = theme
        self._follow_theme()
        self.save_preferences()

    def set_language(self, language: str) -> None:
        """`fr` or `en`; the server is asked in that language from now on."""
        self.language = self.preferences.language = language
        if self.client:
            self.client.language = language
        self.save_preferences()

    def histories_changed(self, patient_id: str) -> None:
        """A physician has judged something of a patient: what is kept of them is asked again."""
        for pane in (self.shell.main, self.shell.detail):
            for page in pane.screens:
                if page.name in {"patient", "similar"}:
                    page.forget()
                    if (page.given or {}).get("patient_id") == patient_id:
                        page.given = None
        if self.two_pane:
            self.shell.render()

    def save_preferences(self) -> None:
        """Keep what must survive a restart; a full disk must not stop the app."""
        try:
            self.preferences.save(self.folder / "preferences.json")
        except OSError:
            return

    def _forget(self) -> None:
        self.close_sheet()
        self.client, self.me, self.asking = None, None, Asking()
        self.shell.fill([])
        self.shell.render()

    @staticmethod
    async def _leave(client: Client) -> None:
        await client.sign_out()
        await client.close()

    def _follow_theme(self) -> None:
        scheme = self.theme if self.theme != "system" else system_scheme()
        self.c.scheme = scheme
        self.theme_cls.theme_style = "Dark" if scheme == "dark" else "Light"

    def _follow_width(self, *_: Any) -> None:
        two_pane = Window.width >= dp(TWO_PANES_FROM)
        if two_pane != self.two_pane:
            self.two_pane = two_pane
            if self.root:
                self.shell.render()

    def _on_key(self, _: Any, key: int, *rest: Any) -> bool:
        # Escape, which is also Android's back button
        return key == 27 and (self.close_sheet() or self.shell.back())


def system_scheme() -> str:
    """What the device prefers. Android says; elsewhere a desktop's setting is not read, and it is light."""
    try:
        from android import mActivity  # type: ignore[import-not-found]
    except ImportError:
        return "light"
    night = mActivity.getResources().getConfiguration().uiMode & 0x30
    return "dark" if night == 0x20 else "light"


Builder.load_file(str(Path(__file__).with_suffix(".kv")))
