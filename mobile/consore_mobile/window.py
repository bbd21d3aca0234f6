"""How Kivy is set before its window exists: no argument parsing of its own, no file in the home folder, no
multisampling.

Import and call `prepare()` before anything of Kivy. Multisampling is off because it doubles the time of a frame
where the machine draws in software, and text does not need it.
"""

from __future__ import annotations

import os
import tempfile

PHONE = (412, 915)
TABLET = (1280, 800)
LARGEST = (1280, 915)  # offscreen, a window can shrink and never grow: begin with one that holds both


def prepare(size: tuple[int, int] = PHONE, *, offscreen: bool = False, quiet: bool = True) -> None:
    """Set the environment and Kivy's configuration; `offscreen` draws real pixels without a screen, 1 dp a pixel."""
    os.environ["KIVY_NO_ARGS"] = "1"
    os.environ.setdefault("KIVY_NO_FILELOG", "1")
    if offscreen:
        os.environ["SDL_VIDEODRIVER"] = os.environ.get("SDL_VIDEODRIVER") or "offscreen"
        os.environ.setdefault("KIVY_NO_CONFIG", "1")
        os.environ.setdefault("KIVY_HOME", tempfile.mkdtemp(prefix="consore-kivy-"))
        os.environ.update(KIVY_METRICS_DENSITY="1", KIVY_METRICS_FONTSCALE="1", KIVY_DPI="96")
    from kivy.config import Config

    Config.set("kivy", "log_level", "warning" if quiet else "info")
    Config.set("kivy", "exit_on_escape", "0")
    for name, value in {"width": size[0], "height": size[1], "multisamples": 0, "resizable": 1}.items():
        Config.set("graphics", name, str(value))
    if offscreen:
        Config.set("graphics", "maxfps", "0")
        Config.set("graphics", "vsync", "0")
        for name, _ in Config.items("input"):
            Config.remove_option("input", name)
    else:
        Config.set("input", "mouse", "mouse,disable_multitouch")
