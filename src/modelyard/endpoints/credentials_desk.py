"""Where a container asks for the credentials of its role: AWS's clients do so by themselves, and again before they expire.

One for each container, on a socket in the container's own network, so nobody else can ask. On the runtime's thread.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime

import httptools
import orjson

from modelyard.access.sessions import SessionCredentials
from modelyard.endpoints.acting import RoleUnusable

PATH = "/credentials"
LARGEST = 64 * 1024

Ask = Callable[[], SessionCredentials]


class Desk(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, role: str, ask: Ask, threads: Executor) -> None:
        self._role = role
        self._ask = ask
        self._threads = threads
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        self._size += len(data)
        try:
            if self._size > LARGEST:
                raise httptools.HttpParserError("too large")
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.abort()

    def on_message_complete(self) -> None:
        """A request is whole: whatever it asks for, there is one thing to be had."""
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._threads, self._ask).add_done_callback(self._answer)

    def _answer(self, asked: "asyncio.Future[SessionCredentials]") -> None:
        if self._transport is None:
            return
        status, shown = b"200 OK", {}
        try:
            found = asked.result()
            expires = datetime.fromtimestamp(found.expires_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            shown = {
                "RoleArn": self._role,
                "AccessKeyId": found.access_key_id,
                "SecretAccessKey": found.secret_access_key,
                "Token": found.session_token,
                "Expiration": expires,
            }
        except RoleUnusable as error:
            status, shown = b"403 Forbidden", {"code": "AccessDenied", "message": str(error)}
        body = orjson.dumps(shown)
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)
        self._transport.close()
