"""The names of the centre's patients, to keep them out of the questions of those who may not see names.

Somebody who may not know who is here could otherwise find out by asking: « is there a report with this name? ».
"""

from __future__ import annotations

import re
import threading
import time

from sqlmodel import col, select

from consore.access.identity import PARTICLES, SHORTEST_NAME
from consore.model import Patient
from consore.referentials import fold, tokens_for_index
from consore.store import Store

LIFE_S = 600.0
_WORD = re.compile(r"\S+")


class PatientNames:
    """The family names and IPPs of one store. Threads share it; names are read again every ten minutes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: frozenset[str] = frozenset()
        self._until = 0.0
        self._reading = threading.Lock()

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where `text` holds a word that is a family name, a birth name or an IPP (code points)."""
        words = [(found.span(), found.group()) for found in _WORD.finditer(fold(text))]
        if not words:
            return []
        names = self._known()
        identifiers = self._identifiers({text[start:end] for (start, end), _ in words})
        return [
            (start, end)
            for (start, end), word in words
            if tokens_for_index(word) in names or text[start:end] in identifiers
        ]

    def _known(self) -> frozenset[str]:
        with self._reading:
            if time.monotonic() > self._until:
                with self._store.session() as session:
                    rows = session.exec(select(Patient.family_name, Patient.birth_name).distinct()).all()
                words = {word for row in rows for name in row for word in fold(name).split()}
                self._names = frozenset(
                    tokens_for_index(word) for word in words if len(word) >= SHORTEST_NAME and word not in PARTICLES
                )
                self._until = time.monotonic() + LIFE_S
            return self._names

    def _identifiers(self, words: set[str]) -> set[str]:
        candidates = [word for word in words if any(character.isdigit() for character in word)]
        if not candidates:
            return set()
        with self._store.session() as session:
            return set(session.exec(select(Patient.ipp).where(col(Patient.ipp).in_(candidates))))
