"""What a RELAY operation answers with: something that is awaited on the event loop, and holds nothing else meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Relayed:
    """An answer that is on its way elsewhere."""

    begin: Callable[[], Awaitable[Any]]
    """Begins, on `loop`; what it is awaited for is the result. May raise AwsError."""
    loop: asyncio.AbstractEventLoop

    def wait(self) -> Any:
        """The result, for a caller on a thread of its own. Raises AwsError."""

        async def run() -> Any:
            return await self.begin()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result()
