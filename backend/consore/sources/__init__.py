"""Hospital extracts in their real formats, as uniform records; what cannot be read is told apart, with the reason."""

from consore.sources.options import canonical, check_options, is_url, load_options, masked, shown
from consore.sources.reading import (
    USUAL_LOCATIONS,
    CheckReport,
    check_source,
    count_records,
    preview_source,
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
    "canonical",
    "check_options",
    "check_source",
    "count_records",
    "document_kind",
    "is_url",
    "load_options",
    "masked",
    "parse_date",
    "preview_source",
    "read_source",
    "reread_record",
    "shown",
]
