"""Reads the code systems from their folders: `source.toml`, `concepts.csv`, `terms.csv` (UTF-8, comma-separated).

`concepts.csv`: code,label,kind,parents,attributes (parents and attributes are separated by `|`, attributes are
`name=value`). `terms.csv`: code,term,form,value (an empty `form` is `noun`); a code without a row is found by
its label, unless `source.toml` says `labels_are_terms = false`.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from consore.errors import ConfigurationError
from consore.referentials.concept import Concept, Term


@dataclass
class CodeSystem:
    """One folder: who publishes it, and what it holds."""

    folder: Path
    system: str
    name: str
    edition: str
    licence: str
    origin: str
    concepts: list[Concept] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)


def read_systems(root: Path) -> list[CodeSystem]:
    """Every code system under `root`, in the order of `priority` in their `source.toml`.

    Raises ConfigurationError naming the file and line that cannot be read.
    """
    sources = sorted(root.glob("*/source.toml"))
    if not sources:
        raise ConfigurationError(
            f"No code system under {root}.",
            "Set CONSORE_REFERENTIALS_DIR to the folder that holds `icdo3_topography`, `drugs`, …",
        )
    described = [(_read_toml(source), source.parent) for source in sources]
    described.sort(key=lambda item: (item[0].get("priority", 50), item[1].name))
    return [_read_system(header, folder) for header, folder in described]


def rows(path: Path, *required: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file that has at least the columns `required`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(required) - set(reader.fieldnames or ())
            if missing:
                raise ConfigurationError(
                    f"{path} lacks the column {', '.join(sorted(missing))}.", "Write its header as its README says."
                )
            yield from reader
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8: {error}.", "Convert it to UTF-8.") from error


def _read_toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", "Mend that line.") from error


def _read_system(header: dict, folder: Path) -> CodeSystem:
    try:
        result = CodeSystem(
            folder, header["system"], header["name"], header["edition"], header["licence"], header["origin"]
        )
    except KeyError as error:
        raise ConfigurationError(f"{folder / 'source.toml'} lacks {error}.", "Add it.") from error
    default_kind = header.get("kind", "group")
    terms = _read_terms(folder / "terms.csv")
    for row in rows(folder / "concepts.csv", "code", "label"):
        code, label, kind = row["code"], row["label"], row.get("kind") or default_kind
        written = terms.pop(code, [])
        result.concepts.append(
            Concept(
                result.system,
                code,
                label,
                kind,
                tuple(filter(None, (row.get("parents") or "").split("|"))),
                tuple(text for text, _, _ in written),
                _attributes(row.get("attributes") or ""),
            )
        )
        if not written and header.get("labels_are_terms", True) and kind != "group":
            written = [(label, "noun", None)]
        result.terms += [Term(result.system, code, kind, text, form, value) for text, form, value in written]
    if terms:
        raise ConfigurationError(
            f"{folder / 'terms.csv'} names codes that concepts.csv does not have: {', '.join(sorted(terms)[:5])}.",
            "Add them to concepts.csv or take their terms away.",
        )
    return result


def _read_terms(path: Path) -> dict[str, list[tuple[str, str, str | None]]]:
    result: dict[str, list[tuple[str, str, str | None]]] = {}
    if path.exists():
        for row in rows(path, "code", "term"):
            written = (row["term"], row.get("form") or "noun", row.get("value") or None)
            result.setdefault(row["code"], []).append(written)
    return result


def _attributes(text: str) -> dict[str, str]:
    return dict(item.split("=", 1) for item in text.split("|") if "=" in item)
