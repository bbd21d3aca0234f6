"""What the name of a file in a drop folder tells: whether it is whole, whether a source reads it."""

from __future__ import annotations

import fnmatch
from pathlib import PurePosixPath
from typing import Any

_BEING_WRITTEN = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".lock")


def settled(name: str) -> bool:
    """Whether a file is whole, as far as its name tells: not hidden, not still being written."""
    return not name.startswith((".", "~")) and not name.lower().endswith(_BEING_WRITTEN)


def wanted(name: str, patterns: tuple[str, ...], options: dict[str, Any]) -> bool:
    """Whether a file of a folder is one of those that a source reads."""
    bare = PurePosixPath(name).name.lower()
    chosen = (options["pattern"],) if options.get("pattern") else patterns
    return any(fnmatch.fnmatchcase(name.lower() if "/" in pattern else bare, pattern.lower()) for pattern in chosen)
