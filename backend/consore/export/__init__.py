"""Patients leave the store in the forms that others read: the pivot files of OSIRIS and FHIR R4."""

from consore.export.osiris import OsirisWriter, pivot_files, write_osiris
from consore.export.record import (
    DEATH_OF_CANCER,
    DEATH_OF_OTHER_CAUSE,
    Care,
    Happened,
    Identity,
    Measure,
    Record,
    Taken,
)

__all__ = [
    "DEATH_OF_CANCER",
    "DEATH_OF_OTHER_CAUSE",
    "Care",
    "Happened",
    "Identity",
    "Measure",
    "OsirisWriter",
    "Record",
    "Taken",
    "pivot_files",
    "write_osiris",
]
