"""Commands on the code systems: referentials status, import, editions, activate, terms."""

from __future__ import annotations

import getpass
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consore.cli.app import JsonOption, app, node
from consore.cli.screen import console, print_json, print_table, progress_bar
from consore.settings import Settings

if TYPE_CHECKING:
    from consore.referentials import Edition
    from consore.referentials.importing import ImportReport

referentials_app = typer.Typer(help="The code systems.", no_args_is_help=True)
terms_app = typer.Typer(help="Words of this site, which imports never touch.", no_args_is_help=True)
referentials_app.add_typer(terms_app, name="terms")
app.add_typer(referentials_app, name="referentials")

_SHOWN = 5  # rejections, and differences, of each sort


@referentials_app.command("status")
def status(as_json: JsonOption = False) -> None:
    """The code systems in force: edition, concepts, forms, where they come from, the last import."""
    from dataclasses import asdict

    from consore.referentials import terminology

    settings = node()
    editions = terminology(settings.referentials, settings.cache, settings.site_referentials).editions()
    if as_json:
        print_json([asdict(edition) for edition in editions])
        return
    print_table(
        ["folder", "system", "edition", "concepts", "forms", "in force", "imported"],
        [
            [
                edition.folder,
                edition.system,
                edition.edition,
                edition.concepts,
                edition.terms,
                edition.active_edition or "shipped",
                _imported(edition),
            ]
            for edition in editions
        ],
    )


def _imported(edition: Edition) -> str:
    """When, by whom, from what file, and what became of its rows; else how many editions are there to take."""
    if not edition.active_edition:
        return f"{len(edition.available)} kept" if edition.available else ""
    counts = ", ".join(f"{count} {name}" for name, count in edition.import_counts.items())
    told = (edition.imported_at[:16].replace("T", " "), edition.imported_by, edition.imported_file, counts)
    return " · ".join(filter(None, told))


