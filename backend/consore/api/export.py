"""Patients in files through the interface: mutations, since each export is an entry of the audit trail."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated

import strawberry
from sqlmodel import Session, col, select
from strawberry.scalars import JSON

from consore import export, model
from consore.access import Permission
from consore.api.bounds import LONGEST_TEXT, row_id, short
from consore.api.context import Info, RequestContext
from consore.api.guard import mutation
from consore.api.kept_cohort import chosen
from consore.api.problem import InputProblem
from consore.errors import InputError
from consore.export import Dates, Leave, TableForm

MOST_PATIENTS = 100
MOST_IN_TABLES = 2000


@strawberry.enum(
    description="The form of an export: the 18 pivot files of OSIRIS, a FHIR R4 Bundle a patient, or tables."
)
class ExportForm(Enum):
    OSIRIS = "osiris"
    FHIR = "fhir"
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


_TABLES = (ExportForm.CSV, ExportForm.XLSX, ExportForm.PARQUET)


@strawberry.enum(
    description="Dates of pseudonymised patients: kept, or shifted by a number of days of the patient's own."
)
class ExportDates(Enum):
    KEPT = "kept"
    SHIFTED = "shifted"


@strawberry.type(description="A file: its name, and its text; of a file that is no text, the Base64 of its bytes.")
class ExportFile:
    name: str
    content: str
    is_base64: bool = False

    @classmethod
    def of(cls, path: Path) -> ExportFile:
        """The file as the schema shows it."""
        raw = path.read_bytes()
        try:
            return cls(name=path.name, content=raw.decode("utf-8"))
        except UnicodeDecodeError:
            return cls(name=path.name, content=base64.b64encode(raw).decode("ascii"), is_base64=True)


@strawberry.type(
    description="What left: files, how many patients, and values that OSIRIS does not list and were left out."
)
class Export:
    form: ExportForm
    identified: bool
    patient_count: int
    files: list[ExportFile]
    left_out: list[str]


ExportResult = Annotated[Export | InputProblem, strawberry.union("ExportResult")]


@strawberry.type
class ExportMutation:
    @mutation(
        Permission.EXPORT,
        description="Patients of a list or of criteria in files. Pseudonymised unless `identified`, which needs the "
        "right to see identities and a purpose. Audited patient by patient.",
    )
    async def export_patients(
        self,
        info: Info,
        form: ExportForm,
        patient_ids: list[strawberry.ID] | None = None,
        criteria: JSON | None = None,
        identified: bool = False,
        purpose: str = "",
        dates: ExportDates = ExportDates.KEPT,
        quotes: bool = False,
    ) -> ExportResult:
        context = info.context

        def who(session: Session) -> list[int]:
            if (patient_ids is None) == (criteria is None):
                raise InputError("Say who is exported.", "Give patients or criteria; one of the two.")
            if patient_ids is not None:
                return [key for one in patient_ids if (key := row_id(one)) is not None]
            return list(session.execute(chosen(context, session, criteria, None).who).scalars())

        return await _left(context, form, who, identified, purpose, dates, quotes)

    @mutation(
        Permission.EXPORT,
        description="The patients of a kept cohort, at its last refresh, in files; as `exportPatients`.",
    )
    async def export_cohort(
        self,
        info: Info,
        id: strawberry.ID,
        form: ExportForm,
        identified: bool = False,
        purpose: str = "",
        dates: ExportDates = ExportDates.KEPT,
        quotes: bool = False,
    ) -> ExportResult:
        context = info.context

        def who(session: Session) -> list[int]:
            return list(session.execute(chosen(context, session, None, id).who).scalars())

        return await _left(context, form, who, identified, purpose, dates, quotes)


async def _left(
    context: RequestContext,
    form: ExportForm,
    who: Callable[[Session], list[int]],
    identified: bool,
    purpose: str,
    dates: ExportDates,
    quotes: bool,
) -> ExportResult:
    try:
        leave = Leave(identified, short("purpose", purpose, LONGEST_TEXT, empty=True), Dates(dates.value), quotes)
        export.check(leave, context.principal)
        return await context.read(
            lambda session: _written(context, session, form, _there(session, form, who(session)), leave)
        )
    except InputError as error:
        return InputProblem.of(error, context.language)


def _there(session: Session, form: ExportForm, keys: list[int]) -> list[int]:
    """Those who are in the store and not opposed, in the order given. Raises InputError where none is, or too many."""
    most = MOST_IN_TABLES if form in _TABLES else MOST_PATIENTS
    if len(keys) > most:
        raise InputError(
            f"{len(keys)} patients are too many at once; at most {most} are taken.",
            "Narrow the criteria, or export on the server: `consore export`.",
        )
    known = select(model.Patient.id).where(col(model.Patient.id).in_(keys), ~col(model.Patient.opposed))
    there = set(session.exec(known))
    found = [key for key in keys if key in there]
    if not found:
        raise InputError("Nobody is there to export.", "Check the identifiers or the criteria.")
    return found


def _written(context: RequestContext, session: Session, form: ExportForm, keys: list[int], leave: Leave) -> Export:
    node, terms = context.node, context.terminology
    records = export.leaving(
        session,
        node.settings,
        terms,
        keys,
        leave,
        form=form.value,
        principal=context.principal,
        address=context.address,
    )
    identified = leave.is_identified
    if form is ExportForm.FHIR:
        bundles = [export.bundle(record, terms) for record in records]
        files = [ExportFile(name=f"{one['id']}.json", content=json.dumps(one, ensure_ascii=False)) for one in bundles]
        return Export(form=form, identified=identified, patient_count=len(files), files=files, left_out=[])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if form in _TABLES:
            counts = export.write_tables(records, out, TableForm(form.value))
            files = [ExportFile.of(path) for path in sorted(out.iterdir())]
            patients = counts["patients"]
            return Export(form=form, identified=identified, patient_count=patients, files=files, left_out=[])
        writer = export.write_osiris(records, out)
        files = [ExportFile.of(path) for path in sorted(out.iterdir())]
    left_out = [f"{column}: {value} ({times})" for (column, value), times in writer.left_out.most_common(50)]
    return Export(
        form=form,
        identified=identified,
        patient_count=writer.counts["Patient"],
        files=files,
        left_out=left_out,
    )
