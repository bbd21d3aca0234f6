"""What can go wrong between the app and the server, in kinds that the screens can explain.

Failure               a title and a hint from the catalogue (`failure.KIND.title`, `.hint`), or the server's own words
├── Unreachable       no answer: wrong address, server stopped, no network
├── TooSlow           the server did not answer in time
├── BadCertificate    the server's certificate is not trusted
├── ServerFault       the server answered, but not with what we asked for
├── SignedOut         the session has ended
├── Gone              what was asked for is there no more
└── Refused           the server says no, and why (its words, in the user's language)
"""

from __future__ import annotations


class Failure(Exception):
    """A call that gave nothing. `kind` picks the words; `message` and `hint` are the server's when it gave some."""

    kind = "server"
    icon = "alert-circle-outline"

    def __init__(self, message: str = "", hint: str = "", *, code: str = "") -> None:
        super().__init__(message or self.kind)
        self.message = message
        self.hint = hint
        self.code = code


class Unreachable(Failure):
    """Nobody answers at this address."""

    kind = "unreachable"
    icon = "wifi-off"


class TooSlow(Failure):
    """No answer within the time limit."""

    kind = "slow"
    icon = "timer-sand"


class BadCertificate(Failure):
    """The certificate is not trusted: another machine may pose as the server."""

    kind = "certificate"
    icon = "shield-alert-outline"


class ServerFault(Failure):
    """The server failed."""


class SignedOut(Failure):
    """The session has ended."""

    kind = "signed_out"
    icon = "lock-outline"


class Gone(Failure):
    """It was deleted meanwhile, or is shared no more."""

    kind = "gone"
    icon = "delete-clock-outline"


class Refused(Failure):
    """The server refuses, and says why."""

    kind = "refused"
