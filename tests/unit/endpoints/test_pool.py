"""How many workers a serverless variant wants, and who may wait for one."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from modelyard.aws.errors import AwsError, ThrottlingException
from modelyard.endpoints.pool import Patience, Pool, Seat
from modelyard.endpoints.relaying import Invocation, Relay
from modelyard.endpoints.routes import FleetRoute, Route, Routes, VariantRoute

pytestmark = pytest.mark.ours


@dataclass(eq=False)
class Worker:
    healthy_at: float = 0.0
    outstanding: int = 0


def pool(most: int = 3, provisioned: int = 0, idle: float = 60.0) -> tuple[Pool, list[int]]:
    """A pool, and a list that grows whenever it wants more workers than there are."""
    told: list[int] = []
    return Pool(Patience(idle, 0.2), lambda: told.append(1), most, provisioned), told


def test_workers_are_wanted_for_requests_and_for_a_while_after() -> None:
    """One for each request at a time; those that are over keep theirs until they were idle for long enough."""
    patient, told = pool()
    assert patient.wanted([]) == 0
    patient.enter()
    patient.enter()
    assert (patient.wanted([Worker(), Worker()]), len(told)) == (2, 2)
    patient.leave()
    patient.enter()
    assert len(told) == 2, "there are as many workers as requests"
    patient.leave()
    patient.leave()
    assert patient.wanted([Worker(), Worker()]) == 2
    hasty, _ = pool(idle=0.0)
    hasty.enter()
    assert hasty.wanted([]) == 1
    hasty.leave()
    assert hasty.wanted([Worker(time.monotonic())]) == 0
    assert pool(provisioned=2)[0].wanted([]) == 2
    assert patient.wanted([Worker(time.monotonic())] * 5) == 3, "never more than there are requests at most"


def test_more_requests_than_may_be_are_throttled() -> None:
    """The one too many is refused, until another one is over; a request that goes elsewhere counts there alone."""
    small, _ = pool(most=1)
    large, _ = pool(most=9)
    one, two = Seat(), Seat()
    one.take(small)
    one.take(small)
    with pytest.raises(ThrottlingException, match="answers 1 requests at a time"):
        two.take(small)
    one.take(large)
    two.take(small)
    assert (small.requests, large.requests) == (1, 1)
    one.leave()
    one.leave()
    two.take(None)
    assert (small.requests, large.requests) == (0, 0)


def test_an_answer_in_pieces_counts_until_it_was_taken() -> None:
    """Also when nobody takes it."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"a"

    async def take(answer: AsyncGenerator[bytes, None]) -> list[bytes]:
        return [piece async for piece in answer]

    patient, _ = pool()
    seat = Seat()
    seat.take(patient)
    answered = seat.until_taken({"Pieces": pieces()})
    seat.leave()
    assert patient.requests == 1
    assert (asyncio.run(take(answered["Pieces"])), patient.requests) == ([b"a"], 0)
    seat.take(patient)
    answered = seat.until_taken({"Pieces": pieces()})
    del answered
    gc.collect()
    assert patient.requests == 0


def test_a_worker_has_one_request_at_a_time() -> None:
    """The first that is free is next, whoever was before it; with none that is, there is none."""
    workers = [Worker(outstanding=1), Worker(), Worker()]
    variant = VariantRoute("v", 1.0, workers, pool()[0])
    assert [variant.next() for _ in range(3)] == [workers[1]] * 3
    assert variant.next([workers[1]]) is workers[2]
    workers[1].outstanding = workers[2].outstanding = 1
    assert variant.next() is None


def test_a_request_waits_so_long_for_a_worker_and_no_longer() -> None:
    """When none comes up it is told to try again, with AWS's error for that."""
    patient, told = pool()
    routes, key = Routes(), ("1", "r", "e")
    routes.put(key, Route("e", [FleetRoute(1.0, [VariantRoute("v", 1.0, [], patient)])]))

    async def invoke() -> None:
        relay = Relay(routes, asyncio.get_running_loop())
        await relay.invoke(Invocation(key, "e", {"Body": b"{}"}))

    with pytest.raises(AwsError, match="has no worker after 0 seconds") as raised:
        asyncio.run(invoke())
    assert (raised.value.code, raised.value.status) == ("ModelNotReadyException", 429)
    assert (patient.requests, bool(told)) == (0, True)
