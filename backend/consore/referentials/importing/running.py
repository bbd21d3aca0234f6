"""An import from beginning to end: open, recognise, draft, derive, compare, and only then write."""

from __future__ import annotations

import csv
import datetime as dt
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from consore.errors import InputError
from consore.referentials.importing.derivation import GROUP, Known, derive
from consore.referentials.importing.drafting import Draft, Entry, Progress, Rejection, draft_of, draft_of_drugs
from consore.referentials.importing.editions import (
    CONCEPTS,
    SHIPPED,
    TERMS,
    active_edition,
    concepts_of,
    editions_of,
    set_active,
    slug_of,
    source_toml,
    tables,
    today,
    write_edition,
    writing,
)
from consore.referentials.importing.kinds import AUTO, Kind, kind_named, kinds
from consore.referentials.importing.opening import Table, tables_of
from consore.referentials.importing.recognition import detect, find, members_of, wrong_file
from consore.text import fold

LEAST_SHARE = 0.5  # of the codes in force that an import keeps without being forced


@dataclass
class ImportReport:
    """What an import did, or would do. `state`: `imported`, `already_there` or `dry_run`.

    Rows: `read`, `merged` (said again by another row), `withdrawn` (by the publisher), `set_aside` (of no concern here)
    and `rejected`. Codes: `kept`; against the edition in force, `added`, `changed` (their label) and `gone`.
    """

    kind: str
    folder: str
    file: str
    edition: str
    slug: str
    state: str
    active: bool
    at: str
    by: str
    against: str
    read: int
    kept: int
    terms: int
    added: int
    changed: int
    gone: int
    merged: int
    withdrawn: int
    rejected: int
    set_aside: dict[str, int]
    reasons: dict[str, int]
    rejections: list[Rejection]
    columns: dict[str, list[str]]
    ignored: list[str]
    differences: dict[str, list[Any]]
    seconds: float
    digest: str

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)


def import_referential(
    shipped: Path,
    site: Path,
    kind: str,
    path: Path,
    *,
    edition: str | None = None,
    dry_run: bool = False,
    activate: bool = True,
    force: bool = False,
    by: str = "",
    progress: Progress | None = None,
) -> ImportReport:
    """Import an official file (or folder) as an edition of the site's own, and put it in force.

    `shipped`: the code systems of Consore; `site`: `CONSORE_HOME/referentials`; `kind`: one of `kinds()`, or `auto`.
    The same content again is the same edition.
    Raises InputError for a wrong file, a name that is taken, or (without `force`) far fewer codes than are in force;
    then nothing changes.
    """
    begin = time.perf_counter()
    tell = progress or (lambda name, rows: None)
    chosen, draft, ignored = _draft(shipped, kind, path, tell)
    mark = draft.digest()
    known = _known(shipped / chosen.folder) | _labels_in_force(shipped, site, chosen)
    derive(draft, known, frozenset(row["code"] for row in concepts_of(shipped / "icdo3_topography")))
    concepts, terms = _tables(draft)
    report = _report(chosen, draft, path.name, by, mark, ignored)
    if dry_run:
        _compare(report, draft, shipped, site, chosen, force=True)
        _name(report, site, chosen, edition, mark)
        report.state, report.active, report.seconds = "dry_run", False, _since(begin)
        return report
    with writing(site):
        _compare(report, draft, shipped, site, chosen, force)
        if not _name(report, site, chosen, edition, mark):
            report.seconds = _since(begin)
            files = {
                "source.toml": source_toml(_source(chosen, draft, report)),
                "concepts.csv": concepts,
                "terms.csv": terms,
                "report.json": json.dumps(report.as_json(), ensure_ascii=False, indent=1).encode("utf-8"),
            }
            write_edition(site, chosen.folder, report.slug, files)
        if activate:
            set_active(site, chosen.folder, report.slug)
        report.active = active_edition(site, chosen.folder) == report.slug
    report.seconds = _since(begin)
    return report


def activate_edition(site: Path, kind: str, edition: str) -> str:
    """Put an imported edition in force, or `shipped`; gives its slug. Raises InputError where there is none such."""
    chosen = kind_named(kind)
    with writing(site):
        if edition == SHIPPED:
            set_active(site, chosen.folder, "")
            return SHIPPED
        there = editions_of(site, chosen.folder)
        found = next((one for one in there if edition in (one.slug, one.name)), None)
        if found is None:
            listed = ", ".join([*(one.slug for one in there), SHIPPED])
            raise InputError(f"There is no edition {edition[:60]} of {chosen.key}.", f"Known: {listed}.")
        set_active(site, chosen.folder, found.slug)
        return found.slug


