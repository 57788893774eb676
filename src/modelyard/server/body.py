"""Request bodies: gathered whole up to a limit, or piped to the thread of the operation that reads them."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from modelyard.aws.errors import AwsError

Receive = Callable[[], Awaitable[Any]]

HIGH_WATER = 1024 * 1024
"""Bytes that may wait for the reading thread; above them the client is not read from."""
LOW_WATER = HIGH_WATER // 4


class ClientDisconnected(Exception):
    """The client left before its request was answered: there is nobody to answer."""


async def gather(receive: Receive, length: int | None, limit: int) -> bytes:
    """A whole body. `length` is what Content-Length says, None when only the end of the body will tell.

    Raises ClientDisconnected, and RequestEntityTooLarge (413) for more than `limit` bytes.
    """
    if length == 0:
        return b""
    if length is not None and length > limit:
        raise _too_large(limit)
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        piece: bytes = message.get("body", b"")
        # Most bodies come in one piece, which is then not copied.
        body = body + piece if body else piece
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return body


def _too_large(limit: int) -> AwsError:
    return AwsError(f"The body of this request may have {limit} bytes at most.", code="RequestEntityTooLarge", status=413)


class BodyPipe:
    """A request body on its way from the event loop to a thread that reads it, blocking.

    Nothing is read from the client before the thread asks for the first byte: a request that is refused never sends
    its body (`Expect: 100-continue`).
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._room = asyncio.Event()
        self._ended = False
        self._broken = False
        self._pump: asyncio.Task[None] | None = None
        self._closed = False
        self.asked = False
        """Whether anything was read from the client; one that expects 100-continue sends no body before."""

    @property
    def broken(self) -> bool:
        """Whether the client left before its body was whole."""
        return self._broken and not self._closed

    async def gather(self) -> None:
        """Take in the whole body before a thread reads it; for bodies below the high water mark. Raises ClientDisconnected."""
        self.asked = True
        self._start()
        assert self._pump is not None
        await self._pump
        if self._broken:
            raise ClientDisconnected

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (all that is left when negative); b"" at the end. Raises AwsError when the client broke off."""
        if size < 0:
            return b"".join(iter(lambda: self.read(HIGH_WATER), b""))
        with self._changed:
            if not self.asked:
                self.asked = True
                self._loop.call_soon_threadsafe(self._start)
            while not self._pieces and not self._ended:
                self._changed.wait()
            if self._broken:
                # Also with bytes at hand: they will never be a whole body.
                raise AwsError(
                    "The request body terminated before all of its bytes were received.", code="IncompleteBody", status=400
                )
            if not self._pieces:
                return b""
            piece = self._take(size)
            self._waiting -= len(piece)
            wake = self._waiting <= LOW_WATER < self._waiting + len(piece)
        if wake:
            self._loop.call_soon_threadsafe(self._room.set)
        return piece

    def _take(self, size: int) -> bytes:
        piece = self._pieces.popleft()
        if len(piece) > size:
            self._pieces.appendleft(piece[size:])
            piece = piece[:size]
        return piece

    def close(self) -> None:
        """Stop to receive; the thread, if it still reads, hears that the body broke off. On the event loop."""
        self._closed = True
        if self._pump is not None:
            self._pump.cancel()
        elif not self._ended:
            self._end(broken=True)

    def _start(self) -> None:
        if not self._closed:
            self._pump = self._loop.create_task(self._fill())

    async def _fill(self) -> None:
        whole = False
        try:
            while not whole:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    return
                whole = not message.get("more_body", False)
                if self._put(message.get("body", b"")) > HIGH_WATER and not whole:
                    self._room.clear()
                    # The thread may have emptied the pipe in between.
                    if self._waiting > LOW_WATER:
                        await self._room.wait()
        finally:
            self._end(broken=not whole)

    def _put(self, piece: bytes) -> int:
        with self._changed:
            if piece:
                self._pieces.append(piece)
                self._waiting += len(piece)
                self._changed.notify()
            return self._waiting

    def _end(self, *, broken: bool) -> None:
        with self._changed:
            self._ended = True
            self._broken = broken
            self._changed.notify_all()
