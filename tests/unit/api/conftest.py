"""One small centre for the whole room: its API without a search engine, and clients of each role."""

import pytest
from api_centre import ApiClient, fill_centre
from starlette.testclient import TestClient

from consore.api import create_app
from consore.model import Role
from consore.settings import Settings


@pytest.fixture(scope="session")
def api_app(tmp_path_factory):
    settings = Settings(
        home=tmp_path_factory.mktemp("api-node"),
        centre_code="ESSAI",
        centre_name="Centre d’essai",
        allowed_origins=["https://portail.example"],
    )
    return create_app(settings, engine=False)


@pytest.fixture(scope="session")
def api_store(api_app):
    return api_app.state.node.store


@pytest.fixture(scope="session")
def patients(api_store):
    return fill_centre(api_store)


@pytest.fixture(scope="session")
def http(api_app, patients):
    with TestClient(api_app) as client:
        yield client


@pytest.fixture(scope="session")
def physician(http):
    return ApiClient(http, Role.PHYSICIAN)


@pytest.fixture(scope="session")
def researcher(http):
    return ApiClient(http, Role.RESEARCHER)


@pytest.fixture(scope="session")
def admin(http):
    return ApiClient(http, Role.ADMIN)


@pytest.fixture(scope="session")
def integrator(http):
    return ApiClient(http, Role.INTEGRATOR)


@pytest.fixture(scope="session")
def stranger(http):
    return ApiClient(http)
