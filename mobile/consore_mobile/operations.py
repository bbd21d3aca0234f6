"""The questions that the app asks, kept as GraphQL files so that they can be read, checked and allow-listed.

`queries/NAME.graphql` holds one operation; the fragments that it names are taken from `queries/fragments.graphql`.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "queries"
_FRAGMENT = re.compile(r"^fragment (\w+) on ", re.MULTILINE)
_SPREAD = re.compile(r"\.\.\.(\w+)")


@cache
def operation(name: str) -> str:
    """The text of the operation in `queries/NAME.graphql`, with the fragments it uses."""
    text = (FOLDER / f"{name}.graphql").read_text(encoding="utf-8").strip()
    wanted, parts, fragments = _spreads(text), [text], _fragments()
    taken: set[str] = set()
    while wanted:
        fragment = wanted.pop(0)
        if fragment not in taken:
            taken.add(fragment)
            parts.append(fragments[fragment])
            wanted.extend(_spreads(fragments[fragment]))
    return "\n\n".join(parts) + "\n"


def operation_names() -> list[str]:
    """Every operation that the app can send."""
    return sorted(path.stem for path in FOLDER.glob("*.graphql") if path.stem != "fragments")


@cache
def _fragments() -> dict[str, str]:
    text = (FOLDER / "fragments.graphql").read_text(encoding="utf-8")
    starts = [match.start() for match in _FRAGMENT.finditer(text)] + [len(text)]
    blocks = [text[start:end].strip() for start, end in itertools.pairwise(starts)]
    return {_FRAGMENT.match(block)[1]: block for block in blocks}  # type: ignore[index]


def _spreads(text: str) -> list[str]:
    return [name for name in _SPREAD.findall(text) if name != "on"]
