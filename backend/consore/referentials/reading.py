"""Reads the code systems from their folders, and lays a site's own editions and words over them.

Files are UTF-8 and comma-separated; `referentials/README.md` tells their columns. A folder is `source.toml` and
`concepts.csv`, with `terms.csv` and `ambiguity.csv` where it has some; one whose `source.toml` lists `tables` may hold
plain tables only, which belong to whoever reads them.

A site keeps its own beside what is shipped, in `CONSORE_HOME/referentials/<folder>/`: `editions/<slug>/` is an
official edition that was imported, `active` names the one in force, `local_terms.csv` holds the site's own words. A
code that the edition in force no longer has stays readable, with the attribute `withdrawn`; headings, and codes made by
Consore (with a `+`), are no official codes and stay as they are. An edition with `partial = true` withdraws nothing.
"""

from __future__ import annotations

import csv
import json
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from consore.errors import ConfigurationError
from consore.referentials.concept import Concept, Term

TERM_FORMS = frozenset({"noun", "adj", "exact", "case"})
TERM_TYPES = frozenset({"", "label", "synonym", "brand", "abbreviation", "misspelling", "code"})


@dataclass
class CodeSystem:
    """One folder: who publishes it, and what it holds.

    `ambiguity`: its files of ambiguity rules. `active`: the slug of the imported edition in force (empty: what is
    shipped); `available`: the slugs that may be; `report`: what the importer wrote of the edition in force.
    """

    folder: str
    system: str
    name: str
    edition: str
    licence: str
    origin: str
    concepts: list[Concept] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    ambiguity: list[Path] = field(default_factory=list)
    active: str = ""
    available: tuple[str, ...] = ()
    report: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Folder:
    """The files of one folder, before terms are joined to their concepts."""

    path: Path
    header: dict[str, Any]
    concepts: dict[str, Concept] = field(default_factory=dict)
    terms: dict[str, list[Term]] = field(default_factory=dict)


def read_systems(root: Path, site: Path | None = None) -> list[CodeSystem]:
    """Every code system under `root`, with what `site` lays over it, in the order of `priority`.

    Raises ConfigurationError naming the file and line that cannot be read.
    """
    sources = sorted(root.glob("*/source.toml"))
    if not sources:
        raise ConfigurationError(
            f"No code system under {root}.",
            "Set CONSORE_REFERENTIALS_DIR to the folder that holds `icdo3_topography`, `drugs`, …",
        )
    folders = {source.parent.name: _read_folder(source.parent) for source in sources}
    own = {path.name: path for path in sorted(site.iterdir()) if path.is_dir()} if site and site.is_dir() else {}
    systems = [
        (_priority(folder), name, _joined(name, folder, root / name, own.get(name))) for name, folder in folders.items()
    ]
    for name, path in own.items():
        if name not in folders and (edition := _edition_in_force(path)) is not None:
            systems.append((_priority(edition), name, _joined(name, None, path, path)))
    return [system for _, _, system in sorted(systems, key=lambda item: item[:2])]


