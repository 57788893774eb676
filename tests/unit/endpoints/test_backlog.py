"""How many requests may wait at an asynchronous endpoint, and how often they are counted."""

from typing import Any, cast

import pytest

from modelyard.endpoints import backlog
from modelyard.endpoints.backlog import Room

pytestmark = pytest.mark.ours


def test_requests_are_counted_seldom_and_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuller an endpoint is, the oftener: every one is taken up to the limit and none beyond it, and another endpoint has its
    own room."""
    waiting, counted = {1: 0, 2: 0}, 0

    def count(_: Any, endpoint: int, most: int) -> int:
        nonlocal counted
        counted += 1
        return min(waiting[endpoint], most)

    monkeypatch.setattr(backlog, "MOST_WAITING", 10_000)
    monkeypatch.setattr(backlog.store_queued, "count", count)
    room, tx = Room(), cast(Any, None)
    for _ in range(10_000):
        assert room.has(tx, 1)
        waiting[1] += 1
    assert counted < 600
    assert not room.has(tx, 1) and not room.has(tx, 1)
    assert room.has(tx, 2)
    waiting[1] -= 1
    assert room.has(tx, 1)
