"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import postgres_server, postgres_store, sqlite_store

from consore.settings import Settings
from consore.store import Store

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all nodes of the session: the dictionary is compiled, and the engine unpacked, once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _no_node_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_cache: Path) -> None:
    """No test sees the settings of whoever runs it."""
    import os

    for name in [name for name in os.environ if name.startswith("CONSORE_") and name != "CONSORE_CACHE_DIR"]:
        monkeypatch.delenv(name)
    if "CONSORE_CACHE_DIR" not in os.environ:
        monkeypatch.setenv("CONSORE_CACHE_DIR", str(shared_cache))
    monkeypatch.setenv("CONSORE_HOME", str(tmp_path / "home"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a new node under the test's folder."""
    return Settings(home=tmp_path / "home", centre_code="TEST", centre_name="Centre d'essai")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A new SQLite store."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with sqlite_store(settings.home) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL for the session."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new store, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        with sqlite_store(tmp_path) as opened:
            yield opened
    else:
        with postgres_store(request.getfixturevalue("postgres_url")) as opened:
            yield opened


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real corpora and referentials, where they lie beside the checkout."""
    if not SHARED_DATA.exists():
        pytest.skip("the real corpora and referentials are not beside the checkout (../shared/data)")
    return SHARED_DATA
