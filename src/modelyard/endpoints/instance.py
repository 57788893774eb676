"""One instance of a variant: a sandbox for each of its containers, from its start until the last request is answered.

It is started on a thread for starts, and lives on the event loop that invocations are relayed on.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from modelyard.endpoints.connection import Lost, TooLate
from modelyard.endpoints.deployment import Hosted
from modelyard.endpoints.many_models import ManyModels
from modelyard.endpoints.upstream import Upstream
from modelyard.runtime.backend import Running
from modelyard.runtime.workload import Ended

PORT = 8080
PING_SECONDS = 2.0
"""How long a container may take to answer /ping, as SageMaker has it."""
BETWEEN_FIRST_PINGS = 0.05
BETWEEN_PINGS = 5.0
SILENT_SECONDS = 40.0
"""An instance is replaced when one of its containers has answered neither /ping with 200 nor any request for so long; while it is
at requests that may take longer, for as long as those may: it may have one thread for all."""
LONGEST_500 = 20.0
"""A container that answers its first pings with 500 for so long will not come up."""
DRAIN_SECONDS = 65.0
"""How long requests that are under way may take to finish: one takes 60 seconds at most."""
LAST_LOOK_SECONDS = 0.25
STOP_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""
LONGEST_WORDS = 300
"""Characters of what a container printed last that a FailureReason has."""
_PING = b"GET /ping HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\r\n"


class State(StrEnum):
    """Where an instance is in its life."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DRAINING = "draining"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an instance did not come up, or ended."""

    text: str
    """For FailureReason."""
    final: bool = False
    """Whether another try would end the same."""
    pings: bool = True
    """Whether it is its /ping that failed: AWS has a sentence for that."""


@dataclass(slots=True)
class Container:
    """A container that runs."""

    name: str
    sandbox: Running
    upstream: Upstream
    models: ManyModels | None = None
    """Of a multi-model container."""
    well: float = 0.0
    """When it last answered /ping with 200, on the event loop's clock."""

    def is_silent(self, now: float) -> bool:
        """Whether it has not been heard of for too long."""
        patience = max(SILENT_SECONDS, self.upstream.longest + BETWEEN_PINGS)
        return now - max(self.well, self.upstream.heard) > patience


