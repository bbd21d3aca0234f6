"""Two real centres for the journeys of the app: generated, ingested and served in their own processes, once a session.

A third one is known to both and never started: a centre that is down.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from consore.cli.demo import Network
from consore.cli.fictional import FictionalCentre, prepare_centre
from consore.federation import introduce, public_key_pem, upsert_peer
from consore.store import Store

PATIENTS = 30


@dataclasses.dataclass(frozen=True)
class AppNetwork:
    """The address and accounts of the first centre, and the centres themselves."""

    centres: list[FictionalCentre]

    @property
    def address(self) -> str:
        """Where the app connects."""
        return self.centres[0].settings.address

    def password(self, login: str) -> str:
        """The password of an account of the demonstration."""
        return next(account.password for account in self.centres[0].accounts if account.login == login)

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """The store of the first centre, to look behind the app."""
        opened = Store.of(self.centres[0].settings)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(scope="session")
def two_centres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppNetwork]:
    """The running network."""
    folder: Path = tmp_path_factory.mktemp("network")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONSORE_HOME", str(folder / "home"))
        with Progress(console=Console(file=io.StringIO())) as bar:
            centres = [
                prepare_centre(folder, number, patients=PATIENTS, bar=bar, stages=[], first_port=0)
                for number in range(2)
            ]
        introduce([centre.settings for centre in centres])
        for centre in centres:
            _introduce_one_that_is_down(centre)
        with Network(centres) as running:
            running.wait_until_ready(120)
            yield AppNetwork(centres)


def _introduce_one_that_is_down(centre: FictionalCentre) -> None:
    store = Store.of(centre.settings)
    try:
        with store.session() as session:
            upsert_peer(
                session,
                code="AQUILON",
                name="Centre fictif Aquilon",
                url="http://127.0.0.1:9",
                public_key=public_key_pem(centre.settings),
                referent_name="Dr Loïs Ambremont",
                referent_email="referent@aquilon.example",
                referent_phone="01 99 00 00 09",
            )
    finally:
        store.close()
