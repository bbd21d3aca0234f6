"""The sizes that one request may ask for."""

from __future__ import annotations

from consore.errors import InputError

MOST_ROWS = 100
MOST_PAGES = 500
LONGEST_TEXT = 2000
LONGEST_NAME = 200


def within(name: str, value: int | None, otherwise: int, most: int = MOST_ROWS, least: int = 1) -> int:
    """`value`, if it lies between `least` and `most`; `otherwise` where none was given. Raises InputError."""
    if value is None:
        return otherwise
    if not least <= value <= most:
        raise InputError(f"{name} is {value}; it goes from {least} to {most}.", "Ask for less at a time.")
    return value


def short(name: str, text: str, most: int = LONGEST_NAME, *, empty: bool = False) -> str:
    """`text` without surrounding spaces, if it is short enough and not empty. Raises InputError."""
    text = text.strip()
    if len(text) > most:
        raise InputError(f"{name} has {len(text)} characters; at most {most} are taken.", "Make it shorter.")
    if not text and not empty:
        raise InputError(f"{name} is empty.", "Write something.")
    return text


def row_id(text: str) -> int | None:
    """The key of a row from its identifier on the wire; None where it is not one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None