def numbered_rows(path: Path, *required: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file that has at least the columns `required`, each with the number of its line.

    Raises ConfigurationError naming the file, the line and what is wrong with it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(required) - set(reader.fieldnames or ())
            if missing:
                raise ConfigurationError(
                    f"{path} lacks the column {', '.join(sorted(missing))}.",
                    f"Write as its first line a header with the columns {','.join(required)}.",
                )
            for row in reader:
                if None in row or any(row[name] is None for name in required):
                    raise ConfigurationError(
                        f"{path}, line {reader.line_num}: the header has {len(reader.fieldnames or ())} columns, "
                        f"this line has not.",
                        "Put a text that holds a comma between double quotes.",
                    )
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8: {error}.", "Convert it to UTF-8.") from error
    except csv.Error as error:
        raise ConfigurationError(f"{path} is not a CSV file: {error}.", "Write it anew as UTF-8 CSV.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", "Check its name and rights.") from error


def rows(path: Path, *required: str) -> Iterator[dict[str, str]]:
    """`numbered_rows` without the numbers."""
    for _, row in numbered_rows(path, *required):
        yield row


def _priority(folder: _Folder) -> int:
    return int(folder.header.get("priority", 50))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", "Mend that line.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", "Check its name and rights.") from error


def _read_folder(path: Path, default: dict[str, Any] | None = None) -> _Folder:
    """The files of a folder; `default` gives what its `source.toml` leaves unsaid."""
    header = {**(default or {}), **_read_toml(path / "source.toml")}
    missing = [name for name in ("system", "name", "edition", "licence", "origin") if name not in header]
    if missing:
        raise ConfigurationError(f"{path / 'source.toml'} lacks {', '.join(missing)}.", "Add it.")
    folder = _Folder(path, header)
    if "tables" in header and not (path / "concepts.csv").exists():
        return folder
    kind = header.get("kind", "group")
    for line, row in numbered_rows(path / "concepts.csv", "code", "label"):
        code = row["code"]
        if code in folder.concepts:
            raise ConfigurationError(
                f"{path / 'concepts.csv'}, line {line}: the code {code} has a row already.", "Keep one of the two."
            )
        folder.concepts[code] = Concept(
            header["system"],
            code,
            row["label"],
            row.get("kind") or kind,
            tuple(filter(None, (row.get("parents") or "").split("|"))),
            attributes=_attributes(row.get("attributes") or "", path / "concepts.csv", line),
        )
    if (path / "terms.csv").exists():
        folder.terms = _read_terms(path / "terms.csv", folder.concepts)
    return folder


def _codes_of_editions(site: Path) -> set[str]:
    """The codes of every imported edition of a site's folder."""
    return {row["code"] for path in site.glob("editions/*/concepts.csv") for row in rows(path, "code")}


def _read_terms(path: Path, concepts: dict[str, Concept], site: Path | None = None) -> dict[str, list[Term]]:
    """The terms of a file by code. Raises ConfigurationError for a code without a concept.

    A code that only another edition of `site` has is left out: its words wait until that edition is back in force.
    """
    result: dict[str, list[Term]] = {}
    waiting: set[str] = set()
    for line, row in numbered_rows(path, "code", "term"):
        code, form, type_ = row["code"], row.get("form") or "noun", row.get("type") or ""
        if code not in concepts and site:
            waiting = waiting or _codes_of_editions(site)
            if code in waiting:
                continue
        if code not in concepts:
            raise ConfigurationError(
                f"{path}, line {line}: concepts.csv does not have the code {code or '(empty)'}.",
                "Add it to concepts.csv, or take this line away.",
            )
        if form not in TERM_FORMS or type_ not in TERM_TYPES:
            wrong, known = (form, TERM_FORMS) if form not in TERM_FORMS else (type_, TERM_TYPES)
            raise ConfigurationError(
                f"{path}, line {line}: unknown word {wrong}.", f"Use {', '.join(sorted(filter(None, known)))}."
            )
        concept = concepts[code]
        result.setdefault(code, []).append(
            Term(
                concept.system,
                code,
                concept.kind,
                unicodedata.normalize("NFC", row["term"]),
                form,
                row.get("value") or None,
                type_,
            )
        )
    return result


def _attributes(text: str, path: Path, line: int) -> dict[str, str]:
    items = [item for item in text.split("|") if item]
    wrong = next((item for item in items if "=" not in item), None)
    if wrong is not None:
        raise ConfigurationError(
            f"{path}, line {line}: the attribute {wrong} has no value.", "Write attributes as name=value|name=value."
        )
    return dict(item.split("=", 1) for item in items)


def _edition_in_force(site: Path, default: dict[str, Any] | None = None) -> _Folder | None:
    """The imported edition that the file `active` of a site's folder names; None for what is shipped."""
    active = site / "active"
    try:
        slug = active.read_text(encoding="utf-8").strip() if active.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{active} cannot be read: {error}.", "Delete it to use what is shipped.") from error
    if not slug:
        return None
    path = site / "editions" / slug
    if path.parent != site / "editions" or not (path / "source.toml").exists():
        raise ConfigurationError(
            f"{active} names the edition {slug}, which is not under {site / 'editions'}.",
            "Import it again, or delete that file to use what Consore ships.",
        )
    return _read_folder(path, default)


def _joined(name: str, shipped: _Folder | None, path: Path, site: Path | None) -> CodeSystem:
    """One code system of what is shipped, the edition in force over it, and the site's own words."""
    edition = _edition_in_force(site, shipped.header if shipped else None) if site else None
    first = shipped or edition
    assert first is not None  # a folder is read because one of the two is there
    header = (edition or first).header
    concepts, terms = dict(first.concepts), {code: list(found) for code, found in first.terms.items()}
    by_label = {code: bool(first.header.get("labels_are_terms", True)) for code in concepts}
    if edition is not None and edition is not first:
        _lay_over(edition, concepts, terms, by_label)
    if site and (site / "local_terms.csv").exists():
        for code, words in _read_terms(site / "local_terms.csv", concepts, site).items():
            terms[code] = [*words, *terms.get(code, [])]
    system = CodeSystem(name, header["system"], header["name"], header["edition"], header["licence"], header["origin"])
    # What is withdrawn comes last: where old and new codes claim the same words, the new one has them.
    for code, concept in sorted(concepts.items(), key=lambda item: "withdrawn" in item[1].attributes):
        words = list({(term.text, term.form, term.value): term for term in terms.get(code, ())}.values())
        system.concepts.append(
            replace(concept, synonyms=tuple(term.text for term in words), types=tuple(term.type for term in words))
        )
        if not words and by_label[code] and concept.kind != "group":
            words = [Term(concept.system, code, concept.kind, concept.label, type="label")]
        system.terms += words
    system.ambiguity = [path / "ambiguity.csv"] if shipped and (path / "ambiguity.csv").exists() else []
    if site is not None:
        system.available = tuple(sorted(source.parent.name for source in site.glob("editions/*/source.toml")))
    if edition is not None:
        system.active = edition.path.name
        system.report = _report(edition.path / "report.json")
    return system


def _lay_over(
    edition: _Folder, concepts: dict[str, Concept], terms: dict[str, list[Term]], by_label: dict[str, bool]
) -> None:
    """The labels and parents of `edition` win; curated kinds, attributes and words stay; lost codes are marked."""
    for code, new in edition.concepts.items():
        old = concepts.get(code)
        by_label.setdefault(code, bool(edition.header.get("labels_are_terms", True)))
        concepts[code] = (
            replace(old, label=new.label, parents=new.parents, attributes={**new.attributes, **old.attributes})
            if old
            else new
        )
        kind = concepts[code].kind
        terms.setdefault(code, []).extend(replace(term, kind=kind) for term in edition.terms.get(code, ()))
    if edition.header.get("partial"):
        return
    for code, old in concepts.items():
        if code and code not in edition.concepts and old.kind != "group" and "+" not in code:
            concepts[code] = replace(old, attributes={**old.attributes, "withdrawn": edition.header["edition"]})


def _report(path: Path) -> dict[str, Any]:
    """What the importer wrote of an edition; empty when it cannot be read, for nothing depends on it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
