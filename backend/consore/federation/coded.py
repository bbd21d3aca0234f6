"""Nothing but codes crosses between centres: a free word could be a name.

`require_coded` is asked on both sides: before a question leaves, and again when it arrives.
"""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from consore.errors import CriteriaError
from consore.search.criteria import ConceptLeaf, Criteria

FILE = Path(__file__).parent / "codes.toml"


def require_coded(criteria: Criteria) -> None:
    """Raise CriteriaError where a text of the tree is not a code of the form that `codes.toml` gives."""
    if not criteria.is_coded():
        raise CriteriaError(
            "This question holds free words: they never leave the centre.",
            "Remove the words of documents and variants; keep codes.",
        )
    _check_node(criteria)


def _check_node(node: Criteria) -> None:
    for child in node.children:
        _check_node(child)
    leaf = getattr(node, node.key)
    if isinstance(leaf, ConceptLeaf):
        form = _forms()["concept"].get(leaf.system)
        for code in leaf.code:
            _check_text(f"concept.{leaf.system}", code, form)
    elif isinstance(leaf, BaseModel) and not node.children:  # what a sequence or a count holds was checked above
        _check_leaf(node.key, leaf, _forms().get(node.key, {}))


def _check_leaf(where: str, leaf: BaseModel, forms: dict[str, Any]) -> None:
    for name in type(leaf).model_fields:
        value = getattr(leaf, name)
        form = forms.get(name)
        if isinstance(value, BaseModel):
            _check_leaf(f"{where}.{name}", value, form if isinstance(form, dict) else {})
            continue
        for text in value if isinstance(value, list) else [value]:
            # Words of a closed list were checked when the tree was read.
            if isinstance(text, str) and not isinstance(text, Enum) and name not in _CLOSED:
                _check_text(f"{where}.{name}", text, form if isinstance(form, re.Pattern) else None)


def _check_text(where: str, text: str, form: re.Pattern[str] | None) -> None:
    if form is None or not form.fullmatch(text):
        raise CriteriaError(
            f"“{text[:40]}” is not a code for {where}: words never leave the centre.",
            "Choose a code from the suggestions.",
        )


_CLOSED = frozenset({"vital_status"})


@cache
def _forms() -> dict[str, dict[str, Any]]:
    return {name: _compiled(table) for name, table in tomllib.loads(FILE.read_text(encoding="utf-8")).items()}


def _compiled(table: dict[str, Any]) -> dict[str, Any]:
    return {key: _compiled(value) if isinstance(value, dict) else re.compile(value) for key, value in table.items()}
