"""A front door in this process, with an application that tells what it was sent."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from modelyard.server.certificates import Certificates
from modelyard.server.connection import Connection
from modelyard.server.front_door import FrontDoor
from modelyard.settings import Settings

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answer with scheme, method, path and the length of the body; what starts with /early is answered before its body."""
    length = 0
    while not scope["path"].startswith("/early"):
        message = await receive()
        if message["type"] != "http.request":
            return
        length += len(message["body"])
        if not message["more_body"]:
            break
    if scope["path"].startswith("/large"):
        await _send_much(scope, send)
        return
    body = f"{scope['scheme']} {scope['method']} {scope['path']} {length}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def _send_much(scope: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while not scope["state"]["disconnected"]():
        await send({"type": "http.response.body", "body": bytes(1024 * 1024), "more_body": True})


class Door:
    """A front door on a thread of its own."""

    def __init__(self, place: Path, loop_name: str, **limits: Any) -> None:
        self.settings = Settings(
            data=place, **{"header_seconds": 5.0, "body_seconds": 5.0, "idle_seconds": 5.0, "connections": 64, **limits}
        )
        self.tls = place / "tls"
        self.authority = self.tls / "ca.pem"
        self.state = ServerState()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._stop: asyncio.Event
        self._started = threading.Event()
        self._loop_factory = LOOPS[loop_name]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._started.wait(10)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        config = uvicorn.Config(tell, interface="asgi3", ws="none", log_config=None, access_log=False, proxy_headers=False)
        config.load()
        certificates = Certificates(self.tls, "127.0.0.1")
        door = FrontDoor(self.settings, lambda: Connection(self.settings, config, self.state, {}), self.state, certificates)
        door.open([self._listener])
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await self._stop.wait()
        door.close()
        door.abort()
        # The transports close in the loop's next rounds.
        for _ in range(5):
            await asyncio.sleep(0.01)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A connection that gives up after five seconds."""
        with socket.create_connection(self.address, timeout=5) as peer:
            yield peer

    def ask(self, request: bytes) -> bytes:
        """Everything that is answered to `request` until the connection is closed."""
        with self.connection() as peer:
            peer.sendall(request)
            return rest(peer)


def rest(peer: socket.socket) -> bytes:
    """What comes until the other side closes; a reset counts as closed."""
    pieces = []
    try:
        while piece := peer.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def answer(peer: socket.socket) -> bytes:
    """One answer with a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = peer.recv(65536)
        if not piece:
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture(scope="session", params=LOOPS)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door with limits of five seconds, on uvloop and on asyncio."""
    opened = Door(tmp_path_factory.mktemp("door"), request.param)
    yield opened
    opened.close()


@pytest.fixture(scope="session", params=LOOPS)
def impatient_door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that waits for nothing longer than 0.2 seconds and holds 8 connections."""
    opened = Door(
        tmp_path_factory.mktemp("door"), request.param, header_seconds=0.2, body_seconds=0.2, idle_seconds=0.2, connections=8
    )
    yield opened
    opened.close()
