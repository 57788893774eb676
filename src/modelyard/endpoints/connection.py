"""One HTTP connection to a container: what is sent over it, and what comes back. All of it happens on one event loop.

Whether a request that failed may be tried again is known here alone: what is `Lost` may, for nothing of it was handed on.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import httptools

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer that is taken whole; SageMaker's limit is 25 MB."""
LARGEST_HEAD = 64 * 1024
MOST_PIECES = 64
"""Pieces of a streamed answer that wait for the client; then the container is read no further."""


class Lost(Exception):
    """A connection ended before the answer did."""

    def __init__(self, text: str, *, answered: bool) -> None:
        super().__init__(text)
        self.answered = answered
        """Whether any of the answer had come."""


class Unintelligible(Lost):
    """A container answered what is no answer, or more than one may be: it would do so again."""

    def __init__(self, text: str) -> None:
        super().__init__(text, answered=True)


class TooLate(Exception):
    """There was no answer in time, or no connection; the request may be under way still."""


@dataclass(slots=True)
class Answer:
    """What a container answered."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""
    pieces: AsyncGenerator[bytes, None] | None = None
    """Set instead of `body` for an answer that is taken piece by piece; to be read to its end, or closed."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A request that is too large to be sent in one piece."""

    head: bytes
    pieces: Callable[[], AsyncIterator[bytes]]
    """Its body, from the beginning each time."""


class Holder(Protocol):
    """Whose connection it is."""

    loop: asyncio.AbstractEventLoop

    def freed(self, connection: "Connection") -> None:
        """It may be used again."""
        ...

    def gone(self, connection: "Connection") -> None:
        """It has ended."""
        ...


class Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._streams = False
        self.seconds = 0.0
        """How long its request may take."""
        self._sending: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._reset()

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._body: list[bytes] = []
        self._size = 0
        self._pieces: asyncio.Queue[bytes | Exception] | None = None
        self._begun = False
        self._until_end = False

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes | Upload, *, streams: bool, seconds: float, due: float) -> "asyncio.Future[Answer]":
        """Send a request; what comes of it. Fails with Lost, and with TooLate when no answer has begun (or ended, where it does
        not stream) when it is due, on the event loop's clock. Of one that streams each further piece may take `seconds`."""
        assert self._transport is not None
        self._reset()
        self._streams = streams
        self.seconds = seconds
        self._parser = httptools.HttpResponseParser(self)
        self._waiter = self._holder.loop.create_future()
        self._timer = self._holder.loop.call_at(due, self._too_late)
        if isinstance(request, Upload):
            self._transport.write(request.head)
            self._sending = self._holder.loop.create_task(self._send_pieces(request))
        else:
            self._transport.write(request)
        return self._waiter

    async def _send_pieces(self, request: Upload) -> None:
        """Send a body as fast as it is taken."""
        try:
            async for piece in request.pieces():
                await self._writable.wait()
                if self._transport is None:
                    return
                self._transport.write(piece)
        except (OSError, ValueError) as error:  # a file that was closed is the latter
            self._fail(Lost(f"the request could not be read: {error}", answered=False))
            self.abort()
        finally:
            self._sending = None

    def _too_late(self) -> None:
        self._fail(TooLate())
        self.abort()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """End the connection, and with it what is on its way."""
        if self._transport is not None:
            self._transport.abort()

    def _stop_sending(self) -> bool:
        """Send no more of a request; whether there was more of it."""
        sending, self._sending = self._sending, None
        return sending is not None and sending.cancel()

    # --- what the transport tells ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is none by class

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self._parser is None:
            self.abort()  # nobody asked
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Unintelligible(f"the container does not speak HTTP: {error}"))
            self.abort()

    def pause_writing(self) -> None:
        """The container takes no more at the moment."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._transport = None
        self._stop_sending()
        if self._until_end and self._parser is not None:
            self._complete()
        else:
            self._fail(Lost("the container closed the connection", answered=self._begun))
        self._holder.gone(self)

    # --- what the parser tells ------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._head_size += len(name) + len(value)
        if self._head_size > LARGEST_HEAD:
            raise httptools.HttpParserError("its head is too large")
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        self._until_end = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        self._until_end = self._until_end and status not in (204, 304) and status >= 200
        if self._streams and status == 200 and self._waiter is not None and not self._waiter.done():
            self._cancel_timer()
            self._pieces = asyncio.Queue()
            self._waiter.set_result(Answer(status, self._headers, pieces=self._read(self._pieces)))

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._pieces is not None:
            self._pieces.put_nowait(piece)
            if self._pieces.qsize() >= MOST_PIECES and self._transport is not None:
                self._transport.pause_reading()
            return
        self._size += len(piece)
        if self._size > LARGEST_ANSWER:
            raise httptools.HttpParserError("its answer is too large")
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._parser is None or self._parser.get_status_code() < 200:
            self._headers = {}
            return
        if not self._until_end:
            self._complete()

    # --- what becomes of a request --------------------------------------------------------------

    def _complete(self) -> None:
        self._cancel_timer()
        parser, self._parser = self._parser, None
        # Of what is answered before it was sent whole, the rest would be taken for the next request.
        kept = not self._stop_sending() and not self._until_end and parser.should_keep_alive()
        waiter, self._waiter = self._waiter, None
        if self._pieces is not None:
            self._pieces.put_nowait(b"")
        elif waiter is not None and not waiter.done():
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            waiter.set_result(Answer(parser.get_status_code(), self._headers, body))
        if self._transport is not None:
            if kept:
                if self._pieces is not None:
                    self._transport.resume_reading()
                self._holder.freed(self)
            else:
                self._transport.close()

    def _fail(self, error: Exception) -> None:
        self._cancel_timer()
        self._parser = None
        waiter, self._waiter = self._waiter, None
        if self._pieces is not None:
            self._pieces.put_nowait(error)
        elif waiter is not None and not waiter.done():
            waiter.set_exception(error)

    async def _read(self, pieces: "asyncio.Queue[bytes | Exception]") -> AsyncGenerator[bytes, None]:
        """The pieces of a streamed answer as they come."""
        whole = False
        try:
            while True:
                piece = pieces.get_nowait() if pieces.qsize() else await self._next_piece(pieces)
                if isinstance(piece, Exception):
                    whole = True
                    raise piece
                if not piece:
                    whole = True
                    return
                if self._pieces is pieces and self._transport is not None and pieces.qsize() < MOST_PIECES // 2:
                    self._transport.resume_reading()
                yield piece
        finally:
            if not whole and self._pieces is pieces:
                self.abort()

    async def _next_piece(self, pieces: "asyncio.Queue[bytes | Exception]") -> bytes | Exception:
        """A piece that has not come yet. The client's slowness is none of it: it has taken all that came."""
        timer = self._holder.loop.call_later(self.seconds, self._stalled, pieces)
        try:
            return await pieces.get()
        finally:
            timer.cancel()

    def _stalled(self, pieces: "asyncio.Queue[bytes | Exception]") -> None:
        pieces.put_nowait(Lost(f"the container sent nothing more for {self.seconds:g} seconds", answered=True))
        self.abort()