@referentials_app.command("import")
def import_(
    kind: Annotated[
        str,
        typer.Argument(
            help="cim10, ccam, bdpm, icdo3-topography, icdo3-morphology, adicap, osiris, genes, centres, "
            "or auto: what it is shows in the file."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="A file, a .gz or .zip, or a folder (bdpm).")],
    edition: Annotated[
        str | None, typer.Option(help="Name of the edition; else the day and its content's mark.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    activate: Annotated[bool, typer.Option(help="Put it in force.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Import even if most codes in force are missing.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write tables for the shipped folder there instead, for maintainers.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import an official file as an edition of this site. Importing it again changes nothing."""
    from consore.referentials.importing import draft_into, import_referential

    settings = node()
    with progress_bar() as bar:
        tasks: dict[str, object] = {}

        def tell(name: str, rows: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=None, rate="")
            bar.update(tasks[name], completed=rows)  # type: ignore[arg-type]

        if out is not None:
            report = draft_into(settings.referentials, kind, path, out, tell)
        else:
            report = import_referential(
                settings.referentials,
                settings.site_referentials,
                kind,
                path,
                edition=edition,
                dry_run=dry_run,
                activate=activate,
                force=force,
                by=_user(),
                progress=tell,
            )
    if as_json:
        print_json(report.as_json())
    else:
        _print(report, settings, out)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without that user
        return ""


def _print(report: ImportReport, settings: Settings, out: Path | None) -> None:
    console.print(f"{report.file}: {report.kind}, read in {report.seconds:.2f} s", markup=False)
    for table, columns in report.columns.items():
        console.print(f"  {table}: {', '.join(columns)}", markup=False, soft_wrap=True)
    rows = [["rows read", report.read], ["codes kept", report.kept], ["their words", report.terms]]
    rows += [["rows that say again or more", report.merged], ["withdrawn by the publisher", report.withdrawn]]
    rows += [[f"set aside: {reason.replace('_', ' ')}", count] for reason, count in report.set_aside.items()]
    rows += [["rows rejected", report.rejected]]
    against = f"against {report.against}" if report.against else "against what is shipped"
    rows += [[f"codes added, {against}", report.added], ["labels changed", report.changed], ["codes gone", report.gone]]
    print_table(["", ""], rows)
    shown: Counter[str] = Counter()
    for one in report.rejections:
        shown[one.reason] += 1
        if shown[one.reason] <= _SHOWN:
            text = f"  ✗ {one.file}:{one.line}: {one.reason.replace('_', ' ')}: {one.value}"
            console.print(text, style="yellow", markup=False, soft_wrap=True)
    for reason, count in report.reasons.items():
        if count > _SHOWN:
            console.print(f"  … {count} rows in all: {reason.replace('_', ' ')}", style="yellow", markup=False)
    for code, before, after in report.differences["changed"][:_SHOWN]:
        console.print(f"  {code}: {before} → {after}", markup=False, soft_wrap=True)
    for word in ("added", "gone"):
        if codes := report.differences[word]:
            more = f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else ""
            console.print(f"  {word}: {', '.join(codes[:_SHOWN])}{more}", markup=False, soft_wrap=True)
    if report.ignored:
        console.print(f"  left aside, not of this kind: {', '.join(report.ignored[:_SHOWN])}", markup=False)
    place = out or settings.site_referentials / report.folder / "editions" / report.slug
    said = {
        "dry_run": "Nothing was written.",
        "already_there": f"This edition is already there: {report.slug}.",
        "imported": f"Edition {report.slug} imported: {place}",
        "written": f"Written to {place}",
    }[report.state]
    if report.state in ("imported", "already_there"):
        otherwise = f"Not in force: `consore referentials activate {report.kind} {report.slug}` puts it in force."
        said += "\nIt is in force." if report.active else f"\n{otherwise}"
    console.print(said, markup=False, soft_wrap=True)


@referentials_app.command("editions")
def editions(
    kind: Annotated[str | None, typer.Argument(help="Of this kind only.")] = None, as_json: JsonOption = False
) -> None:
    """The editions of this site, and which is in force."""
    from consore.referentials.importing import SHIPPED, editions_of, kind_named, kinds

    site = node().site_referentials
    chosen = [kind_named(kind)] if kind else list(kinds().values())
    found = [(one, editions_of(site, one.folder)) for one in chosen]
    if as_json:
        rows = [(one, edition) for one, there in found for edition in there]
        print_json(
            [
                {
                    "kind": one.key,
                    "edition": edition.slug,
                    "name": edition.name,
                    "active": edition.active,
                    "imported_at": edition.at,
                    "imported_by": edition.by,
                    "concepts": edition.concepts,
                }
                for one, edition in rows
            ]
        )
        return
    table: list[list[object]] = []
    for one, there in found:
        in_force = "in force" if not any(edition.active for edition in there) else ""
        table.append([one.key, SHIPPED, in_force, "", "", ""])
        table += [
            [one.key, edition.slug, "in force" if edition.active else "", edition.at, edition.by, edition.concepts]
            for edition in there
        ]
    print_table(["kind", "edition", "", "imported", "by", "codes"], table)


@referentials_app.command("activate")
def activate_(
    kind: Annotated[str, typer.Argument(help="As for `import`.")],
    edition: Annotated[str, typer.Argument(help="An edition of `consore referentials editions`, or `shipped`.")],
) -> None:
    """Put an imported edition in force, or go back to what Consore ships."""
    from consore.referentials.importing import activate_edition

    slug = activate_edition(node().site_referentials, kind, edition)
    console.print(f"{kind}: {slug} is in force.", markup=False)


@terms_app.command("add")
def add_term(
    system: Annotated[str, typer.Argument(help="A code system (ICD-O-3-T, ATC, CIM-10…) or its folder.")],
    code: str,
    term: str,
    form: Annotated[
        str, typer.Option(help="noun (its plural is made), adj, exact (any case), case (this very case).")
    ] = "noun",
    value: Annotated[str, typer.Option(help="What the words state by themselves, such as positive.")] = "",
    type_: Annotated[str, typer.Option("--type", help="synonym, brand, abbreviation, misspelling.")] = "synonym",
) -> None:
    """Add a word of this site for a code: found in reports and in the search bar from the next reading on."""
    from consore.referentials.importing import add_local_term

    settings = node()
    added = add_local_term(settings.referentials, settings.site_referentials, system, code, term, form, value, type_)
    console.print(f"{added.code} is also called “{added.term}” here ({added.folder}).", markup=False)


@terms_app.command("list")
def list_terms(as_json: JsonOption = False) -> None:
    """The words of this site."""
    from dataclasses import asdict

    from consore.referentials.importing import local_terms

    found = local_terms(node().site_referentials)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [[one.folder, one.code, one.term, one.form, one.value, one.type] for one in found]
    print_table(["folder", "code", "term", "form", "value", "type"], rows)


@terms_app.command("remove")
def remove_term(system: str, code: str, term: str) -> None:
    """Take away a word of this site."""
    from consore.referentials.importing import remove_local_term

    settings = node()
    gone = remove_local_term(settings.referentials, settings.site_referentials, system, code, term)
    console.print(f"{gone.code} is no longer called “{gone.term}” here.", markup=False)
