"""Lines that workloads print, on their way to CloudWatch Logs: gathered, and kept a few times a second, as whoever they are of.

As on AWS a role without permissions for logs writes none, and what it runs goes on all the same.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context

FLUSH_SECONDS = 0.25
MOST_WAITING = 20_000
"""Lines that may wait; of what prints faster than lines can be kept, some are left out."""
BURST_BYTES = 16 * 1024 * 1024
BYTES_A_SECOND = 128 * 1024
"""What one stream may have kept at once, and from then on; the rest is left out. Who prints without an end fills no disk."""
OVERHEAD = 100
"""Bytes that a line takes beside its text."""
BATCH = 1000
BATCH_BYTES = 800_000
REFUSED_SECONDS = 60.0
"""How long whoever may not write logs is not asked again."""

log = logging.getLogger("modelyard.log_lines")


@dataclass(eq=False, slots=True)
class LogStream:
    """One log stream that lines go to."""

    context: Callable[[], Context]
    """Whose calls keep the lines. May raise AwsError."""
    group: str
    name: str
    made: bool = False
    refused_until: float = 0.0
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    left_out: int = 0
    allowance: float = BURST_BYTES
    """Bytes that it may print now."""
    counted_at: float = field(default_factory=time.monotonic)


class LogLines:
    """Gathers lines and keeps them, on a thread of its own."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._busy: dict[LogStream, None] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def write(self, stream: LogStream, line: str) -> None:
        """Note a line; it is kept soon. On any thread, and quick."""
        at = round(time.time() * 1000)
        with self._lock:
            if len(stream.waiting) >= MOST_WAITING or not _allowed(stream, len(line) + OVERHEAD):
                stream.left_out += 1
                return
            stream.waiting.append((at, line.replace("\0", "�")))
            self._busy[stream] = None

    def flush(self) -> None:
        """Keep what waits now. Returns once that is done, also when somebody else had begun it."""
        with self._flushing:
            with self._lock:
                busy = list(self._busy)
                self._busy.clear()
            for stream in busy:
                self._try_to_keep(stream)

    def close(self) -> None:
        """Keep what waits, and end."""
        self._stopping.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self.flush()

    def _try_to_keep(self, stream: LogStream) -> None:
        try:
            self._keep(stream)
        except AwsError as error:
            stream.refused_until = time.monotonic() + REFUSED_SECONDS
            stream.waiting.clear()
            log.info("%s of %s keeps no lines: %s", stream.name, stream.group, error.message)
        except Exception:
            log.exception("lines of %s could not be kept", stream.group)

    def _keep(self, stream: LogStream) -> None:
        if time.monotonic() < stream.refused_until:
            stream.waiting.clear()
            return
        context = stream.context()
        while stream.waiting:
            if not stream.made:
                _make(context, stream)
            request = {"logGroupName": stream.group, "logStreamName": stream.name, "logEvents": self._batch(stream)}
            try:
                context.call("logs", "PutLogEvents", request)
            except AwsError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                _make(context, stream)
                context.call("logs", "PutLogEvents", request)

    def _batch(self, stream: LogStream) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        size = 0
        with self._lock:
            while stream.waiting and len(events) < BATCH and size < BATCH_BYTES:
                at, line = stream.waiting.popleft()
                size += len(line) * 4 + 26
                events.append({"timestamp": at, "message": line or " "})
            if stream.left_out:
                note = f"[{stream.left_out} lines were left out: they come faster than they can be kept]"
                events.append({"timestamp": events[-1]["timestamp"], "message": note})
                stream.left_out = 0
        return events


def _allowed(stream: LogStream, size: int) -> bool:
    """Whether a stream may have so many bytes more kept; they are counted then."""
    now = time.monotonic()
    stream.allowance = min(BURST_BYTES, stream.allowance + (now - stream.counted_at) * BYTES_A_SECOND)
    stream.counted_at = now
    if stream.allowance < size:
        return False
    stream.allowance -= size
    return True


def _make(context: Context, stream: LogStream) -> None:
    """Make the stream, and the group where there is none: most roles may make streams, fewer groups."""
    about = {"logGroupName": stream.group, "logStreamName": stream.name}
    if not _done(context, "CreateLogStream", about):
        _done(context, "CreateLogGroup", {"logGroupName": stream.group})
        _done(context, "CreateLogStream", about)
    stream.made = True


def _done(context: Context, operation: str, request: dict[str, str]) -> bool:
    """Make something that may be there; False where what it belongs to is not."""
    try:
        context.call("logs", operation, request)
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            return False
        if error.code != "ResourceAlreadyExistsException":
            raise
    return True
