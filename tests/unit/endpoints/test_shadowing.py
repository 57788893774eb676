"""Copies to a shadow variant: how many, and what becomes of those that it does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from modelyard.aws.errors import AwsError
from modelyard.endpoints import shadowing
from modelyard.endpoints.losses import Losses, Place
from modelyard.endpoints.model import Name
from modelyard.endpoints.relaying import Invocation, Seen
from modelyard.endpoints.routes import VariantRoute
from modelyard.endpoints.shadowing import Shadow, Shadowing

pytestmark = pytest.mark.ours

AT = Name("111122223333", "us-east-1", "endpoint", "e")
PLACE = Place(AT, "s", None)


@dataclass(eq=False)
class Worker:
    outstanding: int = 0


@dataclass
class Lost:
    """As Losses, for tests."""

    reasons: list[str] = field(default_factory=list)

    def add(self, _place: Place, _what: str, number: int, why: str) -> None:
        self.reasons += [why] * number


def run(story: Callable[[Shadowing, Lost, list[Invocation]], Awaitable[None]], answer: Callable[[], Awaitable[Any]]) -> None:
    async def told() -> None:
        lost, asked = Lost(), []

        async def invoke(invocation: Invocation) -> Any:
            asked.append(invocation)
            return await answer()

        await story(Shadowing(asyncio.get_running_loop(), invoke, cast(Losses, lost)), lost, asked)

    asyncio.run(told())


def shadow(*workers: Worker) -> Shadow:
    return Shadow(VariantRoute("s", 1.0, workers), 1.0, PLACE)


def request(size: int = 1) -> Invocation:
    return Invocation(("111122223333", "us-east-1", "e"), "e", {"Body": b"x" * size}, streams=True)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_copy_is_the_same_request_to_the_shadow_alone() -> None:
    """It is sent later, is captured as the first is, and is taken whole also when the first is streamed."""

    async def story(copies: Shadowing, lost: Lost, asked: list[Invocation]) -> None:
        one, seen, to = request(), Seen(None), shadow(Worker())
        copies.copy(one, to, seen)
        assert not asked, "nobody waits for it to be sent"
        await turns()
        [copy] = asked
        assert (copy.request, copy.variant, copy.seen, copy.streams) == (one.request, to.route, seen, False)
        assert not lost.reasons

    async def answer() -> None:
        return None

    run(story, answer)


def test_a_shadow_that_is_slow_is_asked_no_more_than_it_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies do not pile up, by number and by bytes; once some are answered there is room again."""
    monkeypatch.setattr(shadowing, "MOST_COPIES", 3)
    monkeypatch.setattr(shadowing, "MOST_BYTES", 10)
    answered = asyncio.Event()

    async def story(copies: Shadowing, lost: Lost, asked: list[Invocation]) -> None:
        for _ in range(5):
            copies.copy(request(), shadow(Worker()), Seen(None))
        await turns()
        assert (len(asked), len(lost.reasons)) == (3, 2)
        answered.set()
        await turns()
        copies.copy(request(11), shadow(Worker()), Seen(None))
        copies.copy(request(10), shadow(Worker()), Seen(None))
        copies.copy(request(1), shadow(Worker()), Seen(None))
        await turns()
        assert (len(asked), len(lost.reasons)) == (4, 4)

    async def answer() -> None:
        await answered.wait()

    run(story, answer)


def test_a_shadow_that_fails_is_counted() -> None:
    """An error of its own, one of ours, and none to ask: each is a copy that was lost, and no request hears of it."""
    errors: list[Exception] = [AwsError("it says no", code="ModelError"), ValueError("a defect")]

    async def story(copies: Shadowing, lost: Lost, asked: list[Invocation]) -> None:
        copies.copy(request(), shadow(), Seen(None))
        assert lost.reasons == ["It has no healthy instance."]
        for _ in range(2):
            copies.copy(request(), shadow(Worker()), Seen(None))
        await turns()
        assert lost.reasons[1:] == ["it says no", "The server's log has more."] and len(asked) == 2

    async def answer() -> None:
        raise errors.pop(0)

    run(story, answer)
