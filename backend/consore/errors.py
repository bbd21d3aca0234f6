"""Every error that Consore raises on purpose, as one tree.

ConsoreError                    code, message for people, and what to do next
├── ConfigurationError          a setting is missing or wrong
├── ComponentError              a part that we stand on is absent, stopped or wrong
│   ├── StoreError
│   └── SearchEngineError
│       └── SearchEngineAway    it may come back
├── InputError                  what was given cannot be used
│   ├── SourceError             a source as a whole (folder missing, wrong columns)
│   │   └── SourceAway          a source that does not answer now
│   ├── RecordError             one record of a source; it goes to quarantine
│   ├── CriteriaError           a criteria tree
│   └── QueryError              a question typed by a user
└── AccessError                 who asks may not
    ├── NotSignedIn
    └── Forbidden
"""


class ConsoreError(Exception):
    """Something went wrong that a person can mend.

    `message` says what is wrong, `hint` what to do next; both are shown as they are.
    `code` is stable and made for programs.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigurationError(ConsoreError):
    """A setting is missing or wrong."""

    code = "configuration"


class ComponentError(ConsoreError):
    """A part that Consore stands on is absent, stopped or wrong."""

    code = "component"


class StoreError(ComponentError):
    """The store of record cannot be used."""

    code = "store"


class SearchEngineError(ComponentError):
    """The search engine cannot be used."""

    code = "search_engine"


class SearchEngineAway(SearchEngineError):
    """The search engine does not answer: it may come back."""


class InputError(ConsoreError):
    """What was given cannot be used."""

    code = "input"


class SourceError(InputError):
    """A source as a whole cannot be read: nothing of it was taken."""

    code = "source"


class SourceAway(SourceError):
    """A source cannot be reached now (connection, time-out, lock): trying again may be enough."""

    code = "source_away"


class RecordError(InputError):
    """One record cannot be read: it goes to quarantine, the others go on.

    `reason` is a stable word (for counting), `position` where it lies in the source.
    """

    code = "record"

    def __init__(self, message: str, hint: str = "", *, reason: str = "unreadable", position: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.position = position


class CriteriaError(InputError):
    """A criteria tree cannot be used."""

    code = "criteria"


class QueryError(InputError):
    """A question typed by a user cannot be used."""

    code = "query"


class AccessError(ConsoreError):
    """Who asks may not."""

    code = "access"


class NotSignedIn(AccessError):
    """Nobody is signed in, or the session has ended."""

    code = "not_signed_in"


class Forbidden(AccessError):
    """The account's role does not allow this."""

    code = "forbidden"
