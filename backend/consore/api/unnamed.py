"""Questions of those who may not see names, with the names taken out."""

from __future__ import annotations

from consore.api.context import RequestContext
from consore.errors import CriteriaError
from consore.search import Criteria, understand


def without_names(context: RequestContext, text: str) -> tuple[str, str | None]:
    """The question with the names of patients as blanks (offsets hold), and the notice that says so, in French.

    Words that are understood as medicine stay, though somebody has them as a name. Who may see names asks as they like.
    """
    if context.sees_identities:
        return text, None
    spans = context.node.names.spans(text)
    if not spans:
        return text, None
    chips = understand(text, context.terminology).chips
    names = [(start, end) for start, end in spans if not any(chip.start < end and start < chip.end for chip in chips)]
    if not names:
        return text, None
    letters = list(text)
    for start, end in names:
        letters[start:end] = " " * (end - start)
    words = ", ".join(f"« {text[start:end]} »" for start, end in names)
    return "".join(letters), f"Votre rôle ne cherche pas les patients par leur nom : {words} n’est pas cherché."


def require_no_names(context: RequestContext, criteria: Criteria | None) -> None:
    """Raise CriteriaError where words to find in documents are the name of a patient, for who may not see names."""
    if criteria is None or context.sees_identities:
        return
    for child in criteria.children:
        require_no_names(context, child)
    words = criteria.document.text if criteria.document else None
    if words and context.node.names.spans(words):
        raise CriteriaError("The words of a document hold a patient's name.", "Your role does not search for names.")
