"""The code systems in force, their editions, and the import of official files."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import strawberry
from strawberry.file_uploads import Upload

from consore.access import Action, Permission
from consore.api.bounds import short, within
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import field, mutation
from consore.api.node import Node
from consore.api.problem import InputProblem
from consore.errors import InputError
from consore.referentials import Edition
from consore.referentials.importing import (
    AUTO,
    ImportReport,
    StoredEdition,
    activate_edition,
    editions_of,
    import_referential,
    kind_named,
    kind_of_folder,
)

MOST_REJECTIONS = 500


@strawberry.type(description="An edition of a code system that was imported here.")
class ReferentialEdition:
    slug: str
    name: str
    active: bool
    concepts: int
    imported_at: dt.datetime | None
    imported_by: str | None

    @classmethod
    def of(cls, edition: StoredEdition) -> ReferentialEdition:
        """The edition as the schema shows it."""
        return cls(
            slug=edition.slug,
            name=edition.name,
            active=edition.active,
            concepts=edition.concepts,
            imported_at=_moment(edition.at),
            imported_by=edition.by or None,
        )


@strawberry.type(description="What an import counted. Rows are `read` and `rejected`; codes `kept` and `changed`.")
class ImportCounts:
    read: int
    kept: int
    changed: int
    rejected: int


@strawberry.type(description="A code system in force.")
class Referential:
    node: strawberry.Private[Node]
    system: str
    folder: str
    name: str
    edition: str
    concepts: int
    terms: int
    licence: str
    origin: str
    kind: str | None = strawberry.field(description="What `importReferential` calls it; null: it is not imported.")
    active_edition: str | None = strawberry.field(
        description="The imported edition in force; null: what Consore ships."
    )
    available: list[str] = strawberry.field(description="The imported editions, by their slugs.")
    imported_at: dt.datetime | None
    imported_by: str | None
    last_import: ImportCounts | None = strawberry.field(description="What the import of the edition in force counted.")

    @classmethod
    def of(cls, node: Node, edition: Edition) -> Referential:
        """The edition in force as the schema shows it."""
        kind, counts = kind_of_folder(edition.folder), edition.import_counts
        return cls(
            node=node,
            system=str(edition.system),
            folder=edition.folder,
            name=edition.name,
            edition=edition.edition,
            concepts=edition.concepts,
            terms=edition.terms,
            licence=edition.licence,
            origin=edition.origin,
            kind=kind.key if kind else None,
            active_edition=edition.active_edition or None,
            available=list(edition.available),
            imported_at=_moment(edition.imported_at),
            imported_by=edition.imported_by or None,
            last_import=ImportCounts(**{name: counts.get(name, 0) for name in _COUNTED}) if counts else None,
        )

    @strawberry.field(description="The imported editions, the newest first.")
    async def editions(self) -> list[ReferentialEdition]:
        site, folder = self.node.settings.site_referentials, self.folder
        return [ReferentialEdition.of(one) for one in await in_thread(lambda: editions_of(site, folder))]


_COUNTED = ("read", "kept", "changed", "rejected")


@strawberry.type(description="A row that an import did not take. `reason` is a word for programs.")
class ImportRejection:
    file: str
    line: int
    reason: str
    value: str


@strawberry.type(description="How many rows share a reason.")
class ImportReason:
    reason: str
    count: int


@strawberry.type(description="What an import did, or would do. `state`: imported, already_there or dry_run.")
class ReferentialImport:
    report: strawberry.Private[ImportReport]
    kind: str
    folder: str
    edition: str
    slug: str
    state: str
    active: bool = strawberry.field(description="Whether the edition is in force now.")
    against: str = strawberry.field(description="The edition that it was compared with; `shipped`: Consore's own.")
    read: int
    kept: int
    terms: int
    added: int
    changed: int
    gone: int
    withdrawn: int
    rejected: int

    @classmethod
    def of(cls, report: ImportReport) -> ReferentialImport:
        """The report as the schema shows it."""
        return cls(
            report=report,
            kind=report.kind,
            folder=report.folder,
            edition=report.edition,
            slug=report.slug,
            state=report.state,
            active=report.active,
            against=report.against,
            read=report.read,
            kept=report.kept,
            terms=report.terms,
            added=report.added,
            changed=report.changed,
            gone=report.gone,
            withdrawn=report.withdrawn,
            rejected=report.rejected,
        )

    @strawberry.field(description="Why rows were rejected.")
    def reasons(self) -> list[ImportReason]:
        return [ImportReason(reason=reason, count=count) for reason, count in self.report.reasons.items()]

    @strawberry.field(description="The first rows that were rejected, with their lines.")
    def rejections(self, first: int | None = 20) -> list[ImportRejection]:
        shown = self.report.rejections[: within("first", first, 20, most=MOST_REJECTIONS)]
        return [ImportRejection(file=one.file, line=one.line, reason=one.reason, value=one.value) for one in shown]


ImportResult = Annotated[ReferentialImport | InputProblem, strawberry.union("ReferentialImportResult")]
ActivationResult = Annotated[Referential | InputProblem, strawberry.union("ActivationResult")]


@strawberry.type
class ReferentialQuery:
    @field(Permission.REFERENTIALS, description="The code systems in force.")
    async def referentials(self, info: Info) -> list[Referential]:
        node = info.context.node
        return [Referential.of(node, one) for one in await in_thread(lambda: node.terminology.editions())]


@strawberry.type
class ReferentialMutation:
    @mutation(
        Permission.REFERENTIALS,
        description="Import an official file (or a .zip of them) as an edition of this centre, and put it in force. "
        "`kind`: cim10, ccam, bdpm, icdo3-topography, icdo3-morphology, adicap, osiris, genes, centres, or auto.",
    )
    async def import_referential(
        self,
        info: Info,
        kind: str,
        file: Upload,
        edition: str | None = None,
        dry_run: bool = False,
        activate: bool = True,
        force: bool = False,
    ) -> ImportResult:
        context = info.context
        try:
            name = short("edition", edition) if edition is not None else None
            options = {"edition": name, "dry_run": dry_run, "activate": activate, "force": force}
            report = await in_thread(lambda: _import(context, kind, file, options))
        except InputError as error:
            return InputProblem.of(error, context.language, "file")
        detail = {
            "referential": report.kind,
            "file": report.file,
            "edition": report.slug,
            "state": report.state,
            "active": report.active,
        }
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, detail))
        return ReferentialImport.of(report)

    @mutation(
        Permission.REFERENTIALS,
        description="Put an imported edition in force, by its slug or name; `shipped` goes back to what Consore ships.",
    )
    async def activate_edition(self, info: Info, kind: str, edition: str) -> ActivationResult:
        context = info.context
        node = context.node
        try:
            folder = kind_named(kind).folder
            slug = await in_thread(lambda: activate_edition(node.settings.site_referentials, kind, edition))
        except InputError as error:
            return InputProblem.of(error, context.language, "edition")
        detail = {"referential": kind, "edition": slug}
        await context.read(lambda session: context.trace_act(session, Action.ADMIN_CHANGE, detail))
        in_force = await in_thread(lambda: node.terminology.editions())
        found = next((one for one in in_force if one.folder == folder), None)
        if found is None:
            error = InputError(f"Consore ships no {kind}.", "Import an edition of it first.")
            return InputProblem.of(error, context.language, "kind")
        return Referential.of(node, found)


def _import(context: RequestContext, kind: str, file: Any, options: dict[str, Any]) -> ImportReport:
    """Import what was sent, from a copy on the disk that is removed at the end."""
    settings = context.node.settings
    if not hasattr(file, "file"):
        raise InputError("No file was sent.", "Send it as a form (GraphQL multipart request).")
    name = re.sub(r"[^\w. -]", "_", str(file.filename or "").replace("\\", "/").rsplit("/", 1)[-1]).strip(". ")[-120:]
    if kind != AUTO:
        kind_named(kind)
    with tempfile.TemporaryDirectory(prefix="consore-import-") as folder:
        copy = Path(folder) / (name or "file")
        with copy.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        return import_referential(
            settings.referentials,
            settings.site_referentials,
            kind,
            copy,
            by=context.principal.login if context.principal else "",
            **options,
        )


def _moment(text: str) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
