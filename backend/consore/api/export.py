"""Patients as OSIRIS or FHIR through the interface: a mutation, since each export is an entry of the audit trail."""

from __future__ import annotations

import json
import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated

import strawberry
from sqlmodel import Session, col, select
from strawberry.scalars import JSON

from consore import export, model
from consore.access import Permission
from consore.api.bounds import LONGEST_TEXT, row_id, short
from consore.api.context import Info, RequestContext, in_thread
from consore.api.guard import mutation
from consore.api.problem import InputProblem
from consore.api.unnamed import require_no_names
from consore.errors import InputError
from consore.export import Dates, Leave
from consore.search import parse_criteria, patient_ids

MOST_PATIENTS = 100


@strawberry.enum(description="The form of an export: the 18 pivot files of OSIRIS, or a FHIR R4 Bundle a patient.")
class ExportForm(Enum):
    OSIRIS = "osiris"
    FHIR = "fhir"


@strawberry.enum(
    description="Dates of pseudonymised patients: kept, or shifted by a number of days of the patient's own."
)
class ExportDates(Enum):
    KEPT = "kept"
    SHIFTED = "shifted"


@strawberry.type(description="A file: its name and its text.")
class ExportFile:
    name: str
    content: str


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
        description="Patients as OSIRIS or FHIR: of a list, of criteria or of a saved cohort. Pseudonymised unless "
        "`identified`, which needs the right to see identities and a purpose. Audited patient by patient.",
    )
    async def export_patients(
        self,
        info: Info,
        form: ExportForm,
        patient_ids: list[strawberry.ID] | None = None,
        criteria: JSON | None = None,
        cohort_id: strawberry.ID | None = None,
        identified: bool = False,
        purpose: str = "",
        dates: ExportDates = ExportDates.KEPT,
        quotes: bool = False,
    ) -> ExportResult:
        context = info.context
        try:
            leave = Leave(identified, short("purpose", purpose, LONGEST_TEXT, empty=True), Dates(dates.value), quotes)
            export.check(leave, context.principal)
            if sum(given is not None for given in (patient_ids, criteria, cohort_id)) != 1:
                raise InputError("Say who is exported.", "Give patients, criteria or a saved cohort; one of the three.")
            tree = parse_criteria(criteria) if criteria is not None else None  # type: ignore[arg-type]
            await in_thread(lambda: require_no_names(context, tree))
            return await context.read(
                lambda session: _written(context, session, form, _who(session, patient_ids, tree, cohort_id), leave)
            )
        except InputError as error:
            return InputProblem.of(error, context.language)


def _who(session: Session, given: list[strawberry.ID] | None, tree: object, cohort: strawberry.ID | None) -> list[int]:
    if given is not None:
        keys = [key for one in given if (key := row_id(one)) is not None]
    elif tree is not None:
        keys = list(patient_ids(session, tree))  # type: ignore[arg-type]
    else:
        saved = session.get(model.Cohort, row_id(cohort or strawberry.ID("")) or 0)
        keys = list(saved.patient_ids) if saved else []
    if len(keys) > MOST_PATIENTS:
        raise InputError(
            f"{len(keys)} patients are too many at once; at most {MOST_PATIENTS} are taken.",
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
    if form is ExportForm.FHIR:
        bundles = [export.bundle(record, terms) for record in records]
        files = [ExportFile(name=f"{one['id']}.json", content=json.dumps(one, ensure_ascii=False)) for one in bundles]
        return Export(form=form, identified=leave.is_identified, patient_count=len(files), files=files, left_out=[])
    with tempfile.TemporaryDirectory() as folder:
        writer = export.write_osiris(records, Path(folder))
        files = [
            ExportFile(name=path.name, content=path.read_text(encoding="utf-8"))
            for path in sorted(Path(folder).iterdir())
        ]
    left_out = [f"{column}: {value} ({times})" for (column, value), times in writer.left_out.most_common(50)]
    return Export(
        form=form,
        identified=leave.is_identified,
        patient_count=writer.counts["Patient"],
        files=files,
        left_out=left_out,
    )
