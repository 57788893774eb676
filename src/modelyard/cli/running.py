"""What is known of the server that serves a data directory: `<data>/server.json`, written while it runs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "server.json"


@contextmanager
def announced(data: Path, port: int) -> Iterator[None]:
    """Say where the server is, as long as it is there."""
    path = data / FILE
    draft = path.with_name(f".{FILE}.{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), "port": port}) + "\n", encoding="utf-8")
    draft.replace(path)
    try:
        yield
    finally:
        if _read(path) == (os.getpid(), port):
            path.unlink(missing_ok=True)


def port_of(data: Path) -> int | None:
    """The port of the server that runs on `data`, or None when none does."""
    found = _read(data / FILE)
    if found is None:
        return None
    pid, port = found
    return port if _alive(pid) else None


def _read(path: Path) -> tuple[int, int] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return int(document["pid"]), int(document["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a file that is not there, or is not ours, says nothing about a server


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
