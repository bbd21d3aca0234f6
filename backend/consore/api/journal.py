"""What the log may say of an error: where it happened, never whose data it happened on."""

from __future__ import annotations

import traceback

# Their messages speak of code. Those of a database or of a parser carry the values that they choked on.
_OF_CODE = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)


def told_of(error: BaseException) -> dict[str, str]:
    """The kind of the error and the lines of code that it came through, without variables nor values."""
    told = {"error": type(error).__name__, "where": "".join(traceback.format_tb(error.__traceback__))}
    if isinstance(error, _OF_CODE):
        told["message"] = str(error)
    return told
