"""Commands that ask this node: search, suggest, cohort count, similar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlmodel import Session, select

from consore.cli.app import JsonOption, app, node, opened_store
from consore.cli.screen import console, print_json, print_table
from consore.errors import InputError
from consore.model import Patient

if TYPE_CHECKING:
    from consore.search import SearchContext
    from consore.search.criteria import Criteria

cohort_app = typer.Typer(help="Exact cohorts.", no_args_is_help=True)
app.add_typer(cohort_app, name="cohort")

LimitOption = Annotated[int, typer.Option(min=1, max=250, help="How many.")]


@app.command()
def search(text: str, limit: LimitOption = 10, as_json: JsonOption = False) -> None:
    """Ask in plain words: what was understood, how many patients, the best of them and why."""
    from consore.search import search as find

    with _context() as context:
        result = find(context, text, per_page=limit)
        with context.store.session() as session:
            known = _identities(session, [hit.patient_id for hit in result.hits])
    if as_json:
        print_json(
            {
                "understood": [
                    {
                        "text": chip.text,
                        "kind": chip.kind,
                        "system": chip.system,
                        "code": chip.code,
                        "label": chip.label,
                        "negated": chip.negated,
                    }
                    for chip in result.understood.chips
                ],
                "words": result.understood.words,
                "total": result.total,
                "patients": [
                    {"patient_id": known[hit.patient_id].ipp, "score": hit.score, "why": hit.why} for hit in result.hits
                ],
                "notice": result.notice,
            }
        )
        return
    for chip in result.understood.chips:
        console.print(f"  [cyan]{'sans ' if chip.negated else ''}{chip.label}[/] [dim]{chip.code or ''}[/]")
    if result.understood.words:
        console.print(f"  words: {' '.join(result.understood.words)}", markup=False)
    if result.notice:
        console.print(result.notice, style="yellow", markup=False)
    console.print(f"{result.total} patients in {result.milliseconds} ms")
    print_table(
        ["IPP", "patient", "why"],
        [[known[hit.patient_id].ipp, _name(known[hit.patient_id]), " · ".join(hit.why[:3])] for hit in result.hits],
    )


@app.command()
def suggest(prefix: str, limit: LimitOption = 8, as_json: JsonOption = False) -> None:
    """What could be meant by the beginning of a word."""
    from consore.search import suggest as propose

    with _context() as context:
        found = propose(context, prefix, limit=limit)
    if as_json:
        print_json([{"text": item.text, "label": item.label, "kind": item.kind, "code": item.code} for item in found])
    else:
        print_table(["term", "kind", "code"], [[item.label, item.kind, item.code] for item in found])


@cohort_app.command("count")
def count(file: Path, as_json: JsonOption = False) -> None:
    """Count the patients who meet the criteria of a JSON file, exactly, from the store."""
    from consore.search.cohort import patient_ids

    criteria = read_criteria(file)
    with opened_store(node()) as store, store.session() as session:
        known = _identities(session, patient_ids(session, criteria))
    if as_json:
        print_json({"count": len(known), "patients": sorted(patient.ipp for patient in known.values())})
    else:
        console.print(f"{len(known)} patients")


@app.command()
def similar(
    patient: Annotated[str, typer.Argument(help="IPP.")], limit: LimitOption = 10, as_json: JsonOption = False
) -> None:
    """The patients most like one, with what they share and what differs."""
    from consore.search import similar_patients

    with _context() as context:
        with context.store.session() as session:
            found = session.exec(select(Patient).where(Patient.ipp == patient)).first()
        if found is None or found.id is None or found.opposed:
            raise InputError(f"No patient {patient} here.", "Check the IPP, or `consore search` for them.")
        neighbours = similar_patients(context, found.id, limit=limit)
        with context.store.session() as session:
            known = _identities(session, [neighbour.patient_id for neighbour in neighbours])
    if as_json:
        print_json(
            {
                "patients": [
                    {
                        "patient_id": known[item.patient_id].ipp,
                        "score": item.score,
                        "shared": item.shared,
                        "different": item.different,
                    }
                    for item in neighbours
                ]
            }
        )
    else:
        print_table(
            ["IPP", "score", "shared", "different"],
            [
                [known[item.patient_id].ipp, round(item.score, 2), " · ".join(item.shared), " · ".join(item.different)]
                for item in neighbours
            ],
        )


def read_criteria(file: Path) -> Criteria:
    """The criteria tree of a JSON file; `-` is standard input."""
    from consore.search.criteria import parse_criteria

    try:
        return parse_criteria(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}.", "Give a UTF-8 JSON file of criteria.") from error


@contextmanager
def _context() -> Iterator[SearchContext]:
    from consore.index import SearchIndex, ensure_engine
    from consore.referentials import terminology
    from consore.search import SearchContext

    settings = node()
    with opened_store(settings) as store, ensure_engine(settings) as engine:
        yield SearchContext(
            store, SearchIndex(engine), terminology(settings.referentials, settings.cache, settings.site_referentials)
        )


def _identities(session: Session, ids: list[int]) -> dict[int, Patient]:
    found: dict[int, Patient] = {}
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        for patient in session.exec(select(Patient).where(Patient.id.in_(chunk))):  # type: ignore[union-attr]
            found[patient.id or 0] = patient
    return found


def _name(patient: Patient) -> str:
    return f"{patient.family_name.upper()} {patient.given_name}".strip()
