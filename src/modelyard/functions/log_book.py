"""What functions print, and what is noted of their invocations, on its way to CloudWatch Logs: as the function's role.

As on AWS a role without permissions for logs writes none, and its function runs all the same.
"""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions.acting import context_of
from modelyard.functions.function import Version

FLUSH_SECONDS = 0.25
MOST_WAITING = 20_000
"""Lines that may wait; of a function that prints faster than they can be kept, some are left out."""
BATCH = 1000
BATCH_BYTES = 800_000
REFUSED_SECONDS = 60.0
"""How long a role that may not write logs is not asked again."""

log = logging.getLogger("modelyard.functions")


@dataclass(eq=False, slots=True)
class Stream:
    """The log stream of one environment."""

    version: Version
    group: str
    name: str
    made: bool = False
    refused_until: float = 0.0
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    left_out: int = 0


class LogBook:
    """Gathers lines and keeps them, on a thread of its own."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._lock = threading.Lock()
        self._busy: dict[Stream, None] = {}
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="function-logs", daemon=True)
        self._thread.start()

    def write(self, stream: Stream, line: str) -> None:
        """Note a line; it is kept soon. On any thread, and quick."""
        at = round(time.time() * 1000)
        with self._lock:
            if len(stream.waiting) >= MOST_WAITING:
                stream.left_out += 1
                return
            stream.waiting.append((at, line))
            self._busy[stream] = None

    def flush(self) -> None:
        """Keep what waits now."""
        with self._lock:
            busy = list(self._busy)
            self._busy.clear()
        for stream in busy:
            try:
                self._keep(stream)
            except AwsError as error:
                self._refused(stream, error)
            except Exception:
                log.exception("lines of %s could not be kept", stream.version.at.arn)

    def close(self) -> None:
        """Keep what waits, and end."""
        self._stopping.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self.flush()

    def _refused(self, stream: Stream, error: AwsError) -> None:
        stream.refused_until = time.monotonic() + REFUSED_SECONDS
        stream.waiting.clear()
        log.info("%s keeps no logs: %s", stream.version.at.arn, error.message)

    def _keep(self, stream: Stream) -> None:
        if time.monotonic() < stream.refused_until:
            stream.waiting.clear()
            return
        context = context_of(self._dispatcher, stream.version)
        while stream.waiting:
            if not stream.made:
                _make(context, stream)
            events = self._batch(stream)
            request = {"logGroupName": stream.group, "logStreamName": stream.name, "logEvents": events}
            try:
                context.call("logs", "PutLogEvents", request)
            except AwsError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                _make(context, stream)
                context.call("logs", "PutLogEvents", request)

    def _batch(self, stream: Stream) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        size = 0
        with self._lock:
            while stream.waiting and len(events) < BATCH and size < BATCH_BYTES:
                at, line = stream.waiting.popleft()
                size += len(line) * 4 + 26
                events.append({"timestamp": at, "message": line or " "})
            if stream.left_out:
                note = f"[{stream.left_out} lines were left out: the function prints faster than they can be kept]"
                events.append({"timestamp": events[-1]["timestamp"], "message": note})
                stream.left_out = 0
        return events


def _make(context: Context, stream: Stream) -> None:
    """Make the group and the stream, unless they are there."""
    about = {"logGroupName": stream.group}
    for operation, request in (("CreateLogGroup", about), ("CreateLogStream", {**about, "logStreamName": stream.name})):
        try:
            if operation == "CreateLogGroup" and _has_group(context, stream):
                continue
            context.call("logs", operation, request)
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
    stream.made = True


def _has_group(context: Context, stream: Stream) -> bool:
    """Whether a stream can be made at once, without a group: most roles may make streams, fewer groups."""
    try:
        context.call("logs", "CreateLogStream", {"logGroupName": stream.group, "logStreamName": stream.name})
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            return False
        if error.code != "ResourceAlreadyExistsException":
            raise
    return True
