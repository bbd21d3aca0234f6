"""The Android recipe is whole: everything pinned, nothing asked of the phone but the network."""

from __future__ import annotations

import configparser
import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

MOBILE = Path(__file__).parents[3] / "mobile"
RECIPES_WITH_NO_VERSION = {"pyjnius", "android", "openssl", "sqlite3", "pillow", "tzdata"}
ALLOWED_PERMISSIONS = {"android.permission.INTERNET", "android.permission.ACCESS_NETWORK_STATE"}
RUST = {"pydantic", "pydantic-core", "cryptography", "rpds-py"}


@pytest.fixture(scope="module")
def spec() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(MOBILE / "buildozer.spec", encoding="utf-8")
    return parser["app"]


@pytest.fixture(scope="module")
def pins(spec: configparser.SectionProxy) -> dict[str, str]:
    pairs = (item.strip().partition("==") for item in spec["requirements"].split(","))
    return {name.lower().replace("_", "-"): version for name, _, version in pairs}


def test_every_plain_module_is_pinned(pins: dict[str, str]) -> None:
    assert {name for name, version in pins.items() if not version} <= RECIPES_WITH_NO_VERSION


def test_the_phone_runs_the_versions_that_are_tested_here(pins: dict[str, str]) -> None:
    project = tomllib.loads((MOBILE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    tested = dict(item.split("==") for item in project["project"]["optional-dependencies"]["mobile"] if "==" in item)
    for name in ("kivy", "httpx", "materialyoucolor"):
        assert pins[name] == tested[name], name


def test_plain_modules_come_without_their_dependencies_so_each_is_listed(pins: dict[str, str]) -> None:
    for name in ("httpx", "httpcore", "anyio", "asynckivy"):
        needed = [item for item in requires(name) or [] if "extra ==" not in item]
        for item in needed:
            if "python_version <" in item or "python_full_version <" in item:
                continue
            wanted = re.match(r"[\w.-]+", item)
            assert wanted
            assert wanted[0].lower().replace("_", "-") in pins, f"{name} needs {wanted[0]}"


def test_nothing_needs_a_rust_compiler(pins: dict[str, str]) -> None:
    assert not RUST & set(pins)


def test_the_app_asks_for_the_network_and_for_nothing_else(spec: configparser.SectionProxy) -> None:
    assert {item.strip() for item in spec["android.permissions"].split(",")} <= ALLOWED_PERMISSIONS
    assert spec["android.allow_backup"] == "False"
    assert int(spec["android.api"]) >= 35


def test_every_kind_of_file_of_the_app_is_packed(spec: configparser.SectionProxy) -> None:
    packed = set(spec["source.include_exts"].split(","))
    used = {file.suffix[1:] for file in (MOBILE / "consore_mobile").rglob("*.*") if "__pycache__" not in file.parts}
    assert used <= packed
    for name in ("icon.filename", "presplash.filename", "version.filename"):
        assert Path(spec[name].replace("%(source.dir)s", str(MOBILE))).exists()
    version = (MOBILE / "consore_mobile" / "__init__.py").read_text(encoding="utf-8")
    assert re.search(spec["version.regex"], version)
