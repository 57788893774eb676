"""Bodies on their way to threads, results on their way back, and that nothing is kept of either."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.aws.errors import AwsError, ThrottlingException
from modelyard.aws.http import HttpResponse
from modelyard.server import delivery
from modelyard.server.body import HIGH_WATER, BodyPipe, ClientDisconnected
from modelyard.server.delivery import next_batch, with_first_batch
from modelyard.server.pool import QUEUED_PER_THREAD, Pool

pytestmark = pytest.mark.ours


class Sender:
    """A client that sends pieces; it counts how many were asked for."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.leaves = leaves
        self.asked = 0

    async def __call__(self) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if not self.pieces:
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces) or self.leaves}


async def reading(pipe: BodyPipe, *sizes: int) -> list[bytes]:
    """What a thread reads with these sizes."""
    return await asyncio.to_thread(lambda: [pipe.read(size) for size in sizes])


def test_a_body_arrives_whole_and_in_order() -> None:
    """Whatever sizes are asked for, the bytes come in order and end with nothing."""

    async def run() -> None:
        pipe = BodyPipe(Sender(b"abc", b"", b"defgh", b"i"))
        assert await reading(pipe, 2, 2, 100, 100, 100, 100) == [b"ab", b"c", b"defgh", b"i", b"", b""]

    asyncio.run(run())


def test_the_rest_at_once() -> None:
    """A negative size reads to the end."""

    async def run() -> None:
        assert await reading(BodyPipe(Sender(b"abc", b"def")), 1, -1) == [b"a", b"bcdef"]

    asyncio.run(run())


def test_nothing_is_asked_for_before_it_is_read() -> None:
    """The client is asked for its body when the thread reads, not before."""

    async def run() -> None:
        sender = Sender(b"abc")
        pipe = BodyPipe(sender)
        await asyncio.sleep(0.01)
        assert (sender.asked, pipe.asked) == (0, False)
        await reading(pipe, 1)
        assert pipe.asked

    asyncio.run(run())


def test_a_fast_client_waits_for_a_slow_thread() -> None:
    """No more than the high water mark and one piece is taken in while the thread does not read; then all of it comes."""

    async def run() -> None:
        sender = Sender(*[bytes(HIGH_WATER // 4)] * 40)
        pipe = BodyPipe(sender)
        await reading(pipe, 1)
        for _ in range(200):
            await asyncio.sleep(0)
        assert sender.asked <= 6
        rest = await reading(pipe, -1)
        assert len(rest[0]) == 10 * HIGH_WATER - 1

    asyncio.run(run())


def test_a_client_that_leaves() -> None:
    """The thread hears of a body that breaks off, and never takes it for whole."""

    async def run() -> None:
        pipe = BodyPipe(Sender(b"abc", leaves=True))
        with pytest.raises(AwsError) as raised:
            await reading(pipe, 10, 10, 10)
        assert raised.value.code == "IncompleteBody"
        assert pipe.broken
        with pytest.raises(ClientDisconnected):
            await BodyPipe(Sender(b"abc", leaves=True)).gather()

    asyncio.run(run())


def test_a_pipe_that_is_closed() -> None:
    """A thread that still reads when its request is over is let go."""

    async def run() -> None:
        pipe = BodyPipe(Sender(*[b"x"] * 1000, leaves=True))
        read = asyncio.create_task(reading(pipe, *[1] * 1_000_000))
        await asyncio.sleep(0.01)
        pipe.close()
        with pytest.raises(AwsError):
            await asyncio.wait_for(read, 5)

    asyncio.run(run())


class Large:
    """A result that can be watched."""


def test_a_result_is_not_kept() -> None:
    """A result is gone as soon as nobody uses it, without waiting for the collector: results hold megabytes."""

    async def run() -> None:
        pool = Pool("test", 1)
        result = await pool.run(Large)
        watched = weakref.ref(result)
        del result
        # The thread lets go of its last call when it waits for the next one.
        await pool.run(int)
        assert watched() is None
        pool.close()

    gc.disable()
    try:
        asyncio.run(run())
    finally:
        gc.enable()


def test_a_full_queue_throttles() -> None:
    """With the queue full the next call is refused at once, and when it has drained calls are taken again."""

    async def run() -> None:
        pool, gate = Pool("test", 1), threading.Event()
        waiting = [asyncio.ensure_future(pool.run(gate.wait)) for _ in range(1 + QUEUED_PER_THREAD)]
        await asyncio.sleep(0)
        with pytest.raises(ThrottlingException):
            await pool.run(int)
        gate.set()
        await asyncio.gather(*waiting)
        assert await pool.run(int) == 0
        pool.close()

    asyncio.run(run())


def test_giving_up_the_wait_leaves_the_work() -> None:
    """A call whose caller is cancelled runs to its end, and counts as busy until then."""

    async def run() -> None:
        pool, gate, done = Pool("test", 1), threading.Event(), threading.Event()

        def work() -> None:
            gate.wait()
            done.set()

        waiting = asyncio.ensure_future(pool.run(work))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.sleep(0.01)
        assert (pool.busy, done.is_set()) == (1, False)
        gate.set()
        await asyncio.to_thread(done.wait, 5)
        await asyncio.sleep(0.01)
        assert pool.busy == 0
        pool.close()

    asyncio.run(run())


class Pieces:
    """Pieces of an answer, which tell whether they were let go of."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self.closed = True


def test_a_short_answer_is_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer shorter than a batch is read whole by the thread that made it; a longer one keeps its rest."""
    monkeypatch.setattr(delivery, "BATCH", 10)
    short = Pieces(b"abc", b"def")
    assert with_first_batch(HttpResponse(200, body=short)).body == b"abcdef"
    assert short.closed
    long = Pieces(b"12345", b"67890", b"abc")
    body = with_first_batch(HttpResponse(200, body=long)).body
    assert not isinstance(body, bytes)
    assert [next_batch(body), next_batch(body), next_batch(body)] == [b"1234567890", b"abc", b""]
    assert long.closed
