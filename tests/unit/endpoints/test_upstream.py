"""The HTTP client that containers are asked with, against servers that answer byte by byte as a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelyard.endpoints.connection import Lost, TooLate, Unintelligible, Upload
from modelyard.endpoints.upstream import Busy, Upstream

pytestmark = pytest.mark.ours

REQUEST = b"POST /invocations HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handle: Handle, most: float = float("inf")) -> Any:
    open_ones: list[asyncio.StreamWriter] = []

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        try:
            await handle(reader, writer)
        except ConnectionError:
            writer.transport.abort()

    server = await asyncio.start_server(tracked, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    connected = []

    async def connect() -> socket.socket:
        if len(connected) >= most:
            raise ConnectionRefusedError("nobody listens on that port")
        peer = socket.socket()
        peer.setblocking(False)
        await loop.sock_connect(peer, ("127.0.0.1", port))
        connected.append(peer)
        return peer

    upstream = Upstream(loop, lambda: loop.create_task(connect()))
    try:
        yield upstream, connected
    finally:
        upstream.close()
        for writer in open_ones:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0.01)


def answering(*pieces: bytes, close: bool = False) -> Handle:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
            if close:
                break
        writer.close()

    return handle


def asked(handle: Handle, times: int = 1, **more: Any) -> tuple[list[Any], int]:
    """What comes of asking so often, and over how many connections."""

    async def run() -> tuple[list[Any], int]:
        async with serving(handle) as (upstream, connected):
            found: list[Any] = []
            for _ in range(times):
                try:
                    found.append(await upstream.ask(REQUEST, **more))
                except (Lost, TooLate) as error:
                    found.append(error)
            return found, len(connected)

    return asyncio.run(run())


def test_a_connection_is_used_again() -> None:
    """An answer with its length, one in chunks, and one after an interim answer: each over the same connection as the last."""
    for answer in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhel", b"lo"),
    ):
        found, connections = asked(answering(*answer), 3)
        assert [(one.status, one.body, one.headers["x-a"]) for one in found] == [(200, b"hello", "b")] * 3
        assert connections == 1


def test_answers_that_end_with_their_connection() -> None:
    """HTTP/1.0, and `Connection: close`: the next request takes a new connection."""
    for head in (b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"):
        found, connections = asked(answering(head, close=True), 2)
        assert [one.body for one in found] == [b"hello", b"hello"]
        assert connections == 2


def test_what_was_lost_says_whether_anything_had_come() -> None:
    """A connection that ends before the answer begins, in its middle, and what is no HTTP and never will be."""
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe"
    for pieces, answered, kind in (((), False, Lost), ((begun,), True, Lost), ((b"nonsense\r\n\r\n",), True, Unintelligible)):
        [error], _ = asked(answering(*pieces, close=True))
        assert type(error) is kind and error.answered is answered


def test_a_connection_that_was_idle_may_be_closed_at_any_time() -> None:
    """A request that is lost on a connection used before goes out once more on a new one; one that is lost there too is lost."""
    requests = 0

    def closing(after: int) -> Handle:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal requests
            for _ in range(after):
                await reader.read(65536)
                requests += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            requests += bool(await reader.read(65536))
            writer.close()

        return handle

    found, connections = asked(closing(1), 3)
    assert [one.body for one in found] == [b"ok"] * 3
    assert (connections, requests) == (3, 5)
    requests = 0
    [error], connections = asked(closing(0))
    assert isinstance(error, Lost) and not error.answered
    assert (connections, requests) == (1, 1)


def test_a_container_that_ended_of_a_request_has_lost_it() -> None:
    """Where nobody listens any more it is not said that nobody got the request, which may have been what ended the container."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read(65536)
        writer.close()

    async def run() -> None:
        async with serving(once, most=1) as (upstream, _):
            assert (await upstream.ask(REQUEST)).body == b"ok"
            with pytest.raises(Lost):
                await upstream.ask(REQUEST)
            with pytest.raises(ConnectionRefusedError):
                await upstream.ask(REQUEST)

    asyncio.run(run())


