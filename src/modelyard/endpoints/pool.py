"""The workers of a serverless variant: how many are wanted, and who may wait for one.

Requests are counted on the event loop; the reconciler reads the counts on its own thread, and starts and ends workers by them.
"""

import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelyard.aws.errors import AwsError, ThrottlingException


class Worker(Protocol):
    """What is looked at of a worker."""

    healthy_at: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    idle: float = 300.0
    """A worker with nothing to do is kept for so long."""
    start: float = 60.0
    """A request waits so long for a worker that starts."""


@dataclass(slots=True)
class Pool:
    """What is known of the workers of one variant, and of the requests to it."""

    patience: Patience
    tell: Callable[[], None]
    """Called when more workers are wanted than there are."""
    most: int = 1
    """MaxConcurrency."""
    provisioned: int = 0
    """ProvisionedConcurrency."""
    workers: int = 0
    """As many as there were when the reconciler last looked."""
    requests: int = 0
    """Under way, or waiting for a worker."""
    _needed: list[float] = field(default_factory=list)
    """By n: when more than n requests were there at a time, on the monotonic clock."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    """Answers that nobody took leave on any thread."""

    def enter(self) -> None:
        """A request comes. Raises ThrottlingException when there are as many as there may be."""
        with self._lock:
            if self.requests >= self.most:
                raise ThrottlingException(
                    f"The serverless variant answers {self.most} requests at a time (MaxConcurrency), and has as many now."
                )
            self.requests += 1
            if len(self._needed) < self.requests:
                self._needed.append(0.0)
            self._needed[self.requests - 1] = time.monotonic()
        if self.requests > self.workers:
            self.tell()

    def leave(self) -> None:
        """A request is over."""
        with self._lock:
            self._needed[self.requests - 1] = time.monotonic()
            self.requests -= 1

    def wanted(self, workers: Sequence[Worker]) -> int:
        """How many workers there are to be: one for each request, those kept warm, and those that were of use of late."""
        now, self.workers = time.monotonic(), len(workers)
        used = sum(1 for at in self._needed if now - at < self.patience.idle)
        young = sum(1 for one in workers if one.healthy_at and now - one.healthy_at < self.patience.idle)
        return min(self.most, max(self.provisioned, self.requests, used, young))


class Seat:
    """The place of one request among those to serverless variants, if it is to one."""

    def __init__(self) -> None:
        self._pool: Pool | None = None

    def take(self, pool: Pool | None) -> None:
        """Be counted in a pool from now on, and in no other: deployments change what a request goes to. Raises AwsError."""
        if pool is not self._pool:
            self.leave()
            if pool is not None:
                pool.enter()
            self._pool = pool

    def leave(self) -> None:
        """Be counted no more."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.leave()

    def seconds(self, otherwise: float) -> float:
        """How long the request may wait for somebody to answer it."""
        return otherwise if self._pool is None else self._pool.patience.start

    def not_ready(self, name: str) -> AwsError | None:
        """AWS's error for a request that has waited long enough for a worker to start."""
        if self._pool is None:
            return None
        text = (
            f"The serverless endpoint {name} has no worker after {self._pool.patience.start:.0f} seconds: one is still being"
            " started, or does not come up. Wait and try again; the endpoint's logs tell more."
        )
        return AwsError(text, code="ModelNotReadyException", status=429)

    def until_taken(self, answered: dict[str, Any]) -> dict[str, Any]:
        """An answer, of which one that is taken piece by piece keeps the seat until it was."""
        if "Pieces" not in answered or self._pool is None:
            return answered
        kept = Seat()
        kept._pool, self._pool = self._pool, None
        return {**answered, "Pieces": _pieces(answered["Pieces"], kept)}

    def __del__(self) -> None:
        # Of an answer that nobody took.
        self.leave()


async def _pieces(source: AsyncGenerator[bytes, None], seat: Seat) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(source) as given:
            async for piece in given:
                yield piece
    finally:
        seat.leave()
