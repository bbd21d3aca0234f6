"""Where a fictional centre's extracts come from: its name, its numbers, and how its documents are laid out."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass
from functools import cached_property

FLAT = 5_000  # patients up to which the documents lie in one folder
NAMESPACE = uuid.UUID("6f1c5b0e-3c1f-5a76-9a55-0a3d3f0d7c11")


@dataclass(frozen=True)
class Site:
    """A fictional centre as its formats need it. `carriers`: the file formats of documents that were asked for."""

    code: str
    name: str
    seed: int
    split: str
    patients: int
    carriers: tuple[str, ...] = ()

    @cached_property
    def finess(self) -> str:
        """Nine digits in the invented department 99, with the check digit of a FINESS number (Luhn)."""
        digits = f"99{zlib.crc32(self.code.encode()) % 1_000_000:06d}"
        doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(digits)]
        return digits + str(-sum(value // 10 + value % 10 for value in doubled) % 10)

    @cached_property
    def oid(self) -> str:
        """An OID of the arc 2.25, which needs no registration (ITU-T X.667)."""
        return f"2.25.{uuid.uuid5(NAMESPACE, self.code).int}"

    def uuid(self, *parts: object) -> str:
        """A stable UUID of something of this centre."""
        return str(uuid.uuid5(NAMESPACE, "/".join(map(str, (self.code, self.seed, *parts)))))

    def dice(self, key: str) -> float:
        """A number in [0, 1) that depends on nothing but the key: a document keeps its format when it is corrected."""
        return zlib.crc32(f"{self.seed}/{key}".encode()) / 2**32

    def folder(self, number: int) -> str:
        """The sub-folder of a patient's files in a large centre, with its slash; nothing in a small one."""
        return f"{number // 1000:04d}/" if self.patients > FLAT else ""