def test_no_answer_in_time() -> None:
    """After so many seconds the request is given up, and its connection is not used again."""
    found, connections = asked(answering(), 2, seconds=0.05)
    assert [type(one) for one in found] == [TooLate, TooLate]
    assert connections == 2


def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that is asked for a connection, and says nothing, is waited for no longer than for its answer; and whoever
    waits for the place of one that did not come gets it."""
    monkeypatch.setattr("modelyard.endpoints.upstream.MOST_CONNECTIONS", 1)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        upstream = Upstream(loop, loop.create_future)
        async with asyncio.timeout(30):
            found = await asyncio.gather(*(upstream.ask(REQUEST, seconds=0.05) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in found] == [TooLate] * 3

    asyncio.run(run())


def test_answers_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container cannot fill the server's memory with one answer, nor with its head."""
    monkeypatch.setattr("modelyard.endpoints.connection.LARGEST_ANSWER", 1000)
    [error], _ = asked(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000))
    assert isinstance(error, Lost)
    [error], _ = asked(answering(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"x" * 70_000 + b"\r\n\r\n"))
    assert isinstance(error, Lost)


def test_a_streamed_answer_comes_piece_by_piece() -> None:
    """Pieces come as they are sent, slowly taken ones hold the sender back, and a break is raised where it happens."""

    async def run() -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with serving(answering(head, *[b"1\r\nx\r\n"] * 200, b"0\r\n\r\n")) as (upstream, connected):
            answer = await upstream.ask(REQUEST, streams=True)
            assert answer.pieces is not None
            taken = b""
            async for piece in answer.pieces:
                taken += piece
                await asyncio.sleep(0)
            assert taken == b"x" * 200
            again = await upstream.ask(REQUEST, streams=True)
            assert again.pieces is not None and len(connected) == 1
            await again.pieces.aclose()
        async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe", close=True)) as (upstream, _):
            answer = await upstream.ask(REQUEST, streams=True)
            assert answer.pieces is not None
            with pytest.raises(Lost):
                async for piece in answer.pieces:
                    assert piece == b"he"

    asyncio.run(run())


def test_a_streamed_answer_that_stalls_is_given_up() -> None:
    """Once nothing has come for as long as the answer might take to begin, its connection is ended; a slow client may take
    longer, and pieces that keep coming any time."""

    async def run() -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        ended = asyncio.Event()

        async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(65536)
            writer.write(head + b"1\r\nx\r\n")
            try:
                assert await reader.read(65536) == b""
            finally:
                ended.set()

        async with asyncio.timeout(60), serving(stalls) as (upstream, _):
            answer = await upstream.ask(REQUEST, streams=True, seconds=0.2)
            assert answer.pieces is not None
            with pytest.raises(Lost, match=r"sent nothing more for 0\.2 seconds") as raised:
                async for piece in answer.pieces:
                    assert piece == b"x"
            assert raised.value.answered
            await ended.wait()
        async with serving(answering(head, *[b"1\r\nx\r\n"] * 200, b"0\r\n\r\n")) as (upstream, _):
            answer = await upstream.ask(REQUEST, streams=True, seconds=2)
            assert answer.pieces is not None
            taken = [await anext(answer.pieces)]
            await asyncio.sleep(2.1)
            taken += [piece async for piece in answer.pieces]
            assert b"".join(taken) == b"x" * 200

    asyncio.run(run())


