"""Every question that the app can ask is one that the API answers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from consore_mobile.operations import operation, operation_names

ROOT = Path(__file__).parents[3]
SCHEMA = build_schema((ROOT / "backend" / "schema.graphql").read_text(encoding="utf-8"))
APP = ROOT / "mobile" / "consore_mobile"


@pytest.mark.parametrize("name", operation_names())
def test_each_operation_is_valid_against_the_schema(name: str) -> None:
    errors = validate(SCHEMA, parse(operation(name)))
    assert not errors, "\n".join(error.message for error in errors)


def test_each_operation_is_used_and_each_used_one_exists() -> None:
    tree = ast.parse((APP / "client.py").read_text(encoding="utf-8"))
    asked = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"call", "_ask"}
        and isinstance(node.args[0], ast.Constant)
    }
    assert asked == set(operation_names())


def test_the_app_never_imports_the_server() -> None:
    for file in [APP.parent / "main.py", *APP.rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "consore"], file


def test_what_needs_no_screen_imports_no_kivy() -> None:
    plain = ["answers", "asking", "client", "entities", "failures", "formatting", "network", "operations", "palette"]
    for name in [*plain, "preferences", "timeline_layout", "chart_layout", "words"]:
        text = (APP / f"{name}.py").read_text(encoding="utf-8")
        assert "import kivy" not in text, name
        assert "from kivy" not in text, name
