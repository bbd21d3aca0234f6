"""The `consore` command: every part of a node from a shell. Errors say what to do next; `--json` is for programs."""

from __future__ import annotations

import sys

from consore.cli.app import app
from consore.cli.screen import complain
from consore.errors import ConsoreError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; a ConsoreError ends it with its message, its hint and status 2."""
    import consore.cli.commands  # noqa: F401  (fills `app`)

    try:
        app()
    except ConsoreError as error:
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `consore … | head`
        sys.stderr.close()
        sys.exit(0)
