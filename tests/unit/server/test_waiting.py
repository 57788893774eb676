"""Calls that wait: what wakes them, what they hold while they wait, and how they end."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness import ACCOUNT, house
from tests.unit.server.asgi import Answer, Client

from modelyard.access.accounts import create_account
from modelyard.clock import SystemClock
from modelyard.dispatch.waiting import Signals
from modelyard.server.app import Application
from modelyard.server.composition import House

pytestmark = pytest.mark.ours


class Quiet:
    def write(self, record: dict[str, Any]) -> None:
        pass


class Running:
    """An application on a fresh house with two queues, and the client of its administrator."""

    def __init__(self, built: House) -> None:
        self.house = built
        key = built.storage.write(lambda tx: create_account(tx, built.key_ring, ACCOUNT, ids=built.ids, now=built.clock.now()))
        self.application = Application(built, Quiet())
        self.client = Client(self.application, key)

    async def sqs(self, operation: str, queue: str = "q", **request: Any) -> Answer:
        body = json.dumps({"QueueUrl": f"http://127.0.0.1/{ACCOUNT}/{queue}", **request}).encode()
        headers = {"x-amz-target": f"AmazonSQS.{operation}", "content-type": "application/x-amz-json-1.0"}
        return await self.client.send("POST", "/", self.client.signed("sqs", "POST", "/", headers, body), [body])

    async def made(self) -> None:
        for name in ("q", "other"):
            assert (await self.sqs("CreateQueue", QueueName=name)).status == 200

    async def waiting(self, count: int) -> None:
        """Return once so many calls wait."""
        async with asyncio.timeout(10):
            while self.application.waiting.occupied != count:
                await asyncio.sleep(0.001)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with house(tmp_path) as yard:
        yard.house.clock = yard.house.dispatcher.clock = SystemClock()
        started = Running(yard.house)
        yield started
        started.application.close()


def messages(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [message["Body"] for message in json.loads(answer.body).get("Messages", [])]


def test_a_send_wakes_one_who_waits(running: Running) -> None:
    """A message that is sent reaches a waiting receiver at once, far sooner than the receiver looks by itself."""

    async def use() -> tuple[list[str], float]:
        await running.made()
        receiving = asyncio.ensure_future(running.sqs("ReceiveMessage", WaitTimeSeconds=20))
        await running.waiting(1)
        sent = time.perf_counter()
        await running.sqs("SendMessage", MessageBody="x")
        return messages(await receiving), time.perf_counter() - sent

    received, seconds = asyncio.run(use())
    assert received == ["x"]
    assert seconds < 0.5


def test_hundreds_wait_without_threads(running: Running) -> None:
    """300 receivers wait at once and take no thread, other calls go on, and each of 300 messages reaches one of them."""

    async def use() -> tuple[list[str], int, int]:
        await running.made()
        before = threading.active_count()
        receiving = [asyncio.ensure_future(running.sqs("ReceiveMessage", WaitTimeSeconds=20)) for _ in range(300)]
        await running.waiting(300)
        during = threading.active_count()
        for start in range(0, 300, 10):
            entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
            await running.sqs("SendMessageBatch", Entries=entries)
        return [text for answer in await asyncio.gather(*receiving) for text in messages(answer)], before, during

    received, before, during = asyncio.run(use())
    assert sorted(received, key=int) == [str(number) for number in range(300)]
    assert during <= before + running.house.settings.threads


def test_a_wait_ends_with_nothing(running: Running) -> None:
    """When nothing comes, the empty answer comes after the wait, and not before."""

    async def use() -> tuple[list[str], float]:
        await running.made()
        await running.sqs("SendMessage", queue="other", MessageBody="x")
        started = time.perf_counter()
        return messages(await running.sqs("ReceiveMessage", WaitTimeSeconds=1)), time.perf_counter() - started

    received, seconds = asyncio.run(use())
    assert received == []
    assert 1 <= seconds < 3


def test_a_message_that_comes_back_is_received_when_it_does(running: Running) -> None:
    """A waiting receiver gets a delayed message when its delay ends, without anybody telling."""

    async def use() -> tuple[list[str], float]:
        await running.made()
        await running.sqs("SendMessage", MessageBody="x")
        await running.sqs("ReceiveMessage", VisibilityTimeout=1)
        started = time.perf_counter()
        return messages(await running.sqs("ReceiveMessage", WaitTimeSeconds=20)), time.perf_counter() - started

    received, seconds = asyncio.run(use())
    assert received == ["x"]
    assert seconds < 2


def test_what_another_server_sent_is_found(running: Running) -> None:
    """A message that came without a signal, as from another server on the same database, is found within about a second."""

    async def use() -> list[str]:
        await running.made()
        receiving = asyncio.ensure_future(running.sqs("ReceiveMessage", WaitTimeSeconds=20))
        await running.waiting(1)
        running.house.dispatcher.signals, kept = Signals(), running.house.dispatcher.signals
        await running.sqs("SendMessage", MessageBody="x")
        running.house.dispatcher.signals = kept
        return messages(await asyncio.wait_for(receiving, 5))

    assert asyncio.run(use()) == ["x"]


def test_who_left_takes_no_message_along(running: Running) -> None:
    """A client that broke off while it waited gets no message: the next one to ask has it at once."""

    async def use() -> list[str]:
        await running.made()
        body = json.dumps({"QueueUrl": f"http://127.0.0.1/{ACCOUNT}/q", "WaitTimeSeconds": 20}).encode()
        headers = {"x-amz-target": "AmazonSQS.ReceiveMessage", "content-type": "application/x-amz-json-1.0"}
        signed = running.client.signed("sqs", "POST", "/", headers, body)
        left = asyncio.Event()
        gone = asyncio.ensure_future(running.client.send("POST", "/", signed, [body], gone=left))
        await running.waiting(1)
        left.set()
        await running.sqs("SendMessage", MessageBody="x")
        await asyncio.wait_for(gone, 5)
        return messages(await running.sqs("ReceiveMessage"))

    assert asyncio.run(use()) == ["x"]


def test_a_server_that_stops_lets_everybody_go(running: Running) -> None:
    """When the room is closed, those who wait are answered with nothing, at once."""

    async def use() -> list[str]:
        await running.made()
        receiving = asyncio.ensure_future(running.sqs("ReceiveMessage", WaitTimeSeconds=20))
        await running.waiting(1)
        running.application.waiting.close()
        return messages(await asyncio.wait_for(receiving, 2))

    assert asyncio.run(use()) == []


def test_signals() -> None:
    """As many are woken as was told, the first to come first; who heard an older number is told that something came."""
    signals, woken = Signals(), []
    heard = signals.heard("a")
    wakes = [lambda number=number: woken.append(number) for number in range(3)]  # type: ignore[misc]
    assert all(signals.listen("a", heard, wake) for wake in wakes)
    signals.tell("a", 2)
    assert woken == [0, 1]
    assert not signals.listen("a", heard, wakes[0])
    signals.forget("a", wakes[0])
    signals.forget("a", wakes[2])
    signals.tell("a")
    assert woken == [0, 1]
