"""The GraphiQL page, whole from this node: a hospital network reaches no other.

GraphiQL and React (both MIT licensed) come in the Python package `graphene-django-graphiql-static` (BSD); only its
files are read, so that Django is not needed.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

PACKAGE = "graphene_django_graphiql_static"
OWN = Path(__file__).parent / "static"
OF_THE_PACKAGE = ("graphiql.min.css", "graphiql.min.js", "react.production.min.js", "react-dom.production.min.js")
OF_OUR_OWN = ("page.css", "page.js")

# No other host, no script but files; the editor sets styles on its lines, and its fonts and icons lie in its own file.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


async def graphiql_page(request: Request) -> Response:
    """The page, or what to install where the package is absent."""
    if packaged_files() is None:
        return PlainTextResponse(
            f"GraphiQL is not installed. Run: pip install {PACKAGE.replace('_', '-')}==0.8", status_code=503
        )
    return FileResponse(
        OWN / "graphiql.html",
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"},
    )


async def graphiql_asset(request: Request) -> Response:
    """One of the page's files; nothing else of the disk can be named."""
    name, folder = request.path_params["name"], packaged_files()
    if name in OF_OUR_OWN:
        return FileResponse(OWN / name, headers={"Cache-Control": "no-cache"})
    if name in OF_THE_PACKAGE and folder is not None:
        return FileResponse(folder / name, headers={"Cache-Control": "public, max-age=86400"})
    return PlainTextResponse("Not found.", status_code=404)


@lru_cache(maxsize=1)
def packaged_files() -> Path | None:
    """The folder of the package's files; the package itself is not imported."""
    found = find_spec(PACKAGE)
    places = list(found.submodule_search_locations or []) if found else []
    folder = Path(places[0]) / "static" / PACKAGE if places else None
    return folder if folder and folder.is_dir() else None
