"""The options of a source: which there are, whether they can be used, and where its secrets lie.

`formats/options.csv` lists them. A password never stands in options or in a location: they name an environment
variable, or a file of CONSORE_HOME/secrets that only its owner can read.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from consore.errors import InputError, SourceError
from consore.settings import load_settings
from consore.sources.records import RecordKind
from consore.sources.values import read_format

FORMATS = ("table", "sql", "index", "files", "rss", "rsa", "hl7", "fhir", "cda")
SECRETS = "secrets"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "secret": str,
    "map": dict,
    "list": list,
    "number": int,
    "boolean": bool,
}
_CLEAR = re.compile(r"password|passwd|motdepasse|token|secret|api_?key", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):([^/\s]*)@")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@cache
def known_options() -> dict[str, dict[str, str]]:
    """The rows of `formats/options.csv` by name."""
    return {row["option"]: row for row in read_format("options")}


def is_url(location: str | Path) -> bool:
    """Whether a location is a URL: of a database, of an SFTP or FHIR server."""
    return bool(_URL.match(str(location)))


def canonical(location: str | Path) -> str:
    """A location as it is kept: a path made absolute, a URL as it is.

    Raises InputError where a URL holds a password.
    """
    written = str(location).strip()
    if not written:
        raise InputError("A source has a location.", "Give a file, a folder or a URL.")
    if not is_url(written):
        return str(Path(written).expanduser().absolute())
    if _PASSWORD.search(written):
        raise InputError(
            f"The location {shown(written)} holds a password.",
            "Take it out; name it in the option password_env or password_file.",
        )
    return written


def shown(location: str | Path) -> str:
    """A location as people may see it: without a password."""
    return _PASSWORD.sub(r"\1:***@", str(location))


def masked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as people may see them: what looks like a secret in clear is hidden."""
    known = known_options()
    return {name: "***" if _CLEAR.search(name) and name not in known else value for name, value in options.items()}


def check_options(options: Mapping[str, Any]) -> None:
    """Raises InputError naming the option that is unknown, of the wrong type or a secret in clear."""
    known = known_options()
    for name, value in options.items():
        row = known.get(name)
        if row is None:
            if _CLEAR.search(name):
                raise InputError(
                    f"The option {name} would keep a secret in clear.",
                    "Use password_env or password_file (token_env, token_file), which name where it lies.",
                )
            raise InputError(f"There is no option {name}.", f"Known: {', '.join(known)}.")
        if not isinstance(value, _TYPES[row["type"]]) or (row["type"] == "number" and isinstance(value, bool)):
            raise InputError(f"The option {name} is no {row['type']}.", row["says"])
    if "format" in options and options["format"] not in FORMATS:
        raise InputError(f"There is no format {options['format']}.", f"Known: {', '.join(FORMATS)}.")
    kinds = get_args(RecordKind)
    if unknown := [kind for kind in options.get("records", ()) if kind not in kinds]:
        raise InputError(f"There is no kind of record {unknown[0]}.", f"Known: {', '.join(kinds)}.")
    if "name" in options:
        try:
            re.compile(options["name"])
        except re.error as error:
            raise InputError(f"The option name is no regular expression: {error}.", "Correct it.") from error


def load_options(file: Path) -> dict[str, Any]:
    """Options written as TOML (what `consore source map` writes) or JSON. Raises InputError with the fault."""
    try:
        text = file.read_text(encoding="utf-8")
        given = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Check its name and the rights on it.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} cannot be understood: {error}.", "Correct that line.") from error
    if not isinstance(given, dict):
        raise InputError(f"{file} holds no options.", "Write name = value lines.")
    return given


def secret_of(options: Mapping[str, Any], what: str) -> str | None:
    """The secret `password` or `token` that the options name; None where they name none. Raises SourceError."""
    if name := options.get(f"{what}_env"):
        value = os.environ.get(name)
        if not value:
            raise SourceError(
                f"The environment variable {name}, which holds the {what} of this source, is not set.",
                "Set it for `consore serve` and `consore worker`.",
            )
        return value
    if options.get(f"{what}_file"):
        return secret_file(str(options[f"{what}_file"])).read_text(encoding="utf-8").strip()
    return None


def secret_file(name: str) -> Path:
    """A file of CONSORE_HOME/secrets. Raises SourceError where it is missing, elsewhere or open to others."""
    folder = load_settings().home / SECRETS
    file = folder / name
    if file.resolve().parent != folder.resolve() or not file.is_file():
        raise SourceError(f"There is no file {name} in {folder}.", "Write the secret there, with the rights 0600.")
    if file.stat().st_mode & 0o077:
        raise SourceError(f"Others than its owner may read {file}.", f"Run `chmod 600 {file}`.")
    return file


def digest(options: Mapping[str, Any]) -> str:
    """Eight letters that change with what the options make of a file: marks of another mapping do not count."""
    meant = {name: value for name, value in options.items() if name != "today"}
    return sha256(json.dumps(meant, sort_keys=True, default=str).encode()).hexdigest()[:8] if meant else ""


def scheme_of(location: str) -> str:
    """`sftp`, `https`, `postgresql+psycopg`…; empty for a path."""
    return urlsplit(location).scheme.lower() if is_url(location) else ""
