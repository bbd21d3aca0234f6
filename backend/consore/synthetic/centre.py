"""A whole fictional centre on disk: extracts in the formats that hospitals give, documents, and the truth beside.

Each patient is made from the seed and their number alone, in any process; what they leave is written at once, in the
order of the patients. So the bytes do not depend on the number of processes, nor the memory on that of patients.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

from consore.errors import InputError
from consore.synthetic import deltas
from consore.synthetic.documents import Report, write_reports
from consore.synthetic.formats import DEFAULT, Format, Site, chosen
from consore.synthetic.noise import noise_level
from consore.synthetic.trajectory import Life, draw_life
from consore.synthetic.truth import TruthWriter, truth_of_patient

SPLITS = ("train", "dev", "test")
MARK = "centre.json"  # in the folder of a centre: the arguments that it was made with
_CHUNK = 20  # patients that a process makes at a time


@dataclass(slots=True)
class GeneratedCentre:
    """What was written. `paths` by source kind (and `truth`); `counts` of each kind of row; `rows` of each file."""

    code: str
    name: str
    root: Path
    paths: dict[str, Path]
    counts: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """What a process needs to make any patient of the centre."""

    site: Site
    root: Path
    formats: tuple[str, ...]
    noise: str
    day: int | None


@dataclass(slots=True)
class _Chunk:
    """What some patients add to the growing files, and how many pieces each file got."""

    patients: int
    added: dict[str, bytearray]
    counts: dict[str, int]


def generate_centre(
    out: Path,
    *,
    code: str,
    name: str,
    patients: int,
    seed: int,
    split: str = "train",
    noise: str = "medium",
    formats: tuple[str, ...] = DEFAULT,
    workers: int = 1,
    day: int | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> GeneratedCentre:
    """Write a fictional centre under `out`/`code`; the same arguments give the same bytes, whatever `workers`.

    `split`: `train`, `dev` or `test`; they share no sentence template and no name of a patient or an author.
    `noise`: none, low, medium or high. `formats`: names of `formats.FORMATS`, or `all`. `day` (0 to 30) writes in
    `jour_KK` only what changed on that day of the month before `TODAY`, all that was known for day 0; without it,
    all that is known at the end. `force` writes over a folder made with other arguments. `progress(done, patients)`.
    Raises InputError where an argument, the folder or the room on the disk is not fit; ConfigurationError (noise).
    """
    if split not in SPLITS:
        raise InputError(f"Unknown split {split!r}.", f"Known splits: {', '.join(SPLITS)}.")
    if day is not None and not 0 <= day <= deltas.LAST_DAY:
        raise InputError(f"There is no day {day}.", f"Days go from 0 to {deltas.LAST_DAY}.")
    noise_level(noise)
    _, carriers = chosen(formats)
    root = Path(out) / code if day is None else Path(out) / code / f"jour_{day:02d}"
    arguments = {
        "code": code,
        "name": name,
        "patients": patients,
        "seed": seed,
        "split": split,
        "noise": noise,
        "formats": list(formats),
        "day": day,
    }
    _make_room(root, arguments, force)
    site = Site(code, name, seed, split, patients, carriers)
    job = _Job(site, root, formats, noise, day)
    try:
        rows = _write(job, workers, progress)
        _mark(root, arguments, complete=True)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            f"The disk of {root} is full.", "Free some room or choose another folder, then run the same command again."
        ) from error
    return GeneratedCentre(code, name, root, _paths(root), _counts(rows), rows)


def is_complete(root: Path) -> bool:
    """Whether a centre was written there to its end."""
    return bool(_marked(root).get("complete"))


def _make_room(root: Path, arguments: dict[str, Any], force: bool) -> None:
    made = _marked(root)
    same = {key: value for key, value in made.items() if key != "complete"} == arguments
    mine = [path for path in root.iterdir() if not path.name.startswith("jour_")] if root.is_dir() else []
    if mine and not same:
        if not force:
            what = "another centre, or this one with other arguments" if made else "files that are not ours"
            raise InputError(f"{root} already holds {what}.", "Choose another folder, or add --force to write over it.")
        if made:
            for path in mine:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    root.mkdir(parents=True, exist_ok=True)
    _mark(root, arguments, complete=False)


def _marked(root: Path) -> dict[str, Any]:
    try:
        found = json.loads((root / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mark(root: Path, arguments: dict[str, Any], *, complete: bool) -> None:
    told = json.dumps({**arguments, "complete": complete}, ensure_ascii=False, indent=2)
    (root / MARK).write_text(told + "\n", encoding="utf-8")


def _write(job: _Job, workers: int, progress: Callable[[int, int], None] | None) -> dict[str, int]:
    """Write everything; gives the number of pieces of each growing file."""
    writers, _ = chosen(job.formats)
    counts = {path: 0 for made in writers for path in made.files}
    total, done = job.site.patients, 0
    with ExitStack() as stack:
        streams = {path: stack.enter_context(_opened(job.root / path, made)) for made in writers for path in made.files}
        for made in writers:
            for path, head in made.files.items():
                streams[path].write(head)
        truth = stack.enter_context(TruthWriter(job.root / "verite", job.site.seed)) if job.day is None else None
        for chunk in _chunks(job, workers):
            for path, added in chunk.added.items():
                streams[path].write(added)
                counts[path] += chunk.counts[path]
            if truth:  # a life is drawn again rather than sent from one process to another: it is ten times quicker
                for number in range(done + 1, done + chunk.patients + 1):
                    truth.add(_life(job.site, number)[0])
            done += chunk.patients
            if progress:
                progress(done, total)
        for made in writers:
            for path, end in made.ends.items():
                streams[path].write(end.replace(b"{count}", str(counts[path]).encode()))
    for made in writers:
        made.close(job.root, job.site, counts)
    told = {f"verite/{name}": rows for name, rows in truth.counts.items()} if truth else {}
    return {path: rows for path, rows in counts.items() if (job.root / path).exists()} | told


def _opened(path: Path, made: Format) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")


def _chunks(job: _Job, workers: int) -> Iterator[_Chunk]:
    """What all patients leave, in their order; at most a few chunks are made ahead of the one that is written."""
    firsts = range(1, job.site.patients + 1, _CHUNK)
    if workers <= 1:
        yield from (_chunk(job, first) for first in firsts)
        return
    waiting: deque[Future[_Chunk]] = deque()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for first in firsts:
                waiting.append(pool.submit(_chunk, job, first))
                if len(waiting) > 3 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _chunk(job: _Job, first: int) -> _Chunk:
    writers, _ = chosen(job.formats)
    numbers = range(first, min(first + _CHUNK, job.site.patients + 1))
    chunk = _Chunk(len(numbers), {}, {})
    growing = {path for made in writers for path in made.files}
    for number in numbers:
        delivery = deltas.deliver(dossier_of(job.site, number, job.noise), job.day)
        for made in writers:
            for path, content in made.write(delivery, job.site):
                if path in growing:
                    chunk.added.setdefault(path, bytearray()).extend(content)
                    chunk.counts[path] = chunk.counts.get(path, 0) + 1
                else:
                    _folder((job.root / path).parent)
                    (job.root / path).write_bytes(content)
    return chunk


@cache
def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _life(site: Site, number: int) -> tuple[Life, Random]:
    """A patient of the centre, and the source of chance that their reports go on with."""
    key = f"{site.seed}/{site.split}/{site.code}/{number}"
    rng = Random(key)
    life = draw_life(rng, f"{site.code[:3].upper()}{site.seed % 1000:03d}{number:06d}", site.split)
    return deltas.live_in_month(life, Random(f"{key}/identity")), rng


def dossier_of(site: Site, number: int, noise: str = "medium") -> deltas.Dossier:
    """All that the centre's systems ever said of its patient `number` (from 1)."""
    life, rng = _life(site, number)
    key = f"{site.seed}/{site.split}/{site.code}/{number}"
    reports = write_reports(life, site.split, rng, number * 1000 + 1, site.name, noise)

    def stranger() -> Report | None:
        chance = Random(f"{key}/stranger")
        other = draw_life(chance, life.ipp, site.split)
        return next(write_reports(other, site.split, chance, 1, site.name, noise), None)

    return deltas.record(life, number, reports, Random(f"{key}/month"), stranger)


