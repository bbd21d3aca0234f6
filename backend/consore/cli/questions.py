"""Commands that ask this node: search, suggest, similar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from sqlmodel import select

from consore.cli.app import JsonOption, app, node, opened_store
from consore.cli.cohorts import identities
from consore.cli.screen import console, print_json, print_table
from consore.errors import InputError
from consore.model import Patient

if TYPE_CHECKING:
    from consore.search import SearchContext

LimitOption = Annotated[int, typer.Option(min=1, max=250, help="How many.")]


@app.command()
def search(text: str, limit: LimitOption = 10, as_json: JsonOption = False) -> None:
    """Ask in plain words: what was understood, how many patients, the best of them and why."""
    from consore.search import search as find

    with _context() as context:
        result = find(context, text, per_page=limit)
        with context.store.session() as session:
            known = identities(session, [hit.patient_id for hit in result.hits])
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
                        "criterion": chip.criterion,
                        "alternatives": [{"label": one.label, "text": one.text} for one in chip.alternatives],
                    }
                    for chip in result.understood.chips
                ],
                "words": result.understood.words,
                "total": result.total,
                "patients": [
                    {"patient_id": known[hit.patient_id].ipp, "score": hit.score, "why": hit.why} for hit in result.hits
                ],
                "notice": result.notice,
                "criteria": result.understood.criteria.as_json() if result.understood.criteria else None,
                "relaxations": [
                    {"kind": one.kind, "label": one.label, "text": one.text, "count": one.count}
                    for one in result.relaxations
                ],
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
    for one in result.relaxations:
        console.print(f"  {one.label}: {one.count} — {one.text}", markup=False)
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
            known = identities(session, [neighbour.patient_id for neighbour in neighbours])
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


def _name(patient: Patient) -> str:
    return f"{patient.family_name.upper()} {patient.given_name}".strip()
