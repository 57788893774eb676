"""Which requests are tried again, and where: an endpoint whose containers lose them."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from modelyard.aws.errors import AwsError
from modelyard.endpoints.connection import Answer, Lost, Unintelligible
from modelyard.endpoints.deployment import Hosted
from modelyard.endpoints.instance import Container, Instance, State
from modelyard.endpoints.relaying import Invocation, Relay
from modelyard.endpoints.routes import FleetRoute, Route, Routes, VariantRoute
from modelyard.endpoints.upstream import Busy

pytestmark = pytest.mark.ours

KEY = ("111122223333", "us-east-1", "e")


class Inside:
    """A container that fails its first requests, and answers the others with its name."""

    def __init__(self, name: str, *failures: Exception, computes: float = 0.0) -> None:
        self.name = name
        self.asked = 0
        self.ended: Callable[[], None] | None = None
        """Called shortly after it failed."""
        self._failures = list(failures)
        self._computes = computes

    async def ask(self, _sent: bytes, *, streams: bool = False, seconds: float = 0) -> Answer:
        self.asked += 1
        await asyncio.sleep(self._computes)
        if self._failures:
            if self.ended is not None:
                asyncio.get_running_loop().call_later(0.01, self.ended)
            raise self._failures.pop(0)
        return Answer(200, {}, self.name.encode())


def invoked(*insides: Inside, ends: bool = False) -> str:
    """What one request is answered with by an endpoint with these instances, or the error's code; where `ends`, the first of them
    has ended shortly after it lost a request, and another one is there then."""

    async def run() -> str:
        loop = asyncio.get_running_loop()
        made = [instance_of(inside, loop) for inside in insides]
        route = VariantRoute("v", 1.0, list(made))
        if ends:
            route.targets = made[:1]
            insides[0].ended = lambda: setattr(route, "targets", made[1:])
        try:
            answered = await Relay(Routes({KEY: Route("e", [FleetRoute(1.0, [route])])}), loop).invoke(
                Invocation(KEY, "e", {"Body": b"x"})
            )
        except AwsError as error:
            return error.code
        assert all(one.outstanding == 0 for one in made)
        return cast(bytes, answered["Body"]).decode()

    return asyncio.run(run())


def instance_of(inside: Inside, loop: asyncio.AbstractEventLoop) -> Instance:
    made = Instance(inside.name, "v", cast(Hosted, SimpleNamespace(direct=False)), loop, lambda: None, state=State.HEALTHY)
    made.containers = [Container("primary", cast(Any, None), cast(Any, inside))]
    return made


@pytest.mark.parametrize("answered", [False, True])
def test_a_request_whose_answer_was_never_whole_is_asked_of_another(answered: bool) -> None:
    """Whether its worker ended before a byte of the answer or in the middle of it: nothing of that was handed on."""
    dying, alone = Inside("dying", Lost("it died", answered=answered)), Inside("alone", Lost("it died", answered=answered))
    # The last one's turn is first.
    assert invoked(Inside("other"), dying) == "other"
    assert dying.asked == 1
    assert invoked(alone) == "alone"
    assert alone.asked == 2


def test_a_request_that_is_lost_twice_is_over() -> None:
    """It may be what ends them: a third worker is not given to it."""
    insides = [Inside(name, Lost("it died", answered=False)) for name in ("one", "two", "three")]
    assert invoked(*insides) == "ModelError"
    assert sum(inside.asked for inside in insides) == 2


def test_what_is_no_answer_is_not_asked_for_again() -> None:
    """A container that does not speak HTTP would not do so a second time."""
    one, two = Inside("one", Unintelligible("nonsense")), Inside("two", Unintelligible("nonsense"))
    assert invoked(one, two) == "ModelError"
    assert one.asked + two.asked == 1


def test_the_only_instance_is_not_asked_again_before_it_is_heard_of() -> None:
    """Where it has ended, its end is heard of a moment after its connections: the request waits for the next instance."""
    dying = Inside("dying", Lost("it died", answered=False), Lost("it is dead", answered=False))
    assert invoked(dying, Inside("next"), ends=True) == "next"
    assert dying.asked == 1


def test_what_was_computed_for_long_waits_as_long_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time in which its instance had it, and lost it, is none in which it waited for the next one."""
    monkeypatch.setattr("modelyard.endpoints.relaying.WAIT_SECONDS", 0.05)
    assert invoked(Inside("dying", Lost("it died", answered=False), computes=0.1), Inside("next"), ends=True) == "next"


def test_an_endpoint_that_is_asked_too_much_says_so() -> None:
    """Once too many requests wait for its containers: an error that SDKs try again by themselves, and no loss of a worker."""
    assert invoked(Inside("one", Busy())) == "ServiceUnavailable"
