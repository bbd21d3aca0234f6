"""The words of the interface, in French and in English: `locales/*.toml`, read once.

Keys are dotted (`search.hint`). A missing key shows itself, so that it is seen; a test keeps the catalogues equal and
covers every key that the code asks for.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "locales"
LANGUAGES = ("fr", "en")


def word(language: str, key: str, **values: Any) -> str:
    """The text of `key`, with `{name}` replaced by `values`."""
    text = catalogue(language).get(key, key)
    return text.format(**values) if values else text


def word_or(language: str, key: str, default: str) -> str:
    """The text of `key` if the catalogue has it: for values that the server may add to."""
    return catalogue(language).get(key, default)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All keys of a language, flat."""
    tree = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return dict(_flat(tree, ""))


def _flat(tree: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs
