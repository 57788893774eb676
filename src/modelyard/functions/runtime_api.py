"""The Runtime API: what a function's runtime asks for work and tells its results.

One server for each environment, on a socket in the environment's own network; all on the runtime's thread. Source: "Using the
Lambda runtime API for custom runtimes" of the developer guide.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import httptools
import orjson

PREFIX = "/2018-06-01/runtime/"
LARGEST_BODY = 6 * 1024 * 1024 + 100 * 1024
LARGEST_HEAD = 2 * 1024 * 1024
"""A runtime tells errors in headers too."""
Headers = Sequence[tuple[str, str]]


class Environment(Protocol):
    """What answers the runtime."""

    def next(self, connection: "RuntimeConnection") -> None:
        """The runtime wants its next invocation, over this connection."""
        ...

    def responded(self, request_id: str, payload: bytes | None) -> bool:
        """The function returned, None for more than may be; False when that was not its invocation."""
        ...

    def failed(self, request_id: str, payload: bytes, kind: str) -> bool:
        """The function raised; False when that was not its invocation."""
        ...

    def failed_to_start(self, payload: bytes, kind: str) -> None:
        """The function cannot be loaded."""
        ...


class RuntimeConnection(asyncio.Protocol):
    """One connection of a runtime."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._path = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._head_size = 0

    # --- what the transport and the parser tell -------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; if the runtime is too, its environment is told otherwise."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._path, self._headers, self._body, self._size, self._head_size = b"", {}, [], 0, 0

    def on_url(self, url: bytes) -> None:
        """A piece of its path."""
        self._path += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._count_head(len(name) + len(value))

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > LARGEST_HEAD:
            self._close()

    def on_headers_complete(self) -> None:
        """The head is whole; a client may wait to be asked for the body."""
        if "expect" in self._headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        """A piece of the body; what is too much is thrown away."""
        self._size += len(piece)
        if self._size <= LARGEST_BODY:
            self._body.append(piece)

    def on_message_complete(self) -> None:
        """The request is whole."""
        method = self._parser.get_method()
        path = self._path.decode("latin-1").partition("?")[0]
        body = b"".join(self._body)
        self._body = []
        if not path.startswith(PREFIX):
            self.answer(404, [], b"")
            return
        self._handle(method, path.removeprefix(PREFIX).split("/"), body)

    # --- what is asked --------------------------------------------------------------------------

    def _handle(self, method: bytes, words: list[str], body: bytes) -> None:
        kind = self._headers.get("lambda-runtime-function-error-type", "Unhandled")
        match [method.decode("latin-1"), *words]:
            case ["GET", "invocation", "next"]:
                self._environment.next(self)
            case ["POST", "invocation", request_id, "response"]:
                too_large = self._size > LARGEST_BODY
                known = self._environment.responded(request_id, None if too_large else body)
                self._accept(known, 413 if too_large else 202)
            case ["POST", "invocation", request_id, "error"]:
                self._accept(self._environment.failed(request_id, body, kind), 202)
            case ["POST", "init", "error"]:
                self._environment.failed_to_start(body, kind)
                self._accept(True, 202)
            case _:
                self.answer(404, [], b"")

    def _accept(self, known: bool, status: int) -> None:
        if known:
            self.answer(status, [("content-type", "application/json")], b'{"status":"OK"}')
        else:
            problem: Mapping[str, str] = {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
            self.answer(400, [("content-type", "application/json")], orjson.dumps(problem))

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer the request that came last; harmless when the connection is gone."""
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'Refused'}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