def draft_into(shipped: Path, kind: str, path: Path, out: Path, progress: Progress | None = None) -> ImportReport:
    """Write what an import gives as the tables of a shipped folder, for those who maintain `referentials/`.

    The codes that the shipped folder selects are taken (for CIM-10, those below one of its codes of three characters;
    else those that it has; all where it has none) and keep its attributes and kinds. Its headings stay, and what a
    partial publication never lists; so do its terms, which those of new codes follow. Raises InputError.
    """
    begin = time.perf_counter()
    chosen, draft, ignored = _draft(shipped, kind, path, progress or (lambda name, rows: None))
    mark = draft.digest()
    known = _known(shipped / chosen.folder)
    derive(draft, known, frozenset(row["code"] for row in concepts_of(shipped / "icdo3_topography")))
    if known:
        selected = set(known) | (
            {code for code in draft.entries if code[:3] in known} if chosen.key == "cim10" else set()
        )
        draft.entries = {code: entry for code, entry in draft.entries.items() if code in selected}
    for row in concepts_of(shipped / chosen.folder):
        own = dict(one.split("=", 1) for one in (row.get("attributes") or "").split("|") if one)
        entry = draft.entries.get(row["code"])
        if entry is not None:
            entry.attributes = {**entry.attributes, **own}
        elif chosen.partial or known[row["code"]].kind == GROUP:
            one = known[row["code"]]
            draft.entries[row["code"]] = Entry(one.label, one.kind, one.parents, own)
    concepts, _ = _tables(draft)
    report = _report(chosen, draft, path.name, "", mark, ignored)
    _against(report, draft, shipped / chosen.folder)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "concepts.csv").write_bytes(concepts)
        (out / "terms.csv").write_bytes(_with_curated(shipped / chosen.folder / "terms.csv", draft))
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.", "Choose another folder.") from error
    report.state, report.seconds = "written", _since(begin)
    return report


def _with_curated(path: Path, draft: Draft) -> bytes:
    """The terms of a shipped folder, as they stand, followed by those that a draft adds."""
    rows: list[tuple[str, ...]] = []
    if path.exists():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [tuple(row.get(name) or "" for name in TERMS) for row in csv.DictReader(file)]
    there = {(row[0], fold(row[1])) for row in rows}
    for code, entry in sorted(draft.entries.items()):
        rows += [(code, term, form, "", type_) for term, form, type_ in entry.words if (code, fold(term)) not in there]
    return tables(TERMS, rows)


def _since(begin: float) -> float:
    return round(time.perf_counter() - begin, 2)


def _draft(shipped: Path, kind: str, path: Path, progress: Progress) -> tuple[Kind, Draft, list[str]]:
    chosen = None if kind == AUTO else kind_named(kind)
    found_tables, unread = tables_of(path)
    if chosen is None:
        chosen, candidates = detect(found_tables)
        if chosen is None:
            may = " or ".join(candidates)
            raise InputError(
                f"What {path.name} holds was not recognised{f': it may be {may}' if may else ''}.",
                f"Say it: `consore referentials import KIND {path.name}`, where KIND is one of {', '.join(kinds())}.",
            )
    if chosen.members:
        return chosen, _draft_of_members(shipped, chosen, found_tables, progress), unread
    found = find(found_tables, chosen)
    used = {one.table.name for one in found}
    ignored = [*(one.name for one in found_tables if one.name not in used), *unread]
    return chosen, draft_of(chosen, found, progress), ignored


def _draft_of_members(shipped: Path, kind: Kind, found: list[Table], progress: Progress) -> Draft:
    members = members_of(found, kind)
    missing = [member.shows for member in kind.members if member.role not in members]
    if missing:
        raise wrong_file(found, kind, f"there is no {', no '.join(missing)}")
    known = {code: one.label for code, one in _known(shipped / kind.folder).items()}
    taken = {role: (one.table, one.header, one.places) for role, one in members.items()}
    draft = draft_of_drugs(kind, taken, known, progress)
    if not draft.entries:
        raise InputError("No drug of cancer was found.", f"Expected: {kind.expected}.")
    return draft


def _known(folder: Path) -> dict[str, Known]:
    return {
        row["code"]: Known(
            row["label"],
            row.get("kind") or _default_kind(folder),
            tuple(filter(None, (row.get("parents") or "").split("|"))),
        )
        for row in concepts_of(folder)
    }


