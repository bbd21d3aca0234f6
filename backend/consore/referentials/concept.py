"""What a code system says: concepts, the forms they are written in, and the edition they come from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Concept:
    """One entry of a code system.

    `system`: a `vocabulary.System`; `kind`: the `MentionKind` that its forms are found as, or `group` for a heading,
    `document_kind`, `centre`, `abbreviation` for what is looked up and not found in text. `label`: French.
    `parents`: nearest codes above. `attributes`: what else is known (`treatment_type`, `gene`, `unit`, `class`…);
    `withdrawn` names the edition that no longer has the code. `types`: what each synonym is (`brand`, `abbreviation`…;
    empty: not said), in the order of `synonyms`.
    """

    system: str
    code: str
    label: str
    kind: str
    parents: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    types: tuple[str, ...] = ()

    def called(self, type: str) -> tuple[str, ...]:
        """Its synonyms of one type: `called("brand")` gives the brands of a drug."""
        return tuple(name for name, other in zip(self.synonyms, self.types, strict=True) if other == type)


@dataclass(frozen=True, slots=True)
class Term:
    """One way to write a concept, as a dictionary holds it, before its plurals and feminines are made.

    `form` says how it varies: `noun` (singular and plural), `adj` (all four forms), `exact` (as it is, any case),
    `case` (as it is, in this very case). `value` is what these words state beyond the code (`positive`, `C18-C20`).
    `type`: `label`, `synonym`, `brand`, `abbreviation`, `misspelling`, `code`; empty when not said.
    """

    system: str
    code: str
    kind: str
    text: str
    form: str = "noun"
    value: str | None = None
    type: str = ""


@dataclass(slots=True, unsafe_hash=True)
class Match:
    """A form found in a text. Nobody changes one (see `model.Mention`).

    `text == original[start:end]`; `kind` is a `MentionKind` value. `code` is null for a metastasis whose site is not
    said. `ambiguous`: these letters often mean something else, so the reader should ask the context. `value`: see
    `Term`.
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
class Suggestion:
    """A concept that a typer may mean; `matched` is the name that was typed where it is not its label (`Keytruda`)."""

    concept: Concept
    matched: str | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """The edition of a code system in force, with the number of its concepts and of the forms they are found as.

    `folder`: where it lies in the referentials. `active_edition`: the slug of the imported edition in force, empty for
    what Consore ships; `available`: the imported ones. `imported_at`, `imported_by`, `imported_file` and
    `import_counts` (rows `read`, `kept`, `changed`, `rejected`): what the importer wrote, empty for what is shipped.
    `forms_by_type`: `terms` by the type of their term (`brand`, `abbreviation`…; empty: not said).
    """

    system: str
    edition: str
    concepts: int
    terms: int
    name: str = ""
    licence: str = ""
    origin: str = ""
    folder: str = ""
    active_edition: str = ""
    available: tuple[str, ...] = ()
    imported_at: str = ""
    imported_by: str = ""
    imported_file: str = ""
    import_counts: dict[str, int] = field(default_factory=dict)
    forms_by_type: dict[str, int] = field(default_factory=dict)
