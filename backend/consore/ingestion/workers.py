"""Who reads documents: processes of this machine, or those of a Dask cluster; both are an `Executor`."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress

from consore.errors import ComponentError
from consore.settings import Settings

NICE = 10  # the API and the search engine of the machine come first
LOST: tuple[type[BaseException], ...] = (BrokenExecutor, CancelledError, ConnectionError, TimeoutError)


@contextmanager
def local_processes(settings: Settings) -> Iterator[Executor]:
    """Processes of this machine, at a low priority. They end with this one, however it ends."""
    # A fresh interpreter each, not a fork: the API may call us from one of its threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes(settings), mp_context=spawn, initializer=_begin) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def readers(address: str = "") -> Iterator[Executor | None]:
    """The processes of the Dask cluster at this address; None without one: those of this machine, when needed."""
    if not address:
        yield None
        return
    with cluster(address) as executor:
        yield executor


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The processes of a Dask cluster (`tcp://scheduler:8786`). Raises ComponentError where there is none."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ComponentError("A cluster needs Dask.", "Install consore[cluster].") from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ComponentError(
            f"There is no Dask scheduler at {address} ({error}).", "Start one: ops/README.md tells how."
        ) from error
    try:
        if not client.nthreads():
            raise ComponentError(f"The cluster at {address} has no workers.", "Start some: ops/README.md tells how.")
        executor = client.get_executor(pure=False)
        executor.consore_processes = sum(client.nthreads().values())
        yield executor
    finally:
        client.close()


def processes(settings: Settings, executor: Executor | None = None) -> int:
    """How many documents are read at once."""
    return int(getattr(executor, "consore_processes", 0)) or settings.read_processes or os.cpu_count() or 1


def _begin() -> None:
    """Give way to others; and end with the parent: a pool's process would wait for work for ever."""
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
