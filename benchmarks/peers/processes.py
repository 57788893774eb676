"""Servers that are measured, each a process of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common.client import Connection


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str | Path],
    port: int,
    log: Path,
    variables: Mapping[str, str] = {},
    *,
    path: str = "/",
    seconds: float = 120,
) -> Iterator[int]:
    """Start a server and wait until it answers `path`; its process id. It and what it started end with the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=log.parent, env={**os.environ, **variables}, start_new_session=True
        )
    try:
        _wait(process, port, path, seconds, log)
        yield process.pid
    finally:
        _end(process)


def _wait(process: "subprocess.Popen[bytes]", port: int, path: str, seconds: float, log: Path) -> None:
    connection = Connection(port)
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        except (OSError, RuntimeError):  # nobody listens, or it is not what will answer
            connection.close()
        else:
            connection.close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"a server did not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a server with its family, which is a session of its own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
