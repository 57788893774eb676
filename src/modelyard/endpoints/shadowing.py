"""Shadow variants: they are asked what their production variant is asked, and nobody hears what they say.

A copy goes the way of every request, but for what a caller is owed: it does not wait, and when a shadow is slower than what comes
to it, or answers none, copies are left out and counted (`losses`) instead of piling up.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.endpoints.losses import Losses, Place
from modelyard.endpoints.relaying import Invocation, Seen
from modelyard.endpoints.routes import VariantRoute

MOST_COPIES = 64
"""Under way to one shadow variant."""
MOST_BYTES = 64 * 1024 * 1024
"""Of the requests that are under way to all of them."""
WHAT = "Copies to a shadow variant"

log = logging.getLogger("modelyard.endpoints")


@dataclass(frozen=True, slots=True)
class Shadow:
    """The shadow variant of a production variant."""

    route: VariantRoute
    share: float
    """Of the requests, that are copied to it."""
    place: Place


class Shadowing:
    """Asks shadow variants, on the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, invoke: Callable[[Invocation], Awaitable[Any]], losses: Losses) -> None:
        self._loop = loop
        self._invoke = invoke
        self._losses = losses
        self._under_way: Counter[Place] = Counter()
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def copy(self, invocation: Invocation, shadow: Shadow, seen: Seen) -> None:
        """Ask a shadow the same, and return at once."""
        place, size = shadow.place, len(invocation.request["Body"])
        if shadow.route.next() is None:
            self._losses.add(place, WHAT, 1, "It has no healthy instance.")
            return
        if self._under_way[place] >= MOST_COPIES or self._bytes + size > MOST_BYTES:
            self._losses.add(place, WHAT, 1, "They come faster than it answers them.")
            return
        self._under_way[place] += 1
        self._bytes += size
        same = Invocation(invocation.key, invocation.name, invocation.request, variant=shadow.route, seen=seen)
        task = self._loop.create_task(self._ask(same, place, size))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, invocation: Invocation, place: Place, size: int) -> None:
        try:
            await self._invoke(invocation)
        except AwsError as error:
            self._losses.add(place, WHAT, 1, error.message)
        except Exception:
            log.exception("the shadow variant %s of %s could not be asked", place.variant, place.at.arn)
            self._losses.add(place, WHAT, 1, "The server's log has more.")
        finally:
            self._bytes -= size
            self._under_way[place] -= 1
            if not self._under_way[place]:
                del self._under_way[place]
