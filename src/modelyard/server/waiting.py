"""Calls that wait for something to answer with: no thread and no connection to the database is held for them."""

import asyncio

from modelyard.dispatch.waiting import NothingYet, Signals

LOOK_SECONDS = 1.0
"""After this long a call looks again though nobody told: another server on the same database may have brought something."""


class WaitingRoom:
    """Where calls wait."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._inside: set[asyncio.Event] = set()
        self.closed = False
        """Whether the server stops, and nobody may wait any more."""

    @property
    def occupied(self) -> int:
        """How many calls wait."""
        return len(self._inside)

    async def wait(self, found: NothingYet, seconds: float) -> None:
        """Return when it is worth asking again, after `seconds` at the latest."""
        if self.closed:
            return
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(woken.set)

        if not self._signals.listen(found.topic, found.heard, wake):
            return
        self._inside.add(woken)
        try:
            async with asyncio.timeout(min(seconds, LOOK_SECONDS)):
                await woken.wait()
        except TimeoutError:
            pass
        finally:
            self._inside.discard(woken)
            self._signals.forget(found.topic, wake)

    def close(self) -> None:
        """Let everybody go with what there is."""
        self.closed = True
        for woken in self._inside:
            woken.set()