@dataclass(eq=False)
class Instance:
    """An instance."""

    id: str
    variant: str
    hosted: Hosted
    loop: asyncio.AbstractEventLoop
    tell: Callable[[], None]
    """Called when its state has changed, on any thread."""
    closers: list[Callable[[], None]] = field(default_factory=list)
    """Called once it has ended."""
    tells_failure: bool = False
    """Whether its program answers /ping with 500 only when it will never serve."""
    models: dict[str, ManyModels] = field(default_factory=dict)
    """By container, of those that have many."""
    drain_seconds: float = DRAIN_SECONDS
    state: State = State.STARTING
    failure: Failure | None = None
    outstanding: int = 0
    containers: list[Container] = field(default_factory=list)
    born: float = field(default_factory=time.monotonic)
    healthy_at: float = 0.0
    last_words: str = ""
    """What it printed last before it was healthy, which often says why it never was."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _watching: "asyncio.Task[None] | None" = None

    # --- on a thread for starts -----------------------------------------------------------------

    def started(self, containers: list[tuple[str, Running]]) -> None:
        """Its sandboxes run; from now on it is pinged."""
        with self._lock:
            for name, sandbox in containers:
                upstream = Upstream(self.loop, lambda sandbox=sandbox: self._connect(sandbox))  # type: ignore[misc]
                self.containers.append(Container(name, sandbox, upstream, self.models.get(name)))
            # On another machine it may have taken long to bring it there.
            self.born = time.monotonic()
            over = self.state is State.ENDED
        if over:
            # It was stopped, or one of the first containers ended, while the others were started.
            for _, sandbox in containers:
                sandbox.stop(0)
            self._close()
            return
        try:
            self.loop.call_soon_threadsafe(self._watch)
        except RuntimeError:  # the server has ended
            self.end(Failure("The server is stopping."))

    def printed(self, line: str) -> None:
        """One of its containers printed a line. On the runtime's thread."""
        if self.state is State.STARTING and not line.isspace():
            self.last_words = line.strip()[:LONGEST_WORDS] or self.last_words

    def container_ended(self, name: str, ended: Ended) -> None:
        """One of its containers has ended, and so has it. On any thread."""
        if self.state is State.DRAINING:
            how = "It was stopped."
        elif ended.reason == "memory":
            how = f"The container {name} used more memory than its instance has."
        elif ended.exit_code is not None:
            how = f"The container {name} exited with code {ended.exit_code}."
        else:
            how = f"The container {name} was ended by signal {ended.signal}."
        if self.state is State.STARTING and self.last_words:
            how = f"{how} It printed last: {self.last_words}"
        self.end(Failure(how))

    def end(self, failure: Failure) -> None:
        """It is over. On any thread; the first call says why."""
        with self._lock:
            first = self.state is not State.ENDED
            if first and self.state is not State.DRAINING:
                self.failure = failure
            self.state = State.ENDED
        # Also the second time: it may have been started further meanwhile.
        for container in self.containers:
            container.sandbox.stop(0)
        try:
            self.loop.call_soon_threadsafe(self._end)
        except RuntimeError:
            self._close()
        if first:
            self.tell()

    def drain(self) -> None:
        """Take no further request: finish those that are under way, and end. On any thread."""
        with self._lock:
            if self.state in (State.DRAINING, State.ENDED):
                return
            was, self.state = self.state, State.DRAINING
        if was is State.STARTING:
            self.end(Failure("It was stopped."))
            return
        try:
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self._drain()))
        except RuntimeError:
            self.end(Failure("The server is stopping."))

    # --- on the event loop ----------------------------------------------------------------------

    def _connect(self, sandbox: Running) -> "asyncio.Future[socket.socket]":
        asked: Future[socket.socket] = sandbox.connect(PORT)
        return asyncio.wrap_future(asked, loop=self.loop)

    def _watch(self) -> None:
        self._watching = self.loop.create_task(self._ping_for_ever())

    async def _ping_for_ever(self) -> None:
        if not await self._first_pings():
            return
        while self.state is State.HEALTHY:
            await asyncio.sleep(BETWEEN_PINGS)
            for container in self.containers:
                await self._ping(container)
            if any(container.is_silent(self.loop.time()) for container in self.containers):
                self.end(Failure("It did not answer /ping any more."))

    async def _first_pings(self) -> bool:
        """Ping until it answers; False when that takes too long."""
        failed_since: float | None = None
        while self.state is State.STARTING:
            status, body = await self._pings()
            now = time.monotonic()
            failed_since = None if status != 500 else failed_since or now
            if failed_since is not None and (self.tells_failure or now - failed_since > LONGEST_500):
                said = body[:512].decode("utf-8", "replace").strip()
                self.end(Failure(f"It answered /ping with 500. {said}".strip(), final=True))
                return False
            if status == 200:
                lacking = await self._lacking()
                if lacking:
                    self.end(Failure(lacking, final=True))
                    return False
                with self._lock:
                    if self.state is not State.STARTING:
                        return False
                    self.state, self.healthy_at = State.HEALTHY, time.monotonic()
                self.tell()
                return True
            if time.monotonic() - self.born > self.hosted.first_check_seconds:
                found = body.decode() if status == 0 else f"it answers with {status}"
                text = f"It did not pass /ping within {self.hosted.first_check_seconds:.0f} seconds: {found}."
                self.end(Failure(text, final=True))
                return False
            await asyncio.sleep(BETWEEN_FIRST_PINGS)
        return False

    async def _pings(self) -> tuple[int, bytes]:
        """What its containers answer to /ping: 200 if all do, otherwise the first that does not."""
        for container in self.containers:
            status, body = await self._ping(container)
            if status != 200:
                return status, body
        return 200, b""

    async def _ping(self, container: Container) -> tuple[int, bytes]:
        """What a container answers to /ping; 0 for no answer, and why."""
        try:
            answer = await container.upstream.ping(_PING, PING_SECONDS)
        except OSError:
            return 0, b"nobody listens on port %d" % PORT
        except (Lost, TooLate):
            return 0, b"it gives no answer"
        if answer.status == 200:
            container.well = self.loop.time()
        return answer.status, answer.body

    async def _lacking(self) -> str:
        """Why its containers cannot do what they are to do, although they answer /ping."""
        for container in self.containers:
            with suppress(Lost, TooLate, OSError):
                if container.models is not None and not await container.models.serves(container.upstream):
                    return f"The container {container.name} does not answer GET /models: its image does not serve many models."
        return ""

    async def _drain(self) -> None:
        # A request may be about to be sent by the route before.
        await asyncio.sleep(LAST_LOOK_SECONDS)
        deadline = time.monotonic() + self.drain_seconds
        while self.outstanding and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for container in self.containers:
            container.sandbox.stop(STOP_SECONDS)
        over = [asyncio.wrap_future(container.sandbox.over, loop=self.loop) for container in self.containers]
        await asyncio.wait(over, timeout=STOP_SECONDS + 2)
        self.end(Failure("It was stopped."))

    def _end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        for container in self.containers:
            container.upstream.close()
        self._close()

    def _close(self) -> None:
        closers, self.closers = self.closers, []
        for close in closers:
            close()
