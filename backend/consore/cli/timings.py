"""How the benches time questions: several sides asked in turn, question by question, so that what else the machine does
weighs on all alike; wall clock and processor, of this process and of the servers behind it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from consore.cli.screen import console

if TYPE_CHECKING:
    from consore.store import Store

Ask = Callable[[], int]  # asks one question; gives how many were found
MOST_SECONDS = 90.0  # that one kind of question is asked for, once each was asked

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one kind of question on one store. `cpu`: of this process, a question; `servers`: of the database
    and the search engine, to 10 ms over all that were asked. `answer`: what the last question found."""

    name: str
    store: str
    asked: int
    p50: float
    p95: float
    p99: float
    cpu: float
    servers: float
    answer: int


@dataclass(frozen=True, slots=True)
class Side:
    """One who is asked: its name, its way to ask each question, the server processes that work for it."""

    store: str
    asks: Sequence[Ask]
    servers: tuple[int, ...] = ()


def timed(name: str, sides: Sequence[Side], repeat: int) -> list[Timing]:
    """Each question `repeat` times on each side, in turn, after once to warm up; once, however long it takes."""
    taken: list[list[float]] = [[] for _ in sides]
    own, theirs, answers = ([0.0] * len(sides) for _ in range(3))
    for ask in (ask for asks in zip(*(side.asks for side in sides), strict=True) for ask in asks):
        ask()
    until = time.monotonic() + MOST_SECONDS
    for done in range(repeat):
        if done and time.monotonic() > until:
            break
        for number in range(len(sides[0].asks)):
            for place, side in enumerate(sides):
                servers, cpu, begin = _servers_cpu(side.servers), time.process_time(), time.perf_counter()
                answers[place] = side.asks[number]()
                taken[place].append((time.perf_counter() - begin) * 1000)
                own[place] += (time.process_time() - cpu) * 1000
                theirs[place] += (_servers_cpu(side.servers) - servers) * 1000
    told = []
    for place, side in enumerate(sides):
        times = sorted(taken[place])
        p95, p99 = (times[min(len(times) - 1, int(len(times) * part))] for part in (0.95, 0.99))
        told.append(
            Timing(
                name,
                side.store,
                len(times),
                round(statistics.median(times), 1),
                round(p95, 1),
                round(p99, 1),
                round(own[place] / len(times), 1),
                round(theirs[place] / len(times), 1),
                int(answers[place]),
            )
        )
    return told


def print_header() -> None:
    """The first line of the table."""
    titles = "".join(f"{title:>9}" for title in ("p50", "p95", "p99", "cpu", "servers"))
    console.print(f"{'':36}{'':>20}{titles}  ms {'answer':>9}", soft_wrap=True)


def print_timings(timings: Sequence[Timing]) -> None:
    """The lines of some timings."""
    for one in timings:
        numbers = "".join(f"{value:9.1f}" for value in (one.p50, one.p95, one.p99, one.cpu, one.servers))
        console.print(f"{one.name:36}{one.store:>20}{numbers}     {one.answer:>9}", highlight=False, soft_wrap=True)


# --- Servers --------------------------------------------------------------------------------------------------


def database_server(store: Store) -> tuple[int, ...]:
    """The first process of PostgreSQL, where it can be looked at; SQLite answers in this process."""
    if store.dialect != "postgresql":
        return ()
    with store.session() as session:
        backend = int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())
    with suppress(OSError):
        return (int(_stat(backend)[1]),)
    return ()


def peak_of(server: int) -> int:
    """Bytes of memory that the largest process of a server held at the most."""
    peaks = [0]
    for pid in (server, *_children(server)):
        with suppress(OSError, ValueError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
            peaks.append(int(status.partition("VmHWM:")[2].split()[0]) * 1024)
    return max(peaks)


def _servers_cpu(servers: Sequence[int]) -> float:
    """Seconds of processor of these processes and of their children, also those that have ended."""
    ticks = 0
    for server in servers:
        with suppress(OSError):
            ticks += sum(map(int, _stat(server)[11:15]))
            for child in _children(server):
                with suppress(OSError):
                    ticks += sum(map(int, _stat(child)[11:13]))
    return ticks / _TICKS


def _stat(pid: int) -> list[str]:
    """`/proc/PID/stat` from the state on: the parent is the second, the times are the 12th to the 15th."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []
