"""Commands that write patients for others, `consore export …`, and reviews for training, `consore review export`."""

from __future__ import annotations

import datetime as dt
import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, select

from consore.access import Principal, find_account
from consore.cli.app import app, node, opened_store
from consore.cli.criteria import read_criteria
from consore.cli.screen import console, errors
from consore.errors import InputError
from consore.export import Dates, Leave, Record, TableForm, check, leaving
from consore.model import Cohort, Patient, Role
from consore.referentials import Terminology

export_app = typer.Typer(help="Patients in the forms that others read, without their names.", no_args_is_help=True)
review_app = typer.Typer(help="What physicians said of what was read.", no_args_is_help=True)
app.add_typer(export_app, name="export")
app.add_typer(review_app, name="review")

PatientOption = Annotated[str | None, typer.Option("--patient", help="IPP of one patient.")]
CohortOption = Annotated[
    str | None, typer.Option("--cohort", help="JSON file of criteria, or the number of a saved cohort.")
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
IdentifiedOption = Annotated[bool, typer.Option("--identified", help="With names, IPP and birth dates.")]
QuotesOption = Annotated[bool, typer.Option("--quotes", help="With the sentences behind each item (FHIR).")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="Why patients are named; kept in the audit trail.")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Login of who takes names or sentences.")]
DatesOption = Annotated[
    Dates, typer.Option("--dates", help="Dates kept, or shifted by a number of days of each patient's own.")
]


@export_app.command("osiris")
def export_osiris(
    out: OutOption,
    patient: PatientOption = None,
    cohort: CohortOption = None,
    identified: IdentifiedOption = False,
    purpose: PurposeOption = "",
    account: AccountOption = None,
    dates: DatesOption = Dates.KEPT,
) -> None:
    """The eighteen pivot files of OSIRIS of a patient or of a cohort, checked against its value sets."""
    from consore.export import write_osiris

    leave = Leave(identified, purpose, dates)
    with _leaving(patient, cohort, leave, account, "osiris") as found:
        writer = write_osiris(found.records, out)
    console.print(f"{writer.counts['Patient']} patients in 18 files under {out}", soft_wrap=True)
    for table, rows in writer.counts.items():
        if rows:
            console.print(f"  {table:<22}{rows:>8}")
    for (column, value), times in writer.left_out.most_common(20):
        errors.print(f"{times} × {column} left empty: OSIRIS does not list {value}.", style="yellow", markup=False)
    for column, times in writer.missing.most_common(20):
        errors.print(f"{times} × {column} is asked for by OSIRIS and not known.", style="yellow", markup=False)


@export_app.command("fhir")
def export_fhir(
    out: OutOption,
    patient: PatientOption = None,
    cohort: CohortOption = None,
    identified: IdentifiedOption = False,
    purpose: PurposeOption = "",
    account: AccountOption = None,
    dates: DatesOption = Dates.KEPT,
    quotes: QuotesOption = False,
) -> None:
    """A FHIR R4 Bundle of each patient of a cohort, or of one."""
    from consore.export import write_fhir

    leave = Leave(identified, purpose, dates, quotes)
    with _leaving(patient, cohort, leave, account, "fhir") as found:
        count = write_fhir(found.records, out, found.terminology)
    console.print(f"{count} bundles under {out}", soft_wrap=True)


@export_app.command("tables")
def export_tables(
    out: OutOption,
    form: Annotated[TableForm, typer.Option("--form", help="csv, xlsx or parquet.")] = TableForm.CSV,
    patient: PatientOption = None,
    cohort: CohortOption = None,
    identified: IdentifiedOption = False,
    purpose: PurposeOption = "",
    account: AccountOption = None,
    dates: DatesOption = Dates.KEPT,
) -> None:
    """Patients, tumours, events, treatments, results and samples as tables for a statistician."""
    from consore.export import write_tables

    leave = Leave(identified, purpose, dates)
    with _leaving(patient, cohort, leave, account, form.value) as found:
        counts = write_tables(found.records, out, form)
    console.print(f"{counts['patients']} patients in tables under {out}", soft_wrap=True)
    for name, rows in counts.items():
        console.print(f"  {name:<22}{rows:>8}")


@review_app.command("export")
def export_reviews(
    out: Annotated[Path, typer.Option("--out", help="File to write, JSON lines.")],
    since: Annotated[str | None, typer.Option(help="Only reviews from this day on, as 2026-11-01.")] = None,
) -> None:
    """Corrected sentences, names masked, as annotated text that `consore train --corpus` reads."""
    from consore.export import training_lines

    try:
        first = dt.date.fromisoformat(since) if since else None
    except ValueError as error:
        raise InputError(f"{since} is not a day.", "Write it as 2026-11-01.") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with opened_store(node()) as store, store.session() as session, out.open("w", encoding="utf-8") as file:
        for line in training_lines(session, since=first, login=f"shell:{getpass.getuser()}"):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    console.print(f"{count} sentences under {out}", soft_wrap=True)


@dataclass(slots=True)
class _Found:
    records: Iterator[Record]
    terminology: Terminology


@contextmanager
def _leaving(patient: str | None, cohort: str | None, leave: Leave, account: str | None, form: str) -> Iterator[_Found]:
    from consore.referentials import terminology

    if (patient is None) == (cohort is None):
        raise InputError("Say who is exported.", "`--patient IPP`, or `--cohort FILE` (criteria) or its number.")
    settings = node()
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    with opened_store(settings) as store, store.session() as session:
        principal = _principal(session, account) if account else None
        check(leave, principal)
        ids = _patients(session, patient, cohort)
        if not ids:
            raise InputError("Nobody meets the criteria.", "`consore cohort count FILE` counts them.")
        login = f"shell:{getpass.getuser()}"
        yield _Found(leaving(session, settings, terms, ids, leave, form=form, principal=principal, login=login), terms)


def _principal(session: Session, login: str) -> Principal:
    found = find_account(session, login)
    if found is None or not found.active or found.id is None:
        raise InputError(f"There is no account {login}.", "`consore account list` lists them.")
    return Principal(found.id, found.login, found.name, Role(found.role))


def _patients(session: Session, patient: str | None, cohort: str | None) -> list[int]:
    if patient is not None:
        found = session.exec(select(Patient).where(Patient.ipp == patient)).first()
        if found is None or found.opposed or found.id is None:
            raise InputError(f"No patient {patient} here.", "Check the IPP, or `consore search` for them.")
        return [found.id]
    assert cohort is not None
    if cohort.isdigit() and not Path(cohort).exists():
        from consore.search.kept_cohorts import members

        saved = session.get(Cohort, int(cohort))
        if saved is None:
            raise InputError(f"There is no cohort {cohort}.", "Give a file of criteria, or the number of a saved one.")
        return sorted(session.execute(members(saved)).scalars())
    from consore.search import patient_ids

    return list(patient_ids(session, read_criteria(Path(cohort))))


__all__ = ["export_app", "review_app"]