def _labels_in_force(shipped: Path, site: Path, kind: Kind) -> dict[str, Known]:
    """The codes of an imported edition in force, with its labels, and the kinds and parents that are shipped."""
    active = active_edition(site, kind.folder)
    if not active:
        return {}
    before = _known(shipped / kind.folder)
    now = _known(site / kind.folder / "editions" / active)
    return {code: replace(before.get(code, one), label=one.label) for code, one in now.items()}


def _default_kind(folder: Path) -> str:
    import tomllib

    return str(tomllib.loads((folder / "source.toml").read_text(encoding="utf-8")).get("kind", GROUP))


def _tables(draft: Draft) -> tuple[bytes, bytes]:
    ordered: list[tuple[str, Entry]] = sorted(draft.entries.items())
    concepts = (
        (
            code,
            entry.label,
            entry.kind,
            "|".join(entry.parents),
            "|".join(f"{name}={value}" for name, value in entry.attributes.items() if value),
        )
        for code, entry in ordered
    )
    terms = ((code, term, form, "", type_) for code, entry in ordered for term, form, type_ in entry.words)
    return tables(CONCEPTS, concepts), tables(TERMS, terms)


def _report(kind: Kind, draft: Draft, file: str, by: str, mark: str, ignored: list[str]) -> ImportReport:
    return ImportReport(
        kind=kind.key,
        folder=kind.folder,
        file=file,
        edition="",
        slug="",
        state="imported",
        active=False,
        at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        by=by,
        against="",
        read=draft.read,
        kept=len(draft.entries),
        terms=sum(len(entry.words) for entry in draft.entries.values()),
        added=0,
        changed=0,
        gone=0,
        merged=draft.merged,
        withdrawn=draft.withdrawn,
        rejected=sum(draft.reasons.values()),
        set_aside=dict(draft.set_aside),
        reasons=dict(draft.reasons),
        rejections=draft.rejections,
        columns=draft.columns,
        ignored=ignored,
        differences={},
        seconds=0.0,
        digest=mark,
    )


def _compare(report: ImportReport, draft: Draft, shipped: Path, site: Path, kind: Kind, force: bool) -> None:
    """Fill in the differences with the edition in force. Raises InputError for a file that lost most of its codes."""
    active = active_edition(site, kind.folder)
    report.against = active or SHIPPED
    before = _against(report, draft, site / kind.folder / "editions" / active if active else shipped / kind.folder)
    comparable = bool(active) or not kind.partial
    if comparable and not force and len(draft.entries) < LEAST_SHARE * before:
        raise InputError(
            f"The file holds {len(draft.entries)} codes where the edition in force ({report.against}) has {before}.",
            "Check that it is whole; `--force` imports it all the same.",
        )


def _against(report: ImportReport, draft: Draft, folder: Path) -> int:
    """Compare with the concepts of a folder; gives how many codes that are no headings it has."""
    before = {row["code"]: row["label"] for row in concepts_of(folder) if row.get("kind") != GROUP}
    labels = {code: entry.label for code, entry in draft.entries.items()}
    headings = {row["code"] for row in concepts_of(folder)}
    added = [code for code in labels if code not in headings]
    changed = [(code, before[code], labels[code]) for code in before if code in labels and labels[code] != before[code]]
    gone = [] if draft.kind.partial and report.against == SHIPPED else [code for code in before if code not in labels]
    report.added, report.changed, report.gone = len(added), len(changed), len(gone)
    report.differences = {"added": sorted(added), "changed": sorted(changed), "gone": sorted(gone)}
    return len(before)


def _name(report: ImportReport, site: Path, kind: Kind, edition: str | None, mark: str) -> bool:
    """Name the edition; whether one of the same content is there already. Raises InputError for a name in use."""
    there = editions_of(site, kind.folder)
    same = next((one for one in there if one.digest == mark), None)
    if same is not None:
        report.edition, report.slug, report.state = same.name, same.slug, "already_there"
        return True
    report.edition = (edition or f"{today()} {mark[:6]}").strip()
    report.slug = slug_of(report.edition)
    if any(one.slug == report.slug for one in there):
        raise InputError(
            f"The edition {report.slug} of {kind.key} holds something else.", "Give another name with `--edition`."
        )
    return False


def _source(kind: Kind, draft: Draft, report: ImportReport) -> dict[str, Any]:
    return {
        "system": kind.system,
        "name": kind.name,
        "edition": report.edition,
        "date": today(),
        "licence": kind.licence,
        "origin": f"{report.file}: {kind.origin}",
        "refresh": f"consore referentials import {kind.key} {report.file}",
        "kind": kind.concept,
        "priority": kind.priority,
        "labels_are_terms": kind.labels_are_terms and not draft.foreign,
        "partial": kind.partial,
    }
