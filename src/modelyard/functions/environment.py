"""One environment: a sandbox in which a runtime waits for invocations of one version of a function, one at a time.

All of it happens on the runtime's thread.
"""

import asyncio
import math
import socket
import time
from collections.abc import Callable
from typing import Protocol

import orjson

from modelyard.functions.invocation import LONGEST_RESPONSE, Invocation
from modelyard.functions.log_book import LogBook, Stream
from modelyard.functions.runtime_api import RuntimeConnection
from modelyard.runtime.process import Sandbox
from modelyard.runtime.workload import Ended

START_SECONDS = 10.0
"""How long a function may take to be loaded, unless its own timeout is longer."""
MEBIBYTE = 1024 * 1024


class Pool(Protocol):
    """Where environments wait for their next invocation."""

    loop: asyncio.AbstractEventLoop

    def freed(self, environment: "Environment") -> None:
        """It can take another invocation."""
        ...

    def again(self, invocation: Invocation) -> None:
        """An invocation that it took was never begun."""
        ...

    def gone(self, environment: "Environment") -> None:
        """It has ended."""
        ...


class Environment:
    """An environment, from its first invocation on."""

    def __init__(self, pool: Pool, log_book: LogBook, stream: Stream, first: Invocation) -> None:
        self.pool = pool
        self.version = first.version
        self.stream = stream
        self.idle_since = 0.0
        self.ending = False
        """Whether it takes no invocation any more."""
        self.invocation: Invocation | None = first
        self.born = time.monotonic()
        self._log_book = log_book
        self._sandbox: Sandbox | None = None
        self._serving: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._waiting: RuntimeConnection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._start_failed: tuple[bytes, str] | None = None
        self._ready_after = 0.0
        self._was_used = False
        self._closers: list[Callable[[], None]] = []

    # --- from the pool --------------------------------------------------------------------------

    def begin(self, sandbox: Sandbox, api: socket.socket, closers: list[Callable[[], None]]) -> None:
        """Its sandbox is there; `closers` are called when that has ended."""
        self._sandbox = sandbox
        self._closers = closers
        self._serving = self.pool.loop.create_task(self._serve(api))
        assert self.invocation is not None
        self._timer = self.pool.loop.call_later(max(START_SECONDS, self.invocation.timeout), self._too_late)
        if sandbox.over.done():
            self.ended(sandbox.over.result())

    async def _serve(self, api: socket.socket) -> None:
        api.setblocking(False)
        self._server = await self.pool.loop.create_server(lambda: RuntimeConnection(self), sock=api)

    def take(self, invocation: Invocation) -> None:
        """Run an invocation, now that it has none. Its runtime may be about to ask for it."""
        self.invocation = invocation
        if self._waiting is not None:
            self._deliver()
        else:
            self._timer = self.pool.loop.call_later(START_SECONDS, self.stop)

    def stop(self) -> None:
        """End it, whatever it does."""
        self.ending = True
        if self._sandbox is not None:
            self._sandbox.stop(0)

    def hear(self, line: bytes) -> None:
        """It printed a line."""
        text = line.decode("utf-8", "replace").replace("\0", "�")
        self._note(text)

    def ended(self, ended: Ended) -> None:
        """Its sandbox has ended."""
        self.ending = True
        if self._serving is not None:
            self._serving.cancel()
        if self._server is not None:
            self._server.close()
        for close in self._closers:
            close()
        self._closers = []
        self._cancel()
        invocation = self.invocation
        self.pool.gone(self)
        if invocation is None:
            return
        if self._was_used and not invocation.begun:
            self.invocation = None
            self.pool.again(invocation)
        else:
            self._fail_by_end(ended)

    # --- from the runtime -----------------------------------------------------------------------

    def next(self, connection: RuntimeConnection) -> None:
        """The runtime wants its next invocation."""
        self._waiting = connection
        if not self._ready_after:
            self._ready_after = time.monotonic() - self.born
            self._cancel()
        self._deliver()

    def responded(self, request_id: str, payload: bytes | None) -> bool:
        """The function returned."""
        invocation = self.invocation
        if invocation is None or invocation.request_id != request_id:
            return False
        if payload is None or len(payload) > LONGEST_RESPONSE:
            message = f"Response payload size exceeded maximum allowed payload size ({6 * MEBIBYTE} bytes)."
            self._finish(_error("Function.ResponseSizeTooLarge", message), "Unhandled")
        else:
            self._finish(payload, None)
        return True

    def failed(self, request_id: str, payload: bytes, kind: str) -> bool:
        """The function raised."""
        if self.invocation is None or self.invocation.request_id != request_id:
            return False
        self._finish(payload, "Handled" if kind == "Handled" else "Unhandled")
        return True

    def failed_to_start(self, payload: bytes, kind: str) -> None:
        """The function cannot be loaded; the runtime is about to end."""
        self._start_failed = (payload, kind)

    # --- how an invocation goes -----------------------------------------------------------------

    def _deliver(self) -> None:
        invocation, connection = self.invocation, self._waiting
        if invocation is None or connection is None:
            return
        self._waiting = None
        self._cancel()
        invocation.begun = time.monotonic()
        self._note(f"START RequestId: {invocation.request_id} Version: {self.version.at.qualifier}")
        self._timer = self.pool.loop.call_later(invocation.timeout, self._too_late)
        headers = [
            ("content-type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + invocation.timeout) * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", invocation.invoked_arn),
        ]
        if invocation.client_context is not None:
            headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
        connection.answer(200, headers, invocation.payload)

    def _too_late(self) -> None:
        invocation = self.invocation
        if invocation is None:
            return
        if not invocation.begun:
            invocation.begun = self.born
            self._note(f"START RequestId: {invocation.request_id} Version: {self.version.at.qualifier}")
        text = f"Task timed out after {invocation.timeout:.2f} seconds"
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self._drain()
        self._note(f"{moment}.{int(time.time() * 1000) % 1000:03d}Z {invocation.request_id} {text}")
        error = _error("Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: {text}")
        self.stop()
        self._finish(error, "Unhandled")

    def _fail_by_end(self, ended: Ended) -> None:
        """The sandbox ended in the middle of an invocation."""
        invocation = self.invocation
        assert invocation is not None
        if not invocation.begun:
            invocation.begun = self.born
            self._note(f"START RequestId: {invocation.request_id} Version: {self.version.at.qualifier}")
        if self._start_failed is not None:
            self._finish(self._start_failed[0], "Unhandled")
            return
        if ended.reason == "memory" or ended.signal is not None:
            how = "signal: killed" if ended.signal in (None, 9) else f"signal: {ended.signal}"
            message = f"RequestId: {invocation.request_id} Error: Runtime exited with error: {how}"
        elif ended.exit_code:
            message = f"RequestId: {invocation.request_id} Error: Runtime exited with error: exit status {ended.exit_code}"
        else:
            message = f"RequestId: {invocation.request_id} Error: Runtime exited without providing a reason"
        kind = "Runtime.OutOfMemory" if ended.reason == "memory" else "Runtime.ExitError"
        self._note(message.replace(" Error:", f" Error: {kind}:") if ended.reason == "memory" else message)
        self._finish(_error("Runtime.ExitError", message), "Unhandled")

    def _finish(self, payload: bytes, function_error: str | None) -> None:
        invocation = self.invocation
        assert invocation is not None
        self._cancel()
        self._drain()
        milliseconds = (time.monotonic() - invocation.begun) * 1000
        self._note(f"END RequestId: {invocation.request_id}")
        self._note(self._report(invocation, milliseconds))
        self.invocation = None
        self._was_used = True
        if not self.ending:
            self.pool.freed(self)
        invocation.end(payload, function_error)

    def _report(self, invocation: Invocation, milliseconds: float) -> str:
        memory = self.version.document["MemorySize"]
        used = 0 if self._sandbox is None else min(memory, math.ceil(self._sandbox.peak_memory / MEBIBYTE))
        parts = [
            f"REPORT RequestId: {invocation.request_id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {math.ceil(milliseconds)} ms",
            f"Memory Size: {memory} MB",
            f"Max Memory Used: {used} MB",
        ]
        if self._ready_after > 0:
            parts.append(f"Init Duration: {self._ready_after * 1000:.2f} ms")
            self._ready_after = -1.0
        return "\t".join([*parts, ""])

    def _drain(self) -> None:
        """Take what it printed before it answered."""
        if self._sandbox is not None:
            self._sandbox.read_output()

    def _note(self, line: str) -> None:
        if self.invocation is not None:
            self.invocation.logged(line)
        self._log_book.write(self.stream, line)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _error(kind: str, message: str) -> bytes:
    return orjson.dumps({"errorType": kind, "errorMessage": message})
