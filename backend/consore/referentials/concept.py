"""What a code system says: concepts, the forms they are written in, and the edition they come from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Concept:
    """One entry of a code system.

    `system`: a `vocabulary.System`; `kind`: the `MentionKind` that its forms are found as, or `group` for a heading,
    `document_kind`, `centre`, `abbreviation` for what is looked up and not found in text. `label`: French.
    `parents`: nearest codes above. `attributes`: what else is known (`treatment_type`, `gene`, `unit`, `class`…).
    """

    system: str
    code: str
    label: str
    kind: str
    parents: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Term:
    """One way to write a concept, as a dictionary holds it, before its plurals and feminines are made.

    `form` says how it varies: `noun` (singular and plural), `adj` (all four forms), `exact` (as it is, any case),
    `case` (as it is, in this very case). `value` is what these words state beyond the code (`positive`, `C18-C20`).
    """

    system: str
    code: str
    kind: str
    text: str
    form: str = "noun"
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A form found in a text. `text == original[start:end]`; `kind` is a `MentionKind` value.

    `code` is null for a metastasis whose site is not said. `ambiguous`: these letters often mean something else, so
    the reader should ask the context. `value`: see `Term`.
    """

    start: int
    end: int
    text: str
    system: str | None
    code: str | None
    label: str
    kind: str
    ambiguous: bool = False
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """The edition of a code system in force, with the number of its concepts and of the forms they are found as."""

    system: str
    edition: str
    concepts: int
    terms: int
    name: str = ""
    licence: str = ""
    origin: str = ""
