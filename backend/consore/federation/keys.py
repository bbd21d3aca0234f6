"""The node's signing key: by it the other centres know that a question comes from this one.

An Ed25519 key (RFC 8032) in `home/keys/federation.pem`, readable by the owner alone, made at first use. Only
the public half ever leaves: `public_key_pem` is what an admin hands to the other centres, `key_fingerprint`
what the two read out on the telephone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from consore.errors import ConfigurationError, InputError
from consore.settings import Settings


def node_key(settings: Settings) -> Ed25519PrivateKey:
    """The node's private key, made at first use.

    Two processes may start together: the file is linked into place whole, and whoever comes second reads the first's.
    Raises ConfigurationError where the file cannot be read or holds something else.
    """
    file = key_file(settings)
    try:
        if not file.exists():
            _make_key(file)
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(
            f"The key {file} cannot be used: {error.strerror}.", "Check who owns the folder and that the disk has room."
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _damaged(file) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(file)
    return key


def key_file(settings: Settings) -> Path:
    """Where the private key lies."""
    return settings.home / "keys" / "federation.pem"


def public_key_pem(settings: Settings) -> str:
    """The node's public key as PEM text, to be handed to the other centres."""
    return node_key(settings).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def key_fingerprint(settings: Settings) -> str:
    """The fingerprint of the node's own public key."""
    return fingerprint(node_key(settings).public_key())


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the 32 key bytes as `SHA256:` and base64, as OpenSSH writes it."""
    digest = hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def read_public_key(pem: str) -> Ed25519PublicKey:
    """The public key of another centre from PEM text.

    Raises InputError where it is not an Ed25519 public key; a private key is refused by name: it should not be here.
    """
    if "PRIVATE KEY" in pem:
        raise InputError(
            "This is a private key: it must not leave its centre.",
            "Ask the other centre for what `consore peer key` prints, and for a new key.",
        )
    try:
        key = load_pem_public_key(pem.strip().encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_a_key() from error
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key()
    return key


def _make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = file.with_name(f".federation.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return  # another process was first: its key is the node's
    finally:
        draft.unlink(missing_ok=True)


def _damaged(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"The key {file} is damaged.",
        "Restore it from the backup; else delete it, and hand the new public key to the other centres.",
    )


def _not_a_key() -> InputError:
    return InputError(
        "This is not an Ed25519 public key in PEM form.", "Paste the whole text that `consore peer key` prints there."
    )
