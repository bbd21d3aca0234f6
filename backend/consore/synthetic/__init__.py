"""Fictional centres in the formats that hospitals give, with the truth beside them: to try, to train, to measure.

`generate_centre` writes one; `fictional_dossiers` gives patients alone;
`break_some` adds the bad inputs that hospitals send; `ANNOTATED_KINDS` are the kinds of
mentions that the truth of documents holds in full.
"""

from consore.synthetic.broken import BrokenInput, break_some
from consore.synthetic.centre import GeneratedCentre, fictional_dossiers, generate_centre, is_complete
from consore.synthetic.documents import ANNOTATED_KINDS

__all__ = [
    "ANNOTATED_KINDS",
    "BrokenInput",
    "GeneratedCentre",
    "break_some",
    "fictional_dossiers",
    "generate_centre",
    "is_complete",
]
