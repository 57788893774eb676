"""How much asynchronous endpoints have to do, in SageMaker's metrics (namespace `AWS/SageMaker`, dimension `EndpointName`), and
how much they may have."""

from collections.abc import Mapping

from modelyard.endpoints import store_queued
from modelyard.endpoints.store_queued import Backlog
from modelyard.storage.interface import Transaction

MOST_WAITING = 100_000
"""Requests of one endpoint; whoever has no instance to answer them does not fill the database."""
UNCOUNTED = 100
"""One part in so many of the room that there is left is filled before what waits is counted again."""


class Room:
    """Room for more requests. Counting takes as long as there are many, so it is not done for each."""

    def __init__(self) -> None:
        self._uncounted: dict[int, int] = {}
        """By endpoint, how many more are taken without counting. Each server takes as many, so the limit is met within some
        hundredths."""

    def has(self, tx: Transaction, endpoint: int) -> bool:
        """Whether an endpoint may have one more."""
        left = self._uncounted.get(endpoint, 0)
        if left > 0:
            self._uncounted[endpoint] = left - 1
            return True
        room = MOST_WAITING - store_queued.count(tx, endpoint, MOST_WAITING)
        self._uncounted[endpoint] = room // UNCOUNTED
        return room > 0


def metrics(backlog: Backlog, instances: int, now: float) -> Mapping[str, float]:
    """The metrics of an endpoint that has so many healthy instances: with none, the backlog is that of the one to come."""
    return {
        "ApproximateBacklogSize": float(backlog.size),
        "ApproximateBacklogSizePerInstance": backlog.size / max(1, instances),
        "ApproximateAgeOfOldestRequest": 0.0 if backlog.oldest is None else max(0.0, now - backlog.oldest),
        "HasBacklogWithoutCapacity": float(backlog.size > 0 and not instances),
    }
