"""Criteria as commands are given them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from consore.errors import InputError

if TYPE_CHECKING:
    from consore.search.criteria import Criteria


def read_criteria(file: Path) -> Criteria:
    """The criteria tree of a JSON file; `-` is standard input."""
    from consore.search.criteria import parse_criteria

    try:
        return parse_criteria(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}.", "Give a UTF-8 JSON file of criteria.") from error
