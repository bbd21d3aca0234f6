"""Passwords: how they are kept (argon2id) and which ones are taken.

The rules follow CNIL's recommendation of 2022 (deliberation 2022-100): length makes strength, so 12 characters at
least with three kinds of them, or a sentence of 20; nothing that is the account's own name.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from consore.errors import InputError

SHORTEST = 12
SENTENCE = 20
LONGEST = 256

# OWASP's second profile for argon2id: 19 MiB, 2 passes, 1 lane; a sign-in costs some 20 ms of one core.
_hasher = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))


def hash_password(password: str) -> str:
    """The password as an argon2id hash in PHC form. Accents are composed first (NFC), as keyboards differ."""
    return _hasher.hash(_composed(password))


def password_matches(password: str, password_hash: str) -> bool:
    """Whether `password` is the one behind `password_hash`; an empty hash costs the same time and never matches."""
    known = bool(password_hash)
    matches = _hasher.verify(_composed(password)[:LONGEST], password_hash or _nobodys_hash())
    return matches and known


def check_password(password: str, *, login: str = "", name: str = "") -> None:
    """Refuse a weak password.

    Raises InputError that says which rule it breaks.
    """
    text = _composed(password)
    kinds = sum(
        any(test(character) for character in text)
        for test in (str.islower, str.isupper, str.isdigit, lambda character: not character.isalnum())
    )
    if len(text) > LONGEST:
        raise InputError(f"The password is longer than {LONGEST} characters.", "Choose a shorter one.")
    if len(text) < SHORTEST or (len(text) < SENTENCE and kinds < 3) or len(set(text)) < 6:
        raise InputError(
            "The password is too weak.",
            f"Take {SHORTEST} characters or more of three kinds (lower, upper, digits, signs), "
            f"or a sentence of {SENTENCE} or more.",
        )
    own_words = [word for word in (login, *name.split()) if len(word) > 3]
    if any(word.casefold() in text.casefold() for word in own_words):
        raise InputError("The password holds the name of the account.", "Choose one without it.")


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """A hash to compare with where there is no account, so that the answer takes as long."""
    return hash_password("nobody has this password")


def _composed(password: str) -> str:
    return unicodedata.normalize("NFC", password)
