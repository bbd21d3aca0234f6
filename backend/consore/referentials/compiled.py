"""The code systems as plain values, made once from their files and kept in a file of the node's cache.

Reading some thousands of lines and making plurals takes seconds, reading the result takes a few hundredths. The file is
`marshal` (Python's own format of plain values, which runs nothing when read, unlike pickle) behind the stamp of every
file that it was made of and a digest of its bytes: a file that is stale, cut short or damaged is made anew, one that
cannot be written is done without. It lies in the node's own cache folder, as safe as the programs there.
The automaton is not in it: `ahocorasick_rs` builds it from its patterns in about a tenth of a second.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from consore.memory import uncollected
from consore.referentials.concept import Concept, Edition
from consore.referentials.expansion import expand
from consore.referentials.maps import OwnCategory, own_category
from consore.referentials.matcher import Patterns
from consore.referentials.reading import CodeSystem, numbered_rows, read_systems
from consore.referentials.suggestion import Names, names_of

_MAGIC = b"consore terminology 2\n"
_DIGEST = 32  # bytes
_VALUES = attrgetter(*(field.name for field in fields(Concept)))  # the row of a concept
_COUNTED = ("read", "kept", "changed", "rejected")


@dataclass(frozen=True)
class Compiled:
    """What a `Terminology` is made of. `names` are still in bytes: only suggesting needs them. `fingerprint` changes
    whenever a concept, a form or a rule does, and only then."""

    concepts: list[tuple[Any, ...]]
    editions: list[Edition]
    patterns: Patterns
    names: bytes
    own_categories: list[tuple[Any, ...]]
    fingerprint: str

    def concept(self, index: int) -> Concept:
        """The concept of a row."""
        return Concept(*self.concepts[index])

    def suggestable(self) -> Names:
        """The words of concepts, for suggesting."""
        return Names(*marshal.loads(self.names))


def compiled(root: Path, site: Path | None, cache: Path | None, stamped: str) -> Compiled:
    """The code systems under `root` and `site` from the cache if it holds them as `stamped`, else from their files.

    Raises ConfigurationError for files that cannot be read; never for a cache.
    """
    with uncollected():
        file = cache / cache_name(root, site) if cache else None
        stamp = hashlib.blake2b(f"{stamped} {_code_version()}".encode(), digest_size=_DIGEST).digest()
        kept = _read(file, stamp) if file else None
        if kept is None:
            kept = compile_systems(root, read_systems(root, site))
            if file:
                _write(file, stamp, kept)
        return kept


def compile_systems(root: Path, systems: list[CodeSystem]) -> Compiled:
    """The plain values of `systems`."""
    known, counts = expand(root, systems)
    concepts: dict[tuple[str, str], Concept] = {}
    for concept in (concept for system in systems for concept in system.concepts):
        concepts.setdefault((concept.system, concept.code), concept)
    editions = [_edition(system, counts.get(system.folder, {})) for system in systems]
    rows = [_VALUES(concept) for concept in concepts.values()]
    content = marshal.dumps((rows, tuple(known)), 2)  # version 2: the same values give the same bytes
    return Compiled(
        rows,
        editions,
        known,
        marshal.dumps(tuple(names_of(list(concepts.values())))),
        _own_categories(root / "cim10" / "by_morphology.csv"),
        hashlib.blake2b(content, digest_size=16).hexdigest(),
    )


def _own_categories(path: Path) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    columns = OwnCategory._fields
    return [tuple(own_category(row, f"{path}, line {line}")) for line, row in numbered_rows(path, *columns)]


def cache_name(root: Path, site: Path | None) -> str:
    """The name of the cache file of these folders: nodes that added nothing of their own share one."""
    site = site if site and next(_files(str(site)), None) else None
    return f"terminology-{hashlib.blake2b(f'{root}|{site}'.encode(), digest_size=6).hexdigest()}.bin"


def stamp(root: Path, site: Path | None = None) -> str:
    """Changes whenever a file under `root` or `site` does: names, sizes and times of all, in under a millisecond."""
    found = hashlib.blake2b(digest_size=16)
    for folder in (root, site):
        for path, size, time in sorted(_files(str(folder))) if folder else ():
            found.update(f"{path}\0{size}\0{time}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """Path, size (bytes) and time (nanoseconds) of every file below `folder`; nothing when it is not there."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    yield from _files(entry.path)
                else:
                    found = entry.stat()
                    yield entry.path, found.st_size, found.st_mtime_ns
    except FileNotFoundError:  # no such folder, or a file taken away meanwhile
        return


def _code_version() -> str:
    """Changes with the code that makes the values, and with what may read them."""
    here = sorted(Path(__file__).parent.glob("*.py"))
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in here]
    return f"{stats} {sys.version_info} {marshal.version}"


def _edition(system: CodeSystem, forms: dict[str, int]) -> Edition:
    report = system.report
    return Edition(
        system.system,
        system.edition,
        len(system.concepts),
        sum(forms.values()),
        system.name,
        system.licence,
        system.origin,
        folder=system.folder,
        active_edition=system.active,
        available=system.available,
        imported_at=str(report.get("at") or ""),
        imported_by=str(report.get("by") or ""),
        imported_file=str(report.get("file") or ""),
        import_counts={name: report[name] for name in _COUNTED if isinstance(report.get(name), int)},
        forms_by_type=forms,
    )


def _write(file: Path, stamp: bytes, kept: Compiled) -> None:
    """Writes a cache file whole or not at all; a disk that is full or read-only is no error."""
    known = kept.patterns
    plain = marshal.dumps(
        (
            kept.concepts,
            [asdict(edition) for edition in kept.editions],
            tuple(known),
            kept.names,
            kept.own_categories,
            kept.fingerprint,
        )
    )
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=file.stem, delete=False) as out:
            temporary = out.name
            out.write(_MAGIC + stamp + hashlib.blake2b(plain, digest_size=_DIGEST).digest() + plain)
        Path(temporary).replace(file)
    except OSError:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()


def _read(file: Path, stamp: bytes) -> Compiled | None:
    """What a cache file holds; None when it is not there, or not of this stamp, or not as it was written."""
    start = len(_MAGIC) + 2 * _DIGEST
    try:
        content = memoryview(file.read_bytes())
    except OSError:
        return None
    plain = content[start:]
    if bytes(content[:start]) != _MAGIC + stamp + hashlib.blake2b(plain, digest_size=_DIGEST).digest():
        return None
    concepts, editions, known, *rest = marshal.loads(plain)
    return Compiled(concepts, [Edition(**edition) for edition in editions], Patterns(*known), *rest)
