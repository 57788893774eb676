"""Threads for what must not run on the event loop, with a bounded queue in front of them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from modelyard.aws.errors import ThrottlingException

P = ParamSpec("P")
T = TypeVar("T")

QUEUED_PER_THREAD = 64


class Pool:
    """A number of threads, and room for `QUEUED_PER_THREAD` times as many calls to wait for one."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads * (1 + QUEUED_PER_THREAD)
        self.busy = 0
        """Calls that run or wait."""

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call `function` in a thread. Raises ThrottlingException at once when too many calls wait already."""
        if self.busy >= self._most:
            raise ThrottlingException("Rate exceeded")
        self.busy += 1
        future = self._executor.submit(function, *arguments, **named)
        # Counted until the thread is done with it, also when nobody waits any more.
        return await settled(future, self._done)

    def _done(self) -> None:
        self.busy -= 1

    def close(self) -> None:
        """Let running calls finish, forget those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def settled(future: "Future[T]", afterwards: Callable[[], None] | None = None) -> "asyncio.Future[T]":
    """A future of another thread, to be awaited here.

    Giving up the wait leaves the work alone, unlike `asyncio.wrap_future`, which would cancel it. `afterwards` is called on the
    event loop in any case.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    # `tell` is handed the future: if it held it, the two would be a cycle, and its result would wait for the collector.
    def tell(done: "Future[T]") -> None:
        if afterwards is not None:
            afterwards()
        if waiter.done():
            return
        error = done.exception()
        if error is None:
            waiter.set_result(done.result())
        else:
            waiter.set_exception(error)

    def carry_over(done: "Future[T]") -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, done)

    future.add_done_callback(carry_over)
    return waiter
