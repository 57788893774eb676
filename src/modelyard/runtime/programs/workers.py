"""Who accepts connections: this process alone, or a supervisor that hands each to the worker that has the fewest."""

import array
import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .http import Connection, Handle

BACKLOG = 1024
GRACE_SECONDS = 25.0
"""How long requests that are under way may take once the program is told to stop."""
RESTART_SECONDS = 0.5
Prepare = Callable[[], Handle]
"""Makes what answers requests; called once in each worker."""


def listen(port: int) -> socket.socket:
    """The socket that all connections come to."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))  # noqa: S104 - in a network of its own
    listener.listen(BACKLOG)
    return listener


class Busy:
    """Counts the requests that are under way."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self.count = 0

    def __call__(self, request: Any) -> Any:
        """Handle a request, counted."""
        with self._lock:
            self.count += 1
        try:
            return self._handle(request)
        finally:
            with self._lock:
                self.count -= 1

    def wait(self) -> None:
        """Return once none is under way, or after the grace period."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self.count and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.02)  # what was handled last is being sent


def serve_alone(listener: socket.socket, prepare: Prepare) -> None:
    """Accept and answer in this process, until SIGTERM."""
    busy = Busy(prepare())
    stopping, stop = os.pipe()
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.write(stop, b"."))
    listener.setblocking(False)
    while True:
        ready = _readable(listener, stopping)
        if stopping in ready:
            break
        with contextlib.suppress(BlockingIOError, ConnectionError):
            peer, _ = listener.accept()
            peer.setblocking(True)
            _on_thread(peer, busy)
    listener.close()
    busy.wait()
    sys.stderr.flush()
    os._exit(0)


def _on_thread(peer: socket.socket, handle: Handle, ended: Callable[[], None] = lambda: None) -> None:
    def run() -> None:
        try:
            Connection(peer, handle).run()
        finally:
            ended()

    threading.Thread(target=run, daemon=True).start()


class _Worker:
    """A worker process, as the supervisor sees it."""

    def __init__(self, prepare: Prepare, others: "list[_Worker]", listener: socket.socket) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connections = 0
        self.born = time.monotonic()
        self.process = os.fork()
        if self.process == 0:
            listener.close()
            self.channel.close()
            for other in others:
                other.channel.close()
            _work(theirs, prepare)
        theirs.close()

    def hand(self, peer: socket.socket) -> bool:
        """Give it a connection; False when it is gone."""
        rights = array.array("i", [peer.fileno()])
        try:
            self.channel.sendmsg([b"c"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError:
            return False
        self.connections += 1
        return True


def _work(channel: socket.socket, prepare: Prepare) -> None:
    """Be a worker: serve the connections that come over the channel. Never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the supervisor says when, by closing the channel
    busy = Busy(prepare())

    def ended() -> None:
        with contextlib.suppress(OSError):
            channel.send(b"e")

    while True:
        message, rights, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
        if not message:
            break
        for _level, _kind, data in rights:
            _on_thread(socket.socket(fileno=array.array("i", data)[0]), busy, ended)
    busy.wait()
    sys.stderr.flush()
    os._exit(0)


def serve_with_workers(listener: socket.socket, prepare: Prepare, count: int) -> None:
    """Accept in this process and answer in others, until SIGTERM; a worker that dies is replaced."""
    workers: list[_Worker] = []
    stopping, stop = os.pipe()
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.write(stop, b"."))
    for _ in range(count):
        workers.append(_Worker(prepare, workers, listener))
    while True:
        ready = _readable(listener, stopping, *(worker.channel for worker in workers))
        if stopping in ready:
            break
        for worker in list(workers):
            if worker.channel in ready and not _heard(worker):
                workers.remove(worker)
                print(f"A worker ended with status {_status(worker)} and is replaced.", file=sys.stderr, flush=True)
                time.sleep(max(0.0, worker.born + RESTART_SECONDS - time.monotonic()))
                workers.append(_Worker(prepare, workers, listener))
        if listener in ready:
            with listener.accept()[0] as peer:
                for worker in sorted(workers, key=lambda one: one.connections):
                    if worker.hand(peer):
                        break
    listener.close()
    for worker in workers:
        worker.channel.close()
    for worker in workers:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(worker.process, 0)
    os._exit(0)


def _readable(*waiting: Any) -> list[Any]:
    """Those of sockets and pipes that there is something to read from, once there is one."""
    return select.select(waiting, [], [])[0]


def _heard(worker: _Worker) -> bool:
    """Take what a worker tells; False when it is gone."""
    try:
        told = worker.channel.recv(1)
    except OSError:
        return False
    worker.connections -= 1
    return bool(told)


def _status(worker: _Worker) -> int:
    try:
        return os.waitpid(worker.process, 0)[1]
    except ChildProcessError:
        return -1
