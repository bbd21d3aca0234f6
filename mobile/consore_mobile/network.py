"""The network on a thread of its own, so that drawing never waits for it.

One event loop runs the calls; their answers come back through `deliver`, which the app sets to "on the next frame".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from consore_mobile.failures import Failure, ServerFault

Deliver = Callable[[Callable[[], None]], None]


class Call:
    """A call under way. Once cancelled, neither its answer nor its failure is delivered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.cancelled = False
        self._loop = loop
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[Any, Any, Any], follow: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin, on the loop; `work` is closed in the end even when it was never begun."""
        self._task = self._loop.create_task(follow())
        self._task.add_done_callback(lambda _: work.close())

    def cancel(self) -> None:
        """Forget this call."""
        self.cancelled = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())


class Network:
    """An event loop on its own thread."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def send(
        self,
        work: Coroutine[Any, Any, Any],
        then: Callable[[Any], None] = lambda answer: None,
        otherwise: Callable[[Failure], None] = lambda failure: None,
    ) -> Call:
        """Run `work` on the loop; `then(answer)` or `otherwise(failure)` comes through `deliver`."""
        call = Call(self._loop)

        def hand_over(function: Callable[[Any], None], value: Any) -> None:
            if not call.cancelled:
                self._deliver(lambda: None if call.cancelled else function(value))

        async def follow() -> None:
            try:
                answer = await work
            except Failure as failure:
                hand_over(otherwise, failure)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # an answer that does not fit the schema must not kill the loop silently
                hand_over(otherwise, ServerFault(str(error)))
            else:
                hand_over(then, answer)

        self._loop.call_soon_threadsafe(call.start, work, follow)
        return call

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float = 3.0) -> Any:
        """Run `work` and wait for it: for closing down only."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def stop(self) -> None:
        """Drop what is under way, stop the loop and its thread."""
        self.run(self._drop_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2)
        self._loop.close()

    @staticmethod
    async def _drop_all() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
