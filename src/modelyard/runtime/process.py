"""The runtime: starts workloads in sandboxes, hears what they say, ends them. One thread serves all of them.

What is called on that thread (`on_output`, `on_end`, whatever `call` was given) must be quick.
"""

import array
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import modelyard
from modelyard.runtime.base import order_of
from modelyard.runtime.workload import CannotRun, Ended, Workload

T = TypeVar("T")
READ_BYTES = 16 * 1024
READING_SECONDS = 0.01
"""How long the output of one workload is taken at a time."""
RESTS = 4
"""Times as long, whoever printed so much waits: one that prints without an end leaves the thread to the others."""
DRAIN_SECONDS = 0.1
"""How long is taken for what was printed so far, when that is wanted at once."""
LONGEST_LINE = 256 * 1024
"""Bytes of output that are taken for a line when none ends before."""
START_SECONDS = 20.0
STOP_SECONDS = 5.0
_START = "import sys; sys.path.append(sys.argv.pop(1)); from modelyard.runtime.inside.launcher import main; main()"
ADVICE = (
    "Modelyard runs code in a sandbox of Linux's namespaces, which this machine does not let it make ({reason})."
    " Allow user namespaces: `sysctl user.max_user_namespaces=15000`, and on Ubuntu"
    " `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container, start it with"
    " `--security-opt seccomp=unconfined --security-opt systempaths=unconfined` or `--privileged`."
)


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told what becomes of a workload."""

    on_output: Callable[[bytes], None]
    """A line of what it printed, without its end."""
    on_end: Callable[[Ended], None]
    """How it ended; called once, and last."""


class Runtime:
    """Runs workloads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="runtime", daemon=True)
        self._thread.start()
        self._running: set[Sandbox] = set()
        self._closed = False

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have the runtime's thread call something soon; harmless once the runtime is closed."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *arguments)

    def start(self, workload: Workload, heard: Heard) -> "Sandbox":
        """Start a workload; returns once it runs. Raises CannotRun. Not to be called on the runtime's thread."""
        if self._closed:
            raise CannotRun("The server is stopping.")
        if workload.image is not None:
            raise CannotRun(f"The image {workload.image} needs a container engine: set `runtime` to `oci`.")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, write = os.pipe()
        try:
            process = self._launch(workload, theirs, write)
        except OSError as error:
            ours.close()
            os.close(output)
            raise CannotRun(f"A sandbox cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(write)
        sandbox = Sandbox(self, process, ours, output, heard, workload)
        self.call(self._watch, sandbox)
        try:
            sandbox.started.result(START_SECONDS)
        except TimeoutError:
            sandbox.stop(0)
            raise CannotRun("A sandbox did not start in time.") from None
        return sandbox

    def _launch(self, workload: Workload, control: socket.socket, output: int) -> "subprocess.Popen[bytes]":
        source = Path(modelyard.__file__).parents[1]
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", _START, str(source), str(control.fileno())],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={},
            cwd="/",
            pass_fds=(control.fileno(),),
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(order_of(workload)).encode())
            process.stdin.close()
        return process

    def _watch(self, sandbox: "Sandbox") -> None:
        self._running.add(sandbox)
        sandbox.attach()

    def forget(self, sandbox: "Sandbox") -> None:
        """A sandbox has ended. On the runtime's thread."""
        self._running.discard(sandbox)

    def close(self) -> None:
        """End every workload, and the thread. Harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        asyncio.run_coroutine_threadsafe(self._end_all(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    async def _end_all(self) -> None:
        waiting = [sandbox.over for sandbox in self._running]
        for sandbox in list(self._running):
            sandbox.stop(0)
        if waiting:
            await asyncio.wait([asyncio.wrap_future(future) for future in waiting], timeout=STOP_SECONDS)


class Sandbox:
    """A workload that runs."""

    def __init__(
        self,
        runtime: Runtime,
        process: "subprocess.Popen[bytes]",
        control: socket.socket,
        output: int,
        heard: Heard,
        workload: Workload,
    ) -> None:
        self.started: Future[None] = Future()
        self.over: Future[Ended] = Future()
        self.peak_memory = 0
        """Bytes, as far as is known."""
        self.listeners: dict[int, socket.socket] = {}
        """By port, what the workload can connect to; whoever takes one out closes it. Empty once it has ended."""
        self._runtime = runtime
        self._process = process
        self._control = control
        self._output: int | None = output
        self._heard = heard
        self._timeout = workload.timeout
        self._timer: asyncio.TimerHandle | None = None
        self._line = b""
        self._early: list[bytes] = []
        """Lines that came before it was told that the workload has started."""
        self._failed: str | None = None
        self._ended: Ended | None = None
        self._reason = ""
        self._connecting: dict[int, Future[socket.socket]] = {}
        self._number = 0

    # --- for everybody --------------------------------------------------------------------------

    def stop(self, seconds: float = STOP_SECONDS, reason: str = "") -> None:
        """Ask the workload to end, and end it after so many seconds; 0 ends it at once. On any thread."""
        self._reason = self._reason or reason
        self._say({"stop": seconds})

    def connect(self, port: int) -> "Future[socket.socket]":
        """A connection to a port inside, which the caller closes; ConnectionRefusedError when nobody listens there."""
        future: Future[socket.socket] = Future()

        def ask() -> None:
            if self.over.done():
                settle(future, ConnectionRefusedError("the workload has ended"))
                return
            self._number += 1
            self._connecting[self._number] = future
            self._say({"connect": port, "number": self._number})

        self._runtime.call(ask)
        return future

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message).encode())

    # --- on the runtime's thread ----------------------------------------------------------------

    def attach(self) -> None:
        """Begin to listen to it."""
        loop = self._runtime.loop
        self._control.setblocking(False)
        assert self._output is not None
        os.set_blocking(self._output, False)
        loop.add_reader(self._control.fileno(), self._told)
        loop.add_reader(self._output, self._read_in_turn)
        if self._timeout is not None:
            self._timer = loop.call_later(self._timeout, self.stop, 0, "timeout")

    def read_output(self) -> None:
        """Take what it has printed so far."""
        self._read(DRAIN_SECONDS)

    def _read_in_turn(self) -> None:
        """Take some of what it has printed. Whoever prints more than can be taken at once is not heard for a while."""
        taken = self._read(READING_SECONDS)
        if taken >= READING_SECONDS and self._output is not None:
            self._runtime.loop.remove_reader(self._output)
            self._runtime.loop.call_later(RESTS * taken, self._listen)

    def _listen(self) -> None:
        if self._output is not None:
            self._runtime.loop.add_reader(self._output, self._read_in_turn)

    def _read(self, seconds: float) -> float:
        """Take what was printed, for about so long at most; how long it took."""
        began = now = time.monotonic()
        while self._output is not None and now - began < seconds:
            try:
                read = os.read(self._output, READ_BYTES)
            except BlockingIOError:
                return 0.0
            self._take(read)
            if not read:
                self._runtime.loop.remove_reader(self._output)
                os.close(self._output)
                self._output = None
            now = time.monotonic()
        return now - began

    def _take(self, read: bytes) -> None:
        *lines, self._line = (self._line + read).split(b"\n")
        if not read or len(self._line) > LONGEST_LINE:
            lines, self._line = ([*lines, self._line] if self._line else lines), b""
        if not self.started.done():
            # Of the workload, which may print before its start is told here; or of a launcher that failed.
            self._early += lines
            return
        for line in lines:
            self._heard.on_output(line)

    def _told(self) -> None:
        while True:
            try:
                message, descriptors = receive(self._control)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._gone()
                return
            self._hear(json.loads(message), descriptors)

    def _hear(self, told: dict[str, Any], descriptors: Sequence[int]) -> None:
        if "memory" in told:
            self.peak_memory = max(self.peak_memory, told["memory"])
        if "listening" in told:
            opened = (socket.socket(fileno=descriptor) for descriptor in descriptors)
            self.listeners = dict(zip(told["listening"], opened, strict=True))
        elif "started" in told:
            self.started.set_result(None)
            for line in self._early:
                self._heard.on_output(line)
            self._early = []
        elif "failed" in told:
            self._failed = told["failed"]
        elif "connected" in told:
            settle(self._connecting.pop(told["connected"]), socket.socket(fileno=descriptors[0]))
        elif "refused" in told:
            settle(self._connecting.pop(told["refused"]), ConnectionRefusedError("nobody listens on that port"))
        elif "ended" in told:
            self._ended = self._meaning(told["ended"], told["reason"])

    def _meaning(self, status: int, reason: str) -> Ended:
        killed = status < 0 or os.WIFSIGNALED(status)
        code = None if killed else os.waitstatus_to_exitcode(status)
        number = None if not killed else (9 if status < 0 else os.WTERMSIG(status))
        if reason == "stopped":
            reason = self._reason or reason
        return Ended(code, number, reason, self.peak_memory)

    def _gone(self) -> None:
        """The launcher has ended, and with it all that was inside."""
        self.read_output()
        loop = self._runtime.loop
        loop.remove_reader(self._control.fileno())
        self._control.close()
        if self._output is not None:
            loop.remove_reader(self._output)
            os.close(self._output)
            self._output = None
            self._take(b"")
        if self._timer is not None:
            self._timer.cancel()
        while self.listeners:  # somebody may be taking one out
            self.listeners.popitem()[1].close()
        for future in self._connecting.values():
            settle(future, ConnectionRefusedError("the workload has ended"))
        self._process.wait()
        self._runtime.forget(self)
        ended = self._ended or Ended(None, 9, "lost", self.peak_memory)
        if not self.started.done():
            printed = b" ".join(self._early).decode(errors="replace").strip()
            self.started.set_exception(CannotRun(_advice(self._failed or printed or "it ended at once")))
        else:
            self._heard.on_end(ended)
        self.over.set_result(ended)


def settle(future: "Future[socket.socket]", outcome: socket.socket | Exception) -> None:
    """Tell what became of a connection; whoever waited for it may have given up, and then nobody has it."""
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        if isinstance(outcome, socket.socket):
            outcome.close()


def receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """A message of a launcher, with the descriptors that came with it; nothing once it is gone. Raises OSError."""
    try:
        message, ancillary, _, _ = control.recvmsg(4096, socket.CMSG_SPACE(16 * 4), socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        # It ended before it had read all that it was sent. The kernel tells that once, ahead of what it said last.
        message, ancillary, _, _ = control.recvmsg(4096, socket.CMSG_SPACE(16 * 4), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, list(descriptors)


def _advice(reason: str) -> str:
    """What to do about a sandbox that could not be made."""
    if "unshare" in reason or "namespace" in reason or "mount on /proc" in reason:
        return ADVICE.format(reason=reason)
    return f"A sandbox cannot be started: {reason}"
