"""Work that makes many objects that stay: the search for cycles among them is put off until it is done."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles meanwhile: each goes over whatever the process holds, a dictionary of 100,000 forms with it.

    For a batch that ends soon: what it leaves in cycles waits until then.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


__all__ = ["uncollected"]
