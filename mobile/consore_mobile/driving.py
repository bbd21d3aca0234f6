"""A hand on the running app: steps its real loop, types, taps, swipes, waits and takes pictures.

For journeys and screenshots. No thread and no sleep of its own: time passes by frames of the app's loop, so what it
sees is what a user sees. Some calls are semi-private: Kivy is pinned.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Hand:
    """Drives one app from its start to its end. `size` in dp."""

    def __init__(self, app: Any, size: tuple[int, int]) -> None:
        from kivy.base import EventLoop, runTouchApp
        from kivy.clock import Clock
        from kivy.core.window import Window

        self.app, self.window, self._loop = app, Window, EventLoop
        Clock._max_fps = 0
        EventLoop.ensure_window()
        Window.size = size
        app._run_prepare()
        runTouchApp(embedded=True)
        self.frames(5)

    def frames(self, count: int = 1) -> None:
        """Draw this many frames."""
        for _ in range(count):
            self._loop.idle()

    def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        """Draw frames until `condition()` is true; its value. Raises AssertionError in the end."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            self._loop.idle()
            if value := condition():
                return value
        raise AssertionError(f"what was awaited did not come in {timeout_s:.0f} s")

    def settle(self, seconds: float = 0.3) -> None:
        """Let animations and layouts end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._loop.idle()

    @property
    def page(self) -> Any:
        """The screen in front: the detail where there is one."""
        shell = self.app.shell
        stack = shell.stacks.get(shell.destination) or []
        return (shell.detail if stack else shell.main).current_screen

    def all(self, kind: str, root: Any = None, **attributes: Any) -> list[Any]:
        """The widgets of a class with these attributes, in the order of the tree (which is not that of the screen)."""
        return [
            widget
            for widget in (root or self.app.root).walk(restrict=True)
            if type(widget).__name__ == kind and all(getattr(widget, k, None) == v for k, v in attributes.items())
        ]

    def find(self, kind: str, root: Any = None, **attributes: Any) -> Any:
        """The first such widget. Raises AssertionError if there is none."""
        found = self.all(kind, root, **attributes)
        assert found, f"no {kind} with {attributes} on the screen"
        return found[0]

    def texts(self, root: Any = None) -> list[str]:
        """Every text that is shown."""
        return [
            widget.text
            for widget in (root or self.app.root).walk(restrict=True)
            if getattr(widget, "text", "") and type(widget).__name__ not in {"Icon", "IconButton"} and widget.opacity
        ]

    def tap(self, widget: Any, *, settle_s: float = 0.15) -> None:
        """Touch the middle of a widget, scrolled into view first."""
        self.reveal(widget)
        self.tap_at(*widget.to_window(*widget.center), settle_s=settle_s)

    def reveal(self, widget: Any) -> None:
        """Scroll so that a widget is seen, as a user would."""
        from kivy.uix.scrollview import ScrollView

        view = widget.parent
        while view is not None and view is not self.window:
            if isinstance(view, ScrollView) and view.do_scroll_y and view.children:
                bottom = view.to_window(*view.pos)[1]
                low = widget.to_window(*widget.pos)[1]
                beyond = min(0, low - bottom) or max(0, low + widget.height - bottom - view.height)
                if beyond:
                    view.scroll_y = min(1, max(0, view.scroll_y + view.convert_distance_to_scroll(0, beyond)[1]))
                    self.frames(4)
            view = view.parent

    def tap_at(self, x: float, y: float, *, settle_s: float = 0.15) -> None:
        """Touch a point of the window."""
        touch = self._touch(x, y)
        self._send("begin", touch)
        self.frames(2)
        self._send("end", touch)
        self.settle(settle_s)

    def swipe(self, start: tuple[float, float], end: tuple[float, float], steps: int = 10) -> None:
        """Drag a finger."""
        touch = self._touch(*start)
        self._send("begin", touch)
        self.frames()
        for i in range(1, steps + 1):
            x, y = (a + (b - a) * i / steps for a, b in zip(start, end, strict=True))
            touch.move({"x": x / self.window.width, "y": y / self.window.height})
            self._send("update", touch)
            self.frames()
        self._send("end", touch)
        self.settle()

    def type(self, field: Any, text: str) -> None:
        """Focus a text input and write into it, letter by letter."""
        self.tap(field)
        self.until(lambda: field.focus)
        field.select_all()
        field.delete_selection()
        for letter in text:
            self.window.dispatch("on_textinput", letter)
            self.frames()

    def enter(self) -> None:
        """Press Enter."""
        self.key(13)

    def key(self, code: int) -> None:
        """Press a key by its code."""
        self.window.dispatch("on_key_down", code, 0, None, [])
        self.frames()
        self.window.dispatch("on_key_up", code, 0)
        self.frames()

    def resize(self, size: tuple[int, int]) -> None:
        """Turn the device, or take another one."""
        self.window.size = size
        self.settle(0.4)

    def picture(self, file: Path) -> Path:
        """The whole window as PNG."""
        self.frames(3)
        file.parent.mkdir(parents=True, exist_ok=True)
        taken = Path(self.window.screenshot(name=str(file)))
        return taken.replace(file)

    def stop(self) -> None:
        """Close the app and give the window back."""
        from kivy.app import App
        from kivy.base import stopTouchApp

        self.app.stop()
        stopTouchApp()
        for widget in self.window.children[:]:
            self.window.remove_widget(widget)
        App._running_app = None
        gc.collect()

    def _touch(self, x: float, y: float) -> Any:
        touch = _finger()(id(object()), {"x": x / self.window.width, "y": y / self.window.height})
        touch.scale_for_screen(self.window.width, self.window.height)
        return touch

    def _send(self, kind: str, touch: Any) -> None:
        self._loop.post_dispatch_input(kind, touch)


def _finger() -> Any:
    from kivy.input.motionevent import MotionEvent

    class Finger(MotionEvent):
        """A touch of ours."""

        counter = 0

        def __init__(self, _: int, args: dict[str, float]) -> None:
            Finger.counter += 1
            super().__init__("hand", Finger.counter, args, is_touch=True, type_id="touch")

        def depack(self, args: dict[str, float]) -> None:
            self.sx, self.sy = args["x"], args["y"]
            self.profile = ["pos"]
            super().depack(args)

    return Finger
