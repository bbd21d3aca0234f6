"""What can be imported, as `kinds.toml` declares it: how each publication is known, and what its columns hold."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from consore.errors import InputError

KINDS = Path(__file__).with_name("kinds.toml")
AUTO = "auto"


@dataclass(frozen=True)
class Shape:
    """One form in which a publication comes. `codes`: what its raw codes must look like, beyond the kind's own."""

    name: str
    columns: dict[str, list[str]]
    needs: tuple[tuple[str, ...], ...]
    headerless: bool = False
    cancer: bool = False
    rows: dict[str, re.Pattern[str]] = field(default_factory=dict)
    codes: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Member:
    """One table of a publication that comes as several: known by the cells of its rows, or by its header."""

    role: str
    shows: str
    cells: dict[int, re.Pattern[str]]
    names: dict[str, list[str]]
    places: dict[str, int]


@dataclass(frozen=True)
class Kind:
    """One publication. See `kinds.toml` for what each field means."""

    key: str
    folder: str
    system: str
    name: str
    concept: str
    priority: int
    licence: str
    origin: str
    expected: str
    code: re.Pattern[str]
    rewrite: tuple[tuple[re.Pattern[str], str], ...]
    shapes: tuple[Shape, ...]
    members: tuple[Member, ...]
    some: re.Pattern[str] | None = None
    only: re.Pattern[str] | None = None
    labels_are_terms: bool = False
    partial: bool = False
    keep_case: bool = False
    extra: dict[str, str] = field(default_factory=dict)

    def written(self, cell: str) -> str:
        """A cell as Consore would write it, were it a code of this kind."""
        code = cell.strip() if self.keep_case else cell.strip().upper()
        for pattern, replacement in self.rewrite:
            code = pattern.sub(replacement, code)
        return code

    def code_of(self, cell: str) -> str | None:
        """A cell as a code of this kind, written as Consore writes it; None where it is none."""
        code = self.written(cell)
        return code if self.code.fullmatch(code) else None

    def pattern(self, name: str) -> re.Pattern[str]:
        """A pattern that only this kind declares (`alias`, `oncology`, `withdrawn`)."""
        return _compiled(self.extra[name])


_OWN = {
    "folder",
    "system",
    "name",
    "concept",
    "priority",
    "licence",
    "origin",
    "expected",
    "labels_are_terms",
    "partial",
    "keep_case",
}


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """Every kind by its name on the command line."""
    table = tomllib.loads(KINDS.read_text(encoding="utf-8"))["kind"]
    return {key: _kind(key, value) for key, value in table.items()}


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises InputError with those that exist."""
    wanted = name.strip().lower().replace("_", "-")
    found = kinds().get(wanted)
    if found is None:
        raise InputError(f"There is no kind of referential {name[:40]}.", f"Known: {', '.join([*kinds(), AUTO])}.")
    return found


def kind_of_folder(name: str) -> Kind | None:
    """The kind that is imported into a folder, or None."""
    return next((kind for kind in kinds().values() if kind.folder == name), None)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _optional(pattern: str | None) -> re.Pattern[str] | None:
    return _compiled(pattern) if pattern else None


def _kind(key: str, given: dict[str, Any]) -> Kind:
    known = {*_OWN, "code", "rewrite", "some", "only", "shapes", "tables"}
    return Kind(
        key=key,
        code=_compiled(given["code"]),
        rewrite=tuple((re.compile(pattern), replacement) for pattern, replacement in given["rewrite"]),
        some=_optional(given.get("some")),
        only=_optional(given.get("only")),
        shapes=tuple(_shape(one) for one in given.get("shapes", [])),
        members=tuple(
            Member(
                role,
                one["shows"],
                {int(place): re.compile(pattern) for place, pattern in one["cells"].items()},
                one["names"],
                one["places"],
            )
            for role, one in given.get("tables", {}).items()
        ),
        extra={name: value for name, value in given.items() if name not in known},
        **{name: given[name] for name in _OWN if name in given},
    )


def _shape(given: dict[str, Any]) -> Shape:
    return Shape(
        name=given["name"],
        columns=given["columns"],
        needs=tuple(tuple(need.split("|")) for need in given["needs"]),
        headerless=given.get("headerless", False),
        cancer=given.get("cancer", False),
        rows={column: _compiled(pattern) for column, pattern in given.get("rows", {}).items()},
        codes=_optional(given.get("codes")),
    )
