"""Commands of trials: read a protocol, watch it, see who is newly eligible."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from consore.cli.app import JsonOption, app, node, opened_store
from consore.cli.cohorts import identities, owner_named, shell_author, words_of_node
from consore.cli.screen import console, print_json, print_table
from consore.errors import InputError
from consore.model import Cohort, Trial

trial_app = typer.Typer(help="Trials: eligibility read from a protocol, patients watched for.", no_args_is_help=True)
app.add_typer(trial_app, name="trial")

FileArgument = Annotated[Path, typer.Argument(help="Eligibility text of the protocol (UTF-8); - is standard input.")]
NumberArgument = Annotated[int, typer.Argument(help="Number of a trial: `consore trial list`.")]
_MARKS = {"whole": "coded", "partly": "in part", "nothing": "not coded"}


@trial_app.command("read")
def read(file: FileArgument, as_json: JsonOption = False) -> None:
    """What of a protocol becomes criteria, line by line; nothing is kept."""
    from consore.search import count_patients, describe, parse_criteria
    from consore.search.protocols import eligible, read_protocol

    words = words_of_node()
    lines = read_protocol(_text(file), words)
    criteria = eligible(lines)
    with opened_store(node()) as store, store.session() as session:
        count = count_patients(session, criteria) if criteria else 0
    if as_json:
        tree = criteria.as_json() if criteria else None
        print_json({"lines": [line.as_json() for line in lines], "criteria": tree, "count": count})
        return
    print_table(
        ["", "line", "read as", "not coded"],
        [
            [
                f"{line.part.value[:3]} {'✓' if line.accepted else '·'} {_MARKS[line.coverage.value]}",
                line.text,
                describe(parse_criteria(line.criteria), words) if line.criteria else "",
                " ".join(line.words),
            ]
            for line in lines
        ],
    )
    console.print(f"{count} patients meet the lines that are ticked")


@trial_app.command("watch")
def watch(
    name: str,
    file: FileArgument,
    account: Annotated[str, typer.Option("--account", help="Login of who keeps it.")],
    shared: Annotated[bool, typer.Option("--shared", help="The accounts of the centre see it too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep a protocol: who becomes eligible after an ingestion is listed from now on."""
    from consore.search.protocols import read_protocol
    from consore.search.trials import watch_trial

    lines = read_protocol(_text(file), words_of_node())
    with opened_store(node()) as store, store.session() as session:
        owner = owner_named(session, account)
        trial = watch_trial(session, name, lines, shell_author(), owner=owner, shared=shared)
        told = _told(session, trial)
    _print([told], as_json)


@trial_app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """The trials that are watched, the newest first."""
    from consore.search.trials import visible_trials

    with opened_store(node()) as store, store.session() as session:
        told = [_told(session, trial) for trial, _ in visible_trials(session, None)]
    _print(told, as_json)


@trial_app.command("new")
def new(
    number: NumberArgument,
    seen: Annotated[bool, typer.Option("--seen", help="They were looked at: list later ones from now on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The patients who became eligible for a trial since it was last looked at."""
    from consore.search.trials import looked_at, newly_eligible

    with opened_store(node()) as store, store.session() as session:
        trial = session.get(Trial, number)
        if trial is None:
            raise InputError(f"There is no trial {number}.", "`consore trial list` lists them.")
        known = identities(session, newly_eligible(session, trial))
        if seen:
            looked_at(session, trial)
    patients = sorted(patient.ipp for patient in known.values())
    if as_json:
        print_json({"number": number, "patients": patients})
    else:
        console.print(f"{len(patients)} newly eligible patients")
        console.print(" ".join(patients), markup=False)


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}.", "Give a UTF-8 text file.") from error


def _told(session: Session, trial: Trial) -> dict[str, Any]:
    from consore.search.kept_cohorts import latest_version
    from consore.search.trials import count_newly_eligible

    row = session.get(Cohort, trial.cohort_id)
    last = latest_version(session, row) if row else None
    coded = sum(line["accepted"] for line in trial.lines)
    return {
        "number": trial.cohort_id,
        "name": row.name if row else "",
        "lines": len(trial.lines),
        "counted": coded,
        "eligible": last.count if last else 0,
        "new": count_newly_eligible(session, trial),
        "at": last.at.isoformat() if last else None,
    }


def _print(told: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        names = ["number", "name", "lines", "counted", "eligible", "new", "at"]
        print_table(names, [[one[name] for name in names] for one in told])
