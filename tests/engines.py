"""One real search engine for the whole test session, shared: starting it takes a few seconds and 40 MB.

    from engines import engine_settings, shared_engine

`engine_settings(centre_code)` gives settings that use it as a site's own server (CONSORE_TYPESENSE_URL): give each
test module a centre code of its own, as aliases on a shared server carry it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from consore.index import TypesenseServer
from consore.settings import Settings, load_settings

# The joined program weighs 338 MB: kept between sessions.
PROGRAMS = Path(os.environ.get("CONSORE_CACHE_DIR", Path.home() / ".cache" / "consore-tests"))


@functools.cache
def shared_engine() -> TypesenseServer:
    """The session's engine, started on first use and stopped at exit."""
    home = Path(tempfile.mkdtemp(prefix="consore-engine-"))
    server = TypesenseServer(load_settings(home=home, cache_dir=PROGRAMS))
    server.start()
    atexit.register(lambda: (server.stop(), shutil.rmtree(home, ignore_errors=True)))
    return server


def engine_settings(centre_code: str, home: Path, **overrides: Any) -> Settings:
    """Settings of a node of its own at `home` that uses the session's engine."""
    engine = shared_engine()
    return load_settings(
        home=home,
        centre_code=centre_code,
        typesense_url=engine.url,
        typesense_api_key=engine.api_key,
        cache_dir=PROGRAMS,
        **overrides,
    )
