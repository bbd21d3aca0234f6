"""A node's settings: where they come from, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from consore.errors import ConfigurationError
from consore.settings import load_settings, shipped_referentials


def home_with(folder: Path, text: str) -> Path:
    (folder / "consore.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_with(tmp_path, 'centre_code = "FICHIER"\ncentre_name = "Centre du fichier"\n')
    monkeypatch.setenv("CONSORE_CENTRE_CODE", "VARIABLE")
    settings = load_settings(home)
    assert (settings.centre_code, settings.centre_name, settings.port) == ("VARIABLE", "Centre du fichier", 8400)


def test_everything_a_node_writes_lies_under_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSORE_CACHE_DIR")
    settings = load_settings(tmp_path)
    assert settings.cache.is_relative_to(tmp_path)
    assert str(tmp_path) in settings.store_url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 99999", "port"),
        ("prot = 8400", "prot"),
        ("port = ", "not valid TOML"),
        ("federation_threshold = 1", "federation_threshold"),
        ("audit_months = 3", "audit_months"),
    ],
)
def test_a_wrong_setting_is_named_with_the_file_to_mend(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_settings(home_with(tmp_path, text))
    assert "consore.toml" in str(caught.value) or "Mend" in caught.value.hint


def test_the_search_engines_key_is_not_printed(tmp_path: Path) -> None:
    settings = load_settings(home_with(tmp_path, 'typesense_api_key = "tres-secret"'))
    assert "tres-secret" not in repr(settings)


def test_the_code_systems_ship_with_consore() -> None:
    assert (shipped_referentials() / "README.md").exists()
