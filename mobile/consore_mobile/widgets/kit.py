"""Small themed widgets, light enough for long lists: they draw themselves and follow `app.c` (colours) by binding.

Sizes are on an 8 dp grid, what can be touched is at least 48 dp high, text sizes are in sp.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from kivy.animation import Animation
from kivy.app import App
from kivy.clock import Clock
from kivy.core.text import Label as CoreLabel
from kivy.core.window import Window
from kivy.event import EventDispatcher
from kivy.lang import Builder
from kivy.metrics import dp, sp
from kivy.properties import (
    BooleanProperty,
    ColorProperty,
    ListProperty,
    NumericProperty,
    ObjectProperty,
    OptionProperty,
    StringProperty,
)
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.label import Label
from kivy.uix.scrollview import ScrollView
from kivy.uix.stacklayout import StackLayout
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget
from kivymd.icon_definitions import md_icons

from consore_mobile.failures import Failure
from consore_mobile.palette import LIGHT, SCHEMES
from consore_mobile.words import word

_Named = type("_Named", (EventDispatcher,), {name: ColorProperty(value) for name, value in LIGHT.items()})


class Colours(_Named):  # type: ignore[misc, valid-type]
    """The colours in force; every name of the palette is a property that rules bind to."""

    scheme = StringProperty("light")

    def on_scheme(self, _: Any, scheme: str) -> None:
        for name, value in SCHEMES[scheme].items():
            setattr(self, name, value)

    def hexes(self) -> dict[str, str]:
        """The same as `#RRGGBB`, for label markup."""
        return SCHEMES[self.scheme]


@lru_cache(maxsize=4096)
def text_width(text: str, size_sp: float, font: str = "Roboto") -> float:
    """The width of one line of text, in pixels."""
    label = CoreLabel(font_size=sp(size_sp), font_name=font)
    label.resolve_font_name()
    return float(label.get_extents(text)[0])


def line_count(text: str, size_sp: float, font: str, room: float) -> int:
    """On how many lines a text is wrapped in `room` pixels."""
    lines, reached, space = 1, 0.0, text_width(" ", size_sp, font)
    for part in text.split():
        width = text_width(part, size_sp, font)
        if reached and reached + space + width > room:
            lines, reached = lines + 1, width
        else:
            reached += width + (space if reached else 0)
    return lines


@lru_cache(maxsize=4096)
def shortened(text: str, size_sp: float, font: str, most: float) -> str:
    """`text`, cut with an ellipsis where it is wider than `most` pixels."""
    if not most or text_width(text, size_sp, font) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size_sp, font) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


class Words(Label):
    """Text that wraps at its own width and is as high as it needs."""


class Quiet(Words):
    """Secondary text."""


class Heading(Words):
    """The title of a section."""


class Title(Words):
    """The title of a screen."""


class Icon(Label):
    """A Material Design icon, by its name."""

    icon = StringProperty("circle")

    def glyph(self, name: str) -> str:
        """The character of an icon; a question mark for a wrong name."""
        return md_icons.get(name, md_icons["help-circle-outline"])


class Tappable(ButtonBehavior, BoxLayout):
    """Anything that can be tapped; it darkens while pressed."""

    press_radius = NumericProperty(dp(12))


class IconButton(ButtonBehavior, Icon):
    """An icon of 48 dp to tap; `says` is what it does, in words."""

    says = StringProperty("")


class PushButton(Tappable):
    """A button with words and perhaps an icon. `look`: `filled`, `tonal` or `text`."""

    text = StringProperty("")
    icon = StringProperty("")
    look = OptionProperty("filled", options=["filled", "tonal", "text", "danger"])
    busy = BooleanProperty(False)
    ink = ColorProperty([0, 0, 0, 1])
    ground = ColorProperty([0, 0, 0, 0])


class Chip(Tappable):
    """A small rounded label; tappable ones are 48 dp high around a pill of 32 dp."""

    text = StringProperty("")
    icon = StringProperty("")
    trailing = StringProperty("")
    active = BooleanProperty(False)
    ground = ColorProperty([0, 0, 0, 0])
    ink = ColorProperty([0, 0, 0, 1])
    widest = NumericProperty(dp(340))
    payload = ObjectProperty(None, allownone=True)


class ChipText(Label):
    """The words of a chip; `full` is their width before any shortening."""

    full = NumericProperty(0)

    def on_text(self, _: Any, text: str) -> None:
        self.full = text_width(text, 14) + dp(6)  # Kivy shortens a little before the end


class Tag(Label):
    """A small rounded label that only tells."""

    ground = ColorProperty([0, 0, 0, 0])
    widest = NumericProperty(dp(320))


class Flow(StackLayout):
    """Children one after the other, on as many lines as needed."""


class TagFlow(Flow):
    """Tags from their texts."""

    tags = ListProperty()

    def on_tags(self, *_: Any) -> None:
        self.clear_widgets()
        for text in self.tags:
            self.add_widget(Tag(text=text))


class Trait(BoxLayout):
    """A tag with an icon before it: the icon tells what the colour tells."""

    text = StringProperty("")
    icon = StringProperty("check")
    muted = BooleanProperty(False)


class TraitFlow(Flow):
    """Traits from their texts."""

    traits = ListProperty()
    icon = StringProperty("check")
    muted = BooleanProperty(False)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.bind(traits=self._fill, icon=self._fill, muted=self._fill)

    def _fill(self, *_: Any) -> None:
        self.clear_widgets()
        for text in self.traits:
            self.add_widget(Trait(text=text, icon=self.icon, muted=self.muted))


class Card(BoxLayout):
    """A raised surface with room around its content."""


class TappableCard(Tappable):
    """A card to tap."""


class Shown(BoxLayout):
    """A row or a column that is there or not; when not, its children take no place and no touch. `tall`: its height."""

    shown = BooleanProperty(True)
    tall = NumericProperty(0)

    def __init__(self, **given: Any) -> None:
        self._kept: list[Widget] = []
        super().__init__(**given)

    def on_shown(self, *_: Any) -> None:
        if not self.shown:
            self._kept = self.children[::-1]
            self.clear_widgets()
        elif not self.children:
            for widget in self._kept:
                self.add_widget(widget)


class Gauge(Widget):
    """How much is done: `share` from 0 to 1; less than 0 where that is not known, and the whole is half-toned."""

    share = NumericProperty(-1.0)


class Rule(Widget):
    """A thin line."""


class Column(BoxLayout):
    """A column that keeps to a readable width on wide screens."""


class Field(BoxLayout):
    """A labelled field to type in, with its own error."""

    label = StringProperty("")
    text = StringProperty("")
    hint = StringProperty("")
    error = StringProperty("")
    icon = StringProperty("")
    password = BooleanProperty(False)
    hidden = BooleanProperty(True)
    multiline = BooleanProperty(False)
    input_type = StringProperty("text")
    focused = BooleanProperty(False)

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_validate")
        super().__init__(**given)

    def on_validate(self) -> None:
        """Enter was pressed."""

    def on_touch_down(self, touch: Any) -> bool:
        # the whole field is the target, not its text alone
        if self.collide_point(*touch.pos) and not super().on_touch_down(touch):
            self.ids.input.focus = True
            touch.grab(self)
            return True
        return bool(self.collide_point(*touch.pos))


class Bare(TextInput):
    """A text input without any decoration: what is around it draws it."""


class Bar(BoxLayout):
    """The top of a screen: back, title, actions."""

    title = StringProperty("")
    can_back = BooleanProperty(False)

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_back")
        super().__init__(**given)

    def on_back(self) -> None:
        """The arrow was tapped."""


class Scroll(ScrollView):
    """A vertical scroll. The history inside watches touches first, so that it can be panned while the page scrolls."""

    watcher = ObjectProperty(None, allownone=True)

    def on_touch_down(self, touch: Any) -> bool:
        if self.watcher is not None and self.collide_point(*touch.pos) and self.watcher.watch(touch):
            return True
        return bool(super().on_touch_down(touch))


class Skeleton(BoxLayout):
    """Grey bars where text will be, breathing slowly."""

    glow = NumericProperty(1.0)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._breath = Animation(glow=0.45, d=0.7, t="in_out_sine") + Animation(glow=1.0, d=0.7, t="in_out_sine")
        self._breath.repeat = True
        self._breath.start(self)

    def stop(self) -> None:
        """Stop breathing, so that a hidden skeleton costs nothing."""
        self._breath.cancel(self)


class Notice(BoxLayout):
    """A centred message: an icon, a title, what to do next, perhaps a button."""

    icon = StringProperty("information-outline")
    title = StringProperty("")
    hint = StringProperty("")
    action = StringProperty("")

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_again")
        super().__init__(**given)

    def on_again(self) -> None:
        """The button was tapped."""


class Segments(BoxLayout):
    """One choice among a few, side by side. `options`: (value, text) pairs."""

    options = ListProperty()
    value = StringProperty("")

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_choice")
        super().__init__(**given)
        self.bind(options=self._build)
        self._build()

    def on_choice(self, value: str) -> None:
        """Another option was tapped."""

    def choose(self, value: str) -> None:
        """Tap an option."""
        if value != self.value:
            self.value = value
            self.dispatch("on_choice", value)

    def _build(self, *_: Any) -> None:
        self.clear_widgets()
        for value, text in self.options:
            self.add_widget(Segment(value=str(value), text=text, owner=self))


class Segment(Tappable):
    """One option of `Segments`."""

    value = StringProperty("")
    text = StringProperty("")
    owner = ObjectProperty(None)


class Choices(Flow):
    """One choice among a few, on as many lines as needed. `options`: (value, text) pairs."""

    options = ListProperty()
    value = StringProperty("")

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_choice")
        super().__init__(**given)
        self.bind(options=self._build, value=self._mark)

    def on_choice(self, value: str) -> None:
        """Another option was tapped."""

    def _build(self, *_: Any) -> None:
        self.clear_widgets()
        for value, text in self.options:
            chip = Chip(text=text, payload=value)
            chip.bind(on_release=lambda chip: self.dispatch("on_choice", chip.payload))
            self.add_widget(chip)
        self._mark()

    def _mark(self, *_: Any) -> None:
        for chip in self.children:
            chip.active = chip.payload == self.value
            chip.icon = "check" if chip.active else ""


class Tabs(ScrollView):
    """Sections of a screen, one shown at a time. `options`: (value, text) pairs."""

    options = ListProperty()
    value = StringProperty("")

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.bind(options=self._build)
        Clock.schedule_once(self._build, -1)

    def _build(self, *_: Any) -> None:
        row = self.ids.row
        row.clear_widgets()
        for value, text in self.options:
            row.add_widget(Tab(value=value, text=text, owner=self))

    def on_value(self, *_: Any) -> None:
        for tab in self.ids.row.children:
            if tab.value == self.value:
                self.scroll_to(tab, padding=dp(40))


class Tab(Tappable):
    """One section's name."""

    value = StringProperty("")
    text = StringProperty("")
    owner = ObjectProperty(None)


