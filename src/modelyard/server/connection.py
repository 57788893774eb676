"""One HTTP connection: uvicorn's protocol on httptools, with limits on time and size that no client can get round.

A connection is always in one phase, and each phase has its limit:

    IDLE       between two requests                        `idle_seconds`, then closed
    HEAD       the head of a request is coming             `header_seconds` for all of it, then 408
    BODY       its body is coming                          no pause over `body_seconds`, and no slower than SLOWEST on average
    ANSWERING  the request is whole, the answer is due     the client takes some of it every `body_seconds`

There are no timers per request: the front door asks every connection about once a second (`look_at_the_clock`).
"""

import asyncio
import logging
from enum import Enum
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote
from uuid import uuid4

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from modelyard.server.cycle import Cycle
from modelyard.server.eager import run_at_once
from modelyard.settings import Settings

LARGEST_HEAD = 64 * 1024
"""Bytes of a request line with its headers."""
LARGEST_TARGET = 16 * 1024
"""Bytes of a path with its query: S3's longest key, percent-encoded, and a presigned query fit in four times over."""
MOST_HEADERS = 200
SLOWEST = 512
"""Bytes a second that a body has to arrive with, over every `body_seconds`."""
MOST_PIPELINED = 64
"""Requests that may wait on one connection for the answers before them; after so many it is closed."""
MOST_DISCARDED = 256 * 1024 * 1024
"""Bytes read and thrown away of a body that was answered before it was whole, so that the client sees the answer."""

SANDBOX = ("0.0.0.0", 0)  # noqa: S104
"""What is told of where a sandbox is: neither this machine nor any other."""

log = logging.getLogger("modelyard.connection")


