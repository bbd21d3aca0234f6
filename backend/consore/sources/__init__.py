"""Hospital extracts in their real formats, as uniform records; what cannot be read is told apart, with the reason."""

from consore.sources.reading import (
    USUAL_LOCATIONS,
    CheckReport,
    check_source,
    count_records,
    read_source,
    reread_record,
)
from consore.sources.records import Mark, Rejection, SourceRecord, bounded
from consore.sources.values import document_kind, parse_date

__all__ = [
    "USUAL_LOCATIONS",
    "CheckReport",
    "Mark",
    "Rejection",
    "SourceRecord",
    "bounded",
    "check_source",
    "count_records",
    "document_kind",
    "parse_date",
    "read_source",
    "reread_record",
]
