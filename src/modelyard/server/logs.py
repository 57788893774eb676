"""Structured logs on standard error: one line per request and per event, as JSON or as text.

Lines are put in a queue and written by a thread of their own, so that a reader of the log who stops reading cannot
stop the server; lines for which the queue has no room are counted, and the count is logged. The thread only writes:
if it also rendered, it would take the interpreter from the event loop.

A request's line says who did what and how it ended. It never holds a body, a header or a query string: those carry
signatures and secrets.
"""

import logging
import os
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import orjson

MOST_WAITING = 50_000
"""Lines that wait for the disk or the terminal."""
INTERVAL = 0.05
"""Seconds between two writes."""

Record = dict[str, Any]


class LogWriter:
    """Writes records to a file descriptor, in the background."""

    def __init__(self, log_format: str, descriptor: int = 2) -> None:
        self._render = _as_text if log_format == "text" else _as_json
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        """Counted by whoever logs, which is one thread nearly always; never set back, so that no count is lost."""
        self._told = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def write(self, record: Record) -> None:
        """Queue a record. `time` is in epoch seconds."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(self._render(record))
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for at most two seconds."""
        self._stopping.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            lines = [self._waiting.popleft() for _ in range(min(len(self._waiting), 1000))]
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                lines.append(
                    self._render({"time": time.time(), "level": "error", "message": f"{dropped} log lines were dropped"})
                )
            content = memoryview(b"".join(lines))
            try:
                while content:
                    content = content[os.write(self._descriptor, content) :]
            except OSError:
                # Standard error is gone: there is nowhere left to say so.
                self._waiting.clear()


class LogHandler(logging.Handler):
    """Carries the records of Python's logging to a LogWriter."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, with its traceback if it has one."""
        entry: Record = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = getattr(record, "request_id", None)
        if request_id is not None:
            entry["request_id"] = request_id
        if record.exc_info:
            entry["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._writer.write(entry)


def set_up(writer: LogWriter, level: str) -> None:
    """Send everything that this process logs to `writer`."""
    root = logging.getLogger()
    root.handlers = [LogHandler(writer)]
    root.setLevel(level.upper())
    for chatty in ("asyncio", "botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _as_json(record: Record) -> bytes:
    moment = datetime.fromtimestamp(record["time"], UTC)
    return orjson.dumps({**record, "time": moment}, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _as_text(record: Record) -> bytes:
    fields = dict(record)
    moment = datetime.fromtimestamp(fields.pop("time"), UTC).isoformat(timespec="milliseconds")
    level, traceback = fields.pop("level"), fields.pop("traceback", None)
    said = fields.pop("message", None)
    words = [moment, level.upper(), *([said] if said else []), *(f"{name}={value}" for name, value in fields.items())]
    # Nothing that a client chose may start a line of its own.
    line = " ".join(words).replace("\n", "\\n").replace("\r", "\\r") + "\n"
    return (line + (traceback + "\n" if traceback else "")).encode("utf-8", "backslashreplace")
