"""The Runtime API against runtimes that mean harm to the server: it must not keep what they send, or do not read."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from modelyard.functions.runtime_api import LARGEST_HEAD, RuntimeConnection

pytestmark = pytest.mark.ours

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MEBIBYTE = 1024 * 1024


class Told:
    """An environment that only notes what it is told."""

    def __init__(self) -> None:
        self.responses: list[bytes | None] = []

    def next(self, connection: RuntimeConnection) -> None:
        connection.answer(200, [], b"{}")

    def responded(self, request_id: str, payload: bytes | None) -> bool:
        self.responses.append(payload)
        return True

    def failed(self, request_id: str, payload: bytes, kind: str) -> bool:
        return True

    def failed_to_start(self, payload: bytes, kind: str) -> None:
        self.responses.append(payload)


async def spoken(environment: Told, speak: Speak) -> int:
    """Bytes of memory that were in use at most while somebody spoke to the Runtime API over a connection of theirs."""
    beside: set[RuntimeConnection] = set()
    server = await asyncio.get_running_loop().create_server(lambda: RuntimeConnection(environment, beside), "127.0.0.1", 0)
    async with server, connected(server.sockets[0].getsockname()[1]) as (reader, writer):
        tracemalloc.start()
        try:
            await speak(reader, writer)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def sending(pieces: Callable[[int], bytes], most: int) -> Speak:
    """Send so many pieces and read nothing, until the connection is closed."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(most):
            writer.write(pieces(number))
            await writer.drain()
        raise AssertionError("the connection stayed open")

    return speak


def test_a_runtime_that_asks_and_does_not_read_is_left() -> None:
    """Answers that nobody fetches do not pile up: after some the connection is closed."""
    ask = b"GET /2018-06-01/runtime/nothing HTTP/1.1\r\n\r\n" * 2000
    with pytest.raises(ConnectionError):
        asyncio.run(spoken(Told(), sending(lambda _: ask, 400)))


def test_a_header_without_an_end_is_not_gathered() -> None:
    """The parser keeps a header until it ends; one that is longer than a head may be ends the connection."""
    piece = b"x" * 65536
    with pytest.raises(ConnectionError):
        asyncio.run(
            spoken(Told(), sending(lambda number: piece if number else b"GET / HTTP/1.1\r\nA: ", LARGEST_HEAD * 8 // 65536))
        )


def test_a_body_in_tiny_pieces_takes_no_more_memory_than_it_has() -> None:
    """Two megabytes that come in chunks of one byte are two megabytes, not a list of two million texts."""
    environment = Told()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2 * MEBIBYTE // 8192):
            writer.write(b"1\r\nx\r\n" * 8192)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 202")

    assert asyncio.run(spoken(environment, speak)) < 16 * MEBIBYTE
    assert environment.responses == [b"x" * 2 * MEBIBYTE]
