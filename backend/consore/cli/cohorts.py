"""Commands of exact cohorts: count, funnel, and the cohorts that are kept: save, list, show, refresh, export."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlmodel import Session, select

from consore.cli.app import JsonOption, app, node, opened_store
from consore.cli.criteria import read_criteria
from consore.cli.screen import console, print_json, print_table
from consore.errors import InputError
from consore.model import Account, Cohort, CohortVersion, Patient

if TYPE_CHECKING:
    from consore.search.kept_cohorts import Author

cohort_app = typer.Typer(help="Exact cohorts.", no_args_is_help=True)
app.add_typer(cohort_app, name="cohort")

NumberArgument = Annotated[int, typer.Argument(help="Number of a kept cohort: `consore cohort list`.")]


class ExportForm(StrEnum):
    """The forms in which a cohort leaves."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    FHIR = "fhir"
    OSIRIS = "osiris"


@cohort_app.command("count")
def count(file: Path, as_json: JsonOption = False) -> None:
    """Count the patients who meet the criteria of a JSON file, exactly, from the store."""
    from consore.search import notices
    from consore.search.cohort import patient_ids

    criteria = read_criteria(file)
    with opened_store(node()) as store, store.session() as session:
        known = identities(session, patient_ids(session, criteria))
    said = notices(criteria, words_of_node())
    if as_json:
        patients = sorted(patient.ipp for patient in known.values())
        print_json({"count": len(known), "patients": patients, "notices": said})
        return
    console.print(f"{len(known)} patients")
    for notice in said:
        console.print(notice, style="yellow", markup=False)


@cohort_app.command("funnel")
def funnel(file: Path, as_json: JsonOption = False) -> None:
    """How many patients remain after each criterion of a JSON file, in the order in which they are written."""
    from consore.search import describe
    from consore.search.funnel import funnel as narrowing

    criteria, words = read_criteria(file), words_of_node()
    with opened_store(node()) as store, store.session() as session:
        found = narrowing(session, criteria)
    steps = [(describe(step.criterion, words), step.remaining, step.alone) for step in found.steps]
    if as_json:
        told = [
            {"criterion": step.criterion.as_json(), "label": label, "remaining": step.remaining, "alone": step.alone}
            for step, (label, *_) in zip(found.steps, steps, strict=True)
        ]
        print_json({"everyone": found.everyone, "steps": told})
        return
    print_table(["criterion", "remain", "alone"], [["", found.everyone, found.everyone], *map(list, steps)])


