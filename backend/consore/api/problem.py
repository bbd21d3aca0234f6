"""What a user can mend, in their language: problems as types of the schema, and the words for them.

The rooms below write their errors in English. `messages.fr.toml` gives the French of each; where it has none, a
general French sentence of the error's code carries the English one.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

import strawberry

from consore.errors import ConsoreError

MESSAGES = Path(__file__).parent / "messages.fr.toml"


@strawberry.interface(description="Something that the user can mend.")
class Problem:
    code: str
    message: str
    hint: str


@strawberry.type(description="What was given cannot be used; `field` names the part at fault.")
class InputProblem(Problem):
    field: str | None = None

    @classmethod
    def of(cls, error: ConsoreError, language: str, field: str | None = None) -> InputProblem:
        """The error in the user's language."""
        message, hint = words_of(error, language)
        return cls(code=error.code, message=message, hint=hint, field=field)


@strawberry.type(description="There is nothing of that identifier, or nothing that may be shown.")
class NotFound(Problem):
    @classmethod
    def of(cls, language: str) -> NotFound:
        """Nothing to show: the same words whether it does not exist or may not be seen."""
        if language == "en":
            return cls(code="not_found", message="Nothing was found.", hint="Check the identifier.")
        return cls(code="not_found", message="Rien n’a été trouvé.", hint="Vérifiez l’identifiant.")


def words_of(error: ConsoreError, language: str) -> tuple[str, str]:
    """Message and hint of an error for people of that language."""
    if language == "en":
        return error.message, error.hint
    message = _french(error.message)
    if message is None:
        general = _catalogue()[1]
        message = general.get(error.code, general["error"]).format(detail=error.message)
    return message, _french(error.hint) or error.hint


def in_language(text: str, language: str) -> str:
    """Sentences that were written for people while nobody asked (what a run says), in the language of who reads them.

    Each is looked up as those of an error are; what has no French stays as it is.
    """
    if language == "en" or not text:
        return text
    ends = [found.end() for found in re.finditer(r"[.?!](?= |$)", text)]
    for end in ends:  # the shortest beginning that is known, then the rest: a blank must not swallow a sentence
        known = _french(text[:end])
        if known is not None:
            return f"{known} {in_language(text[end:].strip(), language)}".strip()
    if len(ends) > 1:
        return f"{text[: ends[0]]} {in_language(text[ends[0] :].strip(), language)}"
    return _french(text) or text


def _french(english: str) -> str | None:
    for pattern, french in _catalogue()[0]:
        if found := pattern.fullmatch(english):
            return french.format(**found.groupdict())
    return None


@lru_cache(maxsize=1)
def _catalogue() -> tuple[list[tuple[re.Pattern[str], str]], dict[str, str]]:
    """The sentences with their blanks as patterns, and the general sentence of each code."""
    table = tomllib.loads(MESSAGES.read_text(encoding="utf-8"))
    sentences = [(_pattern(entry["en"]), entry["fr"]) for entry in table["sentence"]]
    return sentences, table["general"]


def _pattern(english: str) -> re.Pattern[str]:
    """`The login {login} is used.` as a pattern with the group `login`."""
    pieces = re.split(r"\{(\w+)\}", english)
    written = [re.escape(piece) if number % 2 == 0 else f"(?P<{piece}>.+?)" for number, piece in enumerate(pieces)]
    return re.compile("".join(written), re.DOTALL)
