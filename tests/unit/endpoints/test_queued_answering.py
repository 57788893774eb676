"""Which instance a queued request is asked of, against containers that say how many they have at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.endpoints.test_upstream import serving

from modelyard.endpoints.endpoint import endpoint_at
from modelyard.endpoints.instance import Container, Instance, State
from modelyard.endpoints.queued import Place, Queued
from modelyard.endpoints.queued_answering import Answering, NotNow, key_of
from modelyard.endpoints.relaying import Relay
from modelyard.endpoints.routes import FleetRoute, Route, Routes, VariantRoute
from modelyard.endpoints.spool import Spool

pytestmark = pytest.mark.ours

AT = endpoint_at("111122223333", "us-east-1", "q")
MOST = 2


def request(losses: int = 0) -> Queued:
    place = Place("b", "out")
    return Queued(1, 1, 0.0, 0.0, losses, b"", {"InferenceId": "alone" if losses else "x"}, None, place, None, None, {}, 30.0)


class Model:
    """A container that takes a while for each answer."""

    def __init__(self) -> None:
        self.now = 0
        self.beside: list[int] = []
        """What it had at once with each request that was to be asked alone."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.now += 1
            if b"alone" in head:
                self.beside.append(self.now)
            await asyncio.sleep(0.05)
            if b"alone" in head:
                self.beside.append(self.now)
            self.now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class World:
    """Instances of one endpoint, and who asks them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.threads = ThreadPoolExecutor(2)
        self.relay = Relay(Routes(), asyncio.get_running_loop())
        self.answering = Answering(self.relay, self.threads, folder)
        self.instances: list[Instance] = []

    def run(self, upstream: Any) -> Instance:
        made = Instance(f"i-{len(self.instances)}", "v", cast(Any, None), self.relay.loop, lambda: None, state=State.HEALTHY)
        made.containers = [Container("c", cast(Any, None), upstream)]
        self.instances.append(made)
        self.relay.routes.put(key_of(AT), Route("q", [FleetRoute(1.0, [VariantRoute("v", 1.0, self.instances)])], True))
        return made

    async def ask(self, losses: int = 0, left: float = 60.0) -> bytes:
        with Spool(self.folder, 100) as given, await self.answering.ask(AT, MOST, request(losses), given, left) as answer:
            return answer.read_again().read()

    async def keep_asking(self) -> None:
        while True:
            with suppress(NotNow):
                await self.ask()


@pytest.mark.parametrize("instances", [1, 2])
def test_a_request_that_is_asked_alone_has_its_turn(tmp_path: Path, instances: int) -> None:
    """However many others there are: an instance is kept free for it, which has no other until it is answered, and all after."""

    async def run() -> None:
        models, made = [Model() for _ in range(instances)], World(tmp_path)
        async with AsyncExitStack() as stack:
            for model in models:
                made.run((await stack.enter_async_context(serving(model.handle)))[0])
            steady = [asyncio.create_task(made.keep_asking()) for _ in range(3 * instances)]
            while sum(one.outstanding for one in made.instances) < MOST * instances:
                await asyncio.sleep(0.005)
            async with asyncio.timeout(60):
                assert await made.ask(losses=1) == b"ok"
                assert await asyncio.gather(made.ask(losses=1), made.ask(losses=2)) == [b"ok", b"ok"]
                while sum(one.outstanding for one in made.instances) < MOST * instances:
                    await asyncio.sleep(0.005)
            for one in steady:
                one.cancel()
            await asyncio.gather(*steady, return_exceptions=True)
            assert [one for model in models for one in model.beside] == [1] * 6
            assert [one.outstanding for one in made.instances] == [0] * instances
        made.threads.shutdown()

    asyncio.run(run())


def test_a_request_that_is_asked_alone_waits_until_it_expires(tmp_path: Path) -> None:
    """Then it goes back, and the instance that was reserved for it has others again; as when the instance has ended."""

    async def run() -> None:
        made = World(tmp_path)
        async with serving(Model().handle) as (upstream, _):
            busy = made.run(upstream)
            busy.outstanding = 1
            with pytest.raises(NotNow):
                await made.ask(losses=1, left=0.1)
            assert await made.ask() == b"ok"
            waits = asyncio.create_task(made.ask(losses=1))
            await asyncio.sleep(0.1)
            assert not waits.done()
            busy.state = State.ENDED
            made.run(upstream)
            assert await waits == b"ok"
        made.threads.shutdown()

    asyncio.run(run())
