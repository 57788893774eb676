"""Handing a request on to the server that runs an endpoint: as it came, so that its signature is checked there too."""

import asyncio
import socket

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.endpoints.connection import Lost, TooLate
from modelyard.endpoints.relaying import SECONDS, WAIT_SECONDS
from modelyard.endpoints.upstream import Upstream

MARK = "x-modelyard-forwarded"
"""A header that says that a request was handed on, which is not done twice."""
_BETWEEN_HOPS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "content-length", "proxy-connection", MARK}
)


class Forwarding:
    """Connections to other servers on the same database."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_seconds: float) -> None:
        self._loop = loop
        self._seconds = SECONDS + max(WAIT_SECONDS, start_seconds)
        """How long the other server may take, which may have to start a worker first."""
        self._servers: dict[str, Upstream] = {}

    async def send(self, address: str, http: HttpRequest, *, streams: bool = False) -> HttpResponse:
        """The answer of the server at an address, `host:port`. Raises AwsError."""
        server = self._servers.get(address)
        if server is None:
            server = self._servers[address] = Upstream(self._loop, lambda: self._loop.create_task(self._connect(address)))
        path = f"{http.raw_path}?{http.query}" if http.query else http.raw_path
        lines = [f"{http.method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in http.headers.items() if name not in _BETWEEN_HOPS]
        lines += [f"content-length: {len(http.body)}", f"{MARK}: 1", "", ""]
        try:
            head = "\r\n".join(lines).encode("latin-1", "replace")
            answer = await server.ask(head + http.body, streams=streams, seconds=self._seconds)
        except (Lost, TooLate, OSError):
            text = "The server that runs this endpoint cannot be reached."
            raise AwsError(text, code="ServiceUnavailable", status=503) from None
        headers = [(name, value) for name, value in answer.headers.items() if name not in (*_BETWEEN_HOPS, "date", "server")]
        return HttpResponse(answer.status, headers, answer.body if answer.pieces is None else answer.pieces)

    async def _connect(self, address: str) -> socket.socket:
        host, _, port = address.rpartition(":")
        found = await self._loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, kind, number, _, place = found[0]
        opened = socket.socket(family, kind, number)
        opened.setblocking(False)
        try:
            await self._loop.sock_connect(opened, place)
        except BaseException:
            opened.close()
            raise
        return opened
