"""One request on a connection and its answer, as uvicorn's protocol and the application share it.

What differs from uvicorn's own: the head of an answer goes out together with its body, in one write; and the application is
trusted with its headers (`delivery` has made them safe), so they are not searched for forbidden characters once more.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

SEPARATE = 64 * 1024
"""Bodies from here on are not copied behind their head."""
UNKNOWN = -1


class Cycle(RequestResponseCycle):
    """A request and its answer."""

    logger = logging.getLogger("uvicorn.error")

    def __init__(
        self,
        scope: dict[str, Any],
        transport: asyncio.Transport,
        flow: FlowControl,
        default_headers: list[tuple[bytes, bytes]],
        on_response: Callable[[], None],
        *,
        expect_100_continue: bool,
        keep_alive: bool,
    ) -> None:
        self.scope = scope  # type: ignore[assignment]
        self.transport = transport
        self.flow = flow
        self.default_headers = default_headers
        self.message_event = asyncio.Event()
        self.on_response = on_response
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expect_100_continue
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding = None
        self.expected_content_length = 0
        self._head = b""

    async def send(self, message: Any) -> None:
        """Send a part of the answer. Waits as long as the client takes nothing; does nothing once it has left."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message["headers"])
        elif not self.response_complete:
            self._continue(message.get("body", b""), message.get("more_body", False))

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Prepare the head; it goes out with the first piece of the body."""
        self.response_started = True
        self.waiting_for_100_continue = False
        pieces = [STATUS_LINE[status]]
        closing = False
        for name, value in self.default_headers + headers:
            if name == b"content-length":
                self.chunked_encoding = False
                self.expected_content_length = int(value)
            elif name == b"connection" and value == b"close":
                closing, self.keep_alive = True, False
            pieces += (name, b": ", value, b"\r\n")
        if not self.keep_alive and not closing:
            pieces.append(b"connection: close\r\n")
        if self.scope["method"] == "HEAD" or status in (204, 304):
            self.chunked_encoding, self.expected_content_length = False, 0
        elif self.chunked_encoding is None and self.scope["http_version"] == "1.0":
            # The end of the connection is the end of the body.
            self.chunked_encoding, self.expected_content_length = False, UNKNOWN
        elif self.chunked_encoding is None:
            self.chunked_encoding = True
            pieces.append(b"transfer-encoding: chunked\r\n")
        pieces.append(b"\r\n")
        self._head = b"".join(pieces)

    def _continue(self, body: bytes, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        if self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        elif self.expected_content_length != UNKNOWN:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("the body of an answer is not as long as its Content-Length")
        if len(body) < SEPARATE:
            self.transport.write(self._head + body)
        else:
            self.transport.write(self._head)
            self.transport.write(body)
        self._head = b""
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
