"""Plain tables beside the code systems: cues of context, headings of sections, how values of biomarkers are written.

A folder's `source.toml` names them in `tables`; they have no codes, and belong to whoever reads them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from consore.errors import ConfigurationError
from consore.referentials.reading import rows
from consore.settings import shipped_referentials


def tables(folder: str, root: Path | None = None) -> dict[str, list[dict[str, str]]]:
    """The tables of `folder` by file name without its ending; a row is its cells by column.

    `root`: the folder of the code systems (default: those shipped with Consore). Raises ConfigurationError naming the
    file that cannot be read.
    """
    return {path.stem: list(rows(path)) for path in table_files(folder, root)}


def table_files(folder: str, root: Path | None = None) -> list[Path]:
    """The files of the tables of `folder`, in the order in which `source.toml` names them."""
    source = (root or shipped_referentials()) / folder / "source.toml"
    try:
        named = tomllib.loads(source.read_text(encoding="utf-8")).get("tables", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{source} cannot be read: {error}.", "Restore it from a release of Consore."
        ) from error
    return [source.parent / name for name in named]