@cohort_app.command("save")
def save(
    name: str,
    file: Path,
    account: Annotated[str, typer.Option("--account", help="Login of who keeps it.")],
    shared: Annotated[bool, typer.Option("--shared", help="The accounts of the centre see it too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the patients who meet the criteria of a JSON file under a name."""
    from consore.search.kept_cohorts import save_cohort

    criteria = read_criteria(file)
    with opened_store(node()) as store, store.session() as session:
        owner = owner_named(session, account)
        row = save_cohort(session, name, criteria, shell_author(), owner=owner, shared=shared)
        told = _told(session, row)
    _print([told], as_json)


@cohort_app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """The cohorts that are kept, the newest first."""
    from consore.search.kept_cohorts import visible_cohorts

    with opened_store(node()) as store, store.session() as session:
        told = [_told(session, row) for row in visible_cohorts(session, None)]
    if as_json:
        print_json(told)
    else:
        _print(told, as_json)


@cohort_app.command("refresh")
def refresh(number: NumberArgument, as_json: JsonOption = False) -> None:
    """A new version of a kept cohort: who meets its criteria now."""
    from consore.search.kept_cohorts import refresh_cohort

    with opened_store(node()) as store, store.session() as session:
        row = _kept(session, number)
        refresh_cohort(session, row, shell_author())
        told = _told(session, row)
    _print([told], as_json)


@cohort_app.command("show")
def show(number: NumberArgument, as_json: JsonOption = False) -> None:
    """A kept cohort: its criteria, its versions and its patients."""
    from consore.search import describe, parse_criteria
    from consore.search.kept_cohorts import members, versions

    with opened_store(node()) as store, store.session() as session:
        row = _kept(session, number)
        told, states = _told(session, row), versions(session, row)
        known = identities(session, list(session.execute(members(row)).scalars()))
    patients = sorted(patient.ipp for patient in known.values())
    if as_json:
        history = [_version(state) for state in states]
        print_json({**told, "criteria": states[0].criteria, "versions": history, "patients": patients})
        return
    console.print(describe(parse_criteria(states[0].criteria), words_of_node()), markup=False)
    print_table(
        ["version", "at", "by", "patients", "entered", "left"],
        [[one.number, f"{one.at:%Y-%m-%d %H:%M}", one.login, one.count, one.entered, one.gone] for one in states],
    )
    console.print(" ".join(patients[:50]) + (" …" if len(patients) > 50 else ""), markup=False)


@cohort_app.command("export")
def export(
    number: NumberArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    form: Annotated[ExportForm, typer.Option("--form", help="csv, xlsx, parquet, fhir or osiris.")] = ExportForm.CSV,
    identified: Annotated[bool, typer.Option("--identified", help="With names, IPP and birth dates.")] = False,
    purpose: Annotated[str, typer.Option("--purpose", help="Why patients are named; kept in the trail.")] = "",
    account: Annotated[str | None, typer.Option("--account", help="Login of who takes names.")] = None,
    shifted: Annotated[bool, typer.Option("--shifted", help="Dates moved by days of each patient's own.")] = False,
) -> None:
    """The patients of a kept cohort in files, without their names unless `--identified`."""
    from consore.cli.exporting import export_fhir, export_osiris, export_tables
    from consore.export import Dates, TableForm

    who: dict[str, Any] = {"cohort": str(number), "identified": identified, "purpose": purpose, "account": account}
    who["dates"] = Dates.SHIFTED if shifted else Dates.KEPT
    if form is ExportForm.OSIRIS:
        export_osiris(out, **who)
    elif form is ExportForm.FHIR:
        export_fhir(out, **who)
    else:
        export_tables(out, TableForm(form.value), **who)


def owner_named(session: Session, login: str) -> int:
    """The key of the account of that login. Raises InputError where there is none."""
    from consore.access import find_account

    found = find_account(session, login)
    if found is None or found.id is None:
        raise InputError(f"There is no account {login}.", "`consore account list` lists them.")
    return found.id


def identities(session: Session, ids: list[int]) -> dict[int, Patient]:
    """The patients of these keys."""
    found: dict[int, Patient] = {}
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        for patient in session.exec(select(Patient).where(Patient.id.in_(chunk))):  # type: ignore[union-attr]
            found[patient.id or 0] = patient
    return found


def _kept(session: Session, number: int) -> Cohort:
    row = session.get(Cohort, number)
    if row is None:
        raise InputError(f"There is no cohort {number}.", "`consore cohort list` lists them.")
    return row


def shell_author() -> Author:
    """Who has a shell on the node, as a version keeps it."""
    from consore.search.kept_cohorts import Author

    return Author(None, f"shell:{getpass.getuser()}")


def _told(session: Session, row: Cohort) -> dict[str, Any]:
    from consore.search.kept_cohorts import latest_version

    last, owner = latest_version(session, row), session.get(Account, row.account_id)
    told = {"number": row.id, "name": row.name, "owner": owner.login if owner else "", "shared": row.shared}
    return {**told, **(_version(last) if last else {})}


def _version(row: CohortVersion) -> dict[str, Any]:
    return {
        "version": row.number,
        "at": row.at.isoformat(),
        "by": row.login,
        "count": row.count,
        "entered": row.entered,
        "left": row.gone,
    }


def _print(told: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(told[0])
        return
    columns = ["number", "name", "owner", "shared", "version", "at", "count", "entered", "left"]
    print_table(columns, [[row.get(column, "") for column in columns] for row in told])


def words_of_node() -> Any:
    """The terminology of the node."""
    from consore.referentials import terminology

    settings = node()
    return terminology(settings.referentials, settings.cache, settings.site_referentials)