def test_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit requests wait for a connection, and all are answered."""
    monkeypatch.setattr("modelyard.endpoints.upstream.MOST_CONNECTIONS", 2)

    async def run() -> None:
        async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as (upstream, connected):
            answers = await asyncio.gather(*(upstream.ask(REQUEST) for _ in range(10)))
            assert [one.body for one in answers] == [b"ok"] * 10 and len(connected) == 2

    asyncio.run(run())


def test_a_large_request_is_sent_as_it_is_taken() -> None:
    """Piece by piece, no further ahead than the container reads; the connection is used again after it."""
    count, size = 64, 1 << 20
    sent, furthest = 0, 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for number in range(count):
            sent += 1
            yield bytes([number]) * size

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal furthest
        while await reader.readuntil(b"\r\n\r\n"):
            for number in range(count):
                assert await reader.readexactly(size) == bytes([number]) * size
                furthest = max(furthest, sent - number)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen")

    async def run() -> tuple[list[bytes], int]:
        nonlocal sent
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (count * size)
        async with serving(handle) as (upstream, connected):
            found = []
            for _ in range(2):
                sent = 0
                found.append((await upstream.ask(Upload(head, pieces))).body)
                await asyncio.sleep(0.01)
            return found, len(connected)

    assert asyncio.run(run()) == ([b"seen", b"seen"], 1)
    assert furthest < count // 2


def test_an_answer_that_comes_early_ends_the_sending() -> None:
    """A container that refuses a request before it has all of it: its answer counts, and the connection is not used again."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async def run() -> tuple[list[int], int]:
        async with serving(answering(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")) as (upstream, connected):
            found = [(await upstream.ask(Upload(b"POST / HTTP/1.1\r\n\r\n", pieces))).status for _ in range(2)]
            return found, len(connected)

    assert asyncio.run(run()) == ([413, 413], 2)


def test_a_request_that_cannot_be_read_is_lost() -> None:
    """Its file is gone, say: nobody has the request, and whoever waits is told."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        raise OSError("the disk is gone")

    async def run() -> str:
        async with serving(answering()) as (upstream, _):
            with pytest.raises(Lost) as raised:
                await upstream.ask(Upload(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", pieces))
            return str(raised.value)

    assert "the disk is gone" in asyncio.run(run())


def test_a_turn_is_waited_for_in_the_time_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that is asked more than it answers: what waited too long is told so and never sent, what finds too many waiting
    is refused at once, and once there is room again requests are answered."""
    monkeypatch.setattr("modelyard.endpoints.upstream.MOST_CONNECTIONS", 1)
    monkeypatch.setattr("modelyard.endpoints.upstream.MOST_WAITING", 2)
    sent = 0

    async def run() -> None:
        may_answer = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            while await reader.read(65536):
                sent += 1
                await may_answer.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        async with asyncio.timeout(60), serving(slow) as (upstream, _):
            first = asyncio.create_task(upstream.ask(REQUEST))
            while not sent:
                await asyncio.sleep(0.005)
            waiting = [asyncio.create_task(upstream.ask(REQUEST, seconds=seconds)) for seconds in (0.05, 60)]
            await asyncio.sleep(0)
            with pytest.raises(Busy):
                await upstream.ask(REQUEST)
            with pytest.raises(TooLate) as raised:
                await waiting[0]
            assert type(raised.value) is TooLate
            cancelled = asyncio.create_task(upstream.ask(REQUEST))
            await asyncio.sleep(0)
            cancelled.cancel()
            may_answer.set()
            assert [one.body for one in await asyncio.gather(first, waiting[1])] == [b"ok"] * 2
            assert (await upstream.ask(REQUEST)).body == b"ok"

    asyncio.run(run())
    assert sent == 3


def test_pings_wait_for_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests there are a ping goes out at once, and is no sign that the container answers those; the connection
    that it has beyond the others is not kept."""
    monkeypatch.setattr("modelyard.endpoints.upstream.MOST_CONNECTIONS", 1)

    async def run() -> None:
        may_answer = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while asked := await reader.read(65536):
                if asked.startswith(b"POST"):
                    await may_answer.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        async with asyncio.timeout(60), serving(slow) as (upstream, connected):
            began = upstream.heard
            busy = [asyncio.create_task(upstream.ask(REQUEST, seconds=seconds)) for seconds in (40, 50)]
            await asyncio.sleep(0.05)
            for _ in range(2):
                assert (await upstream.ping(b"GET /ping HTTP/1.1\r\n\r\n", 30)).body == b"ok"
                await asyncio.sleep(0.05)
            assert (upstream.heard, upstream.longest, len(connected)) == (began, 40, 3)
            may_answer.set()
            assert [one.body for one in await asyncio.gather(*busy)] == [b"ok"] * 2
            assert upstream.heard > began and upstream.longest == 0 and len(connected) == 3

    asyncio.run(run())
