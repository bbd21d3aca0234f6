"""Turns the terms of the code systems into the forms that reports are written in.

Nouns get their plural, adjectives their four forms, ligatures both spellings. Two tables multiply further: metastatic
phrases (`phrases.csv` heads × every site form) and ambiguity rules. All of it is data; this module only combines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from consore.errors import ConfigurationError
from consore.model import System
from consore.referentials.concept import Concept, Term
from consore.referentials.inflection import adjective_forms, four_forms, noun_forms, plural, spellings
from consore.referentials.matcher import LAYERS, Form, Patterns, Rule, pattern_after, pattern_before, patterns
from consore.referentials.reading import CodeSystem, numbered_rows, rows
from consore.text import fold


def expand(root: Path, systems: list[CodeSystem]) -> tuple[Patterns, dict[str, dict[str, int]]]:
    """The patterns of all forms of `systems`, and the number of forms by folder and by type of term."""
    forms: dict[str, list[Form]] = {}
    counts: dict[str, dict[str, int]] = {}
    for system in systems:
        labels = {concept.code: concept for concept in system.concepts}
        added = counts.setdefault(system.folder, {})
        for term in system.terms:
            if term.kind in LAYERS:
                added[term.type] = added.get(term.type, 0) + _add(forms, term, labels[term.code])
    for folder, term, label in _metastases(root, systems):
        added = counts.setdefault(folder, {})
        added[""] = added.get("", 0) + _add_form(forms, term, label, None)
    rules, ambiguous = _read_ambiguity(
        [root / "ambiguity.csv", *(path for system in systems for path in system.ambiguity)], forms
    )
    return patterns(forms, rules, ambiguous), counts


def surface_forms(term: Term) -> tuple[str, ...]:
    """Every way to write a term: its inflections, each in every spelling."""
    if term.form in ("exact", "case"):
        inflected: tuple[str, ...] = (term.text,)
    elif term.form == "adj":
        inflected = adjective_forms(term.text)
    else:
        inflected = noun_forms(term.text)
    return tuple(dict.fromkeys(spelling for form in inflected for spelling in spellings(form)))


def _add(forms: dict[str, list[Form]], term: Term, concept: Concept) -> int:
    exact = term.text if term.form == "case" else None
    return sum(
        _add_form(
            forms, Term(term.system, term.code, term.kind, text, "exact", term.value), concept.label, exact and text
        )
        for text in surface_forms(term)
    )


def _add_form(forms: dict[str, list[Form]], term: Term, label: str, exact: str | None) -> int:
    """Adds one written form; 1 if it was new. The first system to claim a form in a layer keeps it.

    A sign inside a form (`lutétium (177Lu) oxodotréotide`) may be written or left out.
    """
    written = fold(term.text).strip()
    folded = " ".join(written.split())
    if not folded:
        return 0
    if written != folded:
        _claim(forms.setdefault(written, []), term, label, exact)
    return _claim(forms.setdefault(folded, []), term, label, exact)


def _claim(claimed: list[Form], term: Term, label: str, exact: str | None) -> int:
    layer = LAYERS[term.kind]
    for index, other in enumerate(claimed):
        if LAYERS[other.kind] != layer:
            continue
        if other.code == term.code and other.exact is not None:
            wider = None if exact is None else other.exact | {exact}
            claimed[index] = Form(other.system, other.code, other.label, other.kind, other.value, wider)
        elif other.exact is not None and (exact is None or exact not in other.exact):
            continue
        return 0
    system = term.system if term.code else None
    accepted = None if exact is None else frozenset((exact,))
    claimed.append(Form(system, term.code or None, label, term.kind, term.value, accepted))
    return 1


def _metastases(root: Path, systems: list[CodeSystem]) -> Iterator[tuple[str, Term, str]]:
    """Every head (`métastase`, `lésion secondaire`) joined to every way to name a site (`hépatique`, `du foie`)."""
    folder = root / "metastasis"
    if not (folder / "heads.csv").exists():
        return
    system, behaviour = System.ICDO3_T.value, System.ICDO3_M.value
    labels = {c.code: c.label for s in systems if s.system == system for c in s.concepts if c.kind == "topography"}
    heads = [
        (head["head"], head["gender"], head["form"]) for head in rows(folder / "heads.csv", "head", "gender", "form")
    ]
    for site in rows(folder / "sites.csv", "code", "adjective", "complement"):
        label = f"Métastase : {labels.get(site['code'], site['code']).lower()}"
        for head in heads:
            for text in _joined(*head, site["adjective"], site["complement"]):
                for spelling in spellings(text):
                    yield folder.name, Term(system, site["code"], "metastasis", spelling, "exact"), label
                    if head[2] == "around":  # the organ stands inside: the behaviour is the whole phrase
                        yield folder.name, Term(behaviour, "8000/6", "morphology", spelling, "exact"), "Métastase"


def _joined(head: str, gender: str, form: str, adjective: str, complement: str) -> Iterator[str]:
    """`métastase` and `hépatique` → métastase hépatique, métastases hépatiques; and with each complement.

    `form`: `noun`, `short` (an abbreviation, as it is) or `around` (`lésion {} secondaire`).
    """
    complements = [words for words in complement.split("|") if words]
    if form == "short":
        yield from (f"{head} {words}" for words in (*adjective_forms(adjective), *complements))
        return
    if form == "around":
        masculine, feminine, masculines, feminines = four_forms(adjective)
        noun, qualifier = head.split(" {} ")
        yield f"{noun} {feminine if gender == 'f' else masculine} {qualifier}"
        yield f"{plural(noun)} {feminines if gender == 'f' else masculines} {plural(qualifier)}"
        return
    many = plural(head)
    masculine, feminine, masculines, feminines = four_forms(adjective)
    yield f"{head} {feminine if gender == 'f' else masculine}"
    yield f"{many} {feminines if gender == 'f' else masculines}"
    for words in complements:
        yield f"{head} {words}"
        yield f"{many} {words}"


def _read_ambiguity(
    paths: list[Path], forms: dict[str, list[Form]]
) -> tuple[dict[tuple[str, str], list[Rule]], frozenset[str]]:
    """Rules by (folded form, kind; an empty kind is every kind), and the forms to be flagged; masks go into `forms`.

    `never` and `only` look at the words beside the form, `case` lists its only writings, `mask` hides what lies inside.
    """
    rules: dict[tuple[str, str], list[Rule]] = {}
    ambiguous: set[str] = set()
    for path in paths:
        if not path.exists():
            continue
        for line, row in numbered_rows(path, "form", "kind", "rule", "before", "after", "why"):
            folded = " ".join(fold(row["form"]).split())
            match row["rule"]:
                case "flag":
                    ambiguous.add(folded)
                case "mask":
                    for spelling in spellings(row["form"]):
                        key = " ".join(fold(spelling).split())
                        forms.setdefault(key, []).append(Form(None, None, "", row["kind"], mask=True))
                case "case":
                    writings = frozenset(row["before"].split("|"))
                    if folded in forms:
                        forms[folded] = [
                            replace(form, exact=writings) if form.kind == row["kind"] else form
                            for form in forms[folded]
                        ]
                case "only" | "never":
                    rules.setdefault((folded, row["kind"]), []).append(_rule(row, f"{path}, line {line}"))
                case unknown:
                    raise ConfigurationError(
                        f"{path}, line {line}: unknown rule {unknown}.", "Use flag, mask, case, only or never."
                    )
    return rules, frozenset(ambiguous)


def _rule(row: dict[str, str], place: str) -> Rule:
    try:
        pattern_before(row["before"])
        pattern_after(row["after"])
    except re.error as error:
        raise ConfigurationError(
            f"{place}: not a regular expression: {error}.", "Write the words beside the form in small letters, a|b|c."
        ) from error
    return row["before"], row["after"], row["rule"] == "only"