class Phase(Enum):
    """What a connection is waiting for."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWERING = "answering"


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP protocol; what it adds is limits, and that a request may be answered before its body has come."""

    def __init__(self, settings: Settings, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.settings = settings
        self.phase = Phase.HEAD
        self.since = self.loop.time()
        """When the phase began, or when the client last made progress in it."""
        self.active: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the one that was read last, which pipelining puts further on."""
        self.last = False
        """Whether nothing more is read: the connection closes once the requests before are answered."""
        self.unstarted = False
        """Whether the head of a request is here, and its application waits for what else came with it."""
        self.first_of_many = True
        """Whether no other request of the bytes that came together has been started."""
        self.sandboxed = False
        """Whether it comes from the private network of a sandbox, whose addresses mean nothing outside."""
        self.first_bytes = b""
        """What was read from the socket before this protocol had it."""
        self.head_bytes = 0
        self.window_start = 0.0
        self.window_bytes = 0
        self.discarded = 0
        self.unsent = 0

    # --- what the transport and the parser tell -------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection is this protocol's now."""
        super().connection_made(transport)
        if self.sandboxed:
            self.client = SANDBOX
        if self.first_bytes:
            self.data_received(self.first_bytes)

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self.last:
            return
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        elif self.phase is Phase.BODY:
            self.since = self.loop.time()
            self.window_bytes += len(data)
        self.head_bytes += len(data)
        self.first_of_many = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # An offer to speak another protocol (h2c) may be ignored, but what follows this request was not parsed.
            self._read_nothing_more()
        except httptools.HttpParserError:
            self.refuse(HTTPStatus.BAD_REQUEST, "This is not a valid HTTP request.")
        else:
            if self.unstarted:
                # The body is still on its way.
                self._start()
            elif self.phase is Phase.HEAD and self.head_bytes > LARGEST_HEAD:
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head of a request may have {LARGEST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self.phase is not Phase.ANSWERING:
            self._enter(Phase.HEAD)

    def on_headers_complete(self) -> None:
        """The head is whole: the application starts, its body still on the way."""
        if self.last:
            return
        if len(self.url) > LARGEST_TARGET:
            self.refuse(HTTPStatus.REQUEST_URI_TOO_LONG, f"A path with its query may have {LARGEST_TARGET} bytes.")
            return
        # What came since the last request ended is the head and some of the body: only when that is much is it counted.
        if self.head_bytes > LARGEST_HEAD and sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head of a request may have {LARGEST_HEAD} bytes.")
            return
        if len(self.headers) > MOST_HEADERS:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"A request may have {MOST_HEADERS} headers.")
            return
        if len(self.pipeline) >= MOST_PIPELINED:
            self.last = True
            return
        self._begin()

    def _begin(self) -> None:
        """Start the application on this request, after those before it."""
        scope = cast(dict[str, Any], self.scope)
        url = httptools.parse_url(self.url)
        if url.path is None:
            raise ValueError("no path")
        version = self.parser.get_http_version()
        scope["http_version"] = version
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["raw_path"] = url.path
        scope["path"] = unquote(url.path.decode("ascii"))
        scope["query_string"] = url.query or b""
        before = self.cycle
        scope["state"]["disconnected"] = self.disconnected
        self.cycle = Cycle(
            scope,
            self.transport,
            self.flow,
            self.server_state.default_headers,
            self.on_response_complete,
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
        )
        if before is None or before.response_complete:
            self._enter(Phase.BODY)
            self.unstarted = True
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Some of the body came."""
        if self.last:
            return
        if self.cycle.response_complete:
            self.discarded += len(body)
            if self.discarded > MOST_DISCARDED:
                self.transport.abort()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.last:
            return
        super().on_message_complete()
        self.head_bytes = 0
        if self.phase is Phase.BODY:
            self._enter(Phase.IDLE if self.cycle.response_complete else Phase.ANSWERING)
        if self.unstarted:
            self._start()

    def _start(self) -> None:
        """Answer the request that was read last: at once where that needs no waiting.

        Of requests that came together only the first is: the others take their turn, so that the event loop has its own.
        """
        self.unstarted = False
        if not self.first_of_many:
            self._start_asgi_task(self.cycle, self.app)
            return
        self.first_of_many = False
        self.active = self.cycle
        task = run_at_once(self.cycle.run_asgi(self.app), self.loop)
        if task is not None:
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.active = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """An answer is out: go on with the next request, if it is here already."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self.last = True
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, application = self.pipeline.pop()
            self._enter(Phase.BODY if cycle.more_body else Phase.ANSWERING)
            self._start_asgi_task(cycle, application)
        elif self.last:
            self.transport.close()
        elif self.phase is Phase.ANSWERING:
            self._enter(Phase.IDLE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever answers it should stop."""
        if self.active is not None and not self.active.response_complete:
            self.active.disconnected = True
            self.active.message_event.set()
        super().connection_lost(exc)

    # --- limits -------------------------------------------------------------------------------

    def look_at_the_clock(self, now: float) -> None:
        """End the connection when its client has used up its time."""
        waited = now - self.since
        limits = self.settings
        if self.phase is Phase.IDLE:
            if waited > limits.idle_seconds:
                self.transport.close()
        elif self.phase is Phase.HEAD:
            if waited > limits.header_seconds and self.head_bytes == 0:
                self.transport.close()
            elif waited > limits.header_seconds:
                self.refuse(HTTPStatus.REQUEST_TIMEOUT, "The head of the request took too long.")
        elif self.phase is Phase.BODY and not self.flow.read_paused:
            self._look_at_the_body(now, waited)
        else:
            self.window_start, self.window_bytes = now, 0
            self._look_at_the_answer(now)

    def _look_at_the_body(self, now: float, waited: float) -> None:
        limit = self.settings.body_seconds
        if waited > limit:
            self.transport.abort()
        elif now - self.window_start > limit:
            if self.window_bytes < SLOWEST * limit and self.cycle.more_body:
                self.transport.abort()
            self.window_start, self.window_bytes = now, 0

    def _look_at_the_answer(self, now: float) -> None:
        """A client that takes nothing of its answer for too long is gone."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self.unsent:
            self.unsent, self.since = unsent, now
        elif now - self.since > self.settings.body_seconds:
            self.transport.abort()

    def disconnected(self) -> bool:
        """Whether the client has left, for an application that sends a long answer."""
        return self.transport.is_closing()

    @property
    def evictable(self) -> bool:
        """Whether no request would be lost if this connection were closed."""
        return self.phase in (Phase.IDLE, Phase.HEAD)

    def refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answer what is no request that an application could see, and close; requests before it are answered first."""
        if self.last or self.transport.is_closing():
            return
        self.last = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                return
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
                return
            # What is wrong is the body of the request that is being read: its application hears that the client left.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        log.debug("refused %s: %d %s", self.client, status, sentence)
        body = sentence.encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nx-amzn-requestid: {uuid4()}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _read_nothing_more(self) -> None:
        self.last = True
        if self.active is None or self.active.response_complete:
            self.transport.close()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.loop.time()
        if phase is Phase.BODY:
            self.window_start, self.window_bytes, self.discarded = self.since, 0, 0
