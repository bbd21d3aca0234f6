"""A patient without a name: a pseudonym that only this node can make again, and dates kept or moved.

The pseudonym is a keyed hash (HMAC-SHA-256) of the IPP with a secret of the node (`home/keys/pseudonym.key`), so that
two exports of one patient meet and nobody without the secret finds the IPP. Dates may be moved by a number of days that
is the patient's own, so that delays hold. Of the birth date only the year is kept. Under the GDPR this is
pseudonymised data, not anonymous data: a rare history may still name someone who knows it.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

from consore.access import node_secret
from consore.export.record import Record

KEY_BYTES = 32
MOST_DAYS = 180  # a date moves by 1 to as many days, backwards: nothing comes to lie in the future
BIRTHDAY = (7, 1)  # stands for the year where a day is wanted


class Pseudonyms:
    """The pseudonyms of a node."""

    def __init__(self, home: Path) -> None:
        """Raises ConfigurationError where the secret cannot be used."""
        hint = "Restore it from a backup: with another key the same patients would have other pseudonyms."
        self._key = node_secret(home, "pseudonym", KEY_BYTES, hint)

    def of(self, kind: str, identifier: str) -> str:
        """The pseudonym of an identifier: 16 letters and digits. `kind` keeps IPPs and samples apart."""
        return base64.b32encode(self._hash(f"{kind}:{identifier}")[:10]).decode().lower()

    def days_of(self, ipp: str) -> int:
        """By how many days the dates of a patient move, 1 to 180."""
        return 1 + int.from_bytes(self._hash(f"days:{ipp}")[:4]) % MOST_DAYS

    def veiled(self, record: Record, *, move_dates: bool) -> Record:
        """The record without who it is. Sentences have to be masked or left out before."""
        ipp = record.id
        days = self.days_of(ipp) if move_dates else 0
        moved: Record = _moved(record, lambda day: day - dt.timedelta(days=days)) if days else record
        birth = moved.birth.replace(month=BIRTHDAY[0], day=BIRTHDAY[1]) if moved.birth else None
        samples = [dataclasses.replace(one, id=self.of("sample", one.id)) for one in moved.samples]
        return dataclasses.replace(
            moved, id=self.of("patient", ipp), birth=birth, birth_is_year=True, samples=samples, identity=None
        )

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")


def _moved(value: Any, move: Callable[[dt.date], dt.date]) -> Any:
    """A copy of plain values with every date moved."""
    if isinstance(value, dt.date):
        return move(value)
    if isinstance(value, list | tuple):
        return type(value)(_moved(one, move) for one in value)
    if isinstance(value, dict):
        return {key: _moved(one, move) for key, one in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {one.name: _moved(getattr(value, one.name), move) for one in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    return value


__all__ = ["Pseudonyms"]
