"""Process 1 of a container that holds the network and the processes of a workload's: the door that the server comes in by.

The server cannot enter the network of a container, and containers are to have none that leads anywhere. So this runs in a
container of its own whose network the workload joins, on the standard library alone, and speaks over a socket in a folder that
the server shows it, in messages of one JSON object each:

    server -> here    {"listeners": [PORT, …]}            the first message
                      {"connect": PORT, "number": N}      connect to a port inside; the answer carries the connection
    here -> server    {"listening": [PORT, …]}            with the listening sockets
                      {"connected": N} or {"refused": N}

The workload has joined its processes too: when this ends, the kernel ends them all. It ends when the server does, since the
socket closes.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

BACKLOG = 512


def main() -> None:
    """The command line: the path of the socket to the server."""
    signal.signal(signal.SIGCHLD, _reap)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(sys.argv[1])
        while message := server.recv(4096):
            _obey(server, json.loads(message))


def _reap(_number: int, _frame: FrameType | None) -> None:
    """Processes that nobody waits for become process 1's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _obey(server: socket.socket, order: dict[str, Any]) -> None:
    if "listeners" in order:
        ports = order["listeners"]
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(_listener(port)) for port in ports]
            _say(server, {"listening": ports}, listeners)
    elif "connect" in order:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(1.0)
                connection.connect(("127.0.0.1", order["connect"]))
            except OSError:
                _say(server, {"refused": order["number"]})
            else:
                _say(server, {"connected": order["number"]}, [connection])


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(BACKLOG)
    return listener


def _say(server: socket.socket, message: dict[str, Any], passed: list[socket.socket] | None = None) -> None:
    with contextlib.suppress(OSError):
        socket.send_fds(server, [json.dumps(message).encode()], [one.fileno() for one in passed or []])


if __name__ == "__main__":
    main()
