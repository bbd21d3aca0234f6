"""What the app remembers, and what it never does."""

from __future__ import annotations

from pathlib import Path

from consore_mobile.preferences import Preferences


def test_what_was_set_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "app" / "preferences.json"
    Preferences(server="https://consore.example", login="aubry", theme="dark", language="en").save(file)
    assert Preferences.load(file) == Preferences("https://consore.example", "aubry", "dark", "en")


def test_a_broken_file_gives_the_defaults(tmp_path: Path) -> None:
    for content in ("", "{", '{"theme": 3, "other": "x"}', "[]"):
        (tmp_path / "p.json").write_text(content, encoding="utf-8")
        assert Preferences.load(tmp_path / "p.json") == Preferences()


def test_neither_password_nor_token_is_ever_kept() -> None:
    assert set(Preferences.__slots__) == {"server", "login", "theme", "language"}
