"""The process that makes a sandbox and stays beside it: the only one that is in its network and can still be spoken to.

It gets its order from standard input and speaks with the server over a socket, in messages of one JSON object each:

    server -> here    {"connect": PORT, "number": N}      connect to a port inside; the answer carries the connection
                      {"stop": SECONDS}                   ask the workload to end, and after so long end it
    here -> server    {"listening": [PORT, …]}            with the listening sockets
                      {"started": PID}
                      {"memory": BYTES}                   it uses more than ever before
                      {"connected": N} or {"refused": N}
                      {"failed": SENTENCE}                it cannot be started
                      {"ended": STATUS, "reason": WORD, "memory": BYTES}

When the server ends, however it does, the socket closes, and everything here ends too.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from modelyard.runtime.inside import kernel, memory, workload

LOOK_SECONDS = 0.1
"""How often the memory that is used is looked at."""
TOLD_STEP = 1024 * 1024
BACKLOG = 512
ALL_USERS = 2**32 - 1

assert ctypes.sizeof(ctypes.c_void_p) == 8, "Modelyard's sandbox is made for 64 bits"


class Launcher:
    """One sandbox, seen from its doorstep."""

    def __init__(self, server: socket.socket, wanted: dict[str, Any]) -> None:
        self.server = server
        self.wanted = wanted
        self.peak = 0
        self.told = 0
        self.reason = ""
        self.deadline = 0.0

    def run(self) -> None:
        """Make the sandbox and stay until it ends."""
        try:
            enter_namespaces(self.wanted["user"])
            self._listen()
            process, events = self._start()
        except OSError as error:
            self.say({"failed": kernel.said(error)})
            return
        try:
            self._stay(process, events)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, 0)

    def say(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Tell the server; harmless when it is gone."""
        with contextlib.suppress(OSError):
            socket.send_fds(self.server, [json.dumps(message).encode()], descriptors or [])

    def _listen(self) -> None:
        kernel.raise_loopback()
        listeners = []
        for port in self.wanted["listeners"]:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(BACKLOG)
            listeners.append(listener)
        if listeners:
            self.say({"listening": self.wanted["listeners"]}, [listener.fileno() for listener in listeners])
        for listener in listeners:
            listener.close()

    def _start(self) -> tuple[int, int]:
        """Start the first process inside; its number, and where it tells what happens."""
        life, alive = os.pipe()
        events, tell = os.pipe()
        kernel.unshare(kernel.NEW_PID)
        process = os.fork()
        if process == 0:
            self.server.close()
            os.close(alive)
            os.close(events)
            workload.first_process(self.wanted, life, tell)
        os.close(life)
        os.close(tell)
        for number in (1, 2):
            os.dup2(os.open("/dev/null", os.O_WRONLY), number)
        return process, events

    def _stay(self, process: int, events: int) -> None:
        """Serve until the workload has ended or the server is gone."""
        waiting = select.poll()
        for descriptor in (self.server.fileno(), events):
            waiting.register(descriptor, select.POLLIN)
        pending = b""
        while True:
            ready = dict(waiting.poll(LOOK_SECONDS * 1000))
            self._look_at_memory(process)
            if self.deadline and time.monotonic() >= self.deadline:
                self._end(process, "stopped")
            if events in ready:
                read = os.read(events, 4096)
                pending += read
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    self._tell(process, line)
                if not read:
                    self.say({"ended": -1, "reason": self.reason or "lost", "memory": self.peak})
                    return
                if any(line[:1] in (workload.ENDED, workload.FAILED) for line in lines):
                    return
            if self.server.fileno() in ready and not self._obey(process):
                return

    def _tell(self, process: int, line: bytes) -> None:
        kind, text = line[:1], line[1:].decode(errors="replace")
        if kind == workload.STARTED:
            self.say({"started": process})
        elif kind == workload.FAILED:
            self.say({"failed": text})
        elif kind == workload.ENDED:
            self.say({"ended": int(text), "reason": self.reason, "memory": self.peak})

    def _look_at_memory(self, process: int) -> None:
        used = memory.used_by_tree(process, self.wanted["memory"])
        if used > self.wanted["memory"]:
            # Processes are not looked at in one moment: what forks or ends meanwhile may have been counted twice.
            used = min(used, memory.used_by_tree(process, self.wanted["memory"]))
        self.peak = max(self.peak, used)
        if used > self.wanted["memory"]:
            self._end(process, "memory")
        elif self.peak > self.told + TOLD_STEP:
            self.told = self.peak
            self.say({"memory": self.peak})

    def _end(self, process: int, reason: str) -> None:
        self.reason = self.reason or reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def _obey(self, process: int) -> bool:
        """Do what the server asks; False when it is gone."""
        try:
            message = self.server.recv(4096)
        except OSError:
            message = b""
        if not message:
            return False
        order = json.loads(message)
        if "connect" in order:
            self._connect(order["connect"], order["number"])
        elif "stop" in order:
            self.reason = self.reason or "stopped"
            self.deadline = time.monotonic() + order["stop"]
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM if order["stop"] else signal.SIGKILL)
        return True

    def _connect(self, port: int, number: int) -> None:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.settimeout(1.0)
            connection.connect(("127.0.0.1", port))
            self.say({"connected": number}, [connection.fileno()])
        except OSError:
            self.say({"refused": number})
        finally:
            connection.close()


def enter_namespaces(user: int) -> None:
    """Enter a user and a network namespace of this process's own. Raises OSError.

    The sandbox's user is, on the machine, a number that nobody else has when root starts it, and otherwise whoever starts it.
    """
    root = os.getuid() == 0
    maps = (f"0 0 {ALL_USERS}\n",) * 2 if root else (f"{user} {os.getuid()} 1\n", f"{user} {os.getgid()} 1\n")
    process = os.getpid()
    ready, done = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        # Only from outside may root give the namespace more than one user.
        os.close(ready[1])
        if not os.read(ready[0], 1):
            os._exit(1)
        try:
            _map(process, maps, root=root)
            os.write(done[1], b"+")
        except OSError as error:
            os.write(done[1], str(error).encode())
        os._exit(0)
    try:
        kernel.unshare(kernel.NEW_USER)
        os.write(ready[1], b"+")
        answer = os.read(done[0], 512)
    finally:
        for descriptor in (*ready, *done):
            os.close(descriptor)
        os.waitpid(helper, 0)
    if answer != b"+":
        raise OSError(f"the users of a new namespace: {answer.decode()}")
    kernel.unshare(kernel.NEW_NETWORK)


def _map(process: int, maps: tuple[str, ...], *, root: bool) -> None:
    if not root:
        _write(f"/proc/{process}/setgroups", "deny")
    for name, content in zip(("uid_map", "gid_map"), maps, strict=True):
        _write(f"/proc/{process}/{name}", content)


def _write(path: str, content: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(content)


def main() -> None:
    """The command line: the number of the socket to the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = socket.socket(fileno=int(sys.argv[1]))
    server.set_inheritable(False)
    wanted = json.loads(sys.stdin.buffer.read())
    Launcher(server, wanted).run()
