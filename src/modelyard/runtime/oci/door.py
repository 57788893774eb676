"""The server's side of the door to a container's network (inside/doorman.py). On the runtime's thread."""

import asyncio
import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from modelyard.runtime.process import receive, settle

INSIDE = "/run/modelyard"
"""Where the doorman sees the folder of the socket."""
NAME = "door"


class Door:
    """One door, from before its doorman is there until it is gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ports: tuple[int, ...]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="modelyard-"))
        self.opened: Future[dict[int, socket.socket]] = Future()
        """What the workload can connect to, by port, once the doorman is there."""
        self._loop = loop
        self._ports = ports
        self._control: socket.socket | None = None
        self._connecting: dict[int, Future[socket.socket]] = {}
        self._number = 0
        self._closed = False
        self._waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._waiting.bind(str(self.folder / NAME))
        self._waiting.listen(1)
        self._call(lambda: loop.add_reader(self._waiting.fileno(), self._arrived))

    def connect(self, port: int) -> "Future[socket.socket]":
        """A connection to a port inside; ConnectionRefusedError when nobody listens there. On any thread."""
        future: Future[socket.socket] = Future()

        def ask() -> None:
            if self._control is None:
                settle(future, ConnectionRefusedError("the workload has ended"))
                return
            self._number += 1
            self._connecting[self._number] = future
            self._say({"connect": port, "number": self._number})

        self._call(ask)
        return future

    def close(self) -> None:
        """Let the doorman go, and with it all that is inside. On any thread; harmless when called twice."""
        self._call(self._close)

    def _call(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the runtime is closed
            self._loop.call_soon_threadsafe(function)

    # --- on the runtime's thread ----------------------------------------------------------------

    def _arrived(self) -> None:
        try:
            self._control, _ = self._waiting.accept()
        except BlockingIOError:
            return
        self._control.setblocking(False)
        self._stop_waiting()
        self._loop.add_reader(self._control.fileno(), self._told)
        self._say({"listeners": list(self._ports)})

    def _stop_waiting(self) -> None:
        """Nobody else may come in."""
        if self._waiting.fileno() >= 0:
            self._loop.remove_reader(self._waiting.fileno())
            self._waiting.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _say(self, message: dict[str, Any]) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(json.dumps(message).encode())

    def _told(self) -> None:
        while self._control is not None:
            try:
                message, descriptors = receive(self._control)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._close()
                return
            self._hear(json.loads(message), [socket.socket(fileno=one) for one in descriptors])

    def _hear(self, told: dict[str, Any], passed: list[socket.socket]) -> None:
        if "listening" in told:
            self.opened.set_result(dict(zip(told["listening"], passed, strict=True)))
        elif "connected" in told:
            settle(self._connecting.pop(told["connected"]), passed[0])
        elif "refused" in told:
            settle(self._connecting.pop(told["refused"]), ConnectionRefusedError("nobody listens on that port"))

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._stop_waiting()
        if self._control is not None:
            self._loop.remove_reader(self._control.fileno())
            self._control.close()
            self._control = None
        if not self.opened.done():
            self.opened.set_exception(ConnectionRefusedError("the doorman ended"))
        for future in self._connecting.values():
            settle(future, ConnectionRefusedError("the workload has ended"))
        self._connecting.clear()
