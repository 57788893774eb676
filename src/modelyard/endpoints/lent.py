"""An instance that runs for a job: asked directly, with no route and no reconciler."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, wait
from typing import Any, TypeVar

import orjson

from modelyard.dispatch.model_lending import NotAnswered, NotRunning, Patience, Payload, Reply
from modelyard.endpoints.connection import Answer, Lost, TooLate
from modelyard.endpoints.deployment import Hosted
from modelyard.endpoints.fleet import instance_id
from modelyard.endpoints.instance import STOP_SECONDS, Container, Failure, Instance, State
from modelyard.endpoints.launching import Launching
from modelyard.endpoints.model import Name

LONGEST_MESSAGE = 512
PARAMETERS_SECONDS = 2.0
FIRST_PAUSE = 0.2
"""Seconds until a request is tried again; twice as long each time."""
LOOK_SECONDS = 1.0
LAST_LOOK_SECONDS = 0.1
SETTLE_SECONDS = STOP_SECONDS + 5.0
"""How long whatever runs of it at its end is waited for."""
_PARAMETERS = b"GET /execution-parameters HTTP/1.1\r\nHost: localhost:8080\r\nAccept: application/json\r\n\r\n"

T = TypeVar("T")


class LentInstance:
    """An instance (`dispatch.model_lending.Lent`)."""

    def __init__(self, at: Name, hosted: Hosted, launching: Launching, loop: asyncio.AbstractEventLoop) -> None:
        self._changed = threading.Event()
        # SageMaker names the log streams of jobs so: JOB/INSTANCE-TIME.
        unique = f"{instance_id()}-{time.time_ns() // 1_000_000}"
        self._instance = Instance(unique, at.name, hosted, loop, self._changed.set)
        self._loop = loop
        self._launching = launching
        launching.start(at, self._instance)

    @property
    def log_stream(self) -> str:
        """Of its container, or what those of its containers begin with."""
        return f"{self._instance.variant}/{self._instance.id}"

    def wait_until_ready(self, stopping: threading.Event) -> None:
        """Returns once it answers /ping, or something is stopping. Raises NotRunning."""
        while not stopping.is_set():
            state = self._instance.state
            if state is State.HEALTHY:
                return
            if state is not State.STARTING:
                raise NotRunning(self._ended())
            self._changed.wait(LOOK_SECONDS)
            self._changed.clear()

    def parameters(self) -> Mapping[str, Any]:
        """What its first container answers to GET /execution-parameters; empty where it has nothing to say."""
        upstream = self._instance.containers[0].upstream
        try:
            answer = self._submit(upstream.ask(_PARAMETERS, seconds=PARAMETERS_SECONDS)).result(2 * PARAMETERS_SECONDS)
            found = orjson.loads(answer.body) if answer.status == 200 else {}
        except (Lost, TooLate, OSError, orjson.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def ask(self, payload: Payload, patience: Patience) -> "Future[Reply]":
        """Have something computed. The future raises NotAnswered and NotRunning."""
        return self._submit(self._ask(payload, patience))

    def end(self) -> None:
        """It is not needed any more."""
        self._instance.drain()

    def settle(self, closing: threading.Event) -> None:
        """Returns once nothing of it runs and all that it printed is kept, or the server is closing."""
        left = {container.sandbox.over for container in self._instance.containers}
        deadline = time.monotonic() + SETTLE_SECONDS
        while left and not closing.is_set() and time.monotonic() < deadline:
            left = wait(left, LAST_LOOK_SECONDS).not_done
        self._launching.flush_logs()

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _ended(self) -> str:
        failure: Failure | None = self._instance.failure
        return "It was stopped." if failure is None else failure.text

    # --- on the event loop ----------------------------------------------------------------------

    async def _ask(self, payload: Payload, patience: Patience) -> Reply:
        left, pause = patience.retries, FIRST_PAUSE
        while True:
            try:
                return await self._through(payload, patience.seconds)
            except NotAnswered as error:
                if self._instance.state is State.ENDED:
                    raise NotRunning(self._ended()) from None
                # What a container says is wrong with a request stays wrong.
                if not left or 400 <= error.status < 500:
                    raise
            left -= 1
            await asyncio.sleep(pause)
            pause *= 2

    async def _through(self, payload: Payload, seconds: float) -> Reply:
        """Through all containers, one after the other."""
        containers = self._instance.containers
        body, content_type = payload.body, payload.content_type
        for container in containers:
            accept = payload.accept if container is containers[-1] else None
            answer = await _answer(container, _head(len(body), content_type, accept) + body, seconds)
            if answer.status != 200:
                message = answer.body[: 4 * LONGEST_MESSAGE].decode("utf-8", "replace")[:LONGEST_MESSAGE]
                raise NotAnswered(container.name, answer.status, message)
            body, content_type = answer.body, answer.headers.get("content-type")
        return Reply(body, content_type)


async def _answer(container: Container, sent: bytes, seconds: float) -> Answer:
    try:
        return await container.upstream.ask(sent, seconds=seconds)
    except TooLate:
        raise NotAnswered(container.name, 0, f"It did not answer within {seconds:.0f} seconds.") from None
    except (Lost, OSError) as error:
        raise NotAnswered(container.name, 0, str(error)) from None


def _head(size: int, content_type: str | None, accept: str | None) -> bytes:
    lines = ["POST /invocations HTTP/1.1", "Host: localhost:8080", f"Content-Length: {size}", f"Accept: {accept or '*/*'}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    # Line breaks could begin a header of the client's own.
    text = "\r\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)
    return (text + "\r\n\r\n").encode("latin-1", "replace")
