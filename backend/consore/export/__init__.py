"""Patients leave the store in the forms that others read, OSIRIS, FHIR R4 and plain tables, without their names.

`leaving` says who may take what, keeps the trail and gives the records, which `write_osiris`, `write_fhir`, `bundle`
and `write_tables` write; `training_lines` gives what physicians corrected. The generator gives records of the same
shape, so that its truth is written by the same code.
"""

from consore.export.fhir import bundle, write_fhir
from consore.export.leaving import Dates, Leave, check, leaving
from consore.export.osiris import OsirisWriter, pivot_files, write_osiris
from consore.export.pseudonym import Pseudonyms
from consore.export.record import (
    DEATH_OF_CANCER,
    DEATH_OF_OTHER_CAUSE,
    Care,
    Happened,
    Identity,
    Record,
    Taken,
)
from consore.export.stored import measures, records
from consore.export.tables import TableForm, write_tables
from consore.export.training import training_lines

__all__ = [
    "DEATH_OF_CANCER",
    "DEATH_OF_OTHER_CAUSE",
    "Care",
    "Dates",
    "Happened",
    "Identity",
    "Leave",
    "OsirisWriter",
    "Pseudonyms",
    "Record",
    "TableForm",
    "Taken",
    "bundle",
    "check",
    "leaving",
    "measures",
    "pivot_files",
    "records",
    "training_lines",
    "write_fhir",
    "write_osiris",
    "write_tables",
]
