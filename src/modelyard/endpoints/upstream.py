"""The HTTP connections to one container, kept alive and used again. All of it happens on one event loop."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from modelyard.endpoints.connection import Answer, Connection, Lost, TooLate, Upload

MOST_CONNECTIONS = 128
"""To one container; further requests wait for one of them."""
MOST_WAITING = 1024
"""Requests that wait for a connection to one container."""


class Busy(TooLate):
    """So many requests wait for a container that one more would be answered too late: it was not sent."""


class Upstream:
    """The connections to one container."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Callable[[], "asyncio.Future[socket.socket]"]) -> None:
        self.loop = loop
        self.heard = loop.time()
        """When the container last answered a request, on the event loop's clock."""
        self._connect = connect
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def longest(self) -> float:
        """How long the requests may take that are under way, in seconds: as long as the one that may take longest."""
        return max((connection.seconds for connection in self._open.difference(self._idle)), default=0.0)

    async def ask(self, request: bytes | Upload, *, streams: bool = False, seconds: float = 60.0) -> Answer:
        """Send a request; `seconds` are those for a connection and for the answer together. Raises Lost, TooLate, Busy, and
        ConnectionError when nobody listens."""
        answer = await self._asked(request, streams, seconds)
        self.heard = self.loop.time()
        return answer

    async def ping(self, request: bytes, seconds: float) -> Answer:
        """Send a request that waits for no other, however many there are. Raises as `ask`, but not Busy."""
        return await self._asked(request, False, seconds, urgent=True)

    async def _asked(self, request: bytes | Upload, streams: bool, seconds: float, *, urgent: bool = False) -> Answer:
        due = self.loop.time() + seconds
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.usable:
                continue
            try:
                return await self._sent(connection, request, streams, seconds, due)
            except Lost as error:
                if error.answered:
                    raise
            return await self._again(request, streams, seconds, due)
        return await self._sent(await self._new(due, urgent=urgent), request, streams, seconds, due)

    async def _again(self, request: bytes | Upload, streams: bool, seconds: float, due: float) -> Answer:
        """Send a request anew that was lost on a connection used before: a container may close one that is idle at any time."""
        try:
            connection = await self._new(due)
        except OSError as error:
            # It has ended, perhaps of this request, which it may have got: that counts as one loss.
            raise Lost("the container closed the connection", answered=False) from error
        return await self._sent(connection, request, streams, seconds, due)

    async def _sent(self, connection: Connection, request: bytes | Upload, streams: bool, seconds: float, due: float) -> Answer:
        try:
            return await connection.send(request, streams=streams, seconds=seconds, due=due)
        except asyncio.CancelledError:
            connection.abort()
            raise

    async def _new(self, due: float, *, urgent: bool = False) -> Connection:
        while not urgent and len(self._open) + self._opening >= MOST_CONNECTIONS:
            if self._idle:
                connection = self._idle.pop()
                if connection.usable:
                    return connection
                continue
            await self._turn(due)
        self._opening += 1
        try:
            connection = await self._opened(due)
        except BaseException:
            self._opening -= 1
            self._next()
            raise
        self._opening -= 1
        self._open.add(connection)
        return connection

    async def _turn(self, due: float) -> None:
        """Wait until there may be room for one more connection. Raises Busy and TooLate."""
        if len(self._waiting) >= MOST_WAITING:
            raise Busy
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(waiter)
        try:
            done, _ = await asyncio.wait({waiter}, timeout=due - self.loop.time())
        except BaseException:
            self._give_up(waiter)
            raise
        if not done:
            self._give_up(waiter)
            raise TooLate

    def _give_up(self, waiter: "asyncio.Future[None]") -> None:
        if waiter.done():
            self._next()  # it was its turn
        else:
            waiter.cancel()
            self._waiting.remove(waiter)

    async def _opened(self, due: float) -> Connection:
        asked = self._connect()
        try:
            # Not `asyncio.timeout`: requests are not answered in tasks.
            done, _ = await asyncio.wait({asked}, timeout=due - self.loop.time())
        except BaseException:
            asked.cancel()
            raise
        if not done:
            asked.cancel()
            raise TooLate
        opened = asked.result()
        opened.setblocking(False)
        if self._closed:
            opened.close()
            raise Lost("the instance is gone", answered=False)
        _, connection = await self.loop.create_connection(lambda: Connection(self), sock=opened)
        return connection

    def freed(self, connection: Connection) -> None:
        """A connection may be used again."""
        if len(self._open) > MOST_CONNECTIONS:  # a ping had one more
            connection.abort()
            return
        self._idle.append(connection)
        self._next()

    def gone(self, connection: Connection) -> None:
        """A connection has ended."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._next()

    def _next(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def close(self) -> None:
        """End all connections."""
        self._closed = True
        for connection in list(self._open):
            connection.abort()
        while self._waiting:
            self._next()
