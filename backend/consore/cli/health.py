"""The doctor: looks at every component of a node and says, of each, whether it serves and how to mend it."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from consore import __version__
from consore.errors import ConsoreError
from consore.settings import Settings

LOW_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: a component, and what is to be done where it is `wrong`."""

    component: str
    version: str = ""
    where: str = ""
    mend: str = ""
    wrong: bool = False

    @property
    def mark(self) -> str:
        """✓ in order · ! could be better · ✗ does not serve."""
        return "✗" if self.wrong else "!" if self.mend else "✓"


def examine(settings: Settings) -> list[Finding]:
    """The findings on this node, in the order of what stands on what. No examination stops the others."""
    examinations: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("python", _python),
        ("settings", _settings),
        ("disk", _disk),
        ("store", _store),
        ("search engine", _engine),
        ("referentials", _referentials),
        ("reader", _reader),
        ("sources", _sources),
        ("training", _training),
        ("GraphiQL", _graphiql),
        ("network key", _key),
    ]
    findings = []
    for component, look in examinations:
        try:
            findings.append(look(settings))
        except ConsoreError as error:
            findings.append(Finding(component, mend=str(error), wrong=True))
        except Exception as error:  # a doctor never dies of a patient
            findings.append(Finding(component, mend=f"{type(error).__name__}: {error}", wrong=True))
    return findings


def _python(settings: Settings) -> Finding:
    old = sys.version_info < (3, 11)
    mend = "Install Python 3.11 or newer." if old else ""
    return Finding("python", platform.python_version(), sys.executable, mend, old)


def _settings(settings: Settings) -> Finding:
    file = settings.home / "consore.toml"
    mend = "" if file.exists() else "`consore init` writes it; until then defaults hold."
    return Finding("consore", __version__, str(file if file.exists() else settings.home), mend)


def _disk(settings: Settings) -> Finding:
    folder = next(place for place in (settings.home, *settings.home.parents) if place.exists())
    free = shutil.disk_usage(folder).free
    mend = (
        "Less than 2 GiB are free: the search engine stops writing when the disk is full."
        if free < LOW_DISK_BYTES
        else ""
    )
    return Finding("disk", f"{free / 1024**3:.0f} GiB free", str(folder), mend)


def _store(settings: Settings) -> Finding:
    from consore.store import Store

    store = Store.of(settings)
    try:
        with store.engine.connect() as connection:
            server = ".".join(str(part) for part in connection.dialect.server_version_info or ())
        version = f"{store.dialect} {server}, tables {store.revision()}"
        return Finding("store", version, store.engine.url.render_as_string())
    finally:
        store.close()


def _engine(settings: Settings) -> Finding:
    from consore.index import ensure_engine

    with ensure_engine(settings) as engine:
        return Finding("search engine", f"Typesense {engine.version}", engine.url)


def _referentials(settings: Settings) -> Finding:
    from consore.referentials import terminology

    editions = terminology(settings.referentials, settings.cache, settings.site_referentials).editions()
    terms = sum(edition.terms for edition in editions)
    return Finding("referentials", f"{len(editions)} systems, {terms:,} terms", str(settings.referentials))


def _reader(settings: Settings) -> Finding:
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding("reader", mend="Documents cannot be read here: pip install 'consore[language]'.")
    from consore.language import Reader

    return Finding("reader", Reader.load(settings).version, f"profile {settings.language_profile}")


def _sources(settings: Settings) -> Finding:
    from consore.ingestion import HealthState, health_of_sources
    from consore.store import Store

    store = Store.of(settings)
    try:
        with store.session() as session:
            found = list(health_of_sources(session, settings).values())
    finally:
        store.close()
    failed = [one for one in found if one.state in (HealthState.FAILED, HealthState.RETRYING) and one.last_run]
    late = [one for one in found if one.late_since and one not in failed]
    well = len(found) - len(failed) - len(late)
    told = [
        f"{one.source.name} failed at {_local(one.last_run.ended_at)}: {one.last_run.message}"
        for one in failed
        if one.last_run
    ]
    told += [
        f"{one.source.name} should have been read at {_local(one.late_since)}: does the worker run?" for one in late
    ]
    where = f"webhook {settings.alert_webhook}" if settings.alert_webhook else "alerts go to the log only"
    return Finding("sources", f"{len(found)} sources, {well} in order", where, " ".join(told))


def _local(moment: dt.datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "?"


def _training(settings: Settings) -> Finding:
    if importlib.util.find_spec("flair") is None:
        return Finding(
            "training", mend="Only needed by `consore train`: pip install torch==2.13.0, then 'consore[language]'."
        )
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("flair", "torch"))
    return Finding("training", versions)


def _graphiql(settings: Settings) -> Finding:
    package = "graphene-django-graphiql-static"
    if importlib.util.find_spec("graphene_django_graphiql_static") is None:
        return Finding("GraphiQL", mend=f"The page is not served: pip install {package}==0.8")
    return Finding("GraphiQL", importlib.metadata.version(package), f"{settings.address}/graphql")


def _key(settings: Settings) -> Finding:
    from consore.federation import key_fingerprint

    return Finding("network key", key_fingerprint(settings), str(settings.home / "keys"))
