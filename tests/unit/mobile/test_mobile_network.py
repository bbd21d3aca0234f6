"""Calls run beside the drawing: their answers come when the app says so, and a cancelled one never comes."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from consore_mobile.failures import Failure, ServerFault, Unreachable
from consore_mobile.network import Network


@pytest.fixture
def frames() -> queue.Queue[Callable[[], None]]:
    return queue.Queue()


@pytest.fixture
def network(frames: queue.Queue[Callable[[], None]]) -> Iterator[Network]:
    network = Network(frames.put)
    yield network
    network.stop()


def test_an_answer_is_delivered_on_the_thread_of_the_screen(network: Network, frames: queue.Queue) -> None:
    where: list[str] = []

    async def work() -> int:
        where.append(threading.current_thread().name)
        return 42

    answers: list[int] = []
    network.send(work(), answers.append)
    frames.get(timeout=5)()
    assert (answers, where) == ([42], ["network"])


def test_a_failure_is_delivered_as_such_and_a_surprise_as_a_server_fault(network: Network, frames: queue.Queue) -> None:
    failures: list[Failure] = []

    async def unreachable() -> None:
        raise Unreachable

    async def surprise() -> None:
        raise KeyError("hits")

    for work in (unreachable, surprise):
        network.send(work(), otherwise=failures.append)
        frames.get(timeout=5)()
    assert [type(failure) for failure in failures] == [Unreachable, ServerFault]


def test_a_cancelled_call_is_never_delivered_even_if_its_answer_waits(network: Network, frames: queue.Queue) -> None:
    answers: list[int] = []

    async def work() -> int:
        return 1

    async def long() -> int:
        await asyncio.sleep(30)
        return 2

    answered = network.send(work(), answers.append)
    waiting = frames.get(timeout=5)
    answered.cancel()
    waiting()
    network.send(long(), answers.append).cancel()
    assert answers == []
    assert frames.empty()