def fictional_dossiers(
    split: str, noise: str, patients: int, seed: int = 1
) -> Iterator[tuple[dict[str, Any], list[Report]]]:
    """Fictional patients without a centre: the truth of each (`truth_of_patient`) and their reports."""
    for number in range(1, patients + 1):
        rng = Random(f"{seed}/{split}/dossier/{number}")
        life = draw_life(rng, f"FIC{seed % 1000:03d}{number:06d}", split)
        yield truth_of_patient(life), list(write_reports(life, split, rng, number * 1000 + 1, "Centre Fictif", noise))


_KINDS = {
    "administrative": "administratif.csv",
    "tumour_sheet": "fiches_tumeur.csv",
    "chemotherapy": "chimiotherapie.csv",
    "pharmacy": "pharmacie.csv",
    "biology": "biologie.csv",
    "molecular": "biologie_moleculaire.csv",
    "biobank": "biobanque.csv",
    "pmsi": "pmsi_rss.txt",
    "documents": "documents",
    "truth": "verite",
}
_COUNTED = {
    "patients": "administratif.csv",
    "tumour_sheets": "fiches_tumeur.csv",
    "chemotherapies": "chimiotherapie.csv",
    "samples": "biobanque.csv",
    "stays": "pmsi_rss.txt",
    "documents": "verite/documents.jsonl",
}


def _paths(root: Path) -> dict[str, Path]:
    return {kind: root / name for kind, name in _KINDS.items() if (root / name).exists()}


def _counts(rows: dict[str, int]) -> dict[str, int]:
    return {kind: rows[name] for kind, name in _COUNTED.items() if name in rows}
