"""One workload that runs as a container (a `runtime.backend.Running`)."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from modelyard.runtime.oci.door import Door
from modelyard.runtime.oci.engine import asked
from modelyard.runtime.process import LONGEST_LINE, STOP_SECONDS, Heard
from modelyard.runtime.workload import CannotRun, Ended, Workload

if TYPE_CHECKING:
    from modelyard.runtime.oci.containers import Containers

SIGNALLED = 128
"""Exit codes above are of workloads that a signal ended."""

Printed = tuple[bytes | None, bytes | None]
"""A piece of standard output, or of standard error."""

log = logging.getLogger("modelyard.runtime")


class Container:
    """A workload that runs."""

    def __init__(
        self, containers: "Containers", door: Door, body: str, made: list[str], heard: Heard, workload: Workload
    ) -> None:
        self.over: Future[Ended] = Future()
        self.peak_memory = 0
        """Not known of containers."""
        self.listeners: dict[int, socket.socket] = {}
        """By port, what the workload can connect to; whoever takes one out closes it."""
        self._containers = containers
        self._door = door
        self._body = body
        self._made = made
        self._heard = heard
        self._timeout = workload.timeout
        self._reason = ""

    def begin(self, client: Any) -> None:
        """Start it, and listen to it until it ends. Raises CannotRun."""
        with asked("start a container"):
            printed = client.attach(self._body, stdout=True, stderr=True, stream=True, demux=True)
        with asked("start a container"):
            client.start(self._body)
        self._containers.remember(self)
        threading.Thread(target=self._follow, args=(client, printed), name="container", daemon=True).start()
        if self._timeout is not None:
            self._later(self._timeout, lambda: self.stop(0, "timeout"))

    def stop(self, seconds: float = STOP_SECONDS, reason: str = "") -> None:
        """Ask the workload to end, and end it after so many seconds; 0 ends it at once. On any thread."""
        self._reason = self._reason or reason or "stopped"
        if seconds <= 0:
            self._door.close()
            return
        self._later(seconds, self._door.close)
        with contextlib.suppress(RuntimeError):  # all are being stopped
            self._containers.threads.submit(self._ask_to_end)

    def connect(self, port: int) -> "Future[socket.socket]":
        """A connection to a port inside, which the caller closes; ConnectionRefusedError when nobody listens there."""
        return self._door.connect(port)

    def _later(self, seconds: float, function: Any) -> None:
        loop = self._containers.runtime.loop
        self._containers.runtime.call(loop.call_later, seconds, function)

    def _ask_to_end(self) -> None:
        try:
            with contextlib.closing(self._containers.engine.client()) as client, asked("end a container"):
                client.kill(self._body, "SIGTERM")
        except CannotRun as error:
            if not self.over.done():
                log.warning("%s", error)

    # --- on its own thread ----------------------------------------------------------------------

    def _follow(self, client: Any, printed: Iterator[Printed]) -> None:
        try:
            for line in lines_of(printed):
                self._heard.on_output(line)
        except Exception as error:  # of whichever library the engine is spoken to with
            log.warning("what a container printed is lost: %s", error)
        ended = self._ended(client)
        # What else the workload began ends with the doorman.
        self._door.close()
        for listener in self.listeners.values():
            listener.close()
        self._containers.remove(client, self._made)
        client.close()
        self._containers.forget(self)
        self._heard.on_end(ended)
        self.over.set_result(ended)

    def _ended(self, client: Any) -> Ended:
        try:
            with asked("wait for a container"):
                code = int(client.wait(self._body)["StatusCode"])
                state = client.inspect_container(self._body)["State"]
        except CannotRun as error:
            log.warning("%s", error)
            return Ended(None, 9, self._reason or "lost", 0)
        reason = "memory" if state.get("OOMKilled") else self._reason
        if code > SIGNALLED:
            return Ended(None, code - SIGNALLED, reason, 0)
        return Ended(code, None, reason if reason != "stopped" or code else "", 0)


def lines_of(pieces: Iterator[Printed]) -> Iterator[bytes]:
    """Lines of what comes piece by piece, of each of the two streams; one that does not end is cut."""
    rests = [b"", b""]
    for pair in pieces:
        for place, piece in enumerate(pair):
            if piece is not None:
                *lines, rests[place] = (rests[place] + piece).split(b"\n")
                yield from lines
                if len(rests[place]) > LONGEST_LINE:
                    yield rests[place]
                    rests[place] = b""
    yield from filter(None, rests)
