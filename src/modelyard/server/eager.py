"""Running a coroutine at once, and as a task only when it has to wait.

Most requests are answered without waiting for anything. They need no task, no turn of the event loop and no place in
its books. (Python 3.12 has this as `asyncio.eager_task_factory`.)
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def run_at_once(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    """Run `coroutine` until it ends, or waits for the first time; then the task that goes on with it is given back.

    Until then there is no current task: what needs one, such as `asyncio.timeout`, has to come after the first wait.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return loop.create_task(_go_on(_Begun(coroutine, waits_for)))


async def _go_on(begun: "_Begun") -> None:
    await begun


class _Begun:
    """A coroutine that has run already, up to where it waits for `waits_for`."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        while True:
            value, error = None, None
            try:
                value = yield waits_for
            except BaseException as raised:
                error = raised
            try:
                waits_for = self._coroutine.send(value) if error is None else self._coroutine.throw(error)
            except StopIteration:
                return
