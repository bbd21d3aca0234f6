"""A site's own words: `CONSORE_HOME/referentials/<folder>/local_terms.csv`, which no import ever touches."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from consore.errors import InputError
from consore.referentials.importing.editions import (
    TERMS,
    active_edition,
    concepts_of,
    replace_file,
    tables,
    writing,
)
from consore.referentials.reading import TERM_FORMS, TERM_TYPES
from consore.text import fold

LONGEST = 200


@dataclass(frozen=True)
class LocalTerm:
    """One word of a site for a code. `form`, `value`, `type`: as in `terms.csv`."""

    folder: str
    code: str
    term: str
    form: str = ""
    value: str = ""
    type: str = ""


def local_terms(site: Path) -> list[LocalTerm]:
    """Every word of the site, by folder."""
    return [term for path in sorted(site.glob("*/local_terms.csv")) for term in _read(path)]


def add_local_term(
    shipped: Path, site: Path, system: str, code: str, term: str, form: str = "", value: str = "", type: str = "synonym"
) -> LocalTerm:
    """Add a word for a code of a system (`ICD-O-3-T`, or the name of its folder).

    Raises InputError for a code that is not known, a word that cannot be one, or one that is there already.
    """
    text = " ".join(term.split())
    if not 2 <= len(text) <= LONGEST or not any(map(str.isalnum, text)):
        raise InputError(f"“{text[:60]}” cannot be a term.", f"Write 2 to {LONGEST} characters, letters among them.")
    if form and form not in TERM_FORMS:
        raise InputError(f"There is no form {form[:20]}.", f"Known: {', '.join(sorted(TERM_FORMS))}.")
    if type not in TERM_TYPES:
        raise InputError(f"There is no type {type[:20]}.", f"Known: {', '.join(sorted(filter(None, TERM_TYPES)))}.")
    folder = folder_of(shipped, site, system, code)
    new = LocalTerm(folder, code, text, form, value, type)
    with writing(site):
        path = site / folder / "local_terms.csv"
        terms = _read(path)
        if any(one.code == code and fold(one.term) == fold(text) for one in terms):
            raise InputError(
                f"“{text}” is already a term of {code} here.", "`consore referentials terms list` shows all."
            )
        _write(path, [*terms, new])
    return new


def remove_local_term(shipped: Path, site: Path, system: str, code: str, term: str) -> LocalTerm:
    """Take away a word of the site. Raises InputError where it is none of the site's own."""
    wanted = fold(" ".join(term.split()))
    with writing(site):
        for folder in _folders(shipped, site, system):
            path = site / folder / "local_terms.csv"
            terms = _read(path)
            for one in terms:
                if one.code == code and fold(one.term) == wanted:
                    _write(path, [other for other in terms if other is not one])
                    return one
    raise InputError(
        f"“{term[:60]}” is not one of this site's own terms of {code}.", "`consore referentials terms list` shows them."
    )


def folder_of(shipped: Path, site: Path, system: str, code: str) -> str:
    """The folder that holds a code of a system. Raises InputError."""
    folders = _folders(shipped, site, system)
    for folder in folders:
        active = active_edition(site, folder)
        places = [shipped / folder, *([site / folder / "editions" / active] if active else [])]
        if any(row["code"] == code for place in places for row in concepts_of(place)):
            return folder
    raise InputError(
        f"{system} has no code {code[:40]}.", "Look for it with `consore search`, or write it as listed there."
    )


def _folders(shipped: Path, site: Path, system: str) -> list[str]:
    """The folders of a system, or the one folder of that name. Raises InputError."""
    import tomllib

    named: dict[str, str] = {}
    for source in (*shipped.glob("*/source.toml"), *site.glob("*/editions/*/source.toml")):
        folder = source.parent.name if source.parent.parent == shipped else source.parents[2].name
        named.setdefault(folder, str(tomllib.loads(source.read_text(encoding="utf-8")).get("system", "")))
    wanted = fold(system)
    found = [folder for folder, of in sorted(named.items()) if fold(of) == wanted or fold(folder) == wanted]
    if not found:
        known = ", ".join(sorted(set(filter(None, named.values()))))
        raise InputError(f"There is no code system {system[:40]}.", f"Known: {known}.")
    return found


def _read(path: Path) -> list[LocalTerm]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [LocalTerm(path.parent.name, *(row.get(name) or "" for name in TERMS)) for row in csv.DictReader(file)]


def _write(path: Path, terms: list[LocalTerm]) -> None:
    rows = [(one.code, one.term, one.form, one.value, one.type) for one in terms]
    replace_file(path, tables(TERMS, rows))
