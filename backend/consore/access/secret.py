"""The secrets of a node: random bytes in files of `home/keys` that their owner alone may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from consore.errors import ConfigurationError


def node_secret(home: Path, name: str, length: int, when_damaged: str) -> bytes:
    """The secret `home/keys/NAME.key`, made at first use.

    Two processes may start together: the file is linked into place, and whoever comes second reads the first's.
    Raises ConfigurationError where the file cannot be read or has another length; `when_damaged` says what to do.
    """
    file = home / "keys" / f"{name}.key"
    try:
        if not file.exists():
            _make(file, length)
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The key {file} cannot be used: {error.strerror}.", "Check who owns the folder and that the disk has room."
        ) from error
    if len(raw) != length:
        raise ConfigurationError(f"The key {file} is damaged.", when_damaged)
    return raw


def _make(file: Path, length: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.stem}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(length))
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
