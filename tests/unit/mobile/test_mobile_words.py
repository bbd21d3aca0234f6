"""The app speaks French and English, and never shows a key instead of a word."""

from __future__ import annotations

import re
import string
from pathlib import Path

from consore_mobile.entities import GROUPS
from consore_mobile.words import LANGUAGES, catalogue, word

APP = Path(__file__).parents[3] / "mobile" / "consore_mobile"
LITERAL = re.compile(r"word\(\s*(?:self\.)?(?:app\.)?(?:language|self\.app\.language),\s*\"([\w.]+)\"(?!\s*\+)")
PREFIX = re.compile(r"""word(?:_or)?\(\s*[\w.]+,\s*(?:f["']([\w.]+[._])\{|"([\w.]+\.)"\s*\+)""")


def _sources() -> list[str]:
    return [file.read_text(encoding="utf-8") for kind in ("*.py", "*.kv") for file in APP.rglob(kind)]


def _families() -> set[str]:
    return {a or b for text in _sources() for a, b in PREFIX.findall(text)}


def test_both_languages_have_the_same_keys() -> None:
    french, english = (set(catalogue(language)) for language in LANGUAGES)
    assert french == english


def test_both_languages_fill_in_the_same_values() -> None:
    for key, french in catalogue("fr").items():
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (french, word("en", key))
        ]
        assert fields[0] == fields[1], key


def test_every_key_that_the_code_asks_for_exists() -> None:
    asked = {key for text in _sources() for key in LITERAL.findall(text)}
    assert len(asked) > 80
    assert asked <= set(catalogue("fr"))


def test_every_family_of_keys_that_the_code_builds_exists() -> None:
    families = _families()
    assert len(families) > 15
    for family in families:
        assert any(key.startswith(family) for key in catalogue("fr")), family


def test_every_group_of_entities_has_a_name() -> None:
    assert {f"entity.{group}" for group in GROUPS} <= set(catalogue("fr"))


def test_no_key_is_left_without_use() -> None:
    text = "\n".join(_sources())
    families = tuple(_families())
    of_the_blank_screen = {"search.pick", "sources.pick", "cohorts.pick"}
    unused = [key for key in catalogue("fr") if f'"{key}"' not in text and not key.startswith(families)]
    unused = [key for key in unused if key not in of_the_blank_screen]
    assert not unused
