"""Coroutines that run at once, and go on as tasks when they have to wait."""

import asyncio

import pytest

from modelyard.server.eager import run_at_once

pytestmark = pytest.mark.ours


def test_without_a_wait_there_is_no_task() -> None:
    """A coroutine that waits for nothing is done when the call returns."""
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def run() -> None:
        assert run_at_once(work(), asyncio.get_running_loop()) is None
        assert done == ["work"]

    asyncio.run(run())


def test_it_goes_on_where_it_waited() -> None:
    """Futures, sleeps and threads are waited for in the task, each value where it belongs."""
    seen: list[object] = []

    async def work(first: "asyncio.Future[str]") -> None:
        seen.append(await first)
        await asyncio.sleep(0)
        seen.append(await asyncio.to_thread(lambda: "from a thread"))
        async with asyncio.timeout(5):
            seen.append("timed")

    async def run() -> None:
        first = asyncio.get_running_loop().create_future()
        task = run_at_once(work(first), asyncio.get_running_loop())
        assert task is not None
        assert seen == []
        first.set_result("first")
        await task
        assert seen == ["first", "from a thread", "timed"]

    asyncio.run(run())


def test_errors_come_out() -> None:
    """What is raised before the first wait comes out of the call, what is raised after it out of the task."""

    async def early() -> None:
        raise KeyError("early")

    async def late(failing: "asyncio.Future[None]") -> None:
        with pytest.raises(ValueError, match="awaited"):
            await failing
        raise KeyError("late")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(KeyError, match="early"):
            run_at_once(early(), loop)
        failing = loop.create_future()
        task = run_at_once(late(failing), loop)
        assert task is not None
        failing.set_exception(ValueError("awaited"))
        with pytest.raises(KeyError, match="late"):
            await task

    asyncio.run(run())


def test_it_can_be_cancelled() -> None:
    """Cancelling the task reaches the coroutine where it waits."""
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    async def run() -> None:
        task = run_at_once(work(), asyncio.get_running_loop())
        assert task is not None
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned == [True]

    asyncio.run(run())
