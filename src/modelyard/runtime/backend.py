"""Where workloads run: what a backend is asked for, and what it answers with.

`process` has sandboxes of this machine's kernel (`process.py`), `oci` containers of docker or podman (`oci/`), `ray` sandboxes on
the nodes of a Ray cluster (`cluster/`).
"""

import socket
from concurrent.futures import Future
from typing import Protocol

from modelyard.runtime.process import Heard
from modelyard.runtime.workload import Ended, Workload


class Running(Protocol):
    """A workload that runs. Everything here may be called on any thread."""

    peak_memory: int
    """Bytes, as far as is known."""
    over: Future[Ended]
    """Done once nothing of it runs any more."""
    listeners: dict[int, socket.socket]
    """By port, what the workload can connect to; whoever takes one out closes it. Empty once it has ended."""

    def stop(self, seconds: float = ..., reason: str = ...) -> None:
        """Ask the workload to end, and end it after so many seconds; 0 ends it at once."""
        ...

    def connect(self, port: int) -> "Future[socket.socket]":
        """A connection to a port inside, which the caller closes; ConnectionRefusedError when nobody listens there."""
        ...


class Backend(Protocol):
    """Runs workloads."""

    def start(self, workload: Workload, heard: Heard) -> Running:
        """Start a workload; returns once it runs. Raises CannotRun. Not to be called on the runtime's thread."""
        ...

    def close(self) -> None:
        """End every workload. Harmless when called twice."""
        ...