class Stepper(BoxLayout):
    """A number between two buttons; it goes round at its ends."""

    value = NumericProperty(0)
    low = NumericProperty(0)
    high = NumericProperty(23)
    step = NumericProperty(1)
    form = StringProperty("{:02d}")
    caption = StringProperty("")

    def change(self, by: int) -> None:
        """One step up (1) or down (-1)."""
        span = int(self.high - self.low) // int(self.step) * int(self.step) + int(self.step)
        self.value = self.low + (int(self.value) - self.low + by * self.step) % span


class Sheet(FloatLayout):
    """A panel over the screen: from the bottom on a phone, in the middle on a tablet. A tap beside it closes it."""

    title = StringProperty("")
    subtitle = StringProperty("")
    wide = BooleanProperty(False)

    def __init__(self, **given: Any) -> None:
        self.register_event_type("on_closed")
        super().__init__(**given)

    def on_closed(self) -> None:
        """The sheet has gone."""

    def put(self, *widgets: Widget) -> Sheet:
        """Add content, from top to bottom."""
        for widget in widgets:
            self.ids.content.add_widget(widget)
        return self

    def foot(self, *widgets: Widget) -> Sheet:
        """Add buttons that stay visible under the content."""
        for widget in widgets:
            self.ids.foot.add_widget(widget)
        return self

    def clear(self) -> Sheet:
        """Take the content out."""
        self.ids.content.clear_widgets()
        self.ids.foot.clear_widgets()
        return self

    def close(self, *_: Any) -> None:
        """Close the sheet."""
        if self.parent:
            self.parent.remove_widget(self)
            self.dispatch("on_closed")

    def on_touch_down(self, touch: Any) -> bool:
        if not self.ids.panel.collide_point(*touch.pos):
            self.close()
        else:
            super().on_touch_down(touch)
        return True  # nothing under a sheet is touched

    def on_touch_move(self, touch: Any) -> bool:
        super().on_touch_move(touch)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        super().on_touch_up(touch)
        return True


class Toast(Label):
    """A short message at the bottom, gone after a while."""

    ground = ColorProperty([0, 0, 0, 1])


def failure_words(language: str, failure: Failure) -> tuple[str, str]:
    """Title and hint of a failure: the server's own words when it gave some."""
    title = failure.message or word(language, f"failure.{failure.kind}.title")
    return title, failure.hint or word(language, f"failure.{failure.kind}.hint")


def failure_notice(failure: Failure, retry: Callable[[], None] | None = None) -> Notice:
    """A failure as a message with a button to try again."""
    language = App.get_running_app().language
    title, hint = failure_words(language, failure)
    notice = Notice(icon=failure.icon, title=title, hint=hint, action=word(language, "app.retry") if retry else "")
    if retry:
        notice.bind(on_again=lambda *_: retry())
    return notice


def keyboard_height() -> float:
    """Height of the on-screen keyboard, for what must stay above it."""
    return float(Window.keyboard_height)


Builder.load_file(str(Path(__file__).with_suffix(".kv")))
